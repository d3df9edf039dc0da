// The register-blocked kernel of the matrix product, written once for every SIMD target and for f32 and f64:
// a tile of C, rows x vectors, is the sum over k of broadcast(A[i, k]) * B[k, vector]. One chain of fused multiply-adds
// in the order of k per element, whatever the tile: that is what makes results independent of shape, threads and width.
#if defined(GRADUS_KERNELS_GEMM_KERNEL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_KERNELS_GEMM_KERNEL_INL_H
#undef GRADUS_KERNELS_GEMM_KERNEL_INL_H
#else
#define GRADUS_KERNELS_GEMM_KERNEL_INL_H
#endif
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "kernels/flat.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

struct SegmentOffset {
  ptrdiff_t a, b;
};

// One call of the kernel. A is read by scalars, so any strides will do: row-major, transposed, packed, a shifted image.
// B needs contiguous columns. K may consist of several segments of k (the taps of a convolution, the rows of an image).
template <class T> struct Tile {
  const T* a = nullptr;
  ptrdiff_t a_row = 0, a_k = 0;
  const T* b = nullptr;
  ptrdiff_t b_k = 0;
  T* c = nullptr;
  ptrdiff_t ldc = 0;
  ptrdiff_t k = 0;
  ptrdiff_t last_lanes = 0;  // columns in use of the last vector: 1 .. lanes
  ptrdiff_t segments = 1;
  const SegmentOffset* offset = nullptr;
  const T* start = nullptr;  // sums so far, rows of whole vectors; null: zero
  // What is stored: alpha * sum + (c if accumulate) + (bias[column] if any).
  T alpha = 1;
  bool accumulate = false;
  const T* bias = nullptr;
};

// Registers decide the tile: 32 of them (AVX-512, NEON), 16 (AVX2). The baselines get few kernels, for their size.
constexpr bool kManyRegisters = HWY_TARGET <= HWY_AVX3 || HWY_TARGET == HWY_NEON;
constexpr bool kBaseline = !kManyRegisters && HWY_TARGET != HWY_AVX2;
constexpr int kMaxVectors = kManyRegisters ? 4 : 2;
constexpr int max_rows(int vectors) {
  constexpr int many[] = {0, 16, 14, 8, 6}, few[] = {0, 12, 6};
  return kBaseline ? 4 : kManyRegisters ? many[vectors] : few[vectors];
}
constexpr int kRowLimit = 16;
// Asks for the line of p[i], which may lie outside the array: the address is formed as a number.
template <class T> HWY_INLINE void prefetch(const T* p, ptrdiff_t i) {
  hwy::Prefetch(reinterpret_cast<const T*>(reinterpret_cast<uintptr_t>(p) + static_cast<uintptr_t>(i) * sizeof(T)));
}

template <class T> constexpr ptrdiff_t kLanes = hn::MaxLanes(hn::ScalableTag<T>());

// Masked loads in the loop over k cost nothing with AVX-512, and about a tenth with AVX2: there whole tiles get a kernel
// of their own. Where a masked load touches the memory behind the last lane (AVX2 has true ones for our types), partial
// tiles do not come here at all: B is packed with zeros, C goes through a scratch tile.
constexpr bool kFreeMasks = HWY_TARGET <= HWY_AVX3;
constexpr bool kWholeTilesOnly = HWY_MEM_OPS_MIGHT_FAULT && HWY_TARGET != HWY_AVX2;

