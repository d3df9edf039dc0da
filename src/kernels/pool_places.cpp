#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/pool_places.cpp"
#include "hwy/foreach_target.h"
#include <algorithm>

#include "hwy/highway.h"
#include "kernels/pool_places.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using F = hn::ScalableTag<float>;
using I = hn::RebindToSigned<F>;

template <class T> void put(const T* from, int64_t n, T* to) {
  for (int64_t i = 0; i < n; ++i) to[i] = from[i];
}

}  // namespace

void largest_places(const kernels::Places& p, const float* x, float* y, int64_t* index) {
  const F f;
  const I i;
  const auto lanes = static_cast<int64_t>(hn::Lanes(f));
  HWY_ALIGN float values[hn::MaxLanes(f)];
  HWY_ALIGN int32_t where[hn::MaxLanes(f)];
  for (int64_t o = 0; o < p.count; o += lanes) {
    auto at = hn::LoadU(i, p.places + o);
    auto best = hn::GatherIndex(f, x, at);
    for (int64_t k = 1; k < p.depth; ++k) {
      // What is absent comes last: the best once more, which changes nothing.
      const auto given = hn::LoadU(i, p.places + k * p.row + o);
      const auto e = hn::IfThenElse(hn::Lt(given, hn::Zero(i)), at, given);
      const auto v = hn::GatherIndex(f, x, e);
      const auto larger = hn::Or(hn::Gt(v, best), hn::Not(hn::Eq(v, v)));
      best = hn::IfThenElse(larger, v, best);
      at = hn::IfThenElse(hn::RebindMask(i, larger), e, at);
    }
    const int64_t n = std::min(lanes, p.count - o);
    hn::Store(best, f, values);
    hn::Store(at, i, where);
    put(values, n, y + o);
    for (int64_t k = 0; k < n; ++k) index[o + k] = where[k];
  }
}

void sum_places(const kernels::Places& p, const float* x, const float* divisor, float* y) {
  const F f;
  const I i;
  const auto lanes = static_cast<int64_t>(hn::Lanes(f));
  HWY_ALIGN float values[hn::MaxLanes(f)];
  for (int64_t o = 0; o < p.count; o += lanes) {
    auto sum = hn::Zero(f);
    for (int64_t k = 0; k < p.depth; ++k) {
      const auto at = hn::LoadU(i, p.places + k * p.row + o);
      const auto v = hn::GatherIndex(f, x, hn::Max(at, hn::Zero(i)));
      sum = hn::Add(sum, hn::IfThenZeroElse(hn::RebindMask(f, hn::Lt(at, hn::Zero(i))), v));
    }
    if (divisor) sum = hn::Div(sum, hn::LoadU(f, divisor + o));
    hn::Store(sum, f, values);
    put(values, std::min(lanes, p.count - o), y + o);
  }
}

}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus {
HWY_EXPORT(largest_places);
HWY_EXPORT(sum_places);

namespace kernels {
void largest_of_places(const Places& p, const float* x, float* y, int64_t* index) { HWY_DYNAMIC_DISPATCH(largest_places)(p, x, y, index); }
void sums_of_places(const Places& p, const float* x, const float* divisor, float* y) { HWY_DYNAMIC_DISPATCH(sum_places)(p, x, divisor, y); }
}  // namespace kernels
}  // namespace gradus
#endif
