// Normalisation, recurrent layers, attention and distances, by their definitions.
#include <cmath>
#include <functional>

#include "oracle/oracle.h"

namespace gradus::oracle {
namespace {

using Dims = std::vector<int64_t>;

// ---- normalisation
// Which statistic and which channel an element of x (row-major, at i) belongs to.
struct Norm {
  int64_t statistics, channels;
  std::function<int64_t(int64_t)> statistic, channel;
};
Norm by_rows(int64_t numel, int64_t n) {
  return {n ? numel / n : 0, n, [n](int64_t i) { return i / n; }, [n](int64_t i) { return i % n; }};
}
Norm by_groups(int64_t batch, int64_t channels, int64_t inner, int64_t groups) {
  const int64_t size = channels / groups * inner;
  return {batch * groups, channels, [size](int64_t i) { return i / size; }, [=](int64_t i) { return i / inner % channels; }};
}
Norm by_channels(const Array& x) {
  int64_t inner = 1;
  for (size_t d = 2; d < x.ndim(); ++d) inner *= x.sizes[d];
  const int64_t channels = x.sizes[1];
  const auto f = [=](int64_t i) { return i / inner % channels; };
  return {channels, channels, f, f};
}

struct Moments { std::vector<double> mean, var; };
Moments moments(const Array& x, const Norm& n, bool center = true) {
  Moments m{std::vector<double>(static_cast<size_t>(n.statistics)), std::vector<double>(static_cast<size_t>(n.statistics))};
  std::vector<double> count(m.mean.size());
  const auto all = [&](auto&& f) { for (size_t i = 0; i < x.values.size(); ++i) f(x.values[i], static_cast<size_t>(n.statistic(static_cast<int64_t>(i)))); };
  all([&](double v, size_t s) { m.mean[s] += center ? v : 0; count[s] += 1; });
  for (size_t s = 0; s < count.size(); ++s) m.mean[s] /= count[s];
  all([&](double v, size_t s) { m.var[s] += (v - m.mean[s]) * (v - m.mean[s]) / count[s]; });
  return m;
}
Array scaled(const Arguments& a, const Array& x, const Norm& n, const Moments& m, double eps, int weight, int bias) {
  Array y(x.sizes);
  const Array w = weight >= 0 && a.has(weight) ? a.array(weight) : Array(), b = bias >= 0 && a.has(bias) ? a.array(bias) : Array();
  for (size_t i = 0; i < x.values.size(); ++i) {
    const auto s = static_cast<size_t>(n.statistic(static_cast<int64_t>(i))), c = static_cast<size_t>(n.channel(static_cast<int64_t>(i)));
    y.values[i] = (x.values[i] - m.mean[s]) / std::sqrt(m.var[s] + eps) * (w.values.empty() ? 1 : w.values[c]) + (b.values.empty() ? 0 : b.values[c]);
  }
  return y;
}
std::vector<Array> with_moments(Array y, const Moments& m, double eps, const Dims& sizes) {
  Array mean(sizes), rstd(sizes);
  for (size_t s = 0; s < mean.values.size(); ++s) {
    mean.values[s] = m.mean[s];
    rstd.values[s] = 1 / std::sqrt(m.var[s] + eps);
  }
  return {y, mean, rstd};
}
int64_t product(const Dims& d) { return Array::count(d); }

std::vector<Array> layer_norm(const Arguments& a) {
  const Array x = a.array(0);
  const Norm n = by_rows(static_cast<int64_t>(x.values.size()), product(a.integers(1)));
  return {scaled(a, x, n, moments(x, n), a.number(4), 2, 3)};
}
std::vector<Array> native_layer_norm(const Arguments& a) {
  const Array x = a.array(0);
  const Norm n = by_rows(static_cast<int64_t>(x.values.size()), product(a.integers(1)));
  const Moments m = moments(x, n);
  Dims sizes = x.sizes;
  for (size_t i = 0; i < a.integers(1).size(); ++i) sizes[sizes.size() - 1 - i] = 1;
  return with_moments(scaled(a, x, n, m, a.number(4), 2, 3), m, a.number(4), sizes);
}
std::vector<Array> rms_norm(const Arguments& a) {
  const Array x = a.array(0);
  const Norm n = by_rows(static_cast<int64_t>(x.values.size()), product(a.integers(1)));
  return {scaled(a, x, n, moments(x, n, false), a.number(3), 2, -1)};
}
std::vector<Array> group_norm(const Arguments& a) {
  const Array x = a.array(0);
  const int64_t inner = product(Dims(x.sizes.begin() + 2, x.sizes.end()));
  const Norm n = by_groups(x.sizes[0], x.sizes[1], inner, a.integer(1));
  return {scaled(a, x, n, moments(x, n), a.number(4), 2, 3)};
}
std::vector<Array> native_group_norm(const Arguments& a) {
  const Array x = a.array(0);
  const Norm n = by_groups(a.integer(3), a.integer(4), a.integer(5), a.integer(6));
  const Moments m = moments(x, n);
  return with_moments(scaled(a, x, n, m, a.number(7), 1, 2), m, a.number(7), {a.integer(3), a.integer(6)});
}
Moments given(const Arguments& a) { return {a.array(3).values, a.array(4).values}; }
std::vector<Array> native_batch_norm(const Arguments& a) {
  const Array x = a.array(0);
  const Norm n = by_channels(x);
  if (!a.flag(5)) return {scaled(a, x, n, given(a), a.number(7), 1, 2), Array(Dims{0}), Array(Dims{0})};
  const Moments m = moments(x, n);
  return with_moments(scaled(a, x, n, m, a.number(7), 1, 2), m, a.number(7), {x.sizes[1]});
}
std::vector<Array> batch_norm(const Arguments& a) { return {native_batch_norm(a)[0]}; }
std::vector<Array> no_stats(const Arguments& a) {
  const Array x = a.array(0);
  const Norm n = by_channels(x);
  const Moments m = moments(x, n);
  return with_moments(scaled(a, x, n, m, a.number(5), 1, 2), m, a.number(5), {x.sizes[1]});
}
std::vector<Array> instance_norm(const Arguments& a) {
  const Array x = a.array(0);
  if (!a.flag(5)) return {scaled(a, x, by_channels(x), given(a), a.number(7), 1, 2)};
  const Norm n = by_groups(x.sizes[0], x.sizes[1], product(Dims(x.sizes.begin() + 2, x.sizes.end())), x.sizes[1]);
  return {scaled(a, x, n, moments(x, n), a.number(7), 1, 2)};
}

// dx, dw and db from the gradient g, with the statistics as they are given. Fixed ones (running) do not move with x.
std::vector<Array> norm_backward(const Array& g, const Array& x, const Array& mean, const std::vector<double>& rstd, const Array* w, const Norm& n, bool fixed, const Dims& scale) {
  Array dx(x.sizes), dw(scale), db(scale);
  std::vector<double> u(rstd.size()), uz(rstd.size()), count(rstd.size());
  const auto all = [&](auto&& f) {
    for (size_t i = 0; i < x.values.size(); ++i) {
      const auto s = static_cast<size_t>(n.statistic(static_cast<int64_t>(i))), c = static_cast<size_t>(n.channel(static_cast<int64_t>(i)));
      f(i, s, c, (x.values[i] - mean.values[s]) * rstd[s], g.values[i] * (w ? w->values[c] : 1));
    }
  };
  all([&](size_t i, size_t s, size_t c, double z, double gw) {
    u[s] += gw;
    uz[s] += gw * z;
    count[s] += 1;
    dw.values[c] += g.values[i] * z;
    db.values[c] += g.values[i];
  });
  all([&](size_t i, size_t s, size_t, double z, double gw) { dx.values[i] = rstd[s] * (fixed ? gw : gw - u[s] / count[s] - z * uz[s] / count[s]); });
  return {dx, dw, db};
}
std::vector<Array> layer_norm_backward(const Arguments& a) {
  const Array x = a.array(1), w = a.has(5) ? a.array(5) : Array();
  const Norm n = by_rows(static_cast<int64_t>(x.values.size()), product(a.integers(2)));
  return norm_backward(a.array(0), x, a.array(3), a.array(4).values, a.has(5) ? &w : nullptr, n, false, a.integers(2));
}
std::vector<Array> group_norm_backward(const Arguments& a) {
  const Array x = a.array(1), w = a.has(4) ? a.array(4) : Array();
  const Norm n = by_groups(a.integer(5), a.integer(6), a.integer(7), a.integer(8));
  return norm_backward(a.array(0), x, a.array(2), a.array(3).values, a.has(4) ? &w : nullptr, n, false, {a.integer(6)});
}
std::vector<Array> batch_norm_backward(const Arguments& a) {
  const Array x = a.array(1), w = a.has(2) ? a.array(2) : Array();
  const bool train = a.flag(7);
  std::vector<double> rstd = a.array(train ? 6 : 4).values;
  if (!train) for (double& r : rstd) r = 1 / std::sqrt(r + a.number(8));
  return norm_backward(a.array(0), x, a.array(train ? 5 : 3), rstd, a.has(2) ? &w : nullptr, by_channels(x), !train, {x.sizes[1]});
}

// ---- recurrent layers, one number at a time
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
enum class Cell { tanh, relu, gru, lstm };

using Vector = std::vector<double>;
Vector times(const Array& w, const Vector& x, const Array* b) {
  Vector y(static_cast<size_t>(w.sizes[0]));
  for (size_t i = 0; i < y.size(); ++i) {
    y[i] = b ? b->values[i] : 0;
    for (size_t j = 0; j < x.size(); ++j) y[i] += w.at({static_cast<int64_t>(i), static_cast<int64_t>(j)}) * x[j];
  }
  return y;
}
struct Parameters { Array w_ih, w_hh, b_ih, b_hh, w_hr; bool biased = false, projected = false; };

void step_cell(Cell cell, const Vector& x, Vector& h, Vector& c, const Parameters& p) {
  const Vector i = times(p.w_ih, x, p.biased ? &p.b_ih : nullptr), r = times(p.w_hh, h, p.biased ? &p.b_hh : nullptr);
  if (cell == Cell::lstm) {
    const size_t n = c.size();
    Vector out(n);
    for (size_t k = 0; k < n; ++k) {
      c[k] = sigmoid(i[n + k] + r[n + k]) * c[k] + sigmoid(i[k] + r[k]) * std::tanh(i[2 * n + k] + r[2 * n + k]);
      out[k] = sigmoid(i[3 * n + k] + r[3 * n + k]) * std::tanh(c[k]);
    }
    h = p.projected ? times(p.w_hr, out, nullptr) : out;
    return;
  }
  const size_t n = h.size();
  for (size_t k = 0; k < n; ++k) {
    if (cell == Cell::tanh) h[k] = std::tanh(i[k] + r[k]);
    if (cell == Cell::relu) h[k] = std::max(0.0, i[k] + r[k]);
    if (cell != Cell::gru) continue;
    const double reset = sigmoid(i[k] + r[k]), update = sigmoid(i[n + k] + r[n + k]);
    h[k] = (1 - update) * std::tanh(i[2 * n + k] + reset * r[2 * n + k]) + update * h[k];
  }
}
Vector row_of(const Array& a, int64_t row) {
  const auto n = static_cast<size_t>(a.sizes.back());
  return Vector(a.values.begin() + static_cast<int64_t>(n) * row, a.values.begin() + static_cast<int64_t>(n) * (row + 1));
}
void put_row(Array& a, int64_t row, const Vector& v) { std::copy(v.begin(), v.end(), a.values.begin() + row * a.sizes.back()); }

std::vector<Array> one_step(const Arguments& a, Cell cell) {
  const Array x = a.array(0);
  Array h = cell == Cell::lstm ? a.arrays(1)[0] : a.array(1), c = cell == Cell::lstm ? a.arrays(1)[1] : Array();
  Parameters p{a.array(2), a.array(3), {}, {}, {}, a.has(4)};
  if (p.biased) { p.b_ih = a.array(4); p.b_hh = a.array(5); }
  for (int64_t b = 0; b < (x.ndim() == 1 ? 1 : x.sizes[0]); ++b) {
    Vector state = row_of(h, b), memory = cell == Cell::lstm ? row_of(c, b) : Vector();
    step_cell(cell, row_of(x, b), state, memory, p);
    put_row(h, b, state);
    if (cell == Cell::lstm) put_row(c, b, memory);
  }
  if (cell == Cell::lstm) return {h, c};
  return {h};
}

Array swapped(const Array& x) {                               // the first two dimensions
  Array y({x.sizes[1], x.sizes[0], x.sizes[2]});
  for (int64_t i = 0; i < x.sizes[0]; ++i)
    for (int64_t j = 0; j < x.sizes[1]; ++j) put_row(y, j * x.sizes[0] + i, row_of(x, i * x.sizes[1] + j));
  return y;
}
std::vector<Array> layers_of(const Arguments& a, Cell cell) {
  const bool lstm = cell == Cell::lstm, biases = a.flag(3), both = a.flag(7), batch_first = a.flag(8);
  Array h = lstm ? a.arrays(1)[0] : a.array(1), c = lstm ? a.arrays(1)[1] : Array(), x = batch_first ? swapped(a.array(0)) : a.array(0);
  const bool projected = lstm && h.sizes[2] != c.sizes[2];
  const std::vector<Array> params = a.arrays(2);
  const int64_t steps = x.sizes[0], batch = x.sizes[1], directions = both ? 2 : 1, size = h.sizes[2];
  size_t next = 0;
  for (int64_t layer = 0; layer < a.integer(4); ++layer) {
    Array y({steps, batch, size * directions});
    for (int64_t d = 0; d < directions; ++d) {
      Parameters p{params[next], params[next + 1], {}, {}, {}, biases, projected};
      next += 2;
      if (biases) { p.b_ih = params[next++]; p.b_hh = params[next++]; }
      if (projected) p.w_hr = params[next++];
      for (int64_t b = 0; b < batch; ++b) {
        const int64_t at = (layer * directions + d) * batch + b;
        Vector state = row_of(h, at), memory = lstm ? row_of(c, at) : Vector();
        for (int64_t i = 0; i < steps; ++i) {
          const int64_t time = d ? steps - 1 - i : i;
          step_cell(cell, row_of(x, time * batch + b), state, memory, p);
          for (int64_t k = 0; k < size; ++k) y.at({time, b, d * size + k}) = state[static_cast<size_t>(k)];
        }
        put_row(h, at, state);
        if (lstm) put_row(c, at, memory);
      }
    }
    x = y;
  }
  std::vector<Array> out{batch_first ? swapped(x) : x, h};
  if (lstm) out.push_back(c);
  return out;
}
template <Cell cell> std::vector<Array> cell_of(const Arguments& a) { return one_step(a, cell); }
template <Cell cell> std::vector<Array> rnn_of(const Arguments& a) { return layers_of(a, cell); }

}  // namespace

Oracles attention_and_distances();                            // attention.cpp

Oracles layers() {
  Oracles all = {
      {"layer_norm", layer_norm}, {"native_layer_norm", native_layer_norm}, {"rms_norm", rms_norm}, {"group_norm", group_norm},
      {"native_group_norm", native_group_norm}, {"native_batch_norm", native_batch_norm}, {"_native_batch_norm_legit", native_batch_norm},
      {"_native_batch_norm_legit_no_stats", no_stats}, {"batch_norm", batch_norm}, {"instance_norm", instance_norm},
      {"native_layer_norm_backward", layer_norm_backward}, {"native_group_norm_backward", group_norm_backward}, {"native_batch_norm_backward", batch_norm_backward},
      {"rnn_tanh_cell", cell_of<Cell::tanh>}, {"rnn_relu_cell", cell_of<Cell::relu>}, {"gru_cell", cell_of<Cell::gru>}, {"lstm_cell", cell_of<Cell::lstm>},
      {"rnn_tanh", rnn_of<Cell::tanh>}, {"rnn_relu", rnn_of<Cell::relu>}, {"gru", rnn_of<Cell::gru>}, {"lstm", rnn_of<Cell::lstm>},
  };
  all.merge(attention_and_distances());
  return all;
}

}  // namespace gradus::oracle
