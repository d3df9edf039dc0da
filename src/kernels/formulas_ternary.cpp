// Kernels of the formulas in the list Ternary, for every SIMD target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/formulas_ternary.cpp"
#include "hwy/foreach_target.h"
#include "kernels/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
#include "kernels/formulas/ternary.h"
const FormulaKernels* ternary_table() { return table<3>(Ternary{}); }
}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus {
HWY_EXPORT(ternary_table);
const FormulaKernels* ternary_kernels() { return HWY_DYNAMIC_DISPATCH(ternary_table)(); }
}  // namespace gradus
#endif
