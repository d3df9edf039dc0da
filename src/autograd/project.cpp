#include "autograd/project.h"

#include "ops/ops.h"

namespace gradus {

static Tensor sum_to(const Tensor& g, SizesRef sizes, const Node* from) {
  const size_t extra = static_cast<size_t>(g.ndim()) - std::min(sizes.size(), static_cast<size_t>(g.ndim()));
  Sizes dims;
  bool fits = sizes.size() <= static_cast<size_t>(g.ndim());
  for (size_t i = 0; fits && i < static_cast<size_t>(g.ndim()); ++i) {
    const int64_t have = g.sizes()[i], want = i < extra ? 1 : sizes[i - extra];
    if (i < extra || (want == 1 && have != 1)) dims.push_back(static_cast<int64_t>(i));
    else fits = have == want;
  }
  GRADUS_CHECK(fits, shape, "{}: it returned a gradient of shape {} for an input of shape {}", node_name(from), text(g.sizes()), text(sizes));
  const Tensor s = dims.empty() ? g : sum(g, dims, true);
  return extra == 0 ? s : reshape(s, sizes);
}

Tensor project(Tensor g, const OutputMeta& input, const Node* from) {
  if (!same(g.sizes(), input.sizes)) g = sum_to(g, input.sizes, from);
  if (g.dtype() != input.dtype) g = to(g, input.dtype);
  return g;
}

}  // namespace gradus
