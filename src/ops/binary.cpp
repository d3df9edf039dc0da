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
static Op* const all[] = {&add_op, &sub_op, &mul_op, &div_op, &maximum_op};
const OpList binary_ops = all;

}  // namespace gradus
