// Exponential and hyperbolic functions of Value. Included once per SIMD target; see math-inl.h.
#if defined(GRADUS_KERNELS_EXP_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_KERNELS_EXP_INL_H
#undef GRADUS_KERNELS_EXP_INL_H
#else
#define GRADUS_KERNELS_EXP_INL_H
#endif
#include "kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {

template <class D> inline constexpr int mantissa_bits = is_single<D> ? 23 : 52;

// 1.5 * 2^mantissa_bits: adding it rounds to an integer, which then stands in the low bits of the sum.
template <class D> inline constexpr double rounder = is_single<D> ? 12582912.0 : 6755399441055744.0;

// x = n ln 2 + r + low; `sum` holds n in its low bits.
template <class D> struct Split { Value<D> r, low, sum; };

template <class D> HWY_INLINE Split<D> split_ln2(Value<D> x) {
  const Value<D> sum = fma(x, Value<D>(1.4426950408889634), Value<D>(rounder<D>)), n = sum - Value<D>(rounder<D>);
  const Value<D> part = is_single<D> ? -1.428606765330187045e-6 : -1.9082149292705877e-10;
  const Value<D> r = fma(n, Value<D>(is_single<D> ? -0.693145751953125 : -0.6931471803691238), x), sharp = fma(n, part, r);
  return {sharp, fma(n, part, r - sharp), sum};
}

template <class D> HWY_INLINE Split<D> split_ln2(Pair<D> x) {
  const Split<D> s = split_ln2(x.hi);
  const Pair<D> r = fast_sum(s.r, s.low + x.lo);
  return {r.hi, r.lo, s.sum};
}

// (e^r - 1 - r) / r^2 for |r| <= ln(2) / 2.
template <class D> HWY_INLINE Value<D> exp_rest(Value<D> r) {
  if constexpr (is_single<D>) {
    return horner(r, {0.5, 0.166666671633720397949219, 0.0416664853692054748535156, 0.00833336077630519866943359,
                      0.00139304355252534151077271, 0.000198527617612853646278381});
  } else {
    return horner(r, {0.5, 0.166666666666666851703837, 0.0416666666666665047591422, 0.00833333333331652721664984,
                      0.00138888888889774492207962, 0.000198412698960509205564975, 2.4801587159235472998791e-5,
                      2.75572362911928827629423e-6, 2.75573911234900471893338e-7, 2.51112930892876518610661e-8,
                      2.08860621107283687536341e-9});
  }
}

// e^(r + low) with one rounding that counts: 1 + r is carried in two parts. low is at most half an ulp of r.
template <class D> HWY_INLINE Value<D> exp_near(Value<D> r, Value<D> low) {
  const Pair<D> s = fast_sum(Value<D>(1), r);
  return s.hi + (s.lo + fma(exp_rest(r), r * r, low));
}

// y 2^n for a normal result; n in the low bits of `sum`.
template <class D> HWY_INLINE Value<D> times_power(Value<D> y, Value<D> sum) {
  const hn::RebindToSigned<D> di;
  return hn::BitCast(D(), hn::Add(hn::BitCast(di, y.v), hn::ShiftLeft<mantissa_bits<D>>(hn::BitCast(di, sum.v))));
}

// factor e^(r + low), likewise.
template <class D> HWY_INLINE Value<D> exp_near(Value<D> r, Value<D> low, Value<D> factor) {
  const Pair<D> s = fast_sum(Value<D>(1), r), p = exact_product(s.hi, factor);
  return p.hi + fma(s.lo + fma(exp_rest(r), r * r, low), factor, p.lo);
}

template <class D, class DI> HWY_INLINE Value<D> power_of_two(hn::Vec<DI> n) {
  const DI di;
  return hn::BitCast(D(), hn::ShiftLeft<mantissa_bits<D>>(hn::Add(n, hn::Set(di, is_single<D> ? 127 : 1023))));
}

// y 2^(n + k) for any result: two factors, of which the second rounds (to a subnormal) or overflows.
template <int k, class D> HWY_INLINE Value<D> times_any_power(Value<D> y, Value<D> sum) {
  using DI = hn::RebindToSigned<D>;
  using TI = hn::TFromD<DI>;
  const DI di;
  const auto origin = hn::BitCast(di, Value<D>(rounder<D>).v);
  const auto n = hn::Add(hn::Sub(hn::BitCast(di, sum.v), origin), hn::Set(di, static_cast<TI>(k)));
  const auto half = hn::ShiftRight<1>(n);
  return y * power_of_two<D, DI>(half) * power_of_two<D, DI>(hn::Sub(n, half));
}

template <class D> HWY_INLINE Value<D> clamped(Value<D> x, double low, double high) {
  return hn::Min(hn::Max(x.v, Value<D>(low).v), Value<D>(high).v);
}

// 2^k factor e^(x + low) for any x; |low| is at most a rounding error of x.
template <int k, class D> HWY_NOINLINE Value<D> exp_anywhere(Value<D> x, Same<D> low, Same<D> factor) {
  const Split<D> s = split_ln2(Pair<D>{clamped(x, is_single<D> ? -105 : -747, is_single<D> ? 90 : 711), low});
  return select(is_nan(x), x, times_any_power<k>(exp_near(s.r, s.low, factor), s.sum));
}

// e^x for |x| <= 87 (708): the result is a normal number.
template <class D> HWY_INLINE Value<D> exp_normal(Value<D> x) {
  const Split<D> s = split_ln2(x);
  return times_power(exp_near(s.r, s.low), s.sum);
}

