// Reading elements at places that indices name.
#pragma once
#include "tensor/layout.h"

namespace gradus::kernels {

// The places that a block of outer x count x inner elements names in another array. Element (o, i, j) stands for the place
// outer_offset[o] + index * stride + inner_offset[j], where the index is its own, index[(o * count + i) * inner + j], or
// (shared) that of its row, index[i]. No inner offsets: j itself. All indices lie in [0, size).
struct Places {
  int64_t outer = 1, count = 0, inner = 1;
  const int64_t* outer_offset = nullptr;
  const int64_t* inner_offset = nullptr;
  const int64_t* index = nullptr;
  bool shared = false;
  int64_t stride = 1, size = 0;

  int64_t place(int64_t o, int64_t i, int64_t j) const {
    return outer_offset[o] + index[shared ? i : (o * count + i) * inner + j] * stride + (inner_offset ? inner_offset[j] : j);
  }
};

// to: the block, row-major, of from's element type.
void read(char* to, const View& from, const Places& p);

// to[i] = from[i], with size added to negative ones where they are allowed. False at the first that is out of range: it is put in bad.
bool check_indices(int64_t* to, const int64_t* from, int64_t n, int64_t size, bool negative, int64_t& bad);

// to[i] += from[i] * stride, with the same check and size added to negative indices.
bool add_indices(int64_t* to, const int64_t* from, int64_t n, int64_t size, int64_t stride, int64_t& bad);

// out[i] = the offset of the i-th element, in row-major order, of an array of these sizes and strides.
void offsets(int64_t* out, SizesRef sizes, SizesRef strides);

// The indices of the elements that are not 0, in row-major order; one row of in.ndim numbers each.
int64_t count_nonzero(const View& in);
void nonzero(int64_t* out, const View& in);

// out[.., p, ..] = the sum of in[.., i, .., p - i * step] over the windows i that hold p: the transpose of unfold along dim. Both are
// contiguous. Windows are added in their order, in double or 64-bit integers.
void fold(const View& out, const View& in, int dim, int64_t step);

}  // namespace gradus::kernels
