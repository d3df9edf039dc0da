// Sequences of numbers. out is contiguous.
#pragma once
#include "kernels/number.h"
#include "tensor/layout.h"

namespace gradus::kernels {

// out[i] = start + i * step: in integers for an integer dtype, else in double.
void arithmetic_sequence(const View& out, Number start, Number step);
// Evenly from start to end, the second half counted from the end. base not 0: base to these powers.
void even_sequence(const View& out, Number start, Number end, double base);
void identity(const View& out);                               // of a matrix

}  // namespace gradus::kernels
