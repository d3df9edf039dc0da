// Normalisation and recurrent layers: what the suite's small samples do not reach. For attention see attention_test.cpp.
#include "layers.h"
#include "ops/normalize.h"

namespace gradus {
namespace {

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
