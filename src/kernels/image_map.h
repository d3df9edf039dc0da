// Maps between images that go dim by dim: every element of the result is a weighted sum of a few elements of the source, whose
// indices and weights are products over the spatial dims (padding by reflection, interpolation); windows as columns (fold).
#pragma once
#include <cstdint>

#include "tensor/dtype.h"

namespace gradus::kernels {

// Element o reads taps elements index[o * taps + …] with weights alike; no weights: 1. Unused leading dims: one element.
struct DimMap {
  int64_t in = 1, out = 1, taps = 1;
  const int64_t* index = nullptr;
  const double* weight = nullptr;
};
struct ImageMap {
  int64_t planes;
  DimMap dim[3];
  int64_t in_plane() const { return dim[0].in * dim[1].in * dim[2].in; }
  int64_t out_plane() const { return dim[0].out * dim[1].out * dim[2].out; }
};
// Arrays are contiguous: [plane][element].
void map_image(const ImageMap&, Dtype, const void* x, void* y);
void map_image_back(const ImageMap&, Dtype, const void* y, void* x);   // the transposed map; sums in the order of y

// Windows of an image as columns: [image][channel, row of the kernel, column of the kernel][window]. Beyond the image is 0.
struct Fold {
  int64_t images, channels, size[2], kernel[2], dilation[2], padding[2], stride[2], count[2];   // count of windows
};
void image_to_columns(const Fold&, Dtype, const void* image, void* columns);
void columns_to_image(const Fold&, Dtype, const void* columns, void* image);                    // sums what windows share

}  // namespace gradus::kernels
