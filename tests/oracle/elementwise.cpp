// References of the elementwise ops: one double at a time, with the C library.
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "oracle/oracle.h"

namespace gradus::oracle {
namespace {

constexpr double kPi = 3.14159265358979323846, kInf = std::numeric_limits<double>::infinity();
using Arrays = std::vector<Array>;

std::vector<int64_t> broadcast(const std::vector<Array>& in) {
  std::vector<int64_t> sizes;
  for (const Array& a : in) {
    if (a.ndim() > sizes.size()) sizes.insert(sizes.begin(), a.ndim() - sizes.size(), 1);
    const size_t shift = sizes.size() - a.ndim();
    for (size_t d = 0; d < a.ndim(); ++d) if (a.sizes[d] != 1) sizes[shift + d] = a.sizes[d];
  }
  return sizes;
}

// f of the elements that meet when the first `n` arguments broadcast.
template <class F> Arrays map(const Arguments& a, std::vector<int> positions, const F& f) {
  std::vector<Array> in;
  for (int i : positions) in.push_back(a.operand(i));
  Array out(broadcast(in));
  std::vector<int64_t> index(out.ndim(), 0);
  std::vector<double> v(in.size());
  for (double& y : out.values) {
    for (size_t k = 0; k < in.size(); ++k) v[k] = in[k].read(index);
    y = f(v);
    step(index, out.sizes);
  }
  return {out};
}
template <auto f> Arrays one(const Arguments& a) { return map(a, {0}, [&](const std::vector<double>& v) { return static_cast<double>(f(v[0])); }); }
template <auto f> Arrays two(const Arguments& a) { return map(a, {0, 1}, [&](const std::vector<double>& v) { return static_cast<double>(f(v[0], v[1])); }); }
template <auto f> Arrays three(const Arguments& a) {
  return map(a, {0, 1, 2}, [&](const std::vector<double>& v) { return static_cast<double>(f(v[0], v[1], v[2])); });
}
// One tensor and numbers from position 1 on.
template <auto f> Arrays tuned(const Arguments& a) {
  return map(a, {0}, [&](const std::vector<double>& v) { return static_cast<double>(f(v[0], [&](int i) { return a.number(i); })); });
}

// ---- functions the C library lacks
double sign(double x) { return static_cast<double>(x > 0) - static_cast<double>(x < 0); }
double sigmoid(double x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }
double ndtr(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }
double log_1_exp(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }
double inside(double x, double low, double high) { return x < low ? low : x > high ? high : x; }
double erfinv(double y) {                                     // by bisection
  if (y == 0) return y;
  if (std::abs(y) >= 1) return std::abs(y) > 1 ? NAN : y * kInf;
  long double low = -7, high = 7;
  for (int i = 0; i < 90; ++i) {
    const long double middle = (low + high) / 2;
    (std::erf(middle) < static_cast<long double>(y) ? low : high) = middle;
  }
  return static_cast<double>((low + high) / 2);
}
double polygamma(int n, double x) {                           // a sum of 30000 terms and the integral of the rest
  long double sum = 0;
  int k = 30000;
  const long double far = static_cast<long double>(x) + k - 0.5L;
  const auto term = [&](long double q) { return n == 0 ? -1 / q : std::pow(q, static_cast<long double>(-n - 1)); };
  while (k-- > 0) sum += term(static_cast<long double>(x) + k);
  if (n == 0) return static_cast<double>(sum + std::log(far) + 1 / (24 * far * far));
  const long double rest = std::pow(far, static_cast<long double>(-n)) / n;
  return static_cast<double>((sum + rest) * std::tgamma(n + 1.0L) * (n % 2 ? 1 : -1));
}
double nearest_even(double x) { return std::nearbyint(x); }
double floor_divide(double a, double b) { return b == 0 ? a / b : std::floor((a - std::fmod(a, b)) / b + (std::fmod(a, b) != 0 && (std::fmod(a, b) < 0) != (b < 0) ? -0.5 : 0.0)); }
double python_mod(double a, double b) { return a - b * floor_divide(a, b); }
double elu(double x, double alpha, double scale, double input_scale) { return x > 0 ? scale * x : scale * alpha * std::expm1(input_scale * x); }
double gelu_tanh(double x) { return 0.5 * x * (1 + std::tanh(std::sqrt(2 / kPi) * (x + 0.044715 * x * x * x))); }
double tanhshrink(double x) { const long double w = x; return static_cast<double>(w - std::tanh(w)); }
double wrapped_shift(double a, double b) { return a * std::pow(2, b); }

Arrays gelu(const Arguments& a) { return a.text(1) == "tanh" ? one<gelu_tanh>(a) : one<([](double x) { return x * ndtr(x); })>(a); }
Arrays prelu(const Arguments& a) {
  Array x = a.array(0);
  const Array w = a.array(1);
  int64_t inner = 1;
  for (size_t d = 2; d < x.ndim(); ++d) inner *= x.sizes[d];
  for (size_t i = 0; i < x.values.size(); ++i) {
    const size_t channel = x.ndim() > 1 && w.values.size() > 1 ? i / static_cast<size_t>(inner) % w.values.size() : 0;
    if (!(x.values[i] > 0)) x.values[i] *= w.values[channel];
  }
  return {x};
}
Arrays clamp(const Arguments& a) {
  if (!a.has(1)) return map(a, {0, 2}, [](const std::vector<double>& v) { return std::min(v[0], v[1]); });
  if (!a.has(2)) return map(a, {0, 1}, [](const std::vector<double>& v) { return std::max(v[0], v[1]); });
  return three<([](double x, double low, double high) { return std::min(std::max(x, low), high); })>(a);
}
Arrays div_mode(const Arguments& a) {
  const std::string how = a.has(2) ? a.text(2) : "";
  return how == "floor" ? two<floor_divide>(a) : how == "trunc" ? two<([](double x, double y) { return std::trunc(x / y); })>(a)
                                                                : two<([](double x, double y) { return x / y; })>(a);
}
Arrays isclose(const Arguments& a) {
  return map(a, {0, 1}, [&](const std::vector<double>& v) -> double {
    if (v[0] == v[1] || (a.flag(4) && std::isnan(v[0]) && std::isnan(v[1]))) return 1;
    return std::isfinite(v[0]) && std::isfinite(v[1]) && std::abs(v[0] - v[1]) <= a.number(3) + a.number(2) * std::abs(v[1]);
  });
}
template <int sign> Arrays scaled_sum(const Arguments& a) {
  return map(a, {0, 1}, [&](const std::vector<double>& v) { return v[0] + sign * a.number(2) * v[1]; });
}
Arrays logit(const Arguments& a) {
  return map(a, {0}, [&](const std::vector<double>& v) {
    const double z = a.has(1) ? inside(v[0], a.number(1), 1 - a.number(1)) : v[0];
    return std::log(z / (1 - z));
  });
}
Arrays nan_to_num(const Arguments& a) {
  const Dtype type = a.element_type(0);
  const double top = type == Dtype::f16 ? 65504 : type == Dtype::bf16 ? 0x1.FEp127 : type == Dtype::f32 ? 0x1.FFFFFEp127 : 0x1.FFFFFFFFFFFFFp1023;
  return map(a, {0}, [&](const std::vector<double>& v) {
    const double x = v[0];
    if (std::isnan(x)) return a.has(1) ? a.number(1) : 0.0;
    return x == kInf ? (a.has(2) ? a.number(2) : top) : x == -kInf ? (a.has(3) ? a.number(3) : -top) : x;
  });
}

#define ONE(f) one<([](double x) { return f; })>
#define TWO(f) two<([](double x, double y) { return f; })>
#define THREE(f) three<([](double x, double y, double z) { return f; })>
#define TUNED(f) tuned<([](double x, auto number) { return f; })>

const Oracles kUnary = {
    {"exp", ONE(std::exp(x))}, {"exp2", ONE(std::exp2(x))}, {"expm1", ONE(std::expm1(x))}, {"log", ONE(std::log(x))},
    {"log2", ONE(std::log2(x))}, {"log10", ONE(std::log10(x))}, {"log1p", ONE(std::log1p(x))}, {"sin", ONE(std::sin(x))},
    {"cos", ONE(std::cos(x))}, {"tan", ONE(std::tan(x))}, {"asin", ONE(std::asin(x))}, {"acos", ONE(std::acos(x))},
    {"atan", ONE(std::atan(x))}, {"sinh", ONE(std::sinh(x))}, {"cosh", ONE(std::cosh(x))}, {"tanh", ONE(std::tanh(x))},
    {"asinh", ONE(std::asinh(x))}, {"acosh", ONE(std::acosh(x))}, {"atanh", ONE(std::atanh(x))}, {"sigmoid", one<sigmoid>},
    {"erf", ONE(std::erf(x))}, {"erfc", ONE(std::erfc(x))}, {"erfinv", one<erfinv>}, {"special_ndtr", one<ndtr>},
    {"lgamma", ONE(std::lgamma(x))}, {"digamma", ONE(polygamma(0, x))}, {"sinc", ONE(x == 0 ? 1 : x == std::floor(x) ? 0 : std::sin(kPi * x) / (kPi * x))},
    {"_polygamma", TUNED(polygamma(static_cast<int>(number(1)), x))},
    {"polygamma", [](const Arguments& a) { return map(a, {1}, [&](const std::vector<double>& v) { return polygamma(static_cast<int>(a.integer(0)), v[0]); }); }},
    {"logit", logit}, {"deg2rad", ONE(x * kPi / 180)}, {"rad2deg", ONE(x * 180 / kPi)}, {"neg", ONE(-x)}, {"abs", ONE(std::abs(x))},
    {"square", ONE(x * x)}, {"sqrt", ONE(std::sqrt(x))}, {"rsqrt", ONE(1 / std::sqrt(x))}, {"reciprocal", ONE(1 / x)}, {"sign", one<sign>},
    {"floor", ONE(std::floor(x))}, {"ceil", ONE(std::ceil(x))}, {"trunc", ONE(std::trunc(x))}, {"frac", ONE(x - std::trunc(x))},
    {"round", TUNED(nearest_even(x * std::pow(10, number(1))) / std::pow(10, number(1)))}, {"positive", ONE(x)},
    {"_nan_to_num", nan_to_num}, {"nan_to_num", nan_to_num}, {"logical_not", ONE(x == 0)}, {"isnan", ONE(std::isnan(x))},
    {"isinf", ONE(std::isinf(x))}, {"isfinite", ONE(std::isfinite(x))}, {"signbit", ONE(std::signbit(x))}, {"isposinf", ONE(x == kInf)},
    {"isneginf", ONE(x == -kInf)},
};
const Oracles kActivations = {
    {"relu", ONE(x > 0 ? x : 0)}, {"relu6", ONE(inside(x, 0, 6))}, {"threshold", TUNED(x > number(1) ? x : number(2))},
    {"leaky_relu", TUNED(x > 0 ? x : x * number(1))}, {"_prelu_kernel", TWO(x > 0 ? x : x * y)}, {"prelu", prelu},
    {"hardtanh", TUNED(inside(x, number(1), number(2)))}, {"hardsigmoid", ONE(inside((x + 3) / 6, 0, 1))},
    {"hardswish", ONE(x * inside((x + 3) / 6, 0, 1))}, {"hardshrink", TUNED(std::abs(x) > number(1) ? x : 0)},
    {"softshrink", TUNED(std::abs(x) > number(1) ? x - sign(x) * number(1) : 0)}, {"softsign", ONE(x / (1 + std::abs(x)))},
    {"_gelu", ONE(x * ndtr(x))}, {"_gelu_tanh", one<gelu_tanh>}, {"gelu", gelu}, {"silu", ONE(x * sigmoid(x))},
    {"elu", TUNED(elu(x, number(1), number(2), number(3)))}, {"selu", ONE(elu(x, 1.6732632423543772848, 1.0507009873554804934, 1))},
    {"celu", TUNED(elu(x, number(1), 1, 1 / number(1)))},
    {"softplus", TUNED(x * number(1) > number(2) ? x : log_1_exp(x * number(1)) / number(1))}, {"log_sigmoid", ONE(-log_1_exp(-x))},
    {"mish", ONE(x * std::tanh(log_1_exp(x)))}, {"tanhshrink", one<tanhshrink>},
};
const Oracles kBinary = {
    {"add", scaled_sum<1>}, {"sub", scaled_sum<-1>}, {"rsub", [](const Arguments& a) { return map(a, {0, 1}, [&](const std::vector<double>& v) { return v[1] - a.number(2) * v[0]; }); }},
    {"mul", TWO(x * y)}, {"div", TWO(x / y)}, {"floor_divide", two<floor_divide>}, {"_trunc_divide", TWO(std::trunc(x / y))},
    {"div_mode", div_mode}, {"fmod", TWO(std::fmod(x, y))}, {"remainder", two<python_mod>}, {"pow", TWO(std::pow(x, y))},
    {"float_power", TWO(std::pow(x, y))}, {"maximum", TWO(x > y ? x : y)}, {"minimum", TWO(x < y ? x : y)}, {"fmax", TWO(std::fmax(x, y))},
    {"fmin", TWO(std::fmin(x, y))}, {"atan2", TWO(std::atan2(x, y))}, {"hypot", TWO(std::hypot(x, y))}, {"copysign", TWO(std::copysign(x, y))},
    {"xlogy", TWO(x == 0 ? 0 : x * std::log(y))}, {"special_xlog1py", TWO(x == 0 ? 0 : x * std::log1p(y))},
    {"logaddexp", TWO(std::log(std::exp(x) + std::exp(y)))}, {"logaddexp2", TWO(std::log2(std::exp2(x) + std::exp2(y)))},
    {"nextafter", TWO(std::nextafter(x, y))}, {"heaviside", TWO(x == 0 ? y : x > 0)}, {"ldexp", TWO(x * std::exp2(y))},
    {"bitwise_and", TWO(static_cast<int64_t>(x) & static_cast<int64_t>(y))}, {"bitwise_or", TWO(static_cast<int64_t>(x) | static_cast<int64_t>(y))},
    {"bitwise_xor", TWO(static_cast<int64_t>(x) ^ static_cast<int64_t>(y))},
    {"bitwise_left_shift", two<wrapped_shift>}, {"bitwise_right_shift", TWO(std::floor(x / std::exp2(y)))},
    {"bitwise_not", [](const Arguments& a) { return a.element_type(0) == Dtype::boolean ? ONE(x == 0)(a) : ONE(-1 - x)(a); }},
    {"gcd", TWO(std::gcd(static_cast<int64_t>(x), static_cast<int64_t>(y)))}, {"lcm", TWO(std::lcm(static_cast<int64_t>(x), static_cast<int64_t>(y)))},
    {"lt", TWO(x < y)}, {"gt", TWO(x > y)}, {"le", TWO(x <= y)}, {"ge", TWO(x >= y)}, {"eq", TWO(x == y)}, {"ne", TWO(x != y)},
    {"logical_and", TWO(x != 0 && y != 0)}, {"logical_or", TWO(x != 0 || y != 0)}, {"logical_xor", TWO((x != 0) != (y != 0))}, {"isclose", isclose},
};
const Oracles kTernary = {
    {"where", THREE(x != 0 ? y : z)}, {"_clamp", clamp}, {"clamp", clamp}, {"clamp_min", TWO(std::max(x, y))}, {"clamp_max", TWO(std::min(x, y))},
    {"addcmul", [](const Arguments& a) { return map(a, {0, 1, 2}, [&](const std::vector<double>& v) { return v[0] + a.number(3) * v[1] * v[2]; }); }},
    {"addcdiv", [](const Arguments& a) { return map(a, {0, 1, 2}, [&](const std::vector<double>& v) { return v[0] + a.number(3) * v[1] / v[2]; }); }},
    {"lerp", THREE(x + z * (y - x))},
};

}  // namespace

Oracles elementwise() {
  Oracles all = kUnary;
  for (const Oracles* more : {&kActivations, &kBinary, &kTernary}) all.insert(more->begin(), more->end());
  return all;
}

}  // namespace gradus::oracle
