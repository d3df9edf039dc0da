// The weight gradient of a convolution as products over pixels. The batch is cut into parts that depend on the shape alone;
// each has sums of its own, which are added in order.
#if defined(GRADUS_KERNELS_CONV_WEIGHT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_KERNELS_CONV_WEIGHT_INL_H
#undef GRADUS_KERNELS_CONV_WEIGHT_INL_H
#else
#define GRADUS_KERNELS_CONV_WEIGHT_INL_H
#endif
#include "kernels/conv_faces-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {

// Pixels that are summed in one go.
constexpr ptrdiff_t kPixelBlock = 256;

template <class T> class WeightGradient {
 public:
  WeightGradient(const Conv& c, const T* x, const T* y)
      : c_(c), x_(x), y_(y), in_(c.group_in()), out_(c.group_out()), taps_(c.taps()), layout_(forward_layout(c)),
        few_(in_ < kFewChannels && c.stride[2] == 1), out_row_(round_up(out_, kLanes<T>)) {
    const double most = c.work() * static_cast<double>(c.batch) / (4 * kWorthPart);
    parts_ = std::clamp<int64_t>(std::min<int64_t>((1 << 22) / c.weights(), static_cast<int64_t>(most)), 1, std::min<int64_t>(c.batch, 32));
    blocks_ = parts_ >= 32 ? 1 : divide_up(out_, 64);
    columns_ = round_up(divide_up(out_, blocks_), 16);
    blocks_ = divide_up(out_, columns_);
    length_ = c.out[2], lines_ = c.out[1], planes_ = c.out[0];
    if (layout_.line() == length_) {
      length_ *= lines_, lines_ = 1;
      if (layout_.plane() == length_) length_ *= planes_, planes_ = 1;
    }
  }
  void run(T* w) const;

 private:
  void run_pairs(T* w) const;
  size_t sums_of_part() const { return static_cast<size_t>(c_.groups * in_ * taps_ * out_row_); }
  void part(T* sums, int64_t part, int64_t block) const;
  void image(Walk<T> v, const T* x, const T* y, T* sums) const;
  void units(Walk<T>& v, const T* x, T* sums) const;
  void finish(const T* sums, T* w) const;

  const Conv& c_;
  const T *x_, *y_;
  ptrdiff_t in_, out_, taps_;
  ImageLayout layout_;
  bool few_;                              // rows are the taps along the last dim instead of the channels
  ptrdiff_t out_row_;                     // out channels in whole vectors
  ptrdiff_t parts_, blocks_, columns_;    // of the batch, of the out channels, in one of those
  ptrdiff_t length_, lines_, planes_;     // of the pixels
};

template <class T> void WeightGradient<T>::run(T* w) const {
  if (in_ * out_ <= 8) return run_pairs(w);
  const Scratch memory(static_cast<size_t>(parts_) * sums_of_part() * sizeof(T));
  T* const sums = memory.as<T>();
  parallel_for(parts_ * blocks_, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) part(sums + static_cast<size_t>(i / blocks_) * sums_of_part(), i / blocks_, i % blocks_);
  });
  const int64_t n = static_cast<int64_t>(sums_of_part());
  parallel_for(n, 4096, [&](int64_t begin, int64_t end) {
    for (int64_t p = 1; p < parts_; ++p)
      for (int64_t i = begin; i < end; ++i) sums[i] += sums[p * n + i];
  });
  finish(sums, w);
}

// A part of the batch for a block of out channels.
template <class T> void WeightGradient<T>::part(T* sums, int64_t part, int64_t block) const {
  const ptrdiff_t first = block * columns_, columns = std::min(columns_, out_ - first), row = round_up(columns, kLanes<T>);
  const Image<T> image_of(layout_, in_);
  const Scratch turned(static_cast<size_t>(c_.out_plane() * row) * sizeof(T));
  Walk<T> v;
  v.tile.a_row = few_ ? c_.dilation[2] : layout_.channel(), v.tile.a_k = 1;
  v.tile.b_k = row;
  v.rows = few_ ? c_.kernel[2] : in_, v.c_row = out_row_;
  v.field = {1, 1, row, 0, 0, 0, 0, false};
  const int64_t from = c_.batch * part / parts_, to = c_.batch * (part + 1) / parts_;
  for (int64_t i = from * c_.groups; i < to * c_.groups; ++i) {
    transpose(y_ + (i * out_ + first) * c_.out_plane(), c_.out_plane(), columns, c_.out_plane(), turned.as<T>(), row);
    v.accumulate = i / c_.groups != from;
    image(v, image_of.of(x_ + i * in_ * c_.in_plane()), turned.as<T>(), sums + i % c_.groups * in_ * taps_ * out_row_ + first);
  }
}

