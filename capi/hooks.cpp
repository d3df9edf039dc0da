// Hooks on tensors, nodes and leaves, and what callbacks may ask of the pass they run in.
#include <vector>

#include "autograd/engine.h"
#include "capi/callback.h"
#include "graph/history.h"

using namespace gradus;
using namespace gradus::capi;

namespace {

// add(callback) registers and returns the id.
template <class Fn, class Add>
gradus_status register_hook(gradus_context* ctx, const char* where, Fn hook, void* user, gradus_destroy_fn destroy, uint64_t* id, Add&& add) {
  if (id) *id = 0;
  return guard(ctx, where, [&](Context&) {
    const Callback<Fn> callback(needed(hook, "hook"), user, destroy);
    const uint64_t made = add(callback);
    callback.arm();
    if (id) *id = made;
  });
}

Run& running(Context& c) {
  GRADUS_CHECK(c.pass, state, "no backward pass is running in this context");
  return static_cast<Run&>(*c.pass);
}

}  // namespace

gradus_status gradus_tensor_add_hook(gradus_context* ctx, gradus_tensor* t, gradus_hook_fn hook, void* user, gradus_destroy_fn destroy,
                                     uint64_t* hook_id) {
  return register_hook(ctx, "tensor_add_hook", hook, user, destroy, hook_id, [&](const auto& f) {
    return add_hook(tensor(t, "tensor"), [f](const Tensor& gradient) {
      Returned r;
      f.run("hook", capi::handle(gradient.impl()), r.place());
      return r.take("replacement");
    });
  });
}

gradus_status gradus_tensor_remove_hook(gradus_context* ctx, gradus_tensor* t, uint64_t hook_id) {
  return guard(ctx, "tensor_remove_hook", [&](Context&) {
    GRADUS_CHECK(remove_hook(tensor(t, "tensor"), hook_id), index, "the tensor has no hook {}", hook_id);
  });
}

gradus_status gradus_node_add_hook(gradus_context* ctx, gradus_node* n, int32_t moment, gradus_node_hook_fn hook, void* user,
                                   gradus_destroy_fn destroy, uint64_t* hook_id) {
  return register_hook(ctx, "node_add_hook", hook, user, destroy, hook_id, [&](const auto& f) {
    GRADUS_CHECK(moment == GRADUS_HOOK_BEFORE || moment == GRADUS_HOOK_AFTER, value, "'moment' is {}", moment);
    return add_node_hook(node(n), moment == GRADUS_HOOK_BEFORE ? When::before : When::after, [f](Tensors& gradients, const Tensors& incoming) {
      ReturnedList r(gradients.size());
      f.run("node hook", handles(gradients), gradients.size(), handles(incoming), incoming.size(), r.data());
      for (size_t i = 0; i < r.size(); ++i)
        if (Tensor t = r.take(i, "replacement")) gradients[i] = std::move(t);
    });
  });
}

gradus_status gradus_node_remove_hook(gradus_context* ctx, gradus_node* n, uint64_t hook_id) {
  return guard(ctx, "node_remove_hook", [&](Context&) {
    GRADUS_CHECK(remove_node_hook(node(n), hook_id), index, "the node has no hook {}", hook_id);
  });
}

gradus_status gradus_tensor_add_grad_hook(gradus_context* ctx, gradus_tensor* leaf, gradus_leaf_hook_fn hook, void* user, gradus_destroy_fn destroy,
                                          uint64_t* hook_id) {
  return register_hook(ctx, "tensor_add_grad_hook", hook, user, destroy, hook_id, [&](const auto& f) {
    return add_leaf_hook(tensor(leaf, "leaf"), [f](const Tensor& t) { f.run("hook of a leaf", capi::handle(t.impl())); });
  });
}

gradus_status gradus_tensors_add_hook(gradus_context* ctx, gradus_tensor* const* list, size_t count, int32_t mode, gradus_multi_hook_fn hook, void* user,
                                      gradus_destroy_fn destroy, uint64_t* hook_ids) {
  clear(hook_ids, count);
  return guard(ctx, "tensors_add_hook", [&](Context&) {
    const Callback<gradus_multi_hook_fn> f(needed(hook, "hook"), user, destroy);
    GRADUS_CHECK(mode == GRADUS_HOOK_ALL || mode == GRADUS_HOOK_ANY, value, "'mode' is {}", mode);
    const std::vector<uint64_t> ids =
        add_multi_hook(tensors(list, count, "tensors"), mode == GRADUS_HOOK_ANY, [f](const Tensors& g) { f.run("hook", handles(g), g.size()); });
    f.arm();
    if (hook_ids) std::copy(ids.begin(), ids.end(), hook_ids);
  });
}

gradus_status gradus_backward_node(gradus_context* ctx, gradus_node** result) {
  return guard_result(ctx, "backward_node", result, [&](Context& c) {
    return reinterpret_cast<gradus_node*>(Ref<Node>::share(running(c).node()).detach());
  });
}

gradus_status gradus_backward_reaches(gradus_context* ctx, const gradus_node* n, int32_t* yes) {
  return guard_result(ctx, "backward_reaches", yes, [&](Context& c) { return static_cast<int32_t>(running(c).reaches(node(n))); }, "yes");
}

gradus_status gradus_backward_order(gradus_context* ctx, gradus_node** results, size_t capacity, size_t* count) {
  clear(results, capacity);
  return guard_result(ctx, "backward_order", count, [&](Context& c) {
    check_room(results, capacity, "results");
    const std::vector<Node*> order = running(c).order();
    *count = order.size();
    GRADUS_CHECK(order.size() <= capacity, value, "backward_order: the pass has {} nodes, and there is room for {}", order.size(), capacity);
    for (size_t i = 0; i < order.size(); ++i) results[i] = reinterpret_cast<gradus_node*>(Ref<Node>::share(order[i]).detach());
    return order.size();
  }, "count");
}

gradus_status gradus_backward_id(gradus_context* ctx, uint64_t* id) {
  return guard_result(ctx, "backward_id", id, [](Context& c) { return c.pass ? running(c).id() : 0; }, "id");
}

gradus_status gradus_backward_defer(gradus_context* ctx, gradus_deferred_fn f, void* user, gradus_destroy_fn destroy) {
  return guard(ctx, "backward_defer", [&](Context& c) {
    const Callback<gradus_deferred_fn> callback(needed(f, "f"), user, destroy);
    running(c).at_end([callback] { callback.run("deferred call"); });
    callback.arm();
  });
}
