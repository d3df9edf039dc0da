// Running sums, products and extremes, and differences.
#include <cmath>

#include "base/context.h"
#include "kernels/copy.h"
#include "kernels/scan.h"
#include "ops/dims.h"
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

using kernels::Scan;

Tensor row_major(const Tensor& t) {
  if (t.contiguous()) return t;
  const Tensor c = empty(t.meta());
  kernels::copy(view_of(c), view_of(t));
  return c;
}
int64_t the_dim(const Args& a) { return wrap_dim(a.integer(1), a.tensor(0).ndim(), name(a.op())); }

// (self, dim, dtype)
void scan_shape(const Args& a, Metas& out) {
  const Dtype d = a.tensor(0).dtype();
  the_dim(a);
  out.push_back({a.dtype(2, is_integral(d) ? Dtype::i64 : d), Sizes(a.tensor(0).sizes())});
}
// (self, dim)
void floating_shape(const Args& a, Metas& out) {
  const Dtype d = a.tensor(0).dtype();
  the_dim(a);
  GRADUS_CHECK(is_differentiable(d), dtype, "{}: not defined for {}", name(a.op()), name(d));
  out.push_back({d, Sizes(a.tensor(0).sizes())});
}
template <Scan kind, bool reverse> void scan_kernel(const Args& a, const Tensors& out) {
  const Tensor x = row_major(a.tensor(0));
  if (x.numel() == 0) return;
  auto lines = lines_of(x.sizes(), the_dim(a));
  const Dtype type = out[0].dtype();
  if (kind != Scan::sum || (!is_complex(x.dtype()) && !is_complex(type))) return kernels::scan(kind, type, out[0].data<char>(), x.dtype(), x.data<char>(), lines, reverse);
  const GradMode off(false);                                  // sums of complex numbers are those of their parts
  const Tensor same_type = to(x, type);
  if (is_complex(type)) lines.inner *= 2;
  kernels::scan(kind, real_of(type), out[0].data<char>(), real_of(type), same_type.data<char>(), lines, reverse);
}

void extreme_shape(const Args& a, Metas& out) {
  the_dim(a);
  out.push_back(a.tensor(0).meta());
  out.push_back({Dtype::i64, Sizes(a.tensor(0).sizes())});
}
template <bool largest> void extreme_kernel(const Args& a, const Tensors& out) {
  const Tensor x = row_major(a.tensor(0));
  if (x.numel() > 0)
    kernels::scan_extreme(largest, x.dtype(), out[0].data<char>(), out[1].data<int64_t>(), x.data<char>(), lines_of(x.sizes(), the_dim(a)));
}
Tensor pull_selected(const Call& c, const Tensor& g) { return selected_pull(c, g, c.integer(1), true); }

// Everything moved s places up along dim, with `fill` in the first ones; and down, with zeros in the last ones.
Tensor filled_like(const Tensor& t, int64_t dim, int64_t length, double fill) {
  Sizes sizes(t.sizes());
  sizes[static_cast<size_t>(dim)] = length;
  return full(sizes, fill, t.dtype());
}
Tensor moved_up(const Tensor& t, int64_t dim, int64_t s, double fill) {
  const Tensor parts[] = {filled_like(t, dim, s, fill), narrow(t, dim, 0, t.size(dim) - s)};
  return cat(parts, dim);
}
Tensor moved_down(const Tensor& t, int64_t dim, int64_t s) {
  const Tensor parts[] = {narrow(t, dim, s, t.size(dim) - s), filled_like(t, dim, s, 0)};
  return cat(parts, dim);
}
// The pull-back of products over doubling reaches, y_s[j] = y[j] y[j - s]: no division, so zeros are exact at every order.
Tensor cumprod_pull(const Call& c, const Tensor& gradient) {
  const Tensor& x = c.tensor(0);
  if (x.numel() == 0 || x.ndim() == 0) return gradient;
  const int64_t dim = wrap_dim(c.integer(1), x.ndim(), "cumprod"), n = x.size(dim);
  std::vector<Tensor> levels{conj(to(x, c.result().dtype))};
  for (int64_t s = 1; s < n; s *= 2) levels.push_back(mul(levels.back(), moved_up(levels.back(), dim, s, 1)));
  Tensor g = gradient;
  for (size_t level = levels.size() - 1; level-- > 0;) {
    const int64_t s = int64_t{1} << level;
    const Tensor& y = levels[level];
    g = add(mul(g, moved_up(y, dim, s, 1)), moved_down(mul(g, y), dim, s));
  }
  return g;
}

