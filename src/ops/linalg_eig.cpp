// Eigenvalues and eigenvectors of any square matrices: complex, of real matrices too. The rule is Boeddeker's et al., "On the computation
// of complex-valued gradients with application to statistically optimum beamforming" (2017), with vectors that keep the length 1.
#include <cmath>

#include "ops/matrices.h"

namespace gradus {
namespace {

// ---- (self, compute_v)
void eig_shape(const Args& a, Metas& out) {
  const Tensor& x = a.tensor(0);
  check_square(a, x);
  out.push_back({complex_of(x.dtype()), Sizes(x.sizes().first(static_cast<size_t>(x.ndim() - 1)))});
  out.push_back({complex_of(x.dtype()), a.flag(1) ? Sizes(x.sizes()) : Sizes{0}});
}
void eig_kernel(const Args& a, const Tensors& out) {
  const Tensor& x = a.tensor(0);
  const bool vectors = a.flag(1);
  check_finite(a, x);
  const Tensor columns = columns_of(x), infos = empty(Dtype::i32, batch_of(x));
  const Tensor v = empty(out[1].dtype(), vectors ? Sizes(x.sizes()) : Sizes{0, 0});
  kernels::eig(name(a.op()), stack_of(columns), out[0].impl()->data(), stack_of(v), vectors, infos.data<int32_t>());
  check_infos(a, infos, "the eigenvalues did not converge");
  if (vectors) put_columns(out[1], v);
}
// gA = V^-H (diag(gL) + (V^H gV - V^H V diag(Re V^H gV)) / E) V^H with E_ij = conj(L_j - L_i), and 0 on the diagonal of the quotient.
Tensor eig_pull(const Call& c, const Tensor& g) {
  GRADUS_CHECK(c.flag(1), unsupported, "_linalg_eig: no gradient without the vectors");
  const Tensor &values = c.output(0), &v = c.output(1), adjoint = mh(v);
  if (is_zero_gradient(c.grad(1))) return call(linalg_solve_op, {adjoint, mul(tall(g), adjoint)});
  const Tensor inner = matmul(adjoint, c.grad(1));
  check_turns(c, imag(diagonal_of(inner)), c.grad(1));
  const Tensor across = sub(inner, matmul(adjoint, mul(v, wide(real(diagonal_of(inner))))));      // of the length
  const Tensor quotient = div(across, add(conj(sub(wide(values), tall(values))), identity_like(values)));
  const Tensor middle = add(sub(quotient, matrix_of(diagonal_of(quotient))), matrix_of(g));
  return call(linalg_solve_op, {adjoint, matmul(middle, adjoint)});
}
void eig_samples(Samples& s) {
  s.add({s.regular({3, 3})});
  s.add({s.regular({2, 2, 2})});
  s.add({s.rand({0, 0})});
  s.error({s.rand({2, 3})}, "must be square");
  s.error({s.integers({2, 2}, 0, 4)}, "not defined for int64");
  s.error({s.values({2, 2}, {1, 0, NAN, 1})}, "infinite or not a number");
}

}  // namespace

Op linalg_eig_data_op{
    .schema = "_linalg_eig(Tensor self, bool compute_v=True) -> (Tensor eigenvalues, Tensor eigenvectors)",
    .doc = "linalg_eig; the eigenvectors are empty with compute_v=False.",
    .complex = true,
    .shape = eig_shape,
    .kernel = eig_kernel,
    .vjp = {eig_pull},
    .save = output(0) | output(1),
    .samples = eig_samples,
};
Op linalg_eig_op{
    .schema = "linalg_eig(Tensor self) -> (Tensor eigenvalues, Tensor eigenvectors)",
    .doc = "The eigenvalues of square matrices, in no order, and eigenvectors of length 1 as columns; complex of real matrices too. A vector may have any "
           "factor of size 1: a function of the vectors has a gradient where it does not depend on it, else an error, and the eigenvalues differ.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out = call_all(linalg_eig_data_op, {a[0]}); },
    .samples = eig_samples,
};
Op linalg_eigvals_op{
    .schema = "linalg_eigvals(Tensor self) -> Tensor",
    .doc = "The eigenvalues of square matrices, complex and in no order. There is a gradient where the eigenvectors are independent.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(call_all(linalg_eig_data_op, {a[0], will_differentiate(a)})[0]); },
    .samples = [](Samples& s) { eig_samples(s); s.add({s.values({2, 2}, {1, -2, 3, 0.5})}); },
};

static Op* const all[] = {&linalg_eig_data_op, &linalg_eig_op, &linalg_eigvals_op};
const OpList eig_ops = all;

}  // namespace gradus
