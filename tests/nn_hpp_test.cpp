// gradus/nn.hpp: names, sizes, modes and values of the layers.
#include "gradus/nn.hpp"
#include "hpp_fixture.h"

using gradus::Tensor;
namespace nn = gradus::nn;

namespace {

std::vector<std::string> names(const nn::NamedTensors& all) {
  std::vector<std::string> found;
  for (auto& [name, t] : all) found.push_back(name);
  return found;
}

using Modules = Clean;
using Layers = Clean;

struct Net : nn::Module {
  nn::Linear hidden{3, 4}, out{4, 2};
  nn::Dropout dropout{1.0};
  Net() { add("hidden", hidden), add("dropout", dropout), add("out", out); }
  Tensor forward(const Tensor& x) override { return out(dropout(gradus::relu(hidden(x)))); }
};

TEST_F(Modules, HaveNamedParametersAndModes) {
  Net net;
  EXPECT_EQ(names(net.named_parameters()), (std::vector<std::string>{"hidden.weight", "hidden.bias", "out.weight", "out.bias"}));
  const Tensor x = gradus::ones({1, 3});
  EXPECT_EQ(net(x).to_vector<float>(), net.out.bias.to_vector<float>());
  net.eval();
  EXPECT_FALSE(net.dropout.is_training());
  const Tensor y = net(x);
  y.sum().backward();
  EXPECT_EQ(net.out.bias.grad().to_vector<float>(), (std::vector<float>{1, 1}));
  net.zero_grad();
  EXPECT_FALSE(net.out.bias.grad().defined());
}

TEST_F(Modules, TakeTheStateOfAnother) {
  Net a, b;
  b.load_state_dict(a.state_dict());
  EXPECT_EQ(a.hidden.weight.to_vector<float>(), b.hidden.weight.to_vector<float>());
  auto state = a.state_dict();
  state[1].second = gradus::zeros({5});
  EXPECT_THROW(b.load_state_dict(state), gradus::Error);
  state.pop_back();
  EXPECT_THROW(b.load_state_dict(state), gradus::Error);
  EXPECT_EQ(a.hidden.bias.to_vector<float>(), b.hidden.bias.to_vector<float>());
}

TEST_F(Modules, NameWhatIsWrongWithAState) {
  Net net;
  const auto before = net.hidden.weight.to_vector<float>();
  auto state = Net().state_dict();
  state.push_back({"hidden.weight", gradus::zeros({4, 3})});
  expect_error(GRADUS_E_VALUE, "hidden.weight is given twice", [&] { net.load_state_dict(state); });
  state.back().first = "other.weight";
  expect_error(GRADUS_E_UNKNOWN_NAME, "the module has no other.weight", [&] { net.load_state_dict(state); });
  state.pop_back();
  state.pop_back();
  expect_error(GRADUS_E_UNKNOWN_NAME, "out.bias is missing", [&] { net.load_state_dict(state); });
  EXPECT_EQ(net.hidden.weight.to_vector<float>(), before);
}

struct Named : nn::Module {
  nn::Linear a{1, 1}, b{1, 1};
  Named(const char* first, const char* second) { add(first, a), add(second, b); }
};

TEST_F(Modules, HaveNamesOfTheirOwn) {
  expect_error(GRADUS_E_VALUE, "there is a x already", [] { Named("x", "x"); });
  expect_error(GRADUS_E_VALUE, "'x.y'", [] { Named("x.y", "x"); });
  expect_error(GRADUS_E_VALUE, "''", [] { Named("x", ""); });
  EXPECT_EQ(Named("x", "y").named_parameters()[2].first, "y.weight");
}

TEST_F(Layers, LinearIsItsFormula) {
  nn::Linear l(2, 1);
  l.load_state_dict({{"weight", gradus::tensor({2.0, 3.0}).reshape({1, 2}).to(gradus::float32)}, {"bias", gradus::tensor({1.0f})}});
  EXPECT_EQ(l(gradus::ones({1, 2})).item<double>(), 6);
}

TEST_F(Layers, BatchNormKeepsRunningValues) {
  nn::BatchNorm2d norm(1, 1e-5, 0.5);
  norm(gradus::ones({2, 1, 2, 2}) * 4.0);
  EXPECT_EQ(norm.running_mean.item<double>(), 2);
  EXPECT_EQ(norm.num_batches_tracked.item<int64_t>(), 1);
  norm.eval();
  norm(gradus::ones({2, 1, 2, 2}));
  EXPECT_EQ(norm.num_batches_tracked.item<int64_t>(), 1);
  EXPECT_THROW(norm(gradus::ones({2, 1})), gradus::Error);
  EXPECT_EQ(norm(gradus::ones({1, 1, 1, 1})).numel(), 1);
  norm.train();
  EXPECT_THROW(norm(gradus::ones({1, 1, 1, 1})), gradus::Error);     // one value has no variance
  EXPECT_EQ(norm(gradus::ones({0, 1, 1, 1})).numel(), 0);
  EXPECT_EQ(norm.num_batches_tracked.item<int64_t>(), 2);
  EXPECT_EQ(norm.running_mean.item<double>(), 2);
}

TEST_F(Layers, RecurrentOnesGiveSequencesAndStates) {
  nn::LSTM l(3, 5, {.layers = 2, .batch_first = true, .bidirectional = true});
  EXPECT_EQ(l.parameters().size(), 16u);
  EXPECT_EQ(l.named_parameters()[4].first, "weight_ih_l0_reverse");
  const auto [y, h, c] = l.run(gradus::randn({2, 7, 3}));
  EXPECT_EQ(y.sizes(), (std::vector<int64_t>{2, 7, 10}));
  EXPECT_EQ(c.sizes(), (std::vector<int64_t>{4, 2, 5}));
  nn::GRU g(3, 4);
  const Tensor x = gradus::randn({5, 2, 3});
  const auto [whole, last] = g.run(x);
  const auto [begin, state] = g.run(x.narrow(0, 0, 2));
  const auto [end, same] = g.run(x.narrow(0, 2, 3), state);      // in two parts it comes to the same
  EXPECT_TRUE(gradus::allclose(last, same).item<bool>());
}

TEST_F(Layers, AttentionThatIsCausalSeesNothingThatComes) {
  nn::TransformerEncoderLayer layer(8, 2, {.feedforward = 16, .norm_first = true, .gelu = true});
  layer.eval();
  const Tensor x = gradus::randn({1, 5, 8}), changed = x.clone();
  changed.select(1, 4).zero_();
  const Tensor a = layer.run(x, {}, true), b = layer.run(changed, {}, true);
  EXPECT_TRUE(gradus::allclose(a.narrow(1, 0, 4), b.narrow(1, 0, 4)).item<bool>());
  EXPECT_FALSE(gradus::allclose(a, b).item<bool>());
  EXPECT_EQ(names(layer.named_parameters())[0], "self_attn.in_proj_weight");
  EXPECT_THROW(nn::MultiheadAttention(5, 2), gradus::Error);
}

TEST_F(Layers, SequencesOwnTheirModules) {
  nn::Sequential seq;
  seq.push<nn::Conv2d>(1, 4, std::array<int64_t, 2>{3, 3}, nn::ConvOptions{.padding = {1, 1}});
  seq.push<nn::GroupNorm>(2, 4);
  seq.push<nn::Function>([](const Tensor& x) { return gradus::relu(x).flatten(1); });
  seq.push<nn::Linear>(64, 3);
  seq.push<nn::RMSNorm>(std::vector<int64_t>{3});
  EXPECT_EQ(seq(gradus::randn({2, 1, 4, 4})).sizes(), (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(names(seq.state_dict()).front(), "0.weight");
  EXPECT_EQ(names(seq.state_dict()).back(), "4.weight");
  EXPECT_THROW(nn::Dropout(2.0), gradus::Error);
}

TEST_F(Layers, FunctionsAreModulesToo) {
  nn::Sequential seq;
  auto& inner = seq.push<nn::Sequential>();
  inner.push<nn::MaxPool2d>(2);
  inner.push<nn::AdaptiveAvgPool2d>(1);
  seq.push<nn::Flatten>();
  seq.push<nn::ReLU>();
  const Tensor x = gradus::arange(16).to(gradus::float64).reshape({1, 1, 4, 4});
  expect_values(seq(x), {(5 + 7 + 13 + 15) / 4.0});
  const Tensor y = gradus::tensor({-1.0, 2.0}, gradus::float64);
  expect_values(nn::ReLU()(y), {0, 2});
  expect_values(nn::Tanh()(y), {std::tanh(-1), std::tanh(2)});
  expect_values(nn::Sigmoid()(y), {1 / (1 + std::exp(1)), 1 / (1 + std::exp(-2))});
  expect_values(nn::SiLU()(y), {-1 / (1 + std::exp(1)), 2 / (1 + std::exp(-2))});
  expect_values(nn::GELU()(y), {-0.5 * std::erfc(1 / std::sqrt(2.0)), 2 - std::erfc(2 / std::sqrt(2.0))});
}

TEST_F(Layers, AttentionOfOneSequenceIsThatOfThreeEqualOnes) {
  nn::MultiheadAttention attention(8, 2);
  const Tensor x = gradus::randn({2, 5, 8});
  EXPECT_TRUE(gradus::allclose(attention(x), attention.attend(x, x.clone(), x.clone()), 1e-5, 1e-6).item<bool>());
}

TEST_F(Layers, FirstValuesAreWithinPytorchsBounds) {
  gradus::manual_seed(1);
  const nn::Linear l(100, 50);
  const double most = l.weight.abs().max().item<double>();
  EXPECT_LE(most, 0.1);
  EXPECT_GT(most, 0.099);
}

}  // namespace
