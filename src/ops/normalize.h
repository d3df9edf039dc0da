// Normalisation as all its forms share it: an array seen as [batch, groups, channels, inner], see kernels/normalize.h.
#pragma once
#include "ops/ops.h"

namespace gradus {

struct NormLayout {
  int64_t sizes[4];                                           // batch, groups, channels, inner
  bool across = false;                                        // statistics by group over the whole batch
  bool center = true;
  Value value() const { return SizesRef(sizes); }
  int64_t count() const { return (across ? sizes[0] : 1) * sizes[2] * sizes[3]; }
};

// (y, mean, var); statistics one after another, in float32 or float64.
inline Tensors normalize(const Tensor& x, const Value& weight, const Value& bias, const NormLayout& l, double eps) {
  return call_all(normalize_op, {x, weight, bias, l.value(), l.across, l.center, eps});
}
inline Tensor inverse_std(const Tensor& var, double eps) { return rsqrt(add(var, eps)); }

// The gradients by x, weight and bias, as the bits of mask ask for them.
inline Tensors normalize_backward(const Value& g, const Value& x, const Value& weight, const Value& mean, const Value& rstd, const NormLayout& l, int64_t mask) {
  return call_all(normalize_backward_op, {g, x, weight, mean, rstd, std::nullopt, std::nullopt, l.value(), l.across, l.center, mask});
}

// bool[3] output_mask at `position` as bits.
inline int64_t mask_bits(const Args& a, int position) {
  const Sizes m = a.integers(position, 3);
  return (m[0] ? 1 : 0) | (m[1] ? 2 : 0) | (m[2] ? 4 : 0);
}
// The results of a backward op: none where not asked for, in the shape and dtype of the input it belongs to.
inline void add_gradient(Tensors& out, const Tensor& g, bool asked, SizesRef sizes, Dtype dtype) {
  out.push_back(asked ? to(reshape(g, sizes), dtype) : Tensor());
}
inline void check_scale(const Args& a, int position, std::string_view what, SizesRef want) {
  const Tensor& t = a.optional_tensor(position);
  GRADUS_CHECK(!t || same(t.sizes(), want), shape, "{}: a {} of shape {}, expected {}", name(a.op()), what, text(t.sizes()), text(want));
}
inline void check_floating(const Args& a, const Tensor& x) {
  GRADUS_CHECK(is_floating(x.dtype()), dtype, "{}: not defined for {}", name(a.op()), name(x.dtype()));
}

}  // namespace gradus
