// gradus/checkpoint.hpp - less memory for more time, for C++: parts of the forward pass that run again in backward.
//
//   const Tensor y = gradus::checkpoint([&](const Tensor& x) { return gradus::relu(x.mm(w1)).mm(w2); }, {x});
//   const Tensor last = gradus::checkpoint_loop([&](int64_t, const Tensor& s) { return (s.mm(w)).tanh(); }, 1000, start);
//
// gradus/checkpoint.h has the rules. What the function holds by reference has to live as long as the graph does. Exceptions, of either
// run, go through to the caller as themselves.
#ifndef GRADUS_CHECKPOINT_HPP
#define GRADUS_CHECKPOINT_HPP

#include "gradus/gradus.hpp"

namespace gradus {
inline namespace v1 {

// How a checkpoint runs: what it keeps, and what its second run has to repeat.
struct CheckpointOptions {
  bool preserve_rng_state = true;                             // the second run sees the random numbers of the first
  bool early_stop = true;                                     // the second run ends with the last value that is needed
  bool determinism_check = true;                              // the second run must save values of the same shapes and dtypes
  std::vector<std::string> kept{};                            // operations whose results are kept: {"mm", "convolution"}
  // Says so of the others, call by call, in the first run: gradus_keep_fn of gradus/checkpoint.h. Arguments are in the schema's order.
  std::function<bool(OperatorHandle op, const std::vector<IValue>& arguments)> policy{};
};

namespace detail {
// What the library holds of a checkpoint.
template <class F> struct CheckpointFrame {
  F f;
  decltype(CheckpointOptions::policy) policy;
  static CheckpointFrame& of(void* user) { return *static_cast<CheckpointFrame*>(user); }
  static gradus_status keep(void* user, gradus_context* c, const gradus_op* op, const gradus_value* arguments, size_t n, int32_t* keep) {
    return protect(c, [&] { *keep = of(user).policy(OperatorHandle(op), std::vector<IValue>(arguments, arguments + n)); });
  }
};
// The options for C, with what they point to.
struct CheckpointPlan {
  std::vector<const gradus_op*> kept;
  gradus_checkpoint_options options{};
  CheckpointPlan(const CheckpointOptions& o, gradus_keep_fn keep) {
    for (const std::string& name : o.kept) kept.push_back(Op(name).get());
    options.struct_size = sizeof options;
    options.flags = (o.preserve_rng_state ? 0 : uint32_t{GRADUS_CHECKPOINT_NEW_RANDOM}) | (o.early_stop ? 0 : uint32_t{GRADUS_CHECKPOINT_WHOLE}) |
                    (o.determinism_check ? 0 : uint32_t{GRADUS_CHECKPOINT_UNCHECKED});
    options.kept_count = kept.size();
    options.kept = kept.data();
    if (o.policy) options.keep = keep;
  }
};
}  // namespace detail

// Runs f on the inputs (a vector of tensors, or up to three one by one); it returns a Tensor or a vector of them, and so does this.
template <class F> auto checkpoint(F f, const TensorList& inputs, const CheckpointOptions& options = {}) {
  using Result = decltype(detail::apply_to(f, std::vector<Tensor>()));
  static_assert(std::is_same_v<Result, Tensor> || std::is_same_v<Result, std::vector<Tensor>>, "a checkpoint's function returns a Tensor or a vector of them");
  using Frame = detail::CheckpointFrame<F>;
  constexpr gradus_segment_fn run = [](void* user, gradus_context* c, gradus_tensor* const* given, size_t n, gradus_tensor** results, size_t capacity,
                                       size_t* count) {
    return detail::protect(c, [&] {
      detail::return_tensors(detail::listed(detail::apply_to(Frame::of(user).f, detail::borrowed(given, n))), results, capacity, count);
    });
  };
  const detail::CheckpointPlan plan(options, Frame::keep);
  detail::Results results(std::is_same_v<Result, Tensor> ? 1 : 1024);
  size_t count = 0;
  detail::hand_over(Frame{std::move(f), options.policy}, [&](void* user, gradus_destroy_fn destroy) {
    detail::call(gradus_checkpoint, run, user, destroy, inputs.data(), inputs.size(), &plan.options, results.data(), results.size(), &count);
  });
  std::vector<Tensor> out = results.take(count);
  if constexpr (std::is_same_v<Result, Tensor>) return std::move(out.at(0));
  else return out;
}

// state = step(i, state) for i in [0, steps), keeping O(log steps) states and running each step O(log steps) times.
template <class F> std::vector<Tensor> checkpoint_loop(F step, int64_t steps, const std::vector<Tensor>& state, const CheckpointOptions& options = {}) {
  using Frame = detail::CheckpointFrame<F>;
  constexpr gradus_step_fn run = [](void* user, gradus_context* c, int64_t i, gradus_tensor* const* given, size_t n, gradus_tensor** next) {
    return detail::protect(c, [&] {
      const std::vector<Tensor> made = Frame::of(user).f(i, detail::borrowed(given, n));
      if (made.size() != n)
        throw Error(GRADUS_E_VALUE, "checkpoint_loop: a step returned " + std::to_string(made.size()) + " tensors for a state of " + std::to_string(n));
      detail::return_tensors(made, next, n, &n);
    });
  };
  const detail::CheckpointPlan plan(options, Frame::keep);
  const TensorList list(state);
  detail::Results results(state.size());
  detail::hand_over(Frame{std::move(step), options.policy}, [&](void* user, gradus_destroy_fn destroy) {
    detail::call(gradus_checkpoint_loop, run, user, destroy, steps, list.data(), list.size(), &plan.options, results.data());
  });
  return results.take(results.size());
}
template <class F> Tensor checkpoint_loop(F step, int64_t steps, const Tensor& state, const CheckpointOptions& options = {}) {
  const auto run = [step = std::move(step)](int64_t i, const std::vector<Tensor>& s) mutable { return std::vector<Tensor>{step(i, s[0])}; };
  return checkpoint_loop(run, steps, std::vector<Tensor>{state}, options)[0];
}

}  // namespace v1
}  // namespace gradus
#endif
