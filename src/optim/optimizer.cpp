#include "optim/optimizer.h"

#include <cmath>
#include <unordered_set>

#include "base/context.h"
#include "base/live.h"
#include "base/parallel.h"
#include "graph/history.h"
#include "graph/observer.h"
#include "graph/saved_copies.h"
#include "kernels/copy.h"
#include "kernels/optimize.h"

namespace gradus {
namespace {

using S = Setting;
using kernels::Rule;

// The rule for a group, and which of the state's buffers it works on.
struct Choice {
  Rule rule;
  std::vector<int> buffers;
};
Choice choose(Algorithm a, const Settings& s) {
  switch (a) {
    case Algorithm::sgd: return s[S::momentum] != 0 ? Choice{Rule::sgd_momentum, {0}} : Choice{Rule::sgd, {}};
    case Algorithm::adam:
    case Algorithm::adamw: return s.flag(S::amsgrad) ? Choice{Rule::adam_amsgrad, {0, 1, 2}} : Choice{Rule::adam, {0, 1}};
    case Algorithm::adagrad: return {Rule::adagrad, {0}};
    case Algorithm::rmsprop:
      if (s.flag(S::centered)) return s[S::momentum] > 0 ? Choice{Rule::rmsprop_centered_momentum, {0, 1, 2}} : Choice{Rule::rmsprop_centered, {0, 1}};
      return s[S::momentum] > 0 ? Choice{Rule::rmsprop_momentum, {0, 2}} : Choice{Rule::rmsprop, {0}};
    case Algorithm::adadelta: return {Rule::adadelta, {0, 1}};
    case Algorithm::nadam: return {Rule::nadam, {0, 1}};
    case Algorithm::radam: return {Rule::radam, {0, 1}};
    default: return {Rule::lion, {0}};
  }
}

void moments(kernels::Step& n, double beta1, double beta2) {
  n.keep1 = beta1, n.take1 = 1 - beta1;
  n.keep2 = beta2, n.take2 = 1 - beta2;
}

void nadam_numbers(kernels::Step& n, const Settings& s, ParameterState& state) {
  const double beta1 = s[S::beta1], decay = s[S::momentum_decay], t = state.step;
  const double mu = beta1 * (1 - 0.5 * std::pow(0.96, t * decay)), next = beta1 * (1 - 0.5 * std::pow(0.96, (t + 1) * decay));
  state.mu_product *= mu;
  n.rate = s[S::lr] * (1 - mu) / (1 - state.mu_product);
  n.rate2 = s[S::lr] * next / (1 - state.mu_product * next);
  n.correction = 1 / std::sqrt(1 - std::pow(s[S::beta2], t));
}

void radam_numbers(kernels::Step& n, const Settings& s, double t) {
  const double beta2 = s[S::beta2], power = std::pow(beta2, t), correction2 = 1 - power;
  const double most = 2 / (1 - beta2) - 1, rho = most - 2 * t * power / correction2;
  n.rate = s[S::lr] / (1 - std::pow(s[S::beta1], t));
  n.rectified = rho > 5;
  if (n.rectified) n.rate *= std::sqrt(correction2) * std::sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho));
}

// The numbers of a parameter's next step; `state` is that after it. first: the momentum begins with this gradient.
kernels::Step numbers_of(Algorithm a, const Settings& s, ParameterState& state, bool first) {
  kernels::Step n;
  const double lr = s[S::lr], decay = s[S::weight_decay], t = state.step;
  n.rate = lr;
  n.maximize = s.flag(S::maximize);
  n.eps = s[S::eps];
  const bool decoupled = a == Algorithm::adamw || a == Algorithm::lion || s.flag(S::decoupled_weight_decay);
  if (decoupled) n.shrink = 1 - lr * decay; else n.decay = decay;
  moments(n, s[S::beta1], s[S::beta2]);
  switch (a) {
    case Algorithm::sgd:
      n.keep1 = s[S::momentum];
      n.take1 = first ? 1 : 1 - s[S::dampening];
      n.nesterov = s.flag(S::nesterov);
      break;
    case Algorithm::adam:
    case Algorithm::adamw:
      n.rate = lr / (1 - std::pow(s[S::beta1], t));
      n.correction = 1 / std::sqrt(1 - std::pow(s[S::beta2], t));
      break;
    case Algorithm::adagrad: n.rate = lr / (1 + (t - 1) * s[S::lr_decay]); break;
    case Algorithm::rmsprop: moments(n, s[S::momentum], s[S::alpha]); break;
    case Algorithm::adadelta: moments(n, 0, s[S::rho]); break;
    case Algorithm::nadam: nadam_numbers(n, s, state); break;
    case Algorithm::radam: radam_numbers(n, s, t); break;
    default: break;
  }
  return n;
}

