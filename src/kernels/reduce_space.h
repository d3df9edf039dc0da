// The dims of an array, parted into kept and reduced ones. Private to the kernels.
#pragma once
#include <algorithm>

#include "tensor/layout.h"

namespace gradus::kernels {

struct Dim { int64_t size, in, out; };                        // strides: of the array, and of the row-major result

// Dims by falling stride, those of size 1 left out, neighbours merged where both strides allow it; never empty.
inline void collapse(Dim* dims, int& n) {
  const auto drop = std::remove_if(dims, dims + n, [](const Dim& d) { return d.size == 1; });
  n = static_cast<int>(drop - dims);
  std::stable_sort(dims, dims + n, [](const Dim& a, const Dim& b) { return a.in > b.in; });
  int m = 0;
  for (int d = 0; d < n; ++d) {
    if (m > 0 && dims[m - 1].in == dims[d].in * dims[d].size && dims[m - 1].out == dims[d].out * dims[d].size)
      dims[m - 1] = {dims[m - 1].size * dims[d].size, dims[d].in, dims[d].out};
    else
      dims[m++] = dims[d];
  }
  if (m == 0) dims[m++] = {1, 0, 0};
  n = m;
}

struct ReduceSpace {
  Dim kept[kMaxDims + 1], reduced[kMaxDims + 1];
  int kept_dims = 0, reduced_dims = 0;
  int64_t outputs = 1, count = 1;                             // results, and elements that go into each

  ReduceSpace(const View& in, uint64_t dims) {
    for (int d = in.ndim - 1; d >= 0; --d) {                  // from the last: strides of the result
      if (dims >> d & 1) {
        reduced[reduced_dims++] = {in.sizes[d], in.strides[d], 0};
        count *= in.sizes[d];
      } else {
        kept[kept_dims++] = {in.sizes[d], in.strides[d], outputs};
        outputs *= in.sizes[d];
      }
    }
    std::reverse(kept, kept + kept_dims);
    std::reverse(reduced, reduced + reduced_dims);
    collapse(kept, kept_dims);
    collapse(reduced, reduced_dims);
  }
  const Dim& inner_kept() const { return kept[kept_dims - 1]; }
  const Dim& inner_reduced() const { return reduced[reduced_dims - 1]; }
  // Whether neighbours in memory belong to different results.
  bool along_kept() const { return inner_kept().size > 1 && (inner_reduced().size == 1 || inner_kept().in < inner_reduced().in); }
};

struct Place { int64_t in = 0, out = 0; };
// Offsets of the i-th index of dims in row-major order.
inline Place place_of(const Dim* dims, int n, int64_t i) {
  Place p;
  for (int d = n - 1; d >= 0; --d) {
    const int64_t k = i % dims[d].size;
    i /= dims[d].size;
    p.in += k * dims[d].in;
    p.out += k * dims[d].out;
  }
  return p;
}

}  // namespace gradus::kernels
