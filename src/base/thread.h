// What the library keeps per thread, behind one pointer: the context in use and this thread's free blocks.
#pragma once
#include <atomic>
#include <cstdint>

namespace gradus {

struct Allocator;
struct Context;
struct Node;
struct AutogradMeta;

enum class Live : int { contexts, tensors, nodes, foreign_blocks, callbacks, profiles, optimizers, schedulers, files, function_calls, count };

// Free blocks of one size. 16-byte steps up to 512 bytes, then four sizes per doubling.
struct FreeBlock { FreeBlock* next; };
struct FreeList {
  FreeBlock* head = nullptr;
  uint32_t count = 0;
  void push(void* p) {
    auto* f = static_cast<FreeBlock*>(p);
    f->next = head;
    head = f;
    ++count;
  }
  void* pop() {
    FreeBlock* f = head;
    if (f) { head = f->next; --count; }
    return f;
  }
};
inline constexpr int kFineClasses = 32, kBlockClasses = kFineClasses + 4 * 40;

// A counter that its own thread changes and any thread reads.
class OwnCount {
 public:
  void add(int64_t n) { n_.store(n_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  int64_t get() const { return n_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> n_{0};
};

// A pointer that its own thread changes and any thread reads.
template <class T> class OwnPointer {
 public:
  operator T*() const { return p_.load(std::memory_order_relaxed); }
  T* operator->() const { return *this; }
  OwnPointer& operator=(T* p) { p_.store(p, std::memory_order_relaxed); return *this; }
  T* exchange(T* p) { T* before = *this; *this = p; return before; }   // not one step: only the owner writes

 private:
  std::atomic<T*> p_{nullptr};
};

struct Thread {
  OwnPointer<Context> context;                                // set by the C layer's guard, or by a ContextScope
  Allocator* allocator = nullptr;                             // the context's, if it has one of its own
  Node* dying = nullptr;                                      // nodes to be freed, by a loop instead of recursion
  bool freeing = false;
  AutogradMeta* dying_meta = nullptr;                         // the same of tensors, whose gradients may have gradients of their own
  bool freeing_meta = false;
  uint32_t passes = 0;                                        // backward passes that run on it, one inside the other
  uintptr_t stack_low = 0, stack_high = 0;                    // stack.h; equal: not known
  bool in_part = false;                                       // inside a part of parallel_for
  bool whole = false;                                         // what runs must not be cancelled halfway
  bool orphan = false;                                        // in a forked child whose parent was inside a call on another thread
  OwnCount setting_up;                                        // calls that run without a context: of making one, and of the registry
  OwnCount live[static_cast<int>(Live::count)];               // live.h
  OwnCount live_bytes;                                        // of small blocks: taken minus given
  FreeList blocks[kBlockClasses];                             // memory.h
  Thread* next = nullptr;                                     // of all threads
};

// Initial-exec: 8 bytes of the static TLS block, no call to find it.
extern constinit thread_local Thread* t_thread [[gnu::tls_model("initial-exec")]];
Thread* start_thread();                                       // makes the record at a thread's first need
Thread* thread_or_null() noexcept;                            // null: no memory for the record
inline Thread& this_thread() {
  if (Thread* t = t_thread) [[likely]] return *t;
  return *start_thread();
}

}  // namespace gradus
