// Kernels of the formulas in the list UnaryExp, for every SIMD target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/formulas_unary_exp.cpp"
#include "hwy/foreach_target.h"
#include "kernels/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
#include "kernels/formulas/unary.h"
const FormulaKernels* unary_exp_table() { return table<1>(UnaryExp{}); }
}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus {
HWY_EXPORT(unary_exp_table);
const FormulaKernels* unary_exp_kernels() { return HWY_DYNAMIC_DISPATCH(unary_exp_table)(); }
}  // namespace gradus
#endif
