// The transcendental functions of Value, all with the special values of C99 (NaN, infinities, signed zeros, overflow,
// subnormal results) and at most 2 ulp (exp, log, sin, cos, tanh, sigmoid, erf) or 4 ulp (the others) of error.
// Highway's own math functions are not used: they are wrong outside the polynomials' ranges.
// Included once per SIMD target.
#if defined(GRADUS_KERNELS_MATH_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_KERNELS_MATH_INL_H
#undef GRADUS_KERNELS_MATH_INL_H
#else
#define GRADUS_KERNELS_MATH_INL_H
#endif
#include "kernels/exp-inl.h"
#include "kernels/log-inl.h"
#include "kernels/simd-inl.h"
#include "kernels/special-inl.h"
#include "kernels/trig-inl.h"
#endif
