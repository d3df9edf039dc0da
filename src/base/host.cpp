#include "base/host.h"

#include <atomic>
#include <new>

#include "base/context.h"
#include "base/live.h"

namespace gradus {

void run_destroy(DestroyFn f, void* user) noexcept {
  try {
    f(user);
  } catch (...) {
  }
}

struct Deferred {
  Deferred* next = nullptr;
  DestroyQueue* queue;                                        // counted
  DestroyFn destroy = nullptr, drop = nullptr;
  void* user = nullptr;
  Live what;
};

// A stack that any thread pushes to and that is taken as a whole.
struct DestroyQueue {
  Count refs;
  std::atomic<Deferred*> last{nullptr};
};

namespace {

Deferred* closed() {                                          // stands for "takes no more"
  static char mark alignas(Deferred);
  return reinterpret_cast<Deferred*>(&mark);
}
void release(DestroyQueue* q) {
  if (q->refs.down()) delete q;
}
void give_back(Deferred* d) {
  release(d->queue);
  delete d;
}
void drop(Deferred* d) {
  if (d->drop) run_destroy(d->drop, d->user);
  give_back(d);
}
void push(Deferred* d) {
  std::atomic<Deferred*>& last = d->queue->last;
  Deferred* before = last.load(std::memory_order_acquire);
  do {
    if (before == closed()) return drop(d);
    d->next = before;
  } while (!last.compare_exchange_weak(before, d, std::memory_order_acq_rel, std::memory_order_acquire));
}
Deferred* in_order(Deferred* newest) {
  Deferred* first = nullptr;
  while (newest) first = std::exchange(newest, std::exchange(newest->next, first));
  return first;
}

}  // namespace

DestroyQueue* make_destroy_queue() { return new DestroyQueue; }

void close_destroy_queue(DestroyQueue* q) noexcept {
  for (Deferred* d = in_order(q->last.exchange(closed(), std::memory_order_acq_rel)); d;) drop(std::exchange(d, d->next));
  release(q);
}

uint64_t run_destroy_queue(DestroyQueue* q) noexcept {
  uint64_t ran = 0;
  q->refs.up();                                               // a destroy may release the context
  while (q->last.load(std::memory_order_relaxed) != nullptr && q->last.load(std::memory_order_relaxed) != closed())
    for (Deferred* d = in_order(q->last.exchange(nullptr, std::memory_order_acq_rel)); d; ++ran) {
      Deferred* now = std::exchange(d, d->next);
      run_destroy(now->destroy, now->user);
      count_live(now->what, -1);
      give_back(now);
    }
  release(q);
  return ran;
}

void HostData::reserve(Live what, bool destroys) {
  Context* c = this_thread().context;
  if (destroys && c && c->destroys) {
    place_ = new Deferred{nullptr, c->destroys, nullptr, nullptr, nullptr, what};
    c->destroys->refs.up();
  }
  count_live(what, 1);
}

void HostData::arm(DestroyFn destroy, void* user, DestroyFn drop) noexcept {
  destroy_ = destroy;
  user_ = user;
  if (!place_) return;
  place_->destroy = destroy;
  place_->drop = drop;
  place_->user = user;
}

void HostData::end(Live what) noexcept {
  Deferred* place = std::exchange(place_, nullptr);
  const DestroyFn destroy = std::exchange(destroy_, nullptr);
  if (place && destroy) return push(place);
  if (place) give_back(place);
  if (destroy) run_destroy(destroy, user_);
  count_live(what, -1);
}

}  // namespace gradus
