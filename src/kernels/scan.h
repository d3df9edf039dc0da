// Running sums, products and extremes along one dim of a row-major array.
#pragma once
#include "kernels/sort.h"

namespace gradus::kernels {

enum class Scan : uint8_t { sum, prod, log_sum_exp };

// out[j] = the total of in[0..j], or of in[j..] if reverse; floats in double, integers with wrap-around. Of complex numbers products and
// logarithms; sums are those of the parts. `in` is converted to
// out's type first.
void scan(Scan kind, Dtype to, void* out, Dtype from, const void* in, Lines lines, bool reverse);

// The largest or smallest element so far and its place, the last among equals; a NaN stays.
void scan_extreme(bool largest, Dtype dtype, void* values, int64_t* indices, const void* in, Lines lines);

}  // namespace gradus::kernels
