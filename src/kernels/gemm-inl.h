// The blocked matrix product on top of the kernel: which operand is broadcast and which fills the vectors, what is packed,
// the register tile and the cache blocks. One thread; memory for packing comes from Scratch.
#if defined(GRADUS_KERNELS_GEMM_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_KERNELS_GEMM_INL_H
#undef GRADUS_KERNELS_GEMM_INL_H
#else
#define GRADUS_KERNELS_GEMM_INL_H
#endif
#include <algorithm>
#include <optional>

#include "base/memory.h"
#include "kernels/gemm_kernel-inl.h"
#include "kernels/gemm.h"
#include "kernels/gemm_pack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using kernels::Product;

// Part of the promise of equal bits: a function of k and the type only, never of the machine.
template <class T> constexpr ptrdiff_t kBlockK = 2048 / sizeof(T);

constexpr ptrdiff_t divide_up(ptrdiff_t a, ptrdiff_t b) { return (a + b - 1) / b; }
// Blocks of nearly equal size, at most `step`.
constexpr ptrdiff_t even_block(ptrdiff_t n, ptrdiff_t step) { return n <= step ? n : divide_up(n, divide_up(n, step)); }
// The next of pieces of at most `step`, the last two balanced; no division, which would show in products of 16 x 16.
constexpr ptrdiff_t next_piece(ptrdiff_t left, ptrdiff_t step) {
  return left >= 2 * step ? step : left > step ? (left + 1) / 2 : left;
}

// Estimated time, in vector multiply-adds. Packing with a transposition costs about nine of them per vector, the way of a
// transposed tile into C about twenty.
template <class T> ptrdiff_t cost(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, bool pack) {
  return k * divide_up(n, kLanes<T>) * (m + (pack ? 9 : 0));
}
template <class T> ptrdiff_t plain_cost(const Product<T>& g, ptrdiff_t n) { return cost<T>(g.m, n, g.k, g.b_col != 1); }
template <class T> ptrdiff_t swapped_cost(const Product<T>& g, ptrdiff_t n) {
  return cost<T>(n, g.m, g.k, g.a_row != 1) + (n > 1 ? 20 * g.m * n / kLanes<T> : 0);
}

template <class T> class BlockedProduct {
 public:
  // swap: calculates the transposed product, so that the rows of A fill the vectors and B is broadcast.
  BlockedProduct(const Product<T>& g, bool swap) : g_(g), swap_(swap) {
    if (swap) {
      std::swap(g_.m, g_.n);
      g_.a = g.b, g_.a_row = g.b_col, g_.a_col = g.b_row;
      g_.b = g.a, g_.b_row = g.a_col, g_.b_col = g.a_row;
    }
    // A column of C is contiguous when it is all there is: it needs no transposition.
    direct_ = (!swap || (g.n == 1 && g.ldc == 1 && !g.bias)) && !(kWholeTilesOnly && g_.n % kLanes<T> != 0);
    plan();
  }
  void run();

 private:
  void plan();
  void run_streamed();
  void rows_of_panels(ptrdiff_t j0, ptrdiff_t n, ptrdiff_t k0, ptrdiff_t k, ptrdiff_t i0, ptrdiff_t m);
  void tile(Tile<T>& t, ptrdiff_t k0, ptrdiff_t i, ptrdiff_t j, int height, int vectors, ptrdiff_t width);

  Product<T> g_;
  bool swap_, direct_, pack_a_, pack_b_, streamed_;
  int rows_, vectors_;                     // the register tile
  ptrdiff_t mc_, nc_, kc_;                 // the cache blocks
  T *panel_ = nullptr, *strip_ = nullptr;  // packed B and A
  ptrdiff_t panel_step_ = 0;               // 0: every panel in the same place
};

template <class T> void BlockedProduct<T>::plan() {
  const ptrdiff_t vectors = divide_up(g_.n, kLanes<T>);
  vectors_ = static_cast<int>(std::min<ptrdiff_t>(vectors, kMaxVectors));
  constexpr int many[] = {0, 12, 8, 8, 6};
  rows_ = kBaseline ? 4 : kManyRegisters ? many[vectors_] : 6;
  if (kManyRegisters && vectors_ == 1 && g_.m <= 16) rows_ = 16;
  kc_ = even_block(g_.k, kBlockK<T>);
  mc_ = even_block(g_.m, 120);
  nc_ = divide_up(even_block(g_.n, 1536), kLanes<T>) * kLanes<T>;
  // The kernel reads A at any strides, so A is packed only if neither is 1. B is packed if its columns are not contiguous,
  // or if it is read often enough to pay for sequential access; narrow tiles suffer from strides much earlier.
  pack_a_ = g_.a_col != 1 && g_.a_row != 1 && g_.m > 1;
  constexpr ptrdiff_t limit = kManyRegisters ? 1 << 20 : 1 << 16, often = kManyRegisters ? 100 : 30;
  pack_b_ = (g_.b_col != 1 && g_.n > 1) || (g_.m > often && g_.k * g_.n * static_cast<ptrdiff_t>(sizeof(T)) > limit) ||
            (kWholeTilesOnly && g_.n % kLanes<T> != 0);
  streamed_ = pack_b_ && !pack_a_ && g_.m <= 2 * rows_;
}

