// Least squares. The rule takes the solution of full-rank problems as X = pinv(A) B; the residuals' needs no derivative of X, which is
// where they are least.
#include <cmath>
#include <limits>

#include "ops/matrices.h"

namespace gradus {
namespace {

using kernels::LeastSquares;

LeastSquares driver_of(const Args& a) {
  const std::string_view d = a.has(3) ? a.text(3) : "gelsy";
  GRADUS_CHECK(d == "gels" || d == "gelsy" || d == "gelsd" || d == "gelss", value, "{}: driver must be gels, gelsy, gelsd or gelss, not '{}'", name(a.op()), d);
  return d == "gels" ? LeastSquares::gels : d == "gelsy" ? LeastSquares::gelsy : d == "gelsd" ? LeastSquares::gelsd : LeastSquares::gelss;
}
bool has_values(LeastSquares d) { return d == LeastSquares::gelsd || d == LeastSquares::gelss; }
Sizes check_problem(const Args& a, const Tensor& A, const Tensor& B) {
  check_matrices(a, A);
  check_matrices(a, B);
  GRADUS_CHECK(A.dtype() == B.dtype(), dtype, "{}: {} against {}", name(a.op()), name(A.dtype()), name(B.dtype()));
  GRADUS_CHECK(A.size(-2) == B.size(-2), shape, "{}: {} and {} differ in rows", name(a.op()), text(A.sizes()), text(B.sizes()));
  return broadcast_sizes(batch_of(A), batch_of(B), name(a.op()));
}

// ---- (self, b, rcond, driver): solution, residuals, rank, singular values
void problem_shape(const Args& a, Metas& out) {
  const Tensor &A = a.tensor(0), &B = a.tensor(1);
  const Sizes batch = check_problem(a, A, B);
  driver_of(a);
  out.push_back({A.dtype(), with(batch, {A.size(-1), B.size(-1)})});
  out.push_back({real_of(A.dtype()), with(batch, {B.size(-1)})});
  out.push_back({Dtype::i64, batch});
  out.push_back({real_of(A.dtype()), with(batch, {smaller_side(A)})});
}
double cut_of(const Args& a, const Tensor& A) {
  if (a.has(2)) return a.real(2);
  const double eps = real_of(A.dtype()) == Dtype::f32 ? std::numeric_limits<float>::epsilon() : std::numeric_limits<double>::epsilon();
  return eps * static_cast<double>(std::max(A.size(-2), A.size(-1)));
}
void problem_kernel(const Args& a, const Tensors& out) {
  const Tensor &A = a.tensor(0), &B = a.tensor(1), &X = out[0];
  const GradMode off(false);
  const Sizes batch = batch_of(X);
  const int64_t m = A.size(-2), n = A.size(-1), k = B.size(-1);
  check_finite(a, A);
  check_finite(a, B);
  for (const Tensor& t : {out[0], out[1], out[2], out[3]}) kernels::fill(view_of(t), 0);
  const Tensor columns = columns_of(A, batch), right = empty(A.dtype(), with(batch, {k, std::max(m, n)})), infos = empty(Dtype::i32, batch);
  kernels::fill(view_of(right), 0);
  kernels::copy(view_of(narrow(right, -1, 0, m)), view_of(mt(B)));
  kernels::least_squares(name(a.op()), driver_of(a), stack_of(columns), stack_of(right), cut_of(a, A), out[2].data<int64_t>(), out[3].impl()->data(),
                         infos.data<int32_t>());
  check_infos(a, infos, driver_of(a) == LeastSquares::gels ? "the matrix has not full rank" : "the singular values did not converge");
  kernels::copy(view_of(X), view_of(mt(narrow(right, -1, 0, n))));
  if (m <= n) return;
  const int64_t rows = -2;
  const Tensor squares = sum(square(abs(sub(matmul(A, X), B))), {&rows, 1});
  kernels::copy(view_of(out[1]), view_of(squares));
}
void problem_pull(const Call& c, Tensors& d) {
  const Tensor &A = c.tensor(0), &B = c.tensor(1), &X = c.output(0), &g = c.grad(0);
  const auto join = [](Tensor& to, const Tensor& g2) { to = to ? add(to, g2) : g2; };
  if (!is_zero_gradient(g)) {
    // pinv depends on A by its own rule: g B^H is its gradient.
    const Tensor P = call(linalg_pinv_op, {A}), gp = matmul(g, mh(B)), gt = mh(gp), Pt = mh(P);
    if (c.wants(1)) d[1] = matmul(Pt, g);
    if (c.wants(0)) {
      const Tensor rows = matmul(matmul(gt, P), Pt), cols = matmul(Pt, matmul(P, gt));
      d[0] = add(neg(matmul(Pt, matmul(gp, Pt))), add(sub(rows, matmul(A, matmul(P, rows))), sub(cols, matmul(matmul(cols, P), A))));
    }
  }
  if (A.size(-2) > A.size(-1) && !is_zero_gradient(c.grad(1))) {
    const Tensor r = mul(sub(matmul(A, X), B), mul(wide(c.grad(1)), 2.0));
    if (c.wants(0)) join(d[0], matmul(r, mh(X)));
    if (c.wants(1)) join(d[1], neg(r));
  }
  if (c.wants(0) && !is_zero_gradient(c.grad(3)) && has_values(driver_of(c.args()))) {
    const Tensors f = call_all(linalg_svd_op, {A, false});
    join(d[0], matmul(mul(f[0], wide(c.grad(3))), f[2]));
  }
}
void problem_samples(Samples& s) {
  s.add({s.regular({3, 3}), s.rand({3, 2})});
  s.add({s.regular({4, 2}), s.rand({4, 2})});
  s.add({s.regular({2, 3}), s.rand({2, 2, 1})});
  s.add({s.regular({4, 3}), s.rand({4, 1}), Value(0.01), s.text("gelsd")});
  s.error({s.rand({3, 2}), s.rand({2, 2})}, "differ in rows");
  s.error({s.rand({2, 2}), s.rand({2, 2}), Value(std::nullopt), s.text("svd")}, "not 'svd'");
}

// What the driver does not make is empty, as are residuals unless every matrix has more rows than columns and full rank. PyTorch has
// none for gelsy either.
void least_squares(const Args& a, Tensors& out) {
  const Tensor &A = a.tensor(0), &B = a.tensor(1);
  check_matrices(a, A);
  const bool vector = B.ndim() == 1 || (A.ndim() - 1 == B.ndim() && same(B.sizes(), A.sizes().first(static_cast<size_t>(A.ndim() - 1))));
  const LeastSquares driver = driver_of(a);
  out = call_all(lstsq_data_op, {A, vector ? tall(B) : B, a[2], a[3]});
  if (vector) out[0] = squeeze(out[0], -1);
  bool full_rank = A.size(-2) > A.size(-1) && driver != LeastSquares::gelsy;
  for (int64_t i = 0; driver != LeastSquares::gels && i < out[2].numel(); ++i) full_rank &= out[2].data<int64_t>()[i] == A.size(-1);
  if (!full_rank) out[1] = zeros(Sizes{0}, out[1].dtype());
  else if (vector) out[1] = squeeze(out[1], -1);
  if (driver == LeastSquares::gels) out[2] = zeros(Sizes{0}, Dtype::i64);
  if (!has_values(driver)) out[3] = zeros(Sizes{0}, out[3].dtype());
}

}  // namespace

Op lstsq_data_op{
    .schema = "_linalg_lstsq(Tensor self, Tensor b, float? rcond=None, str? driver=None) -> (Tensor solution, Tensor residuals, Tensor rank, Tensor singular_values)",
    .doc = "linalg_lstsq of matrices, all results of full size; zeros where the driver makes none.",
    .complex = true,
    .shape = problem_shape,
    .kernel = problem_kernel,
    .vjp_all = problem_pull,
    .save = input(0) | input(1) | output(0),
    .samples = problem_samples,
};
Op linalg_lstsq_op{
    .schema = "linalg_lstsq(Tensor self, Tensor b, float? rcond=None, *, str? driver=None) -> (Tensor solution, Tensor residuals, Tensor rank, Tensor singular_values)",
    .doc = "X that makes the norm of self X - b least, the smallest of them where there are many; the squares of what is left, where there are more rows than columns, "
           "full rank and another driver than 'gelsy'; the rank by rcond, but for the driver 'gels', which wants full rank; singular values for 'gelsd' and 'gelss'. The default is 'gelsy'.",
    .complex = true,
    .compose = least_squares,
    .samples = [](Samples& s) {
      problem_samples(s);
      s.add({s.regular({4, 2}), s.rand({4}), Value(std::nullopt), s.text("gels")});
      s.add({s.regular({2, 3, 2}), s.rand({2, 3})});
      s.add({s.regular({3, 2}), s.rand({3, 1}), Value(std::nullopt), s.text("gelss")});
    },
};

static Op* const all[] = {&lstsq_data_op, &linalg_lstsq_op};
const OpList least_squares_ops = all;

}  // namespace gradus
