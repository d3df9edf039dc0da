// Reductions over dimensions: sums, products, counts, moments.
#include "kernels/reduce.h"

#include "base/context.h"
#include "kernels/copy.h"
#include "ops/dims.h"
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

using kernels::Finish;
using kernels::Reduction;

void reduced(const Args& a, Metas& out, Dtype d, const ReducedDims& dims, bool keepdim) {
  out.push_back({d, reduced_sizes(a.tensor(0).sizes(), dims, keepdim)});
}
void run(Reduction kind, const Tensor& out, const Tensor& in, uint64_t dims, kernels::Reduce r = {}) {
  r.kind = kind;
  r.out = view_of(out);
  r.in = view_of(in);
  r.dims = dims;
  kernels::reduce(r);
}

// ---- sums
Dtype sum_dtype(const Args& a) { return a.dtype(3, is_integral(a.tensor(0).dtype()) ? Dtype::i64 : a.tensor(0).dtype()); }
Dtype mean_dtype(const Args& a) {
  const Dtype d = a.dtype(3, a.tensor(0).dtype());
  GRADUS_CHECK(is_floating(d) || is_complex(d), dtype, "{}: the input must be floating point, got {}: give a dtype", name(a.op()), name(d));
  return d;
}
void sum_shape(const Args& a, Metas& out) { reduced(a, out, sum_dtype(a), ReducedDims(a, 1), a.flag(2)); }
void mean_shape(const Args& a, Metas& out) { reduced(a, out, mean_dtype(a), ReducedDims(a, 1), a.flag(2)); }
uint64_t without_parts(uint64_t dims, const Tensor& t) { return dims & ((uint64_t{1} << t.ndim()) - 1); }
// Sums of complex numbers are those of their parts.
void sum_into(Reduction kind, const Tensor& out, const Tensor& in, uint64_t dims, double divisor = 1) {
  if (!is_complex(out.dtype()) && !is_complex(in.dtype())) return run(kind, out, in, dims, {.type = out.dtype(), .divisor = divisor});
  const GradMode off(false);
  const Tensor terms = is_complex(in.dtype()) == is_complex(out.dtype()) ? in : to(in, out.dtype());
  run(kind, parts_of(out), parts_of(terms), without_parts(dims, in), {.type = real_of(out.dtype()), .divisor = divisor});
}
template <Reduction kind> void sum_kernel(const Args& a, const Tensors& out) {
  sum_into(kind, out[0], a.tensor(0), ReducedDims(a, 1).mask);
}
double mean_count(const Call& c) { return static_cast<double>(ReducedDims(c.args(), 1, c.sizes()).count(c.sizes())); }
Tensor expanded(const Call& c, const Tensor& g) { return expand_reduced(g, c.sizes(), ReducedDims(c.args(), 1, c.sizes()), c.flag(2)); }
Tensor numbers_only(const Tensor& self, const Tensor& g) { return where(ne(self, self), 0.0, g); }

// ---- products
// For every element the product of the others along dim, without division: of x = [a, b, rest] it is [o b, o a, rest's] with
// o the products of the others in [a b, rest].
Tensor product_of_others(const Tensor& x, int64_t dim) {
  const int64_t n = x.size(dim), half = n / 2;
  if (n <= 1) return ones(x.sizes(), x.dtype());
  const Tensor a = narrow(x, dim, 0, half), b = narrow(x, dim, half, half), ab = mul(a, b);
  if (n % 2 == 0) {
    const Tensor o = product_of_others(ab, dim), parts[] = {mul(o, b), mul(o, a)};
    return cat(parts, dim);
  }
  const Tensor pairs[] = {ab, narrow(x, dim, n - 1, 1)};
  const Tensor others = product_of_others(cat(pairs, dim), dim), o = narrow(others, dim, 0, half);
  const Tensor parts[] = {mul(o, b), mul(o, a), narrow(others, dim, half, 1)};
  return cat(parts, dim);
}

