// Formulas of one input. Included inside a namespace, once per SIMD target (V is a vector: kernels) and once for terms
// (V is a Term over tensors: create_graph), so it has no guard, no includes and no namespace of its own.
// value: what the op computes. slope: its derivative; y is the value. What a slope reads is found by the compiler (probe.h)
// and decides what is saved. Kinks are decided here, once. Attributes are members, in schema order.
// Where a select keeps a branch from being used, what that branch computes must stay finite: its own derivative is
// multiplied by 0 at second order.

struct Exp     { GRADUS_VALUE { return exp(x); }     GRADUS_SLOPE { return y; } };
struct Exp2    { GRADUS_VALUE { return exp2(x); }    GRADUS_SLOPE { return 0.6931471805599453 * y; } };
struct Expm1   { GRADUS_VALUE { return expm1(x); }   GRADUS_SLOPE { return y + 1; } };
struct Sigmoid { GRADUS_VALUE { return sigmoid(x); } GRADUS_SLOPE { return y * (1 - y); } };
struct Tanh    { GRADUS_VALUE { return tanh(x); }    GRADUS_SLOPE { return 1 - y * y; } };
struct Sinh    { GRADUS_VALUE { return sinh(x); }    GRADUS_SLOPE { return cosh(x); } };
struct Cosh    { GRADUS_VALUE { return cosh(x); }    GRADUS_SLOPE { return sinh(x); } };
using UnaryExp = List<Exp, Exp2, Expm1, Sigmoid, Tanh, Sinh, Cosh>;

struct Log     { GRADUS_VALUE { return log(x); }     GRADUS_SLOPE { return 1 / x; } };
struct Log2    { GRADUS_VALUE { return log2(x); }    GRADUS_SLOPE { return 1.4426950408889634 / x; } };
struct Log10   { GRADUS_VALUE { return log10(x); }   GRADUS_SLOPE { return 0.4342944819032518 / x; } };
struct Log1p   { GRADUS_VALUE { return log1p(x); }   GRADUS_SLOPE { return 1 / (x + 1); } };
struct Asinh   { GRADUS_VALUE { return asinh(x); }   GRADUS_SLOPE { return 1 / hypot(x, V(1)); } };
struct Acosh   { GRADUS_VALUE { return acosh(x); }   GRADUS_SLOPE { return 1 / (sqrt(x - 1) * sqrt(x + 1)); } };
struct Atanh   { GRADUS_VALUE { return atanh(x); }   GRADUS_SLOPE { return 1 / ((1 - x) * (1 + x)); } };
struct Logit {                                                // of x held in [eps, 1 - eps] if there is an eps
  Number eps;
  GRADUS_VALUE_WITH {
    const V z = eps.is_real() ? select(x < eps, V(eps), select(x > 1 - eps.f, V(1 - eps.f), x)) : x;
    return log(z / (1 - z));
  }
  GRADUS_SLOPE_WITH {
    const double low = eps.is_real() ? eps.f : 0, outside = eps.is_real() ? 0 : kNan;
    const auto in = (x >= low) & (x <= 1 - low);
    const V z = select(in, x, V(0.5));
    return select(in, 1 / (z * (1 - z)), V(outside));
  }
};
using UnaryLog = List<Log, Log2, Log10, Log1p, Asinh, Acosh, Atanh, Logit>;

struct Sin     { GRADUS_VALUE { return sin(x); }     GRADUS_SLOPE { return cos(x); } };
struct Cos     { GRADUS_VALUE { return cos(x); }     GRADUS_SLOPE { return -sin(x); } };
struct Tan     { GRADUS_VALUE { return tan(x); }     GRADUS_SLOPE { return 1 + y * y; } };
struct Asin    { GRADUS_VALUE { return asin(x); }    GRADUS_SLOPE { return 1 / sqrt((1 - x) * (1 + x)); } };
struct Acos    { GRADUS_VALUE { return acos(x); }    GRADUS_SLOPE { return -1 / sqrt((1 - x) * (1 + x)); } };
struct Atan    { GRADUS_VALUE { return atan(x); }    GRADUS_SLOPE { return 1 / (1 + x * x); } };
struct Sinc {                                                 // sin z / z, z = pi x; its slope by a series where z cos z - sin z cancels
  GRADUS_VALUE {
    const V n = round(x), half = 0.5 * n, s = sin(3.141592653589793 * (x - n));   // sin(pi x) = (-1)^n s, 0 at integers
    return select(x == 0, V(1), select(floor(half) == half, s, -s) / (3.141592653589793 * x));
  }
  GRADUS_SLOPE {
    const auto near = abs(x) < 0.3;
    const V z = 3.141592653589793 * x, u = z * z, far = select(near, V(1), x);
    V p = 16 / 355687428096000.0;
    constexpr double c[] = {14 / 1307674368000.0, 12 / 6227020800.0, 10 / 39916800.0, 8 / 362880.0, 6 / 5040.0, 4 / 120.0, 2 / 6.0};
    for (int k = 0; k < 7; ++k) p = c[k] - u * p;
    return select(near, 0 - 3.141592653589793 * (z * p), (cos(3.141592653589793 * far) - y) / far);
  }
};
using UnaryTrig = List<Sin, Cos, Tan, Asin, Acos, Atan, Sinc>;