// Calculates and stores C[i .. i + height, j .. j + width], of which t has A, B and k.
template <class T>
HWY_INLINE void BlockedProduct<T>::tile(Tile<T>& t, ptrdiff_t k0, ptrdiff_t i, ptrdiff_t j, int height, int vectors,
                                        ptrdiff_t width) {
  const TileKernel<T> kernel = tile_kernel<T>(height, vectors);
  if (direct_) {
    t.c = swap_ ? g_.c + j : g_.c + i * g_.ldc + j;
    t.ldc = g_.ldc;
    t.accumulate = k0 != 0 || g_.accumulate;
    t.alpha = g_.alpha;
    t.bias = k0 == 0 && g_.bias ? g_.bias + j : nullptr;
    return kernel(t);
  }
  HWY_ALIGN T sums[kRowLimit * kMaxVectors * kLanes<T>], turned[kRowLimit * kMaxVectors * kLanes<T>];
  const ptrdiff_t sums_row = vectors * kLanes<T>, turned_row = divide_up(height, kLanes<T>) * kLanes<T>;
  WriteBack<T> w{g_.alpha, k0 != 0 || g_.accumulate, nullptr};
  t.c = sums, t.ldc = sums_row;
  if (pack_b_) t.last_lanes = kLanes<T>;
  kernel(t);
  if (swap_) {
    if (k0 == 0 && g_.bias) w.bias = g_.bias + i;
    transpose(sums, sums_row, height, width, turned, turned_row);
    write_back(w, turned, turned_row, width, height, g_.c + j * g_.ldc + i, g_.ldc);
  } else {
    if (k0 == 0 && g_.bias) w.bias = g_.bias + j;
    write_back(w, sums, sums_row, height, width, g_.c + i * g_.ldc + j, g_.ldc);
  }
}

template <class T> void BlockedProduct<T>::run() {
  if (streamed_) return run_streamed();
  std::optional<Scratch> panels, strips;
  const ptrdiff_t panel = kc_ * vectors_ * kLanes<T>;
  const bool keep = g_.m > mc_;  // else a panel is used once, and stays in one place
  panel_step_ = keep ? kc_ * kLanes<T> : 0;
  if (pack_b_) panel_ = panels.emplace((keep ? kc_ * nc_ : panel) * sizeof(T)).template as<T>();
  if (pack_a_) strip_ = strips.emplace(kc_ * mc_ * sizeof(T)).template as<T>();
  for (ptrdiff_t j0 = 0; j0 < g_.n; j0 += nc_)
    for (ptrdiff_t k0 = 0; k0 < g_.k; k0 += kc_)
      for (ptrdiff_t i0 = 0; i0 < g_.m; i0 += mc_)
        rows_of_panels(j0, std::min(nc_, g_.n - j0), k0, std::min(kc_, g_.k - k0), i0, std::min(mc_, g_.m - i0));
}

template <class T>
void BlockedProduct<T>::rows_of_panels(ptrdiff_t j0, ptrdiff_t n, ptrdiff_t k0, ptrdiff_t k, ptrdiff_t i0, ptrdiff_t m) {
  const ptrdiff_t all = divide_up(n, kLanes<T>);
  const T* const a = g_.a + i0 * g_.a_row + k0 * g_.a_col;
  Tile<T> t;
  t.k = k;
  for (ptrdiff_t v = 0; v < all;) {
    const int vectors = static_cast<int>(next_piece(all - v, vectors_));
    const ptrdiff_t j = j0 + v * kLanes<T>, width = std::min(n - v * kLanes<T>, vectors * kLanes<T>);
    const T* const b = g_.b + k0 * g_.b_row + j * g_.b_col;
    T* const packed = panel_ + v * panel_step_;
    // Packed at first use: the kernel finds the panel in the nearest cache.
    if (pack_b_ && i0 == 0) pack_panel(b, g_.b_row, g_.b_col, k, width, packed, vectors * kLanes<T>);
    t.last_lanes = width - (vectors - 1) * kLanes<T>;
    t.b = pack_b_ ? packed : b;
    t.b_k = pack_b_ ? vectors * kLanes<T> : g_.b_row;
    for (ptrdiff_t r = 0; r < m;) {
      const int height = static_cast<int>(next_piece(m - r, rows_));
      if (pack_a_ && v == 0) pack_strip(a + r * g_.a_row, g_.a_col, g_.a_row, k, height, strip_ + r * kc_);
      t.a = pack_a_ ? strip_ + r * kc_ : a + r * g_.a_row;
      t.a_row = pack_a_ ? 1 : g_.a_row;
      t.a_k = pack_a_ ? height : g_.a_col;
      tile(t, k0, i0 + r, j, height, vectors, width);
      r += height;
    }
    v += vectors;
  }
}

