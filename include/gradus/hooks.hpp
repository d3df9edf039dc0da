// gradus/hooks.hpp - the program's code inside a backward pass, and between saving a value and reading it. Part of gradus.hpp.
//
//   x.register_hook([](const Tensor& g) { return g.clamp(-1, 1); });
//   w.register_post_accumulate_grad_hook([](const Tensor& w) { NoGradGuard off; w -= 0.1 * w.grad(); w.zero_grad(); });
//   const SavedTensorHooks half([](const Tensor& t) { return t.to(bfloat16); }, [](const Tensor& t) { return t.to(float32); });
//
// gradus/hooks.h has the order in which they run. Exceptions go through the pass to its caller as themselves.
#ifndef GRADUS_HOOKS_HPP
#define GRADUS_HOOKS_HPP

#include "gradus/gradus.hpp"

namespace gradus {
inline namespace v1 {

namespace detail {
template <class F> void destroy(void* user) { delete static_cast<F*>(user); }
// registering(user, destroy) hands f to the library.
template <class F, class R> void hand_over(F f, R registering) {
  auto owned = std::make_unique<F>(std::move(f));
  registering(static_cast<void*>(owned.get()), static_cast<gradus_destroy_fn>(destroy<F>));
  owned.release();                                            // NOLINT: the library has it
}

template <class F, class... A> void run_node_hook(F& hook, size_t n, gradus_tensor** replacements, const A&... gradients) {
  if constexpr (std::is_void_v<decltype(hook(gradients...))>) {
    hook(gradients...);
  } else {
    const std::vector<Tensor> changed = listed(hook(gradients...));
    if (changed.size() != n)
      throw Error(GRADUS_E_VALUE, "a hook returned " + std::to_string(changed.size()) + " gradients for " + std::to_string(n));
    for (size_t i = 0; i < n; ++i) give(changed[i], &replacements[i]);
  }
}
}  // namespace detail

template <class F> uint64_t Tensor::register_hook(F f) const {
  constexpr gradus_hook_fn run = [](void* user, gradus_context* c, gradus_tensor* g, gradus_tensor** replacement) {
    return detail::protect(c, [&] {
      F& hook = *static_cast<F*>(user);
      if constexpr (std::is_void_v<decltype(hook(Tensor()))>) hook(Tensor::share(g));
      else detail::give(hook(Tensor::share(g)), replacement);
    });
  };
  uint64_t id = 0;
  detail::hand_over(std::move(f), [&](void* user, gradus_destroy_fn destroy) { detail::call(gradus_tensor_add_hook, handle(), run, user, destroy, &id); });
  return id;
}

template <class F> uint64_t Tensor::register_post_accumulate_grad_hook(F f) const {
  constexpr gradus_leaf_hook_fn run = [](void* user, gradus_context* c, gradus_tensor* leaf) {
    return detail::protect(c, [&] { (*static_cast<F*>(user))(Tensor::share(leaf)); });
  };
  uint64_t id = 0;
  detail::hand_over(std::move(f), [&](void* user, gradus_destroy_fn destroy) { detail::call(gradus_tensor_add_grad_hook, handle(), run, user, destroy, &id); });
  return id;
}

template <class F> uint64_t Node::register_prehook(F f) const {
  constexpr gradus_node_hook_fn run = [](void* user, gradus_context* c, gradus_tensor* const* gradients, size_t n, gradus_tensor* const*, size_t,
                                         gradus_tensor** replacements) {
    return detail::protect(c, [&] { detail::run_node_hook(*static_cast<F*>(user), n, replacements, detail::borrowed(gradients, n)); });
  };
  uint64_t id = 0;
  detail::hand_over(std::move(f), [&](void* user, gradus_destroy_fn destroy) {
    detail::call(gradus_node_add_hook, handle(), int32_t{GRADUS_HOOK_BEFORE}, run, user, destroy, &id);
  });
  return id;
}

template <class F> uint64_t Node::register_hook(F f) const {
  constexpr gradus_node_hook_fn run = [](void* user, gradus_context* c, gradus_tensor* const* gradients, size_t n, gradus_tensor* const* incoming,
                                         size_t m, gradus_tensor** replacements) {
    return detail::protect(c, [&] {
      detail::run_node_hook(*static_cast<F*>(user), n, replacements, detail::borrowed(gradients, n), detail::borrowed(incoming, m));
    });
  };
  uint64_t id = 0;
  detail::hand_over(std::move(f), [&](void* user, gradus_destroy_fn destroy) {
    detail::call(gradus_node_add_hook, handle(), int32_t{GRADUS_HOOK_AFTER}, run, user, destroy, &id);
  });
  return id;
}

// ---- hooks of several tensors: f(gradients), one for each tensor, empty where none came
enum class MultiHookMode : int32_t { all = GRADUS_HOOK_ALL, any = GRADUS_HOOK_ANY };
struct MultiGradHook {                                        // to remove it; it goes on when this is gone
  std::vector<Tensor> tensors;
  std::vector<uint64_t> ids;
  void remove() {
    for (size_t i = 0; i < tensors.size(); ++i) tensors[i].remove_hook(ids[i]);
    tensors.clear();
  }
};
// Once in each pass: when all those that the pass reaches have their gradients, or at the first.
template <class F> MultiGradHook register_multi_grad_hook(const TensorList& tensors, F f, MultiHookMode mode = MultiHookMode::all) {
  constexpr gradus_multi_hook_fn run = [](void* user, gradus_context* c, gradus_tensor* const* gradients, size_t n) {
    return detail::protect(c, [&] { (*static_cast<F*>(user))(detail::borrowed(gradients, n)); });
  };
  MultiGradHook made{detail::borrowed(tensors.data(), tensors.size()), std::vector<uint64_t>(tensors.size())};
  detail::hand_over(std::move(f), [&](void* user, gradus_destroy_fn destroy) {
    detail::call(gradus_tensors_add_hook, tensors.data(), tensors.size(), static_cast<int32_t>(mode), run, user, destroy, made.ids.data());
  });
  return made;
}

// ---- edges: one output of a node, which stands for a tensor and needs none to be alive
struct GradientEdge {
  Node node;
  uint64_t output_nr = 0;
  GradientEdge(Node n, uint64_t nr) : node(std::move(n)), output_nr(nr) {}
  explicit GradientEdge(const Tensor& t) {
    gradus_edge e{};
    detail::call(gradus_tensor_edge, t.handle(), &e);
    node = Node(e.node);
    output_nr = e.output_nr;
  }
};
namespace detail {
inline std::vector<gradus_edge> edges(const std::vector<GradientEdge>& list) {
  std::vector<gradus_edge> all;
  for (const GradientEdge& e : list) all.push_back({e.output_nr, e.node.handle(), nullptr});
  return all;
}
inline std::vector<GradientEdge> edges_to(const TensorList& tensors) {
  std::vector<GradientEdge> all;
  for (const Tensor& t : borrowed(tensors.data(), tensors.size())) all.emplace_back(t);
  return all;
}
inline void backward(const std::vector<GradientEdge>& outputs, const TensorList& gradients, const gradus_backward_options& o) {
  check_gradients("backward", gradients.size(), outputs.size());
  const std::vector<gradus_edge> from = edges(outputs);
  call(gradus_backward_edges, from.data(), from.size(), sizeof(gradus_edge), gradients.data(), &o);
}
}  // namespace detail
inline void backward(const std::vector<GradientEdge>& outputs, const TensorList& gradients = {}, BackwardOptions options = {}) {
  detail::backward(outputs, gradients, detail::options(options));
}
inline void backward(const std::vector<GradientEdge>& outputs, const TensorList& gradients, BackwardOptions options, const TensorList& inputs) {
  detail::backward(outputs, gradients, detail::options(options, inputs));
}
inline std::vector<Tensor> grad(const std::vector<GradientEdge>& outputs, const std::vector<GradientEdge>& inputs, const TensorList& gradients = {},
                                BackwardOptions options = {}, Unused unused = Unused::error) {
  detail::check_gradients("grad", gradients.size(), outputs.size());
  const std::vector<gradus_edge> from = detail::edges(outputs), to = detail::edges(inputs);
  const gradus_backward_options o = detail::options(options, unused);
  detail::Results results(to.size());
  detail::call(gradus_grad_edges, from.data(), from.size(), to.data(), to.size(), sizeof(gradus_edge), gradients.data(), &o, results.data());
  return results.take(results.size());
}

// Frees what the nodes behind the outputs have saved, except where `kept` still lead.
inline void free_graph(const std::vector<GradientEdge>& outputs, const std::vector<GradientEdge>& kept = {}) {
  const std::vector<gradus_edge> from = detail::edges(outputs), but = detail::edges(kept);
  detail::call(gradus_graph_free, from.data(), from.size(), but.data(), but.size(), sizeof(gradus_edge));
}
inline void free_graph(const TensorList& outputs, const TensorList& kept = {}) { free_graph(detail::edges_to(outputs), detail::edges_to(kept)); }

// ---- inside a pass, for hooks and backward functions; STATE outside of one
// f() runs once when the pass is complete, in order, and not after a failure. It may queue others.
template <class F> void queue_callback(F f) {
  constexpr gradus_deferred_fn run = [](void* user, gradus_context* c) { return detail::protect(c, [&] { (*static_cast<F*>(user))(); }); };
  detail::hand_over(std::move(f), [&](void* user, gradus_destroy_fn destroy) { detail::call(gradus_backward_defer, run, user, destroy); });
}
// The node whose rule or hooks run; empty in queued callbacks.
inline Node get_current_node() {
  gradus_node* n = nullptr;
  detail::call(gradus_backward_node, &n);
  return Node(n);
}
// Whether a gradient of a node is on its way in this pass, was, or will be.
inline bool will_execute_node(const Node& node) {
  int32_t yes = 0;
  detail::call(gradus_backward_reaches, node.handle(), &yes);
  return yes != 0;
}

// The nodes of the pass in the order in which they run, those that have run before included.
inline std::vector<Node> get_current_graph_task_execution_order() {
  gradus_context* c = Context::current();
  size_t count = 0;
  const gradus_status s = gradus_backward_order(c, nullptr, 0, &count);
  if (s != GRADUS_OK && count == 0) detail::fail(c, s);
  std::vector<gradus_node*> given(count);
  std::vector<Node> all;
  all.reserve(count);
  detail::check(c, gradus_backward_order(c, given.data(), given.size(), &count));
  for (gradus_node* n : given) all.push_back(Node(n));
  return all;
}
// A number that no other pass of this context has; 0 outside of one.
inline uint64_t get_current_graph_task_id() {
  uint64_t id = 0;
  detail::call(gradus_backward_id, &id);
  return id;
}

// ---- saved values
// While it lives, what was saved may be written: it is copied in time, and backward, which has to run meanwhile, reads the copy.
struct AllowMutationOnSavedTensors : detail::ModeGuard { AllowMutationOnSavedTensors() : ModeGuard(gradus_context_set_mutation_on_saved, true) {} };

// While it lives, SavedTensorHooks, checkpoints and the guard above throw this message, as it does itself while hooks are in force. Nests.
class DisableSavedTensorsHooks {
 public:
  explicit DisableSavedTensorsHooks(std::string_view message) : context_(Context::current()) {
    detail::check(context_, gradus_context_refuse_saved_hooks(context_, message.data(), message.size()));
  }
  ~DisableSavedTensorsHooks() { gradus_context_permit_saved_hooks(context_); }
  DisableSavedTensorsHooks(const DisableSavedTensorsHooks&) = delete;
  DisableSavedTensorsHooks& operator=(const DisableSavedTensorsHooks&) = delete;

 private:
  gradus_context* context_;
};

namespace detail {
// pack(tensor) or pack(tensor, operation), and unpack of what it returned.
template <class Pack, class Unpack> struct SavedFrame {
  static constexpr bool kSeesOp = std::is_invocable_v<Pack&, const Tensor&, OperatorHandle>;
  static auto packed(Pack& pack, const Tensor& t, const gradus_op* op) {
    if constexpr (kSeesOp) return pack(t, OperatorHandle(op));
    else return static_cast<void>(op), pack(t);
  }
  using Packed = std::decay_t<decltype(packed(std::declval<Pack&>(), std::declval<const Tensor&>(), nullptr))>;
  static constexpr bool kTensor = std::is_same_v<Packed, Tensor>;
  Pack pack;
  Unpack unpack;

  // registering(hooks) hands both to the library.
  template <class R> static void hand_over(Pack pack, Unpack unpack, R registering) {
    detail::hand_over(SavedFrame{std::move(pack), std::move(unpack)}, [&](void* user, gradus_destroy_fn destroy) {
      gradus_saved_hooks h{};
      h.struct_size = sizeof h;
      h.pack = pack_of;
      h.unpack = unpack_of;
      h.discard = discard_of;
      h.user = user;
      h.destroy = destroy;
      registering(&h);
    });
  }

 private:
  static gradus_status pack_of(void* user, gradus_context* c, gradus_tensor* value, const gradus_op* op, gradus_tensor** replacement, void** token) {
    return protect(c, [&] {
      Pack& pack = static_cast<SavedFrame*>(user)->pack;
      if constexpr (kTensor) static_cast<void>(token), give(packed(pack, Tensor::share(value), op), replacement);
      else static_cast<void>(replacement), *token = new Packed(packed(pack, Tensor::share(value), op));
    });
  }
  static gradus_status unpack_of(void* user, gradus_context* c, gradus_tensor* replacement, void* token, gradus_tensor** result) {
    return protect(c, [&] {
      Unpack& unpack = static_cast<SavedFrame*>(user)->unpack;
      if constexpr (kTensor) static_cast<void>(token), give(unpack(Tensor::share(replacement)), result);
      else static_cast<void>(replacement), give(unpack(*static_cast<const Packed*>(token)), result);
    });
  }
  static void discard_of(void*, void* token) {
    if constexpr (!kTensor) delete static_cast<Packed*>(token);
    else static_cast<void>(token);
  }
};
}  // namespace detail

// While it lives, pack(tensor) sees each value that an operation saves, and pack(tensor, OperatorHandle) the operation, too; unpack gets
// what pack returned, each time the value is read, and returns a tensor of the value's shape and dtype. pack returns a Tensor (which the
// hooks outside see as their value; an empty one leaves the value alone), or anything else, which is kept for unpack.
template <class Pack, class Unpack> class SavedTensorHooks {
 public:
  SavedTensorHooks(Pack pack, Unpack unpack) : context_(Context::current()) {
    detail::SavedFrame<Pack, Unpack>::hand_over(std::move(pack), std::move(unpack), [&](const gradus_saved_hooks* h) {
      detail::check(context_, gradus_context_push_saved_hooks(context_, h));
    });
  }
  ~SavedTensorHooks() { gradus_context_pop_saved_hooks(context_); }
  SavedTensorHooks(const SavedTensorHooks&) = delete;
  SavedTensorHooks& operator=(const SavedTensorHooks&) = delete;

 private:
  gradus_context* context_;
};

inline void Node::set_metadata(std::any value) const {
  detail::hand_over(std::move(value), [&](void* user, gradus_destroy_fn destroy) { detail::call(gradus_node_set_user, handle(), user, destroy); });
}

template <class Pack, class Unpack> void Node::register_saved_hooks(std::string_view name, Pack pack, Unpack unpack) const {
  detail::SavedFrame<Pack, Unpack>::hand_over(std::move(pack), std::move(unpack), [&](const gradus_saved_hooks* h) {
    detail::call(gradus_node_hook_saved, handle(), name.data(), name.size(), h);
  });
}

}  // namespace v1
}  // namespace gradus
#endif