// Sum over i of g_i e^(x - y_i), i from here on (or down to the first), by way of logarithms of the two signs of g.
template <const Op* transposed> Tensor logcumsumexp_pull(const Call& c, const Tensor& g) {
  const Tensor &x = c.tensor(0), &y = c.output();
  const Tensor finite = where(eq(real(y), -HUGE_VAL), 0.0, y);      // all of x is -inf there: it gets nothing
  const auto part = [&](const Tensor& mask, const Tensor& size) {
    const Tensor logs = where(mask, log(where(mask, size, 1.0)), -HUGE_VAL);
    return exp(add(call(*transposed, {sub(logs, finite), c.integer(1)}), x));
  };
  if (is_complex(x.dtype())) return conj(part(ne(g, 0), conj(g)));    // its logarithm has the sign
  return sub(part(gt(g, 0), g), part(lt(g, 0), neg(g)));
}

void scan_samples(Samples& s) {
  s.add({s.rand({2, 3}), Value(1)});
  s.add({s.rand({2, 3, 4}), Value(1)});
  s.add({s.rand({5}), Value(-1)});
  s.add({s.rand({}), Value(0)});
  s.add({s.rand({0, 2}), Value(0)});
  s.error({s.rand({2, 3}), Value(2)}, "dim 2 is out of range");
}
void extreme_samples(Samples& s) {
  s.add({s.spread({2, 3}), Value(1)});
  s.add({s.spread({2, 3, 4}), Value(1)});
  s.add({s.integers({12}, 0, 4), Value(0)});                  // equal ones
  s.add({s.spread({}), Value(0)});
  s.error({s.rand({2, 3}), Value(2)}, "dim 2 is out of range");
}
void product_samples(Samples& s) {
  scan_samples(s);
  s.add({s.values({2, 5}, {0, 2, 3, -1, 2, 3, 1, 0, 2, 0}), Value(1)});
}

// ---- diff: (self, n, dim, prepend, append)
void check_joinable(const Tensor& a, const Tensor& b, int64_t dim) {
  bool fits = a.ndim() == b.ndim();
  for (int64_t d = 0; fits && d < a.ndim(); ++d) fits = d == dim || a.size(d) == b.size(d);
  GRADUS_CHECK(fits, shape, "diff: shapes {} and {} can't be joined along dim {}", text(a.sizes()), text(b.sizes()), dim);
}
void diff_compose(const Args& a, Tensors& out) {
  Tensor x = a.tensor(0);
  GRADUS_CHECK(x.ndim() > 0, shape, "diff: a tensor of no dimensions");
  GRADUS_CHECK(a.integer(1) >= 0, value, "diff: n = {} is negative", a.integer(1));
  const int64_t dim = wrap_dim(a.integer(2), x.ndim(), "diff");
  if (a.integer(1) == 0) return out.push_back(call(clone_op, {x}));   // nothing is joined either
  Tensors parts;
  if (const Tensor& before = a.optional_tensor(3)) parts.push_back(before);
  parts.push_back(x);
  if (const Tensor& after = a.optional_tensor(4)) parts.push_back(after);
  for (const Tensor& t : parts) check_joinable(x, t, dim);
  if (parts.size() > 1) x = cat({parts.data(), parts.size()}, dim);
  for (int64_t i = std::min(a.integer(1), x.size(dim)); i > 0; --i) {
    const int64_t n = x.size(dim);
    const Tensor from = narrow(x, dim, 0, n - 1), next = narrow(x, dim, 1, n - 1);
    x = x.dtype() == Dtype::boolean ? ne(next, from) : sub(next, from);
  }
  out.push_back(x.impl() == a.tensor(0).impl() ? call(clone_op, {x}) : x);   // size 0 along dim
}

}  // namespace

