// Logarithms, inverse hyperbolic functions and powers of Value. Included once per SIMD target; see math-inl.h.
#if defined(GRADUS_KERNELS_LOG_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_KERNELS_LOG_INL_H
#undef GRADUS_KERNELS_LOG_INL_H
#else
#define GRADUS_KERNELS_LOG_INL_H
#endif
#include "kernels/exp-inl.h"
#include "kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {

template <class D> inline constexpr double smallest_normal = is_single<D> ? 1.1754943508222875e-38 : 2.2250738585072014e-308;

// ln 2 in two parts; the product of the first with an exponent is exact.
template <class D> inline constexpr double ln2_high = is_single<D> ? 0.693138122558593750 : 0.693147180369123816490;
template <class D> inline constexpr double ln2_low = is_single<D> ? 9.0580013515594172e-6 : 1.90821492927058770002e-10;

// x = 2^e (1 + f), 1 + f in [sqrt(1/2), sqrt(2)).
template <class D> struct LogParts { Value<D> e, f; };

template <class D> HWY_INLINE LogParts<D> log_parts(Value<D> x) {  // x positive and normal
  const D d;
  const hn::RebindToUnsigned<D> du;
  using TU = hn::TFromD<decltype(du)>;
  constexpr int bits = mantissa_bits<D>;
  constexpr TU one = is_single<D> ? TU(0x3F800000) : TU(0x3FF0000000000000), mantissa = (TU(1) << bits) - 1;
  constexpr TU root_half = is_single<D> ? TU(0x3F3504F3) : TU(0x3FE6A09E667F3BCD);
  constexpr double origin = is_single<D> ? 8388608.0 : 4503599627370496.0;  // 2^bits: its low bits are an integer
  const auto shifted = hn::Add(hn::BitCast(du, x.v), hn::Set(du, one - root_half));
  const auto exponent = hn::Or(hn::ShiftRight<bits>(shifted), hn::BitCast(du, Value<D>(origin).v));
  const Value<D> m = hn::BitCast(d, hn::Add(hn::And(shifted, hn::Set(du, mantissa)), hn::Set(du, root_half)));
  return {Value<D>(hn::BitCast(d, exponent)) - Value<D>(origin + (is_single<D> ? 127 : 1023)), m - Value<D>(1)};
}

// As log_parts, subnormal x included.
template <class D> HWY_INLINE LogParts<D> log_parts_any(Value<D> x) {
  const Mask<D> tiny = x < Value<D>(smallest_normal<D>);
  LogParts<D> p = log_parts(select(tiny, x * Value<D>(is_single<D> ? 33554432.0 : 18014398509481984.0), x));
  p.e = p.e - select(tiny, Value<D>(is_single<D> ? 25 : 54), Value<D>(0));
  return p;
}

// e ln 2 + log(1 + f) after fdlibm: log(1 + f) = f - (f^2/2 - s (f^2/2 + R)), s = f / (2 + f).
template <class D> HWY_INLINE Value<D> log_of_parts(LogParts<D> p) {
  const Value<D> s = p.f / (Value<D>(2) + p.f), z = s * s, half_square = Value<D>(0.5) * p.f * p.f;
  Value<D> r;
  if constexpr (is_single<D>) {
    r = horner(z, {0.66666662693, 0.40000972152, 0.28498786688, 0.24279078841});
  } else {
    r = horner(z, {6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01, 2.222219843214978396e-01,
                   1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01});
  }
  const Value<D> correction = half_square - fma(s, fma(z, r, half_square), p.e * Value<D>(ln2_low<D>));
  return fma(p.e, Value<D>(ln2_high<D>), p.f - correction);
}

// y where log(x) is finite, else log's special value: -inf at 0, NaN below, inf and NaN as they are.
template <class D> HWY_INLINE Value<D> log_edges(Value<D> x, Value<D> y) {
  using V = Value<D>;
  const V edge = select(x == V(0), -V::infinity(), select(x < V(0), V::nan(), x));
  return select((x > V(0)) & (x < V::infinity()), y, edge);
}

template <class D> HWY_NOINLINE Value<D> log_anywhere(Value<D> x) { return log_edges(x, log_of_parts(log_parts_any(x))); }

template <class D> HWY_INLINE Value<D> log(Value<D> x) {
  if (HWY_UNLIKELY(!all((x >= Value<D>(smallest_normal<D>)) & (x < Value<D>::infinity())))) return log_anywhere(x);
  return log_of_parts(log_parts(x));
}

// Exact at powers of two.
template <class D> HWY_NOINLINE Value<D> log2(Value<D> x) {
  const LogParts<D> p = log_parts_any(x);
  return log_edges(x, fma(log_of_parts(LogParts<D>{Value<D>(0), p.f}), Value<D>(1.4426950408889634), p.e));
}

template <class D> HWY_NOINLINE Value<D> log10(Value<D> x) {
  constexpr double high = is_single<D> ? 0.301025390625 : 0.301029995662247529253;
  constexpr double low = is_single<D> ? 4.6050389811952138e-6 : 1.7336659603752854105e-12;
  const LogParts<D> p = log_parts_any(x);
  const Value<D> part = log_of_parts(LogParts<D>{Value<D>(0), p.f}) * Value<D>(0.43429448190325182765);
  const Value<D> small = fma(p.e, Value<D>(low), part);
  return log_edges(x, fma(p.e, Value<D>(high), small));
}

