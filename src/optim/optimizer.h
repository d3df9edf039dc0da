// Optimizers: parameters in groups with settings, and one fused step over all of them. Nothing is recorded, versions are raised,
// parameters without a gradient are left alone.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "graph/node.h"
#include "optim/settings.h"

namespace gradus {

namespace kernels { struct Update; }

// What the steps so far have left of one parameter. Empty until its first step.
struct ParameterState {
  static constexpr int kBuffers = 3;
  bool begun = false;
  double step = 0;
  double mu_product = 1;                                      // NAdam
  Tensor buffer[kBuffers];                                    // named by the algorithm
};
struct Parameter {
  Tensor tensor;
  size_t group;
  ParameterState state;
};

// LBFGS looks at all parameters as one vector.
struct LbfgsState {
  double func_evals = 0, n_iter = 0, t = 0, H_diag = 1, prev_loss = 0;
  Tensor d, prev_flat_grad;
  std::vector<Tensor> old_dirs, old_stps;
  std::vector<double> ro;
};

// One entry of the state, to be saved: numbers are 0-dimensional tensors of float64.
struct StateItem {
  size_t parameter;
  const char* name;
  Tensor value;                                               // buffers are the optimizer's own
};

using Closure = std::function<Tensor()>;                      // computes the gradients anew and returns the loss

struct Optimizer : Object {
  Optimizer(const AlgorithmInfo& algorithm, std::span<const Tensor> parameters, std::span<const NamedValue> settings);
  ~Optimizer();
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  void add_group(std::span<const Tensor> parameters, std::span<const NamedValue> settings);
  void step();
  Tensor step(const Closure& closure);                        // the loss of the closure's first call
  void zero_grad(bool set_to_none);
  void set(int64_t group, std::string_view name, double value);   // of group -1: all groups
  double get(int64_t group, std::string_view name) const;
  uint64_t state_count() const;
  StateItem state_at(uint64_t position) const;                // positions in order take constant time each
  void load_state(size_t parameter, std::string_view name, const Tensor& value);

  const AlgorithmInfo& info;
  std::vector<Settings> groups;
  std::vector<Parameter> parameters;                          // group by group
  LbfgsState lbfgs;

 private:
  class Running;
  size_t group_index(int64_t group, std::string_view by) const;
  void run();

  const Settings defaults_;                                   // of groups that are added
  std::atomic<bool> running_{false};                          // inside a step, of any thread
  mutable std::atomic<uint64_t> place_{0};                    // where state_at goes on: parameter << 32 | position of its first entry
};
inline void retain(Optimizer* o) { o->refs.up(); }
inline void release(Optimizer* o) { if (o->refs.down()) delete o; }

// ---- state.cpp
std::span<const char* const> buffer_names(Algorithm a);
bool has_step(Algorithm a);
uint64_t state_count_of(const Optimizer& o);
StateItem state_at_of(const Optimizer& o, uint64_t position, std::atomic<uint64_t>& place);   // goes on from place, and leaves its own there
void load_state_of(Optimizer& o, size_t parameter, std::string_view name, const Tensor& value);
Tensor scalar(double v);
double number_of(const Tensor& t);                            // of one element

// ---- lbfgs.cpp
Tensor lbfgs_step(Optimizer& o, const Closure& closure);

// ---- clip.cpp: of the gradients of these tensors
double clip_grad_norm(std::span<const Tensor> tensors, double max_norm, double norm_type, bool error_if_nonfinite);   // the norm before
void clip_grad_value(std::span<const Tensor> tensors, double value);
// What the numbers of a tensor are to an optimizer: complex ones count as their pairs of real numbers, as in PyTorch.
inline Tensor pairs_of(const Tensor& t) { return is_complex(t.dtype()) ? parts_of(t) : t; }
// Runs the updates together, or one after the other where memory of one that is written is another's, too.
// Tensors of `written` are all different where there are some in `read`.
void run_updates(std::span<const kernels::Update> updates, std::span<const Tensor> written, std::span<const Tensor> read);
// The gradient, checked to be one for the tensor; null when there is none.
TensorImpl* grad_of(const Tensor& t, std::string_view by);
void check_writable(const Tensor& t, std::string_view by);
void check_not_cancelled(std::string_view by);              // before a write that is then whole

}  // namespace gradus
