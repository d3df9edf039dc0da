// Functions of one tensor, element by element: a formula (kernels/formulas/unary.h) and a record.
#include "ops/formula.h"
#include "ops/lists.h"
#include "ops/samples.h"

namespace gradus {

Op exp_op{
    .schema = "exp(Tensor self) -> Tensor",
    .doc = "e to the power of each element.",
    .formula = unary_math<formulas::Exp>(),
    .result = ResultType::floating,
    .samples = on_interval<-3, 3>,
};
Op log_op{
    .schema = "log(Tensor self) -> Tensor",
    .doc = "The natural logarithm of each element; -inf at 0, NaN below.",
    .formula = unary_math<formulas::Log>(),
    .result = ResultType::floating,
    .samples = on_interval<1, 5>,
};
Op sin_op{
    .schema = "sin(Tensor self) -> Tensor",
    .doc = "The sine of each element, in radians.",
    .formula = unary_math<formulas::Sin>(),
    .result = ResultType::floating,
    .samples = on_interval<-3, 3>,
};
Op cos_op{
    .schema = "cos(Tensor self) -> Tensor",
    .doc = "The cosine of each element, in radians.",
    .formula = unary_math<formulas::Cos>(),
    .result = ResultType::floating,
    .samples = on_interval<-3, 3>,
};
Op tanh_op{
    .schema = "tanh(Tensor self) -> Tensor",
    .doc = "The hyperbolic tangent of each element.",
    .formula = unary_math<formulas::Tanh>(),
    .result = ResultType::floating,
    .samples = on_interval<-3, 3>,
};
Op sigmoid_op{
    .schema = "sigmoid(Tensor self) -> Tensor",
    .doc = "1 / (1 + exp(-x)) for each element.",
    .formula = unary_math<formulas::Sigmoid>(),
    .result = ResultType::floating,
    .samples = on_interval<-3, 3>,
};
Op erf_op{
    .schema = "erf(Tensor self) -> Tensor",
    .doc = "The error function of each element.",
    .formula = unary_math<formulas::Erf>(),
    .result = ResultType::floating,
    .samples = on_interval<-3, 3>,
};
Op neg_op{
    .schema = "neg(Tensor self) -> Tensor",
    .doc = "Each element with the opposite sign.",
    .formula = unary_light<formulas::Neg>(),
    .no_bool = true,
    .samples = on_interval<-3, 3>,
};
Op abs_op{
    .schema = "abs(Tensor self) -> Tensor",
    .doc = "The absolute value of each element; the gradient at 0 is 0.",
    .formula = unary_light<formulas::Abs>(),
    .samples = on_interval<-3, 3>,
};
Op square_op{
    .schema = "square(Tensor self) -> Tensor",
    .doc = "Each element times itself.",
    .formula = unary_light<formulas::Square>(),
    .samples = on_interval<-3, 3>,
};
Op sqrt_op{
    .schema = "sqrt(Tensor self) -> Tensor",
    .doc = "The square root of each element; NaN below 0. The gradient at 0 is infinite.",
    .formula = unary_light<formulas::Sqrt>(),
    .result = ResultType::floating,
    .samples = on_interval<1, 5>,
};
Op relu_op{
    .schema = "relu(Tensor self) -> Tensor",
    .doc = "max(x, 0) for each element; the gradient at 0 is 0.",
    .formula = unary_light<formulas::Relu>(),
    .samples = on_interval<-3, 3>,
};

static Op* const all[] = {&exp_op, &log_op, &sin_op, &cos_op, &tanh_op, &sigmoid_op, &erf_op, &neg_op, &abs_op, &square_op, &sqrt_op, &relu_op};
const OpList unary_ops = all;

}  // namespace gradus
