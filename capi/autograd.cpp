// Gradients, hooks and the recorded graph.
#include "autograd/grad.h"

#include "capi/guard.h"
#include "graph/history.h"

using namespace gradus;
using namespace gradus::capi;

namespace {

// A hook of the caller with its user data: copies share one, the last destroys it.
class ForeignHook {
 public:
  ForeignHook(gradus_hook_fn hook, void* user, gradus_destroy_fn destroy) : shared_(new Shared{{}, hook, user, destroy}) { count_live(Live::callbacks, 1); }
  ForeignHook(const ForeignHook& o) : shared_(o.shared_) { shared_->refs.up(); }
  ForeignHook& operator=(const ForeignHook&) = delete;
  ~ForeignHook() {
    if (!shared_->refs.down()) return;
    if (shared_->armed && shared_->destroy) shared_->destroy(shared_->user);
    count_live(Live::callbacks, -1);
    delete shared_;
  }
  void arm() const { shared_->armed = true; }                 // the registration succeeded: user is ours

  Tensor operator()(const Tensor& gradient) const {
    Context& c = context();
    c.error.status = GRADUS_OK;
    gradus_tensor* replacement = nullptr;
    const gradus_status s = shared_->hook(shared_->user, capi::handle(&c), capi::handle(gradient.impl()), &replacement);
    const bool is_tensor = is(replacement, Kind::tensor);
    Tensor changed = is_tensor ? Tensor::adopt(core<TensorImpl>(replacement)) : Tensor();
    if (s != GRADUS_OK) failed(c, s);
    if (replacement && !is_tensor) refuse_handle(replacement, Kind::tensor, "replacement");
    return changed;
  }

 private:
  struct Shared {
    Count refs;
    gradus_hook_fn hook;
    void* user;
    gradus_destroy_fn destroy;
    bool armed = false;
  };
  [[noreturn]] static void failed(Context& c, gradus_status s) {
    if (c.error.status != s) write_error(c, s, "a hook failed and did not say why", "hook", -1, 0);
    throw CallbackFailed(static_cast<Status>(s));
  }
  Shared* shared_;
};

GradOptions options_of(const gradus_backward_options& o) {
  constexpr uint32_t known = GRADUS_BACKWARD_KEEP_GRAPH | GRADUS_BACKWARD_RECORD | GRADUS_BACKWARD_ALLOW_UNUSED | GRADUS_BACKWARD_MATERIALIZE;
  GRADUS_CHECK((o.flags & ~known) == 0, unknown_field, "unknown flags {:#x}", o.flags & ~known);
  GRADUS_CHECK(!o.reserved0, unknown_field, "reserved0 is not null");
  GradOptions g;
  g.retain_graph = o.flags & GRADUS_BACKWARD_KEEP_GRAPH;
  g.create_graph = o.flags & GRADUS_BACKWARD_RECORD;
  g.allow_unused = o.flags & GRADUS_BACKWARD_ALLOW_UNUSED;
  g.materialize = o.flags & GRADUS_BACKWARD_MATERIALIZE;
  return g;
}
std::span<const Tensor> seeds_of(gradus_tensor* const* seeds, size_t count) {
  return seeds ? tensors(seeds, count, "seeds", true) : std::span<const Tensor>();
}

}  // namespace

gradus_status gradus_tensor_set_requires_grad(gradus_context* ctx, gradus_tensor* t, int32_t on) {
  return guard(ctx, "tensor_set_requires_grad", [&](Context&) { set_requires_grad(tensor(t, "tensor"), on != 0); });
}
gradus_status gradus_tensor_detach(gradus_context* ctx, const gradus_tensor* t, gradus_tensor** result) {
  return guard_result(ctx, "tensor_detach", result, [&](Context&) { return give(detach(Tensor::share(tensor(t, "tensor")))); });
}
gradus_status gradus_tensor_detach_in_place(gradus_context* ctx, gradus_tensor* t) {
  return guard(ctx, "tensor_detach_in_place", [&](Context&) { detach_in_place(tensor(t, "tensor")); });
}

gradus_status gradus_tensor_grad(gradus_context* ctx, const gradus_tensor* t, gradus_tensor** result) {
  return guard_result(ctx, "tensor_grad", result, [&](Context&) {
    const TensorImpl* p = tensor(t, "tensor");
    return p->autograd ? give(p->autograd->grad) : nullptr;
  });
}
gradus_status gradus_tensor_set_grad(gradus_context* ctx, gradus_tensor* t, gradus_tensor* grad) {
  return guard(ctx, "tensor_set_grad", [&](Context&) {
    TensorImpl* p = tensor(t, "tensor");
    set_grad(p, grad ? Tensor::share(tensor(grad, "grad")) : Tensor());
  });
}
gradus_status gradus_tensor_retain_grad(gradus_context* ctx, gradus_tensor* t) {
  return guard(ctx, "tensor_retain_grad", [&](Context&) { retain_grad(tensor(t, "tensor")); });
}

