// Checkpoints: the same gradients from fewer saved values, nested, with random numbers, with results kept, and their refusals.
#include "fixture.h"

#include <atomic>
#include <thread>

#include "dispatch/registry.h"
#include "graph/checkpoint.h"

namespace gradus {
namespace {

using Doubles = std::vector<double>;

class Checkpoint : public Core {
 protected:
  static Doubles gradient(const Tensor& loss, const Tensor& x, const GradOptions& o = {}) { return values(grad(std::span(&loss, 1), std::span(&x, 1), {}, o)[0]); }
  static void expect_near(const Doubles& got, const Doubles& wanted) {   // fused and composed rules round differently
    ASSERT_EQ(got.size(), wanted.size());
    for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], 1e-12 * std::abs(wanted[i]));
  }
};

Segment counted(int& runs, std::function<Tensor(const Tensor&)> f) {
  return [&runs, f](const Tensors& in, Tensors& out) {
    ++runs;
    out.push_back(f(in[0]));
  };
}
Tensor run(const Segment& s, const Tensor& x, const CheckpointOptions& o = {}) {
  Tensors out;
  checkpoint(s, {&x, 1}, o, out);
  return out[0];
}
Tensor wave(const Tensor& x) { return exp(sin(mul(x, x))); }

TEST_F(Checkpoint, GivesTheSameGradientBySecondRun) {
  const Tensor x = leaf({1, 2, 3}, {3});
  const Doubles wanted = gradient(sum(wave(x)), x);
  int runs = 0;
  const Tensor y = run(counted(runs, wave), x);
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(gradient(sum(y), x), wanted);
  EXPECT_EQ(runs, 2);
}

TEST_F(Checkpoint, KeepsTheInputAlone) {
  const Tensor x = leaf({1, 2, 3}, {3});
  const int64_t before = live_count(Live::tensors);
  const Tensor plain = wave(x);
  const int64_t held = live_count(Live::tensors) - before;
  int runs = 0;
  const Tensor y = run(counted(runs, wave), x);
  EXPECT_LT(live_count(Live::tensors) - before - held, held);
}

TEST_F(Checkpoint, HigherOrdersAndRepeatedPasses) {
  const Tensor x = leaf({0.5, 1}, {2});
  int runs = 0;
  GradOptions record;
  record.create_graph = true;
  GradOptions keep;
  keep.retain_graph = true;
  const auto second = [&](const Tensor& y) {
    const Tensor s = sum(y), g = sum(grad(std::span(&s, 1), std::span(&x, 1), {}, record)[0]);
    return gradient(g, x, keep);
  };
  const Doubles wanted = second(wave(x));
  const Tensor y = run(counted(runs, wave), x);
  expect_near(second(y), wanted);
  expect_near(second(y), wanted);
}

TEST_F(Checkpoint, Nests) {
  const Tensor x = leaf({0.3, 0.7}, {2});
  int inner = 0, outer = 0;
  const Segment in = counted(inner, wave);
  const Segment out = counted(outer, [&](const Tensor& t) { return mul(run(in, run(in, t)), t); });
  const Doubles wanted = gradient(sum(mul(wave(wave(x)), x)), x);
  const Tensor y = run(out, x);
  EXPECT_EQ(gradient(sum(y), x), wanted);
  EXPECT_EQ(outer, 2);
  EXPECT_LE(inner, 6);
}

TEST_F(Checkpoint, TheSecondRunSeesTheSameRandomNumbers) {
  const Tensor x = leaf({1, 1, 1, 1, 1, 1, 1, 1}, {8});
  int runs = 0;
  const Tensor y = run(counted(runs, [](const Tensor& t) { return dropout(mul(t, t), 0.5, true); }), x);
  const uint64_t offset = context_.generator.offset;
  const Doubles kept = values(y), g = gradient(sum(y), x);
  EXPECT_EQ(context_.generator.offset, offset);
  for (size_t i = 0; i < g.size(); ++i) EXPECT_EQ(g[i], 2 * kept[i]);
}

TEST_F(Checkpoint, StopsWithTheLastNeededValue) {
  const Tensor x = leaf({1, 2}, {2});
  int after = 0;
  const auto tail = [&](const Tensor& t) {
    const Tensor y = exp(t);
    ++after;
    return neg(y);
  };
  int runs = 0;
  gradient(sum(run(counted(runs, tail), x)), x);
  EXPECT_EQ(after, 1);
  CheckpointOptions whole;
  whole.early_stop = false;
  gradient(sum(run(counted(runs, tail), x, whole)), x);
  EXPECT_EQ(after, 3);
}

