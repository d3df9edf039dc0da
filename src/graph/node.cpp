#include "graph/node.h"

#include <cctype>
#include <cstring>
#include <new>

#include "base/context.h"
#include "base/live.h"
#include "dispatch/registry.h"
#include "graph/history.h"
#include "graph/shared_node.h"

namespace gradus {
namespace {

struct StoredMeta {                                           // ndim sizes follow
  Dtype dtype;
  uint8_t ndim;
  uint16_t step;                                              // bytes to the next output's
  uint32_t reserved32;
  int64_t* sizes() { return reinterpret_cast<int64_t*>(this + 1); }
};
size_t meta_bytes(int64_t ndim) { return sizeof(StoredMeta) + 8 * static_cast<size_t>(ndim); }
// All outputs have the room of the one with the most dimensions, so that any is found at once.
size_t meta_step(std::span<const Tensor> outputs) {
  int64_t most = 0;
  for (const Tensor& t : outputs) most = std::max(most, t.ndim());
  return meta_bytes(most);
}
char* metas_of(Node* n) { return reinterpret_cast<char*>(n->saved() + n->saved_count); }

// Bytes that an argument's value needs beside itself.
size_t tail_bytes(const Value& v) {
  switch (v.tag) {
    case Tag::integers: case Tag::reals: return 8 * v.length;
    case Tag::text: return (v.length + 7) / 8 * 8;
    default: return 0;
  }
}
bool is_default(const Value& v, const Value& fallback, const Argument& a) {
  if (a.type == Type::tensor) return !v.is_number();
  if (a.type == Type::other) return true;
  if (v.tag != fallback.tag || v.aux != fallback.aux || v.length != fallback.length) return false;
  const bool text = v.tag == Tag::text;
  if (!text && v.tag != Tag::integers && v.tag != Tag::reals) return v.i == fallback.i;
  return v.length == 0 || std::memcmp(v.p, fallback.p, text ? v.length : 8 * v.length) == 0;   // empty ones may be null
}

// Which saves the wanted inputs of a call ask for: bit k input k, bit 16 + k output k.
unsigned wanted_saves(const Op& op, unsigned wanted) {
  if (!op.formula) return op.save.bits;
  const FormulaInfo& f = *op.formula;
  unsigned bits = 0;
  for (int i = 0; i < f.arity; ++i)
    if (wanted >> i & 1) {
      const unsigned reads = f.slope[i].reads;
      bits |= (reads & ((1u << f.arity) - 1)) | (reads >> f.arity & 1) << 16;
    }
  return bits;
}
bool saves_output(unsigned saves, size_t k) { return k < 16 && (saves >> (16 + k) & 1); }      // an op with more results saves none of the others
struct Plan {                                                 // of a node's block
  unsigned wanted = 0, saves = 0;
  uint32_t edges = 0, saved = 0;
  size_t meta_step = 0, metas = 0, args = 0;
  bool has_args = false;

