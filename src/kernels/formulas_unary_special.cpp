// Kernels of the formulas in the list UnarySpecial, for every SIMD target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/formulas_unary_special.cpp"
#include "hwy/foreach_target.h"
#include "kernels/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
#include "kernels/formulas/unary.h"
const FormulaKernels* unary_special_table() { return table<1>(UnarySpecial{}); }
}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus {
HWY_EXPORT(unary_special_table);
const FormulaKernels* unary_special_kernels() { return HWY_DYNAMIC_DISPATCH(unary_special_table)(); }
}  // namespace gradus
#endif
