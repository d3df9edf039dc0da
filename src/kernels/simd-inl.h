// The value type of elementwise formulas inside kernels: a SIMD vector with operators, comparisons, selects and the exact
// functions (those a processor rounds correctly). Transcendental functions are in math-inl.h.
// Included once per SIMD target, hence the toggled guard.
#if defined(GRADUS_KERNELS_SIMD_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_KERNELS_SIMD_INL_H
#undef GRADUS_KERNELS_SIMD_INL_H
#else
#define GRADUS_KERNELS_SIMD_INL_H
#endif
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "hwy/highway.h"
#include "kernels/flat.h"
#include "kernels/number.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D> struct Mask {
  hn::Mask<D> m;

  friend HWY_INLINE Mask operator&(Mask a, Mask b) { return {hn::And(a.m, b.m)}; }
  friend HWY_INLINE Mask operator|(Mask a, Mask b) { return {hn::Or(a.m, b.m)}; }
  friend HWY_INLINE Mask operator^(Mask a, Mask b) { return {hn::Xor(a.m, b.m)}; }
  friend HWY_INLINE Mask operator!(Mask a) { return {hn::Not(a.m)}; }
  friend HWY_INLINE bool all(Mask a) { return hn::AllTrue(D(), a.m); }
  friend HWY_INLINE bool none(Mask a) { return hn::AllFalse(D(), a.m); }
};

template <class D> struct Value {
  using T = hn::TFromD<D>;
  hn::Vec<D> v;

  HWY_INLINE Value() {}
  HWY_INLINE Value(hn::Vec<D> x) : v(x) {}
  HWY_INLINE Value(double c) : v(hn::Set(D(), static_cast<T>(c))) {}  // the constants of a formula
  HWY_INLINE Value(int c) : Value(static_cast<double>(c)) {}
  HWY_INLINE Value(Number c) : Value(c.f) {}
  static HWY_INLINE Value infinity() { return hn::Inf(D()); }
  static HWY_INLINE Value nan() { return hn::NaN(D()); }

  friend HWY_INLINE Value operator+(Value a, Value b) { return hn::Add(a.v, b.v); }
  friend HWY_INLINE Value operator-(Value a, Value b) { return hn::Sub(a.v, b.v); }
  friend HWY_INLINE Value operator*(Value a, Value b) { return hn::Mul(a.v, b.v); }
  friend HWY_INLINE Value operator/(Value a, Value b) { return hn::Div(a.v, b.v); }
  friend HWY_INLINE Value operator-(Value a) { return hn::Neg(a.v); }

  friend HWY_INLINE Mask<D> operator<(Value a, Value b) { return {hn::Lt(a.v, b.v)}; }
  friend HWY_INLINE Mask<D> operator>(Value a, Value b) { return {hn::Gt(a.v, b.v)}; }
  friend HWY_INLINE Mask<D> operator<=(Value a, Value b) { return {hn::Le(a.v, b.v)}; }
  friend HWY_INLINE Mask<D> operator>=(Value a, Value b) { return {hn::Ge(a.v, b.v)}; }
  friend HWY_INLINE Mask<D> operator==(Value a, Value b) { return {hn::Eq(a.v, b.v)}; }
  friend HWY_INLINE Mask<D> operator!=(Value a, Value b) { return !(a == b); }  // hn::Ne(NaN, NaN) is false on AVX2 and AVX-512
  friend HWY_INLINE Mask<D> is_nan(Value a) { return {hn::IsNaN(a.v)}; }
  friend HWY_INLINE Mask<D> is_inf(Value a) { return {hn::IsInf(a.v)}; }
  friend HWY_INLINE Mask<D> is_finite(Value a) { return {hn::IsFinite(a.v)}; }
  friend HWY_INLINE Mask<D> sign_bit(Value a) {
    const hn::RebindToSigned<D> di;
    return {hn::RebindMask(D(), hn::Lt(hn::BitCast(di, a.v), hn::Zero(di)))};
  }

  friend HWY_INLINE Value select(Mask<D> m, Value a, Value b) { return hn::IfThenElse(m.m, a.v, b.v); }
  friend HWY_INLINE Value nonzero(Value a) { return select(a != Value(0), Value(1), Value(0)); }  // NaN counts as nonzero

  // A NaN on either side is the result (hn::Min and hn::Max differ between processors there).
  friend HWY_INLINE Value minimum(Value a, Value b) { return select(is_nan(a) | (a < b), a, b); }
  friend HWY_INLINE Value maximum(Value a, Value b) { return select(is_nan(a) | (a > b), a, b); }
  // The sign of NaN and of both zeros is +0, as in PyTorch.
  friend HWY_INLINE Value sign(Value a) { return select(a > Value(0), Value(1), select(a < Value(0), Value(-1), Value(0))); }

  friend HWY_INLINE Value abs(Value a) { return hn::Abs(a.v); }
  friend HWY_INLINE Value sqrt(Value a) { return hn::Sqrt(a.v); }
  friend HWY_INLINE Value floor(Value a) { return with_zero_sign(hn::Floor(a.v), a); }
  friend HWY_INLINE Value ceil(Value a) { return with_zero_sign(hn::Ceil(a.v), a); }
  friend HWY_INLINE Value trunc(Value a) { return with_zero_sign(hn::Trunc(a.v), a); }
  friend HWY_INLINE Value round(Value a) { return with_zero_sign(hn::Round(a.v), a); }  // ties to even
  // Highway's scalar target loses the sign of zero.
  static HWY_INLINE Value with_zero_sign(Value rounded, [[maybe_unused]] Value a) {
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
    return copysign(rounded, a);
#else
    return rounded;
#endif
  }
  // One rounding only where the processor has the instruction (not on SSE4 and scalar targets).
  friend HWY_INLINE Value fma(Value a, Value b, Value c) { return hn::MulAdd(a.v, b.v, c.v); }
  friend HWY_INLINE Value copysign(Value a, Value s) { return hn::CopySign(a.v, s.v); }
};

