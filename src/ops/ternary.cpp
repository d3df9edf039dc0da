// Functions of three tensors or numbers, element by element with broadcasting.
#include "ops/formula.h"
#include "ops/lists.h"
#include "ops/samples.h"

namespace gradus {
namespace {

void check_condition(const Args& a, Dtype) {
  const bool truth = a[0].is_number() ? a[0].tag == Tag::boolean : a.tensor(0).dtype() == Dtype::boolean || a.tensor(0).dtype() == Dtype::u8;
  GRADUS_CHECK(truth, dtype, "where: a condition of {}, where bool is wanted", a[0].is_number() ? "numbers" : name(a.tensor(0).dtype()));
}
void check_lerp(const Args& a, Dtype) {
  for (int i = 1; i < 3; ++i)
    if (a[0].tag == Tag::tensor && a[i].tag == Tag::tensor)
      GRADUS_CHECK(a.tensor(0).dtype() == a.tensor(i).dtype(), dtype, "lerp: {} and {}", name(a.tensor(0).dtype()), name(a.tensor(i).dtype()));
}
void check_value(const Args& a, Dtype type) {
  const Number value = a.number(3);
  GRADUS_CHECK(!is_integral(type) || value.f == static_cast<double>(value.i), dtype, "{}: value {} for {}, where an integer is wanted", name(a.op()),
               value.f, name(type));
}
void clamp(const Args& a, Tensors& out) {
  GRADUS_CHECK(a.has(1) || a.has(2), argument, "clamp: neither min nor max is given");
  if (a.has(1) && a.has(2)) out.push_back(call(clamp_of_op, {a[0], a[1], a[2]}));
  else if (a.has(1)) out.push_back(call(clamp_min_op, {a[0], a[1]}));
  else out.push_back(call(clamp_max_op, {a[0], a[2]}));
}

}  // namespace

Op where_op{
    .schema = "where(Tensor condition, Tensor self, Tensor other) -> Tensor",
    .doc = "self where the condition holds, other elsewhere. The branch not taken gets a gradient of exactly 0.",
    .serves = "where.self where.ScalarSelf where.ScalarOther where.Scalar",
    .formula = formula<formulas::Where>(),
    .check = check_condition,
    .samples = [](Samples& s) {
      s.add({s.integers({2, 3}, 0, 2, Dtype::boolean), s.rand({2, 3}), s.rand({2, 3})});
      s.add({s.integers({3}, 0, 2, Dtype::boolean), s.rand({2, 1}), s.rand({})});
      s.add({s.integers({3}, 0, 2, Dtype::boolean), s.rand({3}), Value(0.5)});
      s.error({s.integers({2}, 0, 2, Dtype::boolean), s.rand({3}), s.rand({3})}, "2 and 3");
      s.error({s.rand({2}), s.rand({2}), s.rand({2})}, "condition");
    },
};
Op clamp_of_op{
    .schema = "_clamp(Tensor self, Tensor min, Tensor max) -> Tensor",
    .doc = "self held in [min, max]; max where min > max.",
    .formula = formula<formulas::Clamp>(),
    .no_bool = true,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.rand({3}, -1, 0), s.rand({2, 1}, 0, 1)});
      s.add({s.rand({37}), Value(-0.5), Value(1.0)});
      s.error({s.rand({2}), s.rand({3}), s.rand({3})}, "2 and 3");
    },
};
Op clamp_min_op{
    .schema = "clamp_min(Tensor self, Tensor min) -> Tensor",
    .doc = "The larger of self and min; at equality the gradient is that of self.",
    .serves = "clamp_min.Tensor",
    .formula = formula<formulas::ClampMin>(),
    .samples = broadcasts,
};
Op clamp_max_op{
    .schema = "clamp_max(Tensor self, Tensor max) -> Tensor",
    .doc = "The smaller of self and max; at equality the gradient is that of self.",
    .serves = "clamp_max.Tensor",
    .formula = formula<formulas::ClampMax>(),
    .samples = broadcasts,
};
Op clamp_op{
    .schema = "clamp(Tensor self, Tensor? min=None, Tensor? max=None) -> Tensor",
    .doc = "self held in [min, max], numbers or tensors, of which one may be absent; at a bound the gradient is that of self.",
    .serves = "clamp.Tensor clip clip.Tensor",
    .takes_numbers = true,
    .compose = clamp,
    .in_place = true,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), Value(-0.5), Value(1.0)});
      s.add({s.rand({2, 3}), Value(std::nullopt), Value(0.5)});
      s.add({s.rand({2, 3}), s.rand({3}, -1, 0)});
      s.error({s.rand({2})}, "neither min nor max");
    },
};
Op addcmul_op{
    .schema = "addcmul(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor",
    .doc = "self + value * tensor1 * tensor2.",
    .formula = formula<formulas::Addcmul>(),
    .check = check_value,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.rand({3}), s.rand({2, 1}, 0.5, 2), Value(0.5)});
      s.add({s.rand({}), s.rand({3}), s.rand({3}, 0.5, 2)});
      s.error({s.rand({2}), s.rand({3}), s.rand({3})}, "2 and 3");
    },
};
Op addcdiv_op{
    .schema = "addcdiv(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor",
    .doc = "self + value * tensor1 / tensor2; floating dtypes only.",
    .formula = formula<formulas::Addcdiv>(),
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.rand({3}), s.rand({2, 1}, 0.5, 2), Value(0.5)});
      s.add({s.rand({}), s.rand({3}), s.rand({3}, 0.5, 2)});
      s.error({s.rand({2}), s.rand({3}), s.rand({3})}, "2 and 3");
    },
};
Op lerp_op{
    .schema = "lerp(Tensor self, Tensor end, Tensor weight) -> Tensor",
    .doc = "self + weight * (end - self), computed from the nearer end.",
    .serves = "lerp.Scalar lerp.Tensor",
    .formula = formula<formulas::Lerp>(),
    .check = check_lerp,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.rand({3}), s.rand({2, 1})});
      s.add({s.rand({3}), s.rand({3}), Value(0.75)});
      s.error({s.rand({2}), s.rand({3}), s.rand({3})}, "2 and 3");
      s.error({s.rand({2}), s.rand({2}, -1, 1, Dtype::f32), Value(0.5)}, "float64 and float32");
    },
};

static Op* const all[] = {&where_op, &clamp_of_op, &clamp_min_op, &clamp_max_op, &clamp_op, &addcmul_op, &addcdiv_op, &lerp_op};
const OpList ternary_ops = all;

}  // namespace gradus
