// Hooks, edges and checkpoints of the C++ face: what they see and may change, that exceptions come out as themselves, and that nothing stays.
#include <cmath>
#include <thread>

#include "gradus/checkpoint.hpp"
#include "hpp_fixture.h"

namespace {

using gradus::Tensor;
using Tensors = std::vector<Tensor>;
struct Oops { int code; };                                    // no std::exception: it has to come out as it went in

template <class F> void expect_oops(int code, F f) {
  try {
    f();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Oops& e) {
    EXPECT_EQ(e.code, code);
  }
}
Tensor leaf(std::vector<double> v) { return gradus::tensor(v).requires_grad_(); }

class HooksHpp : public Clean {};
class CheckpointHpp : public Clean {};

// ---- hooks

TEST_F(HooksHpp, OfANodeSeeAndReplaceGradients) {
  const Tensor x = leaf({1, 2}), y = x * 3;
  const auto before = y.grad_fn().register_prehook([](const Tensors& g) { return Tensors{g[0] * 10}; });
  std::vector<double> incoming, outgoing;
  y.grad_fn().register_hook([&](const Tensors& in, const Tensors& out) {
    incoming = out[0].to_vector<double>();
    outgoing = in[0].to_vector<double>();
  });
  const auto after = y.grad_fn().register_hook([](const Tensors& in, const Tensors&) {
    Tensors changed(in.size());                               // empty where nothing is replaced
    changed[0] = -in[0];
    return changed;
  });
  y.backward(gradus::tensor({1.0, 1.0}, gradus::float64), {true});
  EXPECT_EQ(incoming, (std::vector<double>{10, 10}));
  EXPECT_EQ(outgoing, (std::vector<double>{30, 30}));
  expect_values(x.grad(), {-30, -30});
  x.zero_grad();
  y.grad_fn().remove_hook(before);
  y.grad_fn().remove_hook(after);
  y.backward(gradus::tensor({1.0, 1.0}, gradus::float64));
  expect_values(x.grad(), {3, 3});
  expect_error(GRADUS_E_INDEX, "", [&] { y.grad_fn().remove_hook(after); });
}

TEST_F(HooksHpp, OfANodeHaveToReturnAllGradients) {
  const Tensor x = leaf({1, 2}), y = x * x;
  y.grad_fn().register_hook([](const Tensors& in, const Tensors&) { return Tensors{in[0]}; });
  expect_error(GRADUS_E_VALUE, "a hook returned 1 gradients for 2", [&] { y.sum().backward(); });
}

TEST_F(HooksHpp, OfALeafMayTakeAStep) {
  const Tensor w = leaf({1, 2});
  int ran = 0;
  const auto id = w.register_post_accumulate_grad_hook([&](const Tensor& t) {
    ++ran;
    t.detach().sub_(0.5 * t.grad());
    t.zero_grad();
  });
  w.sum().backward();
  w.sum().backward();
  EXPECT_EQ(ran, 2);
  EXPECT_FALSE(w.grad());
  expect_values(w, {0, 1});
  w.remove_hook(id);
  w.sum().backward();
  EXPECT_EQ(ran, 2);
  expect_error(GRADUS_E_STATE, "", [&] { (w * 2).register_post_accumulate_grad_hook([](const Tensor&) {}); });
}

TEST_F(HooksHpp, OfSeveralTensors) {
  const Tensor a = leaf({1}), b = leaf({2}), c = leaf({3});
  int all = 0, any = 0;
  auto hook = gradus::register_multi_grad_hook({a, b, c}, [&](const Tensors& g) {
    ++all;
    ASSERT_EQ(g.size(), 3u);
    expect_values(g[0], {2});
    expect_values(g[1], {1});
    EXPECT_FALSE(g[2]);
  });
  auto first = gradus::register_multi_grad_hook({a, b}, [&](const Tensors&) { ++any; }, gradus::MultiHookMode::any);
  (a * b).sum().backward();
  EXPECT_EQ(all, 1);
  EXPECT_EQ(any, 1);
  hook.remove();
  first.remove();
  (a * b).sum().backward();
  EXPECT_EQ(all + any, 2);
  EXPECT_THROW(gradus::register_multi_grad_hook({gradus::ones({1})}, [](const Tensors&) {}), gradus::Error);
}

TEST_F(HooksHpp, ThrowThroughThePass) {
  const Tensor x = leaf({1, 2}), y = x * 3;
  y.register_hook([](const Tensor&) { throw Oops{1}; });
  expect_oops(1, [&] { y.sum().backward(); });
  const Tensor z = x * 2;
  z.grad_fn().register_prehook([](const Tensors&) { throw Oops{2}; });
  expect_oops(2, [&] { gradus::grad({z.sum()}, {x}); });
  expect_error(GRADUS_E_SHAPE, "", [&] { gradus::ones({2}) + gradus::ones({3}); });   // and no failure afterwards is taken for it
}

TEST_F(HooksHpp, EdgesStandForTensorsThatAreGone) {
  const Tensor x = leaf({1, 2});
  Tensor y = x * x, s = y.sum();
  const gradus::GradientEdge of_x(x), of_y(y), of_s(s);
  EXPECT_EQ(of_y.node.name(), "MulBackward0");
  y = s = Tensor();
  const Tensors g = gradus::grad({of_s}, {of_y, of_x}, {}, {true});
  expect_values(g[0], {1, 1});
  expect_values(g[1], {2, 4});
  gradus::backward({of_y}, {gradus::tensor({1.0, 10.0}, gradus::float64)});
  expect_values(x.grad(), {2, 40});
  expect_error(GRADUS_E_STATE, "", [] { gradus::GradientEdge(gradus::ones({2})); });
}

// ---- saved values

TEST_F(HooksHpp, SavedValuesAsTensors) {
  const Tensor x = leaf({1.0, 1.0 + 1.0 / 1024});             // the second is 1 in bfloat16
  Tensor y;
  int packed = 0;
  {
    const gradus::SavedTensorHooks half([&](const Tensor& t) { return ++packed, t.to(gradus::bfloat16); }, [](const Tensor& t) { return t.to(gradus::float64); });
    y = x * x;
  }
  const Tensor outside = x * x;
  EXPECT_EQ(packed, 2);
  y.sum().backward();
  expect_values(x.grad(), {2, 2});
}

TEST_F(HooksHpp, SavedValuesAsAnythingElse) {
  const Tensor x = leaf({1, 2});
  Tensor y;
  std::vector<std::vector<double>> store;
  {
    const gradus::SavedTensorHooks hooks([&](const Tensor& t) { store.push_back(t.to_vector<double>()); return store.size() - 1; },
                                         [&](size_t place) { return gradus::tensor(store[place], gradus::float64); });
    y = x.exp();
  }
  ASSERT_EQ(store.size(), 1u);
  store[0] = {5, 6};                                          // what is read is what was stored
  y.sum().backward();
  expect_values(x.grad(), {5, 6});
}

TEST_F(HooksHpp, OfSavedValuesThrowThroughOperationsAndPasses) {
  const Tensor x = leaf({1, 2});
  {
    const gradus::SavedTensorHooks hooks([](const Tensor&) -> int { throw Oops{3}; }, [](int) { return Tensor(); });
    expect_oops(3, [&] { x.exp(); });
  }
  Tensor y;
  {
    const gradus::SavedTensorHooks hooks([](const Tensor&) { return 0; }, [](int) -> Tensor { throw Oops{4}; });
    y = x.exp();
  }
  expect_oops(4, [&] { y.sum().backward(); });
}

// ---- checkpoints

Tensor wave(const Tensor& x) { return (x * x).sin().exp(); }

TEST_F(HooksHpp, MutationOfSavedTensorsForAWhile) {
  const Tensor x = leaf({1, 2}), b = x.clone(), y = (b * b).sum();
  Tensor late;
  {
    const gradus::AllowMutationOnSavedTensors allowed;
    const Tensor c = x.clone(), z = (c * c).sum();
    c.zero_();
    z.backward();
    EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{2, 4}));
    late = (c * c).sum();
  }
  expect_error(GRADUS_E_STATE, "outside of", [&] { late.backward(); });
  b.zero_();
  expect_error(GRADUS_E_IN_PLACE, "zero_", [&] { y.backward(); });
}

