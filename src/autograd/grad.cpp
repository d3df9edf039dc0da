#include "autograd/grad.h"

#include <unordered_set>
#include <utility>

#include "autograd/accumulate.h"
#include "autograd/engine.h"
#include "base/context.h"
#include "base/log.h"
#include "graph/history.h"
#include "ops/ops.h"

namespace gradus {
namespace {

void edges_of(std::span<const Tensor> tensors, std::string_view what, const char* role, Edges& to) {
  GRADUS_CHECK(!tensors.empty(), value, "{}: no {}s given", what, role);
  to.reserve(tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    GRADUS_CHECK(needs_grad(tensors[i].impl()), state, "{}: {} {} does not require grad", what, role, i);
    to.add(history(tensors[i].impl()));
  }
}

Tensor seed_of(const OutputMeta& of, const Tensor& given, size_t i, std::string_view what) {
  if (!given) {
    GRADUS_CHECK(!is_complex(of.dtype), dtype, "{}: a gradient can be implied only for a real output, and output {} is {}", what, i, name(of.dtype));
    GRADUS_CHECK(numel_of(of.sizes) == 1, shape, "{}: a gradient can be implied only for a real output of one element; output {} has shape {}",
                 what, i, text(of.sizes));
    return ones(of.sizes, of.dtype);
  }
  GRADUS_CHECK(same(given.sizes(), of.sizes), shape, "{}: gradient {} has shape {}, its output {}", what, i, text(given.sizes()), text(of.sizes));
  GRADUS_CHECK(is_complex(given.dtype()) == is_complex(of.dtype), dtype, "{}: gradient {} has dtype {}, its output {}",
               what, i, name(given.dtype()), name(of.dtype));
  return given.dtype() == of.dtype ? given : to(given, of.dtype);
}

void start(Run& run, std::span<const Edge> outputs, std::span<const Tensor> seeds, std::string_view what) {
  GRADUS_CHECK(!outputs.empty(), value, "{}: no outputs given", what);
  GRADUS_CHECK(seeds.empty() || seeds.size() == outputs.size(), value, "{}: {} gradients for {} outputs", what, seeds.size(), outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i)
    run.seed(outputs[i], seed_of(output_meta(outputs[i].node, outputs[i].nr), seeds.empty() ? Tensor() : seeds[i], i, what));
}

}  // namespace

void backward(std::span<const Tensor> outputs, std::span<const Tensor> seeds, const GradOptions& options, std::span<const Tensor> inputs) {
  Edges from;
  edges_of(outputs, "backward", "output", from);
  backward(from.get(), seeds, options, inputs);
}

void backward(std::span<const Edge> outputs, std::span<const Tensor> seeds, const GradOptions& options, std::span<const Tensor> inputs) {
  if (options.create_graph && inputs.empty())
    log(context(), 1, "backward with create_graph leaves a cycle from each leaf's .grad through the graph to the leaf: clear .grad, or use grad");
  Run run(options, true);
  if (inputs.empty()) {
    start(run, outputs, seeds, "backward");
    return run.run();
  }
  Edges targets;
  edges_of(inputs, "backward", "input", targets);
  Tensors results(inputs.size());
  run.only(outputs, targets.get(), &results);
  start(run, outputs, seeds, "backward");
  run.run();
  const GradMode mode(options.create_graph);
  std::unordered_set<const TensorImpl*> done;                 // an input may be given twice
  for (size_t i = 0; i < inputs.size(); ++i) {                // leaves have theirs, and those that retain it
    TensorImpl* t = inputs[i].impl();
    if (results[i] && !(t->autograd && t->autograd->retained_by) && done.insert(t).second) accumulate_grad(t, results[i]);
  }
}

Tensors grad(std::span<const Tensor> outputs, std::span<const Tensor> inputs, std::span<const Tensor> seeds, const GradOptions& options) {
  Edges from, targets;
  edges_of(outputs, "grad", "output", from);
  edges_of(inputs, "grad", "input", targets);
  return grad(from.get(), targets.get(), seeds, options);
}

// How many members a batch of seeds has.
static int64_t batch_of(std::span<const Tensor> seeds) {
  const Tensor* first = nullptr;
  for (size_t i = 0; i < seeds.size(); ++i) {
    const Tensor& s = seeds[i];
    if (!s) continue;                                         // the same for every member
    GRADUS_CHECK(s.ndim() > 0, shape, "grad: gradient {} has no dimension for the batch", i);
    if (!first) first = &s;
    GRADUS_CHECK(s.sizes()[0] == first->sizes()[0], shape, "grad: gradient {} has a batch of {}, gradient {} of {}", i, s.sizes()[0],
                 first - seeds.data(), first->sizes()[0]);
  }
  GRADUS_CHECK(first, value, "grad: a batch needs gradients of the outputs");
  return first->sizes()[0];
}

// One pass for each member.
static Tensors grad_batched(std::span<const Edge> outputs, std::span<const Edge> inputs, std::span<const Tensor> seeds, GradOptions options) {
  const int64_t members = batch_of(seeds);
  GRADUS_CHECK(members > 0, shape, "grad: the batch of gradients is empty");
  const bool retain = std::exchange(options.retain_graph, true);
  options.batched = false;
  std::vector<std::vector<Tensor>> columns(inputs.size());
  std::vector<Tensor> row(seeds.size());
  for (int64_t b = 0; b < members; ++b) {
    for (size_t i = 0; i < seeds.size(); ++i)
      if (seeds[i]) row[i] = select(seeds[i], 0, b);
    if (b + 1 == members) options.retain_graph = retain;
    Tensors found = grad(outputs, inputs, row, options);
    for (size_t i = 0; i < inputs.size(); ++i)
      if (found[i]) columns[i].push_back(std::move(found[i]));
  }
  const GradMode mode(options.create_graph);
  Tensors results(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i)
    if (!columns[i].empty()) results[i] = stack(columns[i]);
  return results;
}

Tensors grad(std::span<const Edge> outputs, std::span<const Edge> inputs, std::span<const Tensor> seeds, const GradOptions& options) {
  GRADUS_CHECK(!inputs.empty(), value, "grad: no inputs given");
  if (options.batched) return grad_batched(outputs, inputs, seeds, options);
  Tensors results(inputs.size());
  Run run(options, false);
  run.only(outputs, inputs, &results);
  start(run, outputs, seeds, "grad");
  run.run();
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (results[i]) continue;
    GRADUS_CHECK(options.allow_unused || options.materialize, state, "grad: input {} was not used in the outputs: pass allow_unused to get none", i);
    const OutputMeta m = output_meta(inputs[i].node, inputs[i].nr);
    if (options.materialize) results[i] = zeros(m.sizes, m.dtype);
  }
  return results;
}