struct Erf       { GRADUS_VALUE { return erf(x); }        GRADUS_SLOPE { return 1.1283791670955126 * exp(-(x * x)); } };
struct Erfc      { GRADUS_VALUE { return erfc(x); }       GRADUS_SLOPE { return -1.1283791670955126 * exp(-(x * x)); } };
struct Erfinv    { GRADUS_VALUE { return erfinv(x); }     GRADUS_SLOPE { return 0.8862269254527580 * exp(y * y); } };
struct NormalCdf { GRADUS_VALUE { return normal_cdf(x); } GRADUS_SLOPE { return 0.3989422804014327 * exp(-0.5 * (x * x)); } };
struct Lgamma    { GRADUS_VALUE { return lgamma(x); }     GRADUS_SLOPE { return digamma(x); } };
struct Digamma   { GRADUS_VALUE { return digamma(x); }    GRADUS_SLOPE { return polygamma(x, Number(1)); } };
struct Polygamma {
  Number n;
  GRADUS_VALUE_WITH { return polygamma(x, n); }
  GRADUS_SLOPE_WITH { return polygamma(x, Number(n.i + (n.i < INT64_MAX))); }
};
using UnarySpecial = List<Erf, Erfc, Erfinv, NormalCdf, Lgamma, Digamma, Polygamma>;

struct Neg {
  static constexpr bool integers = true, light = true;
  GRADUS_VALUE { return -x; }
  GRADUS_SLOPE { return V(-1); }
};
struct Abs {
  static constexpr bool integers = true, light = true;
  GRADUS_VALUE { return abs(x); }
  GRADUS_SLOPE { return sign(x); }
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
struct Rsqrt {
  static constexpr bool light = true;
  GRADUS_VALUE { return 1 / sqrt(x); }
  GRADUS_SLOPE { return -0.5 * (y * y * y); }
};
struct Reciprocal {
  static constexpr bool light = true;
  GRADUS_VALUE { return 1 / x; }
  GRADUS_SLOPE { return -(y * y); }
};
struct Sign {
  static constexpr bool integers = true, light = true;
  GRADUS_VALUE { return sign(x); }
  GRADUS_SLOPE { return V(0); }
};
struct NanToNum {
  static constexpr bool light = true, masks = true;
  Number nan, posinf, neginf;
  GRADUS_VALUE_WITH { return select(is_nan(x), V(nan), select(x == kInfinity, V(posinf), select(x == -kInfinity, V(neginf), x))); }
  GRADUS_SLOPE_WITH { return select(is_finite(x), V(1), V(0)); }
};
struct Floor {
  static constexpr bool integers = true, light = true;
  GRADUS_VALUE { return floor(x); }
  GRADUS_SLOPE { return V(0); }
};
struct Ceil {
  static constexpr bool integers = true, light = true;
  GRADUS_VALUE { return ceil(x); }
  GRADUS_SLOPE { return V(0); }
};
struct Trunc {
  static constexpr bool integers = true, light = true;
  GRADUS_VALUE { return trunc(x); }
  GRADUS_SLOPE { return V(0); }
};
struct Frac {
  static constexpr bool light = true;
  GRADUS_VALUE { return x - trunc(x); }
  GRADUS_SLOPE { return V(1); }
};
struct Round {                                                // ties to even; integers take no decimals
  static constexpr bool integers = true;
  Number decimals;
  GRADUS_VALUE_WITH {
    if constexpr (requires { x / x; }) {
      double power = 1;
      for (int64_t k = 0; k < 400 && (decimals.i < 0 ? -k > decimals.i : k < decimals.i); ++k) power *= 10;
      if (decimals.i > 0) return round(x * power) / power;
      if (decimals.i < 0) return round(x / power) * power;
    }
    return round(x);
  }
  GRADUS_SLOPE_WITH { return V(0); }
};
using UnaryLight = List<Neg, Abs, Square, Sqrt, Rsqrt, Reciprocal, Sign, NanToNum, Floor, Ceil, Trunc, Frac, Round>;
