// What the suite does not try of elementwise ops: edges, kinks, promotion, refusals.
#include "fixture.h"

namespace gradus {
namespace {

using Elementwise = Core;
using Doubles = std::vector<double>;
constexpr double kInf = std::numeric_limits<double>::infinity(), kNaN = std::numeric_limits<double>::quiet_NaN();
using Function = std::function<Tensor(const Tensor&)>;

void expect_same(const Doubles& got, const Doubles& want, const char* what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  for (size_t i = 0; i < got.size(); ++i) {
    const bool both_nan = std::isnan(got[i]) && std::isnan(want[i]);
    EXPECT_TRUE(both_nan || (std::signbit(got[i]) == std::signbit(want[i]) && (got[i] == want[i] || std::abs(got[i] - want[i]) <= 4e-15 * std::abs(want[i]))))
        << what << ": element " << i << " is " << got[i] << ", expected " << want[i];
  }
}

class Kinks : public Core {
 protected:
  // The gradient of the sum of f(x); by the kernel, and by the expression that create_graph records.
  static void expect_gradient(const char* what, const Function& f, std::initializer_list<double> x, const Doubles& want) {
    for (bool create_graph : {false, true}) {
      const Tensor a = leaf(x, {static_cast<int64_t>(x.size())}), y = sum(f(a));
      const Tensors g = grad({&y, 1}, {&a, 1}, {}, {.create_graph = create_graph});
      const Doubles got = values(g[0]);
      for (size_t i = 0; i < got.size(); ++i)
        EXPECT_TRUE(got[i] == want[i] || (std::isnan(got[i]) && std::isnan(want[i])) || std::abs(got[i] - want[i]) < 1e-14)
            << what << (create_graph ? ", recorded" : "") << ": at " << x.begin()[i] << " the gradient is " << got[i] << ", expected " << want[i];
    }
  }
  // The second derivative of the sum of f(x).
  static Doubles second(const Function& f, std::initializer_list<double> x) {
    const Tensor a = leaf(x, {static_cast<int64_t>(x.size())}), y = sum(f(a));
    const Tensors g = grad({&y, 1}, {&a, 1}, {}, {.create_graph = true});
    const Tensor z = sum(g[0]);
    return values(grad({&z, 1}, {&a, 1}, {})[0]);
  }
};

TEST_F(Kinks, OfOneInput) {
  expect_gradient("abs", [](const Tensor& x) { return abs(x); }, {-1, 0, 2}, {-1, 0, 1});
  expect_gradient("relu", [](const Tensor& x) { return relu(x); }, {-1, 0, 2, kNaN}, {0, 0, 1, 1});
  expect_gradient("relu6", [](const Tensor& x) { return relu6(x); }, {-1, 0, 3, 6, 7}, {0, 0, 1, 0, 0});
  expect_gradient("hardtanh", [](const Tensor& x) { return hardtanh(x); }, {-1, 0, 1, kNaN}, {0, 1, 0, 1});
  expect_gradient("leaky_relu", [](const Tensor& x) { return leaky_relu(x, 0.1); }, {-1, 0, 1}, {0.1, 0.1, 1});
  expect_gradient("elu", [](const Tensor& x) { return elu(x, 2); }, {0, 1}, {2, 1});
  expect_gradient("hardshrink", [](const Tensor& x) { return hardshrink(x); }, {-0.5, 0.5, 0.6}, {0, 0, 1});
  expect_gradient("softshrink", [](const Tensor& x) { return softshrink(x); }, {-0.5, 0.5, 0.6}, {0, 0, 1});
  expect_gradient("hardsigmoid", [](const Tensor& x) { return hardsigmoid(x); }, {-3, 0, 3}, {0, 1.0 / 6, 0});
  expect_gradient("hardswish", [](const Tensor& x) { return hardswish(x); }, {-4, -3, 0, 3}, {0, -0.5, 0.5, 1});
  expect_gradient("clamp", [](const Tensor& x) { return clamp(x, -1, 1); }, {-2, -1, 0, 1, 2}, {0, 1, 1, 1, 0});
  expect_gradient("clamp_min", [](const Tensor& x) { return clamp(x, 0); }, {-1, 0, 1}, {0, 1, 1});
  expect_gradient("threshold", [](const Tensor& x) { return threshold(x, 1, 5); }, {0, 1, 2}, {0, 0, 1});
  expect_gradient("floor", [](const Tensor& x) { return floor(x); }, {0.5, 1}, {0, 0});
  expect_gradient("round", [](const Tensor& x) { return round(x); }, {0.5, 1.2}, {0, 0});
  expect_gradient("sign", [](const Tensor& x) { return sign(x); }, {-1, 0, 1}, {0, 0, 0});
  expect_gradient("frac", [](const Tensor& x) { return frac(x); }, {0.5, 1}, {1, 1});
  expect_gradient("sqrt", [](const Tensor& x) { return sqrt(x); }, {0, 4}, {kInf, 0.25});
  expect_gradient("sinc", [](const Tensor& x) { return sinc(x); }, {0}, {0});
  expect_gradient("asin", [](const Tensor& x) { return asin(x); }, {-1, 1}, {kInf, kInf});
  expect_gradient("nan_to_num", [](const Tensor& x) { return nan_to_num(x); }, {kNaN, kInf, 1}, {0, 0, 1});
  expect_gradient("pow 0", [](const Tensor& x) { return pow(x, 0); }, {0, 2, kNaN}, {0, 0, 0});
  expect_gradient("pow 0.5", [](const Tensor& x) { return pow(x, 0.5); }, {0, 4}, {kInf, 0.25});
  expect_gradient("pow 2", [](const Tensor& x) { return pow(x, 2); }, {-1, 0, 3}, {-2, 0, 6});
  expect_gradient("0 to the power", [](const Tensor& x) { return pow(0.0, x); }, {-1, 0, 2}, {-kInf, 0, 0});
  expect_gradient("xlogy", [](const Tensor& x) { return xlogy(x, 0.0); }, {0, 1}, {0, -kInf});
  expect_gradient("softplus", [](const Tensor& x) { return softplus(x); }, {-800, 0, 21}, {0, 0.5, 1});
}

TEST_F(Kinks, OfTwoInputs) {
  const auto both = [](const Op& op, double a, double b) {
    const Tensor x = leaf({a}, {1}), y = leaf({b}, {1}), z = sum(call(op, {x, y}));
    const Tensor inputs[] = {x, y};
    const Tensors g = grad({&z, 1}, inputs, {});
    return Doubles{values(g[0])[0], values(g[1])[0]};
  };
  EXPECT_EQ(both(maximum_op, 1, 1), (Doubles{0.5, 0.5}));
  EXPECT_EQ(both(minimum_op, 1, 2), (Doubles{1, 0}));
  EXPECT_EQ(both(fmax_op, 1, 1), (Doubles{1, 0}));
  EXPECT_EQ(both(fmin_op, kNaN, 1), (Doubles{0, 1}));
  EXPECT_EQ(both(hypot_op, 0, 0), (Doubles{0, 0}));
  EXPECT_EQ(both(clamp_min_op, 1, 1), (Doubles{1, 0}));
  EXPECT_EQ(both(copysign_op, 0, -1), (Doubles{0, 0}));
  EXPECT_EQ(both(copysign_op, 2, -1), (Doubles{-1, 0}));
  EXPECT_EQ(both(fmod_op, 7, -2), (Doubles{1, 3}));
  EXPECT_EQ(both(remainder_op, 7, -2), (Doubles{1, 4}));
  EXPECT_EQ(both(floor_divide_op, 7, 2), (Doubles{0, 0}));
  EXPECT_EQ(both(logaddexp_op, kInf, kInf), (Doubles{0.5, 0.5}));
  EXPECT_TRUE(std::isnan(both(atan2_op, 0, 0)[0]));
}

TEST_F(Kinks, KeepTheirSecondDerivative) {
  EXPECT_EQ(second([](const Tensor& x) { return pow(x, 2); }, {-1, 0, 3}), (Doubles{2, 2, 2}));
  EXPECT_EQ(second([](const Tensor& x) { return pow(x, 3); }, {-1, 0, 2}), (Doubles{-6, 0, 12}));
  EXPECT_EQ(second([](const Tensor& x) { return square(relu(x)); }, {-1, 0, 2}), (Doubles{0, 0, 2}));
  EXPECT_EQ(second([](const Tensor& x) { return hypot(x, 0.0); }, {0, 1}), (Doubles{0, 0}));
  EXPECT_NEAR(second([](const Tensor& x) { return sinc(x); }, {0})[0], -M_PI * M_PI / 3, 1e-12);
  EXPECT_NEAR(second([](const Tensor& x) { return gelu(x); }, {0})[0], 2 / std::sqrt(2 * M_PI), 1e-12);
  EXPECT_NEAR(second([](const Tensor& x) { return logaddexp(x, 0.0); }, {0})[0], 0.25, 1e-12);
  for (double v : second([](const Tensor& x) { return elu(x); }, {800, -800})) EXPECT_EQ(v, 0);
  const Doubles tails = second([](const Tensor& x) { return log_sigmoid(x); }, {-40, 0, 40});
  for (int i : {0, 2}) EXPECT_NEAR(tails[i], -4.248354255291589e-18, 1e-30);
  EXPECT_EQ(tails[1], -0.25);
  for (double v : second([](const Tensor& x) { return mish(x); }, {-700, 700})) EXPECT_NEAR(v, 0, 1e-14);
  for (double v : second([](const Tensor& x) { return softplus(x); }, {-700, 700})) EXPECT_NEAR(v, 0, 1e-300);
}

// The slope b^(a-1) e^-b / gamma(a) of the incomplete gamma functions at b = 0, and its own slope there.
TEST_F(Kinks, OfIncompleteGammaFunctionsAtTheirEnds) {
  const struct { double a, first, second; } cases[] = {{1, 1, -1}, {2, 0, 1}, {3, 0, 0}, {0.5, kInf, -kInf}};
  for (const auto& k : cases) {
    const auto p = [&](const Tensor& x) { return call(igamma_op, {tensor({k.a, k.a}, {2}), x}); };
    const auto q = [&](const Tensor& x) { return call(igammac_op, {tensor({k.a, k.a}, {2}), x}); };
    expect_gradient("igamma", p, {0, kInf}, {k.first, 0});
    expect_gradient("igammac", q, {0, kInf}, {-k.first, 0});
    EXPECT_EQ(second(p, {0, kInf}), (Doubles{k.second, 0})) << k.a;
    EXPECT_EQ(second(q, {0, kInf}), (Doubles{-k.second, 0})) << k.a;
  }
  for (double a : {1.0, 200.0}) {                             // between the ends, also where b^(a-1) has no room
    const double x = a == 1 ? 3 : 1000, density = std::exp((a - 1) * std::log(x) - x - std::lgamma(a));
    const auto p = [&](const Tensor& b) { return call(igamma_op, {tensor({a}, {1}), b}); };
    expect_gradient("igamma", p, {x}, {density});
    EXPECT_NEAR(second(p, {x})[0], density * ((a - 1) / x - 1), 1e-14);
    expect_gradient("igamma", p, {-1}, {kNaN});
  }
}

TEST_F(Kinks, NothingIsAddedToASlopeOfOne) {
  expect_gradient("mish", [](const Tensor& x) { return mish(x); }, {30, 1000, 1e200, kInf}, {1, 1, 1, 1});
  expect_gradient("log_sigmoid", [](const Tensor& x) { return log_sigmoid(x); }, {-1000, 0, 1000, kNaN}, {1, 0.5, 0, kNaN});
}

TEST_F(Elementwise, TheBranchNotTakenGivesExactlyZero) {
  const Tensor x = leaf({1, 2}, {2}), infinite = tensor({kInf, kNaN}, {2});
  const Tensor mask = tensor({0, 0}, {2}, Dtype::boolean);
  for (bool create_graph : {false, true}) {
    const Tensor y = sum(mul(where(mask, x, 0.0), infinite));
    expect_same(values(grad({&y, 1}, {&x, 1}, {}, {.create_graph = create_graph})[0]), {0, 0}, "where");
    const Tensor z = sum(mul(relu(neg(x)), infinite));
    expect_same(values(abs(detach(grad({&z, 1}, {&x, 1}, {}, {.create_graph = create_graph})[0]))), {0, 0}, "relu");
  }
}

// As PyTorch, whose backward ops of these know their inputs: the second derivative is 0, not an error or none.
TEST_F(Elementwise, AGradientThatIsConstantByPiecesHasAGradient) {
  using F = Tensor (*)(const Tensor&);
  const F functions[] = {
      [](const Tensor& x) { return relu(x); },
      [](const Tensor& x) { return abs(x); },
      [](const Tensor& x) { return call(clamp_op, {x, -1.0, 1.0}); },
      [](const Tensor& x) { return call(leaky_relu_op, {x}); },
      [](const Tensor& x) { return call(hardtanh_op, {x}); },
      [](const Tensor& x) { return call(hardsigmoid_op, {x}); },
      [](const Tensor& x) { return call(hardshrink_op, {x}); },
      [](const Tensor& x) { return call(softshrink_op, {x}); },
      [](const Tensor& x) { return call(threshold_op, {x, 0.5, 2.0}); },
      [](const Tensor& x) { return prelu(x, tensor({0.25}, {1})); },
      [](const Tensor& x) { return maximum(x, 0.5); },
      [](const Tensor& x) { return minimum(0.5, x); },
      [](const Tensor& x) { return call(relu_op, {to(x, Dtype::f32)}); },
  };
  int number = 0;
  for (const F f : functions) {
    const Tensor x = leaf({-2, -0.25, 0.75, 3}, {4}), y = sum(f(x));
    const Tensor g = grad({&y, 1}, {&x, 1}, {}, {.create_graph = true})[0], s = sum(g);
    expect_same(values(grad({&s, 1}, {&x, 1}, {}, {.retain_graph = true})[0]), {0, 0, 0, 0}, format("function {}", number++).c_str());
    backward({&s, 1}, {});
    expect_same(values(grad_of(x)), {0, 0, 0, 0}, "backward");
  }
}

TEST_F(Elementwise, BothThatChooseAreConnected) {
  const Tensor a = leaf({1, 2, 3}, {3}), b = leaf({2}, {1}), y = sum(mul(maximum(a, b), a));
  const Tensor g = grad({&y, 1}, {&a, 1}, {}, {.create_graph = true})[0], s = sum(g);
  const Tensor inputs[] = {a, b};
  const Tensors second = grad({&s, 1}, inputs, {});
  expect_same(values(second[0]), {0, 1, 2}, "by a");          // g = max(a, b) + a [a > b], half at a tie
  expect_same(values(second[1]), {1.5}, "by b");
}

TEST_F(Elementwise, SpecialValues) {
  const Tensor x = tensor({kNaN, kInf, -kInf, -0.0}, {4});
  expect_same(values(sign(x)), {0, 1, -1, 0}, "sign");
  expect_same(values(floor(x)), {kNaN, kInf, -kInf, -0.0}, "floor");
  expect_same(values(signbit(x)), {0, 0, 1, 1}, "signbit");
  expect_same(values(rsqrt(x)), {kNaN, 0, kNaN, -kInf}, "rsqrt");
  expect_same(values(softplus(x)), {kNaN, kInf, 0, std::log(2.0)}, "softplus");
  expect_same(values(log_sigmoid(x)), {kNaN, 0, -kInf, -std::log(2.0)}, "log_sigmoid");
  expect_same(values(hardswish(x)), {kNaN, kInf, 0, -0.0}, "hardswish");
  expect_same(values(nan_to_num(tensor({kNaN, kInf, -kInf, 2}, {4}, Dtype::f16))), {0, 65504, -65504, 2}, "nan_to_num");
  expect_same(values(clamp(x, -1, 1)), {kNaN, 1, -1, -0.0}, "clamp");
  expect_same(values(clamp(tensor({0, 5}, {2}), 3, 1)), {1, 1}, "clamp with min > max");
  expect_same(values(fmax(x, 1.0)), {1, kInf, 1, 1}, "fmax");
  expect_same(values(maximum(x, 1.0)), {kNaN, kInf, 1, 1}, "maximum");
  expect_same(values(xlogy(tensor({0, 0, 0}, {3}), tensor({kNaN, 0, kInf}, {3}))), {kNaN, 0, 0}, "xlogy");
  expect_same(values(logaddexp(x, x)), {kNaN, kInf, -kInf, std::log(2.0)}, "logaddexp");
  expect_same(values(pow(tensor({-2, 0, 0, -8}, {4}), tensor({3, 0, -1, 1.0 / 3}, {4}))), {-8, 1, kInf, kNaN}, "pow");
  expect_same(values(floor_divide(tensor({1, -1, 7, -7}, {4}), tensor({0, 0, -2, 2}, {4}))), {kInf, -kInf, -4, -4}, "floor_divide");
  expect_same(values(remainder(tensor({7, -7, 7}, {3}), tensor({-2, 2, kInf}, {3}))), {-1, 1, 7}, "remainder");
  expect_same(values(lerp(tensor({0.1}, {1}), tensor({0.3}, {1}), 1.0)), {0.3}, "lerp");
  expect_same(values(polygamma(1, tensor({1, 0.5, -0.5}, {3}))), {M_PI * M_PI / 6, M_PI * M_PI / 2, 8.9348022005446793}, "trigamma");
  expect_same(values(tanhshrink(tensor({1e-6}, {1}))), {3.3333333333320000e-19}, "tanhshrink");
  expect_same(values(round(tensor({0.5, 1.5, -0.5, 2.5}, {4}))), {0, 2, -0.0, 2}, "round");
  expect_same(values(round(tensor({1.25, -3.14159}, {2}), 1)), {1.2, -3.1}, "round to a decimal");
}

TEST_F(Elementwise, SpecialValuesOfRareFunctions) {
  const Tensor x = tensor({kNaN, kInf, -kInf, 0, 1.7976931348623157e308}, {5});
  const auto of = [](const Op& op, const Tensor& t) { return values(call(op, {t})); };
  expect_same(of(i0_op, x), {kNaN, kInf, kInf, 1, kInf}, "i0");
  expect_same(of(special_i0e_op, x), {kNaN, 0, 0, 1, 0}, "i0e");
  expect_same(of(special_i1_op, x), {kNaN, kInf, -kInf, 0, kInf}, "i1");
  expect_same(of(special_erfcx_op, x), {kNaN, 0, kInf, 1, 0.5641895835477563 / 1.7976931348623157e308}, "erfcx");
  expect_same(of(special_log_ndtr_op, x), {kNaN, -0.0, -kInf, -std::log(2.0), -0.0}, "log_ndtr");
  expect_same(of(special_ndtri_op, tensor({kNaN, 0, 1, -0.1, 1.1, 1e-300}, {6})), {kNaN, -kInf, kInf, kNaN, kNaN, -37.047096299361199}, "ndtri");
  expect_same(values(call(igamma_op, {tensor({0, 0, 2, kInf, 3}, {5}), tensor({1, 0, kInf, 2, -1}, {5})})), {1, kNaN, 1, 0, kNaN}, "igamma");
  expect_same(values(call(igammac_op, {tensor({0, 0, 2, kInf, 3}, {5}), tensor({1, 0, kInf, 2, -1}, {5})})), {0, kNaN, 0, 1, kNaN}, "igammac");
  expect_same(values(call(special_zeta_op, {2.0, tensor({1, -1, kInf, kNaN}, {4})})), {M_PI * M_PI / 6, kInf, 0, kNaN}, "zeta");
  const auto zeta = [](double s, std::initializer_list<double> q) {
    return values(call(special_zeta_op, {s, tensor(q, {static_cast<int64_t>(q.size())})}));
  };
  expect_same(zeta(2, {-10.25, -1000.5, -1e15 + 0.5, -1e15 + 0.25, -1e300, -kInf}),
              {19.646252424622653, 9.8686054001734416, M_PI * M_PI, 2 * M_PI * M_PI, kInf, kInf}, "zeta of 2 below 0");
  expect_same(zeta(3, {-3.5, -12.25, -100.5, -1e15 + 0.5}),
              {0.030778410660513847, -62.009482333729292, 4.9013601313598786e-5, 5e-31}, "zeta of 3 below 0");
  expect_same(zeta(2.5, {-0.5, -1e15 + 0.5}), {kNaN, kNaN}, "zeta below 0 of no integer");
  const auto large = [&](double s, double q, double want) { EXPECT_NEAR(zeta(s, {q})[0] / want, 1, 1e-13) << s << " " << q; };
  large(250, 12, 1.6020958261520182e-270);
  large(100, 100, 1.5920390165049425e-200);
  large(30, 40, 1.6837009971217206e-48);
  large(1.000000001, 1e-18, 1000000042446535808);
  const Tensor a = leaf({1}, {1}), b = leaf({1}, {1}), y = call(igamma_op, {a, b});
  for (const bool create_graph : {true, false}) {
    const GradOptions options{.retain_graph = true, .create_graph = create_graph};
    expect_error(Status::unsupported, "no gradient by 'self'", [&] { grad({&y, 1}, {&a, 1}, {}, options); });
    EXPECT_NEAR(values(grad({&y, 1}, {&b, 1}, {}, options)[0])[0], std::exp(-1), 1e-15);
  }
}

TEST_F(Elementwise, Integers) {
  const Tensor u8 = tensor({250, 3}, {2}, Dtype::u8), i32 = tensor({-7, 7}, {2}, Dtype::i32);
  expect_same(values(add(u8, 10)), {4, 13}, "add wraps");
  expect_same(values(neg(u8)), {6, 253}, "neg wraps");
  expect_same(values(floor_divide(i32, 2)), {-4, 3}, "floor_divide");
  expect_same(values(div_mode(i32, 2, "trunc")), {-3, 3}, "trunc");
  expect_same(values(remainder(i32, 4)), {1, 3}, "remainder");
  expect_same(values(fmod(i32, 4)), {-3, 3}, "fmod");
  expect_same(values(pow(i32, 2)), {49, 49}, "pow");
  expect_same(values(bitwise_not(i32)), {6, -8}, "bitwise_not");
  expect_same(values(bitwise_not(tensor({0, 1}, {2}, Dtype::boolean))), {1, 0}, "bitwise_not of bool");
  expect_same(values(bitwise_left_shift(tensor({1, 1}, {2}, Dtype::i8), 7)), {-128, -128}, "shift");
  expect_same(values(bitwise_right_shift(i32, 1)), {-4, 3}, "shift");
  expect_same(values(gcd(i32, 21)), {7, 7}, "gcd");
  expect_same(values(lcm(i32, 4)), {28, 28}, "lcm");
  const Tensor t = tensor({0, 1, 1}, {3}, Dtype::boolean), f = tensor({0, 0, 1}, {3}, Dtype::boolean);
  expect_same(values(add(t, f)), {0, 1, 1}, "or");
  expect_same(values(mul(t, f)), {0, 0, 1}, "and");
  EXPECT_EQ(add(t, f).dtype(), Dtype::boolean);
  const int64_t least = INT64_MIN;
  const Tensor smallest = full(Sizes{1}, least, Dtype::i64);
  EXPECT_EQ(*floor_divide(smallest, -1).data<int64_t>(), least);
  EXPECT_EQ(*remainder(smallest, -1).data<int64_t>(), 0);
}

TEST_F(Elementwise, Promotes) {
  const auto of = [](Dtype d, bool dims = true) { return dims ? tensor({1, 2}, {2}, d) : tensor({1}, {}, d); };
  EXPECT_EQ(add(of(Dtype::i32), of(Dtype::f16)).dtype(), Dtype::f16);
  EXPECT_EQ(add(of(Dtype::f16), of(Dtype::bf16)).dtype(), Dtype::f32);
  EXPECT_EQ(add(of(Dtype::u8), of(Dtype::i8)).dtype(), Dtype::i16);
  EXPECT_EQ(add(of(Dtype::f32), of(Dtype::f64, false)).dtype(), Dtype::f32);
  EXPECT_EQ(add(of(Dtype::i32), of(Dtype::f64, false)).dtype(), Dtype::f64);
  EXPECT_EQ(add(of(Dtype::f16), 2.5).dtype(), Dtype::f16);
  EXPECT_EQ(add(of(Dtype::i32), 2.5).dtype(), Dtype::f32);
  EXPECT_EQ(add(of(Dtype::boolean), 2).dtype(), Dtype::i64);
  EXPECT_EQ(div(of(Dtype::i64), of(Dtype::i32)).dtype(), Dtype::f32);
  EXPECT_EQ(sqrt(of(Dtype::i64)).dtype(), Dtype::f32);
  EXPECT_EQ(reciprocal(of(Dtype::boolean)).dtype(), Dtype::f32);
  EXPECT_EQ(lt(of(Dtype::i64), of(Dtype::f16)).dtype(), Dtype::boolean);
  EXPECT_EQ(pow(2, of(Dtype::i32)).dtype(), Dtype::i32);
  EXPECT_EQ(float_power(of(Dtype::f16), 2).dtype(), Dtype::f64);
  EXPECT_EQ(clamp(of(Dtype::i32), 0.5).dtype(), Dtype::f32);
  EXPECT_EQ(where(of(Dtype::boolean), of(Dtype::f16), 1.0).dtype(), Dtype::f16);
  EXPECT_EQ(where(of(Dtype::boolean), 1, 2).dtype(), Dtype::i64);
  EXPECT_EQ(logical_and(of(Dtype::i64), of(Dtype::f32)).dtype(), Dtype::boolean);
  EXPECT_EQ(square(of(Dtype::boolean)).dtype(), Dtype::i64);
  EXPECT_EQ(clamp_max(of(Dtype::boolean), of(Dtype::boolean)).dtype(), Dtype::boolean);
  EXPECT_EQ(call(ldexp_op, {of(Dtype::f16), of(Dtype::u8)}).dtype(), Dtype::f16);
  EXPECT_EQ(call(ldexp_op, {of(Dtype::i32), of(Dtype::u8)}).dtype(), Dtype::f32);
  EXPECT_EQ(values(call(ldexp_op, {tensor({1}, {1}, Dtype::f64), tensor({1000}, {1}, Dtype::i64)})), (Doubles{0x1p1000}));
}

TEST_F(Elementwise, Refuses) {
  const Tensor i = tensor({1, 2}, {2}, Dtype::i64), b = tensor({0, 1}, {2}, Dtype::boolean), f = tensor({1, 2}, {2});
  expect_error(Status::dtype, "sub", [&] { sub(b, b); });
  expect_error(Status::dtype, "neg", [&] { neg(b); });
  expect_error(Status::dtype, "alpha 0.5", [&] { add(i, i, 0.5); });
  expect_error(Status::dtype, "boolean alpha", [&] { add(i, i, true); });
  expect_error(Status::value, "negative power", [&] { pow(i, -1); });
  expect_error(Status::value, "division by zero", [&] { floor_divide(i, 0); });
  expect_error(Status::dtype, "bitwise_and", [&] { bitwise_and(f, f); });
  expect_error(Status::dtype, "erf", [&] { call_in_place(erf_op, {i}); });
  expect_error(Status::dtype, "can't be cast", [&] { call_in_place(div_op, {i, 2}); });
  expect_error(Status::dtype, "can't be cast", [&] { call_in_place(add_op, {i, 0.5}); });
  expect_error(Status::dtype, "can't be cast", [&] { call_in_place(clamp_op, {i, 0.5}); });
  expect_error(Status::shape, "does not fit", [&] { call_in_place(add_op, {f, tensor({1, 2, 3, 4}, {2, 2})}); });
  expect_error(Status::argument, "self", [&] { call_in_place(pow_op, {2.0, f}); });
  expect_error(Status::dtype, "condition", [&] { where(f, f, f); });
  expect_error(Status::dtype, "gelu", [&] { gelu(i); });
  expect_error(Status::argument, "neither min nor max", [&] { clamp(f, std::nullopt); });
}

TEST_F(Elementwise, HalvesAreRoundedOnce) {
  for (Dtype d : {Dtype::f16, Dtype::bf16}) {
    const Tensor x = tensor({0.1, 1.7, -2.3, 3.1, 0.01}, {5}, d);
    const Tensor wide = to(x, Dtype::f32);
    const Function functions[] = {[](const Tensor& t) { return exp(t); }, [](const Tensor& t) { return gelu(t); },
                                  [](const Tensor& t) { return mul(t, t); }, [](const Tensor& t) { return addcmul(t, t, t, 0.3); }};
    for (const Function& f : functions) EXPECT_EQ(values(f(x)), values(to(f(wide), d)));
  }
}

TEST_F(Elementwise, DoublesBecomeHalvesInOneRounding) {
  const double just_above = 1 + 0x1p-11 + 0x1p-40, just_below = 1 + 3 * 0x1p-11 - 0x1p-40;  // as floats both are ties
  const Tensor x = tensor({just_above, -just_above, just_below, 1 + 0x1p-11, 0x1p-25 + 0x1p-60, 0x1p-25, 65520 - 0x1p-30, 65520, 1e300, kNaN}, {10});
  const Doubles want{1 + 0x1p-10, -1 - 0x1p-10, 1 + 0x1p-10, 1, 0x1p-24, 0, 65504, kInf, kInf, kNaN};
  expect_same(values(to(x, Dtype::f16)), want, "float16");
  const Tensor b = tensor({1 + 0x1p-8 + 0x1p-40, 1 + 3 * 0x1p-8 - 0x1p-40, -0x1p-134 - 0x1p-180, -0.0, -1e-320}, {5});
  expect_same(values(to(b, Dtype::bf16)), {1 + 0x1p-7, 1 + 0x1p-7, -0x1p-133, -0.0, -0.0}, "bfloat16");
}

TEST_F(Elementwise, InPlaceFormsOfCompositions) {
  const Tensor x = tensor({-2, 0.5, 9}, {3});
  call_in_place(clamp_op, {x, -1, 1});
  EXPECT_EQ(values(x), (Doubles{-1, 0.5, 1}));
  const Tensor leaf_x = leaf({-1, 2}, {2}), y = mul(leaf_x, 1);
  call_in_place(gelu_op, {y});
  const Tensor s = sum(y);
  const Doubles g = values(grad({&s, 1}, {&leaf_x, 1}, {})[0]);
  EXPECT_NEAR(g[0], -0.083315470587, 1e-10);
  EXPECT_NEAR(g[1], 1.085231801078, 1e-10);
}

}  // namespace
}  // namespace gradus
