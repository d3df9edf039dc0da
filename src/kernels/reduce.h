// Reductions over some dimensions of an array.
#pragma once
#include "tensor/layout.h"

namespace gradus::kernels {

// out = sum of in over the dims in the mask (bit d: dim d); out has the other dims, in order, with or without the reduced ones
// as size 1. Halves and floats are summed pairwise in float blocks of double; integers wrap in 64 bits.
void sum(const View& out, const View& in, uint64_t dims);

}  // namespace gradus::kernels
