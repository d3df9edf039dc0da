// Functions of one number that vectors compute lane by lane.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace gradus::scalar {

// The C library's lgamma writes the global `signgam`; these forms do not.
inline double lgamma(float x) {
  int sign = 0;
  return ::lgamma_r(static_cast<double>(x), &sign);
}

// Between the negative poles glibc's double form loses 5 ulp.
inline double lgamma(double x) {
  int sign = 0;
  return x < 0 ? static_cast<double>(::lgammal_r(static_cast<long double>(x), &sign)) : ::lgamma_r(x, &sign);
}

// The asymptotic series at x >= 20.
template <class Real> Real digamma_large(Real x) {
  const Real u = 1 / (x * x);
  constexpr long double c[] = {-1 / 12.0L,  1 / 120.0L,     -1 / 252.0L, 1 / 240.0L,
                               -1 / 132.0L, 691 / 32760.0L, -1 / 12.0L,  3617 / 8160.0L};
  Real sum = 0;
  for (int i = 7; i >= 0; --i) sum = (sum + static_cast<Real>(c[i])) * u;
  return std::log(x) - Real(0.5) / x + sum;
}

template <class Real> Real digamma_positive(Real x) {
  // Around the root the Taylor series keeps the digits that the sum below would cancel.
  constexpr double root = 1.4616321449683622, root_rest = 9.549995429965697715e-17;
  constexpr long double c[] = {0.9676722454476211704274L,  -0.4427631689835921060929L,  0.2584997609556510106244L,
                               -0.1639427054424065275043L, 0.1078240506912623657572L,   -0.07219956125645471092612L,
                               0.04880428816414310722509L, -0.03316112647484735929226L, 0.02259764823221810465962L};
  const Real t = (x - Real(root)) - Real(root_rest);
  if (std::fabs(t) < Real(0.005)) {
    Real sum = 0;
    for (int i = 8; i >= 0; --i) sum = (sum + static_cast<Real>(c[i])) * t;
    return sum;
  }
  Real shift = 0;
  for (; x < 20; x += 1) shift += 1 / x;
  return digamma_large(x) - shift;
}

// The logarithmic derivative of gamma, in a wider type. At 0 the infinity of the opposite sign, NaN at the negative
// integers (as PyTorch); elsewhere below 0 psi(1 - x) - pi cot(pi x).
template <class T> T digamma(T x) {
  using Real = std::conditional_t<std::is_same_v<T, float>, double, long double>;
  if (x == 0) return std::copysign(std::numeric_limits<T>::infinity(), -x);
  if (std::isinf(x)) return x > 0 ? x : std::numeric_limits<T>::quiet_NaN();
  const Real wide = static_cast<Real>(x);
  if (x > 0) return static_cast<T>(digamma_positive(wide));
  const Real part = wide - std::round(wide), pi = static_cast<Real>(3.141592653589793238462643383279502884L);
  if (part == 0) return std::numeric_limits<T>::quiet_NaN();
  return static_cast<T>(digamma_positive(1 - wide) - pi / std::tan(pi * part));
}

// The sum of (q + k)^-s over k >= 0, for s > 1 and q > 0: terms until what follows is too small, or the formula of Euler and Maclaurin
// has all digits. A power is 0 where s log2(q) is above 1075, so there are no more than some 1100 terms.
inline double zeta_above(double s, double q) {
  double sum = 0;
  for (; q < 12 + 2 * s; q += 1) {
    const double term = std::pow(q, -s);
    sum += term;
    if (term * (1 + q / (s - 1)) <= sum * 1e-17) return sum;  // not less than all that follows
  }
  const double last = std::pow(q, -s);
  if (last == 0) return sum;
  // Bernoulli number 2j over (2j)!
  constexpr double b[] = {1 / 12.0, -1 / 720.0, 1 / 30240.0, -1 / 1209600.0, 1 / 47900160.0, -691 / 1307674368000.0, 1 / 74724249600.0};
  double term = s * last / q, rest = last * q / (s - 1) + 0.5 * last;
  for (int j = 0; j < 7; ++j) {
    rest += b[j] * term;
    term *= (s + 2 * j + 1) * (s + 2 * j + 2) / (q * q);
  }
  return sum + rest;
}
// The Hurwitz zeta function: that sum for any q. Below 0 it has poles at the integers and a value for integer s only; the terms on
// both sides of 0 are sums of their own, so that many of them take no longer.
inline double zeta(double s, double q) {
  constexpr double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  if (s == 1) return infinity;
  if (!(s > 1) || std::isnan(q)) return nan;
  if (q == infinity) return 0;
  if (q > 0) return zeta_above(s, q);
  if (q == std::floor(q)) return infinity;
  if (s != std::floor(s)) return nan;                         // a power of a negative number
  const double steps = std::floor(-q), r = -q - steps, parity = std::fmod(s, 2) == 0 ? 1 : -1;
  return (zeta_above(s, 1 - r) + parity * zeta_above(s, r)) - parity * zeta_above(s, r + steps + 1);
}

// Derivative number n of digamma: (-1)^(n+1) n! zeta(n + 1, x).
inline double polygamma(int64_t n, double x) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (n == 0) return digamma(x);
  const double s = static_cast<double>(n) + 1;                // n + 1 of the largest n is no int64
  const double sign = n % 2 ? 1 : -1, factorial = std::exp(lgamma(s));
  if (std::isnan(x)) return x;
  if (x == infinity) return sign * 0.0;
  if (x == -infinity) return std::numeric_limits<double>::quiet_NaN();
  return sign * factorial * zeta(s, x);
}

}  // namespace gradus::scalar
