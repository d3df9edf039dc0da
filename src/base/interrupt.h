// The host's interrupt callback, asked now and then by a call that takes long: on the call's own thread, never by a worker.
#pragma once
#include <utility>

#include "base/context.h"
#include "base/error.h"
#include "base/host.h"

namespace gradus {

class Interrupt {
 public:
  explicit Interrupt(Context* c) : context_(c && c->interrupt ? c : nullptr) {}
  explicit operator bool() const { return context_; }

  // For each piece of work: asks 20 ms after the last time, whichever piece that was for. True if the host has just said that the
  // call shall end: then it is cancelled as a whole.
  bool due() { return context_ && Clock::now() >= context_->question_due && ask(); }
  bool ask() {
    const Muted muted(*context_);
    const bool end = ask_host("interrupt", [&] { return muted.interrupt(context_->user); }) != 0;
    if (end) context_->attention.fetch_or(Context::kCancelled, std::memory_order_relaxed);
    context_->question_due = Clock::now() + std::chrono::milliseconds(20);
    return end;
  }
  // For each step of many small ones: a look at the clock every eighth time, a question every 64th at the latest.
  void step(uint64_t i, const char* what) {
    if (context_ && i % 8 == 7 && (i % 64 == 63 ? ask() : due())) fail(Status::cancelled, "{}: cancelled by the host", what);
  }

 private:
  using Clock = std::chrono::steady_clock;
  struct Muted {                                              // what the callback itself calls does not ask again
    explicit Muted(Context& c) : context(c), interrupt(std::exchange(c.interrupt, nullptr)) {}
    ~Muted() { context.interrupt = interrupt; }
    Muted(const Muted&) = delete;
    Muted& operator=(const Muted&) = delete;
    Context& context;
    int32_t (*interrupt)(void* user);
  };

  Context* context_;
};

}  // namespace gradus
