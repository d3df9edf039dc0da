#include "base/parallel.h"

#include <linux/futex.h>
#include <time.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <exception>
#include <mutex>
#include <new>

#include "base/context.h"
#include "base/cpus.h"
#include "base/error.h"
#include "base/interrupt.h"

namespace gradus {
namespace {

constexpr int kMaxThreads = 64;
constexpr int64_t kWorthWaking = 24;                          // parts in quick succession for which waking a sleeper pays
using Nanoseconds = int64_t;
constexpr Nanoseconds kQuick = 200'000;                       // regions that begin within this are one burst of work

Nanoseconds now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return Nanoseconds{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

inline void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}
void futex(std::atomic<uint32_t>* word, int op, uint32_t value) {
  syscall(SYS_futex, word, op, value, nullptr, nullptr, 0);
}

// How long a worker stays awake after a region. It learns: where the next region comes soon after it has fallen asleep, it will wait
// longer, up to half a millisecond; where none comes for long, less. Past the first moment it offers the processor to others. Where one
// takes it, it sleeps instead for a while: a sleeper that is woken has its turn sooner than one that keeps giving its turn away.
class Patience {
 public:
  template <class Ready> bool wait(const Ready& ready) {      // whether it came in time
    const int pauses = crowded_ > 0 ? std::min(pauses_, kFirst) : pauses_;
    crowded_ -= crowded_ > 0;
    for (int i = 0; i < pauses; ++i) {
      if (ready()) return true;
      pause();
      if (i < kFirst || i % 64 != 0) continue;
      const Nanoseconds t = now();
      sched_yield();
      if (now() - t < kTurn) continue;
      crowded_ = 1000;
      return ready();
    }
    return false;
  }
  void slept(Nanoseconds t) { pauses_ = t < kLonger ? std::min(2 * pauses_, kMost) : std::max(pauses_ / 2, kLeast); }

 private:
  static constexpr int kLeast = 1000, kFirst = 4000, kMost = 20000;   // a pause is 5 to 25 ns
  static constexpr Nanoseconds kLonger = 500'000, kTurn = 50'000;
  int pauses_ = kFirst, crowded_ = 0;
};

bool is_cancelled(const std::atomic<uint32_t>* attention) {
  return attention && (attention->load(std::memory_order_relaxed) & Context::kCancelled);
}
[[noreturn, gnu::cold, gnu::noinline]] void stop() { fail(Status::cancelled, "cancelled"); }

// The caller and the workers claim the parts of a region one by one, so a worker that is slow to wake costs nothing.
// Workers start at first need, spin for a moment after a region, then sleep; a forked child starts its own.
class Pool {
 public:
  bool try_run(int threads, int64_t parts, void (*part)(void*, int64_t), void* data, int64_t weight,
               const std::atomic<uint32_t>* attention, Interrupt& host) {
    std::unique_lock own(lock_, std::try_to_lock);            // one region at a time; a second caller runs alone
    if (!own) return false;
    while (started_ < threads - 1 && start()) {}
    if (started_ == 0) return false;
    part_ = part;
    data_ = data;
    attention_ = attention;
    failed_.store(false, std::memory_order_relaxed);
    allowed_.store(threads - 1, std::memory_order_relaxed);
    left_.store(parts, std::memory_order_relaxed);
    const uint32_t round = round_.load(std::memory_order_relaxed) + 1;
    claim_.store(uint64_t{round} << 32 | static_cast<uint32_t>(parts), std::memory_order_release);  // publishes the job
    round_.store(round, std::memory_order_seq_cst);
    if (asleep_.load(std::memory_order_seq_cst) > 0 && worth_waking(parts * weight))
      futex(&round_, FUTEX_WAKE_PRIVATE, static_cast<uint32_t>(threads - 1));
    work(round, &host);
    for (int i = 0; left_.load(std::memory_order_acquire) != 0; ++i)
      if (i < 20000) pause(); else sched_yield();
    if (failed_.load(std::memory_order_relaxed)) std::rethrow_exception(std::exchange(error_, nullptr));
    return true;
  }
  void after_fork() {                                         // in the child: threads did not survive
    new (&lock_) std::mutex;
    started_ = 0;
    asleep_.store(0);
    left_.store(0);
  }

