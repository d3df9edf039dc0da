// Formulas of rare special functions; see unary.h. Those of two inputs have no known derivative by the first.

struct BesselI0  { GRADUS_VALUE { return bessel_i0(x); }  GRADUS_SLOPE { return bessel_i1(x); } };
struct BesselI0e { GRADUS_VALUE { return bessel_i0e(x); } GRADUS_SLOPE { return bessel_i1e(x) - sign(x) * y; } };
struct BesselI1 {                                             // 1/2 at 0
  GRADUS_VALUE { return bessel_i1(x); }
  GRADUS_SLOPE { return select(x == 0, V(0.5), bessel_i0(x) - y / select(x == 0, V(1), x)); }
};
struct BesselI1e {
  GRADUS_VALUE { return bessel_i1e(x); }
  GRADUS_SLOPE { return select(x == 0, V(0.5), bessel_i0e(x) - y * (sign(x) + 1 / select(x == 0, V(1), x))); }
};
struct Erfcx   { GRADUS_VALUE { return erfcx(x); }    GRADUS_SLOPE { return 2 * (x * y) - 1.1283791670955126; } };
struct Ndtri   { GRADUS_VALUE { return ndtri(x); }    GRADUS_SLOPE { return 2.5066282746310002 * exp(0.5 * (y * y)); } };
struct LogNdtr { GRADUS_VALUE { return log_ndtr(x); } GRADUS_SLOPE { return 0.7978845608028654 / erfcx(-0.7071067811865476 * x); } };
struct Entr {                                                 // -x log x, 0 at 0, -inf below
  GRADUS_VALUE { return select(is_nan(x), x, select(x == 0, V(0), select(x > 0, -(x * log(x)), V(-kInfinity)))); }
  GRADUS_SLOPE { return -1 - log(x); }
};
using Special = List<BesselI0, BesselI0e, BesselI1, BesselI1e, Erfcx, Ndtri, LogNdtr, Entr>;

struct Zeta {
  GRADUS_VALUE2 { return zeta(a, b); }
  GRADUS_SLOPE2(0) { return V(kNan); }
  GRADUS_SLOPE2(1) { return -(a * zeta(a + 1, b)); }
};
// The gamma distribution's density, b^(a-1) e^-b / gamma(a): by the logarithm, which stays in range; at 0 by the power, whose slopes are
// right there.
struct GammaDensity {
  template <class V> [[gnu::always_inline]] static constexpr V density(V a, V b) {
    const auto zero = b == 0, end = zero | (b == kInfinity);
    const V inside = select(end, V(1), b), low = select(zero, b, V(1)), scale = lgamma(a);
    return select(zero, pow(low, a - 1) * exp(-low - scale), select(end, V(0), exp((a - 1) * log(inside) - inside - scale)));
  }
};
struct GammaP : GammaDensity {
  GRADUS_VALUE2 { return gamma_p(a, b); }
  GRADUS_SLOPE2(0) { return V(kNan); }
  GRADUS_SLOPE2(1) { return density(a, b); }
};
struct GammaQ : GammaDensity {
  GRADUS_VALUE2 { return gamma_q(a, b); }
  GRADUS_SLOPE2(0) { return V(kNan); }
  GRADUS_SLOPE2(1) { return -density(a, b); }
};
using SpecialPairs = List<Zeta, GammaP, GammaQ>;
