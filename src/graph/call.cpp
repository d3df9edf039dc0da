#include "graph/call.h"

#include "base/context.h"
#include "dispatch/evaluate.h"
#include "dispatch/registry.h"
#include "graph/history.h"

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

void compose_in_place(const Op& op, const Args& args) {
  Tensors out;
  op.compose(args, out);
  static const Op* copy = find_op("copy_");
  const Value v[] = {args[0], Value(out[0])};
  call(*copy, v, 2, out);
}

// The other tensors of the call that share the written storage, replaced by copies while recording: what the rules read must
// be what the op read.
void separate_inputs(const Op& op, Value* values, Tensors& copies) {
  const Storage* written = values[0].t->storage;
  const auto& arguments = op.info->schema.arguments;
  for (size_t i = 1; i < arguments.size(); ++i) {
    if (values[i].tag != Tag::tensor || values[i].t->storage != written) continue;
    const Tensor t = Tensor::share(values[i].t);
    static const Op* clone_op = find_op("clone");
    copies.push_back(call(*clone_op, {Value(t)}));
    values[i] = Value(copies.back());
  }
}

void call_in_place(const Op& op, Value* values, Tensors& out) {
  const Args args(op, values);
  TensorImpl* self = values[0].t;
  const bool records = context().grad_mode && any_needs_grad(op, args) && is_differentiable(self->dtype);
  check_in_place(op, self, records);
  if (op.compose && !op.kernel) {
    compose_in_place(op, args);
  } else {
    Tensors copies;
    if (records) separate_inputs(op, values, copies);
    const Tensor before = records ? copy_if_read(op, args) : Tensor();
    if (records) {
      // The edges are those of the inputs as they were; saved outputs and versions those after the write.
      const Edge old = history(self);
      if (old.node) release(old.node);
    }
    evaluate_in_place(op, args);
    const uint32_t stale = self->storage->current();
    self->storage->bump();
    if (records) {
      if (self->view && self->autograd->seen_version == stale) self->autograd->seen_version = stale + 1;   // its history is still the old one
      const Tensor shared = Tensor::share(self);
      rebase(self, make_node(op, args, {&shared, 1}, before));
    }
  }
  out.push_back(Tensor::share(self));
}

bool only_tensors(const Value* values, int n) {
  for (int i = 0; i < n; ++i)
    if (values[i].tag != Tag::tensor) return false;
  return true;
}

}  // namespace

void call(const Op& op, const Value* values, int n, Tensors& out) {
  Context& c = context();
  GRADUS_CHECK(!c.cancelled.load(std::memory_order_relaxed), cancelled, "{}: cancelled", name(op));
  Value room[kMaxArguments];
  ArgScratch scratch;
  out.clear();
  if (op.info->functional) {
    complete(op, values, n, room, scratch);
    return call_in_place(op, room, out);
  }
  const Args args = op.info->fast && n == op.formula->arity && only_tensors(values, n) ? Args(op, values) : complete(op, values, n, room, scratch);
  if (op.compose && !op.kernel) return op.compose(args, out);
  const bool records = c.grad_mode && any_needs_grad(op, args);
  if (records && op.compose && !has_own_rule(op)) return op.compose(args, out);
  evaluate(op, args, out);
  if (op.view && !c.inference_mode)
    for (const Tensor& t : out) record_view(t, args.tensor(0), op.multi_view);
  if (records && op.info->differentiable && !c.inference_mode) record(op, args, out);
}

const Tensor& Call::tensor(int position) const {
  GRADUS_CHECK(args_[position].tag == Tag::tensor, internal, "{}: its rule reads argument {}, which was not saved", name(op()), position);
  return args_.tensor(position);
}
const Tensor& Call::output(int i) const { return saved_.output(i); }

}  // namespace gradus
