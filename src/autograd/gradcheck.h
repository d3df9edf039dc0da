// Whether backward gives the derivative of what a function computes: gradients against central differences.
#pragma once
#include <functional>
#include <string>

#include "autograd/grad.h"

namespace gradus {

struct GradcheckOptions {
  double eps = 1e-6;                                          // how far an element is moved to either side
  double atol = 1e-5, rtol = 1e-3;                            // |by backward - by differences| <= atol + rtol |by differences|
  double nondet_tol = 0;                                      // between two runs of the same
  bool fast = false;                                          // one projection of each Jacobian; its entries only where that differs
  bool undefined = true;                                      // try outputs without a gradient
  bool scaling = true;                                        // try zero and scaled gradients of the outputs
  bool strided = false;                                       // gradgradcheck: the gradients it makes are not contiguous
  uint64_t seed = 0;                                          // of random directions
};

struct GradcheckResult {
  bool passed = false;
  std::string report;                                         // what was compared, or what differs and where
};

// Has to compute from `inputs`, whose memory is written between calls. Random numbers start from the same state in every call.
using GradcheckFunction = std::function<Tensors(std::span<const Tensor> inputs)>;

// Inputs that require grad are moved and put back, whatever happens; no .grad changes. A mismatch is a result, a bad call an Error.
// A complex tensor counts as the pairs of its parts: its elements are named with a last index, 0 for the real part.
GradcheckResult gradcheck(const GradcheckFunction& f, std::span<const Tensor> inputs, const GradcheckOptions& options = {});

// The same for the gradients of f as functions of the inputs and of the outputs' gradients: one per output, null or none for random ones.
GradcheckResult gradgradcheck(const GradcheckFunction& f, std::span<const Tensor> inputs, std::span<const Tensor> grad_outputs = {},
                              const GradcheckOptions& options = {});

}  // namespace gradus