template <class D> HWY_INLINE Value<D> exp(Value<D> x) {
  if (HWY_UNLIKELY(!all(abs(x) <= Value<D>(is_single<D> ? 87 : 708)))) return exp_anywhere<0>(x, 0, 1);
  return exp_normal(x);
}

template <class D> HWY_INLINE Value<D> exp(Pair<D> x) {
  if (HWY_UNLIKELY(!all(abs(x.hi) <= Value<D>(is_single<D> ? 87 : 708)))) return exp_anywhere<0>(x.hi, x.lo, 1);
  const Split<D> s = split_ln2(x);
  return times_power(exp_near(s.r, s.low), s.sum);
}

// factor e^x for a factor between 1/100 and 100, with the error of one rounding.
template <class D> HWY_INLINE Value<D> exp_times(Pair<D> x, Value<D> factor) {
  if (HWY_UNLIKELY(!all(abs(x.hi) <= Value<D>(is_single<D> ? 80 : 700)))) return exp_anywhere<0>(x.hi, x.lo, factor);
  const Split<D> s = split_ln2(x);
  return times_power(exp_near(s.r, s.low, factor), s.sum);
}

template <class D> HWY_NOINLINE Value<D> exp2(Value<D> x) {
  const Value<D> c = clamped(x, is_single<D> ? -151 : -1076, is_single<D> ? 129 : 1025);
  const Value<D> sum = c + Value<D>(rounder<D>), r = (c - (sum - Value<D>(rounder<D>))) * Value<D>(0.6931471805599453);
  return select(is_nan(x), x, times_any_power<0>(exp_near(r, Value<D>(0)), sum));
}

// 2^n (p + 1) - 1 with p = e^r - 1, computed at half its size because 2^n alone may overflow.
template <class D> HWY_NOINLINE Value<D> expm1(Value<D> x) {
  const Split<D> s = split_ln2(clamped(x, -60, is_single<D> ? 89 : 710));
  const Value<D> half_power = times_power(Value<D>(0.5), s.sum);
  const Value<D> p = s.r + fma(exp_rest(s.r), s.r * s.r, s.low), y = fma(half_power, p, half_power - Value<D>(0.5)) * Value<D>(2);
  const Mask<D> as_is = is_nan(x) | (abs(x) < Value<D>(is_single<D> ? 1e-9 : 1e-18));
  return select(as_is, x, y);
}

// 1 / (1 + e), e = e^-|x|, and e / (1 + e) for negative x, which keeps the digits of the left tail. The quotient is
// corrected by the roundings of 1 + e and of the division; 1 / (1 + e) is known from it.
template <class D> HWY_INLINE Value<D> sigmoid(Value<D> x) {
  constexpr double limit = is_single<D> ? 87 : 708;
  using V = Value<D>;
  V e;
  if (HWY_UNLIKELY(!all(x >= V(-limit)))) {
    e = exp_anywhere<0>(-abs(x), 0, 1);
  } else {
    e = exp_normal(V(hn::Max((-abs(x)).v, V(-limit).v)));
  }
  const Mask<D> negative = x < V(0);
  const Pair<D> sum = fast_sum(V(1), e);
  const V top = select(negative, e, V(1)), q = top / sum.hi, inverse = select(negative, V(1) - q, q);
#if HWY_NATIVE_FMA
  const V rest = fma(-q, sum.lo, fma(-q, sum.hi, top));
#else
  const V rest = -(q * sum.lo);
#endif
  return fma(rest, inverse, q);
}

// x + x^3 P(x^2) below 0.6 and for NaN, else 1 - 2 / (e^2x + 1).
template <class D> HWY_INLINE Value<D> tanh(Value<D> x) {
  const Value<D> size = abs(x), u = x * x;
  const Value<D> e = exp_normal(Value<D>(hn::Min((size + size).v, Value<D>(is_single<D> ? 20 : 40).v)));
  const Value<D> far = copysign(Value<D>(1) - Value<D>(2) / (e + Value<D>(1)), x);
  Value<D> p;
  if constexpr (is_single<D>) {
    p = horner(u, {-0.3333333033, 0.1333291537, -0.05387394885, 0.02111095905, -0.00626911972});
  } else {
    p = horner(u, {-0.3333333333333332867, 0.1333333333333019618, -0.05396825396475762478, 0.02186948838378092915,
                   -0.008863232113541473187, 0.003592083166343457503, -0.001455464802800744916, 0.0005880541548418729003,
                   -0.0002322510406793850946, 0.00008154737806525365223, -0.00001833596211003942041});
  }
  const Value<D> near = fma(x, u * p, x);
  return select(size > Value<D>(0.6), far, copysign(near, x));
}

// Taylor below 1, else (e^x - e^-x) / 2.
template <class D> HWY_NOINLINE Value<D> sinh(Value<D> x) {
  const Value<D> size = abs(x), h = exp_anywhere<-1>(size, 0, 1), u = x * x;
  Value<D> p;
  if constexpr (is_single<D>) {
    p = horner(u, {1.0 / 6, 1.0 / 120, 1.0 / 5040, 1.0 / 362880, 1.0 / 39916800});
  } else {
    p = horner(u, {1.0 / 6, 1.0 / 120, 1.0 / 5040, 1.0 / 362880, 1.0 / 39916800, 1.0 / 6227020800, 1.0 / 1307674368000,
                   1.0 / 355687428096000, 1.0 / 121645100408832000});
  }
  return copysign(select(size < Value<D>(1), fma(size, u * p, size), h - Value<D>(0.25) / h), x);
}

template <class D> HWY_NOINLINE Value<D> cosh(Value<D> x) {
  const Value<D> h = exp_anywhere<-1>(abs(x), 0, 1);
  return h + Value<D>(0.25) / h;
}

}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