 private:
  // A woken worker is late for a short region, but in time for those that follow it: small ones count together.
  bool worth_waking(int64_t parts) {
    if (parts < kWorthWaking) {
      const Nanoseconds t = now();
      parts += t - missed_at_ < kQuick ? missed_ : 0;
      missed_at_ = t;
    }
    missed_ = parts < kWorthWaking ? parts : 0;
    return missed_ == 0;
  }
  void work(uint32_t round, Interrupt* host) {                // a claim of an older round fails: its job is gone
    Thread& self = this_thread();
    self.in_part = true;
    for (uint64_t c = claim_.load(std::memory_order_acquire); c >> 32 == round && static_cast<uint32_t>(c) != 0;) {
      if (!claim_.compare_exchange_weak(c, c - 1, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
      try {
        if (is_cancelled(attention_) || (host && host->due())) stop();
        part_(data_, static_cast<int64_t>(static_cast<uint32_t>(c)) - 1);
      } catch (...) {
        if (!failed_.exchange(true)) error_ = std::current_exception();
      }
      left_.fetch_sub(1, std::memory_order_release);
      c = claim_.load(std::memory_order_acquire);
    }
    self.in_part = false;
  }
  bool start() {
    sigset_t all, before;                                     // workers take no signals of the host
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t t;
    args_[started_] = {this, round_.load()};
    const bool ok = pthread_create(&t, nullptr, loop, &args_[started_]) == 0;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (ok) { pthread_detach(t); ++started_; }
    return ok;
  }
  struct Arg { Pool* pool; uint32_t round; };
  static void* loop(void* p) {
    const Arg a = *static_cast<Arg*>(p);
    Pool& w = *a.pool;
    Patience patience;
    for (uint32_t seen = a.round;;) {
      const auto begun = [&] { return w.round_.load(std::memory_order_acquire) != seen; };
      if (!patience.wait(begun)) {
        const Nanoseconds from = now();
        w.asleep_.fetch_add(1, std::memory_order_seq_cst);
        while (!begun()) futex(&w.round_, FUTEX_WAIT_PRIVATE, seen);   // returns at once if a region has begun
        w.asleep_.fetch_sub(1, std::memory_order_relaxed);
        patience.slept(now() - from);
      }
      seen = w.round_.load(std::memory_order_acquire);
      if (w.allowed_.fetch_sub(1, std::memory_order_relaxed) > 0) w.work(seen, nullptr);
    }
    return nullptr;
  }

  std::mutex lock_;                                           // guards a region and the starting of workers
  int started_ = 0;
  int64_t missed_ = 0;                                        // parts of the burst that began while workers slept
  Nanoseconds missed_at_ = 0;
  void (*part_)(void*, int64_t) = nullptr;
  void* data_ = nullptr;
  const std::atomic<uint32_t>* attention_ = nullptr;
  std::exception_ptr error_;
  std::atomic<bool> failed_{false};
  std::atomic<int> allowed_{0};                               // workers that may still join
  Arg args_[kMaxThreads];
  alignas(64) std::atomic<uint32_t> round_{0};
  alignas(64) std::atomic<uint64_t> claim_{0};                // round << 32 | parts not yet claimed
  alignas(64) std::atomic<int64_t> left_{0};                  // parts not yet done
  alignas(64) std::atomic<int> asleep_{0};
};

Pool& pool() {                                                // never destroyed: workers outlive main
  alignas(Pool) static char place[sizeof(Pool)];
  static Pool* p = [] {
    Pool* made = new (place) Pool;
    pthread_atfork(nullptr, nullptr, [] { pool().after_fork(); });
    return made;
  }();
  return *p;
}

}  // namespace

int thread_count() {
  static const int usable = std::clamp(usable_cpus(), 1, kMaxThreads);
  const Thread& t = this_thread();
  if (t.in_part || !t.context) return 1;
  return t.context->threads > 0 ? std::min(t.context->threads, kMaxThreads) : usable;
}

void run_parts(int64_t parts, void (*part)(void*, int64_t), void* data, int64_t weight) {
  const Thread& me = this_thread();
  Context* c = me.whole ? nullptr : static_cast<Context*>(me.context);
  const std::atomic<uint32_t>* attention = c ? &c->attention : nullptr;
  Interrupt host(me.in_part ? nullptr : c);
  const int threads = static_cast<int>(std::min<int64_t>(thread_count(), parts));
  if (threads > 1 && parts < INT32_MAX && pool().try_run(threads, parts, part, data, weight, attention, host)) return;
  for (int64_t i = 0; i < parts; ++i) {
    if (is_cancelled(attention) || host.due()) stop();
    part(data, i);
  }
}

}  // namespace gradus
