// The state that other libraries keep in globals: error, modes, random stream, allocator, limits. One thread at a time.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>

#include "base/memory.h"
#include "base/ref.h"
#include "base/thread.h"

namespace gradus {

class Observer;                                               // graph/observer.h

// Counter-based: the i-th number of a call depends on the seed, the call's offset and i alone.
struct Generator {
  uint64_t seed = 0, offset = 0;
  uint64_t take(uint64_t numbers) { return std::exchange(offset, offset + (numbers + 3) / 4); }   // blocks of four
};

// The last failure, kept in place so that reporting it needs no memory.
struct ErrorRecord {
  int32_t status = 0;
  int32_t argument = -1;
  int64_t user_code = 0;
  const char* where = "";
  uint32_t length = 0;
  char message[1024] = {};
};

class KeptResults;                                            // graph/checkpoint.h
class SavedHooks;                                             // graph/saved.h
class SavedCopies;                                            // graph/saved_copies.h
class Pass;                                                   // graph/node.h
struct DestroyQueue;                                          // base/host.h

struct Context : Object {
  Context() : Object{Kind::context, {}} {}

  bool grad_mode = true;                                      // record what is computed
  bool inference_mode = false;                                // results never take part in autograd
  bool deterministic = false;                                 // what was asked for: everything is anyway
  int threads = 0;                                            // 0: as many as the machine allows
  Allocator* allocator = nullptr;
  Generator generator;
  uint64_t sequence = 0;                                      // of graph nodes
  uint64_t passes = 0;                                        // backward passes that have begun
  SavedHooks* saved_hooks = nullptr;                          // owned: the innermost in force
  SavedCopies* copies = nullptr;                              // owned: saved values are copied before their memory is written
  KeptResults* results = nullptr;                             // asked for results before they are computed
  Pass* pass = nullptr;                                       // the backward pass that is running, the innermost
  int32_t (*interrupt)(void* user) = nullptr;
  std::chrono::steady_clock::time_point question_due{};       // when interrupt is asked again: base/interrupt.h
  void (*log)(void* user, int32_t level, const char* text, size_t length) = nullptr;
  int32_t log_level = 0;
  void* user = nullptr;
  void (*destroy)(void* user) = nullptr;
  DestroyQueue* destroys = nullptr;                           // with polled destruction
  // What a call looks at before it runs, all in one word: zero as a rule. Signal handlers may set bits.
  enum Attention : uint32_t { kCancelled = 1, kObserved = 2, kResults = 4 };
  std::atomic<uint32_t> attention{0};
  Observer* observers = nullptr;                              // who watches: a list; graph/observer.h
  uint32_t ranges = 0;                                        // named ranges that are open
  bool logging = false;                                       // inside the log sink
  std::atomic<Thread*> busy{nullptr};                         // the thread that is inside a call
  bool released = false;                                      // by a callback: it goes when the call is over
  ErrorRecord error;
};

// The context of this thread's call; the C layer's guard has set it.
inline Context& context() { return *this_thread().context; }

// Makes a context the current one of this thread for a while.
class ContextScope {
 public:
  explicit ContextScope(Context& c) : thread_(this_thread()), before_(thread_.context.exchange(&c)) { thread_.allocator = c.allocator; }
  ~ContextScope() {
    thread_.context = before_;
    thread_.allocator = before_ ? before_->allocator : nullptr;
  }
  ContextScope(const ContextScope&) = delete;
  ContextScope& operator=(const ContextScope&) = delete;

 private:
  Thread& thread_;
  Context* before_;
};

// Switches recording for a while. At its end both modes are as they were, whatever code of the host did to them meanwhile.
class GradMode {
 public:
  explicit GradMode(bool on) : before_(std::exchange(context().grad_mode, on)), inference_(context().inference_mode) {}
  ~GradMode() {
    context().grad_mode = before_;
    context().inference_mode = inference_;
  }
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;

 private:
  bool before_, inference_;
};

}  // namespace gradus
