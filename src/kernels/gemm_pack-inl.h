// Moving operands of the matrix product: transposition in registers, panels of B with contiguous columns, and the way of
// a finished tile into C where the kernel cannot store it itself (transposed products, tails of baseline targets).
#if defined(GRADUS_KERNELS_GEMM_PACK_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_KERNELS_GEMM_PACK_INL_H
#undef GRADUS_KERNELS_GEMM_PACK_INL_H
#else
#define GRADUS_KERNELS_GEMM_PACK_INL_H
#endif
#include <algorithm>
#include <cstring>

#include "hwy/highway.h"
#include "kernels/gemm_kernel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The first n < lanes elements at p, zeros behind them; reads nothing else.
template <class D, class T> HWY_INLINE hn::Vec<D> load_first(D d, const T* p, ptrdiff_t n) {
  if constexpr (kWholeTilesOnly) {
    HWY_ALIGN T some[hn::MaxLanes(d)] = {};
    std::memcpy(some, p, n * sizeof(T));
    return hn::Load(d, some);
  } else {
    return hn::MaskedLoad(hn::FirstN(d, n), d, p);
  }
}

#if HWY_TARGET == HWY_SCALAR
template <bool, class T> HWY_INLINE void transpose_square(const T* from, ptrdiff_t, ptrdiff_t, ptrdiff_t, T* to, ptrdiff_t) {
  *to = *from;
}
#else
// The 4 x 4 (f32) or 2 x 2 (f64) square inside every block of 128 bits.
template <class D, class V = hn::Vec<D>> HWY_INLINE void transpose_in_blocks(D d, V* v) {
  if constexpr (sizeof(hn::TFromD<D>) == 4) {
    const hn::Repartition<double, D> dd;
    const auto a = hn::BitCast(dd, hn::InterleaveLower(d, v[0], v[1])), b = hn::BitCast(dd, hn::InterleaveLower(d, v[2], v[3]));
    const auto e = hn::BitCast(dd, hn::InterleaveUpper(d, v[0], v[1])), f = hn::BitCast(dd, hn::InterleaveUpper(d, v[2], v[3]));
    v[0] = hn::BitCast(d, hn::InterleaveLower(dd, a, b));
    v[1] = hn::BitCast(d, hn::InterleaveUpper(dd, a, b));
    v[2] = hn::BitCast(d, hn::InterleaveLower(dd, e, f));
    v[3] = hn::BitCast(d, hn::InterleaveUpper(dd, e, f));
  } else {
    const V a = v[0];
    v[0] = hn::InterleaveLower(d, a, v[1]);
    v[1] = hn::InterleaveUpper(d, a, v[1]);
  }
}

// to[c][r] = from[r][c] for a square as wide as a vector, or for its first rows and columns; rows of `to` are written
// whole. Rows of `from` are read at once: rows a power of two apart share their cache set, and one read in pieces would
// be evicted in between.
template <bool kPartial, class T>
HWY_INLINE void transpose_square(const T* from, ptrdiff_t from_row, ptrdiff_t rows, ptrdiff_t columns, T* to, ptrdiff_t to_row) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  constexpr int kWidth = static_cast<int>(kLanes<T>), kIn = 16 / sizeof(T), kBlocks = kWidth / kIn;
  V v[kWidth];
  GRADUS_FLAT for (int r = 0; r < kWidth; ++r) {
    if constexpr (!kPartial) v[r] = hn::LoadU(d, from + r * from_row);
    else v[r] = r < rows ? load_first(d, from + r * from_row, columns) : hn::Zero(d);
  }
  const auto store = [&](V x, int c) {
    if (!kPartial || c < columns) hn::StoreU(x, d, to + c * to_row);
  };
  if constexpr (!kPartial) { GRADUS_FLAT for (int r = 0; r < kWidth; ++r) prefetch(from, r * from_row + 4 * kWidth); }
  GRADUS_FLAT for (int g = 0; g < kBlocks; ++g) transpose_in_blocks(d, v + g * kIn);
  // v[g * kIn + c] now holds, in block q, the rows of group g of column q * kIn + c: a transposition of blocks is left.
  GRADUS_FLAT for (int c = 0; c < kIn; ++c) {
    if constexpr (kBlocks == 1) {
      store(v[c], c);
    } else if constexpr (kBlocks == 2) {
      store(hn::ConcatLowerLower(d, v[kIn + c], v[c]), c);
      store(hn::ConcatUpperUpper(d, v[kIn + c], v[c]), kIn + c);
    } else {
      const V a = v[c], b = v[kIn + c], e = v[2 * kIn + c], f = v[3 * kIn + c];
      const V ab = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(b), a), ef = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(f), e);
      const V ba = hn::OddEvenBlocks(b, hn::SwapAdjacentBlocks(a)), fe = hn::OddEvenBlocks(f, hn::SwapAdjacentBlocks(e));
      store(hn::ConcatLowerLower(d, ef, ab), c);
      store(hn::ConcatLowerLower(d, fe, ba), kIn + c);
      store(hn::ConcatUpperUpper(d, ef, ab), 2 * kIn + c);
      store(hn::ConcatUpperUpper(d, fe, ba), 3 * kIn + c);
    }
  }
}
#endif