template <class T, int kRows, int kVectors, bool kMask> struct Accumulators {
  using D = hn::ScalableTag<T>;
  using V = hn::Vec<D>;
  using M = hn::Mask<D>;
  static constexpr ptrdiff_t kWidth = kLanes<T>;
  V sum[kRows][kVectors];

  static HWY_INLINE V load(const T* p, int j, M last) {
    return kMask && j == kVectors - 1 ? hn::MaskedLoad(last, D(), p + j * kWidth) : hn::LoadU(D(), p + j * kWidth);
  }
  static HWY_INLINE void store(V v, T* p, int j, M last) {
    if (kMask && j == kVectors - 1) hn::BlendedStore(v, last, D(), p + j * kWidth);
    else hn::StoreU(v, D(), p + j * kWidth);
  }

  HWY_INLINE void begin(const Tile<T>& t) {
    if (const T* const start = t.start) {
      GRADUS_FLAT for (int i = 0; i < kRows; ++i) {
        GRADUS_FLAT for (int j = 0; j < kVectors; ++j) sum[i][j] = hn::LoadU(D(), start + (i * kVectors + j) * kWidth);
      }
    } else {
      GRADUS_FLAT for (int i = 0; i < kRows; ++i) { GRADUS_FLAT for (int j = 0; j < kVectors; ++j) sum[i][j] = hn::Zero(D()); }
    }
  }

  HWY_INLINE void run(const Tile<T>& t, M last) {
    constexpr int kBases = (kRows + 2) / 3;  // x86 addresses reach base, base + row and base + 2 row
    constexpr ptrdiff_t kStep = 16;
    const D d;
    const ptrdiff_t a_row = t.a_row, a_k = t.a_k, b_k = t.b_k;
    int row = 0;
    for (ptrdiff_t s = 0; s < t.segments; ++s) {
      const T* b = t.b + (t.offset ? t.offset[s].b : 0);
      const T* const a0 = t.a + (t.offset ? t.offset[s].a : 0);
      const T* a[kBases];
      GRADUS_FLAT for (int i = 0; i < kBases; ++i) a[i] = a0 + 3 * i * a_row;
      for (ptrdiff_t left = t.k; left != 0;) {
        ptrdiff_t k = left < kStep ? left : kStep;
        left -= k;
        if (row < kRows) {  // one row of C at a time: a burst of misses delays operands
          GRADUS_FLAT for (int j = 0; j < kVectors; ++j) prefetch(t.c, row * t.ldc + j * kWidth);
          ++row;
        }
        for (; k != 0; --k) {
          V v[kVectors];
          prefetch(a[0], 8 * a_k);  // pays when k strides over pages
          GRADUS_FLAT for (int j = 0; j < kVectors; ++j) v[j] = load(b, j, last);
          GRADUS_FLAT for (int i = 0; i < kRows; ++i) {
            const V x = hn::Set(d, a[i / 3][(i % 3) * a_row]);
            GRADUS_FLAT for (int j = 0; j < kVectors; ++j) sum[i][j] = hn::MulAdd(x, v[j], sum[i][j]);
          }
          GRADUS_FLAT for (int i = 0; i < kBases; ++i) a[i] += a_k;
          b += b_k;
        }
      }
    }
  }

  // The fused multiply-adds are written out, so that no compiler decides whether they round once or twice.
  HWY_INLINE void finish(const Tile<T>& t, M last) {
    const D d;
    T* const c = t.c;  // copies: stores through T* could change the fields of t
    const ptrdiff_t ldc = t.ldc;
    const T* const bias = t.bias;
    const bool accumulate = t.accumulate, plain = t.alpha == T(1) && !bias;
    if (plain && !accumulate) {
      GRADUS_FLAT for (int i = 0; i < kRows; ++i) {
        GRADUS_FLAT for (int j = 0; j < kVectors; ++j) store(sum[i][j], c + i * ldc, j, last);
      }
    } else if (plain) {
      GRADUS_FLAT for (int i = 0; i < kRows; ++i) {
        GRADUS_FLAT for (int j = 0; j < kVectors; ++j)
            store(hn::Add(sum[i][j], load(c + i * ldc, j, last)), c + i * ldc, j, last);
      }
    } else {
      const V alpha = hn::Set(d, t.alpha);
      GRADUS_FLAT for (int j = 0; j < kVectors; ++j) {
        const V shift = bias ? load(bias, j, last) : hn::Zero(d);
        GRADUS_FLAT for (int i = 0; i < kRows; ++i) {
          V v = sum[i][j];
          if (accumulate) v = hn::MulAdd(alpha, v, hn::Add(load(c + i * ldc, j, last), shift));
          else v = bias ? hn::MulAdd(alpha, v, shift) : hn::Mul(alpha, v);
          store(v, c + i * ldc, j, last);
        }
      }
    }
  }
};

template <class T, int kRows, int kVectors, bool kMask> HWY_INLINE void run_tile_masked(const Tile<T>& t) {
  const auto last = hn::FirstN(hn::ScalableTag<T>(), t.last_lanes);
  Accumulators<T, kRows, kVectors, kMask> a;
  a.begin(t);
  a.run(t, last);
  a.finish(t, last);
}
template <class T, int kRows, int kVectors> void run_tile(const Tile<T>& t) {
  if (kWholeTilesOnly || kLanes<T> == 1 || (!kFreeMasks && t.last_lanes == kLanes<T>))
    run_tile_masked<T, kRows, kVectors, false>(t);
  else run_tile_masked<T, kRows, kVectors, true>(t);
}

template <class T> using TileKernel = void (*)(const Tile<T>&);

template <class T, int kVectors, int... i>
constexpr std::array<TileKernel<T>, kRowLimit + 1> kernels_of_width(std::integer_sequence<int, i...>) {
  return {(i >= 1 && i <= max_rows(kVectors) ? &run_tile<T, (i >= 1 && i <= max_rows(kVectors) ? i : 1), kVectors> : nullptr)...};
}

// For 1 <= vectors <= kMaxVectors and 1 <= rows <= max_rows(vectors).
template <class T> HWY_INLINE TileKernel<T> tile_kernel(int rows, int vectors) {
  using Rows = std::make_integer_sequence<int, kRowLimit + 1>;
  static constexpr std::array<TileKernel<T>, kRowLimit + 1> table[] = {
    kernels_of_width<T, 1>(Rows{}),
    kernels_of_width<T, 2>(Rows{}),
#if HWY_TARGET <= HWY_AVX3 || HWY_TARGET == HWY_NEON
    kernels_of_width<T, 3>(Rows{}),
    kernels_of_width<T, 4>(Rows{}),
#endif
  };
  return table[vectors - 1][rows];
}

}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
