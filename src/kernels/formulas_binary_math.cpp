// Kernels of the formulas in the list BinaryMath, for every SIMD target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/formulas_binary_math.cpp"
#include "hwy/foreach_target.h"
#include "kernels/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
#include "kernels/formulas/binary.h"
const FormulaKernels* binary_math_table() { return table<2>(BinaryMath{}); }
}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus {
HWY_EXPORT(binary_math_table);
const FormulaKernels* binary_math_kernels() { return HWY_DYNAMIC_DISPATCH(binary_math_table)(); }
}  // namespace gradus
#endif
