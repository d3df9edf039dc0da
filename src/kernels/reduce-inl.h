// The vector loops of reductions. Included once per SIMD target, hence the toggled guard.
#if defined(GRADUS_KERNELS_REDUCE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_KERNELS_REDUCE_INL_H
#undef GRADUS_KERNELS_REDUCE_INL_H
#else
#define GRADUS_KERNELS_REDUCE_INL_H
#endif
#include <algorithm>
#include <cmath>

#include "kernels/loops-inl.h"
#include "kernels/reduce_table.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
namespace kernels_reduce {

using kernels::kReduceWidth;

template <class T> HWY_INLINE T larger(T a, T b) { return a != a || a > b ? a : b; }
template <class T> HWY_INLINE T smaller(T a, T b) { return a != a || a < b ? a : b; }
template <class D> HWY_INLINE Value<D> larger(Value<D> a, Value<D> b) { return maximum(a, b); }
template <class D> HWY_INLINE Value<D> smaller(Value<D> a, Value<D> b) { return minimum(a, b); }

// A kind says: the total of nothing, how an element x joins a total, how totals join. Wide kinds take floats as doubles.
struct Adds {
  static constexpr bool wide = false, centered = false;
  static constexpr double first = 0;
  template <class V> static HWY_INLINE V join(V a, V b) { return a + b; }
};
struct Sum : Adds { template <class V> static HWY_INLINE V step(V a, V x, V) { return a + x; } };
struct NanSum : Adds { template <class V> static HWY_INLINE V step(V a, V x, V) { return a + select(is_nan(x), V(0), x); } };
struct CountNonzero : Adds { template <class V> static HWY_INLINE V step(V a, V x, V) { return a + nonzero(x); } };
struct CountNumbers : Adds { template <class V> static HWY_INLINE V step(V a, V x, V) { return a + select(is_nan(x), V(0), V(1)); } };
struct AbsSum : Adds { template <class V> static HWY_INLINE V step(V a, V x, V) { return a + abs(x); } };
struct SquareSum : Adds {
  static constexpr bool wide = true, centered = true;
  template <class V> static HWY_INLINE V step(V a, V x, V p) { const V d = x - p; return a + d * d; }
};
struct PowerSum : Adds {
  static constexpr bool wide = true, centered = true;
  template <class D> static HWY_INLINE Value<D> step(Value<D> a, Value<D> x, Value<D> p) {
    return a + lanes(abs(x), p, [](auto base, auto e) { return std::pow(base, e); });
  }
};
struct ExpSum : Adds {
  static constexpr bool centered = true;
  template <class V> static HWY_INLINE V step(V a, V x, V p) { return a + exp(x - p); }
};
template <class D> HWY_INLINE Mask<D> equals(Value<D> x, Value<D> v) { return (x == v) | (is_nan(x) & is_nan(v)); }
struct CountEqual : Adds {
  static constexpr bool centered = true;
  template <class V> static HWY_INLINE V step(V a, V x, V p) { return a + select(equals(x, p), V(1), V(0)); }
};
struct Prod {
  static constexpr bool wide = true, centered = false;
  static constexpr double first = 1;
  template <class V> static HWY_INLINE V step(V a, V x, V) { return a * x; }
  template <class V> static HWY_INLINE V join(V a, V b) { return a * b; }
};
struct Max {
  static constexpr bool wide = false, centered = false;
  static constexpr double first = -HUGE_VAL;
  template <class V> static HWY_INLINE V step(V a, V x, V) { return larger(a, x); }
  template <class V> static HWY_INLINE V join(V a, V b) { return larger(a, b); }
};
struct Min {
  static constexpr bool wide = false, centered = false;
  static constexpr double first = HUGE_VAL;
  template <class V> static HWY_INLINE V step(V a, V x, V) { return smaller(a, x); }
  template <class V> static HWY_INLINE V join(V a, V b) { return smaller(a, b); }
};
struct MaxAbs : Max {
  static constexpr double first = 0;
  template <class V> static HWY_INLINE V step(V a, V x, V) { return larger(a, abs(x)); }
};
struct MinAbs : Min { template <class V> static HWY_INLINE V step(V a, V x, V) { return smaller(a, abs(x)); } };

template <class D, class T> HWY_INLINE Value<D> load(const T* p) {
  const D d;
  if constexpr (sizeof(T) == sizeof(hn::TFromD<D>)) return hn::LoadU(d, p);
  else return hn::PromoteTo(d, hn::LoadU(hn::Rebind<T, D>(), p));
}
template <class D, class T> HWY_INLINE Value<D> load_first(const T* p, size_t n) {
  const D d;
  if constexpr (sizeof(T) == sizeof(hn::TFromD<D>)) return load_some(d, p, n);
  else return hn::PromoteTo(d, load_some(hn::Rebind<T, D>(), p, n));
}

// Vectors of running totals, in all kReduceWidth lanes.
template <class K, class T> struct Lanes {
  using C = std::conditional_t<K::wide, double, T>;
  using D = hn::ScalableTag<C>;
  using V = Value<D>;
  static constexpr int64_t width = kReduceWidth<T>;
  static constexpr int64_t lanes = static_cast<int64_t>(hn::MaxLanes(D())), vectors = width / lanes;
  static constexpr int64_t steps = 32;                        // float totals do not grow further
};

template <class K, class T> double row(const T* x, int64_t n, double p) {
  using L = Lanes<K, T>;
  using C = typename L::C;
  using D = typename L::D;
  using V = typename L::V;
  double total = K::first;
  const V center(p);
  for (int64_t at = 0; at < n;) {
    V a[L::vectors];
    GRADUS_FLAT for (int64_t u = 0; u < L::vectors; ++u) a[u] = V(K::first);
    const int64_t end = std::min(n, at + L::steps * L::width);
    for (; at + L::width <= end; at += L::width)
      GRADUS_FLAT for (int64_t u = 0; u < L::vectors; ++u) a[u] = K::step(a[u], load<D>(x + at + u * L::lanes), center);
    GRADUS_FLAT for (int64_t u = 0; u < L::vectors; ++u) {
      if (at >= end) break;
      const int64_t m = std::min(L::lanes, end - at);
      if (m == L::lanes) a[u] = K::step(a[u], load<D>(x + at), center);
      else a[u] = V(hn::IfThenElse(hn::FirstN(D(), static_cast<size_t>(m)), K::step(a[u], load_first<D>(x + at, static_cast<size_t>(m)), center).v, a[u].v));
      at += m;
    }
    GRADUS_FLAT for (int64_t h = L::vectors / 2; h > 0; h /= 2)
      GRADUS_FLAT for (int64_t u = 0; u < h; ++u) a[u] = K::join(a[u], a[u + h]);
    HWY_ALIGN C c[L::lanes];
    hn::Store(a[0].v, D(), c);
    GRADUS_FLAT for (int64_t h = L::lanes / 2; h > 0; h /= 2)
      GRADUS_FLAT for (int64_t u = 0; u < h; ++u) c[u] = K::join(c[u], c[u + h]);
    total = K::join(total, static_cast<double>(c[0]));
  }
  return total;
}

// Adds the float or double totals of a block to the double ones.
template <class K, class C> HWY_INLINE void join_totals(double* totals, const C* block, int64_t n) {
  using D = hn::ScalableTag<double>;
  constexpr int64_t lanes = static_cast<int64_t>(hn::MaxLanes(D()));
  for (int64_t j = 0; j < n; j += lanes) hn::StoreU(K::join(Value<D>(hn::LoadU(D(), totals + j)), load<D>(block + j)).v, D(), totals + j);
}

// totals has room for kReduceWidth elements.
template <class K, class T> void columns(double* totals, const T* x, int64_t rows, int64_t stride, int64_t n, const double* p) {
  using L = Lanes<K, T>;
  using C = typename L::C;
  using D = typename L::D;
  using V = typename L::V;
  V a[L::vectors], center[L::vectors];
  HWY_ALIGN C block[L::width];
  if constexpr (K::centered) {
    for (int64_t j = 0; j < L::width; ++j) block[j] = j < n ? static_cast<C>(p[j]) : C(0);
    GRADUS_FLAT for (int64_t u = 0; u < L::vectors; ++u) center[u] = hn::Load(D(), block + u * L::lanes);
  } else {
    GRADUS_FLAT for (int64_t u = 0; u < L::vectors; ++u) center[u] = V(0);
  }
  for (int64_t r = 0; r < rows;) {
    GRADUS_FLAT for (int64_t u = 0; u < L::vectors; ++u) a[u] = V(K::first);
    const int64_t end = std::min(rows, r + L::steps);
    if (n == L::width) {
      for (; r < end; ++r) {
        const T* q = x + r * stride;
        if (r + 16 < rows)                                    // a line per row: no processor foresees long strides
          GRADUS_FLAT for (int64_t j = 0; j < L::width; j += 64 / static_cast<int64_t>(sizeof(T))) hwy::Prefetch(q + 16 * stride + j);
        GRADUS_FLAT for (int64_t u = 0; u < L::vectors; ++u) a[u] = K::step(a[u], load<D>(q + u * L::lanes), center[u]);
      }
    } else {
      for (; r < end; ++r)
        GRADUS_FLAT for (int64_t u = 0; u < L::vectors; ++u) {
          const int64_t m = n - u * L::lanes;
          if (m <= 0) break;
          const T* q = x + r * stride + u * L::lanes;
          a[u] = K::step(a[u], m >= L::lanes ? load<D>(q) : load_first<D>(q, static_cast<size_t>(m)), center[u]);
        }
    }
    GRADUS_FLAT for (int64_t u = 0; u < L::vectors; ++u) hn::Store(a[u].v, D(), block + u * L::lanes);
    join_totals<K>(totals, block, L::width);
  }
}

template <class T, class... K> const kernels::ReduceLoops<T, double>* loops() {
  static constexpr kernels::ReduceLoops<T, double> all[] = {{K::first, K::template join<double>, row<K, T>, columns<K, T>}...};
  static_assert(sizeof...(K) == static_cast<size_t>(kernels::Reduction::count));
  return all;
}
template <class T> const kernels::ReduceLoops<T, double>* all_loops() {
  return loops<T, Sum, Prod, Max, Min, CountNonzero, NanSum, CountNumbers, AbsSum, SquareSum, PowerSum, MaxAbs, MinAbs, ExpSum, CountEqual>();
}

template <class T> int64_t find(const T* x, int64_t n, T v) {
  using D = hn::ScalableTag<T>;
  const D d;
  const auto w = hn::Set(d, v);
  const bool nan = v != v;
  constexpr int64_t lanes = static_cast<int64_t>(hn::MaxLanes(D()));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto y = hn::LoadU(d, x + i);
    if (!hn::AllFalse(d, nan ? hn::IsNaN(y) : hn::Eq(y, w))) break;
  }
  for (; i < n; ++i)
    if (nan ? x[i] != x[i] : x[i] == v) return i;
  return n;
}

template <class T> void mark(T* y, const T* x, const T* v, const T* share, int64_t n, bool repeat) {
  using D = hn::ScalableTag<T>;
  using V = Value<D>;
  const D d;
  constexpr int64_t lanes = static_cast<int64_t>(hn::MaxLanes(D()));
  V w = hn::Set(d, v[0]), s = hn::Set(d, share[0]);
  for (int64_t i = 0; i < n; i += lanes) {
    const int64_t m = std::min(lanes, n - i);
    if (m < lanes) {
      const auto k = static_cast<size_t>(m);
      if (!repeat) { w = load_first<D>(v + i, k); s = load_first<D>(share + i, k); }
      store_some(d, select(equals(load_first<D>(x + i, k), w), s, V(0)).v, y + i, k);
    } else {
      if (!repeat) { w = hn::LoadU(d, v + i); s = hn::LoadU(d, share + i); }
      hn::StoreU(select(equals(load<D>(x + i), w), s, V(0)).v, d, y + i);
    }
  }
}

}  // namespace kernels_reduce
}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
