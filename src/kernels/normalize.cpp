// Which loop of normalize-inl.h runs, in which parts.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/normalize.cpp"
#include "hwy/foreach_target.h"
#include "kernels/normalize-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
void normalize_groups(const kernels::Normalize& z, int64_t begin, int64_t end) {
  if (z.dtype == Dtype::f64) kernels_normalize::forward<double>(z, begin, end);
  else kernels_normalize::forward<float>(z, begin, end);
}
void normalize_back_groups(const kernels::NormalizeBack& b, int64_t begin, int64_t end) {
  if (b.of.dtype == Dtype::f64) kernels_normalize::backward<double>(b, begin, end);
  else kernels_normalize::backward<float>(b, begin, end);
}
void normalize_bundles(const kernels::NormalizeBack& b, int64_t begin, int64_t end) {
  if (b.of.dtype == Dtype::f64) kernels_normalize::bundles<double>(b, begin, end);
  else kernels_normalize::bundles<float>(b, begin, end);
}
int64_t normalize_bundle() { return kernels_normalize::kBundle; }
}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "base/parallel.h"

namespace gradus {
HWY_EXPORT(normalize_groups);
HWY_EXPORT(normalize_back_groups);
HWY_EXPORT(normalize_bundles);
HWY_EXPORT(normalize_bundle);

namespace kernels {

constexpr int64_t kWork = 16384;                              // elements that are worth a part of their own
static int64_t grain(int64_t each) { return std::max<int64_t>(1, kWork / std::max<int64_t>(1, each)); }

void normalize(const Normalize& z) {
  parallel_for(z.statistics(), grain(z.count()), [&](int64_t b, int64_t e) { HWY_DYNAMIC_DISPATCH(normalize_groups)(z, b, e); });
}

template <class T> static void add_cells(const NormalizeBack& b) {
  const int64_t channels = b.of.groups * b.of.channels;
  for (int64_t c = 0; c < channels; ++c) {
    double g = 0, gx = 0;
    for (int64_t a = 0; a < b.of.batch; ++a) {
      g += b.sums[2 * (a * channels + c)];
      gx += b.sums[2 * (a * channels + c) + 1];
    }
    if (b.db) static_cast<T*>(b.db)[c] = static_cast<T>(g);
    if (b.dw) static_cast<T*>(b.dw)[c] = static_cast<T>(gx);
  }
}

void normalize_backward(const NormalizeBack& b) {
  const Normalize& z = b.of;
  if (b.dx || z.inner != 1)
    parallel_for(z.statistics(), grain(z.count()), [&](int64_t from, int64_t to) { HWY_DYNAMIC_DISPATCH(normalize_back_groups)(b, from, to); });
  if (!b.dw && !b.db) return;
  if (z.inner != 1) return z.dtype == Dtype::f64 ? add_cells<double>(b) : add_cells<float>(b);
  const int64_t bundle = HWY_DYNAMIC_DISPATCH(normalize_bundle)();
  parallel_for(z.groups * ((z.channels + bundle - 1) / bundle), grain(z.batch * std::min(bundle, z.channels)),
               [&](int64_t from, int64_t to) { HWY_DYNAMIC_DISPATCH(normalize_bundles)(b, from, to); });
}

}  // namespace kernels
}  // namespace gradus
#endif