// log(u) + (x + 1 - u) / u, where u is x + 1 rounded.
template <class D> HWY_NOINLINE Value<D> log1p(Value<D> x) {
  using V = Value<D>;
  const V u = x + V(1), part = u - x, error = (x - (u - part)) + (V(1) - part);
  const V y = log_of_parts(log_parts(u)) + error / u;
  const V edge = select(x == V(-1), -V::infinity(), select(x < V(-1), V::nan(), x));
  return select((x > V(-1)) & (x < V::infinity()) & (x != V(0)), y, edge);
}

// Above this, x^2 + 1 is x^2.
template <class D> inline constexpr double large_square = is_single<D> ? 8192.0 : 268435456.0;

template <class D> HWY_NOINLINE Value<D> asinh(Value<D> x) {
  using V = Value<D>;
  const V size = abs(x), u = size * size;
  const Mask<D> large = size > V(large_square<D>);
  V y = log1p(size + u / (V(1) + sqrt(u + V(1))));
  if (HWY_UNLIKELY(!none(large))) y = select(large, log_anywhere(size) + V(0.6931471805599453), y);
  return copysign(y, x);
}

template <class D> HWY_NOINLINE Value<D> acosh(Value<D> x) {
  using V = Value<D>;
  const V t = x - V(1);
  const Mask<D> large = x > V(large_square<D>);
  V y = log1p(t + sqrt(fma(t, t, t + t)));
  if (HWY_UNLIKELY(!none(large))) y = select(large, log_anywhere(x) + V(0.6931471805599453), y);
  return select(x < V(1), V::nan(), y);
}

template <class D> HWY_NOINLINE Value<D> atanh(Value<D> x) {
  using V = Value<D>;
  const V size = abs(x), twice = size + size, rest = V(1) - size;
  const V t = select(size < V(0.5), fma(twice, size / rest, twice), twice / rest);
  return copysign(V(0.5) * log1p(t), x);
}

// log(x) in two parts, good to about 2^-63; x positive, double precision.
template <class D> HWY_INLINE Pair<D> log_pair(Value<D> x) {
  using V = Value<D>;
  const LogParts<D> p = log_parts_any(x);
  const V m = p.f + V(1), sum = m + V(1), sum_low = m - (sum - V(1));
  const V s = p.f / sum;
  const Pair<D> back = exact_product(s, sum);
  const V s_low = ((p.f - back.hi) - back.lo - s * sum_low) / sum;
  Pair<D> z = exact_product(s, s);
  z.lo = fma(s + s, s_low, z.lo);
  // log m = 2 s + s z (2/3 + z Q(z)); the term with 2/3 needs its low part, Q does not.
  constexpr double third = 2.0 / 3, third_low = 3.7007434154171884681e-17;
  const V q =
      horner(z.hi, {2.0 / 5, 2.0 / 7, 2.0 / 9, 2.0 / 11, 2.0 / 13, 2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21, 2.0 / 23, 2.0 / 25});
  Pair<D> a = exact_product(z.hi, V(third));
  a.lo = fma(z.hi, V(third_low), fma(z.lo, V(third), a.lo));
  Pair<D> b = fast_sum(a.hi, z.hi * z.hi * q);
  b.lo = b.lo + a.lo;
  const Pair<D> t = exact_product(s, b.hi);
  const V t_low = fma(s, b.lo, fma(s_low, b.hi, t.lo));
  const Pair<D> first = fast_sum(p.e * V(ln2_high<D>), s + s), both = fast_sum(first.hi, t.hi);
  const V low = both.lo + (first.lo + fma(p.e, V(ln2_low<D>), fma(s_low, V(2), t_low)));
  return fast_sum(both.hi, low);
}

// |x|^y from y log|x|; a y beyond 2^70 gives 0, 1 or infinity already.
template <class D> HWY_INLINE Value<D> pow_of_size(Value<D> size, Value<D> y) {
  using V = Value<D>;
  const V c = clamped(y, -1180591620717411303424.0, 1180591620717411303424.0);
  const Pair<D> l = log_pair(size), p = exact_product(c, l.hi);
  const V r = exp(Pair<D>{p.hi, select(abs(p.hi) < V(1000), fma(c, l.lo, p.lo), V(0))});
  const V at_edge = select((size == V(0)) ^ (y > V(0)), V::infinity(), V(0));
  return select((size == V(0)) | (size == V::infinity()), at_edge, r);
}

// x^2 is one product, in every lane and for every neighbour.
template <class D> HWY_NOINLINE Value<D> pow(Value<D> x, Same<D> y) {
  using V = Value<D>;
  const Mask<D> square = y == V(2), same = y == V(1);
  V r = select(square, x * x, x);
  if (all(square | same)) return r;
  const V simple = r;
  if constexpr (is_single<D>) {
    r = through_double(abs(x), y, [](auto a, auto b) HWY_ATTR { return exp(b * log_anywhere(a)); });
    r = select(abs(x) == V(1), V(1), r);
  } else {
    r = pow_of_size(abs(x), y);
  }
  const V half = V(0.5) * y;
  const Mask<D> integer = floor(y) == y, odd = integer & (floor(half) != half);
  r = select(odd, copysign(r, x), r);
  r = select((x < V(0)) & is_finite(x) & !integer, V::nan(), r);
  r = select(is_nan(x) | is_nan(y), V::nan(), r);
  return select(square | same, simple, select((y == V(0)) | (x == V(1)), V(1), r));
}

}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
