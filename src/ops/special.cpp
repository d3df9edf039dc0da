// Rare special functions: Bessel, normal quantiles, zeta, incomplete gamma.
#include <cmath>

#include "ops/formula.h"
#include "ops/lists.h"
#include "ops/samples.h"

namespace gradus {
namespace {

// PyTorch too knows no derivative of these by their first argument: it is refused when a pass comes to it.
template <const Op& op> void pair(const Args& a, Tensors& out) {
  GRADUS_CHECK(!a[0].is_number() || !a[1].is_number(), argument, "{}: both arguments are numbers", name(a.op()));
  out.push_back(call(op, {a[0], a[1]}));
}
void incomplete(Samples& s) {
  s.add({s.integers({3}, 1, 8), s.values({2, 1}, {1.5, 6})});
  s.add({s.values({4}, {0, 1, 2, 3}, Dtype::i64), s.values({4}, {1, 0, 9, -1}, Dtype::i64)});
  s.error({s.rand({2}, 1, 2), s.rand({3}, 1, 2)}, "2 and 3");
}

}  // namespace

#define GRADUS_SPECIAL(op, text, words, others, Formula, low, high)                                                                      \
  Op op{                                                                                                                                \
      .schema = text "(Tensor self) -> Tensor",                                                                                         \
      .doc = words,                                                                                                                     \
      .serves = others,                                                                                                                 \
      .formula = formula<formulas::Formula>(),                                                                                          \
      .result = ResultType::floating,                                                                                                   \
      .samples = on_interval<low, high>,                                                                                                \
  };
GRADUS_SPECIAL(i0_op, "i0", "The modified Bessel function of the first kind of order 0.", "special_i0 special_modified_bessel_i0", BesselI0, -4, 4)
GRADUS_SPECIAL(special_i0e_op, "special_i0e", "i0 times e to the power of -|x|.", "", BesselI0e, 1, 40)
GRADUS_SPECIAL(special_i1_op, "special_i1", "The modified Bessel function of the first kind of order 1.", "special_modified_bessel_i1", BesselI1, -4, 4)
GRADUS_SPECIAL(special_i1e_op, "special_i1e", "special_i1 times e to the power of -|x|.", "", BesselI1e, 1, 40)
GRADUS_SPECIAL(special_erfcx_op, "special_erfcx", "e^(x^2) erfc(x), which stays in range where erfc does not.", "", Erfcx, -1, 4)
GRADUS_SPECIAL(special_log_ndtr_op, "special_log_ndtr", "The logarithm of the normal distribution function.", "", LogNdtr, -4, 4)
GRADUS_SPECIAL(special_entr_op, "special_entr", "-x log x for each element: 0 at 0, -inf below.", "", Entr, 1, 4)
#undef GRADUS_SPECIAL
Op special_ndtri_op{
    .schema = "special_ndtri(Tensor self) -> Tensor",
    .doc = "The number below which a standard normal variable lies with probability self; NaN outside [0, 1].",
    .formula = formula<formulas::Ndtri>(),
    .result = ResultType::floating,
    .samples = [](Samples& s) { s.add({s.rand({2, 3}, 0.1, 0.9)}); s.add({s.values({3}, {0.01, 0.5, 0.999})}); },
};
Op zeta_op{
    .schema = "_zeta(Tensor self, Tensor other) -> Tensor",
    .doc = "special_zeta, with no gradient by self.",
    .formula = formula<formulas::Zeta>(),
    .result = ResultType::floating,
};
Op gamma_p_op{
    .schema = "_gamma_p(Tensor self, Tensor other) -> Tensor",
    .doc = "igamma, with no gradient by self.",
    .formula = formula<formulas::GammaP>(),
    .result = ResultType::floating,
};
Op gamma_q_op{
    .schema = "_gamma_q(Tensor self, Tensor other) -> Tensor",
    .doc = "igammac, with no gradient by self.",
    .formula = formula<formulas::GammaQ>(),
    .result = ResultType::floating,
};
Op special_zeta_op{
    .schema = "special_zeta(Tensor self, Tensor other) -> Tensor",
    .doc = "The sum of (other + k)^-self over all k >= 0: the Hurwitz zeta function. The gradient is by other alone.",
    .serves = "special_zeta special_zeta.self_scalar special_zeta.other_scalar",
    .takes_numbers = true,
    .compose = pair<zeta_op>,
    .samples = [](Samples& s) {
      s.add({s.integers({3}, 2, 8), s.values({2, 1}, {0.5, 20})});
      s.add({Value(3), s.values({3}, {-0.5, 7, 1})});
      s.error({Value(2), Value(1)}, "both arguments are numbers");
    },
};
Op igamma_op{
    .schema = "igamma(Tensor self, Tensor other) -> Tensor",
    .doc = "The integral of t^(self - 1) e^-t from 0 to other over the whole integral. The gradient is by other alone.",
    .serves = "special_gammainc",
    .compose = pair<gamma_p_op>,
    .in_place = true,
    .samples = incomplete,
};
Op igammac_op{
    .schema = "igammac(Tensor self, Tensor other) -> Tensor",
    .doc = "1 - igamma, with all digits where that is small.",
    .serves = "special_gammaincc",
    .compose = pair<gamma_q_op>,
    .in_place = true,
    .samples = incomplete,
};
Op mvlgamma_op{
    .schema = "mvlgamma(Tensor self, int p) -> Tensor",
    .doc = "The logarithm of the multivariate gamma function of dimension p.",
    .serves = "special_multigammaln",
    .compose = [](const Args& a, Tensors& out) {
      const int64_t p = a.integer(1);
      GRADUS_CHECK(p >= 1 && p <= 1 << 20, value, "mvlgamma: p = {} is less than 1, or too large", p);
      GRADUS_CHECK(a.tensor(0).dtype() != Dtype::boolean, dtype, "mvlgamma: not defined for bool");
      const Tensor x = is_floating(a.tensor(0).dtype()) ? a.tensor(0) : to(a.tensor(0), Dtype::f32);
      Tensor y;
      for (int64_t k = 0; k < p; ++k) {
        const Tensor part = lgamma(k ? sub(x, 0.5 * static_cast<double>(k)) : x);
        y = y ? add(y, part) : part;
      }
      out.push_back(add(y, 0.28618247146235004 * static_cast<double>(p * (p - 1))));     // log(pi) / 4
    },
    .in_place = true,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}, 2, 5), Value(3)});
      s.add({s.rand({2}, 1, 5), Value(1)});
      s.error({s.rand({2}, 1, 2), Value(0)}, "p = 0");
    },
};

static Op* const all[] = {&i0_op, &special_i0e_op, &special_i1_op, &special_i1e_op, &special_erfcx_op, &special_ndtri_op, &special_log_ndtr_op, &special_entr_op,
                          &zeta_op, &gamma_p_op, &gamma_q_op, &special_zeta_op, &igamma_op, &igammac_op, &mvlgamma_op};
const OpList special_ops = all;

}  // namespace gradus