TEST_F(HooksHpp, RefusedHooksOnSavedTensors) {
  const gradus::DisableSavedTensorsHooks outer("outer");
  {
    const gradus::DisableSavedTensorsHooks inner("inner");
    expect_error(GRADUS_E_STATE, "inner", [] { const gradus::AllowMutationOnSavedTensors a; });
  }
  expect_error(GRADUS_E_STATE, "outer", [] {
    const gradus::SavedTensorHooks h([](const Tensor& t) { return t; }, [](const Tensor& t) { return t; });
  });
  expect_error(GRADUS_E_STATE, "outer", [] { gradus::checkpoint([](const Tensor& t) { return t.exp(); }, {leaf({1})}); });
}

TEST_F(CheckpointHpp, SameGradientsOfBothOrders) {
  const Tensor x = leaf({0.5, 1});
  int runs = 0;
  const auto f = [&](const Tensor& t) { return ++runs, wave(t); };
  const auto second = [&](const Tensor& y) { return gradus::grad({gradus::grad({y.sum()}, {x}, {}, {true, true})[0].sum()}, {x})[0].to_vector<double>(); };
  const auto wanted = second(wave(x));
  const Tensor y = gradus::checkpoint(f, {x});
  EXPECT_EQ(runs, 1);
  const auto got = second(y);
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], 1e-9);
  EXPECT_GE(runs, 2);
}

