// The state by names, as PyTorch's state_dict has it, for hosts that save and load.
#include <algorithm>
#include <array>
#include <cmath>

#include "graph/history.h"
#include "kernels/copy.h"
#include "optim/optimizer.h"

namespace gradus {
namespace {

struct Names { std::array<const char*, 3> buffer; bool step; };
constexpr Names names_of[] = {
    {{"momentum_buffer"}, false}, {{"exp_avg", "exp_avg_sq", "max_exp_avg_sq"}, true}, {{"exp_avg", "exp_avg_sq", "max_exp_avg_sq"}, true},
    {{"sum"}, true}, {{"square_avg", "grad_avg", "momentum_buffer"}, true}, {{"square_avg", "acc_delta"}, true}, {{"exp_avg", "exp_avg_sq"}, true},
    {{"exp_avg", "exp_avg_sq"}, true}, {{"exp_avg"}, false}};

// The numbers of LBFGS, and its vectors.
struct LbfgsNumber { const char* name; double LbfgsState::*place; };
constexpr LbfgsNumber lbfgs_numbers[] = {{"func_evals", &LbfgsState::func_evals}, {"n_iter", &LbfgsState::n_iter}, {"t", &LbfgsState::t},
                                         {"H_diag", &LbfgsState::H_diag}, {"prev_loss", &LbfgsState::prev_loss}};
struct LbfgsVector { const char* name; Tensor LbfgsState::*place; };
constexpr LbfgsVector lbfgs_vectors[] = {{"d", &LbfgsState::d}, {"prev_flat_grad", &LbfgsState::prev_flat_grad}};
struct LbfgsList { const char* name; std::vector<Tensor> LbfgsState::*place; };
constexpr LbfgsList lbfgs_lists[] = {{"old_dirs", &LbfgsState::old_dirs}, {"old_stps", &LbfgsState::old_stps}};

Tensor row_of(const Tensor& matrix, int64_t i) {
  const int64_t size[] = {matrix.size(1)}, stride[] = {matrix.stride(1)};
  return alias(matrix, size, stride, matrix.offset() + i * matrix.stride(0));
}
Tensor rows(const std::vector<Tensor>& list) {
  const int64_t sizes[] = {static_cast<int64_t>(list.size()), list[0].numel()};
  Tensor m = empty(list[0].dtype(), sizes);
  for (size_t i = 0; i < list.size(); ++i) kernels::copy(view_of(row_of(m, static_cast<int64_t>(i))), view_of(list[i]));
  return m;
}
Tensor numbers(const std::vector<double>& list) {
  const int64_t sizes[] = {static_cast<int64_t>(list.size())};
  Tensor t = empty(Dtype::f64, sizes);
  std::copy(list.begin(), list.end(), t.data<double>());
  return t;
}
Tensor copy_as(const Tensor& t, Dtype dtype) {
  Tensor c = empty(dtype, t.sizes());
  if (c.numel() > 0) kernels::copy(view_of(c), view_of(t));
  return c;
}

// f(name, value) for each entry, in order; value() makes its tensor.
template <class F> void for_each_entry(const LbfgsState& s, const F& f) {
  if (s.n_iter == 0) return;
  for (const auto& [name, place] : lbfgs_numbers) f(name, [&s, at = place] { return scalar(s.*at); });
  for (const auto& [name, place] : lbfgs_vectors)
    if (s.*place) f(name, [&s, at = place] { return s.*at; });
  for (const auto& [name, place] : lbfgs_lists)
    if (!(s.*place).empty()) f(name, [&s, at = place] { return rows(s.*at); });
  if (!s.ro.empty()) f("ro", [&s] { return numbers(s.ro); });
}
template <class F> void for_each_entry(Algorithm a, const ParameterState& s, const F& f) {
  if (!s.begun) return;
  if (has_step(a)) f("step", [&s] { return scalar(s.step); });
  if (a == Algorithm::nadam) f("mu_product", [&s] { return scalar(s.mu_product); });
  const auto names = buffer_names(a);
  for (size_t k = 0; k < names.size(); ++k)
    if (s.buffer[k]) f(names[k], [&s, k] { return s.buffer[k]; });
}
// LBFGS has its entries at parameter 0.
template <class F> void for_each_entry(const Optimizer& o, size_t parameter, const F& f) {
  if (o.info.algorithm != Algorithm::lbfgs) for_each_entry(o.info.algorithm, o.parameters[parameter].state, f);
  else if (parameter == 0) for_each_entry(o.lbfgs, f);
}
uint64_t entries_of(const Optimizer& o, size_t parameter) {
  uint64_t n = 0;
  for_each_entry(o, parameter, [&n](const char*, const auto&) { ++n; });
  return n;
}

double lbfgs_number(std::string_view name, const Tensor& value) {
  const double v = number_of(value);
  const bool counts = name == "func_evals" || name == "n_iter";
  GRADUS_CHECK(!counts || (v >= 0 && v == std::floor(v)), value, "LBFGS: '{}' is {}, not a whole number from 0 on", name, v);
  return v;
}
bool load_lbfgs(Optimizer& o, std::string_view name, const Tensor& value) {
  LbfgsState& s = o.lbfgs;
  int64_t n = 0;
  for (const Parameter& p : o.parameters) n += pairs_of(p.tensor).numel();
  const Dtype type = compute_dtype(real_of(o.parameters[0].tensor.dtype()));
  for (const auto& [known, place] : lbfgs_numbers)
    if (name == known) return s.*place = lbfgs_number(name, value), true;
  for (const auto& [known, place] : lbfgs_vectors) {
    if (name != known) continue;
    GRADUS_CHECK(value.ndim() == 1 && value.numel() == n, shape, "LBFGS: '{}' has shape {}, not [{}]", name, text(value.sizes()), n);
    return s.*place = copy_as(value, type), true;
  }
  for (const auto& [known, place] : lbfgs_lists) {
    if (name != known) continue;
    GRADUS_CHECK(value.ndim() == 2 && value.size(1) == n, shape, "LBFGS: '{}' has shape {}, not [history, {}]", name, text(value.sizes()), n);
    std::vector<Tensor> list;
    for (int64_t i = 0; i < value.size(0); ++i) list.push_back(copy_as(row_of(value, i), type));
    return s.*place = std::move(list), true;
  }
  if (name != "ro") return false;
  GRADUS_CHECK(value.ndim() == 1, shape, "LBFGS: 'ro' has shape {}, not one dimension", text(value.sizes()));
  const Tensor t = copy_as(value, Dtype::f64);
  s.ro.assign(t.data<double>(), t.data<double>() + t.numel());
  return true;
}

bool load_parameter(const AlgorithmInfo& info, Parameter& p, std::string_view name, const Tensor& value) {
  ParameterState& s = p.state;
  const bool nadam = info.algorithm == Algorithm::nadam && name == "mu_product";
  if (nadam || (has_step(info.algorithm) && name == "step")) {
    (nadam ? s.mu_product : s.step) = number_of(value);
    return s.begun = true;
  }
  const auto names = buffer_names(info.algorithm);
  for (size_t k = 0; k < names.size(); ++k) {
    if (name != names[k]) continue;
    GRADUS_CHECK(same(value.sizes(), p.tensor.sizes()), shape, "{}: '{}' has shape {}, and its parameter {}", info.name, name, text(value.sizes()),
                 text(p.tensor.sizes()));
    const Tensor& t = p.tensor;
    Tensor b = t.contiguous() || !is_dense(t.sizes(), t.strides()) ? empty(t.dtype(), t.sizes()) : empty_strided(t.dtype(), t.sizes(), t.strides());
    if (b.numel() > 0) kernels::copy(view_of(b), view_of(value));
    s.buffer[k] = std::move(b);
    return s.begun = true;
  }
  return false;
}

}  // namespace

Tensor scalar(double v) {
  Tensor t = empty(Dtype::f64, {});
  *t.data<double>() = v;
  return t;
}
double number_of(const Tensor& t) {
  GRADUS_CHECK(t.numel() == 1, value, "a tensor of shape {} stands for a number", text(t.sizes()));
  GRADUS_CHECK(!is_complex(t.dtype()), dtype, "{} stands for a number", name(t.dtype()));
  double v;
  kernels::copy({reinterpret_cast<char*>(&v), Dtype::f64, static_cast<int>(t.ndim()), t.sizes().data(), t.strides().data(), 1, true}, view_of(t));
  return v;
}

std::span<const char* const> buffer_names(Algorithm a) {
  if (a == Algorithm::lbfgs) return {};
  const auto& names = names_of[static_cast<size_t>(a)].buffer;
  return {names.data(), static_cast<size_t>(std::find(names.begin(), names.end(), nullptr) - names.begin())};
}
bool has_step(Algorithm a) { return a != Algorithm::lbfgs && names_of[static_cast<size_t>(a)].step; }

uint64_t state_count_of(const Optimizer& o) {
  uint64_t n = 0;
  for (size_t i = 0; i < o.parameters.size(); ++i) n += entries_of(o, i);
  return n;
}
StateItem state_at_of(const Optimizer& o, uint64_t position, std::atomic<uint64_t>& place) {
  const uint64_t known = place.load(std::memory_order_relaxed);
  uint64_t parameter = known >> 32, first = static_cast<uint32_t>(known);
  if (position < first) parameter = first = 0;
  for (; parameter < o.parameters.size(); ++parameter) {
    const uint64_t n = entries_of(o, parameter);
    if (position < first + n) break;
    first += n;
  }
  GRADUS_CHECK(parameter < o.parameters.size(), index, "entry {} of {}", position, first);
  if (parameter <= UINT32_MAX && first <= UINT32_MAX) place.store(parameter << 32 | first, std::memory_order_relaxed);
  StateItem item{parameter, nullptr, {}};
  for_each_entry(o, parameter, [&](const char* name, const auto& value) {
    if (first++ == position) item.name = name, item.value = value();
  });
  return item;
}

void load_state_of(Optimizer& o, size_t parameter, std::string_view name, const Tensor& value) {
  const bool takes = o.info.algorithm != Algorithm::lbfgs && is_complex(o.parameters[parameter].tensor.dtype());
  GRADUS_CHECK(takes || !is_complex(value.dtype()), dtype, "{}: '{}' of {}", o.info.name, name, gradus::name(value.dtype()));
  const bool known = o.info.algorithm == Algorithm::lbfgs ? parameter == 0 && load_lbfgs(o, name, value)
                                                          : load_parameter(o.info, o.parameters[parameter], name, value);
  GRADUS_CHECK(known, unknown_name, "{}: parameter {} has no state '{}'", o.info.name, parameter, name);
}

}  // namespace gradus
