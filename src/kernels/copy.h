// Copies between arrays of any element types and strides.
#pragma once
#include "kernels/number.h"
#include "tensor/layout.h"

namespace gradus::kernels {

// to[i] = from[i], converted; from broadcasts to `to`. They must not overlap, unless they are one and the same.
void copy(const View& to, const View& from);
void fill(const View& to, Number value);

}  // namespace gradus::kernels
