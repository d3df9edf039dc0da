#include "graph/saved.h"

#include "base/context.h"
#include "dispatch/registry.h"
#include "graph/custom.h"
#include "graph/history.h"
#include "graph/saved_copies.h"

namespace gradus {
HooksScope::HooksScope(SavedHooks* hooks) : before_(std::exchange(context().saved_hooks, hooks)) {
  if (hooks) retain(hooks);
}
HooksScope::~HooksScope() {
  const Ref<SavedHooks> inside = Ref<SavedHooks>::adopt(std::exchange(context().saved_hooks, before_));
}

void check_hooks_permitted() {
  const SavedHooks* h = context().saved_hooks;
  if (const std::string* why = h ? h->refusal() : nullptr) fail(Status::state, "{}", *why);
}

void push_saved_hooks(Ref<SavedHooks> hooks) {
  Context& c = context();
  check_hooks_permitted();
  hooks->outer = Ref<SavedHooks>::adopt(c.saved_hooks);
  c.saved_hooks = hooks.detach();
}

static void pop_innermost(Context& c) {
  const Ref<SavedHooks> gone = Ref<SavedHooks>::adopt(c.saved_hooks);
  c.saved_hooks = Ref<SavedHooks>(gone->outer).detach();         // a pass that ends may put `gone` back
}

void pop_saved_hooks() {
  Context& c = context();
  drop_ended_hooks();
  GRADUS_CHECK(c.saved_hooks && !c.saved_hooks->refusal(), state, "saved-tensor hooks: there are none to take away");
  GRADUS_CHECK(c.saved_hooks != static_cast<SavedHooks*>(c.copies), state, "saved-tensor hooks: the innermost are those of mutation_on_saved, which ends otherwise");
  pop_innermost(c);
}

void drop_ended_hooks() {
  for (Context& c = context(); c.saved_hooks && c.saved_hooks->ended();) pop_innermost(c);
}

namespace {
class Refusal : public SavedHooks {
 public:
  explicit Refusal(std::string why) : why_(std::move(why)) {}
  Ref<Packed> pack(const Tensor&, const Op&) override { return {}; }
  const std::string* refusal() const override { return &why_; }

 private:
  std::string why_;
};
}  // namespace

void refuse_saved_hooks(std::string message) {
  Context& c = context();
  drop_ended_hooks();
  if (c.saved_hooks && !c.saved_hooks->refusal()) fail(Status::state, "{}", message);
  auto made = Ref<SavedHooks>::adopt(new Refusal(std::move(message)));
  made->outer = Ref<SavedHooks>::adopt(c.saved_hooks);
  c.saved_hooks = made.detach();
}

void permit_saved_hooks() {
  Context& c = context();
  GRADUS_CHECK(c.saved_hooks && c.saved_hooks->refusal(), state, "saved-tensor hooks: they are not refused");
  pop_innermost(c);
}

Ref<Packed> pack_with(SavedHooks* hooks, const Tensor& value, const Op& by) {
  const HooksScope none(nullptr);                             // what hooks compute is saved as it is
  const uint32_t before = value.storage().current();
  Ref<Packed> p = hooks->pack(value, by);
  GRADUS_CHECK(value.storage().current() == before, state, "{}: a pack hook changed the saved tensor in place", name(by));
  if (p) p->meta = value.meta();
  return p;
}

void pack_saved(Saved& s, const Op& by, SavedHooks* hooks) {
  if (!hooks || s.is_packed) return;
  Ref<Packed> p = pack_with(hooks, detach(Tensor::share(s.tensor)), by);
  if (!p) return;
  GRADUS_CHECK(s.tensor && !s.is_packed, state, "{}: a pack hook freed the value that it packs, or packed it itself", name(by));
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
    pack_saved(to, by, context().saved_hooks);
  } catch (...) {
    drop(to);
    throw;
  }
}

void retain_saved(const Saved& s) {
  if (s.is_packed) retain(s.packed);
  else retain(s.tensor);
}

void drop(Saved& s) {
  TensorImpl* t = std::exchange(s.tensor, nullptr);
  if (!t) return;
  if (s.is_packed) release(reinterpret_cast<Packed*>(t));
  else release(t);
}

void held(const Saved& s, const SeeHeld& see) {
  if (!s.tensor) return;
  if (s.is_packed) s.packed->held(see);
  else see(s.tensor, {});
}

// ---- a value that changed
// ", output 0 of MulBackward0,"; nothing where the value had no history.
static std::string producer_of(const Node* n, const Saved& s) {
  if (s.is_output) return format(", output {} of {},", s.slot, node_name(n));
  const Edge e = s.slot < n->edge_count ? n->edges()[s.slot] : Edge();
  if (!e.node) return "";
  return e.node->is_sink() ? ", a leaf," : format(", output {} of {},", e.nr, node_name(e.node));
}

// Who wrote the tensor last. The name of a function is in the history of what it wrote, behind node n.
static std::string writer_of(const TensorImpl* t, const Node* n) {
  const uint16_t by = t->storage->changed_by;
  if (!by) return "its owner";
  if (by != kWrittenByFunction + 1) return std::string(name(*all_ops()[by - 1u]));
  for (const TensorImpl* at : {t, t->view ? static_cast<const TensorImpl*>(t->autograd->base.impl()) : t}) {
    const FunctionCall* call = n && at->grad_fn && at->grad_fn->sequence > n->sequence ? function_call_of(at->grad_fn) : nullptr;
    if (call) return call->function().name();
  }
  return "a function of the host";
}

// `n` or else `owner` has it.
[[noreturn, gnu::cold]] static void refuse_changed(const Saved& s, std::string_view owner, const Node* n) {
  const bool observed = context().attention.load(std::memory_order_relaxed) & Context::kObserved;
  fail(Status::in_place, "{}: a saved tensor of shape {}{} was changed in place by {}: it is at version {}, expected {}{}", owner, text(s.tensor->sizes()),
       n ? producer_of(n, s) : "", writer_of(s.tensor, n), s.tensor->storage->current(), s.version,
       n && !observed ? "; anomaly mode with TRACE names the call that saved it" : "");
}
void refuse_changed(const Node* n, const Saved& s) { refuse_changed(s, node_name(n), n); }

// `owner` names it for a message.
template <class Owner> static Tensor unpacked(const Saved& s, Owner&& owner, const Node* n) {
  if (!s.is_packed) {
    if (s.tensor->storage->current() != s.version) refuse_changed(s, owner(), n);
    return reinterpret_cast<const Tensor&>(s.tensor);
  }
  const HooksScope none(nullptr);
  Tensor t = s.packed->unpack();
  const Meta& m = s.packed->meta;
  GRADUS_CHECK(t, state, "{}: an unpack hook gave nothing for a saved {} of shape {}", owner(), name(m.dtype), text(m.sizes));
  GRADUS_CHECK(t.dtype() == m.dtype && same(t.sizes(), m.sizes), state, "{}: an unpack hook gave {} of shape {} for a saved {} of shape {}", owner(),
               name(t.dtype()), text(t.sizes()), name(m.dtype), text(m.sizes));
  return t;
}

Tensor unpack(const Node* n, const Saved& s) { return unpacked(s, [n] { return node_name(n); }, n); }
Tensor unpack(std::string_view owner, const Saved& s) { return unpacked(s, [owner] { return owner; }, nullptr); }

}  // namespace gradus
