// backward and grad: gradients of outputs with respect to the leaves, or to the inputs asked for.
#pragma once
#include <span>

#include "tensor/tensor.h"
#include "graph/node.h"

namespace gradus {

struct GradOptions {
  bool retain_graph = false;                                  // keep saved values for another run
  bool create_graph = false;                                  // record the run itself; implies retain_graph
  bool allow_unused = false;                                  // inputs that nothing reaches get none instead of an error
  bool materialize = false;                                   // … or zeros
  bool batched = false;                                       // grad only: a seed is a batch of them along its first dimension, and so are the results
};

// Adds d(sum of seed * output) / d(leaf) into the .grad of each leaf, or of just `inputs` when there are any. A seed may be
// null for a one-element output.
void backward(std::span<const Tensor> outputs, std::span<const Tensor> seeds, const GradOptions& options = {}, std::span<const Tensor> inputs = {});
// Returns the gradients of `inputs` and leaves every .grad alone.
Tensors grad(std::span<const Tensor> outputs, std::span<const Tensor> inputs, std::span<const Tensor> seeds, const GradOptions& options = {});

// The same with places in the graph instead of tensors, which may be gone by then. An edge is one output of a node.
void backward(std::span<const Edge> outputs, std::span<const Tensor> seeds, const GradOptions& options, std::span<const Tensor> inputs = {});
Tensors grad(std::span<const Edge> outputs, std::span<const Edge> inputs, std::span<const Tensor> seeds, const GradOptions& options = {});

// Applies the rule of one node outside of a pass, without hooks, and keeps what it saved: one gradient (or null) per edge, from one (or null)
// per output. Recorded if the context records. A leaf's adds to its .grad and has none.
Tensors call_node(Node* n, std::span<const Tensor> gradients);

// Runs f once after every pass that reaches one of the tensors (any: at the first gradient) or all that it reaches: gradients in
// the order of the tensors, null where none came. Its hooks are removed with remove_hook; ids has one per tensor.
using MultiHook = std::function<void(const Tensors& gradients)>;
std::vector<uint64_t> add_multi_hook(std::span<const Tensor> tensors, bool any, MultiHook f);

// Frees what the nodes behind these have saved, as a backward pass would: all but what `kept` still need.
void free_graph(std::span<const Edge> from, std::span<const Edge> kept);

}  // namespace gradus
