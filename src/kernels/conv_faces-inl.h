// The three faces of a convolution as walks.
#if defined(GRADUS_KERNELS_CONV_FACES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_KERNELS_CONV_FACES_INL_H
#undef GRADUS_KERNELS_CONV_FACES_INL_H
#else
#define GRADUS_KERNELS_CONV_FACES_INL_H
#endif
#include "base/parallel.h"
#include "kernels/conv_single-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
using kernels::Conv;

// Below these, k is the last dim of the kernel instead of the channels.
constexpr ptrdiff_t kFewChannels = 8;
// Multiply-adds for which a part of its own is worth it.
constexpr double kWorthPart = 0x1p18;

// How batch, groups and blocks of rows are dealt out, from the shape alone: enough parts for the pool to wake its threads.
struct Deal {
  int64_t images, blocks, rows, grain;    // rows: of one block

  Deal(int64_t images_, int64_t all_rows, double work_of_image) : images(images_), blocks(1), rows(all_rows) {
    while (images * blocks < 32 && rows >= 24 && work_of_image / static_cast<double>(blocks) > 8 * kWorthPart) {
      ++blocks;
      rows = round_up(divide_up(all_rows, blocks), 6);
    }
    blocks = divide_up(all_rows, rows);
    const double work = work_of_image / static_cast<double>(blocks);
    grain = std::max({int64_t{1}, divide_up(images, 64), static_cast<int64_t>(kWorthPart / std::max(work, 1.0))});
  }
  // body(block, first image, last image)
  template <class Body> void run(const Body& body) const {
    const int64_t runs = divide_up(images, grain);
    parallel_for(runs * blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) body(i % blocks, i / blocks * grain, std::min(images, (i / blocks + 1) * grain));
    });
  }
};

// Filters in the order in which a walk reads them: [row][tap][channel], where rows and channels are the out and in channels
// of the filters or the other way round.
template <class T> void arrange(const Conv& c, const T* w, bool by_input, T* to) {
  const ptrdiff_t taps = c.taps(), out = c.group_out(), in = c.group_in();
  const ptrdiff_t rows = by_input ? in : out, depth = by_input ? out : in;
  const ptrdiff_t row_step = by_input ? taps : in * taps, depth_step = by_input ? in * taps : taps;
  parallel_for(c.groups * rows, std::max<ptrdiff_t>(1, 4096 / (taps * depth)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const T* const from = w + i / rows * out * in * taps + i % rows * row_step;
      T* const row = to + i * taps * depth;
      for (ptrdiff_t k = 0; k < depth; ++k)
        for (ptrdiff_t t = 0; t < taps; ++t) row[t * depth + k] = from[k * depth_step + t];
    }
  });
}

inline ImageLayout forward_layout(const Conv& c) {
  ImageLayout l;
  for (int d = 0; d < 3; ++d)
    l.set(d, c.in[d], c.padding[d], c.stride[d], (c.out[d] - 1) * c.stride[d] + (c.kernel[d] - 1) * c.dilation[d] + 1);
  return l;
}
inline ptrdiff_t tap_at(const Conv& c, const ImageLayout& l, ptrdiff_t tap) {
  return l.at(tap / (c.kernel[1] * c.kernel[2]) * c.dilation[0], tap / c.kernel[2] % c.kernel[1] * c.dilation[1],
              tap % c.kernel[2] * c.dilation[2]);
}
inline ptrdiff_t channel_block(ptrdiff_t channels, ptrdiff_t taps) {
  return even_block(channels, std::max<ptrdiff_t>(8, 1024 / taps));
}

