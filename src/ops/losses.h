// What the families of losses share.
#pragma once
#include "dispatch/evaluate.h"
#include "ops/ops.h"

namespace gradus {

inline Tensor row_major(const Tensor& t) { return t.contiguous() ? t : clone(t); }

inline void check_floating(const Args& a) {
  GRADUS_CHECK(is_floating(a.tensor(0).dtype()), dtype, "{}: not defined for {}", name(a.op()), name(a.tensor(0).dtype()));
}
// An argument of a loss that takes integers too: they count as float32.
inline Tensor as_floating(const Args& a, int position) {
  const Tensor& t = a.tensor(position);
  GRADUS_CHECK(t.dtype() != Dtype::boolean, dtype, "{}: not defined for {}", name(a.op()), name(t.dtype()));
  return is_differentiable(t.dtype()) ? t : to(t, Dtype::f32);
}

// reduction: 0 each element, 1 the mean, 2 the sum.
inline void check_reduction(const Args& a, int position) {
  GRADUS_CHECK(a.integer(position) >= 0 && a.integer(position) <= 2, value, "{}: reduction {} is not 0 (none), 1 (mean) or 2 (sum)", name(a.op()), a.integer(position));
}
inline Tensor reduced(const Tensor& t, int64_t reduction) { return reduction == 0 ? t : reduction == 1 ? mean(t) : sum(t); }

}  // namespace gradus
