// The loops of reductions as they go to the SIMD targets. Private to the kernels.
#pragma once
#include "kernels/reduce.h"

namespace gradus::kernels {

// Columns per call of ReduceLoops::columns.
template <class T> inline constexpr int64_t kReduceWidth = sizeof(T) == 4 ? 64 : 32;

template <class T, class Acc> struct ReduceLoops {
  Acc first;                                                  // the total of nothing
  Acc (*join)(Acc, Acc);
  Acc (*row)(const T* x, int64_t n, double p);                // the total of n contiguous elements
  // Joins `rows` rows of `width` <= kReduceWidth elements to the totals.
  void (*columns)(Acc* totals, const T* x, int64_t rows, int64_t stride, int64_t width, const double* p);
};
const ReduceLoops<float, double>& reduce_loops_f32(Reduction);
const ReduceLoops<double, double>& reduce_loops_f64(Reduction);
const ReduceLoops<int64_t, int64_t>& reduce_loops_i64(Reduction);

// Place of the first element of x that equals v, or is NaN if v is; n if there is none.
int64_t find_f32(const float* x, int64_t n, float v);
int64_t find_f64(const double* x, int64_t n, double v);


// y[i] = x[i] equals v[i] ? share[i] : 0, NaN equal to NaN; one v and share for all where `repeat`.
void mark_f32(float* y, const float* x, const float* v, const float* share, int64_t n, bool repeat);
void mark_f64(double* y, const double* x, const double* v, const double* share, int64_t n, bool repeat);

}  // namespace gradus::kernels
