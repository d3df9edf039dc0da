// The recorded graph, node by node.
#include <charconv>
#include <optional>

#include "autograd/grad.h"
#include "capi/names.h"
#include "capi/saved.h"
#include "dispatch/registry.h"
#include "graph/custom.h"
#include "graph/history.h"
#include "graph/shared_node.h"

using namespace gradus;
using namespace gradus::capi;

namespace {

gradus_node* give(Ref<Node> n) { return reinterpret_cast<gradus_node*>(n.detach()); }

// "indices[2]": the name of a list and a member of it. Without a member: the whole.
struct Place {
  std::string_view name;
  std::optional<uint32_t> member;
};
Place place_of(std::string_view text) {
  const size_t at = text.find('[');
  if (at == text.npos || text.back() != ']') return {text, {}};
  uint32_t member = 0;
  const char *const begin = text.data() + at + 1, *const end = text.data() + text.size() - 1;
  const auto [stop, failure] = std::from_chars(begin, end, member);
  if (failure != std::errc() || stop != end) return {text, {}};
  return {text.substr(0, at), member};
}

// "result", "result2" or "result[2]" of an op: which; -1 for another name.
int64_t result_position(const Place& p) {
  constexpr std::string_view prefix = "result";
  if (p.name.substr(0, prefix.size()) != prefix || p.name.size() > prefix.size() + 1) return -1;
  if (p.name.size() == prefix.size()) return p.member.value_or(0);
  const char digit = p.name.back();
  return !p.member && digit >= '0' && digit <= '9' ? digit - '0' : -1;
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

// How many tensors the list among the arguments has.
uint32_t members_of(const Node* n) { return n->edge_count - static_cast<uint32_t>(n->op->info->schema.inputs - 1); }

// The flat input at which an argument begins.
uint32_t flat_of(const Node* n, size_t argument) {
  const Schema& schema = n->op->info->schema;
  uint32_t flat = 0;
  for (size_t i = 0; i < argument; ++i) {
    const Argument& before = schema.arguments[i];
    if (before.type == Type::tensor) flat += before.list ? members_of(n) : 1;
  }
  return flat;
}

// A tensor that was saved, null if it was not, or what else the argument is.
struct SavedOrGiven {
  std::unique_ptr<SavedValues> values;                        // null: the argument is no tensor
  const Saved* saved;
  Value given;
  Tensor of_function = {};                                    // what a function of the host saved
};
[[noreturn]] void refuse_name(const Node* n, std::string_view name) {
  fail(Status::index, "{}: there is no argument or result '{}'", node_name(n), name);
}
// A list is told by its length: it is read member by member.
SavedOrGiven list_of(size_t length) {
  Value v;
  v.tag = Tag::tensors;
  v.length = length;
  return {nullptr, nullptr, v};
}
SavedOrGiven saved_at(Node* n, uint32_t slot, bool is_output) {
  auto values = std::make_unique<SavedValues>(n, SavedValues::Use::share);
  if (n->freed()) refuse_freed(n);                            // a host's function, which saves by itself
  const Saved* s = values->find(slot, is_output);
  return {std::move(values), s, Value(std::nullopt)};
}
SavedOrGiven look_up(const FunctionCall& call, const Node* n, std::string_view name) {
  const Place at = place_of(name);
  GRADUS_CHECK(at.name == "saved" && at.member.value_or(0) < std::max<size_t>(call.saved_count(), 1), index,
               "{}: there is no '{}': it saved {} values, saved[0] and so on", node_name(n), name, call.saved_count());
  return at.member ? SavedOrGiven{nullptr, nullptr, Value(std::nullopt), call.saved(*at.member)} : list_of(call.saved_count());
}
SavedOrGiven look_up(Node* n, std::string_view name) {
  GRADUS_CHECK(!n->is_sink(), index, "AccumulateGrad: it saves nothing");
  if (const FunctionCall* call = function_call_of(n)) return look_up(*call, n, name);
  const OpInfo& info = *n->op->info;
  const Place place = place_of(name);
  const int at = info.schema.position(place.name);
  if (at < 0) {
    const int64_t result = result_position(place);
    if (result < 0 || result >= n->output_count) refuse_name(n, name);
    return saved_at(n, static_cast<uint32_t>(result), true);
  }
  const auto position = static_cast<size_t>(at);
  const Argument& argument = info.schema.arguments[position];
  const Value given = n->has_args() ? n->args[position] : info.defaults[position];
  const bool is_list = argument.type == Type::tensor && argument.list;
  if (place.member && (!is_list || *place.member >= members_of(n))) refuse_name(n, name);
  if (is_list && !place.member) return list_of(members_of(n));
  if (argument.type != Type::tensor || given.is_number()) return {nullptr, nullptr, given};
  return saved_at(n, flat_of(n, position) + place.member.value_or(0), false);
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
    SavedOrGiven found = look_up(p, text_of(name, length, "name"));
    Value v = found.given;
    if (found.saved) v = Value(saved_with_history(p, *found.saved).detach_handle());
    else if (found.of_function) v = Value(found.of_function.detach_handle());
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
