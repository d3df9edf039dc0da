// What an lstm cell does after its products, over rows of four gates i, f, g, o of `size` elements each.
#pragma once
#include <cstdint>

#include "tensor/dtype.h"

namespace gradus::kernels {

struct Lstm {
  Dtype dtype = Dtype::f32;                                   // f32 or f64; all arrays are row-major
  int64_t rows = 0, size = 0;
  const void *gates = nullptr, *c = nullptr;                  // [rows, 4 * size], [rows, size]
  void *h = nullptr, *next = nullptr;                         // of backward: dc (h), and the c that came out (next)
  const void *gh = nullptr, *gc = nullptr;                    // of backward: the gradients of h and of the c that came out
  void* dgates = nullptr;
};
void lstm_forward(const Lstm&);                               // next = sigmoid(f) c + sigmoid(i) tanh(g), h = sigmoid(o) tanh(next)
void lstm_backward(const Lstm&);

}  // namespace gradus::kernels
