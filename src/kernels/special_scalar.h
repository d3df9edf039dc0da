// Rare special functions of one or two numbers, in double; vectors compute them lane by lane.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>

namespace gradus::scalar {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity(), kNotANumber = std::numeric_limits<double>::quiet_NaN();

// ---- modified Bessel functions of the first kind, orders 0 and 1
inline constexpr double kBesselSwitch = 30;                   // the power series up to here, the asymptotic one beyond

template <int order> double bessel_series(double x) {         // all terms have one sign
  const double q = x * x / 4;
  double term = order ? x / 2 : 1, sum = term;
  for (int k = 1; term > sum * 1e-17; ++k) sum += term *= q / (k * (k + order));
  return sum;
}
template <int order> double bessel_scaled_large(double x) {   // e^-x times the function
  double term = 1, sum = 1;
  for (int k = 1; std::fabs(term) > 1e-17 && k < 60; ++k) {
    const double odd = 2 * k - 1;
    sum += term *= (odd * odd - 4 * order) / (8 * k * x);
  }
  return sum / std::sqrt(6.283185307179586 * x);
}
template <int order> double bessel(double x) {
  const double size = std::fabs(x), half = std::exp(size / 2);
  if (std::isnan(x)) return x;
  const double y = size <= kBesselSwitch ? bessel_series<order>(size) : std::isinf(half) ? kInfinity : half * (half * bessel_scaled_large<order>(size));
  return order && x < 0 ? -y : y;
}
template <int order> double bessel_scaled(double x) {
  const double size = std::fabs(x);
  if (std::isnan(x)) return x;
  const double y = size <= kBesselSwitch ? bessel_series<order>(size) * std::exp(-size) : bessel_scaled_large<order>(size);
  return order && x < 0 ? -y : y;
}
inline double bessel_i0(double x) { return bessel<0>(x); }
inline double bessel_i1(double x) { return bessel<1>(x); }
inline double bessel_i0e(double x) { return bessel_scaled<0>(x); }
inline double bessel_i1e(double x) { return bessel_scaled<1>(x); }

// ---- the normal distribution
// e^(x^2) erfc x; the square costs x^2 ulp of the wider type.
inline double erfcx(double x) {
  if (x < -27) return kInfinity;
  const long double wide = x;
  if (x < 100) return static_cast<double>(std::exp(wide * wide) * std::erfc(wide));
  const double u = 1 / x / x;
  return 0.5641895835477563 / x * (1 - 0.5 * u * (1 - 1.5 * u));
}
inline double log_ndtr(double x) {
  constexpr double down = 0.7071067811865476;
  return x < -1 ? std::log(erfcx(-x * down) / 2) - x * x / 2 : std::log1p(-std::erfc(x * down) / 2);
}
// For p <= 1/2: a rational start (Abramowitz and Stegun 26.2.23), then Newton on the logarithm.
inline double ndtri_low(double p) {
  const double t = std::sqrt(-2 * std::log(p));
  double x = ((0.010328 * t + 0.802853) * t + 2.515517) / (((0.001308 * t + 0.189269) * t + 1.432788) * t + 1) - t;
  for (int i = 0; i < 4; ++i) x -= (log_ndtr(x) - std::log(p)) * 1.2533141373155003 * erfcx(-x * 0.7071067811865476);
  return x;
}
inline double ndtri(double p) {
  if (!(p >= 0 && p <= 1)) return kNotANumber;
  if (p == 0 || p == 1) return p == 0 ? -kInfinity : kInfinity;
  return p > 0.5 ? -ndtri_low(1 - p) : ndtri_low(p);
}

// ---- the incomplete gamma functions
inline double gamma_factor(double a, double x) {              // x^a e^-x / gamma(a)
  int sign = 0;
  const long double wide = a;
  return static_cast<double>(std::exp(wide * std::log(static_cast<long double>(x)) - x - ::lgammal_r(wide, &sign)));
}
inline double gamma_p_series(double a, double x) {
  double term = 1 / a, sum = term;
  for (int n = 1; n < 1000000 && term > sum * 1e-17; ++n) sum += term *= x / (a + n);
  return sum * gamma_factor(a, x);
}
inline double gamma_q_fraction(double a, double x) {          // Lentz's continued fraction, x > a
  double b = x + 1 - a, c = 1e300, d = 1 / b, y = d;
  for (int n = 1; n < 1000000; ++n) {
    const double k = n * (a - n);
    b += 2;
    d = 1 / (k * d + b);
    c = b + k / c;
    y *= c * d;
    if (std::fabs(c * d - 1) < 1e-16) break;
  }
  return y * gamma_factor(a, x);
}
// Regularised, and what both have at the edges: P is 0 and Q is 1 at x = 0, the other way round at infinity and for a = 0.
inline double gamma_p(double a, double x) {
  if (!(a >= 0 && x >= 0)) return kNotANumber;
  if (a == 0) return x > 0 ? 1 : kNotANumber;
  if (x == 0) return 0;
  if (std::isinf(a)) return std::isinf(x) ? kNotANumber : 0;
  if (std::isinf(x)) return 1;
  return x < a + 1 ? gamma_p_series(a, x) : 1 - gamma_q_fraction(a, x);
}
inline double gamma_q(double a, double x) {
  if (!(a >= 0 && x >= 0)) return kNotANumber;
  if (a == 0) return x > 0 ? 0 : kNotANumber;
  if (x == 0) return 1;
  if (std::isinf(a)) return std::isinf(x) ? kNotANumber : 1;
  if (std::isinf(x)) return 0;
  return x < a + 1 ? 1 - gamma_p_series(a, x) : gamma_q_fraction(a, x);
}

}  // namespace gradus::scalar