// The type of a second argument, which may then be a plain number.
template <class D> using Same = std::type_identity_t<Value<D>>;

template <class D> inline constexpr bool is_single = sizeof(hn::TFromD<D>) == 4;

template <int n, class D> HWY_INLINE Value<D> horner(Value<D> x, const double (&c)[n]) {
  Value<D> r = c[n - 1];
  GRADUS_FLAT for (int i = n - 2; i >= 0; --i) r = fma(r, x, Value<D>(c[i]));
  return r;
}

// Unevaluated sums hi + lo of twice the precision.
template <class D> struct Pair { Value<D> hi, lo; };

// a + b exactly; |a| >= |b| or a = 0.
template <class D> HWY_INLINE Pair<D> fast_sum(Value<D> a, Value<D> b) {
  const Value<D> s = a + b;
  return {s, b - (s - a)};
}

// a with the low half of its digits cleared.
template <class D> HWY_INLINE Value<D> upper_digits(Value<D> a) {
  const D d;
  const hn::RebindToUnsigned<D> du;
  using TU = hn::TFromD<decltype(du)>;
  constexpr TU keep = static_cast<TU>(~((TU(1) << (is_single<D> ? 12 : 27)) - 1));
  return hn::And(a.v, hn::BitCast(d, hn::Set(du, keep)));
}

// a b exactly, as long as nothing under- or overflows (Dekker's product where there is no fused multiply-add).
template <class D> HWY_INLINE Pair<D> exact_product(Value<D> a, Value<D> b) {
  const Value<D> p = a * b;
#if HWY_NATIVE_FMA
  return {p, hn::MulSub(a.v, b.v, p.v)};
#else
  const Value<D> ah = upper_digits(a), al = a - ah, bh = upper_digits(b), bl = b - bh;
  return {p, ((ah * bh - p) + ah * bl + al * bh) + al * bl};
#endif
}

// f lane by lane, for the lanes in `which` (the others keep y).
template <class D, class F> HWY_NOINLINE Value<D> lanes_where(Mask<D> which, Value<D> x, Value<D> y, F f) {
  using T = hn::TFromD<D>;
  const D d;
  HWY_ALIGN T in[HWY_MAX_BYTES / sizeof(T)], out[HWY_MAX_BYTES / sizeof(T)];
  uint8_t bits[8] = {};
  hn::Store(x.v, d, in);
  hn::Store(y.v, d, out);
  hn::StoreMaskBits(d, which.m, bits);
  for (size_t i = 0; i < hn::Lanes(d); ++i)
    if (bits[i / 8] >> (i % 8) & 1) out[i] = static_cast<T>(f(in[i]));
  return hn::Load(d, out);
}

// f(x, y) lane by lane.
template <class D, class F> HWY_NOINLINE Value<D> lanes(Value<D> x, Same<D> y, F f) {
  using T = hn::TFromD<D>;
  const D d;
  HWY_ALIGN T in[HWY_MAX_BYTES / sizeof(T)], out[HWY_MAX_BYTES / sizeof(T)];
  hn::Store(x.v, d, in);
  hn::Store(y.v, d, out);
  for (size_t i = 0; i < hn::Lanes(d); ++i) out[i] = static_cast<T>(f(in[i], out[i]));
  return hn::Load(d, out);
}

// f of single precision vectors, computed on double ones.
template <class D, class F> HWY_INLINE Value<D> through_double(Value<D> x, Same<D> y, F f) {
  const D d;
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
  // Highway's DemoteTo turns infinity into the largest number here.
  using DD = hn::ScalableTag<double>;
  constexpr size_t count = HWY_MAX_BYTES / sizeof(float);
  HWY_ALIGN float sx[count], sy[count];
  HWY_ALIGN double dx[count], dy[count];
  hn::Store(x.v, d, sx);
  hn::Store(y.v, d, sy);
  for (size_t i = 0; i < hn::Lanes(d); ++i) dx[i] = static_cast<double>(sx[i]), dy[i] = static_cast<double>(sy[i]);
  for (size_t i = 0; i < hn::Lanes(d); i += hn::Lanes(DD()))
    hn::Store(f(Value<DD>(hn::Load(DD(), dx + i)), Value<DD>(hn::Load(DD(), dy + i))).v, DD(), dx + i);
  for (size_t i = 0; i < hn::Lanes(d); ++i) sx[i] = static_cast<float>(dx[i]);
  return hn::Load(d, sx);
#else
  using DH = hn::Half<D>;
  using DD = hn::Rebind<double, DH>;
  const DH dh;
  const DD dd;
  const Value<DD> x0 = hn::PromoteTo(dd, hn::LowerHalf(dh, x.v)), x1 = hn::PromoteTo(dd, hn::UpperHalf(dh, x.v));
  const Value<DD> y0 = hn::PromoteTo(dd, hn::LowerHalf(dh, y.v)), y1 = hn::PromoteTo(dd, hn::UpperHalf(dh, y.v));
  const Value<DD> low = f(x0, y0), high = f(x1, y1);
  return hn::Combine(d, hn::DemoteTo(dh, high.v), hn::DemoteTo(dh, low.v));
#endif
}

}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
