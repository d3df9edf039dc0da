// Reductions over dimensions.
#include "kernels/reduce.h"
#include "ops/dims.h"
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

Dtype sum_dtype(const Args& a) { return a.dtype(3, is_integral(a.tensor(0).dtype()) ? Dtype::i64 : a.tensor(0).dtype()); }

}  // namespace

Op sum_op{
    .schema = "sum(Tensor self, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
    .doc = "The sum over the dimensions in dim, over all when there are none. Integers are summed in int64.",
    .serves = "sum sum.dim_IntList",
    .shape = [](const Args& a, Metas& out) { out.push_back({sum_dtype(a), reduced_sizes(a.tensor(0).sizes(), ReducedDims(a, 1), a.flag(2))}); },
    .kernel = [](const Args& a, const Tensors& out) { kernels::sum(view_of(out[0]), view_of(a.tensor(0)), ReducedDims(a, 1).mask); },
    .vjp = {[](const Call& c, const Tensor& g) { return expand_reduced(g, c.sizes(), ReducedDims(c.args(), 1, c.sizes()), c.flag(2)); }},
    .samples = reductions,
};

static Op* const all[] = {&sum_op};
const OpList reduce_ops = all;

}  // namespace gradus
