// Convolutions over up to three spatial dims: the three faces of the form sum of x * w * y over all terms that meet.
// Arrays are row-major: x [batch, in channels, in…], w [out channels, in channels / groups, kernel…],
// y [batch, out channels, out…]. Element o of a spatial dim of y meets element o * stride - padding + tap * dilation of x,
// where there is one; so the border behind the last element is as wide as `out` makes it.
// Results have the same bits for any number of threads, and for an image alone or in a batch (the weight gradient sums over
// the batch, in a fixed order).
#pragma once
#include <cstdint>

#include "tensor/dtype.h"

namespace gradus::kernels {

struct Conv {
  int64_t batch, groups, in_channels, out_channels;           // channels of all groups together
  int64_t in[3], out[3], kernel[3], stride[3], padding[3], dilation[3];   // unused leading dims: 1, 1, 1, 1, 0, 1

  int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  int64_t in_plane() const { return in[0] * in[1] * in[2]; }  // elements of one channel
  int64_t out_plane() const { return out[0] * out[1] * out[2]; }
  int64_t group_in() const { return in_channels / groups; }
  int64_t group_out() const { return out_channels / groups; }
  int64_t weights() const { return out_channels * group_in() * taps(); }
  // Multiply-adds of one image, all taps counted.
  double work() const { return static_cast<double>(weights()) * static_cast<double>(out_plane()); }
};

// Floats, doubles and integers (which wrap). bias has one number per channel of y, or is null.
void conv_forward(const Conv&, Dtype, const void* x, const void* w, const void* bias, void* y);
void conv_input(const Conv&, Dtype, const void* y, const void* w, void* x);
void conv_weight(const Conv&, Dtype, const void* x, const void* y, void* w);

}  // namespace gradus::kernels
