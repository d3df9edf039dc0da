#include "graph/saved_copies.h"

#include <algorithm>
#include <cstring>

#include "graph/history.h"
#include "kernels/copy.h"

namespace gradus {
namespace {

// In the layout of the value if that has no gaps, else row-major.
Tensor copy_of(const Tensor& t) {
  const int64_t span = span_of(t.sizes(), t.strides());
  if (span > t.numel()) {
    const Tensor copy = empty(t.dtype(), t.sizes());
    kernels::copy(view_of(copy), view_of(t));
    return copy;
  }
  const Tensor copy = empty_strided(t.dtype(), t.sizes(), t.strides());      // of an expanded one no more than there is
  if (span > 0) std::memcpy(copy.impl()->data(), t.impl()->data(), static_cast<size_t>(span * size_of(t.dtype())));
  return copy;
}

}  // namespace

// What was saved once, or several times at the same version: the tensor itself, or its copy.
struct SavedCopies::Value {
  std::atomic_flag busy = ATOMIC_FLAG_INIT;                   // guards the two below: passes of other threads may read
  Tensor tensor;
  bool copied = false;
  const uint32_t version;
  explicit Value(const Tensor& t) : tensor(t), version(t.storage().current()) {}

  Tensor get() {
    const FlagLock lock(busy);
    GRADUS_CHECK(copied || tensor.storage().current() == version, in_place,
                 "a saved tensor of shape {} was changed in place by something that mutation_on_saved does not see: it is at version {}, expected {}",
                 text(tensor.sizes()), tensor.storage().current(), version);
    return tensor;
  }
};

struct SavedCopies::Kept : Packed {
  std::shared_ptr<State> state;
  std::shared_ptr<Value> value;
  Tensor unpack() override {
    GRADUS_CHECK(state->open.load(std::memory_order_relaxed), state,
                 "backward outside of the stretch of mutation_on_saved in which the graph was recorded: a saved value may have changed");
    return value->get();
  }
  void held(const SeeHeld& see) const override {
    Tensor t;
    {
      const FlagLock lock(value->busy);
      t = value->tensor;
    }
    see(t.impl(), {});
  }
};

std::shared_ptr<SavedCopies::Value> SavedCopies::find(std::vector<std::weak_ptr<Value>>& list, const Tensor& t) {
  std::erase_if(list, [](const std::weak_ptr<Value>& w) { return w.expired(); });
  for (const std::weak_ptr<Value>& w : list) {
    const std::shared_ptr<Value> v = w.lock();
    if (!v || v->version != t.storage().current()) continue;
    const Tensor& u = v->tensor;                              // not copied: it would not be in the list
    if (u.dtype() == t.dtype() && u.offset() == t.offset() && same(u.sizes(), t.sizes()) && same(u.strides(), t.strides())) return v;
  }
  return nullptr;
}

void SavedCopies::forget_dead() {
  if (values_.size() < look_again_) return;
  std::erase_if(values_, [](const auto& entry) {
    return std::all_of(entry.second.begin(), entry.second.end(), [](const std::weak_ptr<Value>& w) { return w.expired(); });
  });
  look_again_ = std::max(size_t{64}, 2 * values_.size());
}

Ref<Packed> SavedCopies::pack(const Tensor& value, const Op& by) {
  if (ended()) return outer ? pack_with(outer.get(), value, by) : Ref<Packed>();
  forget_dead();
  std::vector<std::weak_ptr<Value>>& list = values_[&value.storage()];
  const auto kept = Ref<Kept>::adopt(new Kept);
  kept->state = state_;
  kept->value = find(list, value);
  if (!kept->value) {
    kept->value = std::make_shared<Value>(value);
    list.push_back(kept->value);
  }
  value.storage().kept.store(true, std::memory_order_relaxed);
  return Ref<Packed>::share(kept.get());
}

void SavedCopies::before_write(const Storage* s) {
  const auto at = values_.find(s);
  if (at == values_.end()) return;
  for (const std::weak_ptr<Value>& w : at->second) {
    const std::shared_ptr<Value> v = w.lock();
    if (!v || v->version != s->current()) continue;           // somebody has written unseen: the value is lost
    Tensor copy = copy_of(v->tensor);
    const FlagLock lock(v->busy);
    std::swap(v->tensor, copy);
    v->copied = true;
    ++copies_;
  }
  values_.erase(at);
}

void copy_saved(const Storage& s) {
  if (SavedCopies* c = context().copies) c->before_write(&s);
}

bool set_saved_copies(Context& c, bool on) {
  const bool before = c.copies;
  if (before == on) return before;
  if (on) {
    const auto made = Ref<SavedCopies>::adopt(new SavedCopies);
    push_saved_hooks(Ref<SavedHooks>::share(made.get()));
    c.copies = Ref<SavedCopies>(made).detach();
    return before;
  }
  for (const SavedHooks* h = c.saved_hooks; h; h = h->outer.get())
    GRADUS_CHECK(h != c.copies || h == c.saved_hooks, state, "mutation_on_saved: saved-tensor hooks that were pushed since it is on are still in force");
  const Ref<SavedCopies> gone = Ref<SavedCopies>::adopt(std::exchange(c.copies, nullptr));
  gone->end();
  drop_ended_hooks();                                         // nowhere: the pass or hook in which they were pushed is over
  return before;
}

void free_saved_copies(Context& c) {
  if (SavedCopies* gone = std::exchange(c.copies, nullptr)) {
    gone->end();
    release(gone);
  }
}

uint64_t saved_copies(const Context& c) { return c.copies ? c.copies->copies() : 0; }

}  // namespace gradus
