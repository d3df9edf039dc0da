// Gradients of first and second order against central differences. A random projection makes one number of each Jacobian:
// with f(x) = sum of u * op(x), the slope of f along a direction v is <grad f, v>.
#include "autograd/grad.h"
#include "op_suite.h"

#include <set>

namespace gradus::suite {
namespace {

using Function = std::function<double(const Inputs&)>;

// Ops that stop gradients on purpose.
const Exceptions kStops = {
    {"normal_around", "no gradient flows through random numbers, as in PyTorch"},
    {"normal_around_mean", "no gradient flows through random numbers, as in PyTorch"},
    {"linspace_tensor", "its ends are read as numbers"},
    {"logspace_tensor", "its ends are read as numbers"},
    {"nextafter", "its steps are no slope, as in PyTorch"},
    {"geqrf", "says that it has no derivative"},
    {"_linalg_eig", "refuses what depends on the factors of its vectors: complex_suite.cpp, linalg_complex_test.cpp"},
    {"linalg_eig", "as _linalg_eig"},
    {"detach", "is there to stop them"},
    {"detach_copy", "a copy of what detach returns"},
};

double weighted_sum(const Tensor& a, const Tensor& b) {
  const oracle::Array x = array(a), y = array(b);
  GRADUS_CHECK(x.values.size() == y.values.size(), internal, "the suite weighs shape {} with shape {}", text(a.sizes()), text(b.sizes()));
  long double s = 0;
  for (size_t i = 0; i < x.values.size(); ++i) s += static_cast<long double>(x.values[i]) * y.values[i];
  return static_cast<double>(s);
}
struct OtherShape {};                                         // a result's size depends on the values, and has changed on the way
void must_fit(const Inputs& results, const Inputs& seeds) {
  for (size_t i = 0; i < results.size(); ++i) if (!same(results[i].sizes(), seeds[i].sizes())) throw OtherShape();
}
double length_of(const Tensor& a) { return std::sqrt(weighted_sum(a, a)); }

Inputs moved(const Inputs& x, size_t k, const Tensor& direction, double by) {
  Inputs out = x;
  out[k] = copy_of(x[k]);
  for (int64_t i = 0; i < out[k].numel(); ++i) out[k].data<double>()[i] += by * direction.data<double>()[i];
  return out;
}

// f along a line through x: input k moved along a direction.
struct Line {
  const Function& f;
  const Inputs& x;
  size_t k;
  Tensor direction;
  double operator()(double by) const { return by == 0 ? f(x) : f(moved(x, k, direction, by)); }
};
constexpr double kStep = 0x1p-15;

double slope(const Line& f) {                                 // to the sixth order of the step
  const auto difference = [&](int i) { return f(i * kStep) - f(-i * kStep); };
  return (45 * difference(1) - 9 * difference(2) + difference(3)) / (60 * kStep);
}

// What a sample is there for may be a kink or a jump: a tie, a half to be rounded. Smooth functions differ from one side to the
// other by less and less in smaller steps.
enum class Point { smooth, kink, jump };
Point kind_of(const Line& f, double noise_level) {
  const double h = kStep, small = kStep / 16, y = f(0);
  const auto leap = [&](double by) { return std::max(std::abs(f(by) - y), std::abs(f(-by) - y)); };
  const auto gap = [&](double by) { return std::abs(f(by) - 2 * y + f(-by)) / by; };
  if (leap(small) > 0.5 * leap(h) && leap(h) > noise_level) return Point::jump;
  return gap(small) > 0.5 * gap(h) && gap(h) > noise_level / h ? Point::kink : Point::smooth;
}
// At a kink a gradient lies between the slopes of the two sides; at a jump there is none to compare with.
bool fits(const Line& f, double ours, double noise_level) {
  switch (kind_of(f, noise_level)) {
    case Point::smooth: return false;
    case Point::jump: return true;
    case Point::kink: break;
  }
  const double right = (f(kStep) - f(0)) / kStep, left = (f(0) - f(-kStep)) / kStep, slack = 1e-3 * (std::abs(left) + std::abs(right));
  return ours >= std::min(left, right) - slack && ours <= std::max(left, right) + slack;
}

bool finite(const Inputs& x) {
  for (const Tensor& t : x)
    if (t)
      for (double v : array(t).values) if (!std::isfinite(v)) return false;
  return true;
}

// Ops that take a matrix to be symmetric and read one triangle: their gradients are symmetric, and so is what moves their inputs.
const std::set<std::string> kSymmetric = {"linalg_cholesky_ex", "linalg_cholesky", "cholesky", "_linalg_eigh", "linalg_eigh", "linalg_eigvalsh"};
bool reads_one_triangle(const Attempt& a) {
  if (kSymmetric.contains(name(a.op))) return true;
  const auto& arguments = a.op.info->schema.arguments;
  for (size_t i = 0; i < a.sample.arguments.size(); ++i)
    if (arguments[i].name == "hermitian" && a.sample.arguments[i].i != 0) return true;
  return false;
}
Tensor direction_for(const Attempt& a, const Tensor& x, size_t k) {
  Tensor v = noise(x.sizes(), 100 + k);
  if (k > 0 || !reads_one_triangle(a)) return v;
  const int64_t n = x.size(-1);
  for (int64_t i = 0; i < v.numel(); ++i) {
    const int64_t row = i / n % n, column = i % n;
    if (column > row) v.data<double>()[i] = v.data<double>()[i - (column - row) + (column - row) * n];
  }
  return v;
}

// Compares <g, v> with the slope of f along v; `size` is how large f's terms are.
void check_slope(const Attempt& a, const Function& f, const Inputs& x, size_t k, const Tensor& g, double size, const char* what, Report& r) {
  const Line line{f, x, k, direction_for(a, x[k], k)};
  r.check();
  double numeric = 0;
  try {
    numeric = slope(line);
  } catch (const OtherShape&) {                               // a jump, and so nothing to compare with
    return;
  }
  const double ours = g ? weighted_sum(g, line.direction) : 0;
  if (std::abs(numeric - ours) <= 1e-6 * std::max(std::abs(numeric), std::abs(ours)) + 1e-9 * (1 + size)) return;
  if (!std::isfinite(numeric) && !finite(x)) return;          // infinities among the values: nothing to compare with
  if (std::isfinite(ours) && fits(line, ours, 1e-9 * (1 + size))) return;
  r.fail("{} of input {}: {:.10g} along a direction, by differences {:.10g}", what, k, ours, numeric);
}

// Copies of the inputs; those in `want` (bit k: input k) are leaves that require grad.
Inputs leaves(const Inputs& inputs, uint64_t want) {
  Inputs out;
  for (size_t k = 0; k < inputs.size(); ++k) {
    out.push_back(inputs[k] ? copy_of(inputs[k]) : inputs[k]);
    if (want >> k & 1) set_requires_grad(out[k].impl(), true);
  }
  return out;
}
uint64_t float_inputs(const Inputs& inputs) {
  uint64_t mask = 0;
  for (size_t k = 0; k < inputs.size(); ++k)
    if (inputs[k] && inputs[k].dtype() == Dtype::f64) mask |= uint64_t{1} << k;
  return mask;
}

bool is_f64(const Tensor& t) { return t && t.dtype() == Dtype::f64; }

// The results that carry gradients, by position among all results.
std::vector<size_t> recorded(const Tensors& results) {
  std::vector<size_t> out;
  for (size_t i = 0; i < results.size(); ++i)
    if (results[i] && needs_grad(results[i].impl())) out.push_back(i);
  return out;
}
Inputs pick(const Tensors& from, const std::vector<size_t>& which) {
  Inputs out;
  for (size_t i : which) out.push_back(from[i]);
  return out;
}
Inputs seeds_for(const Inputs& results, uint64_t salt) {
  Inputs out;
  for (size_t i = 0; i < results.size(); ++i) out.push_back(noise(results[i].sizes(), salt + i));
  return out;
}
Inputs wanted(const Inputs& x, uint64_t want) {
  Inputs out;
  for (size_t k = 0; k < x.size(); ++k) if (want >> k & 1) out.push_back(x[k]);
  return out;
}

double projected(const Attempt& a, const Inputs& x, const std::vector<size_t>& results, const Inputs& u) {
  const GradMode off(false);
  const Inputs y = pick(a.with(x).run(), results);
  double s = 0;
  must_fit(y, u);
  for (size_t i = 0; i < y.size(); ++i) s += weighted_sum(y[i], u[i]);
  return s;
}
double size_of_terms(const Inputs& y, const Inputs& u) {
  double s = 0;
  for (size_t i = 0; i < y.size(); ++i) s += length_of(y[i]) * length_of(u[i]);
  return s;
}

// One differentiated call: results, seeds and gradients, by flat input.
struct Differentiated {
  Inputs x, y, u;
  std::vector<size_t> results;                                // which ones carry gradients
  Inputs g;                                                   // null: not asked for, or unused
  bool exact = true;                                          // everything is float64
};

Differentiated differentiate(const Attempt& a, uint64_t want, const Inputs* seeds = nullptr) {
  Differentiated d;
  d.x = leaves(a.inputs, want);
  d.g.resize(d.x.size());
  const Tensors y = a.with(d.x).run();
  d.results = recorded(y);
  d.y = pick(y, d.results);
  for (const Tensor& t : d.y) d.exact &= is_f64(t);
  if (d.results.empty() || !d.exact) return d;
  d.u = seeds ? *seeds : seeds_for(d.y, 1);
  const Inputs x = wanted(d.x, want);
  const Tensors g = grad(d.y, x, d.u, {.allow_unused = true});
  for (size_t k = 0, i = 0; k < d.x.size(); ++k)
    if (want >> k & 1) d.g[k] = g[i++];
  return d;
}

void check_form(const Tensor& g, const Tensor& x, size_t k, Report& r) {
  if (!g) return;
  if (g.dtype() != x.dtype()) r.fail("gradient {} is {}", k, gradus::name(g.dtype()));
  if (!same(g.sizes(), x.sizes())) r.fail("gradient {} has shape {}, its input {}", k, text(g.sizes()), text(x.sizes()));
}

// A result that depends on an input must have recorded it.
void check_nothing_was_lost(const Attempt& a, uint64_t want, Report& r) {
  std::vector<size_t> floats;
  const Tensors y = a.run();
  for (size_t i = 0; i < y.size(); ++i) if (is_f64(y[i])) floats.push_back(i);
  const Inputs u = seeds_for(pick(y, floats), 1);
  for (size_t k = 0; k < a.inputs.size(); ++k)
    if (want >> k & 1)
      check_slope(a, [&](const Inputs& x) { return projected(a, x, floats, u); }, a.inputs, k, {}, size_of_terms(pick(y, floats), u), "no gradient was recorded", r);
}

TEST_F(Suite, Gradient) {
  each("gradient", good, kStops, [](const Attempt& a, Report& r) {
    const uint64_t want = float_inputs(a.inputs);
    if (!want) return;
    const Differentiated d = differentiate(a, want);
    if (d.results.empty()) return check_nothing_was_lost(a, want, r);
    if (!d.exact) return;
    const Function f = [&](const Inputs& x) { return projected(a, x, d.results, d.u); };
    for (size_t k = 0; k < d.x.size(); ++k) {
      if (!(want >> k & 1)) continue;
      check_form(d.g[k], d.x[k], k, r);
      check_slope(a, f, a.inputs, k, d.g[k], size_of_terms(d.y, d.u), "gradient", r);
    }
  });
}

// What is saved for one input does not depend on whether the others want a gradient.
TEST_F(Suite, GradientOfOneInputAlone) {
  each("alone", good, kStops, [](const Attempt& a, Report& r) {
    const uint64_t want = float_inputs(a.inputs);
    const Differentiated all = differentiate(a, want);
    if (all.results.empty() || !all.exact) return;
    for (size_t k = 0; k < a.inputs.size(); ++k) {
      if (!(want >> k & 1)) continue;
      const Tensor zero = zeros(a.inputs[k].sizes(), Dtype::f64);
      const Differentiated one = differentiate(a, uint64_t{1} << k);
      // Fewer results may depend on this input alone; they must be the ones that give the gradient.
      Inputs u;
      for (size_t i : one.results)
        for (size_t j = 0; j < all.results.size(); ++j) if (all.results[j] == i) u.push_back(all.u[j]);
      const Tensor g = one.results.empty() ? Tensor() : differentiate(a, uint64_t{1} << k, &u).g[k];
      r.check();
      if (auto diff = differ(g ? g : zero, all.g[k] ? all.g[k] : zero, 1e-12)) r.fail("alone, the gradient of input {} is {}", k, *diff);
    }
  });
}

// Seeds in other memory, and of one result at a time.
TEST_F(Suite, GradientFromAnySeed) {
  each("seed", good, kStops, [](const Attempt& a, Report& r) {
    const uint64_t want = float_inputs(a.inputs);
    const Differentiated d = differentiate(a, want);
    if (d.results.empty() || !d.exact) return;
    for (Memory m : kMemories) {
      Inputs other, plain;
      for (const Tensor& u : d.u) { other.push_back(relayout(u, m)); plain.push_back(copy_of(other.back())); }
      const Inputs got = differentiate(a, want, &other).g, expected = differentiate(a, want, &plain).g;
      r.about(format("/{}", name(m)).c_str());
      for (size_t k = 0; k < got.size(); ++k) {
        if (!got[k] || !expected[k]) continue;
        r.check();
        if (auto diff = differ(got[k], expected[k], 1e-12)) r.fail("gradient of input {} is {}", k, *diff);
      }
    }
  });
}

TEST_F(Suite, GradientOfOneResultAtATime) {
  each("results", good, kStops, [](const Attempt& a, Report& r) {
    const uint64_t want = float_inputs(a.inputs);
    const Differentiated all = differentiate(a, want);
    if (all.results.size() < 2 || !all.exact) return;
    for (size_t j = 0; j < all.results.size(); ++j) {
      const Inputs x = leaves(a.inputs, want);
      const Tensors y = a.with(x).run();
      const Tensors g = grad({&y[all.results[j]], 1}, wanted(x, want), {&all.u[j], 1}, {.allow_unused = true});
      const Function f = [&](const Inputs& at) { return projected(a, at, {all.results[j]}, {all.u[j]}); };
      r.about(format("/{}", all.results[j]).c_str());
      for (size_t k = 0, i = 0; k < x.size(); ++k)
        if (want >> k & 1) check_slope(a, f, a.inputs, k, g[i++], size_of_terms({all.y[j]}, {all.u[j]}), "gradient", r);
    }
  });
}

// ---- second order
// psi(x, u) = sum of w * gradient(x, u): the gradient function, projected. Its inputs are x and then the seeds u.
struct SecondOrder {
  const Attempt& a;
  uint64_t want;
  size_t inputs;

