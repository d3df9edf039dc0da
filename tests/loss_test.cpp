// Losses at their edges: large scores, ignored classes, kinks, and gradients of gradients.
#include "fixture.h"

namespace gradus {
namespace {

using Losses = Core;
using Doubles = std::vector<double>;

Tensor classes(std::initializer_list<double> v) {
  Tensor t = empty(Dtype::i64, Sizes{static_cast<int64_t>(v.size())});
  for (size_t i = 0; i < v.size(); ++i) t.data<int64_t>()[i] = static_cast<int64_t>(v.begin()[i]);
  return t;
}
void backward(const Tensor& t) { gradus::backward({&t, 1}, {}); }

TEST_F(Losses, LargeScoresDoNotOverflow) {
  const Tensor x = leaf({1000, 0, -1000, 0, 1e300, 0}, {3, 2});
  const Tensor loss = cross_entropy_loss(x, classes({0, 0, 1}), {}, 0);
  EXPECT_EQ(values(loss), (Doubles{0, 1000, 1e300}));
  backward(sum(loss));
  EXPECT_EQ(values(grad_of(x)), (Doubles{0, 0, -1, 1, 1, -1}));
}

TEST_F(Losses, IgnoredClassesDoNotCount) {
  const Tensor x = leaf({1, 2, 3, 4}, {2, 2}), alone = leaf({3, 4}, {1, 2});
  const Tensor some = cross_entropy_loss(x, classes({-100, 1}));
  EXPECT_EQ(values(some), values(cross_entropy_loss(alone, classes({1}))));
  backward(some);
  EXPECT_EQ(values(grad_of(x))[0], 0);
  EXPECT_EQ(values(grad_of(x))[1], 0);
  EXPECT_TRUE(std::isnan(values(cross_entropy_loss(x, classes({-100, -100})))[0]));
  EXPECT_EQ(values(cross_entropy_loss(x, classes({-100, -100}), {}, 2))[0], 0);
}

TEST_F(Losses, OneClassTooManyIsNamed) {
  const Tensor x = randn(Sizes{3, 5}), y = classes({0, 7, 1});
  expect_error(Status::index, "cross_entropy_loss: target 7 at 1 is none of 5 classes", [&] { cross_entropy_loss(x, y); });
  expect_error(Status::index, "nll_loss: target 7 at 1 is none of 5 classes", [&] { nll_loss(x, y); });
  expect_error(Status::dtype, "classes must be int64", [&] { nll_loss(x, to(y, Dtype::boolean)); });
}

TEST_F(Losses, TheFusedFormAgreesWithItsComposition) {
  for (Dtype d : {Dtype::f64, Dtype::f32}) {
    const Tensor target = randint(0, 37, Sizes{50});
    Tensor gradients[2], results[2];
    for (int k = 0; k < 2; ++k) {
      context_.generator = {5, 0};
      const Tensor x = mul(randn(Sizes{50, 37}, d), 5.0);
      set_requires_grad(x.impl(), true);
      results[k] = k == 0 ? cross_entropy_loss(x, target) : nll_loss(log_softmax(x, 1), target);
      backward(results[k]);
      gradients[k] = grad_of(x);
    }
    const double tolerance = d == Dtype::f64 ? 1e-14 : 1e-6;
    EXPECT_NEAR(values(results[0])[0], values(results[1])[0], 10 * tolerance);
    const Doubles a = values(gradients[0]), b = values(gradients[1]);
    for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], tolerance);
  }
}

TEST_F(Losses, CrossEntropyDifferentiatesThreeTimes) {
  // One row of two classes: d loss / d x0 = s - 1 with s = sigmoid(x0 - x1), then s (1 - s), then s (1 - s)(1 - 2 s).
  const Tensor x = leaf({0.3, -0.4}, {1, 2}), loss = cross_entropy_loss(x, classes({0}));
  const double s = 1 / (1 + std::exp(-0.7)), want[] = {s - 1, s * (1 - s), s * (1 - s) * (1 - 2 * s)};
  Tensor y = loss;
  for (double w : want) {
    const Tensor g = grad({&y, 1}, {&x, 1}, {}, {.create_graph = true})[0];
    EXPECT_NEAR(values(g)[0], w, 1e-14);
    y = sum(mul(g, tensor({1, 0}, {1, 2})));
  }
}

