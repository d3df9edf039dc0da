// gradus.hpp - automatic differentiation for C++17 and later: header-only, over the C interface, so that a program works with
// every later library of the same major version.
//
//   auto a = gradus::linspace(0, 6.28, 25).requires_grad_();
//   auto out = (2 * a.sin() + 1).sum();
//   out.backward();
//   std::cout << a.grad() << '\n';
//
// A Tensor is a counted handle; an empty one stands for "none". Failures are gradus::Error. Each thread has a context of its own.
#ifndef GRADUS_HPP
#define GRADUS_HPP

#include <algorithm>
#include <any>

#include "gradus/operation.hpp"
#include "gradus/ops.hpp"
#include "gradus/profile.hpp"
#include "gradus/tensor.hpp"

namespace gradus {
inline namespace v1 {

// ---- modes, for as long as the object lives
namespace detail {
class ModeGuard {
 public:
  using Set = gradus_status (*)(gradus_context*, int32_t, int32_t*);
  ModeGuard(Set set, bool on) : context_(Context::current()), set_(set) { check(context_, set_(context_, on, &before_)); }
  ~ModeGuard() { set_(context_, before_, nullptr); }
  ModeGuard(const ModeGuard&) = delete;
  ModeGuard& operator=(const ModeGuard&) = delete;

 private:
  gradus_context* context_;
  Set set_;
  int32_t before_ = 0;
};
}  // namespace detail
struct NoGradGuard : detail::ModeGuard { NoGradGuard() : ModeGuard(gradus_context_set_recording, false) {} };
struct EnableGradGuard : detail::ModeGuard { EnableGradGuard() : ModeGuard(gradus_context_set_recording, true) {} };
struct InferenceGuard : detail::ModeGuard {
  explicit InferenceGuard(bool on = true) : ModeGuard(gradus_context_set_inference, on) {}
};
// For programs that ask whether it is set: everything is deterministic, whatever the number of threads and the processor.
struct DeterministicGuard : detail::ModeGuard {
  explicit DeterministicGuard(bool on = true) : ModeGuard(gradus_context_set_deterministic, on) {}
};
// The modes and the random stream of the current context.
inline gradus_context_info context_info() {
  gradus_context_info i{};
  i.struct_size = sizeof i;
  detail::call(gradus_context_describe, &i);
  return i;
}
inline bool is_grad_enabled() { return (context_info().flags & GRADUS_CONTEXT_RECORDING) != 0; }
inline bool is_inference_mode_enabled() { return (context_info().flags & GRADUS_CONTEXT_INFERENCE) != 0; }
inline bool is_deterministic() { return (context_info().flags & GRADUS_CONTEXT_DETERMINISTIC) != 0; }
inline bool is_anomaly_enabled() { return context_info().anomaly != 0; }

// ---- the graph
class Node : public detail::Handle<gradus_node> {
 public:
  using Handle::Handle;
  std::string name() const {
    char text[128];
    size_t length = 0;
    detail::call(gradus_node_name, handle(), text, sizeof text, &length);
    if (length < sizeof text) return {text, length};
    std::string s(length + 1, '\0');
    detail::call(gradus_node_name, handle(), s.data(), s.size(), &length);
    s.resize(length);
    return s;
  }
  // Where the gradients of the arguments go: nodes (empty where nothing flows) and which output of them.
  std::vector<std::pair<Node, uint32_t>> next_functions() const {
    std::vector<std::pair<Node, uint32_t>> all;
    for (uint32_t i = 0, n = info().edge_count; i < n; ++i) {
      gradus_node* next = nullptr;
      uint32_t nr = 0;
      detail::call(gradus_node_next, handle(), i, &next, &nr);
      all.emplace_back(Node(next), nr);
    }
    return all;
  }
  bool is_leaf() const { return (info().flags & GRADUS_NODE_LEAF) != 0; }
  bool is_freed() const { return (info().flags & GRADUS_NODE_FREED) != 0; }   // what it saved is gone
  bool is_same(const Node& o) const { return handle() == o.handle(); }
  Tensor variable() const {                                   // the leaf whose gradient it collects; empty for others
    gradus_tensor* t = nullptr;
    detail::call(gradus_node_variable, handle(), &t);
    return Tensor(t);
  }
  gradus_node_info info() const {
    gradus_node_info i{};
    i.struct_size = sizeof i;
    const gradus_status s = gradus_node_describe(handle(), &i);
    if (s != GRADUS_OK) throw Error(s, "the graph node is empty");
    return i;
  }
  // Its rule by itself, outside of a pass and without hooks: the gradients for its edges (next_functions), empty where none flows, from one
  // (or an empty one) for each output. Recorded while gradients are enabled. A leaf's adds to .grad.
  std::vector<Tensor> operator()(const TensorList& gradients) const;
  // What the program keeps with the node, as long as the node lives; empty if it keeps nothing. No other language may have set it.
  void set_metadata(std::any value) const;
  std::any metadata() const {
    const void* kept = gradus_node_user(handle());
    return kept ? *static_cast<const std::any*>(kept) : std::any();
  }
  OperatorHandle op() const { return OperatorHandle(gradus_node_op(handle())); }   // empty for a leaf's and for a function of the program
  // What it keeps of an argument of its operation ("self", "dim") or of the results ("result", "result1"); tensors with their history.
  // INDEX for another name, GRAPH_FREED for a tensor after the node has run.
  IValue saved(std::string_view name) const {
    gradus_value v{};
    detail::call(gradus_node_saved, handle(), name.data(), name.size(), &v);
    return {v, *this};
  }
  // Hooks on one saved tensor, of that name: as SavedTensorHooks, but pack runs at once.
  template <class Pack, class Unpack> void register_saved_hooks(std::string_view name, Pack pack, Unpack unpack) const;

  // Before the node's rule: f(grad_outputs); after it: f(grad_inputs, grad_outputs). f returns nothing, or a vector of gradients to go on
  // with, where an empty tensor leaves the gradient as it is. Ids are for remove_hook.
  template <class F> uint64_t register_prehook(F f) const;
  template <class F> uint64_t register_hook(F f) const;
  void remove_hook(uint64_t id) const { detail::call(gradus_node_remove_hook, handle(), id); }
};
inline Node Tensor::grad_fn() const {
  gradus_node* n = nullptr;
  detail::call(gradus_tensor_grad_fn, handle(), &n);
  return Node(n);
}

// ---- what callbacks take and return
namespace detail {
inline std::vector<Tensor> listed(Tensor t) { return {std::move(t)}; }
inline std::vector<Tensor> listed(std::vector<Tensor> t) { return t; }
// Room for what a C call gives. What was not taken is released: the vector that takes it may find no memory.
class Results {
 public:
  explicit Results(size_t room) : given_(room) {}
  ~Results() {
    for (gradus_tensor* t : given_)
      if (t) gradus_release(t);
  }
  Results(const Results&) = delete;
  Results& operator=(const Results&) = delete;
  gradus_tensor** data() { return given_.data(); }
  size_t size() const { return given_.size(); }
  std::vector<Tensor> take(size_t n) {
    std::vector<Tensor> all;
    all.reserve(n);
    for (size_t i = 0; i < n; ++i) all.push_back(Tensor(std::exchange(given_[i], nullptr)));
    return all;
  }

 private:
  std::vector<gradus_tensor*> given_;
};
inline void give(const Tensor& t, gradus_tensor** to) {
  gradus_retain(t.handle());
  *to = t.handle();
}
inline void return_tensors(const std::vector<Tensor>& from, gradus_tensor** to, size_t capacity, size_t* count) {
  *count = from.size();
  for (size_t i = 0; i < from.size() && i < capacity; ++i) give(from[i], &to[i]);
}
// f of a vector of tensors, or of one, two or three of them.
template <class F> auto apply_to(F& f, const std::vector<Tensor>& x) {
  using T = const Tensor&;
  const auto expect = [&x](size_t n) {
    if (x.size() != n) throw Error(GRADUS_E_VALUE, "a function of " + std::to_string(n) + " tensors for " + std::to_string(x.size()) + " inputs");
  };
  if constexpr (std::is_invocable_v<F&, const std::vector<Tensor>&>) return f(x);
  else if constexpr (std::is_invocable_v<F&, T>) return expect(1), f(x[0]);
  else if constexpr (std::is_invocable_v<F&, T, T>) return expect(2), f(x[0], x[1]);
  else return expect(3), f(x[0], x[1], x[2]);
}
}  // namespace detail

inline std::vector<Tensor> Node::operator()(const TensorList& gradients) const {
  detail::Results results(info().edge_count);
  size_t made = 0;
  detail::call(gradus_node_call, handle(), gradients.data(), gradients.size(), results.data(), results.size(), &made);
  return results.take(made);
}

// ---- gradients
enum class Unused { error, none, zeros };                     // an input that no output depends on
namespace detail {
inline gradus_backward_options options(BackwardOptions o, Unused unused = Unused::error) {
  constexpr uint32_t flags[] = {0, GRADUS_BACKWARD_ALLOW_UNUSED, GRADUS_BACKWARD_MATERIALIZE};
  gradus_backward_options c{};
  c.struct_size = sizeof c;
  c.flags = flags[static_cast<int>(unused)] | (o.retain_graph ? uint32_t{GRADUS_BACKWARD_KEEP_GRAPH} : 0) | (o.create_graph ? uint32_t{GRADUS_BACKWARD_RECORD} : 0) |
            (o.batched ? uint32_t{GRADUS_BACKWARD_BATCHED} : 0);
  return c;
}
inline void check_gradients(const char* what, size_t gradients, size_t outputs) {
  if (gradients && gradients != outputs)
    throw Error(GRADUS_E_VALUE, std::string(what) + ": " + std::to_string(gradients) + " gradients for " + std::to_string(outputs) + " outputs", what);
}
inline gradus_backward_options options(BackwardOptions o, const TensorList& inputs) {
  if (inputs.size() == 0) throw Error(GRADUS_E_VALUE, "backward: no inputs given", "backward");   // an empty list has no address, and none means all leaves
  gradus_backward_options c = options(o);
  c.input_count = inputs.size();
  c.inputs = inputs.data();
  return c;
}
inline void backward(const TensorList& outputs, const TensorList& gradients, const gradus_backward_options& o) {
  check_gradients("backward", gradients.size(), outputs.size());
  call(gradus_backward, outputs.data(), outputs.size(), gradients.data(), &o);
}
}  // namespace detail

// Into the .grad of all leaves, or of the inputs alone: VALUE if there are none.
inline void backward(const TensorList& outputs, const TensorList& gradients = {}, BackwardOptions options = {}) {
  detail::backward(outputs, gradients, detail::options(options));
}
inline void backward(const TensorList& outputs, const TensorList& gradients, BackwardOptions options, const TensorList& inputs) {
  detail::backward(outputs, gradients, detail::options(options, inputs));
}
inline void Tensor::backward(const Tensor& gradient, BackwardOptions options) const { v1::backward({*this}, {gradient}, options); }
inline void Tensor::backward(const Tensor& gradient, BackwardOptions options, const TensorList& inputs) const {
  v1::backward({*this}, {gradient}, options, inputs);
}

inline std::vector<Tensor> grad(const TensorList& outputs, const TensorList& inputs, const TensorList& gradients = {},
                                BackwardOptions options = {}, Unused unused = Unused::error) {
  detail::check_gradients("grad", gradients.size(), outputs.size());
  const gradus_backward_options o = detail::options(options, unused);
  detail::Results results(inputs.size());
  detail::call(gradus_grad, outputs.data(), outputs.size(), inputs.data(), inputs.size(), gradients.data(), &o, results.data());
  return results.take(results.size());
}

// ---- gradients against differences. A wrong gradient is a result; an exception of f goes through as itself.
struct GradcheckOptions {
  double eps = 1e-6, atol = 1e-5, rtol = 1e-3, nondet_tol = 0;
  bool fast = false;                                          // one random projection of each Jacobian
  bool check_undefined_grad = true;                           // try outputs whose gradient is missing
  bool check_scaling = true;                                  // try zero and scaled gradients of the outputs
  bool gen_non_contig_grad_outputs = false;                   // gradgradcheck: the gradients that it makes are not contiguous
  uint64_t seed = 0;                                          // of the random directions and gradients
};
struct GradcheckResult {
  bool passed = false;
  std::string report;                                         // what was compared, or what is wrong and where
  explicit operator bool() const { return passed; }
};
namespace detail {
template <class F> gradus_status run_checked(void* user, gradus_context* c, gradus_tensor* const* inputs, size_t n, gradus_tensor** results,
                                             size_t capacity, size_t* count) {
  return protect(c, [&] {
    return_tensors(listed(apply_to(*static_cast<std::remove_reference_t<F>*>(user), borrowed(inputs, n))), results, capacity, count);
  });
}
template <class F> GradcheckResult gradcheck(F call, const GradcheckOptions& o) {
  gradus_gradcheck_options c{};
  c.struct_size = sizeof c;
  c.flags = (o.fast ? uint32_t{GRADUS_GRADCHECK_FAST} : 0) | (o.check_undefined_grad ? 0 : uint32_t{GRADUS_GRADCHECK_NO_UNDEFINED}) |
            (o.check_scaling ? 0 : uint32_t{GRADUS_GRADCHECK_NO_SCALING}) | (o.gen_non_contig_grad_outputs ? uint32_t{GRADUS_GRADCHECK_STRIDED} : 0);
  c.seed = o.seed;
  c.eps = o.eps, c.atol = o.atol, c.rtol = o.rtol, c.nondet_tol = o.nondet_tol;
  char report[8192];
  size_t length = 0;
  int32_t passed = 0;
  gradus_context* context = Context::current();
  check(context, call(context, &c, &passed, report, sizeof report, &length));
  return {passed != 0, {report, std::min(length, sizeof report - 1)}};
}
template <class F> void* address(F& f) { return const_cast<void*>(static_cast<const void*>(&f)); }
}  // namespace detail
template <class F> GradcheckResult gradcheck(F&& f, const TensorList& inputs, const GradcheckOptions& options = {}) {
  return detail::gradcheck([&](gradus_context* c, const gradus_gradcheck_options* o, int32_t* passed, char* report, size_t capacity, size_t* length) {
    return gradus_gradcheck(c, detail::run_checked<F>, detail::address(f), inputs.data(), inputs.size(), o, passed, report, capacity, length);
  }, options);
}
// One order higher; without gradients of the outputs random ones are taken.
template <class F> GradcheckResult gradgradcheck(F&& f, const TensorList& inputs, const TensorList& grad_outputs = {}, const GradcheckOptions& options = {}) {
  return detail::gradcheck([&](gradus_context* c, const gradus_gradcheck_options* o, int32_t* passed, char* report, size_t capacity, size_t* length) {
    return gradus_gradgradcheck(c, detail::run_checked<F>, detail::address(f), inputs.data(), inputs.size(), grad_outputs.data(), grad_outputs.size(), o,
                                passed, report, capacity, length);
  }, options);
}

// ---- the graph to look at: graph_dot(out, {{a, "a"}}) for Graphviz, graph_json for programs
using TensorNames = std::vector<std::pair<Tensor, std::string>>;
namespace detail {
inline std::string graph(int32_t format, const TensorList& outputs, const TensorNames& names, bool saved) {
  std::vector<gradus_tensor*> tensors;
  std::vector<const char*> texts;
  for (const auto& [tensor, name] : names) tensors.push_back(tensor.handle()), texts.push_back(name.c_str());
  gradus_graph_options o{};
  o.struct_size = sizeof o;
  o.flags = saved ? uint32_t{GRADUS_GRAPH_WITH_SAVED} : 0;
  o.name_count = names.size();
  o.tensors = tensors.data();
  o.names = texts.data();
  size_t length = 0;
  call(gradus_graph_export, outputs.data(), outputs.size(), &o, format, static_cast<char*>(nullptr), size_t{0}, &length);
  std::string s(length + 1, '\0');
  call(gradus_graph_export, outputs.data(), outputs.size(), &o, format, s.data(), s.size(), &length);
  s.resize(length);
  return s;
}
}  // namespace detail
inline std::string graph_dot(const TensorList& outputs, const TensorNames& names = {}, bool saved = false) {
  return detail::graph(GRADUS_GRAPH_DOT, outputs, names, saved);
}
// What the graph keeps for backward, by operation.
inline std::string saved_table(const TensorList& outputs) { return detail::graph(GRADUS_GRAPH_TABLE, outputs, {}, false); }
inline std::string graph_json(const TensorList& outputs, const TensorNames& names = {}) { return detail::graph(GRADUS_GRAPH_JSON, outputs, names, true); }

}  // namespace v1
}  // namespace gradus

#include "gradus/hooks.hpp"
#endif
