// Kernels of the formulas in the lists Special and SpecialPairs, for every SIMD target; the functions themselves are scalar.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/formulas_special.cpp"
#include "hwy/foreach_target.h"
#include "kernels/loops-inl.h"
#include "kernels/special_scalar.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {
#define GRADUS_LANES(f) \
  template <class D> HWY_INLINE Value<D> f(Value<D> x) { return lanes(x, x, [](auto a, auto) { return scalar::f(static_cast<double>(a)); }); }
GRADUS_LANES(bessel_i0) GRADUS_LANES(bessel_i0e) GRADUS_LANES(bessel_i1) GRADUS_LANES(bessel_i1e)
GRADUS_LANES(erfcx) GRADUS_LANES(ndtri) GRADUS_LANES(log_ndtr)
#undef GRADUS_LANES
#define GRADUS_LANES(f)                                           \
  template <class D> HWY_INLINE Value<D> f(Value<D> x, Same<D> y) { \
    return lanes(x, y, [](auto a, auto b) { return scalar::f(static_cast<double>(a), static_cast<double>(b)); }); \
  }
GRADUS_LANES(zeta) GRADUS_LANES(gamma_p) GRADUS_LANES(gamma_q)
#undef GRADUS_LANES
#include "kernels/formulas/special.h"
const FormulaKernels* special_table() { return table<1>(Special{}); }
const FormulaKernels* special_pairs_table() { return table<2>(SpecialPairs{}); }
}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradus {
HWY_EXPORT(special_table);
HWY_EXPORT(special_pairs_table);
const FormulaKernels* special_kernels() { return HWY_DYNAMIC_DISPATCH(special_table)(); }
const FormulaKernels* special_pairs_kernels() { return HWY_DYNAMIC_DISPATCH(special_pairs_table)(); }
}  // namespace gradus
#endif
