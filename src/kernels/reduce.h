// Reductions over some dimensions of an array. The order of summation follows from sizes and strides alone: 64 (float) or 32
// (double) running sums, folded in halves; float sums pass into double every 32 steps. The same bits on every processor and for
// any number of threads.
#pragma once
#include "kernels/number.h"
#include "tensor/layout.h"

namespace gradus::kernels {

enum class Reduction : uint8_t {
  sum, prod, max, min,                                        // max and min: a NaN is the result
  count_nonzero,                                              // NaN counts
  nan_sum, count_numbers,                                     // without NaN
  abs_sum, square_sum, power_sum, max_abs, min_abs,           // square_sum: of (x - p)^2; power_sum: of |x|^p
  exp_sum,                                                    // of e^(x - p)
  count_equal,                                                // to p; NaN equals NaN
  count
};

// What becomes of a total before it is written.
enum class Finish : uint8_t { none, square_root, power, nonzero, zero, log, log_plus };

struct Reduce {
  Reduction kind = Reduction::sum;
  View out{};                                                 // the other dims, row-major
  View in{};
  uint64_t dims = 0;                                          // bit d: dim d of `in` is reduced
  Dtype type = Dtype::none;                                   // the elements are converted to this first; none: as they are
  const double* center = nullptr;                             // p of square_sum, exp_sum and count_equal, one per output
  double power = 0;                                           // p of power_sum
  Finish finish = Finish::none;
  double divisor = 1;                                         // of the total, before `finish` (floating results)
};
void reduce(const Reduce&);

// The first place of the largest or smallest element along `dim`, a NaN being the largest and the smallest; dims without
// elements are refused by the caller. values may be empty (data null).
void extreme_index(bool largest, const View& values, const View& indices, const View& in, int dim);

// out = grad (in == value) / (how many are along dims), NaN equal to NaN: how extreme elements share a gradient. out is row-major,
// of in's shape and dtype; grad and value are row-major over the other dims.
void share_among_ties(const View& out, const View& grad, const View& in, const View& value, uint64_t dims);

}  // namespace gradus::kernels
