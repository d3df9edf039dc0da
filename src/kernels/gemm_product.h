// A product of f32 or f64 matrices as it goes to the SIMD targets. Private to the kernels.
#pragma once
#include <cstddef>

namespace gradus::kernels {

template <class T> struct Product {
  ptrdiff_t m, n, k;
  const T* a;
  ptrdiff_t a_row, a_col;
  const T* b;
  ptrdiff_t b_row, b_col;
  T* c;
  ptrdiff_t ldc;
  T alpha = 1;
  bool accumulate = false;
  const T* bias = nullptr;
};

}  // namespace gradus::kernels
