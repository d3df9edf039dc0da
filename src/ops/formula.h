// Makes what a record needs to know of a formula: .formula = formula<formulas::Exp, formulas::UnaryMath, unary_math_kernels>.
#pragma once
#include "graph/call.h"
#include "kernels/formulas/probe.h"
#include "ops/term.h"

namespace gradus {

const FormulaKernels* unary_math_kernels();
const FormulaKernels* unary_light_kernels();
const FormulaKernels* arithmetic_kernels();
const FormulaKernels* comparison_kernels();
const FormulaKernels* ternary_kernels();

namespace formulas {
// Only the types of the formulas are wanted here; their text is compiled per value type where it is used.
#include "kernels/formulas/unary.h"
#include "kernels/formulas/binary.h"
#include "kernels/formulas/ternary.h"
}  // namespace formulas

namespace detail {

template <class F> F with_attributes(const Number* a) {
  if constexpr (std::is_empty_v<F>) return F{};
  else {
    F f;
    static_assert(sizeof(F) % sizeof(Number) == 0);
    std::copy_n(a, sizeof(F) / sizeof(Number), reinterpret_cast<Number*>(&f));
    return f;
  }
}

// g * slope_i in differentiable ops.
template <class F, int arity, int i> Tensor pull(const Call& c, const Tensor& g) {
  constexpr unsigned reads = probe<arity, i>(F{}).reads;
  Number attributes[4];
  if constexpr (!std::is_empty_v<F>)
    for (size_t j = 0; j < sizeof(F) / sizeof(Number); ++j) attributes[j] = c.number(arity + static_cast<int>(j));
  Term v[arity + 1];
  for (int k = 0; k < arity; ++k)
    if (reads >> k & 1) v[k] = c.args()[k].is_number() ? Term(c.args().number(k)) : Term(c.tensor(k));
  if constexpr (reads >> arity & 1) v[arity] = Term(c.output());
  const Term slope = slope_of<arity, i>(with_attributes<F>(attributes), v);
  if (!slope.tensor) return slope.number.f == 1 ? g : slope.number.f == 0 ? Tensor() : call(mul_op, {Value(g), Value(slope.number)});
  return mul(g, slope.tensor);
}

template <class F, int arity, int i> constexpr FormulaInfo::Slope make_slope() {
  constexpr unsigned reads = probe<arity, i>(F{}).reads;
  FormulaInfo::Slope s{true, reads, nullptr, pull<F, arity, i>};
  if constexpr (reads == 0)
    s.number = [](const void* a) { return probe<arity, i>(with_attributes<F>(static_cast<const Number*>(a))).c; };
  return s;
}

template <class F> concept Unary = requires { &F::template value<Probe>; requires requires(const F& f, Probe p) { f.value(p); }; };
template <class F> concept Binary = requires(const F& f, Probe p) { f.value(p, p); };
template <class F> constexpr int arity_of() { return Unary<F> ? 1 : Binary<F> ? 2 : 3; }

template <class F, class Family, const FormulaKernels* (*table)()> constexpr FormulaInfo make_formula() {
  constexpr int arity = arity_of<F>();
  FormulaInfo f;
  f.arity = arity;
  f.row = row_of<F>(Family{});
  f.attributes = std::is_empty_v<F> ? 0 : static_cast<int>(sizeof(F) / sizeof(Number));
  f.table = table;
  if constexpr (arity == 1 && requires { &F::template slope<Probe>; }) f.slope[0] = make_slope<F, 1, 0>();
  if constexpr (arity > 1 && requires { &F::template slope0<Probe>; }) {
    f.slope[0] = make_slope<F, arity, 0>();
    f.slope[1] = make_slope<F, arity, 1>();
    if constexpr (arity > 2) f.slope[2] = make_slope<F, arity, 2>();
  }
  return f;
}

template <class F, class Family, const FormulaKernels* (*table)()> inline constexpr FormulaInfo kFormula = make_formula<F, Family, table>();

}  // namespace detail

template <class F> constexpr const FormulaInfo* unary_math() { return &detail::kFormula<F, formulas::UnaryMath, unary_math_kernels>; }
template <class F> constexpr const FormulaInfo* unary_light() { return &detail::kFormula<F, formulas::UnaryLight, unary_light_kernels>; }
template <class F> constexpr const FormulaInfo* arithmetic() { return &detail::kFormula<F, formulas::Arithmetic, arithmetic_kernels>; }
template <class F> constexpr const FormulaInfo* comparison() { return &detail::kFormula<F, formulas::Comparison, comparison_kernels>; }
template <class F> constexpr const FormulaInfo* ternary() { return &detail::kFormula<F, formulas::Ternary, ternary_kernels>; }

}  // namespace gradus
