// Linear algebra of complex matrices: factors and solutions put back together, derivatives where the suite's samples do not reach, and
// eigenvalues of any matrix. tests/complex_suite.cpp has every op's first and second derivatives.
#include "autograd/gradcheck.h"
#include "fixture.h"
#include "kernels/lapack.h"
#include "ops/matrices.h"

namespace gradus {
namespace {

using Inputs = std::span<const Tensor>;

class ComplexLinearAlgebra : public Core {
 protected:
  void SetUp() override {
    if (!kernels::has_lapack()) GTEST_SKIP() << "no LAPACK";
  }
  static Tensor random(std::initializer_list<int64_t> sizes, Dtype dtype = Dtype::c128) {
    const SizesRef s(sizes.begin(), sizes.size());
    return to(call(complex_op, {randn(s, Dtype::f64), randn(s, Dtype::f64)}), dtype);
  }
  static Tensor regular(std::initializer_list<int64_t> sizes, Dtype dtype = Dtype::c128) {            // square
    const Tensor x = random(sizes, dtype);
    return add(x, mul(identity_like(x), 4 * std::sqrt(static_cast<double>(x.size(-1)))));
  }
  static Tensor positive(std::initializer_list<int64_t> sizes, Dtype dtype = Dtype::c128) {
    const Tensor x = regular(sizes, dtype);
    return matmul(x, mh(x));
  }
  static Tensor numbers(std::initializer_list<double> re, std::initializer_list<double> im, std::initializer_list<int64_t> sizes) {
    return call(complex_op, {tensor(re, sizes), tensor(im, sizes)});
  }
  static double apart(const Tensor& a, const Tensor& b) {       // the largest difference
    EXPECT_EQ(text(a.sizes()), text(b.sizes()));
    const Tensor d = abs(sub(a, b));
    return d.numel() ? values(to(call(max_op, {d}), Dtype::f64))[0] : 0;
  }
  static double off_identity(const Tensor& x) { return apart(x, contiguous(expand(identity_like(x), x.sizes()))); }
  static double tolerance(Dtype d) { return d == Dtype::c128 ? 1e-11 : 3e-4; }
  static Tensor required(const Tensor& t) {
    set_requires_grad(t.impl(), true);
    return t;
  }
  static Tensor gradient_of(const Tensor& y, const Tensor& x) { return grad({&y, 1}, {&x, 1}, {}, {})[0]; }
  static void expect_right(const GradcheckFunction& f, const Tensors& inputs) {
    const GradcheckResult first = gradcheck(f, inputs, {}), second = gradgradcheck(f, inputs, {}, {});
    EXPECT_TRUE(first.passed) << first.report;
    EXPECT_TRUE(second.passed) << second.report;
  }
};

TEST_F(ComplexLinearAlgebra, SingularValuesGiveTheMatrixBack) {
  for (Dtype d : {Dtype::c128, Dtype::c64})
    for (const Tensor& a : {random({5, 5}, d), random({3, 7, 4}, d), random({2, 2, 3, 6}, d), random({40, 33}, d), random({1, 60}, d)})
      for (bool full : {false, true}) {
        const Tensors f = call_all(linalg_svd_op, {a, full});
        const int64_t k = smaller_side(a);
        EXPECT_EQ(f[1].dtype(), real_of(d));
        EXPECT_EQ(f[0].size(-1), full ? a.size(-2) : k);
        EXPECT_LT(apart(matmul(mul(narrow(f[0], -1, 0, k), wide(f[1])), narrow(f[2], -2, 0, k)), a), tolerance(d));
        EXPECT_LT(off_identity(matmul(mh(f[0]), f[0])), tolerance(d));
        EXPECT_LT(off_identity(matmul(f[2], mh(f[2]))), tolerance(d));
        EXPECT_LT(apart(f[1], call(linalg_svdvals_op, {a})), tolerance(d));
      }
}

TEST_F(ComplexLinearAlgebra, EigenvectorsAreThose) {
  for (Dtype d : {Dtype::c128, Dtype::c64}) {
    for (const Tensor& x : {random({5, 5}, d), random({3, 2, 2}, d), random({31, 31}, d)}) {
      const Tensor h = add(x, mh(x));
      const Tensors f = call_all(linalg_eigh_op, {h}), g = call_all(linalg_eig_op, {x});
      EXPECT_EQ(f[0].dtype(), real_of(d));
      EXPECT_LT(apart(matmul(h, f[1]), mul(f[1], wide(f[0]))), tolerance(d));
      EXPECT_LT(off_identity(matmul(mh(f[1]), f[1])), tolerance(d));
      EXPECT_LT(apart(call(linalg_eigvalsh_op, {triu(h), std::string_view("U")}), f[0]), tolerance(d));
      EXPECT_LT(apart(matmul(x, g[1]), mul(g[1], wide(g[0]))), tolerance(d));
      EXPECT_LT(apart(call(linalg_eigvals_op, {x}), g[0]), tolerance(d));
      EXPECT_LT(apart(div(call(prod_op, {g[0], -1}), call(linalg_det_op, {x})), ones(batch_of(x), d)), 100 * tolerance(d));
    }
  }
}

TEST_F(ComplexLinearAlgebra, ARealMatrixHasConjugatePairs) {
  for (Dtype d : {Dtype::f64, Dtype::f32}) {
    const Tensor a = to(randn(Sizes{2, 9, 9}, Dtype::f64), d), z = to(a, complex_of(d));
    const Tensors f = call_all(linalg_eig_op, {a});
    EXPECT_EQ(f[0].dtype(), complex_of(d));
    EXPECT_LT(apart(matmul(z, f[1]), mul(f[1], wide(f[0]))), tolerance(complex_of(d)));
    EXPECT_LT(apart(call(linalg_eigvals_op, {a}), f[0]), tolerance(complex_of(d)));
  }
  const Tensor turn = leaf({3, -4, 4, 3}, {2, 2}), l = call(linalg_eigvals_op, {turn});
  EXPECT_LT(apart(abs(l), tensor({5, 5}, {2})), 1e-14);
  const Tensor g = gradient_of(sum(real(l)), turn);             // of the trace
  EXPECT_EQ(g.dtype(), Dtype::f64);
  EXPECT_LT(apart(g, eye(2, Dtype::f64)), 1e-14);
  const Tensor a = required(clone(random({4, 4}, Dtype::c128))), r = leaf({1, 2, -3, 0.5, 1, 4, 2, -1, 0.3}, {3, 3});
  expect_right([](Inputs x) { return Tensors{call(linalg_eigvals_op, {x[0]})}; }, {r});
  expect_right([](Inputs x) {                                   // neither depends on the vectors' factors
    const Tensors f = call_all(linalg_eig_op, {x[0]});
    return Tensors{abs(f[1]), mul(f[1], wide(conj(select(f[1], -2, 0))))};
  }, {r});
  expect_right([](Inputs x) { return Tensors{call(linalg_eigvals_op, {x[0]})}; }, {a});
  EXPECT_EQ(text(call_all(linalg_eig_op, {zeros(Sizes{2, 0, 0}, Dtype::f32)})[1].sizes()), "[2, 0, 0]");
}

TEST_F(ComplexLinearAlgebra, FactorsGiveTheMatrixBack) {
  for (Dtype d : {Dtype::c128, Dtype::c64}) {
    for (const Tensor& a : {random({5, 5}, d), random({2, 7, 4}, d), random({3, 6}, d), random({70, 33}, d)}) {
      const Tensors p = call_all(linalg_lu_op, {a}), q = call_all(linalg_qr_op, {a});
      const Tensors full = call_all(linalg_qr_op, {a, std::string_view("complete")});
      EXPECT_LT(apart(matmul(p[0], matmul(p[1], p[2])), a), tolerance(d));
      EXPECT_LT(apart(matmul(q[0], q[1]), a), tolerance(d));
      EXPECT_LT(apart(matmul(full[0], full[1]), a), tolerance(d));
      EXPECT_LT(off_identity(matmul(mh(full[0]), full[0])), tolerance(d));
      EXPECT_EQ(values(to(imag(diagonal_of(q[1])), Dtype::f64)), std::vector<double>(static_cast<size_t>(diagonal_of(q[1]).numel()), 0));
    }
    const Tensor s = positive({2, 4, 4}, d), l = call(linalg_cholesky_op, {s}), u = call(linalg_cholesky_op, {s, true}), b = random({2, 4, 3}, d);
    EXPECT_LT(apart(matmul(l, mh(l)), s), 30 * tolerance(d));
    EXPECT_LT(apart(matmul(mh(u), u), s), 30 * tolerance(d));
    for (bool upper : {false, true}) {
      const Tensor& f = upper ? u : l;
      EXPECT_LT(apart(matmul(s, call(cholesky_solve_op, {b, f, upper})), b), tolerance(d));
      EXPECT_LT(off_identity(matmul(s, call(cholesky_inverse_op, {f, upper}))), tolerance(d));
    }
  }
}

TEST_F(ComplexLinearAlgebra, ReflectionsMultiply) {
  const Tensor a = random({5, 3}), right = random({2, 5});
  const Tensors f = call_all(geqrf_op, {a});
  const Tensor q = call(linalg_householder_product_op, {f[0], f[1]}), left = random({5, 2});
  EXPECT_LT(apart(matmul(q, triu(narrow(f[0], -2, 0, 3))), a), 1e-13);
  const Tensor whole = call(ormqr_op, {f[0], f[1], to(eye(5, Dtype::f64), Dtype::c128)});
  EXPECT_LT(apart(narrow(whole, -1, 0, 3), q), 1e-13);
  EXPECT_LT(apart(call(ormqr_op, {f[0], f[1], left, true, true}), matmul(mh(whole), left)), 1e-13);
  EXPECT_LT(apart(call(ormqr_op, {f[0], f[1], right, false, false}), matmul(right, whole)), 1e-13);
  EXPECT_LT(apart(call(ormqr_op, {f[0], f[1], right, false, true}), matmul(right, mh(whole))), 1e-13);
}

TEST_F(ComplexLinearAlgebra, SolutionsSolve) {
  for (Dtype d : {Dtype::c128, Dtype::c64}) {
    const Tensor a = regular({2, 4, 4}, d), b = random({2, 4, 3}, d), upper = triu(a);
    EXPECT_LT(apart(matmul(a, call(linalg_solve_op, {a, b})), b), tolerance(d));
    EXPECT_LT(apart(matmul(call(linalg_solve_op, {a, mt(b), false}), a), mt(b)), tolerance(d));
    EXPECT_LT(off_identity(matmul(a, call(linalg_inv_op, {a}))), tolerance(d));
    EXPECT_LT(apart(matmul(upper, solve_triangular(upper, b, true)), b), tolerance(d));
    EXPECT_LT(apart(matmul(mt(upper), call_all(triangular_solve_op, {b, a, true, true})[0]), b), tolerance(d));
    const Tensors f = call_all(linalg_lu_factor_op, {a});
    EXPECT_LT(apart(matmul(mh(a), call(linalg_lu_solve_op, {f[0], f[1], b, true, true})), b), tolerance(d));
    EXPECT_LT(apart(matmul(call(linalg_lu_solve_op, {f[0], f[1], mt(b), false, true}), mh(a)), mt(b)), tolerance(d));
    EXPECT_LT(apart(matmul(call(linalg_lu_solve_op, {f[0], f[1], mt(b), false, false}), a), mt(b)), tolerance(d));
    EXPECT_LT(off_identity(matmul(call(linalg_matrix_power_op, {a, 2}), call(linalg_matrix_power_op, {a, -2}))), tolerance(d));
  }
}

TEST_F(ComplexLinearAlgebra, LeastSquaresLeaveNothingInTheColumns) {
  for (Dtype d : {Dtype::c128, Dtype::c64})
    for (const std::string_view driver : {"gels", "gelsy", "gelsd", "gelss"}) {
      const Tensor a = random({3, 9, 4}, d), b = random({3, 9, 2}, d);
      const Tensors x = call_all(linalg_lstsq_op, {a, b, std::nullopt, driver});
      EXPECT_LT(apart(matmul(mh(a), sub(matmul(a, x[0]), b)), zeros_like(x[0])), 10 * tolerance(d)) << driver;
      if (driver == "gelsd" || driver == "gelss") {
        EXPECT_LT(apart(x[3], call(linalg_svdvals_op, {a})), tolerance(d)) << driver;
      }
      if (driver == "gelsy") continue;
      EXPECT_EQ(x[1].dtype(), real_of(d));
      const int64_t rows = -2;
      EXPECT_LT(apart(x[1], sum(square(abs(sub(matmul(a, x[0]), b))), {&rows, 1})), 10 * tolerance(d)) << driver;
    }
  const Tensor a = random({4, 3}), p = call(linalg_pinv_op, {a});
  EXPECT_LT(apart(matmul(a, matmul(p, a)), a), 1e-12);
  EXPECT_LT(apart(mh(matmul(a, p)), matmul(a, p)), 1e-12);
}

TEST_F(ComplexLinearAlgebra, ExponentialsTurn) {
  const Tensor zero = zeros(Sizes{2, 2}, Dtype::f64), angles = tensor({0.5, 0, 0, -30}, {2, 2});
  const Tensor y = diagonal_of(call(linalg_matrix_exp_op, {call(complex_op, {zero, angles})}));
  EXPECT_LT(apart(y, call(polar_op, {ones(Sizes{2}, Dtype::f64), tensor({0.5, -30}, {2})})), 1e-13);
  const Tensor a = random({2, 3, 3});
  EXPECT_LT(off_identity(matmul(call(linalg_matrix_exp_op, {a}), call(linalg_matrix_exp_op, {neg(a)}))), 1e-11);
}

TEST_F(ComplexLinearAlgebra, DeterminantsAndTheirLogarithms) {
  const Tensor a = numbers({1, 0, 2, 1}, {1, -1, 0, 3}, {2, 2}), det = call(linalg_det_op, {a});      // (1+i)(1+3i) + 2i
  EXPECT_LT(apart(det, numbers({-2}, {6}, {})), 1e-14);
  const Tensors s = call_all(linalg_slogdet_op, {a});
  EXPECT_EQ(s[1].dtype(), Dtype::f64);
  EXPECT_LT(apart(mul(s[0], exp(s[1])), det), 1e-14);
  EXPECT_LT(apart(exp(call(logdet_op, {a})), det), 1e-14);
  const Tensors nothing = call_all(linalg_slogdet_op, {zeros(Sizes{2, 2}, Dtype::c128)});
  EXPECT_EQ(values(real(nothing[0]))[0], 0);
  EXPECT_EQ(values(nothing[1])[0], -HUGE_VAL);
}

// The determinant of 3 x 3 by its definition has derivatives everywhere.
TEST_F(ComplexLinearAlgebra, ASingularDeterminantHasExactDerivatives) {
  const auto by_definition = [](const Tensor& a) {
    const auto at = [&](int64_t i, int64_t j) { return select(select(a, -2, i), -1, j); };
    Tensor total;
    for (int64_t j = 0; j < 3; ++j)
      for (int64_t step : {1, 2}) {
        const Tensor term = mul(mul(at(0, j), at(1, (j + step) % 3)), at(2, (j + 2 * step) % 3));
        total = !total ? term : step == 1 ? add(total, term) : sub(total, term);
      }
    return total;
  };
  const Tensor u = random({3, 1}), v = random({1, 3}), w = random({3, 1}), x = random({1, 3});
  for (const Tensor& start : {matmul(u, v), add(matmul(u, v), matmul(w, x)), zeros(Sizes{3, 3}, Dtype::c128), random({3, 3})}) {
    const Tensor a = required(clone(start)), d1 = random({3, 3}), d2 = random({3, 3}), d3 = random({3, 3});
    const auto derivatives = [&](Tensor y) {                    // of the first three orders, along given directions
      Tensors all;
      y = real(mul(y, numbers({0.6}, {-0.8}, {})));
      for (const Tensor& d : {d1, d2, d3}) {
        all.push_back(grad({&y, 1}, {&a, 1}, {}, {.create_graph = true})[0]);
        y = sum(real(mul(all.back(), conj(d))));
      }
      return all;
    };
    const Tensors got = derivatives(call(linalg_det_op, {a})), want = derivatives(by_definition(a));
    for (size_t order = 0; order < 3; ++order) EXPECT_LT(apart(got[order], want[order]), 1e-11) << "order " << order + 1;
  }
}

TEST_F(ComplexLinearAlgebra, DerivativesWithSeveralResults) {
  const Tensor a = required(clone(regular({3, 3}))), tall_one = required(clone(random({4, 2}))), b = required(clone(random({3, 2})));
  expect_right([](Inputs x) { return call_all(linalg_slogdet_op, {x[0]}); }, {a});
  expect_right([](Inputs x) { return Tensors{call_all(linalg_slogdet_op, {x[0]})[0]}; }, {a});
  expect_right([](Inputs x) { return Tensors{call_all(linalg_lu_factor_ex_op, {x[0]})[0]}; }, {tall_one});
  expect_right([](Inputs x) { return call_all(linalg_qr_op, {x[0]}); }, {tall_one});
  expect_right([](Inputs x) {                                   // the polar factor, by U and V together
    const Tensors f = call_all(linalg_svd_op, {x[0], false});
    return Tensors{matmul(f[0], f[2]), f[1]};
  }, {tall_one});
  expect_right([](Inputs x) {
    const Tensors f = call_all(linalg_lstsq_op, {x[0], x[1], std::nullopt, std::string_view("gelsd")});
    return Tensors{f[0], f[3]};
  }, {a, b});
  expect_right([](Inputs x) {
    return Tensors{call(linalg_cond_op, {x[0]}), call(linalg_matrix_norm_op, {x[0], 2}), call(linalg_norm_op, {x[0], 1}),
                   call(linalg_norm_named_op, {x[0], std::string_view("nuc")})};
  }, {a});
}

TEST_F(ComplexLinearAlgebra, ErrorsNameWhatIsWrong) {
  expect_error(Status::value, "not positive-definite", [] { call(linalg_cholesky_op, {neg(positive({2, 2}))}); });
  expect_error(Status::value, "the matrix is singular", [] { call(linalg_inv_op, {zeros(Sizes{2, 2}, Dtype::c64)}); });
  expect_error(Status::dtype, "complex128 against float64", [] { call(linalg_solve_op, {regular({2, 2}), ones(Sizes{2, 1}, Dtype::f64)}); });
  for (const Op* op : {&linalg_svd_op, &linalg_eigh_op, &linalg_eig_op}) {
    const size_t vectors = op == &linalg_svd_op ? 0 : 1;
    const Tensor a = required(clone(positive({3, 3})));
    const Tensor y = sum(square(abs(call_all(*op, {a})[vectors])));
    EXPECT_LT(apart(gradient_of(y, a), zeros_like(a)), 1e-13);  // the lengths are constant
    expect_error(Status::value, "factors of size 1", [&] { gradient_of(sum(real(mul(call_all(*op, {a})[vectors], numbers({0.6}, {-0.8}, {})))), a); });
  }
  expect_error(Status::value, "infinite or not a number", [] { call_all(linalg_eig_op, {numbers({1}, {NAN}, {1, 1})}); });
}

}  // namespace
}  // namespace gradus
