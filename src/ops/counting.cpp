// What is in a tensor, and how often: unique elements, bins, membership, combinations.
#include <cmath>

#include "base/context.h"
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

Tensor empty_indices() { return zeros(Sizes{0}, Dtype::i64); }
double item(const Tensor& t) { return to(t, Dtype::f64).data<double>()[0]; }

// ---- runs of equal rows
// Whether each row along dim begins a run: it differs from the one before.
Tensor starts(const Tensor& x, int64_t dim) {
  const int64_t n = x.size(dim);
  if (n == 0) return zeros(Sizes{0}, Dtype::boolean);
  Tensor apart = ne(narrow(x, dim, 1, n - 1), narrow(x, dim, 0, n - 1));
  Sizes others;
  for (int64_t d = 0; d < x.ndim(); ++d) if (d != dim) others.push_back(d);
  if (!others.empty()) apart = call(any_op, {apart, others});
  return cat(Tensors{ones(Sizes{1}, Dtype::boolean), apart});
}
// The first rows of all runs, to which their gradients go; which run each row is in, put back in the order it came from; and the lengths of the runs.
void runs(const Tensor& x, int64_t dim, const Tensor& order, bool inverse, bool counts, Tensors& out) {
  const Tensor start = starts(x, dim), first = reshape(call(nonzero_op, {start}), Sizes{-1});
  out.push_back(index_select(x, dim, first));
  Tensor run = inverse ? sub(cumsum(start, 0), 1) : empty_indices();
  if (inverse && order) run = scatter(run, 0, order, run);
  out.push_back(run);
  out.push_back(counts ? call(diff_op, {cat(Tensors{first, full(Sizes{1}, Number(x.size(dim)), Dtype::i64)})}) : empty_indices());
}
// The order of rows by their first elements, then by the next: stable sorts from the last column on.
Tensor order_of_rows(const Tensor& rows) {
  Tensor order = arange(Number(int64_t{0}), Number(rows.size(0)), 1, Dtype::i64);
  for (int64_t c = rows.size(1) - 1; c >= 0; --c) order = index_select(order, 0, call(argsort_op, {index_select(select(rows, 1, c), 0, order)}));
  return order;
}
void unique(const Args& a, Tensors& out) {
  const Tensor flat = flatten(a.tensor(0));
  const Tensors sorted = call_all(sort_op, {flat, 0});
  runs(sorted[0], 0, sorted[1], a.flag(2), a.flag(3), out);
  if (a.flag(2)) out[1] = reshape(out[1], a.tensor(0).sizes());
}
void unique_dim(const Args& a, Tensors& out) {
  const Tensor& x = a.tensor(0);
  const int64_t dim = wrap_dim(a.integer(1), x.ndim(), "unique_dim");
  GRADUS_CHECK(x.ndim() > 0, shape, "unique_dim: a tensor of no dimensions has no rows");
  GRADUS_CHECK(x.numel() > 0 || x.size(dim) == 0, shape, "unique_dim: rows of shape {} have no elements", text(x.sizes()));
  if (x.size(dim) == 0) return runs(x, dim, Tensor(), a.flag(3), a.flag(4), out);
  const Tensor order = order_of_rows(reshape(movedim(x, Sizes{dim}, Sizes{0}), Sizes{x.size(dim), -1}));
  runs(index_select(x, dim, order), dim, order, a.flag(3), a.flag(4), out);
}
void unique_consecutive(const Args& a, Tensors& out) {
  const Tensor& x = a.tensor(0);
  if (a.has(3) && x.ndim() > 0) return runs(x, wrap_dim(a.integer(3), x.ndim(), "unique_consecutive"), Tensor(), a.flag(1), a.flag(2), out);
  runs(flatten(x), 0, Tensor(), a.flag(1), a.flag(2), out);
  if (a.flag(1)) out[1] = reshape(out[1], x.sizes());
}