TEST_F(Checkpoint, KeptResultsAreNotComputedAgain) {
  const Tensor x = leaf({1, 2, 3, 4}, {2, 2});
  int runs = 0;
  CheckpointOptions o;
  o.kept = {find_op("mm"), find_op("dropout")};
  const auto f = [](const Tensor& t) { return tanh(dropout(mm(sin(t), t), 0.5, true)); };
  const Tensor y = run(counted(runs, f), x, o);
  EXPECT_EQ(gradient(sum(y), x).size(), 4u);
  context_.generator = {7, 0};
  const Doubles wanted = gradient(sum(f(x)), x);
  context_.generator = {7, 0};
  expect_near(gradient(sum(run(counted(runs, f), x, o)), x), wanted);
}

TEST_F(Checkpoint, WhatIsKeptMayBeAskedCallByCall) {
  const Tensor x = leaf({1, 2, 3, 4}, {2, 2});
  int runs = 0, second = 0;
  std::vector<std::string> asked;
  CheckpointOptions o;
  o.keep = [&](const Op& op, const Args& args) {
    asked.emplace_back(name(op));
    EXPECT_EQ(args.tensor(0).numel(), 4);
    sum(x);                                                   // leaves no trace
    return name(op) == "mm" && ++second == 2;
  };
  const auto f = [](const Tensor& t) { return tanh(mm(mm(sin(t), t), t)); };
  const Doubles wanted = gradient(sum(f(x)), x);
  const Tensor y = run(counted(runs, f), x, o);
  EXPECT_EQ(asked, (std::vector<std::string>{"sin", "mm", "mm", "tanh"}));
  expect_near(gradient(sum(y), x), wanted);
  EXPECT_EQ(asked.size(), 4u);                                // the second run does as the first one said
  EXPECT_EQ(runs, 2);
}

TEST_F(Checkpoint, AKeptResultThatIsWrittenLaterIsNoticed) {
  const Tensor x = leaf({1, 2}, {2});
  CheckpointOptions o;
  o.kept = {find_op("exp")};
  int runs = 0;
  const Tensor y = run(counted(runs, [](const Tensor& t) {
    const Tensor e = exp(t), s = sin(e);
    const GradMode off(false);
    call_in_place(mul_op, {detach(e), 2});
    return s;
  }), x, o);
  expect_error(Status::in_place, "checkpoint: a saved tensor of shape [2] was changed in place by mul_", [&] { gradient(sum(y), x); });
}

TEST_F(Checkpoint, ALoopKeepsFewStates) {
  const Tensor x = leaf({0.1, 0.2}, {2});
  int steps = 0;
  const Step step = [&](int64_t, const Tensors& s, Tensors& next) { ++steps; next.push_back(sin(mul(s[0], 1.1))); };
  Tensor plain = x;
  for (int i = 0; i < 64; ++i) plain = sin(mul(plain, 1.1));
  const Doubles wanted = gradient(sum(plain), x);
  plain = Tensor();
  const int64_t before = live_count(Live::tensors);
  Tensors last;
  checkpoint_loop(step, 64, {&x, 1}, {}, last);
  EXPECT_LT(live_count(Live::tensors) - before, 200);
  EXPECT_EQ(steps, 64);
  EXPECT_EQ(gradient(sum(last[0]), x), wanted);
  EXPECT_LE(steps, 64 * 8);
}

TEST_F(Checkpoint, APassInsideItsFunction) {
  const Tensor x = leaf({0.5, 1}, {2});
  GradOptions record;
  record.create_graph = true;
  const auto slope = [&](const Tensor& t) {
    const Tensor s = sum(wave(t));
    return grad(std::span(&s, 1), std::span(&t, 1), {}, record)[0];
  };
  const Doubles wanted = gradient(sum(slope(x)), x);
  for (const bool early : {true, false}) {
    CheckpointOptions o;
    o.early_stop = early;
    int runs = 0;
    const Tensor y = run(counted(runs, slope), x, o);
    EXPECT_EQ(runs, 2);                                       // the pass has it run again up to where it is
    expect_near(gradient(sum(y), x), wanted);
  }
}

TEST_F(Checkpoint, NoticesAnotherSecondRun) {
  const Tensor x = leaf({1, 2}, {2});
  int runs = 0;
  const Segment other = counted(runs, [&](const Tensor& t) { return runs == 1 ? exp(t) : exp(sum(t)); });
  runs = 0;
  const Tensor y = sum(run(other, x));
  expect_error(Status::state, "the second run saves float64 of shape [] as value 0 by exp", [&] { gradient(y, x); });
  runs = 0;
  const Segment less = counted(runs, [&](const Tensor& t) { return runs == 1 ? exp(t) : neg(t); });
  const Tensor z = sum(run(less, x));
  expect_error(Status::state, "saves 0 values, the first saved 1", [&] { gradient(z, x); });
}

TEST_F(Checkpoint, NoticesAChangedInput) {
  const Tensor x = leaf({1, 2}, {2});
  int runs = 0;
  const Tensor y = sum(run(counted(runs, wave), x));
  {
    const GradMode off(false);
    call_in_place(mul_op, {x, 2});
  }
  expect_error(Status::in_place, "checkpoint: a saved tensor of shape [2] was changed in place by mul_", [&] { gradient(y, x); });
}

