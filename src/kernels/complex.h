// Complex numbers as kernels compute with them: a value type whose functions are those that formulas call. Products are the plain
// ones, without Annex G's repairs, as in PyTorch; functions are the C library's, which know infinities and branch cuts.
#pragma once
#include <cmath>
#include <complex>
#include <limits>

#include "kernels/number.h"
#include "tensor/dtype.h"

namespace gradus {

template <class T> struct Complex {
  T re = 0, im = 0;

  constexpr Complex() = default;
  constexpr Complex(T real, T imaginary) : re(real), im(imaginary) {}
  constexpr Complex(double v) : re(static_cast<T>(v)) {}      // the constants of a formula
  constexpr Complex(int v) : re(static_cast<T>(v)) {}
  constexpr Complex(Number v) : re(static_cast<T>(v.f)), im(static_cast<T>(v.im)) {}
  constexpr Complex(std::complex<T> v) : re(v.real()), im(v.imag()) {}
  constexpr std::complex<T> std() const { return {re, im}; }

  friend constexpr Complex operator+(Complex a, Complex b) { return {a.re + b.re, a.im + b.im}; }
  friend constexpr Complex operator-(Complex a, Complex b) { return {a.re - b.re, a.im - b.im}; }
  friend constexpr Complex operator-(Complex a) { return {-a.re, -a.im}; }
  friend constexpr Complex operator*(Complex a, Complex b) { return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }
  friend Complex operator/(Complex a, Complex b) {            // scaled by the larger part of b: no square overflows
    const T re = std::abs(b.re), im = std::abs(b.im);
    if (re == 0 && im == 0) return {a.re / re, a.im / im};
    if (re >= im) {
      const T ratio = b.im / b.re, scale = 1 / (b.re + b.im * ratio);
      return {(a.re + a.im * ratio) * scale, (a.im - a.re * ratio) * scale};
    }
    const T ratio = b.re / b.im, scale = 1 / (b.re * ratio + b.im);
    return {(a.re * ratio + a.im) * scale, (a.im * ratio - a.re) * scale};
  }
  constexpr Complex& operator+=(Complex b) { return *this = *this + b; }
  friend constexpr bool operator==(Complex a, Complex b) { return a.re == b.re && a.im == b.im; }
  friend constexpr bool operator!=(Complex a, Complex b) { return !(a == b); }

  friend bool is_nan(Complex a) { return std::isnan(a.re) || std::isnan(a.im); }
  friend bool is_inf(Complex a) { return std::isinf(a.re) || std::isinf(a.im); }
  friend bool is_finite(Complex a) { return std::isfinite(a.re) && std::isfinite(a.im); }
  friend constexpr Complex select(bool m, Complex a, Complex b) { return m ? a : b; }
  friend T abs(Complex a) { return std::hypot(a.re, a.im); }

#define GRADUS_BY_STD(f) \
  friend Complex f(Complex a) { return std::f(a.std()); }
  GRADUS_BY_STD(exp) GRADUS_BY_STD(log) GRADUS_BY_STD(sqrt) GRADUS_BY_STD(sin) GRADUS_BY_STD(cos) GRADUS_BY_STD(tan)
  GRADUS_BY_STD(asin) GRADUS_BY_STD(acos) GRADUS_BY_STD(atan) GRADUS_BY_STD(sinh) GRADUS_BY_STD(cosh) GRADUS_BY_STD(tanh)
  GRADUS_BY_STD(asinh) GRADUS_BY_STD(acosh) GRADUS_BY_STD(atanh)
#undef GRADUS_BY_STD
  friend Complex exp2(Complex a) {
    const T r = std::exp2(a.re), angle = a.im * static_cast<T>(0.69314718055994530942);
    return a.im == 0 ? Complex(r, a.im) : Complex(r * std::cos(angle), r * std::sin(angle));
  }
  friend Complex expm1(Complex a) {                           // e^x cos y - 1 without its cancellation
    const T half = std::sin(a.im / 2), e = std::exp(a.re);
    return {std::expm1(a.re) * std::cos(a.im) - 2 * half * half, e * std::sin(a.im)};
  }
  friend Complex log2(Complex a) { return log(a).times(static_cast<T>(1.44269504088896340736)); }
  friend Complex log10(Complex a) { return log(a).times(static_cast<T>(0.43429448190325182765)); }
  friend Complex log1p(Complex a) {                           // log |1 + a| by |1 + a|^2 - 1 = x (x + 2) + y^2
    if (std::abs(a.re) > T(0.5) || std::abs(a.im) > T(0.5) || is_nan(a)) return log(Complex(1 + a.re, a.im));
    return {std::log1p(a.re * (a.re + 2) + a.im * a.im) / 2, std::atan2(a.im, 1 + a.re)};
  }
  friend Complex sigmoid(Complex a) {                         // the exponential that does not overflow
    if (a.re >= 0) return Complex(1) / (Complex(1) + exp(-a));
    const Complex e = exp(a);
    return e / (Complex(1) + e);
  }
  friend Complex round(Complex a) { return std::nearbyint(a.re); }   // of the real part, as floor
  friend Complex floor(Complex a) { return std::floor(a.re); }
  // log(e^a + e^b) by the one of the larger real part. NaN in any part is NaN in both; two real parts of -inf are any of the two.
  friend Complex log_add_exp(Complex a, Complex b) {
    if (is_nan(a) || is_nan(b)) return {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::quiet_NaN()};
    const Complex low = a.re < b.re ? a : b, high = a.re < b.re ? b : a;
    if (std::isfinite(low.re) || low.re != high.re) return log1p(exp(low - high)) + high;
    return low.re < 0 ? low : log(exp(low) + exp(high));
  }
  friend Complex pow(Complex a, Complex b) {
    if (b == Complex(0)) return 1;
    if (a == Complex(0)) return b.re > 0 ? Complex(0) : Complex(std::pow(a.std(), b.std()));
    if (b.im == 0 && b.re == std::trunc(b.re) && std::abs(b.re) <= 64) return integer_power(a, static_cast<int>(b.re));
    if (b == Complex(0.5)) return sqrt(a);
    return std::pow(a.std(), b.std());
  }

 private:
  constexpr Complex times(T real) const { return {re * real, im * real}; }
  static Complex integer_power(Complex a, int n) {            // exact where the result is
    Complex r = 1, square = a;
    for (unsigned k = static_cast<unsigned>(n < 0 ? -n : n); k != 0; k >>= 1) {
      if (k & 1) r = r * square;
      square = square * square;
    }
    return n < 0 ? Complex(1) / r : r;
  }
};

template <> struct DtypeOf<Complex<float>> { static constexpr Dtype value = Dtype::c64; };
template <> struct DtypeOf<Complex<double>> { static constexpr Dtype value = Dtype::c128; };
template <class T> inline constexpr bool is_complex_type = false;
template <class T> inline constexpr bool is_complex_type<Complex<T>> = true;

// As visit, of any dtype.
template <class F> decltype(auto) visit_all(Dtype t, F&& f) {
  if (t == Dtype::c64) return f.template operator()<Complex<float>>();
  if (t == Dtype::c128) return f.template operator()<Complex<double>>();
  return visit(t, f);
}

// As convert, of any element types: a real number has the imaginary part 0, and of a complex one the real part is left. As a
// boolean it is true unless both parts are 0.
template <class To, class From> inline To convert_any(From v) {
  if constexpr (is_complex_type<From> && is_complex_type<To>) {
    using T = decltype(To::re);
    return {static_cast<T>(v.re), static_cast<T>(v.im)};
  } else if constexpr (is_complex_type<From>) {
    if constexpr (std::is_same_v<To, bool>) return v.re != 0 || v.im != 0;
    else return convert<To>(v.re);
  } else if constexpr (is_complex_type<To>) {
    using T = decltype(To::re);
    return {convert<T>(v), T(0)};
  } else {
    return convert<To>(v);
  }
}

}  // namespace gradus
