// Determinants and their logarithms, by the factors of A = P L U. The gradient of det A is conj(det A) A^-H, the conjugated cofactors,
// which a singular matrix has too.
#include <cmath>
#include <vector>

#include "ops/matrices.h"

namespace gradus {
namespace {

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
  lu_into(a, out[1], out[2], empty(Dtype::i32, batch_of(a.tensor(0))));
  by_precision(out[0], [&]<class W>() {
    each_diagonal<W>(out[1], out[2], [&](int64_t b, const std::vector<W>& diagonal, W product) {
      for (W d : diagonal) product = product * d;
      store(out[0], b, product);
    });
  });
}
void slogdet_kernel(const Args& a, const Tensors& out) {
  lu_into(a, out[2], out[3], empty(Dtype::i32, batch_of(a.tensor(0))));
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
Tensor cofactors_by_values(const Tensor& A) {
  const Tensors svd = call_all(linalg_svd_data_op, {A, true, true});
  const Tensor here = to(identity_like(A), Dtype::boolean), others = call(prod_op, {where(here, 1.0, wide(svd[1])), -1});
  Tensor sign;                                                // of real matrices constant; that of complex ones is nobody's derivative
  {
    const GradMode off(false);
    sign = conj(mul(call(linalg_det_op, {svd[0]}), call(linalg_det_op, {svd[2]})));
  }
  return mul(tall(tall(sign)), matmul(mul(svd[0], wide(others)), svd[2]));
}
double machine_epsilon(Dtype t) { return real_of(t) == Dtype::f32 ? 0x1p-23 : 0x1p-52; }
// They are polynomials of degree n - 1 in t along A + t U V^H: their mean over n points of a circle around 0 is their value at 0. On a
// circle that is small against the values that count, no matrix is singular, and all derivatives are those of the inverse.
Tensor cofactors_by_mean(const Tensor& A) {
  const int64_t n = A.size(-1), first = 0, last = -1;
  Tensor shifts;                                              // [n, batch, n, n]
  {
    const GradMode off(false);
    const Tensors svd = call_all(linalg_svd_data_op, {A, true, true});
    const Tensor &s = svd[1], counts = gt(s, mul(narrow(s, -1, 0, 1), 1000 * machine_epsilon(A.dtype()) * static_cast<double>(n)));
    const Tensor smallest = call(amin_op, {where(counts, s, HUGE_VAL), SizesRef(&last, 1), false});
    const Tensor radius = where(call(isinf_op, {smallest}), 1.0, mul(smallest, 0.125));
    const Tensor angles = mul(arange(0, n, 1, s.dtype()), 2 * std::acos(-1.0) / static_cast<double>(n));
    Sizes leading(static_cast<size_t>(A.ndim() + 1), 1);
    leading[0] = n;
    shifts = mul(reshape(call(polar_op, {ones_like(angles), angles}), leading), mul(tall(tall(radius)), matmul(svd[0], svd[2])));
  }
  const Tensor near = add(A, shifts), all = mul(tall(tall(conj(call(linalg_det_op, {near})))), mh(call_all(linalg_inv_ex_op, {near, false})[0]));
  return div(sum(all, {&first, 1}), n);
}
Tensor cofactors(const Tensor& A) { return is_complex(A.dtype()) && context().grad_mode ? cofactors_by_mean(A) : cofactors_by_values(A); }
// Where the inverse has no digits left, by the diagonal of U.
Tensor nearly_singular(const Tensor& lu) {
  const GradMode off(false);
  const int64_t last = -1;
  const Tensor size = abs(diagonal_of(lu)), smallest = call(amin_op, {size, SizesRef(&last, 1), false});
  return le(smallest, mul(amax(size, {&last, 1}), 100 * machine_epsilon(lu.dtype()) * static_cast<double>(lu.size(-1))));
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
    .doc = "The signs z / |z| of determinants, and the logarithms of their absolute values: 0 and -inf of a singular matrix, "
           "where there is no gradient.",
    .complex = true,
    .compose = slogdet,
    .samples = det_samples,
};
Op slogdet_op{
    .schema = "slogdet(Tensor self) -> (Tensor sign, Tensor logabsdet)",
    .doc = "Another name of linalg_slogdet.",
    .complex = true,
    .compose = slogdet,
    .samples = det_samples,
};
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

static Op* const all[] = {&linalg_det_data_op, &linalg_det_op, &det_op, &linalg_slogdet_data_op, &linalg_slogdet_op, &slogdet_op, &logdet_op};
const OpList determinant_ops = all;

}  // namespace gradus
