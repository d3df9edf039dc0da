// One pool of threads for the whole library. Work is split by its size alone, so results never depend on the number of threads.
#pragma once
#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/thread.h"

namespace gradus {

// Runs part(data, i) for every i of [0, parts), on this thread and on at most threads - 1 others. An exception of a part
// is rethrown here after all have ended. A call from inside a part runs on the spot. Cancelling the context ends it between two
// parts, unless a Whole is in force. Threads that sleep are woken where enough is to be done: a part is about two microseconds of
// work, or `weight` times as much.
void run_parts(int64_t parts, void (*part)(void* data, int64_t i), void* data, int64_t weight = 1);

// While it lives, what this thread runs is not cancelled halfway: a write in place would be half done.
class Whole {
 public:
  Whole() : thread_(this_thread()), before_(std::exchange(thread_.whole, true)) {}
  ~Whole() { thread_.whole = before_; }
  Whole(const Whole&) = delete;
  Whole& operator=(const Whole&) = delete;

 private:
  Thread& thread_;
  bool before_;
};

// How many threads the current context allows; 1 inside a part.
int thread_count();

// Runs body(begin, end) over pieces of [0, n) of `grain` elements, the last one shorter; weight as of run_parts.
template <class Body> void parallel_for(int64_t n, int64_t grain, const Body& body, int64_t weight = 1) {
  grain = std::max<int64_t>(grain, 1);
  if (n <= grain) {
    if (n > 0) body(int64_t{0}, n);
    return;
  }
  struct Job { const Body& body; int64_t n, grain; } job{body, n, grain};
  run_parts((n + grain - 1) / grain, [](void* data, int64_t i) {
    const Job& j = *static_cast<Job*>(data);
    j.body(i * j.grain, std::min(j.n, (i + 1) * j.grain));
  }, &job, weight);
}

}  // namespace gradus
