// Reductions: what the suite does not reach: ties, NaN, empties, zeros, sums of many, several dtypes, threads.
#include <limits>

#include "fixture.h"

namespace gradus {
namespace {

using Reductions = Core;
using Doubles = std::vector<double>;
constexpr double kInf = HUGE_VAL, kNan = std::numeric_limits<double>::quiet_NaN();

Tensor gradient(const Tensor& y, const Tensor& x) { return grad({&y, 1}, {&x, 1}, {})[0]; }
Tensor second_gradient(const Tensor& y, const Tensor& x) {
  const Tensor g = grad({&y, 1}, {&x, 1}, {}, {.create_graph = true})[0], s = sum(mul(g, g));
  return grad({&s, 1}, {&x, 1}, {})[0];
}
void expect_same(const Doubles& got, const Doubles& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    if (std::isnan(want[i])) { EXPECT_TRUE(std::isnan(got[i])) << i << ": " << got[i]; }
    else { EXPECT_DOUBLE_EQ(got[i], want[i]) << i; }
  }
}

TEST_F(Reductions, EqualExtremesShareTheGradient) {
  const Tensor x = leaf({1, 3, 3, 2, 2, 2}, {2, 3});
  expect_same(values(gradient(sum(amax(x, Sizes{1})), x)), {0, 0.5, 0.5, 1 / 3., 1 / 3., 1 / 3.});
  expect_same(values(gradient(sum(amin(x, Sizes{1}, true)), x)), {1, 0, 0, 1 / 3., 1 / 3., 1 / 3.});
  expect_same(values(gradient(call(max_op, {x}), x)), {0, 0.5, 0.5, 0, 0, 0});
  expect_same(values(gradient(call(median_op, {x}), x)), {0, 0, 0, 1 / 3., 1 / 3., 1 / 3.});
  const Tensors best = call_all(max_dim_op, {x, 1});
  EXPECT_EQ(values(best[1]), (Doubles{1, 0}));
  expect_same(values(gradient(sum(best[0]), x)), {0, 1, 0, 1, 0, 0});
  EXPECT_EQ(values(call_all(cummax_op, {x, 1})[1]), (Doubles{0, 1, 2, 0, 1, 2}));
  EXPECT_EQ(values(argmax(x)), (Doubles{1}));
}

TEST_F(Reductions, NanIsTheExtreme) {
  const Tensor x = leaf({1, kNan, 3, kNan, 2, 0}, {2, 3});
  expect_same(values(amax(x, Sizes{0})), {kNan, kNan, 3});
  expect_same(values(call(min_op, {x})), {kNan});
  EXPECT_EQ(values(argmax(x, 1)), (Doubles{1, 0}));
  EXPECT_EQ(values(argmax(x)), (Doubles{1}));
  EXPECT_EQ(values(call_all(min_dim_op, {x, 0})[1]), (Doubles{1, 0, 1}));
  expect_same(values(gradient(call(max_op, {x}), x)), {0, 0.5, 0, 0.5, 0, 0});
  expect_same(values(call(nansum_op, {x})), {6});
  expect_same(values(call(nanmean_op, {x})), {1.5});
  expect_same(values(gradient(call(nansum_op, {x}), x)), {1, 0, 1, 0, 1, 1});
  expect_same(values(call_all(sort_op, {x, 1})[0]), {1, 3, kNan, 0, 2, kNan});
  expect_same(values(call_all(sort_op, {x, 1, true})[0]), {kNan, 3, 1, kNan, 2, 0});
  expect_same(values(call(median_op, {x})), {kNan});
  expect_same(values(call(nanmedian_op, {x})), {1});
  expect_same(values(call_all(cummin_op, {x, 1})[0]), {1, kNan, kNan, kNan, kNan, kNan});
}

TEST_F(Reductions, NothingHasASumButNoExtreme) {
  const Tensor x = zeros(Sizes{0, 3}, Dtype::f64);
  EXPECT_EQ(values(sum(x)), (Doubles{0}));
  EXPECT_EQ(values(sum(x, Sizes{0})), (Doubles{0, 0, 0}));
  EXPECT_EQ(values(prod(x)), (Doubles{1}));
  expect_same(values(mean(x)), {kNan});
  expect_same(values(logsumexp(x, Sizes{0})), {-kInf, -kInf, -kInf});
  EXPECT_EQ(values(norm(x)), (Doubles{0}));
  EXPECT_EQ(amax(x, Sizes{1}).numel(), 0);
  expect_error(Status::index, "dim 0 is reduced and has size 0", [&] { amax(x, Sizes{0}); });
  expect_error(Status::value, "max: no elements", [&] { call(max_op, {x}); });
  expect_error(Status::value, "argmax: no elements", [&] { argmax(x); });
  expect_same(values(var(tensor({2}, {1}), {})), {kNan});
}

TEST_F(Reductions, ResultDtypes) {
  const Tensor bools = tensor({1, 1, 0}, {3}, Dtype::boolean), bytes = tensor({200, 100, 7}, {3}, Dtype::u8);
  EXPECT_EQ(sum(bools).dtype(), Dtype::i64);
  EXPECT_EQ(values(sum(bytes)), (Doubles{307}));
  EXPECT_EQ(prod(bytes).dtype(), Dtype::i64);
  EXPECT_EQ(amax(bytes).dtype(), Dtype::u8);
  EXPECT_EQ(call(any_op, {bytes}).dtype(), Dtype::u8);
  EXPECT_EQ(call(all_op, {bools}).dtype(), Dtype::boolean);
  EXPECT_EQ(values(call(all_op, {bools})), (Doubles{0}));
  EXPECT_EQ(values(mean(bytes, {}, false, Dtype::f32)), (Doubles{static_cast<double>(307.f / 3)}));
  EXPECT_EQ(values(sum(tensor({1.7, 1.7}, {2}), {}, false, Dtype::i64)), (Doubles{2}));
  expect_error(Status::dtype, "must be floating point, got int64", [&] { mean(tensor({1, 2}, {2}, Dtype::i64)); });
}

TEST_F(Reductions, SumsOfManyAreExactOrNearlyExact) {
  for (Dtype d : {Dtype::f16, Dtype::bf16}) {
    const Tensor one = ones(Sizes{65536}, d);
    EXPECT_EQ(values(sum(one, {}, false, Dtype::f32)), (Doubles{65536})) << name(d);
    EXPECT_EQ(values(mean(one)), (Doubles{1})) << name(d);
    EXPECT_EQ(values(sum(ones(Sizes{4096, 3}, d), Sizes{0})), (Doubles{4096, 4096, 4096})) << name(d);
  }
  EXPECT_EQ(values(sum(ones(Sizes{65536}, Dtype::bf16))), (Doubles{65536}));
  for (double v : {0.1, 1.0}) {
    const Tensor x = full(Sizes{10000000}, v, Dtype::f32);
    const double want = 1e7 * static_cast<double>(static_cast<float>(v));
    EXPECT_NEAR(values(sum(x))[0], want, 1e-6 * want);
    EXPECT_NEAR(values(sum(reshape(x, Sizes{-1, 10}), Sizes{0}))[3], want / 10, 1e-6 * want / 10);
    EXPECT_NEAR(values(var(x, {}))[0], 0, 1e-12);
  }
  Tensor far = empty(Dtype::f32, Sizes{1000});                // a small spread far from zero
  for (int64_t i = 0; i < 1000; ++i) far.data<float>()[i] = 4096.f + static_cast<float>(i % 2);
  EXPECT_NEAR(values(var(far, {}, Number(0)))[0], 0.25, 1e-7);
  EXPECT_NEAR(values(norm(full(Sizes{4}, 1e30, Dtype::f32)))[0], 2e30, 1e24);
}

TEST_F(Reductions, ProductsWithZerosHaveExactGradients) {
  const Tensor one = leaf({2, 0, 5}, {3}), two = leaf({0, 3, 0, 4}, {4});
  expect_same(values(gradient(prod(one), one)), {0, 10, 0});
  expect_same(values(gradient(prod(two), two)), {0, 0, 0, 0});
  const Tensor g = grad(std::vector<Tensor>{prod(two)}, std::vector<Tensor>{two}, {}, {.create_graph = true})[0];
  const Tensor pick = sum(mul(g, tensor({1, 0, 0, 0}, {4})));  // d prod / dx0 = x1 x2 x3
  expect_same(values(gradient(pick, two)), {0, 0, 12, 0});
  expect_same(values(gradient(sum(call(cumprod_op, {one, 0})), one)), {1, 12, 0});
}

TEST_F(Reductions, GradientsAtTheEdges) {
  const Tensor zero = leaf({0, 0, 0}, {3});
  for (double p : {1., 1.5, 2., 3., kInf, -kInf, 0.5}) expect_same(values(gradient(norm(zero, p), zero)), {0, 0, 0});
  for (double p : {1.5, 2., 3., 0.5}) expect_same(values(second_gradient(norm(zero, p), zero)), {0, 0, 0});
  const Tensor flat = leaf({2, 2, 2}, {3});
  expect_same(values(gradient(std_dev(flat, {}), flat)), {0, 0, 0});
  expect_same(values(second_gradient(std_dev(flat, {}), flat)), {0, 0, 0});
  const Tensor low = leaf({-kInf, -kInf, 0, -kInf}, {2, 2});
  const Tensor y = logsumexp(low, Sizes{1});
  expect_same(values(y), {-kInf, 0});
  expect_same(values(gradient(sum(y), low)), {0, 0, 1, 0});
  expect_same(values(call(safe_softmax_op, {low, 1})), {0, 0, 1, 0});
  expect_same(values(softmax(low, 1)), {kNan, kNan, 1, 0});
  const Tensor tied = leaf({3, -3, 1}, {3});
  expect_same(values(gradient(norm(tied, kInf), tied)), {0.5, -0.5, 0});
}

// A long pseudo-random tensor.
Tensor noise(SizesRef sizes, Dtype dtype) {
  const Tensor t = empty(dtype, sizes);
  uint32_t state = 1;
  visit(dtype, [&]<class T>() {
    for (int64_t i = 0; i < t.numel(); ++i) {
      state = state * 1664525u + 1013904223u;
      t.data<T>()[i] = convert<T>(static_cast<double>(state >> 8) / 8388608.0 - 1);
    }
  });
  return t;
}

TEST_F(Reductions, LongOnesAgreeWithPlainLoopsInEveryLayout) {
  for (Dtype d : {Dtype::f32, Dtype::f64, Dtype::bf16}) {
    for (const Sizes& sizes : {Sizes{3, 100003}, Sizes{70001, 5}, Sizes{700, 301}, Sizes{9, 77, 130}}) {
      const Tensor x = noise(sizes, d);
      const Doubles v = values(x);
      const double tolerance = d == Dtype::bf16 ? 0.05 : d == Dtype::f32 ? 1e-4 : 1e-9;
      for (int64_t dim = 0; dim < x.ndim(); ++dim) {
        int64_t inner = 1;
        for (int64_t k = dim + 1; k < x.ndim(); ++k) inner *= x.size(k);
        const int64_t n = x.size(dim);
        const Doubles sums = values(sum(x, Sizes{dim}, false, Dtype::f64)), tops = values(amax(x, Sizes{dim}));
        const Tensors best = call_all(max_dim_op, {x, dim});
        const Doubles index = values(best[1]), soft = values(sum(softmax(to(x, Dtype::f32), dim), Sizes{dim}));
        for (int64_t o = 0; o < static_cast<int64_t>(sums.size()); ++o) {
          double s = 0, top = -kInf;
          int64_t at = 0;
          for (int64_t j = 0; j < n; ++j) {
            const double e = v[static_cast<size_t>(o / inner * n * inner + o % inner + j * inner)];
            s += e;
            if (e > top) { top = e; at = j; }
          }
          ASSERT_NEAR(sums[static_cast<size_t>(o)], s, tolerance) << name(d) << " dim " << dim << " at " << o;
          ASSERT_EQ(tops[static_cast<size_t>(o)], top);
          ASSERT_EQ(index[static_cast<size_t>(o)], static_cast<double>(at));
          ASSERT_NEAR(soft[static_cast<size_t>(o)], 1, 1e-5);
        }
      }
    }
  }
}

TEST_F(Reductions, OrderOfLongLines) {
  for (Dtype d : {Dtype::f32, Dtype::f64, Dtype::i16}) {
    const Tensor x = d == Dtype::i16 ? to(mul(noise(Sizes{3, 1000}, Dtype::f64), 300), d) : noise(Sizes{3, 1000}, d);
    for (bool descending : {false, true}) {
      const Tensors s = call_all(sort_op, {x, 1, descending});
      const Doubles v = values(x), got = values(s[0]), at = values(s[1]);
      for (size_t i = 0; i < got.size(); ++i) {
        const size_t row = i / 1000 * 1000;
        ASSERT_EQ(got[i], v[row + static_cast<size_t>(at[i])]);
        if (i == row) continue;
        ASSERT_TRUE(descending ? got[i - 1] >= got[i] : got[i - 1] <= got[i]);
        if (got[i - 1] == got[i]) { ASSERT_LT(at[i - 1], at[i]); }
      }
      const Doubles top = values(call_all(topk_op, {x, 7, 1, descending})[0]);
      for (size_t k = 0; k < 21; ++k) ASSERT_EQ(top[k], got[k / 7 * 1000 + k % 7]);
    }
  }
}

TEST_F(Reductions, ThreadsDoNotChangeBits) {
  const Tensor x = noise(Sizes{300, 1111}, Dtype::f32), tall = noise(Sizes{100000, 7}, Dtype::f32), flat = reshape(tall, Sizes{-1});
  const auto results = [&](int threads) {
    context_.threads = threads;
    std::vector<Tensor> all;
    for (const Tensor& t : {x, tall}) {
      for (int64_t dim : {0, 1}) {
        all.push_back(sum(t, Sizes{dim}));
        all.push_back(var(t, Sizes{dim}));
        all.push_back(logsumexp(t, Sizes{dim}));
        all.push_back(softmax(t, dim));
        all.push_back(cumsum(t, dim));
      }
      all.push_back(sum(t));
      all.push_back(norm(t));
    }
    all.push_back(sum(flat));
    return all;
  };
  const std::vector<Tensor> one = results(1), two = results(2);
  for (size_t i = 0; i < one.size(); ++i)
    EXPECT_EQ(std::memcmp(one[i].data<char>(), two[i].data<char>(), static_cast<size_t>(one[i].numel() * 4)), 0) << i;
}

TEST_F(Reductions, TheGradientOfProdIsOfWhatWasMultiplied) {
  const Tensor x = tensor({300, 300, 2}, {3}, Dtype::f16);
  set_requires_grad(x.impl(), true);
  const Tensor y = mul(call(prod_op, {x, Value(std::nullopt), false, Value(Dtype::f32)}), 1e-3);
  backward({&y, 1}, {});
  const std::vector<double> g = values(grad_of(x));
  EXPECT_NEAR(g[0], 0.6, 1e-3);
  EXPECT_NEAR(g[2], 90, 0.1);                                 // 90000 is no half-float
}

}  // namespace
}  // namespace gradus