TEST_F(CheckpointHpp, SeveralInputsAndResults) {
  const Tensor x = leaf({1, 2}), w = leaf({3, 4});
  const Tensors out = gradus::checkpoint([](const Tensor& a, const Tensor& b) { return Tensors{a * b, a.exp()}; }, {x, w});
  ASSERT_EQ(out.size(), 2u);
  const std::string table = gradus::saved_table({out[0]});
  EXPECT_NE(table.find("checkpoint         0         0              32              32\n"), std::string::npos) << table;
  (out[0] + out[1]).sum().backward();
  expect_values(x.grad(), {3 + std::exp(1), 4 + std::exp(2)});
  expect_values(w.grad(), {1, 2});
  const Tensors none = gradus::checkpoint([](const Tensors& in) { return Tensors(in.size() - 2); }, {x, w});
  EXPECT_TRUE(none.empty());
  expect_error(GRADUS_E_VALUE, "a function of 1 tensors for 2 inputs", [&] { gradus::checkpoint(wave, {x, w}); });
}

TEST_F(CheckpointHpp, ExceptionsOfBothRuns) {
  const Tensor x = leaf({1, 2});
  int runs = 0;
  const auto fails_at = [&](int wanted) {
    return [&, wanted](const Tensor& t) {
      if (++runs == wanted) throw Oops{wanted};
      return wave(t);
    };
  };
  expect_oops(1, [&] { gradus::checkpoint(fails_at(1), {x}); });
  const Tensor y = gradus::checkpoint(fails_at(3), {x}).sum();
  expect_oops(3, [&] { y.backward({}, {true}); });
  EXPECT_FALSE(x.grad());
  y.backward();
  EXPECT_EQ(runs, 4);
  gradus::checkpoint(wave, {x}).sum().backward();             // ended early by an error that nobody sees, and that is never taken for another
  expect_error(GRADUS_E_SHAPE, "", [&] { x + gradus::ones({3}); });
  int calls = 0;
  const Tensor z = gradus::checkpoint([&](const Tensor& t) { return ++calls == 1 ? wave(t) : wave(t + gradus::ones({3})); }, {x});
  expect_error(GRADUS_E_SHAPE, "", [&] { z.sum().backward(); });   // an error of the library, too
}

