// The vector loops of normalisation: statistics in two passes, sums in double. Included once per SIMD target.
#if defined(GRADUS_KERNELS_NORMALIZE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_KERNELS_NORMALIZE_INL_H
#undef GRADUS_KERNELS_NORMALIZE_INL_H
#else
#define GRADUS_KERNELS_NORMALIZE_INL_H
#endif
#include "kernels/normalize.h"
#include "kernels/softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
namespace kernels_normalize {

using kernels::Normalize;
using kernels::NormalizeBack;
using kernels_softmax::get;
using kernels_softmax::over;
using kernels_softmax::put;

// Of floats in double: the mean of numbers far from 0 is wanted to more digits than they have.
struct WideSum : kernels_reduce::Adds {
  static constexpr bool wide = true;
  template <class V> static HWY_INLINE V step(V a, V x, V) { return a + x; }
};

// Group s lies in `pieces` pieces of `length` elements, `stride` apart; its first channel is `channel`.
struct Place {
  int64_t start, pieces, length, stride, channel;
  Place(const Normalize& z, int64_t s)
      : start(s * z.channels * z.inner), pieces(z.across ? z.batch : 1), length(z.channels * z.inner), stride(z.groups * length),
        channel(s % z.groups * z.channels) {}
};

// y = (x - mean) * factor * w + b over one channel, or over one element of each of n channels. What T cannot hold of the mean
// goes into the shift: where the mean is far from 0 it would be seen in y.
template <class T> HWY_INLINE void scale_channel(T* y, const T* x, int64_t n, double mean, double factor, double shift) {
  using D = hn::ScalableTag<T>;
  const Value<D> m(mean), f(factor), b(shift - (mean - static_cast<double>(static_cast<T>(mean))) * factor);
  over<D>(n, [&](int64_t i, int64_t k) HWY_ATTR { put((get<D>(x + i, k) - m) * f + b, y + i, k); });
}
template <class T> void scale_channels(T* y, const T* x, int64_t n, double mean, double factor, const T* w, const T* b) {
  using D = hn::ScalableTag<T>;
  const Value<D> m(mean), f(factor), l((mean - static_cast<double>(static_cast<T>(mean))) * factor);
  if (w && b) over<D>(n, [&](int64_t i, int64_t k) HWY_ATTR { put(((get<D>(x + i, k) - m) * f - l) * get<D>(w + i, k) + get<D>(b + i, k), y + i, k); });
  else if (w) over<D>(n, [&](int64_t i, int64_t k) HWY_ATTR { put(((get<D>(x + i, k) - m) * f - l) * get<D>(w + i, k), y + i, k); });
  else if (b) over<D>(n, [&](int64_t i, int64_t k) HWY_ATTR { put((get<D>(x + i, k) - m) * f - l + get<D>(b + i, k), y + i, k); });
  else scale_channel(y, x, n, mean, factor, 0);
}

template <class T> void forward(const Normalize& z, int64_t begin, int64_t end) {
  const T *w = static_cast<const T*>(z.weight), *b = static_cast<const T*>(z.bias);
  const auto n = static_cast<double>(z.count());
  for (int64_t s = begin; s < end; ++s) {
    const Place p(z, s);
    const T* x = static_cast<const T*>(z.x) + p.start;
    T* y = static_cast<T*>(z.y) + p.start;
    double mean = 0, var = 0;
    for (int64_t i = 0; z.center && i < p.pieces; ++i) mean += kernels_reduce::row<WideSum, T>(x + i * p.stride, p.length, 0);
    if (z.center) mean /= n;
    for (int64_t i = 0; i < p.pieces; ++i) var += kernels_reduce::row<kernels_reduce::SquareSum, T>(x + i * p.stride, p.length, mean);
    var /= n;
    static_cast<T*>(z.mean)[s] = static_cast<T>(mean);
    static_cast<T*>(z.var)[s] = static_cast<T>(var);
    const double factor = 1 / std::sqrt(var + z.eps);
    for (int64_t i = 0; i < p.pieces; ++i) {
      if (z.inner == 1) {
        scale_channels(y + i * p.stride, x + i * p.stride, p.length, mean, factor, w ? w + p.channel : nullptr, b ? b + p.channel : nullptr);
        continue;
      }
      for (int64_t c = 0; c < z.channels; ++c) {
        const int64_t at = i * p.stride + c * z.inner;
        scale_channel(y + at, x + at, z.inner, mean, w ? factor * static_cast<double>(w[p.channel + c]) : factor, b ? static_cast<double>(b[p.channel + c]) : 0);
      }
    }
  }
}

// The sums of g w and of g w (x - mean); w may be null. Floats are summed over 32 steps, then in double.
struct Pair { double g = 0, gx = 0; };
template <class T, bool weighted> Pair pair_sums(const T* g, const T* x, const T* w, double mean, int64_t n) {
  using D = hn::ScalableTag<T>;
  using V = Value<D>;
  constexpr int64_t lanes = static_cast<int64_t>(hn::MaxLanes(D())), width = kernels::kReduceWidth<T> / 2, vectors = width / lanes;
  const V m(mean);
  Pair total;
  for (int64_t at = 0; at < n;) {
    V a[vectors], b[vectors];
    GRADUS_FLAT for (int64_t u = 0; u < vectors; ++u) a[u] = b[u] = V(0);
    const int64_t end = std::min(n, at + 32 * width);
    const auto step = [&](int64_t u, int64_t k) HWY_ATTR {
      V v = get<D>(g + at, k);
      if constexpr (weighted) v = v * get<D>(w + at, k);
      a[u] = a[u] + v;
      b[u] = b[u] + v * (get<D>(x + at, k) - m);              // where k is less than all lanes, v is 0 in the rest
      at += k;
    };
    while (at + width <= end) GRADUS_FLAT for (int64_t u = 0; u < vectors; ++u) step(u, lanes);
    for (int64_t u = 0; u < vectors && at < end; ++u) step(u, std::min(lanes, end - at));
    GRADUS_FLAT for (int64_t h = vectors / 2; h > 0; h /= 2)
      GRADUS_FLAT for (int64_t u = 0; u < h; ++u) { a[u] = a[u] + a[u + h]; b[u] = b[u] + b[u + h]; }
    HWY_ALIGN T c[2][lanes];
    hn::Store(a[0].v, D(), c[0]);
    hn::Store(b[0].v, D(), c[1]);
    GRADUS_FLAT for (int64_t h = lanes / 2; h > 0; h /= 2)
      GRADUS_FLAT for (int64_t u = 0; u < h; ++u) { c[0][u] += c[0][u + h]; c[1][u] += c[1][u + h]; }
    total.g += static_cast<double>(c[0][0]);
    total.gx += static_cast<double>(c[1][0]);
  }
  return total;
}

// dx = g w * rstd - (x - mean) * slope - level
template <class T> void pull(T* dx, const T* g, const T* x, const T* w, int64_t n, double mean, double rstd, double slope, double level) {
  using D = hn::ScalableTag<T>;
  const Value<D> m(mean), r(rstd), s(slope), l(level);
  if (w) over<D>(n, [&](int64_t i, int64_t k) HWY_ATTR { put(get<D>(g + i, k) * get<D>(w + i, k) * r - (get<D>(x + i, k) - m) * s - l, dx + i, k); });
  else over<D>(n, [&](int64_t i, int64_t k) HWY_ATTR { put(get<D>(g + i, k) * r - (get<D>(x + i, k) - m) * s - l, dx + i, k); });
}

template <class T> double read(const void* p, int64_t i) { return static_cast<double>(static_cast<const T*>(p)[i]); }

// Of group s: the sums over all its elements, and by channel into b.sums where a channel has several elements.
template <class T> Pair group_sums(const NormalizeBack& b, const Place& p, double mean, double rstd) {
  const Normalize& z = b.of;
  const T *g = static_cast<const T*>(b.g) + p.start, *x = static_cast<const T*>(z.x) + p.start, *w = static_cast<const T*>(z.weight);
  if (z.inner == 1)
    return w ? pair_sums<T, true>(g, x, w + p.channel, mean, p.length) : pair_sums<T, false>(g, x, nullptr, mean, p.length);
  Pair all;
  for (int64_t i = 0; i < p.pieces; ++i)
    for (int64_t c = 0; c < z.channels; ++c) {
      const int64_t at = i * p.stride + c * z.inner, cell = (p.start + at) / z.inner;
      const Pair one = pair_sums<T, false>(g + at, x + at, nullptr, mean, z.inner);
      const double scale = w ? static_cast<double>(w[p.channel + c]) : 1;
      all.g += scale * one.g;
      all.gx += scale * one.gx;
      if (b.sums) {
        b.sums[2 * cell] = one.g;
        b.sums[2 * cell + 1] = one.gx * rstd;
      }
    }
  return all;
}

template <class T> void backward(const NormalizeBack& b, int64_t begin, int64_t end) {
  const Normalize& z = b.of;
  const T* w = static_cast<const T*>(z.weight);
  const auto n = static_cast<double>(z.count());
  for (int64_t s = begin; s < end; ++s) {
    const Place p(z, s);
    const double mean = read<T>(z.mean, s), rstd = read<T>(b.rstd, s);
    const Pair sums = group_sums<T>(b, p, mean, rstd);
    if (!b.dx) continue;
    const double level = z.center ? (rstd * sums.g - (b.grad_mean ? read<T>(b.grad_mean, s) : 0)) / n : 0;
    const double slope = (rstd * rstd * rstd * sums.gx - (b.grad_var ? 2 * read<T>(b.grad_var, s) : 0)) / n;
    const T *g = static_cast<const T*>(b.g) + p.start, *x = static_cast<const T*>(z.x) + p.start;
    T* dx = static_cast<T*>(b.dx) + p.start;
    for (int64_t i = 0; i < p.pieces; ++i)
      for (int64_t c = 0; c < (z.inner == 1 ? 1 : z.channels); ++c) {
        const int64_t at = i * p.stride + c * z.inner;
        if (z.inner == 1) pull<T>(dx + at, g + at, x + at, w ? w + p.channel : nullptr, p.length, mean, rstd, slope, level);
        else pull<T>(dx + at, g + at, x + at, nullptr, z.inner, mean, w ? rstd * static_cast<double>(w[p.channel + c]) : rstd, slope, level);
      }
  }
}

// dw and db where a channel has one element per batch member: bundles of neighbouring channels of one group.
inline constexpr int64_t kBundle = 128;
template <class T> void bundles(const NormalizeBack& b, int64_t begin, int64_t end) {
  using D = hn::ScalableTag<T>;
  using V = Value<D>;
  const Normalize& z = b.of;
  const int64_t each = (z.channels + kBundle - 1) / kBundle, stride = z.groups * z.channels;
  for (int64_t i = begin; i < end; ++i) {
    const int64_t group = i / each, first = group * z.channels + i % each * kBundle, n = std::min(kBundle, z.channels - i % each * kBundle);
    HWY_ALIGN T a[2][kBundle + 64] = {};
    double total[2][kBundle] = {};
    for (int64_t r = 0; r < z.batch;) {
      for (const int64_t stop = std::min(z.batch, r + 32); r < stop; ++r) {
        const int64_t s = r * z.groups + group;
        const V m(read<T>(z.mean, s)), rstd(read<T>(b.rstd, s));
        const T *g = static_cast<const T*>(b.g) + r * stride + first, *x = static_cast<const T*>(z.x) + r * stride + first;
        over<D>(n, [&](int64_t j, int64_t k) HWY_ATTR {
          const V v = get<D>(g + j, k);
          hn::StoreU((V(hn::LoadU(D(), a[0] + j)) + v).v, D(), a[0] + j);
          hn::StoreU((V(hn::LoadU(D(), a[1] + j)) + v * ((get<D>(x + j, k) - m) * rstd)).v, D(), a[1] + j);
        });
      }
      for (int q = 0; q < 2; ++q)
        for (int64_t j = 0; j < n; ++j) {
          total[q][j] += static_cast<double>(a[q][j]);
          a[q][j] = 0;
        }
    }
    for (int64_t j = 0; j < n; ++j) {
      if (b.db) static_cast<T*>(b.db)[first + j] = static_cast<T>(total[0][j]);
      if (b.dw) static_cast<T*>(b.dw)[first + j] = static_cast<T>(total[1][j]);
    }
  }
}

}  // namespace kernels_normalize
}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
