// The recorded graph, node by node.
#include "autograd/grad.h"
#include "capi/names.h"
#include "capi/saved.h"
#include "dispatch/registry.h"
#include "graph/history.h"
#include "graph/shared_node.h"

using namespace gradus;
using namespace gradus::capi;

namespace {

gradus_node* give(Ref<Node> n) { return reinterpret_cast<gradus_node*>(n.detach()); }

// "result" or "result2" of an op: which; -1 for another name.
int result_position(std::string_view name) {
  constexpr std::string_view prefix = "result";
  if (name.substr(0, prefix.size()) != prefix || name.size() > prefix.size() + 1) return -1;
  if (name.size() == prefix.size()) return 0;
  const char digit = name.back();
  return digit >= '0' && digit <= '9' ? digit - '0' : -1;
}

// A saved value with the history it had when it was saved, as a rule reads it under create_graph.
Tensor saved_with_history(Node* n, const Saved& s) {
  const Tensor t = unpack(n, s);
  const Edge e = s.is_output ? Edge{n, s.slot} : n->edges()[s.slot];
  if (!e.node) return t;
  const TensorImpl* p = t.impl();
  const bool has_it = p->grad_fn ? p->grad_fn == e.node && p->output_nr == e.nr : e.node->is_sink() && e.node->leaf == p;
  return has_it ? t : with_history(t, e);
}

// The flat input at which an argument begins: Tensor[] arguments are told by their first member.
uint32_t flat_of(const Node* n, size_t argument) {
  const Schema& schema = n->op->info->schema;
  uint32_t flat = 0;
  for (size_t i = 0; i < argument; ++i) {
    const Argument& before = schema.arguments[i];
    if (before.type == Type::tensor) flat += before.list ? n->edge_count - static_cast<uint32_t>(schema.inputs - 1) : 1;
  }
  return flat;
}

// A tensor that was saved, null if it was not, or what else the argument is.
struct SavedOrGiven {
  std::unique_ptr<SavedValues> values;                        // null: the argument is no tensor
  const Saved* saved;
  Value given;
};
SavedOrGiven saved_at(Node* n, uint32_t slot, bool is_output) {
  auto values = std::make_unique<SavedValues>(n, SavedValues::Use::share);
  if (n->freed()) refuse_freed(n);                            // a host's function, which saves by itself
  const Saved* s = values->find(slot, is_output);
  return {std::move(values), s, Value(std::nullopt)};
}
SavedOrGiven look_up(Node* n, std::string_view name) {
  GRADUS_CHECK(!n->is_sink(), index, "AccumulateGrad: it saves nothing");
  const OpInfo& info = *n->op->info;
  const int at = info.schema.position(name);
  if (at < 0) {
    const int result = result_position(name);
    GRADUS_CHECK(result >= 0 && static_cast<uint32_t>(result) < n->output_count, index, "{}: there is no argument or result '{}'", node_name(n), name);
    return saved_at(n, static_cast<uint32_t>(result), true);
  }
  const auto place = static_cast<size_t>(at);
  const Value given = n->has_args() ? n->args[place] : info.defaults[place];
  if (info.schema.arguments[place].type != Type::tensor || given.is_number()) return {nullptr, nullptr, given};
  return saved_at(n, flat_of(n, place), false);
}

}  // namespace

gradus_status gradus_tensor_grad_fn(gradus_context* ctx, const gradus_tensor* t, gradus_node** result) {
  return guard_result(ctx, "tensor_grad_fn", result, [&](Context&) {
    return give(Ref<Node>::share(grad_fn(tensor(t, "tensor"))));
  });
}

gradus_status gradus_node_describe(const gradus_node* n, gradus_node_info* info) {
  if (!n || !info) return GRADUS_E_NULL;
  if (!is(n, Kind::node)) return GRADUS_E_HANDLE;
  const Node* p = core<Node>(n);
  gradus_node_info i{};
  i.flags = bit(p->is_sink(), GRADUS_NODE_LEAF) | bit(p->freed(), GRADUS_NODE_FREED);
  i.edge_count = p->edge_count;
  i.output_count = p->output_count;
  i.identity = reinterpret_cast<uint64_t>(p);
  i.sequence = p->sequence;
  return write_info(info, i) ? GRADUS_OK : GRADUS_E_ARGUMENT;
}

gradus_status gradus_node_name(gradus_context* ctx, const gradus_node* n, char* buffer, size_t capacity, size_t* length) {
  return guard_text(ctx, "node_name", buffer, capacity, length, [&](Context&) { return node_name(node(n)); });
}

