#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/softmax.cpp"
#include "hwy/foreach_target.h"
#include "kernels/softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
void softmax_slices(const kernels::Softmax& s, bool backward, int64_t begin, int64_t end) {
  if (s.dtype == Dtype::f64) kernels_softmax::slices<double>(s, backward, begin, end);
  else kernels_softmax::slices<float>(s, backward, begin, end);
}
int64_t softmax_bundle() { return kernels_softmax::kBundle; }
}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "base/parallel.h"

namespace gradus {
HWY_EXPORT(softmax_slices);
HWY_EXPORT(softmax_bundle);

namespace kernels {

constexpr int64_t kWork = 16384;                              // elements that are worth a part of their own

static void run(const Softmax& s, bool backward) {
  if (s.n == 0) return;
  const int64_t bundle = HWY_DYNAMIC_DISPATCH(softmax_bundle)();
  const int64_t slices = s.inner == 1 ? s.outer : s.outer * ((s.inner + bundle - 1) / bundle);
  const int64_t each = s.n * std::min(s.inner, bundle);
  parallel_for(slices, std::max<int64_t>(1, kWork / std::max<int64_t>(1, each)),
               [&](int64_t b, int64_t e) { HWY_DYNAMIC_DISPATCH(softmax_slices)(s, backward, b, e); });
}
void softmax(const Softmax& s) { run(s, false); }
void softmax_backward(const Softmax& s) { run(s, true); }

}  // namespace kernels
}  // namespace gradus
#endif
