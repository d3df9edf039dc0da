// Kernels of the formulas in the list UnaryTrig, for every SIMD target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/formulas_unary_trig.cpp"
#include "hwy/foreach_target.h"
#include "kernels/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
#include "kernels/formulas/unary.h"
const FormulaKernels* unary_trig_table() { return table<1>(UnaryTrig{}); }
}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus {
HWY_EXPORT(unary_trig_table);
const FormulaKernels* unary_trig_kernels() { return HWY_DYNAMIC_DISPATCH(unary_trig_table)(); }
}  // namespace gradus
#endif
