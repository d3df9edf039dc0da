// The dim and keepdim arguments of reductions: which dimensions they name, and how a gradient gets them back.
#pragma once
#include "kernels/sort.h"
#include "ops/ops.h"

namespace gradus {

// Bit d of the mask: dimension d is reduced. No dims given means all.
struct ReducedDims {
  uint64_t mask = 0;
  ReducedDims(const Args& a, int position) : ReducedDims(a, position, a.tensor(0).sizes()) {}
  ReducedDims(const Args& a, int position, SizesRef sizes) : ReducedDims(a.has(position) ? a.integers(position) : SizesRef(), sizes, name(a.op())) {}
  ReducedDims(SizesRef dims, SizesRef sizes, std::string_view what) {
    const auto n = static_cast<int64_t>(sizes.size());
    for (int64_t d : dims) {
      const uint64_t bit = uint64_t{1} << wrap_dim(d, n, what);
      GRADUS_CHECK(!(mask & bit), value, "{}: dim {} appears twice in {}", what, d, text(dims));
      mask |= bit;
    }
    if (dims.empty()) mask = ~uint64_t{0};
  }
  bool has(size_t d) const { return mask >> d & 1; }
  int64_t count(SizesRef sizes) const {                       // elements that go into one result
    int64_t n = 1;
    for (size_t d = 0; d < sizes.size(); ++d)
      if (has(d)) n *= sizes[d];
    return n;
  }
};

inline Sizes reduced_sizes(SizesRef sizes, const ReducedDims& dims, bool keepdim) {
  Sizes out;
  for (size_t d = 0; d < sizes.size(); ++d) {
    if (!dims.has(d)) out.push_back(sizes[d]);
    else if (keepdim) out.push_back(1);
  }
  return out;
}

// Gives a reduced tensor its lost dimensions back with size 1.
inline Tensor restore_dims(const Tensor& t, SizesRef sizes, const ReducedDims& dims, bool keepdim) {
  return keepdim ? t : reshape(t, reduced_sizes(sizes, dims, true));
}
inline Tensor expand_reduced(const Tensor& g, SizesRef sizes, const ReducedDims& dims, bool keepdim) {
  return expand(restore_dims(g, sizes, dims, keepdim), sizes);
}

// A row-major array as [outer, n, inner] around dim.
inline kernels::Lines lines_of(SizesRef sizes, int64_t dim) {
  kernels::Lines l;
  for (size_t d = 0; d < sizes.size(); ++d) {
    if (d < static_cast<size_t>(dim)) l.outer *= sizes[d];
    else if (d > static_cast<size_t>(dim)) l.inner *= sizes[d];
    else l.n = sizes[d];
  }
  return l;
}

// The gradient of values that an op with arguments (self, …, dim at `dim`) picked along dim; its second output holds the indices.
inline Tensor selected_pull(const Call& c, const Tensor& g, int64_t dim, bool keepdim) {
  return call(value_selecting_reduction_backward_op, {g, dim, c.output(1), c.sizes(), keepdim});
}

}  // namespace gradus
