// Hooks, kept gradients, recording modes, and what they refuse.
#include "fixture.h"

#include <memory>

#include "graph/history.h"

namespace gradus {
namespace {

using Hooks = Core;
using Doubles = std::vector<double>;

void backward(const Tensor& t, const GradOptions& o = {}) { gradus::backward({&t, 1}, {}, o); }

TEST_F(Hooks, AHookSeesTheWholeGradientAndMayReplaceIt) {
  const Tensor a = leaf({1, 2}, {2});
  const Tensor y = mul(a, 2);
  Doubles seen;
  add_hook(y.impl(), [&](const Tensor& g) { seen = values(g); return mul(g, 10); });
  backward(sum(add(y, mul(y, 3))));
  EXPECT_EQ(seen, (Doubles{4, 4}));
  EXPECT_EQ(values(grad_of(a)), (Doubles{80, 80}));
}

TEST_F(Hooks, HooksOfALeafRunBeforeItsGradientIsAdded) {
  const Tensor a = leaf({1, 2}, {2});
  int order = 0, first = 0, second = 0;
  add_hook(a.impl(), [&](const Tensor&) { first = ++order; return Tensor(); });
  add_hook(a.impl(), [&](const Tensor& g) { second = ++order; EXPECT_FALSE(grad_of(a)); return neg(g); });
  backward(sum(a));
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 2);
  EXPECT_EQ(values(grad_of(a)), (Doubles{-1, -1}));
}

TEST_F(Hooks, ModesThatAHookLeavesBehindEndWithThePass) {
  const Tensor a = leaf({1}, {1});
  add_hook(a.impl(), [&](const Tensor&) {
    context_.grad_mode = !context_.grad_mode;
    context_.inference_mode = true;
    return Tensor();
  });
  backward(sum(a));
  EXPECT_TRUE(context_.grad_mode);
  EXPECT_FALSE(context_.inference_mode);
}

TEST_F(Hooks, ARemovedHookRunsNoMore) {
  const Tensor a = leaf({1}, {1});
  int runs = 0;
  const uint64_t id = add_hook(a.impl(), [&](const Tensor&) { ++runs; return Tensor(); });
  backward(sum(a));
  EXPECT_TRUE(remove_hook(a.impl(), id));
  EXPECT_FALSE(remove_hook(a.impl(), id));
  backward(sum(a));
  EXPECT_EQ(runs, 1);
}

TEST_F(Hooks, HooksOfTwoHistoriesOfATensorAreToldApart) {
  const Tensor a = leaf({1}, {1});
  const Tensor y = mul(a, 2);
  int old = 0, now = 0;
  add_hook(y.impl(), [&](const Tensor&) { ++old; return Tensor(); });
  call_in_place(mul_op, {y, 5});
  const uint64_t id = add_hook(y.impl(), [&](const Tensor&) { ++now; return Tensor(); });
  EXPECT_TRUE(remove_hook(y.impl(), id));
  backward(sum(y));
  EXPECT_EQ(old, 1);
  EXPECT_EQ(now, 0);
}

TEST_F(Hooks, AnInputGivenTwiceGetsItsGradientOnce) {
  const Tensor a = leaf({1}, {1}), y = mul(a, 2), z = sum(y);
  const Tensor inputs[] = {y, y, a, a};
  gradus::backward(std::span(&z, 1), {}, {}, inputs);
  EXPECT_EQ(values(grad_of(y)), Doubles{1});
  EXPECT_EQ(values(grad_of(a)), Doubles{2});
}

TEST_F(Hooks, AGroupIgnoresGradientsThatThePassDoesNotNeed) {
  const Tensor x = leaf({1}, {1}), other = leaf({1}, {1});
  const Tensor b = mul(x, 2), loss = sum(mul(b, 3)), unrelated = mul(other, 2);   // newer than all the rest
  std::vector<bool> seen;
  const Tensor group[] = {unrelated, b};
  add_multi_hook(group, false, [&](const Tensors& g) { seen = {static_cast<bool>(g[0]), static_cast<bool>(g[1])}; });
  const Tensor outputs[] = {unrelated, loss};
  gradus::backward(outputs, {}, {}, std::span(&x, 1));
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_TRUE(seen[1]);
}

TEST_F(Hooks, DataOfAnotherTensorIsNotWrittenWhenItIsShared) {
  const Tensor p = leaf({1, 2}, {2}), w = leaf({3, 4}, {2}), data = tensor({5, 6}, {2});
  data.storage().bump();
  const Tensor z = sum(mul(data, w));
  set_data(p.impl(), data.impl());
  backward(z);
  EXPECT_EQ(values(grad_of(w)), (Doubles{5, 6}));
}

TEST_F(Hooks, AHookKeepsToTheHistoryItWasMadeFor) {
  const Tensor a = leaf({1}, {1});
  const Tensor y = mul(a, 2);
  Doubles seen;
  add_hook(y.impl(), [&](const Tensor& g) { seen = values(g); return Tensor(); });
  call_in_place(mul_op, {y, 5});
  backward(sum(y));
  EXPECT_EQ(seen, (Doubles{5}));                              // of the value before the write
}

TEST_F(Hooks, AHookOfTheWrongShapeIsRefused) {
  const Tensor a = leaf({1, 2}, {2});
  add_hook(a.impl(), [&](const Tensor& g) { return sum(g); });
  expect_error(Status::shape, "shape [] for a tensor of shape [2]", [&] { backward(sum(a)); });
  expect_error(Status::state, "does not require grad", [&] { add_hook(tensor({1}, {1}).impl(), [](const Tensor&) { return Tensor(); }); });
}

TEST_F(Hooks, AFailingHookLeavesTheGraphUsable) {
  const Tensor a = leaf({1, 2}, {2});
  const Tensor y = mul(a, a);
  bool fails = true;
  add_hook(y.impl(), [&](const Tensor&) -> Tensor {
    if (fails) throw CallbackFailed(Status::callback);
    return {};
  });
  const Tensor s = sum(y);
  EXPECT_THROW(backward(s), CallbackFailed);
  fails = false;
  backward(s);
  EXPECT_EQ(values(grad_of(a)), (Doubles{2, 4}));
}

TEST_F(Hooks, BackwardInsideAHook) {
  const Tensor a = leaf({3}, {1}), b = leaf({5}, {1});
  const Tensor y = mul(a, a);
  add_hook(y.impl(), [&](const Tensor&) {
    EXPECT_FALSE(context().grad_mode);                        // as create_graph says
    const GradMode on(true);
    backward(sum(mul(b, b)));
    return Tensor();
  });
  backward(sum(y));
  EXPECT_EQ(values(grad_of(a)), (Doubles{6}));
  EXPECT_EQ(values(grad_of(b)), (Doubles{10}));
}

TEST_F(Hooks, TheSameGraphRunInsideItself) {
  const Tensor a = leaf({3}, {1});
  const Tensor y = mul(a, a), s = sum(y);
  bool nested = false;
  add_hook(y.impl(), [&](const Tensor&) {
    if (!std::exchange(nested, true)) backward(s, {.retain_graph = true});
    return Tensor();
  });
  backward(s, {.retain_graph = true});
  EXPECT_EQ(values(grad_of(a)), (Doubles{12}));
}

TEST_F(Hooks, ARetainedGradientOfANonLeaf) {
  const Tensor a = leaf({1, 2}, {2});
  const Tensor y = mul(a, 3);
  retain_grad(y.impl());
  backward(sum(mul(y, y)));
  EXPECT_EQ(values(grad_of(y)), (Doubles{6, 12}));
  expect_error(Status::state, "retain_grad", [&] { retain_grad(tensor({1}, {1}).impl()); });
}

TEST_F(Hooks, ARetainedGradientFollowsTheNewestVersion) {
  const Tensor a = leaf({1, 2}, {2});
  const Tensor y = mul(a, 3);
  retain_grad(y.impl());
  call_in_place(mul_op, {y, 5});
  backward(sum(mul(y, 7)));
  EXPECT_EQ(values(grad_of(y)), (Doubles{7, 7}));
}

TEST_F(Hooks, AWrittenTensorThatDiedRetainsNothing) {
  const Tensor a = leaf({1, 2}, {2});
  Tensor y = mul(a, 3);
  retain_grad(y.impl());
  call_in_place(mul_op, {y, 5});
  const Tensor s = sum(y);
  y = Tensor();
  backward(s);
  EXPECT_EQ(values(grad_of(a)), (Doubles{15, 15}));
}

TEST_F(Hooks, ADetachedTensorStillGetsTheGradientItAskedFor) {
  const Tensor a = leaf({1, 2}, {2});
  Tensor y = mul(a, 3);
  const Tensor s = sum(y);
  retain_grad(y.impl());
  detach_in_place(y.impl());
  backward(s, {.retain_graph = true});
  EXPECT_EQ(values(grad_of(y)), (Doubles{1, 1}));
  y = Tensor();
  backward(s);
  EXPECT_EQ(values(grad_of(a)), (Doubles{6, 6}));
}

TEST_F(Hooks, AHookThatDiesMayRemoveAnother) {
  const Tensor a = leaf({1}, {1});
  uint64_t second = 0;
  std::vector<int> ran;
  const std::shared_ptr<void> last(nullptr, [&](void*) { EXPECT_TRUE(remove_hook(a.impl(), second)); });
  const uint64_t first = add_hook(a.impl(), [&, held = last](const Tensor&) { ran.push_back(1); return Tensor(); });
  second = add_hook(a.impl(), [&](const Tensor&) { ran.push_back(2); return Tensor(); });
  add_hook(a.impl(), [&](const Tensor&) { ran.push_back(3); return Tensor(); });
  const_cast<std::shared_ptr<void>&>(last).reset();
  EXPECT_TRUE(remove_hook(a.impl(), first));
  backward(sum(a));
  EXPECT_EQ(ran, (std::vector<int>{3}));
}

TEST_F(Hooks, AHooksForeignMemoryIsNeitherWrittenNorKept) {
  const Tensor a = leaf({1, 2}, {2});
  double memory[] = {10, 20};
  add_hook(a.impl(), [&](const Tensor&) {
    const int64_t sizes[] = {2}, strides[] = {1};
    return over_storage(wrap_storage(memory, sizeof memory, false), Dtype::f64, sizes, strides, 0);
  });
  backward(sum(a));
  memory[0] = -1;
  backward(sum(a));
  EXPECT_EQ(values(grad_of(a)), (Doubles{9, 40}));
  EXPECT_EQ(memory[0], -1);
}

TEST_F(Hooks, AGradientInReadOnlyMemoryIsNotWritten) {
  const Tensor a = leaf({1, 2}, {2}), g = tensor({10, 20}, {2});
  g.storage().read_only = true;
  set_grad(a.impl(), g);
  backward(sum(a));
  EXPECT_EQ(values(grad_of(a)), (Doubles{11, 21}));
  EXPECT_EQ(values(g), (Doubles{10, 20}));
}

TEST_F(Hooks, AnExpandedGradientIsAddedToElementByElement) {
  const Tensor a = leaf({1, 2}, {2});
  set_grad(a.impl(), expand(tensor({10}, {1}), Sizes{2}));
  backward(sum(mul(a, tensor({1, 2}, {2}))));
  EXPECT_EQ(values(grad_of(a)), (Doubles{11, 12}));
}

TEST_F(Hooks, ARecordedGradientKeepsItsHistory) {
  const Tensor a = leaf({3}, {1});
  backward(sum(mul(a, mul(a, a))), {.create_graph = true});
  ASSERT_TRUE(needs_grad(grad_of(a).impl()));
  const Tensor g = grad_of(a);
  set_grad(a.impl(), Tensor());
  backward(sum(g));
  EXPECT_EQ(values(grad_of(a)), (Doubles{18}));
}

TEST_F(Hooks, NothingIsRecordedWithoutGradMode) {
  const Tensor a = leaf({1, 2}, {2});
  {
    const GradMode off(false);
    EXPECT_FALSE(needs_grad(mul(a, 2).impl()));
    call_in_place(add_op, {a, 1});                            // an optimizer's step
    {
      const GradMode on(true);
      EXPECT_TRUE(needs_grad(mul(a, 2).impl()));
    }
  }
  EXPECT_EQ(values(detach(a)), (Doubles{2, 3}));
  EXPECT_TRUE(needs_grad(mul(a, 2).impl()));
}

TEST_F(Hooks, ATensorOfInferenceModeStaysOutOfGraphs) {
  const Tensor a = leaf({1, 2}, {2});
  context_.inference_mode = true;
  const Tensor t = mul(a, 2);
  context_.inference_mode = false;
  EXPECT_FALSE(needs_grad(t.impl()));
  expect_error(Status::state, "saved for backward", [&] { mul(a, t); });
  expect_error(Status::state, "can't be changed outside", [&] { call_in_place(add_op, {t, 1}); });
  EXPECT_EQ(values(add(a, t)), (Doubles{3, 6}));              // nothing to save
}

TEST_F(Hooks, ARefusedWriteLeavesItsTensorAsItWas) {
  const Tensor a = leaf({1, 2}, {2}), y = mul(a, 2);
  context_.inference_mode = true;
  const Tensor t = tensor({3, 3}, {2});
  context_.inference_mode = false;
  expect_error(Status::state, "saved for backward", [&] { call_in_place(mul_op, {y, t}); });
  EXPECT_EQ(values(y), (Doubles{2, 4}));
}

TEST_F(Hooks, InferenceModeWritesWithoutRecording) {
  const Tensor a = leaf({1, 2}, {2}), y = mul(a, 2);
  const Node* before = grad_fn(y.impl());
  context_.inference_mode = true;
  call_in_place(add_op, {a, 1});
  call_in_place(add_op, {y, 1});
  context_.inference_mode = false;
  EXPECT_EQ(grad_fn(y.impl()), before);
  EXPECT_EQ(values(a), (Doubles{2, 3}));
}

TEST_F(Hooks, ViewsThatCannotBeWrittenThrough) {
  const Tensor a = leaf({1, 2, 3, 4}, {4});
  expect_error(Status::state, "view of a leaf that requires grad", [&] { call_in_place(add_op, {view(a, Sizes{2, 2}), 1}); });
  const Tensor y = mul(a, 2);
  Tensor v;
  {
    const GradMode off(false);
    v = view(y, Sizes{2, 2});
  }
  expect_error(Status::state, "while recording was off", [&] { call_in_place(mul_op, {v, 2}); });
  expect_error(Status::state, "share memory", [&] { call_in_place(add_op, {expand(tensor({1}, {1}), Sizes{3}), 1}); });
}

TEST_F(Hooks, DetachSharesTheVersionAndNotTheHistory) {
  const Tensor a = leaf({1, 2}, {2});
  const Tensor y = exp(a), d = detach(y);
  EXPECT_FALSE(needs_grad(d.impl()));
  call_in_place(add_op, {d, 1});
  expect_error(Status::in_place, "version 1, expected 0", [&] { backward(sum(y)); });
}

TEST_F(Hooks, AWriteMakesABufferPartOfTheGraph) {
  const Tensor a = leaf({1, 2}, {2}), buffer = tensor({0, 0, 0, 0}, {2, 2});
  const Tensor row = call(as_strided_op, {buffer, Sizes{2}, Sizes{1}, 2});
  call_in_place(copy_op, {row, mul(a, 3)});
  EXPECT_TRUE(needs_grad(buffer.impl()));
  backward(sum(mul(buffer, buffer)));
  EXPECT_EQ(values(grad_of(a)), (Doubles{18, 36}));
}

}  // namespace
}  // namespace gradus
