// In-place forms that change the tensor itself: transpose_ and its kin, resize_, detach_; and what they leave of views and gradients.
#include "dispatch/registry.h"
#include "fixture.h"

namespace gradus {
namespace {

using Relayout = Core;
using Doubles = std::vector<double>;

Tensor form(const char* name, std::initializer_list<Value> arguments) { return call(*find_op(name), arguments); }
void backward(const Tensor& t) { gradus::backward({&t, 1}, {}); }
Tensor counting(SizesRef sizes) {
  Tensor t = empty(Dtype::f64, sizes);
  for (int64_t i = 0; i < t.numel(); ++i) t.data<double>()[i] = static_cast<double>(i);
  return t;
}

TEST_F(Relayout, TheTensorItselfGetsTheLayout) {
  const Tensor x = counting(Sizes{2, 3}), same_memory = detach(x);
  const uint32_t version = x.storage().current();
  EXPECT_EQ(form("t_", {x}).impl(), x.impl());
  EXPECT_EQ(Sizes(x.sizes()), (Sizes{3, 2}));
  EXPECT_EQ(Sizes(x.strides()), (Sizes{1, 3}));
  EXPECT_EQ(x.storage().current(), version + 1);
  form("unsqueeze_", {x, 0});
  form("swapaxes_", {x, 0, -1});
  EXPECT_EQ(Sizes(x.sizes()), (Sizes{2, 3, 1}));
  form("squeeze_", {x});
  EXPECT_EQ(values(x), (Doubles{0, 1, 2, 3, 4, 5}));
  form("as_strided_", {x, Value(Sizes{2}), Value(Sizes{3}), Value(1)});
  EXPECT_EQ(values(x), (Doubles{1, 4}));
  form("add_", {x, 10});
  EXPECT_EQ(values(same_memory), (Doubles{0, 11, 2, 3, 14, 5}));
}

TEST_F(Relayout, TheHistoryFollows) {
  const Tensor a = leaf({1, 2, 3, 4, 5, 6}, {2, 3}), y = mul(a, 2);
  form("transpose_", {y, 0, 1});
  EXPECT_EQ(node_name(grad_fn(y.impl())), "TransposeBackward0");
  backward(sum(mul(y, counting(Sizes{3, 2}))));
  EXPECT_EQ(values(grad_of(a)), (Doubles{0, 4, 8, 2, 6, 10}));
}

TEST_F(Relayout, AKeptGradientHasTheNewShape) {
  const Tensor a = leaf({1, 2, 3, 4, 5, 6}, {2, 3}), y = mul(a, 2);
  retain_grad(y.impl());
  form("t_", {y});
  backward(sum(mul(y, y)));
  EXPECT_EQ(Sizes(grad_of(y).sizes()), (Sizes{3, 2}));
  EXPECT_EQ(values(grad_of(y)), (Doubles{4, 16, 8, 20, 12, 24}));
}

TEST_F(Relayout, AViewIsLaidOutAnewAndWrittenThrough) {
  const Tensor a = leaf({1, 2, 3, 4, 5, 6}, {2, 3}), y = mul(a, 1), row = select(y, 0, 1);
  form("unsqueeze_", {row, 1});
  EXPECT_EQ(Sizes(y.sizes()), (Sizes{2, 3}));
  call_in_place(mul_op, {row, tensor({10, 20, 30}, {3, 1})});
  EXPECT_EQ(values(y), (Doubles{1, 2, 3, 40, 100, 180}));
  backward(add(sum(mul(y, counting(Sizes{2, 3}))), sum(row)));
  EXPECT_EQ(values(grad_of(a)), (Doubles{0, 1, 2, 40, 100, 180}));
}

TEST_F(Relayout, ViewsOfAChangedBaseKeepTheirPlace) {
  const Tensor a = leaf({1, 2, 3, 4, 5, 6}, {2, 3}), y = mul(a, 1), row = select(y, 0, 0), column = select(y, 1, 2);
  form("t_", {y});
  call_in_place(mul_op, {row, 10});
  EXPECT_EQ(values(y), (Doubles{10, 4, 20, 5, 30, 6}));
  EXPECT_EQ(values(column), (Doubles{30, 6}));
  backward(sum(mul(column, tensor({7, 8}, {2}))));
  EXPECT_EQ(values(grad_of(a)), (Doubles{0, 0, 70, 0, 0, 8}));
}

TEST_F(Relayout, WithoutRecordingAHistoryStillFits) {
  const Tensor a = leaf({1, 2, 3, 4, 5, 6}, {2, 3}), y = mul(a, 2), row = select(mul(a, 1), 0, 1);
  {
    const GradMode off(false);
    form("t_", {y});
    form("unsqueeze_", {row, 0});
  }
  backward(add(sum(mul(y, counting(Sizes{3, 2}))), sum(row)));
  EXPECT_EQ(values(grad_of(a)), (Doubles{0, 4, 8, 3, 7, 11}));
}

TEST_F(Relayout, ASavedTensorIsFoundChanged) {
  const Tensor a = leaf({1, 2, 3, 4}, {2, 2}), w = counting(Sizes{2, 2}), y = mul(a, w);
  form("t_", {w});
  expect_error(Status::in_place, "was changed in place", [&] { backward(sum(y)); });
}

TEST_F(Relayout, WhatIsRefused) {
  const Tensor a = leaf({1, 2, 3, 4}, {2, 2}), view = select(a, 0, 0), one = unbind(mul(a, 1))[0];
  expect_error(Status::state, "t_: a leaf that requires grad", [&] { form("t_", {a}); });
  expect_error(Status::state, "unsqueeze_: a view of a leaf that requires grad", [&] { form("unsqueeze_", {view, 0}); });
  expect_error(Status::state, "unsqueeze_: the tensor is a view that is one of several outputs", [&] { form("unsqueeze_", {one, 0}); });
  expect_error(Status::index, "dim 5 is out of range", [&] { form("transpose_", {detach(a), 0, 5}); });
  {
    const GradMode off(false);
    expect_error(Status::state, "transpose_: a leaf that requires grad", [&] { form("transpose_", {a, 0, 1}); });
  }
  const Tensor y = mul(a, 1);
  context_.inference_mode = true;
  expect_error(Status::state, "t_: a tensor with history", [&] { form("t_", {y}); });
  context_.inference_mode = false;
  EXPECT_EQ(Sizes(a.sizes()), (Sizes{2, 2}));
}

TEST_F(Relayout, ResizeKeepsElementsInTheOrderOfMemory) {
  const Tensor x = transpose(counting(Sizes{2, 3}), 0, 1), y = counting(Sizes{2, 3});
  expect_error(Status::state, "resize_: a tensor of shape [3, 2] can't be given the shape [2]: it is a view", [&] { form("resize_", {x, Value(Sizes{2})}); });
  const uint32_t version = y.storage().current();
  form("resize_", {y, Value(Sizes{2, 3})});
  EXPECT_EQ(y.storage().current(), version);                  // nothing to do
  form("resize_", {y, Value(Sizes{2, 2})});
  EXPECT_EQ(values(y), (Doubles{0, 1, 2, 3}));
  form("resize_", {y, Value(Sizes{40, 50})});
  EXPECT_EQ(values(slice(reshape(y, Sizes{-1}), 0, 0, 6)), (Doubles{0, 1, 2, 3, 4, 5}));
  EXPECT_GT(y.storage().current(), version);
  form("resize_as_", {y, leaf({1, 2}, {1, 2})});
  EXPECT_EQ(Sizes(y.sizes()), (Sizes{1, 2}));
  EXPECT_EQ(values(form("resize", {y, Value(Sizes{3})})), (Doubles{0, 1, 0}));
}

TEST_F(Relayout, ResizeRefusesWhatOthersSee) {
  const Tensor a = leaf({1, 2}, {2}), x = counting(Sizes{4}), other = detach(x);
  expect_error(Status::state, "it requires grad", [&] { form("resize_", {a, Value(Sizes{1})}); });
  expect_error(Status::state, "another tensor shares its memory", [&] { form("resize_", {x, Value(Sizes{5})}); });
  expect_error(Status::shape, "negative size", [&] { form("resize_", {x, Value(Sizes{-1})}); });
  form("resize_", {x, Value(Sizes{3})});
  EXPECT_EQ(other.numel(), 4);
  const Tensor y = empty(Dtype::f64, Sizes{1});
  expect_error(Status::shape, "overflow", [&] { form("resize_", {y, Value(Sizes{INT64_MAX / 4})}); });
}

TEST_F(Relayout, DetachInPlaceCutsTheTensorOff) {
  const Tensor a = leaf({1, 2}, {2}), y = mul(a, 2);
  EXPECT_EQ(form("detach_", {y}).impl(), y.impl());
  EXPECT_FALSE(y.wants_grad());
  backward(sum(mul(y, a)));
  EXPECT_EQ(values(grad_of(a)), (Doubles{2, 4}));
  expect_error(Status::state, "detach_: a view", [&] { form("detach_", {select(a, 0, 0)}); });
  form("detach_", {a});
  EXPECT_FALSE(a.wants_grad());
}

}  // namespace
}  // namespace gradus
