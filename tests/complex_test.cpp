// Complex numbers: values by what they are on the real line and by other means, gradients by differences along both parts.
#include <complex>

#include "autograd/grad.h"
#include "autograd/gradcheck.h"
#include "dispatch/registry.h"
#include "fixture.h"
#include "io/print.h"
#include "kernels/complex.h"
#include "kernels/formulas/probe.h"
#include "ops/samples.h"

namespace gradus {
namespace {

using C = std::complex<double>;

class ComplexNumbers : public Core {
 protected:
  static Tensor tensor_of(std::vector<C> values, Sizes sizes, Dtype dtype = Dtype::c128) {
    Tensor t = empty(Dtype::c128, sizes);
    std::copy(values.begin(), values.end(), t.data<C>());
    return dtype == Dtype::c128 ? t : to(t, dtype);
  }
  static Tensor vector(std::vector<C> values, Dtype dtype = Dtype::c128) {
    const auto n = static_cast<int64_t>(values.size());
    return tensor_of(std::move(values), Sizes{n}, dtype);
  }
  static Tensor leaf_of(std::vector<C> values) {
    Tensor t = vector(std::move(values));
    set_requires_grad(t.impl(), true);
    return t;
  }
  static std::vector<C> numbers(const Tensor& t) {
    const Tensor c = clone(to(detach(t), Dtype::c128));
    return {c.data<C>(), c.data<C>() + c.numel()};
  }
  static Tensor leaf_like(const Tensor& t) {
    Tensor leaf = clone(t);
    set_requires_grad(leaf.impl(), true);
    return leaf;
  }
  static void run_backward(const Tensor& loss) { const Tensor none; backward({&loss, 1}, {&none, 1}); }
  static void expect_near(const Tensor& got, const std::vector<C>& want, double tolerance = 1e-13) {
    const std::vector<C> g = numbers(got);
    ASSERT_EQ(g.size(), want.size());
    for (size_t i = 0; i < g.size(); ++i)
      EXPECT_LE(std::abs(g[i] - want[i]), tolerance * (1 + std::abs(want[i]))) << i << ": " << g[i] << " for " << want[i];
  }
};

// ---- values
TEST_F(ComplexNumbers, Arithmetic) {
  const std::vector<C> a = {{1, 2}, {-3, 0.5}}, b = {{0.5, -1}, {2, 2}};
  const Tensor x = vector(a), y = vector(b);
  expect_near(add(x, y, 2), {a[0] + 2.0 * b[0], a[1] + 2.0 * b[1]});
  expect_near(sub(x, y), {a[0] - b[0], a[1] - b[1]});
  expect_near(mul(x, y), {a[0] * b[0], a[1] * b[1]});
  expect_near(div(x, y), {a[0] / b[0], a[1] / b[1]});
  expect_near(pow(x, y), {std::pow(a[0], b[0]), std::pow(a[1], b[1])});
  expect_near(pow(x, 3), {a[0] * a[0] * a[0], a[1] * a[1] * a[1]});
  expect_near(pow(x, -1), {1.0 / a[0], 1.0 / a[1]});
  expect_near(rsub(x, 1.5), {1.5 - a[0], 1.5 - a[1]});
  expect_near(conj(x), {std::conj(a[0]), std::conj(a[1])});
  expect_near(abs(x), {std::abs(a[0]), std::abs(a[1])});
  expect_near(call(angle_op, {x}), {std::arg(a[0]), std::arg(a[1])});
  expect_near(sgn(x), {a[0] / std::abs(a[0]), a[1] / std::abs(a[1])});
  expect_near(prod(x), {a[0] * a[1]});
  expect_near(cumsum(x, 0), {a[0], a[0] + a[1]});
  EXPECT_EQ(abs(x).dtype(), Dtype::f64);
}

TEST_F(ComplexNumbers, DivisionDoesNotOverflow) {
  expect_near(div(vector({{1e300, 1e300}, {1e-300, 0}}), vector({{1e300, 1e300}, {0, 1e-300}})), {{1, 0}, {0, -1}});
  expect_near(abs(vector({{3e300, 4e300}})), {5e300});
  expect_near(sigmoid(vector({{-1000, 1}, {1000, 1}})), {0, 1});
}

TEST_F(ComplexNumbers, SpecialPoints) {
  const Tensor zero = vector({0});
  EXPECT_EQ(numbers(pow(zero, 0))[0], C(1));
  EXPECT_EQ(numbers(pow(zero, 2))[0], C(0));
  EXPECT_EQ(numbers(sgn(zero))[0], C(0));
  EXPECT_EQ(numbers(sqrt(vector({-4})))[0], C(0, 2));
  expect_near(log1p(vector({{1e-20, 0}, {0, 1e-10}})), {1e-20, {5e-21, 1e-10}}, 1e-25);
  expect_near(expm1(vector({{1e-20, 0}})), {1e-20}, 1e-30);
  const Tensor odd = vector({{kNan, 0}, {0, kInfinity}, {1, 1}});
  EXPECT_EQ(values(isnan(odd)), (std::vector<double>{1, 0, 0}));
  EXPECT_EQ(values(isfinite(odd)), (std::vector<double>{0, 0, 1}));
  EXPECT_EQ(values(eq(vector({{1, 0}, {1, 1}}), 1)), (std::vector<double>{1, 0}));
  EXPECT_EQ(values(call(angle_op, {vector({0, C(-0.0, 0), -1})}))[2], 3.141592653589793);
}

TEST_F(ComplexNumbers, Promotion) {
  const auto of = [](Dtype a, Dtype b) { return mul(ones(Sizes{1}, a), ones(Sizes{1}, b)).dtype(); };
  EXPECT_EQ(of(Dtype::c64, Dtype::f32), Dtype::c64);
  EXPECT_EQ(of(Dtype::c64, Dtype::f64), Dtype::c128);
  EXPECT_EQ(of(Dtype::c64, Dtype::bf16), Dtype::c64);
  EXPECT_EQ(of(Dtype::i64, Dtype::c64), Dtype::c64);
  EXPECT_EQ(mul(ones(Sizes{1}, Dtype::f32), ones({}, Dtype::c128)).dtype(), Dtype::c64);
  EXPECT_EQ(mul(ones(Sizes{1}, Dtype::f64), ones({}, Dtype::c64)).dtype(), Dtype::c128);
  EXPECT_EQ(mul(ones(Sizes{1}, Dtype::c64), 2.5).dtype(), Dtype::c64);
  EXPECT_EQ(exp(ones(Sizes{1}, Dtype::c64)).dtype(), Dtype::c64);
}

TEST_F(ComplexNumbers, WhatIsNotDefinedIsRefused) {
  const Tensor z = vector({{1, 2}}), f = ones(Sizes{1}, Dtype::f64);
  expect_error(Status::unsupported, "lt: does not support complex128", [&] { lt(z, 1); });
  expect_error(Status::unsupported, "floor: does not support complex128", [&] { floor(z); });
  expect_error(Status::unsupported, "sign: does not support complex128", [&] { sign(z); });
  expect_error(Status::unsupported, "softmax: does not support complex128", [&] { softmax(z, 0); });
  expect_error(Status::unsupported, "mse_loss: does not support complex128", [&] { call(*find_op("mse_loss"), {z, z}); });
  expect_error(Status::dtype, "imag: the tensor must be complex", [&] { imag(f); });
  expect_error(Status::dtype, "can't be cast", [&] { call_in_place(mul_op, {f, z}); });
  expect_error(Status::unsupported, "abs_: not in place for complex128", [&] { call_in_place(abs_op, {z}); });
}

TEST_F(ComplexNumbers, Print) {
  EXPECT_EQ(print(vector({{1, 2}, {-3, -0.5}}, Dtype::c64)), "tensor([ 1.+2.0000j, -3.-0.5000j])");
  EXPECT_EQ(print(tensor_of({{1, 2}}, {})), "tensor(1.+2.j, dtype=torch.complex128)");
}

// ---- parts and views
TEST_F(ComplexNumbers, PartsAreViews) {
  const Tensor z = vector({{1, 2}, {3, 4}}), x = real(z), y = imag(z);
  EXPECT_EQ(values(x), (std::vector<double>{1, 3}));
  EXPECT_EQ(values(y), (std::vector<double>{2, 4}));
  call_in_place(mul_op, {x, 10});
  expect_near(z, {{10, 2}, {30, 4}});
  const Tensor again = view_as_complex(view_as_real(z));
  EXPECT_EQ(again.storage().data, z.storage().data);
  expect_error(Status::shape, "must be 2", [&] { view_as_complex(ones(Sizes{3}, Dtype::f64)); });
  expect_error(Status::shape, "must be 1", [&] { view_as_complex(transpose(ones(Sizes{2, 3}, Dtype::f64), 0, 1)); });
}

TEST_F(ComplexNumbers, WritesThroughPartsKeepTheirHistory) {
  const Tensor leaf = leaf_of({{1, 2}, {3, 4}}), z = mul(leaf, 1), x = real(z);
  call_in_place(mul_op, {x, 3});                              // z = 3 re + i im
  run_backward(sum(add(square(real(z)), square(imag(z)))));
  expect_near(grad_of(leaf), {{18, 4}, {54, 8}});
}
TEST_F(ComplexNumbers, WritesOfTheWholeReachItsParts) {
  const Tensor leaf = leaf_of({{1, 2}}), z = mul(leaf, 1), y = imag(z);
  call_in_place(mul_op, {z, vector({{0, 1}})});               // y is now the real part of the leaf
  run_backward(sum(square(y)));
  expect_near(grad_of(leaf), {{2, 0}});
}
TEST_F(ComplexNumbers, WritesThroughAComplexViewOfPairs) {
  const Tensor leaf = Core::leaf({1, 2}, {1, 2}), pairs = mul(leaf, 1), z = view_as_complex(pairs);
  call_in_place(mul_op, {z, vector({{0, 1}})});               // (-im, re)
  run_backward(sum(mul(pairs, tensor({10, 1}, {1, 2}))));
  EXPECT_EQ(values(grad_of(leaf)), (std::vector<double>{1, -10}));
}

// ---- gradients
TEST_F(ComplexNumbers, ConventionIsTheConjugate) {             // |z|^2 grows along z
  const Tensor z = leaf_of({{3, 4}});
  run_backward(sum(add(square(real(z)), square(imag(z)))));
  expect_near(grad_of(z), {{6, 8}});
}
TEST_F(ComplexNumbers, ARealInputHasARealGradient) {
  const Tensor x = Core::leaf({1, 2}, {2}), c = call(complex_op, {x, mul(x, 2)});
  run_backward(sum(real(mul(c, conj(c)))));
  EXPECT_EQ(grad_of(x).dtype(), Dtype::f64);
  EXPECT_EQ(values(grad_of(x)), (std::vector<double>{10, 20}));
}
TEST_F(ComplexNumbers, AbsAndAngleAtTheOrigin) {
  const Tensor z = leaf_of({0});
  run_backward(sum(add(abs(z), call(angle_op, {z}))));
  EXPECT_EQ(numbers(grad_of(z))[0], C(0));
}
TEST_F(ComplexNumbers, OnlyARealResultImpliesASeed) {
  const Tensor z = leaf_of({{1, 2}}), y = mul(z, z);
  expect_error(Status::dtype, "only for a real output", [&] { run_backward(sum(y)); });
  const Tensor real_seed = ones(Sizes{1}, Dtype::f64), seed = vector({1});
  expect_error(Status::dtype, "has dtype float64", [&] { backward({&y, 1}, {&real_seed, 1}); });
  backward({&y, 1}, {&seed, 1});
  expect_near(grad_of(z), {{2, -4}});                         // the conjugate of 2 z
}
TEST_F(ComplexNumbers, CastsTakeTheRealPart) {
  const Tensor x = Core::leaf({1, 2}, {2}), z = to(x, Dtype::c128);
  const Tensor y = to(leaf_of({{1, 2}}), Dtype::f32);
  EXPECT_EQ(values(y), (std::vector<double>{1}));
  const Tensor seed = vector({{1, 5}, {2, 7}});
  backward({&z, 1}, {&seed, 1});
  EXPECT_EQ(values(grad_of(x)), (std::vector<double>{1, 2}));
}
TEST_F(ComplexNumbers, GradientsAddUpInPlace) {
  const Tensor z = leaf_of({{1, 2}});
  for (int i = 0; i < 3; ++i) run_backward(sum(real(mul(z, vector({{0, 1}})))));
  expect_near(grad_of(z), {{0, -3}});
}

// ---- moments, scans, padding, convolution, random numbers
TEST_F(ComplexNumbers, VariancesAreReal) {
  const Tensor z = leaf_of({{1, 2}, {-3, 0.5}, {2, -1}, {0, 4}});
  const auto both = call_all(*find_op("var_mean"), {z});
  EXPECT_EQ(both[0].dtype(), Dtype::f64);
  EXPECT_EQ(both[1].dtype(), Dtype::c128);
  expect_near(both[1], {C(0, 5.5) / 4.0});
  const Tensor parts = add(call(*find_op("var"), {real(z)}), call(*find_op("var"), {imag(z)}));
  expect_near(both[0], numbers(parts));
  expect_near(call(*find_op("std"), {z}), numbers(sqrt(parts)));
  run_backward(both[0]);                                      // 2 (z - mean) / (n - 1)
  expect_near(grad_of(z), numbers(mul(sub(detach(z), detach(both[1])), 2.0 / 3)));
  EXPECT_TRUE(std::isnan(numbers(call(*find_op("var"), {vector({{1, 2}})}))[0].real()));
  EXPECT_EQ(call(*find_op("var"), {vector({{1, 2}, {3, 4}}, Dtype::c64)}).dtype(), Dtype::f32);
}

TEST_F(ComplexNumbers, Scans) {
  const std::vector<C> a = {{1, 2}, {0, 0}, {-3, 0.5}};
  const Tensor x = vector(a);
  expect_near(call(cumprod_op, {x, 0}), {a[0], 0, 0});
  expect_near(call(logcumsumexp_op, {x, 0}), {std::log(std::exp(a[0])), std::log(std::exp(a[0]) + 1.0), std::log(std::exp(a[0]) + 1.0 + std::exp(a[2]))});
  expect_near(logsumexp(x, Sizes{0}), {std::log(std::exp(a[0]) + 1.0 + std::exp(a[2]))});
  expect_near(call(cumprod_op, {full(Sizes{2}, 2.0, Dtype::f64), 0, Dtype::c64}), {2, 4});
  const Tensor far = vector({{900, 1}, {-HUGE_VAL, 0}});      // no overflow, and nothing of nothing
  expect_near(call(logcumsumexp_op, {far, 0}), {{900, 1}, {900, 1}});
  const Tensor z = leaf_of({{1, 2}, {0, 0}, {0, 0}, {2, 1}});  // exact where two factors are 0
  run_backward(sum(real(call(cumprod_op, {z, 0}))));
  expect_near(grad_of(z), {1, {1, -2}, 0, 0});
}

TEST_F(ComplexNumbers, ConvolutionIsThatOfTheParts) {
  const Tensor x = tensor_of({{1, 2}, {-3, 0.5}, {2, -1}, {0, 4}}, Sizes{1, 1, 4}), w = tensor_of({{0, 1}, {2, -1}}, Sizes{1, 1, 2}), b = vector({{0.5, -2}});
  const std::vector<C> a = numbers(x), k = numbers(w);
  std::vector<C> want;
  for (size_t i = 0; i < 3; ++i) want.push_back(a[i] * k[0] + a[i + 1] * k[1] + C(0.5, -2));
  expect_near(call(*find_op("conv1d"), {x, w, b}), want);
  const GradcheckFunction f = [](std::span<const Tensor> in) { return Tensors{call(*find_op("conv_transpose1d"), {in[0], in[1], in[2], 2, 1})}; };
  const Tensors all{leaf_like(x), leaf_like(w), leaf_like(b)};
  EXPECT_TRUE(gradcheck(f, all).passed);
  EXPECT_TRUE(gradgradcheck(f, all).passed);
  expect_error(Status::dtype, "an input of complex128 with a weight of float64", [&] { call(*find_op("conv1d"), {x, real(w)}); });
}

TEST_F(ComplexNumbers, PaddingMovesNumbers) {
  const Tensor x = tensor_of({{1, 2}, {-3, 0.5}, {2, -1}}, Sizes{1, 1, 3});
  const auto padded = [&](std::string_view mode) { return call(*find_op("pad"), {x, Sizes{1, 1}, mode}); };
  expect_near(padded("constant"), {0, {1, 2}, {-3, 0.5}, {2, -1}, 0});
  expect_near(padded("reflect"), {{-3, 0.5}, {1, 2}, {-3, 0.5}, {2, -1}, {-3, 0.5}});
  expect_near(padded("replicate"), {{1, 2}, {1, 2}, {-3, 0.5}, {2, -1}, {2, -1}});
  expect_near(padded("circular"), {{2, -1}, {1, 2}, {-3, 0.5}, {2, -1}, {1, 2}});
}

TEST_F(ComplexNumbers, RandomNumbersSpreadOverBothParts) {
  const Tensor n = randn(Sizes{4096}, Dtype::c128);           // of variance 1, half of it in each part
  expect_near(mean(n), {0}, 0.1);
  expect_near(call(*find_op("var"), {real(n)}), {0.5}, 0.1);
  expect_near(call(*find_op("var"), {imag(n)}), {0.5}, 0.1);
  Tensor t = empty(Dtype::c64, Sizes{4096});
  call_in_place(*find_op("normal"), {t, 3, 2});
  expect_near(mean(t), {3}, 0.1);
  expect_near(call(*find_op("var"), {t}), {4}, 0.1);
  const Tensor u = rand(Sizes{4096}, Dtype::c64);
  expect_near(mean(u), {{0.5, 0.5}}, 0.1);
  for (const C& c : numbers(u)) EXPECT_TRUE(c.real() >= 0 && c.real() < 1 && c.imag() >= 0 && c.imag() < 1);
}

// ---- complex numbers beside tensors
TEST_F(ComplexNumbers, NumbersPromoteAsFarAsTheyMust) {
  const Number i(0.0, 1.0);
  for (const auto& [type, want] : {std::pair{Dtype::i64, Dtype::c64}, {Dtype::f32, Dtype::c64}, {Dtype::f64, Dtype::c128}, {Dtype::c64, Dtype::c64}, {Dtype::c128, Dtype::c128}}) {
    const Tensor y = call(mul_op, {Value(ones(Sizes{2}, type)), Value(i)}), z = call(sub_op, {Value(i), Value(ones(Sizes{}, type))});
    EXPECT_EQ(y.dtype(), want);
    EXPECT_EQ(z.dtype(), want);
    expect_near(y, {{0, 1}, {0, 1}});
    expect_near(z, {{-1, 1}});
  }
  expect_near(full(Sizes{2}, i), {{0, 1}, {0, 1}});
  EXPECT_EQ(full(Sizes{2}, i).dtype(), Dtype::c64);
  expect_near(full_like(vector({1, 2}), i), {{0, 1}, {0, 1}});
  expect_near(linspace(i, Number(2.0, 1.0), 3), {{0, 1}, {1, 1}, {2, 1}});
  expect_near(call(logspace_op, {Value(i), Value(2), Value(2), Value(10.0), Value(Dtype::c128)}), {std::pow(C(10), C(0, 1)), 100});
  expect_near(call(*find_op("constant_pad_nd"), {Value(vector({1})), Value(Sizes{1, 1}), Value(i)}), {{0, 1}, 1, {0, 1}});
  expect_near(masked_fill(vector({1, 2}), eq(vector({1, 2}), 1), Value(i)), {{0, 1}, 2});
  expect_near(call(fill_op, {Value(vector({1, 2})), Value(i)}), {{0, 1}, {0, 1}});
  expect_near(call(eq_op, {Value(vector({{0, 1}, 2})), Value(i)}), {1, 0});
}

TEST_F(ComplexNumbers, NumbersInFormulasHaveGradients) {
  const Number w(2.0, -1.5);
  const std::vector<GradcheckFunction> functions = {
      [w](std::span<const Tensor> in) { return Tensors{call(add_op, {Value(in[0]), Value(in[1]), Value(w)})}; },
      [w](std::span<const Tensor> in) { return Tensors{call(rsub_op, {Value(in[0]), Value(w)}), call(div_op, {Value(w), Value(in[1])})}; },
      [w](std::span<const Tensor> in) { return Tensors{call(pow_op, {Value(in[0]), Value(w)}), call(pow_op, {Value(w), Value(in[1])})}; },
      [w](std::span<const Tensor> in) { return Tensors{call(*find_op("addcmul"), {Value(in[0]), Value(in[1]), Value(in[0]), Value(w)})}; },
      [w](std::span<const Tensor> in) { return Tensors{call(index_add_op, {Value(in[0]), Value(0), Value(arange(0, 3)), Value(in[1]), Value(w)})}; },
      [w](std::span<const Tensor> in) { return Tensors{call(mul_op, {Value(in[2]), Value(w)}), call(pow_op, {Value(in[2]), Value(w)})}; }};    // real in[2]
  for (size_t k = 0; k < functions.size(); ++k) {
    const Tensors all{leaf_of({{0.5, -1}, {2, 0.25}, {-0.75, 1.5}}), leaf_of({{1, 1}, {-2, 0.5}, {0.1, 0.2}}), leaf({0.5, 1, 2}, {3})};
    const GradcheckResult first = gradcheck(functions[k], all), second = gradgradcheck(functions[k], all);
    EXPECT_TRUE(first.passed) << k << ": " << first.report;
    EXPECT_TRUE(second.passed) << k << ": " << second.report;
  }
}

TEST_F(ComplexNumbers, NumbersAreRefusedWhereRealOnesAreWanted) {
  const Value i(Number(0.0, 1.0));
  const Tensor x = ones(Sizes{2}), z = vector({1, 2});
  expect_error(Status::argument, "linalg_vector_norm: argument 'ord' must be a real number", [&] { call(linalg_vector_norm_op, {Value(z), i}); });
  expect_error(Status::argument, "relu: argument 'self' must be a real number", [&] { call(relu_op, {i}); });
  expect_error(Status::argument, "pad: argument 'value' must be a real number", [&] { call(*find_op("pad"), {Value(z), Value(Sizes{1, 1}), Value(std::string_view("constant")), i}); });
  expect_error(Status::dtype, "add: argument 'alpha' is a complex number, for float32", [&] { call(add_op, {Value(x), Value(x), i}); });
  expect_error(Status::dtype, "full_like: argument 'fill_value' is a complex number, for float32", [&] { call(full_like_op, {Value(x), i}); });
  expect_error(Status::dtype, "fill_: argument 'value' is a complex number, for float32", [&] { call_in_place(fill_op, {Value(x), i}); });
  expect_error(Status::dtype, "can't be cast", [&] { call_in_place(mul_op, {Value(x), i}); });
  expect_near(x, {1, 1});
}

TEST_F(ComplexNumbers, ADtypeIsRefusedWhereTensorsAre) {
  expect_error(Status::unsupported, "arange: does not support complex64", [] { arange(0, 5, 1, Dtype::c64); });
  expect_error(Status::unsupported, "randint: does not support complex128", [] { call(randint_op, {0, 5, Sizes{2}, Dtype::c128}); });
  expect_error(Status::unsupported, "nansum: does not support complex64", [] { call(*find_op("nansum"), {ones(Sizes{2}), std::nullopt, false, Dtype::c64}); });
  expect_near(linspace(0, 1, 3, Dtype::c64), {0, 0.5, 1});
  expect_near(softmax(vector({{0, 5}, {0, 7}}), 0, Dtype::f64), {0.5, 0.5});    // of the real parts
}

TEST_F(ComplexNumbers, GradcheckMovesBothParts) {
  const Tensor z = leaf_of({{0.5, -1}, {2, 0.25}, {-0.75, 1.5}}), w = leaf_of({{1, 1}, {-2, 0.5}, {0.1, 0.2}}), x = leaf({0.5, 1, -2}, {3});
  const Tensors all{z, w, x};
  const GradcheckFunction right = [](std::span<const Tensor> in) { return Tensors{mul(exp(in[0]), in[1]), abs(sub(in[0], in[2]))}; };
  const GradcheckResult first = gradcheck(right, all), second = gradgradcheck(right, all);
  EXPECT_TRUE(first.passed) << first.report;
  EXPECT_TRUE(second.passed) << second.report;
  // Half of the gradient of |z|^2 is missing.
  const GradcheckFunction wrong = [](std::span<const Tensor> in) { return Tensors{real(mul(conj(in[0]), detach(in[0])))}; };
  EXPECT_FALSE(gradcheck(wrong, Tensors{z}).passed);
  EXPECT_EQ(numbers(z), (std::vector<C>{{0.5, -1}, {2, 0.25}, {-0.75, 1.5}}));    // put back
}

}  // namespace
}  // namespace gradus
