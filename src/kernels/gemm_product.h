// A product of f32 or f64 matrices as it goes to the SIMD targets, and the other ways of gemm.cpp. Private to the kernels.
#pragma once
#include <cstddef>

#include "kernels/gemm.h"

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

// For integers and booleans, k = 0 included; one thread.
void gemm_integer(const Gemm&);

}  // namespace gradus::kernels