template <class T> void forward(const Conv& c, const T* x, const T* w, const T* bias, T* y) {
  const ptrdiff_t in = c.group_in(), out = c.group_out(), taps = c.taps();
  const ImageLayout layout = forward_layout(c);
  const Field field = field_of<T>(c.out, layout);
  const bool few = in < kFewChannels && c.stride[2] == 1, arranged = !few && taps > 1 && in > 1;
  const ptrdiff_t segments = few ? in * c.kernel[0] * c.kernel[1] : taps;
  const Scratch offsets(static_cast<size_t>(segments) * sizeof(SegmentOffset));
  auto* const offset = offsets.as<SegmentOffset>();
  for (ptrdiff_t s = 0; s < segments; ++s) {
    if (few) offset[s] = {s * c.kernel[2], s / (c.kernel[0] * c.kernel[1]) * layout.channel() + tap_at(c, layout, s * c.kernel[2] % taps)};
    else offset[s] = {s * in, tap_at(c, layout, s)};
  }
  const Scratch filters(arranged ? static_cast<size_t>(c.weights()) * sizeof(T) : 0);
  if (arranged) arrange(c, w, false, filters.as<T>());
  const T* const a = arranged ? filters.as<T>() : w;

  Walk<T> walk_of;
  walk_of.tile.a_row = taps * in, walk_of.tile.a_k = 1;
  walk_of.tile.k = few ? c.kernel[2] : in;
  walk_of.tile.b_k = few ? c.dilation[2] : layout.channel();
  walk_of.tile.segments = segments, walk_of.tile.offset = offset;
  walk_of.block = few ? walk_of.tile.k : channel_block(in, taps);
  walk_of.field = field;
  const Place place_of{{c.out[0], c.out[1], c.out[2]}, {c.out[1] * c.out[2], c.out[2], 1}, c.out_plane()};

  const Deal deal(c.batch * c.groups, out, c.work() / static_cast<double>(c.groups));
  deal.run([&](int64_t block, int64_t begin, int64_t end) {
    const ptrdiff_t first = block * deal.rows, rows = std::min(deal.rows, out - first);
    const bool single = rows == 1 && walk_of.block == walk_of.tile.k;
    const Image<T> image(layout, in, single);
    const Scratch sums(field.scratch ? static_cast<size_t>(rows * field.scratch_row()) * sizeof(T) : 0);
    Walk<T> v = walk_of;
    v.rows = rows;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t g = i % c.groups, row = g * out + first;
      T* const to = y + (i / c.groups * c.out_channels + row) * c.out_plane();
      v.a = a + row * taps * in;
      v.b = image.of(x + i * in * c.in_plane());
      v.bias = bias ? bias + row : nullptr;
      v.c = field.scratch ? sums.as<T>() : to;
      v.c_row = field.scratch ? field.scratch_row() : c.out_plane();
      if (single) walk_single(v);
      else walk(v);
      if (field.scratch) place(v.c, field, layout.line(), rows, to, place_of);
    }
  });
}

// The elements of x that meet the same taps: those of one residue of their bordered position modulo the stride, along each
// dim. Bordered position stride * j + residue meets tap t at element j - (t * dilation - residue) / stride of y.
struct Residue {
  ptrdiff_t residue[3], first[3], count[3];   // of j
  ptrdiff_t segments, begin;                  // its part of the table of offsets
  bool meets(const Conv& c, int d, ptrdiff_t tap) const { return (tap * c.dilation[d] - residue[d]) % c.stride[d] == 0; }
  ptrdiff_t shift(const Conv& c, int d, ptrdiff_t tap) const { return (tap * c.dilation[d] - residue[d]) / c.stride[d]; }
};

inline Residue residue_of(const Conv& c, ptrdiff_t r0, ptrdiff_t r1, ptrdiff_t r2) {
  Residue r{{r0, r1, r2}, {}, {}, 0, 0};
  for (int d = 0; d < 3; ++d) {
    const ptrdiff_t s = c.stride[d], p = c.padding[d] - r.residue[d];      // j from p / s, rounded up
    r.first[d] = p > 0 ? divide_up(p, s) : 0;
    const ptrdiff_t last = c.in[d] - 1 + p;
    r.count[d] = last < 0 ? 0 : std::max<ptrdiff_t>(0, last / s + 1 - r.first[d]);
  }
  return r;
}

// How y is bordered so that every residue finds what it meets.
inline ImageLayout backward_layout(const Conv& c) {
  ImageLayout l;
  for (int d = 0; d < 3; ++d) {
    ptrdiff_t lead = -c.out[d], end = 1;
    for (ptrdiff_t r = 0; r < c.stride[d]; ++r) {
      const Residue one = residue_of(c, d == 0 ? r : 0, d == 1 ? r : 0, d == 2 ? r : 0);
      if (one.count[d] == 0) continue;
      for (ptrdiff_t t = 0; t < c.kernel[d]; ++t)
        if (one.meets(c, d, t)) {
          lead = std::max(lead, one.shift(c, d, t) - one.first[d]);
          end = std::max(end, one.first[d] + one.count[d] - one.shift(c, d, t));
        }
    }
    l.set(d, c.out[d], lead, 1, std::max<ptrdiff_t>(1, end + lead));
  }
  return l;
}

// The taps of a residue as segments; few channels: each with the line of taps along the last dim, whose stride is 1.
inline void add_segments(const Conv& c, const ImageLayout& l, bool few, Residue& r, SegmentOffset* offset) {
  const ptrdiff_t out = c.group_out(), taps = c.taps();
  for (ptrdiff_t channel = 0; channel < (few ? out : 1); ++channel)
    for (ptrdiff_t t = 0; t < taps; t += few ? c.kernel[2] : 1) {
      const ptrdiff_t tap[] = {t / (c.kernel[1] * c.kernel[2]), t / c.kernel[2] % c.kernel[1], t % c.kernel[2]};
      ptrdiff_t at = channel * l.channel();
      bool meets = true;
      for (int d = 0; d < 3; ++d) {
        meets &= r.meets(c, d, tap[d]);
        at += (r.first[d] - r.shift(c, d, tap[d]) + l.lead[d]) * (d == 0 ? l.plane() : d == 1 ? l.line() : 1);
      }
      if (meets) offset[r.segments++] = {few ? channel * c.group_in() * taps + t : t * out, at};
    }
}

