// The references of math_reference.h. long double has 64 digits of mantissa on x86: 11 more than double.
#include "math_reference.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace {
using Real = long double;
using limits = std::numeric_limits<Real>;

Real sigmoid(Real x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }

// erfc(z + e) = erfc(z) - 2 / sqrt(pi) exp(-z^2) e, where e is the rounding error of z = -x / sqrt 2.
Real normal_cdf(Real x) {
  if (!std::isfinite(x)) return std::erfc(-x) / 2;
  constexpr Real root = 0.707106781186547524400844362104849039L, root_low = 1.8950325588932570797e-20L;
  const Real z = -x * root, e = std::fma(-x, root, -z) - x * root_low;
  return (std::erfc(z) - 1.128379167095512573896158903121545172L * std::exp(-z * z) * e) / 2;
}

// Newton's iteration from Winitzki's approximation, on erfc where 1 - y is the smaller.
Real erfinv(Real y) {
  const Real size = std::fabs(y);
  if (!(size < 1)) return size == 1 ? std::copysign(limits::infinity(), y) : limits::quiet_NaN();
  if (size < 1e-12L) return y * 0.886226925452758013649083741670572591L;
  const Real l = std::log((1 - size) * (1 + size)), t = 4.33074675L + l / 2;
  Real x = std::sqrt(std::sqrt(t * t - l / 0.147L) - t);
  for (int i = 0; i < 6; ++i) {
    const Real error = size < 0.5L ? std::erf(x) - size : (1 - size) - std::erfc(x);
    x -= error * 0.886226925452758013649083741670572591L * std::exp(x * x);
  }
  return std::copysign(x, y);
}

// Hurwitz' zeta by Euler and Maclaurin.
Real zeta(int s, Real q) {
  Real sum = 0;
  int k = 0;
  for (; k < 40; ++k) sum += std::pow(q + k, Real(-s));
  const Real a = q + k;
  sum += std::pow(a, Real(1 - s)) / (s - 1) + std::pow(a, Real(-s)) / 2;
  constexpr Real b[] = {1 / 12.0L, -1 / 720.0L, 1 / 30240.0L, -1 / 1209600.0L};
  Real rising = s;
  for (int i = 0; i < 4; ++i) {
    sum += b[i] * rising * std::pow(a, Real(-s - 2 * i - 1));
    rising *= Real(s + 2 * i + 1) * Real(s + 2 * i + 2);
  }
  return sum;
}

// The Taylor series around the root, whose coefficients are zeta values.
Real digamma_near_root(Real t) {
  static const std::vector<Real> c = [] {
    std::vector<Real> r;
    for (int j = 1; j < 40; ++j) r.push_back((j % 2 ? 1 : -1) * zeta(j + 1, 1.461632144968362341262659542325721L));
    return r;
  }();
  Real sum = 0;
  for (size_t i = c.size(); i-- > 0;) sum = (sum + c[i]) * t;
  return sum;
}

Real digamma(Real x) {
  constexpr Real pi = 3.141592653589793238462643383279502884L;
  if (x == 0) return std::copysign(limits::infinity(), -x);
  if (x < 0) {
    const Real part = x - std::nearbyint(x);
    return part == 0 || std::isinf(x) ? limits::quiet_NaN() : digamma(1 - x) - pi / std::tan(pi * part);
  }
  const Real t = (x - Real(1.4616321449683622)) - 9.549995429965697715184199e-17L;  // the root as a double and the rest
  if (std::fabs(t) < 0.4L) return digamma_near_root(t);
  Real sum = 0;
  for (; x < 60; x += 1) sum -= 1 / x;
  const Real u = 1 / (x * x);
  return sum + std::log(x) - 0.5L / x - u * (1 / 12.0L - u * (1 / 120.0L - u * (1 / 252.0L - u * (1 / 240.0L - u / 132.0L))));
}