// For few rows: B is turned in pieces that fit the first cache, each used at once. The sums wait in memory between the
// pieces, which rounds nothing.
template <class T> void BlockedProduct<T>::run_streamed() {
  constexpr ptrdiff_t kPiece = 64;
  const ptrdiff_t all = divide_up(g_.n, kLanes<T>), row = vectors_ * kLanes<T>;
  const Scratch memory((kPiece + g_.m) * row * sizeof(T));
  T* const packed = memory.as<T>();
  T* const sums = packed + kPiece * row;
  for (ptrdiff_t v = 0; v < all;) {
    const int vectors = static_cast<int>(next_piece(all - v, vectors_));
    const ptrdiff_t j = v * kLanes<T>, width = std::min(g_.n - j, vectors * kLanes<T>);
    for (ptrdiff_t k0 = 0, k1; k0 < g_.k; k0 = k1) {
      k1 = std::min(k0 + kc_, g_.k);
      for (ptrdiff_t k = k0; k < k1; k += kPiece) {
        Tile<T> t;
        t.k = std::min(kPiece, k1 - k);
        t.b = packed, t.b_k = vectors * kLanes<T>;
        pack_panel(g_.b + k * g_.b_row + j * g_.b_col, g_.b_row, g_.b_col, t.k, width, packed, t.b_k);
        for (ptrdiff_t r = 0; r < g_.m;) {
          const int height = static_cast<int>(next_piece(g_.m - r, rows_));
          t.a = g_.a + r * g_.a_row + k * g_.a_col, t.a_row = g_.a_row, t.a_k = g_.a_col;
          t.start = k == k0 ? nullptr : sums + r * t.b_k;
          t.last_lanes = kLanes<T>;
          if (k + t.k < k1) {
            t.c = sums + r * t.b_k, t.ldc = t.b_k;
            t.alpha = 1, t.accumulate = false, t.bias = nullptr;
            tile_kernel<T>(height, vectors)(t);
          } else {
            t.last_lanes = width - (vectors - 1) * kLanes<T>;
            tile(t, k0, r, j, height, vectors, width);
          }
          r += height;
        }
      }
    }
    v += vectors;
  }
}

// The small ones, of which nothing needs to be packed: one strip of tiles.
template <class T> bool is_small(const Product<T>& g) {
  return g.n <= kMaxVectors * kLanes<T> && g.m <= 128 && g.k <= kBlockK<T> && g.b_col == 1 &&
         (!kWholeTilesOnly || g.n % kLanes<T> == 0);
}
template <class T> void run_small(const Product<T>& g) {
  const int vectors = static_cast<int>(divide_up(g.n, kLanes<T>)), most = max_rows(vectors);
  Tile<T> t;
  t.a_row = g.a_row, t.a_k = g.a_col;
  t.b = g.b, t.b_k = g.b_row;
  t.ldc = g.ldc;
  t.k = g.k;
  t.last_lanes = g.n - (vectors - 1) * kLanes<T>;
  t.alpha = g.alpha, t.accumulate = g.accumulate, t.bias = g.bias;
  for (ptrdiff_t i = 0; i < g.m;) {
    const int height = static_cast<int>(next_piece(g.m - i, most));
    t.a = g.a + i * g.a_row;
    t.c = g.c + i * g.ldc;
    tile_kernel<T>(height, vectors)(t);
    i += height;
  }
}

// k > 0.
template <class T> void run_product(const Product<T>& g) {
  const bool small = is_small(g);
  if (small && g.m <= 2 * kLanes<T>) return run_small(g);
  const ptrdiff_t plain = plain_cost(g, g.n), swapped = swapped_cost(g, g.n), tail = g.n % kLanes<T>, body = g.n - tail;
  if (small && plain <= swapped) return run_small(g);
  // A few columns behind the last whole vector are cheaper as a transposed product of their own, if A need not be turned.
  if (g.a_row == 1 && tail != 0 && body != 0 && plain_cost(g, body) + swapped_cost(g, tail) < std::min(plain, swapped)) {
    Product<T> part = g;
    part.n = body;
    BlockedProduct<T>(part, false).run();
    part.n = tail, part.b += body * g.b_col, part.c += body;
    if (g.bias) part.bias += body;
    return BlockedProduct<T>(part, true).run();
  }
  BlockedProduct<T>(g, swapped < plain).run();
}

}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
