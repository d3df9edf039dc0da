// Products of matrices of any real dtype. An element of a floating dtype is a chain of multiply-adds in the order of k, cut
// into blocks that depend on k and the dtype alone. Where these are fused (AVX2, AVX-512, NEON) a result has the same bits
// for any number of threads, on any of these targets, and for a row, a column or a matrix computed alone or with others.
#pragma once
#include <cstdint>

#include "tensor/dtype.h"

namespace gradus::kernels {

// c[m x n] = alpha * a[m x k] * b[k x n] + (c if accumulate) + (bias[n] if there is one).
// Strides count elements. a and b may have any that are not negative, zero included; rows of c are contiguous, ldc apart.
// f16 and bf16 are calculated in float and rounded once. Integers wrap around. Of booleans it is "or" of "and".
// k = 0 is an empty sum, m = 0 or n = 0 nothing at all. c overlaps neither a nor b nor bias.
struct Gemm {
  Dtype dtype;
  int64_t m, n, k;
  const void* a;
  int64_t a_row, a_col;
  const void* b;
  int64_t b_row, b_col;
  void* c;
  int64_t ldc;
  double alpha = 1;
  int64_t integer_alpha = 1;  // in place of alpha for integers and booleans
  bool accumulate = false;
  const void* bias = nullptr;
};
void gemm(const Gemm&);

// `count` products of one shape: the i-th has its operands at a + a_offsets[i] elements and so on; null offsets are zero.
// bias is the same for all. The results must not overlap.
void gemm_batch(const Gemm&, int64_t count, const int64_t* a_offsets, const int64_t* b_offsets, const int64_t* c_offsets);

}  // namespace gradus::kernels
