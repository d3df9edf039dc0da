// Kernels of the formulas in the list Choice, for every SIMD target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/formulas_choice.cpp"
#include "hwy/foreach_target.h"
#include "kernels/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
#include "kernels/formulas/binary.h"
const FormulaKernels* choice_table() { return table<2>(Choice{}); }
}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus {
HWY_EXPORT(choice_table);
const FormulaKernels* choice_kernels() { return HWY_DYNAMIC_DISPATCH(choice_table)(); }
}  // namespace gradus
#endif
