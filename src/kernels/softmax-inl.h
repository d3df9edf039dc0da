// The vector loops of softmax: single rows, and bundles of neighbouring columns. Included once per SIMD target.
#if defined(GRADUS_KERNELS_SOFTMAX_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_KERNELS_SOFTMAX_INL_H
#undef GRADUS_KERNELS_SOFTMAX_INL_H
#else
#define GRADUS_KERNELS_SOFTMAX_INL_H
#endif
#include <algorithm>
#include <cmath>

#include "kernels/reduce-inl.h"
#include "kernels/softmax.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
namespace kernels_softmax {

// Runs body(i, m) over [0, n): places of whole vectors, and of the m elements that remain. Four vectors at a time are
// independent, so that the loop is not one chain.
template <class D, class Body> HWY_INLINE void over(int64_t n, const Body& body) {
  constexpr int64_t lanes = static_cast<int64_t>(hn::MaxLanes(D()));
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) GRADUS_FLAT for (int64_t u = 0; u < 4; ++u) body(i + u * lanes, lanes);
  for (; i < n; i += lanes) body(i, std::min(lanes, n - i));
}
template <class D, class T> HWY_INLINE Value<D> get(const T* p, int64_t m) {
  if (m == static_cast<int64_t>(hn::MaxLanes(D()))) return hn::LoadU(D(), p);
  return load_some(D(), p, static_cast<size_t>(m));
}
template <class D, class T> HWY_INLINE void put(Value<D> v, T* p, int64_t m) {
  if (m == static_cast<int64_t>(hn::MaxLanes(D()))) hn::StoreU(v.v, D(), p);
  else store_some(D(), v.v, p, static_cast<size_t>(m));
}

template <class T> void forward_row(T* y, const T* x, int64_t n, bool log, bool safe) {
  using D = hn::ScalableTag<T>;
  using V = Value<D>;
  const T top = static_cast<T>(kernels_reduce::row<kernels_reduce::Max, T>(x, n, 0));
  if (safe && top == -HUGE_VAL) {
    std::fill(y, y + n, T(0));
    return;
  }
  const V m(static_cast<double>(top));
  if (log) {
    const V rest(std::log(kernels_reduce::row<kernels_reduce::ExpSum, T>(x, n, static_cast<double>(top))));
    over<D>(n, [&](int64_t i, int64_t k) HWY_ATTR { put(get<D>(x + i, k) - m - rest, y + i, k); });
    return;
  }
  over<D>(n, [&](int64_t i, int64_t k) HWY_ATTR { put(exp(get<D>(x + i, k) - m), y + i, k); });
  const V factor(1 / kernels_reduce::row<kernels_reduce::Sum, T>(y, n, 0));
  over<D>(n, [&](int64_t i, int64_t k) HWY_ATTR { put(get<D>(y + i, k) * factor, y + i, k); });
}

// The sum of a[i] b[i]: float products summed over 32 steps, then in double.
template <class T> double dot(const T* a, const T* b, int64_t n) {
  using D = hn::ScalableTag<T>;
  using V = Value<D>;
  constexpr int64_t lanes = static_cast<int64_t>(hn::MaxLanes(D())), width = kernels::kReduceWidth<T>, vectors = width / lanes;
  double total = 0;
  for (int64_t at = 0; at < n;) {
    V s[vectors];
    GRADUS_FLAT for (int64_t u = 0; u < vectors; ++u) s[u] = V(0);
    const int64_t end = std::min(n, at + 32 * width);
    for (; at + width <= end; at += width)
      GRADUS_FLAT for (int64_t u = 0; u < vectors; ++u) s[u] = s[u] + V(hn::LoadU(D(), a + at + u * lanes)) * V(hn::LoadU(D(), b + at + u * lanes));
    GRADUS_FLAT for (int64_t u = 0; u < vectors; ++u) {
      if (at >= end) break;
      const int64_t m = std::min(lanes, end - at);
      s[u] = s[u] + get<D>(a + at, m) * get<D>(b + at, m);
      at += m;
    }
    GRADUS_FLAT for (int64_t h = vectors / 2; h > 0; h /= 2)
      GRADUS_FLAT for (int64_t u = 0; u < h; ++u) s[u] = s[u] + s[u + h];
    HWY_ALIGN T c[lanes];
    hn::Store(s[0].v, D(), c);
    GRADUS_FLAT for (int64_t h = lanes / 2; h > 0; h /= 2)
      GRADUS_FLAT for (int64_t u = 0; u < h; ++u) c[u] += c[u + h];
    total += static_cast<double>(c[0]);
  }
  return total;
}

template <class T> void backward_row(T* out, const T* g, const T* y, int64_t n, bool log) {
  using D = hn::ScalableTag<T>;
  const Value<D> s(log ? kernels_reduce::row<kernels_reduce::Sum, T>(g, n, 0) : dot(g, y, n));
  if (log) over<D>(n, [&](int64_t i, int64_t k) HWY_ATTR { put(get<D>(g + i, k) - exp(get<D>(y + i, k)) * s, out + i, k); });
  else over<D>(n, [&](int64_t i, int64_t k) HWY_ATTR { put(get<D>(y + i, k) * (get<D>(g + i, k) - s), out + i, k); });
}

