// Makes what a record needs to know of a formula: .formula = formula<formulas::Exp>().
#pragma once
#include "graph/call.h"
#include "kernels/formulas/probe.h"
#include "ops/term.h"

namespace gradus {

namespace formulas {
// Only the types of the formulas are wanted here; their text is compiled per value type where it is used.
#include "kernels/formulas/unary.h"
#include "kernels/formulas/activation.h"
#include "kernels/formulas/binary.h"
#include "kernels/formulas/compare.h"
#include "kernels/formulas/ternary.h"
#include "kernels/formulas/special.h"
#include "kernels/formulas/complex.h"
}  // namespace formulas

// One table of compiled kernels per list of formulas.
const FormulaKernels* unary_exp_kernels();
const FormulaKernels* unary_log_kernels();
const FormulaKernels* unary_trig_kernels();
const FormulaKernels* unary_special_kernels();
const FormulaKernels* unary_light_kernels();
const FormulaKernels* unary_test_kernels();
const FormulaKernels* activation_light_kernels();
const FormulaKernels* activation_kernels();
const FormulaKernels* arithmetic_kernels();
const FormulaKernels* choice_kernels();
const FormulaKernels* binary_math_kernels();
const FormulaKernels* division_kernels();
const FormulaKernels* comparison_kernels();
const FormulaKernels* ternary_kernels();
const FormulaKernels* special_kernels();
const FormulaKernels* special_pairs_kernels();
const ComplexKernels* complex_unary_kernels();
const ComplexKernels* complex_binary_kernels();
const ComplexKernels* complex_ternary_kernels();

namespace detail {

template <class Formulas, const FormulaKernels* (*kernels)()> struct Family {
  using List = Formulas;
  static constexpr auto table = kernels;
};
template <class... F> struct Families {};
using AllFamilies = Families<
    Family<formulas::UnaryExp, unary_exp_kernels>,
    Family<formulas::UnaryLog, unary_log_kernels>,
    Family<formulas::UnaryTrig, unary_trig_kernels>,
    Family<formulas::UnarySpecial, unary_special_kernels>,
    Family<formulas::UnaryLight, unary_light_kernels>,
    Family<formulas::UnaryTest, unary_test_kernels>,
    Family<formulas::ActivationLight, activation_light_kernels>,
    Family<formulas::Activation, activation_kernels>,
    Family<formulas::Arithmetic, arithmetic_kernels>,
    Family<formulas::Choice, choice_kernels>,
    Family<formulas::BinaryMath, binary_math_kernels>,
    Family<formulas::Division, division_kernels>,
    Family<formulas::Comparison, comparison_kernels>,
    Family<formulas::Ternary, ternary_kernels>,
    Family<formulas::Special, special_kernels>,
    Family<formulas::SpecialPairs, special_pairs_kernels>>;

// Which family a formula belongs to.
struct Place {
  int row = -1;
  const FormulaKernels* (*table)() = nullptr;
};
template <class F, class... Family> constexpr Place place_of(Families<Family...>) {
  Place p;
  ((row_of<F>(typename Family::List{}) >= 0 ? (p = {row_of<F>(typename Family::List{}), Family::table}, 0) : 0), ...);
  return p;
}

// And the complex one.
template <class F> constexpr void place_complex(FormulaInfo& f) {
  constexpr int unary = row_of<F>(formulas::ComplexUnary{}), binary = row_of<F>(formulas::ComplexBinary{});
  constexpr int ternary = row_of<F>(formulas::ComplexTernary{});
  f.complex = unary >= 0 ? complex_unary_kernels : binary >= 0 ? complex_binary_kernels : ternary >= 0 ? complex_ternary_kernels : nullptr;
  f.complex_row = unary >= 0 ? unary : binary >= 0 ? binary : ternary;
}

template <class F> F with_attributes(const Number* a) {
  if constexpr (std::is_empty_v<F>) return F{};
  else {
    F f;
    static_assert(sizeof(F) % sizeof(Number) == 0);
    std::copy_n(a, sizeof(F) / sizeof(Number), reinterpret_cast<Number*>(&f));
    return f;
  }
}

// g * slope in differentiable ops; a mask's 0 stays 0 whatever g is. A complex g takes the slope's conjugate: the gradient is by the
// conjugate of the input, as in PyTorch, so that it points uphill. A real g goes to a complex input by way of abs, whose slope does.
template <class F> Tensor times_slope(const Tensor& g, const Term& slope) {
  if (!slope.tensor && slope.number.f == 0) return zeros(g.sizes(), g.dtype());
  if (!slope.tensor) return slope.number.f == 1 ? g : mul(g, slope.number);
  const Tensor product = mul(g, is_complex(g.dtype()) ? conj(slope.tensor) : slope.tensor);
  return is_mask<F>() ? where(eq(slope.tensor, 0), 0.0, product) : product;
}

// The arguments, as bits, that slope i reads only to choose, while another reaches it as a number.
template <class F, int i> constexpr unsigned choosing = 0;

// g * slope_i of a recorded call.
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
  return connect(times_slope<F>(g, slope), slope, v, choosing<F, i>);
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

template <class F> constexpr FormulaInfo make_formula() {
  constexpr Place place = place_of<F>(AllFamilies{});
  static_assert(place.row >= 0, "the formula is in no list");
  constexpr int arity = arity_of<F>();
  FormulaInfo f;
  f.arity = arity;
  f.row = place.row;
  f.attributes = std::is_empty_v<F> ? 0 : static_cast<int>(sizeof(F) / sizeof(Number));
  f.table = place.table;
  place_complex<F>(f);
  if constexpr (arity == 1 && requires { &F::template slope<Probe>; }) f.slope[0] = make_slope<F, 1, 0>();
  if constexpr (arity > 1 && requires { &F::template slope0<Probe>; }) {
    f.slope[0] = make_slope<F, arity, 0>();
    f.slope[1] = make_slope<F, arity, 1>();
    if constexpr (arity > 2) f.slope[2] = make_slope<F, arity, 2>();
  }
  return f;
}

template <class F> inline constexpr FormulaInfo kFormula = make_formula<F>();

}  // namespace detail

template <class F> constexpr const FormulaInfo* formula() { return &detail::kFormula<F>; }

}  // namespace gradus
