// Powers and exponentials of matrices, and tensors seen as matrices.
#include <cmath>

#include "ops/matrices.h"

namespace gradus {
namespace {

// ---- powers: (self, n)
void power(const Args& a, Tensors& out) {
  Tensor x = a.tensor(0);
  check_sides(a, x);
  int64_t n = a.integer(1);
  if (n == 0) return out.push_back(constant_in(x, identity_like(x)));
  if (n < 0) x = call(linalg_inv_op, {x});
  uint64_t left = n < 0 ? 0 - static_cast<uint64_t>(n) : static_cast<uint64_t>(n);
  Tensor result;
  for (;; x = matmul(x, x)) {
    if (left & 1) result = result ? matmul(result, x) : x;
    if (!(left >>= 1)) break;
  }
  out.push_back(n == 1 ? call(clone_op, {result}) : result);
}
void power_samples(Samples& s) {
  s.add({s.rand({3, 3}), Value(5)});
  s.add({s.regular({2, 2, 2}), Value(-2)});
  s.add({s.rand({2, 2}), Value(0)});
  s.add({s.rand({2, 2}), Value(1)});
  s.error({s.rand({2, 3}), Value(2)}, "must be square");
  s.error({s.values({2, 2}, {1, 2, 2, 4}), Value(-1)}, "the matrix is singular");
}

// ---- exponentials, by the Taylor polynomial of degree 18 of A / 2^s and s squarings; s is each matrix's own
constexpr int kDegree = 18;
constexpr double kReach = 1.0;                                // a norm up to which the polynomial is exact: 1 / 19! is 8e-18
Tensor taylor(const Tensor& x) {                              // by powers of x up to 6, then Horner in x^6
  const Tensor one = expand(identity_like(x), x.sizes());
  Tensors power{one, x};
  for (int i = 2; i <= 6; ++i) power.push_back(matmul(power[static_cast<size_t>(i / 2)], power[static_cast<size_t>(i - i / 2)]));
  double factorial = 1;
  for (int i = 2; i <= kDegree; ++i) factorial *= i;
  Tensor sum = mul(power[0], 1 / factorial);
  for (int block = kDegree / 6 - 1, i = kDegree; block >= 0; --block) {
    sum = matmul(sum, power[6]);
    for (int k = 5; k >= 0; --k) {
      factorial /= i--;
      sum = add(sum, mul(power[static_cast<size_t>(k)], 1 / factorial));
    }
  }
  return sum;
}
void exp_kernel(const Args& a, const Tensors& out) {
  const GradMode off(false);
  const bool half = size_of(a.tensor(0).dtype()) == 2;
  const Tensor x = half ? to(a.tensor(0), Dtype::f32) : a.tensor(0);
  if (x.numel() == 0) return;
  const int64_t rows = -2, cols = -1;
  const Tensor norm = amax(sum(abs(x), {&rows, 1}, true), {&cols, 1}, true);
  const Tensor steps = clamp(ceil(log2(div(norm, kReach))), Value(0.0), Value(1100.0));
  Tensor y = taylor(mul(x, exp2(neg(steps))));
  const int64_t most = [&] {
    const Tensor m = to(call(max_op, {steps}), Dtype::f64);
    return std::isnan(m.data<double>()[0]) ? int64_t{0} : static_cast<int64_t>(m.data<double>()[0]);
  }();
  for (int64_t i = 0; i < most; ++i) y = where(gt(steps, i), matmul(y, y), y);
  kernels::copy(view_of(out[0]), view_of(y));
}
// The upper right block of exp [[A^H, G], [0, A^H]] is the adjoint derivative at A along G: Higham, "Functions of Matrices", 10.6.
Tensor exp_pull(const Call& c, const Tensor& g) {
  const Tensor x = mh(c.tensor(0));
  const int64_t n = x.size(-1);
  const Tensor blocks = cat(Tensors{cat(Tensors{x, g}, -1), cat(Tensors{zeros_like(x), x}, -1)}, -2);
  return narrow(narrow(call(linalg_matrix_exp_op, {blocks}), -2, 0, n), -1, n, n);
}
void exp_samples(Samples& s) {
  s.add({s.rand({3, 3})});
  s.add({s.rand({2, 2, 2}, -6, 6)});
  s.add({s.rand({0, 0})});
  s.error({s.rand({2, 3})}, "must be square");
}

// ---- tensors as matrices
int64_t elements(SizesRef sizes) { return numel_of(sizes); }
void tensor_inverse(const Args& a, Tensors& out) {
  const Tensor& x = a.tensor(0);
  const int64_t ind = a.integer(1);
  GRADUS_CHECK(ind > 0, value, "{}: ind must be positive, not {}", name(a.op()), ind);
  const size_t split = std::min(static_cast<size_t>(ind), x.sizes().size());
  const SizesRef first = x.sizes().first(split), last = x.sizes().subspan(split);
  GRADUS_CHECK(elements(first) == elements(last), shape, "{}: the first {} dimensions of {} hold {} elements, the others {}", name(a.op()), ind, text(x.sizes()),
               elements(first), elements(last));
  Sizes sizes(last);
  for (int64_t n : first) sizes.push_back(n);
  out.push_back(reshape(call(linalg_inv_op, {reshape(x, Sizes{elements(first), elements(last)})}), sizes));
}
void tensor_solve(const Args& a, Tensors& out) {
  Tensor x = a.tensor(0);
  const Tensor& b = a.tensor(1);
  if (a.has(2)) {
    Sizes to;
    const auto n = static_cast<int64_t>(a.integers(2).size());
    for (int64_t d = 0; d < n; ++d) to.push_back(x.ndim() - n + d);
    x = movedim(x, a.integers(2), to);
  }
  GRADUS_CHECK(x.ndim() >= b.ndim(), shape, "{}: {} has less dimensions than {}", name(a.op()), text(x.sizes()), text(b.sizes()));
  const SizesRef sizes = x.sizes().subspan(static_cast<size_t>(b.ndim()));
  GRADUS_CHECK(elements(sizes) == b.numel() && multiply(elements(sizes), b.numel()) == x.numel(), shape, "{}: shape {} does not fit {}", name(a.op()),
               text(x.sizes()), text(b.sizes()));
  const Tensor flat = call(linalg_solve_op, {reshape(x, Sizes{b.numel(), elements(sizes)}), reshape(b, Sizes{b.numel()})});
  out.push_back(reshape(flat, sizes));
}

}  // namespace

Op linalg_matrix_power_op{
    .schema = "linalg_matrix_power(Tensor self, int n) -> Tensor",
    .doc = "self n times as a product, or for a negative n its inverse -n times.",
    .serves = "linalg_matrix_power matrix_power",
    .complex = true,
    .compose = power,
    .samples = power_samples,
};
Op linalg_matrix_exp_op{
    .schema = "linalg_matrix_exp(Tensor self) -> Tensor",
    .doc = "The exponentials of matrices: the sum of their powers n divided by n!.",
    .serves = "linalg_matrix_exp matrix_exp",
    .complex = true,
    .shape = [](const Args& a, Metas& out) {
      const Tensor& x = a.tensor(0);
      if (size_of(x.dtype()) != 2 || !is_floating(x.dtype())) check_elements(a, x);
      check_sides(a, x);
      out.push_back(x.meta());
    },
    .kernel = exp_kernel,
    .vjp = {exp_pull},
    .save = input(0),
    .samples = exp_samples,
};
Op linalg_tensorinv_op{
    .schema = "linalg_tensorinv(Tensor self, int ind=2) -> Tensor",
    .doc = "The inverse of the matrix whose rows are the first ind dimensions and whose columns are the others.",
    .complex = true,
    .compose = tensor_inverse,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3, 6})});
      s.add({s.regular({3, 3}), Value(1)});
      s.error({s.rand({2, 3, 5})}, "hold 6 elements, the others 5");
      s.error({s.rand({2, 2}), Value(0)}, "ind must be positive");
    },
};
Op linalg_tensorsolve_op{
    .schema = "linalg_tensorsolve(Tensor self, Tensor other, int[]? dims=None) -> Tensor",
    .doc = "X whose tensordot with self, the dimensions in dims moved last, is other.",
    .complex = true,
    .compose = tensor_solve,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3, 6}), s.rand({2, 3})});
      s.add({s.rand({6, 2, 3}), s.rand({2, 3}), s.list({0})});
      s.error({s.rand({2, 3, 5}), s.rand({2, 3})}, "does not fit");
    },
};

static Op* const all[] = {&linalg_matrix_power_op, &linalg_matrix_exp_op, &linalg_tensorinv_op, &linalg_tensorsolve_op};
const OpList matrix_power_ops = all;

}  // namespace gradus
