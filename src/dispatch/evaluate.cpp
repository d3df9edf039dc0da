#include "dispatch/evaluate.h"

#include <cstring>

#include "base/parallel.h"
#include "kernels/copy.h"
#include "kernels/elementwise.h"

namespace gradus {

void Promotion::add(const Value& v) {
  if (v.tag == Tag::tensor) add(v.t);
  else if (v.tag == Tag::real) add(numbers_, Dtype::f32);
  else if (v.tag == Tag::complex) add(numbers_, Dtype::c64);
  else if (v.tag == Tag::integer) add(numbers_, Dtype::i64);
  else if (v.tag == Tag::boolean) add(numbers_, Dtype::boolean);
}

Dtype Promotion::result() const {
  const auto combine = [](Dtype higher, Dtype lower) {
    if (higher == Dtype::none || lower == Dtype::none) return higher == Dtype::none ? lower : higher;
    if (is_complex(higher)) return higher;
    if (is_floating(higher)) return is_complex(lower) ? (higher == Dtype::f64 ? Dtype::c128 : Dtype::c64) : higher;
    return higher == Dtype::boolean || !is_integral(lower) ? promote(higher, lower) : higher;
  };
  return combine(dims_, combine(scalars_, numbers_));
}

bool can_cast(Dtype from, Dtype to) {
  if (is_complex(from) && !is_complex(to)) return false;
  if (!is_integral(from) && is_integral(to)) return false;
  return from == Dtype::boolean || to != Dtype::boolean;
}

Tensor clone(const Tensor& t) {
  Tensor c = empty(t.dtype(), t.sizes());
  kernels::copy(view_of(c), view_of(t));
  return c;
}

namespace {

// The operands of a formula, and what follows from them: the type to compute in and the shape of the result.
struct Operands {
  kernels::Operand in[kFormulaInputs];
  Dtype type = Dtype::none;
  const TensorImpl* shape = nullptr;                          // a tensor that has the result's shape, or
  Sizes sizes;                                                // the broadcast shape

