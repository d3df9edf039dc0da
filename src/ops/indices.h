// From index tensors to the places that kernels read and write.
#pragma once
#include <vector>

#include "kernels/scatter.h"
#include "ops/ops.h"

namespace gradus {

// Places with the memory that they point at.
struct Indexed {
  kernels::Places places;
  Tensor outer, inner, index;
  Sizes block;                                                // the shape of what is read, in the result's dims

  int64_t numel() const { return places.outer * places.count * places.inner; }
};

void check_index_dtype(const Tensor& index, std::string_view what);           // int64 or int32
void check_number(const Args& a, int position);               // refuses one that self's elements can't be: 1.5 for integers
// The indices as row-major int64, all of them within [0, size): an error names the op, the index and the size. Negative ones
// count from the end where that is allowed.
Tensor checked_index(const Tensor& index, int64_t size, bool negative, std::string_view what);

// The shape relation of gather and scatter: index has self's dims, and no larger sizes outside dim.
void check_along(SizesRef self, int64_t dim, const Tensor& index, std::string_view what);

// Places in a tensor of layout l. One index for each element, along dim:
Indexed along(const Layout& l, int64_t dim, const Tensor& index);
// a vector of indices of dim, each for a whole part:
Indexed rows_of(const Layout& l, int64_t dim, const Tensor& index);
// indices that count the elements in row-major order:
Indexed elements_of(const Layout& l, const Tensor& index);

// The indices of index and index_put: index tensors, masks and gaps.
class IndexList {
 public:
  IndexList(SizesRef sizes, std::span<const Tensor> given, std::string_view what);
  const Sizes& block() const { return block_; }               // the shape of what they name
  Indexed places(const Layout& l) const;                      // checks the range of every index

 private:
  std::string_view what_;
  std::vector<Tensor> by_dim_;                                // null: all of the dimension
  Sizes index_, block_;                                       // the shape that the tensors broadcast to
  size_t first_ = 0, last_ = 0;                               // the indexed dims lie in [first_, last_)
  bool together_ = true;
};

void read(const Tensor& out, const Tensor& self, const Indexed& at);
// src is broadcast to at.block; it is cast to the dtype of out. Halves are summed in float.
void write(const Tensor& out, const Tensor& src, const Indexed& at, kernels::Combine how, Number alpha = Number(1));
// For every element of the block whether it is the last one to write its place.
Tensor last_writers(SizesRef sizes, const Indexed& at);        // at: in a row-major tensor of these sizes

}  // namespace gradus
