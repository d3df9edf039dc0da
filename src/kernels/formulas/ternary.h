// Formulas of three inputs; see unary.h.

struct Where {                                                // a is the condition
  static constexpr bool integers = true, light = true, masks = true;
  GRADUS_VALUE3 { return select(a == 0, c, b); }
  GRADUS_SLOPE3(0) { return V(0); }
  GRADUS_SLOPE3(1) { return select(a == 0, V(0), V(1)); }
  GRADUS_SLOPE3(2) { return select(a == 0, V(1), V(0)); }
};
struct Clamp {                                                // of a to [b, c]; at a bound the gradient is a's, with b > c all is c's
  static constexpr bool integers = true, light = true, masks = true;
  GRADUS_VALUE3 { return minimum(maximum(a, b), c); }
  GRADUS_SLOPE3(0) { return select((a >= b) & (a <= c), V(1), V(0)); }
  GRADUS_SLOPE3(1) { return select((a < b) & (b <= c), V(1), V(0)); }
  GRADUS_SLOPE3(2) { return select((a > c) | (b > c), V(1), V(0)); }
};
struct Addcmul {
  static constexpr bool integers = true, light = true;
  Number scale;
  GRADUS_VALUE3_WITH { return a + V(scale) * b * c; }
  GRADUS_SLOPE3(0) { return V(1); }
  GRADUS_SLOPE3_WITH(1) { return V(scale) * c; }
  GRADUS_SLOPE3_WITH(2) { return V(scale) * b; }
};
struct Addcdiv {
  static constexpr bool light = true;
  Number scale;
  GRADUS_VALUE3_WITH { return a + V(scale) * b / c; }
  GRADUS_SLOPE3(0) { return V(1); }
  GRADUS_SLOPE3_WITH(1) { return V(scale) / c; }
  GRADUS_SLOPE3_WITH(2) { return -(V(scale) * (b / c) / c); }
};
struct Lerp {                                                 // from the nearer end, so that weight 1 gives b exactly
  static constexpr bool light = true;
  GRADUS_VALUE3 { return select(abs(c) < 0.5, a + c * (b - a), b - (b - a) * (1 - c)); }
  GRADUS_SLOPE3(0) { return 1 - c; }
  GRADUS_SLOPE3(1) { return c; }
  GRADUS_SLOPE3(2) { return b - a; }
};
using Ternary = List<Where, Clamp, Addcmul, Addcdiv, Lerp>;
