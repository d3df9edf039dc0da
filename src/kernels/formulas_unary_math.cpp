// Kernels of the formulas in the list UnaryMath, for every SIMD target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/formulas_unary_math.cpp"
#include "hwy/foreach_target.h"
#include "kernels/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
#include "kernels/formulas/unary.h"
const FormulaKernels* unary_math_table() { return table<1>(UnaryMath{}); }
}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus {
HWY_EXPORT(unary_math_table);
const FormulaKernels* unary_math_kernels() { return HWY_DYNAMIC_DISPATCH(unary_math_table)(); }
}  // namespace gradus
#endif