gradus_status gradus_node_next(gradus_context* ctx, const gradus_node* n, uint32_t index, gradus_node** next, uint32_t* output_nr) {
  if (output_nr) *output_nr = 0;
  return guard_result(ctx, "node_next", next, [&](Context&) -> gradus_node* {
    const Node* p = node(n);
    GRADUS_CHECK(index < p->edge_count, index, "edge {} of a node with {}", index, p->edge_count);
    const Edge& e = p->edges()[index];
    if (output_nr) *output_nr = e.nr;
    return give(Ref<Node>::share(e.node));
  }, "next");
}

gradus_status gradus_node_variable(gradus_context* ctx, const gradus_node* n, gradus_tensor** result) {
  return guard_result(ctx, "node_variable", result, [&](Context&) -> gradus_tensor* {
    const Node* p = node(n);
    return p->is_sink() ? capi::give(Tensor::share(p->leaf)) : nullptr;
  });
}

const gradus_op* gradus_node_op(const gradus_node* n) {
  if (!is(n, Kind::node)) return nullptr;
  const Op* op = core<Node>(n)->op;
  return op && find_op(name(*op)) == op ? handle(op->info) : nullptr;
}

gradus_status gradus_node_saved(gradus_context* ctx, const gradus_node* n, const char* name, size_t length, gradus_value* value) {
  if (value) *value = gradus_value();
  return guard(ctx, "node_saved", [&](Context&) {
    Node* p = node(n);
    needed(value, "value");
    const SavedOrGiven found = look_up(p, text_of(name, length, "name"));
    const Value v = found.saved ? Value(saved_with_history(p, *found.saved).detach_handle()) : found.given;
    std::memcpy(value, &v, sizeof v);
  });
}

gradus_status gradus_node_call(gradus_context* ctx, gradus_node* n, gradus_tensor* const* gradients, size_t gradient_count,
                               gradus_tensor** results, size_t capacity, size_t* count) {
  clear(results, capacity);
  if (count) *count = 0;
  return guard(ctx, "node_call", [&](Context&) {
    Node* p = node(n);
    const size_t made = p->edge_count;
    const std::span<const Tensor> given = tensors(gradients, gradient_count, "gradients", true);
    check_room(results, capacity, "results");
    if (capacity < made && count) *count = made;
    GRADUS_CHECK(capacity >= made, value, "node_call: {} has {} results, and there is room for {}", node_name(p), made, capacity);
    Tensors g = call_node(p, given);
    if (count) *count = made;
    for (size_t i = 0; i < made; ++i) results[i] = capi::give(std::move(g[i]));
  });
}

gradus_status gradus_node_set_user(gradus_context* ctx, gradus_node* n, void* user, gradus_destroy_fn destroy) {
  return guard(ctx, "node_set_user", [&](Context&) { set_user(node(n), user, destroy); });
}

void* gradus_node_user(const gradus_node* n) { return is(n, Kind::node) ? user_of(core<Node>(n)) : nullptr; }

gradus_status gradus_node_hook_saved(gradus_context* ctx, gradus_node* n, const char* name, size_t length, const gradus_saved_hooks* hooks) {
  return guard(ctx, "node_hook_saved", [&](Context&) {
    Node* p = node(n);
    const Ref<Node> held = Ref<Node>::share(p);               // pack may let go of the host's last handle
    const std::string_view which = text_of(name, length, "name");
    const SavedOrGiven found = look_up(p, which);
    const Saved* s = found.saved;
    GRADUS_CHECK(s, value, "{}: '{}' is no saved tensor", node_name(p), which);
    GRADUS_CHECK(!s->is_packed, state, "{}: '{}' is kept by hooks already", node_name(p), which);
    const ForeignHooks foreign(hooks);
    pack_saved_of(p, static_cast<uint32_t>(s - found.values->get().data()), foreign.get());
    foreign.arm();
  });
}

gradus_status gradus_tensor_edge(gradus_context* ctx, const gradus_tensor* t, gradus_edge* edge) {
  if (edge) *edge = gradus_edge();
  return guard(ctx, "tensor_edge", [&](Context&) {
    TensorImpl* p = tensor(t, "tensor");
    needed(edge, "edge");
    GRADUS_CHECK(needs_grad(p), state, "the tensor does not require grad");
    const Edge e = history(p);
    *edge = {e.nr, reinterpret_cast<gradus_node*>(e.node), nullptr};
  });
}

gradus_status gradus_tensor_base(gradus_context* ctx, const gradus_tensor* t, gradus_tensor** result) {
  return guard_result(ctx, "tensor_base", result, [&](Context&) {
    const TensorImpl* p = tensor(t, "tensor");
    return p->view ? capi::give(p->autograd->base) : nullptr;
  });
}
