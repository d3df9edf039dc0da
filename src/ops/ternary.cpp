// Functions of three tensors or numbers, element by element with broadcasting.
#include "ops/formula.h"
#include "ops/lists.h"
#include "ops/samples.h"

namespace gradus {

Op where_op{
    .schema = "where(Tensor condition, Tensor self, Tensor other) -> Tensor",
    .doc = "self where the condition holds, other elsewhere. The branch not taken gets a gradient of exactly 0.",
    .serves = "where.self where.ScalarSelf where.ScalarOther where.Scalar",
    .formula = ternary<formulas::Where>(),
    .samples = [](Samples& s) {
      s.add({s.integers({2, 3}, 0, 2, Dtype::boolean), s.rand({2, 3}), s.rand({2, 3})});
      s.add({s.integers({3}, 0, 2, Dtype::boolean), s.rand({2, 1}), s.rand({})});
      s.add({s.integers({3}, 0, 2, Dtype::boolean), s.rand({3}), Value(0.5)});
      s.error({s.integers({2}, 0, 2, Dtype::boolean), s.rand({3}), s.rand({3})}, "2 and 3");
    },
};

static Op* const all[] = {&where_op};
const OpList ternary_ops = all;

}  // namespace gradus