Sizes prod_dim(const Args& a) { return a.has(1) ? Sizes{a.integer(1)} : Sizes{}; }
// By halves: the product of n elements is that of n / 2 products of two, and of the one that is left.
Tensor complex_product(Tensor x, int64_t dim) {
  const GradMode off(false);
  if (x.size(dim) == 0) return sum(x, SizesRef(&dim, 1), true) + ones({}, x.dtype());
  while (x.size(dim) > 1) {
    const int64_t n = x.size(dim), half = n / 2;
    const Tensor pairs = mul(narrow(x, dim, 0, half), narrow(x, dim, half, half)), parts[] = {pairs, narrow(x, dim, n - 1, 1)};
    x = n % 2 ? cat(parts, dim) : pairs;
  }
  return x;
}
void complex_prod(const Args& a, const Tensor& out) {
  const Tensor x = to(a.tensor(0), out.dtype());
  const bool all = !a.has(1) || x.ndim() == 0;
  const Tensor product = all ? complex_product(reshape(x, Sizes{-1}), 0) : complex_product(x, wrap_dim(a.integer(1), x.ndim(), "prod"));
  kernels::copy(view_of(out), view_of(reshape(product, out.sizes())));
}
Tensor prod_pull(const Call& c, const Tensor& g) {
  const Tensor x = to(c.tensor(0), g.dtype());                // what was multiplied
  if (!c.args().has(1) || x.ndim() == 0) return mul(g, conj(reshape(product_of_others(reshape(x, Sizes{-1}), 0), x.sizes())));
  const ReducedDims dims(prod_dim(c.args()), x.sizes(), "prod");
  return mul(restore_dims(g, x.sizes(), dims, c.flag(2)), conj(product_of_others(x, wrap_dim(c.integer(1), x.ndim(), "prod"))));
}

// ---- counts
// dim=[] reduces nothing here, unlike elsewhere.
uint64_t logic_mask(const Args& a) { return a.has(1) && a.integers(1).empty() ? 0 : ReducedDims(a, 1).mask; }
void logic_shape(const Args& a, Metas& out) {
  ReducedDims dims(a, 1);
  dims.mask = logic_mask(a);
  reduced(a, out, a.tensor(0).dtype() == Dtype::u8 ? Dtype::u8 : Dtype::boolean, dims, a.flag(2));
}
Tensor countable(const Tensor& x) { return is_complex(x.dtype()) ? ne(x, 0) : x; }
void any_kernel(const Args& a, const Tensors& out) {
  run(Reduction::count_nonzero, out[0], countable(a.tensor(0)), logic_mask(a), {.finish = Finish::nonzero});
}
void logic_samples(Samples& s) {
  s.add({s.values({2, 3}, {0, 1, 2, 0, 0, 0})});
  s.add({s.integers({2, 3, 4}, 0, 2, Dtype::boolean), s.list({1})});
  s.add({s.integers({2, 3, 4}, 0, 2), s.list({0, -1}), Value(true)});
  s.add({s.rand({0, 3}), s.list({0})});
  s.error({s.rand({2, 3}), s.list({2})}, "dim 2 is out of range");
}

// ---- moments
struct Moments {                                              // the schema: self, dim, correction, keepdim
  ReducedDims dims;
  double count, divisor;
  Moments(const Args& a, SizesRef sizes) : dims(a, 1, sizes), count(static_cast<double>(dims.count(sizes))), divisor(std::max(0.0, count - (a.has(2) ? a.real(2) : 1))) {}
};
template <int results> void moments_shape(const Args& a, Metas& out) {
  const Dtype d = a.tensor(0).dtype();
  GRADUS_CHECK(!is_integral(d), dtype, "{}: the input must be floating point, got {}", name(a.op()), name(d));
  for (int i = 0; i < results; ++i) reduced(a, out, i == 0 ? real_of(d) : d, ReducedDims(a, 1), a.flag(3));
}
// Two passes: the mean in double, then squares of distances from it in double. The variance of complex numbers is the sum of
// those of their parts.
void put_variance(const Tensor& out, const Tensor& x, const Moments& m, uint64_t dims, Finish finish) {
  const Tensor means = empty(Dtype::f64, out.sizes());
  run(Reduction::sum, means, x, dims, {.divisor = m.count});
  run(Reduction::square_sum, out, x, dims, {.center = means.data<double>(), .finish = finish, .divisor = m.divisor});
}
template <Finish finish> void moments_kernel(const Args& a, const Tensors& out) {
  const Tensor& self = a.tensor(0);
  const Moments m(a, self.sizes());
  if (is_complex(self.dtype())) {
    Sizes sizes(out[0].sizes());
    sizes.push_back(2);
    const Tensor variances = empty(Dtype::f64, sizes);
    put_variance(variances, parts_of(self), m, without_parts(m.dims.mask, self), Finish::none);
    run(Reduction::sum, out[0], variances, uint64_t{1} << out[0].ndim(), {.type = Dtype::f64, .finish = finish});
  } else {
    put_variance(out[0], self, m, m.dims.mask, finish);
  }
  if (out.size() > 1) sum_into(Reduction::sum, out[1], self, m.dims.mask, m.count);
}
Tensor var_pull(const Call& c, const Tensor& g) {
  const Tensor& x = c.tensor(0);
  const Moments m(c.args(), x.sizes());
  Sizes dims;
  for (size_t d = 0; d < static_cast<size_t>(x.ndim()); ++d)
    if (m.dims.has(d)) dims.push_back(static_cast<int64_t>(d));
  return mul(mul(restore_dims(g, x.sizes(), m.dims, c.flag(3)), 2 / m.divisor), sub(x, mean(x, dims, true)));
}
// Of the variance, from that of its square root y; 0 where y is.
Tensor root_pull(const Tensor& y, const Tensor& g) {
  const Tensor at_zero = eq(y, 0);
  return where(at_zero, 0.0, div(g, mul(where(at_zero, 1.0, y), 2)));
}
Tensor mean_part(const Call& c, const Tensor& g) {
  const Moments m(c.args(), c.sizes());
  return expand_reduced(div(g, m.count), c.sizes(), m.dims, c.flag(3));
}
void moments_samples(Samples& s) {
  s.add({s.rand({2, 3})});
  s.add({s.rand({2, 3, 4}), s.list({1}), Value(0)});
  s.add({s.rand({2, 3, 4}), s.list({0, -1}), Value(2), Value(true)});
  s.error({s.integers({3}, 0, 5)}, "must be floating point");
  s.error({s.rand({2, 3}), s.list({2})}, "dim 2 is out of range");
}

}  // namespace

