// Trigonometric functions of Value and their inverses. Included once per SIMD target; see math-inl.h.
#if defined(GRADUS_KERNELS_TRIG_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_KERNELS_TRIG_INL_H
#undef GRADUS_KERNELS_TRIG_INL_H
#else
#define GRADUS_KERNELS_TRIG_INL_H
#endif
#include <cmath>

#include "kernels/exp-inl.h"
#include "kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {

// Up to here n pi/2 is subtracted in parts whose products with n are exact; beyond, lanes go through the C library.
template <class D> inline constexpr double trig_limit = is_single<D> ? 15000 : 1e7;

// x = n pi/2 + r, |r| <= pi/4: n in the low bits of `sum`, and sine and cosine of r.
template <class D> struct Quarter { Value<D> sum, sine, cosine; };

template <class D> HWY_INLINE Quarter<D> quarter(Value<D> x) {
  using V = Value<D>;
  const V sum = fma(x, V(0.6366197723675814), V(rounder<D>)), n = sum - V(rounder<D>);
  V r = x, p, q;
  if constexpr (is_single<D>) {
    // The rounding of the third step joins the fourth: r is rounded once.
    const V third = -0.5 * 6.2771141529083251953e-7;
    const V first = fma(n, V(-0.5 * 0.0009670257568359375), fma(n, V(-0.5 * 3.140625), x)), second = fma(n, third, first);
    r = second + fma(n, V(-0.5 * 1.2154201255653420762e-10), fma(n, third, first - second));
    const V u = r * r;
    p = u * horner(u, {-0.1666666666, 0.008333331831, -0.0001984006304, 2.724686872e-6});
    q = u * horner(u, {0.0416666646, -0.00138882913, 2.454541908e-5});
  } else {
    GRADUS_FLAT for (double part : {3.1415926218032836914, 3.1786509424591713469e-8, 1.2246467864107188502e-16,
                                    1.2736634327021899816e-24}) r = fma(n, V(-0.5 * part), r);
    const V u = r * r;
    p = u * horner(u, {-0.1666666666666666667, 0.008333333333333331379, -0.0001984126984126482162, 2.755731921915078158e-6,
                       -2.505210616733570639e-8, 1.605852134995498633e-10, -7.586094789672620074e-13});
    q = u * horner(u, {0.04166666666666666667, -0.00138888888888888878, 0.00002480158730158451114, -2.755731922129808697e-7,
                       2.087675575487959641e-9, -1.147045517821690658e-11, 4.745537017319258366e-14});
  }
  const V u = r * r;
  return {sum, fma(r, p, r), V(1) - u * (V(0.5) - q)};
}

// Whether bit k of the integer in `sum` is set.
template <int k, class D> HWY_INLINE Mask<D> has_bit(Value<D> sum) {
  const hn::RebindToSigned<D> di;
  return sign_bit(Value<D>(hn::BitCast(D(), hn::ShiftLeft<(is_single<D> ? 31 : 63) - k>(hn::BitCast(di, sum.v)))));
}

// y with its sign changed where bit 1 of the integer in `sum` is set.
template <class D> HWY_INLINE Value<D> half_turns(Value<D> y, Value<D> sum) {
  const D d;
  const hn::RebindToUnsigned<D> du;
  const auto bit = hn::ShiftLeft < is_single<D> ? 30 : 62 > (hn::BitCast(du, sum.v));
  return hn::Xor(y.v, hn::And(hn::SignBit(d), hn::BitCast(d, bit)));
}

template <class D> HWY_INLINE Value<D> sin(Value<D> x) {
  const Quarter<D> q = quarter(x);
  const Value<D> y = select(x == Value<D>(0), x, half_turns(select(has_bit<0>(q.sum), q.cosine, q.sine), q.sum));  // -0 stays -0
  const Mask<D> near = abs(x) <= Value<D>(trig_limit<D>);
  if (HWY_UNLIKELY(!all(near))) return lanes_where(!near, x, y, [](auto a) { return std::sin(a); });
  return y;
}

template <class D> HWY_INLINE Value<D> cos(Value<D> x) {
  const Quarter<D> q = quarter(x);
  const Value<D> y = half_turns(select(has_bit<0>(q.sum), q.sine, q.cosine), q.sum + Value<D>(1));
  const Mask<D> near = abs(x) <= Value<D>(trig_limit<D>);
  if (HWY_UNLIKELY(!all(near))) return lanes_where(!near, x, y, [](auto a) { return std::cos(a); });
  return y;
}

template <class D> HWY_NOINLINE Value<D> tan(Value<D> x) {
  const Quarter<D> q = quarter(x);
  const Mask<D> odd = has_bit<0>(q.sum), near = abs(x) <= Value<D>(trig_limit<D>);
  const Value<D> y = select(x == Value<D>(0), x, select(odd, -q.cosine, q.sine) / select(odd, q.sine, q.cosine));
  if (HWY_UNLIKELY(!all(near))) return lanes_where(!near, x, y, [](auto a) { return std::tan(a); });
  return y;
}