TEST_F(CheckpointHpp, Options) {
  const Tensor x = leaf({1, 2});
  int tails = 0;
  const auto f = [&](const Tensor& t) {
    const Tensor y = t.exp();
    return ++tails, -y;
  };
  gradus::CheckpointOptions o;
  gradus::checkpoint(f, {x}).sum().backward();
  EXPECT_EQ(tails, 1);
  o.early_stop = false;
  gradus::checkpoint(f, {x}, o).sum().backward();
  EXPECT_EQ(tails, 3);

  const Tensor ones = gradus::ones({100}).requires_grad_();
  o.preserve_rng_state = false;
  o.kept = {"dropout"};
  const Tensor y = gradus::checkpoint([](const Tensor& t) { return gradus::dropout(t.exp(), 0.5, true); }, {ones}, o);
  y.sum().backward();
  EXPECT_EQ(y.to_vector<double>(), ones.grad().to_vector<double>());   // the mask of the first run is kept
  o.kept = {"no_such_operation"};
  expect_error(GRADUS_E_UNKNOWN_NAME, "no_such_operation", [&] { gradus::checkpoint(f, {x}, o); });

  int runs = 0;
  const auto changes = [&](const Tensor& t) { return ++runs % 2 ? t.exp() : t.sum().exp(); };
  expect_error(GRADUS_E_STATE, "the second run saves", [&] { gradus::checkpoint(changes, {x}).sum().backward(); });
}

TEST_F(CheckpointHpp, LoopsOfFewStates) {
  const Tensor x = leaf({0.5, 1});
  int steps = 0;
  const uint64_t before = counts().tensors;
  const Tensor last = gradus::checkpoint_loop([&](int64_t, const Tensor& s) { return ++steps, s.sin(); }, 50, x);
  EXPECT_EQ(steps, 50);
  EXPECT_LT(counts().tensors - before, 30u);
  last.sum().backward();
  std::vector<double> wanted;
  for (double at : {0.5, 1.0}) {
    double slope = 1;
    for (int i = 0; i < 50; ++i) slope *= std::cos(at), at = std::sin(at);
    wanted.push_back(slope);
  }
  expect_values(x.grad(), wanted);

  const Tensors pair = gradus::checkpoint_loop([](int64_t i, const Tensors& s) { return Tensors{s[1], s[0] + double(i)}; }, 4, Tensors{x, x * 2});
  ASSERT_EQ(pair.size(), 2u);
  expect_values(pair[0], {0.5 + 2, 1 + 2});
  expect_oops(9, [&] { gradus::checkpoint_loop([](int64_t i, const Tensor& s) { if (i == 2) throw Oops{9}; return s.sin(); }, 4, x); });
  expect_error(GRADUS_E_VALUE, "a step returned 1 tensors for a state of 2", [&] {
    gradus::checkpoint_loop([](int64_t, const Tensors& s) { return Tensors{s[0]}; }, 4, Tensors{x, x});
  });
}

TEST_F(CheckpointHpp, OnAnotherThread) {
  const Tensor x = leaf({0.5, 1}), y = gradus::checkpoint(wave, {x}).sum();
  const auto wanted = gradus::grad({wave(x).sum()}, {x})[0].to_vector<double>();
  std::vector<double> got;
  bool thrown = false;
  std::thread([&] {
    got = gradus::grad({y}, {x})[0].to_vector<double>();
    int runs = 0;
    const Tensor z = gradus::checkpoint([&](const Tensor& t) { if (++runs == 2) throw Oops{5}; return wave(t); }, {x}).sum();
    try {
      z.backward();
    } catch (const Oops&) {
      thrown = true;
    }
  }).join();
  EXPECT_EQ(got, wanted);
  EXPECT_TRUE(thrown);
}

}  // namespace
