// Error functions, gamma functions, remainders and hypot of Value. Included once per SIMD target; see math-inl.h.
#if defined(GRADUS_KERNELS_SPECIAL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_KERNELS_SPECIAL_INL_H
#undef GRADUS_KERNELS_SPECIAL_INL_H
#else
#define GRADUS_KERNELS_SPECIAL_INL_H
#endif
#include <cmath>

#include "kernels/exp-inl.h"
#include "kernels/log-inl.h"
#include "kernels/scalar_math.h"
#include "kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {

// -c x^2 for c a power of two, with the rounding error of the square, which would cost x^2 ulp in the exponential.
template <class D> HWY_INLINE Pair<D> negative_square(Value<D> x, double c) {
  const Pair<D> s = exact_product(x, x);
  return {Value<D>(-c) * s.hi, Value<D>(-c) * s.lo};
}

// factor^2 erfc(z) / exp(-z^2), z = factor x, for x >= 0: a polynomial in (z - a) / (z + a), over z + a. The factor (1, or
// 1 / sqrt 2 for the normal distribution) goes into the constants, since rounding z would cost digits.
template <class D> HWY_INLINE Value<D> erfc_scaled(Value<D> x, long double factor) {
  const Value<D> a = static_cast<double>((is_single<D> ? 2 : 3) / factor), sum = x + a, t = (x - a) / sum;
  Value<D> p = 0;
  if constexpr (is_single<D>) {
    constexpr long double c[] = {1.02158270965667067,      -0.687160712646478119,   0.279471706991014453,
                                 -0.0364414516473398427,   -0.0215049930127803276,  0.00647410919890181704,
                                 0.00305958397996699771,   -0.00082897524168529946, -0.000587706004430726364,
                                 0.0000456321511417749546, 0.0000673049057720380552};
    GRADUS_FLAT for (int i = 10; i >= 0; --i) p = fma(p, t, Value<D>(static_cast<double>(factor * c[i])));
  } else {
    constexpr long double c[] = {
        1.07400690708833971L,       -0.883394453169883764L,    0.590228357104100364L,    -0.310467261900552675L,
        0.119527761287387944L,      -0.026827234624950196L,    -0.00121241662970476244L, 0.00303406200797332915L,
        -0.000548309659577884969L,  -0.000276777898347123935L, 0.000107561249111467575L, 0.0000303983910010056675L,
        -0.0000174694935319034115L, -4.74978324582527004e-6L,  2.7623356535497897e-6L,   9.99501208863118506e-7L,
        -4.02479420217360044e-7L,   -2.33187193384094971e-7L,  4.00925941030505273e-8L,  4.88130179326096554e-8L,
        2.48295622653057457e-9L,    -6.38430446823443802e-9L,  -1.61318490003255973e-9L};
    GRADUS_FLAT for (int i = 22; i >= 0; --i) p = fma(p, t, Value<D>(static_cast<double>(factor * c[i])));
  }
  return p / sum;
}

// erf x for |x| <= 1.
template <class D> HWY_INLINE Value<D> erf_near(Value<D> x) {
  const Value<D> u = x * x;
  if constexpr (is_single<D>) {
    return fma(
        x,
        horner(u, {0.1283791658, -0.3761262667, 0.1128359472, -0.02685421201, 0.005189087423, -0.0008016864287, 7.875875063e-5}),
        x);
  } else {
    return fma(x,
               horner(u, {0.1283791670955125738, -0.3761263890318374806, 0.1128379167095487867, -0.02686617064507679325,
                          0.005223977624818014467, -0.0008548326980833789905, 0.0001205533111164271092,
                          -0.00001492559526683118157, 1.646100048412136803e-6, -1.635031270105469501e-7, 1.465977527404743581e-8,
                          -1.137284885679167367e-9, 5.957176147748911404e-11}),
               x);
  }
}

template <class D> HWY_NOINLINE Value<D> erf(Value<D> x) {
  using V = Value<D>;
  const V c = hn::Min(abs(x).v, V(is_single<D> ? 4 : 6).v);  // erf is 1 beyond
  const V far = copysign(V(1) - exp_times(negative_square(c, 1), erfc_scaled(c, 1)), x);
  return select(abs(x) > V(1), far, copysign(erf_near(x), x));
}

template <class D> HWY_NOINLINE Value<D> erfc(Value<D> x) {
  using V = Value<D>;
  const V c = hn::Min(abs(x).v, V(28).v), tail = exp_times(negative_square(c, 1), erfc_scaled(c, 1));
  const V far = select(x < V(0), V(2) - tail, tail);
  return select(abs(x) > V(0.5), far, V(1) - erf_near(x));
}

