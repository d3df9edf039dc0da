// Elements rearranged and index lists made.
#pragma once
#include "tensor/layout.h"

namespace gradus::kernels {

// Zeros in what is above (upper) or below the given diagonal of each matrix of the last two dims.
void clear_triangle(const View& out, int64_t diagonal, bool upper);
int64_t count_triangle(int64_t rows, int64_t columns, int64_t diagonal, bool upper);
void triangle_indices(const View& out, int64_t rows, int64_t columns, int64_t diagonal, bool upper);

// out = in in reverse order along the dims in the mask.
void flip(const View& out, const View& in, uint64_t dims);

// The sum of the repeats; -1 if one is negative or it overflows.
int64_t count_repeats(const View& repeats);
void repeat_indices(const View& out, const View& repeats);

}  // namespace gradus::kernels