// The gradient of x for one residue, image by image.
template <class T> void input_of_residue(const Conv& c, const ImageLayout& l, const Residue& r, Walk<T> v, const T* image, T* x, ptrdiff_t row, bool single) {
  const int64_t sizes[] = {r.count[0], r.count[1], r.count[2]};
  const bool strided = c.stride[0] * c.stride[1] * c.stride[2] != 1;
  if (sizes[0] * sizes[1] * sizes[2] == 0) return;
  ptrdiff_t corner = 0;
  const ptrdiff_t pitch[] = {c.in[1] * c.in[2], c.in[2], 1};
  for (int d = 0; d < 3; ++d) corner += (r.first[d] * c.stride[d] + r.residue[d] - c.padding[d]) * pitch[d];
  v.field = field_of<T>(sizes, l, strided);
  const bool scratch = v.field.scratch;
  const Scratch sums(scratch ? static_cast<size_t>(v.rows * v.field.scratch_row()) * sizeof(T) : 0);
  v.b = image;
  v.c = scratch ? sums.as<T>() : x + row * c.in_plane();
  v.c_row = scratch ? v.field.scratch_row() : c.in_plane();
  if (r.segments != 0 && single) walk_single(v);
  else if (r.segments != 0) walk(v);
  else if (scratch) std::fill_n(v.c, v.rows * v.c_row, T(0));
  else return static_cast<void>(std::fill_n(v.c, v.rows * v.c_row, T(0)));
  if (scratch)
    place(v.c, v.field, l.line(), v.rows, x + row * c.in_plane() + corner,
          Place{{sizes[0], sizes[1], sizes[2]}, {pitch[0] * c.stride[0], pitch[1] * c.stride[1], c.stride[2]}, c.in_plane()});
}

template <class T> void input_gradient(const Conv& c, const T* y, const T* w, T* x) {
  const ptrdiff_t in = c.group_in(), out = c.group_out(), taps = c.taps();
  const ImageLayout layout = backward_layout(c);
  const bool few = out < kFewChannels && c.stride[2] == 1, arranged = !few;
  const ptrdiff_t residues = c.stride[0] * c.stride[1] * c.stride[2];
  const Scratch table(static_cast<size_t>(residues) * sizeof(Residue)), offsets(static_cast<size_t>(out * taps) * sizeof(SegmentOffset));
  auto* const residue = table.as<Residue>();
  auto* const offset = offsets.as<SegmentOffset>();
  for (ptrdiff_t i = 0, begin = 0; i < residues; begin += residue[i++].segments) {
    residue[i] = residue_of(c, i / (c.stride[1] * c.stride[2]), i / c.stride[2] % c.stride[1], i % c.stride[2]);
    residue[i].begin = begin;
    add_segments(c, layout, few, residue[i], offset + begin);
  }
  const Scratch filters(arranged ? static_cast<size_t>(c.weights()) * sizeof(T) : 0);
  if (arranged) arrange(c, w, true, filters.as<T>());

  Walk<T> walk_of;
  walk_of.tile.a_row = few ? taps : taps * out, walk_of.tile.a_k = 1;
  walk_of.tile.k = few ? c.kernel[2] : out;
  walk_of.tile.b_k = few ? -c.dilation[2] : layout.channel();
  walk_of.block = few ? walk_of.tile.k : channel_block(out, taps);

  const Deal deal(c.batch * c.groups, in, c.work() / static_cast<double>(c.groups));
  deal.run([&](int64_t block, int64_t begin, int64_t end) {
    const ptrdiff_t first = block * deal.rows;
    Walk<T> v = walk_of;
    v.rows = std::min(deal.rows, in - first);
    const bool single = v.rows == 1 && walk_of.block == walk_of.tile.k;
    const Image<T> image(layout, out, single);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t g = i % c.groups, row = g * in + first;
      v.a = few ? w + g * out * in * taps + first * taps : filters.as<T>() + row * taps * out;
      const T* const source = image.of(y + i * out * c.out_plane());
      for (ptrdiff_t k = 0; k < residues; ++k) {
        v.tile.segments = residue[k].segments, v.tile.offset = offset + residue[k].begin;
        input_of_residue(c, layout, residue[k], v, source, x + i / c.groups * c.in_channels * c.in_plane(), row, single);
      }
    }
  });
}

}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