Op sum_op{
    .schema = "sum(Tensor self, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    .doc = "The sum over the dimensions in dim, over all when there are none. Integers are summed in int64.",
    .serves = "sum sum.dim_IntList",
    .complex = true,
    .shape = sum_shape,
    .kernel = sum_kernel<Reduction::sum>,
    .vjp = {expanded},
    .samples = reductions,
};
Op nansum_op{
    .schema = "nansum(Tensor self, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    .doc = "The sum over the dimensions in dim with every NaN as 0.",
    .shape = sum_shape,
    .kernel = sum_kernel<Reduction::nan_sum>,
    .vjp = {[](const Call& c, const Tensor& g) { return numbers_only(c.tensor(0), expanded(c, g)); }},
    .save = input(0),
    .samples = reductions,
};
Op mean_op{
    .schema = "mean(Tensor self, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    .doc = "The mean over the dimensions in dim, over all when there are none; NaN of no elements.",
    .serves = "mean mean.dim",
    .complex = true,
    .shape = mean_shape,
    .kernel = [](const Args& a, const Tensors& out) {
      const ReducedDims dims(a, 1);
      sum_into(Reduction::sum, out[0], a.tensor(0), dims.mask, static_cast<double>(dims.count(a.tensor(0).sizes())));
    },
    .vjp = {[](const Call& c, const Tensor& g) { return expanded(c, div(g, mean_count(c))); }},
    .samples = [](Samples& s) { reductions(s); s.error({s.integers({3}, 0, 5)}, "must be floating point"); },
};
Op nanmean_op{
    .schema = "nanmean(Tensor self, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    .doc = "The mean over the dimensions in dim of what is not NaN.",
    .compose = [](const Args& a, Tensors& out) {
      mean_dtype(a);
      const Tensor& self = a.tensor(0);
      out.push_back(div(call(nansum_op, {self, a[1], a[2], a[3]}), call(sum_op, {eq(self, self), a[1], a[2]})));
    },
    .samples = reductions,
};
Op prod_op{
    .schema = "prod(Tensor self, int? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    .doc = "The product along dim, of all elements without one; gradients are exact where elements are 0. Integers multiply in int64.",
    .serves = "prod prod.dim_int",
    .complex = true,
    .shape = [](const Args& a, Metas& out) { reduced(a, out, sum_dtype(a), ReducedDims(prod_dim(a), a.tensor(0).sizes(), "prod"), a.flag(2)); },
    .kernel = [](const Args& a, const Tensors& out) {
      if (is_complex(out[0].dtype())) return complex_prod(a, out[0]);
      run(Reduction::prod, out[0], a.tensor(0), ReducedDims(prod_dim(a), a.tensor(0).sizes(), "prod").mask, {.type = out[0].dtype()});
    },
    .vjp = {prod_pull},
    .save = input(0),
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3})});
      s.add({s.rand({2, 3, 4}), Value(1)});
      s.add({s.values({2, 5}, {0, 2, 3, -1, 2, 0, 1, 0, 2, 3}), Value(-1), Value(true)});
      s.add({s.rand({})});
      s.add({s.rand({0, 2}), Value(0)});
      s.error({s.rand({2, 3}), Value(2)}, "dim 2 is out of range");
    },
};
Op all_op{
    .schema = "all(Tensor self, int[1]? dim=None, bool keepdim=False) -> Tensor",
    .doc = "Whether every element along the dimensions in dim is nonzero.",
    .serves = "all all.dim all.dims",
    .complex = true,
    .shape = logic_shape,
    .kernel = [](const Args& a, const Tensors& out) {
      const Tensor zeros_only = call(eq_op, {a.tensor(0), 0});
      run(Reduction::count_nonzero, out[0], zeros_only, logic_mask(a), {.finish = Finish::zero});
    },
    .samples = logic_samples,
};
Op any_op{
    .schema = "any(Tensor self, int[1]? dim=None, bool keepdim=False) -> Tensor",
    .doc = "Whether some element along the dimensions in dim is nonzero.",
    .serves = "any any.dim any.dims",
    .complex = true,
    .shape = logic_shape,
    .kernel = any_kernel,
    .samples = logic_samples,
};
Op count_nonzero_op{
    .schema = "count_nonzero(Tensor self, int[1]? dim=None) -> Tensor",
    .doc = "How many elements along the dimensions in dim are not 0; NaN counts.",
    .serves = "count_nonzero count_nonzero.dim_IntList",
    .complex = true,
    .shape = [](const Args& a, Metas& out) { reduced(a, out, Dtype::i64, ReducedDims(a, 1), false); },
    .kernel = [](const Args& a, const Tensors& out) { run(Reduction::count_nonzero, out[0], countable(a.tensor(0)), ReducedDims(a, 1).mask); },
    .samples = [](Samples& s) {
      s.add({s.values({2, 3}, {0, 1, 2, 0, 0, 0})});
      s.add({s.integers({2, 3, 4}, 0, 2), s.list({0, -1})});
      s.error({s.rand({2, 3}), s.list({2})}, "dim 2 is out of range");
    },
};
Op var_op{
    .schema = "var(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> Tensor",
    .doc = "The variance over the dimensions in dim: the sum of squared distances from the mean, over the count less correction (1).",
    .serves = "var.correction var.dim",
    .complex = true,
    .shape = moments_shape<1>,
    .kernel = moments_kernel<Finish::none>,
    .vjp = {var_pull},
    .save = input(0),
    .samples = moments_samples,
};
Op std_op{
    .schema = "std(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> Tensor",
    .doc = "The square root of the variance over the dimensions in dim; the gradient is 0 where it is 0.",
    .serves = "std.correction std.dim",
    .complex = true,
    .shape = moments_shape<1>,
    .kernel = moments_kernel<Finish::square_root>,
    .vjp = {[](const Call& c, const Tensor& g) { return var_pull(c, root_pull(c.output(), g)); }},
    .save = input(0) | output(),
    .samples = moments_samples,
};
Op var_mean_op{
    .schema = "var_mean(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> (Tensor, Tensor)",
    .doc = "Variance and mean over the dimensions in dim.",
    .serves = "var_mean.correction var_mean.dim",
    .complex = true,
    .shape = moments_shape<2>,
    .kernel = moments_kernel<Finish::none>,
    .vjp = {[](const Call& c, const Tensor& g) { return add(var_pull(c, g), mean_part(c, c.grad(1))); }},
    .save = input(0),
    .samples = moments_samples,
};
Op std_mean_op{
    .schema = "std_mean(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> (Tensor, Tensor)",
    .doc = "Standard deviation and mean over the dimensions in dim.",
    .serves = "std_mean.correction std_mean.dim",
    .complex = true,
    .shape = moments_shape<2>,
    .kernel = moments_kernel<Finish::square_root>,
    .vjp = {[](const Call& c, const Tensor& g) { return add(var_pull(c, root_pull(c.output(), g)), mean_part(c, c.grad(1))); }},
    .save = input(0) | output(),
    .samples = moments_samples,
};

