// Kernels of the formulas in the list Activation, for every SIMD target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/formulas_activation.cpp"
#include "hwy/foreach_target.h"
#include "kernels/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
#include "kernels/formulas/activation.h"
const FormulaKernels* activation_table() { return table<1>(Activation{}); }
}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus {
HWY_EXPORT(activation_table);
const FormulaKernels* activation_kernels() { return HWY_DYNAMIC_DISPATCH(activation_table)(); }
}  // namespace gradus
#endif