// k <= kBundle columns side by side, n rows of `inner` elements apart.
inline constexpr int64_t kBundle = 128;
template <class T> void forward_columns(T* y, const T* x, int64_t n, int64_t inner, int64_t k, bool log, bool safe) {
  using D = hn::ScalableTag<T>;
  using V = Value<D>;
  HWY_ALIGN T top[kBundle + 64], sum[kBundle + 64];
  std::fill(top, top + kBundle, static_cast<T>(-HUGE_VAL));
  std::fill(sum, sum + kBundle, T(0));
  for (int64_t r = 0; r < n; ++r)
    over<D>(k, [&](int64_t j, int64_t m) HWY_ATTR { hn::StoreU(maximum(V(hn::LoadU(D(), top + j)), get<D>(x + r * inner + j, m)).v, D(), top + j); });
  HWY_ALIGN T center[kBundle + 64];
  for (int64_t j = 0; j < kBundle; ++j) center[j] = safe && top[j] == static_cast<T>(-HUGE_VAL) ? T(0) : top[j];
  double total[kBundle] = {};
  for (int64_t r = 0; r < n;) {                               // the running sums pass into double every 32 rows
    for (const int64_t end = std::min(n, r + 32); r < end; ++r)
      over<D>(k, [&](int64_t j, int64_t m) HWY_ATTR {
        const V e = exp(get<D>(x + r * inner + j, m) - V(hn::LoadU(D(), center + j)));
        if (!log) put(e, y + r * inner + j, m);
        hn::StoreU((V(hn::LoadU(D(), sum + j)) + e).v, D(), sum + j);
      });
    for (int64_t j = 0; j < k; ++j) total[j] += static_cast<double>(sum[j]);
    std::fill(sum, sum + kBundle, T(0));
  }
  for (int64_t j = 0; j < k; ++j) sum[j] = static_cast<T>(log ? std::log(total[j]) : total[j] == 0 ? 0 : 1 / total[j]);
  for (int64_t r = 0; r < n; ++r)
    over<D>(k, [&](int64_t j, int64_t m) HWY_ATTR {
      T* to = y + r * inner + j;
      const V s = hn::LoadU(D(), sum + j);
      put(log ? get<D>(x + r * inner + j, m) - V(hn::LoadU(D(), center + j)) - s : get<D>(to, m) * s, to, m);
    });
}
template <class T> void backward_columns(T* out, const T* g, const T* y, int64_t n, int64_t inner, int64_t k, bool log) {
  using D = hn::ScalableTag<T>;
  using V = Value<D>;
  HWY_ALIGN T sum[kBundle + 64];
  std::fill(sum, sum + kBundle, T(0));
  double total[kBundle] = {};
  for (int64_t r = 0; r < n;) {
    for (const int64_t end = std::min(n, r + 32); r < end; ++r)
      over<D>(k, [&](int64_t j, int64_t m) HWY_ATTR {
        const V v = get<D>(g + r * inner + j, m);
        hn::StoreU((V(hn::LoadU(D(), sum + j)) + (log ? v : v * get<D>(y + r * inner + j, m))).v, D(), sum + j);
      });
    for (int64_t j = 0; j < k; ++j) total[j] += static_cast<double>(sum[j]);
    std::fill(sum, sum + kBundle, T(0));
  }
  for (int64_t j = 0; j < k; ++j) sum[j] = static_cast<T>(total[j]);
  for (int64_t r = 0; r < n; ++r)
    over<D>(k, [&](int64_t j, int64_t m) HWY_ATTR {
      const V s = hn::LoadU(D(), sum + j), v = get<D>(g + r * inner + j, m), w = get<D>(y + r * inner + j, m);
      put(log ? v - exp(w) * s : w * (v - s), out + r * inner + j, m);
    });
}

// Slices [begin, end): rows, or bundles of columns.
template <class T> void slices(const kernels::Softmax& s, bool backward, int64_t begin, int64_t end) {
  T* out = static_cast<T*>(s.out);
  const T *x = static_cast<const T*>(s.in), *g = static_cast<const T*>(s.grad);
  const int64_t bundles = (s.inner + kBundle - 1) / kBundle;
  for (int64_t i = begin; i < end; ++i) {
    if (s.inner == 1) {
      if (backward) backward_row(out + i * s.n, g + i * s.n, x + i * s.n, s.n, s.log);
      else forward_row(out + i * s.n, x + i * s.n, s.n, s.log, s.safe);
      continue;
    }
    const int64_t at = i / bundles * s.n * s.inner + i % bundles * kBundle, k = std::min(kBundle, s.inner - i % bundles * kBundle);
    if (backward) backward_columns(out + at, g + at, x + at, s.n, s.inner, k, s.log);
    else forward_columns(out + at, x + at, s.n, s.inner, k, s.log, s.safe);
  }
}

}  // namespace kernels_softmax
}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
