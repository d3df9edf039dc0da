// The engine: seeds, accumulation, graphs run twice, deep and wide graphs, higher orders.
#include "fixture.h"


namespace gradus {
namespace {

using Engine = Core;
using Doubles = std::vector<double>;

void backward(const Tensor& t, const GradOptions& o = {}) { gradus::backward({&t, 1}, {}, o); }

TEST_F(Engine, AddsTheGradientOfALeaf) {
  const Tensor a = leaf({1, 2, 3}, {3});
  backward(sum(mul(mul(a, a), 2)));
  EXPECT_EQ(values(grad_of(a)), (Doubles{4, 8, 12}));
  backward(sum(mul(a, 3)));
  EXPECT_EQ(values(grad_of(a)), (Doubles{7, 11, 15}));
}

TEST_F(Engine, SumsOverBroadcastDimensions) {
  const Tensor a = leaf({1, 2, 3}, {3}), b = leaf({1, 2}, {2, 1});
  backward(sum(mul(a, b)));
  EXPECT_EQ(values(grad_of(a)), (Doubles{3, 3, 3}));
  EXPECT_EQ(values(grad_of(b)), (Doubles{6, 6}));
}

TEST_F(Engine, ASecondRunNeedsTheGraphKept) {
  const Tensor a = leaf({1, 2}, {2});
  const Tensor s = sum(mul(a, a));
  backward(s, {.retain_graph = true});
  backward(s);
  EXPECT_EQ(values(grad_of(a)), (Doubles{4, 8}));
  expect_error(Status::graph_freed, "MulBackward0", [&] { backward(s); });
  const Tensor linear = sum(add(a, a));                       // it saved nothing, so it may run again
  backward(linear);
  backward(linear);
}

TEST_F(Engine, DifferentiatesTwice) {
  const Tensor a = leaf({0.5, 1, 2}, {3});
  const Tensor y = sum(exp(mul(a, a)));
  const Tensors first = grad({&y, 1}, {&a, 1}, {}, {.create_graph = true});
  const Tensor z = sum(first[0]);
  const Tensors second = grad({&z, 1}, {&a, 1}, {});
  const Doubles got = values(second[0]), x = {0.5, 1, 2};
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(got[i], (2 + 4 * x[i] * x[i]) * std::exp(x[i] * x[i]), 1e-10 * got[i]);
  EXPECT_FALSE(grad_of(a));
}

TEST_F(Engine, RunsAMillionNodesInAChain) {
  const Tensor a = leaf({1, 2}, {2});
  Tensor y = a;
  for (int i = 0; i < 1000000; ++i) y = add(y, 1);
  backward(sum(y));
  EXPECT_EQ(values(grad_of(a)), (Doubles{1, 1}));
}

TEST_F(Engine, FansOut) {
  const Tensor a = leaf({1, 2}, {2});
  Tensor y = mul(a, 0);
  for (int i = 0; i < 100000; ++i) y = add(y, a);
  backward(sum(y));
  EXPECT_EQ(values(grad_of(a)), (Doubles{100000, 100000}));
}

TEST_F(Engine, RefusesWhatPyTorchRefuses) {
  const Tensor a = leaf({1, 2}, {2}), plain = tensor({1, 2}, {2});
  expect_error(Status::shape, "shape [2]", [&] { backward(mul(a, 2)); });
  expect_error(Status::state, "does not require grad", [&] { backward(sum(plain)); });
  const Tensor y = sum(mul(a, 2)), seed = tensor({1, 1}, {2});
  expect_error(Status::shape, "gradient 0 has shape [2]", [&] { gradus::backward({&y, 1}, {&seed, 1}); });
  expect_error(Status::state, "input 0 does not require grad", [&] { grad({&y, 1}, {&plain, 1}, {}); });
  const Tensor unused = leaf({1}, {1});
  expect_error(Status::state, "input 0 was not used", [&] { grad({&y, 1}, {&unused, 1}, {}); });
  expect_error(Status::dtype, "int64", [&] { set_requires_grad(tensor({1}, {1}, Dtype::i64).impl(), true); });
}

TEST_F(Engine, WritesInPlaceKeepTheHistory) {
  const Tensor a = leaf({1, 2, 3}, {3});
  const Tensor y = mul(a, 2);
  call_in_place(mul_op, {y, y});                              // (2a)^2
  backward(sum(y));
  EXPECT_EQ(values(grad_of(a)), (Doubles{8, 16, 24}));
}

TEST_F(Engine, AWriteThroughAViewChangesItsBase) {
  const Tensor a = leaf({1, 2, 3, 4}, {4});
  const Tensor y = mul(a, 1);
  const Tensor v = call(as_strided_op, {y, Sizes{2}, Sizes{1}, 1});
  call_in_place(mul_op, {v, 10});
  EXPECT_EQ(values(y), (Doubles{1, 20, 30, 4}));
  backward(sum(mul(y, y)));
  EXPECT_EQ(values(grad_of(a)), (Doubles{2, 400, 600, 8}));
}

TEST_F(Engine, AViewFollowsAWriteToItsBase) {
  const Tensor a = leaf({1, 2, 3, 4}, {4});
  const Tensor y = mul(a, 1);
  const Tensor v = view(y, Sizes{2, 2});
  call_in_place(mul_op, {y, 3});
  backward(sum(mul(v, v)));
  EXPECT_EQ(values(grad_of(a)), (Doubles{18, 36, 54, 72}));
}

TEST_F(Engine, ASavedValueThatChangedIsNoticed) {
  const Tensor a = leaf({1, 2}, {2});
  const Tensor y = exp(a);
  const Tensor z = sum(mul(y, 2));
  call_in_place(add_op, {y, 1});
  expect_error(Status::in_place, "ExpBackward0", [&] { backward(z.impl() ? sum(y) : z); });
  expect_error(Status::state, "add_: a leaf that requires grad", [&] { call_in_place(add_op, {a, 1}); });
}

TEST_F(Engine, ARefusedTensorBehindOthersLeavesNothing) {
  const Tensor a = leaf({1}, {1}), b = tensor({1}, {1}), y = sum(a);
  const Tensor outputs[] = {sin(a), b}, inputs[] = {a, b};
  expect_error(Status::state, "output 1 does not require grad", [&] { grad(outputs, {&a, 1}, {}); });
  expect_error(Status::state, "input 1 does not require grad", [&] { grad({&y, 1}, inputs, {}); });
}

}  // namespace
}  // namespace gradus
