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

TEST_F(Schedulers, LambdaSetsTheFirstRateTimesAFactor) {
  const Optimizer o("SGD", {gradus::zeros({1})}, {{"lr", 2}});
  gradus::optim::LambdaLR s(o, [](int64_t e) { return 1.0 / static_cast<double>(1 + e); });
  s.step();
  s.step();
  EXPECT_DOUBLE_EQ(o.get("lr"), 2.0 / 3);
}

}  // namespace
