// Convolution, pooling, padding and resampling by their definitions.
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

}  // namespace

Oracles convolutions() {
  return {
      {"conv1d", conv_nd}, {"conv2d", conv_nd}, {"conv3d", conv_nd}, {"conv1d_padding", conv_padding}, {"conv2d_padding", conv_padding},
      {"conv3d_padding", conv_padding}, {"conv_transpose1d", conv_transpose}, {"conv_transpose2d", conv_transpose},
      {"conv_transpose3d", conv_transpose}, {"convolution", convolution}, {"convolution_backward", convolution_backward},
  };
}

}  // namespace gradus::oracle
