// Convolutions without a matrix to speak of: one channel of the result at a time (depthwise), where the accumulators of the
// register tile are several lines of it, and weights of few pairs of channels, which are dot products of images.
#if defined(GRADUS_KERNELS_CONV_SINGLE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_KERNELS_CONV_SINGLE_INL_H
#undef GRADUS_KERNELS_CONV_SINGLE_INL_H
#else
#define GRADUS_KERNELS_CONV_SINGLE_INL_H
#endif
#include <utility>

#include "kernels/conv_walk-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// kLines lines of n <= lanes columns. Loads reach a whole vector.
template <int kLines, class T> void single_tile(const Walk<T>& w, const T* b, T* c, ptrdiff_t b_line, ptrdiff_t c_line, ptrdiff_t n) {
  const hn::ScalableTag<T> d;
  hn::Vec<decltype(d)> sum[kLines];
  GRADUS_FLAT for (int i = 0; i < kLines; ++i) sum[i] = hn::Set(d, w.bias ? *w.bias : T(0));
  for (ptrdiff_t s = 0; s < w.tile.segments; ++s) {
    const T* a = w.a + w.tile.offset[s].a;
    const T* from = b + w.tile.offset[s].b;
    for (ptrdiff_t k = w.tile.k; k != 0; --k, a += w.tile.a_k, from += w.tile.b_k) {
      const auto x = hn::Set(d, *a);
      GRADUS_FLAT for (int i = 0; i < kLines; ++i) sum[i] = hn::MulAdd(x, hn::LoadU(d, from + i * b_line), sum[i]);
    }
  }
  GRADUS_FLAT for (int i = 0; i < kLines; ++i) store_first(d, sum[i], c + i * c_line, n);
}

// Lines of one vector or less.
template <class T> void single_strip(const Walk<T>& w, const T* b, T* c, ptrdiff_t lines, ptrdiff_t b_line, ptrdiff_t c_line, ptrdiff_t n) {
  ptrdiff_t y = 0;
  for (; y + 8 <= lines; y += 8) single_tile<8>(w, b + y * b_line, c + y * c_line, b_line, c_line, n);
  if (y + 4 <= lines) single_tile<4>(w, b + y * b_line, c + y * c_line, b_line, c_line, n), y += 4;
  if (y + 2 <= lines) single_tile<2>(w, b + y * b_line, c + y * c_line, b_line, c_line, n), y += 2;
  if (y < lines) single_tile<1>(w, b + y * b_line, c + y * c_line, b_line, c_line, n);
}

// A walk with one row whose k is not cut into blocks. The image must be in memory of its own.
template <class T> void walk_single(const Walk<T>& w) {
  const Field& f = w.field;
  constexpr ptrdiff_t kWidth = kLanes<T>;
  for (ptrdiff_t z = 0; z < f.planes; ++z) {
    const T* const b = w.b + z * f.b_plane;
    T* const c = w.c + z * f.c_plane;
    if (f.lines == 1) {                     // pieces of the line take the place of lines
      const ptrdiff_t whole = f.columns / kWidth, rest = f.columns % kWidth;
      single_strip(w, b, c, whole, kWidth, kWidth, kWidth);
      if (rest != 0) single_strip(w, b + whole * kWidth, c + whole * kWidth, 1, kWidth, kWidth, rest);
      continue;
    }
    for (ptrdiff_t x = 0; x < f.columns; x += kWidth) single_strip(w, b + x, c + x, f.lines, f.b_line, f.c_line, std::min(kWidth, f.columns - x));
  }
}

// sums[t] += lines of y times the same lines of x, moved by offset[t], lane by lane.
struct DotLines {
  ptrdiff_t planes, lines, length, x_plane, x_line;
};
template <int kTaps, class T> void dot_taps(const DotLines& f, const T* x, const T* y, const ptrdiff_t* offset, T* sums) {
  const hn::ScalableTag<T> d;
  constexpr ptrdiff_t kWidth = kLanes<T>;
  hn::Vec<decltype(d)> sum[kTaps];
  GRADUS_FLAT for (int t = 0; t < kTaps; ++t) sum[t] = hn::LoadU(d, sums + t * kWidth);
  for (ptrdiff_t z = 0; z < f.planes; ++z)
    for (ptrdiff_t l = 0; l < f.lines; ++l, y += f.length) {
      const T* const from = x + z * f.x_plane + l * f.x_line;
      ptrdiff_t i = 0;
      for (; i + kWidth <= f.length; i += kWidth) {
        const auto v = hn::LoadU(d, y + i);
        GRADUS_FLAT for (int t = 0; t < kTaps; ++t) sum[t] = hn::MulAdd(v, hn::LoadU(d, from + offset[t] + i), sum[t]);
      }
      if (i == f.length) continue;
      const auto v = load_first(d, y + i, f.length - i);
      // Both sides are masked: 0 times what lies behind the line could be NaN.
      GRADUS_FLAT for (int t = 0; t < kTaps; ++t) sum[t] = hn::MulAdd(v, load_first(d, from + offset[t] + i, f.length - i), sum[t]);
    }
  GRADUS_FLAT for (int t = 0; t < kTaps; ++t) hn::StoreU(sum[t], d, sums + t * kWidth);
}
template <class T> void dot_all_taps(const DotLines& f, const T* x, const T* y, const ptrdiff_t* offset, ptrdiff_t taps, T* sums) {
  using Kernel = void (*)(const DotLines&, const T*, const T*, const ptrdiff_t*, T*);
  static constexpr Kernel kernels[] = {dot_taps<1, T>, dot_taps<2, T>, dot_taps<3, T>, dot_taps<4, T>, dot_taps<5, T>, dot_taps<6, T>, dot_taps<7, T>,
                                       dot_taps<8, T>, dot_taps<9, T>, dot_taps<10, T>, dot_taps<11, T>, dot_taps<12, T>};
  constexpr ptrdiff_t kMost = kManyRegisters ? 12 : 6;
  for (ptrdiff_t t = 0, n; t < taps; t += n) {
    n = next_piece(taps - t, kMost);
    kernels[n - 1](f, x, y, offset + t, sums + t * kLanes<T>);
  }
}

}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
