// Sums of products of contiguous numbers, for every SIMD target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul_dot.cpp"
#include "hwy/foreach_target.h"
#include "kernels/loops-inl.h"
#include "kernels/matmul.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {

template <class T> double dot_of(const T* a, const T* b, int64_t count) {
  using D = hn::ScalableTag<T>;
  const D d;
  const auto n = static_cast<size_t>(count), lanes = hn::Lanes(d);
  hn::Vec<D> s[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  size_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes)
    GRADUS_FLAT for (size_t k = 0; k < 4; ++k) s[k] = hn::MulAdd(hn::LoadU(d, a + i + k * lanes), hn::LoadU(d, b + i + k * lanes), s[k]);
  for (; i + lanes <= n; i += lanes) s[0] = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), s[0]);
  if (i < n) s[1] = hn::MulAdd(load_some(d, a + i, n - i), load_some(d, b + i, n - i), s[1]);
  HWY_ALIGN T each[HWY_MAX_BYTES / sizeof(T)];
  hn::Store(hn::Add(hn::Add(s[0], s[1]), hn::Add(s[2], s[3])), d, each);
  double sum = 0;
  for (size_t k = 0; k < lanes; ++k) sum += static_cast<double>(each[k]);
  return sum;
}
double dot_f32(const float* a, const float* b, int64_t n) { return dot_of(a, b, n); }
double dot_f64(const double* a, const double* b, int64_t n) { return dot_of(a, b, n); }

}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus {
HWY_EXPORT(dot_f32);
HWY_EXPORT(dot_f64);
namespace kernels {
void dot_block(const float* a, const float* b, int64_t n, double* out) { *out = HWY_DYNAMIC_DISPATCH(dot_f32)(a, b, n); }
void dot_block(const double* a, const double* b, int64_t n, double* out) { *out = HWY_DYNAMIC_DISPATCH(dot_f64)(a, b, n); }
}  // namespace kernels
}  // namespace gradus
#endif
