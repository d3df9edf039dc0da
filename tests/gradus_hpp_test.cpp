// The C++ face, as an application sees it: public headers and the shared library.
#include "gradus/checkpoint.hpp"
#include "gradus/gradus.hpp"

#include <cmath>
#include <functional>
#include <limits>
#include <sstream>
#include <thread>

#include "hpp_fixture.h"

extern "C" long new_until_failure;                            // of abi/failing_new.cpp

namespace {

using gradus::Tensor;

using Hpp = Clean;

void expect_values(const Tensor& t, const std::vector<double>& wanted) { ::expect_values(t, wanted, 1e-6); }   // of float32

TEST_F(Hpp, TensorsFromBraces) {
  const Tensor a = gradus::tensor({{1, 2, 3}, {4, 5, 6}});
  EXPECT_EQ(a.sizes(), (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(a.dtype(), gradus::int64);
  const Tensor b = gradus::tensor({1.5, 2.0});
  EXPECT_EQ(b.dtype(), gradus::float32);
  EXPECT_EQ(gradus::tensor({1, 2.5}).dtype(), gradus::float32);
  EXPECT_EQ(gradus::tensor({true, false}).dtype(), gradus::boolean);
  EXPECT_EQ(gradus::tensor({1.5, 2.0}, gradus::float64).dtype(), gradus::float64);
  EXPECT_EQ(gradus::tensor({{{1}, {2}}, {{3}, {4}}}).sizes(), (std::vector<int64_t>{2, 2, 1}));
  EXPECT_EQ(gradus::tensor(3).dim(), 0);
  EXPECT_EQ(gradus::tensor(3).item<int>(), 3);
  EXPECT_EQ(gradus::tensor(INT64_MAX).item<int64_t>(), INT64_MAX);
  EXPECT_DOUBLE_EQ(gradus::tensor(0.1, gradus::float64).item<double>(), 0.1);
  expect_values(gradus::tensor(std::vector<float>{1, 2}), {1, 2});
  const double memory[6] = {1, 2, 3, 4, 5, 6};
  EXPECT_EQ(gradus::from_data(memory, {3, 2}).size(-1), 2);
  expect_error(GRADUS_E_SHAPE, "rows of different lengths", [] { gradus::tensor({{1, 2}, {3}}); });
  expect_error(GRADUS_E_INDEX, "dimension 2 of 2", [&] { a.size(2); });
}

TEST_F(Hpp, WrappedMemoryIsShared) {
  double x[3] = {1, 2, 3};
  {
    const Tensor t = gradus::wrap(x, {3});
    t *= 2;
    t += 1;
  }
  EXPECT_EQ(x[2], 7);
}

TEST_F(Hpp, OperatorsKeepIntegersApartFromFloats) {
  const Tensor i = gradus::tensor({1, 2, 3});
  EXPECT_EQ((2 * i + 1).dtype(), gradus::int64);
  EXPECT_EQ((i * 2.0).dtype(), gradus::float32);
  expect_values(10 - i, {9, 8, 7});
  expect_values(6 / i, {6, 3, 2});
  expect_values(-i, {-1, -2, -3});
  expect_values(i + i * i - i / 2, {1.5, 5, 10.5});
  expect_values(i < 2, {1, 0, 0});
  expect_values(i == 3, {0, 0, 1});
  EXPECT_EQ((i >= i).dtype(), gradus::boolean);
}

TEST_F(Hpp, TutorialOfAutograd) {
  std::vector<double> points(25);
  for (size_t i = 0; i < points.size(); ++i) points[i] = 2 * M_PI * static_cast<double>(i) / 24;
  auto a = gradus::tensor(points).requires_grad_();
  auto b = a.sin();
  auto out = (2 * b + 1).sum();
  EXPECT_TRUE(a.is_leaf() && !b.is_leaf() && out.requires_grad());
  EXPECT_FALSE(a.grad());
  out.backward();
  const auto g = a.grad().to_vector<double>();
  for (size_t i = 0; i < points.size(); ++i) EXPECT_NEAR(g[i], 2 * std::cos(points[i]), 1e-12);

  EXPECT_EQ(out.grad_fn().name(), "SumBackward0");
  gradus::Node n = out.grad_fn();
  std::vector<std::string> names;
  while (n) {
    names.push_back(n.name());
    const auto next = n.next_functions();
    EXPECT_EQ(n.is_leaf(), n.variable().is_same(a) && next.empty());
    n = next.empty() ? gradus::Node() : next[0].first;
  }
  EXPECT_EQ(names, (std::vector<std::string>{"SumBackward0", "AddBackward0", "MulBackward0", "SinBackward0", "AccumulateGrad"}));
  EXPECT_FALSE(a.grad_fn());
  a.zero_grad();
  EXPECT_FALSE(a.grad().defined());
}

TEST_F(Hpp, SecondOrderAndUnusedInputs) {
  auto x = gradus::tensor({1.0, 2.0}, gradus::float64).requires_grad_();
  auto unused = gradus::tensor({1.0}, gradus::float64).requires_grad_();
  auto y = (x * x * x).sum();
  auto g = gradus::grad({y}, {x}, {}, {false, true})[0];
  expect_values(g, {3, 12});
  expect_values(gradus::grad({g.sum()}, {x})[0], {6, 12});
  auto z = (x * 2).sum();
  expect_error(GRADUS_E_STATE, "input 1 was not used", [&] { gradus::grad({z}, {x, unused}, {}, {true, false}); });
  auto both = gradus::grad({z}, {x, unused}, {}, {true, false}, gradus::Unused::none);
  EXPECT_FALSE(both[1].defined());
  both = gradus::grad({z}, {x, unused}, {}, {}, gradus::Unused::zeros);
  expect_values(both[1], {0});
  EXPECT_FALSE(x.grad());
  auto v = x * 2;
  v.backward(gradus::tensor({1.0, 0.5}, gradus::float64));
  expect_values(x.grad(), {2, 1});
}

TEST_F(Hpp, GradientsOfABatch) {
  auto x = gradus::tensor({1.0, 2.0}, gradus::float64).requires_grad_(), unused = gradus::tensor({1.0}, gradus::float64).requires_grad_();
  auto y = x * x, total = x.sum();
  gradus::BackwardOptions batched;
  batched.batched = true;
  const auto rows = gradus::tensor({1.0, 0.0, 0.0, 1.0, 1.0, -1.0}, gradus::float64).reshape({3, 2});
  expect_error(GRADUS_E_SHAPE, "gradient 1 has a batch of 2, gradient 0 of 3",
               [&] { gradus::grad({y, total}, {x}, {rows, gradus::ones({2}, gradus::float64)}, batched); });
  expect_error(GRADUS_E_SHAPE, "gradient 0 has shape [3], its output [2]", [&] { gradus::grad({y}, {x}, {rows.t()}, batched); });
  expect_error(GRADUS_E_SHAPE, "no dimension for the batch", [&] { gradus::grad({total}, {x}, {gradus::tensor(1.0, gradus::float64)}, batched); });
  expect_error(GRADUS_E_SHAPE, "batch of gradients is empty", [&] { gradus::grad({y}, {x}, {gradus::zeros({0, 2}, gradus::float64)}, batched); });
  expect_error(GRADUS_E_VALUE, "needs gradients", [&] { gradus::grad({total}, {x}, {}, batched); });
  expect_error(GRADUS_E_ARGUMENT, "backward: a batch", [&] { gradus::backward({y}, {rows}, batched); });
  EXPECT_FALSE(x.grad());
  auto g = gradus::grad({y, total}, {x, unused}, {rows, gradus::Tensor()}, batched, gradus::Unused::none);   // the null seed serves every row
  EXPECT_EQ(g[0].sizes(), (std::vector<int64_t>{3, 2}));
  expect_values(g[0].flatten(), {3, 1, 1, 5, 3, -3});
  EXPECT_FALSE(g[1].defined());
  expect_error(GRADUS_E_GRAPH_FREED, "retain_graph", [&] { gradus::grad({y}, {x}, {rows}, batched); });       // the last row freed it
  batched.create_graph = true;
  auto z = x * x * x;
  g = gradus::grad({z}, {x, unused}, {rows}, batched, gradus::Unused::zeros);
  expect_values(g[1].flatten(), {0, 0, 0});
  expect_values(gradus::grad({g[0].sum()}, {x})[0], {12, 0});
}

TEST_F(Hpp, Guards) {
  auto x = gradus::tensor({1.0}).requires_grad_();
  {
    gradus::NoGradGuard off;
    EXPECT_FALSE((x * 2).requires_grad());
    EXPECT_FALSE(gradus::is_grad_enabled());
    {
      gradus::EnableGradGuard on;
      EXPECT_TRUE((x * 2).requires_grad());
    }
    EXPECT_FALSE((x * 2).requires_grad());
  }
  EXPECT_TRUE(gradus::is_grad_enabled());
  Tensor made;
  {
    gradus::InferenceGuard inference;
    made = x * 2;
  }
  EXPECT_FALSE(made.requires_grad());
  expect_error(GRADUS_E_STATE, "inference", [&] { x * made; });
}

TEST_F(Hpp, Hooks) {
  auto x = gradus::tensor({3.0}, gradus::float64).requires_grad_();
  double seen = 0;
  const auto id = x.register_hook([&seen](const Tensor& g) { seen = g.item<double>(); });
  x.register_hook([](const Tensor& g) { return g * 10; });
  (x * x).sum().backward();
  EXPECT_EQ(seen, 6);
  expect_values(x.grad(), {60});
  x.remove_hook(id);
  (x * x).sum().backward();
  EXPECT_EQ(seen, 6);
  x.register_hook([](const Tensor&) { throw std::out_of_range("mine"); });
  EXPECT_THROW((x * x).sum().backward(), std::out_of_range);
  EXPECT_THROW(x.remove_hook(id), gradus::Error);
}

TEST_F(Hpp, ErrorsSayWhatAndWhere) {
  const Tensor a = gradus::tensor({1.0, 2.0}), b = gradus::tensor({1.0, 2.0, 3.0});
  try {
    a + b;
    FAIL();
  } catch (const gradus::Error& e) {
    EXPECT_EQ(e.status(), GRADUS_E_SHAPE);
    EXPECT_EQ(e.category(), GRADUS_E_ARGUMENT);
    EXPECT_EQ(e.origin(), "add");
    EXPECT_NE(std::string(e.what()).find("[3]"), std::string::npos);
  }
  expect_error(GRADUS_E_ARGUMENT, "must be given", [] { Tensor().sin(); });
  expect_error(GRADUS_E_NULL, "stands for none", [] { Tensor().sizes(); });
}

TEST_F(Hpp, PrintsAndCopies) {
  const Tensor a = gradus::tensor({1.0, 2.5});
  std::ostringstream s;
  s << a << Tensor();
  EXPECT_EQ(s.str(), "tensor([1.0000, 2.5000])none");
  const Tensor shared = a;
  shared.zero_();
  expect_values(a, {0, 0});
  EXPECT_TRUE(a.is_same(shared));
  EXPECT_EQ(a.version(), 1u);
  EXPECT_FALSE(a.detach().is_same(a));
}

TEST_F(Hpp, ContextsPerThreadAndByChoice) {
  gradus::Context seeded(7);
  {
    const gradus::Context::Use use(seeded);
    EXPECT_EQ(gradus::Context::current(), seeded.get());
    EXPECT_EQ(gradus::ones({2}).numel(), 2);
  }
  gradus_context* here = gradus::Context::current();
  EXPECT_NE(here, seeded.get());
  const uint64_t before = counts().contexts;
  Tensor far;
  std::thread([&] {
    EXPECT_NE(gradus::Context::current(), here);
    far = gradus::tensor({1.0, 2.0}) * 2;
  }).join();
  EXPECT_EQ(counts().contexts, before);
  expect_values(far, {2, 4});
}

TEST_F(Hpp, AProfileCountsAndNamesRanges) {
  const Tensor x = gradus::rand({4}), y = gradus::rand({4}) + 0.5;
  gradus::ProfileOptions options;
  options.shapes = true;
  gradus::Profile profile(options);
  {
    const gradus::ProfileRange range("loop");
    for (int i = 0; i < 3; ++i) (void)(x / y * y);
  }
  profile.stop();
  profile.stop();                                             // again: nothing
  (void)(x / y);
  uint64_t divisions = 0;
  for (uint64_t i = 0; i < profile.info().event_count; ++i) divisions += profile.event(i).name == std::string("div");
  EXPECT_EQ(divisions, 3u);
  EXPECT_EQ(profile.event(0).name, std::string("loop"));
  EXPECT_EQ(profile.event(1).shapes, std::string("[4], [4]"));
  EXPECT_LT(profile.table("name").find("div"), profile.table("name").find("mul"));
  EXPECT_NE(profile.trace().find("\"traceEvents\""), std::string::npos);
  EXPECT_GT(profile.table().size(), profile.table("count", 1).size());
  expect_error(GRADUS_E_UNKNOWN_NAME, "'speed'", [&] { profile.table("speed"); });
}

TEST_F(Hpp, AnAnomalyGuardNamesTheCallAndEnds) {
  const auto run = [] {
    const Tensor x = gradus::zeros({2}).requires_grad_();
    (x.sqrt() * 0).sum().backward();
  };
  {
    const gradus::AnomalyGuard guard;
    expect_error(GRADUS_E_ANOMALY, "sqrt([2])", run);
  }
  run();
}

TEST_F(Hpp, ResultsThatFindNoMemoryAreReleased) {
  const Tensor x = gradus::ones({2}).requires_grad_(), z = gradus::ones({2}).requires_grad_(), y = (x * z).sum();
  const std::function<size_t()> calls[] = {
      [&] { return gradus::grad({y}, {x, z}, {}, {true}).size(); },
      [&] { return gradus::split(x, 1).size(); },
      [&] { return gradus::checkpoint_loop([](int64_t, const std::vector<Tensor>& s) { return s; }, 2, {x, z}).size(); },
  };
  for (const auto& f : calls) {
    EXPECT_EQ(f(), 2u);
    const uint64_t before = counts().tensors;
    bool done = false;
    for (long n = 0; !done; ++n) {
      ASSERT_LT(n, 1000);
      new_until_failure = n;
      try {
        f();
        done = new_until_failure >= 0;                        // else the library did without
      } catch (const std::bad_alloc&) {
      } catch (const gradus::Error& e) {
        EXPECT_EQ(e.status(), GRADUS_E_MEMORY) << e.what();
      }
      new_until_failure = -1;
      ASSERT_EQ(counts().tensors, before) << "allocation " << n;
    }
  }
}

TEST_F(Hpp, TrainingFitsALine) {
  const Tensor x = gradus::tensor({{-1.0}, {0.0}, {1.0}, {2.0}}, gradus::float64), y = 3 * x - 1;
  auto w = gradus::zeros({1}, gradus::float64).requires_grad_(), b = gradus::zeros({1}, gradus::float64).requires_grad_();
  double loss = std::numeric_limits<double>::infinity();
  for (int step = 0; step < 300; ++step) {
    const Tensor error = (x * w + b - y).square().sum() / 4;
    loss = error.item<double>();
    error.backward();
    const gradus::NoGradGuard off;
    for (const Tensor& p : {w, b}) {
      p -= p.grad() * 0.2;
      p.zero_grad();
    }
  }
  EXPECT_LT(loss, 1e-9);
  EXPECT_NEAR(w.item<double>(), 3, 1e-4);
}

}  // namespace
