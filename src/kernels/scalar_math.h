// Functions of one number that vectors compute lane by lane.
#pragma once
#include <cmath>
#include <limits>

namespace gradus::scalar {

// The C library's own lgamma writes the global `signgam`; this form does not.
inline double lgamma(double x) {
  int sign = 0;
  return ::lgamma_r(x, &sign);
}

// The asymptotic series at x >= 20.
inline long double digamma_large(long double x) {
  const long double u = 1 / (x * x);
  constexpr long double c[] = {-1 / 12.0L, 1 / 120.0L, -1 / 252.0L, 1 / 240.0L, -1 / 132.0L, 691 / 32760.0L, -1 / 12.0L, 3617 / 8160.0L};
  long double sum = 0;
  for (int i = 7; i >= 0; --i) sum = (sum + c[i]) * u;
  return std::log(x) - 0.5L / x + sum;
}

inline long double digamma_positive(long double x) {
  // Around the root the Taylor series keeps the digits that the sum below would cancel.
  constexpr long double root = 1.4616321449683622, root_rest = 9.549995429965697715184199e-17L;
  constexpr long double c[] = {0.9676722454476211704274L,   -0.4427631689835921060929L, 0.2584997609556510106244L,
                               -0.1639427054424065275043L,  0.1078240506912623657572L,  -0.07219956125645471092612L,
                               0.04880428816414310722509L, -0.03316112647484735929226L, 0.02259764823221810465962L};
  const long double t = (x - root) - root_rest;
  if (std::fabs(t) < 0.005L) {
    long double sum = 0;
    for (int i = 8; i >= 0; --i) sum = (sum + c[i]) * t;
    return sum;
  }
  long double shift = 0;
  for (; x < 20; x += 1) shift += 1 / x;
  return digamma_large(x) - shift;
}

// The logarithmic derivative of gamma. At 0 the infinity of the opposite sign, NaN at the negative integers (as PyTorch).
inline double digamma(double x) {
  if (x == 0) return std::copysign(std::numeric_limits<double>::infinity(), -x);
  if (std::isinf(x)) return x > 0 ? x : std::numeric_limits<double>::quiet_NaN();
  if (x > 0) return static_cast<double>(digamma_positive(x));
  const long double part = static_cast<long double>(x) - std::round(static_cast<long double>(x));
  if (part == 0) return std::numeric_limits<double>::quiet_NaN();
  constexpr long double pi = 3.141592653589793238462643383279502884L;
  return static_cast<double>(digamma_positive(1 - static_cast<long double>(x)) - pi / std::tan(pi * part));  // psi(1 - x) - pi cot(pi x)
}

}  // namespace gradus::scalar
