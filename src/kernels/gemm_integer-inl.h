// Products of integers, modulo a power of two, and of booleans: plain loops of constant count, which the compiler turns
// into the vectors of the target.
#if defined(GRADUS_KERNELS_GEMM_INTEGER_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_KERNELS_GEMM_INTEGER_INL_H
#undef GRADUS_KERNELS_GEMM_INTEGER_INL_H
#else
#define GRADUS_KERNELS_GEMM_INTEGER_INL_H
#endif
#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "hwy/highway.h"
#include "kernels/gemm.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {

constexpr int64_t kIntegerRows = 4, kIntegerColumns = 64;

// Sums of types of up to 32 bits may wrap at 32 bits: what is stored are their low bits.
template <class T> using Sum = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

template <class T> Sum<T> multiply_add(Sum<T> sum, Sum<T> a, Sum<T> b) {
  if constexpr (std::is_same_v<T, bool>) return sum | (a & b);
  else return sum + a * b;
}

template <class T>
void add_products(const kernels::Gemm& g, int64_t i, int64_t j, int64_t m, int64_t n,
                  Sum<T> (&sums)[kIntegerRows][kIntegerColumns]) {
  const T* a = static_cast<const T*>(g.a) + i * g.a_row;
  const T* b = static_cast<const T*>(g.b) + j * g.b_col;
  Sum<T> row[kIntegerColumns] = {};
  for (int64_t k = 0; k < g.k; ++k, a += g.a_col, b += g.b_row) {
    if (g.b_col == 1)
      for (int64_t c = 0; c < n; ++c) row[c] = static_cast<Sum<T>>(b[c]);
    else
      for (int64_t c = 0; c < n; ++c) row[c] = static_cast<Sum<T>>(b[c * g.b_col]);
    for (int64_t r = 0; r < m; ++r) {
      const Sum<T> x = static_cast<Sum<T>>(a[r * g.a_row]);
      for (int64_t c = 0; c < kIntegerColumns; ++c) sums[r][c] = multiply_add<T>(sums[r][c], x, row[c]);
    }
  }
}

template <class T> void run_integer(const kernels::Gemm& g) {
  const Sum<T> alpha = std::is_same_v<T, bool> ? g.integer_alpha != 0 : static_cast<Sum<T>>(g.integer_alpha);
  for (int64_t i = 0; i < g.m; i += kIntegerRows) {
    for (int64_t j = 0; j < g.n; j += kIntegerColumns) {
      const int64_t m = std::min(kIntegerRows, g.m - i), n = std::min(kIntegerColumns, g.n - j);
      Sum<T> sums[kIntegerRows][kIntegerColumns] = {};
      add_products<T>(g, i, j, m, n, sums);
      for (int64_t r = 0; r < m; ++r) {
        T* const c = static_cast<T*>(g.c) + (i + r) * g.ldc + j;
        for (int64_t x = 0; x < n; ++x) {
          Sum<T> v = g.accumulate ? static_cast<Sum<T>>(c[x]) : 0;
          if (g.bias) v = multiply_add<T>(v, 1, static_cast<Sum<T>>(static_cast<const T*>(g.bias)[j + x]));
          c[x] = static_cast<T>(multiply_add<T>(v, alpha, sums[r][x]));
        }
      }
    }
  }
}

}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
