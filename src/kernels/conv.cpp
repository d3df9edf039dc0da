#include "kernels/conv.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv.cpp"
#include "hwy/foreach_target.h"
#include "kernels/conv_weight-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {

void conv_forward_f32(const Conv& c, const void* x, const void* w, const void* bias, void* y) {
  forward(c, static_cast<const float*>(x), static_cast<const float*>(w), static_cast<const float*>(bias), static_cast<float*>(y));
}
void conv_forward_f64(const Conv& c, const void* x, const void* w, const void* bias, void* y) {
  forward(c, static_cast<const double*>(x), static_cast<const double*>(w), static_cast<const double*>(bias), static_cast<double*>(y));
}
void conv_input_f32(const Conv& c, const void* y, const void* w, void* x) {
  input_gradient(c, static_cast<const float*>(y), static_cast<const float*>(w), static_cast<float*>(x));
}
void conv_input_f64(const Conv& c, const void* y, const void* w, void* x) {
  input_gradient(c, static_cast<const double*>(y), static_cast<const double*>(w), static_cast<double*>(x));
}
void conv_weight_f32(const Conv& c, const void* x, const void* y, void* w) {
  WeightGradient<float>(c, static_cast<const float*>(x), static_cast<const float*>(y)).run(static_cast<float*>(w));
}
void conv_weight_f64(const Conv& c, const void* x, const void* y, void* w) {
  WeightGradient<double>(c, static_cast<const double*>(x), static_cast<const double*>(y)).run(static_cast<double*>(w));
}

}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus {

HWY_EXPORT(conv_forward_f32);
HWY_EXPORT(conv_forward_f64);
HWY_EXPORT(conv_input_f32);
HWY_EXPORT(conv_input_f64);
HWY_EXPORT(conv_weight_f32);
HWY_EXPORT(conv_weight_f64);

namespace kernels {
namespace {

// Calls term(x index, w index, y index) for all that meet, outer to inner: image, out channel, pixel, in channel, tap.
template <class Term> void each_term(const Conv& c, const Term& term) {
  const int64_t in = c.group_in(), out = c.group_out(), taps = c.taps(), pixels = c.out_plane();
  for (int64_t i = 0; i < c.batch * c.out_channels * pixels; ++i) {
    const int64_t pixel = i % pixels, row = i / pixels % c.out_channels, n = i / pixels / c.out_channels;
    const int64_t o[] = {pixel / (c.out[1] * c.out[2]), pixel / c.out[2] % c.out[1], pixel % c.out[2]};
    for (int64_t k = 0; k < in; ++k) {
      const int64_t plane = (n * c.in_channels + row / out * in + k) * c.in_plane();
      for (int64_t t = 0; t < taps; ++t) {
        const int64_t tap[] = {t / (c.kernel[1] * c.kernel[2]), t / c.kernel[2] % c.kernel[1], t % c.kernel[2]};
        int64_t at = 0;
        bool inside = true;
        for (int d = 0; d < 3; ++d) {
          const int64_t u = o[d] * c.stride[d] - c.padding[d] + tap[d] * c.dilation[d];
          inside &= u >= 0 && u < c.in[d];
          at = at * c.in[d] + u;
        }
        if (inside) term(plane + at, (row * in + k) * taps + t, i);
      }
    }
  }
}

// Sums of products of integers, which wrap.
template <class T> void add_product(T& sum, T a, T b) {
  sum = static_cast<T>(static_cast<uint64_t>(sum) + static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}
template <class F> void visit_integer(Dtype t, const F& f) {
  visit(t, [&]<class T>() {
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) f.template operator()<T>();
  });
}

}  // namespace

void conv_forward(const Conv& c, Dtype t, const void* x, const void* w, const void* bias, void* y) {
  const bool no_term = c.group_in() * c.taps() == 0;
  if (!no_term && t == Dtype::f32) return HWY_DYNAMIC_DISPATCH(conv_forward_f32)(c, x, w, bias, y);
  if (!no_term && t == Dtype::f64) return HWY_DYNAMIC_DISPATCH(conv_forward_f64)(c, x, w, bias, y);
  visit(t, [&]<class T>() {
    const auto* const b = static_cast<const T*>(bias);
    auto* const to = static_cast<T*>(y);
    for (int64_t i = 0; i < c.batch * c.out_channels * c.out_plane(); ++i) to[i] = b ? b[i / c.out_plane() % c.out_channels] : T{};
  });
  visit_integer(t, [&]<class T>() {
    each_term(c, [&](int64_t i, int64_t j, int64_t k) { add_product(static_cast<T*>(y)[k], static_cast<const T*>(x)[i], static_cast<const T*>(w)[j]); });
  });
}

void conv_input(const Conv& c, Dtype t, const void* y, const void* w, void* x) {
  const bool no_term = c.group_out() * c.taps() == 0 || c.out_plane() == 0;
  if (!no_term && t == Dtype::f32) return HWY_DYNAMIC_DISPATCH(conv_input_f32)(c, y, w, x);
  if (!no_term && t == Dtype::f64) return HWY_DYNAMIC_DISPATCH(conv_input_f64)(c, y, w, x);
  std::memset(x, 0, static_cast<size_t>(c.batch * c.in_channels * c.in_plane() * size_of(t)));
  visit_integer(t, [&]<class T>() {
    each_term(c, [&](int64_t i, int64_t j, int64_t k) { add_product(static_cast<T*>(x)[i], static_cast<const T*>(y)[k], static_cast<const T*>(w)[j]); });
  });
}

void conv_weight(const Conv& c, Dtype t, const void* x, const void* y, void* w) {
  const bool no_term = c.batch == 0 || c.out_plane() == 0 || c.weights() == 0;
  if (!no_term && t == Dtype::f32) return HWY_DYNAMIC_DISPATCH(conv_weight_f32)(c, x, y, w);
  if (!no_term && t == Dtype::f64) return HWY_DYNAMIC_DISPATCH(conv_weight_f64)(c, x, y, w);
  std::memset(w, 0, static_cast<size_t>(c.weights() * size_of(t)));
  visit_integer(t, [&]<class T>() {
    each_term(c, [&](int64_t i, int64_t j, int64_t k) { add_product(static_cast<T*>(w)[j], static_cast<const T*>(x)[i], static_cast<const T*>(y)[k]); });
  });
}

}  // namespace kernels
}  // namespace gradus
#endif