  Inputs first(const Inputs& x_and_u, bool create_graph) const {
    const Inputs x(x_and_u.begin(), x_and_u.begin() + static_cast<int64_t>(inputs)), u(x_and_u.begin() + static_cast<int64_t>(inputs), x_and_u.end());
    const Tensors all = a.with(x).run();
    const Inputs y = pick(all, recorded(all));
    must_fit(y, u);
    const Tensors g = grad(y, wanted(x, want), u, {.create_graph = create_graph, .allow_unused = true});
    return {g.begin(), g.end()};
  }
  double value(const Inputs& x_and_u) const {
    Inputs fresh = x_and_u;
    for (size_t k = 0; k < inputs; ++k)
      if (want >> k & 1) { fresh[k] = copy_of(fresh[k]); set_requires_grad(fresh[k].impl(), true); }
    const Inputs g = first(fresh, false);
    double s = 0;
    for (size_t i = 0; i < g.size(); ++i) if (g[i]) s += weighted_sum(g[i], noise(g[i].sizes(), 50 + i));
    return s;
  }
};

// The gradient of psi with respect to every input and seed, null where nothing flows.
Inputs second(const SecondOrder& s, const Inputs& point, uint64_t asked, double& size) {
  const Inputs g = s.first(point, true);
  Inputs outputs, w;
  for (size_t i = 0; i < g.size(); ++i) {
    if (!g[i]) continue;
    const Tensor n = noise(g[i].sizes(), 50 + i);
    size += length_of(g[i]) * length_of(n);
    if (!needs_grad(g[i].impl())) continue;
    outputs.push_back(g[i]);
    w.push_back(n);
  }
  Inputs out(point.size());
  if (outputs.empty()) return out;
  const Tensors h = grad(outputs, wanted(point, asked), w, {.allow_unused = true});
  for (size_t k = 0, i = 0; k < point.size(); ++k)
    if (asked >> k & 1) out[k] = h[i++];
  return out;
}

TEST_F(Suite, SecondOrder) {
  each("second", good, kStops, [](const Attempt& a, Report& r) {
    const uint64_t want = float_inputs(a.inputs);
    const Differentiated d = differentiate(a, want);
    if (d.results.empty() || !d.exact) return;
    Inputs point = a.inputs;
    point.insert(point.end(), d.u.begin(), d.u.end());
    const uint64_t asked = float_inputs(point);
    const SecondOrder s{a, want, a.inputs.size()};
    double size = 0;
    const Inputs h = second(s, leaves(point, asked), asked, size);
    const Function f = [&](const Inputs& at) { return s.value(at); };
    for (size_t k = 0; k < point.size(); ++k) {
      if (!(asked >> k & 1)) continue;
      check_form(h[k], point[k], k, r);
      check_slope(a, f, point, k, h[k], 10 * size, k < a.inputs.size() ? "second gradient" : "gradient of the seed", r);
    }
  });
}

}  // namespace
}  // namespace gradus::suite
