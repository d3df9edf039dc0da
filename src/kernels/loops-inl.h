// The only vector loop over formulas. Included once per SIMD target, hence the toggled guard.
#if defined(GRADUS_KERNELS_LOOPS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_KERNELS_LOOPS_INL_H
#undef GRADUS_KERNELS_LOOPS_INL_H
#else
#define GRADUS_KERNELS_LOOPS_INL_H
#endif
#include <type_traits>
#include <utility>

#include "hwy/cache_control.h"
#include "kernels/formulas/probe.h"
#include "kernels/integer.h"
#include "kernels/math-inl.h"
#include "kernels/strip.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {

// AVX2's masked loads and stores of 32 and 64 bit lanes do not fault, whatever Highway's conservative macro says.
#undef GRADUS_COPY_TAILS
#define GRADUS_COPY_TAILS (HWY_MEM_OPS_MIGHT_FAULT && HWY_TARGET != HWY_AVX2)
template <class T, class D> HWY_INLINE hn::Vec<D> load_some(D d, const T* p, size_t n) {
#if GRADUS_COPY_TAILS
  HWY_ALIGN T buffer[HWY_MAX_BYTES / sizeof(T)] = {};
  for (size_t i = 0; i < n; ++i) buffer[i] = p[i];
  return hn::Load(d, buffer);
#else
  return hn::MaskedLoad(hn::FirstN(d, n), d, p);
#endif
}
template <class T, class D> HWY_INLINE void store_some(D d, hn::Vec<D> v, T* p, size_t n) {
#if GRADUS_COPY_TAILS
  HWY_ALIGN T buffer[HWY_MAX_BYTES / sizeof(T)];
  hn::Store(v, d, buffer);
  for (size_t i = 0; i < n; ++i) p[i] = buffer[i];
#else
  hn::BlendedStore(v, hn::FirstN(d, n), d, p);
#endif
}

// Light bodies run several vectors at a time, or around the cache; heavy ones are compiled once. What is left of less than a
// vector goes through the same loop by way of buffers: the same bits anywhere.
template <class T, int k, int unroll, class Body> HWY_INLINE void run(const Strip& s, const Body& body) {
  using D = hn::ScalableTag<T>;                               // decltype(d) would be a const type, hence another Value
  using V = Value<D>;
  const D d;
  const size_t lanes = hn::Lanes(d);
  size_t n = static_cast<size_t>(s.n);
  T* out = static_cast<T*>(s.out);
  const T* in[k];
  size_t step[k];
  GRADUS_FLAT for (int j = 0; j < k; ++j) {
    in[j] = static_cast<const T*>(s.in[j]);
    step[j] = s.repeat[j] ? 0 : lanes;
  }
  const auto next = [&]() HWY_ATTR {                          // a lambda does not get the target by itself
    V v[k];
    GRADUS_FLAT for (int j = 0; j < k; ++j) { v[j] = hn::LoadU(d, in[j]); in[j] += step[j]; }
    return body(v);
  };
  if constexpr (unroll > 1) {
    if (s.stream) {
      for (; n >= lanes; n -= lanes, out += lanes) hn::Stream(next().v, d, out);
      hwy::FlushStream();
    }
    for (; n >= unroll * lanes; n -= unroll * lanes, out += unroll * lanes) {
      V r[unroll];
      GRADUS_FLAT for (int u = 0; u < unroll; ++u) r[u] = next();
      GRADUS_FLAT for (int u = 0; u < unroll; ++u) hn::StoreU(r[u].v, d, out + static_cast<size_t>(u) * lanes);
    }
  }
  HWY_ALIGN T rest[k + 1][HWY_MAX_BYTES / sizeof(T)];
  T* end = nullptr;
  size_t left = 0;
  for (;;) {
    for (; n >= lanes; n -= lanes, out += lanes) hn::StoreU(next().v, d, out);
    if (n == 0) break;
    GRADUS_FLAT for (int j = 0; j < k; ++j) { hn::Store(load_some(d, in[j], n), d, rest[j]); in[j] = rest[j]; }
    end = std::exchange(out, rest[k]);
    left = std::exchange(n, lanes);
  }
  if (end) store_some(d, hn::Load(d, rest[k]), end, left);
}

// x as complex as y is, which no vector is.
template <class D> HWY_INLINE Value<D> like(Value<D>, Value<D> x) { return x; }

template <class F> HWY_INLINE F attributes(const Strip& s) {
  if constexpr (std::is_empty_v<F>) return F{}; else return *static_cast<const F*>(s.formula);
}