// Zeros in the layout of a parameter, or row-major where that has gaps.
Tensor buffer_like(const Tensor& t, double value) {
  Tensor b = t.contiguous() || !is_dense(t.sizes(), t.strides()) ? empty(t.dtype(), t.sizes()) : empty_strided(t.dtype(), t.sizes(), t.strides());
  if (b.numel() > 0) kernels::fill(view_of(pairs_of(b)), value);
  return b;
}

// A parameter's step, made ready so that nothing can fail once the first is written.
struct Pending {
  Parameter* parameter;
  Tensor grad;
  ParameterState after;
  kernels::Update update;
  std::vector<Tensor> pairs;                                  // of what is complex: the arrays show them
  View view(const Tensor& t) {
    if (!is_complex(t.dtype())) return view_of(t);
    pairs.push_back(pairs_of(t));
    return view_of(pairs.back());
  }
};

Pending prepare(const Optimizer& o, Parameter& p, const Tensor& grad) {
  const Settings& s = o.groups[p.group];
  const Algorithm a = o.info.algorithm;
  const Choice choice = choose(a, s);
  Pending next{&p, grad, p.state, {}, {}};
  next.after.begun = true;
  next.after.step += 1;
  bool first = false;
  next.update.rule = choice.rule;
  next.update.array[0] = next.view(p.tensor);
  next.update.array[1] = next.view(grad);
  for (size_t i = 0; i < choice.buffers.size(); ++i) {
    Tensor& b = next.after.buffer[choice.buffers[i]];
    if (!b) {
      first = true;
      b = buffer_like(p.tensor, a == Algorithm::adagrad ? s[S::initial_accumulator_value] : 0);
    }
    next.update.array[2 + i] = next.view(b);
  }
  next.update.step = numbers_of(a, s, next.after, first);
  return next;
}

void check_parameter(const Tensor& t, size_t i, const AlgorithmInfo& info) {
  GRADUS_CHECK(is_differentiable(t.dtype()), dtype, "{}: parameter {} is of {}, neither of floating point nor complex", info.name, i, name(t.dtype()));
  GRADUS_CHECK(!t.impl()->grad_fn || (t.impl()->autograd && t.impl()->autograd->retained_by), value,
               "{}: parameter {} of shape {} is no leaf: it was computed by {}", info.name, i, text(t.sizes()),
               t.impl()->grad_fn ? node_name(t.impl()->grad_fn) : "");
}

}  // namespace

// What observers see of a step: a range with PyTorch's name for it.
namespace {
class StepRange {
 public:
  explicit StepRange(const AlgorithmInfo& info) : context_(context().observers ? &context() : nullptr) {
    if (context_) begin_range(*context_, format("Optimizer.step#{}.step", info.name));
  }
  ~StepRange() { if (context_) end_range(*context_); }
  StepRange(const StepRange&) = delete;
  StepRange& operator=(const StepRange&) = delete;

 private:
  Context* context_;
};
}  // namespace

