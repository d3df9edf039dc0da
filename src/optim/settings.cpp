#include "optim/settings.h"

#include <cmath>

namespace gradus {
namespace {

enum class Range : uint8_t { not_negative, positive, below_one, flag, whole, any };
struct SettingInfo { const char* name; Range range; };
constexpr SettingInfo infos[] = {
    {"lr", Range::not_negative}, {"momentum", Range::not_negative}, {"dampening", Range::any}, {"weight_decay", Range::not_negative},
    {"nesterov", Range::flag}, {"maximize", Range::flag}, {"beta1", Range::below_one}, {"beta2", Range::below_one},
    {"eps", Range::not_negative}, {"amsgrad", Range::flag}, {"decoupled_weight_decay", Range::flag}, {"lr_decay", Range::not_negative},
    {"initial_accumulator_value", Range::not_negative}, {"alpha", Range::not_negative}, {"centered", Range::flag}, {"rho", Range::not_negative},
    {"momentum_decay", Range::not_negative}, {"max_iter", Range::whole}, {"max_eval", Range::whole}, {"tolerance_grad", Range::not_negative},
    {"tolerance_change", Range::not_negative}, {"history_size", Range::whole}, {"line_search_fn", Range::flag}};
static_assert(std::size(infos) == static_cast<size_t>(Setting::count));
const SettingInfo& info_of(Setting s) { return infos[static_cast<size_t>(s)]; }

using S = Setting;
constexpr Default sgd[] = {{S::lr, 1e-3}, {S::momentum, 0}, {S::dampening, 0}, {S::weight_decay, 0}, {S::nesterov, 0}, {S::maximize, 0}};
constexpr Default adam[] = {{S::lr, 1e-3}, {S::beta1, 0.9}, {S::beta2, 0.999}, {S::eps, 1e-8}, {S::weight_decay, 0}, {S::amsgrad, 0},
                            {S::maximize, 0}, {S::decoupled_weight_decay, 0}};
constexpr Default adamw[] = {{S::lr, 1e-3}, {S::beta1, 0.9}, {S::beta2, 0.999}, {S::eps, 1e-8}, {S::weight_decay, 1e-2}, {S::amsgrad, 0},
                             {S::maximize, 0}};
constexpr Default adagrad[] = {{S::lr, 1e-2}, {S::lr_decay, 0}, {S::weight_decay, 0}, {S::initial_accumulator_value, 0}, {S::eps, 1e-10},
                               {S::maximize, 0}};
constexpr Default rmsprop[] = {{S::lr, 1e-2}, {S::alpha, 0.99}, {S::eps, 1e-8}, {S::weight_decay, 0}, {S::momentum, 0}, {S::centered, 0},
                               {S::maximize, 0}};
constexpr Default adadelta[] = {{S::lr, 1}, {S::rho, 0.9}, {S::eps, 1e-6}, {S::weight_decay, 0}, {S::maximize, 0}};
constexpr Default nadam[] = {{S::lr, 2e-3}, {S::beta1, 0.9}, {S::beta2, 0.999}, {S::eps, 1e-8}, {S::weight_decay, 0},
                             {S::momentum_decay, 4e-3}, {S::decoupled_weight_decay, 0}, {S::maximize, 0}};
constexpr Default radam[] = {{S::lr, 1e-3}, {S::beta1, 0.9}, {S::beta2, 0.999}, {S::eps, 1e-8}, {S::weight_decay, 0},
                             {S::decoupled_weight_decay, 0}, {S::maximize, 0}};
constexpr Default lion[] = {{S::lr, 1e-4}, {S::beta1, 0.9}, {S::beta2, 0.99}, {S::weight_decay, 0}, {S::maximize, 0}};
constexpr Default lbfgs[] = {{S::lr, 1}, {S::max_iter, 20}, {S::max_eval, 0}, {S::tolerance_grad, 1e-7}, {S::tolerance_change, 1e-9},
                             {S::history_size, 100}, {S::line_search_fn, 0}};
constexpr AlgorithmInfo algorithms[] = {
    {Algorithm::sgd, "SGD", sgd}, {Algorithm::adam, "Adam", adam}, {Algorithm::adamw, "AdamW", adamw}, {Algorithm::adagrad, "Adagrad", adagrad},
    {Algorithm::rmsprop, "RMSprop", rmsprop}, {Algorithm::adadelta, "Adadelta", adadelta}, {Algorithm::nadam, "NAdam", nadam},
    {Algorithm::radam, "RAdam", radam}, {Algorithm::lion, "Lion", lion}, {Algorithm::lbfgs, "LBFGS", lbfgs}};

void check_value(const AlgorithmInfo& of, Setting s, double v) {
  const auto [name, range] = info_of(s);
  switch (range) {
    case Range::any: GRADUS_CHECK(std::isfinite(v), value, "{}: '{}' is {}, not a finite number", of.name, name, v); break;
    case Range::not_negative: GRADUS_CHECK(v >= 0, value, "{}: '{}' is {}, not at least 0", of.name, name, v); break;
    case Range::positive: GRADUS_CHECK(v > 0, value, "{}: '{}' is {}, not above 0", of.name, name, v); break;
    case Range::below_one: GRADUS_CHECK(v >= 0 && v < 1, value, "{}: '{}' is {}, outside [0, 1)", of.name, name, v); break;
    case Range::flag: GRADUS_CHECK(v == 0 || v == 1, value, "{}: '{}' is {}, neither 0 nor 1", of.name, name, v); break;
    case Range::whole:
      GRADUS_CHECK(v >= 0 && v <= 1e9 && v == std::floor(v), value, "{}: '{}' is {}, not a whole number up to 1e9", of.name, name, v);
      break;
  }
}

}  // namespace

const AlgorithmInfo& algorithm_info(Algorithm a) { return algorithms[static_cast<size_t>(a)]; }

const AlgorithmInfo& find_algorithm(std::string_view name) {
  for (const AlgorithmInfo& a : algorithms)
    if (a.name == name) return a;
  fail(Status::unknown_name, "optimizer: there is no '{}'; there are SGD, Adam, AdamW, Adagrad, RMSprop, Adadelta, NAdam, RAdam, Lion and LBFGS", name);
}
const char* name(Setting s) { return info_of(s).name; }

Setting find_setting(const AlgorithmInfo& info, std::string_view wanted) {
  for (const Default& d : info.settings)
    if (wanted == name(d.setting)) return d.setting;
  std::string all;
  for (const Default& d : info.settings) (all += all.empty() ? "" : ", ") += name(d.setting);
  fail(Status::unknown_name, "{}: no setting '{}'; there are {}", info.name, wanted, all);
}

Settings::Settings(const AlgorithmInfo& info) {
  for (const Default& d : info.settings) value_[static_cast<size_t>(d.setting)] = d.value;
}

void Settings::set(const AlgorithmInfo& info, std::string_view wanted, double value) {
  const Setting s = find_setting(info, wanted);
  check_value(info, s, value);
  value_[static_cast<size_t>(s)] = value;
}

void Settings::check_together(const AlgorithmInfo& info) const {
  if (!flag(S::nesterov)) return;
  GRADUS_CHECK((*this)[S::momentum] > 0 && (*this)[S::dampening] == 0, value,
               "{}: 'nesterov' needs a momentum above 0 and no dampening, not {} and {}", info.name, (*this)[S::momentum], (*this)[S::dampening]);
}

}  // namespace gradus
