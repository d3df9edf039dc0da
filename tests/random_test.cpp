// Random numbers: the generator's known answers, streams that only depend on seed and offset, and the shape of distributions.
#include "fixture.h"

#include <algorithm>
#include <numeric>

#include "base/philox.h"
#include "kernels/random.h"

namespace gradus {
namespace {

using Random = Core;
using Words = std::array<uint32_t, 4>;

// kat_vectors of Random123 for philox4x32, 10 rounds.
TEST_F(Random, PhiloxGivesItsKnownAnswers) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr uint32_t f = 0xffffffff;
  EXPECT_EQ(philox({f, f, f, f}, {f, f}), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}), (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST_F(Random, VectorsGiveTheWordsOfTheScalarForm) {
  for (uint64_t block : {uint64_t{0}, uint64_t{0xfffffff0}, ~uint64_t{9}}) {    // the counter carries, and wraps
    std::vector<uint32_t> words(4 * 37);
    kernels::random_words({0x123456789abcdef, block}, 37, words.data());
    for (uint64_t i = 0; i < 37; ++i) {
      const Words w = philox_block(0x123456789abcdef, block + i);
      EXPECT_TRUE(std::equal(w.begin(), w.end(), &words[4 * i])) << block << " + " << i;
    }
  }
}

std::vector<float> floats(const Tensor& t) { return {t.data<float>(), t.data<float>() + t.numel()}; }

TEST_F(Random, EqualSeedsGiveEqualNumbers) {
  const Sizes n{100000};
  context_.threads = 1;
  const std::vector<float> u = floats(rand(n)), z = floats(randn(n));
  EXPECT_NE(floats(rand(n)), u);                              // the offset has moved on
  context_.generator = {42, 0};
  context_.threads = 2;
  EXPECT_EQ(floats(rand(n)), u);
  EXPECT_EQ(floats(randn(n)), z);
}

TEST_F(Random, AnElementDoesNotDependOnHowManyFollow) {
  for (Dtype d : {Dtype::f32, Dtype::f64, Dtype::bf16}) {
    for (const Op* op : {&rand_op, &randn_op}) {
      context_.generator = {7, 0};
      const std::vector<double> many = values(call(*op, {Sizes{5000}, d}));
      context_.generator = {7, 0};
      const std::vector<double> few = values(call(*op, {Sizes{1029}, d}));
      EXPECT_TRUE(std::equal(few.begin(), few.end(), many.begin()));
    }
  }
}

// Mean and variance within five standard errors.
void expect_moments(const std::vector<double>& x, double mean, double variance, double fourth) {
  const double n = static_cast<double>(x.size());
  double m = 0, v = 0;
  for (double e : x) m += e / n;
  for (double e : x) v += (e - mean) * (e - mean) / n;
  EXPECT_NEAR(m, mean, 5 * std::sqrt(variance / n));
  EXPECT_NEAR(v, variance, 5 * std::sqrt((fourth - variance * variance) / n));
}

TEST_F(Random, DistributionsHaveTheirMoments) {
  const Sizes n{200000};
  for (Dtype d : {Dtype::f32, Dtype::f64, Dtype::f16}) {
    expect_moments(values(rand(n, d)), 0.5, 1 / 12.0, 1 / 80.0);
    expect_moments(values(randn(n, d)), 0, 1, 3);
  }
  const Tensor t = zeros(n, Dtype::f64);
  expect_moments(values(call(normal_op, {t, 3.0, 2.0})), 3, 4, 48);
  expect_moments(values(call(uniform_op, {t, -1.0, 5.0})), 2, 3, 16.2);
  expect_moments(values(call(exponential_op, {t, 2.0})), 0.5, 0.25, 9 / 16.0);
  expect_moments(values(call(bernoulli_op, {t, 0.25})), 0.25, 0.1875, 0.08203125);
  expect_moments(values(call(geometric_op, {t, 0.5})), 2, 2, 38);
  expect_moments(values(call(log_normal_op, {t, 0.0, 0.25})), std::exp(0.03125), 0.0687, 0.0182);
  expect_moments(values(randint(-3, 4, n)), 0, 4, 28);
}

TEST_F(Random, UniformNumbersFillTheirBinsAndKeepTheirBounds) {
  std::vector<double> u = values(rand(Sizes{1 << 18}));
  std::vector<int> bins(64);
  for (double x : u) ++bins[static_cast<size_t>(x * 64)];
  for (int b : bins) EXPECT_NEAR(b, 4096, 6 * 64);
  for (Dtype d : {Dtype::f16, Dtype::bf16, Dtype::f32}) {
    const std::vector<double> x = values(call(uniform_op, {zeros(Sizes{100000}, d), 1.0, 1.01}));
    EXPECT_LT(*std::max_element(x.begin(), x.end()), 1.01);
    EXPECT_GE(*std::min_element(x.begin(), x.end()), 1.0);
  }
}

TEST_F(Random, NormalTailsAreThere) {
  const std::vector<double> z = values(randn(Sizes{1 << 21}));
  const auto beyond = [&](double s) { return std::count_if(z.begin(), z.end(), [s](double x) { return std::abs(x) > s; }); };
  const double n = 1 << 21;
  for (double s : {1.0, 2.0, 3.0, 4.0}) {
    const double want = n * std::erfc(s / std::sqrt(2.0));
    EXPECT_NEAR(static_cast<double>(beyond(s)), want, 5 * std::sqrt(want)) << s;
  }
}

TEST_F(Random, PermutationsHoldEveryNumberOnce) {
  std::vector<double> p = values(randperm(5000));
  EXPECT_FALSE(std::is_sorted(p.begin(), p.end()));
  std::sort(p.begin(), p.end());
  for (size_t i = 0; i < p.size(); ++i) EXPECT_EQ(p[i], static_cast<double>(i));
}

TEST_F(Random, MultinomialFollowsTheProbabilities) {
  const Tensor p = tensor({1, 0, 3}, {3});
  const std::vector<double> draws = values(call(multinomial_op, {p, 40000, true}));
  EXPECT_NEAR(static_cast<double>(std::count(draws.begin(), draws.end(), 2)), 30000, 5 * 87);
  EXPECT_EQ(std::count(draws.begin(), draws.end(), 1), 0);
  std::vector<double> both = values(call(multinomial_op, {p, 2}));
  std::sort(both.begin(), both.end());
  EXPECT_EQ(both, (std::vector<double>{0, 2}));
  expect_error(Status::value, "2 possible categories", [&] { call(multinomial_op, {p, 3}); });
}

TEST_F(Random, ADropoutKeepsItsMaskForTheGradient) {
  const Tensor x = ones(Sizes{10000}, Dtype::f64);
  set_requires_grad(x.impl(), true);
  const Tensor y = dropout(x, 0.25, true), s = sum(y);
  gradus::backward({&s, 1}, {});
  EXPECT_EQ(values(grad_of(x)), values(y));                   // of ones: mask times scale
  const std::vector<double> v = values(y);
  EXPECT_NEAR(static_cast<double>(std::count(v.begin(), v.end(), 0.0)), 2500, 5 * 43.3);
  EXPECT_EQ(*std::max_element(v.begin(), v.end()), 1 / 0.75);
  EXPECT_EQ(dropout(x, 0.25, false).impl(), x.impl());
  for (double e : values(dropout(x, 1, true))) EXPECT_EQ(e, 0);
}

TEST_F(Random, AlphaDropoutKeepsMeanAndVariance) {
  const Tensor x = randn(Sizes{200000}, Dtype::f64);
  const std::vector<double> y = values(call(alpha_dropout_op, {x, 0.3, true}));
  double m = 0, v = 0;
  for (double e : y) m += e / 200000;
  for (double e : y) v += (e - m) * (e - m) / 200000;
  EXPECT_NEAR(m, 0, 0.02);
  EXPECT_NEAR(v, 1, 0.03);
}

TEST_F(Random, WritesInPlaceCutTheHistory) {
  const Tensor a = leaf({1, 2, 3}, {3});
  const Tensor y = mul(a, 2.0);
  call_in_place(normal_op, {y});
  const Tensor s = sum(add(y, a));
  gradus::backward({&s, 1}, {});
  EXPECT_EQ(values(grad_of(a)), (std::vector<double>{1, 1, 1}));
  const std::vector<double> b = values(call_in_place(bernoulli_op, {zeros(Sizes{1000}, Dtype::i32)}));
  EXPECT_NEAR(std::accumulate(b.begin(), b.end(), 0.0), 500, 80);
}

}  // namespace
}  // namespace gradus
