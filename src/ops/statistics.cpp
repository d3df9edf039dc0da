// Quantiles, covariances, integrals by trapezoids, distances.
#include <cmath>

#include "base/context.h"
#include "ops/dims.h"
#include "ops/lists.h"
#include "ops/samples.h"

namespace gradus {
namespace {

// ---- trapezoids: (y, x, dx, dim)
// The widths of the steps along dim of y.
Tensor widths(const Args& a, const Tensor& y, int64_t dim) {
  Tensor x = a.tensor(1);
  if (x.ndim() == 1) {
    GRADUS_CHECK(x.size(0) == y.size(dim), shape, "{}: {} places for {} values along dim {}", name(a.op()), x.size(0), y.size(dim), dim);
    Sizes sizes(static_cast<size_t>(y.ndim()), 1);
    sizes[static_cast<size_t>(dim)] = x.size(0);
    x = reshape(x, sizes);
  } else if (x.ndim() < y.ndim()) {
    Sizes sizes(static_cast<size_t>(y.ndim() - x.ndim()), 1);
    for (int64_t n : x.sizes()) sizes.push_back(n);
    x = reshape(x, sizes);
  }
  return call(diff_op, {x, 1, dim});
}
// Twice the areas; y has at least one element along dim.
Tensor doubled_areas(const Args& a, const Tensor& values, int64_t dim) {
  const Tensor y = values.dtype() == Dtype::boolean ? to(values, Dtype::i64) : values;
  const int64_t n = y.size(dim);
  const Tensor both = add(narrow(y, dim, 0, n - 1), narrow(y, dim, 1, n - 1));
  return a.has(1) ? mul(both, widths(a, y, dim)) : mul(both, a[2]);
}
void trapezoid_samples(Samples& s) {
  s.add({s.rand({2, 4})});
  s.add({s.rand({3, 4}), s.rand({3}), Value(1), Value(0)});
  s.add({s.rand({2, 3}), s.rand({2, 3})});
  s.add({s.rand({3}), Value(std::nullopt), Value(0.5)});
  s.error({s.rand({3}), s.rand({4})}, "4 places for 3 values");
}

// ---- quantiles: (self, q, dim, keepdim, interpolation)
Tensor fractions(const Args& a, const Tensor& self) {
  if (a[1].is_number()) {
    GRADUS_CHECK(a.real(1) >= 0 && a.real(1) <= 1, value, "{}: q {} is outside [0, 1]", name(a.op()), a.real(1));
    return full({}, a.number(1), self.dtype());
  }
  const Tensor& q = a.tensor(1);
  GRADUS_CHECK(q.ndim() <= 1, shape, "{}: q has shape {}, not that of a number or a vector", name(a.op()), text(q.sizes()));
  GRADUS_CHECK(q.dtype() == self.dtype(), dtype, "{}: q of {} for {}", name(a.op()), name(q.dtype()), name(self.dtype()));
  const GradMode off(false);
  const Tensor outside = call(any_op, {logical_or(lt(q, 0), gt(q, 1))});
  GRADUS_CHECK(!outside.data<bool>()[0], value, "{}: an element of q is outside [0, 1]", name(a.op()));
  return q;
}
// Elements between two of a sorted row, at a place from 0 to size - 1 that may be fractional.
Tensor between(const Tensor& sorted, const Tensor& place, std::string_view how) {
  const auto at = [&](const Tensor& index) { return gather(sorted, sorted.ndim() - 1, to(index, Dtype::i64)); };
  if (how == "lower") return at(floor(place));
  if (how == "higher") return at(ceil(place));
  if (how == "nearest") return at(round(place));
  const Tensor below = floor(place), low = at(below), high = at(ceil(place));
  return how == "midpoint" ? lerp(low, high, 0.5) : lerp(low, high, sub(place, below));
}
template <bool skip_nan> void quantile(const Args& a, Tensors& out) {
  GRADUS_CHECK(!a[0].is_number(), argument, "{}: self is a number", name(a.op()));
  Tensor x = a.tensor(0);
  const std::string_view how = a.text(4);
  GRADUS_CHECK(x.dtype() == Dtype::f32 || x.dtype() == Dtype::f64, dtype, "{}: not defined for {}", name(a.op()), name(x.dtype()));
  GRADUS_CHECK(how == "linear" || how == "lower" || how == "higher" || how == "midpoint" || how == "nearest", value,
               "{}: interpolation must be linear, lower, higher, midpoint or nearest, not '{}'", name(a.op()), how);
  GRADUS_CHECK(x.numel() > 0, value, "{}: no elements", name(a.op()));
  const Tensor q = fractions(a, x);
  const bool whole = !a.has(2);
  const int64_t ndim = x.ndim(), dim = whole ? 0 : wrap_dim(a.integer(2), ndim, name(a.op()));
  if (whole) x = flatten(x);
  else if (ndim > 0) x = transpose(unsqueeze(x, -1), dim, -1);    // the dimension comes last, and 1 takes its place
  else x = reshape(x, Sizes{1});
  const Tensor sorted = call_all(sort_op, {x, -1})[0], is_nan = isnan(sorted), count = sum(logical_not(is_nan), Sizes{-1}, true);
  const int64_t last = x.size(-1) - 1;
  Tensor place = mul(q, skip_nan ? clamp_min(sub(to(count, x.dtype()), 1.0), 0.0) : full({}, Number(last), x.dtype()));
  if (!skip_nan) place = where(eq(count, last + 1), place, static_cast<double>(last));     // NaN, which sorts last
  Sizes rows(sorted.sizes());
  rows.back() = q.ndim() == 0 ? 1 : q.size(0);
  Tensor y = between(sorted, expand(place, rows), how);
  y = q.ndim() == 0 ? squeeze(y, -1) : movedim(y, Sizes{-1}, Sizes{0});
  Sizes sizes;
  if (q.ndim() > 0) sizes.push_back(q.size(0));
  if (whole) {
    for (int64_t d = 0; d < ndim && a.flag(3); ++d) sizes.push_back(1);
    return out.push_back(reshape(y, sizes));
  }
  if (!a.flag(3) && ndim > 0) y = squeeze(y, dim + (q.ndim() > 0));
  out.push_back(ndim > 0 ? y : reshape(y, sizes));
}
void quantile_samples(Samples& s) {
  s.add({s.spread({2, 5}), Value(0.4)});
  s.add({s.spread({3, 5}), s.values({2}, {0.1, 0.9}), Value(1), Value(true)});
  s.add({s.spread({4, 2}), s.values({}, {0.3}), Value(0), Value(false), s.text("midpoint")});
  s.add({s.spread({7}), s.values({3}, {0.05, 0.45, 0.9}), Value(0), Value(false), s.text("nearest")});
  s.add({s.values({2, 3}, {1, NAN, 2, 4, 3, 5}), Value(0.5), Value(1)});
  s.error({s.spread({2, 5}), Value(1.5)}, "q 1.5 is outside [0, 1]");
  s.error({s.spread({2, 5}), s.values({2}, {0.5, 2})}, "an element of q");
  s.error({s.spread({2}), Value(0.5), Value(0), Value(false), s.text("cubic")}, "not 'cubic'");
}

// ---- covariance: (self, correction, fweights, aweights)
Tensor weight_of(const Args& a, int position, int64_t n, bool integers) {
  const Tensor& w = a.tensor(position);
  GRADUS_CHECK(w.ndim() == 1 && w.size(0) == n, shape, "cov: weights of shape {} for {} observations", text(w.sizes()), n);
  GRADUS_CHECK(is_floating(w.dtype()) != integers && w.dtype() != Dtype::boolean, dtype, "cov: {} must be {}, not {}", integers ? "fweights" : "aweights",
               integers ? "integers" : "floating point", name(w.dtype()));
  const GradMode off(false);
  GRADUS_CHECK(!call(any_op, {lt(w, 0)}).data<bool>()[0], value, "cov: a negative weight");
  return w;
}
void cov(const Args& a, Tensors& out) {
  GRADUS_CHECK(a.tensor(0).ndim() <= 2, shape, "cov: shape {} has more than two dimensions", text(a.tensor(0).sizes()));
  const Tensor x = a.tensor(0).ndim() < 2 ? reshape(a.tensor(0), Sizes{1, -1}) : a.tensor(0);
  GRADUS_CHECK(x.dtype() != Dtype::boolean, dtype, "cov: not defined for bool");
  const int64_t n = x.size(1);
  Tensor w;
  if (a.has(2)) w = weight_of(a, 2, n, true);
  if (a.has(3)) {
    const Tensor importance = weight_of(a, 3, n, false);
    w = w ? mul(w, importance) : importance;
  }
  const int64_t along = 1;
  const SizesRef rows(&along, 1);
  const Tensor total = w ? sum(w) : full({}, Number(n), Dtype::i64);
  const Tensor average = div(sum(w ? mul(x, w) : x, rows), total);
  Tensor freedom = a.has(3) && a.integer(1) != 0 ? sub(total, mul(div(sum(mul(w, a.tensor(3))), total), a[1])) : sub(total, a[1]);
  freedom = clamp_min(freedom, 0);
  const Tensor centred = sub(x, unsqueeze(average, 1));
  const Tensor products = call(mm_op, {centred, conj(t(w ? mul(centred, w) : centred))});
  out.push_back(squeeze(div(products, freedom)));
}

}  // namespace

Op trapezoid_op{
    .schema = "trapezoid(Tensor y, Tensor? x=None, *, Scalar dx=1, int dim=-1) -> Tensor",
    .doc = "The integral of y along dim by trapezoids, at the places x or in steps of dx.",
    .serves = "trapezoid.x trapezoid.dx trapz.x trapz.dx",
    .complex = true,
    .complex_numbers = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensor& y = a.tensor(0);
      const int64_t dim = wrap_dim(a.integer(3), y.ndim(), "trapezoid");
      const SizesRef dims(&dim, 1);
      if (y.ndim() == 0 || y.size(dim) == 0) return out.push_back(zeros(reduced_sizes(y.sizes(), ReducedDims(dims, y.sizes(), "trapezoid"), false), y.dtype()));
      out.push_back(div(sum(doubled_areas(a, y, dim), dims), 2.0));
    },
    .samples = trapezoid_samples,
};
Op cumulative_trapezoid_op{
    .schema = "cumulative_trapezoid(Tensor y, Tensor? x=None, *, Scalar dx=1, int dim=-1) -> Tensor",
    .doc = "The integrals of y along dim up to each place but the first, by trapezoids.",
    .serves = "cumulative_trapezoid.x cumulative_trapezoid.dx",
    .complex = true,
    .complex_numbers = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensor& y = a.tensor(0);
      const int64_t dim = wrap_dim(a.integer(3), y.ndim(), "cumulative_trapezoid");
      GRADUS_CHECK(y.ndim() > 0 && y.size(dim) > 0, shape, "cumulative_trapezoid: shape {} has no values along dim {}", text(y.sizes()), dim);
      out.push_back(div(cumsum(doubled_areas(a, y, dim), dim), 2.0));
    },
    .samples = trapezoid_samples,
};
Op quantile_op{
    .schema = "quantile(Tensor self, Tensor q, int? dim=None, bool keepdim=False, *, str interpolation='linear') -> Tensor",
    .doc = "The elements at the fractions q of the sorted row along dim, or of all. Rows of a vector q come first; a NaN in a row is its result.",
    .serves = "quantile quantile.scalar",
    .takes_numbers = true,
    .compose = quantile<false>,
    .samples = quantile_samples,
};
Op nanquantile_op{
    .schema = "nanquantile(Tensor self, Tensor q, int? dim=None, bool keepdim=False, *, str interpolation='linear') -> Tensor",
    .doc = "quantile of the elements that are not NaN.",
    .serves = "nanquantile nanquantile.scalar",
    .takes_numbers = true,
    .compose = quantile<true>,
    .samples = quantile_samples,
};
Op cov_op{
    .schema = "cov(Tensor self, *, int correction=1, Tensor? fweights=None, Tensor? aweights=None) -> Tensor",
    .doc = "The covariances of the rows of self, whose columns are observations with weights.",
    .complex = true,
    .compose = cov,
    .samples = [](Samples& s) {
      s.add({s.rand({3, 5})});
      s.add({s.rand({4}), Value(0)});
      s.add({s.rand({2, 3}), Value(1), s.integers({3}, 1, 4), s.rand({3}, 0.5, 2)});
      s.error({s.rand({2, 2, 2})}, "more than two dimensions");
      s.error({s.rand({2, 3}), Value(1), s.integers({2}, 1, 4)}, "weights of shape [2] for 3 observations");
    },
};
Op corrcoef_op{
    .schema = "corrcoef(Tensor self) -> Tensor",
    .doc = "The correlations of the rows of self.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensor c = call(cov_op, {a[0]});
      if (c.ndim() == 0) return out.push_back(div(c, c));
      const Tensor deviation = sqrt(real(diagonal(c))), quotients = div(div(c, unsqueeze(deviation, 1)), unsqueeze(deviation, 0));
      if (!is_complex(c.dtype())) return out.push_back(clamp(quotients, -1.0, 1.0));
      out.push_back(call(complex_op, {clamp(real(quotients), -1.0, 1.0), clamp(call(imag_op, {quotients}), -1.0, 1.0)}));
    },
    .samples = [](Samples& s) { s.add({s.rand({3, 5})}); s.error({s.rand({2, 2, 2})}, "more than two dimensions"); },
};
Op dist_op{
    .schema = "dist(Tensor self, Tensor other, Scalar p=2) -> Tensor",
    .doc = "The norm of order p of self - other.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(norm(sub(a[0], a[1]), a.number(2))); },
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.rand({3})});
      s.add({s.rand({2, 3}), s.rand({2, 1}), Value(1)});
      s.error({s.rand({2}), s.rand({3})}, "2 and 3");
    },
};
Op renorm_op{
    .schema = "renorm(Tensor self, Scalar p, int dim, Scalar maxnorm) -> Tensor",
    .doc = "self with each part along dim whose norm of order p is above maxnorm scaled down to it.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensor& x = a.tensor(0);
      GRADUS_CHECK(a.real(1) > 0 && a.real(3) >= 0, value, "renorm: p {} or maxnorm {} is negative, or p is 0", a.real(1), a.real(3));
      GRADUS_CHECK(x.ndim() > 1, shape, "renorm: shape {} has less than two dimensions", text(x.sizes()));
      const int64_t dim = wrap_dim(a.integer(2), x.ndim(), "renorm");
      Sizes others;
      for (int64_t d = 0; d < x.ndim(); ++d) if (d != dim) others.push_back(d);
      const bool half = size_of(x.dtype()) == 2;
      const Tensor size = norm(contiguous(half ? to(x, Dtype::f32) : x), a.number(1), others, true), above = gt(size, a[3]);
      const Tensor factor = where(above, div(a[3], add(where(above, size, 1.0), 1e-7)), 1.0);
      out.push_back(mul(x, half ? to(factor, x.dtype()) : factor));
    },
    .in_place = true,
    .samples = [](Samples& s) {
      s.add({s.rand({3, 4}), Value(2), Value(0), Value(1.5)});
      s.add({s.rand({2, 3, 2}), Value(1), Value(-1), Value(2)});
      s.error({s.rand({3}), Value(2), Value(0), Value(1)}, "less than two dimensions");
    },
};

static Op* const all[] = {&trapezoid_op, &cumulative_trapezoid_op, &quantile_op, &nanquantile_op, &cov_op, &corrcoef_op, &dist_op, &renorm_op};
const OpList statistics_ops = all;

}  // namespace gradus
