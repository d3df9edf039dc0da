// Slopes that are constant piece by piece, such as relu's: no gradient flows to what decided the piece, but that is a gradient of 0,
// not none.
#include "base/context.h"
#include "graph/history.h"
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"
#include "ops/term.h"

namespace gradus {

Op connected_op{
    .schema = "_connected(Tensor(a) self, Tensor other) -> Tensor(a)",
    .doc = "self as a function of other, too, whose slope is 0.",
    .view = [](const Args& a, Layouts& out) { out.push_back(a.tensor(0).layout()); },
    .vjp = {[](const Call&, const Tensor& g) { return g; }, [](const Call& c, const Tensor&) { return zeros(c.sizes(), c.meta().dtype); }},
    .samples = [](Samples& s) { s.add({s.rand({2, 3}), s.rand({2})}); },
};

Tensor connect(Tensor gradient, const Term& slope, std::span<const Term> reads, unsigned choosing) {
  if (!context().grad_mode || !slope.tensor) return gradient;
  const unsigned wanted = needs_grad(slope.tensor.impl()) ? choosing : ~0u;
  for (size_t k = 0; k < reads.size(); ++k) {
    const Term& t = reads[k];
    if (!(wanted >> k & 1) || !t.tensor || !needs_grad(t.tensor.impl())) continue;
    const Value v[] = {Value(gradient), Value(t.tensor)};
    const Tensor result = alias(gradient);
    set_history(result.impl(), make_node(connected_op, Args(connected_op, v), {&result, 1}), 0);
    gradient = result;
  }
  return gradient;
}

static Op* const all[] = {&connected_op};
const OpList connected_ops = all;

}  // namespace gradus