class Optimizer::Running {
 public:
  explicit Running(Optimizer& o) : o_(o) {
    GRADUS_CHECK(!o.running_.exchange(true, std::memory_order_acquire), state, "{}: a step of this optimizer is running", o.info.name);
  }
  ~Running() { o_.running_.store(false, std::memory_order_release); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  Optimizer& o_;
};

static Settings with(const AlgorithmInfo& info, Settings s, std::span<const NamedValue> changes) {
  for (const NamedValue& v : changes) s.set(info, v.name, v.value);
  s.check_together(info);
  return s;
}

Optimizer::Optimizer(const AlgorithmInfo& algorithm, std::span<const Tensor> tensors, std::span<const NamedValue> settings)
    : Object{Kind::optimizer, {}}, info(algorithm), defaults_(with(algorithm, Settings(algorithm), settings)) {
  add_group(tensors, {});
  count_live(Live::optimizers, 1);
}
Optimizer::~Optimizer() {
  kind = Kind::dead;
  count_live(Live::optimizers, -1);
}

void Optimizer::add_group(std::span<const Tensor> tensors, std::span<const NamedValue> settings) {
  const Running lock(*this);
  const bool whole = info.algorithm == Algorithm::lbfgs;
  GRADUS_CHECK(!whole || groups.empty(), unsupported, "{}: it has one group of parameters only", info.name);
  GRADUS_CHECK(!tensors.empty(), value, "{}: no parameters", info.name);
  const Settings s = with(info, defaults_, settings);
  std::unordered_set<const TensorImpl*> known;
  for (const Parameter& p : parameters) known.insert(p.tensor.impl());
  for (size_t i = 0; i < tensors.size(); ++i) {
    check_parameter(tensors[i], i, info);
    GRADUS_CHECK(known.insert(tensors[i].impl()).second, value, "{}: parameter {} of shape {} is there already", info.name, i, text(tensors[i].sizes()));
    GRADUS_CHECK(!whole || tensors[i].dtype() == tensors[0].dtype(), dtype, "{}: parameters of {} and {}", info.name, name(tensors[0].dtype()),
                 name(tensors[i].dtype()));
  }
  parameters.reserve(parameters.size() + tensors.size());
  groups.push_back(s);
  for (const Tensor& t : tensors) parameters.push_back({t, groups.size() - 1, {}});
}

void Optimizer::step() {
  const Running lock(*this);
  const StepRange range(info);
  GRADUS_CHECK(info.algorithm != Algorithm::lbfgs, state, "{}: a step needs a closure that computes the loss again", info.name);
  run();
}
Tensor Optimizer::step(const Closure& closure) {
  const Running lock(*this);
  const StepRange range(info);
  const GradMode on(true);
  if (info.algorithm == Algorithm::lbfgs) return lbfgs_step(*this, closure);
  Tensor loss = closure();
  run();
  return loss;
}

void Optimizer::run() {
  check_not_cancelled(info.name);
  const GradMode off(false);
  std::vector<Pending> work;
  work.reserve(parameters.size());
  for (Parameter& p : parameters) {
    Tensor grad = Tensor::share(grad_of(p.tensor, info.name));
    if (!grad) continue;
    check_writable(p.tensor, info.name);
    work.push_back(prepare(*this, p, grad));
  }
  std::vector<kernels::Update> updates;
  updates.reserve(work.size());
  std::vector<Tensor> written, read;
  for (const Pending& w : work) {
    updates.push_back(w.update);
    written.push_back(w.parameter->tensor);
    read.push_back(w.grad);
    before_write(w.parameter->tensor.storage());
    for (const Tensor& b : w.parameter->state.buffer)
      if (b) before_write(b.storage());
  }
  const Whole whole;
  run_updates(updates, written, read);
  place_.store(0, std::memory_order_relaxed);
  for (Pending& w : work) {
    w.parameter->state = std::move(w.after);
    w.parameter->tensor.storage().bump();
    for (const Tensor& b : w.parameter->state.buffer)
      if (b) b.storage().bump();
  }
}

void Optimizer::zero_grad(bool set_to_none) {
  const GradMode off(false);
  if (set_to_none) {
    for (const Parameter& p : parameters) set_grad(p.tensor.impl(), {});
    return;
  }
  check_not_cancelled(info.name);
  const Whole whole;
  std::vector<Tensor> fresh;                                  // for gradients of a pass that was recorded: new ones without history
  for (const Parameter& p : parameters) {
    TensorImpl* g = grad_of(p.tensor, info.name);
    if (g) check_writable(Tensor::share(g), info.name);
    if (g) before_write(*g->storage);
    fresh.push_back(g && g->grad_fn ? buffer_like(p.tensor, 0) : Tensor());
  }
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Parameter& p = parameters[i];
    TensorImpl* g = grad_of(p.tensor, info.name);
    if (!g) continue;
    if (fresh[i]) {
      set_grad(p.tensor.impl(), fresh[i]);
    } else if (g->numel > 0) {
      kernels::fill(view_of(g), Number(0));
      g->storage->bump();
    }
  }
}

size_t Optimizer::group_index(int64_t group, std::string_view by) const {
  GRADUS_CHECK(group >= 0 && static_cast<uint64_t>(group) < groups.size(), index, "{}: {}: group {} of {}", info.name, by, group, groups.size());
  return static_cast<size_t>(group);
}
void Optimizer::set(int64_t group, std::string_view setting, double value) {
  const size_t first = group == -1 ? 0 : group_index(group, "set"), last = group == -1 ? groups.size() : first + 1;
  const NamedValue change[] = {{setting, value}};
  for (size_t i = first; i < last; ++i) with(info, groups[i], change);
  for (size_t i = first; i < last; ++i) groups[i].set(info, setting, value);
}
double Optimizer::get(int64_t group, std::string_view setting) const { return groups[group_index(group, "get")][find_setting(info, setting)]; }

uint64_t Optimizer::state_count() const { return state_count_of(*this); }
StateItem Optimizer::state_at(uint64_t position) const { return state_at_of(*this, position, place_); }
void Optimizer::load_state(size_t parameter, std::string_view name, const Tensor& value) {
  const Running lock(*this);
  GRADUS_CHECK(parameter < parameters.size(), index, "{}: parameter {} of {}", info.name, parameter, parameters.size());
  load_state_of(*this, parameter, name, value);
  place_.store(0, std::memory_order_relaxed);
}

}  // namespace gradus
