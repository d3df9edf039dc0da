// The settings of optimizers by PyTorch's names: which algorithm has which, their defaults and what they may be.
#pragma once
#include <span>
#include <string_view>

#include "base/error.h"

namespace gradus {

enum class Algorithm : uint8_t { sgd, adam, adamw, adagrad, rmsprop, adadelta, nadam, radam, lion, lbfgs };
enum class Setting : uint8_t {
  lr, momentum, dampening, weight_decay, nesterov, maximize, beta1, beta2, eps, amsgrad, decoupled_weight_decay, lr_decay,
  initial_accumulator_value, alpha, centered, rho, momentum_decay, max_iter, max_eval, tolerance_grad, tolerance_change, history_size,
  line_search_fn, count
};
struct NamedValue { std::string_view name; double value = 0; };

struct Default { Setting setting; double value; };
struct AlgorithmInfo {
  Algorithm algorithm;
  const char* name;                                           // "SGD"
  std::span<const Default> settings;
};
const AlgorithmInfo& algorithm_info(Algorithm a);
const AlgorithmInfo& find_algorithm(std::string_view name);   // throws for a name that there is not
const char* name(Setting s);

// The settings of one group.
class Settings {
 public:
  explicit Settings(const AlgorithmInfo& info);               // the defaults
  double operator[](Setting s) const { return value_[static_cast<size_t>(s)]; }
  bool flag(Setting s) const { return (*this)[s] != 0; }
  void set(const AlgorithmInfo& info, std::string_view name, double value);   // refuses unknown names and bad values
  void check_together(const AlgorithmInfo& info) const;       // what no setting shows alone
  double initial_lr = -1;                                     // before the first scheduler; -1: there was none

 private:
  double value_[static_cast<size_t>(Setting::count)] = {};
};
Setting find_setting(const AlgorithmInfo& info, std::string_view name);

}  // namespace gradus