template <class D> inline constexpr double half_pi = is_single<D> ? 1.57079637050628662109375 : 1.5707963267948966;
template <class D> inline constexpr double half_pi_low = is_single<D> ? -4.37113900018624283e-8 : 6.1232339957367658861e-17;

// asin(s) = s + s z P(z), z = s^2: for |x| <= 1/2 with s = |x|; above, asin(x) = pi/2 - 2 asin(s), s^2 = (1 - |x|) / 2.
template <class D> struct AsinParts {
  Mask<D> large;
  Value<D> s, rest;
};

template <class D> HWY_INLINE AsinParts<D> asin_parts(Value<D> size) {
  using V = Value<D>;
  const Mask<D> large = size > V(0.5);
  const V z = select(large, V(0.5) * (V(1) - size), size * size), s = select(large, sqrt(z), size);
  V p;
  if constexpr (is_single<D>) {
    p = horner(z, {0.1666666634, 0.07500094543, 0.04459940153, 0.03110066274, 0.01714923836, 0.0336908472});
  } else {
    p = horner(
        z, {0.1666666666666666783, 0.07499999999998432933, 0.04464285714635542978, 0.03038194413853124729, 0.02237217294214988787,
            0.01735239272086997294, 0.0139712129735529333, 0.0114791774151849059, 0.01032281435018577929, 0.0054575067186403583,
            0.01740087944269402244, -0.01485188707124720322, 0.02875785136742156471});
  }
  return {large, s, s * z * p};
}

template <class D> HWY_NOINLINE Value<D> asin(Value<D> x) {
  using V = Value<D>;
  const AsinParts<D> a = asin_parts(abs(x));
  const V large = (V(half_pi<D>) - (a.s + a.s)) - (a.rest + a.rest - V(half_pi_low<D>));
  return copysign(select(a.large, large, a.s + a.rest), x);
}

template <class D> HWY_NOINLINE Value<D> acos(Value<D> x) {
  using V = Value<D>;
  const AsinParts<D> a = asin_parts(abs(x));
  const V turned = V(2) * (a.s + a.rest);
  const V large = select(x < V(0), V(2 * half_pi<D>) - (turned - V(2 * half_pi_low<D>)), turned);
  const V small = V(half_pi<D>) - (x + (copysign(a.rest, x) - V(half_pi_low<D>)));
  return select(a.large, large, small);
}

// atan q for 0 <= q <= 1.
template <class D> HWY_INLINE Value<D> atan_near(Value<D> q) {
  const Value<D> u = q * q;
  Value<D> p;
  if constexpr (is_single<D>) {
    p = horner(u, {-0.3333333173, 0.1999973933, -0.1427856875, 0.1103376412, -0.0865688043, 0.06250169445, -0.03587153898,
                   0.01350777143, -0.002386997317});
  } else {
    p = horner(u, {-0.3333333333333333025,  0.199999999999975322,    -0.1428571428538413154,    0.111111110934908281,
                   -0.09090908590891934225, 0.07692298971033216917,  -0.06666564699289104211,   0.05881506877793656067,
                   -0.05257973334284110807, 0.04737749579527778972,  -0.04260356632601652133,   0.03749486812535247112,
                   -0.03127718906699638479, 0.02369673158004862201,  -0.01553515247541417613,   0.008368931178450162136,
                   -0.00349588597391630952, 0.001049603508496851507, -0.0001999618937790138206, 0.0000180619546186121522});
  }
  return fma(q, u * p, q);
}

template <class D> HWY_NOINLINE Value<D> atan(Value<D> x) {
  using V = Value<D>;
  const V size = abs(x);
  const Mask<D> large = size > V(1);
  const V p = atan_near(select(large, V(1) / size, size));
  return copysign(select(large, V(half_pi<D>) - (p - V(half_pi_low<D>)), p), x);
}

// The angle of (x, y): a multiple of pi/2 plus or minus the arc tangent of the smaller over the larger size.
template <class D> HWY_NOINLINE Value<D> atan2(Value<D> y, Same<D> x) {
  using V = Value<D>;
  const V ax = abs(x), ay = abs(y);
  const Mask<D> steep = ay > ax, left = sign_bit(x);
  const V large = select(steep, ay, ax), small = select(steep, ax, ay);
  const V q = select(large == V(0), V(0), select(small == V::infinity(), V(1), small / large)), p = atan_near(q);
  const V quarters = select(steep, V(1), select(left, V(2), V(0)));
  const V turn = select(steep ^ left, -p, p);
  const V r = fma(quarters, V(half_pi<D>), fma(quarters, V(half_pi_low<D>), turn));
  return select(is_nan(x), x, select(is_nan(y), y, copysign(r, y)));
}

}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
