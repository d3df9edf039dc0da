// Products of integers, modulo a power of two, and of booleans. Sums of a tile of C wait on the stack.
#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "kernels/gemm_product.h"

namespace gradus::kernels {
namespace {

constexpr int64_t kRows = 4, kColumns = 64;

// Sums of types of up to 32 bits may wrap at 32 bits: what is stored are their low bits.
template <class T> using Sum = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

template <class T> Sum<T> multiply_add(Sum<T> sum, Sum<T> a, Sum<T> b) {
  if constexpr (std::is_same_v<T, bool>) return sum | (a & b);
  else return sum + a * b;
}

template <class T> void add_products(const Gemm& g, int64_t i, int64_t j, int64_t m, int64_t n, Sum<T> (&sums)[kRows][kColumns]) {
  const T* a = static_cast<const T*>(g.a) + i * g.a_row;
  const T* b = static_cast<const T*>(g.b) + j * g.b_col;
  Sum<T> row[kColumns] = {};
  for (int64_t k = 0; k < g.k; ++k, a += g.a_col, b += g.b_row) {
    if (g.b_col == 1)
      for (int64_t c = 0; c < n; ++c) row[c] = static_cast<Sum<T>>(b[c]);
    else
      for (int64_t c = 0; c < n; ++c) row[c] = static_cast<Sum<T>>(b[c * g.b_col]);
    for (int64_t r = 0; r < m; ++r) {
      const Sum<T> x = static_cast<Sum<T>>(a[r * g.a_row]);
      for (int64_t c = 0; c < kColumns; ++c) sums[r][c] = multiply_add<T>(sums[r][c], x, row[c]);
    }
  }
}

template <class T> void run(const Gemm& g) {
  const Sum<T> alpha = std::is_same_v<T, bool> ? g.integer_alpha != 0 : static_cast<Sum<T>>(g.integer_alpha);
  for (int64_t i = 0; i < g.m; i += kRows) {
    for (int64_t j = 0; j < g.n; j += kColumns) {
      const int64_t m = std::min(kRows, g.m - i), n = std::min(kColumns, g.n - j);
      Sum<T> sums[kRows][kColumns] = {};
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

}  // namespace

void gemm_integer(const Gemm& g) {
  switch (g.dtype) {
    case Dtype::boolean: return run<bool>(g);
    case Dtype::u8: return run<uint8_t>(g);
    case Dtype::i8: return run<int8_t>(g);
    case Dtype::i16: return run<int16_t>(g);
    case Dtype::i32: return run<int32_t>(g);
    default: return run<int64_t>(g);
  }
}

}  // namespace gradus::kernels
