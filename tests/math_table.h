// Every function of the kernels' Value type as a loop over arrays, per function and SIMD target.
#pragma once
#include <cstddef>
#include <span>
#include <vector>

struct MathTable {
  const char* name;
  void (*f32)(const float* x, const float* y, float* out, size_t n);
  void (*f64)(const double* x, const double* y, double* out, size_t n);
};

struct MathTarget {
  const char* name;
  std::span<const MathTable> functions;  // the same order for every target
};

// The targets compiled in that this machine can run. They are called directly: Highway's own switch does not hold.
std::vector<MathTarget> math_targets();
