#include "autograd/grad.h"

#include "autograd/accumulate.h"
#include "autograd/engine.h"
#include "base/context.h"
#include "base/log.h"
#include "graph/history.h"
#include "ops/ops.h"

namespace gradus {
namespace {

class Roots {                                                 // where the pass starts, with the seeds
 public:
  Roots(std::span<const Tensor> outputs, std::span<const Tensor> seeds, std::string_view what) {
    GRADUS_CHECK(!outputs.empty(), value, "{}: no outputs given", what);
    GRADUS_CHECK(seeds.empty() || seeds.size() == outputs.size(), value, "{}: {} gradients for {} outputs", what, seeds.size(), outputs.size());
    for (size_t i = 0; i < outputs.size(); ++i) {
      const Tensor& t = outputs[i];
      GRADUS_CHECK(needs_grad(t.impl()), state, "{}: output {} does not require grad and has no history", what, i);
      seeds_.push_back(seed(t, seeds.empty() ? Tensor() : seeds[i], i, what));
      edges_.push_back(history(t.impl()));
    }
  }
  ~Roots() { for (const Edge& e : edges_) release(e.node); }
  Roots(const Roots&) = delete;
  Roots& operator=(const Roots&) = delete;

  std::span<const Edge> edges() const { return edges_; }
  void start(Run& run) {
    for (size_t i = 0; i < edges_.size(); ++i) run.seed(edges_[i], seeds_[i]);
  }

 private:
  static Tensor seed(const Tensor& t, const Tensor& given, size_t i, std::string_view what) {
    if (!given) {
      GRADUS_CHECK(t.numel() == 1 && !is_complex(t.dtype()), shape,
                   "{}: a gradient can be implied only for a real output of one element; output {} has shape {}", what, i, text(t.sizes()));
      return ones(t.sizes(), t.dtype());
    }
    GRADUS_CHECK(same(given.sizes(), t.sizes()), shape, "{}: gradient {} has shape {}, its output {}", what, i, text(given.sizes()), text(t.sizes()));
    GRADUS_CHECK(is_differentiable(given.dtype()) && is_complex(given.dtype()) == is_complex(t.dtype()), dtype, "{}: gradient {} has dtype {}, its output {}",
                 what, i, name(given.dtype()), name(t.dtype()));
    return given.dtype() == t.dtype() ? given : to(given, t.dtype());
  }

  std::vector<Edge> edges_;
  std::vector<Tensor> seeds_;
};

class Targets {                                               // the histories of the inputs asked for
 public:
  Targets(std::span<const Tensor> inputs, std::string_view what) {
    GRADUS_CHECK(!inputs.empty(), value, "{}: no inputs given", what);
    for (size_t i = 0; i < inputs.size(); ++i) {
      GRADUS_CHECK(needs_grad(inputs[i].impl()), state, "{}: input {} does not require grad", what, i);
      edges_.push_back(history(inputs[i].impl()));
    }
  }
  ~Targets() { for (const Edge& e : edges_) release(e.node); }
  Targets(const Targets&) = delete;
  Targets& operator=(const Targets&) = delete;
  std::span<const Edge> edges() const { return edges_; }

 private:
  std::vector<Edge> edges_;
};

}  // namespace

void backward(std::span<const Tensor> outputs, std::span<const Tensor> seeds, const GradOptions& options, std::span<const Tensor> inputs) {
  Roots roots(outputs, seeds, "backward");
  if (options.create_graph && inputs.empty())
    log(context(), 1, "backward with create_graph leaves a cycle from each leaf's .grad through the graph to the leaf: clear .grad, or use grad");
  Run run(options, true);
  if (inputs.empty()) {
    roots.start(run);
    return run.run();
  }
  const Targets targets(inputs, "backward");
  Tensors results(inputs.size());
  run.only(roots.edges(), targets.edges(), &results);
  roots.start(run);
  run.run();
  const GradMode mode(options.create_graph);
  for (size_t i = 0; i < inputs.size(); ++i)
    if (results[i]) accumulate_grad(inputs[i].impl(), results[i]);
}

Tensors grad(std::span<const Tensor> outputs, std::span<const Tensor> inputs, std::span<const Tensor> seeds, const GradOptions& options) {
  Roots roots(outputs, seeds, "grad");
  const Targets targets(inputs, "grad");
  Tensors results(inputs.size());
  Run run(options, false);
  run.only(roots.edges(), targets.edges(), &results);
  roots.start(run);
  run.run();
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (results[i]) continue;
    GRADUS_CHECK(options.allow_unused || options.materialize, state, "grad: input {} was not used in the outputs: pass allow_unused to get none", i);
    if (options.materialize) results[i] = zeros(inputs[i].sizes(), inputs[i].dtype());
  }
  return results;
}

}  // namespace gradus
