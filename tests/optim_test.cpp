// Optimizers through the C++ face, beside PyTorch's numbers.
#include "gradus/optim.hpp"

#include <cmath>

#include "hpp_fixture.h"
#include "optim_expected.h"
#include "optim_problem.h"

namespace {

using gradus::optim::Optimizer;
using gradus::optim::Settings;

using Optim = Clean;

void run(const Optimizer& o, const Tensors& params, int steps) {
  for (int i = 0; i < steps; ++i) {
    set_gradients(params);
    o.step();
  }
}
Settings settings_of(const std::vector<std::pair<const char*, double>>& list) { return {list.begin(), list.end()}; }
void expect_near(const std::vector<double>& got, const double* wanted, double tolerance, const char* what) {
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], tolerance * (1 + std::abs(wanted[i]))) << what << ", element " << i;
}

TEST_F(Optim, GivesPyTorchsParametersAfter3And100Steps) {
  for (const OptimCase& c : optim_cases) {
    const Tensors p = parameters();
    const Optimizer o(c.algorithm, p, settings_of(c.settings));
    run(o, p, 3);
    expect_near(values(p), c.early, 1e-12, c.name);
    run(o, p, 97);
    expect_near(values(p), c.late, 1e-11, c.name);
  }
}

TEST_F(Optim, ComputesHalfTypesInFloatAndRoundsOnce) {
  for (const OptimCase& c : optim_cases) {
    const Tensors p = parameters(gradus::float32), h = parameters(gradus::bfloat16), s = parameters(gradus::float16);
    const Optimizer of(c.algorithm, p, settings_of(c.settings)), oh(c.algorithm, h, settings_of(c.settings)), os(c.algorithm, s, settings_of(c.settings));
    set_gradients(p);
    for (size_t i = 0; i < p.size(); ++i) {                   // gradients that all three types hold
      p[i].set_grad(p[i].grad().to(gradus::bfloat16).to(gradus::float32).mul(16).round().div(16));
      h[i].set_grad(p[i].grad().to(gradus::bfloat16));
      s[i].set_grad(p[i].grad().to(gradus::float16));
    }
    of.step();
    oh.step();
    os.step();
    for (size_t i = 0; i < p.size(); ++i) {
      EXPECT_EQ(values({h[i]}), values({p[i].detach().to(gradus::bfloat16)})) << c.name;
      EXPECT_EQ(values({s[i]}), values({p[i].detach().to(gradus::float16)})) << c.name;
    }
  }
}

TEST_F(Optim, FollowsFloat64InFloat32) {
  for (const OptimCase& c : optim_cases) {
    if (std::string_view(c.algorithm) == "Lion") continue;    // a sign near zero decides
    const Tensors p = parameters(gradus::float32);
    run(Optimizer(c.algorithm, p, settings_of(c.settings)), p, 100);
    expect_near(values(p), c.late, std::string_view(c.name) == "rmsprop_centered" || std::string_view(c.name) == "rmsprop_all" ? 2e-2 : 2e-4, c.name);
  }
}

TEST_F(Optim, TreatsStridedParametersAsContiguousOnes) {
  for (const OptimCase& c : optim_cases) {
    const Tensor base = gradus::linspace(-1, 1, 4 * 60, gradus::float64).reshape({4, 60});
    const Tensor gradient = base.sin();
    const std::vector<Tensor> strided = {base.clone().t().detach().requires_grad_(), base.clone().slice(1, 0, 60, 3).detach().requires_grad_(),
                                         base.clone().select(0, 1).detach().requires_grad_()};
    std::vector<Tensor> plain;
    for (const Tensor& t : strided) plain.push_back(t.detach().clone().contiguous().requires_grad_());
    const Optimizer a(c.algorithm, strided, settings_of(c.settings)), b(c.algorithm, plain, settings_of(c.settings));
    for (int i = 0; i < 3; ++i) {
      const std::vector<Tensor> g = {gradient.t(), gradient.slice(1, 0, 60, 3), gradient.select(0, 1)};
      for (size_t k = 0; k < g.size(); ++k) strided[k].set_grad(g[k]), plain[k].set_grad(g[k].contiguous());
      a.step();
      b.step();
    }
    for (size_t k = 0; k < plain.size(); ++k) EXPECT_EQ(values({strided[k]}), values({plain[k]})) << c.name;
  }
}

