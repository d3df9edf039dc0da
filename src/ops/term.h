// The value type of formulas over tensors: a tensor or a number, with operators that call ops. Under create_graph the text of a
// formula's slope becomes ordinary recorded ops through it.
#pragma once
#include "ops/ops.h"

namespace gradus {

struct Term {
  Tensor tensor;                                              // null: the number
  Number number;

  Term() = default;
  Term(Tensor t) : tensor(std::move(t)) {}
  Term(double v) : number(v) {}
  Term(int v) : number(v) {}
  Term(Number v) : number(v) {}
  Value value() const { return tensor ? Value(tensor) : Value(number); }
};

namespace terms {
inline Term apply(const Op& op, const Term& a) { return call(op, {a.value()}); }
inline Term apply(const Op& op, const Term& a, const Term& b) { return call(op, {a.value(), b.value()}); }
}  // namespace terms

// Two numbers make a number; so a formula's constants cost nothing.
#define GRADUS_TERM_OPERATOR(symbol, op)                                                             \
  inline Term operator symbol(const Term& a, const Term& b) {                                        \
    if (!a.tensor && !b.tensor) return Term(static_cast<double>(a.number.f symbol b.number.f));      \
    return terms::apply(op, a, b);                                                                   \
  }
GRADUS_TERM_OPERATOR(+, add_op)
GRADUS_TERM_OPERATOR(*, mul_op)
GRADUS_TERM_OPERATOR(/, div_op)
GRADUS_TERM_OPERATOR(<, lt_op)
GRADUS_TERM_OPERATOR(>, gt_op)
GRADUS_TERM_OPERATOR(<=, le_op)
GRADUS_TERM_OPERATOR(>=, ge_op)
GRADUS_TERM_OPERATOR(==, eq_op)
GRADUS_TERM_OPERATOR(!=, ne_op)
#undef GRADUS_TERM_OPERATOR
inline Term operator-(const Term& a) { return a.tensor ? terms::apply(neg_op, a) : Term(-a.number.f); }
inline Term operator-(const Term& a, const Term& b) {
  if (!a.tensor && !b.tensor) return Term(a.number.f - b.number.f);
  return terms::apply(sub_op, a, b);
}
inline Term select(const Term& m, const Term& a, const Term& b) {
  if (!m.tensor) return m.number.f != 0 ? a : b;
  return call(where_op, {m.value(), a.value(), b.value()});
}

#define GRADUS_TERM_FUNCTION(f) \
  inline Term f(const Term& a) { return terms::apply(f##_op, a); }
GRADUS_TERM_FUNCTION(exp) GRADUS_TERM_FUNCTION(log) GRADUS_TERM_FUNCTION(sin) GRADUS_TERM_FUNCTION(cos)
GRADUS_TERM_FUNCTION(tanh) GRADUS_TERM_FUNCTION(sigmoid) GRADUS_TERM_FUNCTION(erf) GRADUS_TERM_FUNCTION(abs) GRADUS_TERM_FUNCTION(sqrt)
#undef GRADUS_TERM_FUNCTION

}  // namespace gradus
