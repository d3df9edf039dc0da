#include "autograd/gradcheck.h"

#include <cmath>
#include <deque>

#include "autograd/gradcheck_pairs.h"
#include "autograd/perturb.h"
#include "base/context.h"
#include "graph/history.h"

namespace gradus {
namespace {

// The check has its result: the function or its gradient is wrong.
struct Mismatch { std::string text; };
template <class... T> [[noreturn]] void mismatch(fmt::format_string<T...> f, const T&... values) { throw Mismatch{format(f, values...)}; }

void check_call(std::span<const Tensor> inputs, const GradcheckOptions& o, std::string_view what) {
  GRADUS_CHECK(o.eps > 0 && std::isfinite(o.eps), value, "{}: eps is {}, and has to be above 0", what, o.eps);
  GRADUS_CHECK(o.atol >= 0 && o.rtol >= 0 && o.nondet_tol >= 0, value, "{}: a tolerance is negative: atol {}, rtol {}, nondet_tol {}", what, o.atol,
               o.rtol, o.nondet_tol);
  GRADUS_CHECK(!context().inference_mode, state, "{}: nothing is recorded in inference mode", what);
  bool any = false;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& t = inputs[i];
    if (!needs_grad(t.impl())) continue;
    any = true;
    GRADUS_CHECK(is_floating(t.dtype()), unsupported, "{}: input {} has dtype {}", what, i, name(t.dtype()));
    GRADUS_CHECK(!t.storage().read_only, state, "{}: the memory of input {} is read-only, and its elements have to be moved", what, i);
    GRADUS_CHECK(t.contiguous() || is_non_overlapping(t.sizes(), t.strides()), state,
                 "{}: elements of input {} of shape {} and strides {} share memory, so none can be moved alone: clone it first", what, i, text(t.sizes()),
                 text(t.strides()));
  }
  GRADUS_CHECK(any, state, "{}: none of the {} inputs requires grad", what, inputs.size());
}

struct Labels { std::vector<std::string> inputs, outputs; };  // "input 0"

class Gradcheck {
 public:
  Gradcheck(const GradcheckFunction& f, std::span<const Tensor> inputs, const GradcheckOptions& o, Labels labels)
      : f_(f), all_(inputs), options_(o), tolerance_{o.atol, o.rtol}, labels_(std::move(labels)), directions_(o.seed), generator_(context().generator) {
    for (size_t i = 0; i < inputs.size(); ++i)
      if (needs_grad(inputs[i].impl())) {
        inputs_.emplace_back(inputs[i], i);
        wanted_.push_back(inputs[i]);
      }
  }

  GradcheckResult run() {
    GradcheckResult r;
    const GradMode on(true);
    try {
      begin();
      if (options_.scaling) check_scaling();
      if (options_.undefined) check_undefined();
      if (!options_.fast || !projections_agree()) check_entries();
      r.passed = true;
      r.report = format("passed: {} {} compared, largest difference {:.4g}", compared_, entries_ ? "entries" : "projections", largest_);
    } catch (const Mismatch& m) {
      r.report = m.text;
    }
    r.report += remarks(r.passed);
    return r;
  }

 private:
  std::string output_label(size_t k) const { return k < labels_.outputs.size() ? labels_.outputs[k] : format("output {}", k); }
  std::string input_label(const Movable& m) const { return m.position() < labels_.inputs.size() ? labels_.inputs[m.position()] : format("input {}", m.position()); }
  std::string label(size_t k, const Movable& m) const { return format("the gradient of {} with respect to {}", output_label(k), input_label(m)); }

  std::string remarks(bool passed) const {
    constexpr std::string_view advice = ": compare in float64, or with a larger eps and wider tolerances";
    std::string s;
    for (const Movable& m : inputs_)
      if (m.tensor().dtype() != Dtype::f64) s += format("\nremark: {} is {}: differences are reliable in float64 only{}", input_label(m), name(m.tensor().dtype()), passed ? "" : advice);
    for (size_t k = 0; k < outputs_.size(); ++k)
      if (is_floating(outputs_[k].dtype()) && outputs_[k].dtype() != Dtype::f64)
        s += format("\nremark: {} is {}: differences are reliable in float64 only{}", output_label(k), name(outputs_[k].dtype()), passed ? "" : advice);
    return s;
  }

