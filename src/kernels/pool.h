// Pooling: one number from each window of up to three spatial dims. Arrays are contiguous; a plane is one image of one channel.
#pragma once
#include <cstdint>

#include "tensor/dtype.h"

namespace gradus::kernels {

// Where the windows of one dim lie. Unused leading dims: one window of one element.
struct Windows {
  int64_t in = 1, out = 1, kernel = 1, stride = 1, padding = 0, dilation = 1;
  bool adaptive = false;                                      // out windows that cover the input evenly

  // The elements of window o that exist: first, first + dilation, … below end.
  int64_t first(int64_t o) const {
    if (adaptive) return o * in / out;
    const int64_t at = o * stride - padding;
    return at >= 0 ? at : at + (-at + dilation - 1) / dilation * dilation;
  }
  int64_t end(int64_t o) const {
    if (adaptive) return ((o + 1) * in + out - 1) / out;
    const int64_t at = o * stride - padding + (kernel - 1) * dilation + 1;
    return at < in ? at : in;
  }
  // How many elements window o has with those of the padding, but none beyond it.
  int64_t padded_length(int64_t o) const {
    const int64_t at = o * stride - padding, last = at + kernel < in + padding ? at + kernel : in + padding;
    return last - at;
  }
};

struct Pool {
  int64_t planes;
  Windows dim[3];
  bool count_include_pad = false;
  int64_t divisor = 0;                                        // of averages; 0: the count

  int64_t in_plane() const { return dim[0].in * dim[1].in * dim[2].in; }
  int64_t out_plane() const { return dim[0].out * dim[1].out * dim[2].out; }
};

// The largest of each window and where it lies in its plane. The last NaN counts as the largest; else the first of equals.
void max_pool(const Pool&, Dtype, const void* x, void* y, int64_t* index);
// Averages. Integers are divided toward zero.
void avg_pool(const Pool&, Dtype, const void* x, void* y);
// The transposed map of floating types: every element of y is dealt out evenly to its window.
void avg_pool_back(const Pool&, Dtype, const void* y, void* x);

// out[plane][i] = x[plane][index[plane][i]], and the transposed map: out = 0, then out[plane][index[plane][i]] += x[plane][i]
// (or = where replace is set) in the order of i. Throws Error(index) for an index outside of the plane.
void plane_gather(Dtype, int64_t planes, int64_t in_plane, int64_t out_plane, const void* x, const int64_t* index, void* out);
void plane_scatter(Dtype, int64_t planes, int64_t in_plane, int64_t out_plane, const void* x, const int64_t* index, void* out, bool replace);

}  // namespace gradus::kernels