TEST_F(Optim, GivesTheSameBitsForAnyNumberOfThreads) {
  const auto once = [](const OptimCase& c, int threads) {
    gradus_context_options options{};
    options.threads = threads;
    const gradus::Context context(options);
    const gradus::Context::Use use(context);
    Tensors p;
    for (const int64_t n : {40000, 7, 33001}) p.push_back(gradus::linspace(-1, 1, n).requires_grad_());
    const Optimizer o(c.algorithm, p, settings_of(c.settings));
    for (int i = 0; i < 2; ++i) {
      for (const Tensor& t : p) t.set_grad(t.detach().sin());
      gradus::clip_grad_norm_(p, 0.5);
      o.step();
    }
    return values(p);
  };
  for (const OptimCase& c : optim_cases) EXPECT_EQ(once(c, 1), once(c, 3)) << c.name;
}

TEST_F(Optim, TakesParametersThatShareMemoryOneAfterTheOther) {
  const auto once = [](int threads) {
    gradus_context_options options{};
    options.threads = threads;
    const gradus::Context context(options);
    const gradus::Context::Use use(context);
    const Tensor base = gradus::linspace(-1, 1, 60000);
    const Tensors p = {base.slice(0, 0, 50000).detach().requires_grad_(), base.slice(0, 10000, 60000).detach().requires_grad_()};
    const Optimizer o("SGD", p, {{"lr", 1}, {"momentum", 0.5}});
    for (int i = 0; i < 3; ++i) {
      for (const Tensor& t : p) t.set_grad(t.detach().sin());
      o.step();
    }
    const Tensor g = p[0].detach().clone();
    for (const Tensor& t : p) t.set_grad(g);
    gradus::clip_grad_value_(p, 0.25);
    return values({base, g});
  };
  EXPECT_EQ(once(1), once(4));
}

TEST_F(Optim, GoesOnWithTheSameBitsAfterItsStateIsLoaded) {
  for (const OptimCase& c : optim_cases) {
    const Tensors p = parameters();
    const Optimizer o(c.algorithm, p, settings_of(c.settings));
    run(o, p, 5);
    Tensors q;
    for (const Tensor& t : p) q.push_back(t.detach().clone().requires_grad_());
    const Optimizer other(c.algorithm, q, settings_of(c.settings));
    other.load_state(o.state());
    run(o, p, 5);
    run(other, q, 5);
    EXPECT_EQ(values(p), values(q)) << c.name;
    ASSERT_EQ(o.state().size(), other.state().size());
    for (size_t i = 0; i < o.state().size(); ++i) EXPECT_EQ(values({o.state()[i].value}), values({other.state()[i].value})) << o.state()[i].name;
  }
}

TEST_F(Optim, ShowsTheSameStateInAnyOrderOfPositions) {
  Tensors p;
  for (int i = 0; i < 6; ++i) p.push_back(gradus::zeros({2}).requires_grad_());
  const Optimizer o("Adam", p);
  const auto at = [&o](size_t position) {
    gradus_optimizer_state_info i{};
    i.struct_size = sizeof i;
    gradus_tensor* t = nullptr;
    gradus::detail::call(gradus_optimizer_state_at, o.handle(), position, &i, &t);
    const Tensor owned(t);
    return std::to_string(i.param) + i.name;
  };
  const auto step = [&](const std::vector<size_t>& with) {
    for (const Tensor& t : p) t.set_grad({});
    for (const size_t i : with) p[i].set_grad(gradus::ones({2}));
    o.step();
  };
  step({1, 4});
  EXPECT_EQ(at(5), "4exp_avg_sq");
  EXPECT_EQ(at(0), "1step");
  EXPECT_EQ(at(4), "4exp_avg");
  EXPECT_EQ(at(2), "1exp_avg_sq");
  expect_error(GRADUS_E_INDEX, "entry 6 of 6", [&] { at(6); });
  EXPECT_EQ(at(5), "4exp_avg_sq");
  step({0});                                                  // what lies before has grown
  EXPECT_EQ(at(5), "1exp_avg_sq");
  EXPECT_EQ(at(8), "4exp_avg_sq");
  o.load_state({{2, "step", gradus::tensor({1.0}, gradus::float64)}});
  EXPECT_EQ(at(6), "2step");
  EXPECT_EQ(at(7), "4step");
}

