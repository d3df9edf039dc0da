// A host scalar: exact as an integer and as a double, and the kind it was given as, which type promotion asks for. What computes with
// real numbers looks at f alone and is never given a complex one (Op::complex_numbers).
#pragma once
#include <cstdint>

namespace gradus {

struct Number {
  double f = 0, im = 0;                                       // im: of complex numbers
  int64_t i = 0;
  enum class Kind : uint8_t { boolean, integer, real, complex } kind = Kind::integer;

  constexpr Number() = default;
  constexpr Number(bool b) : f(b), i(b), kind(Kind::boolean) {}
  constexpr Number(int v) : f(v), i(v) {}
  constexpr Number(int64_t v) : f(static_cast<double>(v)), i(v) {}
  constexpr Number(double v) : f(v), i(saturate(v)), kind(Kind::real) {}
  constexpr Number(double re, double imaginary) : f(re), im(imaginary), i(saturate(re)), kind(Kind::complex) {}

  constexpr bool is_real() const { return kind >= Kind::real; }         // no integer
  constexpr bool is_complex() const { return kind == Kind::complex; }
  constexpr bool is_boolean() const { return kind == Kind::boolean; }
  friend constexpr bool is_zero(Number n) { return n.f == 0 && n.im == 0; }
  friend constexpr Number conj(Number n) { n.im = -n.im; return n; }
  constexpr bool operator==(const Number& o) const { return f == o.f && im == o.im && i == o.i; }

 private:
  static constexpr int64_t saturate(double v) {               // to nearest below; no undefined conversion
    return !(v == v) ? 0 : v >= 9223372036854775808.0 ? INT64_MAX : v < -9223372036854775808.0 ? INT64_MIN : static_cast<int64_t>(v);
  }
};

}  // namespace gradus
