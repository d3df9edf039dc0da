// Kernels of the formulas in the list Comparison, for every SIMD target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/formulas_comparison.cpp"
#include "hwy/foreach_target.h"
#include "kernels/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
#include "kernels/formulas/compare.h"
const FormulaKernels* comparison_table() { return table<2>(Comparison{}); }
}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus {
HWY_EXPORT(comparison_table);
const FormulaKernels* comparison_kernels() { return HWY_DYNAMIC_DISPATCH(comparison_table)(); }
}  // namespace gradus
#endif
