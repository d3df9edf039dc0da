// A = P L U, and determinants. The rule of the factors follows from L^-1 dA U^-1 = L^-1 dL + dU U^-1, whose parts are strictly lower
// and upper (the derivation is PyTorch's linalg_lu_backward, for square, wide and tall matrices).
#include <cmath>
#include <vector>

#include "ops/matrices.h"

namespace gradus {
namespace {

Sizes pivot_sizes(const Tensor& x) { return with(batch_of(x), {smaller_side(x)}); }

// ---- factors: (A, pivot, check_errors)
void factor_shape(const Args& a, Metas& out) {
  const Tensor& x = a.tensor(0);
  check_matrices(a, x);
  GRADUS_CHECK(a.flag(1), unsupported, "{}: without pivoting it is not there", name(a.op()));
  out.push_back(x.meta());
  out.push_back({Dtype::i32, pivot_sizes(x)});
  out.push_back({Dtype::i32, batch_of(x)});
}
void factor_into(const Args& a, const Tensor& factors, const Tensor& pivots, const Tensor& infos) {
  const Tensor columns = columns_of(a.tensor(0));
  kernels::lu(name(a.op()), stack_of(columns), pivots.data<int32_t>(), infos.data<int32_t>());
  put_columns(factors, columns);
}
void factor_kernel(const Args& a, const Tensors& out) {
  factor_into(a, out[0], out[1], out[2]);
  if (a.flag(2)) check_infos(a, out[2], "a pivot is 0");
}
Tensors factored(const Args& a, bool pivot) { return call_all(linalg_lu_factor_ex_op, {a[0], pivot, false}); }
void factor_samples(Samples& s) {
  s.add({s.regular({3, 3})});
  s.add({s.regular({2, 2, 4})});
  s.add({s.regular({4, 2})});
  s.add({s.values({2, 2}, {0, 2, 3, 1})});
  s.add({s.rand({0, 3})});
  s.add({s.rand({0, 2, 2})});
  s.error({s.rand({3})}, "at least 2 dimensions");
  s.error({s.rand({2, 2}), Value(false)}, "without pivoting");
}

// ---- pivots: (pivots, n, inverse)
void permutation_shape(const Args& a, Metas& out) {
  const Tensor& p = a.tensor(0);
  GRADUS_CHECK(p.dtype() == Dtype::i32 && p.ndim() > 0, dtype, "{}: pivots of {}, shape {}: they must be int32, with a dimension", name(a.op()),
               name(p.dtype()), text(p.sizes()));
  GRADUS_CHECK(p.size(-1) <= a.integer(1), shape, "{}: {} pivots for {} rows", name(a.op()), p.size(-1), a.integer(1));
  Sizes sizes(p.sizes());
  sizes.back() = a.integer(1);
  out.push_back({Dtype::i64, sizes});
}
void permutation_kernel(const Args& a, const Tensors& out) {
  const Tensor pivots = repeated(a.tensor(0), a.tensor(0).sizes());
  const int64_t k = pivots.size(-1), n = a.integer(1), count = n > 0 ? out[0].numel() / n : 0;
  Sizes rows(static_cast<size_t>(n));
  for (int64_t b = 0; b < count; ++b) {
    for (int64_t i = 0; i < n; ++i) rows[static_cast<size_t>(i)] = i;
    for (int64_t i = 0; i < k; ++i) {
      const int64_t with = pivots.data<int32_t>()[b * k + i] - 1;
      GRADUS_CHECK(with >= 0 && with < n, value, "{}: pivot {} is outside [1, {}]", name(a.op()), with + 1, n);
      std::swap(rows[static_cast<size_t>(i)], rows[static_cast<size_t>(with)]);
    }
    int64_t* to = out[0].data<int64_t>() + b * n;
    for (int64_t i = 0; i < n; ++i) {
      if (a.flag(2)) to[rows[static_cast<size_t>(i)]] = i;
      else to[i] = rows[static_cast<size_t>(i)];
    }
  }
}

// ---- P, L, U: (LU_data, LU_pivots, unpack_data, unpack_pivots)
Tensor unit_lower(const Tensor& lu) {
  const Tensor part = tril(narrow(lu, -1, 0, smaller_side(lu)), -1);
  return add(part, call(eye_op, {part.size(-2), part.size(-1), part.dtype()}));
}
Tensor upper_of(const Tensor& lu) { return triu(narrow(lu, -2, 0, smaller_side(lu))); }
Tensor permutation_matrix(const Tensor& lu, const Tensor& pivots) {
  const Tensor rows = call(lu_permutation_op, {pivots, lu.size(-2), false});
  return to(eq(wide(rows), tall(arange(0, lu.size(-2), 1, Dtype::i64))), lu.dtype());
}
void unpack(const Args& a, Tensors& out) {
  const Tensor &lu = a.tensor(0), &pivots = a.tensor(1);
  check_matrices(a, lu);
  GRADUS_CHECK(same(pivots.sizes(), pivot_sizes(lu)), shape, "{}: pivots of shape {} for factors of shape {}", name(a.op()), text(pivots.sizes()),
               text(lu.sizes()));
  const Tensor none = zeros(Sizes{0}, lu.dtype());
  out.push_back(a.flag(3) ? permutation_matrix(lu, pivots) : none);
  out.push_back(a.flag(2) ? unit_lower(lu) : none);
  out.push_back(a.flag(2) ? upper_of(lu) : none);
}

// ---- solving with factors
Tensor solved(const Args& a, const Tensor& lu, const Tensor& pivots, const Tensor& b, bool left, bool adjoint) {
  check_square(a, lu);
  check_matrices(a, b);
  GRADUS_CHECK(same(pivots.sizes(), lu.sizes().first(static_cast<size_t>(lu.ndim() - 1))), shape, "{}: pivots of shape {} for factors of shape {}",
               name(a.op()), text(pivots.sizes()), text(lu.sizes()));
  GRADUS_CHECK(b.size(left ? -2 : -1) == lu.size(-1), shape, "{}: factors of shape {} do not fit B of shape {}", name(a.op()), text(lu.sizes()), text(b.sizes()));
  if (!left) return mh(solved(a, lu, pivots, mh(b), true, !adjoint));
  if (!adjoint) return solve_triangular(lu, solve_triangular(lu, rows_permuted(b, pivots, false), false, true, true), true);
  return rows_permuted(solve_triangular(mh(lu), solve_triangular(mh(lu), b, false), true, true, true), pivots, true);
}
Value pivots(Samples& s, std::initializer_list<int64_t> sizes, std::initializer_list<double> v) { return s.values(sizes, v, Dtype::i32); }

// ---- determinants
// f(i, the diagonal, sign of P) for each matrix, in double precision: W is double or complex.
template <class W, class F> void each_diagonal(const Tensor& lu, const Tensor& pivots, F&& f) {
  const int64_t n = lu.size(-1), count = numel_of(batch_of(lu));
  std::vector<W> diagonal(static_cast<size_t>(n));
  for (int64_t b = 0; b < count; ++b) {
    bool odd = false;
    kernels::visit_matrices(lu.dtype(), [&]<class T>() {
      for (int64_t i = 0; i < n; ++i) diagonal[static_cast<size_t>(i)] = convert_any<W>(lu.data<T>()[(b * n + i) * n + i]);
    });
    for (int64_t i = 0; i < n; ++i) odd ^= pivots.data<int32_t>()[b * n + i] != i + 1;
    f(b, diagonal, W(odd ? -1.0 : 1.0));
  }
}
template <class W> void store(const Tensor& t, int64_t i, W v) {
  kernels::visit_matrices(t.dtype(), [&]<class T>() { t.data<T>()[i] = convert_any<T>(v); });
}
// z / |z|, 0 at 0
double direction(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }
Complex<double> direction(Complex<double> z) {
  const double size = abs(z);
  return size == 0 ? z : Complex<double>(z.re / size, z.im / size);
}
template <int results> void det_shape(const Args& a, Metas& out) {
  const Tensor& x = a.tensor(0);
  check_square(a, x);
  out.push_back({x.dtype(), batch_of(x)});
  if (results == 2) out.push_back({real_of(x.dtype()), batch_of(x)});
  out.push_back(x.meta());
  out.push_back({Dtype::i32, pivot_sizes(x)});
}
template <class F> void by_precision(const Tensor& x, F&& f) {
  if (is_complex(x.dtype())) f.template operator()<Complex<double>>();
  else f.template operator()<double>();
}
void det_kernel(const Args& a, const Tensors& out) {
  factor_into(a, out[1], out[2], empty(Dtype::i32, batch_of(a.tensor(0))));
  by_precision(out[0], [&]<class W>() {
    each_diagonal<W>(out[1], out[2], [&](int64_t b, const std::vector<W>& diagonal, W product) {
      for (W d : diagonal) product = product * d;
      store(out[0], b, product);
    });
  });
}
void slogdet_kernel(const Args& a, const Tensors& out) {
  factor_into(a, out[2], out[3], empty(Dtype::i32, batch_of(a.tensor(0))));
  by_precision(out[0], [&]<class W>() {
    each_diagonal<W>(out[2], out[3], [&](int64_t b, const std::vector<W>& diagonal, W sign) {
      using std::abs;
      double sum = 0;
      for (W d : diagonal) {
        sign = sign * direction(d);
        sum += std::log(abs(d));
      }
      store(out[0], b, sign);
      store(out[1], b, sum);
    });
  });
}

// factor * A^-H, of A or of its factors.
Tensor times_inverse(const Tensor& A, const Tensor& lu, const Tensor& pivots, const Tensor& factor) {
  const Tensor f = tall(tall(factor));
  if (context().grad_mode) return mul(f, mh(call_all(linalg_inv_ex_op, {A, false})[0]));
  return call(linalg_lu_solve_op, {lu, pivots, mul(f, identity_like(A)), true, true});
}
// The cofactors of any matrix U S V^H, conjugated, are conj(det(U) det(V^H)) U D V^H, where D_i is the product of the other singular values.
Tensor cofactors(const Tensor& A) {
  const Tensors svd = call_all(linalg_svd_data_op, {A, true, true});
  const Tensor here = to(identity_like(A), Dtype::boolean), others = call(prod_op, {where(here, 1.0, wide(svd[1])), -1});
  Tensor sign;
  {
    const GradMode on(context().grad_mode && is_complex(A.dtype()));      // of real matrices it is constant
    sign = conj(mul(call(linalg_det_op, {svd[0]}), call(linalg_det_op, {svd[2]})));
  }
  return mul(tall(tall(sign)), matmul(mul(svd[0], wide(others)), svd[2]));
}
// Where the inverse has no digits left, by the diagonal of U.
Tensor nearly_singular(const Tensor& lu) {
  const GradMode off(false);
  const int64_t last = -1;
  const Tensor size = abs(diagonal_of(lu)), smallest = call(amin_op, {size, SizesRef(&last, 1), false});
  const double eps = real_of(lu.dtype()) == Dtype::f32 ? 0x1p-23 : 0x1p-52;
  return le(smallest, mul(amax(size, {&last, 1}), 100 * eps * static_cast<double>(lu.size(-1))));
}
Tensor det_pull(const Call& c, const Tensor& g) {
  const Tensor &A = c.tensor(0), factor = mul(g, conj(c.output(0)));
  if (A.numel() == 0) return zeros_like(A);
  const Tensor singular_ones = nearly_singular(c.output(1));
  Tensor any;
  {
    const GradMode off(false);
    any = call(any_op, {singular_ones});
  }
  if (!any.data<bool>()[0]) return times_inverse(A, c.output(1), c.output(2), factor);
  // Each path gets matrices on which it is smooth in the place of the other's.
  const Tensor mask = tall(tall(singular_ones)), places = add(matrix_of(arange(0, A.size(-1), 1, real_of(A.dtype()))), identity_like(A));
  const Tensor regular = where(mask, places, A), singular = where(mask, A, places);
  const Tensor plain = mul(tall(tall(factor)), mh(call_all(linalg_inv_ex_op, {regular, false})[0]));
  return where(mask, mul(tall(tall(g)), cofactors(singular)), plain);
}
// With w = tr(A^-1 dA) the logarithm changes by Re w and the sign by i sign Im w: the gradient is this times A^-H. A real sign is constant.
Tensor slogdet_factor(const Call& c) {
  const Tensor size = is_zero_gradient(c.grad(1)) ? Tensor() : c.grad(1), &sign = c.output(0);
  if (!is_complex(sign.dtype()) || is_zero_gradient(c.grad(0))) return size;
  const Tensor turn = imag(mul(c.grad(0), conj(sign)));
  return call(complex_op, {size ? size : zeros_like(turn), turn});
}
// The gradient with that of the factors, which are results too.
void with_factors(const Call& c, Tensors& d, int lu, const Tensor& g) {
  d[0] = g;
  if (!is_zero_gradient(c.grad(lu))) {
    const Tensor of_factors = lu_gradient(c.output(lu), c.output(lu + 1), c.grad(lu));
    d[0] = g ? add(g, of_factors) : of_factors;
  }
}
void det_samples(Samples& s) {
  s.add({s.regular({3, 3})});
  s.add({s.regular({2, 2, 2})});
  s.add({s.values({2, 2}, {0, 2, 3, 1})});
  s.add({s.rand({1, 1})});
  s.add({s.rand({0, 0})});
  s.add({s.rand({0, 2, 2})});
  s.error({s.rand({2, 3})}, "must be square");
}
void singular_samples(Samples& s) {
  det_samples(s);
  s.add({s.values({3, 3}, {1, 2, 3, 2, 4, 6, 1, 0, 1})});
  s.add({s.values({2, 2, 2}, {1, 2, 2, 4, 2, 1, 1, 3})});
}
void slogdet(const Args& a, Tensors& out) {
  const Tensors all = call_all(linalg_slogdet_data_op, {a[0]});
  out = {all[0], all[1]};
}
void det(const Args& a, Tensors& out) { out.push_back(call_all(linalg_det_data_op, {a[0]})[0]); }

}  // namespace

Tensor lu_gradient(const Tensor& lu, const Tensor& pivots, const Tensor& g) {
  const int64_t m = lu.size(-2), n = lu.size(-1), k = smaller_side(lu);
  const Tensor L = unit_lower(lu), U = upper_of(lu), gL = tril(narrow(g, -1, 0, k), -1), gU = triu(narrow(g, -2, 0, k));
  const Tensor square = narrow(narrow(lu, -1, 0, k), -2, 0, k);
  Tensor lower = matmul(mh(narrow(L, -2, 0, k)), narrow(gL, -2, 0, k)), upper = matmul(narrow(gU, -1, 0, k), mh(narrow(U, -1, 0, k)));
  if (n > k) lower = sub(lower, matmul(narrow(gU, -1, k, n - k), mh(narrow(U, -1, k, n - k))));
  if (m > k) upper = sub(upper, matmul(mh(narrow(L, -2, k, m - k)), narrow(gL, -2, k, m - k)));
  const Tensor middle = add(tril(lower, -1), triu(upper));
  const auto left = [&](const Tensor& t) { return solve_triangular(mh(square), t, true, true, true); };      // L^-H t
  const auto right = [&](const Tensor& t) { return solve_triangular(mh(square), t, false, false); };         // t U^-H
  Tensor all;
  if (m > k) all = right(cat(Tensors{left(middle), narrow(gL, -2, k, m - k)}, -2));
  else if (n > k) all = left(cat(Tensors{right(middle), narrow(gU, -1, k, n - k)}, -1));
  else all = right(left(middle));
  return rows_permuted(all, pivots, true);
}

Op lu_permutation_op{
    .schema = "_lu_permutation(Tensor pivots, int n, bool inverse) -> Tensor",
    .doc = "Which row of n comes to each place by the exchanges in pivots; with inverse the place that each row goes to.",
    .shape = permutation_shape,
    .kernel = permutation_kernel,
    .samples = [](Samples& s) {
      s.add({pivots(s, {2, 2}, {3, 2, 1, 3}), Value(3), Value(false)});
      s.add({pivots(s, {3}, {2, 3, 3}), Value(4), Value(true)});
      s.error({pivots(s, {2}, {3, 0}), Value(3), Value(false)}, "pivot 0 is outside [1, 3]");
      s.error({pivots(s, {2}, {1, 2}), Value(1), Value(false)}, "2 pivots for 1 rows");
      s.error({s.integers({2}, 1, 2), Value(2), Value(false)}, "must be int32");
    },
};
Op linalg_lu_factor_ex_op{
    .schema = "linalg_lu_factor_ex(Tensor A, *, bool pivot=True, bool check_errors=False) -> (Tensor LU, Tensor pivots, Tensor info)",
    .doc = "The factors of A = P L U in one matrix: U, and below its diagonal L, whose diagonal is 1. Pivot i says which row was exchanged with row i, "
           "counted from 1; info is 0, or which pivot is 0.",
    .complex = true,
    .shape = factor_shape,
    .kernel = factor_kernel,
    .vjp = {[](const Call& c, const Tensor& g) { return lu_gradient(c.output(0), c.output(1), g); }},
    .save = output(0) | output(1),
    .samples = [](Samples& s) { factor_samples(s); s.error({s.values({2, 2}, {1, 2, 2, 4}), Value(true), Value(true)}, "a pivot is 0"); },
};
Op linalg_lu_factor_op{
    .schema = "linalg_lu_factor(Tensor A, *, bool pivot=True) -> (Tensor LU, Tensor pivots)",
    .doc = "linalg_lu_factor_ex; an error where a pivot is 0.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensors all = factored(a, a.flag(1));
      check_infos(a, all[2], "a pivot is 0");
      out = {all[0], all[1]};
    },
    .samples = factor_samples,
};
Op lu_with_info_op{
    .schema = "_lu_with_info(Tensor self, bool pivot=True, bool check_errors=True) -> (Tensor LU, Tensor pivots, Tensor info)",
    .doc = "linalg_lu_factor_ex under its old name.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      out = factored(a, a.flag(1));
      if (a.flag(2)) check_infos(a, out[2], "a pivot is 0");
    },
    .samples = factor_samples,
};
Op lu_unpack_op{
    .schema = "lu_unpack(Tensor LU_data, Tensor LU_pivots, bool unpack_data=True, bool unpack_pivots=True) -> (Tensor P, Tensor L, Tensor U)",
    .doc = "P, L and U of what linalg_lu_factor made; what is not asked for is empty.",
    .complex = true,
    .compose = unpack,
    .samples = [](Samples& s) {
      s.add({s.regular({3, 3}), pivots(s, {3}, {2, 3, 3})});
      s.add({s.regular({2, 2, 3}), pivots(s, {2, 2}, {1, 2, 2, 2}), Value(true), Value(false)});
      s.add({s.regular({3, 2}), pivots(s, {2}, {3, 2}), Value(false)});
      s.error({s.rand({3, 3}), pivots(s, {2}, {1, 2})}, "pivots of shape [2] for factors of shape [3, 3]");
      s.error({s.rand({2, 2}), pivots(s, {2}, {1, 7})}, "pivot 7 is outside [1, 2]");
    },
};
Op linalg_lu_op{
    .schema = "linalg_lu(Tensor A, *, bool pivot=True) -> (Tensor P, Tensor L, Tensor U)",
    .doc = "A = P L U with a permutation P, a lower L whose diagonal is 1, and an upper U.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensors f = factored(a, a.flag(1));
      out = call_all(lu_unpack_op, {f[0], f[1]});
    },
    .samples = factor_samples,
};
Op linalg_lu_solve_op{
    .schema = "linalg_lu_solve(Tensor LU, Tensor pivots, Tensor B, *, bool left=True, bool adjoint=False) -> Tensor",
    .doc = "X of A X = B, or of X A = B with left=False, from the factors of A, of which adjoint takes A^H.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(solved(a, a.tensor(0), a.tensor(1), a.tensor(2), a.flag(3), a.flag(4))); },
    .samples = [](Samples& s) {
      s.add({s.regular({3, 3}), pivots(s, {3}, {2, 3, 3}), s.rand({3, 2})});
      s.add({s.regular({2, 2, 2}), pivots(s, {2, 2}, {1, 2, 2, 2}), s.rand({2, 1}), Value(true), Value(true)});
      s.add({s.regular({3, 3}), pivots(s, {3}, {3, 2, 3}), s.rand({2, 2, 3}), Value(false)});
      s.error({s.regular({2, 2}), pivots(s, {2}, {1, 2}), s.rand({3, 1})}, "do not fit B");
      s.error({s.regular({2, 2}), pivots(s, {1}, {1}), s.rand({2, 1})}, "pivots of shape [1]");
    },
};
Op lu_solve_op{
    .schema = "lu_solve(Tensor self, Tensor LU_data, Tensor LU_pivots) -> Tensor",
    .doc = "linalg_lu_solve of self.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(solved(a, a.tensor(1), a.tensor(2), a.tensor(0), true, false)); },
    .samples = [](Samples& s) { s.add({s.rand({3, 2}), s.regular({3, 3}), pivots(s, {3}, {2, 3, 3})}); },
};
Op linalg_det_data_op{
    .schema = "_linalg_det(Tensor A) -> (Tensor result, Tensor LU, Tensor pivots)",
    .doc = "linalg_det, with the factors it comes from.",
    .complex = true,
    .shape = det_shape<1>,
    .kernel = det_kernel,
    .vjp_all = [](const Call& c, Tensors& d) { with_factors(c, d, 1, is_zero_gradient(c.grad(0)) ? Tensor() : det_pull(c, c.grad(0))); },
    .save = input(0) | output(0) | output(1) | output(2),
    .samples = det_samples,
};
Op linalg_det_op{
    .schema = "linalg_det(Tensor A) -> Tensor",
    .doc = "The determinants of matrices. The gradient of a singular one is its matrix of cofactors.",
    .complex = true,
    .compose = det,
    .samples = singular_samples,
};
Op det_op{.schema = "det(Tensor self) -> Tensor", .doc = "Another name of linalg_det.", .complex = true, .compose = det, .samples = det_samples};
Op linalg_slogdet_data_op{
    .schema = "_linalg_slogdet(Tensor A) -> (Tensor sign, Tensor logabsdet, Tensor LU, Tensor pivots)",
    .doc = "linalg_slogdet, with the factors it comes from.",
    .complex = true,
    .shape = det_shape<2>,
    .kernel = slogdet_kernel,
    .vjp_all = [](const Call& c, Tensors& d) {
      const Tensor factor = slogdet_factor(c);
      with_factors(c, d, 2, factor ? times_inverse(c.tensor(0), c.output(2), c.output(3), factor) : Tensor());
    },
    .save = input(0) | output(0) | output(2) | output(3),
    .samples = det_samples,
};
Op linalg_slogdet_op{
    .schema = "linalg_slogdet(Tensor A) -> (Tensor sign, Tensor logabsdet)",
    .doc = "The signs z / |z| of determinants, and the logarithms of their absolute values: 0 and -inf of a singular matrix, where there is no gradient.",
    .complex = true,
    .compose = slogdet,
    .samples = det_samples,
};
Op slogdet_op{.schema = "slogdet(Tensor self) -> (Tensor sign, Tensor logabsdet)", .doc = "Another name of linalg_slogdet.", .complex = true, .compose = slogdet, .samples = det_samples};
Op logdet_op{
    .schema = "logdet(Tensor self) -> Tensor",
    .doc = "The logarithms of determinants, NaN of negative ones of real matrices.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensors all = call_all(linalg_slogdet_data_op, {a[0]});
      if (is_complex(all[0].dtype())) return out.push_back(add(log(all[0]), all[1]));
      out.push_back(where(lt(all[0], 0), full({}, NAN, all[1].dtype()), all[1]));
    },
    .samples = [](Samples& s) { s.add({s.regular({3, 3})}); s.error({s.rand({2, 3})}, "must be square"); },
};

static Op* const all[] = {&lu_permutation_op, &linalg_lu_factor_ex_op, &linalg_lu_factor_op, &lu_with_info_op, &lu_unpack_op, &linalg_lu_op, &linalg_lu_solve_op,
                          &lu_solve_op, &linalg_det_data_op, &linalg_det_op, &det_op, &linalg_slogdet_data_op, &linalg_slogdet_op, &slogdet_op, &logdet_op};
const OpList lu_ops = all;

}  // namespace gradus
