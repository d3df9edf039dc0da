// The register-blocked kernel of the matrix product walking over images: rows are channels, columns pixels, and k goes over
// taps (segments) and channels. No matrix of patches exists.
#if defined(GRADUS_KERNELS_CONV_WALK_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_KERNELS_CONV_WALK_INL_H
#undef GRADUS_KERNELS_CONV_WALK_INL_H
#else
#define GRADUS_KERNELS_CONV_WALK_INL_H
#endif
#include "kernels/conv_image-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr ptrdiff_t round_up(ptrdiff_t n, ptrdiff_t unit) { return divide_up(n, unit) * unit; }

// The pixels of a result: planes of lines of columns, and how far apart they lie in the image and in the result.
struct Field {
  ptrdiff_t planes, lines, columns;
  ptrdiff_t b_plane, b_line, c_plane, c_line;
  bool scratch;                           // the result goes through memory in the geometry of the image

  ptrdiff_t scratch_row() const { return planes * c_plane; }
};

// Lines are joined where image and result agree, or where vectors across lines, with some useless columns between, are fewer.
template <class T> Field field_of(const int64_t* out, const ImageLayout& l, bool strided_result = false) {
  constexpr ptrdiff_t kWidth = kLanes<T>;
  Field f{out[0], out[1], out[2], l.plane(), l.line(), out[1] * out[2], out[2], kWholeTilesOnly || strided_result};
  const ptrdiff_t joined = (f.lines - 1) * f.b_line + f.columns;
  if (f.b_line == f.columns && !f.scratch) {
    f.lines = 1, f.columns = joined;
    if (f.b_plane == f.c_plane) f.columns *= f.planes, f.planes = 1;
  } else if (divide_up(joined, kWidth) * 108 < f.lines * divide_up(f.columns, kWidth) * 100) {
    f.scratch = true;
  }
  if (f.scratch) {
    f.lines = 1, f.columns = joined;
    f.c_plane = round_up(joined, kWidth);
  }
  return f;
}

template <class T> struct Walk {
  Tile<T> tile;                           // strides, segments, k
  const T* a;
  const T* b;
  T* c;
  ptrdiff_t rows, c_row;
  ptrdiff_t block;                        // k is taken in blocks
  Field field;
  const T* bias = nullptr;                // one number per row
  bool accumulate = false;
};

constexpr int rows_for(ptrdiff_t vectors) {
  constexpr int many[] = {0, 14, 12, 8, 6};
  return kBaseline ? 4 : kManyRegisters ? many[vectors] : 6;
}

template <class T> void fill_start(const T* bias, int height, int vectors, T* start) {
  const hn::ScalableTag<T> d;
  for (int i = 0; i < height; ++i)
    for (int j = 0; j < vectors; ++j) hn::StoreU(hn::Set(d, bias[i]), d, start + (i * vectors + j) * kLanes<T>);
}

template <class T> void walk_line(const Walk<T>& w, Tile<T>& t, const T* a, const T* b, T* c) {
  HWY_ALIGN T start[kRowLimit * kMaxVectors * kLanes<T>];
  const ptrdiff_t all = divide_up(w.field.columns, kLanes<T>);
  const bool bias = w.bias && !t.accumulate;
  t.start = bias ? start : nullptr;
  for (ptrdiff_t v = 0; v < all;) {
    const int vectors = static_cast<int>(next_piece(all - v, kMaxVectors));
    t.last_lanes = kWholeTilesOnly ? kLanes<T> : std::min(w.field.columns - (v + vectors - 1) * kLanes<T>, kLanes<T>);
    t.b = b + v * kLanes<T>;
    for (ptrdiff_t r = 0; r < w.rows;) {
      const int height = static_cast<int>(next_piece(w.rows - r, rows_for(vectors)));
      if (bias) fill_start(w.bias + r, height, vectors, start);
      t.a = a + r * t.a_row;
      t.c = c + r * w.c_row + v * kLanes<T>;
      tile_kernel<T>(height, vectors)(t);
      r += height;
    }
    v += vectors;
  }
}

template <class T> void walk(const Walk<T>& w) {
  Tile<T> t = w.tile;
  t.ldc = w.c_row;
  for (ptrdiff_t k = 0; k < w.tile.k; k += w.block) {
    t.k = std::min(w.block, w.tile.k - k);
    t.accumulate = w.accumulate || k != 0;
    for (ptrdiff_t z = 0; z < w.field.planes; ++z)
      for (ptrdiff_t y = 0; y < w.field.lines; ++y)
        walk_line(w, t, w.a + k * t.a_k, w.b + k * t.b_k + z * w.field.b_plane + y * w.field.b_line,
                  w.c + z * w.field.c_plane + y * w.field.c_line);
  }
}

// Where the pixels of a scratch result belong.
struct Place {
  ptrdiff_t size[3], step[3], row;        // counts and distances of the pixels in the result, distance of its channels
};
template <class T> void place(const T* from, const Field& f, ptrdiff_t line, ptrdiff_t rows, T* to, const Place& p) {
  for (ptrdiff_t r = 0; r < rows; ++r)
    for (ptrdiff_t z = 0; z < p.size[0]; ++z)
      for (ptrdiff_t y = 0; y < p.size[1]; ++y) {
        const T* const source = from + r * f.scratch_row() + z * f.c_plane + y * line;
        T* const target = to + r * p.row + z * p.step[0] + y * p.step[1];
        if (p.step[2] == 1) copy_line(source, target, p.size[2]);
        else
          for (ptrdiff_t x = 0; x < p.size[2]; ++x) target[x * p.step[2]] = source[x];
      }
}

}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
