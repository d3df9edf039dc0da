// The vector loops of reductions, for every SIMD target, and the plain ones of integers.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/reduce_loops.cpp"
#include "hwy/foreach_target.h"
#include "kernels/reduce-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
const kernels::ReduceLoops<float, double>* reduce_f32() { return kernels_reduce::all_loops<float>(); }
const kernels::ReduceLoops<double, double>* reduce_f64() { return kernels_reduce::all_loops<double>(); }
int64_t find_value_f32(const float* x, int64_t n, float v) { return kernels_reduce::find(x, n, v); }
int64_t find_value_f64(const double* x, int64_t n, double v) { return kernels_reduce::find(x, n, v); }
void mark_ties_f32(float* y, const float* x, const float* v, const float* s, int64_t n, bool repeat) { kernels_reduce::mark(y, x, v, s, n, repeat); }
void mark_ties_f64(double* y, const double* x, const double* v, const double* s, int64_t n, bool repeat) { kernels_reduce::mark(y, x, v, s, n, repeat); }
}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus {
HWY_EXPORT(reduce_f32);
HWY_EXPORT(reduce_f64);
HWY_EXPORT(find_value_f32);
HWY_EXPORT(find_value_f64);
HWY_EXPORT(mark_ties_f32);
HWY_EXPORT(mark_ties_f64);

namespace kernels {
namespace {

constexpr int64_t wrap(uint64_t v) { return static_cast<int64_t>(v); }
constexpr uint64_t bits(int64_t v) { return static_cast<uint64_t>(v); }

struct IntegerSum {
  static constexpr int64_t first = 0;
  static int64_t step(int64_t a, int64_t x) { return wrap(bits(a) + bits(x)); }
  static int64_t join(int64_t a, int64_t b) { return step(a, b); }
};
struct IntegerProd {
  static constexpr int64_t first = 1;
  static int64_t step(int64_t a, int64_t x) { return wrap(bits(a) * bits(x)); }
  static int64_t join(int64_t a, int64_t b) { return step(a, b); }
};
struct IntegerMax {
  static constexpr int64_t first = INT64_MIN;
  static int64_t step(int64_t a, int64_t x) { return std::max(a, x); }
  static int64_t join(int64_t a, int64_t b) { return step(a, b); }
};
struct IntegerMin {
  static constexpr int64_t first = INT64_MAX;
  static int64_t step(int64_t a, int64_t x) { return std::min(a, x); }
  static int64_t join(int64_t a, int64_t b) { return step(a, b); }
};
struct IntegerCount : IntegerSum {
  static int64_t step(int64_t a, int64_t x) { return a + (x != 0); }
};

template <class K> int64_t integer_row(const int64_t* x, int64_t n, double) {
  int64_t a = K::first;
  for (int64_t i = 0; i < n; ++i) a = K::step(a, x[i]);
  return a;
}
template <class K> void integer_columns(int64_t* totals, const int64_t* x, int64_t rows, int64_t stride, int64_t width, const double*) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t j = 0; j < width; ++j) totals[j] = K::step(totals[j], x[r * stride + j]);
}
template <class K> inline constexpr ReduceLoops<int64_t, int64_t> integer_loops = {K::first, K::join, integer_row<K>, integer_columns<K>};

}  // namespace

const ReduceLoops<float, double>& reduce_loops_f32(Reduction r) { return HWY_DYNAMIC_DISPATCH(reduce_f32)()[static_cast<int>(r)]; }
const ReduceLoops<double, double>& reduce_loops_f64(Reduction r) { return HWY_DYNAMIC_DISPATCH(reduce_f64)()[static_cast<int>(r)]; }
const ReduceLoops<int64_t, int64_t>& reduce_loops_i64(Reduction r) {
  switch (r) {
    case Reduction::prod: return integer_loops<IntegerProd>;
    case Reduction::max: return integer_loops<IntegerMax>;
    case Reduction::min: return integer_loops<IntegerMin>;
    case Reduction::count_nonzero: return integer_loops<IntegerCount>;
    default: return integer_loops<IntegerSum>;
  }
}
int64_t find_f32(const float* x, int64_t n, float v) { return HWY_DYNAMIC_DISPATCH(find_value_f32)(x, n, v); }
int64_t find_f64(const double* x, int64_t n, double v) { return HWY_DYNAMIC_DISPATCH(find_value_f64)(x, n, v); }
void mark_f32(float* y, const float* x, const float* v, const float* share, int64_t n, bool repeat) { HWY_DYNAMIC_DISPATCH(mark_ties_f32)(y, x, v, share, n, repeat); }
void mark_f64(double* y, const double* x, const double* v, const double* share, int64_t n, bool repeat) { HWY_DYNAMIC_DISPATCH(mark_ties_f64)(y, x, v, share, n, repeat); }

}  // namespace kernels
}  // namespace gradus
#endif