// erfc(-x / sqrt 2) / 2 without rounding x / sqrt 2 first where that would be magnified.
template <class D> HWY_NOINLINE Value<D> normal_cdf(Value<D> x) {
  using V = Value<D>;
  constexpr long double factor = 0.70710678118654752440084436210484903928L;
  const V c = hn::Min(abs(x).v, V(39).v);
  const V tail = exp_times(negative_square(c, 0.5), erfc_scaled(c, factor));
  const V near = fma(V(0.5), erf_near(V(0.7071067811865476) * x), V(0.5));
  return select(abs(x) > V(0.7), select(x < V(0), tail, V(1) - tail), near);
}

// A rational start (good to about 1e-4) and two of Halley's steps on erf x = y, or on erfc x = 1 - y where that is smaller.
template <class D> HWY_NOINLINE Value<D> erfinv(Value<D> y) {
  using V = Value<D>;
  const V size = abs(y), rest = V(1) - size, z = size * size, w = sqrt(-log_anywhere(V(0.5) * rest));
  const V middle = size * horner(z, {0.886226899, -1.645349621, 0.914624893, -0.140543331}) /
                   horner(z, {1, -2.118377725, 1.442710462, -0.329097515, 0.012229801});
  const V tail = horner(w, {-1.970840454, -1.624906493, 3.429567803, 1.641345311}) / horner(w, {1, 3.543889200, 1.637067800});
  V x = select(size <= V(0.7), middle, tail);
  GRADUS_FLAT for (int i = 0; i < 2; ++i) {
    const V error = select(size < V(0.5), erf(x) - size, rest - erfc(x));
    const V step = error * V(0.8862269254527580) * exp(x * x);
    x = x - step / fma(x, step, V(1));
  }
  x = select(size < V(1), x, select(size == V(1), V::infinity(), V::nan()));
  return copysign(x, y);
}

// sqrt(x^2 + y^2) with both scaled by a power of two where the squares would leave the range.
template <class D> HWY_NOINLINE Value<D> hypot(Value<D> x, Same<D> y) {
  using V = Value<D>;
  const V ax = abs(x), ay = abs(y), large = maximum(ax, ay);
  constexpr double huge = is_single<D> ? 0x1p60 : 0x1p500, tiny = is_single<D> ? 0x1p-40 : 0x1p-400;
  constexpr double down = is_single<D> ? 0x1p-70 : 0x1p-600, up = is_single<D> ? 0x1p90 : 0x1p700;
  const V scale = select(large > V(huge), V(down), select(large < V(tiny), V(up), V(1)));
  const V back = select(large > V(huge), V(1 / down), select(large < V(tiny), V(1 / up), V(1)));
  const V a = ax * scale, b = ay * scale, r = sqrt(fma(a, a, b * b)) * back;
  return select((ax == V::infinity()) | (ay == V::infinity()), V::infinity(), r);
}

template <class D> HWY_INLINE Value<D> lgamma(Value<D> x) {
  return lanes(x, x, [](auto a, auto) { return scalar::lgamma(a); });
}

template <class D> HWY_INLINE Value<D> digamma(Value<D> x) {
  return lanes(x, x, [](auto a, auto) { return scalar::digamma(a); });
}

// The derivative number n of digamma.
template <class D>
HWY_INLINE Value<D> polygamma(Value<D> x, Number n) {
  return lanes(x, x, [n](auto a, auto) { return scalar::polygamma(n.i, static_cast<double>(a)); });
}

// The rest of the division toward zero; exact, with the sign of x.
template <class D> HWY_INLINE Value<D> fmod(Value<D> x, Same<D> y) {
  return lanes(x, y, [](auto a, auto b) { return std::fmod(a, b); });
}

// The rest of the floor division, as Python's %: it has the sign of y.
template <class D> HWY_INLINE Value<D> remainder(Value<D> x, Same<D> y) {
  const Value<D> r = fmod(x, y);
  return select((r != Value<D>(0)) & (sign_bit(r) ^ sign_bit(y)), r + y, r);
}

template <class D>
HWY_INLINE Value<D> trunc_divide(Value<D> x, Same<D> y) {
  return trunc(x / y);
}

// Python's //: by the exact rest, since x / y may round up to an integer.
template <class D>
HWY_NOINLINE Value<D> floor_divide(Value<D> x, Same<D> y) {
  using V = Value<D>;
  const V r = fmod(x, y), q = (x - r) / y;
  const V below = select((r != V(0)) & (sign_bit(r) ^ sign_bit(y)), q - V(1), q), f = floor(below);
  const V near = select(below - f > V(0.5), f + V(1), f);
  return select(y == V(0), x / y, select(below == V(0), copysign(V(0), x / y), near));
}

}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
