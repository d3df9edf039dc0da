// Formulas of two inputs; see unary.h. slope0 and slope1 are the derivatives by a and by b; y is the value.

#define GRADUS_VALUE2 template <class V> static constexpr V value(V a, V b)
#define GRADUS_VALUE2_WITH template <class V> constexpr V value(V a, V b) const
#define GRADUS_SLOPE0 template <class V> static constexpr V slope0([[maybe_unused]] V a, [[maybe_unused]] V b, [[maybe_unused]] V y)
#define GRADUS_SLOPE1 template <class V> static constexpr V slope1([[maybe_unused]] V a, [[maybe_unused]] V b, [[maybe_unused]] V y)
#define GRADUS_SLOPE1_WITH template <class V> constexpr V slope1([[maybe_unused]] V a, [[maybe_unused]] V b, [[maybe_unused]] V y) const

struct AddScaled {                                            // a + alpha b, the product rounded first
  static constexpr bool integers = true, light = true;
  Number alpha;
  GRADUS_VALUE2_WITH { return a + V(alpha) * b; }
  GRADUS_SLOPE0 { return V(1); }
  GRADUS_SLOPE1_WITH { return V(alpha); }
};
struct SubScaled {                                            // a - alpha b
  static constexpr bool integers = true, light = true;
  Number alpha;
  GRADUS_VALUE2_WITH { return a - V(alpha) * b; }
  GRADUS_SLOPE0 { return V(1); }
  GRADUS_SLOPE1_WITH { return -V(alpha); }
};
struct Mul {
  static constexpr bool integers = true, light = true;
  GRADUS_VALUE2 { return a * b; }
  GRADUS_SLOPE0 { return b; }
  GRADUS_SLOPE1 { return a; }
};
struct Div {
  static constexpr bool light = true;
  GRADUS_VALUE2 { return a / b; }
  GRADUS_SLOPE0 { return 1 / b; }
  GRADUS_SLOPE1 { return -y / b; }
};
struct Maximum {                                              // ties share the gradient evenly; a NaN wins
  static constexpr bool integers = true, light = true;
  GRADUS_VALUE2 { return maximum(a, b); }
  GRADUS_SLOPE0 { return select(a == b, V(0.5), select(a > b, V(1), V(0))); }
  GRADUS_SLOPE1 { return select(a == b, V(0.5), select(a > b, V(0), V(1))); }
};
using Arithmetic = List<AddScaled, SubScaled, Mul, Div, Maximum>;

struct Lt {
  static constexpr bool integers = true, light = true;
  GRADUS_VALUE2 { return select(a < b, V(1), V(0)); }
};
struct Gt {
  static constexpr bool integers = true, light = true;
  GRADUS_VALUE2 { return select(a > b, V(1), V(0)); }
};
struct Le {
  static constexpr bool integers = true, light = true;
  GRADUS_VALUE2 { return select(a <= b, V(1), V(0)); }
};
struct Ge {
  static constexpr bool integers = true, light = true;
  GRADUS_VALUE2 { return select(a >= b, V(1), V(0)); }
};
struct Eq {
  static constexpr bool integers = true, light = true;
  GRADUS_VALUE2 { return select(a == b, V(1), V(0)); }
};
struct Ne {
  static constexpr bool integers = true, light = true;
  GRADUS_VALUE2 { return select(a == b, V(0), V(1)); }
};
using Comparison = List<Lt, Gt, Le, Ge, Eq, Ne>;
