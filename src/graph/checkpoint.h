// Checkpoints: a part of the forward pass whose saved values are computed again when backward needs them, instead of being kept.
#pragma once
#include <vector>

#include "graph/node.h"

namespace gradus {

using Segment = std::function<void(const Tensors& inputs, Tensors& outputs)>;

struct CheckpointOptions {
  bool keep_random = true;                                    // the second run sees the random numbers of the first
  bool early_stop = true;                                     // the second run ends with the last value that is needed
  bool check = true;                                          // the second run must save values of the same shapes and dtypes
  std::vector<const Op*> kept;                                // their results are kept, not computed again
  std::function<bool(const Op&, const Args&)> keep;           // or this says so, asked before each call of the first run
};

// Passes of several threads over one checkpoint go one after the other: STATE for the second.
// f(inputs), whose tensors keep no more than the inputs (null ones may be among them). f runs again in backward, so it must do the same again. Nests: the
// inputs of a checkpoint inside another one are themselves computed again.
void checkpoint(Segment f, std::span<const Tensor> inputs, const CheckpointOptions& options, Tensors& outputs);

// state = step(i, state) for i in [0, steps), keeping O(log steps) states and running each step O(log steps) times: halves are
// checkpoints, and so are theirs.
using Step = std::function<void(int64_t i, const Tensors& state, Tensors& next)>;
void checkpoint_loop(Step step, int64_t steps, std::span<const Tensor> state, const CheckpointOptions& options, Tensors& last);

// What a context asks while a checkpoint keeps results of some ops (Context::results).
class KeptResults {
 public:
  virtual ~KeptResults() = default;
  virtual bool give(const Op& op, const Args& args, Tensors& out) = 0;   // false: it has to be computed
  virtual void take(const Op& op, const Tensors& out) = 0;    // what was computed after give had said so
  virtual void enter(const Op& composition, const Args& args) = 0;       // its parts follow, up to leave
  virtual void leave() = 0;
};

}  // namespace gradus
