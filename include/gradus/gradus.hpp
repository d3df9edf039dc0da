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
#include <exception>

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
};
inline Node Tensor::grad_fn() const {
  gradus_node* n = nullptr;
  detail::call(gradus_tensor_grad_fn, handle(), &n);
  return Node(n);
}

// ---- gradients. An exception of a hook goes through the pass to the caller as itself.
namespace detail {
inline std::exception_ptr& pending() { static thread_local std::exception_ptr e; return e; }
inline void check_pass(gradus_context* c, gradus_status s) {
  if (std::exception_ptr e = std::exchange(pending(), nullptr); e && s != GRADUS_OK) std::rethrow_exception(e);
  check(c, s);
}
inline gradus_backward_options options(BackwardOptions o, uint32_t flags = 0) {
  gradus_backward_options c{};
  c.struct_size = sizeof c;
  c.flags = flags | (o.retain_graph ? uint32_t{GRADUS_BACKWARD_KEEP_GRAPH} : 0) | (o.create_graph ? uint32_t{GRADUS_BACKWARD_RECORD} : 0);
  return c;
}
}  // namespace detail

inline void backward(const TensorList& outputs, const TensorList& gradients = {}, BackwardOptions options = {}, const TensorList& inputs = {}) {
  if (gradients.size() && gradients.size() != outputs.size()) throw Error(GRADUS_E_VALUE, "backward: not one gradient for each output");
  gradus_backward_options o = detail::options(options);
  o.input_count = inputs.size();
  o.inputs = inputs.data();
  gradus_context* c = Context::current();
  detail::check_pass(c, gradus_backward(c, outputs.data(), outputs.size(), gradients.data(), &o));
}
inline void Tensor::backward(const Tensor& gradient, BackwardOptions options, const std::vector<Tensor>& inputs) const {
  v1::backward({*this}, {gradient}, options, inputs);
}

enum class Unused { error, none, zeros };                     // an input that no output depends on
inline std::vector<Tensor> grad(const TensorList& outputs, const TensorList& inputs, const TensorList& gradients = {},
                                BackwardOptions options = {}, Unused unused = Unused::error) {
  if (gradients.size() && gradients.size() != outputs.size()) throw Error(GRADUS_E_VALUE, "grad: not one gradient for each output");
  constexpr uint32_t flags[] = {0, GRADUS_BACKWARD_ALLOW_UNUSED, GRADUS_BACKWARD_MATERIALIZE};
  const gradus_backward_options o = detail::options(options, flags[static_cast<int>(unused)]);
  std::vector<gradus_tensor*> results(inputs.size());
  gradus_context* c = Context::current();
  detail::check_pass(c, gradus_grad(c, outputs.data(), outputs.size(), inputs.data(), inputs.size(), gradients.data(), &o, results.data()));
  std::vector<Tensor> out;
  for (gradus_tensor* r : results) out.push_back(Tensor(r));
  return out;
}

template <class F> uint64_t Tensor::register_hook(F f) const {
  constexpr auto run = [](void* user, gradus_context* c, gradus_tensor* g, gradus_tensor** replacement) -> gradus_status {
    try {
      F& hook = *static_cast<F*>(user);
      if constexpr (std::is_void_v<decltype(hook(Tensor()))>) {
        hook(Tensor::share(g));
      } else {
        const Tensor changed = hook(Tensor::share(g));
        gradus_retain(changed.handle());
        *replacement = changed.handle();
      }
      return GRADUS_OK;
    } catch (...) {
      detail::pending() = std::current_exception();
      constexpr std::string_view text = "a hook threw an exception";
      return gradus_context_fail(c, GRADUS_E_CALLBACK, 0, text.data(), text.size());
    }
  };
  auto owned = std::make_unique<F>(std::move(f));
  uint64_t id = 0;
  detail::call(gradus_tensor_add_hook, handle(), static_cast<gradus_hook_fn>(run), static_cast<void*>(owned.get()),
               static_cast<gradus_destroy_fn>([](void* user) { delete static_cast<F*>(user); }), &id);
  owned.release();
  return id;
}

// ---- functions of tensors: f(const std::vector<Tensor>&) or f(x), f(x, y), f(x, y, z); they return one tensor or several
namespace detail {
inline std::vector<Tensor> several(Tensor t) { return {std::move(t)}; }
inline std::vector<Tensor> several(std::vector<Tensor> t) { return t; }
template <class F> std::vector<Tensor> apply_to(F& f, const std::vector<Tensor>& x) {
  using T = const Tensor&;
  const auto expect = [&x](size_t n) {
    if (x.size() != n) throw Error(GRADUS_E_VALUE, "a function of " + std::to_string(n) + " tensors for " + std::to_string(x.size()) + " inputs");
  };
  if constexpr (std::is_invocable_v<F&, const std::vector<Tensor>&>) return several(f(x));
  else if constexpr (std::is_invocable_v<F&, T>) return expect(1), several(f(x[0]));
  else if constexpr (std::is_invocable_v<F&, T, T>) return expect(2), several(f(x[0], x[1]));
  else return expect(3), several(f(x[0], x[1], x[2]));
}
}  // namespace detail

// ---- gradients against differences. A wrong gradient is a result; an exception of f goes through as itself.
struct GradcheckOptions {
  double eps = 1e-6, atol = 1e-5, rtol = 1e-3, nondet_tol = 0;
  bool fast = false;                                          // one random projection of each Jacobian
};
struct GradcheckResult {
  bool passed = false;
  std::string report;                                         // what was compared, or what is wrong and where
  explicit operator bool() const { return passed; }
};
namespace detail {
template <class F> gradus_status run_checked(void* user, gradus_context* c, gradus_tensor* const* inputs, size_t n, gradus_tensor** results,
                                             size_t capacity, size_t* count) {
  try {
    std::vector<Tensor> x;
    for (size_t i = 0; i < n; ++i) x.push_back(Tensor::share(inputs[i]));
    const std::vector<Tensor> y = apply_to(*static_cast<std::remove_reference_t<F>*>(user), x);
    *count = y.size();
    for (size_t k = 0; k < y.size() && k < capacity; ++k) gradus_retain(results[k] = y[k].handle());
    return GRADUS_OK;
  } catch (...) {
    pending() = std::current_exception();
    constexpr std::string_view text = "the function threw an exception";
    return gradus_context_fail(c, GRADUS_E_CALLBACK, 0, text.data(), text.size());
  }
}
template <class F> GradcheckResult gradcheck(F call, const GradcheckOptions& o) {
  gradus_gradcheck_options c{};
  c.struct_size = sizeof c;
  c.flags = o.fast ? uint32_t{GRADUS_GRADCHECK_FAST} : 0;
  c.eps = o.eps, c.atol = o.atol, c.rtol = o.rtol, c.nondet_tol = o.nondet_tol;
  char report[8192];
  size_t length = 0;
  int32_t passed = 0;
  gradus_context* context = Context::current();
  check_pass(context, call(context, &c, &passed, report, sizeof report, &length));
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
  o.flags = saved ? uint32_t{GRADUS_GRAPH_SAVED} : 0;
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
inline std::string graph_json(const TensorList& outputs, const TensorNames& names = {}) { return detail::graph(GRADUS_GRAPH_JSON, outputs, names, true); }

}  // namespace v1
}  // namespace gradus
#endif