  // ---- the function
  Tensors call() {
    context().generator = generator_;
    return f_(all_);
  }
  std::vector<Numbers> evaluate() {
    const Tensors out = call();
    if (out.size() != outputs_.size()) mismatch("the number of outputs depends on the inputs' values: {} and {}", outputs_.size(), out.size());
    std::vector<Numbers> values(out.size());
    for (size_t k = 0; k < out.size(); ++k) {
      const Tensor &a = outputs_[k], &b = out[k];
      if (!same(a.sizes(), b.sizes())) mismatch("the shape of {} depends on the inputs' values: {} and {}", output_label(k), text(a.sizes()), text(b.sizes()));
      if (a.dtype() != b.dtype()) mismatch("the dtype of {} depends on the inputs' values: {} and {}", output_label(k), name(a.dtype()), name(b.dtype()));
      if (is_floating(b.dtype())) values[k] = numbers_of(b);
    }
    return values;
  }
  void begin() {
    outputs_ = call();
    GRADUS_CHECK(!outputs_.empty(), value, "gradcheck: the function returned no tensors");
    std::vector<Numbers> first(outputs_.size());
    for (size_t k = 0; k < outputs_.size(); ++k) {
      const bool real = is_floating(outputs_[k].dtype());
      if (real) first[k] = numbers_of(outputs_[k]);
      recorded_.push_back(real && needs_grad(outputs_[k].impl()));
      if (recorded_.back()) {
        roots_.push_back(outputs_[k]);
        root_of_.push_back(k);
      }
    }
    const std::vector<Numbers> second = evaluate();
    for (size_t k = 0; k < first.size(); ++k)
      for (size_t i = 0; i < first[k].size(); ++i) {
        const double a = first[k][i], b = second[k][i];
        if (!agree(a, b))
          mismatch("the function is not deterministic: element {} of {} is {:.10g} and then {:.10g} for the same inputs",
                   index_text(static_cast<int64_t>(i), outputs_[k].sizes()), output_label(k), a, b);
      }
  }
  bool agree(double a, double b) const { return a == b || std::abs(a - b) <= options_.nondet_tol || (std::isnan(a) && std::isnan(b)); }

  // (f(x + eps) - f(x - eps)) / 2 eps, by output; move(±eps) moves an input.
  template <class F> std::vector<Numbers> difference(F&& move) {
    move(options_.eps);
    std::vector<Numbers> above = evaluate();
    move(-options_.eps);
    const std::vector<Numbers> below = evaluate();
    for (size_t k = 0; k < above.size(); ++k)
      for (size_t i = 0; i < above[k].size(); ++i) above[k][i] = (above[k][i] - below[k][i]) / (2 * options_.eps);
    return above;
  }

