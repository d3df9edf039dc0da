// Functions of two tensors, or of a tensor and a number, element by element with broadcasting.
#include "ops/formula.h"
#include "ops/lists.h"
#include "ops/samples.h"

namespace gradus {

Op add_op{
    .schema = "add(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor",
    .doc = "self + alpha * other.",
    .serves = "add.Tensor add.Scalar",
    .formula = arithmetic<formulas::AddScaled>(),
    .samples = broadcasts,
};
Op sub_op{
    .schema = "sub(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor",
    .doc = "self - alpha * other.",
    .serves = "sub.Tensor sub.Scalar",
    .formula = arithmetic<formulas::SubScaled>(),
    .no_bool = true,
    .samples = broadcasts,
};
Op mul_op{
    .schema = "mul(Tensor self, Tensor other) -> Tensor",
    .doc = "self * other.",
    .serves = "mul.Tensor mul.Scalar",
    .formula = arithmetic<formulas::Mul>(),
    .samples = broadcasts,
};
Op div_op{
    .schema = "div(Tensor self, Tensor other) -> Tensor",
    .doc = "self / other, integers in floating point.",
    .serves = "div.Tensor div.Scalar",
    .formula = arithmetic<formulas::Div>(),
    .result = ResultType::floating,
    .samples = broadcasts_positive,
};
Op maximum_op{
    .schema = "maximum(Tensor self, Tensor other) -> Tensor",
    .doc = "The larger of two elements; NaN if either is. Equal elements share the gradient.",
    .formula = arithmetic<formulas::Maximum>(),
    .samples = broadcasts,
};
Op lt_op{
    .schema = "lt(Tensor self, Tensor other) -> Tensor",
    .doc = "Whether self < other.",
    .serves = "lt.Tensor lt.Scalar",
    .formula = comparison<formulas::Lt>(),
    .result = ResultType::boolean,
    .samples = broadcasts,
};
Op gt_op{
    .schema = "gt(Tensor self, Tensor other) -> Tensor",
    .doc = "Whether self > other.",
    .serves = "gt.Tensor gt.Scalar",
    .formula = comparison<formulas::Gt>(),
    .result = ResultType::boolean,
    .samples = broadcasts,
};
Op le_op{
    .schema = "le(Tensor self, Tensor other) -> Tensor",
    .doc = "Whether self <= other.",
    .serves = "le.Tensor le.Scalar",
    .formula = comparison<formulas::Le>(),
    .result = ResultType::boolean,
    .samples = broadcasts,
};
Op ge_op{
    .schema = "ge(Tensor self, Tensor other) -> Tensor",
    .doc = "Whether self >= other.",
    .serves = "ge.Tensor ge.Scalar",
    .formula = comparison<formulas::Ge>(),
    .result = ResultType::boolean,
    .samples = broadcasts,
};
Op eq_op{
    .schema = "eq(Tensor self, Tensor other) -> Tensor",
    .doc = "Whether self == other; never for NaN.",
    .serves = "eq.Tensor eq.Scalar",
    .formula = comparison<formulas::Eq>(),
    .result = ResultType::boolean,
    .samples = broadcasts,
};
Op ne_op{
    .schema = "ne(Tensor self, Tensor other) -> Tensor",
    .doc = "Whether self != other; always for NaN.",
    .serves = "ne.Tensor ne.Scalar",
    .formula = comparison<formulas::Ne>(),
    .result = ResultType::boolean,
    .samples = broadcasts,
};

static Op* const all[] = {&add_op, &sub_op, &mul_op, &div_op, &maximum_op, &lt_op, &gt_op, &le_op, &ge_op, &eq_op, &ne_op};
const OpList binary_ops = all;

}  // namespace gradus
