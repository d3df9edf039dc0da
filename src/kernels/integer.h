// The value type of formulas on integers: 64 bits, wrap-around, division by zero refused.
#pragma once
#include <cstdint>
#include <utility>

#include "base/error.h"
#include "kernels/number.h"

namespace gradus {

struct Integer {
  int64_t v = 0;
  Integer() = default;
  constexpr Integer(int64_t x) : v(x) {}
  constexpr Integer(int x) : v(x) {}
  constexpr Integer(double x) : v(Number(x).i) {}
  constexpr Integer(Number x) : v(x.i) {}

  static Integer wrap(uint64_t x) { return static_cast<int64_t>(x); }
  uint64_t bits() const { return static_cast<uint64_t>(v); }
  friend Integer operator+(Integer a, Integer b) { return wrap(a.bits() + b.bits()); }
  friend Integer operator-(Integer a, Integer b) { return wrap(a.bits() - b.bits()); }
  friend Integer operator*(Integer a, Integer b) { return wrap(a.bits() * b.bits()); }
  friend Integer operator-(Integer a) { return wrap(0 - a.bits()); }
  friend bool operator<(Integer a, Integer b) { return a.v < b.v; }
  friend bool operator>(Integer a, Integer b) { return a.v > b.v; }
  friend bool operator<=(Integer a, Integer b) { return a.v <= b.v; }
  friend bool operator>=(Integer a, Integer b) { return a.v >= b.v; }
  friend bool operator==(Integer a, Integer b) { return a.v == b.v; }
  friend bool operator!=(Integer a, Integer b) { return a.v != b.v; }
  friend Integer select(bool m, Integer a, Integer b) { return m ? a : b; }

  friend Integer abs(Integer a) { return a.v < 0 ? -a : a; }
  friend Integer sign(Integer a) { return a.v > 0 ? 1 : a.v < 0 ? -1 : 0; }
  friend Integer floor(Integer a) { return a; }
  friend Integer ceil(Integer a) { return a; }
  friend Integer round(Integer a) { return a; }
  friend Integer trunc(Integer a) { return a; }
  friend bool is_nan(Integer) { return false; }
  friend bool is_inf(Integer) { return false; }
  friend bool is_finite(Integer) { return true; }
  friend bool sign_bit(Integer a) { return a.v < 0; }
  friend Integer maximum(Integer a, Integer b) { return a.v > b.v ? a : b; }
  friend Integer minimum(Integer a, Integer b) { return a.v < b.v ? a : b; }

  static void check(Integer b, const char* what) { GRADUS_CHECK(b.v != 0, value, "{}: integer division by zero", what); }
  friend Integer trunc_divide(Integer a, Integer b) {
    check(b, "div");
    return b.v == -1 ? -a : Integer(a.v / b.v);               // the smallest integer by -1 wraps
  }
  friend Integer floor_divide(Integer a, Integer b) {
    check(b, "floor_divide");
    if (b.v == -1) return -a;
    const int64_t q = a.v / b.v;
    return a.v % b.v != 0 && (a.v < 0) != (b.v < 0) ? q - 1 : q;
  }
  friend Integer fmod(Integer a, Integer b) {                 // the sign of a
    check(b, "fmod");
    return b.v == -1 ? Integer(0) : Integer(a.v % b.v);
  }
  friend Integer remainder(Integer a, Integer b) {            // the sign of b
    check(b, "remainder");
    if (b.v == -1) return 0;
    const int64_t r = a.v % b.v;
    return r != 0 && (r < 0) != (b.v < 0) ? r + b.v : r;
  }
  friend Integer pow(Integer a, Integer b) {
    if (b.v < 0) return a.v == 1 ? 1 : a.v == -1 ? (b.v % 2 ? -1 : 1) : 0;
    uint64_t result = 1, base = a.bits();
    for (uint64_t e = b.bits(); e; e >>= 1, base *= base)
      if (e & 1) result *= base;
    return wrap(result);
  }
  friend Integer bit_and(Integer a, Integer b) { return a.v & b.v; }
  friend Integer bit_or(Integer a, Integer b) { return a.v | b.v; }
  friend Integer bit_xor(Integer a, Integer b) { return a.v ^ b.v; }
  friend Integer shift_left(Integer a, Integer b) { return b.v < 0 || b.v > 63 ? Integer(0) : wrap(a.bits() << b.v); }
  friend Integer shift_right(Integer a, Integer b) { return b.v < 0 || b.v > 63 ? Integer(a.v < 0 ? -1 : 0) : Integer(a.v >> b.v); }
  friend Integer gcd(Integer a, Integer b) {
    uint64_t x = abs(a).bits(), y = abs(b).bits();
    while (y != 0) x = std::exchange(y, x % y);
    return wrap(x);
  }
  friend Integer lcm(Integer a, Integer b) {
    const Integer g = gcd(a, b);
    return g.v == 0 ? Integer(0) : abs(trunc_divide(a, g) * b);
  }
};

}  // namespace gradus
