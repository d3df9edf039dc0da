// Kernels of the formulas for complex numbers: one plain loop.
#include "kernels/complex.h"
#include "kernels/formulas/probe.h"
#include "kernels/strip.h"

namespace gradus {
namespace formulas {
#include "kernels/formulas/unary.h"
#include "kernels/formulas/activation.h"
#include "kernels/formulas/binary.h"
#include "kernels/formulas/compare.h"
#include "kernels/formulas/ternary.h"
#include "kernels/formulas/complex.h"
}  // namespace formulas

namespace {

template <class F, int arity, class T> void complex_strip(const Strip& s) {
  F f;
  if constexpr (!std::is_empty_v<F>) f = *static_cast<const F*>(s.formula);
  auto* out = static_cast<Complex<T>*>(s.out);
  for (int64_t e = 0; e < s.n; ++e) {
    Complex<T> v[arity];
    for (int j = 0; j < arity; ++j) v[j] = static_cast<const Complex<T>*>(s.in[j])[s.repeat[j] ? 0 : e];
    if constexpr (arity == 1) out[e] = f.value(v[0]);
    else if constexpr (arity == 2) out[e] = f.value(v[0], v[1]);
    else out[e] = f.value(v[0], v[1], v[2]);
  }
}
template <int arity, class... F> const ComplexKernels* table(List<F...>) {
  static constexpr ComplexKernels all[] = {{{complex_strip<F, arity, float>, complex_strip<F, arity, double>}}...};
  return all;
}

}  // namespace

const ComplexKernels* complex_unary_kernels() { return table<1>(formulas::ComplexUnary{}); }
const ComplexKernels* complex_binary_kernels() { return table<2>(formulas::ComplexBinary{}); }
const ComplexKernels* complex_ternary_kernels() { return table<3>(formulas::ComplexTernary{}); }

}  // namespace gradus
