// Sizes and strides (in elements), and raw views: a piece of memory seen as an array. All arithmetic on sizes is checked.
#pragma once
#include <cstdint>
#include <span>

#include "base/error.h"
#include "base/small_vector.h"
#include "tensor/dtype.h"

namespace gradus {

using Sizes = SmallVector<int64_t, 6>;
using SizesRef = std::span<const int64_t>;
inline constexpr int kMaxDims = 64;

// Where an array lies in its storage. Strides are never negative.
struct Layout {
  Sizes sizes, strides;
  int64_t offset = 0;
};

// What is known of a tensor without its data.
struct Meta {
  Dtype dtype = Dtype::f32;
  Sizes sizes;
};

// What kernels see: memory, element type, sizes, strides.
struct View {
  char* data = nullptr;
  Dtype dtype = Dtype::none;
  int ndim = 0;
  const int64_t* sizes = nullptr;
  const int64_t* strides = nullptr;
  int64_t numel = 0;
  bool contiguous = false;

  template <class T> T* as() const { return reinterpret_cast<T*>(data); }
  SizesRef shape() const { return {sizes, static_cast<size_t>(ndim)}; }
  SizesRef steps() const { return {strides, static_cast<size_t>(ndim)}; }
};

const char* end_of(const View& v);                            // behind the last byte
// How two arrays lie in memory. As far as strides tell: where one has gaps, the elements of the other may lie in between (unknown).
// full: element on element, of one type.
enum class Overlap { none, full, partial, unknown };
Overlap overlap(const View& a, const View& b);

int64_t multiply(int64_t a, int64_t b);                       // throws Error(shape) on overflow
int64_t numel_of(SizesRef sizes);                             // refuses negative sizes
Sizes contiguous_strides(SizesRef sizes);
bool is_contiguous(SizesRef sizes, SizesRef strides);         // row-major without gaps; strides of size-1 dims do not count
// Elements from the first to the last one addressed; 0 when there are none.
int64_t span_of(SizesRef sizes, SizesRef strides);
// No two indices address one element, and no element between them is left out.
bool is_dense(SizesRef sizes, SizesRef strides);
// Certainly no two indices address one element.
bool is_non_overlapping(SizesRef sizes, SizesRef strides);

// dim of [-ndim, ndim), counted from 0; a scalar has one dim to name. `what` is the op, for the message.
int64_t wrap_dim(int64_t dim, int64_t ndim, std::string_view what);
// The common shape of arrays aligned at their last dimension.
Sizes broadcast_sizes(SizesRef a, SizesRef b, std::string_view what);
// Strides by which an array of `sizes` is read as one of `to`: 0 along repeated dimensions.
Sizes broadcast_strides(SizesRef sizes, SizesRef strides, SizesRef to);
// Strides for the sizes `to` over the same elements, if they can be had without a copy.
bool reshape_strides(SizesRef sizes, SizesRef strides, SizesRef to, Sizes& result);
bool same(SizesRef a, SizesRef b);

}  // namespace gradus
