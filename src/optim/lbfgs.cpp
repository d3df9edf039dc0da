// L-BFGS as PyTorch has it: all parameters as one vector, in their compute type, with a fixed step or a line search for the strong
// Wolfe conditions. A failure inside puts the parameters back to where they were.
#include <algorithm>
#include <array>
#include <cmath>

#include "base/context.h"
#include "base/parallel.h"
#include "graph/history.h"
#include "graph/saved_copies.h"
#include "kernels/copy.h"
#include "kernels/optimize.h"
#include "ops/ops.h"
#include "optim/optimizer.h"

namespace gradus {
namespace {

double infinity_norm(const Tensor& t) {
  const View v = view_of(t);
  return kernels::norm({&v, 1}, HUGE_VAL);
}
double product(const Tensor& a, const Tensor& b) { return number_of(dot(a, b)); }
Tensor scaled(const Tensor& t, double by) { return mul(t, by); }
void add_scaled(const Tensor& to, const Tensor& t, double by) { call_in_place(add_op, {to, t, by}); }

// Entries are loaded one by one; a step needs all that belong together.
void check_complete(const LbfgsState& s) {
  if (s.n_iter == 0) return;
  GRADUS_CHECK(s.d, state, "LBFGS: 'd' is missing from a state of {} iterations", s.n_iter);
  GRADUS_CHECK(s.prev_flat_grad, state, "LBFGS: 'prev_flat_grad' is missing from a state of {} iterations", s.n_iter);
  GRADUS_CHECK(s.old_dirs.size() == s.old_stps.size() && s.ro.size() == s.old_dirs.size(), state,
               "LBFGS: the state does not fit together: 'old_dirs' has {}, 'old_stps' has {} and 'ro' has {} entries", s.old_dirs.size(),
               s.old_stps.size(), s.ro.size());
}

struct Point {                                                // of the line search
  double t = 0, f = 0, slope = 0;
  Tensor g;
};

// The minimum of the cubic through two points with slopes, within bounds.
double cubic_minimum(const Point& a, const Point& b, double low, double high) {
  const double d1 = a.slope + b.slope - 3 * (a.f - b.f) / (a.t - b.t), square = d1 * d1 - a.slope * b.slope;
  if (!(square >= 0)) return (low + high) / 2;
  const double d2 = std::sqrt(square);
  const double at = a.t <= b.t ? b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
                               : a.t - (a.t - b.t) * ((a.slope + d2 - d1) / (a.slope - b.slope + 2 * d2));
  return std::min(std::max(at, low), high);
}

class Lbfgs {
 public:
  Lbfgs(Optimizer& o, const Closure& closure) : o_(o), closure_(closure), s_(o.lbfgs), settings_(o.groups[0]) {
    check_complete(s_);
    for (const Parameter& p : o.parameters) check_writable(p.tensor, "LBFGS");
    type_ = compute_dtype(real_of(o.parameters[0].tensor.dtype()));
    for (const Parameter& p : o.parameters) size_ += pairs_of(p.tensor).numel();
    start_ = gather(false);
  }
  Tensor step();
  void put_back() const { put(start_); }

 private:
  double operator[](Setting s) const { return settings_[s]; }
  Tensor gather(bool gradients) const;
  Tensor slice(const Tensor& flat, const Tensor& like, int64_t offset) const {
    return alias(flat, like.sizes(), contiguous_strides(like.sizes()), offset);
  }
  void put(const Tensor& flat) const;
  void move(double t) const;
  double evaluate();                                          // the loss, and gradient_
  Point at(double t);                                         // along the direction from base_
  void direction();
  void take_step(bool last);
  Point search(const Point& start);
  Point zoom(std::array<Point, 2> bracket, bool done, const Point& start, int iterations);
  bool is_armijo_broken(const Point& p, const Point& start) const { return p.f > start.f + 1e-4 * p.t * start.slope; }
  bool is_curved_enough(const Point& p, const Point& start) const { return std::abs(p.slope) <= -0.9 * start.slope; }
  bool is_optimal() const { return infinity_norm(gradient_) <= (*this)[Setting::tolerance_grad]; }

