// Normalisation, recurrent layers and attention: what the suite's small samples do not reach.
#include "fixture.h"
#include "ops/normalize.h"

namespace gradus {
namespace {

class Layers : public Core {
 protected:
  static Tensor random(SizesRef sizes, Dtype dtype = Dtype::f64, double shift = 0) { return to(add(call(randn_op, {sizes, Dtype::f64}), shift), dtype); }
  static Tensor leaf_of(const Tensor& t) {
    const Tensor l = detach(clone(t));
    set_requires_grad(l.impl(), true);
    return l;
  }
  static Tensor clone(const Tensor& t) { return call(clone_op, {t}); }
  static void expect_close(const Tensor& got, const Tensor& want, double tolerance) {
    ASSERT_TRUE(same(got.sizes(), want.sizes())) << text(got.sizes()) << " " << text(want.sizes());
    const auto a = values(got), b = values(want);
    double scale = 0, off = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      scale = std::max(scale, std::abs(b[i]));
      off = std::max(off, std::abs(a[i] - b[i]));
    }
    EXPECT_LE(off, tolerance * (scale + 1e-30));
  }
};

// The kernel, and the composition in double, over shapes that fill vectors, bundles and pieces and leave remainders.
TEST_F(Layers, FusedBackwardIsItsComposition) {
  struct Case { NormLayout layout; bool weighted; };
  const Case cases[] = {
      {{.sizes = {70, 1, 300, 1}}, true}, {{.sizes = {3, 1, 5000, 1}}, false}, {{.sizes = {40, 3, 150, 1}}, true}, {{.sizes = {5, 4, 6, 37}}, true},
      {{.sizes = {9, 33, 1, 50}, .across = true}, true}, {{.sizes = {9, 5, 1, 3}, .across = true}, false}, {{.sizes = {1, 20, 1, 257}}, true},
      {{.sizes = {33, 1, 129, 1}, .center = false}, true},
  };
  for (const Case& k : cases) {
    const NormLayout& l = k.layout;
    const Sizes sizes(SizesRef(l.sizes)), channels{l.sizes[1] * l.sizes[2]}, statistics{l.across ? l.sizes[1] : l.sizes[0] * l.sizes[1]};
    for (Dtype d : {Dtype::f64, Dtype::f32}) {
      const Tensor x = random(sizes, d, 3), g = random(sizes, d), w = k.weighted ? random(channels, d) : Tensor();
      const Tensor gm = random(statistics, d), gv = random(statistics, d);
      const Tensors n = normalize(x, w, Tensor(), l, 1e-5);
      const Tensor rstd = inverse_std(n[2], 1e-5);
      const auto in_double = [](const Tensor& t) { return t ? to(t, Dtype::f64) : t; };
      const Value fused[] = {g, x, w, n[1], rstd, gm, gv, l.value(), l.across, l.center, 7};
      Tensors got, want;
      call(normalize_backward_op, fused, 11, got);
      const Tensor held[] = {in_double(g), in_double(x), in_double(w), in_double(n[1]), in_double(rstd), in_double(gm), in_double(gv)};
      Value plain[11];
      for (int i = 0; i < 7; ++i) plain[i] = held[i];
      std::copy(fused + 7, fused + 11, plain + 7);
      normalize_backward_op.compose(Args(normalize_backward_op, plain), want);
      for (size_t i = 0; i < 3; ++i) expect_close(got[i], want[i], d == Dtype::f64 ? 1e-12 : 3e-6);
    }
  }
}

TEST_F(Layers, NormalisedRowsHaveNoMeanAndUnitVariance) {
  const Tensor x = random(Sizes{64, 1000}, Dtype::f32, 1000);
  const Tensor y = to(layer_norm(x, Sizes{1000}, {}, {}, 0), Dtype::f64);
  for (double m : values(mean(y, Sizes{1}))) EXPECT_LE(std::abs(m), 1e-6);
  for (double v : values(var(y, Sizes{1}, Number(0)))) EXPECT_NEAR(v, 1, 1e-5);
}

TEST_F(Layers, BatchNormMovesTheRunningStatisticsInPlace) {
  const Tensor x = tensor({1, 2, 3, 10, 20, 60}, {3, 2}), mean = tensor({0, 100}, {2}), var = tensor({1, 1}, {2});
  const uint32_t before = mean.storage().current();
  const Tensor weight = leaf({1, 1}, {2});
  const Tensor y = batch_norm(x, weight, {}, mean, var, true, 0.5);
  EXPECT_GT(mean.storage().current(), before);
  EXPECT_FALSE(mean.wants_grad());
  EXPECT_TRUE(y.wants_grad());
  EXPECT_NEAR(values(mean)[0], 4, 1e-12);                     // half way to the means 8 and 24
  EXPECT_NEAR(values(mean)[1], 62, 1e-12);
  EXPECT_NEAR(values(var)[0], (1 + 109) / 2.0, 1e-12);        // (7^2 + 5^2 + 12^2) / 2
  EXPECT_NEAR(values(var)[1], (1 + 988) / 2.0, 1e-10);        // (22^2 + 14^2 + 36^2) / 2
}

TEST_F(Layers, InstanceNormAveragesTheStatisticsOfTheBatch) {
  const Tensor x = tensor({1, 3, 10, 20}, {2, 1, 2}), mean = tensor({0}, {1}), var = tensor({0}, {1});
  call(instance_norm_op, {x, Tensor(), Tensor(), mean, var, true, 1.0, 1e-5, true});
  EXPECT_NEAR(values(mean)[0], 8.5, 1e-12);
  EXPECT_NEAR(values(var)[0], (2 + 50) / 2.0, 1e-12);
}

TEST_F(Layers, AnInputWithoutElementsLeavesTheRunningStatisticsAlone) {
  for (const Sizes& sizes : {Sizes{0, 2}, Sizes{0, 2, 3}, Sizes{2, 2, 0}}) {
    for (const bool by_member : {false, true}) {
      const Tensor x = leaf_of(zeros(sizes, Dtype::f64)), mean = tensor({5, 6}, {2}), var = tensor({7, 8}, {2});
      const Tensor y = call(by_member ? instance_norm_op : batch_norm_op, {x, Tensor(), Tensor(), mean, var, true, 0.1, 1e-5, false});
      EXPECT_TRUE(same(y.sizes(), sizes));
      EXPECT_EQ(values(mean), (std::vector<double>{5, 6}));
      EXPECT_EQ(values(var), (std::vector<double>{7, 8}));
      const Tensor inputs[] = {x}, total[] = {sum(y)};
      EXPECT_TRUE(same(grad(total, inputs, {}, {})[0].sizes(), sizes));
    }
  }
}

// As torch.batch_norm; what stands above it refuses: nn_hpp_test.cpp.
TEST_F(Layers, OneValuePerChannelHasNoUnbiasedVariance) {
  const Tensor mean = tensor({5}, {1}), var = tensor({7}, {1});
  EXPECT_EQ(values(batch_norm(tensor({3}, {1, 1}), {}, {}, mean, var, true, 0.5))[0], 0);
  EXPECT_EQ(values(mean)[0], 4);
  EXPECT_TRUE(std::isnan(values(var)[0]));
}

TEST_F(Layers, NoRunningStatisticIsWrittenUnlessBothCanBe) {
  for (const Op* op : {&batch_norm_op, &instance_norm_op}) {
    const Tensor x = random(Sizes{3, 2, 4}), mean = tensor({5, 6}, {2}), var = call(expand_op, {tensor({7}, {1}), Sizes{2}});
    const uint32_t before = mean.storage().current();
    expect_error(Status::state, "running_var", [&] { call(*op, {x, Tensor(), Tensor(), mean, var, true, 0.1, 1e-5, false}); });
    EXPECT_EQ(values(mean), (std::vector<double>{5, 6}));
    EXPECT_EQ(mean.storage().current(), before);
  }
}

TEST_F(Layers, HalfPrecisionStatisticsAreTakenInFloat) {
  for (Dtype d : {Dtype::f16, Dtype::bf16}) {
    const Tensor x = random(Sizes{4, 3000}, d, 8), exact = layer_norm(to(x, Dtype::f64), Sizes{3000});
    const Tensor y = layer_norm(x, Sizes{3000});
    EXPECT_EQ(y.dtype(), d);
    expect_close(y, exact, d == Dtype::f16 ? 1e-3 : 8e-3);
    EXPECT_EQ(call_all(native_layer_norm_op, {x, Sizes{3000}, Tensor(), Tensor(), 1e-5})[1].dtype(), d);
  }
}

// Several blocks of queries, more keys than queries and fewer; the weights of the composition are in memory.
TEST_F(Layers, FusedAttentionIsItsComposition) {
  struct Case { int64_t heads, length, keys, inner, width; bool causal, turned; };
  for (const Case& c : {Case{3, 150, 150, 8, 5, true, true}, Case{2, 70, 200, 16, 24, true, false},
                        Case{2, 200, 33, 5, 7, true, true}, Case{40, 9, 20, 3, 4, false, false}}) {
    const Sizes wide{2, c.length, c.heads, c.inner};
    for (Dtype d : {Dtype::f64, Dtype::f32}) {
      const Tensor q = transpose(random(wide, d), 1, 2), k = random(Sizes{2, c.heads, c.keys, c.inner}, d),
                   v = random(Sizes{2, c.heads, c.keys, c.width}, d);
      const Tensors got = call_all(attention_op, {q, k, v, 0.3, c.causal, c.turned});
      const Tensor out = c.turned ? transpose(got[0], 1, 2) : got[0];
      const double tolerance = d == Dtype::f64 ? 1e-13 : 2e-6;
      expect_close(out, call_all(scaled_dot_product_attention_math_op, {q, k, v, Tensor(), 0.0, c.causal, Tensor(), 0.3})[0], tolerance);
      const Tensor g = transpose(random(Sizes{2, c.length, c.heads, c.width}, d), 1, 2), gl = random(Sizes{2, c.heads, c.length}, d);
      const Value arguments[] = {g, gl, q, k, v, out, got[1], 0.3, c.causal};
      Tensors fused, want;
      call(attention_backward_op, arguments, 9, fused);
      attention_backward_op.compose(Args(attention_backward_op, arguments), want);
      for (size_t i = 0; i < 3; ++i) expect_close(fused[i], want[i], tolerance * 5);
      context_.threads = 1;
      Tensors alone;
      call(attention_backward_op, arguments, 9, alone);
      context_.threads = 0;
      for (size_t i = 0; i < 3; ++i) EXPECT_EQ(values(fused[i]), values(alone[i]));
      EXPECT_EQ(values(got[0]), values(call_all(attention_op, {q, k, v, 0.3, c.causal, c.turned})[0]));
    }
  }
}

// A key that may not be seen has no part in any derivative, however large its score; a NaN that may be seen is in all of them.
TEST_F(Layers, HigherGradientsOfCausalAttentionSeeTheMask) {
  const Tensor q = leaf({1, 1}, {2, 1}), k = leaf({0, 1000}, {2, 1}), v = leaf({1, 2}, {2, 1});
  const auto slopes = [](const Tensor& y, const Tensors& x) { const Tensor one = sum(y); return grad({&one, 1}, x, {}, {.create_graph = true}); };
  const Tensor y = call(scaled_dot_product_attention_op, {q, k, v, Tensor(), 0.0, true, 1.0});
  const Tensor d = slopes(y, {q})[0];
  for (const Tensor& second : slopes(mul(d, d), {q, k}))
    for (double x : values(second)) EXPECT_TRUE(std::isfinite(x)) << x;
  const Tensor broken = leaf({NAN, 1}, {2, 1});
  const Tensor z = call(scaled_dot_product_attention_op, {q, broken, v, Tensor(), 0.0, false, 1.0});
  for (double x : values(slopes(z, {v})[0])) EXPECT_TRUE(std::isnan(x)) << x;
}

TEST_F(Layers, FusedAttentionRefusesWhatDoesNotFit) {
  const Tensor q = random(Sizes{2, 3, 4}), k = random(Sizes{2, 5, 4}), v = random(Sizes{2, 5, 6});
  expect_error(Status::shape, "a key of [2, 5, 4] and a value of [2, 4, 6]", [&] {
    call_all(attention_op, {q, k, random(Sizes{2, 4, 6}), 1.0, false, false});
  });
  expect_error(Status::dtype, "a query of float64 with a key of float32", [&] {
    call_all(attention_op, {q, to(k, Dtype::f32), v, 1.0, false, false});
  });
  expect_error(Status::shape, "no heads", [&] { call_all(attention_op, {select(q, 0, 0), select(k, 0, 0), select(v, 0, 0), 1.0, false, true}); });
  const Tensors y = call_all(attention_op, {q, k, v, 1.0, false, false});
  expect_error(Status::shape, "a gradient of shape [2, 3, 4]", [&] { call_all(attention_backward_op, {q, y[1], q, k, v, y[0], y[1], 1.0, false}); });
  expect_error(Status::shape, "a logsumexp of shape [2, 3, 6]", [&] {
    call_all(attention_backward_op, {y[0], y[0], q, k, v, y[0], y[1], 1.0, false});
  });
}

TEST_F(Layers, ARowThatSeesNothingGivesZerosAndNoGradient) {
  const Tensor q = leaf_of(random(Sizes{2, 3})), k = leaf_of(random(Sizes{2, 3})), v = leaf_of(random(Sizes{2, 3}));
  for (const Tensor& mask : {tensor({0, 0, 1, 0}, {2, 2}, Dtype::boolean), tensor({-HUGE_VAL, -HUGE_VAL, 0, -HUGE_VAL}, {2, 2})}) {
    const Tensor y = scaled_dot_product_attention(q, k, v, mask);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(values(y)[static_cast<size_t>(i)], 0);
    const Tensor inputs[] = {q, k, v}, out[] = {sum(y)};
    for (const Tensor& g : grad(out, inputs, {}, {}))
      for (double x : values(g)) EXPECT_TRUE(std::isfinite(x));
  }
}

TEST_F(Layers, LstmOfManyStepsIsItsCellRepeated) {
  const Tensor x = random(Sizes{30, 4, 5}), w[] = {random(Sizes{24, 5}), random(Sizes{24, 6}), random(Sizes{24}), random(Sizes{24})};
  Tensor state[] = {random(Sizes{4, 6}), random(Sizes{4, 6})};
  const Tensor first[] = {unsqueeze(state[0], 0), unsqueeze(state[1], 0)};
  const Tensors all = call_all(lstm_op, {x, std::span<const Tensor>(first), std::span<const Tensor>(w), true, 1, 0.0, false, false, false});
  for (int64_t i = 0; i < 30; ++i) {
    const Tensors next = call_all(lstm_cell_op, {select(x, 0, i), std::span<const Tensor>(state), w[0], w[1], w[2], w[3]});
    state[0] = next[0];
    state[1] = next[1];
    expect_close(select(all[0], 0, i), next[0], 1e-12);
  }
  expect_close(squeeze(all[2], 0), state[1], 1e-12);
}

TEST_F(Layers, GradientsOfLstmGatesAreTheirComposition) {
  const Tensor gates = random(Sizes{9, 4 * 37}), c = random(Sizes{9, 37}), gh = random(Sizes{9, 37}), gc = random(Sizes{9, 37});
  const Tensors next = call_all(lstm_gates_op, {gates, c});
  const Value arguments[] = {gh, gc, gates, c, next[1]};
  Tensors got, want;
  call(lstm_gates_backward_op, arguments, 5, got);
  lstm_gates_backward_op.compose(Args(lstm_gates_backward_op, arguments), want);
  for (size_t i = 0; i < 2; ++i) expect_close(got[i], want[i], 1e-13);
}

TEST_F(Layers, RecordedCompositionsCheckTheirShapesToo) {
  const Tensor x = leaf_of(random(Sizes{2, 3}));
  expect_error(Status::shape, "gates of shape [2, 3]", [&] { call_all(lstm_gates_backward_op, {x, x, x, x, x}); });
}

TEST_F(Layers, DropoutBetweenLayersOnlyInTraining) {
  const Tensor x = random(Sizes{5, 2, 3}), h = zeros(Sizes{2, 2, 3}, Dtype::f64);
  const Tensor w[] = {random(Sizes{9, 3}), random(Sizes{9, 3}), random(Sizes{9, 3}), random(Sizes{9, 3})};
  const auto run = [&](double p, bool train) { return values(call_all(gru_op, {x, h, std::span<const Tensor>(w), false, 2, p, train, false, false})[0]); };
  EXPECT_EQ(run(0.5, false), run(0, true));
  EXPECT_NE(run(0.5, true), run(0, true));
}

}  // namespace
}  // namespace gradus
