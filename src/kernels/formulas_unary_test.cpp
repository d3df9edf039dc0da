// Kernels of the formulas in the list UnaryTest, for every SIMD target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/formulas_unary_test.cpp"
#include "hwy/foreach_target.h"
#include "kernels/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
#include "kernels/formulas/compare.h"
const FormulaKernels* unary_test_table() { return table<1>(UnaryTest{}); }
}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus {
HWY_EXPORT(unary_test_table);
const FormulaKernels* unary_test_kernels() { return HWY_DYNAMIC_DISPATCH(unary_test_table)(); }
}  // namespace gradus
#endif
