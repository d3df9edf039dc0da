// Conversion between element types along one stride.
#pragma once
#include "kernels/strip.h"

namespace gradus::kernels {

// to[i] = from[i * stride] for i in [0, n), into the compute type; strides in elements.
using Pack = void (*)(void* to, const char* from, int64_t n, int64_t stride);
// to[i * stride] = from[i], from the compute type.
using Unpack = void (*)(char* to, const void* from, int64_t n, int64_t stride);
Pack pack_for(Dtype from, Compute to);
Unpack unpack_for(Compute from, Dtype to);

// to[i * to_stride] = from[i * from_stride] for any two element types.
using Copy = void (*)(char* to, const char* from, int64_t n, int64_t to_stride, int64_t from_stride);
Copy copy_for(Dtype from, Dtype to);

}  // namespace gradus::kernels
