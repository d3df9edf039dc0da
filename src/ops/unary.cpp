// Functions of one tensor, element by element: a formula (kernels/formulas/unary.h) and a record.
#include "ops/formula.h"
#include "ops/lists.h"
#include "ops/samples.h"

namespace gradus {
namespace {
void check_order(const Args& a, Dtype) { GRADUS_CHECK(a.integer(1) >= 0, value, "polygamma: negative order {}", a.integer(1)); }
void check_decimals(const Args& a, Dtype type) {
  GRADUS_CHECK(is_floating(type) || a.integer(1) == 0, dtype, "round: decimals are not defined for {}", name(type));
}

void positive(const Args& a, Tensors& out) {
  GRADUS_CHECK(a.tensor(0).dtype() != Dtype::boolean, dtype, "positive: not defined for bool");
  out.push_back(a.tensor(0));
}
double largest(Dtype type) {
  switch (type) {
    case Dtype::f16: return 65504;
    case Dtype::bf16: return 0x1.FEp127;
    case Dtype::f32: return std::numeric_limits<float>::max();
    default: return std::numeric_limits<double>::max();
  }
}
void nan_to_num(const Args& a, Tensors& out) {
  const Tensor& self = a.tensor(0);
  if (!is_floating(self.dtype())) return out.push_back(call(clone_op, {self}));
  const double top = largest(self.dtype());
  out.push_back(call(nan_to_num_of_op, {self, a.has(1) ? a.real(1) : 0.0, a.has(2) ? a.real(2) : top, a.has(3) ? a.real(3) : -top}));
}

}  // namespace

Op exp_op{
    .schema = "exp(Tensor self) -> Tensor",
    .doc = "e to the power of each element.",
    .formula = formula<formulas::Exp>(),
    .result = ResultType::floating,
    .samples = on_interval<-3, 3>,
};
Op exp2_op{
    .schema = "exp2(Tensor self) -> Tensor",
    .doc = "2 to the power of each element.",
    .serves = "special_exp2",
    .formula = formula<formulas::Exp2>(),
    .result = ResultType::floating,
    .samples = on_interval<-3, 3>,
};
Op expm1_op{
    .schema = "expm1(Tensor self) -> Tensor",
    .doc = "exp(x) - 1 for each element, exact near 0.",
    .serves = "special_expm1",
    .formula = formula<formulas::Expm1>(),
    .result = ResultType::floating,
    .samples = on_interval<-3, 3>,
};
Op log_op{
    .schema = "log(Tensor self) -> Tensor",
    .doc = "The natural logarithm of each element; -inf at 0, NaN below.",
    .formula = formula<formulas::Log>(),
    .result = ResultType::floating,
    .samples = on_interval<1, 5>,
};
Op log2_op{
    .schema = "log2(Tensor self) -> Tensor",
    .doc = "The logarithm to base 2 of each element; exact at powers of 2.",
    .formula = formula<formulas::Log2>(),
    .result = ResultType::floating,
    .samples = on_interval<1, 5>,
};
Op log10_op{
    .schema = "log10(Tensor self) -> Tensor",
    .doc = "The logarithm to base 10 of each element.",
    .formula = formula<formulas::Log10>(),
    .result = ResultType::floating,
    .samples = on_interval<1, 5>,
};
Op log1p_op{
    .schema = "log1p(Tensor self) -> Tensor",
    .doc = "log(1 + x) for each element, exact near 0.",
    .serves = "special_log1p",
    .formula = formula<formulas::Log1p>(),
    .result = ResultType::floating,
    .samples = on_interval<0, 3>,
};
Op sin_op{
    .schema = "sin(Tensor self) -> Tensor",
    .doc = "The sine of each element, in radians.",
    .formula = formula<formulas::Sin>(),
    .result = ResultType::floating,
    .samples = on_interval<-3, 3>,
};
Op cos_op{
    .schema = "cos(Tensor self) -> Tensor",
    .doc = "The cosine of each element, in radians.",
    .formula = formula<formulas::Cos>(),
    .result = ResultType::floating,
    .samples = on_interval<-3, 3>,
};
Op tan_op{
    .schema = "tan(Tensor self) -> Tensor",
    .doc = "The tangent of each element, in radians.",
    .formula = formula<formulas::Tan>(),
    .result = ResultType::floating,
    .samples = on_interval<-1, 1>,
};
Op asin_op{
    .schema = "asin(Tensor self) -> Tensor",
    .doc = "The arc sine of each element; NaN outside [-1, 1].",
    .serves = "arcsin",
    .formula = formula<formulas::Asin>(),
    .result = ResultType::floating,
    .samples = [](Samples& s) { unary_samples(s, -0.8, 0.8); },
};
Op acos_op{
    .schema = "acos(Tensor self) -> Tensor",
    .doc = "The arc cosine of each element; NaN outside [-1, 1].",
    .serves = "arccos",
    .formula = formula<formulas::Acos>(),
    .result = ResultType::floating,
    .samples = [](Samples& s) { unary_samples(s, -0.8, 0.8); },
};
Op atan_op{
    .schema = "atan(Tensor self) -> Tensor",
    .doc = "The arc tangent of each element.",
    .serves = "arctan",
    .formula = formula<formulas::Atan>(),
    .result = ResultType::floating,
    .samples = on_interval<-3, 3>,
};
Op sinh_op{
    .schema = "sinh(Tensor self) -> Tensor",
    .doc = "The hyperbolic sine of each element.",
    .formula = formula<formulas::Sinh>(),
    .result = ResultType::floating,
    .samples = on_interval<-3, 3>,
};
Op cosh_op{
    .schema = "cosh(Tensor self) -> Tensor",
    .doc = "The hyperbolic cosine of each element.",
    .formula = formula<formulas::Cosh>(),
    .result = ResultType::floating,
    .samples = on_interval<-3, 3>,
};
Op tanh_op{
    .schema = "tanh(Tensor self) -> Tensor",
    .doc = "The hyperbolic tangent of each element.",
    .formula = formula<formulas::Tanh>(),
    .result = ResultType::floating,
    .samples = on_interval<-3, 3>,
};
Op asinh_op{
    .schema = "asinh(Tensor self) -> Tensor",
    .doc = "The inverse of sinh for each element.",
    .serves = "arcsinh",
    .formula = formula<formulas::Asinh>(),
    .result = ResultType::floating,
    .samples = on_interval<-3, 3>,
};
Op acosh_op{
    .schema = "acosh(Tensor self) -> Tensor",
    .doc = "The inverse of cosh for each element; NaN below 1.",
    .serves = "arccosh",
    .formula = formula<formulas::Acosh>(),
    .result = ResultType::floating,
    .samples = on_interval<2, 5>,
};
Op atanh_op{
    .schema = "atanh(Tensor self) -> Tensor",
    .doc = "The inverse of tanh for each element; NaN outside [-1, 1].",
    .serves = "arctanh",
    .formula = formula<formulas::Atanh>(),
    .result = ResultType::floating,
    .samples = [](Samples& s) { unary_samples(s, -0.8, 0.8); },
};
Op sigmoid_op{
    .schema = "sigmoid(Tensor self) -> Tensor",
    .doc = "1 / (1 + exp(-x)) for each element.",
    .serves = "special_expit",
    .formula = formula<formulas::Sigmoid>(),
    .result = ResultType::floating,
    .samples = on_interval<-3, 3>,
};
Op erf_op{
    .schema = "erf(Tensor self) -> Tensor",
    .doc = "The error function of each element.",
    .serves = "special_erf",
    .formula = formula<formulas::Erf>(),
    .result = ResultType::floating,
    .samples = on_interval<-3, 3>,
};
Op erfc_op{
    .schema = "erfc(Tensor self) -> Tensor",
    .doc = "1 - erf(x) for each element, with all digits in the tail.",
    .serves = "special_erfc",
    .formula = formula<formulas::Erfc>(),
    .result = ResultType::floating,
    .samples = on_interval<-3, 3>,
};
Op erfinv_op{
    .schema = "erfinv(Tensor self) -> Tensor",
    .doc = "The inverse of erf for each element.",
    .serves = "special_erfinv",
    .formula = formula<formulas::Erfinv>(),
    .result = ResultType::floating,
    .samples = [](Samples& s) { unary_samples(s, -0.8, 0.8); },
};
Op special_ndtr_op{
    .schema = "special_ndtr(Tensor self) -> Tensor",
    .doc = "The normal distribution function of each element.",
    .formula = formula<formulas::NormalCdf>(),
    .result = ResultType::floating,
    .samples = on_interval<-3, 3>,
};
Op lgamma_op{
    .schema = "lgamma(Tensor self) -> Tensor",
    .doc = "The logarithm of the absolute value of the gamma function of each element.",
    .serves = "special_gammaln",
    .formula = formula<formulas::Lgamma>(),
    .result = ResultType::floating,
    .samples = on_interval<1, 5>,
};
Op digamma_op{
    .schema = "digamma(Tensor self) -> Tensor",
    .doc = "The derivative of lgamma for each element; NaN at negative integers.",
    .serves = "special_digamma special_psi",
    .formula = formula<formulas::Digamma>(),
    .result = ResultType::floating,
    .samples = on_interval<1, 5>,
};
Op sinc_op{
    .schema = "sinc(Tensor self) -> Tensor",
    .doc = "sin(pi x) / (pi x) for each element, 1 at 0.",
    .serves = "special_sinc",
    .formula = formula<formulas::Sinc>(),
    .result = ResultType::floating,
    .samples = on_interval<-3, 3>,
};
Op polygamma_of_op{
    .schema = "_polygamma(Tensor self, int n) -> Tensor",
    .doc = "Derivative number n of digamma for each element.",
    .formula = formula<formulas::Polygamma>(),
    .result = ResultType::floating,
    .check = check_order,
    .samples = [](Samples& s) { s.add({s.rand({3}, -0.8, -0.2), Value(2)}); s.error({s.rand({2}), Value(-1)}, "negative"); },
};
Op polygamma_op{
    .schema = "polygamma(int n, Tensor self) -> Tensor",
    .doc = "Derivative number n of digamma for each element.",
    .serves = "special_polygamma",
    .compose = [](const Args& a, Tensors& out) { out.push_back(call(polygamma_of_op, {a.tensor(1), a[0]})); },
    .samples = [](Samples& s) { s.add({Value(1), s.rand({2, 3}, 1, 4)}); s.error({Value(-1), s.rand({2})}, "negative"); },
};
Op logit_op{
    .schema = "logit(Tensor self, float? eps=None) -> Tensor",
    .doc = "log(x / (1 - x)) for each element, of x held in [eps, 1 - eps] if eps is given; NaN outside [0, 1] if not.",
    .serves = "special_logit",
    .formula = formula<formulas::Logit>(),
    .result = ResultType::floating,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}, 0.1, 0.9)});
      s.add({s.values({5}, {-0.5, 0.05, 0.5, 0.97, 2}), Value(0.1)});
    },
};
Op deg2rad_op{
    .schema = "deg2rad(Tensor self) -> Tensor",
    .doc = "Degrees as radians.",
    .compose = [](const Args& a, Tensors& out) { out.push_back(mul(a.tensor(0), 3.141592653589793 / 180)); },
    .in_place = true,
    .samples = on_interval<-3, 3>,
};
Op rad2deg_op{
    .schema = "rad2deg(Tensor self) -> Tensor",
    .doc = "Radians as degrees.",
    .compose = [](const Args& a, Tensors& out) { out.push_back(mul(a.tensor(0), 180 / 3.141592653589793)); },
    .in_place = true,
    .samples = on_interval<-3, 3>,
};
Op neg_op{
    .schema = "neg(Tensor self) -> Tensor",
    .doc = "Each element with the opposite sign.",
    .serves = "negative",
    .formula = formula<formulas::Neg>(),
    .no_bool = true,
    .samples = on_interval<-3, 3>,
};
Op abs_op{
    .schema = "abs(Tensor self) -> Tensor",
    .doc = "The absolute value of each element; the gradient at 0 is 0.",
    .serves = "absolute",
    .formula = formula<formulas::Abs>(),
    .real_result = true,
    .samples = on_interval<-3, 3>,
};
Op square_op{
    .schema = "square(Tensor self) -> Tensor",
    .doc = "Each element times itself; booleans as integers.",
    .formula = formula<formulas::Square>(),
    .result = ResultType::number,
    .samples = on_interval<-3, 3>,
};
Op sqrt_op{
    .schema = "sqrt(Tensor self) -> Tensor",
    .doc = "The square root of each element; NaN below 0. The gradient at 0 is infinite.",
    .formula = formula<formulas::Sqrt>(),
    .result = ResultType::floating,
    .samples = on_interval<1, 5>,
};
Op rsqrt_op{
    .schema = "rsqrt(Tensor self) -> Tensor",
    .doc = "1 / sqrt(x) for each element.",
    .formula = formula<formulas::Rsqrt>(),
    .result = ResultType::floating,
    .samples = on_interval<1, 5>,
};
Op reciprocal_op{
    .schema = "reciprocal(Tensor self) -> Tensor",
    .doc = "1 / x for each element.",
    .formula = formula<formulas::Reciprocal>(),
    .result = ResultType::floating,
    .samples = on_interval<1, 5>,
};
Op sign_op{
    .schema = "sign(Tensor self) -> Tensor",
    .doc = "-1, 0 or 1 for each element; 0 for NaN. The gradient is 0.",
    .formula = formula<formulas::Sign>(),
    .samples = on_interval<-3, 3>,
};
Op floor_op{
    .schema = "floor(Tensor self) -> Tensor",
    .doc = "The largest integer not above each element. The gradient is 0.",
    .formula = formula<formulas::Floor>(),
    .samples = on_interval<-3, 3>,
};
Op ceil_op{
    .schema = "ceil(Tensor self) -> Tensor",
    .doc = "The smallest integer not below each element. The gradient is 0.",
    .formula = formula<formulas::Ceil>(),
    .samples = on_interval<-3, 3>,
};
Op trunc_op{
    .schema = "trunc(Tensor self) -> Tensor",
    .doc = "Each element without its fraction. The gradient is 0.",
    .serves = "fix",
    .formula = formula<formulas::Trunc>(),
    .samples = on_interval<-3, 3>,
};
Op frac_op{
    .schema = "frac(Tensor self) -> Tensor",
    .doc = "The fraction of each element, with its sign.",
    .formula = formula<formulas::Frac>(),
    .samples = on_interval<-3, 3>,
};
Op round_op{
    .schema = "round(Tensor self, *, int decimals=0) -> Tensor",
    .doc = "The nearest integer to each element, ties to even, or the nearest multiple of 10^-decimals. The gradient is 0.",
    .serves = "round.decimals special_round",
    .formula = formula<formulas::Round>(),
    .check = check_decimals,
    .samples = [](Samples& s) {
      s.add({s.values({7}, {-2.6, -1.4, -0.2, 0.6, 1.3, 2.7, 0.3})});
      s.add({s.rand({2, 3}), Value(1)});
      s.add({s.rand({3}, -300, 300), Value(-1)});
      s.error({s.integers({2}, 0, 9), Value(1)}, "decimals");
    },
};
Op positive_op{
    .schema = "positive(Tensor(a) self) -> Tensor(a)",
    .doc = "The tensor itself; refuses booleans.",
    .complex = true,
    .compose = positive,
    .samples = on_interval<-3, 3>,
};
Op nan_to_num_of_op{
    .schema = "_nan_to_num(Tensor self, float nan, float posinf, float neginf) -> Tensor",
    .doc = "NaN, inf and -inf replaced by numbers; the gradient there is 0.",
    .formula = formula<formulas::NanToNum>(),
    .samples = [](Samples& s) { s.add({s.values({4}, {1, kNan, kInfinity, -kInfinity}), Value(0.5), Value(2.0), Value(-3.0)}); },
};
Op nan_to_num_op{
    .schema = "nan_to_num(Tensor self, float? nan=None, float? posinf=None, float? neginf=None) -> Tensor",
    .doc = "NaN replaced by 0, infinities by the largest numbers of the dtype, or by what is given; the gradient there is 0.",
    .compose = nan_to_num,
    .in_place = true,
    .samples = [](Samples& s) {
      s.add({s.values({4}, {1, kNan, -2, 0})});
      s.add({s.values({4}, {1, kNan, kInfinity, -kInfinity}), Value(0.5), Value(2.0), Value(-3)});
    },
};

static Op* const all[] = {
    &exp_op, &exp2_op, &expm1_op, &log_op, &log2_op, &log10_op, &log1p_op, &sin_op, &cos_op, &tan_op, &asin_op, &acos_op,
    &atan_op, &sinh_op, &cosh_op, &tanh_op, &asinh_op, &acosh_op, &atanh_op, &sigmoid_op, &erf_op, &erfc_op, &erfinv_op,
    &special_ndtr_op, &lgamma_op, &digamma_op, &sinc_op, &polygamma_of_op, &polygamma_op, &logit_op, &deg2rad_op,
    &rad2deg_op, &neg_op, &abs_op, &square_op, &sqrt_op, &rsqrt_op, &reciprocal_op, &sign_op, &floor_op, &ceil_op,
    &trunc_op, &frac_op, &round_op, &positive_op, &nan_to_num_of_op, &nan_to_num_op,
};
const OpList unary_ops = all;

}  // namespace gradus
