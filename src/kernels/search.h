// Places in sorted sequences, and counts of indices.
#pragma once
#include "tensor/layout.h"

namespace gradus::kernels {

// For each value the first place of its row in sorted that does not come before it (right: that comes after it). Both are
// contiguous, of one type, int64 or float64; sorted is one row, or as many as values has. order, if any: the elements' places in
// sorted order. A NaN comes after all numbers.
void search_sorted(int64_t* out, const View& sorted, const View& values, const int64_t* order, bool right);

int64_t largest(const View& int64s);

// Each row of a floating matrix divided by how often its number is among the indices, if it is.
void divide_rows(const View& matrix, const View& indices);

}  // namespace gradus::kernels
