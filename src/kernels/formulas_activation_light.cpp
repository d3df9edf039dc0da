// Kernels of the formulas in the list ActivationLight, for every SIMD target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/formulas_activation_light.cpp"
#include "hwy/foreach_target.h"
#include "kernels/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
#include "kernels/formulas/activation.h"
const FormulaKernels* activation_light_table() { return table<1>(ActivationLight{}); }
}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus {
HWY_EXPORT(activation_light_table);
const FormulaKernels* activation_light_kernels() { return HWY_DYNAMIC_DISPATCH(activation_light_table)(); }
}  // namespace gradus
#endif
