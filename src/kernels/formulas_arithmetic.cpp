// Kernels of the formulas in the list Arithmetic, for every SIMD target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/formulas_arithmetic.cpp"
#include "hwy/foreach_target.h"
#include "kernels/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
#include "kernels/formulas/binary.h"
const FormulaKernels* arithmetic_table() { return table<2>(Arithmetic{}); }
}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus {
HWY_EXPORT(arithmetic_table);
const FormulaKernels* arithmetic_kernels() { return HWY_DYNAMIC_DISPATCH(arithmetic_table)(); }
}  // namespace gradus
#endif