Tensors call_node(Node* n, std::span<const Tensor> gradients) {
  GRADUS_CHECK(gradients.size() == n->output_count, value, "{}: {} gradients for {} outputs", node_name(n), gradients.size(), n->output_count);
  Tensors incoming;
  for (uint32_t i = 0; i < n->output_count; ++i)
    incoming.push_back(gradients[i] ? seed_of(output_meta(n, i), gradients[i], i, node_name(n)) : Tensor());
  GradOptions options;
  options.retain_graph = true;
  options.create_graph = context().grad_mode;
  return Run(options, true).call(n, std::move(incoming));
}

void free_graph(std::span<const Edge> from, std::span<const Edge> kept) {
  std::unordered_set<Node*> seen;
  std::vector<Node*> stack;
  const auto walk = [&](std::span<const Edge> starts, auto&& each) {
    const auto visit = [&](Node* n) { if (n && seen.insert(n).second) stack.push_back(n); };
    for (const Edge& e : starts) visit(e.node);
    while (!stack.empty()) {
      Node* n = stack.back();
      stack.pop_back();
      each(n);
      for (uint32_t i = 0; i < n->edge_count; ++i) visit(n->edges()[i].node);
    }
  };
  walk(kept, [](Node*) {});
  std::vector<Ref<Node>> gone;                                // held: what they saved may own others
  walk(from, [&](Node* n) { if (!n->is_sink()) gone.push_back(Ref<Node>::share(n)); });
  for (const Ref<Node>& n : gone) release_saved(n.get());
}

}  // namespace gradus