  SizesRef result() const { return shape ? shape->sizes() : SizesRef(sizes); }
};

// The ordinary case: tensors of one dtype and shape, numbers that do not promote.
bool gather_same(int arity, const Args& args, Operands& o) {
  for (int k = 0; k < arity; ++k) {
    const Value& v = args[k];
    if (v.tag != Tag::tensor) { o.in[k] = kernels::Operand(v.number()); continue; }
    const TensorImpl* t = v.t;
    if (!o.shape) o.shape = t;
    else if (t->dtype != o.shape->dtype || t->ndim != o.shape->ndim || std::memcmp(t->dims, o.shape->dims, sizeof(int64_t) * t->ndim) != 0) return false;
    o.in[k] = kernels::Operand(view_of(t));
  }
  if (!o.shape) return false;
  o.type = o.shape->dtype;
  for (int k = 0; k < arity; ++k) {
    if (!o.in[k].is_number) continue;
    const Number& n = o.in[k].number;
    if ((is_integral(o.type) && (o.type == Dtype::boolean || n.is_real())) || (n.is_complex() && !is_complex(o.type))) return false;
  }
  return true;
}

void gather(const Op& op, const Args& args, Operands& o) {
  const int arity = op.formula->arity;
  if (gather_same(arity, args, o)) return;
  Promotion promotion;
  o.shape = nullptr;
  bool any = false;
  for (int k = 0; k < arity; ++k) {
    const bool condition = arity == 3 && k == 0 && args[k].tag == Tag::tensor && args[k].t->dtype == Dtype::boolean;
    if (!condition) promotion.add(args[k]);
    if (args[k].tag != Tag::tensor) { o.in[k] = kernels::Operand(args[k].number()); continue; }
    o.in[k] = kernels::Operand(view_of(args[k].t));
    o.sizes = any ? broadcast_sizes(o.sizes, args[k].t->sizes(), name(op)) : Sizes(args[k].t->sizes());
    any = true;
  }
  o.type = promotion.result();
}

kernels::Formula complex_formula_of(const Op& op, Dtype type, const void* attributes) {
  const FormulaInfo& f = *op.formula;
  if (!f.complex) refuse_complex(op, type);
  return {f.complex()[f.complex_row].value[type == Dtype::c128], complex_compute_of(type), attributes, op.info->kernels->light};
}
kernels::Formula formula_of(const Op& op, Dtype type, const void* attributes) {
  if (is_complex(type)) return complex_formula_of(op, type, attributes);
  const Compute c = compute_of(type);
  const FormulaKernels& k = *op.info->kernels;
  GRADUS_CHECK(k.value[static_cast<int>(c)] && !(op.no_bool && type == Dtype::boolean), dtype, "{}: not defined for {}", name(op), name(type));
  return {k.value[static_cast<int>(c)], c, attributes, k.light};
}

// The type that a formula computes in, and its result's.
Dtype compute_type(const Op& op, Dtype promoted) {
  if (op.result == ResultType::number && promoted == Dtype::boolean) return Dtype::i64;
  return op.result == ResultType::floating && is_integral(promoted) ? Dtype::f32 : promoted;
}

Dtype result_type(const Op& op, Dtype computed) {
  return op.result == ResultType::boolean ? Dtype::boolean : op.real_result ? real_of(computed) : computed;
}

// Complex numbers as attributes do not make a result complex.
void check_numbers(const Op& op, const Args& args, Dtype result) {
  if (is_complex(result)) return;
  const auto& arguments = op.info->schema.arguments;
  for (size_t i = 0; i < arguments.size(); ++i)
    if (args[static_cast<int>(i)].tag == Tag::complex)
      throw Error(Status::dtype, format("{}: argument '{}' is a complex number, for {}", name(op), arguments[i].name, name(result)), static_cast<int>(i));
}

constexpr int kMaxAttributes = 4;
void load_attributes(const Op& op, const Args& args, Dtype type, Number* to) {
  for (int j = 0; j < op.formula->attributes; ++j) {
    to[j] = args.number(op.formula->arity + j);
    if (to[j].is_complex()) check_numbers(op, args, type);
  }
}

}  // namespace

// Small ops live here: tensors of one shape and of a compute type, without gaps, and numbers that do not promote.
static bool evaluate_flat(const Op& op, const Args& args, Tensor& out) {
  const FormulaInfo& f = *op.formula;
  if (args[0].tag != Tag::tensor || op.result == ResultType::boolean) return false;
  const TensorImpl* first = args[0].t;
  const Dtype type = first->dtype;
  const Compute c = compute_of(type);
  const StripFn run = op.info->kernels->value[static_cast<int>(c)];
  if (!first->contiguous || dtype_of(c) != type || !run || (op.result == ResultType::floating && c == Compute::i64)) return false;
  alignas(64) char repeat[kFormulaInputs][kRepeatBytes];
  alignas(Number) char attributes[kMaxAttributes * sizeof(Number)];
  Strip s;
  s.n = first->numel;
  s.in[0] = first->data();
  s.repeat[0] = false;
  for (int k = 1; k < f.arity; ++k) {
    const Value& v = args[k];
    s.repeat[k] = v.tag != Tag::tensor;
    if (s.repeat[k]) {
      if ((c == Compute::i64 && v.tag == Tag::real) || v.tag == Tag::complex) return false;
      kernels::fill_repeat(repeat[k], v.number(), c);
      s.in[k] = repeat[k];
      continue;
    }
    const TensorImpl* t = v.t;
    if (t->dtype != type || !t->contiguous || t->ndim != first->ndim) return false;
    for (int d = 0; d < t->ndim; ++d)
      if (t->dims[d] != first->dims[d]) return false;
    s.in[k] = t->data();
  }
  if (op.check) op.check(args, type);
  if (f.attributes > 0) load_attributes(op, args, type, reinterpret_cast<Number*>(attributes));
  s.formula = attributes;
  out = empty_like(first);
  s.out = out.impl()->data();
  kernels::elementwise_flat(run, s, f.arity, size_of(type), op.info->kernels->light);
  return true;
}

Tensor evaluate_formula(const Op& op, const Args& args) {
  Tensor flat;
  if (evaluate_flat(op, args, flat)) return flat;
  Operands o;
  gather(op, args, o);
  if (op.check) op.check(args, o.type);
  Number attributes[kMaxAttributes];
  load_attributes(op, args, o.type, attributes);
  const Dtype type = compute_type(op, o.type);
  const kernels::Formula f = formula_of(op, type, attributes);
  Tensor out = empty(result_type(op, type), o.result());
  kernels::elementwise(f, view_of(out), o.in, op.formula->arity);
  return out;
}

// An operand that shares memory with the tensor to be written, other than element on element, is read from a copy.
static void separate(kernels::Operand& in, const View& out, Tensor& copy) {
  if (in.is_number) return;
  if (const Overlap o = overlap(in.view, out); o == Overlap::none || o == Overlap::full) return;
  copy = empty(in.view.dtype, in.view.shape());
  kernels::copy(view_of(copy), in.view);
  in.view = view_of(copy);
}

static void check_result(const Op& op, const Tensor& self, Dtype type, SizesRef sizes) {
  GRADUS_CHECK(can_cast(type, self.dtype()), dtype, "{}: a result of {} can't be cast to {} in place", name(op), name(type), name(self.dtype()));
  GRADUS_CHECK(same(sizes, self.sizes()), shape, "{}: a result of shape {} does not fit in {}", name(op), text(sizes), text(self.sizes()));
}

// A formula's call, checked: what it computes, and into what.
struct Prepared {
  Operands o;
  Number attributes[kMaxAttributes];
  Dtype type;