  // ---- the gradients
  // By input, of the roots given.
  std::vector<Numbers> pull(std::span<const Tensor> roots, std::span<const Tensor> seeds) {
    const Tensors g = grad(roots, wanted_, seeds, {.retain_graph = true, .allow_unused = true});
    std::vector<Numbers> out;
    for (size_t j = 0; j < g.size(); ++j) {
      const Tensor& x = wanted_[j];
      if (!g[j]) { out.emplace_back(static_cast<size_t>(x.numel())); continue; }
      if (!same(g[j].sizes(), x.sizes()) || g[j].dtype() != x.dtype())
        mismatch("the gradient for {} is of {} and shape {}, the input of {} and shape {}", input_label(inputs_[j]), name(g[j].dtype()), text(g[j].sizes()),
                 name(x.dtype()), text(x.sizes()));
      out.push_back(numbers_of(g[j]));
    }
    return out;
  }
  Tensors seeds(std::span<const Numbers> v, double factor, size_t only = SIZE_MAX) {
    Tensors out;
    for (size_t r = 0; r < roots_.size(); ++r) {
      Numbers s = v[r];
      for (double& x : s) x *= only == SIZE_MAX || only == r ? factor : 0;
      out.push_back(tensor_of(s, meta_of(roots_[r])));
    }
    return out;
  }
  std::vector<Numbers> random_seeds() {
    std::vector<Numbers> v;
    for (const Tensor& t : roots_) v.push_back(directions_.unit(t.numel()));
    return v;
  }
  // The gradients by input against a multiple of others.
  void compare(const std::vector<Numbers>& got, const std::vector<Numbers>& wanted, double factor, Tolerance t, std::string_view claim) {
    for (size_t j = 0; j < got.size(); ++j)
      for (size_t i = 0; i < got[j].size(); ++i) {
        const double a = got[j][i], b = factor == 0 ? 0 : factor * wanted[j][i];
        if (t.holds(a, b) || (std::isnan(a) && std::isnan(b))) continue;
        mismatch("{}: element {} of the gradient for {} is {:.10g}, and not {:.10g}", claim, index_text(static_cast<int64_t>(i), wanted_[j].sizes()),
                 input_label(inputs_[j]), a, b);
      }
  }
  void check_scaling() {
    if (roots_.empty()) return;
    const std::vector<Numbers> v = random_seeds(), g = pull(roots_, seeds(v, 1));
    compare(pull(roots_, seeds(v, 1)), g, 1, {options_.nondet_tol, 0}, "backward is not deterministic");
    compare(pull(roots_, seeds(v, 0)), g, 0, {0, 0}, "backward does not multiply by the outputs' gradients: they are zero");
    compare(pull(roots_, seeds(v, -2)), g, -2, tolerance_, "backward is not linear in the outputs' gradients: they are multiplied by -2");
  }
  // An output without a gradient counts as one with zeros.
  void check_undefined() {
    if (roots_.size() < 2) return;
    const std::vector<Numbers> v = random_seeds();
    for (size_t r = 0; r < roots_.size(); ++r) {
      const Tensors all = seeds(v, 1, r);
      const std::vector<Numbers> wanted = pull(roots_, all);
      compare(pull_alone(r, all[r]), wanted, 1, tolerance_, format("backward is wrong where only {} has a gradient and the others have none instead of zeros", output_label(root_of_[r])));
    }
  }
  // With no gradient for the other roots. A rule that can't do without is wrong, as it could with zeros.
  std::vector<Numbers> pull_alone(size_t root, const Tensor& seed) {
    const ErrorRecord before = context().error;
    const auto fails = [&](Status s, std::string said) {
      if (s == Status::cancelled || s == Status::memory || s == Status::internal) throw;
      context().error = before;
      std::string missing;
      for (size_t r = 0; r < roots_.size(); ++r) if (r != root) (missing += missing.empty() ? "" : ", ") += output_label(root_of_[r]);
      mismatch("backward fails without a gradient of {} and not with zeros: {}", missing, said);
    };
    try {
      return pull({&roots_[root], 1}, {&seed, 1});
    } catch (const CallbackFailed& e) {
      fails(e.status(), {context().error.message, context().error.length});
    } catch (const Error& e) {
      fails(e.status(), e.what());
    }
    return {};
  }

  // ---- a projection v' J u of each Jacobian. One that differs is no verdict: the entries are.
  bool projections_agree() {
    const std::vector<Numbers> v = random_seeds();
    std::vector<std::vector<Numbers>> ours;                   // by root and input
    for (size_t r = 0; r < roots_.size(); ++r) {
      const Tensor seed = tensor_of(v[r], meta_of(roots_[r]));
      ours.push_back(pull({&roots_[r], 1}, {&seed, 1}));
      compare(pull({&roots_[r], 1}, {&seed, 1}), ours.back(), 1, {options_.nondet_tol, 0}, "backward is not deterministic");
    }
    for (size_t j = 0; j < inputs_.size(); ++j)
      if (!projection_agrees(j, v, ours)) return false;
    return true;
  }
  bool projection_agrees(size_t j, std::span<const Numbers> v, const std::vector<std::vector<Numbers>>& ours) {
    Movable& x = inputs_[j];
    const Numbers u = directions_.unit(x.numel());
    Numbers moved(u.size());                                  // u, as far as rounding let the elements move
    const auto by_differences = difference([&](double by) {
      for (size_t i = 0; i < u.size(); ++i) moved[i] += x.move(static_cast<int64_t>(i), by * u[i]) / (2 * by);
    });
    x.restore();
    size_t r = 0;
    for (size_t k = 0; k < outputs_.size(); ++k) {
      const Numbers& d = by_differences[k];
      if (!recorded_[k]) {
        for (double e : d) if (!(std::abs(e) <= options_.atol)) return false;
        continue;
      }
      const double numeric = dot(v[r], d), got = dot(ours[r][j], moved);
      // One wrong entry is this much smaller in the projection by unit vectors.
      const double part = std::max(1 / std::sqrt(std::max(1., static_cast<double>(d.size()) * static_cast<double>(u.size()))), 1e-3);
      if (!Tolerance{options_.atol * part, options_.rtol * part}.holds(got, numeric)) return false;
      largest_ = std::max(largest_, std::abs(got - numeric));
      ++compared_;
      ++r;
    }
    return true;
  }

