// Products of f16 and bf16: blocks of the operands are converted to float, multiplied, and the sums rounded once.
#if defined(GRADUS_KERNELS_GEMM_HALF_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_KERNELS_GEMM_HALF_INL_H
#undef GRADUS_KERNELS_GEMM_HALF_INL_H
#else
#define GRADUS_KERNELS_GEMM_HALF_INL_H
#endif
#include <algorithm>
#include <type_traits>

#include "kernels/gemm-inl.h"
#include "tensor/dtype.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;

// Whole vectors of f16 need instructions that came with AVX2; elsewhere, and at the ends of rows, scalar code does.
template <class H>
constexpr bool kVectorHalf = HWY_TARGET != HWY_SCALAR && (std::is_same_v<H, BFloat16> || HWY_TARGET <= HWY_AVX2);

template <class H> HWY_INLINE hn::Vec<FloatTag> load_half(const H* p) {
  const FloatTag d;
  if constexpr (std::is_same_v<H, BFloat16>) {
    const hn::RebindToUnsigned<FloatTag> du;
    const hn::Rebind<uint16_t, FloatTag> d16;
    return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(du, hn::LoadU(d16, reinterpret_cast<const uint16_t*>(p)))));
  } else {
    return hn::PromoteTo(d, hn::LoadU(hn::Rebind<hwy::float16_t, FloatTag>(), reinterpret_cast<const hwy::float16_t*>(p)));
  }
}
template <class H> HWY_INLINE void store_half(hn::Vec<FloatTag> v, H* p) {
  if constexpr (std::is_same_v<H, BFloat16>) {  // to nearest, ties to even, as to_bfloat16
    const hn::RebindToUnsigned<FloatTag> du;
    const hn::RebindToSigned<FloatTag> di;
    const hn::Rebind<uint16_t, FloatTag> d16;
    const auto bits = hn::BitCast(du, v);
    const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1u));
    const auto rounded = hn::ShiftRight<16>(hn::Add(bits, hn::Add(odd, hn::Set(du, 0x7fffu))));
    const auto nan = hn::Or(hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 0x8000u)), hn::Set(du, 0x7fc0u));
    const auto half = hn::IfThenElse(hn::RebindMask(du, hn::IsNaN(v)), nan, rounded);
    hn::StoreU(hn::DemoteTo(d16, hn::BitCast(di, half)), d16, reinterpret_cast<uint16_t*>(p));
  } else {
    const hn::Rebind<hwy::float16_t, FloatTag> d16;
    hn::StoreU(hn::DemoteTo(d16, v), d16, reinterpret_cast<hwy::float16_t*>(p));
  }
}

template <class H> void to_floats(const H* from, ptrdiff_t step, ptrdiff_t count, float* to) {
  ptrdiff_t i = 0;
  if constexpr (kVectorHalf<H>)
    if (step == 1)
      for (; i + kLanes<float> <= count; i += kLanes<float>) hn::StoreU(load_half(from + i), FloatTag(), to + i);
  for (; i < count; ++i) to[i] = to_float(from[i * step]);
}
template <class H> void to_halves(const float* from, ptrdiff_t count, H* to) {
  ptrdiff_t i = 0;
  if constexpr (kVectorHalf<H>)
    for (; i + kLanes<float> <= count; i += kLanes<float>) store_half(hn::LoadU(FloatTag(), from + i), to + i);
  for (; i < count; ++i) to[i] = convert<H>(from[i]);
}

// A dense float copy of a matrix, in the order of its own strides.
struct FloatMatrix {
  const float* data;
  ptrdiff_t row, column;
};
template <class H>
FloatMatrix to_floats(const H* from, ptrdiff_t row, ptrdiff_t column, ptrdiff_t rows, ptrdiff_t columns, float* to) {
  if (row == 1 && column != 1) {
    for (ptrdiff_t j = 0; j < columns; ++j) to_floats(from + j * column, 1, rows, to + j * rows);
    return {to, 1, rows};
  }
  for (ptrdiff_t i = 0; i < rows; ++i) to_floats(from + i * row, column, columns, to + i * columns);
  return {to, columns, 1};
}

// k > 0. A block of rows of A is converted once, and B again for each of them, in pieces that stay in the second cache.
template <class H> void run_half(const kernels::Gemm& g) {
  const ptrdiff_t rows = even_block(g.m, 120);
  const ptrdiff_t columns = even_block(g.n, std::clamp<ptrdiff_t>((1 << 17) / g.k, 64, 512) / 64 * 64);
  const Scratch memory((rows * g.k + g.k * columns + rows * columns + columns) * sizeof(float));
  float *const a = memory.as<float>(), *const b = a + rows * g.k, *const sums = b + g.k * columns,
               *const bias = sums + rows * columns;
  for (ptrdiff_t i = 0; i < g.m; i += rows) {
    const ptrdiff_t m = std::min(rows, g.m - i);
    const FloatMatrix left = to_floats(static_cast<const H*>(g.a) + i * g.a_row, g.a_row, g.a_col, m, g.k, a);
    for (ptrdiff_t j = 0; j < g.n; j += columns) {
      const ptrdiff_t n = std::min(columns, g.n - j);
      const FloatMatrix right = to_floats(static_cast<const H*>(g.b) + j * g.b_col, g.b_row, g.b_col, g.k, n, b);
      H* const c = static_cast<H*>(g.c) + i * g.ldc + j;
      if (g.bias) to_floats(static_cast<const H*>(g.bias) + j, 1, n, bias);
      if (g.accumulate)
        for (ptrdiff_t r = 0; r < m; ++r) to_floats(c + r * g.ldc, 1, n, sums + r * n);
      run_product(Product<float>{m, n, g.k, left.data, left.row, left.column, right.data, right.row, right.column, sums, n,
                                 static_cast<float>(g.alpha), g.accumulate, g.bias ? bias : nullptr});
      for (ptrdiff_t r = 0; r < m; ++r) to_halves(sums + r * n, n, c + r * g.ldc);
    }
  }
}

}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
