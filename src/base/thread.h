// What the library keeps per thread: the context in use and this thread's free blocks, behind one pointer.
#pragma once
#include <atomic>
#include <cstdint>

namespace gradus {

struct Context;
struct Node;
struct Cache;                                                 // memory.cpp

enum class Live : int { contexts, tensors, nodes, foreign_blocks, callbacks, count };

struct Thread {
  Context* context = nullptr;                                 // set by the C layer's guard, or by a ContextScope
  Cache* cache = nullptr;
  Node* dying = nullptr;                                      // nodes to be freed, by a loop instead of recursion
  bool freeing = false;
  std::atomic<int64_t> live[static_cast<int>(Live::count)] = {};  // live.h
  bool in_part = false;                                       // inside a part of parallel_for
};

// Initial-exec: 8 bytes of the static TLS block, no call to find it.
extern thread_local Thread* t_thread [[gnu::tls_model("initial-exec")]];
Thread* start_thread();                                       // makes the record at a thread's first need
inline Thread& this_thread() {
  if (Thread* t = t_thread) [[likely]] return *t;
  return *start_thread();
}

}  // namespace gradus
