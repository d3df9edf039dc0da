// Optimizers that are refused, cancelled or fail halfway through the C++ face: nothing is half done.
#include "gradus/optim.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <thread>

#include "hpp_fixture.h"
#include "optim_problem.h"

namespace {

using gradus::optim::Optimizer;

using Optim = Clean;

TEST_F(Optim, LbfgsPutsParametersBackWhenTheClosureFails) {
  const Tensors p = valley();
  const auto before = values(p);
  const Optimizer o("LBFGS", p, {{"line_search_fn", 1}});
  int calls = 0;
  struct Mine {};
  EXPECT_THROW(o.step([&] {
    if (++calls == 4) throw Mine();
    return loss_and_gradients(o, p);
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
      return loss_and_gradients(o, p);
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
