// The tables of a map between images, one per spatial dim (kernels/image_map.h), while they are made and used.
#pragma once
#include <vector>

#include "dispatch/evaluate.h"
#include "kernels/image_map.h"
#include "ops/ops.h"

namespace gradus {

class ImageMaps {
 public:
  // Over the last n of the dims of an image of these sizes.
  ImageMaps(SizesRef sizes, size_t n) : n_(n) {
    map_.planes = 1;
    for (size_t d = 0; d + n < sizes.size(); ++d) map_.planes *= sizes[d];
  }
  void start(size_t d, int64_t in, int64_t out, int64_t taps, bool weighted) {
    kernels::DimMap& m = map_.dim[3 - n_ + d];
    m.in = in, m.out = out, m.taps = taps;
    index_[d].reserve(static_cast<size_t>(out * taps));
    if (weighted) weight_[d].reserve(static_cast<size_t>(out * taps));
  }
  void add(size_t d, int64_t index) { index_[d].push_back(index); }
  void add(size_t d, int64_t index, double weight) {
    index_[d].push_back(index);
    weight_[d].push_back(weight);
  }
  Sizes out_sizes(SizesRef sizes) const {
    Sizes s(sizes);
    for (size_t d = 0; d < n_; ++d) s[s.size() - n_ + d] = map_.dim[3 - n_ + d].out;
    return s;
  }
  void run(const Tensor& x, const Tensor& out) const {
    const Tensor from = x.contiguous() ? x : clone(x);
    if (out.numel() != 0) kernels::map_image(finished(), x.dtype(), from.impl()->data(), out.impl()->data());
  }
  void run_back(const Tensor& y, const Tensor& out) const {
    const Tensor from = y.contiguous() ? y : clone(y);
    if (out.numel() != 0) kernels::map_image_back(finished(), y.dtype(), from.impl()->data(), out.impl()->data());
  }

 private:
  kernels::ImageMap finished() const {
    kernels::ImageMap m = map_;
    for (size_t d = 0; d < n_; ++d) {
      m.dim[3 - n_ + d].index = index_[d].data();
      m.dim[3 - n_ + d].weight = weight_[d].empty() ? nullptr : weight_[d].data();
    }
    return m;
  }
  size_t n_;
  kernels::ImageMap map_;
  std::vector<int64_t> index_[3];
  std::vector<double> weight_[3];
};

}  // namespace gradus
