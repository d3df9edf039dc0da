// Rare special functions from integrals, sums and bisection.
#include "oracle/index.h"

namespace gradus::oracle {
namespace {

using Result = std::vector<Array>;
constexpr double kPi = 3.141592653589793;

template <double (*f)(double)> Result each(const Arguments& a) {
  Array x = a.array(0);
  for (double& v : x.values) v = f(v);
  return {x};
}
// The mean of e^(x cos t - |x| scaled) cos(order t) over a turn: the midpoint rule converges exponentially.
template <int order, bool scaled> double bessel(double x) {
  constexpr int n = 400;
  double sum = 0;
  for (int k = 0; k < n; ++k) {
    const double t = kPi * (k + 0.5) / n;
    sum += std::exp(x * std::cos(t) - (scaled ? std::abs(x) : 0)) * std::cos(order * t);
  }
  return sum / n;
}
double erfcx(double x) { return std::exp(x * x) * std::erfc(x); }
double normal(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }
double log_ndtr(double x) { return std::log(normal(x)); }
double entr(double x) { return std::isnan(x) ? x : x > 0 ? -x * std::log(x) : x == 0 ? 0 : -INFINITY; }
double ndtri(double p) {
  if (!(p >= 0 && p <= 1)) return NAN;
  if (p == 0 || p == 1) return p == 0 ? -INFINITY : INFINITY;
  double low = -40, high = 40;
  for (int i = 0; i < 200; ++i) {
    const double middle = (low + high) / 2;
    (normal(middle) < p ? low : high) = middle;
  }
  return (low + high) / 2;
}
double zeta(double s, double q) {
  if (q <= 0 && q == std::floor(q)) return INFINITY;
  double sum = 0;
  for (int k = 0; k < 10000; ++k) sum += std::pow(q + k, -s);
  const double end = q + 10000;                               // the rest as an integral, and half of its first term
  return sum + std::pow(end, 1 - s) / (s - 1) + std::pow(end, -s) / 2 + s * std::pow(end, -s - 1) / 12;
}
double gamma_p(double a, double x) {
  if (a < 0 || x < 0 || (a == 0 && x == 0)) return NAN;
  if (a == 0 || std::isinf(x)) return 1;
  double term = 1 / a, sum = 0;
  for (int n = 1; n < 500; ++n) {
    sum += term;
    term *= x / (a + n);
  }
  return sum * std::pow(x, a) * std::exp(-x) / std::tgamma(a);
}
double gamma_q(double a, double x) { return 1 - gamma_p(a, x); }
template <double (*f)(double, double)> Result pairs(const Arguments& a) {
  const Array x = a.operand(0), y = a.operand(1);
  Index sizes(std::max(x.ndim(), y.ndim()), 1);
  for (const Array* t : {&x, &y})
    for (size_t d = 0; d < t->ndim(); ++d) sizes[sizes.size() - t->ndim() + d] = std::max(sizes[sizes.size() - t->ndim() + d], t->sizes[d]);
  return {made(sizes, [&](const Index& i) { return f(x.read(i), y.read(i)); })};
}
Result mvlgamma(const Arguments& a) {
  Array x = a.array(0);
  const auto p = static_cast<double>(a.integer(1));
  for (double& v : x.values) {
    double sum = p * (p - 1) / 4 * std::log(kPi);
    for (int k = 0; k < a.integer(1); ++k) sum += std::lgamma(v - k / 2.0);
    v = sum;
  }
  return {x};
}

}  // namespace

Oracles special() {
  return {
      {"i0", each<bessel<0, false>>}, {"special_i0e", each<bessel<0, true>>}, {"special_i1", each<bessel<1, false>>},
      {"special_i1e", each<bessel<1, true>>}, {"special_erfcx", each<erfcx>}, {"special_log_ndtr", each<log_ndtr>},
      {"special_entr", each<entr>}, {"special_ndtri", each<ndtri>}, {"special_zeta", pairs<zeta>}, {"igamma", pairs<gamma_p>},
      {"igammac", pairs<gamma_q>}, {"mvlgamma", mvlgamma},
  };
}

}  // namespace gradus::oracle
