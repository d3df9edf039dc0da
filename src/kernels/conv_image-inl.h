// Images as convolutions read them: with a border of zeros, and, where outputs are `stride` apart, cut into phases, so that
// neighbouring outputs read neighbouring elements whatever the stride.
#if defined(GRADUS_KERNELS_CONV_IMAGE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_KERNELS_CONV_IMAGE_INL_H
#undef GRADUS_KERNELS_CONV_IMAGE_INL_H
#else
#define GRADUS_KERNELS_CONV_IMAGE_INL_H
#endif
#include <algorithm>

#include "kernels/conv.h"
#include "kernels/gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T> HWY_INLINE void copy_line(const T* from, T* to, ptrdiff_t n) {
  const hn::ScalableTag<T> d;
  constexpr ptrdiff_t kWidth = kLanes<T>;
  if (n < kWidth) {
    for (ptrdiff_t i = 0; i < n; ++i) to[i] = from[i];
    return;
  }
  for (ptrdiff_t i = 0; i + kWidth <= n; i += kWidth) hn::StoreU(hn::LoadU(d, from + i), d, to + i);
  hn::StoreU(hn::LoadU(d, from + n - kWidth), d, to + n - kWidth);
}

// How one channel lies in memory. Bordered position u of a dim is in phase u % stride, at u / stride there.
struct ImageLayout {
  ptrdiff_t size[3];    // of the source
  ptrdiff_t lead[3];    // zeros in front of it; negative: elements that are left out
  ptrdiff_t stride[3];
  ptrdiff_t count[3];   // positions of one phase

  // `extent` bordered positions are read.
  void set(int dim, ptrdiff_t source, ptrdiff_t front, ptrdiff_t step, ptrdiff_t extent) {
    size[dim] = source, lead[dim] = front, stride[dim] = step;
    if (front == 0 && step == 1) extent = std::max(extent, source);
    count[dim] = divide_up(extent, step);
  }
  ptrdiff_t phase() const { return count[0] * count[1] * count[2]; }
  ptrdiff_t channel() const { return phase() * stride[0] * stride[1] * stride[2]; }
  ptrdiff_t source() const { return size[0] * size[1] * size[2]; }
  ptrdiff_t line() const { return count[2]; }
  ptrdiff_t plane() const { return count[1] * count[2]; }
  ptrdiff_t at(ptrdiff_t u0, ptrdiff_t u1, ptrdiff_t u2) const {
    const ptrdiff_t p = (u0 % stride[0] * stride[1] + u1 % stride[1]) * stride[2] + u2 % stride[2];
    return p * phase() + (u0 / stride[0] * count[1] + u1 / stride[1]) * count[2] + u2 / stride[2];
  }
  // The source may be read where it is.
  bool is_source() const {
    bool same = !kWholeTilesOnly;
    for (int d = 0; d < 3; ++d) same &= lead[d] == 0 && stride[d] == 1 && count[d] == size[d];
    return same;
  }
};

// One line of the source, whose first element has bordered position `lead`.
template <class T> void fill_line(const ImageLayout& l, const T* from, T* to) {
  const ptrdiff_t s = l.stride[2], first = std::max<ptrdiff_t>(0, -l.lead[2]);
  const ptrdiff_t n = std::min(l.size[2], l.count[2] * s - l.lead[2]);
  if (s == 1) return copy_line(from + first, to + l.lead[2] + first, n - first);
  for (ptrdiff_t i = first; i < std::min(n, first + s); ++i) {
    const ptrdiff_t u = i + l.lead[2];
    T* const phase = to + u % s * l.phase();
    for (ptrdiff_t j = i, at = u / s; j < n; j += s, ++at) phase[at] = from[j];
  }
}

// Copies the inside; the border of `to` must be zero already.
template <class T> void fill_image(const ImageLayout& l, const T* from, ptrdiff_t channels, T* to) {
  for (ptrdiff_t c = 0; c < channels; ++c, from += l.source(), to += l.channel()) {
    for (ptrdiff_t i = std::max<ptrdiff_t>(0, -l.lead[0]); i < l.size[0]; ++i) {
      const ptrdiff_t u0 = i + l.lead[0];
      if (u0 / l.stride[0] >= l.count[0]) break;
      for (ptrdiff_t j = std::max<ptrdiff_t>(0, -l.lead[1]); j < l.size[1]; ++j) {
        const ptrdiff_t u1 = j + l.lead[1];
        if (u1 / l.stride[1] >= l.count[1]) break;
        fill_line(l, from + (i * l.size[1] + j) * l.size[2], to + l.at(u0, u1, 0));
      }
    }
  }
}

// The image of `channels` channels from each of several sources in turn, in memory of its own unless the source will do.
template <class T> class Image {
 public:
  Image(const ImageLayout& l, ptrdiff_t channels, bool own = false)
      : l_(l), channels_(channels), own_(own || !l.is_source()),
        memory_(own_ ? (channels * l.channel() + kSlack) * sizeof(T) : 0) {
    if (own_) std::fill_n(memory_.template as<T>(), channels * l.channel() + kSlack, T(0));
  }
  const T* of(const T* source) const {
    if (!own_) return source;
    fill_image(l_, source, channels_, memory_.template as<T>());
    return memory_.template as<T>();
  }

 private:
  static constexpr ptrdiff_t kSlack = 2 * kMaxVectors * kLanes<T>;   // vectors may reach beyond the last line
  const ImageLayout& l_;
  ptrdiff_t channels_;
  bool own_;
  Scratch memory_;
};

}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
