// The value type of the formulas inside kernels: a SIMD vector with operators, selects and math functions whose special
// values (NaN, infinities, signed zero, overflow) are right. Included once per SIMD target, hence the toggled guard.
#if defined(GRADUS_KERNELS_SIMD_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_KERNELS_SIMD_INL_H
#undef GRADUS_KERNELS_SIMD_INL_H
#else
#define GRADUS_KERNELS_SIMD_INL_H
#endif
#include <cmath>
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

// Loops over operands and coefficients have constant counts, which GCC's -O2 leaves as loops over arrays in memory.
#ifndef GRADUS_FLAT
#define GRADUS_FLAT _Pragma("GCC unroll 32")
#endif

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D> struct Mask {
  hn::Mask<D> m;
  friend HWY_INLINE Mask operator&(Mask a, Mask b) { return {hn::And(a.m, b.m)}; }
  friend HWY_INLINE Mask operator|(Mask a, Mask b) { return {hn::Or(a.m, b.m)}; }
};

template <class D> struct Value {
  using T = hn::TFromD<D>;
  hn::Vec<D> v;
  HWY_INLINE Value() {}
  HWY_INLINE Value(hn::Vec<D> x) : v(x) {}
  HWY_INLINE Value(double c) : v(hn::Set(D(), static_cast<T>(c))) {}        // constants of a formula
  HWY_INLINE Value(int c) : Value(static_cast<double>(c)) {}

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
  friend HWY_INLINE Mask<D> is_nan(Value a) { return {hn::IsNaN(a.v)}; }
  friend HWY_INLINE Value select(Mask<D> m, Value a, Value b) { return hn::IfThenElse(m.m, a.v, b.v); }
  friend HWY_INLINE Value nonzero(Value a) { return hn::IfThenElse(hn::Ne(a.v, hn::Zero(D())), hn::Set(D(), T(1)), hn::Zero(D())); }

  friend HWY_INLINE Value abs(Value a) { return hn::Abs(a.v); }
  friend HWY_INLINE Value sqrt(Value a) { return hn::Sqrt(a.v); }
  friend HWY_INLINE Value fma(Value a, Value b, Value c) { return hn::MulAdd(a.v, b.v, c.v); }
  friend HWY_INLINE Value copysign(Value a, Value s) { return hn::CopySign(a.v, s.v); }

  // exp for arguments whose result is a normal number: 2^n e^r with n by the rounding of a large addend, whose low bits
  // are n. The others (overflow, subnormals, NaN) take Highway's core on a clamped argument.
  friend HWY_INLINE Value exp(Value x) {
    const D d;
    if (HWY_UNLIKELY(!hn::AllTrue(d, hn::Le(hn::Abs(x.v), hn::Set(d, T(sizeof(T) == 4 ? 87 : 708)))))) return exp_anywhere(x);
    const hn::RebindToSigned<D> di;
    const Value magic = sizeof(T) == 4 ? 12582912.0 : 6755399441055744.0;
    const Value t = fma(x, Value(1.4426950408889634), magic), n = t - magic;
    Value r = fma(n, Value(sizeof(T) == 4 ? -0.693145751953125 : -0.6931471803691238), x), p;
    r = fma(n, Value(sizeof(T) == 4 ? -1.428606765330187045e-6 : -1.9082149292705877e-10), r);
    if constexpr (sizeof(T) == 4) p = horner(r, {0.5, 0.166666671633720397949219, 0.0416664853692054748535156, 0.00833336077630519866943359, 0.00139304355252534151077271, 0.000198527617612853646278381});
    else p = horner(r, {0.5, 0.166666666666666851703837, 0.0416666666666665047591422, 0.00833333333331652721664984, 0.00138888888889774492207962, 0.000198412698960509205564975, 2.4801587159235472998791e-5, 2.75572362911928827629423e-6, 2.75573911234900471893338e-7, 2.51112930892876518610661e-8, 2.08860621107283687536341e-9});
    const Value y = Value(1) + fma(p, r * r, r);
    return hn::BitCast(d, hn::Add(hn::BitCast(di, y.v), hn::ShiftLeft<(sizeof(T) == 4 ? 23 : 52)>(hn::BitCast(di, t.v))));
  }
  static HWY_NOINLINE Value exp_anywhere(Value x) {
    constexpr double lo = sizeof(T) == 4 ? -104 : -746, hi = sizeof(T) == 4 ? 89 : 710;
    const D d;
    const auto c = hn::Min(hn::Max(x.v, hn::Set(d, T(lo))), hn::Set(d, T(hi)));
    return select(is_nan(x), x, Value(hn::Exp(d, c)));
  }
  friend HWY_INLINE Value log(Value x) {
    const Value y = hn::Log(D(), x.v);
    const T inf = hwy::HWY_NAMESPACE::GetLane(hn::Inf(D()));
    const Value edge = select(x == Value(0), Value(hn::Neg(hn::Inf(D()))), select(x < Value(0), Value(hn::NaN(D())), x));
    return select((x > Value(0)) & (x < Value(hn::Set(D(), inf))), y, edge);
  }
  friend HWY_INLINE Value tanh(Value x) { return hn::Tanh(D(), x.v); }
  friend HWY_INLINE Value sigmoid(Value x) {                                // no overflow on either side
    const Value e = exp(-abs(x)), r = Value(1) / (Value(1) + e);
    return select(x < Value(0), e * r, r);
  }
  friend HWY_INLINE Value sin(Value x) {
    const D d;
    const Value y = select(x == Value(0), x, Value(hn::Sin(d, x.v)));       // -0 stays -0
    const auto far = hn::Not(hn::Le(hn::Abs(x.v), hn::Set(d, T(30000))));   // NaN and inf too
    if (HWY_UNLIKELY(!hn::AllFalse(d, far))) return rare(x, y, far, [](T a) { return std::sin(a); });
    return y;
  }
  friend HWY_INLINE Value cos(Value x) {
    const D d;
    const Value y = hn::Cos(d, x.v);
    const auto far = hn::Not(hn::Le(hn::Abs(x.v), hn::Set(d, T(30000))));
    if (HWY_UNLIKELY(!hn::AllFalse(d, far))) return rare(x, y, far, [](T a) { return std::cos(a); });
    return y;
  }
  // exp(-c x^2) for c a power of two; the rounding error of x^2 is carried along (Dekker), or it would cost x^2 ulp.
  friend HWY_INLINE Value gauss(Value x, double c) {
    using TU = hwy::MakeUnsigned<T>;
    const D d; const hn::RebindToUnsigned<D> du;
    const auto high = hn::And(x.v, hn::BitCast(d, hn::Set(du, static_cast<TU>(~((TU(1) << (sizeof(T) == 4 ? 12 : 27)) - 1)))));
    const Value h = high, l = x - h, s = x * x, rest = ((h * h - s) + Value(2) * h * l) + l * l;
    return exp(-(Value(c) * s)) * (Value(1) - Value(c) * rest);
  }
  // erfc(z) / exp(-z^2) for z >= 0: a polynomial in (z-a)/(z+a), over z+a.
  friend HWY_INLINE Value erfc_scaled(Value ax) {
    if constexpr (sizeof(T) == 4) {
      const Value t = (ax - Value(2)) / (ax + Value(2));
      return horner(t, {1.02158270965667067, -0.687160712646478119, 0.279471706991014453, -0.0364414516473398427, -0.0215049930127803276, 0.00647410919890181704, 0.00305958397996699771, -0.00082897524168529946, -0.000587706004430726364, 0.0000456321511417749546, 0.0000673049057720380552}) / (ax + Value(2));
    } else {
      const Value t = (ax - Value(3)) / (ax + Value(3));
      return horner(t, {1.07400690708833971, -0.883394453169883764, 0.590228357104100364, -0.310467261900552675, 0.119527761287387944, -0.026827234624950196, -0.00121241662970476244, 0.00303406200797332915, -0.000548309659577884969, -0.000276777898347123935, 0.000107561249111467575, 0.0000303983910010056675, -0.0000174694935319034115, -4.74978324582527004e-6, 2.7623356535497897e-6, 9.99501208863118506e-7, -4.02479420217360044e-7, -2.33187193384094971e-7, 4.00925941030505273e-8, 4.88130179326096554e-8, 2.48295622653057457e-9, -6.38430446823443802e-9, -1.61318490003255973e-9}) / (ax + Value(3));
    }
  }
  friend HWY_INLINE Value erf_near(Value x) {                               // |x| <= 1
    const Value u = x * x;
    if constexpr (sizeof(T) == 4) return x * horner(u, {1.12837912617873727, -0.376123437753278044, 0.112803166525050752, -0.0267150542322664312, 0.00492176202787723099, -0.000564805986550304365});
    else return x * horner(u, {1.12837916709551257, -0.376126389031835404, 0.112837916709450063, -0.0268661706432377704, 0.00522397760711642273, -0.000854832597538969208, 0.000120552949048397079, -0.0000149247369074196603, 1.64474247033173624e-6, -1.62084838018717059e-7, 1.37200645467776856e-8, -7.79589882700214224e-10});
  }
  friend HWY_INLINE Value erf(Value x) {
    const Value ax = abs(x);
    const Value c = hn::Min(ax.v, hn::Set(D(), T(28))), far = copysign(Value(1) - gauss(c, 1) * erfc_scaled(c), x);
    return select(is_nan(x), x, select(ax <= Value(1), erf_near(x), far));
  }
  friend HWY_INLINE Value erfc(Value x) {
    const Value ax = abs(x), c = hn::Min(ax.v, hn::Set(D(), T(28))), tail = gauss(c, 1) * erfc_scaled(c);
    return select(is_nan(x), x, select(ax <= Value(1), Value(1) - erf_near(x), select(x < Value(0), Value(2) - tail, tail)));
  }
  friend HWY_INLINE Value normal_cdf(Value x) {                             // erfc(-x / sqrt 2) / 2 without rounding x first
    const Value c = hn::Min(abs(x).v, hn::Set(D(), T(39)));
    const Value tail = Value(0.5) * gauss(c, 0.5) * erfc_scaled(Value(0.7071067811865476) * c);
    return select(is_nan(x), x, select(x < Value(0), tail, Value(1) - tail));
  }

  template <int n> static HWY_INLINE Value horner(Value x, const double (&c)[n]) {
    Value r = c[n - 1];
    GRADUS_FLAT for (int i = n - 2; i >= 0; --i) r = fma(r, x, Value(c[i]));
    return r;
  }
  // The few lanes outside a polynomial's range go through scalar code.
  template <class Scalar> static HWY_NOINLINE Value rare(Value x, Value y, hn::Mask<D> far, Scalar f) {
    const D d;
    HWY_ALIGN T in[HWY_MAX_BYTES / sizeof(T)], out[HWY_MAX_BYTES / sizeof(T)];
    hn::Store(x.v, d, in);
    hn::Store(y.v, d, out);
    uint8_t bits[16];
    hn::StoreMaskBits(d, far, bits);
    for (size_t i = 0; i < hn::Lanes(d); ++i)
      if (bits[i / 8] >> (i % 8) & 1) out[i] = f(in[i]);
    return hn::Load(d, out);
  }
};

}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
