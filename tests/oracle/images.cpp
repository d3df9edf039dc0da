// Padding, resampling and fold by their definitions: each as a dense matrix per dim, or element by element.
#include <algorithm>
#include <cmath>

#include "oracle.h"

namespace gradus::oracle {
namespace {

using Dims = std::vector<int64_t>;
using Matrix = std::vector<std::vector<double>>;              // [out][in]

Dims spread(Dims d, size_t n) { return d.size() == n ? d : Dims(n, d[0]); }

// One matrix applied along one dim, or its transpose.
Array along(const Array& x, size_t dim, const Matrix& m, bool transposed) {
  Dims sizes = x.sizes;
  const auto rows = static_cast<int64_t>(m.size()), columns = static_cast<int64_t>(m[0].size());
  sizes[dim] = transposed ? columns : rows;
  Array y(sizes);
  if (y.values.empty()) return y;
  Dims o(sizes.size(), 0);
  do {
    Dims i = o;
    for (int64_t k = 0; k < x.sizes[dim]; ++k) {
      i[dim] = k;
      const auto p = static_cast<size_t>(transposed ? k : o[dim]), q = static_cast<size_t>(transposed ? o[dim] : k);
      if (m[p][q] != 0) y.at(o) += m[p][q] * x.at(i);
    }
  } while (step(o, sizes));
  return y;
}
Array along_last(Array x, const std::vector<Matrix>& m, bool transposed = false) {
  for (size_t d = 0; d < m.size(); ++d) x = along(x, x.ndim() - m.size() + d, m[d], transposed);
  return x;
}

// ---- padding
Matrix padding(const std::string& mode, int64_t in, int64_t before, int64_t behind) {
  Matrix m;
  for (int64_t u = -before; u < in + behind; ++u) {
    m.emplace_back(static_cast<size_t>(in), 0.0);
    int64_t at = u;
    if (mode == "reflect") at = at < 0 ? -at : at >= in ? 2 * in - 2 - at : at;
    if (mode == "replicate") at = std::max<int64_t>(0, std::min(at, in - 1));
    if (mode == "circular") {                                 // of what negative padding leaves
      const int64_t first = std::max<int64_t>(0, -before), left = in - first - std::max<int64_t>(0, -behind);
      at = first + (((at - first) % left) + left) % left;
    }
    if (at >= 0 && at < in) m.back()[static_cast<size_t>(at)] = 1;
  }
  return m;
}
std::vector<Matrix> paddings(const std::string& mode, const Dims& sizes, const Dims& pad) {
  std::vector<Matrix> m;
  for (size_t k = pad.size() / 2; k-- > 0;) m.push_back(padding(mode, sizes[sizes.size() - 1 - k], pad[2 * k], pad[2 * k + 1]));
  return m;
}
Array constant(const Array& x, const Dims& pad, double value) {
  Array mask = x;
  std::fill(mask.values.begin(), mask.values.end(), 1.0);
  const std::vector<Matrix> m = paddings("constant", x.sizes, pad);
  Array y = along_last(x, m), inside = along_last(mask, m);
  for (size_t i = 0; i < y.values.size(); ++i)
    if (inside.values[i] == 0) y.values[i] = value;
  return y;
}
std::vector<Array> constant_pad_nd(const Arguments& a) { return {constant(a.array(0), a.integers(1), a.number(2))}; }
std::vector<Array> pad(const Arguments& a) {
  if (a.text(2) == "constant") return {constant(a.array(0), a.integers(1), a.has(3) ? a.number(3) : 0)};
  const Array x = a.array(0);
  return {along_last(x, paddings(a.text(2), x.sizes, a.integers(1)))};
}
template <int reflect, size_t n> std::vector<Array> pad_nd(const Arguments& a) {
  const Array x = a.array(0);
  return {along_last(x, paddings(reflect ? "reflect" : "replicate", x.sizes, spread(a.integers(1), 2 * n)))};
}
template <int reflect, size_t n> std::vector<Array> pad_backward(const Arguments& a) {
  return {along_last(a.array(0), paddings(reflect ? "reflect" : "replicate", a.array(1).sizes, spread(a.integers(2), 2 * n)), true)};
}

// ---- resampling
enum class Mode { nearest, exact, linear, cubic };
double keys(double t) {                                       // |t| < 2, a = -3/4
  const double a = -0.75, u = std::abs(t);
  if (u <= 1) return (a + 2) * u * u * u - (a + 3) * u * u + 1;
  if (u < 2) return a * (u * u * u - 5 * u * u + 8 * u - 4);
  return 0;
}
Matrix resampling(Mode mode, int64_t in, int64_t out, bool corners, double scale) {
  Matrix m(static_cast<size_t>(out), std::vector<double>(static_cast<size_t>(in), 0));
  const double ratio = scale > 0 ? 1 / scale : static_cast<double>(in) / static_cast<double>(out);
  const auto clip = [&](double i) { return static_cast<size_t>(std::clamp(i, 0.0, static_cast<double>(in - 1))); };
  for (int64_t o = 0; o < out; ++o) {
    std::vector<double>& row = m[static_cast<size_t>(o)];
    const auto x = static_cast<double>(o);
    double at = (x + 0.5) * ratio - 0.5;
    if (corners) at = out == 1 ? 0 : x * static_cast<double>(in - 1) / static_cast<double>(out - 1);
    if (mode == Mode::nearest) row[clip(std::floor(x * ratio))] = 1;
    if (mode == Mode::exact) row[clip(std::floor((x + 0.5) * ratio))] = 1;
    if (mode == Mode::linear) {
      at = std::max(at, 0.0);
      row[clip(std::floor(at))] += 1 - (at - std::floor(at));
      row[clip(std::floor(at) + 1)] += at - std::floor(at);
    }
    if (mode == Mode::cubic)
      for (int k = -1; k <= 2; ++k) row[clip(std::floor(at) + k)] += keys(at - std::floor(at) - k);
  }
  return m;
}
// Schema: image or gradient, output_size, then from `at` on [align_corners,] scales.
std::vector<Matrix> resamplings(const Arguments& a, Mode mode, const Dims& image, size_t n, int at) {
  const bool has_corners = mode == Mode::linear || mode == Mode::cubic;
  const int scales = has_corners ? at + 1 : at;
  std::vector<Matrix> m;
  for (size_t d = 0; d < n; ++d) {
    const int position = scales + static_cast<int>(d);
    const double scale = a.has(position) ? a.number(position) : 0;
    const int64_t in = image[image.size() - n + d];
    const int64_t out = a.has(1) ? spread(a.integers(1), n)[d] : static_cast<int64_t>(std::floor(static_cast<double>(in) * scale));
    m.push_back(resampling(mode, in, out, has_corners && a.flag(at), scale));
  }
  return m;
}
template <Mode mode, size_t n> std::vector<Array> upsample(const Arguments& a) {
  const Array x = a.array(0);
  return {along_last(x, resamplings(a, mode, x.sizes, n, 2))};
}
template <Mode mode> std::vector<Array> upsample_backward(const Arguments& a) {
  return {along_last(a.array(0), resamplings(a, mode, a.integers(2), 2, 3), true)};
}

// ---- fold: body(index of the image, index of the columns) for all pixels that windows hold
struct Fold {
  Dims kernel, dilation, padding, stride;
  int64_t count(size_t d, int64_t size) const { return (size + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1) / stride[d] + 1; }
};
template <class Body> void each_pixel(const Fold& f, const Dims& image, const Body& body) {       // image: n, c, h, w
  const int64_t rows = f.count(0, image[2]), columns = f.count(1, image[3]);
  const Dims all{image[0], image[1], f.kernel[0], f.kernel[1], rows, columns};
  if (Array::count(all) == 0) return;
  Dims i(6, 0);
  do {
    const int64_t y = i[4] * f.stride[0] + i[2] * f.dilation[0] - f.padding[0], x = i[5] * f.stride[1] + i[3] * f.dilation[1] - f.padding[1];
    if (y < 0 || y >= image[2] || x < 0 || x >= image[3]) continue;
    body(Dims{i[0], i[1], y, x}, Dims{i[0], (i[1] * f.kernel[0] + i[2]) * f.kernel[1] + i[3], i[4] * columns + i[5]});
  } while (step(i, all));
}
Fold fold(const Arguments& a, int at) { return {spread(a.integers(at), 2), spread(a.integers(at + 1), 2), spread(a.integers(at + 2), 2), spread(a.integers(at + 3), 2)}; }
std::vector<Array> im2col(const Arguments& a) {
  Array x = a.array(0);
  const bool single = x.ndim() == 3;
  if (single) x.sizes.insert(x.sizes.begin(), 1);
  const Fold f = fold(a, 1);
  Array y({x.sizes[0], x.sizes[1] * f.kernel[0] * f.kernel[1], f.count(0, x.sizes[2]) * f.count(1, x.sizes[3])});
  each_pixel(f, x.sizes, [&](const Dims& i, const Dims& c) { y.at(c) = x.at(i); });
  if (single) y.sizes.erase(y.sizes.begin());
  return {y};
}
std::vector<Array> col2im(const Arguments& a) {
  Array y = a.array(0);
  const bool single = y.ndim() == 2;
  if (single) y.sizes.insert(y.sizes.begin(), 1);
  const Fold f = fold(a, 2);
  const Dims size = spread(a.integers(1), 2);
  Array x({y.sizes[0], y.sizes[1] / (f.kernel[0] * f.kernel[1]), size[0], size[1]});
  each_pixel(f, x.sizes, [&](const Dims& i, const Dims& c) { x.at(i) += y.at(c); });
  if (single) x.sizes.erase(x.sizes.begin());
  return {x};
}

// ---- pixels and channels, of four dims in the samples
std::vector<Array> pixel_shuffle(const Arguments& a) {
  const Array x = a.array(0);
  const int64_t r = a.integer(1);
  Array y({x.sizes[0], x.sizes[1] / (r * r), x.sizes[2] * r, x.sizes[3] * r});
  Dims o(4, 0);
  do y.at(o) = x.at({o[0], (o[1] * r + o[2] % r) * r + o[3] % r, o[2] / r, o[3] / r});
  while (step(o, y.sizes));
  return {y};
}
std::vector<Array> pixel_unshuffle(const Arguments& a) {
  const Array x = a.array(0);
  const int64_t r = a.integer(1);
  Array y({x.sizes[0], x.sizes[1] * r * r, x.sizes[2] / r, x.sizes[3] / r});
  Dims o(4, 0);
  do y.at(o) = x.at({o[0], o[1] / (r * r), o[2] * r + o[1] / r % r, o[3] * r + o[1] % r});
  while (step(o, y.sizes));
  return {y};
}
std::vector<Array> channel_shuffle(const Arguments& a) {
  const Array x = a.array(0);
  const int64_t groups = a.integer(1), each = x.sizes[1] / groups;
  Array y(x.sizes);
  Dims o(x.ndim(), 0);
  do {
    Dims i = o;
    i[1] = o[1] % groups * each + o[1] / groups;
    y.at(o) = x.at(i);
  } while (step(o, y.sizes));
  return {y};
}

}  // namespace

Oracles images() {
  return {
      {"constant_pad_nd", constant_pad_nd}, {"pad", pad}, {"reflection_pad1d", pad_nd<1, 1>}, {"reflection_pad2d", pad_nd<1, 2>},
      {"reflection_pad3d", pad_nd<1, 3>}, {"replication_pad1d", pad_nd<0, 1>}, {"replication_pad2d", pad_nd<0, 2>},
      {"replication_pad3d", pad_nd<0, 3>}, {"reflection_pad1d_backward", pad_backward<1, 1>}, {"reflection_pad2d_backward", pad_backward<1, 2>},
      {"reflection_pad3d_backward", pad_backward<1, 3>}, {"replication_pad1d_backward", pad_backward<0, 1>},
      {"replication_pad2d_backward", pad_backward<0, 2>}, {"replication_pad3d_backward", pad_backward<0, 3>},
      {"upsample_nearest1d", upsample<Mode::nearest, 1>}, {"upsample_nearest2d", upsample<Mode::nearest, 2>},
      {"upsample_nearest3d", upsample<Mode::nearest, 3>}, {"_upsample_nearest_exact1d", upsample<Mode::exact, 1>},
      {"_upsample_nearest_exact2d", upsample<Mode::exact, 2>}, {"_upsample_nearest_exact3d", upsample<Mode::exact, 3>},
      {"upsample_linear1d", upsample<Mode::linear, 1>}, {"upsample_bilinear2d", upsample<Mode::linear, 2>},
      {"upsample_trilinear3d", upsample<Mode::linear, 3>}, {"upsample_bicubic2d", upsample<Mode::cubic, 2>},
      {"upsample_nearest2d_backward", upsample_backward<Mode::nearest>}, {"upsample_bilinear2d_backward", upsample_backward<Mode::linear>},
      {"upsample_bicubic2d_backward", upsample_backward<Mode::cubic>}, {"im2col", im2col}, {"col2im", col2im},
      {"pixel_shuffle", pixel_shuffle}, {"pixel_unshuffle", pixel_unshuffle}, {"channel_shuffle", channel_shuffle},
  };
}

}  // namespace gradus::oracle