  // ---- every entry
  void check_entries() {
    entries_ = true;
    compared_ = 0;
    largest_ = 0;
    std::vector<std::vector<Jacobian>> ours;                  // by root and input
    for (size_t r = 0; r < roots_.size(); ++r) ours.push_back(by_backward(r));
    for (size_t j = 0; j < inputs_.size(); ++j) {
      const std::vector<Jacobian> wanted = by_differences(j);
      size_t r = 0;
      for (size_t k = 0; k < outputs_.size(); ++k)
        if (is_floating(outputs_[k].dtype())) judge(k, j, recorded_[k] ? &ours[r++][j] : nullptr, wanted[k]);
    }
  }
  void judge(size_t k, size_t j, const Jacobian* ours, const Jacobian& wanted) {
    const Jacobian none(wanted.output_sizes, wanted.input_sizes);
    const Jacobian& got = ours ? *ours : none;
    const Difference d(got, wanted, ours ? tolerance_ : Tolerance{options_.atol, 0});
    compared_ += wanted.rows * wanted.columns;
    largest_ = std::max(largest_, d.largest);
    if (d.wrong == 0) return;
    const std::string numbers = describe(d, got, "backward", wanted, "differences");
    if (!ours) mismatch("{} does not require grad, but depends on {}{}", output_label(k), input_label(inputs_[j]), numbers);
    mismatch("{} is wrong{}", label(k, inputs_[j]), numbers);
  }
  std::vector<Jacobian> by_backward(size_t r) {
    std::vector<Jacobian> first, second;
    for (std::vector<Jacobian>* out : {&first, &second}) {
      for (const Tensor& x : wanted_) out->emplace_back(roots_[r].sizes(), x.sizes());
      for (int64_t row = 0; row < roots_[r].numel(); ++row) {
        Numbers unit(static_cast<size_t>(roots_[r].numel()));
        unit[static_cast<size_t>(row)] = 1;
        const Tensor seed = tensor_of(unit, meta_of(roots_[r]));
        const std::vector<Numbers> g = pull({&roots_[r], 1}, {&seed, 1});
        for (size_t j = 0; j < g.size(); ++j) std::copy(g[j].begin(), g[j].end(), (*out)[j].entries.begin() + row * (*out)[j].columns);
      }
    }
    for (size_t j = 0; j < first.size(); ++j)
      for (size_t i = 0; i < first[j].entries.size(); ++i)
        if (!agree(first[j].entries[i], second[j].entries[i])) {
          const Difference d(first[j], second[j], {options_.nondet_tol, 0});
          mismatch("backward is not deterministic: {} differs between two passes{}", label(root_of_[r], inputs_[j]),
                   describe(d, first[j], "the first pass", second[j], "the second"));
        }
    return first;
  }
  // Of all outputs by one input.
  std::vector<Jacobian> by_differences(size_t j) {
    Movable& x = inputs_[j];
    std::vector<Jacobian> out;
    for (const Tensor& t : outputs_) out.emplace_back(t.sizes(), x.tensor().sizes());
    for (int64_t i = 0; i < x.numel(); ++i) {
      double way = 0;
      const auto column = difference([&](double by) { way += std::abs(x.move(i, by)); });
      x.restore(i);
      GRADUS_CHECK(way > 0, value, "gradcheck: eps {} is lost beside element {} of {}, which is {}", options_.eps, index_text(i, x.tensor().sizes()),
                   input_label(x), name(x.tensor().dtype()));
      for (size_t k = 0; k < out.size(); ++k)
        for (size_t row = 0; row < column[k].size(); ++row) out[k].at(static_cast<int64_t>(row), i) = column[k][row] * (2 * options_.eps / way);
    }
    return out;
  }

