// gradus/optim.hpp - optimizers, schedulers, clipping and first values in C++, over gradus/optim.h, which lists all settings.
//
//   gradus::optim::Optimizer opt("Adam", {w, b}, {{"lr", 1e-2}});
//   gradus::optim::Scheduler warm_up(opt, "LinearLR", {{"start_factor", 0.1}, {"total_iters", 100}});
//   for (...) {
//     opt.zero_grad();
//     loss().backward();
//     opt.step();
//     warm_up.step();
//   }
#ifndef GRADUS_OPTIM_HPP
#define GRADUS_OPTIM_HPP

#include <charconv>
#include <map>

#include "gradus/gradus.hpp"

namespace gradus {
inline namespace v1 {
namespace optim {

// Names and numbers, as PyTorch calls them: {"lr", 0.1}.
using Settings = std::vector<std::pair<std::string, double>>;
namespace detail {
using namespace v1::detail;
inline std::vector<gradus_setting> list_of(const Settings& settings) {
  std::vector<gradus_setting> all;
  for (const auto& [name, value] : settings) all.push_back({value, name.c_str(), nullptr});
  return all;
}
inline Error wrong(const char* what, gradus_status status, const std::string& why) {
  return Error(status, std::string(what) + "::load_state_dict: " + why, "load_state_dict");
}
inline Tensor number(double value) { return tensor(value, float64); }
// "state.12.exp_avg" in a state dict: its parts.
struct EntryName {
  std::string kind;
  uint64_t number = 0;
  std::string entry;
};
inline std::optional<EntryName> parsed(const std::string& name) {
  const size_t a = name.find('.'), b = a == std::string::npos ? a : name.find('.', a + 1);
  if (b == std::string::npos) return {};
  EntryName e{name.substr(0, a), 0, name.substr(b + 1)};
  const auto [end, error] = std::from_chars(name.data() + a + 1, name.data() + b, e.number);
  if (error != std::errc() || end != name.data() + b) return {};
  return e;
}
template <class F> gradus_status run_closure(void* user, gradus_context* c, gradus_tensor** loss) {
  return protect(c, [&] {
    const Tensor t = (*static_cast<F*>(user))();
    gradus_retain(*loss = t.handle());
  });
}
}  // namespace detail

// One entry of an optimizer's state: of a parameter by number, a name, and a tensor that is the optimizer's own.
struct StateEntry {
  uint64_t param;
  std::string name;
  Tensor value;
};

// Parameters, their settings by group, and what earlier steps left.
class Optimizer {
 public:
  Optimizer(std::string_view algorithm, const TensorList& params, const Settings& settings = {}) {
    const auto list = detail::list_of(settings);
    gradus_optimizer* o = nullptr;
    detail::call(gradus_optimizer_create, algorithm.data(), algorithm.size(), params.data(), params.size(), list.data(), list.size(),
                 sizeof(gradus_setting), &o);
    handle_ = detail::Handle<gradus_optimizer>(o);
  }
  void add_group(const TensorList& params, const Settings& settings = {}) const {
    const auto list = detail::list_of(settings);
    detail::call(gradus_optimizer_add_group, handle(), params.data(), params.size(), list.data(), list.size(), sizeof(gradus_setting));
  }

  // By number, group by group.
  std::vector<Tensor> params() const {
    std::vector<Tensor> all;
    for (size_t i = 0, n = static_cast<size_t>(info().param_count); i < n; ++i) {
      gradus_tensor* t = nullptr;
      detail::call(gradus_optimizer_param, handle(), i, static_cast<int64_t*>(nullptr), &t);
      all.push_back(Tensor(t));
    }
    return all;
  }

  void step() const { detail::call(gradus_optimizer_step, handle()); }
  // closure() clears the gradients, computes them and returns the loss. What it throws comes out as itself.
  template <class F> Tensor step(F&& closure) const {
    gradus_tensor* loss = nullptr;
    gradus_context* c = Context::current();
    using Plain = std::remove_reference_t<F>;
    detail::check(c, gradus_optimizer_step_closure(c, handle(), detail::run_closure<Plain>,
                                                        const_cast<void*>(static_cast<const void*>(std::addressof(closure))), &loss));
    return Tensor(loss);
  }
  void zero_grad(bool set_to_none = true) const { detail::call(gradus_optimizer_zero_grad, handle(), int32_t{set_to_none}); }

  void set(std::string_view name, double value, int64_t group = -1) const {   // -1: all groups
    detail::call(gradus_optimizer_set, handle(), group, name.data(), name.size(), value);
  }
  double get(std::string_view name, int64_t group = 0) const {
    double value = 0;
    detail::call(gradus_optimizer_get, handle(), group, name.data(), name.size(), &value);
    return value;
  }
  gradus_optimizer_info info() const {
    gradus_optimizer_info i{};
    i.struct_size = sizeof i;
    detail::call(gradus_optimizer_describe, handle(), &i);
    return i;
  }

  Settings settings(int64_t group = 0) const {
    Settings all;
    for (size_t i = 0, n = static_cast<size_t>(info().setting_count); i < n; ++i) {
      gradus_setting s{};
      detail::call(gradus_optimizer_setting_at, handle(), group, i, &s);
      all.emplace_back(s.name, s.value);
    }
    return all;
  }

  std::vector<StateEntry> state() const {
    size_t count = 0;
    detail::call(gradus_optimizer_state_count, handle(), &count);
    std::vector<StateEntry> all;
    for (size_t i = 0; i < count; ++i) {
      gradus_optimizer_state_info info{};
      info.struct_size = sizeof info;
      gradus_tensor* value = nullptr;
      detail::call(gradus_optimizer_state_at, handle(), i, &info, &value);
      all.push_back({info.param, info.name, Tensor(value)});
    }
    return all;
  }
  void load_state(const std::vector<StateEntry>& entries) const {
    for (const StateEntry& e : entries)
      detail::call(gradus_optimizer_load_state, handle(), e.param, e.name.data(), e.name.size(), e.value.handle());
  }
  // Settings and state under the names "param_groups.0.lr" and "state.0.exp_avg". The state's tensors are the optimizer's own.
  NamedTensors state_dict() const {
    NamedTensors all;
    for (size_t g = 0, n = static_cast<size_t>(info().group_count); g < n; ++g)
      for (const auto& [name, value] : settings(static_cast<int64_t>(g)))
        all.emplace_back("param_groups." + std::to_string(g) + "." + name, detail::number(value));
    for (const StateEntry& e : state()) all.emplace_back("state." + std::to_string(e.param) + "." + e.name, e.value);
    return all;
  }
  // Into an optimizer with the same algorithm, groups and parameters. Names are looked at before anything is written.
  void load_state_dict(const NamedTensors& state) const {
    const auto wrong = [](gradus_status status, const std::string& why) { return detail::wrong("Optimizer", status, why); };
    const gradus_optimizer_info i = info();
    std::map<std::string, detail::EntryName> names;
    uint64_t settings = 0;
    for (const auto& [name, value] : state) {
      const auto e = detail::parsed(name);
      const bool setting = e && e->kind == "param_groups";
      if (!e || (!setting && e->kind != "state") || e->number >= (setting ? i.group_count : i.param_count))
        throw wrong(GRADUS_E_UNKNOWN_NAME, "there is no entry " + name);
      if (!names.emplace(name, *e).second) throw wrong(GRADUS_E_VALUE, name + " is given twice");
      if (setting) get(e->entry, static_cast<int64_t>(e->number)), ++settings;
    }
    if (settings != i.group_count * i.setting_count)
      throw wrong(GRADUS_E_UNKNOWN_NAME, std::to_string(settings) + " settings of " + std::to_string(i.group_count * i.setting_count));
    for (const auto& [name, value] : state) {
      const detail::EntryName& e = names.at(name);
      if (e.kind == "state") load_state({{e.number, e.entry, value}});
      else set(e.entry, value.item<double>(), static_cast<int64_t>(e.number));
    }
  }
  gradus_optimizer* handle() const { return handle_.handle(); }

 private:
  detail::Handle<gradus_optimizer> handle_;
};

// Settings of an optimizer as functions of the epoch.
class Scheduler {
 public:
  Scheduler(const Optimizer& optimizer, std::string_view name, const Settings& settings = {}) {
    const auto list = detail::list_of(settings);
    gradus_scheduler* s = nullptr;
    detail::call(gradus_scheduler_create, optimizer.handle(), name.data(), name.size(), list.data(), list.size(), sizeof(gradus_setting), &s);
    handle_ = detail::Handle<gradus_scheduler>(s);
  }
  void step() const { detail::call(gradus_scheduler_step, handle()); }
  void step(double metric) const { detail::call(gradus_scheduler_step_metric, handle(), metric); }
  Settings state() const {
    Settings all;
    gradus_context* c = Context::current();
    for (size_t i = 0;; ++i) {
      gradus_setting entry{};
      const gradus_status s = gradus_scheduler_state_at(c, handle(), i, &entry);
      if (s == GRADUS_E_INDEX) return all;
      detail::check(c, s);
      all.emplace_back(entry.name, entry.value);
    }
  }
  void load_state(const Settings& entries) const {
    for (const auto& [name, value] : entries) detail::call(gradus_scheduler_load_state, handle(), name.data(), name.size(), value);
  }
  NamedTensors state_dict() const {
    NamedTensors all;
    for (const auto& [name, value] : state()) all.emplace_back(name, detail::number(value));
    return all;
  }
  // All that state_dict gives, and nothing else.
  void load_state_dict(const NamedTensors& entries) const {
    const auto wrong = [](gradus_status status, const std::string& why) { return detail::wrong("Scheduler", status, why); };
    std::map<std::string, double> given;
    for (const auto& [name, value] : entries)
      if (!given.emplace(name, value.item<double>()).second) throw wrong(GRADUS_E_VALUE, name + " is given twice");
    const Settings mine = state();
    for (const auto& [name, value] : mine)
      if (!given.count(name)) throw wrong(GRADUS_E_UNKNOWN_NAME, name + " is missing");
    if (given.size() != mine.size())
      throw wrong(GRADUS_E_UNKNOWN_NAME, std::to_string(given.size()) + " names for " + std::to_string(mine.size()));
    load_state({given.begin(), given.end()});
  }
  gradus_scheduler* handle() const { return handle_.handle(); }

 private:
  detail::Handle<gradus_scheduler> handle_;
};

// The first learning rates times factor(epoch).
template <class F> class LambdaLR {
 public:
  LambdaLR(Optimizer optimizer, F factor) : optimizer_(std::move(optimizer)), factor_(std::move(factor)) {
    const auto groups = static_cast<int64_t>(optimizer_.info().group_count);
    for (int64_t g = 0; g < groups; ++g) base_.push_back(optimizer_.get("lr", g));
    apply();
  }
  void step() {
    ++epoch_;
    apply();
  }
  NamedTensors state_dict() const { return {{"last_epoch", detail::number(static_cast<double>(epoch_))}, {"base_lrs", tensor(base_)}}; }
  void load_state_dict(const NamedTensors& entries) {
    if (entries.size() != 2 || entries[0].first != "last_epoch" || entries[1].first != "base_lrs")
      throw detail::wrong("LambdaLR", GRADUS_E_UNKNOWN_NAME, "last_epoch and base_lrs are wanted");
    const auto rates = entries[1].second.to_vector<double>();
    if (rates.size() != base_.size()) throw detail::wrong("LambdaLR", GRADUS_E_SHAPE, "base_lrs has not one number for each group");
    epoch_ = entries[0].second.item<int64_t>();
    base_ = rates;
    apply();
  }

 private:
  void apply() {
    for (size_t g = 0; g < base_.size(); ++g) optimizer_.set("lr", base_[g] * factor_(epoch_), static_cast<int64_t>(g));
  }
  Optimizer optimizer_;
  F factor_;
  std::vector<double> base_;
  int64_t epoch_ = 0;
};

}  // namespace optim

// ---- gradients
inline double clip_grad_norm_(const TensorList& tensors, double max_norm, double norm_type = 2, bool error_if_nonfinite = false) {
  double total = 0;
  detail::call(gradus_clip_grad_norm, tensors.data(), tensors.size(), max_norm, norm_type, int32_t{error_if_nonfinite}, &total);
  return total;
}
inline void clip_grad_value_(const TensorList& tensors, double value) { detail::call(gradus_clip_grad_value, tensors.data(), tensors.size(), value); }

// ---- first values, in place
namespace init {
enum class Fan : int32_t { in = GRADUS_FAN_IN, out = GRADUS_FAN_OUT };
inline double calculate_gain(std::string_view nonlinearity, double slope = 0.01) {
  double gain = 0;
  detail::call(gradus_init_gain, nonlinearity.data(), nonlinearity.size(), slope, &gain);
  return gain;
}
inline const Tensor& xavier_uniform_(const Tensor& t, double gain = 1) {
  detail::call(gradus_init_xavier, t.handle(), int32_t{GRADUS_DRAW_UNIFORM}, gain);
  return t;
}
inline const Tensor& xavier_normal_(const Tensor& t, double gain = 1) {
  detail::call(gradus_init_xavier, t.handle(), int32_t{GRADUS_DRAW_NORMAL}, gain);
  return t;
}
inline const Tensor& kaiming_uniform_(const Tensor& t, double slope = 0, Fan fan = Fan::in, std::string_view nonlinearity = "leaky_relu") {
  detail::call(gradus_init_kaiming, t.handle(), int32_t{GRADUS_DRAW_UNIFORM}, slope, static_cast<int32_t>(fan), nonlinearity.data(), nonlinearity.size());
  return t;
}
inline const Tensor& kaiming_normal_(const Tensor& t, double slope = 0, Fan fan = Fan::in, std::string_view nonlinearity = "leaky_relu") {
  detail::call(gradus_init_kaiming, t.handle(), int32_t{GRADUS_DRAW_NORMAL}, slope, static_cast<int32_t>(fan), nonlinearity.data(), nonlinearity.size());
  return t;
}
inline const Tensor& orthogonal_(const Tensor& t, double gain = 1) {
  detail::call(gradus_init_orthogonal, t.handle(), gain);
  return t;
}
inline const Tensor& trunc_normal_(const Tensor& t, double mean = 0, double std = 1, double low = -2, double high = 2) {
  detail::call(gradus_init_trunc_normal, t.handle(), mean, std, low, high);
  return t;
}
}  // namespace init

}  // namespace v1
}  // namespace gradus
#endif
