#include "graph/history.h"

#include <algorithm>
#include <new>

#include "base/context.h"
#include "base/live.h"
#include "dispatch/evaluate.h"
#include "dispatch/registry.h"
#include "graph/saved_copies.h"
#include "graph/shared_node.h"

namespace gradus {

AutogradMeta& autograd_meta(TensorImpl* t) {
  if (!t->autograd) {
    const Block b = take_block(sizeof(AutogradMeta));
    t->autograd = new (b.data) AutogradMeta;
    t->autograd->size_class = b.size_class;
  }
  return *t->autograd;
}

// A sink lies in a node block without edges; it holds hooks for its leaf.
static Node* make_sink(TensorImpl* leaf) {
  const Block b = take_block(sizeof(Node));
  auto* n = static_cast<Node*>(b.data);
  n->kind = Kind::node;
  new (&n->refs) Count;
  n->op = nullptr;
  new (&n->owner) std::atomic<Run*>{nullptr};
  n->sequence = ++context().sequence;
  n->slot = n->edge_count = n->saved_count = 0;
  n->output_count = 1;
  n->size_class = b.size_class;
  new (&n->flags) std::atomic<uint8_t>{0};
  new (&n->more) std::atomic<NodeExtra*>{nullptr};
  n->leaf = leaf;
  count_live(Live::nodes, 1);
  return n;
}
static void free_sink(Node* n) {
  n->kind = Kind::dead;
  delete n->extra();
  count_live(Live::nodes, -1);
  give_block(n, n->size_class);
}

static Node* sink_of(TensorImpl* leaf) {
  std::atomic<Node*>& place = autograd_meta(leaf).sink;
  Node* n = place.load(std::memory_order_acquire);
  if (n) return n;
  Node* made = make_sink(leaf);
  if (place.compare_exchange_strong(n, made, std::memory_order_acq_rel)) return made;
  free_sink(made);                                            // another thread was first
  return n;
}

// A pass may be walking the list: entries are emptied, not erased.
static void drop_retained(const TensorImpl* t) {
  Node* n = std::exchange(t->autograd->retained_by, nullptr);
  if (!n) return;
  const NodeLock lock(n);
  for (Retained& r : n->extra()->retained)
    if (r.tensor == t) r.tensor = nullptr;
}

// A gradient may have a gradient, a base another one, and a hook may hold a tensor: a list, never recursion.
void free_autograd(TensorImpl* t) {
  drop_retained(t);
  Thread& thread = this_thread();
  t->autograd->next = thread.dying_meta;
  thread.dying_meta = t->autograd;
  if (thread.freeing_meta) return;
  thread.freeing_meta = true;
  while (AutogradMeta* m = thread.dying_meta) {
    thread.dying_meta = m->next;
    if (Node* n = m->sink.load(std::memory_order_acquire)) free_sink(n);
    const uint8_t size_class = m->size_class;
    m->~AutogradMeta();
    give_block(m, size_class);
  }
  thread.freeing_meta = false;
}

// ---- views
static const Op& strided_view() { static const Op* op = find_op("_strided_view"); return *op; }
static const Op& strided_put() { static const Op* op = find_op("_strided_put"); return *op; }

[[noreturn]] static void refuse_view(std::string_view what, ViewKind kind) {
  constexpr std::string_view why[] = {"", "was made while recording was off", "was made in inference mode",
                                      "is one of several outputs of one op",
                                      "came out of a custom function, whose rule the write would pass by: clone it first"};
  fail(Status::state, "{}: the tensor is a view that {}, so writing through it or its base can't be recorded", what, why[static_cast<int>(kind)]);
}

// Where a view lies in its base, as arguments of _strided_view.
struct InBase {
  Sizes size, stride, base_stride;
  int64_t offset;
  InBase(const TensorImpl* view, const TensorImpl* base)
      : size(view->sizes()), stride(view->strides()), base_stride(base->strides()), offset(view->offset - base->offset) {
    if (view->dtype == base->dtype) return;                   // parts of complex numbers, or numbers made of them: both as parts
    const Layout v = layout_of_parts(view), b = layout_of_parts(base);
    size = v.sizes;
    stride = v.strides;
    base_stride = b.strides;
    offset = v.offset - b.offset;
  }
};
static Ref<Node> node_of(const char* op, const Tensor& from, const Tensor& to) {
  const Value v[] = {Value(from)};
  const Op& o = *find_op(op);
  return make_node(o, Args(o, v), {&to, 1});
}
// A tensor as its parts, recorded, if it is one of a view and a base of different types.
static Tensor parts_for(const Tensor& t, const Tensor& other) {
  if (t.dtype() == other.dtype() || !is_complex(t.dtype())) return t;
  Tensor parts = parts_of(t);
  set_history(parts.impl(), node_of("view_as_real", t, parts), 0);
  return parts;
}
// The node that gives `whole` as what op makes, maybe by way of its parts.
static Ref<Node> node_for(const Op& op, const Value* values, const Tensor& whole, const Tensor& other) {
  if (whole.dtype() == other.dtype() || !is_complex(whole.dtype())) return make_node(op, Args(op, values), {&whole, 1});
  const Tensor parts = parts_of(whole);
  set_history(parts.impl(), make_node(op, Args(op, values), {&parts, 1}), 0);
  return node_of("view_as_complex", parts, whole);
}

static void follow_base(TensorImpl* t) {                      // gives a view the history of its base
  AutogradMeta& m = *t->autograd;
  if (m.kind != ViewKind::ordinary) refuse_view("view", m.kind);
  const InBase at(t, m.base.impl());
  const Tensor self = Tensor::share(t), base = parts_for(m.base, self);
  const Value v[] = {Value(base), Value(at.size), Value(at.stride), Value(at.offset), Value(at.base_stride)};
  set_history(t, node_for(strided_view(), v, self, m.base), 0);
  m.seen_version = t->storage->current();
}

static void follow_if_stale(TensorImpl* t) {
  if (t->view && t->autograd->seen_version != t->storage->current() && t->autograd->base.impl()->wants_grad()) follow_base(t);
}

Edge history(TensorImpl* t) {
  follow_if_stale(t);
  Edge e;
  if (t->grad_fn) e = {t->grad_fn, t->output_nr};
  else if (t->requires_grad && !t->inference) e = {sink_of(t), 0};
  if (e.node) retain(e.node);
  return e;
}
Node* grad_fn(TensorImpl* t) {
  follow_if_stale(t);
  return t->grad_fn;
}

void record_view(const Tensor& view, const Tensor& of, bool multiple) {
  TensorImpl* v = view.impl();
  if (v->inference) return;
  AutogradMeta& m = autograd_meta(v);
  const AutogradMeta* parent = of.impl()->view ? of.impl()->autograd : nullptr;
  m.base = parent ? parent->base : of;
  m.seen_version = v->storage->current();
  const Context& c = context();
  m.kind = multiple ? ViewKind::multiple : c.inference_mode ? ViewKind::inference : c.grad_mode ? ViewKind::ordinary : ViewKind::no_grad;
  if (parent) m.kind = std::max(m.kind, parent->kind);        // the strictest origin wins along a chain
  v->view = true;
}

// Kept gradients move to the new node: room for that.
static void reserve_retained(const TensorImpl* t, Node* n) {
  if (t->autograd && t->autograd->retained_by) extra_of(n).retained.reserve(extra_of(n).retained.size() + n->output_count);
}

Rewrite::Rewrite(TensorImpl* t, Ref<Node> n, uint32_t nr) : tensor_(t), node_(std::move(n)), nr_(nr) {
  if (!t->view) {
    reserve_retained(t, node_.get());
    return;
  }
  const Tensor &base = t->autograd->base, self = Tensor::share(t);
  const InBase at(t, base.impl());
  // The base becomes its old self with the view's place filled from the new value, and the view that place of the new base.
  const Tensor value = alias(self);
  set_history(value.impl(), node_, nr);
  const Tensor from = parts_for(value, base), into = parts_for(base, self);
  const Value put[] = {Value(into), Value(from), Value(at.size), Value(at.stride), Value(at.offset), Value(at.base_stride), Value(false)};
  base_node_ = node_for(strided_put(), put, base, self);
  const Tensor new_base = alias(base);
  set_history(new_base.impl(), base_node_, 0);
  const Tensor out_of = parts_for(new_base, self);
  const Value view[] = {Value(out_of), Value(at.size), Value(at.stride), Value(at.offset), Value(at.base_stride)};
  view_node_ = node_for(strided_view(), view, self, base);
  reserve_retained(base.impl(), base_node_.get());
  reserve_retained(t, view_node_.get());
}

void Rewrite::commit() noexcept {
  if (!view_node_) return set_history(tensor_, node_, nr_);
  set_history(tensor_->autograd->base.impl(), base_node_, 0);
  set_history(tensor_, view_node_, 0);
  tensor_->autograd->seen_version = tensor_->storage->current();
}

// ---- rules for the user
static bool wants_leaf(const TensorImpl* t) { return t->requires_grad && !t->grad_fn; }

void check_in_place(std::string_view by, TensorImpl* self, bool records) {
  GRADUS_CHECK(!self->storage->read_only, state, "{}: the tensor's memory is read-only", by);
  GRADUS_CHECK(self->contiguous || is_non_overlapping(self->sizes(), self->strides()), state,
               "{}: elements of the written tensor of shape {} and strides {} share memory: clone it first", by, text(self->sizes()),
               text(self->strides()));
  check_history(by, self, records);
}

void check_history(std::string_view by, TensorImpl* self, bool records) {
  GRADUS_CHECK(!self->inference || context().inference_mode, state, "{}: a tensor made in inference mode can't be changed outside of it", by);
  if (!context().grad_mode || context().inference_mode) return;
  GRADUS_CHECK(!wants_leaf(self), state, "{}: a leaf that requires grad is being changed in place", by);
  if (!self->view) return;
  GRADUS_CHECK(!wants_leaf(self->autograd->base.impl()), state, "{}: a view of a leaf that requires grad is being changed in place", by);
  if (records && self->autograd->kind != ViewKind::ordinary) refuse_view(by, self->autograd->kind);
}

void set_requires_grad(TensorImpl* t, bool on) {
  GRADUS_CHECK(on || !t->grad_fn, state, "requires_grad: only leaves can be told not to require grad: use detach");
  GRADUS_CHECK(!on || is_differentiable(t->dtype), dtype, "requires_grad: only floating and complex tensors can require grad, not {}", name(t->dtype));
  GRADUS_CHECK(!on || !t->inference || context().inference_mode, state, "requires_grad: a tensor made in inference mode can't require grad outside of it");
  if (t->grad_fn) return;
  if (on) autograd_meta(t);
  t->requires_grad = on;
}

Tensor detach(const Tensor& t) {
  Tensor d = alias(t);
  if (!d.impl()->inference) {
    record_view(d, t, false);
    d.impl()->autograd->base = Tensor();                      // shares the version, not the history
    d.impl()->view = false;
  }
  return d;
}

void detach_in_place(TensorImpl* t) {
  GRADUS_CHECK(!t->view, state, "detach_: a view can't be detached in place");
  if (Node* n = std::exchange(t->grad_fn, nullptr)) release(n);
  t->output_nr = 0;
  t->requires_grad = false;
}

void retain_grad(TensorImpl* t) {
  GRADUS_CHECK(needs_grad(t), state, "retain_grad: the tensor does not require grad");
  Node* n = grad_fn(t);
  if (!n) return;                                             // a leaf keeps its gradient anyway
  if (!autograd_meta(t).retained_by) move_retained(t, n, t->output_nr);
}

void move_retained(TensorImpl* t, Node* to, uint32_t nr) {
  drop_retained(t);
  NodeExtra& extra = extra_of(to);
  {
    const NodeLock lock(to);
    extra.retained.push_back({nr, t});
  }
  t->autograd->retained_by = to;
}

uint64_t new_hook_id() {
  static std::atomic<uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

static void forget_hook(AutogradMeta& m, uint64_t id) {
  Hooked gone;                                                // whose node may be the last of a graph
  const FlagLock lock(m.busy);
  const auto at = std::find_if(m.hooked.begin(), m.hooked.end(), [id](const Hooked& h) { return h.id == id; });
  if (at == m.hooked.end()) return;
  gone = std::move(*at);
  m.hooked.erase(at);
}

// A tensor knows where its hooks are; place(id) puts one there.
template <class Place> static uint64_t register_hook(TensorImpl* t, const Ref<Node>& at, Place&& place) {
  const uint64_t id = new_hook_id();
  AutogradMeta& m = autograd_meta(t);
  {
    const FlagLock lock(m.busy);
    m.hooked.push_back({id, at});
  }
  try {
    place(id);
  } catch (...) {
    forget_hook(m, id);
    throw;
  }
  return id;
}

template <class H> static void put(const Node* n, std::vector<H>& hooks, H hook) {
  const NodeLock lock(n);
  hooks.push_back(std::move(hook));
}

uint64_t add_hook(TensorImpl* t, std::function<Tensor(const Tensor&)> hook) {
  GRADUS_CHECK(needs_grad(t), state, "hook: the tensor does not require grad");
  const Ref<Node> n = Ref<Node>::adopt(history(t).node);
  auto& hooks = extra_of(n.get()).hooks[n->is_sink() ? 0 : t->output_nr];
  return register_hook(t, n->is_sink() ? Ref<Node>() : n, [&](uint64_t id) { put(n.get(), hooks, {id, std::move(hook)}); });
}

// The removed hook dies after the list is whole again: it may run the host's code.
template <class H> static bool remove_from(const Node* n, std::vector<H>& hooks, uint64_t id) {
  H removed;
  const NodeLock lock(n);
  const auto at = std::find_if(hooks.begin(), hooks.end(), [id](const H& h) { return h.id == id; });
  if (at == hooks.end()) return false;
  removed = std::move(*at);
  hooks.erase(at);
  return true;
}

bool remove_hook(TensorImpl* t, uint64_t id) {
  if (!t->autograd) return false;
  AutogradMeta& m = *t->autograd;
  std::vector<Hooked> places;
  {
    const FlagLock lock(m.busy);
    std::copy_if(m.hooked.begin(), m.hooked.end(), std::back_inserter(places), [id](const Hooked& h) { return h.id == id; });
  }
  for (const Hooked& place : places) {
    Node* n = place.node ? place.node.get() : m.sink.load(std::memory_order_acquire);
    if (!n || !remove_node_hook(n, id)) continue;
    forget_hook(m, id);
    return true;
  }
  return false;
}

uint64_t add_node_hook(Node* n, When when, std::function<void(Tensors&, const Tensors&)> hook) {
  NodeExtra& extra = extra_of(n);
  auto& hooks = when == When::before ? extra.before : extra.after;
  const uint64_t id = new_hook_id();
  put(n, hooks, {id, std::move(hook)});
  return id;
}

uint64_t add_leaf_hook(TensorImpl* t, std::function<void(const Tensor&)> hook) {
  GRADUS_CHECK(t->requires_grad && !t->grad_fn, state, "hook: only a leaf that requires grad accumulates a gradient");
  Node* n = sink_of(t);
  auto& hooks = extra_of(n).accumulated;
  return register_hook(t, {}, [&](uint64_t id) { put(n, hooks, {id, std::move(hook)}); });
}

bool remove_node_hook(Node* n, uint64_t id) {
  NodeExtra* x = n->extra();
  if (!x) return false;
  for (auto& hooks : x->hooks)
    if (remove_from(n, hooks, id)) return true;
  return remove_from(n, x->before, id) || remove_from(n, x->after, id) || remove_from(n, x->accumulated, id);
}

void set_grad(TensorImpl* t, const Tensor& g) {
  if (!g) { if (t->autograd) t->autograd->grad = Tensor(); return; }
  GRADUS_CHECK(g.impl() != t, state, "grad: a tensor can't be its own gradient");
  GRADUS_CHECK(g.dtype() == t->dtype, dtype, "grad: a gradient of {} for a tensor of {}", name(g.dtype()), name(t->dtype));
  GRADUS_CHECK(same(g.sizes(), t->sizes()), shape, "grad: a gradient of shape {} for a tensor of shape {}", text(g.sizes()), text(t->sizes()));
  autograd_meta(t).grad = g;
}

void set_data(TensorImpl* t, const TensorImpl* other) {
  GRADUS_CHECK(!t->grad_fn && !t->view, state, "data: only a leaf that is no view can be given other data: detach it first");
  GRADUS_CHECK(!t->inference && !other->inference, state, "data: tensors made in inference mode have no data to exchange");
  // The sink goes by what the leaf is now, so graphs of before cast their gradients: but not a complex one to its real part.
  GRADUS_CHECK(!t->requires_grad || (is_differentiable(other->dtype) && is_complex(other->dtype) == is_complex(t->dtype)), dtype,
               "data: {} for a tensor of {} that requires grad", name(other->dtype), name(t->dtype));
  before_write(*other->storage);                              // whose version may rise
  set_layout(t, other->sizes(), other->strides(), other->offset);
  t->dtype = other->dtype;
  retain(other->storage);
  Storage* before = std::exchange(t->storage, other->storage);
  if (t->storage->current() <= before->current())             // never the version of a value saved from it
    t->storage->version.store(before->current() + 1, std::memory_order_relaxed);
  release(before);
}

}  // namespace gradus
