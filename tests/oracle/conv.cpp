// Convolution and pooling by their definitions.
#include <algorithm>
#include <cmath>
#include <limits>

#include "oracle.h"

namespace gradus::oracle {
namespace {

using Dims = std::vector<int64_t>;

Dims spread(Dims d, size_t n) { return d.size() == n ? d : Dims(n, d.empty() ? 0 : d[0]); }
Dims tail(const Dims& d, size_t n) { return {d.end() - static_cast<int64_t>(n), d.end()}; }

// One term x * w * y of the trilinear form.
struct Geometry {
  Dims stride, padding, dilation;
  int64_t groups;
};
template <class Term> void each_term(const Geometry& g, const Dims& x, const Dims& w, const Dims& y, const Term& term) {
  const size_t n = x.size() - 2;
  if (Array::count(y) == 0 || Array::count(w) == 0) return;
  Dims o(y.size(), 0);
  do {
    Dims k(w.size() - 1, 0);
    const Dims inner(w.begin() + 1, w.end());
    do {
      Dims at{o[0], o[1] / (w[0] / g.groups) * w[1] + k[0]}, filter{o[1]};
      filter.insert(filter.end(), k.begin(), k.end());
      bool inside = true;
      for (size_t d = 0; d < n; ++d) {
        at.push_back(o[d + 2] * g.stride[d] + k[d + 1] * g.dilation[d] - g.padding[d]);
        inside = inside && at.back() >= 0 && at.back() < x[d + 2];
      }
      if (inside) term(at, filter, o);
    } while (step(k, inner));
  } while (step(o, y));
}

Array correlate(const Geometry& g, const Array& x, const Array& w, const Dims& size) {
  Dims sizes{x.sizes[0], w.sizes[0]};
  sizes.insert(sizes.end(), size.begin(), size.end());
  Array y(sizes);
  each_term(g, x.sizes, w.sizes, y.sizes, [&](const Dims& i, const Dims& j, const Dims& k) { y.at(k) += x.at(i) * w.at(j); });
  return y;
}
Array spread_back(const Geometry& g, const Array& y, const Array& w, const Dims& size) {
  Dims sizes{y.sizes[0], w.sizes[1] * g.groups};
  sizes.insert(sizes.end(), size.begin(), size.end());
  Array x(sizes);
  each_term(g, x.sizes, w.sizes, y.sizes, [&](const Dims& i, const Dims& j, const Dims& k) { x.at(i) += y.at(k) * w.at(j); });
  return x;
}

Array add_bias(Array y, const Arguments& a, int position) {
  if (!a.has(position)) return y;
  const Array b = a.array(position);
  const int64_t plane = Array::count(y.sizes) / std::max<int64_t>(1, y.sizes[0] * y.sizes[1]);
  for (size_t i = 0; i < y.values.size(); ++i) y.values[i] += b.values[i / static_cast<size_t>(plane) % b.values.size()];
  return y;
}

Array conv(const Arguments& a, Geometry g, bool transposed, Dims extra, bool same) {
  Array x = a.array(0);
  const Array w = a.array(1);
  const size_t n = w.ndim() - 2;
  const bool single = x.ndim() == n + 1;
  if (single) x.sizes.insert(x.sizes.begin(), 1);
  Dims size;
  for (size_t d = 0; d < n; ++d) {
    const int64_t reach = g.dilation[d] * (w.sizes[d + 2] - 1);
    if (same) g.padding[d] = reach / 2;
    if (same) size.push_back(x.sizes[d + 2]);
    else if (transposed) size.push_back((x.sizes[d + 2] - 1) * g.stride[d] - 2 * g.padding[d] + reach + extra[d] + 1);
    else size.push_back((x.sizes[d + 2] + 2 * g.padding[d] - reach - 1) / g.stride[d] + 1);
  }
  Array y = add_bias(transposed ? spread_back(g, x, w, size) : correlate(g, x, w, size), a, 2);
  if (single) y.sizes.erase(y.sizes.begin());
  return y;
}
std::vector<Array> conv_nd(const Arguments& a) {
  const size_t n = a.array(1).ndim() - 2;
  return {conv(a, {spread(a.integers(3), n), spread(a.integers(4), n), spread(a.integers(5), n), a.integer(6)}, false, {}, false)};
}
std::vector<Array> conv_padding(const Arguments& a) {
  const size_t n = a.array(1).ndim() - 2;
  return {conv(a, {spread(a.integers(3), n), Dims(n, 0), spread(a.integers(5), n), a.integer(6)}, false, {}, a.text(4) == "same")};
}
std::vector<Array> conv_transpose(const Arguments& a) {
  const size_t n = a.array(1).ndim() - 2;
  return {conv(a, {spread(a.integers(3), n), spread(a.integers(4), n), spread(a.integers(7), n), a.integer(6)}, true, spread(a.integers(5), n), false)};
}
std::vector<Array> convolution(const Arguments& a) {
  const size_t n = a.array(1).ndim() - 2;
  return {conv(a, {spread(a.integers(3), n), spread(a.integers(4), n), spread(a.integers(5), n), a.integer(8)}, a.flag(6), spread(a.integers(7), n), false)};
}
std::vector<Array> convolution_backward(const Arguments& a) {   // samples: not transposed, everything asked for
  const Array g = a.array(0), x = a.array(1), w = a.array(2);
  const size_t n = w.ndim() - 2;
  const Geometry geometry{spread(a.integers(4), n), spread(a.integers(5), n), spread(a.integers(6), n), a.integer(9)};
  Array dw(w.sizes), db({w.sizes[0]});
  each_term(geometry, x.sizes, w.sizes, g.sizes, [&](const Dims& i, const Dims& j, const Dims& k) { dw.at(j) += x.at(i) * g.at(k); });
  Dims o(g.ndim(), 0);
  do db.values[static_cast<size_t>(o[1])] += g.at(o);
  while (step(o, g.sizes));
  return {spread_back(geometry, g, w, tail(x.sizes, n)), dw, db};
}

// ---- pooling: one window at a time, over all elements of the image
struct Window {
  Dims kernel, stride, padding, dilation;
  bool ceil_mode = false, adaptive = false;
  Dims size;                                                  // adaptive: of the result

