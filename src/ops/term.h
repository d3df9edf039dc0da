// The value type of formulas over tensors: a tensor or a number, with operators that call ops. Under create_graph the text of a
// formula's slope becomes ordinary recorded ops through it. Complex tensors are ordered by their real parts.
#pragma once
#include "ops/ops.h"

namespace gradus {

struct Term {
  Tensor tensor;                                              // null: the number
  Number number;
  Dtype type = Dtype::none;                                   // of the tensors it came from; a mask is boolean itself

  Term() = default;
  Term(Tensor t) : tensor(std::move(t)) { if (is_differentiable(tensor.dtype())) type = tensor.dtype(); }
  Term(double v) : number(v) {}
  Term(int v) : number(v) {}
  Term(Number v) : number(v) { if (v.is_complex()) *this = Term(full({}, v, Dtype::c128)); }
  Value value() const { return tensor ? Value(tensor) : Value(number); }
};

namespace terms {

inline Dtype common(Dtype a, Dtype b) { return a == Dtype::none ? b : b == Dtype::none ? a : promote(a, b); }
inline Term apply(const Op& op, const Term& a) { return call(op, {a.value()}); }
inline Term apply(const Op& op, const Term& a, const Term& b) { return call(op, {a.value(), b.value()}); }
inline Term test(const Op& op, const Term& a) {
  Term m = apply(op, a);
  m.type = a.type;
  return m;
}
inline Term test(const Op& op, const Term& a, const Term& b) {
  Term m = apply(op, a, b);
  m.type = common(a.type, b.type);
  return m;
}
inline Value real_part(const Term& a, Tensor& room) {
  if (!a.tensor || !is_complex(a.tensor.dtype())) return a.value();
  room = real(a.tensor);
  return Value(room);
}
inline Term order(const Op& op, const Term& a, const Term& b) {
  Tensor rooms[2];
  Term m = call(op, {real_part(a, rooms[0]), real_part(b, rooms[1])});
  m.type = common(a.type, b.type);
  return m;
}
// Two numbers chosen by a mask would make a float32, whatever the mask was made from.
inline Value chosen(const Term& t, Dtype type, Tensor& room) {
  if (t.tensor || type == Dtype::none) return t.value();
  room = full({}, t.number, type);
  return Value(room);
}

}  // namespace terms

// Two numbers make a number; so a formula's constants cost nothing.
#define GRADUS_TERM_OPERATOR(symbol, call)                                                           \
  inline Term operator symbol(const Term& a, const Term& b) {                                        \
    if (!a.tensor && !b.tensor) return Term(static_cast<double>(a.number.f symbol b.number.f));      \
    return terms::call;                                                                              \
  }
GRADUS_TERM_OPERATOR(+, apply(add_op, a, b))
GRADUS_TERM_OPERATOR(-, apply(sub_op, a, b))
GRADUS_TERM_OPERATOR(*, apply(mul_op, a, b))
GRADUS_TERM_OPERATOR(/, apply(div_op, a, b))
GRADUS_TERM_OPERATOR(<, order(lt_op, a, b))
GRADUS_TERM_OPERATOR(>, order(gt_op, a, b))
GRADUS_TERM_OPERATOR(<=, order(le_op, a, b))
GRADUS_TERM_OPERATOR(>=, order(ge_op, a, b))
GRADUS_TERM_OPERATOR(==, test(eq_op, a, b))
GRADUS_TERM_OPERATOR(!=, test(ne_op, a, b))
#undef GRADUS_TERM_OPERATOR
inline Term operator-(const Term& a) { return a.tensor ? terms::apply(neg_op, a) : Term(-a.number.f); }

// Of masks; there is no `!`, which tensors have.
inline Term operator&(const Term& a, const Term& b) { return terms::test(logical_and_op, a, b); }
inline Term operator|(const Term& a, const Term& b) { return terms::test(logical_or_op, a, b); }
inline Term operator^(const Term& a, const Term& b) { return terms::test(logical_xor_op, a, b); }
inline Term select(const Term& m, const Term& a, const Term& b) {
  if (!m.tensor) return m.number.f != 0 ? a : b;
  Tensor rooms[2];
  Term y = call(where_op, {m.value(), terms::chosen(a, b.tensor ? Dtype::none : m.type, rooms[0]),
                           terms::chosen(b, a.tensor ? Dtype::none : m.type, rooms[1])});
  if (y.type == Dtype::none) y.type = m.type;
  return y;
}

#define GRADUS_TERM_FUNCTION(f) \
  inline Term f(const Term& a) { return terms::apply(f##_op, a); }
GRADUS_TERM_FUNCTION(exp) GRADUS_TERM_FUNCTION(exp2) GRADUS_TERM_FUNCTION(expm1) GRADUS_TERM_FUNCTION(log) GRADUS_TERM_FUNCTION(log2)
GRADUS_TERM_FUNCTION(log10) GRADUS_TERM_FUNCTION(log1p) GRADUS_TERM_FUNCTION(sin) GRADUS_TERM_FUNCTION(cos) GRADUS_TERM_FUNCTION(tan)
GRADUS_TERM_FUNCTION(asin) GRADUS_TERM_FUNCTION(acos) GRADUS_TERM_FUNCTION(atan) GRADUS_TERM_FUNCTION(sinh) GRADUS_TERM_FUNCTION(cosh)
GRADUS_TERM_FUNCTION(tanh) GRADUS_TERM_FUNCTION(asinh) GRADUS_TERM_FUNCTION(acosh) GRADUS_TERM_FUNCTION(atanh)
GRADUS_TERM_FUNCTION(sigmoid) GRADUS_TERM_FUNCTION(erf) GRADUS_TERM_FUNCTION(erfc) GRADUS_TERM_FUNCTION(erfinv)
GRADUS_TERM_FUNCTION(lgamma) GRADUS_TERM_FUNCTION(digamma) GRADUS_TERM_FUNCTION(sqrt) GRADUS_TERM_FUNCTION(abs)
GRADUS_TERM_FUNCTION(floor) GRADUS_TERM_FUNCTION(ceil) GRADUS_TERM_FUNCTION(trunc)
#undef GRADUS_TERM_FUNCTION
inline Term sign(const Term& a) { return terms::apply(a.tensor && is_complex(a.tensor.dtype()) ? sgn_op : sign_op, a); }
inline Term bessel_i0(const Term& a) { return terms::apply(i0_op, a); }
inline Term bessel_i0e(const Term& a) { return terms::apply(special_i0e_op, a); }
inline Term bessel_i1(const Term& a) { return terms::apply(special_i1_op, a); }
inline Term bessel_i1e(const Term& a) { return terms::apply(special_i1e_op, a); }
inline Term erfcx(const Term& a) { return terms::apply(special_erfcx_op, a); }
inline Term ndtri(const Term& a) { return terms::apply(special_ndtri_op, a); }
inline Term log_ndtr(const Term& a) { return terms::apply(special_log_ndtr_op, a); }
inline Term zeta(const Term& a, const Term& b) { return terms::apply(zeta_op, a, b); }
inline Term gamma_p(const Term& a, const Term& b) { return terms::apply(gamma_p_op, a, b); }
inline Term gamma_q(const Term& a, const Term& b) { return terms::apply(gamma_q_op, a, b); }
inline Term normal_cdf(const Term& a) { return terms::apply(special_ndtr_op, a); }
inline Term round(const Term& a) { return terms::apply(round_op, a); }
inline Term polygamma(const Term& a, Number n) { return call(polygamma_of_op, {a.value(), Value(n)}); }
inline Term is_nan(const Term& a) { return terms::test(isnan_op, a); }
inline Term is_inf(const Term& a) { return terms::test(isinf_op, a); }
inline Term is_finite(const Term& a) { return terms::test(isfinite_op, a); }
inline Term sign_bit(const Term& a) { return terms::test(signbit_op, a); }

#define GRADUS_TERM_FUNCTION(f) \
  inline Term f(const Term& a, const Term& b) { return terms::apply(f##_op, a, b); }
GRADUS_TERM_FUNCTION(pow) GRADUS_TERM_FUNCTION(atan2) GRADUS_TERM_FUNCTION(minimum)
GRADUS_TERM_FUNCTION(maximum) GRADUS_TERM_FUNCTION(copysign) GRADUS_TERM_FUNCTION(floor_divide) GRADUS_TERM_FUNCTION(fmod)
GRADUS_TERM_FUNCTION(remainder)
#undef GRADUS_TERM_FUNCTION
inline Term hypot(const Term& a, const Term& b) {               // of a complex a the holomorphic function that it is on the real line
  return a.tensor && is_complex(a.tensor.dtype()) ? sqrt(a * a + b * b) : terms::apply(hypot_op, a, b);
}
// x as complex as y is: a negative base has a logarithm then.
inline Term like(const Term& y, const Term& x) {
  if (!is_complex(y.type) || is_complex(x.type)) return x;
  return x.tensor ? Term(to(x.tensor, y.type)) : Term(full({}, x.number, y.type));
}
inline Term trunc_divide(const Term& a, const Term& b) { return terms::apply(trunc_divide_op, a, b); }

// The product of a gradient with a slope. Where the slope depends on what it reads only by choosing between constants, what it reads
// gets a gradient of 0 from the product all the same. Bits of choosing name reads that only choose also where others reach the slope.
Tensor connect(Tensor gradient, const Term& slope, std::span<const Term> reads, unsigned choosing = 0);

}  // namespace gradus
