// Norms of vectors.
#include <cmath>

#include "base/context.h"
#include "kernels/reduce.h"
#include "ops/dims.h"
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

using kernels::Finish;
using kernels::Reduction;

// Both ops: (self, p, dim, keepdim, dtype).
double order(const Args& a) { return a.has(1) ? a.real(1) : 2; }
Dtype norm_dtype(const Args& a) { return real_of(a.dtype(4, a.tensor(0).dtype())); }

void norm_shape(const Args& a, Metas& out) {
  const Tensor& self = a.tensor(0);
  const ReducedDims dims(a, 2);
  GRADUS_CHECK(!is_integral(self.dtype()) && is_floating(norm_dtype(a)), dtype, "{}: the input must be floating point, got {}", name(a.op()),
               name(self.dtype()));
  const double p = order(a);
  if (p < 0 || std::isinf(p))
    GRADUS_CHECK(dims.count(self.sizes()) > 0, index, "{}: the norm of order {} of no elements is not defined", name(a.op()), p);
  out.push_back({norm_dtype(a), reduced_sizes(self.sizes(), dims, a.flag(3))});
}

void norm_kernel(const Args& a, const Tensors& out) {
  const double p = order(a);
  const GradMode off(false);
  const Tensor x = is_complex(a.tensor(0).dtype()) ? abs(a.tensor(0)) : a.tensor(0);
  kernels::Reduce r{.out = view_of(out[0]), .in = view_of(x), .dims = ReducedDims(a, 2).mask, .type = out[0].dtype()};
  if (std::isinf(p)) r.kind = p > 0 ? Reduction::max_abs : Reduction::min_abs;
  else if (p == 0) r.kind = Reduction::count_nonzero;
  else if (p == 1) r.kind = Reduction::abs_sum;
  else if (p == 2) { r.kind = Reduction::square_sum; r.finish = Finish::square_root; }
  else { r.kind = Reduction::power_sum; r.power = p; r.finish = Finish::power; }
  kernels::reduce(r);
}

Tensor one_where(const Tensor& mask, const Tensor& t) { return where(mask, 1.0, t); }
Tensor zero_where(const Tensor& mask, const Tensor& t) { return where(mask, 0.0, t); }
// |x|^p with 0 at 0, and likewise all its derivatives.
Tensor power_but_zero(const Tensor& x, double p) {
  const Tensor zero = eq(x, 0);
  return zero_where(zero, pow(one_where(zero, abs(x)), p));
}

// With g and the norm y in the place of the reduced dims. Every masked quotient has a harmless divisor, so that higher orders
// stay finite too.
Tensor norm_pull(const Call& c, const Tensor& gradient) {
  const Tensor& x = c.tensor(0);
  const ReducedDims dims(c.args(), 2, x.sizes());
  const double p = order(c.args());
  const Tensor g = restore_dims(gradient, x.sizes(), dims, c.flag(3));
  if (p == 0) return {};
  if (p == 1) return mul(g, sgn(x));
  if (std::isinf(p)) {
    const SizesRef dim = c.args().has(2) ? c.integers(2) : SizesRef();
    return mul(sgn(x), call(share_among_ties_op, {g, abs(x), c.output(), dim}));
  }
  const Tensor y = restore_dims(c.output(), x.sizes(), dims, c.flag(3)), zero = eq(y, 0);
  if (p == 2) return mul(x, zero_where(zero, div(g, one_where(zero, y))));
  return mul(mul(sgn(x), power_but_zero(x, p - 1)), mul(g, power_but_zero(y, 1 - p)));
}

void norm_samples(Samples& s) {
  s.add({s.rand({2, 3})});
  s.add({s.rand({2, 3, 4}), Value(1), s.list({1})});
  s.add({s.rand({2, 3, 4}), Value(3.5), s.list({0, -1}), Value(true)});
  s.add({s.rand({2, 3}, 0.5, 2), Value(0.5), s.list({0})});
  s.add({s.rand({2, 3}), Value(HUGE_VAL), s.list({1})});
  s.add({s.rand({2, 3}), Value(-HUGE_VAL), s.list({0})});
  s.add({s.rand({2, 3}), Value(-1.5), s.list({0})});
  s.add({s.rand({2, 3}), Value(0), s.list({0})});
  s.add({s.rand({}), Value(2)});
  s.error({s.rand({2, 3}), Value(2), s.list({2})}, "dim 2 is out of range");
  s.error({s.integers({3}, 0, 4)}, "must be floating point");
  s.error({s.rand({0}), Value(HUGE_VAL)}, "of no elements");
}

}  // namespace

Op linalg_vector_norm_op{
    .schema = "linalg_vector_norm(Tensor self, Scalar ord=2, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    .doc = "The norm of order ord over the dimensions in dim: (sum |x|^ord)^(1/ord), the largest or smallest |x| for inf or -inf, how many "
           "are not 0 for 0. The gradient is 0 where the norm is; equal extremes share it.",
    .complex = true,
    .shape = norm_shape,
    .kernel = norm_kernel,
    .vjp = {norm_pull},
    .save = input(0) | output(),
    .samples = norm_samples,
};
Op norm_op{
    .schema = "norm(Tensor self, Scalar? p=2, int[1] dim=[], bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    .doc = "The norm of order p over the dimensions in dim, over all when there are none; see linalg_vector_norm.",
    .serves = "norm.Scalar norm.ScalarOpt_dim norm.ScalarOpt_dtype norm.ScalarOpt_dim_dtype",
    .complex = true,
    .shape = norm_shape,
    .kernel = norm_kernel,
    .vjp = {norm_pull},
    .save = input(0) | output(),
    .samples = norm_samples,
};

static Op* const all[] = {&linalg_vector_norm_op, &norm_op};
const OpList norm_ops = all;

}  // namespace gradus
