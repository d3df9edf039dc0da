// Softmax and its relatives along one dim of a row-major array of floats or doubles, seen as [outer, n, inner].
#pragma once
#include <cstdint>

#include "tensor/dtype.h"

namespace gradus::kernels {

struct Softmax {
  Dtype dtype = Dtype::f32;                                   // f32 or f64, of all arrays
  void* out = nullptr;
  const void* in = nullptr;                                   // x, or the result y where a gradient is pulled back
  const void* grad = nullptr;
  int64_t outer = 1, n = 1, inner = 1;
  bool log = false;
  bool safe = false;                                          // a row of -inf alone gives zeros
};
void softmax(const Softmax&);                                 // e^(x - max) / sum, or its logarithm
void softmax_backward(const Softmax&);                        // y (g - sum(g y)), or g - e^y sum(g)

}  // namespace gradus::kernels