Op sum_to_size_op{
    .schema = "sum_to_size(Tensor self, int[] size) -> Tensor",
    .doc = "self summed over the dimensions that expanding from size to its shape adds or enlarges.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensor& x = a.tensor(0);
      const SizesRef size = a.integers(1);
      const int64_t more = x.ndim() - static_cast<int64_t>(size.size());
      bool fits = more >= 0;
      Sizes dims;
      for (int64_t d = 0; fits && d < x.ndim(); ++d) {
        const int64_t want = d < more ? 1 : size[static_cast<size_t>(d - more)];
        fits = d < more || want == x.size(d) || want == 1;
        if (d < more || want != x.size(d)) dims.push_back(d);
      }
      GRADUS_CHECK(fits, shape, "sum_to_size: size {} does not expand to shape {}", text(size), text(x.sizes()));
      out.push_back(dims.empty() ? x : reshape(sum(x, dims, true), size));
    },
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3, 4}), s.list({3, 1})});
      s.add({s.rand({2, 3}), s.list({2, 3})});
      s.add({s.rand({2}), s.list({})});
      s.error({s.rand({2, 3}), s.list({2})}, "size [2] does not expand to shape [2, 3]");
    },
};

static Op* const all[] = {&sum_op, &nansum_op, &mean_op, &nanmean_op, &prod_op, &all_op, &any_op, &count_nonzero_op, &var_op, &std_op, &var_mean_op, &std_mean_op, &sum_to_size_op};
const OpList reduce_ops = all;

}  // namespace gradus
