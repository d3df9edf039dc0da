// Rows of exponentials, for every SIMD target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/loss_rows.cpp"
#include "hwy/foreach_target.h"
#include "kernels/loops-inl.h"
#include "kernels/loss.h"

#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {

// Lane sums in four accumulators of the element type, folded at the end: a row of any usual length loses under 1e-6.
template <class T> double logsumexp_of(const T* x, int64_t count) {
  using D = hn::ScalableTag<T>;
  using V = Value<D>;
  const D d;
  const auto n = static_cast<size_t>(count), lanes = hn::Lanes(d);
  V top = V(-HUGE_VAL);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) top = maximum(V(hn::LoadU(d, x + i)), top);
  if (i < n) top = maximum(V(hn::IfThenElse(hn::FirstN(d, n - i), load_some(d, x + i, n - i), hn::Set(d, static_cast<T>(-HUGE_VAL)))), top);
  HWY_ALIGN T each[HWY_MAX_BYTES / sizeof(T)];
  hn::Store(top.v, d, each);
  T most = each[0];
  for (size_t k = 1; k < lanes; ++k) most = each[k] > most || each[k] != each[k] ? each[k] : most;
  if (!std::isfinite(most)) return static_cast<double>(most);  // a row of -inf, an inf or a NaN
  const V shift = hn::Set(d, most);
  V s[4] = {V(0), V(0), V(0), V(0)};
  for (i = 0; i + 4 * lanes <= n; i += 4 * lanes)
    for (size_t k = 0; k < 4; ++k) s[k] = s[k] + exp(V(hn::LoadU(d, x + i + k * lanes)) - shift);
  for (; i + lanes <= n; i += lanes) s[0] = s[0] + exp(V(hn::LoadU(d, x + i)) - shift);
  if (i < n) s[1] = s[1] + V(hn::IfThenElseZero(hn::FirstN(d, n - i), exp(V(load_some(d, x + i, n - i)) - shift).v));
  hn::Store(((s[0] + s[1]) + (s[2] + s[3])).v, d, each);
  double sum = 0;
  for (size_t k = 0; k < lanes; ++k) sum += static_cast<double>(each[k]);
  return static_cast<double>(most) + std::log(sum);
}

template <class T> void softmax_of(const T* x, int64_t count, double lse, double factor, T* out) {
  using D = hn::ScalableTag<T>;
  using V = Value<D>;
  const D d;
  const auto n = static_cast<size_t>(count), lanes = hn::Lanes(d);
  const V shift = V(lse), scale = V(factor);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU((exp(V(hn::LoadU(d, x + i)) - shift) * scale).v, d, out + i);
  if (i < n) store_some(d, (exp(V(load_some(d, x + i, n - i)) - shift) * scale).v, out + i, n - i);
}

double logsumexp_f32(const float* x, int64_t n) { return logsumexp_of(x, n); }
double logsumexp_f64(const double* x, int64_t n) { return logsumexp_of(x, n); }
void softmax_f32(const float* x, int64_t n, double lse, double factor, float* out) { softmax_of(x, n, lse, factor, out); }
void softmax_f64(const double* x, int64_t n, double lse, double factor, double* out) { softmax_of(x, n, lse, factor, out); }

}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus {
HWY_EXPORT(logsumexp_f32);
HWY_EXPORT(logsumexp_f64);
HWY_EXPORT(softmax_f32);
HWY_EXPORT(softmax_f64);
namespace kernels {
double row_logsumexp(const float* x, int64_t n) { return HWY_DYNAMIC_DISPATCH(logsumexp_f32)(x, n); }
double row_logsumexp(const double* x, int64_t n) { return HWY_DYNAMIC_DISPATCH(logsumexp_f64)(x, n); }
void row_softmax(const float* x, int64_t n, double lse, double factor, float* out) { HWY_DYNAMIC_DISPATCH(softmax_f32)(x, n, lse, factor, out); }
void row_softmax(const double* x, int64_t n, double lse, double factor, double* out) { HWY_DYNAMIC_DISPATCH(softmax_f64)(x, n, lse, factor, out); }
}  // namespace kernels
}  // namespace gradus
#endif