  size_t bytes() const { return sizeof(Node) + edges * sizeof(Edge) + saved * sizeof(Saved) + metas + args; }
};

Plan plan_of(const Op& op, const Args& args, std::span<const Tensor> outputs) {
  Plan p;
  for_each_input(op, args, [&](int, int input, int, TensorImpl* t) {
    ++p.edges;
    if (t && needs_grad(t) && (op.info->rules >> input & 1)) p.wanted |= 1u << input;
  });
  p.saves = p.wanted ? wanted_saves(op, p.wanted) : 0;
  for_each_input(op, args, [&](int, int input, int, TensorImpl* t) { p.saved += t && (p.saves >> input & 1); });
  for (size_t k = 0; k < outputs.size(); ++k) p.saved += saves_output(p.saves, k);
  p.meta_step = meta_step(outputs);
  p.metas = outputs.size() * p.meta_step;
  GRADUS_CHECK(p.saved <= UINT16_MAX, state, "{}: its gradient needs {} saved values, more than {}", name(op), p.saved, UINT16_MAX);
  const auto& arguments = op.info->schema.arguments;
  for (size_t i = 0; i < arguments.size() && !p.has_args; ++i)
    p.has_args = !is_default(args[static_cast<int>(i)], op.info->defaults[i], arguments[i]);
  if (p.has_args)
    for (size_t i = 0; i < arguments.size(); ++i) p.args += sizeof(Value) + tail_bytes(args[static_cast<int>(i)]);
  return p;
}

void store_args(Node* n, const Args& args, char* at) {
  const size_t count = n->op->info->schema.arguments.size();
  n->args = reinterpret_cast<Value*>(at);
  char* tail = at + count * sizeof(Value);
  for (size_t i = 0; i < count; ++i) {
    Value v = args[static_cast<int>(i)];
    if (v.tag == Tag::tensor || v.tag == Tag::tensors) v.p = nullptr;
    if (const size_t bytes = tail_bytes(v)) {
      std::memcpy(tail, v.p, v.tag == Tag::text ? v.length : bytes);
      v.p = tail;
      tail += bytes;
    }
    n->args[i] = v;
  }
}

// A node with its edges empty and nothing saved yet.
Ref<Node> new_node(const Op& op, size_t bytes, uint32_t edges, size_t outputs, bool has_args) {
  const Block block = take_block(bytes);
  auto* n = static_cast<Node*>(block.data);
  n->kind = Kind::node;
  new (&n->refs) Count;
  n->op = &op;
  new (&n->owner) std::atomic<Run*>{nullptr};
  n->slot = 0;
  n->edge_count = edges;
  n->saved_count = 0;
  n->output_count = static_cast<uint32_t>(outputs);
  n->size_class = block.size_class;
  new (&n->flags) std::atomic<uint8_t>{has_args ? Node::kHasArgs : uint8_t{0}};
  new (&n->more) std::atomic<NodeExtra*>{nullptr};
  n->args = nullptr;
  for (uint32_t i = 0; i < edges; ++i) n->edges()[i] = Edge();
  count_live(Live::nodes, 1);
  return Ref<Node>::adopt(n);
}

char* store_meta(char* at, const TensorImpl* t, size_t step) {
  auto* m = reinterpret_cast<StoredMeta*>(at);
  *m = {t->dtype, t->ndim, static_cast<uint16_t>(step), 0};
  for (int d = 0; d < t->ndim; ++d) m->sizes()[d] = t->dims[d];
  return at + step;
}

void save(Node* n, Saved*& at, Tensor value, uint32_t slot, bool is_output, bool write_ahead) {
  keep(*at, *n->op, std::move(value), slot, is_output, write_ahead);
  n->mark_packed(at++->is_packed);
  ++n->saved_count;
}

// Newer than all that it depends on.
void number(Node* n, uint64_t newest_input) {
  Context& c = context();
  n->sequence = c.sequence = std::max(c.sequence, newest_input) + 1;
}

}  // namespace

Ref<Node> make_node(const Op& op, const Args& args, std::span<const Tensor> outputs, bool write_ahead, const Tensor& instead_of_self) {
  const Plan p = plan_of(op, args, outputs);
  Ref<Node> n = new_node(op, p.bytes(), p.edges, outputs.size(), p.has_args);
  uint64_t newest = 0;
  uint32_t flat = 0;
  Saved* at = n->saved();
  for_each_input(op, args, [&](int, int input, int, TensorImpl* t) {
    if (t && (p.wanted >> input & 1) && needs_grad(t)) {
      n->edges()[flat] = history(t);
      newest = std::max(newest, n->edges()[flat].node->sequence);
    }
    if (t && (p.saves >> input & 1)) save(n.get(), at, flat == 0 && instead_of_self ? instead_of_self : Tensor::share(t), flat, false, false);
    ++flat;
  });
  number(n.get(), newest);
  for (size_t k = 0; k < outputs.size(); ++k)
    if (saves_output(p.saves, k)) save(n.get(), at, alias(outputs[k]), static_cast<uint32_t>(k), true, write_ahead);   // itself, it would own its owner
  char* metas = metas_of(n.get());
  for (const Tensor& t : outputs) metas = store_meta(metas, t.impl(), p.meta_step);
  if (p.has_args) store_args(n.get(), args, metas);
  return n;
}

// The same for a formula, whose inputs come first and are no lists: the path of small ops.
Ref<Node> make_formula_node(const Op& op, const Args& args, const Tensor& out) {
  const FormulaInfo& f = *op.formula;
  const auto arity = static_cast<uint32_t>(f.arity);
  unsigned wanted = 0, reads = 0, tensors = 0;
  for (uint32_t k = 0; k < arity; ++k) {
    const Value& v = args[static_cast<int>(k)];
    if (v.tag != Tag::tensor) continue;
    tensors |= 1u << k;
    if (!(op.info->rules >> k & 1) || !needs_grad(v.t)) continue;
    wanted |= 1u << k;
    reads |= f.slope[k].reads;
  }
  bool has_args = tensors != (1u << arity) - 1;
  for (int j = f.arity; j < f.arity + f.attributes && !has_args; ++j) {
    const Value &v = args[j], &fallback = op.info->defaults[j];
    has_args = v.tag != fallback.tag || v.i != fallback.i;
  }
  const unsigned saves = reads & (tensors | 1u << arity);
  const auto saved = static_cast<uint32_t>(__builtin_popcount(saves));
  const size_t metas = meta_bytes(out.ndim());
  const size_t values = has_args ? sizeof(Value) * static_cast<size_t>(f.arity + f.attributes) : 0;
  Ref<Node> n = new_node(op, sizeof(Node) + arity * sizeof(Edge) + saved * sizeof(Saved) + metas + values, arity, 1, has_args);
  uint64_t newest = 0;
  Saved* at = n->saved();
  for (uint32_t k = 0; k < arity; ++k) {
    TensorImpl* t = args[static_cast<int>(k)].t;
    if (wanted >> k & 1) {
      n->edges()[k] = history(t);
      newest = std::max(newest, n->edges()[k].node->sequence);
    }
    if (saves >> k & 1) save(n.get(), at, Tensor::share(t), k, false, false);
  }
  number(n.get(), newest);
  if (saves >> arity & 1) save(n.get(), at, alias(out), 0, true, false);
  char* tail = store_meta(reinterpret_cast<char*>(at), out.impl(), metas);
  if (has_args) store_args(n.get(), args, tail);
  return n;
}

void pack_outputs(Node* n) {
  if (!context().saved_hooks) return;
  for (uint32_t i = 0; i < n->saved_count; ++i) {
    Saved& s = n->saved()[i];
    if (!s.is_output) continue;
    pack_saved(s, *n->op, context().saved_hooks);
    n->mark_packed(s.is_packed);
  }
}

// What nodes that are no op of the registry point at.
static const Op& host_op() {
  static const Op& made = unlisted_op("host_function(Tensor?[] inputs) -> Tensor[]");
  return made;
}

Ref<Node> make_host_node(std::unique_ptr<HostRule> rule, std::span<Edge> edges, std::span<const Tensor> outputs) {
  const size_t step = meta_step(outputs), metas = outputs.size() * step;
  const auto count = static_cast<uint32_t>(edges.size());
  Ref<Node> n = new_node(host_op(), sizeof(Node) + count * sizeof(Edge) + metas, count, outputs.size(), false);
  extra_of(n.get()).host = std::move(rule);
  uint64_t newest = 0;
  for (uint32_t i = 0; i < count; ++i) {
    n->edges()[i] = std::exchange(edges[i], {});
    if (const Node* to = n->edges()[i].node) newest = std::max(newest, to->sequence);
  }
  number(n.get(), newest);
  char* at = metas_of(n.get());
  for (const Tensor& t : outputs) at = store_meta(at, t.impl(), step);
  return n;
}

Tensor with_history(const Tensor& value, const Edge& to) {
  Tensor t = alias(value);
  if (!to.node->is_sink()) {
    set_history(t.impl(), Ref<Node>::share(to.node), to.nr);
    return t;
  }
  static const Op* identity = find_op("clone");               // a leaf's sink gives no other tensor its gradient
  const size_t metas = meta_bytes(t.ndim());
  const Ref<Node> n = new_node(*identity, sizeof(Node) + sizeof(Edge) + metas, 1, 1, false);
  retain(to.node);
  n->edges()[0] = to;
  number(n.get(), to.node->sequence);
  store_meta(metas_of(n.get()), t.impl(), metas);
  set_history(t.impl(), n, 0);
  return t;
}

void set_history(TensorImpl* t, Ref<Node> n, uint32_t nr) {
  if (t->autograd && t->autograd->retained_by) move_retained(t, n.get(), nr);
  if (Node* before = std::exchange(t->grad_fn, n.detach())) release(before);
  t->output_nr = nr;
  t->requires_grad = false;
}

OutputMeta output_meta(const Node* node, uint32_t nr) {
  auto* n = const_cast<Node*>(node);
  if (n->is_sink()) return {n->leaf->dtype, n->leaf->sizes()};
  const auto* first = reinterpret_cast<StoredMeta*>(metas_of(n));
  auto* m = reinterpret_cast<StoredMeta*>(metas_of(n) + size_t{nr} * first->step);
  return {m->dtype, {m->sizes(), m->ndim}};
}

std::string node_name(std::string_view op) {
  std::string s;
  bool upper = true;
  for (char c : op) {
    if (c == '_' || c == '.') { upper = true; continue; }
    s += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    upper = false;
  }
  return s + "Backward0";
}

HostRule* host_of(const Node* n) {
  const NodeExtra* extra = n->extra();
  return extra ? extra->host.get() : nullptr;
}

std::string node_name(const Node* n) {
  if (n->is_sink()) return "AccumulateGrad";
  if (HostRule* host = host_of(n)) return host->name();
  const OpInfo* info = n->op->info;
  return node_name(info->functional ? info->functional->info->name : info->name);
}

void release_saved(Node* n) {
  if ((n->saved_count > 0 || host_of(n)) && close_saved(n)) drop_saved(n);
}
void drop_saved(Node* n) {
  const bool packed = n->packed();
  for (uint32_t i = 0; i < n->saved_count; ++i) {
    Saved& s = n->saved()[i];
    if (packed) drop(s);
    else if (TensorImpl* t = std::exchange(s.tensor, nullptr)) release(t);
  }
  if (HostRule* host = host_of(n)) host->free_saved();
}

NodeExtra& extra_of(Node* n) {
  NodeExtra* there = n->extra();
  if (there) return *there;
  auto made = std::make_unique<NodeExtra>();
  made->hooks.resize(n->output_count);
  if (n->more.compare_exchange_strong(there, made.get(), std::memory_order_acq_rel)) return *made.release();
  return *there;                                              // another thread was first
}

// A dying node may be the last owner of others: a list, never recursion.
void free_node(Node* n) {
  Thread& thread = this_thread();
  n->next = thread.dying;
  thread.dying = n;
  if (thread.freeing) return;
  thread.freeing = true;
  while (Node* d = thread.dying) {
    thread.dying = d->next;
    d->kind = Kind::dead;
    for (uint32_t i = 0; i < d->edge_count; ++i)
      if (Node* to = d->edges()[i].node) release(to);
    drop_saved(d);
    if (const NodeExtra* extra = d->extra()) {
      for (const Retained& r : extra->retained)
        if (r.tensor) r.tensor->autograd->retained_by = nullptr;
      delete extra;
    }
    count_live(Live::nodes, -1);
    give_block(d, d->size_class);
  }
  thread.freeing = false;
}

}  // namespace gradus
