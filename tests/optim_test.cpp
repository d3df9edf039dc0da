// Optimizers through the C++ face, beside PyTorch's numbers.
#include "gradus/optim.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <thread>

#include "hpp_fixture.h"
#include "optim_expected.h"

namespace {

using gradus::Tensor;
using gradus::optim::Optimizer;
using gradus::optim::Settings;
using Tensors = std::vector<Tensor>;

using Optim = Clean;

// The problem behind optim_expected.h: two parameters of four and three elements, and gradients that are polynomials of them.
const std::vector<size_t> kSizes = {4, 3};
Tensors parameters(gradus::Dtype dtype = gradus::float64) {
  Tensors all;
  int k = 0;
  for (const size_t n : kSizes) {
    std::vector<double> v;
    for (size_t i = 0; i < n; ++i, ++k) v.push_back(std::ldexp(k * 37 % 64 - 31, -5));
    all.push_back(gradus::tensor(v, dtype).requires_grad_());
  }
  return all;
}
void set_gradients(const Tensors& params) {
  int k = 0;
  for (const Tensor& p : params) {
    std::vector<double> g = p.to_vector<double>();
    for (double& x : g) {
      x = (0.25 + 0.125 * (k % 5)) * (x - std::ldexp(k * 11 % 16 - 8, -3)) + 0.125 * x * x * x;
      ++k;
    }
    p.set_grad(gradus::tensor(g, p.dtype()).reshape(p.sizes()));
  }
}
void run(const Optimizer& o, const Tensors& params, int steps) {
  for (int i = 0; i < steps; ++i) {
    set_gradients(params);
    o.step();
  }
}
std::vector<double> values(const Tensors& all) {
  std::vector<double> v;
  for (const Tensor& t : all)
    for (double x : t.to_vector<double>()) v.push_back(x);
  return v;
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

Tensor rosenbrock(const Tensors& p) {
  const Tensor x = gradus::cat({p[0], p[1]});
  const Tensor a = x.slice(0, 0, 3), b = x.slice(0, 1, 4);
  return ((b - a * a).square() * 4 + (1 - a).square()).sum();
}
Tensors valley() {
  return {gradus::tensor({-1.2, 1.0}, gradus::float64).requires_grad_(), gradus::tensor({0.5, -0.75}, gradus::float64).requires_grad_()};
}

TEST_F(Optim, LbfgsGivesPyTorchsLossesAndGoesOnAfterALoad) {
  for (const LbfgsCase& c : lbfgs_cases) {
    Tensors p = valley();
    Optimizer o("LBFGS", p, settings_of(c.settings));
    for (int i = 0; i < 6; ++i) {
      const Tensor loss = o.step([&] {
        o.zero_grad();
        const Tensor l = rosenbrock(p);
        l.backward();
        return l;
      });
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

TEST_F(Optim, LbfgsPutsParametersBackWhenTheClosureFails) {
  const Tensors p = valley();
  const auto before = values(p);
  const Optimizer o("LBFGS", p, {{"line_search_fn", 1}});
  int calls = 0;
  struct Mine {};
  EXPECT_THROW(o.step([&] {
    if (++calls == 4) throw Mine();
    o.zero_grad();
    const Tensor l = rosenbrock(p);
    l.backward();
    return l;
  }), Mine);
  EXPECT_EQ(values(p), before);
  EXPECT_TRUE(o.state().empty());
  expect_error(GRADUS_E_STATE, "needs a closure", [&] { o.step(); });
  expect_error(GRADUS_E_UNSUPPORTED, "one group", [&] { o.add_group({gradus::zeros({1}, gradus::float64)}); });
}

TEST_F(Optim, RefusesWhatDoesNotFit) {
  const Tensors p = parameters();
  expect_error(GRADUS_E_UNKNOWN_NAME, "'Sgd'", [&] { Optimizer("Sgd", p); });
  expect_error(GRADUS_E_UNKNOWN_NAME, "SGD: no setting 'beta1'", [&] { Optimizer("SGD", p, {{"beta1", 0.5}}); });
  expect_error(GRADUS_E_VALUE, "'lr' is -1", [&] { Optimizer("SGD", p, {{"lr", -1}}); });
  expect_error(GRADUS_E_VALUE, "'lr' is nan", [&] { Optimizer("SGD", p, {{"lr", NAN}}); });
  expect_error(GRADUS_E_VALUE, "'beta2' is 1", [&] { Optimizer("Adam", p, {{"beta2", 1}}); });
  expect_error(GRADUS_E_VALUE, "'amsgrad' is 2", [&] { Optimizer("Adam", p, {{"amsgrad", 2}}); });
  expect_error(GRADUS_E_VALUE, "'nesterov' needs a momentum", [&] { Optimizer("SGD", p, {{"nesterov", 1}}); });
  expect_error(GRADUS_E_VALUE, "no parameters", [&] { Optimizer("SGD", Tensors()); });
  expect_error(GRADUS_E_VALUE, "parameter 1 of shape [4] is there already", [&] { Optimizer("SGD", {p[0], p[0]}); });
  expect_error(GRADUS_E_VALUE, "is no leaf: it was computed by MulBackward0", [&] { Optimizer("SGD", {p[0] * 2}); });
  expect_error(GRADUS_E_DTYPE, "parameter 0 is of int64", [&] { Optimizer("SGD", {gradus::tensor({1, 2})}); });
  expect_error(GRADUS_E_DTYPE, "float64 and float32", [&] { Optimizer("LBFGS", {p[0], gradus::ones({2})}); });
  const Optimizer o("SGD", p, {{"momentum", 0.5}, {"nesterov", 1}});
  expect_error(GRADUS_E_VALUE, "nesterov", [&] { o.set("momentum", 0); });
  EXPECT_EQ(o.get("momentum"), 0.5);
  p[0].set_grad(p[0].detach());
  expect_error(GRADUS_E_STATE, "and its gradient share memory", [&] { o.step(); });
  const Optimizer same("SGD", {gradus::ones({1}).expand({3}).detach().requires_grad_()});
  gradus_tensor* param = nullptr;
  gradus::detail::call(gradus_optimizer_param, same.handle(), size_t{0}, static_cast<int64_t*>(nullptr), &param);
  Tensor(param).set_grad(gradus::ones({3}));
  expect_error(GRADUS_E_STATE, "share memory", [&] { same.step(); });
  expect_error(GRADUS_E_UNKNOWN_NAME, "no state 'exp_avg'", [&] { o.load_state({{0, "exp_avg", p[0]}}); });
  expect_error(GRADUS_E_SHAPE, "'momentum_buffer' has shape [3]", [&] { o.load_state({{0, "momentum_buffer", p[1]}}); });
  expect_error(GRADUS_E_INDEX, "parameter 2 of 2", [&] { o.load_state({{2, "momentum_buffer", p[1]}}); });
}

TEST_F(Optim, LbfgsRefusesAStepFromAStateThatDoesNotFitTogether) {
  const auto step = [](const Optimizer& o, const Tensors& p, int* calls) {
    o.step([&] {
      ++*calls;
      o.zero_grad();
      const Tensor l = rosenbrock(p);
      l.backward();
      return l;
    });
  };
  const Tensors p = valley();
  const Optimizer o("LBFGS", p, {{"max_iter", 4}});
  int calls = 0;
  step(o, p, &calls);
  const auto whole = o.state();
  const auto is_refused = [&](const std::string& part, const std::function<bool(gradus::optim::StateEntry&)>& keep) {
    auto damaged = whole;
    damaged.erase(std::remove_if(damaged.begin(), damaged.end(), [&](gradus::optim::StateEntry& e) { return !keep(e); }), damaged.end());
    const Tensors q = valley();
    const auto before = values(q);
    const Optimizer other("LBFGS", q, {{"max_iter", 4}});
    other.load_state(damaged);
    int called = 0;
    expect_error(GRADUS_E_STATE, part, [&] { step(other, q, &called); });
    EXPECT_EQ(called, 0);
    EXPECT_EQ(values(q), before);
    other.load_state(whole);                                  // what was missing makes it fit
    step(other, q, &called);
  };
  const auto without = [](const char* name) { return [name](const gradus::optim::StateEntry& e) { return e.name != name; }; };
  is_refused("LBFGS: 'd' is missing", without("d"));
  is_refused("LBFGS: 'prev_flat_grad' is missing", without("prev_flat_grad"));
  is_refused("'old_dirs' has 0", without("old_dirs"));
  is_refused("'old_stps' has 0", without("old_stps"));
  is_refused("'ro' has 0", without("ro"));
  is_refused("'ro' has 1", [](gradus::optim::StateEntry& e) {
    if (e.name == "ro") e.value = e.value.slice(0, 0, 1);
    return true;
  });
  expect_error(GRADUS_E_VALUE, "'n_iter' is -1", [&] { o.load_state({{0, "n_iter", gradus::tensor({-1.0}, gradus::float64)}}); });
  expect_error(GRADUS_E_VALUE, "'n_iter' is nan", [&] { o.load_state({{0, "n_iter", gradus::tensor({double{NAN}}, gradus::float64)}}); });
}

// Cancels the call at later and later moments; after each one `is_whole` has to hold.
void cancel_inside(const std::function<void()>& ready, const std::function<void()>& call, const std::function<void()>& is_whole) {
  gradus_context_options options{};
  options.threads = 1;
  const gradus::Context context(options);
  const gradus::Context::Use use(context);
  const auto is_cancelled = [](const auto& f) {
    try {
      f();
    } catch (const gradus::Error& e) {
      EXPECT_EQ(e.status(), GRADUS_E_CANCELLED) << e.what();
    }
  };
  for (int i = 0; i < 24; ++i) {
    ready();
    std::thread other([&] {
      std::this_thread::sleep_for(std::chrono::microseconds(i * 150));
      gradus_context_cancel(context.get());
    });
    is_cancelled(call);
    other.join();
    is_cancelled([] { gradus::zeros({1}); });                 // takes a cancel that came after the call
    is_whole();
  }
}
void expect_one_value(const Tensors& all) {
  const float first = all[0].detach().min().item<float>();
  for (const Tensor& t : all) {
    EXPECT_EQ(t.detach().min().item<float>(), first);
    EXPECT_EQ(t.detach().max().item<float>(), first);
  }
}

TEST_F(Optim, ACancelInsideWritesAllOrNothing) {
  Tensors p, g;
  const auto ready = [&] {
    p.clear(), g.clear();
    for (int i = 0; i < 4; ++i) {
      p.push_back(gradus::zeros({1 << 20}).requires_grad_());
      g.push_back(gradus::ones({1 << 20}));
      p.back().set_grad(g.back());
    }
  };
  const auto steps = [&] { Optimizer("SGD", p, {{"lr", 1}}).step(); };
  cancel_inside(ready, steps, [&] { expect_one_value(p); });
  const auto zeroes = [&] { Optimizer("SGD", p).zero_grad(false); };
  cancel_inside(ready, zeroes, [&] { expect_one_value(g); });
  cancel_inside(ready, [&] { gradus::clip_grad_value_(p, 0.5); }, [&] { expect_one_value(g); });
  cancel_inside(ready, [&] { gradus::clip_grad_norm_(p, 0.5); }, [&] { expect_one_value(g); });
}

TEST_F(Optim, ACancelBeforeChangesNoGradient) {
  const gradus::Context context;
  const gradus::Context::Use use(context);
  const Tensors p = {gradus::zeros({2}).requires_grad_(), gradus::zeros({1 << 20}).requires_grad_()};
  const Tensors g = {gradus::ones({2}), gradus::ones({1 << 20})};
  for (size_t i = 0; i < p.size(); ++i) p[i].set_grad(g[i]);
  const Optimizer o("SGD", p);
  const std::function<void()> calls[] = {[&] { o.zero_grad(false); }, [&] { gradus::clip_grad_value_({p[0]}, 0.5); },
                                         [&] { gradus::clip_grad_norm_({p[0]}, 0.5); }};
  for (const auto& call : calls) {
    gradus_context_cancel(context.get());
    expect_error(GRADUS_E_CANCELLED, "cancelled", call);
    expect_one_value(g);
  }
}

TEST_F(Optim, LbfgsPutsParametersBackWhenItIsCancelled) {
  const gradus::Context context;
  const gradus::Context::Use use(context);
  for (int when = 1; when <= 4; ++when) {
    const Tensors p = {gradus::ones({1 << 20}).requires_grad_(), gradus::ones({1 << 20}).requires_grad_()};
    const Optimizer o("LBFGS", p, {{"lr", 0.125}, {"line_search_fn", static_cast<double>(when % 2)}});
    int calls = 0;
    expect_error(GRADUS_E_CANCELLED, "cancelled", [&] {
      o.step([&] {
        o.zero_grad();
        const Tensor l = (p[0].square() * p[0]).sum() + p[1].square().sum();
        l.backward();
        if (++calls == when) gradus_context_cancel(context.get());
        return l;
      });
    });
    EXPECT_EQ(calls, when);
    expect_one_value(p);
    EXPECT_EQ(p[0].detach().max().item<float>(), 1);
    EXPECT_TRUE(o.state().empty());
  }
}

TEST_F(Optim, ALaterFailureOfAStepLeavesAllParametersAsTheyWere) {
  const Tensors p = parameters();
  const Optimizer o("Adam", p);
  set_gradients(p);
  p[1].set_grad(p[1].detach());
  const auto before = values(p);
  EXPECT_THROW(o.step(), gradus::Error);
  EXPECT_EQ(values(p), before);
  EXPECT_TRUE(o.state().empty());
}

}  // namespace
