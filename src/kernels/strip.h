// What a formula compiles to: one function per (formula, use, element type, SIMD target) that runs over a strip.
#pragma once
#include <cstdint>

#include "kernels/number.h"
#include "tensor/dtype.h"

namespace gradus {

inline constexpr int kMaxOperands = 6;                        // g, three inputs, the value, an addend
inline constexpr int kRepeatBytes = 64;                       // the widest vector
inline constexpr int kFormulaInputs = 3;

struct Strip {                                                // n elements of the compute type; operands contiguous or repeated
  int64_t n;
  void* out;
  const void* in[kMaxOperands];
  bool repeat[kMaxOperands];                                  // the pointer shows kRepeatBytes of one value
  const void* formula;                                        // its attributes
  bool stream;                                                // past the cache; out 64-byte aligned
};
using StripFn = void (*)(const Strip&);

// The element types that formulas are compiled for.
enum class Compute : uint8_t { f32, f64, i64, c64, c128 };
constexpr Compute compute_of(Dtype t) {                       // of a real type
  return t == Dtype::f64 ? Compute::f64 : is_integral(t) ? Compute::i64 : Compute::f32;
}
constexpr Compute complex_compute_of(Dtype t) { return t == Dtype::c128 ? Compute::c128 : Compute::c64; }
constexpr Dtype dtype_of(Compute c) {
  constexpr Dtype types[] = {Dtype::f32, Dtype::f64, Dtype::i64, Dtype::c64, Dtype::c128};
  return types[static_cast<int>(c)];
}

struct FormulaKernels {
  StripFn value[3] = {};                                      // by real Compute; null where the formula does not apply
  bool light = false;                                         // bound by memory, not by arithmetic
  StripFn pull[kFormulaInputs][2] = {};                       // out = in[last] + g * slope_i; in = {g, what it reads…, addend}
};
struct ComplexKernels {
  StripFn value[2] = {};                                      // complex64, complex128
};

}  // namespace gradus