TEST_F(Losses, RowsOfAnyLengthSumUp) {
  for (int64_t n : {1, 3, 7, 8, 9, 31, 64, 65, 1000}) {
    const Tensor x = randn(Sizes{4, n}), t = randint(0, n, Sizes{4});
    const Doubles loss = values(cross_entropy_loss(x, t, {}, 0)), v = values(x), k = values(t);
    for (int64_t i = 0; i < 4; ++i) {
      double s = 0;
      for (int64_t j = 0; j < n; ++j) s += std::exp(v[static_cast<size_t>(i * n + j)]);
      ASSERT_NEAR(loss[static_cast<size_t>(i)], std::log(s) - v[static_cast<size_t>(i * n) + static_cast<size_t>(k[static_cast<size_t>(i)])], 2e-6 * std::log(s + 2)) << n;
    }
  }
  const Tensor with_nan = tensor({NAN, 1, 2, 3, INFINITY, 1}, {2, 3});
  for (double v : values(cross_entropy_loss(with_nan, classes({1, 2}), {}, 0))) EXPECT_FALSE(std::isfinite(v));
}

TEST_F(Losses, BinaryCrossEntropyIsHeldFinite) {
  const Tensor p = leaf({0, 1, 0, 1}, {4}), t = tensor({0, 1, 1, 0}, {4});
  const Tensor loss = call(binary_cross_entropy_op, {p, t, std::nullopt, 0});
  EXPECT_EQ(values(loss), (Doubles{0, 0, 100, 100}));
  backward(sum(loss));
  EXPECT_EQ(values(grad_of(p)), (Doubles{0, 0, -1e12, 1e12}));
  const Tensor x = leaf({-800, 800}, {2}), y = call(binary_cross_entropy_with_logits_op, {x, tensor({1, 0}, {2}), std::nullopt, std::nullopt, 0});
  EXPECT_EQ(values(y), (Doubles{800, 800}));
  backward(sum(y));
  EXPECT_EQ(values(grad_of(x)), (Doubles{-1, 1}));
}

TEST_F(Losses, KinksFollowTheConventions) {
  const Tensor x = leaf({0, 1, -1, 3, INFINITY}, {5}), zero = zeros(Sizes{5}, Dtype::f64);
  const auto slopes = [&](const Tensor& loss) {
    set_grad(x.impl(), {});
    backward(sum(loss));
    return values(grad_of(x));
  };
  EXPECT_EQ(slopes(l1_loss(x, zero, 0)), (Doubles{0, 1, -1, 1, 1}));
  EXPECT_EQ(slopes(call(smooth_l1_loss_op, {x, zero, 0, 1.0})), (Doubles{0, 1, -1, 1, 1}));
  EXPECT_EQ(slopes(call(smooth_l1_loss_op, {x, zero, 0, 2.0})), (Doubles{0, 0.5, -0.5, 1, 1}));
  EXPECT_EQ(slopes(call(huber_loss_op, {x, zero, 0, 2.0})), (Doubles{0, 1, -1, 2, 2}));
}

TEST_F(Losses, ThreadsDoNotChangeBits) {
  const Tensor x = randn(Sizes{3000, 40}), t = randint(0, 40, Sizes{3000});
  set_requires_grad(x.impl(), true);
  Doubles first;
  for (int threads : {1, 2}) {
    context_.threads = threads;
    set_grad(x.impl(), {});
    backward(cross_entropy_loss(x, t));
    if (threads == 1) first = values(grad_of(x));
  }
  EXPECT_EQ(values(grad_of(x)), first);
}

}  // namespace
}  // namespace gradus
