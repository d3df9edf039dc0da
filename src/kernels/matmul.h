// Products of stacks of matrices of any strides, whose batch dims broadcast against each other.
#pragma once
#include "kernels/number.h"
#include "tensor/layout.h"

namespace gradus::kernels {

// The last two dims of an array are its matrices, those before them its batch.
struct Matrices {
  const char* data = nullptr;
  Dtype dtype = Dtype::none;
  Sizes batch, batch_strides;
  int64_t rows = 1, cols = 1, row_stride = 0, col_stride = 0;
};
Matrices left_matrices(const View& v);                        // a vector is one row
Matrices right_matrices(const View& v);                       // a vector is one column
Matrices transposed(Matrices m);

// out = alpha * a @ b (+ out if accumulate) + bias. out is row-major: batch, rows of a, columns of b, whatever its own number
// of dims. bias, if any, has one contiguous number per column. Operands share a real dtype, which is out's. A stack times one
// matrix is a single product of all its rows where the strides allow it.
void matmul(const View& out, const Matrices& a, const Matrices& b, SizesRef batch, Number alpha = 1, bool accumulate = false,
            const char* bias = nullptr);

// The product of two vectors of one real dtype. Floats and doubles: lane sums over blocks, which are added in double.
void dot(const View& out, const View& a, const View& b);
void dot_block(const float* a, const float* b, int64_t n, double* out);  // in vectors of this machine (matmul_dot.cpp)
void dot_block(const double* a, const double* b, int64_t n, double* out);

}  // namespace gradus::kernels
