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
inline bool is_grad_enabled() {
  gradus_context_info i{};
  i.struct_size = sizeof i;
  detail::call(gradus_context_describe, &i);
  return (i.flags & GRADUS_CONTEXT_RECORDING) != 0;
}

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

// ---- gradients
enum class Unused { error, none, zeros };                     // an input that no output depends on
namespace detail {
inline gradus_backward_options options(BackwardOptions o, Unused unused = Unused::error) {
  constexpr uint32_t flags[] = {0, GRADUS_BACKWARD_ALLOW_UNUSED, GRADUS_BACKWARD_MATERIALIZE};
  gradus_backward_options c{};
  c.struct_size = sizeof c;
  c.flags = flags[static_cast<int>(unused)] | (o.retain_graph ? uint32_t{GRADUS_BACKWARD_KEEP_GRAPH} : 0) | (o.create_graph ? uint32_t{GRADUS_BACKWARD_RECORD} : 0);
  return c;
}
}  // namespace detail

inline void backward(const TensorList& outputs, const TensorList& gradients = {}, BackwardOptions options = {}, const TensorList& inputs = {}) {
  if (gradients.size() && gradients.size() != outputs.size()) throw Error(GRADUS_E_VALUE, "backward: not one gradient for each output");
  gradus_backward_options o = detail::options(options);
  o.input_count = inputs.size();
  o.inputs = inputs.data();
  detail::call(gradus_backward, outputs.data(), outputs.size(), gradients.data(), &o);
}
inline void Tensor::backward(const Tensor& gradient, BackwardOptions options, const std::vector<Tensor>& inputs) const {
  v1::backward({*this}, {gradient}, options, inputs);
}

inline std::vector<Tensor> grad(const TensorList& outputs, const TensorList& inputs, const TensorList& gradients = {},
                                BackwardOptions options = {}, Unused unused = Unused::error) {
  if (gradients.size() && gradients.size() != outputs.size()) throw Error(GRADUS_E_VALUE, "grad: not one gradient for each output");
  const gradus_backward_options o = detail::options(options, unused);
  std::vector<gradus_tensor*> results(inputs.size());
  detail::call(gradus_grad, outputs.data(), outputs.size(), inputs.data(), inputs.size(), gradients.data(), &o, results.data());
  std::vector<Tensor> out;
  for (gradus_tensor* r : results) out.push_back(Tensor(r));
  return out;
}

}  // namespace v1
}  // namespace gradus

#include "gradus/hooks.hpp"
#endif
