// Norms of matrices, and what is read off singular values: rank, condition, pseudo-inverse. The rule of the latter is that of Golub and
// Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares problems" (1973), where the rank stays as it is.
#include <cmath>
#include <limits>

#include "ops/matrices.h"

namespace gradus {
namespace {

// ---- tolerances: numbers or tensors of one per matrix; PyTorch's defaults
double machine_epsilon(Dtype t) { return real_of(t) == Dtype::f32 ? std::numeric_limits<float>::epsilon() : std::numeric_limits<double>::epsilon(); }
Tensor number_or_tensor(const Args& a, int position, double otherwise, Dtype dtype) {
  if (!a.has(position)) return full({}, otherwise, dtype);
  if (a[position].is_number()) return full({}, a.number(position), dtype);
  GRADUS_CHECK(!is_complex(a.tensor(position).dtype()), dtype, "{}: a complex tolerance", name(a.op()));
  return a.tensor(position);
}
struct Tolerances { Tensor atol, rtol; };
Tolerances tolerances(const Args& a, const Tensor& x, int atol_at, int rtol_at) {   // rtol is only assumed where there is no atol
  const Tensor atol = number_or_tensor(a, atol_at, 0, real_of(x.dtype()));
  const double usual = machine_epsilon(x.dtype()) * static_cast<double>(std::max(x.size(-2), x.size(-1)));
  Tensor rtol = number_or_tensor(a, rtol_at, usual, real_of(x.dtype()));
  if (a.has(atol_at) && !a.has(rtol_at)) rtol = where(gt(atol, 0), full({}, 0, real_of(x.dtype())), rtol);
  return {atol, rtol};
}
// Which values are above atol and rtol times the largest.
Tensor kept(const Tensor& values, const Tolerances& t) {
  const int64_t last = -1;
  const Tensor largest = values.size(-1) > 0 ? amax(values, {&last, 1}) : zeros(values.sizes().first(static_cast<size_t>(values.ndim() - 1)), values.dtype());
  return gt(values, tall(maximum(t.atol, mul(t.rtol, largest))));
}
Tensor sizes_of_values(const Tensor& x, bool hermitian) {
  return hermitian ? abs(call(linalg_eigvalsh_op, {x})) : call(linalg_svdvals_op, {x});
}

const Tensor& matrices_of(const Args& a) {                    // where a number may stand for the other tensors
  GRADUS_CHECK(!a[0].is_number(), argument, "{}: self is a number", name(a.op()));
  return a.tensor(0);
}

// ---- rank: (self, atol, rtol, hermitian)
void rank(const Args& a, Tensors& out) {
  const Tensor& x = matrices_of(a);
  if (a.flag(3)) check_square(a, x);
  else check_matrices(a, x);
  const GradMode off(false);
  const Tensor above = kept(sizes_of_values(x, a.flag(3)), tolerances(a, x, 1, 2));
  const int64_t last = -1;
  out.push_back(sum(above, {&last, 1}));
}
void rank_samples(Samples& s) {
  s.add({s.regular({3, 3})});
  s.add({s.values({2, 3, 3}, {1, 2, 3, 2, 4, 6, 1, 0, 1, 0, 0, 0, 0, 5, 0, 0, 0, 0})});
  s.add({s.regular({2, 3}), Value(2.5)});
  s.add({s.regular({2, 2, 2}), s.values({2}, {0, 3}), Value(0.1)});
  s.add({s.regular({2, 2}, true), Value(std::nullopt), Value(0.9), Value(true)});
  s.error({s.rand({3})}, "at least 2 dimensions");
  s.error({s.rand({2, 3}), Value(std::nullopt), Value(std::nullopt), Value(true)}, "must be square");
  s.error({Value(2)}, "self is a number");
}

// ---- pseudo-inverse: (self, atol, rtol, hermitian)
void pinv_shape(const Args& a, Metas& out) {
  const Tensor& x = a.tensor(0);
  check_matrices(a, x);
  for (int i : {1, 2}) GRADUS_CHECK(!is_complex(a.tensor(i).dtype()), dtype, "{}: a complex tolerance", name(a.op()));
  out.push_back({x.dtype(), with(batch_of(x), {x.size(-1), x.size(-2)})});
}
void pinv_kernel(const Args& a, const Tensors& out) {
  const GradMode off(false);
  const Tensor& x = a.tensor(0);
  if (x.numel() == 0) return kernels::fill(view_of(out[0]), 0);
  Tensor u, s, v;
  if (a.flag(3)) {
    const Tensors all = call_all(linalg_eigh_op, {x});
    s = all[0], u = v = all[1];
  } else {
    const Tensors all = call_all(linalg_svd_op, {x, false});
    u = all[0], s = all[1], v = mh(all[2]);
  }
  const Tensor mask = kept(abs(s), {a.tensor(1), a.tensor(2)}), inverse = where(mask, reciprocal(where(mask, s, 1.0)), 0.0);
  const Tensor result = matmul(mul(v, wide(inverse)), mh(u));
  kernels::copy(view_of(out[0]), view_of(result));
}
// gA = -P^H G P^H + (I - A P) G^H P P^H + P^H P G^H (I - P A)
Tensor pinv_pull(const Call& c, const Tensor& g) {
  const Tensor &A = c.tensor(0), &P = c.output(), Pt = mh(P), gt = mh(g);
  const Tensor direct = neg(matmul(Pt, matmul(g, Pt)));
  const Tensor rows = matmul(matmul(gt, P), Pt), cols = matmul(Pt, matmul(P, gt));
  const Tensor outside_rows = sub(rows, matmul(A, matmul(P, rows))), outside_cols = sub(cols, matmul(matmul(cols, P), A));
  return add(direct, add(outside_rows, outside_cols));
}
Tensor pseudo_inverse(const Args& a, int atol_at, int rtol_at, bool hermitian) {
  const Tensor& x = matrices_of(a);
  if (hermitian) check_square(a, x);
  else check_matrices(a, x);
  const Tolerances t = tolerances(a, x, atol_at, rtol_at);
  return call(pinv_data_op, {x, t.atol, t.rtol, hermitian});
}
void pinv_samples(Samples& s) {
  s.add({s.regular({3, 3})});
  s.add({s.regular({2, 4, 2})});
  s.add({s.regular({2, 3})});
  s.add({s.rand({0, 3})});
  s.error({s.rand({3})}, "at least 2 dimensions");
}

// ---- norms of matrices: (self, ord, dim, keepdim, dtype)
struct MatrixDims {
  int64_t rows, cols;
  MatrixDims(const Args& a, SizesRef dim, int64_t ndim) {
    GRADUS_CHECK(dim.size() == 2, value, "{}: {} dims, 2 are wanted", name(a.op()), dim.size());
    GRADUS_CHECK(ndim >= 2, shape, "{}: matrices must have at least 2 dimensions, not {}", name(a.op()), ndim);
    rows = wrap_dim(dim[0], ndim, name(a.op()));
    cols = wrap_dim(dim[1], ndim, name(a.op()));
    GRADUS_CHECK(rows != cols, value, "{}: dim {} appears twice in {}", name(a.op()), dim[0], text(dim));
  }
};
// Largest or smallest sum of absolute values along `along`.
Tensor sums_norm(const Tensor& x, int64_t along, int64_t other, bool largest, bool keepdim) {
  const Tensor sums = sum(abs(x), {&along, 1}, true), best = call(largest ? amax_op : amin_op, {sums, SizesRef(&other, 1), true});
  return keepdim ? best : squeeze(squeeze(best, std::max(along, other)), std::min(along, other));
}
Tensor by_values(const Tensor& x, const MatrixDims& d, bool keepdim, Tensor (*reduce)(const Tensor&)) {
  Tensor y = reduce(call(linalg_svdvals_op, {movedim(x, Sizes{d.rows, d.cols}, Sizes{-2, -1})}));
  for (int64_t dim : {std::min(d.rows, d.cols), std::max(d.rows, d.cols)})
    if (keepdim) y = unsqueeze(y, dim);
  return y;
}
constexpr int64_t kLast = -1;
Tensor largest_of(const Tensor& s) { return amax(s, {&kLast, 1}); }
Tensor smallest_of(const Tensor& s) { return call(amin_op, {s, SizesRef(&kLast, 1), false}); }
Tensor sum_of(const Tensor& s) { return sum(s, {&kLast, 1}); }

Tensor matrix_norm(const Args& a, const Tensor& self, double order, const MatrixDims& d, bool keepdim) {
  const double size = std::abs(order);
  GRADUS_CHECK(size == 1 || size == 2 || std::isinf(order), value, "{}: order {} is none of 1, -1, 2, -2, inf, -inf", name(a.op()), order);
  if (size == 2) return by_values(self, d, keepdim, order > 0 ? largest_of : smallest_of);
  return size == 1 ? sums_norm(self, d.rows, d.cols, order > 0, keepdim) : sums_norm(self, d.cols, d.rows, order > 0, keepdim);
}
Tensor named_norm(const Args& a, const Tensor& self, std::string_view order, const MatrixDims& d, bool keepdim) {
  GRADUS_CHECK(order == "fro" || order == "nuc", value, "{}: order must be 'fro', 'nuc' or a number, not '{}'", name(a.op()), order);
  if (order == "fro") return call(linalg_vector_norm_op, {self, 2, Sizes{d.rows, d.cols}, keepdim});
  return by_values(self, d, keepdim, sum_of);
}
Tensor typed(const Args& a, int position) {
  const Tensor& x = a.tensor(0);
  GRADUS_CHECK(is_floating(x.dtype()) || is_complex(x.dtype()), dtype, "{}: not defined for {}", name(a.op()), name(x.dtype()));
  return a.has(position) ? to(x, a.dtype(position, x.dtype())) : x;
}
// linalg_norm: of vectors, or of matrices where there are two dims
bool is_matrix_norm(const Args& a, const Tensor& x) {
  if (a.has(2)) return a.integers(2).size() == 2;
  GRADUS_CHECK(x.ndim() == 1 || x.ndim() == 2, shape, "{}: without dim an order is for 1 or 2 dimensions, not shape {}", name(a.op()), text(x.sizes()));
  return x.ndim() == 2;
}
MatrixDims norm_dims(const Args& a, const Tensor& x) {
  const int64_t usual[] = {0, 1};
  return {a, a.has(2) ? a.integers(2) : SizesRef(usual), x.ndim()};
}
void any_norm(const Args& a, Tensors& out) {
  const Tensor& x = a.tensor(0);
  if (a.has(1) && is_matrix_norm(a, x)) return out.push_back(matrix_norm(a, typed(a, 4), a.real(1), norm_dims(a, x), a.flag(3)));
  out.push_back(call(linalg_vector_norm_op, {a[0], a.has(1) ? a[1] : Value(2), a[2], a[3], a[4]}));
}

// ---- condition: (self, p)
Tensor norm_of(const Args& a, const Tensor& x) {
  const MatrixDims d(a, Sizes{-2, -1}, x.ndim());
  return a[1].is_number() ? matrix_norm(a, x, a.real(1), d, false) : named_norm(a, x, a.text(1), d, false);
}
void condition(const Args& a, Tensors& out) {
  const Tensor& x = a.tensor(0);
  check_matrices(a, x);
  if (!a.has(1) || (a[1].is_number() && std::abs(a.real(1)) == 2)) {
    const Tensor s = call(linalg_svdvals_op, {x});
    GRADUS_CHECK(s.size(-1) > 0, shape, "{}: shape {} has no singular values", name(a.op()), text(x.sizes()));
    const Tensor first = select(s, -1, 0), last = select(s, -1, s.size(-1) - 1);
    return out.push_back(a.has(1) && a.real(1) < 0 ? div(last, first) : div(first, last));
  }
  check_square(a, x);
  const Tensors inverse = call_all(linalg_inv_ex_op, {x, false});
  const int32_t* infos = inverse[1].data<int32_t>();
  if (std::all_of(infos, infos + inverse[1].numel(), [](int32_t i) { return i == 0; })) return out.push_back(mul(norm_of(a, x), norm_of(a, inverse[0])));
  const Tensor singular = ne(inverse[1], 0), there = where(tall(tall(singular)), identity_like(x), x);
  out.push_back(where(singular, full({}, HUGE_VAL, real_of(x.dtype())), mul(norm_of(a, there), norm_of(a, call(linalg_inv_op, {there})))));
}
void condition_samples(Samples& s) {
  s.add({s.regular({3, 3}), Value(1)});
  s.add({s.regular({2, 2, 2}), Value(-HUGE_VAL)});
  s.error({s.rand({2, 3}), Value(1)}, "must be square");
}

}  // namespace

Op linalg_matrix_rank_op{
    .schema = "linalg_matrix_rank(Tensor self, *, Tensor? atol=None, Tensor? rtol=None, bool hermitian=False) -> Tensor",
    .doc = "How many singular values, or with hermitian sizes of eigenvalues, are above atol and rtol times the largest; rtol is the precision of the dtype times "
           "the larger side where neither is given.",
    .serves = "linalg_matrix_rank.atol_rtol_float linalg_matrix_rank.atol_rtol_tensor",
    .complex = true,
    .takes_numbers = true,
    .compose = rank,
    .samples = rank_samples,
};
Op pinv_data_op{
    .schema = "_linalg_pinv(Tensor self, Tensor atol, Tensor rtol, bool hermitian=False) -> Tensor",
    .doc = "linalg_pinv with both tolerances.",
    .complex = true,
    .shape = pinv_shape,
    .kernel = pinv_kernel,
    .vjp = {pinv_pull},
    .save = input(0) | output(),
    .samples = [](Samples& s) {
      s.add({s.regular({3, 2}), s.values({}, {0}), s.values({}, {0.1})});
      s.add({s.regular({2, 2, 2}, true), s.values({2}, {0.1, 0.2}), s.values({2}, {0.1, 0.3}), Value(true)});
      s.error({s.rand({3}), s.values({}, {0}), s.values({}, {0})}, "at least 2 dimensions");
    },
};
Op linalg_pinv_op{
    .schema = "linalg_pinv(Tensor self, *, Tensor? atol=None, Tensor? rtol=None, bool hermitian=False) -> Tensor",
    .doc = "The pseudo-inverses of matrices, in which singular values count as 0 as in linalg_matrix_rank. The gradient is that at a constant rank.",
    .serves = "linalg_pinv.atol_rtol_float linalg_pinv.atol_rtol_tensor",
    .complex = true,
    .takes_numbers = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(pseudo_inverse(a, 1, 2, a.flag(3))); },
    .samples = [](Samples& s) {
      pinv_samples(s);
      s.add({s.values({3, 3}, {1, 2, 3, 2, 4, 6, 1, 0, 1}), Value(0.5)});
      s.add({s.regular({2, 2}, true), Value(0.1), Value(0.1), Value(true)});
      s.error({s.rand({2, 3}), Value(std::nullopt), Value(std::nullopt), Value(true)}, "must be square");
    },
};
Op pinverse_op{
    .schema = "pinverse(Tensor self, float rcond=1e-15) -> Tensor",
    .doc = "linalg_pinv with rtol=rcond.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Value v[] = {a[0], Value(std::nullopt), a[1]};
      out.push_back(pseudo_inverse(Args(a.op(), v), 1, 2, false));
    },
    .samples = pinv_samples,
};
Op linalg_matrix_norm_op{
    .schema = "linalg_matrix_norm(Tensor self, Scalar ord, int[] dim=[-2, -1], bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    .doc = "Norms of the matrices in two dims: for 1 and inf the largest sum of |x| in a column or a row, for 2 the largest singular value; negative orders take "
           "the smallest.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const MatrixDims d(a, a.integers(2), a.tensor(0).ndim());
      out.push_back(matrix_norm(a, typed(a, 4), a.real(1), d, a.flag(3)));
    },
    .samples = [](Samples& s) {
      s.add({s.regular({2, 3}), Value(1)});
      s.add({s.rand({2, 3, 2}), Value(-HUGE_VAL), s.list({0, 2}), Value(true)});
      s.add({s.regular({2, 3, 3}), Value(2)});
      s.add({s.regular({3, 2}), Value(-2), s.list({1, 0}), Value(true)});
      s.error({s.rand({2, 2}), Value(3)}, "order 3 is none of");
      s.error({s.rand({3}), Value(1)}, "at least 2 dimensions");
      s.error({s.rand({2, 2}), Value(1), s.list({0, 0})}, "appears twice");
    },
};
Op linalg_matrix_norm_named_op{
    .schema = "linalg_matrix_norm_named(Tensor self, str ord='fro', int[] dim=[-2, -1], bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    .doc = "Norms of the matrices in two dims: the root of the sum of squares for 'fro', the sum of the singular values for 'nuc'.",
    .serves = "linalg_matrix_norm.str_ord",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const MatrixDims d(a, a.integers(2), a.tensor(0).ndim());
      out.push_back(named_norm(a, typed(a, 4), a.text(1), d, a.flag(3)));
    },
    .samples = [](Samples& s) {
      s.add({s.regular({2, 3})});
      s.add({s.regular({2, 3, 3}), s.text("nuc"), s.list({-2, -1}), Value(true)});
      s.error({s.rand({2, 2}), s.text("max")}, "not 'max'");
    },
};
Op linalg_norm_op{
    .schema = "linalg_norm(Tensor self, Scalar? ord=None, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    .doc = "linalg_matrix_norm where there is an order and two dims, else linalg_vector_norm.",
    .serves = "linalg_norm",
    .complex = true,
    .compose = any_norm,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3, 2})});
      s.add({s.regular({2, 3}), Value(1)});
      s.add({s.rand({3}), Value(3)});
      s.add({s.rand({2, 3, 2}), Value(HUGE_VAL), s.list({2, 0}), Value(true)});
      s.error({s.rand({2, 2, 2}), Value(2)}, "without dim");
    },
};
Op linalg_norm_named_op{
    .schema = "linalg_norm_named(Tensor self, str ord, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    .doc = "linalg_matrix_norm_named, of a matrix or of those in two dims.",
    .serves = "linalg_norm.ord_str",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensor& x = a.tensor(0);
      GRADUS_CHECK(a.has(2) || x.ndim() == 2, shape, "linalg_norm: without dim order '{}' is for 2 dimensions, not shape {}", a.text(1), text(x.sizes()));
      const MatrixDims d = norm_dims(a, x);
      out.push_back(named_norm(a, typed(a, 4), a.text(1), d, a.flag(3)));
    },
    .samples = [](Samples& s) {
      s.add({s.regular({2, 3}), s.text("nuc")});
      s.add({s.rand({2, 3, 2}), s.text("fro"), s.list({2, 0})});
      s.error({s.rand({3}), s.text("fro")}, "for 2 dimensions");
    },
};
Op linalg_cond_op{
    .schema = "linalg_cond(Tensor self, Scalar? p=None) -> Tensor",
    .doc = "The norm of order p of a matrix times that of its inverse, inf of a singular one; for 2, -2 and none the ratio of extreme singular values.",
    .complex = true,
    .compose = condition,
    .samples = [](Samples& s) {
      condition_samples(s);
      s.add({s.regular({2, 3, 2})});
      s.add({s.regular({3, 3}), Value(-2)});
    },
};
Op linalg_cond_named_op{
    .schema = "linalg_cond_named(Tensor self, str p) -> Tensor",
    .doc = "linalg_cond with the norm 'fro' or 'nuc'.",
    .serves = "linalg_cond.p_str",
    .complex = true,
    .compose = condition,
    .samples = [](Samples& s) { s.add({s.regular({3, 3}), s.text("fro")}); s.add({s.regular({2, 2}), s.text("nuc")}); s.error({s.rand({2, 3}), s.text("fro")}, "must be square"); },
};

static Op* const all[] = {&linalg_matrix_rank_op, &pinv_data_op, &linalg_pinv_op, &pinverse_op, &linalg_matrix_norm_op, &linalg_matrix_norm_named_op,
                          &linalg_norm_op, &linalg_norm_named_op, &linalg_cond_op, &linalg_cond_named_op};
const OpList matrix_norm_ops = all;

}  // namespace gradus
