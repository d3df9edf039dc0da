// op(…, out=…): the results of an op written into tensors that are there already, by PyTorch's rules.
#pragma once
#include "dispatch/op.h"

namespace gradus {

// Whether the results are tensors of their own: not of in-place forms, nor of what may return its argument or a view of it.
bool has_out_form(const Op& op);

// One tensor per result. A tensor of the result's shape keeps its memory and strides, others are resized; the result must be castable
// to its dtype. Nothing is recorded, so nothing that requires grad is taken while recording. Refused calls change nothing.
void call_out(const Op& op, const Value* values, int n, std::span<const Tensor> outs);

}  // namespace gradus
