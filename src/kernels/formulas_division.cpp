// Kernels of the formulas in the list Division, for every SIMD target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/formulas_division.cpp"
#include "hwy/foreach_target.h"
#include "kernels/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
#include "kernels/formulas/binary.h"
const FormulaKernels* division_table() { return table<2>(Division{}); }
}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus {
HWY_EXPORT(division_table);
const FormulaKernels* division_kernels() { return HWY_DYNAMIC_DISPATCH(division_table)(); }
}  // namespace gradus
#endif