  static constexpr int kSearches = 25;
  Optimizer& o_;
  const Closure& closure_;
  LbfgsState s_;                                              // handed back when the step is complete
  const Settings settings_;
  Dtype type_;
  int64_t size_ = 0;
  Tensor start_, base_, gradient_;
  double loss_ = 0, evaluations_ = 0, slope_ = 0;
};

Tensor Lbfgs::gather(bool gradients) const {
  Tensor flat = empty(type_, std::array{size_});
  int64_t offset = 0;
  for (const Parameter& p : o_.parameters) {
    const Tensor from = gradients ? Tensor::share(grad_of(p.tensor, "LBFGS")) : p.tensor, to = slice(flat, pairs_of(p.tensor), offset);
    if (to.numel() > 0) {
      if (from) kernels::copy(view_of(to), view_of(pairs_of(from))); else kernels::fill(view_of(to), Number(0));
    }
    offset += to.numel();
  }
  return flat;
}
void Lbfgs::put(const Tensor& flat) const {
  for (const Parameter& p : o_.parameters) before_write(p.tensor.storage());
  const Whole whole;
  int64_t offset = 0;
  for (const Parameter& p : o_.parameters) {
    const Tensor to = pairs_of(p.tensor);
    if (to.numel() > 0) kernels::copy(view_of(to), view_of(slice(flat, to, offset)));
    to.storage().bump();
    offset += to.numel();
  }
}
void Lbfgs::move(double t) const {
  int64_t offset = 0;
  for (const Parameter& p : o_.parameters) {
    const Tensor to = pairs_of(p.tensor);
    add_scaled(to, slice(s_.d, to, offset), t);
    offset += to.numel();
  }
}
double Lbfgs::evaluate() {
  Tensor loss;
  {
    const GradMode on(true);
    loss = closure_();
  }
  ++evaluations_;
  ++s_.func_evals;
  gradient_ = gather(true);
  return number_of(loss);
}
Point Lbfgs::at(double t) {
  move(t);
  const double f = evaluate();
  put(base_);
  return {t, f, product(gradient_, s_.d), gradient_};
}

// d = -H g by the two loops over what the last steps have shown of the curvature.
void Lbfgs::direction() {
  if (s_.n_iter == 1) {
    s_.d = neg(gradient_);
    s_.old_dirs.clear(), s_.old_stps.clear(), s_.ro.clear();
    s_.H_diag = 1;
    return;
  }
  const Tensor y = sub(gradient_, s_.prev_flat_grad), moved = scaled(s_.d, s_.t);
  const double ys = product(y, moved);
  if (ys > 1e-10) {
    if (s_.old_dirs.size() >= static_cast<size_t>((*this)[Setting::history_size]) && !s_.old_dirs.empty()) {
      s_.old_dirs.erase(s_.old_dirs.begin());
      s_.old_stps.erase(s_.old_stps.begin());
      s_.ro.erase(s_.ro.begin());
    }
    s_.old_dirs.push_back(y);
    s_.old_stps.push_back(moved);
    s_.ro.push_back(1 / ys);
    s_.H_diag = ys / product(y, y);
  }
  const size_t n = s_.old_dirs.size();
  std::vector<double> al(n);
  const Tensor q = neg(gradient_);
  for (size_t i = n; i-- > 0;) {
    al[i] = product(s_.old_stps[i], q) * s_.ro[i];
    add_scaled(q, s_.old_dirs[i], -al[i]);
  }
  s_.d = scaled(q, s_.H_diag);
  for (size_t i = 0; i < n; ++i) add_scaled(s_.d, s_.old_stps[i], al[i] - product(s_.old_dirs[i], s_.d) * s_.ro[i]);
}

// Goes along the direction until the strong Wolfe conditions hold or a bracket is found, which zoom narrows.
Point Lbfgs::search(const Point& start) {
  Point before = start, now = at(s_.t);
  for (int i = 0; i < kSearches; ++i) {
    if (is_armijo_broken(now, start) || (i > 1 && now.f >= before.f)) return zoom({before, now}, false, start, i);
    if (is_curved_enough(now, start)) return now;
    if (now.slope >= 0) return zoom({before, now}, false, start, i);
    const double t = cubic_minimum(before, now, now.t + 0.01 * (now.t - before.t), now.t * 10);
    before = std::move(now);
    now = at(t);
  }
  return zoom({start, now}, false, start, kSearches);
}
Point Lbfgs::zoom(std::array<Point, 2> b, bool done, const Point& start, int iterations) {
  const double norm = infinity_norm(s_.d);
  bool stuck = false;
  size_t low = b[0].f <= b[1].f ? 0 : 1;
  for (; !done && iterations < kSearches; ++iterations) {
    const double left = std::min(b[0].t, b[1].t), right = std::max(b[0].t, b[1].t);
    if ((right - left) * norm < 1e-9) break;
    double t = cubic_minimum(b[0], b[1], left, right);
    const double margin = 0.1 * (right - left);
    const bool close = std::min(right - t, t - left) < margin;
    const bool pushed = close && (stuck || t >= right || t <= left);
    if (pushed) t = std::abs(t - right) < std::abs(t - left) ? right - margin : left + margin;
    stuck = close && !pushed;
    Point now = at(t);
    Point& lowest = b[low];
    Point& other = b[1 - low];
    if (is_armijo_broken(now, start) || now.f >= lowest.f) {
      other = std::move(now);
      low = b[0].f <= b[1].f ? 0 : 1;
    } else {
      if (is_curved_enough(now, start)) done = true;
      else if (now.slope * (other.t - lowest.t) >= 0) other = lowest;
      lowest = std::move(now);
    }
  }
  return b[low];
}

void Lbfgs::take_step(bool last) {
  if (settings_.flag(Setting::line_search_fn)) {
    base_ = gather(false);
    const Point found = search({0, loss_, slope_, gradient_});
    loss_ = found.f;
    gradient_ = found.g;
    s_.t = found.t;
    move(s_.t);
  } else {
    move(s_.t);
    if (!last) loss_ = evaluate();
  }
}

Tensor Lbfgs::step() {
  const GradMode off(false);
  const double most = (*this)[Setting::max_iter], given = (*this)[Setting::max_eval], tolerance = (*this)[Setting::tolerance_change];
  const double most_evaluations = given > 0 ? given : std::floor(most * 5 / 4);
  Tensor first;
  {
    const GradMode on(true);
    first = closure_();
  }
  loss_ = number_of(first);
  gradient_ = gather(true);
  evaluations_ = 1;
  ++s_.func_evals;
  bool done = is_optimal();
  for (double i = 1; !done && i <= most; ++i) {
    ++s_.n_iter;
    direction();
    s_.prev_flat_grad = gradient_;
    s_.prev_loss = loss_;
    const View g = view_of(gradient_);
    s_.t = (s_.n_iter == 1 ? std::min(1.0, 1 / kernels::norm({&g, 1}, 1)) : 1) * (*this)[Setting::lr];
    slope_ = product(gradient_, s_.d);
    if (slope_ > -tolerance) break;
    take_step(i == most);
    done = evaluations_ >= most_evaluations || is_optimal() || infinity_norm(scaled(s_.d, s_.t)) <= tolerance ||
           std::abs(loss_ - s_.prev_loss) < tolerance;
  }
  o_.lbfgs = std::move(s_);
  return first;
}

}  // namespace

Tensor lbfgs_step(Optimizer& o, const Closure& closure) {
  Lbfgs run(o, closure);
  try {
    return run.step();
  } catch (...) {
    run.put_back();
    throw;
  }
}

}  // namespace gradus