Real floor_remainder(Real x, Real y) {
  const Real r = std::fmod(x, y);
  return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

constexpr MathCase unary(const char* name, Real (*f)(Real, Real), double ulp, double low, double high, double least = 0,
                         bool inside = false) {
  return {name, f, ulp, low, high, false, least, inside};
}
constexpr MathCase binary(const char* name, Real (*f)(Real, Real), double ulp, double low, double high) {
  return {name, f, ulp, low, high, true};
}

const MathCase cases[] = {
    unary(
        "exp", [](Real x, Real) { return std::exp(x); }, 2, -110, 90),
    unary(
        "exp2", [](Real x, Real) { return std::exp2(x); }, 4, -155, 130),
    unary(
        "expm1", [](Real x, Real) { return std::expm1(x); }, 4, -5, 5),
    unary(
        "log", [](Real x, Real) { return std::log(x); }, 2, 0, 3),
    unary(
        "log2", [](Real x, Real) { return std::log2(x); }, 4, 0, 3),
    unary(
        "log10", [](Real x, Real) { return std::log10(x); }, 4, 0, 3),
    unary(
        "log1p", [](Real x, Real) { return std::log1p(x); }, 4, -1, 3),
    unary(
        "sin", [](Real x, Real) { return std::sin(x); }, 2, -40, 40),
    unary(
        "cos", [](Real x, Real) { return std::cos(x); }, 2, -40, 40),
    unary(
        "tan", [](Real x, Real) { return std::tan(x); }, 4, -40, 40),
    unary(
        "sin", [](Real x, Real) { return std::sin(x); }, 2, -16000, 16000),
    unary(
        "cos", [](Real x, Real) { return std::cos(x); }, 2, -16000, 16000),
    unary(
        "tan", [](Real x, Real) { return std::tan(x); }, 4, -16000, 16000),
    unary(
        "asin", [](Real x, Real) { return std::asin(x); }, 4, -1, 1),
    unary(
        "acos", [](Real x, Real) { return std::acos(x); }, 4, -1, 1),
    unary(
        "atan", [](Real x, Real) { return std::atan(x); }, 4, -5, 5),
    binary(
        "atan2", [](Real x, Real y) { return std::atan2(x, y); }, 4, -5, 5),
    unary(
        "sinh", [](Real x, Real) { return std::sinh(x); }, 4, -5, 5),
    unary(
        "cosh", [](Real x, Real) { return std::cosh(x); }, 4, -100, 100),
    unary(
        "tanh", [](Real x, Real) { return std::tanh(x); }, 2, -5, 5),
    unary(
        "asinh", [](Real x, Real) { return std::asinh(x); }, 4, -5, 5),
    unary(
        "acosh", [](Real x, Real) { return std::acosh(x); }, 4, 1, 5),
    unary(
        "atanh", [](Real x, Real) { return std::atanh(x); }, 4, -1, 1),
    unary(
        "sigmoid", [](Real x, Real) { return sigmoid(x); }, 2, -100, 90),
    unary(
        "erf", [](Real x, Real) { return std::erf(x); }, 2, -5, 5),
    unary(
        "erfc", [](Real x, Real) { return std::erfc(x); }, 4, -5, 11),
    unary(
        "erfinv", [](Real x, Real) { return erfinv(x); }, 4, -1, 1),
    unary(
        "normal_cdf", [](Real x, Real) { return normal_cdf(x); }, 4, -15, 5),
    binary(
        "pow", [](Real x, Real y) { return std::pow(x, y); }, 4, 0, 20),
    binary(
        "hypot", [](Real x, Real y) { return std::hypot(x, y); }, 4, -5, 5),
    unary(
        "lgamma", [](Real x, Real) { return std::lgamma(x); }, 4, -5, 10, 0.01),
    unary(
        "digamma", [](Real x, Real) { return digamma(x); }, 4, -5, 10, 0.1),
    unary(
        "digamma", [](Real x, Real) { return digamma(x); }, 4, 1.3, 1.6, 0, true),
    binary(
        "fmod", [](Real x, Real y) { return std::fmod(x, y); }, 0, -50, 50),
    binary("remainder", floor_remainder, 0.5, -50, 50),
    binary(
        "minimum", [](Real x, Real y) { return x != x || y != y ? limits::quiet_NaN()
                                               : x < y          ? x
                                                                : y; }, 0, -5, 5),
    binary(
        "maximum", [](Real x, Real y) { return x != x || y != y ? limits::quiet_NaN()
                                               : x > y          ? x
                                                                : y; }, 0, -5, 5),
    binary(
        "copysign", [](Real x, Real y) { return std::copysign(x, y); }, 0, -5, 5),
    unary(
        "abs", [](Real x, Real) { return std::fabs(x); }, 0, -5, 5),
    unary(
        "neg", [](Real x, Real) { return -x; }, 0, -5, 5),
    unary(
        "sign", [](Real x, Real) { return Real((x > 0) - (x < 0)); }, 0, -5, 5),
    unary(
        "sqrt", [](Real x, Real) { return std::sqrt(x); }, 0.501, 0, 5),
    unary(
        "floor", [](Real x, Real) { return std::floor(x); }, 0, -50, 50),
    unary(
        "ceil", [](Real x, Real) { return std::ceil(x); }, 0, -50, 50),
    unary(
        "trunc", [](Real x, Real) { return std::trunc(x); }, 0, -50, 50),
    unary(
        "round", [](Real x, Real) { return std::nearbyint(x); }, 0, -50, 50),
    unary(
        "nonzero", [](Real x, Real) { return Real(x != 0); }, 0, -5, 5),
    unary(
        "is_nan", [](Real x, Real) { return Real(std::isnan(x)); }, 0, -5, 5),
    unary(
        "is_inf", [](Real x, Real) { return Real(std::isinf(x)); }, 0, -5, 5),
    unary(
        "is_finite", [](Real x, Real) { return Real(std::isfinite(x)); }, 0, -5, 5),
    unary(
        "sign_bit", [](Real x, Real) { return Real(std::signbit(x)); }, 0, -5, 5),
    binary(
        "less", [](Real x, Real y) { return Real(x < y); }, 0, -5, 5),
    binary(
        "not_equal", [](Real x, Real y) { return Real(x != y); }, 0, -5, 5),
    binary(
        "unordered", [](Real x, Real y) { return Real(!(x <= y || x > y) != (x != x)); }, 0, -5, 5),
};

template <class T> struct Float;
template <> struct Float<float> { using Bits = uint32_t; };
template <> struct Float<double> { using Bits = uint64_t; };

template <class T> void add(Points<T>& p, const MathCase& c, T x, T y) {
  p.x.push_back(x);
  p.y.push_back(y);
  p.expected.push_back(c.reference(Real(x), Real(y)));
}

template <class T> T anywhere(std::mt19937_64& random) {
  return std::bit_cast<T>(static_cast<typename Float<T>::Bits>(random()));
}

// The distance of neighbouring numbers of type T around x.
template <class T> Real ulp_of(Real x) {
  int e = 0;
  std::frexp(x, &e);
  return std::ldexp(Real(1), std::max(e, std::numeric_limits<T>::min_exponent) - std::numeric_limits<T>::digits);
}

// The error in ulp; infinite where the kind of number is wrong.
template <class T> Real error_of(T got, Real expected, Real least) {
  if (std::isnan(expected)) return std::isnan(got) ? 0 : limits::infinity();
  if (std::isnan(got)) return limits::infinity();
  const T rounded = static_cast<T>(expected);
  if (got == rounded && (got != 0 || expected != 0 || std::signbit(got) == std::signbit(expected))) {
    return std::isinf(got) ? 0 : std::fabs(Real(got) - expected) / ulp_of<T>(std::max(std::fabs(expected), least));
  }
  if (got == 0 && expected == 0) return limits::infinity();
  if (std::isinf(got) != std::isinf(rounded)) {
    // Next to the largest number, infinity is one ulp away.
    const Real end = std::ldexp(Real(1), std::numeric_limits<T>::max_exponent);
    const Real size = std::isinf(got) ? end : std::fabs(Real(got));
    if (std::signbit(got) != std::signbit(expected)) return limits::infinity();
    return std::fabs(size - std::fabs(expected)) / ulp_of<T>(end / 2);
  }
  return std::fabs(Real(got) - expected) / ulp_of<T>(std::max(std::fabs(expected), least));
}
}  // namespace

