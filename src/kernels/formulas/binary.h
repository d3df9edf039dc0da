// Formulas of two inputs; see unary.h. slope0 and slope1 are the derivatives by a and by b; y is the value.

struct AddScaled {                                            // a + alpha b, the product rounded first
  static constexpr bool integers = true, light = true;
  Number alpha;
  GRADUS_VALUE2_WITH { return a + V(alpha) * b; }
  GRADUS_SLOPE2(0) { return V(1); }
  GRADUS_SLOPE2_WITH(1) { return V(alpha); }
};
struct SubScaled {                                            // a - alpha b
  static constexpr bool integers = true, light = true;
  Number alpha;
  GRADUS_VALUE2_WITH { return a - V(alpha) * b; }
  GRADUS_SLOPE2(0) { return V(1); }
  GRADUS_SLOPE2_WITH(1) { return -V(alpha); }
};
struct Mul {
  static constexpr bool integers = true, light = true;
  GRADUS_VALUE2 { return a * b; }
  GRADUS_SLOPE2(0) { return b; }
  GRADUS_SLOPE2(1) { return a; }
};
struct Div {
  static constexpr bool light = true;
  GRADUS_VALUE2 { return a / b; }
  GRADUS_SLOPE2(0) { return 1 / b; }
  GRADUS_SLOPE2(1) { return -y / b; }
};
using Arithmetic = List<AddScaled, SubScaled, Mul, Div>;

struct Maximum {                                              // ties share the gradient evenly; a NaN wins
  static constexpr bool integers = true, light = true, masks = true;
  GRADUS_VALUE2 { return maximum(a, b); }
  GRADUS_SLOPE2(0) { return select(a == b, V(0.5), select(a < b, V(0), V(1))); }
  GRADUS_SLOPE2(1) { return select(a == b, V(0.5), select(a > b, V(0), V(1))); }
};
struct Minimum {
  static constexpr bool integers = true, light = true, masks = true;
  GRADUS_VALUE2 { return minimum(a, b); }
  GRADUS_SLOPE2(0) { return select(a == b, V(0.5), select(a > b, V(0), V(1))); }
  GRADUS_SLOPE2(1) { return select(a == b, V(0.5), select(a < b, V(0), V(1))); }
};
struct Fmax {                                                 // a number wins over a NaN; ties go to a
  static constexpr bool integers = true, light = true, masks = true;
  GRADUS_VALUE2 { return select((a >= b) | is_nan(b), a, b); }
  GRADUS_SLOPE2(0) { return select((a >= b) | is_nan(b), V(1), V(0)); }
  GRADUS_SLOPE2(1) { return select((a >= b) | is_nan(b), V(0), V(1)); }
};
struct Fmin {
  static constexpr bool integers = true, light = true, masks = true;
  GRADUS_VALUE2 { return select((a <= b) | is_nan(b), a, b); }
  GRADUS_SLOPE2(0) { return select((a <= b) | is_nan(b), V(1), V(0)); }
  GRADUS_SLOPE2(1) { return select((a <= b) | is_nan(b), V(0), V(1)); }
};
struct ClampMin {                                             // at the bound the gradient is a's
  static constexpr bool integers = true, light = true, masks = true;
  GRADUS_VALUE2 { return maximum(a, b); }
  GRADUS_SLOPE2(0) { return select(a >= b, V(1), V(0)); }
  GRADUS_SLOPE2(1) { return select(a < b, V(1), V(0)); }
};
struct ClampMax {
  static constexpr bool integers = true, light = true, masks = true;
  GRADUS_VALUE2 { return minimum(a, b); }
  GRADUS_SLOPE2(0) { return select(a <= b, V(1), V(0)); }
  GRADUS_SLOPE2(1) { return select(a > b, V(1), V(0)); }
};
struct Heaviside {
  static constexpr bool integers = true, light = true;
  GRADUS_VALUE2 { return select(a == 0, b, select(a > 0, V(1), V(0))); }
};
struct PreluKernel {                                          // b is the weight
  static constexpr bool light = true;
  GRADUS_VALUE2 { return select(a > 0, a, b * a); }
  GRADUS_SLOPE2(0) { return select(a > 0, V(1), b); }
  GRADUS_SLOPE2(1) { return select(a > 0, V(0), a); }
};
using Choice = List<Maximum, Minimum, Fmax, Fmin, ClampMin, ClampMax, Heaviside, PreluKernel>;

