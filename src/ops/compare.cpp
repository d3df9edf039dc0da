// Comparisons and logic; results are bool and carry no gradient.
#include "ops/formula.h"
#include "ops/lists.h"
#include "ops/samples.h"

namespace gradus {

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

static Op* const all[] = {&lt_op, &gt_op, &le_op, &ge_op, &eq_op, &ne_op};
const OpList compare_ops = all;

}  // namespace gradus