// One image, by blocks of pixels: several short lines, or a piece of a long one.
template <class T> void WeightGradient<T>::image(Walk<T> v, const T* x, const T* y, T* sums) const {
  SegmentOffset offset[kPixelBlock];
  const ptrdiff_t all = planes_ * lines_, together = std::max<ptrdiff_t>(1, kPixelBlock / length_), piece = even_block(length_, kPixelBlock);
  v.tile.offset = offset;
  for (ptrdiff_t line = 0; line < all; line += v.tile.segments) {
    v.tile.segments = std::min(together, all - line);
    for (ptrdiff_t s = 0; s < v.tile.segments; ++s)
      offset[s] = {(line + s) / lines_ * layout_.plane() + (line + s) % lines_ * layout_.line(), (line + s) * length_ * v.tile.b_k};
    for (ptrdiff_t at = 0; at < length_; at += piece) {
      v.tile.k = v.block = std::min(piece, length_ - at);
      v.b = y + at * v.tile.b_k;
      units(v, x + at, sums);
      v.accumulate = true;
    }
  }
}

template <class T> void WeightGradient<T>::units(Walk<T>& v, const T* x, T* sums) const {
  const ptrdiff_t area = c_.kernel[0] * c_.kernel[1], count = few_ ? in_ * area : taps_;
  for (ptrdiff_t u = 0; u < count; ++u) {
    v.a = few_ ? x + u / area * layout_.channel() + tap_at(c_, layout_, u % area * c_.kernel[2]) : x + tap_at(c_, layout_, u);
    v.c = sums + u * v.rows * out_row_;
    walk(v);
  }
}

// From [group][row][out channel] to the order of the filters.
template <class T> void WeightGradient<T>::finish(const T* sums, T* w) const {
  const ptrdiff_t n = in_ * taps_;
  parallel_for(c_.groups * out_, std::max<ptrdiff_t>(1, 4096 / n), [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      const T* const from = sums + o / out_ * n * out_row_ + o % out_;
      T* const to = w + o * n;
      for (ptrdiff_t t = 0; t < taps_; ++t)
        for (ptrdiff_t k = 0; k < in_; ++k) to[k * taps_ + t] = from[(few_ ? k * taps_ + t : t * in_ + k) * out_row_];
    }
  });
}

// Few pairs of channels: each pair and tap is a dot product of images, summed lane by lane and then over the lanes.
template <class T> void WeightGradient<T>::run_pairs(T* w) const {
  const ptrdiff_t n = out_ * in_ * taps_, all = c_.groups * n;
  const Scratch memory(static_cast<size_t>(parts_ * all) * sizeof(T)), table(static_cast<size_t>(taps_) * sizeof(ptrdiff_t));
  T* const sums = memory.as<T>();
  auto* const offset = table.as<ptrdiff_t>();
  for (ptrdiff_t t = 0; t < taps_; ++t) offset[t] = tap_at(c_, layout_, t);
  const DotLines lines{planes_, lines_, length_, layout_.plane(), layout_.line()};
  parallel_for(parts_ * c_.groups, std::max<ptrdiff_t>(1, parts_ * c_.groups / 64), [&](int64_t begin, int64_t end) {
    const Image<T> image_of(layout_, in_);
    const Scratch lanes(static_cast<size_t>(n * kLanes<T>) * sizeof(T));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t part = i / c_.groups, g = i % c_.groups;
      std::fill_n(lanes.as<T>(), n * kLanes<T>, T(0));
      for (int64_t image = c_.batch * part / parts_; image < c_.batch * (part + 1) / parts_; ++image) {
        const T* const x = image_of.of(x_ + (image * c_.groups + g) * in_ * c_.in_plane());
        const T* const y = y_ + (image * c_.groups + g) * out_ * c_.out_plane();
        for (ptrdiff_t pair = 0; pair < out_ * in_; ++pair)
          dot_all_taps(lines, x + pair % in_ * layout_.channel(), y + pair / in_ * c_.out_plane(), offset, taps_, lanes.as<T>() + pair * taps_ * kLanes<T>);
      }
      for (ptrdiff_t k = 0; k < n; ++k) {
        T s = 0;
        for (ptrdiff_t lane = 0; lane < kLanes<T>; ++lane) s += lanes.as<T>()[k * kLanes<T> + lane];
        sums[part * all + g * n + k] = s;
      }
    }
  });
  for (ptrdiff_t k = 0; k < all; ++k) {
    w[k] = 0;
    for (ptrdiff_t part = 0; part < parts_; ++part) w[k] += sums[part * all + k];
  }
}

}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
