// Singular values and eigenvalues of Hermitian matrices. The rules are Townsend's, "Differentiating the singular value decomposition"
// (2016), and Giles', "An extended collection of matrix derivative results" (2008). The vectors have a gradient where the values
// differ; equal ones divide 0 by 0. A gradient of the values alone has no such quotient.
// Complex vectors may have any factors of size 1: a loss that depends on them is refused.
#include <cmath>

#include "ops/matrices.h"

namespace gradus {
namespace {

Tensor skew(const Tensor& t) { return sub(t, mh(t)); }
// Values as columns against values as rows, and 1 on the diagonal.
Tensor off_diagonal(const Tensor& t, const Tensor& s) { return add(t, identity_like(s)); }

// ---- singular values: (A, full_matrices, compute_uv, driver)
void svd_shape(const Args& a, Metas& out) {
  const Tensor& x = a.tensor(0);
  check_matrices(a, x);
  GRADUS_CHECK(!a.has(3), value, "{}: 'driver' chooses among those of other devices", name(a.op()));
  const int64_t m = x.size(-2), n = x.size(-1), k = smaller_side(x);
  const bool all = a.flag(1), vectors = a.flag(2);
  out.push_back({x.dtype(), vectors ? with(batch_of(x), {m, all ? m : k}) : Sizes{0}});
  out.push_back({real_of(x.dtype()), with(batch_of(x), {k})});
  out.push_back({x.dtype(), vectors ? with(batch_of(x), {all ? n : k, n}) : Sizes{0}});
}
void set_identities(const Tensor& t) { kernels::copy(view_of(t), view_of(call(eye_op, {t.size(-2), t.size(-1), t.dtype()}))); }
void svd_kernel(const Args& a, const Tensors& out) {
  const Tensor& x = a.tensor(0);
  const bool vectors = a.flag(2);
  check_finite(a, x);
  if (vectors && smaller_side(x) == 0) {                      // any orthonormal vectors do
    set_identities(out[0]);
    return set_identities(out[2]);
  }
  const Tensor columns = columns_of(x), infos = empty(Dtype::i32, batch_of(x));
  const auto turned_like = [&](const Tensor& t) { return empty(t.dtype(), vectors ? with(batch_of(t), {t.size(-1), t.size(-2)}) : Sizes{0, 0}); };
  const Tensor u = turned_like(out[0]), vh = turned_like(out[2]);
  kernels::svd(name(a.op()), stack_of(columns), out[1].impl()->data(), stack_of(u), stack_of(vh), vectors, infos.data<int32_t>());
  check_infos(a, infos, "the singular values did not converge");
  if (!vectors) return;
  put_columns(out[0], u);
  put_columns(out[2], vh);
}
// gA = U (diag(gS) + (skew(U^H gU) / E) S + S (skew(V^H gV) / E)) V^H, E_ij = s_j^2 - s_i^2, and parts outside of U and V. Complex vectors
// turn against each other too: that adds the diagonal of skew(U^H gU) / (2 S), which is imaginary.
Tensor svd_pull(const Call& c, const Tensor& gradient_of_u) {
  GRADUS_CHECK(c.flag(2), unsupported, "_linalg_svd: no gradient without the vectors");
  const Tensor& s = c.output(1);
  const int64_t k = s.size(-1), m = c.sizes()[c.sizes().size() - 2], n = c.sizes().back();
  const Tensor u = narrow(c.output(0), -1, 0, k), vh = narrow(c.output(2), -2, 0, k);
  const bool no_u = is_zero_gradient(gradient_of_u), no_v = is_zero_gradient(c.grad(2));
  if (no_u && no_v) return matmul(mul(u, wide(c.grad(1))), vh);
  const Tensor gu = narrow(gradient_of_u, -1, 0, k), gvh = narrow(c.grad(2), -2, 0, k);
  const Tensor E = off_diagonal(mul(sub(wide(s), tall(s)), add(wide(s), tall(s))), s);
  Tensor middle = matrix_of(c.grad(1)), skew_u, skew_v;
  if (!no_u) middle = add(middle, mul(div(skew_u = skew(matmul(mh(u), gu)), E), wide(s)));
  if (!no_v) middle = add(middle, mul(tall(s), div(skew_v = skew(matmul(vh, mh(gvh))), E)));
  if (is_complex(u.dtype())) {
    const Tensor turns = no_u ? skew_v : no_v ? skew_u : add(skew_u, skew_v);
    check_turns(c, imag(diagonal_of(turns)), no_u ? mh(gvh) : gu);
    if (!no_u && !no_v) middle = add(middle, matrix_of(div(diagonal_of(skew_u), mul(s, 2.0))));
  }
  Tensor g = matmul(u, middle);
  if (!no_u && m > k) g = add(g, sub(div(gu, wide(s)), matmul(u, matmul(mh(u), div(gu, wide(s))))));
  g = matmul(g, vh);
  if (no_v || n == k) return g;
  const Tensor right = div(gvh, tall(s));
  return add(g, matmul(u, sub(right, matmul(matmul(right, mh(vh)), vh))));
}
Tensors svd_of(const Args& a, bool full) { return call_all(linalg_svd_data_op, {a[0], full, true}); }
Tensor values_of(const Args& a) { return call_all(linalg_svd_data_op, {a[0], false, will_differentiate(a)})[1]; }
void no_driver(const Args& a, int position) { GRADUS_CHECK(!a.has(position), value, "{}: 'driver' chooses among those of other devices", name(a.op())); }
void svd_samples(Samples& s) {
  s.add({s.regular({3, 3})});
  s.add({s.regular({2, 4, 2}), Value(false)});
  s.add({s.regular({2, 3}), Value(false)});
  s.add({s.rand({0, 3}), Value(false)});
  s.error({s.rand({3})}, "at least 2 dimensions");
  s.error({s.values({1, 2}, {1, NAN})}, "infinite or not a number");
}

// ---- eigenvalues: (self, UPLO, compute_v)
bool upper_given(const Args& a) {
  const std::string_view u = a.text(1);
  GRADUS_CHECK(u == "L" || u == "U" || u == "l" || u == "u", value, "{}: UPLO must be L or U, not '{}'", name(a.op()), u);
  return u == "U" || u == "u";
}
void eigh_shape(const Args& a, Metas& out) {
  const Tensor& x = a.tensor(0);
  check_square(a, x);
  upper_given(a);
  out.push_back({real_of(x.dtype()), Sizes(x.sizes().first(static_cast<size_t>(x.ndim() - 1)))});
  out.push_back({x.dtype(), a.flag(2) ? Sizes(x.sizes()) : Sizes{0}});
}
void eigh_kernel(const Args& a, const Tensors& out) {
  const Tensor& x = a.tensor(0);
  const bool upper = upper_given(a);
  {
    const GradMode off(false);
    check_finite(a, upper ? triu(x) : tril(x));
  }
  const Tensor columns = columns_of(x), infos = empty(Dtype::i32, batch_of(x));
  kernels::eigh(name(a.op()), stack_of(columns), out[0].impl()->data(), upper, a.flag(2), infos.data<int32_t>());
  check_infos(a, infos, "the eigenvalues did not converge");
  if (a.flag(2)) put_columns(out[1], columns);
}
// gA = V (diag(gw) + (V^H gV) / E) V^H, E_ij = w_j - w_i, with the skew part of V^H gV alone: V stays unitary.
Tensor eigh_pull(const Call& c, const Tensor& g) {
  GRADUS_CHECK(c.flag(2), unsupported, "_linalg_eigh: no gradient without the vectors");
  const Tensor &w = c.output(0), &v = c.output(1);
  if (is_zero_gradient(c.grad(1))) return matmul(mul(v, wide(g)), mh(v));
  const Tensor turns = skew(matmul(mh(v), c.grad(1)));
  if (is_complex(v.dtype())) check_turns(c, imag(diagonal_of(turns)), c.grad(1));
  const Tensor quotient = div(mul(turns, 0.5), off_diagonal(sub(wide(w), tall(w)), w));
  return matmul(v, matmul(add(matrix_of(g), quotient), mh(v)));
}
void eigh_samples(Samples& s) {
  s.add({s.regular({3, 3}, true)});
  s.add({s.regular({2, 2, 2}, true), s.text("U")});
  s.add({s.rand({0, 0})});
  s.error({s.rand({2, 3})}, "must be square");
  s.error({s.rand({2, 2}), s.text("X")}, "not 'X'");
  s.error({s.values({2, 2}, {1, 0, NAN, 1})}, "infinite or not a number");
}

}  // namespace

Op linalg_svd_data_op{
    .schema = "_linalg_svd(Tensor A, bool full_matrices=False, bool compute_uv=True, *, str? driver=None) -> (Tensor U, Tensor S, Tensor Vh)",
    .doc = "linalg_svd; U and Vh are empty with compute_uv=False.",
    .complex = true,
    .shape = svd_shape,
    .kernel = svd_kernel,
    .vjp = {svd_pull},
    .save = output(0) | output(1) | output(2),
    .samples = [](Samples& s) { svd_samples(s); s.error({s.rand({2, 2}), Value(true), Value(true), s.text("gesvd")}, "'driver'"); },
};
Op linalg_svd_op{
    .schema = "linalg_svd(Tensor A, bool full_matrices=True, *, str? driver=None) -> (Tensor U, Tensor S, Tensor Vh)",
    .doc = "A = U diag(S) Vh with orthonormal columns in U, orthonormal rows in Vh, and S descending; full_matrices makes U and Vh square. Signs, of "
           "complex vectors factors of size 1, are arbitrary: a function of U and Vh has a gradient where it does not depend on them and the singular values "
           "differ; where they are equal it is NaN, and of one that depends on complex factors it is an error.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { no_driver(a, 2); out = svd_of(a, a.flag(1)); },
    .samples = svd_samples,
};
Op svd_op{
    .schema = "svd(Tensor self, bool some=True, bool compute_uv=True) -> (Tensor U, Tensor S, Tensor V)",
    .doc = "linalg_svd, with V for Vh; some=False makes U and V square, and without compute_uv they are zeros.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensor& x = a.tensor(0);
      if (a.flag(2)) {
        out = svd_of(a, !a.flag(1));
        out[2] = mh(out[2]);
        return;
      }
      const Tensor s = values_of(a);
      out.push_back(zeros(with(batch_of(x), {x.size(-2), x.size(-2)}), x.dtype()));
      out.push_back(s);
      out.push_back(zeros(with(batch_of(x), {x.size(-1), x.size(-1)}), x.dtype()));
    },
    .samples = [](Samples& s) { s.add({s.regular({3, 2})}); s.add({s.regular({2, 3}), Value(true), Value(false)}); s.error({s.rand({3})}, "at least 2 dimensions"); },
};
Op linalg_svdvals_op{
    .schema = "linalg_svdvals(Tensor A, *, str? driver=None) -> Tensor",
    .doc = "The singular values of matrices, descending.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { no_driver(a, 1); out.push_back(values_of(a)); },
    .samples = [](Samples& s) {
      s.add({s.regular({3, 3})});
      s.add({s.regular({2, 4, 2})});
      s.add({s.rand({0, 3})});
      s.error({s.rand({3})}, "at least 2 dimensions");
      s.error({s.rand({2, 2}), s.text("gesvd")}, "'driver'");
    },
};
Op linalg_eigh_data_op{
    .schema = "_linalg_eigh(Tensor A, str UPLO='L', bool compute_v=True) -> (Tensor eigenvalues, Tensor eigenvectors)",
    .doc = "linalg_eigh; the eigenvectors are empty with compute_v=False.",
    .complex = true,
    .shape = eigh_shape,
    .kernel = eigh_kernel,
    .vjp = {eigh_pull},
    .save = output(0) | output(1),
    .samples = eigh_samples,
};
Op linalg_eigh_op{
    .schema = "linalg_eigh(Tensor self, str UPLO='L') -> (Tensor eigenvalues, Tensor eigenvectors)",
    .doc = "The eigenvalues of Hermitian matrices, real and ascending, and orthonormal eigenvectors as columns, from the lower triangle or with UPLO='U' the upper one. "
           "Signs, of complex vectors factors of size 1, are arbitrary: a function of the vectors has a gradient where it does not depend on them and the "
           "eigenvalues differ; else it is NaN, and of one that depends on complex factors an error.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out = call_all(linalg_eigh_data_op, {a[0], a[1], true}); },
    .samples = eigh_samples,
};
Op linalg_eigvalsh_op{
    .schema = "linalg_eigvalsh(Tensor self, str UPLO='L') -> Tensor",
    .doc = "The eigenvalues of Hermitian matrices, real and ascending; see linalg_eigh.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(call_all(linalg_eigh_data_op, {a[0], a[1], will_differentiate(a)})[0]); },
    .samples = eigh_samples,
};

static Op* const all[] = {&linalg_svd_data_op, &linalg_svd_op, &svd_op, &linalg_svdvals_op, &linalg_eigh_data_op, &linalg_eigh_op, &linalg_eigvalsh_op};
const OpList spectral_ops = all;

}  // namespace gradus