Op cumsum_op{
    .schema = "cumsum(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor",
    .doc = "The sum of the elements so far along dim. Integers are summed in int64.",
    .complex = true,
    .shape = scan_shape,
    .kernel = scan_kernel<Scan::sum, false>,
    .in_place = true,
    .vjp = {[](const Call& c, const Tensor& g) { return call(reverse_cumsum_op, {g, c.integer(1)}); }},
    .samples = scan_samples,
};
Op reverse_cumsum_op{
    .schema = "_reverse_cumsum(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor",
    .doc = "The sum of the elements from here to the end of dim; the transpose of cumsum.",
    .complex = true,
    .shape = scan_shape,
    .kernel = scan_kernel<Scan::sum, true>,
    .vjp = {[](const Call& c, const Tensor& g) { return cumsum(g, c.integer(1)); }},
    .samples = scan_samples,
};
Op cumprod_op{
    .schema = "cumprod(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor",
    .doc = "The product of the elements so far along dim; gradients are exact where elements are 0. Integers multiply in int64.",
    .complex = true,
    .shape = scan_shape,
    .kernel = scan_kernel<Scan::prod, false>,
    .in_place = true,
    .vjp = {cumprod_pull},
    .save = input(0),
    .samples = product_samples,
};
Op cummax_op{
    .schema = "cummax(Tensor self, int dim) -> (Tensor values, Tensor indices)",
    .doc = "The largest element so far along dim and its index, the last among equals, which gets the gradient. A NaN stays.",
    .shape = extreme_shape,
    .kernel = extreme_kernel<true>,
    .vjp = {pull_selected},
    .save = output(1),
    .samples = extreme_samples,
};
Op cummin_op{
    .schema = "cummin(Tensor self, int dim) -> (Tensor values, Tensor indices)",
    .doc = "The smallest element so far along dim and its index, the last among equals, which gets the gradient. A NaN stays.",
    .shape = extreme_shape,
    .kernel = extreme_kernel<false>,
    .vjp = {pull_selected},
    .save = output(1),
    .samples = extreme_samples,
};
Op logcumsumexp_op{
    .schema = "logcumsumexp(Tensor self, int dim) -> Tensor",
    .doc = "The logarithm of the sum of e^x so far along dim.",
    .complex = true,
    .shape = floating_shape,
    .kernel = scan_kernel<Scan::log_sum_exp, false>,
    .vjp = {logcumsumexp_pull<&reverse_logcumsumexp_op>},
    .save = input(0) | output(),
    .samples = scan_samples,
};
Op reverse_logcumsumexp_op{
    .schema = "_reverse_logcumsumexp(Tensor self, int dim) -> Tensor",
    .doc = "The logarithm of the sum of e^x from here to the end of dim.",
    .complex = true,
    .shape = floating_shape,
    .kernel = scan_kernel<Scan::log_sum_exp, true>,
    .vjp = {logcumsumexp_pull<&logcumsumexp_op>},
    .save = input(0) | output(),
    .samples = scan_samples,
};
Op diff_op{
    .schema = "diff(Tensor self, int n=1, int dim=-1, Tensor? prepend=None, Tensor? append=None) -> Tensor",
    .doc = "Differences of neighbours along dim, n times over, after joining prepend and append to the ends; self for n = 0.",
    .complex = true,
    .compose = diff_compose,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 5})});
      s.add({s.rand({5, 2}), Value(2), Value(0)});
      s.add({s.rand({2, 3}), Value(1), Value(-1), s.rand({2, 1}), s.rand({2, 2})});
      s.add({s.rand({2}), Value(4)});
      s.add({s.rand({2, 3}), Value(0), Value(-1), s.rand({2, 1})});
      s.error({s.rand({2, 3}), Value(1), Value(1), s.rand({3, 1})}, "can't be joined");
      s.error({s.rand({})}, "no dimensions");
    },
};

static Op* const all[] = {&cumsum_op, &reverse_cumsum_op, &cumprod_op, &cummax_op, &cummin_op, &logcumsumexp_op, &reverse_logcumsumexp_op, &diff_op};
const OpList scan_ops = all;

}  // namespace gradus
