// Runs a compiled formula over arrays: any element types, strides and broadcasts, one driver for all formulas.
#pragma once
#include "kernels/strip.h"
#include "tensor/layout.h"

namespace gradus::kernels {

// An array, or one number for every element.
struct Operand {
  View view;
  Number number;
  bool is_number = false;
  Operand() = default;
  Operand(const View& v) : view(v) {}
  Operand(Number n) : number(n), is_number(true) {}
};

struct Formula {
  StripFn run = nullptr;
  Compute compute = Compute::f32;
  const void* attributes = nullptr;
  bool light = false;
};

// out[i] = formula(in[0][i], in[1][i], …). Operands broadcast to out and are converted to the compute type; the result is
// converted to out's type. out may be one of the operands, element on element.
void elementwise(const Formula& f, const View& out, const Operand* in, int n);

// The case without broadcasts of arrays, conversions or gaps: a strip of any length over n operands, in parallel where it pays.
void elementwise_flat(StripFn run, Strip& strip, int n, int64_t element_size, bool light);
void fill_repeat(void* to, Number value, Compute c);          // kRepeatBytes of one value

}  // namespace gradus::kernels