std::span<const MathCase> math_cases() { return cases; }

template <class T> Points<T> sampled_points(const MathCase& c, size_t count) {
  std::mt19937_64 random(count);
  const double factor = sizeof(T) == 8 && c.high - c.low > 85 && c.high - c.low < 1000 ? 7 : 1;  // the ranges of exponentials
  std::uniform_real_distribution<double> inside(c.low * factor, c.high * factor);
  Points<T> p;
  for (size_t i = 0; i < count; ++i) {
    if (i % 2 || c.inside) {
      const T x = static_cast<T>(inside(random)), y = static_cast<T>(inside(random));
      add(p, c, x, c.binary && c.low == 0 && i % 4 == 1 ? -y : y);
    } else {
      const T x = anywhere<T>(random);
      add(p, c, x, i % 4 ? anywhere<T>(random) : static_cast<T>(inside(random)));
    }
  }
  return p;
}

template <class T> Points<T> special_points(const MathCase& c) {
  using L = std::numeric_limits<T>;
  const std::vector<T> sizes = {
      0,
      L::infinity(),
      L::max(),
      L::min(),
      L::denorm_min(),
      L::min() / 2,
      1,
      T(1) + L::epsilon(),
      T(1) - L::epsilon() / 2,
      T(0.5),
      T(1.5),
      2,
      T(2.5),
      3,
      4,
      5,
      10,
      20,
      21,
      40,
      100,
      1000,
      1e10,
      T(1e-10),
      T(1e-20),
      T(0.6),
      T(0.7),
      T(9.2),
      T(26.6),
      T(37),
      T(39),
      T(87),
      T(88.7),
      T(88.73),
      T(89.4),
      T(103.9),
      104,
      T(126),
      127,
      128,
      149,
      150,
      708,
      T(709.7),
      T(709.79),
      T(710.4),
      745,
      T(745.2),
      1022,
      1023,
      1024,
      1074,
      1075,
      8388607,
      16777215,
      30000,
      30001,
      T(4503599627370497),
      T(0.99999),
      T(1.0001),
      T(1.5707963267948966),
      T(3.141592653589793),
      T(1.4616321449683623),
  };
  Points<T> p;
  const T signs[] = {1, -1};
  std::vector<T> all = {L::quiet_NaN(), -L::quiet_NaN()};
  for (T s : sizes)
    for (T sign : signs) all.push_back(sign * s);
  for (T x : all) {
    if (!c.binary) add(p, c, x, T(0));
    if (c.binary)
      for (T y : all) add(p, c, x, y);
  }
  return p;
}

template <class T> MathError math_error(const MathCase& c, const Points<T>& points, std::span<const T> results) {
  MathError e;
  for (size_t i = 0; i < results.size(); ++i) {
    const double error = static_cast<double>(error_of<T>(results[i], points.expected[i], c.least));
    const double x = static_cast<double>(points.x[i]), y = static_cast<double>(points.y[i]);
    if (error > e.ulp) e.ulp = error, e.x = x, e.y = y;
    if (error > c.ulp && e.wrong++ == 0) e.wrong_x = x, e.wrong_y = y, e.wrong_result = static_cast<double>(results[i]);
  }
  return e;
}

template Points<float> sampled_points<float>(const MathCase&, size_t);
template Points<double> sampled_points<double>(const MathCase&, size_t);
template Points<float> special_points<float>(const MathCase&);
template Points<double> special_points<double>(const MathCase&);
template MathError math_error<float>(const MathCase&, const Points<float>&, std::span<const float>);
template MathError math_error<double>(const MathCase&, const Points<double>&, std::span<const double>);