// ---- bins
void bincount(const Args& a, Tensors& out) {                  // differentiable in the weights
  const Tensor& x = a.tensor(0);
  GRADUS_CHECK(x.ndim() == 1 && is_integral(x.dtype()) && x.dtype() != Dtype::boolean, shape, "bincount: {} of shape {}, where a vector of integers is wanted",
               name(x.dtype()), text(x.sizes()));
  GRADUS_CHECK(a.integer(2) >= 0, value, "bincount: minlength {} is negative", a.integer(2));
  const Tensor& weights = a.optional_tensor(1);
  GRADUS_CHECK(!weights || same(weights.sizes(), x.sizes()), shape, "bincount: weights of another shape than {}", text(x.sizes()));
  const Dtype type = !weights ? Dtype::i64 : weights.dtype() == Dtype::f32 ? Dtype::f32 : Dtype::f64;
  const Tensor at = to(x, Dtype::i64);
  int64_t bins = a.integer(2);
  if (x.numel() > 0) {
    GRADUS_CHECK(item(amin(at)) >= 0, value, "bincount: a negative element");
    const int64_t largest = contiguous(amax(at)).data<int64_t>()[0];
    GRADUS_CHECK(largest < INT64_MAX, value, "bincount: the element {} is too large", largest);
    bins = std::max(bins, largest + 1);
  }
  out.push_back(index_add(zeros(Sizes{bins}, type), 0, at, weights ? to(weights, type) : ones(x.sizes(), type)));
}
void histc(const Args& a, Tensors& out) {
  const GradMode off(false);
  const Tensor x = flatten(a.tensor(0));
  const int64_t bins = a.integer(1);
  double low = a.real(2), high = a.real(3);
  GRADUS_CHECK(is_floating(x.dtype()), dtype, "histc: not defined for {}", name(x.dtype()));
  GRADUS_CHECK(bins > 0, value, "histc: {} bins", bins);
  if (low == high && x.numel() > 0) low = item(amin(x)), high = item(amax(x));
  if (low == high) low -= 1, high += 1;
  GRADUS_CHECK(std::isfinite(low) && std::isfinite(high), value, "histc: the range from {} to {} is not finite", low, high);
  GRADUS_CHECK(low < high, value, "histc: min {} is above max {}", low, high);
  const Tensor inside = logical_and(ge(x, low), le(x, high));
  const Tensor place = div(mul(sub(where(inside, x, low), low), static_cast<double>(bins)), high - low);
  const Tensor at = clamp(to(place, Dtype::i64), 0, bins - 1);
  out.push_back(to(index_add(zeros(Sizes{bins}, Dtype::f64), 0, at, to(inside, Dtype::f64)), x.dtype()));
}

// ---- membership: by search in the sorted elements
void isin(const Args& a, Tensors& out) {
  const GradMode off(false);
  const Dtype type = promote(a.tensor(0).dtype(), a.tensor(1).dtype());
  const Tensor x = to(a.tensor(0), type), known = call_all(sort_op, {flatten(to(a.tensor(1), type)), 0})[0];
  if (known.numel() == 0) return out.push_back(full(x.sizes(), Number(a.flag(3)), Dtype::boolean));
  const Tensor at = clamp(call(searchsorted_op, {known, x}), 0, known.numel() - 1);
  const Tensor found = eq(take(known, at), x);
  out.push_back(a.flag(3) ? logical_not(found) : found);
}
void combinations(const Args& a, Tensors& out) {
  const Tensor& x = a.tensor(0);
  const int64_t r = a.integer(1), n = x.numel();
  GRADUS_CHECK(x.ndim() == 1, shape, "combinations: shape {} is not that of a vector", text(x.sizes()));
  GRADUS_CHECK(r >= 0 && r <= 64, value, "combinations: r = {} is negative, or above 64", r);
  if (r == 0) return out.push_back(zeros(Sizes{0}, x.dtype()));
  // Rows of indices, each longer by one than in the round before; a round keeps what does not fall.
  const Tensor all = arange(Number(int64_t{0}), Number(n), 1, Dtype::i64);
  Tensor rows = unsqueeze(all, 1);
  for (int64_t k = 1; k < r; ++k) {
    const int64_t count = rows.size(0);
    const Tensor left = call(repeat_interleave_op, {rows, n, 0}), right = repeat(all, Sizes{count}), last = select(left, 1, k - 1);
    const Tensor kept = reshape(call(nonzero_op, {a.flag(2) ? ge(right, last) : gt(right, last)}), Sizes{-1});
    rows = cat(Tensors{index_select(left, 0, kept), unsqueeze(index_select(right, 0, kept), 1)}, 1);
  }
  out.push_back(take(x, rows));
}

}  // namespace

