// Clipping of gradients and first values of parameters through the C++ face.
#include "gradus/optim.hpp"

#include <cmath>
#include <limits>

#include "hpp_fixture.h"

namespace {

using gradus::Tensor;
using Tensors = std::vector<Tensor>;

std::vector<double> values(const Tensors& all) {
  std::vector<double> v;
  for (const Tensor& t : all)
    for (double x : t.to_vector<double>()) v.push_back(x);
  return v;
}

TEST(Clipping, ClipsByTheNormOfAllGradients) {
  for (const gradus::Dtype dtype : {gradus::float64, gradus::float32, gradus::float16, gradus::bfloat16}) {
    const Tensor a = gradus::zeros({2}, dtype), b = gradus::zeros({2, 2}, dtype).t(), none = gradus::zeros({3}, dtype);
    const auto reset = [&] {
      a.set_grad(gradus::tensor({3.0, 0.0}, dtype));
      b.set_grad(gradus::tensor({{0.0, -4.0}, {0.0, 0.0}}, dtype).t());
    };
    reset();
    EXPECT_DOUBLE_EQ(gradus::clip_grad_norm_({a, b, none}, 10), 5);
    EXPECT_EQ(values({a.grad()}), (std::vector<double>{3, 0}));   // inside the bound
    EXPECT_DOUBLE_EQ(gradus::clip_grad_norm_({a, b}, 1, std::numeric_limits<double>::infinity()), 4);
    EXPECT_NEAR(values({a.grad()})[0], 0.75, 4e-3);
    reset();
    EXPECT_DOUBLE_EQ(gradus::clip_grad_norm_({a, b}, 3.5, 1), 7);
    EXPECT_NEAR(values({b.grad()})[2], -2, 4e-3);
    reset();
    EXPECT_NEAR(gradus::clip_grad_norm_({a, b}, 1, 3), std::cbrt(91.0), 1e-12);
    reset();
    gradus::clip_grad_value_({a, b}, 3.5);
    EXPECT_EQ(values({a.grad(), b.grad()}), (std::vector<double>{3, 0, 0, 0, -3.5, 0}));
  }
  const Tensor t = gradus::zeros({2});
  t.set_grad(gradus::tensor({NAN, 1.0}));
  expect_error(GRADUS_E_VALUE, "of the gradients is nan", [&] { gradus::clip_grad_norm_({t}, 1, 2, true); });
  EXPECT_EQ(values({t.grad()})[1], 1);
  EXPECT_TRUE(std::isnan(gradus::clip_grad_norm_({t}, 1)));
  EXPECT_TRUE(std::isnan(values({t.grad()})[1]));
  expect_error(GRADUS_E_VALUE, "'norm_type' is 0", [&] { gradus::clip_grad_norm_({t}, 1, 0); });
}

// ---- first values
double mean_of(const std::vector<double>& v) {
  double s = 0;
  for (double x : v) s += x;
  return s / static_cast<double>(v.size());
}
void expect_spread(const Tensor& t, double std, double bound, const char* what) {
  std::vector<double> v = t.to_vector<double>();
  const double mean = mean_of(v);
  double most = 0;
  for (double& x : v) {
    most = std::max(most, std::abs(x));
    x = (x - mean) * (x - mean);
  }
  EXPECT_NEAR(std::sqrt(mean_of(v)), std, 0.03 * std) << what;
  EXPECT_NEAR(mean, 0, 0.05 * std) << what;
  EXPECT_LE(most, bound) << what;
}

TEST(FirstValues, DrawsFirstValuesOfPyTorchsSpread) {
  gradus::manual_seed(7);
  const Tensor t = gradus::zeros({60, 20, 3, 2}).requires_grad_();
  const double in = 120, out = 360, far = HUGE_VAL;
  expect_spread(gradus::init::xavier_uniform_(t, 2), 2 * std::sqrt(2 / (in + out)), 2 * std::sqrt(6 / (in + out)), "xavier_uniform");
  expect_spread(gradus::init::xavier_normal_(t), std::sqrt(2 / (in + out)), far, "xavier_normal");
  expect_spread(gradus::init::kaiming_uniform_(t, std::sqrt(5.0)), std::sqrt(1 / (3 * in)), std::sqrt(1 / in) * 1.000001, "kaiming_uniform");
  expect_spread(gradus::init::kaiming_normal_(t, 0, gradus::init::Fan::out, "relu"), std::sqrt(2 / out), far, "kaiming_normal");
  expect_spread(gradus::init::trunc_normal_(t, 0, 1, -2, 2), 0.8796, 2, "trunc_normal");
  EXPECT_TRUE(t.is_leaf());
  EXPECT_DOUBLE_EQ(gradus::init::calculate_gain("tanh"), 5.0 / 3);
  EXPECT_DOUBLE_EQ(gradus::init::calculate_gain("leaky_relu", 1), 1);
  expect_error(GRADUS_E_UNKNOWN_NAME, "'swish'", [] { gradus::init::calculate_gain("swish"); });
  expect_error(GRADUS_E_SHAPE, "shape [3] has fewer than two", [] { gradus::init::xavier_uniform_(gradus::zeros({3})); });
}

TEST(FirstValues, OrthogonalRowsOrColumns) {
  for (const auto& sizes : {std::vector<int64_t>{70, 70}, {5, 100}, {100, 33}, {1, 4}, {40, 3, 4, 5}}) {
    const Tensor t = gradus::zeros(sizes, gradus::float64);
    gradus::init::orthogonal_(t, 2);
    const Tensor m = t.reshape({sizes[0], -1}), q = m.size(0) <= m.size(1) ? m : m.t();
    const Tensor difference = q.matmul(q.t()) - 4 * gradus::eye(q.size(0)).to(gradus::float64);
    EXPECT_LT(difference.abs().max().item<double>(), 1e-13);
  }
  const Tensor half = gradus::zeros({4, 4}, gradus::float16);
  gradus::init::orthogonal_(half);
  EXPECT_NEAR(half.to(gradus::float64).square().sum().item<double>(), 4, 1e-2);
}

}  // namespace