TEST_F(Optim, LeavesParametersWithoutGradientAloneAndRaisesVersions) {
  const Tensors p = parameters();
  const Optimizer o("Adam", p);
  const auto before = values({p[1]});
  p[0].set_grad(gradus::ones({4}, gradus::float64));
  const uint64_t version = p[0].version(), untouched = p[1].version();
  o.step();
  EXPECT_EQ(values({p[1]}), before);
  EXPECT_GT(p[0].version(), version);
  EXPECT_EQ(p[1].version(), untouched);
  EXPECT_TRUE(p[0].is_leaf());
  EXPECT_EQ(o.state().size(), 3u);
  const Tensor y = (p[0] * p[0]).sum();                       // what was saved before a step is known to have changed
  o.step();
  expect_error(GRADUS_E_IN_PLACE, "", [&] { y.backward(); });
}

TEST_F(Optim, AProfileShowsSteps) {
  const Tensors p = parameters();
  const Optimizer o("Adam", p);
  gradus::Profile profile;
  o.step();
  EXPECT_THROW(o.step([]() -> Tensor { throw 1; }), int);
  profile.stop();
  EXPECT_NE(profile.table().find("Optimizer.step#Adam.step"), std::string::npos);
  expect_error(GRADUS_E_STATE, "no range", [] { gradus::detail::call(gradus_profile_range_end); });
}

TEST_F(Optim, ClearsGradients) {
  const Tensors p = parameters();
  const Optimizer o("SGD", p);
  set_gradients(p);
  o.zero_grad(false);
  EXPECT_EQ(values({p[0].grad()}), std::vector<double>(4, 0));
  o.zero_grad();
  EXPECT_FALSE(p[0].grad().defined());
}

TEST_F(Optim, HasGroupsWithSettingsOfTheirOwn) {
  const Tensors p = parameters();
  const Optimizer o("SGD", {p[0]}, {{"lr", 0.5}, {"weight_decay", 0.25}});
  o.add_group({p[1]}, {{"lr", 2}});
  EXPECT_EQ(o.get("lr", 1), 2);
  EXPECT_EQ(o.get("weight_decay", 1), 0.25);
  o.set("lr", 1);
  EXPECT_EQ(o.get("lr", 0) + o.get("lr", 1), 2);
  o.set("weight_decay", 0, 1);
  EXPECT_EQ(o.get("weight_decay", 0), 0.25);
  expect_error(GRADUS_E_INDEX, "group 2 of 2", [&] { o.get("lr", 2); });
}

// ---- complex parameters: each number counts as its pair of real ones
Tensor complex_leaf(const Tensor& pairs) { return pairs.detach().clone().view_as_complex().detach().requires_grad_(); }
Tensor pairs_of(const Tensor& t) { return t.detach().view_as_real(); }

TEST_F(Optim, TakesComplexParametersAsPairs) {
  for (const OptimCase& c : optim_cases) {
    const Tensor r = parameters()[0].detach().reshape({2, 2}).requires_grad_(), z = complex_leaf(r);
    const Optimizer of(c.algorithm, {r}, settings_of(c.settings)), oz(c.algorithm, {z}, settings_of(c.settings));
    for (int i = 0; i < 4; ++i) {
      set_gradients({r});
      z.set_grad(r.grad().view_as_complex());
      of.step();
      oz.step();
    }
    EXPECT_EQ(values({pairs_of(z)}), values({r.detach()})) << c.name;
    const auto want = of.state(), have = oz.state();
    ASSERT_EQ(have.size(), want.size());
    for (size_t i = 0; i < want.size(); ++i) {
      const bool array = want[i].value.sizes().size() == 2;
      EXPECT_EQ(have[i].value.dtype(), array ? gradus::complex128 : gradus::float64) << c.name << ": " << want[i].name;
      EXPECT_EQ(values({array ? pairs_of(have[i].value) : have[i].value}), values({want[i].value})) << c.name << ": " << want[i].name;
    }
    const Tensor other = complex_leaf(r);                     // goes on after a load
    const Optimizer oo(c.algorithm, {other}, settings_of(c.settings));
    oo.load_state(have);
    set_gradients({r});
    for (const Tensor& t : {z, other}) t.set_grad(r.grad().clone().view_as_complex());
    of.step();
    oo.step();
    EXPECT_EQ(values({pairs_of(other)}), values({r.detach()})) << c.name;
  }
}