// to[c][r] = from[r][c]; rows of `to` have room for whole vectors, and are filled with zeros to the end of the last one.
template <class T> void transpose(const T* from, ptrdiff_t from_row, ptrdiff_t rows, ptrdiff_t columns, T* to, ptrdiff_t to_row) {
  constexpr ptrdiff_t kWidth = kLanes<T>;
  for (ptrdiff_t r = 0; r < rows; r += kWidth) {
    for (ptrdiff_t c = 0; c < columns; c += kWidth) {
      const T* const f = from + r * from_row + c;
      T* const t = to + c * to_row + r;
      if (r + kWidth <= rows && c + kWidth <= columns) transpose_square<false>(f, from_row, kWidth, kWidth, t, to_row);
      else transpose_square<true>(f, from_row, rows - r, std::min(kWidth, columns - c), t, to_row);
    }
  }
}

// A panel of B: to[k][width] from any strides, zeros between the columns and width, a multiple of the lanes.
template <class T>
void pack_panel(const T* from, ptrdiff_t k_step, ptrdiff_t column_step, ptrdiff_t k, ptrdiff_t columns, T* to, ptrdiff_t width) {
  const hn::ScalableTag<T> d;
  constexpr ptrdiff_t kWidth = kLanes<T>;
  if (column_step != 1 && k_step == 1) return transpose(from, column_step, columns, k, to, width);
  for (ptrdiff_t i = 0; i < k; ++i, from += k_step, to += width) {
    if (column_step != 1) {
      ptrdiff_t j = 0;
      for (; j < columns; ++j) to[j] = from[j * column_step];
      for (; j < width; ++j) to[j] = T(0);
      continue;
    }
    // The next rows lie in other pages, where hardware prefetchers do not follow.
    for (ptrdiff_t j = 0; j < columns; j += 64 / sizeof(T)) prefetch(from, 16 * k_step + j);
    ptrdiff_t j = 0;
    for (; j + kWidth <= columns; j += kWidth) hn::StoreU(hn::LoadU(d, from + j), d, to + j);
    if (j < columns) hn::StoreU(load_first(d, from + j, columns - j), d, to + j);
  }
}

// A strip of A: to[k][rows], for operands in which neither stride is 1.
template <class T> void pack_strip(const T* from, ptrdiff_t k_step, ptrdiff_t row_step, ptrdiff_t k, ptrdiff_t rows, T* to) {
  for (ptrdiff_t i = 0; i < k; ++i, from += k_step, to += rows)
    for (ptrdiff_t j = 0; j < rows; ++j) to[j] = from[j * row_step];
}

// The first n <= lanes elements of v to p; writes nothing else.
template <class D, class T> HWY_INLINE void store_first(D d, hn::Vec<D> v, T* p, ptrdiff_t n) {
  if (n == kLanes<T>) {
    hn::StoreU(v, d, p);
  } else if constexpr (kWholeTilesOnly) {
    HWY_ALIGN T some[kLanes<T>];
    hn::Store(v, d, some);
    std::memcpy(p, some, n * sizeof(T));
  } else {
    hn::BlendedStore(v, hn::FirstN(d, n), d, p);
  }
}

// What becomes of a sum in C: the same arithmetic as the kernel's own.
template <class T> struct WriteBack {
  T alpha;
  bool accumulate;
  const T* bias;  // of the first column written; may be null
};

// c[rows x columns] from sums in rows of whole vectors.
template <class T>
void write_back(const WriteBack<T>& w, const T* sums, ptrdiff_t sums_row, ptrdiff_t rows, ptrdiff_t columns, T* c,
                ptrdiff_t ldc) {
  const hn::ScalableTag<T> d;
  constexpr ptrdiff_t kWidth = kLanes<T>;
  const auto alpha = hn::Set(d, w.alpha);
  const auto load = [&](const T* p, ptrdiff_t n) { return n == kWidth ? hn::LoadU(d, p) : load_first(d, p, n); };
  for (ptrdiff_t j = 0; j < columns; j += kWidth) {
    const ptrdiff_t n = std::min(kWidth, columns - j);
    const auto bias = w.bias ? load(w.bias + j, n) : hn::Zero(d);
    for (ptrdiff_t i = 0; i < rows; ++i) {
      auto v = hn::LoadU(d, sums + i * sums_row + j);
      T* const to = c + i * ldc + j;
      if (w.accumulate) v = hn::MulAdd(alpha, v, hn::Add(load(to, n), bias));
      else v = w.bias ? hn::MulAdd(alpha, v, bias) : hn::Mul(alpha, v);
      store_first(d, v, to, n);
    }
  }
}

}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