TEST_F(Checkpoint, NoticesAValueThatTheSegmentChangesAfterItWasSaved) {
  const Tensor x = leaf({0.1, 0.2}, {2});
  int runs = 0;
  const Segment writes = counted(runs, [](const Tensor& t) {
    const Tensor s = exp(t);                                  // saves its result, which is then written
    call_in_place(mul_op, {s, 2});
    return sin(s);
  });
  const Tensor y = sum(run(writes, x));
  expect_error(Status::in_place, "a saved tensor of shape [2] was changed in place by mul_", [&] { gradient(y, x); });
}

TEST_F(Checkpoint, HooksThatASegmentLeavesOrTakesAwayEndWithIt) {
  struct Nothing : SavedHooks {
    Ref<Packed> pack(const Tensor&, const Op&) override { return {}; }
  };
  const Tensor x = leaf({1, 2}, {2});
  int runs = 0;
  const Segment pushes = counted(runs, [](const Tensor& t) { push_saved_hooks(Ref<SavedHooks>::adopt(new Nothing)); return exp(t); });
  const Segment pops = counted(runs, [](const Tensor& t) { pop_saved_hooks(); return exp(t); });
  for (const Segment& s : {pushes, pops}) {
    runs = 0;
    const Tensor y = sum(run(s, x));
    EXPECT_EQ(context_.saved_hooks, nullptr);
    EXPECT_EQ(gradient(y, x).size(), 2u);
    EXPECT_EQ(context_.saved_hooks, nullptr);
  }
}

TEST_F(Checkpoint, PassesOfTwoThreadsAreRightOrRefused) {
  const Tensor x = leaf({0.5, 1}, {2});
  Tensors out;
  checkpoint([](const Tensors& in, Tensors& results) { results.push_back(wave(in[0])); }, {&x, 1}, {}, out);
  const Tensor y = sum(out[0]);
  GradOptions keep;
  keep.retain_graph = true;
  const Doubles wanted = gradient(y, x, keep);
  std::atomic<int> right{0}, refused{0}, wrong{0};
  const auto work = [&] {
    Context own;
    const ContextScope scope(own);
    for (int i = 0; i < 2000; ++i) try {
        const Doubles g = gradient(y, x, keep);
        ++(g == wanted ? right : wrong);
      } catch (const Error& e) {
        ++(e.status() == Status::state && std::string(e.what()).find("another thread") != std::string::npos ? refused : wrong);
      }
  };
  std::thread one(work), two(work);
  one.join();
  two.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(right + refused, 4000);
  EXPECT_GT(right, 0);
}

TEST_F(Checkpoint, WhatIsAskedWhileAPassAddsToALeafMayAddToItToo) {
  const Tensor x = leaf({1, 2}, {2}), inner = sum(mul(x, 10)), outer = sum(mul(x, x));
  const auto add_to_leaf = [](const Tensor& t, const GradOptions& o = {}) { backward(std::span(&t, 1), {}, o); };
  set_grad(x.impl(), tensor({0, 0}, {2}));
  GradOptions record;
  record.create_graph = true;
  CheckpointOptions o;
  int asked = 0;
  o.keep = [&](const Op& op, const Args&) {
    if (name(op) == "add" && ++asked == 1) add_to_leaf(inner);
    return false;
  };
  run([&](const Tensors& in, Tensors& out) {
    add_to_leaf(outer, record);
    out.push_back(mul(in[0], 1));
  }, x, o);
  EXPECT_EQ(asked, 2);                                        // the sum was made again
  EXPECT_EQ(values(grad_of(x)), (Doubles{12, 14}));
  set_grad(x.impl(), Tensor());                               // its history leads to x
}

TEST_F(Checkpoint, FailuresLeaveTheContextAsItWas) {
  const Tensor x = leaf({1, 2}, {2});
  int runs = 0;
  const Segment fails = counted(runs, [&](const Tensor& t) -> Tensor {
    if (runs != 1) fail(Status::value, "not again");
    return wave(t);
  });
  const Tensor y = sum(run(fails, x));
  const Generator random = context_.generator;
  GradOptions keep;
  keep.retain_graph = true;
  expect_error(Status::value, "not again", [&] { gradient(y, x, keep); });
  EXPECT_EQ(context_.saved_hooks, nullptr);
  EXPECT_EQ(context_.generator.offset, random.offset);
  EXPECT_TRUE(context_.grad_mode);
  runs = 0;
  gradient(y, x);                                             // and the graph is usable
  EXPECT_THROW(run([](const Tensors&, Tensors&) { fail(Status::value, "no"); }, x), Error);
  EXPECT_EQ(context_.saved_hooks, nullptr);
}

}  // namespace
}  // namespace gradus
