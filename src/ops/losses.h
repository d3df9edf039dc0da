// What the families of losses share.
#pragma once
#include "dispatch/evaluate.h"
#include "ops/ops.h"

namespace gradus {

inline Tensor row_major(const Tensor& t) { return t.contiguous() ? t : clone(t); }

// reduction: 0 each element, 1 the mean, 2 the sum.
inline void check_reduction(const Args& a, int position) {
  GRADUS_CHECK(a.integer(position) >= 0 && a.integer(position) <= 2, value, "{}: reduction {} is not 0 (none), 1 (mean) or 2 (sum)", name(a.op()), a.integer(position));
}
inline Tensor reduced(const Tensor& t, int64_t reduction) { return reduction == 0 ? t : reduction == 1 ? mean(t) : sum(t); }

}  // namespace gradus