TEST_F(Optim, LbfgsTakesComplexParametersAsPairs) {
  for (const LbfgsCase& c : lbfgs_cases) {
    const Tensors p = valley(), z = {complex_leaf(p[0].detach().reshape({1, 2})), complex_leaf(p[1].detach().reshape({1, 2}))};
    const Optimizer of("LBFGS", p, settings_of(c.settings)), oz("LBFGS", z, settings_of(c.settings));
    for (int i = 0; i < 3; ++i) {
      of.step([&] { return loss_and_gradients(of, p); });
      oz.step([&] {
        oz.zero_grad();
        const Tensor loss = rosenbrock({z[0].view_as_real().reshape({2}), z[1].view_as_real().reshape({2})});
        loss.backward();
        return loss;
      });
    }
    EXPECT_EQ(values({pairs_of(z[0]), pairs_of(z[1])}), values({p[0].detach(), p[1].detach()})) << c.name;
    oz.load_state(oz.state());
  }
}

TEST_F(Optim, ClipsComplexGradientsByTheirAbsoluteValues) {
  for (const double order : {2.0, 1.0, 3.0, HUGE_VAL}) {
    const Tensor pairs = gradus::tensor({3.0, 4.0, -1.0, 0.0}, gradus::float64).reshape({2, 2}), z = complex_leaf(pairs), x = gradus::tensor({2.0}, gradus::float64).requires_grad_();
    z.set_grad(pairs.view_as_complex());
    x.set_grad(gradus::tensor({-2.0}, gradus::float64));
    const double want = order == HUGE_VAL ? 5 : std::pow(std::pow(5, order) + 1 + std::pow(2, order), 1 / order);
    EXPECT_NEAR(gradus::clip_grad_norm_({z, x}, 1, order), want, 1e-12);
    EXPECT_NEAR(values({pairs_of(z.grad())})[1], 4 / want, 1e-5);
    EXPECT_NEAR(values({x.grad()})[0], -2 / want, 1e-5);
    expect_error(GRADUS_E_UNSUPPORTED, "clip_grad_value: does not support complex128", [&] { gradus::clip_grad_value_({x, z}, 0.5); });
  }
}

TEST_F(Optim, RunsAClosureFirst) {
  const Tensor p = gradus::tensor({2.0}, gradus::float64).requires_grad_();
  const Optimizer o("SGD", {p}, {{"lr", 0.25}});
  const gradus::NoGradGuard off;                              // the closure records all the same
  const Tensor loss = o.step([&] {
    o.zero_grad();
    const Tensor l = (p * p).sum();
    l.backward();
    return l;
  });
  EXPECT_EQ(loss.item<double>(), 4);
  EXPECT_EQ(p.detach().item<double>(), 1);
  struct Mine {};
  EXPECT_THROW(o.step([]() -> Tensor { throw Mine(); }), Mine);
  expect_error(GRADUS_E_STATE, "a step of this optimizer is running", [&] {
    o.step([&]() -> Tensor { o.step(); return p; });
  });
}

TEST_F(Optim, LbfgsGivesPyTorchsLossesAndGoesOnAfterALoad) {
  for (const LbfgsCase& c : lbfgs_cases) {
    Tensors p = valley();
    Optimizer o("LBFGS", p, settings_of(c.settings));
    for (int i = 0; i < 6; ++i) {
      const Tensor loss = o.step([&] { return loss_and_gradients(o, p); });
      EXPECT_NEAR(loss.item<double>(), c.loss[i], 1e-7 * c.loss[i] + 1e-13) << c.name << ", step " << i;
      if (i == 2) {                                           // the rest in another optimizer
        const Tensors q = {p[0].detach().clone().requires_grad_(), p[1].detach().clone().requires_grad_()};
        const Optimizer other("LBFGS", q, settings_of(c.settings));
        other.load_state(o.state());
        p = q;
        o = other;
      }
    }
    expect_near(values(p), c.last, 1e-7, c.name);
  }
}

}  // namespace
