// Counts of what lives in the process, kept by each thread for itself and summed when asked for.
#pragma once
#include <cstdint>

#include "base/thread.h"

namespace gradus {

inline void count_live(Live what, int64_t change) { this_thread().live[static_cast<int>(what)].add(change); }
int64_t live_count(Live what);                                // of all threads, ended ones too

}  // namespace gradus