gradus_status gradus_tensor_add_hook(gradus_context* ctx, gradus_tensor* t, gradus_hook_fn hook, void* user, gradus_destroy_fn destroy,
                                     uint64_t* hook_id) {
  if (hook_id) *hook_id = 0;
  return guard(ctx, "tensor_add_hook", [&](Context&) {
    TensorImpl* p = tensor(t, "tensor");
    GRADUS_CHECK(hook, null, "'hook' is null");
    const ForeignHook foreign(hook, user, destroy);
    const uint64_t id = add_hook(p, foreign);
    foreign.arm();
    if (hook_id) *hook_id = id;
  });
}
gradus_status gradus_tensor_remove_hook(gradus_context* ctx, gradus_tensor* t, uint64_t hook_id) {
  return guard(ctx, "tensor_remove_hook", [&](Context&) {
    GRADUS_CHECK(remove_hook(tensor(t, "tensor"), hook_id), index, "the tensor has no hook {}", hook_id);
  });
}

gradus_status gradus_backward(gradus_context* ctx, gradus_tensor* const* outputs, size_t output_count, gradus_tensor* const* seeds,
                              const gradus_backward_options* options) {
  return guard(ctx, "backward", [&](Context&) {
    const gradus_backward_options o = read_options(options);
    GRADUS_CHECK(o.input_count == 0 || o.inputs, null, "'inputs' is null with a count of {}", o.input_count);
    backward(tensors(outputs, output_count, "outputs"), seeds_of(seeds, output_count), options_of(o), tensors(o.inputs, o.input_count, "inputs"));
  });
}

gradus_status gradus_grad(gradus_context* ctx, gradus_tensor* const* outputs, size_t output_count, gradus_tensor* const* inputs,
                          size_t input_count, gradus_tensor* const* seeds, const gradus_backward_options* options, gradus_tensor** results) {
  if (results && input_count < (size_t{1} << 24)) std::fill_n(results, input_count, nullptr);
  return guard(ctx, "grad", [&](Context&) {
    needed(results, "results");
    const gradus_backward_options o = read_options(options);
    GRADUS_CHECK(o.input_count == 0 && !o.inputs, argument, "grad: the inputs are an argument, not an option");
    Tensors g = grad(tensors(outputs, output_count, "outputs"), tensors(inputs, input_count, "inputs"), seeds_of(seeds, output_count), options_of(o));
    for (size_t i = 0; i < g.size(); ++i) results[i] = give(std::move(g[i]));
  });
}

gradus_status gradus_tensor_grad_fn(gradus_context* ctx, const gradus_tensor* t, gradus_node** result) {
  return guard_result(ctx, "tensor_grad_fn", result, [&](Context&) {
    return reinterpret_cast<gradus_node*>(Ref<Node>::share(grad_fn(tensor(t, "tensor"))).detach());
  });
}

gradus_status gradus_node_describe(const gradus_node* n, gradus_node_info* info) {
  if (!n || !info) return GRADUS_E_NULL;
  if (!is(n, Kind::node)) return GRADUS_E_HANDLE;
  const Node* p = core<Node>(n);
  gradus_node_info i{};
  i.flags = bit(p->is_sink(), GRADUS_NODE_LEAF) | bit(p->freed, GRADUS_NODE_FREED);
  i.edge_count = p->edge_count;
  i.output_count = p->output_count;
  i.identity = reinterpret_cast<uint64_t>(p);
  i.sequence = p->sequence;
  return write_info(info, i) ? GRADUS_OK : GRADUS_E_ARGUMENT;
}

gradus_status gradus_node_name(gradus_context* ctx, const gradus_node* n, char* buffer, size_t capacity, size_t* length) {
  if (length) *length = 0;
  return guard(ctx, "node_name", [&](Context&) {
    GRADUS_CHECK(buffer || capacity == 0, null, "'buffer' is null with a capacity of {}", capacity);
    write_text(node_name(node(n)), buffer, capacity, length);
  });
}

gradus_status gradus_node_next(gradus_context* ctx, const gradus_node* n, uint32_t index, gradus_node** next, uint32_t* output_nr) {
  if (output_nr) *output_nr = 0;
  return guard_result(ctx, "node_next", next, [&](Context&) -> gradus_node* {
    const Node* p = node(n);
    GRADUS_CHECK(index < p->edge_count, index, "edge {} of a node with {}", index, p->edge_count);
    const Edge& e = p->edges()[index];
    if (output_nr) *output_nr = e.nr;
    return reinterpret_cast<gradus_node*>(Ref<Node>::share(e.node).detach());
  });
}

gradus_status gradus_node_variable(gradus_context* ctx, const gradus_node* n, gradus_tensor** result) {
  return guard_result(ctx, "node_variable", result, [&](Context&) -> gradus_tensor* {
    const Node* p = node(n);
    return p->is_sink() ? give(Tensor::share(p->leaf)) : nullptr;
  });
}