template <class F, int arity> struct ValueBody {
  F f;
  template <class V> HWY_INLINE V operator()(const V* v) const {
    if constexpr (arity == 1) return f.value(v[0]);
    else if constexpr (arity == 2) return f.value(v[0], v[1]);
    else return f.value(v[0], v[1], v[2]);
  }
};
// As slope_of, which has no target of its own: GCC inlines no formula of a target into it.
template <int arity, int i, class F, class V> HWY_INLINE V slope_at(const F& f, const V* v) {
  if constexpr (arity == 1) return f.slope(v[0], v[1]);
  else if constexpr (arity == 2 && i == 0) return f.slope0(v[0], v[1], v[2]);
  else if constexpr (arity == 2) return f.slope1(v[0], v[1], v[2]);
  else if constexpr (i == 0) return f.slope0(v[0], v[1], v[2], v[3]);
  else if constexpr (i == 1) return f.slope1(v[0], v[1], v[2], v[3]);
  else return f.slope2(v[0], v[1], v[2], v[3]);
}
// addend + g * slope; operands: g, those of (inputs…, value) that the slope reads, addend.
template <class F, int arity, int i> struct PullBody {
  static constexpr unsigned reads = probe<arity, i>(F{}).reads;
  static constexpr int count = 2 + __builtin_popcount(reads);
  F f;
  template <class V> HWY_INLINE V operator()(const V* v) const {
    V a[arity + 1];
    int next = 1;
    GRADUS_FLAT for (int j = 0; j <= arity; ++j) a[j] = (reads >> j & 1) ? v[next++] : v[0];
    const V slope = slope_at<arity, i>(f, a);
    const V g = is_mask<F>() ? select(slope == V(0), V(0), v[0]) : v[0];
    return fma(g, slope, v[next]);
  }
};

template <class F> inline constexpr int unroll_of = is_light<F>() ? 4 : 1;
template <class F> inline constexpr int pull_unroll = is_light<F>() ? 2 : 1;
template <class F, int arity, class T> void value_strip(const Strip& s) {
  run<T, arity, unroll_of<F>>(s, ValueBody<F, arity>{attributes<F>(s)});
}
template <class F, int arity, int i, class T> void pull_strip(const Strip& s) {
  using Body = PullBody<F, arity, i>;
  run<T, Body::count, pull_unroll<F>>(s, Body{attributes<F>(s)});
}
template <class F, int arity> void integer_strip(const Strip& s) {
  const ValueBody<F, arity> body{attributes<F>(s)};
  auto* out = static_cast<int64_t*>(s.out);
  for (int64_t e = 0; e < s.n; ++e) {
    Integer v[arity];
    for (int j = 0; j < arity; ++j) v[j] = Integer(static_cast<const int64_t*>(s.in[j])[s.repeat[j] ? 0 : e]);
    out[e] = body(v).v;
  }
}

template <class F, int arity, int i> constexpr void add_pull(FormulaKernels& k) {
  if constexpr (on_floats<F>() && requires { probe<arity, i>(F{}); }) {
    if constexpr (probe<arity, i>(F{}).reads != 0) {          // a slope that is a number needs no kernel
      k.pull[i][0] = pull_strip<F, arity, i, float>;
      k.pull[i][1] = pull_strip<F, arity, i, double>;
    }
  }
}
template <class F> concept HasSlope1 = requires { &F::template slope<Probe>; };
template <class F> concept HasSlopes = requires { &F::template slope0<Probe>; };
template <class F, int arity> constexpr FormulaKernels kernels_of() {
  FormulaKernels k{};
  if constexpr (on_floats<F>()) {
    k.value[0] = value_strip<F, arity, float>;
    k.value[1] = value_strip<F, arity, double>;
  }
  k.light = is_light<F>();
  if constexpr (on_integers<F>()) k.value[2] = integer_strip<F, arity>;
  if constexpr (arity == 1 && HasSlope1<F>) add_pull<F, arity, 0>(k);
  if constexpr (arity > 1 && HasSlopes<F>) {
    add_pull<F, arity, 0>(k);
    add_pull<F, arity, 1>(k);
    if constexpr (arity > 2) add_pull<F, arity, 2>(k);
  }
  return k;
}
template <int arity, class... F> const FormulaKernels* table(List<F...>) {
  static constexpr FormulaKernels all[] = {kernels_of<F, arity>()...};
  return all;
}

}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