  Prepared(const Op& op, const Args& args) {
    gather(op, args, o);
    if (op.check) op.check(args, o.type);
    load_attributes(op, args, o.type, attributes);
    type = compute_type(op, o.type);
  }
  Dtype result(const Op& op) const { return result_type(op, type); }
};

static void compute(const Op& op, Prepared& p, const Tensor& to) {
  const kernels::Formula f = formula_of(op, p.type, p.attributes);
  Tensor copies[kFormulaInputs];
  const View out = view_of(to);
  for (int k = 0; k < op.formula->arity; ++k) separate(p.o.in[k], out, copies[k]);
  kernels::elementwise(f, out, p.o.in, op.formula->arity);
}

static void formula_in_place(const Op& op, const Args& args) {
  Prepared p(op, args);
  GRADUS_CHECK(!op.real_result || !is_complex(p.type), unsupported, "{}: not in place for {}, as its results are real", name(op), name(p.type));
  check_result(op, args.tensor(0), p.result(op), p.o.result());
  compute(op, p, args.tensor(0));
}

Meta formula_result(const Op& op, const Args& args) {
  const Prepared p(op, args);
  formula_of(op, p.type, p.attributes);                       // refuses what it can't compute
  return {p.result(op), Sizes(p.o.result())};
}
void evaluate_formula_into(const Op& op, const Args& args, const Tensor& out) {
  Prepared p(op, args);
  compute(op, p, out);
}

void shape_of(const Op& op, const Args& args, Metas& metas) {
  op.shape(args, metas);
  if (op.complex_numbers) check_numbers(op, args, metas[0].dtype);
}
static void allocate(const Op& op, const Args& args, Metas& metas, Tensors& out) {
  shape_of(op, args, metas);
  for (const Meta& m : metas) out.push_back(empty(m));
}

void evaluate(const Op& op, const Args& args, Tensors& out) {
  if (op.formula) {
    out.push_back(evaluate_formula(op, args));
  } else if (op.view) {
    Layouts layouts;
    op.view(args, layouts);
    const Tensor& self = args.tensor(0);
    const Dtype type = op.view_type ? op.view_type(self.dtype()) : self.dtype();
    for (const Layout& l : layouts) out.push_back(alias_as(type, self, l));
  } else if (op.updates) {
    Metas metas;
    allocate(op, args, metas, out);
    kernels::copy(view_of(out[0]), view_of(args.tensor(0)));  // self, which may broadcast to the result
    op.kernel(args, out);
  } else {
    Metas metas;
    allocate(op, args, metas, out);
    op.kernel(args, out);
  }
}

void evaluate_in_place(const Op& op, const Args& args) {
  const Whole whole;
  const Tensor& self = args.tensor(0);
  if (op.formula) return formula_in_place(op, args);
  Metas metas;
  if (op.updates) {
    shape_of(op, args, metas);
    check_result(op, self, metas[0].dtype, metas[0].sizes);
    op.kernel(args, Tensors{self});
    return;
  }
  Tensors out;
  allocate(op, args, metas, out);
  check_result(op, self, metas[0].dtype, metas[0].sizes);
  op.kernel(args, out);
  kernels::copy(view_of(self), view_of(out[0]));
}

}  // namespace gradus
