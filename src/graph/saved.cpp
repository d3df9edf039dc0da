#include "graph/saved.h"

#include "base/context.h"
#include "dispatch/registry.h"
#include "graph/history.h"

namespace gradus {
namespace {

// Which hooks are in force, for a while.
class HooksScope {
 public:
  explicit HooksScope(SavedHooks* hooks) : context_(context()), before_(std::exchange(context_.saved_hooks, hooks)) {}
  ~HooksScope() { context_.saved_hooks = before_; }
  HooksScope(const HooksScope&) = delete;
  HooksScope& operator=(const HooksScope&) = delete;

 private:
  Context& context_;
  SavedHooks* before_;
};

}  // namespace

void push_saved_hooks(Ref<SavedHooks> hooks) {
  Context& c = context();
  hooks->outer = Ref<SavedHooks>::adopt(c.saved_hooks);
  c.saved_hooks = hooks.detach();
}

void pop_saved_hooks() {
  Context& c = context();
  GRADUS_CHECK(c.saved_hooks, state, "saved-tensor hooks: there are none to take away");
  const Ref<SavedHooks> gone = Ref<SavedHooks>::adopt(c.saved_hooks);
  c.saved_hooks = std::exchange(gone->outer, {}).detach();
}

Ref<Packed> pack_with(SavedHooks* hooks, const Tensor& value, const Op& by) {
  const HooksScope none(nullptr);                             // what hooks compute is saved as it is
  const uint32_t before = value.storage().current();
  Ref<Packed> p = hooks->pack(value, by);
  GRADUS_CHECK(value.storage().current() == before, state, "{}: a pack hook changed the saved tensor in place", name(by));
  if (p) p->meta = value.meta();
  return p;
}

void pack_saved(Saved& s, const Op& by) {
  SavedHooks* hooks = context().saved_hooks;
  if (!hooks || s.is_packed) return;
  Ref<Packed> p = pack_with(hooks, detach(Tensor::share(s.tensor)), by);
  if (!p) return;
  release(s.tensor);
  s.packed = p.detach();
  s.is_packed = true;
}

void keep(Saved& to, const Op& by, Tensor value, uint32_t slot, bool is_output, bool write_ahead) {
  GRADUS_CHECK(!value.impl()->inference, state, "{}: a tensor made in inference mode can't be saved for backward: clone it first", name(by));
  to = {{value.impl()}, value.storage().current() + write_ahead, static_cast<uint16_t>(slot), is_output, false};
  value.detach_handle();
  if (!context().saved_hooks || write_ahead) return;
  try {
    pack_saved(to, by);
  } catch (...) {
    drop(to);
    throw;
  }
}

void drop(Saved& s) {
  TensorImpl* t = std::exchange(s.tensor, nullptr);
  if (!t) return;
  if (s.is_packed) release(reinterpret_cast<Packed*>(t));
  else release(t);
}

const Tensor& plain_tensor(const Node* n, const Saved& s) {
  const Storage& storage = *s.tensor->storage;
  const uint32_t now = storage.current();
  GRADUS_CHECK(now == s.version, in_place, "{}: a saved tensor of shape {} was changed in place by {}: it is at version {}, expected {}", node_name(n),
               text(s.tensor->sizes()), storage.changed_by ? name(*all_ops()[storage.changed_by - 1u]) : "its owner", now, s.version);
  return reinterpret_cast<const Tensor&>(s.tensor);
}

Tensor unpack(const Node* n, const Saved& s) {
  if (!s.is_packed) return plain_tensor(n, s);
  const HooksScope none(nullptr);
  Tensor t = s.packed->unpack();
  const Meta& m = s.packed->meta;
  GRADUS_CHECK(t && t.dtype() == m.dtype && same(t.sizes(), m.sizes), state, "{}: an unpack hook gave {} of shape {} for a saved {} of shape {}",
               node_name(n), t ? name(t.dtype()) : "nothing", t ? text(t.sizes()) : "[]", name(m.dtype), text(m.sizes));
  return t;
}

}  // namespace gradus
