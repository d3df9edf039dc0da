// Formulas of one input. Included inside a namespace, once per SIMD target (V is a vector: kernels) and once for terms
// (V is a Term over tensors: create_graph), so it has no guard, no includes and no namespace of its own.
// value: what the op computes. slope: its derivative; y is the value. What a slope reads is found by the compiler (probe.h)
// and decides what is saved. Kinks are decided here, once. Attributes are members, in schema order.

#define GRADUS_VALUE template <class V> static constexpr V value(V x)
#define GRADUS_SLOPE template <class V> static constexpr V slope([[maybe_unused]] V x, [[maybe_unused]] V y)

struct Exp     { GRADUS_VALUE { return exp(x); }     GRADUS_SLOPE { return y; } };
struct Log     { GRADUS_VALUE { return log(x); }     GRADUS_SLOPE { return 1 / x; } };
struct Sin     { GRADUS_VALUE { return sin(x); }     GRADUS_SLOPE { return cos(x); } };
struct Cos     { GRADUS_VALUE { return cos(x); }     GRADUS_SLOPE { return -sin(x); } };
struct Tanh    { GRADUS_VALUE { return tanh(x); }    GRADUS_SLOPE { return 1 - y * y; } };
struct Sigmoid { GRADUS_VALUE { return sigmoid(x); } GRADUS_SLOPE { return y * (1 - y); } };
struct Erf     { GRADUS_VALUE { return erf(x); }     GRADUS_SLOPE { return 1.1283791670955126 * exp(-(x * x)); } };
using UnaryMath = List<Exp, Log, Sin, Cos, Tanh, Sigmoid, Erf>;

struct Neg {
  static constexpr bool integers = true, light = true;
  GRADUS_VALUE { return -x; }
  GRADUS_SLOPE { return V(-1); }
};
struct Abs {
  static constexpr bool integers = true, light = true;
  GRADUS_VALUE { return abs(x); }
  GRADUS_SLOPE { return select(x > 0, V(1), select(x < 0, V(-1), V(0))); }
};
struct Square {
  static constexpr bool integers = true, light = true;
  GRADUS_VALUE { return x * x; }
  GRADUS_SLOPE { return 2 * x; }
};
struct Sqrt {
  static constexpr bool light = true;
  GRADUS_VALUE { return sqrt(x); }
  GRADUS_SLOPE { return 0.5 / y; }
};
struct Relu {                                                 // a NaN stays one, and lets the gradient through
  static constexpr bool integers = true, light = true;
  GRADUS_VALUE { return select(x <= 0, V(0), x); }
  GRADUS_SLOPE { return select(y <= 0, V(0), V(1)); }
};
using UnaryLight = List<Neg, Abs, Square, Sqrt, Relu>;
