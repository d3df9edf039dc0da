// New tensors and losses, written out.
#include <algorithm>
#include <cmath>

#include "oracle.h"

namespace gradus::oracle {
namespace {

using Result = std::vector<Array>;

Array filled(std::vector<int64_t> sizes, double v) { return Array(std::move(sizes), v); }

Result arange(const Arguments& a) {
  const double start = a.has(1) ? a.number(0) : 0, end = a.has(1) ? a.number(1) : a.number(0), step = a.number(2);
  Array out({0});
  for (int64_t i = 0; step > 0 ? start + static_cast<double>(i) * step < end : start + static_cast<double>(i) * step > end; ++i)
    out.values.push_back(start + static_cast<double>(i) * step);
  out.sizes[0] = static_cast<int64_t>(out.values.size());
  return {out};
}
Result range(const Arguments& a) {
  Array out({0});
  for (double v = a.number(0); v <= a.number(1); v += a.number(2)) out.values.push_back(v);
  out.sizes[0] = static_cast<int64_t>(out.values.size());
  return {out};
}
Array even(const Arguments& a) {
  const double start = a.number(0), end = a.number(1);
  Array out({a.integer(2)});
  const double last = static_cast<double>(a.integer(2) - 1);
  for (size_t i = 0; i < out.values.size(); ++i)
    out.values[i] = last == 0 ? start : (start * (last - static_cast<double>(i)) + end * static_cast<double>(i)) / last;
  return out;
}
Result logspace(const Arguments& a) {
  Array out = even(a);
  for (double& v : out.values) v = std::pow(a.number(3), v);
  return {out};
}
Result eye(const Arguments& a) {
  Array out({a.integer(0), a.has(1) ? a.integer(1) : a.integer(0)});
  for (int64_t i = 0; i < std::min(out.sizes[0], out.sizes[1]); ++i) out.at({i, i}) = 1;
  return {out};
}

Result dropout_backward(const Arguments& a) {
  Array out = a.array(0);
  const Array mask = a.array(1);
  for (size_t i = 0; i < out.values.size(); ++i) out.values[i] = mask.values[i] != 0 ? out.values[i] * a.number(2) : 0;
  return {out};
}

// ---- losses
using Index = std::vector<int64_t>;

Array reduced(const Array& cells, int64_t reduction) {
  if (reduction == 0) return cells;
  Array out(Index{});
  for (double v : cells.values) out.values[0] += v;
  if (reduction == 1) out.values[0] /= static_cast<double>(cells.values.size());
  return out;
}
Index broadcast(const Index& a, const Index& b) {
  Index out = a.size() >= b.size() ? a : b;
  const Index& less = a.size() >= b.size() ? b : a;
  for (size_t i = 0; i < less.size(); ++i)
    if (int64_t& o = out[out.size() - less.size() + i]; o == 1) o = less[i];
  return out;
}
// f(x, t, w) by element, w = 1 where there is no weight.
template <class F> Array by_pair(const Array& x, const Array& t, const F& f, const Array* w = nullptr) {
  Array out(broadcast(x.sizes, t.sizes));
  if (out.values.empty()) return out;
  Index at(out.ndim(), 0);
  do out.at(at) = f(x.read(at), t.read(at)) * (w ? w->read(at) : 1);
  while (step(at, out.sizes));
  return out;
}
template <double (*f)(double x, double t)> Result pair(const Arguments& a) { return {reduced(by_pair(a.array(0), a.array(1), f), a.integer(2))}; }
template <double (*f)(double x, double t, double p)> Result pair_with(const Arguments& a) {   // reduction, number
  const double p = a.number(3);
  return {reduced(by_pair(a.array(0), a.array(1), [p](double x, double t) { return f(x, t, p); }), a.integer(2))};
}

double mse(double x, double t) { return (x - t) * (x - t); }
double l1(double x, double t) { return std::abs(x - t); }
double smooth_l1(double x, double t, double beta) { const double d = std::abs(x - t); return d < beta ? d * d / beta / 2 : d - beta / 2; }
double huber(double x, double t, double delta) { const double d = std::abs(x - t); return d < delta ? d * d / 2 : delta * (d - delta / 2); }
double soft_margin(double x, double t) { return std::log1p(std::exp(-x * t)); }
double bce(double x, double t) { return -t * std::max(std::log(x), -100.0) - (1 - t) * std::max(std::log(1 - x), -100.0); }
double log_sigmoid(double x) { return x < 0 ? x - std::log1p(std::exp(x)) : -std::log1p(std::exp(-x)); }
double kl(double x, double t) { return t * (std::log(t) - x); }
double kl_log(double x, double t) { return std::exp(t) * (t - x); }

Result binary(const Arguments& a) {
  const Array w = a.has(2) ? a.array(2) : Array();
  return {reduced(by_pair(a.array(0), a.array(1), bce, a.has(2) ? &w : nullptr), a.integer(3))};
}
Result binary_logits(const Arguments& a) {
  const Array x = a.array(0), t = a.array(1);
  Array out(x.sizes);
  Index at(x.ndim(), 0);
  do {
    const double pos = a.has(3) ? a.array(3).read(at) : 1, w = a.has(2) ? a.array(2).read(at) : 1;
    out.at(at) = -w * (pos * t.at(at) * log_sigmoid(x.at(at)) + (1 - t.at(at)) * log_sigmoid(-x.at(at)));
  } while (step(at, x.sizes));
  return {reduced(out, a.integer(4))};
}
Result kl_div(const Arguments& a) { return {reduced(by_pair(a.array(0), a.array(1), a.flag(3) ? kl_log : kl), a.integer(2))}; }
Result hinge(const Arguments& a) {
  const double margin = a.number(2);
  return {reduced(by_pair(a.array(0), a.array(1), [=](double x, double t) { return (t != 1 ? std::max(0.0, margin - x) : 0) + (t != -1 ? x : 0); }), a.integer(3))};
}
Result ranking(const Arguments& a) {
  const Array x = a.array(0), y = a.array(1), t = a.array(2);
  Array out(x.sizes);
  for (size_t i = 0; i < out.values.size(); ++i) out.values[i] = std::max(0.0, -t.values[i] * (x.values[i] - y.values[i]) + a.number(3));
  return {reduced(out, a.integer(4))};
}

// Row i of an array of rows; a single vector is one row.
std::vector<double> row(const Array& a, int64_t i) {
  const int64_t n = a.sizes.back();
  return {a.values.begin() + i * n, a.values.begin() + (i + 1) * n};
}
Result cosine(const Arguments& a) {
  const Array x = a.array(0), y = a.array(1), t = a.array(2);
  Array out(t.sizes);
  for (size_t i = 0; i < out.values.size(); ++i) {
    const std::vector<double> u = row(x, static_cast<int64_t>(i)), v = row(y, static_cast<int64_t>(i));
    double uu = 1e-12, vv = 1e-12, uv = 0;
    for (size_t k = 0; k < u.size(); ++k) { uu += u[k] * u[k]; vv += v[k] * v[k]; uv += u[k] * v[k]; }
    const double c = uv / std::sqrt(uu * vv);
    out.values[i] = t.values[i] == 1 ? 1 - c : t.values[i] == -1 ? std::max(0.0, c - a.number(3)) : 0;
  }
  return {reduced(out, a.integer(4))};
}
Result triplet(const Arguments& a) {
  const Array x = a.array(0), near = a.array(1), far = a.array(2);
  const auto distance = [&](const Array& u, const Array& v, int64_t i) {
    double s = 0;
    for (size_t k = 0; k < row(u, i).size(); ++k) s += std::pow(std::abs(row(u, i)[k] - row(v, i)[k] + a.number(5)), a.number(4));
    return std::pow(s, 1 / a.number(4));
  };
  Array out({x.sizes[0]});
  for (int64_t i = 0; i < x.sizes[0]; ++i) {
    const double n = a.flag(6) ? std::min(distance(x, far, i), distance(near, far, i)) : distance(x, far, i);
    out.values[static_cast<size_t>(i)] = std::max(0.0, a.number(3) + distance(x, near, i) - n);
  }
  return {reduced(out, a.integer(7))};
}
Result poisson(const Arguments& a) {
  return {reduced(by_pair(a.array(0), a.array(1), [&](double x, double t) {
    const double rest = a.flag(3) && t > 1 ? t * std::log(t) - t + std::log(2 * M_PI * t) / 2 : 0;
    return (a.flag(2) ? std::exp(x) - t * x : x - t * std::log(x + a.number(4))) + rest;
  }), a.integer(5))};
}
Result gaussian(const Arguments& a) {
  const Array x = a.array(0), t = a.array(1), v = a.array(2);
  Array out(x.sizes);
  for (size_t i = 0; i < out.values.size(); ++i) {
    const double s = std::max(v.values[i], a.number(4)), d = x.values[i] - t.values[i];
    out.values[i] = (std::log(s) + d * d / s + (a.flag(3) ? std::log(2 * M_PI) : 0)) / 2;
  }
  return {reduced(out, a.integer(5))};
}
Result soft_labels(const Arguments& a) {
  const Array x = a.array(0), t = a.array(1);
  const int64_t n = x.sizes.back();
  Array out(Index(x.sizes.begin(), x.sizes.end() - 1));
  for (size_t i = 0; i < x.values.size(); ++i) {
    const double w = a.has(2) ? a.array(2).values[i % static_cast<size_t>(n)] : 1;
    out.values[i / static_cast<size_t>(n)] -= w / static_cast<double>(n) * (t.values[i] * log_sigmoid(x.values[i]) + (1 - t.values[i]) * log_sigmoid(-x.values[i]));
  }
  return {reduced(out, a.integer(3))};
}

// ---- classes: scores [C] or [N, C, …], seen as [rows, C, inner]
struct Scores {
  Array x;
  int64_t rows = 1, classes, inner = 1;
  explicit Scores(Array a) : x(std::move(a)), classes(x.sizes[x.ndim() == 1 ? 0 : 1]) {
    if (x.ndim() > 1) rows = x.sizes[0];
    for (size_t d = 2; d < x.ndim(); ++d) inner *= x.sizes[d];
  }
  double& at(int64_t cell, int64_t k) { return x.values[static_cast<size_t>((cell / inner * classes + k) * inner + cell % inner)]; }
  int64_t cells() const { return rows * inner; }
  Index cell_sizes() const {
    Index s = x.sizes;
    s.erase(s.begin() + (x.ndim() == 1 ? 0 : 1));
    return s;
  }
  void log_softmax() {
    for (int64_t i = 0; i < cells(); ++i) {
      double sum = 0;
      for (int64_t k = 0; k < classes; ++k) sum += std::exp(at(i, k));
      for (int64_t k = 0; k < classes; ++k) at(i, k) -= std::log(sum);
    }
  }
};

// The loss by cell, with the share of label smoothing; and the total weight.
Result class_loss(Scores s, const Array& target, const Array* weight, int64_t reduction, int64_t ignored, double smoothing) {
  Array out(s.cell_sizes());
  double sum = 0, total = 0;
  for (int64_t i = 0; i < s.cells(); ++i) {
    const auto t = static_cast<int64_t>(target.values[static_cast<size_t>(i)]);
    if (t == ignored) continue;
    const auto w = [&](int64_t k) { return weight ? weight->values[static_cast<size_t>(k)] : 1; };
    double v = -(1 - smoothing) * w(t) * s.at(i, t);
    for (int64_t k = 0; k < s.classes; ++k) v -= smoothing / static_cast<double>(s.classes) * w(k) * s.at(i, k);
    out.values[static_cast<size_t>(i)] = v;
    sum += v;
    total += w(t);
  }
  Array one(Index{}), weights(Index{}, total);
  one.values[0] = reduction == 1 ? sum / total : sum;
  return {reduction == 0 ? out : one, weights};
}
Result nll_forward(const Arguments& a) {
  const Array w = a.has(2) ? a.array(2) : Array();
  return class_loss(Scores(a.array(0)), a.array(1), a.has(2) ? &w : nullptr, a.integer(3), a.integer(4), 0);
}
Result nll(const Arguments& a) { return {nll_forward(a)[0]}; }
Result nll_backward(const Arguments& a) {                     // without ignored classes
  Scores s(Array(a.array(1).sizes));
  for (int64_t i = 0; i < s.cells(); ++i) {
    const auto t = static_cast<int64_t>(a.array(2).values[static_cast<size_t>(i)]);
    s.at(i, t) = -a.array(0).values[a.integer(4) == 0 ? static_cast<size_t>(i) : 0] * a.array(3).values[static_cast<size_t>(t)] / (a.integer(4) == 1 ? a.array(6).values[0] : 1);
  }
  return {s.x};
}
Result cross_entropy(const Arguments& a) {
  Scores s(a.array(0));
  s.log_softmax();
  const Array target = a.array(1), w = a.has(2) ? a.array(2) : Array();
  if (target.sizes != s.x.sizes || s.x.sizes == s.cell_sizes()) return {class_loss(s, target, a.has(2) ? &w : nullptr, a.integer(3), a.integer(4), a.number(5))[0]};
  Scores p(target);
  Array out(s.cell_sizes());
  double sum = 0;
  for (int64_t i = 0; i < s.cells(); ++i)
    for (int64_t k = 0; k < s.classes; ++k) {
      const double q = p.at(i, k) * (1 - a.number(5)) + a.number(5) / static_cast<double>(s.classes);
      const double v = -(a.has(2) ? w.values[static_cast<size_t>(k)] : 1) * q * s.at(i, k);
      out.values[static_cast<size_t>(i)] += v;
      sum += v;
    }
  Array one(Index{});
  one.values[0] = a.integer(3) == 1 ? sum / static_cast<double>(s.cells()) : sum;
  return {a.integer(3) == 0 ? out : one};
}
Result multi_margin(const Arguments& a) {
  Array x = a.array(0);
  if (x.sizes.empty()) x.sizes = {1};
  Scores s(x);
  Array out(a.array(1).sizes);
  for (int64_t i = 0; i < s.cells(); ++i) {
    const auto t = static_cast<int64_t>(a.array(1).values[static_cast<size_t>(i)]);
    const double w = a.has(4) ? a.array(4).values[static_cast<size_t>(t)] : 1;
    for (int64_t k = 0; k < s.classes; ++k)
      if (k != t) out.values[static_cast<size_t>(i)] += w * std::pow(std::max(0.0, a.number(3) - s.at(i, t) + s.at(i, k)), a.number(2)) / static_cast<double>(s.classes);
  }
  return {reduced(out, a.integer(5))};
}

}  // namespace

Oracles creation_and_losses() {
  return {
      {"zeros", [](const Arguments& a) -> Result { return {filled(a.integers(0), 0)}; }},
      {"ones", [](const Arguments& a) -> Result { return {filled(a.integers(0), 1)}; }},
      {"full", [](const Arguments& a) -> Result { return {filled(a.integers(0), a.number(1))}; }},
      {"scalar_tensor", [](const Arguments& a) -> Result { return {filled({}, a.number(0))}; }},
      {"zeros_like", [](const Arguments& a) -> Result { return {filled(a.array(0).sizes, 0)}; }},
      {"ones_like", [](const Arguments& a) -> Result { return {filled(a.array(0).sizes, 1)}; }},
      {"full_like", [](const Arguments& a) -> Result { return {filled(a.array(0).sizes, a.number(1))}; }},
      {"new_zeros", [](const Arguments& a) -> Result { return {filled(a.integers(1), 0)}; }},
      {"new_ones", [](const Arguments& a) -> Result { return {filled(a.integers(1), 1)}; }},
      {"new_full", [](const Arguments& a) -> Result { return {filled(a.integers(1), a.number(2))}; }},
      {"arange", arange}, {"range", range}, {"linspace", [](const Arguments& a) -> Result { return {even(a)}; }},
      {"logspace", logspace}, {"eye", eye}, {"native_dropout_backward", dropout_backward},
      {"mse_loss", pair<mse>}, {"l1_loss", pair<l1>}, {"smooth_l1_loss", pair_with<smooth_l1>}, {"huber_loss", pair_with<huber>},
      {"soft_margin_loss", pair<soft_margin>}, {"binary_cross_entropy", binary}, {"binary_cross_entropy_with_logits", binary_logits},
      {"kl_div", kl_div}, {"hinge_embedding_loss", hinge}, {"margin_ranking_loss", ranking}, {"cosine_embedding_loss", cosine},
      {"triplet_margin_loss", triplet}, {"poisson_nll_loss", poisson}, {"gaussian_nll_loss", gaussian},
      {"multilabel_soft_margin_loss", soft_labels}, {"nll_loss_forward", nll_forward}, {"nll_loss", nll}, {"nll_loss2d", nll},
      {"nll_loss_nd", nll}, {"nll_loss_backward", nll_backward}, {"cross_entropy_loss", cross_entropy}, {"multi_margin_loss", multi_margin},
  };
}

}  // namespace gradus::oracle
