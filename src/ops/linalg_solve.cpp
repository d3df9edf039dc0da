// Linear equations, general and triangular, and inverses. The rules are the implicit differentiation of A X = B:
// dX = A^-1 (dB - dA X), so the gradient of B solves with A^H, and that of A is minus it times X^H.
#include "ops/matrices.h"

namespace gradus {
namespace {

constexpr std::string_view kSingular = "the matrix is singular";

// ---- inverses
void inverse_shape(const Args& a, Metas& out) {
  const Tensor& x = a.tensor(0);
  check_square(a, x);
  out.push_back({x.dtype(), Sizes(x.sizes())});
  out.push_back({Dtype::i32, batch_of(x)});
}
void set_identity(const Tensor& t) {                          // contiguous and square
  kernels::fill(view_of(t), 0);
  const int64_t n = t.size(-1);
  kernels::visit_matrices(t.dtype(), [&]<class T>() {
    for (int64_t i = 0; i < t.numel(); i += n * n)
      for (int64_t k = 0; k < n; ++k) t.data<T>()[i + k * (n + 1)] = T(1);
  });
}
void inverse_kernel(const Args& a, const Tensors& out) {
  const Tensor& x = a.tensor(0);
  const Tensor factors = columns_of(x), result = empty(x.dtype(), x.sizes());
  const Tensor pivots = empty(Dtype::i32, x.sizes().first(static_cast<size_t>(x.ndim() - 1)));
  kernels::lu(name(a.op()), stack_of(factors), pivots.data<int32_t>(), out[1].data<int32_t>());
  if (a.flag(1)) check_infos(a, out[1], kSingular);
  set_identity(result);
  kernels::lu_solve(name(a.op()), stack_of(factors), pivots.data<int32_t>(), stack_of(result), false);
  put_columns(out[0], result);
}
void inverse(const Args& a, Tensors& out) {
  const Tensors both = call_all(linalg_inv_ex_op, {a[0], false});
  check_infos(a, both[1], kSingular);
  out.push_back(both[0]);
}
void inverse_samples(Samples& s) {
  s.add({s.regular({3, 3})});
  s.add({s.regular({2, 2, 2})});
  s.add({s.values({2, 2}, {0, 2, 3, 0})});                    // the pivot is not in the first row
  s.add({s.rand({0, 0})});
  s.add({s.rand({0, 2, 2})});
  s.error({s.rand({2, 3})}, "must be square, not of shape [2, 3]");
  s.error({s.rand({3})}, "at least 2 dimensions");
  s.error({s.integers({2, 2}, 0, 4)}, "not defined for int64");
}
void checked_inverse_samples(Samples& s) {
  inverse_samples(s);
  s.error({s.values({2, 2}, {1, 2, 2, 4})}, "the matrix is singular");
  s.error({s.values({2, 1, 1}, {1, 0})}, "batch element 1: the matrix is singular");
}

// ---- A X = B, or X A = B: (A, B, left, …)
// PyTorch's rule: a vector, or a stack of them that fits A's batch exactly.
bool is_vector(const Tensor& a, const Tensor& b) {
  return b.ndim() == 1 || (a.ndim() - 1 == b.ndim() && same(b.sizes(), a.sizes().first(static_cast<size_t>(a.ndim() - 1))));
}
Sizes check_equation(const Args& a, const Tensor& A, const Tensor& B, bool left) {
  check_square(a, A);
  check_matrices(a, B);
  GRADUS_CHECK(A.dtype() == B.dtype(), dtype, "{}: {} against {}", name(a.op()), name(A.dtype()), name(B.dtype()));
  GRADUS_CHECK(A.size(-1) == B.size(left ? -2 : -1), shape, "{}: shapes {} and {} do not fit {}", name(a.op()), text(A.sizes()), text(B.sizes()),
               left ? "A X = B" : "X A = B");
  return broadcast_sizes(batch_of(A), batch_of(B), name(a.op()));
}
void solve_shape(const Args& a, Metas& out) {
  const Tensor &A = a.tensor(0), &B = a.tensor(1);
  const Sizes batch = check_equation(a, A, B, a.flag(2));
  out.push_back({A.dtype(), with(batch, {B.size(-2), B.size(-1)})});
  out.push_back(A.meta());
  out.push_back({Dtype::i32, Sizes(A.sizes().first(static_cast<size_t>(A.ndim() - 1)))});
  out.push_back({Dtype::i32, batch_of(A)});
}
void solve_kernel(const Args& a, const Tensors& out) {
  const Tensor &A = a.tensor(0), &B = a.tensor(1), &X = out[0];
  const Tensor factors = columns_of(A);
  kernels::lu(name(a.op()), stack_of(factors), out[2].data<int32_t>(), out[3].data<int32_t>());
  put_columns(out[1], factors);
  if (a.flag(3)) check_infos(a, out[3], kSingular);
  const Sizes batch = batch_of(X);
  const Tensor all = repeated(factors, with(batch, {A.size(-1), A.size(-1)})), pivots = repeated(out[2], with(batch, {A.size(-1)}));
  if (!a.flag(2)) {                                           // A^T X^T = B^T, whose columns are the rows of B
    kernels::copy(view_of(X), view_of(B));
    return kernels::lu_solve(name(a.op()), stack_of(all), pivots.data<int32_t>(), stack_of(X), true);
  }
  const Tensor columns = columns_of(B, batch);
  kernels::lu_solve(name(a.op()), stack_of(all), pivots.data<int32_t>(), stack_of(columns), false);
  put_columns(X, columns);
}
void solve_pull(const Call& c, Tensors& d) {
  const bool left = c.flag(2);
  const Tensor& X = c.output(0);
  if (!is_zero_gradient(c.grad(0))) {
    const Tensor b = context().grad_mode ? call_all(linalg_solve_data_op, {mh(c.tensor(0)), c.grad(0), left})[0]
                                         : call(linalg_lu_solve_op, {c.output(1), c.output(2), c.grad(0), left, true});
    if (c.wants(0)) d[0] = neg(left ? matmul(b, mh(X)) : matmul(mh(X), b));
    if (c.wants(1)) d[1] = b;
  }
  if (c.wants(0) && !is_zero_gradient(c.grad(1))) {
    const Tensor g = lu_gradient(c.output(1), c.output(2), c.grad(1));
    d[0] = d[0] ? add(call(sum_to_size_op, {d[0], g.sizes()}), g) : g;
  }
}
// The result and info of either form, with a right side that may be vectors.
Tensors solved(const Args& a, bool left) {
  const Tensor &A = a.tensor(0), &B = a.tensor(1);
  check_square(a, A);
  GRADUS_CHECK(B.ndim() > 0, shape, "{}: B has no dimension", name(a.op()));
  const bool vector = is_vector(A, B);
  GRADUS_CHECK(!vector || left, shape, "{}: B of shape {} must be matrices where left is false", name(a.op()), text(B.sizes()));
  const Tensor matrices = vector ? tall(B) : B;
  check_equation(a, A, matrices, left);
  Tensors all = call_all(linalg_solve_data_op, {A, matrices, left});
  return {vector ? squeeze(all[0], -1) : all[0], all[3]};
}
void solve_samples(Samples& s) {
  s.add({s.regular({3, 3}), s.rand({3, 2})});
  s.add({s.regular({3, 3}), s.rand({3})});
  s.add({s.regular({2, 2, 2}), s.rand({2, 2})});              // a vector for each matrix
  s.add({s.regular({2, 1, 2, 2}), s.rand({3, 2, 1})});        // both broadcast
  s.add({s.regular({3, 3}), s.rand({2, 3}), Value(false)});
  s.add({s.regular({2, 2}), s.rand({2, 3, 2}), Value(false)});
  s.add({s.rand({0, 0}), s.rand({0, 3})});
  s.error({s.rand({2, 3}), s.rand({2})}, "must be square");
  s.error({s.regular({2, 2}), s.rand({3, 1})}, "do not fit A X = B");
  s.error({s.regular({2, 2}), s.rand({3, 1}), Value(false)}, "do not fit X A = B");
}
void solve_data_samples(Samples& s) {
  s.add({s.regular({3, 3}), s.rand({3, 2})});
  s.add({s.regular({2, 1, 2, 2}), s.rand({3, 2, 1})});
  s.add({s.regular({2, 2}), s.rand({2, 3, 2}), Value(false)});
  s.error({s.regular({2, 2}), s.rand({2})}, "at least 2 dimensions");
  s.error({s.values({2, 2}, {1, 2, 2, 4}), s.rand({2, 1}), Value(true), Value(true)}, "the matrix is singular");
}

// ---- triangular: (A, B, upper, left, unitriangular)
void triangular_shape(const Args& a, Metas& out) {
  const Tensor &A = a.tensor(0), &B = a.tensor(1);
  out.push_back({A.dtype(), with(check_equation(a, A, B, a.flag(3)), {B.size(-2), B.size(-1)})});
}
// Row-major memory read as columns holds the transposes: A X = B is X^T A^T = B^T there.
void triangular_kernel(const Args& a, const Tensors& out) {
  const Tensor &A = a.tensor(0), &X = out[0];
  kernels::copy(view_of(X), view_of(a.tensor(1)));
  const Tensor all = repeated(A, with(batch_of(X), {A.size(-2), A.size(-1)}));
  kernels::solve_triangular(name(a.op()), stack_of(all), stack_of(X), {.right = a.flag(3), .upper = !a.flag(2), .unit = a.flag(4)});
}
void triangular_pull(const Call& c, Tensors& d) {
  const bool upper = c.flag(2), left = c.flag(3), unit = c.flag(4);
  const Tensor b = solve_triangular(mh(c.tensor(0)), c.grad(0), !upper, left, unit);
  if (c.wants(1)) d[1] = b;
  if (!c.wants(0)) return;
  const Tensor x = mh(c.output(0)), full = neg(left ? matmul(b, x) : matmul(x, b));
  d[0] = upper ? triu(full, unit) : tril(full, -static_cast<int64_t>(unit));
}
void triangular_samples(Samples& s) {
  s.add({s.regular({3, 3}), s.rand({3, 2}), Value(true)});
  s.add({s.regular({3, 3}), s.rand({2, 3, 2}), Value(false)});
  s.add({s.regular({2, 2, 2}), s.rand({3, 2}), Value(true), Value(false)});
  s.add({s.regular({3, 3}), s.rand({2, 3}), Value(false), Value(false), Value(true)});
  s.add({s.rand({0, 0}), s.rand({0, 2}), Value(true)});
  s.error({s.regular({2, 2}), s.rand({3, 1}), Value(true)}, "do not fit A X = B");
  s.error({s.rand({2, 3}), s.rand({2, 1}), Value(true)}, "must be square");
}

}  // namespace

Op linalg_inv_ex_op{
    .schema = "linalg_inv_ex(Tensor A, *, bool check_errors=False) -> (Tensor inverse, Tensor info)",
    .doc = "The inverses of matrices, and 0 for each, or which pivot is 0: that inverse is then meaningless, and with check_errors an error.",
    .complex = true,
    .shape = inverse_shape,
    .kernel = inverse_kernel,
    .vjp = {[](const Call& c, const Tensor& g) {
      const Tensor adjoint = mh(c.output(0));
      return neg(matmul(adjoint, matmul(g, adjoint)));
    }},
    .save = output(0),
    .samples = inverse_samples,
};
Op linalg_inv_op{
    .schema = "linalg_inv(Tensor A) -> Tensor",
    .doc = "The inverses of matrices; an error for a singular one. linalg_solve is faster and more accurate than a product with it.",
    .complex = true,
    .compose = inverse,
    .samples = checked_inverse_samples,
};
Op inverse_op{
    .schema = "inverse(Tensor self) -> Tensor",
    .doc = "Another name of linalg_inv.",
    .complex = true,
    .compose = inverse,
    .samples = checked_inverse_samples,
};
Op linalg_solve_data_op{
    .schema = "_linalg_solve_ex(Tensor A, Tensor B, *, bool left=True, bool check_errors=False) -> (Tensor result, Tensor LU, Tensor pivots, Tensor info)",
    .doc = "linalg_solve_ex of matrices, with the factors of A.",
    .complex = true,
    .shape = solve_shape,
    .kernel = solve_kernel,
    .vjp_all = solve_pull,
    .save = input(0) | output(0) | output(1) | output(2),
    .samples = solve_data_samples,
};
Op linalg_solve_ex_op{
    .schema = "linalg_solve_ex(Tensor A, Tensor B, *, bool left=True, bool check_errors=False) -> (Tensor result, Tensor info)",
    .doc = "linalg_solve, and for each matrix 0 or which pivot is 0: that result is then meaningless, and with check_errors an error.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      out = solved(a, a.flag(2));
      if (a.flag(3)) check_infos(a, out[1], kSingular);
    },
    .samples = solve_samples,
};
Op linalg_solve_op{
    .schema = "linalg_solve(Tensor A, Tensor B, *, bool left=True) -> Tensor",
    .doc = "X of A X = B, or of X A = B with left=False, for matrices A that are not singular; batches broadcast. B may be one vector, or one for each A.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensors both = solved(a, a.flag(2));
      check_infos(a, both[1], kSingular);
      out.push_back(both[0]);
    },
    .samples = [](Samples& s) {
      solve_samples(s);
      s.error({s.values({2, 2}, {1, 2, 2, 4}), s.rand({2})}, "the matrix is singular");
    },
};
Op linalg_solve_triangular_op{
    .schema = "linalg_solve_triangular(Tensor self, Tensor B, *, bool upper, bool left=True, bool unitriangular=False) -> Tensor",
    .doc = "linalg_solve with triangular matrices, of which the other triangle, and with unitriangular the diagonal, is not read.",
    .complex = true,
    .shape = triangular_shape,
    .kernel = triangular_kernel,
    .vjp_all = triangular_pull,
    .save = input(0) | output(0),
    .samples = triangular_samples,
};
Op triangular_solve_op{
    .schema = "triangular_solve(Tensor self, Tensor A, bool upper=True, bool transpose=False, bool unitriangular=False) -> (Tensor solution, Tensor cloned_coefficient)",
    .doc = "X of A X = self, or of A^T X = self (without conjugates), for triangular A, and a copy of A.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensor &A = a.tensor(1), &B = a.tensor(0);
      const bool upper = a.flag(2), turns = a.flag(3);
      check_equation(a, A, B, true);
      out.push_back(solve_triangular(turns ? mt(A) : A, B, upper != turns, true, a.flag(4)));
      out.push_back(call(clone_op, {expand(A, with(batch_of(out[0]), {A.size(-2), A.size(-1)}))}));
    },
    .samples = [](Samples& s) {
      s.add({s.rand({3, 2}), s.regular({3, 3})});
      s.add({s.rand({2, 3, 1}), s.regular({3, 3}), Value(false), Value(true)});
      s.add({s.rand({2, 3}), s.regular({2, 2}), Value(true), Value(false), Value(true)});
      s.error({s.rand({3, 1}), s.regular({2, 2})}, "do not fit A X = B");
    },
};

static Op* const all[] = {&linalg_inv_ex_op, &linalg_inv_op, &inverse_op, &linalg_solve_data_op, &linalg_solve_ex_op, &linalg_solve_op,
                          &linalg_solve_triangular_op, &triangular_solve_op};
const OpList solve_ops = all;

}  // namespace gradus
