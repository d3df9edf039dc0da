#include "graph/call.h"

#include <algorithm>
#include <vector>

#include "base/context.h"
#include "dispatch/evaluate.h"
#include "dispatch/registry.h"
#include "graph/checkpoint.h"
#include "graph/history.h"
#include "graph/observer.h"
#include "graph/relayout.h"
#include "graph/saved_copies.h"

namespace gradus {
namespace {

bool any_needs_grad(const Op& op, const Args& args) {
  if (op.formula) {                                           // tensors first, and no lists
    for (int i = 0; i < op.formula->arity; ++i)
      if (args[i].tag == Tag::tensor && needs_grad(args[i].t)) return true;
    return false;
  }
  bool any = false;
  for_each_input(op, args, [&](int, int, int, TensorImpl* t) { any |= t && needs_grad(t); });
  return any;
}

bool has_own_rule(const Op& op) {
  if (op.formula || op.vjp_all) return true;
  for (Rule r : op.vjp)
    if (r) return true;
  return false;
}

void record(const Op& op, const Args& args, const Tensors& out) {
  bool any = false;
  for (const Tensor& t : out) any |= is_differentiable(t.dtype());
  if (!any) return;                                           // integers never carry a history
  const Ref<Node> n = make_node(op, args, {out.data(), out.size()});
  for (size_t k = 0; k < out.size(); ++k)
    if (is_differentiable(out[k].dtype())) set_history(out[k].impl(), n, static_cast<uint32_t>(k));
}

// A tensor that a rule will read but the write destroys: the written one itself, or another over the same storage.
Tensor copy_if_read(const Op& op, const Args& args) {
  const Tensor& self = args.tensor(0);
  if (!op.formula) return (op.save.bits & 1) ? clone(self) : Tensor();
  unsigned reads = 0;
  for (int i = 0; i < op.formula->arity; ++i)
    if (args[i].tag == Tag::tensor && needs_grad(args[i].t)) reads |= op.formula->slope[i].reads;
  return (reads & 1) ? clone(self) : Tensor();
}

// While recording, the composition reads a copy: what its rules save must outlive the write.
void compose_in_place(const Op& op, Value* values, bool records) {
  const Value self = values[0];
  Tensor before;
  if (records) {
    static const Op* clone_op = find_op("clone");
    before = call(*clone_op, {self});
    values[0] = Value(before);
  }
  Tensors result, written;
  op.compose(Args(op, values), result);
  values[0] = self;
  const Dtype have = self.t->dtype, got = result[0].dtype();
  GRADUS_CHECK(can_cast(got, have), dtype, "{}: a result of {} can't be cast to {} in place", name(op), name(got), name(have));
  static const Op* copy = find_op("copy_");
  const Value v[] = {self, Value(result[0])};
  call(*copy, v, 2, written);
}

// The other tensors of the call that share the written storage, replaced by copies while recording: what the rules read must
// be what the op read.
class Separated {
 public:
  Separated(const Op& op, Value* values) : written_(values[0].t->storage) {
    for (size_t i = 1; i < op.info->schema.arguments.size(); ++i) {
      if (values[i].tag == Tag::tensor) {
        if (!shares(values[i].t)) continue;
        kept_.push_back(copy(values[i].t));
        values[i] = Value(kept_.back());
      } else if (values[i].tag == Tag::tensors) {
        separate_list(values[i]);
      }
    }
  }

 private:
  bool shares(const TensorImpl* t) const { return t && t->storage == written_; }
  static Tensor copy(TensorImpl* t) {
    static const Op* clone_op = find_op("clone");
    return call(*clone_op, {Value(t)});
  }
  void separate_list(Value& v) {
    const auto list = v.list();
    if (std::none_of(list.begin(), list.end(), [this](const Tensor& t) { return shares(t.impl()); })) return;
    list_.assign(list.begin(), list.end());                   // a call has one list at most
    for (Tensor& t : list_)
      if (shares(t.impl())) t = copy(t.impl());
    v = Value(std::span<const Tensor>(list_));
  }