Op unique_op{
    .schema = "unique(Tensor self, bool sorted=True, bool return_inverse=False, bool return_counts=False) -> (Tensor, Tensor, Tensor)",
    .doc = "The different elements in order; for each element of self which one it is; and how often each occurs. What is not asked for is empty.",
    .serves = "_unique2",
    .compose = unique,
    .samples = [](Samples& s) {
      s.add({s.integers({3, 4}, 0, 5), Value(true), Value(true), Value(true)});
      s.add({s.values({5}, {2, 0.5, 2, -1, 0.5})});
      s.add({s.values({2, 2}, {3, 0.5, -1, 2})});
      s.add({s.rand({0}), Value(true), Value(true), Value(true)});
    },
};
Op unique_dim_op{
    .schema = "unique_dim(Tensor self, int dim, bool sorted=True, bool return_inverse=False, bool return_counts=False) -> (Tensor, Tensor, Tensor)",
    .doc = "The different parts along dim in the order of their elements; for each part which one it is; and how often each occurs.",
    .compose = unique_dim,
    .samples = [](Samples& s) {
      s.add({s.integers({6, 2}, 0, 2), Value(0), Value(true), Value(true), Value(true)});
      s.add({s.integers({2, 5}, 0, 2), Value(-1)});
      s.error({s.rand({2}), Value(1)}, "dim 1 is out of range");
    },
};
Op unique_consecutive_op{
    .schema = "unique_consecutive(Tensor self, bool return_inverse=False, bool return_counts=False, int? dim=None) -> (Tensor, Tensor, Tensor)",
    .doc = "self with each run of equal elements, or of equal parts along dim, made one; for each element its run; and the lengths of the runs.",
    .compose = unique_consecutive,
    .samples = [](Samples& s) {
      s.add({s.values({2, 3}, {1, 1, 2, 2, 1, 1}), Value(true), Value(true)});
      s.add({s.values({2, 4}, {1, 1, 2, 2, 3, 3, 3, 3}), Value(true), Value(true), Value(1)});
      s.add({s.values({4}, {3, 0.5, -1, 0.25})});
      s.add({s.integers({}, 0, 9)});
    },
};
Op bincount_op{
    .schema = "bincount(Tensor self, Tensor? weights=None, int minlength=0) -> Tensor",
    .doc = "How often each number from 0 to the largest occurs in a vector of integers, or the sum of the weights there.",
    .compose = bincount,
    .samples = [](Samples& s) {
      s.add({s.integers({7}, 0, 5)});
      s.add({s.integers({4}, 0, 3), s.rand({4}), Value(6)});
      s.error({s.values({2}, {1, -1}, Dtype::i64)}, "a negative element");
      s.error({s.rand({2})}, "where a vector of integers is wanted");
    },
};
Op histc_op{
    .schema = "histc(Tensor self, int bins=100, Scalar min=0, Scalar max=0) -> Tensor",
    .doc = "How many elements lie in each of so many equal bins from min to max, or over the range of the elements where these are equal.",
    .compose = histc,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 9}), Value(4), Value(-1), Value(1.5)});
      s.add({s.rand({6}), Value(3)});
      s.error({s.rand({2}), Value(0)}, "0 bins");
      s.error({s.rand({2}), Value(2), Value(1), Value(0)}, "min 1 is above max 0");
    },
};
Op isin_op{
    .schema = "isin(Tensor elements, Tensor test_elements, *, bool assume_unique=False, bool invert=False) -> Tensor",
    .doc = "Whether each element is among the test elements, or with invert whether it is not.",
    .serves = "isin.Tensor_Tensor",
    .compose = isin,
    .samples = [](Samples& s) {
      s.add({s.integers({2, 4}, 0, 9), s.integers({5}, 0, 9)});
      s.add({s.values({4}, {1, 2.5, 4, 3}), s.values({3}, {7, 3, 1}), Value(false), Value(true)});
      s.add({s.rand({3}), s.rand({0})});
    },
};
Op combinations_op{
    .schema = "combinations(Tensor self, int r=2, bool with_replacement=False) -> Tensor",
    .doc = "All choices of r elements of a vector in their order, one row each.",
    .complex = true,
    .compose = combinations,
    .samples = [](Samples& s) {
      s.add({s.rand({4})});
      s.add({s.rand({3}), Value(3), Value(true)});
      s.add({s.rand({2}), Value(3)});
      s.error({s.rand({2, 2})}, "not that of a vector");
    },
};

static Op* const all[] = {&unique_op, &unique_dim_op, &unique_consecutive_op, &bincount_op, &histc_op, &isin_op, &combinations_op};
const OpList counting_ops = all;

}  // namespace gradus