struct Pow {
  static constexpr bool integers = true;
  GRADUS_VALUE2 { return pow(a, b); }
  GRADUS_SLOPE2(0) {                                          // 0 for exponent 0, whatever the base
    const auto flat = (b == 0) & ((a == 0) | is_nan(a));
    return select(flat, V(0), b * pow(select(flat, V(1), a), b - 1));
  }
  GRADUS_SLOPE2(1) {                                          // 0 at base 0 with exponent >= 0
    const auto flat = (a == 0) & (b >= 0);
    return select(flat, V(0), y * log(like(y, select(flat, V(1), a))));
  }
};
struct Atan2 {                                                // NaN at the origin
  GRADUS_VALUE2 { return atan2(a, b); }
  GRADUS_SLOPE2(0) { const V r = hypot(a, b); return b / r / r; }
  GRADUS_SLOPE2(1) { const V r = hypot(a, b); return -(a / r / r); }
};
struct Hypot {                                                // 0 at the origin, as a norm
  GRADUS_VALUE2 { return hypot(a, b); }
  GRADUS_SLOPE2(0) { return a / select(y == 0, V(kInfinity), y); }
  GRADUS_SLOPE2(1) { return b / select(y == 0, V(kInfinity), y); }
};
struct Copysign {
  static constexpr bool light = true;
  GRADUS_VALUE2 { return copysign(a, b); }
  GRADUS_SLOPE2(0) { return select(a == 0, V(0), select(sign_bit(a) ^ sign_bit(b), V(-1), V(1))); }
  GRADUS_SLOPE2(1) { return V(0); }
};
struct Xlogy {                                                // 0 where a is 0, unless b is NaN
  GRADUS_VALUE2 { return select((a == 0) & !is_nan(b), V(0), a * log(b)); }
  GRADUS_SLOPE2(0) {
    const auto flat = (a == 0) & (b <= 0);
    return select(flat, V(0), log(select(flat, V(1), b)));
  }
  GRADUS_SLOPE2(1) { return a / b; }
};
struct Xlog1py {
  GRADUS_VALUE2 { return select((a == 0) & !is_nan(b), V(0), a * log1p(b)); }
  GRADUS_SLOPE2(0) {
    const auto flat = (a == 0) & (b <= -1);
    return select(flat, V(0), log1p(select(flat, V(1), b)));
  }
  GRADUS_SLOPE2(1) { return a / (b + 1); }
};
struct Logaddexp {
  GRADUS_VALUE2 {
    if constexpr (requires { log_add_exp(a, b); }) {          // of complex numbers
      return log_add_exp(a, b);
    } else {
      const V m = maximum(a, b);
      return select(is_inf(a) & (a == b), a, m + log1p(exp(-abs(a - b))));
    }
  }
  GRADUS_SLOPE2(0) { return sigmoid(select(is_inf(a) & (a == b), V(0), a - b)); }
  GRADUS_SLOPE2(1) { return sigmoid(select(is_inf(a) & (a == b), V(0), b - a)); }
};
struct Logaddexp2 {
  GRADUS_VALUE2 {
    const V m = maximum(a, b);
    return select(is_inf(a) & (a == b), a, m + 1.4426950408889634 * log1p(exp2(-abs(a - b))));
  }
  GRADUS_SLOPE2(0) { return sigmoid(0.6931471805599453 * select(is_inf(a) & (a == b), V(0), a - b)); }
  GRADUS_SLOPE2(1) { return sigmoid(0.6931471805599453 * select(is_inf(a) & (a == b), V(0), b - a)); }
};
using BinaryMath = List<Pow, Atan2, Hypot, Copysign, Xlogy, Xlog1py, Logaddexp, Logaddexp2>;

struct FloorDivide {
  static constexpr bool integers = true;
  GRADUS_VALUE2 { return floor_divide(a, b); }
  GRADUS_SLOPE2(0) { return V(0); }
  GRADUS_SLOPE2(1) { return V(0); }
};
struct TruncDivide {
  static constexpr bool integers = true;
  GRADUS_VALUE2 { return trunc_divide(a, b); }
  GRADUS_SLOPE2(0) { return V(0); }
  GRADUS_SLOPE2(1) { return V(0); }
};
struct Fmod {
  static constexpr bool integers = true;
  GRADUS_VALUE2 { return fmod(a, b); }
  GRADUS_SLOPE2(0) { return V(1); }
  GRADUS_SLOPE2(1) { return -trunc(a / b); }
};
struct Remainder {
  static constexpr bool integers = true;
  GRADUS_VALUE2 { return remainder(a, b); }
  GRADUS_SLOPE2(0) { return V(1); }
  GRADUS_SLOPE2(1) { return -floor(a / b); }
};

#define GRADUS_INTEGERS static constexpr bool integers = true, floats = false, light = true
struct BitAnd     { GRADUS_INTEGERS; GRADUS_VALUE2 { return bit_and(a, b); } };
struct BitOr      { GRADUS_INTEGERS; GRADUS_VALUE2 { return bit_or(a, b); } };
struct BitXor     { GRADUS_INTEGERS; GRADUS_VALUE2 { return bit_xor(a, b); } };
struct ShiftLeft  { GRADUS_INTEGERS; GRADUS_VALUE2 { return shift_left(a, b); } };
struct ShiftRight { GRADUS_INTEGERS; GRADUS_VALUE2 { return shift_right(a, b); } };
struct Gcd        { GRADUS_INTEGERS; GRADUS_VALUE2 { return gcd(a, b); } };
struct Lcm        { GRADUS_INTEGERS; GRADUS_VALUE2 { return lcm(a, b); } };
#undef GRADUS_INTEGERS
using Division = List<FloorDivide, TruncDivide, Fmod, Remainder, BitAnd, BitOr, BitXor, ShiftLeft, ShiftRight, Gcd, Lcm>;
