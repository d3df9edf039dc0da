// Schedulers of an optimizer's settings through the C++ face, beside PyTorch's numbers.
#include "gradus/optim.hpp"

#include <cmath>

#include "hpp_fixture.h"
#include "optim_expected.h"

namespace {

using gradus::Tensor;
using gradus::optim::Optimizer;
using gradus::optim::Scheduler;
using gradus::optim::Settings;

using Schedulers = Clean;

Settings settings_of(const std::vector<std::pair<const char*, double>>& list) { return {list.begin(), list.end()}; }

TEST_F(Schedulers, SchedulesAsPyTorch) {
  for (const ScheduleCase& c : schedule_cases) {
    const Tensor p = gradus::zeros({1}).requires_grad_();
    const bool sgd = std::string_view(c.algorithm) == "SGD";
    const Optimizer o(c.algorithm, {p}, sgd ? Settings{{"lr", 0.1}, {"momentum", 0.9}} : Settings{{"lr", 0.1}});
    Scheduler s(o, c.name, settings_of(c.settings));
    for (int e = 0; e < 24; ++e) {
      EXPECT_NEAR(o.get("lr"), c.lr[e], 1e-12 * c.lr[e] + 1e-15) << c.name << ", epoch " << e;
      if (c.other) { EXPECT_NEAR(o.get(c.other), c.momentum[e], 1e-12) << c.name << ", epoch " << e; }
      if (e == 9) {                                           // another one goes on from here
        const double lr = o.get("lr");
        const Scheduler next(o, c.name, settings_of(c.settings));
        o.set("lr", lr);
        next.load_state(s.state());
        s = next;
      }
      if (std::string_view(c.name) == "ReduceLROnPlateau") s.step(1.0 / (1 + std::min(e, 6)) + 0.01 * (e * 7 % 3));
      else s.step();
    }
  }
}

// Two trainings of 6 steps, one of which stops after 3 and goes on with new objects: the same bits.
TEST_F(Schedulers, GoOnFromStateDictsOfThemAndTheOptimizer) {
  const Settings plan = {{"max_lr", 0.1}, {"total_steps", 6}};
  const auto made = [](const std::vector<Tensor>& p) {
    Optimizer o("AdamW", {p[0]}, {{"lr", 0.1}});
    o.add_group({p[1]}, {{"weight_decay", 0}});
    return o;
  };
  const auto run = [](const std::vector<Tensor>& p, const Optimizer& o, const Scheduler& s, int from, int to) {
    for (int i = from; i < to; ++i) {
      o.zero_grad();
      ((p[0] * (i + 1) - 1).pow(2).sum() + p[1].exp().sum()).backward();
      o.step();
      s.step();
    }
  };
  const auto start = [] { return std::vector<Tensor>{gradus::ones({3}).requires_grad_(), gradus::zeros({2}).requires_grad_()}; };
  const std::vector<Tensor> a = start(), b = start();
  const Optimizer oa = made(a), ob = made(b);
  run(a, oa, Scheduler(oa, "OneCycleLR", plan), 0, 6);
  const Scheduler first(ob, "OneCycleLR", plan);
  run(b, ob, first, 0, 3);
  const Optimizer oc = made(b);
  const Scheduler second(oc, "OneCycleLR", plan);
  oc.load_state_dict(ob.state_dict());
  second.load_state_dict(first.state_dict());
  run(b, oc, second, 3, 6);
  for (size_t i = 0; i < 2; ++i) EXPECT_EQ(a[i].to_vector<float>(), b[i].to_vector<float>());
  EXPECT_EQ(oc.get("lr"), oa.get("lr"));
  EXPECT_EQ(oc.get("weight_decay", 1), 0);
}

TEST_F(Schedulers, StateDictsAreWholeAndNameWhatThereIs) {
  const Optimizer o("Adam", {gradus::zeros({1}).requires_grad_()}, {{"lr", 0.5}});
  const auto changed = [&o](const char* name) {
    auto state = o.state_dict();
    state.push_back({name, gradus::tensor({1.0}, gradus::float64)});
    return state;
  };
  EXPECT_EQ(o.state_dict()[0].first, "param_groups.0.lr");
  for (const char* name : {"lr", "state.0", "state.1.step", "state.-1.step", "state..step", "param_groups.1.lr", "groups.0.lr", "param_groups.0.r"})
    EXPECT_THROW(o.load_state_dict(changed(name)), gradus::Error) << name;
  expect_error(GRADUS_E_VALUE, "param_groups.0.lr is given twice", [&] { o.load_state_dict(changed("param_groups.0.lr")); });
  auto state = o.state_dict();
  state.erase(state.begin());
  expect_error(GRADUS_E_UNKNOWN_NAME, "settings of", [&] { o.load_state_dict(state); });
  EXPECT_EQ(o.get("lr"), 0.5);

  const Scheduler s(o, "StepLR", {{"step_size", 2}});
  auto entries = s.state_dict();
  entries.push_back(entries[0]);
  expect_error(GRADUS_E_VALUE, "is given twice", [&] { s.load_state_dict(entries); });
  entries.back().first = "other";
  expect_error(GRADUS_E_UNKNOWN_NAME, "names for", [&] { s.load_state_dict(entries); });
  entries.erase(entries.begin());
  expect_error(GRADUS_E_UNKNOWN_NAME, "is missing", [&] { s.load_state_dict(entries); });
}

TEST_F(Schedulers, RefuseWhatDoesNotFit) {
  const Optimizer o("SGD", {gradus::zeros({1})});
  expect_error(GRADUS_E_UNKNOWN_NAME, "no 'Step'", [&] { Scheduler(o, "Step"); });
  expect_error(GRADUS_E_UNKNOWN_NAME, "StepLR: no setting 'T_max'", [&] { Scheduler(o, "StepLR", {{"T_max", 1}}); });
  expect_error(GRADUS_E_VALUE, "'step_size' is needed", [&] { Scheduler(o, "StepLR"); });
  expect_error(GRADUS_E_VALUE, "'step_size' is 1.5", [&] { Scheduler(o, "StepLR", {{"step_size", 1.5}}); });
  expect_error(GRADUS_E_VALUE, "needs the metric", [&] { Scheduler(o, "ReduceLROnPlateau").step(); });
  const Scheduler s(o, "OneCycleLR", {{"max_lr", 1}, {"total_steps", 2}, {"pct_start", 0.5}, {"anneal_linear", 1}, {"cycle_momentum", 0}});
  expect_error(GRADUS_E_UNKNOWN_NAME, "no state 'best'", [&] { s.load_state({{"best", 1}}); });
  s.step();
  s.step();
  expect_error(GRADUS_E_VALUE, "step 4 of 2", [&] { s.step(); });
}

TEST_F(Schedulers, AFailureLeavesSettingsAndStateAsTheyWere) {
  const gradus::Tensor a = gradus::zeros({1}), b = gradus::zeros({1});
  const Optimizer adam("Adam", {a}, {{"lr", 0.5}});
  const Settings cycle = {{"max_lr", 1}, {"total_steps", 10}};
  const auto with = [&cycle](Settings more) { return more.insert(more.end(), cycle.begin(), cycle.end()), more; };
  expect_error(GRADUS_E_VALUE, "OneCycleLR: 'max_momentum' is 1.5, outside [0, 1)",
               [&] { Scheduler(adam, "OneCycleLR", with({{"max_momentum", 1.5}})); });
  expect_error(GRADUS_E_VALUE, "OneCycleLR: 'base_momentum' is 1, outside [0, 1)",
               [&] { Scheduler(adam, "OneCycleLR", with({{"base_momentum", 1}})); });
  EXPECT_EQ(adam.get("lr"), 0.5);
  EXPECT_EQ(adam.get("beta1"), 0.9);
  adam.set("lr", 0.25);
  const Scheduler exponential(adam, "ExponentialLR", {{"gamma", 1}});
  EXPECT_EQ(exponential.state()[1].second, 0.25);             // not the rate that the schedulers that failed have seen

  const Optimizer sgd("SGD", {a}, {{"lr", 0.5}, {"momentum", 0.75}});
  sgd.add_group({b}, {{"nesterov", 1}});
  expect_error(GRADUS_E_VALUE, "OneCycleLR: 'base_momentum' is -1, not at least 0",
               [&] { Scheduler(sgd, "OneCycleLR", with({{"base_momentum", -1}})); });
  expect_error(GRADUS_E_VALUE, "nesterov", [&] { Scheduler(sgd, "OneCycleLR", with({{"base_momentum", 0}})); });
  expect_error(GRADUS_E_VALUE, "nesterov", [&] { Scheduler(sgd, "OneCycleLR", with({{"max_momentum", 0}})); });
  EXPECT_EQ(sgd.get("lr"), 0.5);
  EXPECT_EQ(sgd.get("momentum"), 0.75);

  const Scheduler s(sgd, "OneCycleLR", cycle);
  const auto before = s.state();
  const double lr = sgd.get("lr"), momentum = sgd.get("momentum");
  s.load_state({{"base_lrs.1", -1}});                         // a rate below 0 for the second group
  expect_error(GRADUS_E_VALUE, "'lr' is -", [&] { s.step(); });
  EXPECT_EQ(sgd.get("lr"), lr);
  EXPECT_EQ(sgd.get("momentum"), momentum);
  EXPECT_EQ(s.state()[0], before[0]);
}

TEST_F(Schedulers, LambdaSetsTheFirstRateTimesAFactor) {
  const Optimizer o("SGD", {gradus::zeros({1})}, {{"lr", 2}});
  gradus::optim::LambdaLR s(o, [](int64_t e) { return 1.0 / static_cast<double>(1 + e); });
  s.step();
  s.step();
  EXPECT_DOUBLE_EQ(o.get("lr"), 2.0 / 3);
  const Optimizer other("SGD", {gradus::zeros({1})}, {{"lr", 5}});
  gradus::optim::LambdaLR next(other, [](int64_t e) { return 1.0 / static_cast<double>(1 + e); });
  next.load_state_dict(s.state_dict());
  EXPECT_DOUBLE_EQ(other.get("lr"), 2.0 / 3);
  next.step();
  EXPECT_DOUBLE_EQ(other.get("lr"), 2.0 / 4);
  expect_error(GRADUS_E_UNKNOWN_NAME, "LambdaLR", [&] { next.load_state_dict({}); });
  expect_error(GRADUS_E_SHAPE, "one number for each group", [&] {
    next.load_state_dict({{"last_epoch", gradus::tensor(1.0)}, {"base_lrs", gradus::zeros({2})}});
  });
  EXPECT_DOUBLE_EQ(other.get("lr"), 2.0 / 4);
}

}  // namespace
