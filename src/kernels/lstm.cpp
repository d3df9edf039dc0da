// The gates of an lstm cell in one pass, and their gradients.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/lstm.cpp"
#include "hwy/foreach_target.h"
#include "kernels/lstm.h"
#include "kernels/softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
namespace {

using kernels_softmax::get;
using kernels_softmax::over;
using kernels_softmax::put;

template <class T> void forward(const kernels::Lstm& l, int64_t begin, int64_t end) {
  using D = hn::ScalableTag<T>;
  using V = Value<D>;
  const int64_t n = l.size;
  for (int64_t r = begin; r < end; ++r) {
    const T *x = static_cast<const T*>(l.gates) + r * 4 * n, *c = static_cast<const T*>(l.c) + r * n;
    T *h = static_cast<T*>(l.h) + r * n, *next = static_cast<T*>(l.next) + r * n;
    over<D>(n, [&](int64_t j, int64_t k) HWY_ATTR {
      const V now = sigmoid(get<D>(x + n + j, k)) * get<D>(c + j, k) + sigmoid(get<D>(x + j, k)) * tanh(get<D>(x + 2 * n + j, k));
      put(now, next + j, k);
      put(sigmoid(get<D>(x + 3 * n + j, k)) * tanh(now), h + j, k);
    });
  }
}

template <class T> void backward(const kernels::Lstm& l, int64_t begin, int64_t end) {
  using D = hn::ScalableTag<T>;
  using V = Value<D>;
  const int64_t n = l.size;
  const V one(1);
  for (int64_t r = begin; r < end; ++r) {
    const T *x = static_cast<const T*>(l.gates) + r * 4 * n, *c = static_cast<const T*>(l.c) + r * n, *next = static_cast<const T*>(l.next) + r * n;
    const T *gh = static_cast<const T*>(l.gh) + r * n, *gc = static_cast<const T*>(l.gc) + r * n;
    T *dx = static_cast<T*>(l.dgates) + r * 4 * n, *dc = static_cast<T*>(l.h) + r * n;
    over<D>(n, [&](int64_t j, int64_t k) HWY_ATTR {
      const V i = sigmoid(get<D>(x + j, k)), f = sigmoid(get<D>(x + n + j, k)), g = tanh(get<D>(x + 2 * n + j, k)), o = sigmoid(get<D>(x + 3 * n + j, k));
      const V t = tanh(get<D>(next + j, k)), v = get<D>(gh + j, k), d = get<D>(gc + j, k) + v * o * (one - t * t);
      put(d * g * i * (one - i), dx + j, k);
      put(d * get<D>(c + j, k) * f * (one - f), dx + n + j, k);
      put(d * i * (one - g * g), dx + 2 * n + j, k);
      put(v * t * o * (one - o), dx + 3 * n + j, k);
      put(d * f, dc + j, k);
    });
  }
}

}  // namespace

void lstm_rows(const kernels::Lstm& l, bool back, int64_t begin, int64_t end) {
  if (l.dtype == Dtype::f64) return back ? backward<double>(l, begin, end) : forward<double>(l, begin, end);
  back ? backward<float>(l, begin, end) : forward<float>(l, begin, end);
}
}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "base/parallel.h"

namespace gradus {
HWY_EXPORT(lstm_rows);

namespace kernels {

constexpr int64_t kWork = 1024;                               // elements that are worth a part of their own: each takes five exponentials

static void run(const Lstm& l, bool back) {
  parallel_for(l.rows, std::max<int64_t>(1, kWork / std::max<int64_t>(1, l.size)), [&](int64_t b, int64_t e) { HWY_DYNAMIC_DISPATCH(lstm_rows)(l, back, b, e); });
}
void lstm_forward(const Lstm& l) { run(l, false); }
void lstm_backward(const Lstm& l) { run(l, true); }

}  // namespace kernels
}  // namespace gradus
#endif
