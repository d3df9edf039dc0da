#include "graph/out.h"

#include "base/context.h"
#include "base/parallel.h"
#include "dispatch/evaluate.h"
#include "graph/history.h"
#include "graph/observer.h"
#include "graph/saved_copies.h"
#include "kernels/copy.h"

namespace gradus {
namespace {

template <class F> void for_each_tensor(const Op& op, const Args& args, F&& f) {
  for_each_input(op, args, [&](int position, int, int, TensorImpl* t) { if (t) f(position, t); });
}

void refuse_recording(const Op& op, const Args& args, std::span<const Tensor> outs) {
  const Context& c = context();
  if (!c.grad_mode || c.inference_mode) return;
  for_each_tensor(op, args, [&](int position, const TensorImpl* t) {
    GRADUS_CHECK(!needs_grad(t), state, "{}: out= has no automatic differentiation, but argument '{}' requires grad", name(op),
                 op.info->schema.arguments[static_cast<size_t>(position)].name);
  });
  for (size_t i = 0; i < outs.size(); ++i) {
    const TensorImpl* t = outs[i].impl();
    GRADUS_CHECK(!needs_grad(t) && !(t->view && t->autograd->base.impl()->wants_grad()), state,
                 "{}: out= has no automatic differentiation, but out {} requires grad", name(op), i);
  }
}

// A tensor without elements is itself all the same: it may be resized.
Overlap overlap(const TensorImpl* a, const TensorImpl* b) { return a == b ? Overlap::full : overlap(view_of(a), view_of(b)); }

void check_targets(const Op& op, std::span<const Tensor> outs) {
  for (size_t i = 0; i < outs.size(); ++i) {
    check_in_place(name(op), outs[i].impl(), false);
    for (size_t k = 0; k < i; ++k)
      GRADUS_CHECK(overlap(outs[k].impl(), outs[i].impl()) == Overlap::none, value, "{}: out {} and out {} share memory", name(op), k, i);
  }
}

// A factory's out decides the dtype, and so it does of sums and the like unless numbers would be cut.
void take_dtype(const Op& op, Value* values, Dtype of_out) {
  const auto& arguments = op.info->schema.arguments;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Argument& a = arguments[i];
    if (a.type == Type::tensor && values[i].tag == Tag::tensor && !can_cast(values[i].t->dtype, of_out)) return;
    if (a.type == Type::dtype && a.optional && (values[i].tag == Tag::absent || values[i].tag == Tag::none)) values[i] = Value(of_out);
  }
}

// Whether `out` can take a result like this one.
void check_fit(const Op& op, const Args& args, const Meta& result, const Tensor& out, size_t index) {
  GRADUS_CHECK(can_cast(result.dtype, out.dtype()), dtype, "{}: a result of {} can't be cast to out {}, which has {}", name(op), name(result.dtype),
               index, name(out.dtype()));
  const bool fits = same(result.sizes, out.sizes());
  if (!fits) check_resizable(out.impl(), result.sizes, name(op));
  for_each_tensor(op, args, [&](int position, const TensorImpl* t) {
    const std::string& argument = op.info->schema.arguments[static_cast<size_t>(position)].name;
    const Overlap o = overlap(out.impl(), t);
    GRADUS_CHECK(fits || o == Overlap::none, shape, "{}: out {} is argument '{}' too, so it can't be given the shape {} of the result", name(op), index,
                 argument, text(result.sizes));
    GRADUS_CHECK(o != Overlap::partial, value, "{}: out {} shares some of the memory of argument '{}': clone one of them", name(op), index, argument);
  });
}

void check_fits(const Op& op, const Args& args, const Metas& results, std::span<const Tensor> outs) {
  GRADUS_CHECK(results.size() == outs.size(), value, "{}: {} tensors in out for {} results", name(op), outs.size(), results.size());
  for (size_t i = 0; i < outs.size(); ++i) check_fit(op, args, results[i], outs[i], i);
}

// Counted before the first element changes: whoever saved the tensor has to notice, however the write ends.
void begin_write(const Op& op, const Meta& result, const Tensor& out) {
  before_write(out.storage());
  if (!same(result.sizes, out.sizes())) resize(out.impl(), result.sizes);
  out.storage().bump(op.info->index);
}

// A composition may return an argument, or a view of one, which may be an out.
void separate(Tensor& result, std::span<const Tensor> outs) {
  for (const Tensor& t : outs)
    if (overlap(result.impl(), t.impl()) != Overlap::none) {
      result = clone(result);
      return;
    }
}

// Kernels may fail on what they read, so all of it is there before the first element is written.
void compute_and_copy(const Op& op, const Args& args, std::span<const Tensor> outs) {
  Tensors results;
  if (op.kernel) {
    Metas metas;
    shape_of(op, args, metas);
    check_fits(op, args, metas, outs);
    evaluate(op, args, results);
  } else {
    op.compose(args, results);
  }
  Metas metas;
  for (const Tensor& r : results) metas.push_back(r.meta());
  check_fits(op, args, metas, outs);
  for (Tensor& r : results) separate(r, outs);
  const Whole whole;
  for (size_t i = 0; i < outs.size(); ++i) {
    begin_write(op, metas[i], outs[i]);
    kernels::copy(view_of(outs[i]), view_of(results[i]));
  }
}

}  // namespace

bool has_out_form(const Op& op) {
  if (op.info->functional || op.view) return false;
  for (const Result& r : op.info->schema.results)
    if (r.aliases || r.type != Type::tensor) return false;
  return true;
}

static void plain(const Op& op, const Value* values, int n, Tensors& targets) {
  GRADUS_CHECK(has_out_form(op), unsupported, "{}: has no out= form: what it returns is not a tensor of its own", name(op));
  GRADUS_CHECK(n <= kMaxArguments, argument, "{}: {} arguments given", name(op), n);
  const auto& results = op.info->schema.results;
  const std::span<const Tensor> outs(targets.data(), targets.size());
  GRADUS_CHECK(results[0].list || results.size() == outs.size(), value, "{}: {} tensors in out for {} results", name(op), outs.size(), results.size());
  Value given[kMaxArguments], room[kMaxArguments];
  std::copy_n(values, n, given);
  const int all = static_cast<int>(op.info->schema.arguments.size());
  if (outs.size() == 1) take_dtype(op, given, outs[0].dtype());
  ArgScratch scratch;
  const Args args = complete(op, given, std::max(n, all), room, scratch);
  refuse_recording(op, args, outs);
  check_targets(op, outs);
  if (op.formula) {
    const Meta result = formula_result(op, args);
    check_fits(op, args, Metas{result}, outs);
    const Whole whole;
    begin_write(op, result, outs[0]);
    evaluate_formula_into(op, args, outs[0]);
  } else {
    compute_and_copy(op, args, outs);
  }
}

void call_out(const Op& op, const Value* values, int n, std::span<const Tensor> outs) {
  Tensors targets;
  for (const Tensor& t : outs) targets.push_back(t);
  if (context().attention.load(std::memory_order_relaxed)) [[unlikely]] return attend(op, values, n, targets, plain);
  plain(op, values, n, targets);
}

}  // namespace gradus
