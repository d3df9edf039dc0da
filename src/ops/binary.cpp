// Functions of two tensors, or of a tensor and a number, element by element with broadcasting.
#include "ops/formula.h"
#include "ops/lists.h"
#include "ops/samples.h"

namespace gradus {
namespace {

void check_alpha(const Args& a, Dtype type) {
  const Number alpha = a.number(2);
  GRADUS_CHECK(!is_integral(type) || !alpha.is_real(), dtype, "{}: alpha {} for {}, where an integer is wanted", name(a.op()), alpha.f, name(type));
  GRADUS_CHECK(type == Dtype::boolean || !alpha.is_boolean(), dtype, "{}: a boolean alpha for {}", name(a.op()), name(type));
}
void check_exponent(const Args& a, Dtype type) {
  GRADUS_CHECK(!is_integral(type) || !a[1].is_number() || a.real(1) >= 0, value, "pow: integers to the negative power {}", a.integer(1));
}
void div_mode(const Args& a, Tensors& out) {
  const std::string_view how = a.has(2) ? a.text(2) : "";
  GRADUS_CHECK(!a.has(2) || how == "trunc" || how == "floor", value, "div: rounding_mode is None, 'trunc' or 'floor', not '{}'", how);
  out.push_back(call(!a.has(2) ? div_op : how == "trunc" ? trunc_divide_op : floor_divide_op, {a[0], a[1]}));
}
void float_power(const Args& a, Tensors& out) {
  Tensor wide[2];
  Value v[2];
  const auto doubled = [](Dtype t) { return is_complex(t) ? Dtype::c128 : Dtype::f64; };
  for (int i = 0; i < 2; ++i) {
    if (!a[i].is_number()) wide[i] = to(a.tensor(i), doubled(a.tensor(i).dtype()));
    v[i] = a[i].tag == Tag::complex ? a[i] : a[i].is_number() ? Value(a.real(i)) : Value(wide[i]);
  }
  out.push_back(call(pow_op, {v[0], v[1]}));
}

void scale_by_power(const Args& a, Tensors& out) {
  if (a[1].is_number()) return out.push_back(mul(a[0], std::exp2(a.real(1))));
  const Tensor& exponent = a.tensor(1);
  if (a[0].is_number()) return out.push_back(mul(a[0], call(pow_op, {2.0, exponent})));
  const Tensor& self = a.tensor(0);
  if (!is_floating(self.dtype()) || !is_integral(exponent.dtype())) {
    const bool halves = is_complex(self.dtype()) && is_floating(exponent.dtype()) && size_of(exponent.dtype()) == 2;
    return out.push_back(mul(self, call(pow_op, {2.0, halves ? to(exponent, Dtype::f32) : exponent})));
  }
  const Tensor power = call(pow_op, {2.0, to(exponent, self.dtype() == Dtype::f64 ? Dtype::f64 : Dtype::f32)});
  out.push_back(to(mul(self, power), self.dtype()));
}

void with_alpha(Samples& s) {
  broadcasts(s);
  s.add({s.rand({2, 3}), s.rand({3}), Value(0.5)});
  s.error({s.integers({2}, 0, 9), s.integers({2}, 0, 9), Value(0.5)}, "alpha 0.5");
}
void quotients(Samples& s) {
  s.add({s.rand({2, 3}, -9, 9), s.rand({3}, 1, 2)});
  s.add({s.rand({2, 1}, -9, 9), s.rand({3}, -2, -1)});
  s.add({s.rand({5}, -9, 9), Value(1.5)});
  s.add({s.integers({2, 3}, -9, 9), s.integers({3}, 1, 4)});
  s.error({s.integers({2}, 1, 9), Value(0)}, "division by zero");
}
void integer_pairs(Samples& s) {
  s.add({s.integers({2, 3}, -9, 9), s.integers({3}, 0, 9)});
  s.add({s.integers({4}, -9, 9), Value(3)});
  s.error({s.rand({2}), s.rand({2})}, "not defined for float64");
}

}  // namespace

Op add_op{
    .schema = "add(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor",
    .doc = "self + alpha * other; or for booleans.",
    .serves = "add.Tensor add.Scalar",
    .formula = formula<formulas::AddScaled>(),
    .check = check_alpha,
    .samples = with_alpha,
};
Op sub_op{
    .schema = "sub(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor",
    .doc = "self - alpha * other.",
    .serves = "sub.Tensor sub.Scalar subtract.Tensor subtract.Scalar",
    .formula = formula<formulas::SubScaled>(),
    .no_bool = true,
    .check = check_alpha,
    .samples = with_alpha,
};
Op rsub_op{
    .schema = "rsub(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor",
    .doc = "other - alpha * self.",
    .serves = "rsub.Tensor rsub.Scalar",
    .complex = true,
    .takes_numbers = true,
    .complex_numbers = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(call(sub_op, {a[1], a[0], a[2]})); },
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.rand({3}), Value(0.5)});
      s.add({s.rand({4}), Value(1.5)});
      s.error({s.rand({2}), s.rand({3})}, "do not broadcast");
    },
};
Op mul_op{
    .schema = "mul(Tensor self, Tensor other) -> Tensor",
    .doc = "self * other; and for booleans.",
    .serves = "mul.Tensor mul.Scalar multiply.Tensor multiply.Scalar",
    .formula = formula<formulas::Mul>(),
    .samples = broadcasts,
};
Op div_op{
    .schema = "div(Tensor self, Tensor other) -> Tensor",
    .doc = "self / other, integers in floating point.",
    .serves = "div.Tensor div.Scalar divide.Tensor divide.Scalar true_divide.Tensor true_divide.Scalar",
    .formula = formula<formulas::Div>(),
    .result = ResultType::floating,
    .samples = broadcasts_positive,
};
Op floor_divide_op{
    .schema = "floor_divide(Tensor self, Tensor other) -> Tensor",
    .doc = "The largest integer not above self / other. The gradient is 0. An error for integers by 0.",
    .serves = "floor_divide.Scalar",
    .formula = formula<formulas::FloorDivide>(),
    .no_bool = true,
    .samples = quotients,
};
Op trunc_divide_op{
    .schema = "_trunc_divide(Tensor self, Tensor other) -> Tensor",
    .doc = "self / other without its fraction. The gradient is 0. An error for integers by 0.",
    .formula = formula<formulas::TruncDivide>(),
    .no_bool = true,
    .samples = quotients,
};
Op div_mode_op{
    .schema = "div_mode(Tensor self, Tensor other, *, str? rounding_mode=None) -> Tensor",
    .doc = "self / other, as it is, or rounded: 'trunc' toward 0, 'floor' down.",
    .serves = "div.Tensor_mode div.Scalar_mode divide.Tensor_mode divide.Scalar_mode",
    .takes_numbers = true,
    .compose = div_mode,
    .in_place = true,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.rand({3}, 0.5, 2)});
      s.add({s.rand({2, 3}, -9, 9), Value(2.5), s.text("floor")});
      s.add({s.rand({2, 3}, -9, 9), s.rand({3}, 0.5, 2), s.text("trunc")});
      s.error({s.rand({2}), s.rand({2}), s.text("up")}, "'up'");
    },
};
Op fmod_op{
    .schema = "fmod(Tensor self, Tensor other) -> Tensor",
    .doc = "The rest of the division toward 0, with the sign of self.",
    .serves = "fmod.Tensor fmod.Scalar",
    .formula = formula<formulas::Fmod>(),
    .no_bool = true,
    .samples = quotients,
};
Op remainder_op{
    .schema = "remainder(Tensor self, Tensor other) -> Tensor",
    .doc = "The rest of the floor division, with the sign of other.",
    .serves = "remainder.Tensor remainder.Scalar remainder.Scalar_Tensor",
    .formula = formula<formulas::Remainder>(),
    .no_bool = true,
    .samples = quotients,
};
Op pow_op{
    .schema = "pow(Tensor self, Tensor exponent) -> Tensor",
    .doc = "self to the power of exponent. The gradient by the base is 0 for exponent 0; by the exponent it is 0 at base 0 with exponent >= 0.",
    .serves = "pow.Tensor_Tensor pow.Tensor_Scalar pow.Scalar",
    .formula = formula<formulas::Pow>(),
    .check = check_exponent,
    .samples = [](Samples& s) {
      broadcasts_positive(s);
      s.add({s.values({4}, {-2, -0.5, 0, 3}), Value(2)});
      s.add({Value(1.5), s.rand({2, 3})});
      s.error({s.integers({2}, 1, 5), Value(-1)}, "negative power");
    },
};
Op float_power_op{
    .schema = "float_power(Tensor self, Tensor exponent) -> Tensor",
    .doc = "pow in float64.",
    .serves = "float_power.Tensor_Tensor float_power.Tensor_Scalar float_power.Scalar",
    .complex = true,
    .takes_numbers = true,
    .complex_numbers = true,
    .compose = float_power,
    .in_place = true,
    .samples = broadcasts_positive,
};
Op maximum_op{
    .schema = "maximum(Tensor self, Tensor other) -> Tensor",
    .doc = "The larger of two elements; NaN if either is. Equal elements share the gradient.",
    .serves = "max.other",
    .formula = formula<formulas::Maximum>(),
    .samples = broadcasts,
};
Op minimum_op{
    .schema = "minimum(Tensor self, Tensor other) -> Tensor",
    .doc = "The smaller of two elements; NaN if either is. Equal elements share the gradient.",
    .serves = "min.other",
    .formula = formula<formulas::Minimum>(),
    .samples = broadcasts,
};
Op fmax_op{
    .schema = "fmax(Tensor self, Tensor other) -> Tensor",
    .doc = "The larger of two elements, or the one that is not NaN. Equal elements give the gradient to self.",
    .formula = formula<formulas::Fmax>(),
    .samples = broadcasts,
};
Op fmin_op{
    .schema = "fmin(Tensor self, Tensor other) -> Tensor",
    .doc = "The smaller of two elements, or the one that is not NaN. Equal elements give the gradient to self.",
    .formula = formula<formulas::Fmin>(),
    .samples = broadcasts,
};
Op atan2_op{
    .schema = "atan2(Tensor self, Tensor other) -> Tensor",
    .doc = "The angle of the point (other, self), in (-pi, pi]. The gradient at the origin is NaN.",
    .serves = "arctan2",
    .formula = formula<formulas::Atan2>(),
    .result = ResultType::floating,
    .samples = broadcasts_positive,
};
Op hypot_op{
    .schema = "hypot(Tensor self, Tensor other) -> Tensor",
    .doc = "sqrt(self^2 + other^2) without overflow; the gradient at the origin is 0.",
    .formula = formula<formulas::Hypot>(),
    .samples = broadcasts,
};
Op copysign_op{
    .schema = "copysign(Tensor self, Tensor other) -> Tensor",
    .doc = "The size of self with the sign of other.",
    .serves = "copysign.Tensor copysign.Scalar",
    .formula = formula<formulas::Copysign>(),
    .result = ResultType::floating,
    .samples = broadcasts,
};
Op xlogy_op{
    .schema = "xlogy(Tensor self, Tensor other) -> Tensor",
    .doc = "self * log(other); 0 where self is 0, unless other is NaN.",
    .serves = "xlogy.Tensor xlogy.Scalar_Self xlogy.Scalar_Other special_xlogy special_xlogy.self_scalar special_xlogy.other_scalar",
    .formula = formula<formulas::Xlogy>(),
    .result = ResultType::floating,
    .samples = broadcasts_positive,
};
Op special_xlog1py_op{
    .schema = "special_xlog1py(Tensor self, Tensor other) -> Tensor",
    .doc = "self * log(1 + other); 0 where self is 0, unless other is NaN.",
    .serves = "special_xlog1py.self_scalar special_xlog1py.other_scalar",
    .formula = formula<formulas::Xlog1py>(),
    .result = ResultType::floating,
    .samples = broadcasts_positive,
};
Op logaddexp_op{
    .schema = "logaddexp(Tensor self, Tensor other) -> Tensor",
    .doc = "log(exp(self) + exp(other)) without overflow.",
    .formula = formula<formulas::Logaddexp>(),
    .samples = broadcasts,
};
Op logaddexp2_op{
    .schema = "logaddexp2(Tensor self, Tensor other) -> Tensor",
    .doc = "log2(2^self + 2^other) without overflow.",
    .formula = formula<formulas::Logaddexp2>(),
    .samples = broadcasts,
};
Op heaviside_op{
    .schema = "heaviside(Tensor self, Tensor values) -> Tensor",
    .doc = "0 below 0, 1 above, and values where self is 0. No gradient.",
    .formula = formula<formulas::Heaviside>(),
    .samples = broadcasts,
};
Op ldexp_op{
    .schema = "ldexp(Tensor self, Tensor other) -> Tensor",
    .doc = "self * 2^other, of self's dtype where other holds integers.",
    .serves = "ldexp.Tensor",
    .complex = true,
    .takes_numbers = true,
    .compose = scale_by_power,
    .in_place = true,
    .samples = broadcasts,
};
Op bitwise_and_op{
    .schema = "bitwise_and(Tensor self, Tensor other) -> Tensor",
    .doc = "Bit by bit, whether both are set; integers and booleans.",
    .serves = "bitwise_and.Tensor bitwise_and.Scalar bitwise_and.Scalar_Tensor __and__.Tensor __and__.Scalar",
    .formula = formula<formulas::BitAnd>(),
    .samples = integer_pairs,
};
Op bitwise_or_op{
    .schema = "bitwise_or(Tensor self, Tensor other) -> Tensor",
    .doc = "Bit by bit, whether either is set; integers and booleans.",
    .serves = "bitwise_or.Tensor bitwise_or.Scalar bitwise_or.Scalar_Tensor __or__.Tensor __or__.Scalar",
    .formula = formula<formulas::BitOr>(),
    .samples = integer_pairs,
};
Op bitwise_xor_op{
    .schema = "bitwise_xor(Tensor self, Tensor other) -> Tensor",
    .doc = "Bit by bit, whether just one is set; integers and booleans.",
    .serves = "bitwise_xor.Tensor bitwise_xor.Scalar bitwise_xor.Scalar_Tensor __xor__.Tensor __xor__.Scalar",
    .formula = formula<formulas::BitXor>(),
    .samples = integer_pairs,
};
Op bitwise_not_op{
    .schema = "bitwise_not(Tensor self) -> Tensor",
    .doc = "Every bit turned; not for booleans.",
    .compose = [](const Args& a, Tensors& out) { out.push_back(call(bitwise_xor_op, {a.tensor(0), a.tensor(0).dtype() == Dtype::boolean ? Value(true) : Value(-1)})); },
    .in_place = true,
    .samples = [](Samples& s) {
      s.add({s.integers({2, 3}, -9, 9)});
      s.add({s.integers({4}, 0, 2, Dtype::boolean)});
      s.error({s.rand({2})}, "not defined for float64");
    },
};
Op bitwise_left_shift_op{
    .schema = "bitwise_left_shift(Tensor self, Tensor other) -> Tensor",
    .doc = "self * 2^other, wrapping around.",
    .serves = "bitwise_left_shift.Tensor bitwise_left_shift.Tensor_Scalar bitwise_left_shift.Scalar_Tensor __lshift__.Tensor __lshift__.Scalar",
    .formula = formula<formulas::ShiftLeft>(),
    .no_bool = true,
    .samples = integer_pairs,
};
Op bitwise_right_shift_op{
    .schema = "bitwise_right_shift(Tensor self, Tensor other) -> Tensor",
    .doc = "floor(self / 2^other).",
    .serves = "bitwise_right_shift.Tensor bitwise_right_shift.Tensor_Scalar bitwise_right_shift.Scalar_Tensor __rshift__.Tensor __rshift__.Scalar",
    .formula = formula<formulas::ShiftRight>(),
    .no_bool = true,
    .samples = integer_pairs,
};
Op gcd_op{
    .schema = "gcd(Tensor self, Tensor other) -> Tensor",
    .doc = "The greatest common divisor of integers.",
    .formula = formula<formulas::Gcd>(),
    .no_bool = true,
    .samples = integer_pairs,
};
Op lcm_op{
    .schema = "lcm(Tensor self, Tensor other) -> Tensor",
    .doc = "The least common multiple of integers.",
    .formula = formula<formulas::Lcm>(),
    .no_bool = true,
    .samples = integer_pairs,
};

static Op* const all[] = {
    &add_op, &sub_op, &rsub_op, &mul_op, &div_op, &floor_divide_op, &trunc_divide_op, &div_mode_op, &fmod_op,
    &remainder_op, &pow_op, &float_power_op, &maximum_op, &minimum_op, &fmax_op, &fmin_op, &atan2_op, &hypot_op,
    &copysign_op, &xlogy_op, &special_xlog1py_op, &logaddexp_op, &logaddexp2_op, &heaviside_op, &ldexp_op,
    &bitwise_and_op, &bitwise_or_op, &bitwise_xor_op, &bitwise_not_op, &bitwise_left_shift_op, &bitwise_right_shift_op,
    &gcd_op, &lcm_op,
};
const OpList binary_ops = all;

}  // namespace gradus
