// backward and grad: gradients of outputs with respect to the leaves, or to the inputs asked for.
#pragma once
#include <span>

#include "tensor/tensor.h"
#include "dispatch/op.h"

namespace gradus {

struct GradOptions {
  bool retain_graph = false;                                  // keep saved values for another run
  bool create_graph = false;                                  // record the run itself; implies retain_graph
  bool allow_unused = false;                                  // inputs that nothing reaches get none instead of an error
  bool materialize = false;                                   // … or zeros
};

// Adds d(sum of seed * output) / d(leaf) into the .grad of each leaf, or of just `inputs` when there are any. A seed may be
// null for a one-element output.
void backward(std::span<const Tensor> outputs, std::span<const Tensor> seeds, const GradOptions& options = {}, std::span<const Tensor> inputs = {});
// Returns the gradients of `inputs` and leaves every .grad alone.
Tensors grad(std::span<const Tensor> outputs, std::span<const Tensor> inputs, std::span<const Tensor> seeds, const GradOptions& options = {});

}  // namespace gradus
