#include "kernels/image_map.h"

#include <algorithm>

#include "base/memory.h"
#include "kernels/planes.h"

namespace gradus::kernels {
namespace {

bool is_selection(const ImageMap& m) {
  bool all = true;
  for (const DimMap& d : m.dim) all &= d.taps == 1 && !d.weight;
  return all;
}
constexpr int64_t index_of(const DimMap& d, int64_t i) { return d.index ? d.index[i] : i; }
constexpr double weight_of(const DimMap& d, int64_t i) { return d.weight ? d.weight[i] : 1; }

// body(start of the line in the source, weight) for every pair of taps of the leading dims that line (i, j) reads.
template <class Body> void each_line(const ImageMap& m, int64_t i, int64_t j, const Body& body) {
  const DimMap &p = m.dim[0], &q = m.dim[1];
  for (int64_t a = i * p.taps; a < (i + 1) * p.taps; ++a)
    for (int64_t b = j * q.taps; b < (j + 1) * q.taps; ++b)
      body((index_of(p, a) * q.in + index_of(q, b)) * m.dim[2].in, weight_of(p, a) * weight_of(q, b));
}

template <class T> void select_plane(const ImageMap& m, const T* x, T* y) {
  for (int64_t i = 0; i < m.dim[0].out; ++i)
    for (int64_t j = 0; j < m.dim[1].out; ++j)
      each_line(m, i, j, [&](int64_t line, double) {
        for (int64_t k = 0; k < m.dim[2].out; ++k) *y++ = x[line + index_of(m.dim[2], k)];
      });
}
template <class T> void weigh_plane(const ImageMap& m, const T* x, T* y, WideOf<T>* sums) {
  using W = WideOf<T>;
  const DimMap& r = m.dim[2];
  for (int64_t i = 0; i < m.dim[0].out; ++i)
    for (int64_t j = 0; j < m.dim[1].out; ++j, y += r.out) {
      std::fill_n(sums, r.out, W(0));
      each_line(m, i, j, [&](int64_t line, double w) {
        for (int64_t k = 0; k < r.out; ++k) {
          W s = 0;
          for (int64_t c = k * r.taps; c < (k + 1) * r.taps; ++c) s += static_cast<W>(weight_of(r, c)) * convert_any<W>(x[line + index_of(r, c)]);
          sums[k] += static_cast<W>(w) * s;
        }
      });
      for (int64_t k = 0; k < r.out; ++k) y[k] = convert_any<T>(sums[k]);
    }
}
template <class T> void back_plane(const ImageMap& m, const T* y, WideOf<T>* x) {
  using W = WideOf<T>;
  const DimMap& r = m.dim[2];
  for (int64_t i = 0; i < m.dim[0].out; ++i)
    for (int64_t j = 0; j < m.dim[1].out; ++j, y += r.out)
      each_line(m, i, j, [&](int64_t line, double w) {
        for (int64_t k = 0; k < r.out; ++k) {
          const W v = static_cast<W>(w) * convert_any<W>(y[k]);
          for (int64_t c = k * r.taps; c < (k + 1) * r.taps; ++c) x[line + index_of(r, c)] += static_cast<W>(weight_of(r, c)) * v;
        }
      });
}

// Lines of windows: body(line of the image or -1, start of the line of columns, first column of the kernel's tap).
template <class Body> void each_column_line(const Fold& f, const Body& body) {
  int64_t at = 0;
  for (int64_t c = 0; c < f.channels; ++c)
    for (int64_t p = 0; p < f.kernel[0]; ++p)
      for (int64_t q = 0; q < f.kernel[1]; ++q)
        for (int64_t i = 0; i < f.count[0]; ++i, at += f.count[1]) {
          const int64_t row = i * f.stride[0] - f.padding[0] + p * f.dilation[0];
          body(row >= 0 && row < f.size[0] ? (c * f.size[0] + row) * f.size[1] : -1, at, q * f.dilation[1] - f.padding[1]);
        }
}
int64_t image_elements(const Fold& f) { return f.channels * f.size[0] * f.size[1]; }
int64_t column_elements(const Fold& f) { return f.channels * f.kernel[0] * f.kernel[1] * f.count[0] * f.count[1]; }

}  // namespace

void map_image(const ImageMap& m, Dtype t, const void* x, void* y) {
  const bool select = is_selection(m);
  visit_all(t, [&]<class T>() {
    each_plane(m.planes, m.out_plane(), [&](int64_t p) {
      const T* const from = static_cast<const T*>(x) + p * m.in_plane();
      T* const to = static_cast<T*>(y) + p * m.out_plane();
      if (select) return select_plane(m, from, to);
      const Scratch sums(static_cast<size_t>(m.dim[2].out) * sizeof(WideOf<T>));
      weigh_plane(m, from, to, sums.as<WideOf<T>>());
    });
  });
}

void map_image_back(const ImageMap& m, Dtype t, const void* y, void* x) {
  visit_all(t, [&]<class T>() {
    each_plane(m.planes, m.out_plane(), [&](int64_t p) {
      const T* const from = static_cast<const T*>(y) + p * m.out_plane();
      T* const to = static_cast<T*>(x) + p * m.in_plane();
      sum_into(to, m.in_plane(), [&](WideOf<T>* sums) { back_plane(m, from, sums); });
    });
  });
}

void image_to_columns(const Fold& f, Dtype t, const void* image, void* columns) {
  visit_all(t, [&]<class T>() {
    each_plane(f.images, column_elements(f), [&](int64_t n) {
      const T* const from = static_cast<const T*>(image) + n * image_elements(f);
      T* const to = static_cast<T*>(columns) + n * column_elements(f);
      each_column_line(f, [&](int64_t line, int64_t at, int64_t first) {
        for (int64_t j = 0; j < f.count[1]; ++j) {
          const int64_t column = j * f.stride[1] + first;
          to[at + j] = line >= 0 && column >= 0 && column < f.size[1] ? from[line + column] : T{};
        }
      });
    });
  });
}

void columns_to_image(const Fold& f, Dtype t, const void* columns, void* image) {
  visit_all(t, [&]<class T>() {
    each_plane(f.images, column_elements(f), [&](int64_t n) {
      using W = WideOf<T>;
      const T* const from = static_cast<const T*>(columns) + n * column_elements(f);
      T* const to = static_cast<T*>(image) + n * image_elements(f);
      sum_into(to, image_elements(f), [&](W* sums) {
        each_column_line(f, [&](int64_t line, int64_t at, int64_t first) {
          for (int64_t j = 0; line >= 0 && j < f.count[1]; ++j) {
            const int64_t column = j * f.stride[1] + first;
            if (column >= 0 && column < f.size[1]) sums[line + column] += convert_any<W>(from[at + j]);
          }
        });
      });
    });
  });
}

}  // namespace gradus::kernels
