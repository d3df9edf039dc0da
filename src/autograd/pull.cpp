#include "autograd/pull.h"

#include "autograd/accumulate.h"
#include "dispatch/registry.h"
#include "kernels/elementwise.h"

namespace gradus {
namespace {

constexpr double kNeutral = -0.0;                             // the true neutral element: +0 would turn -0 into +0

const Tensor& saved_tensor(const Node* node, uint32_t slot, bool is_output) {
  auto* n = const_cast<Node*>(node);
  GRADUS_CHECK(!n->freed, graph_freed, "{}: its saved values were freed by an earlier backward: pass retain_graph to keep them", node_name(n));
  for (uint32_t i = 0; i < n->saved_count; ++i) {
    const Saved& s = n->saved()[i];
    if (s.slot != slot || s.is_output != is_output) continue;
    const uint32_t now = s.tensor->storage->current();
    GRADUS_CHECK(now == s.version, in_place, "{}: a saved tensor of shape {} was changed in place: it is at version {}, expected {}",
                 node_name(n), text(s.tensor->sizes()), now, s.version);
    return reinterpret_cast<const Tensor&>(s.tensor);
  }
  fail(Status::internal, "{}: value {} was not saved", node_name(n), slot);
}

const FormulaKernels& scaling() {                             // mul's row: g * c
  static const FormulaKernels* k = find_op("mul")->info->kernels;
  return *k;
}

}  // namespace

Tensor pull_formula(Node* n, int input, Tensor& g, bool last, Tensor* buffer, const OutputMeta& target) {
  const FormulaInfo& f = *n->op->formula;
  const auto& slope = f.slope[input];
  Number attributes[4];
  if (f.attributes > 0) {
    const Value* v = n->has_args ? n->args : n->op->info->defaults;
    for (int j = 0; j < f.attributes; ++j) attributes[j] = v[f.arity + j].number();
  }
  const bool reuse = last && sole(g) && g.contiguous();
  const Compute compute = compute_of(g.dtype());
  if (slope.reads == 0) {
    const double c = slope.number(attributes);
    if (c == 1) return last ? std::move(g) : g;
    if (c == 0) return {};
    Tensor out = reuse ? g : empty(g.dtype(), g.sizes());
    const kernels::Operand in[] = {kernels::Operand(view_of(g)), kernels::Operand(Number(c))};
    kernels::elementwise({scaling().value[static_cast<int>(compute)], compute, nullptr, true}, view_of(out), in, 2);
    return out;
  }
  kernels::Operand in[kMaxOperands];
  int k = 0;
  in[k++] = kernels::Operand(view_of(g));
  for (int j = 0; j <= f.arity; ++j) {
    if (!(slope.reads >> j & 1)) continue;
    if (j < f.arity && n->has_args && n->args[j].is_number()) in[k++] = kernels::Operand(n->args[j].number());
    else in[k++] = kernels::Operand(view_of(saved_tensor(n, j < f.arity ? static_cast<uint32_t>(j) : 0, j == f.arity)));
  }
  const bool fuse = buffer && *buffer && sole(*buffer) && buffer->dtype() == g.dtype() && same(buffer->sizes(), g.sizes()) && same(target.sizes, g.sizes());
  in[k] = fuse ? kernels::Operand(view_of(*buffer)) : kernels::Operand(Number(kNeutral));
  Tensor out = fuse ? *buffer : reuse ? g : empty(g.dtype(), g.sizes());
  kernels::elementwise({n->op->info->kernels->pull[input][static_cast<int>(compute)], compute, attributes, n->op->info->kernels->light}, view_of(out), in, k + 1);
  return fuse ? Tensor() : out;
}

}  // namespace gradus
