#include "autograd/pull.h"

#include <cmath>

#include "autograd/accumulate.h"
#include "dispatch/registry.h"
#include "kernels/copy.h"
#include "kernels/elementwise.h"

namespace gradus {
namespace {

constexpr double kNeutral = -0.0;                             // the true neutral element: +0 would turn -0 into +0

const Tensor& saved_tensor(const Node* n, const SavedValues& saved, uint32_t slot, bool is_output) {
  if (const Saved* s = saved.find(slot, is_output)) return plain_tensor(n, *s);
  fail(Status::internal, "{}: value {} was not saved", node_name(n), slot);
}

const FormulaKernels& scaling() {                             // mul's row: g * c
  static const FormulaKernels* k = find_op("mul")->info->kernels;
  return *k;
}

// What the slope reads, as operands behind g. Tensors are the node's saved ones, numbers its arguments.
struct Reads {
  int count = 0;
  const TensorImpl* tensors[kFormulaInputs + 1];              // null: the number
  Number numbers[kFormulaInputs + 1];

  Reads(const Node* n, const SavedValues& saved, unsigned reads) {
    const FormulaInfo& f = *n->op->formula;
    for (int j = 0; j <= f.arity; ++j) {
      if (!(reads >> j & 1)) continue;
      const bool number = j < f.arity && n->has_args() && n->args[j].is_number();
      tensors[count] = number ? nullptr : saved_tensor(n, saved, j < f.arity ? static_cast<uint32_t>(j) : 0, j == f.arity).impl();
      if (number) numbers[count] = n->args[j].number();
      ++count;
    }
  }
};

const void* neutral(Compute c) {
  struct Zeros {
    alignas(64) float f[kRepeatBytes / sizeof(float)];
    alignas(64) double d[kRepeatBytes / sizeof(double)];
    Zeros() { kernels::fill_repeat(f, Number(kNeutral), Compute::f32); kernels::fill_repeat(d, Number(kNeutral), Compute::f64); }
  };
  static const Zeros zeros;
  return c == Compute::f32 ? static_cast<const void*>(zeros.f) : zeros.d;
}

// Gradient and saved values of one shape and of a compute type, without gaps.
bool pull_flat(StripFn run, Compute c, const Number* attributes, bool light, const TensorImpl* g, const Reads& r, const TensorImpl* addend, TensorImpl* out) {
  if (dtype_of(c) != g->dtype || !g->contiguous) return false;
  alignas(64) char repeat[kFormulaInputs + 1][kRepeatBytes];
  Strip s;
  s.n = g->numel;
  s.out = out->data();
  s.formula = attributes;
  s.in[0] = g->data();
  s.repeat[0] = false;
  for (int k = 0; k < r.count; ++k) {
    const TensorImpl* t = r.tensors[k];
    s.repeat[k + 1] = !t;
    if (!t) {
      kernels::fill_repeat(repeat[k], r.numbers[k], c);
      s.in[k + 1] = repeat[k];
    } else {
      if (t->dtype != g->dtype || t->numel != g->numel || !t->contiguous) return false;
      s.in[k + 1] = t->data();
    }
  }
  s.in[r.count + 1] = addend ? addend->data() : neutral(c);
  s.repeat[r.count + 1] = !addend;
  kernels::elementwise_flat(run, s, r.count + 2, size_of(g->dtype), light);
  return true;
}

void pull_strided(const kernels::Formula& f, const Tensor& g, const Reads& r, const Tensor* addend, const Tensor& out) {
  kernels::Operand in[kMaxOperands];
  in[0] = kernels::Operand(view_of(g));
  for (int k = 0; k < r.count; ++k) in[k + 1] = r.tensors[k] ? kernels::Operand(view_of(r.tensors[k])) : kernels::Operand(r.numbers[k]);
  in[r.count + 1] = addend ? kernels::Operand(view_of(*addend)) : kernels::Operand(Number(kNeutral));
  kernels::elementwise(f, view_of(out), in, r.count + 2);
}

Tensor scaled(Tensor& g, double c, bool last) {
  if (c == 1) return last ? std::move(g) : g;
  Tensor out = last && sole(g) && g.contiguous() ? g : empty(g.dtype(), g.sizes());
  if (c == 0) {                                               // whatever comes in: 0 times infinity is no gradient
    kernels::fill(view_of(out), Number(0));
    return out;
  }
  const kernels::Operand in[] = {kernels::Operand(view_of(g)), kernels::Operand(Number(c))};
  const Compute compute = compute_of(g.dtype());
  kernels::elementwise({scaling().value[static_cast<int>(compute)], compute, nullptr, true}, view_of(out), in, 2);
  return out;
}

}  // namespace

void check_has_slope(const Node* n, int input) {
  const FormulaInfo& f = *n->op->formula;
  GRADUS_CHECK(f.slope[input].reads || f.attributes || !std::isnan(f.slope[input].number(nullptr)), unsupported, "{}: there is no gradient by '{}'", node_name(n), n->op->info->schema.arguments[static_cast<size_t>(input)].name);
}

Tensor pull_formula(Node* n, const SavedValues& saved, int input, Tensor& g, bool last, Tensor* buffer, const OutputMeta& target) {
  const FormulaInfo& f = *n->op->formula;
  const auto& slope = f.slope[input];
  alignas(Number) char room[4 * sizeof(Number)];
  auto* attributes = reinterpret_cast<Number*>(room);
  for (int j = 0; j < f.attributes; ++j) attributes[j] = (n->has_args() ? n->args : n->op->info->defaults)[f.arity + j].number();
  if (slope.reads == 0) {
    const double factor = slope.number(attributes);
    if (std::isnan(factor)) check_has_slope(n, input);
    return scaled(g, factor, last);
  }
  const Reads reads(n, saved, slope.reads);
  const bool fuse = buffer && *buffer && sole(*buffer) && buffer->dtype() == g.dtype() && same(buffer->sizes(), g.sizes()) && same(target.sizes, g.sizes());
  const bool reuse = last && sole(g) && g.contiguous();
  const Tensor out = fuse ? *buffer : reuse ? g : empty(g.dtype(), g.sizes());
  const FormulaKernels& kernels = *n->op->info->kernels;
  const Compute c = compute_of(g.dtype());
  const StripFn run = kernels.pull[input][c == Compute::f64];
  if (!pull_flat(run, c, attributes, kernels.light, g.impl(), reads, fuse ? buffer->impl() : nullptr, out.impl()))
    pull_strided({run, c, attributes, kernels.light}, g, reads, fuse ? buffer : nullptr, out);
  return fuse ? Tensor() : out;
}

}  // namespace gradus
