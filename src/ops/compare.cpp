// Comparisons and logic; results are bool and carry no gradient.
#include "ops/formula.h"
#include "ops/lists.h"
#include "ops/samples.h"

namespace gradus {
namespace {

void isclose(const Args& a, Tensors& out) {
  const Tensor &self = a.tensor(0), &other = a.tensor(1);
  GRADUS_CHECK(self.dtype() == other.dtype(), dtype, "isclose: {} against {}", name(self.dtype()), name(other.dtype()));
  GRADUS_CHECK(a.real(2) >= 0 && a.real(3) >= 0, value, "isclose: negative tolerance {} or {}", a.real(2), a.real(3));
  Tensor close = eq(self, other);
  if (a.flag(4) && !is_integral(self.dtype())) close = call(logical_or_op, {close, call(logical_and_op, {isnan(self), isnan(other)})});
  if (a.real(2) == 0 && a.real(3) == 0) return out.push_back(close);
  const Tensor with = is_integral(self.dtype()) ? to(other, Dtype::f32) : other;
  const Tensor allowed = add(abs(mul(with, a.real(2))), a.real(3)), apart = abs(sub(self, with));
  out.push_back(call(logical_or_op, {close, call(logical_and_op, {isfinite(apart), le(apart, allowed)})}));
}
void specials(Samples& s) {
  s.add({s.values({6}, {1, 0, -0.0, kInfinity, -kInfinity, kNan})});
  s.add({s.rand({2, 3})});
}

}  // namespace

Op lt_op{
    .schema = "lt(Tensor self, Tensor other) -> Tensor",
    .doc = "Whether self < other.",
    .serves = "lt.Tensor lt.Scalar less.Tensor less.Scalar",
    .formula = formula<formulas::Lt>(),
    .result = ResultType::boolean,
    .samples = broadcasts,
};
Op gt_op{
    .schema = "gt(Tensor self, Tensor other) -> Tensor",
    .doc = "Whether self > other.",
    .serves = "gt.Tensor gt.Scalar greater.Tensor greater.Scalar",
    .formula = formula<formulas::Gt>(),
    .result = ResultType::boolean,
    .samples = broadcasts,
};
Op le_op{
    .schema = "le(Tensor self, Tensor other) -> Tensor",
    .doc = "Whether self <= other.",
    .serves = "le.Tensor le.Scalar less_equal.Tensor less_equal.Scalar",
    .formula = formula<formulas::Le>(),
    .result = ResultType::boolean,
    .samples = broadcasts,
};
Op ge_op{
    .schema = "ge(Tensor self, Tensor other) -> Tensor",
    .doc = "Whether self >= other.",
    .serves = "ge.Tensor ge.Scalar greater_equal.Tensor greater_equal.Scalar",
    .formula = formula<formulas::Ge>(),
    .result = ResultType::boolean,
    .samples = broadcasts,
};
Op eq_op{
    .schema = "eq(Tensor self, Tensor other) -> Tensor",
    .doc = "Whether self == other; never for NaN.",
    .serves = "eq.Tensor eq.Scalar",
    .formula = formula<formulas::Eq>(),
    .result = ResultType::boolean,
    .samples = broadcasts,
};
Op ne_op{
    .schema = "ne(Tensor self, Tensor other) -> Tensor",
    .doc = "Whether self != other; always for NaN.",
    .serves = "ne.Tensor ne.Scalar not_equal.Tensor not_equal.Scalar",
    .formula = formula<formulas::Ne>(),
    .result = ResultType::boolean,
    .samples = broadcasts,
};
Op logical_and_op{
    .schema = "logical_and(Tensor self, Tensor other) -> Tensor",
    .doc = "Whether both are not 0.",
    .formula = formula<formulas::LogicalAnd>(),
    .result = ResultType::boolean,
    .samples = broadcasts,
};
Op logical_or_op{
    .schema = "logical_or(Tensor self, Tensor other) -> Tensor",
    .doc = "Whether either is not 0.",
    .formula = formula<formulas::LogicalOr>(),
    .result = ResultType::boolean,
    .samples = broadcasts,
};
Op logical_xor_op{
    .schema = "logical_xor(Tensor self, Tensor other) -> Tensor",
    .doc = "Whether just one is not 0.",
    .formula = formula<formulas::LogicalXor>(),
    .result = ResultType::boolean,
    .samples = broadcasts,
};
Op logical_not_op{
    .schema = "logical_not(Tensor self) -> Tensor",
    .doc = "Whether an element is 0.",
    .formula = formula<formulas::LogicalNot>(),
    .result = ResultType::boolean,
    .samples = specials,
};
Op isnan_op{
    .schema = "isnan(Tensor self) -> Tensor",
    .doc = "Whether an element is NaN.",
    .formula = formula<formulas::Isnan>(),
    .result = ResultType::boolean,
    .samples = specials,
};
Op isinf_op{
    .schema = "isinf(Tensor self) -> Tensor",
    .doc = "Whether an element is infinite.",
    .formula = formula<formulas::Isinf>(),
    .result = ResultType::boolean,
    .samples = specials,
};
Op isfinite_op{
    .schema = "isfinite(Tensor self) -> Tensor",
    .doc = "Whether an element is neither infinite nor NaN.",
    .formula = formula<formulas::Isfinite>(),
    .result = ResultType::boolean,
    .samples = specials,
};
Op signbit_op{
    .schema = "signbit(Tensor self) -> Tensor",
    .doc = "Whether the sign bit of an element is set, as for -0.",
    .formula = formula<formulas::Signbit>(),
    .result = ResultType::boolean,
    .samples = specials,
};
Op isposinf_op{
    .schema = "isposinf(Tensor self) -> Tensor",
    .doc = "Whether an element is inf.",
    .compose = [](const Args& a, Tensors& out) { out.push_back(eq(a.tensor(0), kInfinity)); },
    .samples = specials,
};
Op isneginf_op{
    .schema = "isneginf(Tensor self) -> Tensor",
    .doc = "Whether an element is -inf.",
    .compose = [](const Args& a, Tensors& out) { out.push_back(eq(a.tensor(0), -kInfinity)); },
    .samples = specials,
};
Op isclose_op{
    .schema = "isclose(Tensor self, Tensor other, float rtol=1e-05, float atol=1e-08, bool equal_nan=False) -> Tensor",
    .doc = "Whether |self - other| <= atol + rtol * |other|, or both are the same infinity.",
    .complex = true,
    .compose = isclose,
    .samples = [](Samples& s) {
      s.add({s.values({4}, {1, 2, kInfinity, kNan}), s.values({4}, {1.000001, 2.1, kInfinity, kNan})});
      s.add({s.values({2}, {1, kNan}), s.values({2}, {1.05, kNan}), Value(0.1), Value(0.0), Value(true)});
      s.error({s.rand({2}), s.rand({2}), Value(-1.0)}, "negative");
    },
};

Op allclose_op{
    .schema = "allclose(Tensor self, Tensor other, float rtol=1e-05, float atol=1e-08, bool equal_nan=False) -> Tensor",
    .doc = "Whether all elements are close by isclose.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(call(all_op, {call(isclose_op, {a[0], a[1], a[2], a[3], a[4]})})); },
    .samples = [](Samples& s) {
      s.add({s.values({2}, {1, kInfinity}), s.values({2}, {1.000001, kInfinity})});
      s.add({s.rand({2, 3}), s.rand({3})});
      s.error({s.rand({2}), s.rand({2}), Value(-1.0)}, "negative");
    },
};
Op equal_op{
    .schema = "equal(Tensor self, Tensor other) -> Tensor",
    .doc = "Whether shapes and all elements are the same; a NaN is the same as nothing.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensor &x = a.tensor(0), &y = a.tensor(1);
      GRADUS_CHECK(x.dtype() == y.dtype(), dtype, "equal: {} against {}", name(x.dtype()), name(y.dtype()));
      out.push_back(same(x.sizes(), y.sizes()) ? call(all_op, {eq(x, y)}) : zeros({}, Dtype::boolean));
    },
    .samples = [](Samples& s) {
      s.add({s.values({2}, {1, 2}), s.values({2}, {1, 2})});
      s.add({s.values({2}, {1, kNan}), s.values({2}, {1, kNan})});
      s.add({s.rand({2}), s.rand({2, 1})});
      s.add({s.rand({0}), s.rand({0})});
      s.error({s.rand({2}), s.integers({2}, 0, 2)}, "float64 against int64");
    },
};
Op isreal_op{
    .schema = "isreal(Tensor self) -> Tensor",
    .doc = "Whether the imaginary part of an element is 0.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensor& self = a.tensor(0);
      out.push_back(is_complex(self.dtype()) ? eq(imag(self), 0) : ones(self.sizes(), Dtype::boolean));
    },
    .samples = specials,
};

static Op* const all[] = {
    &lt_op, &gt_op, &le_op, &ge_op, &eq_op, &ne_op, &logical_and_op, &logical_or_op, &logical_xor_op, &logical_not_op,
    &isnan_op, &isinf_op, &isfinite_op, &signbit_op, &isposinf_op, &isneginf_op, &isclose_op, &allclose_op, &equal_op, &isreal_op,
};
const OpList compare_ops = all;

}  // namespace gradus