  const Storage* written_;
  Tensors kept_;
  std::vector<Tensor> list_;
};

// The edges are those of the inputs as they were; saved outputs and versions those after the write.
void write(const Op& op, Value* values, bool records) {
  const Args args(op, values);
  TensorImpl* self = values[0].t;
  if (!records) {
    before_write(*self->storage);
    evaluate_in_place(op, args);
    return self->storage->bump(op.info->index);
  }
  const Edge old = history(self);                             // a stale view gets its history first
  if (old.node) release(old.node);
  const Separated separated(op, values);
  const Tensor before = copy_if_read(op, args), shared = Tensor::share(self);
  const Ref<Node> n = make_node(op, args, {&shared, 1}, true, before);
  Rewrite rewrite(self, n);
  before_write(*self->storage);
  evaluate_in_place(op, args);
  self->storage->bump(op.info->index);
  rewrite.commit();
  pack_outputs(n.get());
}

void call_in_place(const Op& op, Value* values, Tensors& out) {
  const Args args(op, values);
  TensorImpl* self = values[0].t;
  if (changes_itself(op)) {
    change_itself(op, args);
    out.push_back(Tensor::share(self));
    return;
  }
  const bool base_wants = self->view && self->autograd->base.impl()->wants_grad();
  const bool records = context().grad_mode && !context().inference_mode && (base_wants || any_needs_grad(op, args)) && is_differentiable(self->dtype);
  check_in_place(name(op), self, records);
  if (op.compose && (!op.kernel || (records && !has_own_rule(op)))) {
    compose_in_place(op, values, records);
  } else {
    write(op, values, records);
  }
  out.push_back(Tensor::share(self));
}

// The ordinary form of a formula's call: its tensors, then numbers for its attributes, or fewer. `room` gets the defaults.
bool complete_formula(const Op& op, const Value* values, int n, Value* room) {
  const int arity = op.formula->arity, all = arity + op.formula->attributes;
  if (n < arity || n > all) return false;
  for (int i = 0; i < arity; ++i) {
    if (values[i].tag != Tag::tensor && (i == 0 || !values[i].is_number())) return false;
    room[i] = values[i];
  }
  for (int i = arity; i < all; ++i) {
    const bool given = i < n && values[i].tag != Tag::absent;
    room[i] = given ? values[i] : op.info->defaults[i];
    if (!room[i].is_number()) return false;
  }
  return true;
}

// Room for the arguments of a call, left as it is until they are put there.
struct Room {
  alignas(Value) unsigned char bytes[kMaxArguments * sizeof(Value)];
  Value* values() { return reinterpret_cast<Value*>(bytes); }
};

void compose(const Context& c, const Op& op, const Args& args, Tensors& out) {
  if (!c.results) [[likely]] return op.compose(args, out);
  struct Inside {
    KeptResults* results;
    Inside(KeptResults* r, const Op& op, const Args& args) : results(r) { results->enter(op, args); }
    ~Inside() { results->leave(); }
  } inside(c.results, op, args);
  op.compose(args, out);
}
void evaluate_unless_kept(const Context& c, const Op& op, const Args& args, Tensors& out) {
  if (!c.results) [[likely]] return evaluate(op, args, out);
  if (c.results->give(op, args, out)) return;
  evaluate(op, args, out);
  c.results->take(op, out);
}

// A call that nobody has to look at first.
[[gnu::always_inline]] inline void plain(const Context& c, const Op& op, const Value* values, int n, Tensors& out) {
  Room room;
  ArgScratch scratch;
  out.clear();
  const Args args = complete(op, values, n, room.values(), scratch);
  if (op.info->functional) return call_in_place(op, room.values(), out);
  if (op.compose && !op.kernel) return compose(c, op, args, out);
  const bool records = c.grad_mode && any_needs_grad(op, args);
  if (records && op.compose && !has_own_rule(op)) {
    Metas metas;
    if (op.shape) shape_of(op, args, metas);                   // refuses what the kernel would not get to see either
    return compose(c, op, args, out);
  }
  evaluate_unless_kept(c, op, args, out);
  if (op.view)
    for (const Tensor& t : out) record_view(t, args.tensor(0), op.multi_view);
  if (records && op.info->differentiable && !c.inference_mode) record(op, args, out);
}

[[gnu::cold]] void plain_call(const Op& op, const Value* values, int n, Tensors& out) { plain(context(), op, values, n, out); }

[[gnu::cold, gnu::noinline]] Tensor attend_one(const Op& op, const Value* values, int n) {
  Tensors out;
  attend(op, values, n, out, plain_call);
  return std::move(out[0]);
}

}  // namespace

Tensor call_one(const Op& op, const Value* values, int n) {
  Context& c = context();
  if (c.attention.load(std::memory_order_relaxed)) [[unlikely]] return attend_one(op, values, n);
  Room room;
  if (op.formula && !op.info->functional && complete_formula(op, values, n, room.values())) [[likely]] {
    const Args args(op, room.values());
    Tensor out = evaluate_formula(op, args);
    if (c.grad_mode && op.info->differentiable && any_needs_grad(op, args) && !c.inference_mode && is_differentiable(out.dtype()))
      set_history(out.impl(), make_formula_node(op, args, out), 0);
    return out;
  }
  Tensors out;
  call(op, values, n, out);
  return std::move(out[0]);
}

void call(const Op& op, const Value* values, int n, Tensors& out) {
  const Context& c = context();
  if (c.attention.load(std::memory_order_relaxed)) [[unlikely]] return attend(op, values, n, out, plain_call);
  plain(c, op, values, n, out);
}

const Tensor& Call::tensor(int position) const {
  GRADUS_CHECK(args_[position].tag == Tag::tensor, internal, "{}: its rule reads argument {}, which was not saved", name(op()), position);
  return args_.tensor(position);
}
const Tensor& Call::output(int i) const { return saved_.output(i); }

}  // namespace gradus
