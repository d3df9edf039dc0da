// Products of matrices of any real dtype. An element of a floating dtype is a chain of multiply-adds in the order of k, cut
// into blocks that depend on k and the dtype alone. Where these are fused (AVX2, AVX-512, NEON) a result has the same bits
// for any number of threads, on any of these targets, and for a row, a column or a matrix computed alone or with others.
#pragma once
#include <cstdint>
#include <type_traits>

#include "tensor/dtype.h"

namespace gradus::kernels {

// c[m x n] = alpha * a[m x k] * b[k x n] + (c if accumulate) + (bias[n] if there is one).
// Strides count elements. a and b may have any that are not negative, zero included; rows of c are contiguous, ldc apart.
// f16 and bf16 are calculated in float and rounded once. Integers wrap around. Of booleans it is "or" of "and".
// k = 0 is an empty sum, m = 0 or n = 0 nothing at all. c overlaps neither a nor b nor bias.
template <class T> struct Product {
  int64_t m, n, k;
  const T* a;
  int64_t a_row, a_col;
  const T* b;
  int64_t b_row, b_col;
  T* c;
  int64_t ldc;
  std::conditional_t<std::is_void_v<T>, double, T> alpha = 1;
  bool accumulate = false;
  const T* bias = nullptr;
};
struct Gemm : Product<void> {
  Dtype dtype = Dtype::none;
  int64_t integer_alpha = 1;  // in place of alpha for integers and booleans
};
void gemm(const Gemm&);

// `count` products of one shape: the i-th has its operands at a + a_offsets[i] elements and so on; null offsets are zero.
// bias is the same for all. The results must not overlap.
void gemm_batch(const Gemm&, int64_t count, const int64_t* a_offsets, const int64_t* b_offsets, const int64_t* c_offsets);

}  // namespace gradus::kernels
