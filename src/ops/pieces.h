// Parts of a tensor along one dimension, for rules that take tensors apart and put them together.
#pragma once
#include "ops/ops.h"

namespace gradus {

// The places from begin to end along dim, as a view.
inline Tensor piece(const Tensor& t, int64_t dim, int64_t begin, int64_t end) {
  Sizes sizes(t.sizes());
  sizes[static_cast<size_t>(dim)] = end - begin;
  return call(strided_view_op, {t, sizes, t.strides(), begin * t.stride(dim), t.strides()});
}
// A row-major `whole` with t in the places from begin on along dim.
inline Tensor put_piece(const Tensor& whole, const Tensor& t, int64_t dim, int64_t begin) {
  const Sizes strides = contiguous_strides(whole.sizes());
  return call(strided_put_op, {whole, t, t.sizes(), strides, begin * strides[static_cast<size_t>(dim)], strides, false});
}

}  // namespace gradus
