// A = L L^H of positive-definite matrices. The rule is that of Murray, "Differentiation of the Cholesky decomposition" (2016):
// gA = L^-H S L^-1, where S is the Hermitian matrix with half of the lower triangle of L^H gL.
#include "ops/matrices.h"

namespace gradus {
namespace {

constexpr std::string_view kIndefinite = "the matrix is not positive-definite";

// ---- (self, upper, check_errors)
void cholesky_shape(const Args& a, Metas& out) {
  const Tensor& x = a.tensor(0);
  check_square(a, x);
  out.push_back(x.meta());
  out.push_back({Dtype::i32, batch_of(x)});
}
// Row-major memory read as columns is the transposed matrix, whose factor is the transposed one, in the other triangle.
void cholesky_kernel(const Args& a, const Tensors& out) {
  const bool upper = a.flag(1);
  const Tensor& f = out[0];
  kernels::copy(view_of(f), view_of(a.tensor(0)));
  kernels::cholesky(name(a.op()), stack_of(f), !upper, out[1].data<int32_t>());
  const int64_t n = f.size(-1);
  kernels::visit_matrices(f.dtype(), [&]<class T>() {
    for (int64_t row = 0; n > 0 && row < f.numel() / n; ++row) {
      T* x = f.data<T>() + row * n;
      const int64_t i = row % n, begin = upper ? 0 : i + 1, end = upper ? i : n;
      for (int64_t j = begin; j < end; ++j) x[j] = T(0);
    }
  });
  if (a.flag(2)) check_infos(a, out[1], kIndefinite);
}
Tensor cholesky_pull(const Call& c, const Tensor& gradient) {
  const bool upper = c.flag(1);
  const Tensor L = upper ? mh(c.output(0)) : c.output(0), g = upper ? mh(gradient) : gradient;
  const Tensor half = tril(matmul(mh(L), g)), both = mul(add(half, mh(tril(half, -1))), 0.5);
  return solve_triangular(L, solve_triangular(mh(L), both, true), false, false);
}
void cholesky(const Args& a, Tensors& out) {
  const Tensors both = call_all(linalg_cholesky_ex_op, {a[0], a[1], false});
  check_infos(a, both[1], kIndefinite);
  out.push_back(both[0]);
}
void cholesky_samples(Samples& s) {
  s.add({s.regular({3, 3}, true)});
  s.add({s.regular({2, 2, 2}, true), Value(true)});
  s.add({s.rand({0, 0})});
  s.add({s.rand({0, 2, 2})});
  s.error({s.rand({2, 3})}, "must be square");
  s.error({s.integers({2, 2}, 0, 3)}, "not defined for int64");
}
void checked_samples(Samples& s) {
  cholesky_samples(s);
  s.error({s.values({2, 2}, {1, 2, 2, 1})}, "not positive-definite");
  s.error({s.values({2, 1, 1}, {1, -1})}, "batch element 1: the matrix is not positive-definite");
}

// ---- solving with a factor
Tensor solved(const Tensor& b, const Tensor& factor, bool upper) {
  const Tensor y = solve_triangular(upper ? mh(factor) : factor, b, false);
  return solve_triangular(upper ? factor : mh(factor), y, true);
}

}  // namespace

Op linalg_cholesky_ex_op{
    .schema = "linalg_cholesky_ex(Tensor self, *, bool upper=False, bool check_errors=False) -> (Tensor L, Tensor info)",
    .doc = "The lower factor of self = L L^H, or the upper one of self = U^H U, from that triangle of Hermitian positive-definite matrices; info is 0, "
           "or the order of the leading minor that is not positive. The gradient is Hermitian.",
    .complex = true,
    .shape = cholesky_shape,
    .kernel = cholesky_kernel,
    .vjp = {cholesky_pull},
    .save = output(0),
    .samples = cholesky_samples,
};
Op linalg_cholesky_op{
    .schema = "linalg_cholesky(Tensor self, *, bool upper=False) -> Tensor",
    .doc = "linalg_cholesky_ex; an error where a matrix is not positive-definite.",
    .complex = true,
    .compose = cholesky,
    .samples = checked_samples,
};
Op cholesky_op{
    .schema = "cholesky(Tensor self, bool upper=False) -> Tensor",
    .doc = "Another name of linalg_cholesky.",
    .complex = true,
    .compose = cholesky,
    .samples = checked_samples,
};
Op cholesky_solve_op{
    .schema = "cholesky_solve(Tensor self, Tensor input2, bool upper=False) -> Tensor",
    .doc = "X of A X = self, where input2 is the factor that linalg_cholesky makes of A.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      check_square(a, a.tensor(1));
      check_matrices(a, a.tensor(0));
      out.push_back(solved(a.tensor(0), a.tensor(1), a.flag(2)));
    },
    .samples = [](Samples& s) {
      s.add({s.rand({3, 2}), s.regular({3, 3})});
      s.add({s.rand({2, 3, 1}), s.regular({3, 3}), Value(true)});
      s.error({s.rand({2, 1}), s.rand({2, 3})}, "must be square");
      s.error({s.rand({3, 1}), s.regular({2, 2})}, "do not fit");
    },
};
Op cholesky_inverse_op{
    .schema = "cholesky_inverse(Tensor self, bool upper=False) -> Tensor",
    .doc = "The inverse of the matrix whose factor, made by linalg_cholesky, is self.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      check_square(a, a.tensor(0));
      out.push_back(solved(identity_like(a.tensor(0)), a.tensor(0), a.flag(1)));
    },
    .samples = [](Samples& s) {
      s.add({s.regular({3, 3})});
      s.add({s.regular({2, 2, 2}), Value(true)});
      s.error({s.rand({2, 3})}, "must be square");
    },
};

static Op* const all[] = {&linalg_cholesky_ex_op, &linalg_cholesky_op, &cholesky_op, &cholesky_solve_op, &cholesky_inverse_op};
const OpList cholesky_ops = all;

}  // namespace gradus
