// The loops of math_table.h, compiled once per SIMD target.
#include "../tests/math_table.h"

#include "hwy/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "../tests/math_table.cpp"
#include "hwy/foreach_target.h"
#include "kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {

template <class T, class F> void loop(const T* x, const T* y, T* out, size_t n) {
  using D = hn::ScalableTag<T>;
  const D d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(F()(Value<D>(hn::LoadU(d, x + i)), Value<D>(hn::LoadU(d, y + i))).v, d, out + i);
  if (i == n) return;
  HWY_ALIGN T a[HWY_MAX_BYTES / sizeof(T)] = {}, b[HWY_MAX_BYTES / sizeof(T)] = {};
  for (size_t j = i; j < n; ++j) a[j - i] = x[j], b[j - i] = y[j];
  hn::Store(F()(Value<D>(hn::Load(d, a)), Value<D>(hn::Load(d, b))).v, d, a);
  for (size_t j = i; j < n; ++j) out[j] = a[j - i];
}

template <class F> constexpr MathTable entry(const char* name, F) { return {name, loop<float, F>, loop<double, F>}; }

template <class D> HWY_INLINE Value<D> number(Mask<D> m) { return select(m, Value<D>(1), Value<D>(0)); }

std::span<const MathTable> math_functions() {
  static const MathTable all[] = {
      entry("exp", [](auto x, auto) HWY_ATTR { return exp(x); }),
      entry("exp2", [](auto x, auto) HWY_ATTR { return exp2(x); }),
      entry("expm1", [](auto x, auto) HWY_ATTR { return expm1(x); }),
      entry("log", [](auto x, auto) HWY_ATTR { return log(x); }),
      entry("log2", [](auto x, auto) HWY_ATTR { return log2(x); }),
      entry("log10", [](auto x, auto) HWY_ATTR { return log10(x); }),
      entry("log1p", [](auto x, auto) HWY_ATTR { return log1p(x); }),
      entry("sin", [](auto x, auto) HWY_ATTR { return sin(x); }),
      entry("cos", [](auto x, auto) HWY_ATTR { return cos(x); }),
      entry("tan", [](auto x, auto) HWY_ATTR { return tan(x); }),
      entry("asin", [](auto x, auto) HWY_ATTR { return asin(x); }),
      entry("acos", [](auto x, auto) HWY_ATTR { return acos(x); }),
      entry("atan", [](auto x, auto) HWY_ATTR { return atan(x); }),
      entry("atan2", [](auto x, auto y) HWY_ATTR { return atan2(x, y); }),
      entry("sinh", [](auto x, auto) HWY_ATTR { return sinh(x); }),
      entry("cosh", [](auto x, auto) HWY_ATTR { return cosh(x); }),
      entry("tanh", [](auto x, auto) HWY_ATTR { return tanh(x); }),
      entry("asinh", [](auto x, auto) HWY_ATTR { return asinh(x); }),
      entry("acosh", [](auto x, auto) HWY_ATTR { return acosh(x); }),
      entry("atanh", [](auto x, auto) HWY_ATTR { return atanh(x); }),
      entry("sigmoid", [](auto x, auto) HWY_ATTR { return sigmoid(x); }),
      entry("erf", [](auto x, auto) HWY_ATTR { return erf(x); }),
      entry("erfc", [](auto x, auto) HWY_ATTR { return erfc(x); }),
      entry("erfinv", [](auto x, auto) HWY_ATTR { return erfinv(x); }),
      entry("normal_cdf", [](auto x, auto) HWY_ATTR { return normal_cdf(x); }),
      entry("pow", [](auto x, auto y) HWY_ATTR { return pow(x, y); }),
      entry("hypot", [](auto x, auto y) HWY_ATTR { return hypot(x, y); }),
      entry("lgamma", [](auto x, auto) HWY_ATTR { return lgamma(x); }),
      entry("digamma", [](auto x, auto) HWY_ATTR { return digamma(x); }),
      entry("fmod", [](auto x, auto y) HWY_ATTR { return fmod(x, y); }),
      entry("remainder", [](auto x, auto y) HWY_ATTR { return remainder(x, y); }),
      entry("minimum", [](auto x, auto y) HWY_ATTR { return minimum(x, y); }),
      entry("maximum", [](auto x, auto y) HWY_ATTR { return maximum(x, y); }),
      entry("copysign", [](auto x, auto y) HWY_ATTR { return copysign(x, y); }),
      entry("abs", [](auto x, auto) HWY_ATTR { return abs(x); }),
      entry("neg", [](auto x, auto) HWY_ATTR { return -x; }),
      entry("sign", [](auto x, auto) HWY_ATTR { return sign(x); }),
      entry("sqrt", [](auto x, auto) HWY_ATTR { return sqrt(x); }),
      entry("floor", [](auto x, auto) HWY_ATTR { return floor(x); }),
      entry("ceil", [](auto x, auto) HWY_ATTR { return ceil(x); }),
      entry("trunc", [](auto x, auto) HWY_ATTR { return trunc(x); }),
      entry("round", [](auto x, auto) HWY_ATTR { return round(x); }),
      entry("nonzero", [](auto x, auto) HWY_ATTR { return nonzero(x); }),
      entry("is_nan", [](auto x, auto) HWY_ATTR { return number(is_nan(x)); }),
      entry("is_inf", [](auto x, auto) HWY_ATTR { return number(is_inf(x)); }),
      entry("is_finite", [](auto x, auto) HWY_ATTR { return number(is_finite(x)); }),
      entry("sign_bit", [](auto x, auto) HWY_ATTR { return number(sign_bit(x)); }),
      entry("less", [](auto x, auto y) HWY_ATTR { return number((x < y) & !(x >= y)); }),
      entry("not_equal", [](auto x, auto y) HWY_ATTR { return number((x != y) & !(x == y)); }),
      entry("unordered", [](auto x, auto y) HWY_ATTR { return number(!((x <= y) | (x > y)) ^ (x != x)); }),
  };
  return all;
}

}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
std::vector<MathTarget> math_targets() {
  std::vector<MathTarget> found;
  const auto add = [&](int64_t target, std::span<const MathTable> functions) {
    if ((hwy::SupportedTargets() | HWY_STATIC_TARGET) & target) found.push_back({hwy::TargetName(target), functions});
  };
#if HWY_TARGETS & HWY_SCALAR
  add(HWY_SCALAR, gradus::N_SCALAR::math_functions());
#endif
#if HWY_TARGETS & HWY_EMU128
  add(HWY_EMU128, gradus::N_EMU128::math_functions());
#endif
#if HWY_TARGETS & HWY_SSE4
  add(HWY_SSE4, gradus::N_SSE4::math_functions());
#endif
#if HWY_TARGETS & HWY_AVX2
  add(HWY_AVX2, gradus::N_AVX2::math_functions());
#endif
#if HWY_TARGETS & HWY_AVX3
  add(HWY_AVX3, gradus::N_AVX3::math_functions());
#endif
#if HWY_TARGETS & HWY_NEON
  add(HWY_NEON, gradus::N_NEON::math_functions());
#endif
  return found;
}
#endif
