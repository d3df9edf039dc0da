// What the compiler can find out about a formula: its place in a list, and what its slopes read, which decides what is saved.
#pragma once
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

#include "kernels/number.h"

namespace gradus {

// How the functions of a formula begin. They are inlined into loops that are compiled per SIMD target.
#define GRADUS_VALUE template <class V> [[gnu::always_inline]] static constexpr V value(V x)
#define GRADUS_VALUE_WITH template <class V> [[gnu::always_inline]] constexpr V value(V x) const
#define GRADUS_SLOPE template <class V> [[gnu::always_inline]] static constexpr V slope([[maybe_unused]] V x, [[maybe_unused]] V y)
#define GRADUS_SLOPE_WITH template <class V> [[gnu::always_inline]] constexpr V slope([[maybe_unused]] V x, [[maybe_unused]] V y) const
#define GRADUS_VALUE2 template <class V> [[gnu::always_inline]] static constexpr V value(V a, V b)
#define GRADUS_VALUE2_WITH template <class V> [[gnu::always_inline]] constexpr V value(V a, V b) const
#define GRADUS_INPUTS2 [[maybe_unused]] V a, [[maybe_unused]] V b, [[maybe_unused]] V y
#define GRADUS_SLOPE2(i) template <class V> [[gnu::always_inline]] static constexpr V slope##i(GRADUS_INPUTS2)
#define GRADUS_SLOPE2_WITH(i) template <class V> [[gnu::always_inline]] constexpr V slope##i(GRADUS_INPUTS2) const
#define GRADUS_VALUE3 template <class V> [[gnu::always_inline]] static constexpr V value(V a, V b, V c)
#define GRADUS_VALUE3_WITH template <class V> [[gnu::always_inline]] constexpr V value(V a, V b, V c) const
#define GRADUS_INPUTS3 [[maybe_unused]] V a, [[maybe_unused]] V b, [[maybe_unused]] V c, [[maybe_unused]] V y
#define GRADUS_SLOPE3(i) template <class V> [[gnu::always_inline]] static constexpr V slope##i(GRADUS_INPUTS3)
#define GRADUS_SLOPE3_WITH(i) template <class V> [[gnu::always_inline]] constexpr V slope##i(GRADUS_INPUTS3) const

inline constexpr double kInfinity = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();

template <class... F> struct List { static constexpr int size = sizeof...(F); };
template <class F, class... All> constexpr int row_of(List<All...>) {
  int i = 0, found = -1;
  ((std::is_same_v<F, All> ? found = i : 0, ++i), ...);
  return found;
}

// A value that remembers which arguments it came from; one that came from none carries its number.
struct Probe {
  unsigned reads = 0;
  double c = 0;
  constexpr Probe() = default;
  constexpr Probe(double v) : c(v) {}
  constexpr Probe(int v) : c(v) {}
  constexpr Probe(Number v) : c(v.f) {}
  static constexpr Probe argument(unsigned bit) { Probe p; p.reads = bit; return p; }
  static constexpr Probe of(unsigned reads, double c) { Probe p; p.reads = reads; p.c = c; return p; }

#define GRADUS_PROBE(op) \
  friend constexpr Probe operator op(Probe a, Probe b) { return of(a.reads | b.reads, static_cast<double>(a.c op b.c)); }
  GRADUS_PROBE(+) GRADUS_PROBE(-) GRADUS_PROBE(*) GRADUS_PROBE(<) GRADUS_PROBE(>) GRADUS_PROBE(<=) GRADUS_PROBE(>=)
  GRADUS_PROBE(==) GRADUS_PROBE(!=)
#undef GRADUS_PROBE
  friend constexpr Probe operator/(Probe a, Probe b) { return of(a.reads | b.reads, b.c == 0 ? 0 : a.c / b.c); }
  friend constexpr Probe operator&(Probe a, Probe b) { return of(a.reads | b.reads, a.c != 0 && b.c != 0); }
  friend constexpr Probe operator|(Probe a, Probe b) { return of(a.reads | b.reads, a.c != 0 || b.c != 0); }
  friend constexpr Probe operator^(Probe a, Probe b) { return of(a.reads | b.reads, (a.c != 0) != (b.c != 0)); }
  friend constexpr Probe operator!(Probe a) { return of(a.reads, a.c == 0); }
  friend constexpr Probe operator-(Probe a) { return of(a.reads, -a.c); }
  friend constexpr Probe select(Probe m, Probe a, Probe b) {
    return m.reads == 0 ? (m.c != 0 ? a : b) : of(m.reads | a.reads | b.reads, 0);
  }
};
// Functions only pass on what they read; a slope that is a number uses none of them.
#define GRADUS_PROBE1(f) constexpr Probe f(Probe a) { return Probe::of(a.reads, a.c); }
GRADUS_PROBE1(exp) GRADUS_PROBE1(exp2) GRADUS_PROBE1(expm1) GRADUS_PROBE1(log) GRADUS_PROBE1(log2) GRADUS_PROBE1(log10)
GRADUS_PROBE1(log1p) GRADUS_PROBE1(sin) GRADUS_PROBE1(cos) GRADUS_PROBE1(tan) GRADUS_PROBE1(asin) GRADUS_PROBE1(acos)
GRADUS_PROBE1(atan) GRADUS_PROBE1(sinh) GRADUS_PROBE1(cosh) GRADUS_PROBE1(tanh) GRADUS_PROBE1(asinh) GRADUS_PROBE1(acosh)
GRADUS_PROBE1(atanh) GRADUS_PROBE1(sigmoid) GRADUS_PROBE1(erf) GRADUS_PROBE1(erfc) GRADUS_PROBE1(erfinv)
GRADUS_PROBE1(normal_cdf) GRADUS_PROBE1(lgamma) GRADUS_PROBE1(digamma) GRADUS_PROBE1(sqrt) GRADUS_PROBE1(abs)
GRADUS_PROBE1(sign) GRADUS_PROBE1(floor) GRADUS_PROBE1(ceil) GRADUS_PROBE1(round) GRADUS_PROBE1(trunc)
GRADUS_PROBE1(bessel_i0) GRADUS_PROBE1(bessel_i0e) GRADUS_PROBE1(bessel_i1) GRADUS_PROBE1(bessel_i1e) GRADUS_PROBE1(erfcx)
GRADUS_PROBE1(ndtri) GRADUS_PROBE1(log_ndtr) GRADUS_PROBE1(is_nan) GRADUS_PROBE1(is_inf) GRADUS_PROBE1(is_finite) GRADUS_PROBE1(sign_bit)
#undef GRADUS_PROBE1
#define GRADUS_PROBE2(f) constexpr Probe f(Probe a, Probe b) { return Probe::of(a.reads | b.reads, a.c); }
GRADUS_PROBE2(pow) GRADUS_PROBE2(atan2) GRADUS_PROBE2(hypot) GRADUS_PROBE2(minimum) GRADUS_PROBE2(maximum)
GRADUS_PROBE2(copysign) GRADUS_PROBE2(floor_divide) GRADUS_PROBE2(trunc_divide) GRADUS_PROBE2(fmod) GRADUS_PROBE2(remainder)
GRADUS_PROBE2(zeta) GRADUS_PROBE2(gamma_p) GRADUS_PROBE2(gamma_q)
#undef GRADUS_PROBE2
constexpr Probe polygamma(Probe a, Number) { return a; }
constexpr Probe like(Probe y, Probe x) { return Probe::of(y.reads | x.reads, x.c); }

// Slope i at the values v (inputs, then the value).
template <int arity, int i, class F, class V> constexpr V slope_of(const F& f, const V* v) {
  if constexpr (arity == 1) return f.slope(v[0], v[1]);
  else if constexpr (arity == 2 && i == 0) return f.slope0(v[0], v[1], v[2]);
  else if constexpr (arity == 2) return f.slope1(v[0], v[1], v[2]);
  else if constexpr (i == 0) return f.slope0(v[0], v[1], v[2], v[3]);
  else if constexpr (i == 1) return f.slope1(v[0], v[1], v[2], v[3]);
  else return f.slope2(v[0], v[1], v[2], v[3]);
}
template <int arity, int i, class F> constexpr Probe probe(const F& f) {    // bit k: input k; bit `arity`: the value
  Probe v[arity + 1];
  for (unsigned k = 0; k <= arity; ++k) v[k] = Probe::argument(1u << k);
  return slope_of<arity, i>(f, v);
}

// How a formula is compiled. It may say: integers (default no), floats (default yes), light (bound by memory, default no),
// masks (where a slope is 0 the gradient is 0 even if it comes in as infinity or NaN; default no).
template <class F> constexpr bool on_integers() { if constexpr (requires { F::integers; }) return F::integers; else return false; }
template <class F> constexpr bool on_floats() { if constexpr (requires { F::floats; }) return F::floats; else return true; }
template <class F> constexpr bool is_mask() { if constexpr (requires { F::masks; }) return F::masks; else return false; }
template <class F> constexpr bool is_light() { if constexpr (requires { F::light; }) return F::light; else return false; }

}  // namespace gradus