  const GradcheckFunction& f_;
  std::span<const Tensor> all_;
  GradcheckOptions options_;
  Tolerance tolerance_;
  Labels labels_;
  Directions directions_;
  Generator generator_;
  std::deque<Movable> inputs_;                                // those that require grad
  Tensors wanted_;                                            // the same
  Tensors outputs_, roots_;                                   // all, and those that require grad
  std::vector<size_t> root_of_;                               // which output a root is
  std::vector<bool> recorded_;
  int64_t compared_ = 0;
  double largest_ = 0;
  bool entries_ = false;
};

// The gradients of a function's inputs, as a function of the inputs followed by the gradients of its outputs.
class SecondOrder {
 public:
  SecondOrder(const GradcheckFunction& f, std::span<const Tensor> inputs, std::span<const Tensor> given, const GradcheckOptions& o)
      : f_(f), count_(inputs.size()), all_(inputs) {
    const GradMode on(true);
    const Generator before = context().generator;
    const Tensors outputs = f(inputs);
    context().generator = before;
    GRADUS_CHECK(given.empty() || given.size() == outputs.size(), value, "gradgradcheck: {} gradients for {} outputs", given.size(), outputs.size());
    Directions random(o.seed + 1);
    for (size_t k = 0; k < outputs.size(); ++k) {
      const bool wanted = needs_grad(outputs[k].impl()), has = !given.empty() && given[k];
      GRADUS_CHECK(wanted || !has, state, "gradgradcheck: a gradient is given for output {}, which does not require grad", k);
      if (!wanted) continue;
      roots_.push_back(k);
      all_.push_back(has ? given[k] : tensor_of(random.take(outputs[k].numel()), meta_of(outputs[k]), o.strided));
      if (!has) set_requires_grad(all_.back().impl(), true);
    }
    GRADUS_CHECK(!roots_.empty(), state, "gradgradcheck: none of the {} outputs requires grad", outputs.size());
  }

  const Tensors& all() const { return all_; }
  Labels labels() const {
    Labels l;
    for (size_t i = 0; i < count_; ++i) {
      l.inputs.push_back(format("input {}", i));
      if (needs_grad(all_[i].impl())) l.outputs.push_back(format("the gradient of input {}", i));
    }
    for (size_t k : roots_) l.inputs.push_back(format("the gradient of output {}", k));
    return l;
  }
  Tensors operator()(std::span<const Tensor> all) const {
    const Tensors outputs = f_(all.first(count_));
    Tensors roots, wanted;
    for (size_t k : roots_) {
      if (k >= outputs.size() || !needs_grad(outputs[k].impl())) mismatch("whether output {} requires grad depends on the inputs' values", k);
      roots.push_back(outputs[k]);
    }
    for (const Tensor& t : all.first(count_))
      if (needs_grad(t.impl())) wanted.push_back(t);
    return grad(roots, wanted, all.subspan(count_), {.create_graph = true, .materialize = true});
  }

 private:
  const GradcheckFunction& f_;
  size_t count_;
  Tensors all_;
  std::vector<size_t> roots_;                                 // the outputs that require grad
};

}  // namespace

GradcheckResult gradcheck(const GradcheckFunction& f, std::span<const Tensor> inputs, const GradcheckOptions& options) {
  const Tensors pairs = pairs_of(inputs);
  check_call(pairs, options, "gradcheck");
  return Gradcheck(over_pairs(f, inputs), pairs, options, {}).run();
}

GradcheckResult gradgradcheck(const GradcheckFunction& f, std::span<const Tensor> inputs, std::span<const Tensor> grad_outputs,
                              const GradcheckOptions& options) {
  const Tensors pairs = pairs_of(inputs);
  check_call(pairs, options, "gradgradcheck");
  const GradcheckFunction real = over_pairs(f, inputs);
  const SecondOrder second(real, pairs, pairs_of(grad_outputs), options);
  check_call(second.all(), options, "gradgradcheck");
  const GradcheckFunction gradients = [&](std::span<const Tensor> all) { return second(all); };
  return Gradcheck(gradients, second.all(), options, second.labels()).run();
}

}  // namespace gradus
