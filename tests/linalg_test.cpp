// Linear algebra beyond the suite's samples: vectors whose signs nobody fixes, points without a derivative, errors, larger sizes.
#include "fixture.h"
#include "kernels/lapack.h"
#include "ops/matrices.h"

namespace gradus {
namespace {

// Without it the tests below and the suite's samples of such ops are skipped: -DGRADUS_TEST_LAPACK=OFF says that this is meant.
TEST(Lapack, IsThere) {
  if (kernels::has_lapack()) return;
  if (GRADUS_TEST_LAPACK) FAIL() << "no LAPACK (Debian: libopenblas0-pthread)";
  GTEST_SKIP() << "no LAPACK";
}

class LinearAlgebra : public Core {
 protected:
  void SetUp() override {
    if (!kernels::has_lapack()) GTEST_SKIP() << "no LAPACK";
  }
  static Tensor random(std::initializer_list<int64_t> sizes, Dtype dtype = Dtype::f64) { return randn(SizesRef(sizes.begin(), sizes.size()), dtype); }
  static Tensor symmetric(std::initializer_list<int64_t> sizes, Dtype dtype = Dtype::f64) {
    const Tensor x = random(sizes, dtype);
    return add(x, mt(x));
  }
  static void expect_close(const Tensor& got, const Tensor& want, double tolerance) {
    ASSERT_EQ(text(got.sizes()), text(want.sizes()));
    const std::vector<double> g = values(got), w = values(want);
    for (size_t i = 0; i < g.size(); ++i) ASSERT_NEAR(g[i], w[i], tolerance) << "element " << i;
  }
  static void expect_orthonormal(const Tensor& columns, double tolerance) {
    const Tensor product = matmul(mt(columns), columns);
    expect_close(product, contiguous(expand(identity_like(product), product.sizes())), tolerance);
  }
  static Tensor gradient_of(const Tensor& y, const Tensor& x) { return grad({&y, 1}, {&x, 1}, {}, {})[0]; }
  static Tensor required(const Tensor& t) {
    set_requires_grad(t.impl(), true);
    return t;
  }
};

TEST_F(LinearAlgebra, SingularValuesGiveTheMatrixBack) {
  for (Dtype d : {Dtype::f64, Dtype::f32}) {
    const double tolerance = d == Dtype::f64 ? 1e-12 : 1e-4;
    for (const Tensor& a : {random({5, 5}, d), random({3, 7, 4}, d), random({2, 2, 3, 6}, d), random({40, 33}, d)}) {
      for (bool full : {false, true}) {
        const Tensors f = call_all(linalg_svd_op, {a, full});
        const int64_t k = smaller_side(a);
        EXPECT_EQ(f[0].size(-1), full ? a.size(-2) : k);
        EXPECT_EQ(f[2].size(-2), full ? a.size(-1) : k);
        expect_close(matmul(mul(narrow(f[0], -1, 0, k), wide(f[1])), narrow(f[2], -2, 0, k)), a, tolerance);
        expect_orthonormal(f[0], tolerance);
        expect_orthonormal(mt(f[2]), tolerance);
        expect_close(f[1], call(linalg_svdvals_op, {a}), tolerance);
      }
    }
  }
}

TEST_F(LinearAlgebra, SquareVectorsOfNothingAreOrthonormal) {
  const Tensors f = call_all(linalg_svd_op, {zeros(Sizes{2, 3, 0}, Dtype::f64)});
  expect_orthonormal(f[0], 0);
  EXPECT_EQ(text(f[2].sizes()), "[2, 0, 0]");
  expect_orthonormal(call_all(linalg_qr_op, {zeros(Sizes{3, 0}, Dtype::f64), std::string_view("complete")})[0], 0);
}

TEST_F(LinearAlgebra, EigenvectorsAreThose) {
  for (Dtype d : {Dtype::f64, Dtype::f32}) {
    const double tolerance = d == Dtype::f64 ? 1e-12 : 1e-4;
    for (const Tensor& a : {symmetric({5, 5}, d), symmetric({3, 2, 2}, d), symmetric({31, 31}, d)}) {
      const Tensors f = call_all(linalg_eigh_op, {a});
      expect_close(matmul(a, f[1]), mul(f[1], wide(f[0])), tolerance * 10);
      expect_orthonormal(f[1], tolerance);
      for (const std::string_view half : {"L", "U"}) {
        const Tensor other = half == "L" ? triu(full_like(a, NAN), 1) : tril(full_like(a, NAN), -1);   // NaN where nothing is read
        expect_close(call(linalg_eigvalsh_op, {add(a, other), half}), f[0], tolerance * 10);
      }
    }
  }
}

TEST_F(LinearAlgebra, VectorsOfAFullBasisHaveTheGradientOfTheOthers) {
  const Tensor a = required(random({4, 2}));
  const Tensors full = call_all(linalg_svd_op, {a, true}), part = call_all(linalg_svd_op, {a, false});
  const auto loss = [](const Tensors& f) { return sum(mul(square(matmul(narrow(f[0], -1, 0, 2), f[2])), arange(1, 3, 1, Dtype::f64))); };
  expect_close(gradient_of(loss(full), a), gradient_of(loss(part), a), 1e-12);
}

TEST_F(LinearAlgebra, EqualValuesHaveAGradient) {
  const Tensor a = required(call(clone_op, {eye(3, Dtype::f64)}));
  expect_close(gradient_of(sum(call(linalg_svdvals_op, {a})), a), eye(3, Dtype::f64), 1e-14);
  expect_close(gradient_of(sum(call(linalg_eigvalsh_op, {a})), a), eye(3, Dtype::f64), 1e-14);
  for (double g : values(gradient_of(sum(square(call_all(linalg_eigh_op, {a})[1])), a))) EXPECT_TRUE(std::isnan(g));       // and their vectors none
}

TEST_F(LinearAlgebra, ASingularDeterminantHasExactDerivatives) {
  const Tensor a = leaf({1, 2, 2, 4}, {2, 2}), v = tensor({1, 2, 3, 5}, {2, 2}), y = call(linalg_det_op, {a});
  const Tensor g = grad({&y, 1}, {&a, 1}, {}, {.create_graph = true})[0];
  expect_close(g, tensor({4, -2, -2, 1}, {2, 2}), 1e-14);
  expect_close(gradient_of(sum(mul(g, v)), a), tensor({5, -3, -2, 1}, {2, 2}), 1e-14);
  const Tensor near = leaf({0.1, 0.3, 0.3, 0.9}, {2, 2}), z = call(linalg_det_op, {near});             // 0 but for rounding
  const Tensor h = grad({&z, 1}, {&near, 1}, {}, {.create_graph = true})[0];
  expect_close(gradient_of(sum(mul(h, v)), near), tensor({5, -3, -2, 1}, {2, 2}), 1e-13);
  const Tensor rank1 = leaf({1, 2, 3, 2, 4, 6, 3, 6, 9}, {3, 3});
  for (double e : values(gradient_of(call(linalg_det_op, {rank1}), rank1))) EXPECT_NEAR(e, 0, 1e-13);
}

TEST_F(LinearAlgebra, QrSaysWhereItHasNoGradient) {
  const Tensor a = required(random({4, 2}));
  for (const std::string_view mode : {"r", "complete"}) {
    const Tensor y = sum(call_all(linalg_qr_op, {a, mode})[1]);
    expect_error(Status::unsupported, "no gradient with mode", [&] { gradient_of(y, a); });
  }
  const Tensor wide_one = required(random({2, 4})), y = sum(call_all(linalg_qr_op, {wide_one, std::string_view("complete")})[1]);
  EXPECT_EQ(gradient_of(y, wide_one).numel(), 8);
  expect_error(Status::unsupported, "derivative", [] {
    const Tensor x = leaf({1, 2, 3, 4}, {2, 2});
    gradient_of(sum(call_all(geqrf_op, {x})[0]), x);
  });
}

TEST_F(LinearAlgebra, AHalfThatIsNotReadDoesNotMatter) {
  const Tensor a = leaf({4, NAN, 2, 5}, {2, 2}), l = call(linalg_cholesky_op, {a});
  EXPECT_EQ(values(l), (std::vector<double>{2, 0, 1, 2}));
  for (double g : values(gradient_of(sum(l), a))) EXPECT_TRUE(std::isfinite(g));
  const Tensor u = leaf({2, 1, NAN, 4}, {2, 2}), x = solve_triangular(u, tensor({3, 4}, {2, 1}), true);
  EXPECT_EQ(values(x), (std::vector<double>{1, 1}));
  EXPECT_EQ(values(gradient_of(sum(x), u))[2], 0);
}

TEST_F(LinearAlgebra, ErrorsNameTheMatrix) {
  const Tensor a = tensor({1, 0, 0, 1, 1, 2, 2, 4}, {2, 2, 2});
  expect_error(Status::value, "linalg_inv: batch element 1: the matrix is singular", [&] { call(linalg_inv_op, {a}); });
  expect_error(Status::value, "linalg_solve: batch element 1: the matrix is singular", [&] { call(linalg_solve_op, {a, ones(Sizes{2, 1}, Dtype::f64)}); });
  expect_error(Status::value, "linalg_cholesky: batch element 1", [&] { call(linalg_cholesky_op, {a}); });
  const Tensor infos = call_all(linalg_inv_ex_op, {a})[1];
  EXPECT_EQ(values(infos), (std::vector<double>{0, 2}));
  expect_error(Status::value, "infinite or not a number", [] { call(linalg_svdvals_op, {tensor({1, INFINITY}, {1, 2})}); });
  expect_error(Status::unsupported, "without pivoting", [&] { call_all(linalg_lu_op, {a, false}); });
}

TEST_F(LinearAlgebra, WhatASingularMatrixGives) {
  const Tensor a = leaf({1, 2, 2, 4, 3, 1, 1, 2}, {2, 2, 2}), c = call(linalg_cond_op, {a, 1});
  EXPECT_TRUE(std::isinf(values(c)[0]));
  EXPECT_NEAR(values(c)[1], 4 * 4 / 5.0, 1e-14);
  for (double g : values(gradient_of(sum(c), a))) EXPECT_TRUE(std::isfinite(g));
  const Tensors s = call_all(linalg_slogdet_op, {zeros(Sizes{2, 2}, Dtype::f64)});
  EXPECT_EQ(values(s[0])[0], 0);
  EXPECT_EQ(values(s[1])[0], -HUGE_VAL);
  EXPECT_TRUE(std::isnan(values(call(logdet_op, {tensor({0, 2, 3, 0}, {2, 2})}))[0]));
  const Tensor thin = tensor({1, 2, 2, 4, 3, 6}, {3, 2}), b = tensor({1, 0, 1}, {3, 1});
  const Tensors x = call_all(linalg_lstsq_op, {thin, b, std::nullopt, std::string_view("gelss")});
  EXPECT_EQ(values(x[2])[0], 1);                              // the rank; the smallest solution is along [1, 2]
  EXPECT_EQ(x[1].numel(), 0);
  expect_close(x[0], tensor({4 / 70.0, 8 / 70.0}, {2, 1}), 1e-14);
}

TEST_F(LinearAlgebra, LargerSystemsAreSolvedToTheLastDigits) {
  for (int64_t n : {65, 300}) {
    const Tensor a = add(random({n, n}), mul(eye(n, Dtype::f64), 3 * std::sqrt(static_cast<double>(n)))), b = random({n, 7});
    expect_close(matmul(a, call(linalg_solve_op, {a, b})), b, 1e-11);
    expect_close(matmul(a, call(linalg_inv_op, {a})), eye(n, Dtype::f64), 1e-11);
    expect_close(matmul(call(linalg_solve_op, {a, mt(b), false}), a), mt(b), 1e-11);
    const Tensors p = call_all(linalg_lu_op, {a}), q = call_all(linalg_qr_op, {a});
    expect_close(matmul(p[0], matmul(p[1], p[2])), a, 1e-11);
    expect_close(matmul(q[0], q[1]), a, 1e-11);
    const Tensor s = matmul(a, mt(a)), l = call(linalg_cholesky_op, {s});
    expect_close(matmul(l, mt(l)), s, 1e-9);
  }
  const Tensor many = add(random({64, 4, 4}), mul(eye(4, Dtype::f64), 6)), right = random({64, 4, 2});
  expect_close(matmul(many, call(linalg_solve_op, {many, right})), right, 1e-12);
}

TEST_F(LinearAlgebra, TheGradientOfASolutionReusesTheFactors) {
  const Tensor a = required(add(random({3, 3}), mul(eye(3, Dtype::f64), 4))), b = required(random({3, 2})), w = random({3, 2});
  const Tensor loss = sum(mul(call(linalg_solve_op, {a, b}), w));
  const Tensor plain = grad({&loss, 1}, {&a, 1}, {}, {.retain_graph = true})[0];
  const Tensor recorded = grad({&loss, 1}, {&a, 1}, {}, {.create_graph = true})[0];
  expect_close(plain, recorded, 1e-13);
}

TEST_F(LinearAlgebra, ExponentialsOfEverySize) {
  for (double size : {1e-8, 0.3, 5.0, 200.0}) {
    const Tensor x = mul(tensor({0, -1, 1, 0}, {2, 2}), size), y = call(linalg_matrix_exp_op, {x});            // a rotation
    expect_close(y, tensor({std::cos(size), -std::sin(size), std::sin(size), std::cos(size)}, {2, 2}), 1e-13 * (1 + size));
  }
  for (double e : values(call(linalg_matrix_exp_op, {full(Sizes{2, 2}, NAN, Dtype::f64)}))) EXPECT_TRUE(std::isnan(e));
}

}  // namespace
}  // namespace gradus
