#include "optim/scheduler.h"

#include <algorithm>
#include <cmath>

#include "base/live.h"

namespace gradus {
namespace {

constexpr double kPi = 3.14159265358979323846;
// A default of NaN: the setting has to be given.
constexpr double kNeeded = std::numeric_limits<double>::quiet_NaN();
struct NamedDefault { std::string_view name; double value; };
constexpr NamedDefault step_settings[] = {{"step_size", kNeeded}, {"gamma", 0.1}};
constexpr NamedDefault multi_step_settings[] = {{"gamma", 0.1}};                               // and milestones
constexpr NamedDefault constant_settings[] = {{"factor", 1.0 / 3}, {"total_iters", 5}};
constexpr NamedDefault linear_settings[] = {{"start_factor", 1.0 / 3}, {"end_factor", 1}, {"total_iters", 5}};
constexpr NamedDefault exponential_settings[] = {{"gamma", kNeeded}};
constexpr NamedDefault polynomial_settings[] = {{"total_iters", 5}, {"power", 1}};
constexpr NamedDefault cosine_settings[] = {{"T_max", kNeeded}, {"eta_min", 0}};
constexpr NamedDefault restart_settings[] = {{"T_0", kNeeded}, {"T_mult", 1}, {"eta_min", 0}};
constexpr NamedDefault one_cycle_settings[] = {{"max_lr", kNeeded}, {"total_steps", kNeeded}, {"pct_start", 0.3}, {"anneal_linear", 0},
                                               {"cycle_momentum", 1}, {"base_momentum", 0.85}, {"max_momentum", 0.95}, {"div_factor", 25},
                                               {"final_div_factor", 1e4}, {"three_phase", 0}};
constexpr NamedDefault plateau_settings[] = {{"mode_max", 0}, {"factor", 0.1}, {"patience", 10}, {"threshold", 1e-4}, {"threshold_abs", 0},
                                             {"cooldown", 0}, {"min_lr", 0}, {"eps", 1e-8}};
struct ScheduleInfo { const char* name; std::span<const NamedDefault> settings; };
constexpr ScheduleInfo infos[] = {
    {"StepLR", step_settings}, {"MultiStepLR", multi_step_settings}, {"ConstantLR", constant_settings}, {"LinearLR", linear_settings},
    {"ExponentialLR", exponential_settings}, {"PolynomialLR", polynomial_settings}, {"CosineAnnealingLR", cosine_settings},
    {"CosineAnnealingWarmRestarts", restart_settings}, {"OneCycleLR", one_cycle_settings}, {"ReduceLROnPlateau", plateau_settings}};

Schedule find_schedule(std::string_view name) {
  std::string all;
  for (size_t i = 0; i < std::size(infos); ++i) {
    if (name == infos[i].name) return static_cast<Schedule>(i);
    (all += all.empty() ? "" : ", ") += infos[i].name;
  }
  fail(Status::unknown_name, "scheduler: there is no '{}'; there are {}", name, all);
}

double anneal(bool linear, double from, double to, double part) {
  return linear ? from + part * (to - from) : to + (from - to) / 2 * (1 + std::cos(kPi * part));
}

}  // namespace

const char* Scheduler::name() const { return infos[static_cast<size_t>(schedule_)].name; }
double Scheduler::setting(std::string_view wanted) const {
  for (const auto& [known, value] : settings_)
    if (known == wanted) return value;
  fail(Status::internal, "{}: no setting '{}'", name(), wanted);
}

Scheduler::Scheduler(Ref<Optimizer> optimizer, std::string_view wanted, std::span<const NamedValue> settings)
    : Object{Kind::scheduler, {}}, optimizer_(std::move(optimizer)), schedule_(find_schedule(wanted)) {
  const ScheduleInfo& info = infos[static_cast<size_t>(schedule_)];
  for (const NamedDefault& d : info.settings) settings_.emplace_back(d.name, d.value);
  for (const NamedValue& v : settings) {
    GRADUS_CHECK(std::isfinite(v.value), value, "{}: '{}' is {}, not a finite number", info.name, v.name, v.value);
    if (schedule_ == Schedule::multi_step && v.name == "milestones") { milestones_.push_back(v.value); continue; }
    const auto at = std::find_if(settings_.begin(), settings_.end(), [&](const auto& s) { return s.first == v.name; });
    GRADUS_CHECK(at != settings_.end(), unknown_name, "{}: no setting '{}'", info.name, v.name);
    at->second = v.value;
  }
  check();
  for (const Settings& s : optimizer_->groups) base_.push_back(s.initial_lr < 0 ? s[Setting::lr] : s.initial_lr);
  const std::vector<double> initial = base_;
  if (schedule_ == Schedule::cosine_restarts) cycle_length_ = setting("T_0");
  if (schedule_ == Schedule::plateau) best_ = setting("mode_max") != 0 ? -HUGE_VAL : HUGE_VAL;
  if (schedule_ == Schedule::one_cycle) one_cycle_begin();
  if (schedule_ != Schedule::plateau) apply();
  for (size_t g = 0; g < initial.size(); ++g) optimizer_->groups[g].initial_lr = initial[g];
  count_live(Live::schedulers, 1);
}
Scheduler::~Scheduler() {
  kind = Kind::dead;
  count_live(Live::schedulers, -1);
}

void Scheduler::check() const {
  for (const auto& [key, v] : settings_) {
    GRADUS_CHECK(v == v, value, "{}: '{}' is needed", name(), key);
    const bool whole = key == "step_size" || key == "T_0" || key == "T_mult" || key == "total_steps";
    GRADUS_CHECK(!whole || (v >= 1 && v == std::floor(v)), value, "{}: '{}' is {}, not a whole number from 1 on", name(), key, v);
    const bool counts = key == "total_iters" || key == "patience" || key == "cooldown";
    GRADUS_CHECK(!counts || (v >= 0 && v == std::floor(v)), value, "{}: '{}' is {}, not a whole number from 0 on", name(), key, v);
    GRADUS_CHECK(key != "T_max" || v > 0, value, "{}: '{}' is {}, not above 0", name(), key, v);
    const bool share = key == "pct_start" || (key == "factor" && schedule_ == Schedule::constant) || key == "end_factor";
    GRADUS_CHECK(!share || (v >= 0 && v <= 1), value, "{}: '{}' is {}, outside [0, 1]", name(), key, v);
    GRADUS_CHECK(key != "start_factor" || (v > 0 && v <= 1), value, "{}: '{}' is {}, outside (0, 1]", name(), key, v);
    GRADUS_CHECK(key != "factor" || schedule_ != Schedule::plateau || v < 1, value, "{}: '{}' is {}, not below 1", name(), key, v);
    const bool positive = key == "max_lr" || key == "div_factor" || key == "final_div_factor";
    GRADUS_CHECK(!positive || v > 0, value, "{}: '{}' is {}, not above 0", name(), key, v);
    const bool not_negative = key == "gamma" || key == "eta_min" || key == "min_lr";
    GRADUS_CHECK(!not_negative || v >= 0, value, "{}: '{}' is {}, not at least 0", name(), key, v);
  }
}

// The learning rate of the epoch from that of the one before, so that what others do to it stays.
double Scheduler::next_lr(size_t group) const {
  const double lr = optimizer_->groups[group][Setting::lr], base = base_[group], e = epoch_;
  switch (schedule_) {
    case Schedule::step: return e > 0 && std::fmod(e, setting("step_size")) == 0 ? lr * setting("gamma") : lr;
    case Schedule::multi_step:
      return lr * std::pow(setting("gamma"), static_cast<double>(e > 0 ? std::count(milestones_.begin(), milestones_.end(), e) : 0));
    case Schedule::constant: return e == 0 ? lr * setting("factor") : e == setting("total_iters") ? lr / setting("factor") : lr;
    case Schedule::linear: {
      const double from = setting("start_factor"), to = setting("end_factor"), total = setting("total_iters");
      if (e == 0) return lr * from;
      return e > total ? lr : lr * (1 + (to - from) / (total * from + (e - 1) * (to - from)));
    }
    case Schedule::exponential: return e == 0 ? lr : lr * setting("gamma");
    case Schedule::polynomial: {
      const double total = setting("total_iters");
      return e == 0 || e > total ? lr : lr * std::pow((1 - e / total) / (1 - (e - 1) / total), setting("power"));
    }
    case Schedule::cosine: {
      const double most = setting("T_max"), least = setting("eta_min");
      if (e == 0) return lr;
      if (std::fmod(e - 1 - most, 2 * most) == 0) return lr + (base - least) * (1 - std::cos(kPi / most)) / 2;
      return (1 + std::cos(kPi * e / most)) / (1 + std::cos(kPi * (e - 1) / most)) * (lr - least) + least;
    }
    default: {
      const double least = setting("eta_min");
      return least + (base - least) * (1 + std::cos(kPi * cycle_ / cycle_length_)) / 2;
    }
  }
}

void Scheduler::apply() {
  std::vector<Change> changes;
  if (schedule_ == Schedule::one_cycle) one_cycle_changes(changes);
  else
    for (size_t g = 0; g < base_.size(); ++g) changes.push_back({g, "lr", next_lr(g)});
  set_all(changes);
}
void Scheduler::set_all(const std::vector<Change>& changes) {
  std::vector<Settings> next = optimizer_->groups;
  for (const Change& c : changes) next[c.group].set(optimizer_->info, c.setting, c.value);
  for (const Settings& s : next) s.check_together(optimizer_->info);
  std::copy(next.begin(), next.end(), optimizer_->groups.begin());
}

void Scheduler::one_cycle_begin() {
  const Algorithm a = optimizer_->info.algorithm;
  const bool cycles = a != Algorithm::adagrad && a != Algorithm::adadelta && a != Algorithm::lbfgs;
  GRADUS_CHECK(setting("cycle_momentum") == 0 || cycles, value, "{}: {} has neither momentum nor beta1 to cycle", name(), optimizer_->info.name);
  for (double& b : base_) b = setting("max_lr");
  if (setting("cycle_momentum") == 0) return;
  for (const char* key : {"base_momentum", "max_momentum"}) {
    const double v = setting(key);
    GRADUS_CHECK(v >= 0, value, "{}: '{}' is {}, not at least 0", name(), key, v);
    GRADUS_CHECK(v < 1 || cycled() != "beta1", value, "{}: '{}' is {}, outside [0, 1)", name(), key, v);
    for (Settings s : optimizer_->groups) {
      s.set(optimizer_->info, cycled(), v);
      s.check_together(optimizer_->info);
    }
  }
}
std::string_view Scheduler::cycled() const {
  const Algorithm a = optimizer_->info.algorithm;
  return a == Algorithm::sgd || a == Algorithm::rmsprop ? "momentum" : "beta1";
}

// Where the epoch lies between the turning points: up, down (and, in three phases, on to the end).
double Scheduler::one_cycle(double from, double middle, double to) const {
  const double total = setting("total_steps"), up = setting("pct_start") * total - 1;
  const bool three = setting("three_phase") != 0, linear = setting("anneal_linear") != 0;
  const double down = three ? 2 * setting("pct_start") * total - 2 : total - 1;
  const double e = std::min(epoch_, total - 1);               // the step after the last epoch changes nothing
  if (e <= up) return anneal(linear, from, middle, up > 0 ? e / up : 1);
  if (e <= down || !three) return anneal(linear, middle, three ? from : to, (e - up) / (down - up));
  return anneal(linear, from, to, (e - down) / (total - 1 - down));
}
void Scheduler::one_cycle_changes(std::vector<Change>& to) const {
  GRADUS_CHECK(epoch_ <= setting("total_steps"), value, "{}: step {} of {}", name(), epoch_ + 1, setting("total_steps"));
  for (size_t g = 0; g < base_.size(); ++g) {
    const double first = base_[g] / setting("div_factor"), last = first / setting("final_div_factor");
    to.push_back({g, "lr", one_cycle(first, base_[g], last)});
    if (setting("cycle_momentum") == 0) continue;
    const double high = setting("max_momentum");
    to.push_back({g, cycled(), one_cycle(high, setting("base_momentum"), high)});
  }
}

void Scheduler::step() {
  GRADUS_CHECK(schedule_ != Schedule::plateau, value, "{}: a step needs the metric", name());
  const double before = epoch_, cycle = cycle_, length = cycle_length_;
  ++epoch_;
  if (schedule_ == Schedule::cosine_restarts && ++cycle_ >= cycle_length_) {
    cycle_ -= cycle_length_;
    cycle_length_ *= setting("T_mult");
  }
  try {
    apply();
  } catch (...) {
    epoch_ = before, cycle_ = cycle, cycle_length_ = length;
    throw;
  }
}
void Scheduler::step(double metric) {
  if (schedule_ != Schedule::plateau) return step();
  plateau(metric);
}

void Scheduler::plateau(double metric) {
  const bool most = setting("mode_max") != 0;
  const double threshold = setting("threshold");
  const double bound = setting("threshold_abs") != 0 ? best_ + (most ? threshold : -threshold) : best_ * (most ? 1 + threshold : 1 - threshold);
  const bool better = most ? metric > bound : metric < bound;
  double bad = better || cooldown_ > 0 ? 0 : bad_epochs_ + 1, cooldown = cooldown_ > 0 ? cooldown_ - 1 : cooldown_;
  if (bad > setting("patience")) {
    std::vector<Change> changes;
    for (size_t g = 0; g < base_.size(); ++g) {
      const double lr = optimizer_->groups[g][Setting::lr], next = std::max(lr * setting("factor"), setting("min_lr"));
      if (lr - next > setting("eps")) changes.push_back({g, "lr", next});
    }
    set_all(changes);
    cooldown = setting("cooldown");
    bad = 0;
  }
  ++epoch_;
  if (better) best_ = metric;
  bad_epochs_ = bad, cooldown_ = cooldown;
}

static constexpr std::string_view kBase = "base_lrs.";
const std::vector<std::pair<std::string, double>>& Scheduler::state() {
  auto& all = shown_ = {{"last_epoch", epoch_}};
  if (schedule_ == Schedule::cosine_restarts) all.insert(all.end(), {{"T_cur", cycle_}, {"T_i", cycle_length_}});
  if (schedule_ == Schedule::plateau) all.insert(all.end(), {{"best", best_}, {"num_bad_epochs", bad_epochs_}, {"cooldown_counter", cooldown_}});
  else
    for (size_t g = 0; g < base_.size(); ++g) all.emplace_back(std::string(kBase) + std::to_string(g), base_[g]);
  return all;
}
void Scheduler::load_state(std::string_view given, double value) {
  const std::string wanted(given);                            // it may be a text that state() gave out
  const std::pair<std::string_view, double*> numbers[] = {{"last_epoch", &epoch_}, {"T_cur", &cycle_}, {"T_i", &cycle_length_},
                                                          {"best", &best_}, {"num_bad_epochs", &bad_epochs_}, {"cooldown_counter", &cooldown_}};
  const auto& all = state();
  const bool known = std::any_of(all.begin(), all.end(), [&](const auto& s) { return s.first == wanted; });
  GRADUS_CHECK(known, unknown_name, "{}: no state '{}'", name(), wanted);
  GRADUS_CHECK(value == value, value, "{}: '{}' is not a number", name(), wanted);
  for (const auto& [key, place] : numbers)
    if (key == wanted) { *place = value; return; }
  for (size_t g = 0; g < base_.size(); ++g)
    if (wanted.substr(kBase.size()) == std::to_string(g)) base_[g] = value;
}

}  // namespace gradus
