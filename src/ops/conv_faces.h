// What convolutions (conv.cpp) and the faces of the form that they are made of (conv_faces.cpp) share.
#pragma once
#include "dispatch/evaluate.h"
#include "ops/ops.h"

namespace gradus {

inline SizesRef spatial(const Tensor& t) { return t.sizes().last(static_cast<size_t>(t.ndim() - 2)); }

inline int64_t checked(const Args& a, int64_t v, int64_t least, std::string_view what) {
  GRADUS_CHECK(v >= least && v <= INT32_MAX, value, "{}: {} must be at least {} and fit 32 bits, not {}", name(a.op()), what, least, v);
  return v;
}

// The gradient of a bias.
inline Tensor sum_but_channels(const Tensor& g) {
  Sizes dims{0};
  for (int64_t d = 2; d < g.ndim(); ++d) dims.push_back(d);
  return sum(contiguous(g), dims);                            // the order of a sum follows the memory
}

}  // namespace gradus