  int64_t out(size_t d, int64_t in) const {
    if (adaptive) return size[d];
    const int64_t last = in + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1;
    int64_t n = last / stride[d] + 1;
    if (ceil_mode && last % stride[d] != 0) ++n;
    if (ceil_mode && (n - 1) * stride[d] >= in + padding[d]) --n;
    return n;
  }
  bool holds(size_t d, int64_t in, int64_t o, int64_t i) const {
    if (adaptive) return i >= o * in / size[d] && i * size[d] < (o + 1) * in;
    const int64_t from = i - (o * stride[d] - padding[d]);
    return from >= 0 && from % dilation[d] == 0 && from / dilation[d] < kernel[d];
  }
};
Dims pooled(const Window& w, const Dims& x, size_t n) {
  Dims y = x;
  for (size_t d = 0; d < n; ++d) y[x.size() - n + d] = w.out(d, x[x.size() - n + d]);
  return y;
}
// body(index of the result, index of the image, place in the plane) for every element of every window
template <class Body> void each_member(const Window& w, const Dims& x, const Dims& y, size_t n, const Body& body) {
  if (Array::count(y) == 0) return;
  const Dims plane = tail(x, n);
  Dims o(y.size(), 0);
  do {
    Dims i(n, 0);
    int64_t place = 0;
    do {
      bool inside = true;
      for (size_t d = 0; d < n; ++d) inside = inside && w.holds(d, plane[d], o[o.size() - n + d], i[d]);
      if (inside) {
        Dims at(o.begin(), o.end() - static_cast<int64_t>(n));
        at.insert(at.end(), i.begin(), i.end());
        body(o, at, place);
      }
      ++place;
    } while (step(i, plane));
  } while (step(o, y));
}

std::vector<Array> maxima(const Array& x, const Window& w, size_t n) {
  const Dims y = pooled(w, x.sizes, n);
  Array value(y, -INFINITY), place(y, -1);
  each_member(w, x.sizes, y, n, [&](const Dims& o, const Dims& i, int64_t p) {
    if (x.at(i) > value.at(o) || std::isnan(x.at(i)) || place.at(o) < 0) value.at(o) = x.at(i), place.at(o) = static_cast<double>(p);
  });
  return {value, place};
}
Window fixed(const Arguments& a, size_t n, int at, int dilation, int ceil) {
  Window w;
  w.kernel = spread(a.integers(at), n);
  w.stride = a.integers(at + 1).empty() ? w.kernel : spread(a.integers(at + 1), n);
  w.padding = spread(a.integers(at + 2), n);
  w.dilation = dilation ? spread(a.integers(dilation), n) : Dims(n, 1);
  w.ceil_mode = a.flag(ceil);
  return w;
}
Window even(const Dims& size) {
  Window w;
  w.adaptive = true;
  w.size = size;
  return w;
}
template <size_t n> std::vector<Array> max_pool(const Arguments& a) { return maxima(a.array(0), fixed(a, n, 1, 4, 5), n); }
template <size_t n> std::vector<Array> max_pool_values(const Arguments& a) { return {max_pool<n>(a)[0]}; }
template <size_t n> std::vector<Array> adaptive_max_pool(const Arguments& a) { return maxima(a.array(0), even(spread(a.integers(1), n)), n); }

// What the sum of each window is divided by.
Array divisors(const Window& w, const Dims& x, const Dims& y, size_t n, bool include_pad, double override_by) {
  Array count(y);
  each_member(w, x, y, n, [&](const Dims& o, const Dims&, int64_t) { count.at(o) += 1; });
  Dims o(y.size(), 0);
  if (!count.values.empty())
    do {
      if (include_pad) {
        count.at(o) = 1;
        for (size_t d = 0; d < n; ++d) {
          const int64_t from = o[o.size() - n + d] * w.stride[d] - w.padding[d];
          count.at(o) *= static_cast<double>(std::min(from + w.kernel[d], x[x.size() - n + d] + w.padding[d]) - from);
        }
      }
      if (override_by != 0) count.at(o) = override_by;
    } while (step(o, y));
  return count;
}
Array average(const Array& x, const Window& w, size_t n, bool include_pad, double override_by, bool integral) {
  const Dims y = pooled(w, x.sizes, n);
  const Array by = divisors(w, x.sizes, y, n, include_pad, override_by);
  Array sum(y);
  each_member(w, x.sizes, y, n, [&](const Dims& o, const Dims& i, int64_t) { sum.at(o) += x.at(i); });
  for (size_t k = 0; k < sum.values.size(); ++k) sum.values[k] = integral ? std::trunc(sum.values[k] / by.values[k]) : sum.values[k] / by.values[k];
  return sum;
}
Array dealt_out(const Array& g, const Dims& x, const Window& w, size_t n, bool include_pad, double override_by) {
  const Array by = divisors(w, x, g.sizes, n, include_pad, override_by);
  Array dx(x);
  each_member(w, x, g.sizes, n, [&](const Dims& o, const Dims& i, int64_t) { dx.at(i) += g.at(o) / by.at(o); });
  return dx;
}
template <size_t n> std::vector<Array> avg_pool(const Arguments& a) {
  return {average(a.array(0), fixed(a, n, 1, 0, 4), n, a.flag(5), n > 1 && a.has(6) ? static_cast<double>(a.integer(6)) : 0, a.is_integral(0))};
}
template <size_t n> std::vector<Array> avg_pool_backward(const Arguments& a) {
  return {dealt_out(a.array(0), a.array(1).sizes, fixed(a, n, 2, 0, 5), n, a.flag(6), a.has(7) ? static_cast<double>(a.integer(7)) : 0)};
}
template <size_t n> std::vector<Array> adaptive_avg_pool(const Arguments& a) { return {average(a.array(0), even(spread(a.integers(1), n)), n, false, 0, false)}; }
template <size_t n> std::vector<Array> adaptive_avg_backward(const Arguments& a) {
  const Array g = a.array(0);
  return {dealt_out(g, a.array(1).sizes, even(tail(g.sizes, n)), n, false, 0)};
}

// Elements put or added at places of planes.
Array put(const Array& x, const Array& place, Dims sizes, size_t n, bool add) {
  Array out(sizes);
  const size_t from = static_cast<size_t>(Array::count(tail(x.sizes, n))), to = static_cast<size_t>(Array::count(tail(sizes, n)));
  for (size_t i = 0; i < x.values.size(); ++i) {
    double& e = out.values[i / from * to + static_cast<size_t>(place.values[i])];
    e = add ? e + x.values[i] : x.values[i];
  }
  return out;
}
template <size_t n> std::vector<Array> max_backward(const Arguments& a) { return {put(a.array(0), a.array(7), a.array(1).sizes, n, true)}; }
template <size_t n> std::vector<Array> adaptive_max_backward(const Arguments& a) { return {put(a.array(0), a.array(2), a.array(1).sizes, n, true)}; }
template <size_t n> std::vector<Array> max_unpool(const Arguments& a) {
  const Array x = a.array(0);
  Dims sizes(x.sizes.begin(), x.sizes.end() - static_cast<int64_t>(n));
  for (int64_t s : spread(a.integers(2), n)) sizes.push_back(s);
  return {put(x, a.array(1), sizes, n, false)};
}

}  // namespace

Oracles convolutions() {
  return {
      {"conv1d", conv_nd}, {"conv2d", conv_nd}, {"conv3d", conv_nd}, {"conv1d_padding", conv_padding}, {"conv2d_padding", conv_padding},
      {"conv3d_padding", conv_padding}, {"conv_transpose1d", conv_transpose}, {"conv_transpose2d", conv_transpose},
      {"conv_transpose3d", conv_transpose}, {"convolution", convolution}, {"convolution_backward", convolution_backward},
      {"max_pool1d_with_indices", max_pool<1>}, {"max_pool2d_with_indices", max_pool<2>}, {"max_pool3d_with_indices", max_pool<3>},
      {"max_pool1d", max_pool_values<1>}, {"max_pool2d", max_pool_values<2>}, {"max_pool3d", max_pool_values<3>},
      {"adaptive_max_pool1d", adaptive_max_pool<1>}, {"adaptive_max_pool2d", adaptive_max_pool<2>}, {"adaptive_max_pool3d", adaptive_max_pool<3>},
      {"avg_pool1d", avg_pool<1>}, {"avg_pool2d", avg_pool<2>}, {"avg_pool3d", avg_pool<3>}, {"avg_pool2d_backward", avg_pool_backward<2>},
      {"avg_pool3d_backward", avg_pool_backward<3>}, {"adaptive_avg_pool1d", adaptive_avg_pool<1>}, {"adaptive_avg_pool2d", adaptive_avg_pool<2>},
      {"adaptive_avg_pool3d", adaptive_avg_pool<3>}, {"_adaptive_avg_pool2d", adaptive_avg_pool<2>}, {"_adaptive_avg_pool3d", adaptive_avg_pool<3>},
      {"_adaptive_avg_pool2d_backward", adaptive_avg_backward<2>}, {"_adaptive_avg_pool3d_backward", adaptive_avg_backward<3>},
      {"max_pool2d_with_indices_backward", max_backward<2>}, {"max_pool3d_with_indices_backward", max_backward<3>},
      {"adaptive_max_pool2d_backward", adaptive_max_backward<2>}, {"adaptive_max_pool3d_backward", adaptive_max_backward<3>},
      {"max_unpool2d", max_unpool<2>}, {"max_unpool3d", max_unpool<3>},
  };
}

}  // namespace gradus::oracle
