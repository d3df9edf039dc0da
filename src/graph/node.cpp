#include "graph/node.h"

#include <cctype>
#include <cstring>
#include <new>

#include "base/context.h"
#include "base/live.h"
#include "graph/history.h"

namespace gradus {
namespace {

struct StoredMeta {                                           // ndim sizes follow
  Dtype dtype;
  uint8_t ndim;
  uint16_t reserved16;
  uint32_t reserved32;
  int64_t* sizes() { return reinterpret_cast<int64_t*>(this + 1); }
};
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
struct Plan {                                                 // of a node's block
  unsigned wanted = 0, saves = 0;
  uint32_t edges = 0, saved = 0;
  size_t metas = 0, args = 0;
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
  for (size_t k = 0; k < outputs.size(); ++k) {
    p.saved += p.saves >> (16 + k) & 1;
    p.metas += sizeof(StoredMeta) + 8 * static_cast<size_t>(outputs[k].ndim());
  }
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

void check_savable(const TensorImpl* t) {
  GRADUS_CHECK(!t->inference, state, "a tensor made in inference mode can't be saved for backward: clone it first");
}

void save(Saved*& at, TensorImpl* t, int slot, bool is_output, Tensor hold = {}) {
  if (!hold) hold = Tensor::share(t);
  check_savable(hold.impl());
  *at++ = {hold.impl(), hold.storage().current(), static_cast<uint16_t>(slot), is_output};
  hold.detach_handle();
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
  n->output_count = static_cast<uint16_t>(outputs);
  n->size_class = block.size_class;
  n->freed = false;
  n->has_args = has_args;
  n->extra = nullptr;
  n->args = nullptr;
  for (uint32_t i = 0; i < edges; ++i) n->edges()[i] = Edge();
  count_live(Live::nodes, 1);
  return Ref<Node>::adopt(n);
}

char* store_meta(char* at, const TensorImpl* t) {
  auto* m = reinterpret_cast<StoredMeta*>(at);
  *m = {t->dtype, t->ndim, 0, 0};
  for (int d = 0; d < t->ndim; ++d) m->sizes()[d] = t->dims[d];
  return reinterpret_cast<char*>(m->sizes() + t->ndim);
}

// Newer than all that it depends on.
void number(Node* n, uint64_t newest_input) {
  Context& c = context();
  n->sequence = c.sequence = std::max(c.sequence, newest_input) + 1;
}

}  // namespace

Ref<Node> make_node(const Op& op, const Args& args, std::span<const Tensor> outputs, const Tensor& instead_of_self) {
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
    if (t && (p.saves >> input & 1)) {
      save(at, t, static_cast<int>(flat), false, flat == 0 ? instead_of_self : Tensor());
      ++n->saved_count;
    }
    ++flat;
  });
  number(n.get(), newest);
  for (size_t k = 0; k < outputs.size(); ++k)
    if (p.saves >> (16 + k) & 1) {                            // an alias: the output itself would own its owner
      save(at, nullptr, static_cast<int>(k), true, alias(outputs[k]));
      ++n->saved_count;
    }
  char* metas = metas_of(n.get());
  for (const Tensor& t : outputs) metas = store_meta(metas, t.impl());
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
  const size_t metas = sizeof(StoredMeta) + 8 * static_cast<size_t>(out.ndim());
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
    if (saves >> k & 1) {
      save(at, t, static_cast<int>(k), false);
      ++n->saved_count;
    }
  }
  number(n.get(), newest);
  if (saves >> arity & 1) {
    save(at, nullptr, 0, true, alias(out));
    ++n->saved_count;
  }
  char* tail = store_meta(reinterpret_cast<char*>(at), out.impl());
  if (has_args) store_args(n.get(), args, tail);
  return n;
}

void check_saves(const Op& op, const Args& args) {
  const Plan p = plan_of(op, args, {});
  for_each_input(op, args, [&](int, int input, int, TensorImpl* t) {
    if (t && (p.saves >> input & 1)) check_savable(t);
  });
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
  char* at = metas_of(n);
  for (uint32_t k = 0;; ++k) {
    auto* m = reinterpret_cast<StoredMeta*>(at);
    if (k == nr) return {m->dtype, {m->sizes(), m->ndim}};
    at += sizeof(StoredMeta) + 8 * m->ndim;
  }
}

std::string node_name(const Node* n) {
  if (n->is_sink()) return "AccumulateGrad";
  const OpInfo* info = n->op->info;
  std::string s;
  bool upper = true;
  for (char c : info->functional ? info->functional->info->name : info->name) {
    if (c == '_' || c == '.') { upper = true; continue; }
    s += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    upper = false;
  }
  return s + "Backward0";
}

void release_saved(Node* n) {
  Saved* s = n->saved();
  for (uint32_t i = 0; i < n->saved_count; ++i)
    if (TensorImpl* t = std::exchange(s[i].tensor, nullptr)) release(t);
  n->freed = n->saved_count > 0;
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
    release_saved(d);
    if (d->extra) {
      for (const Retained& r : d->extra->retained)
        if (r.tensor) r.tensor->autograd->retained_by = nullptr;
      delete d->extra;
    }
    count_live(Live::nodes, -1);
    give_block(d, d->size_class);
  }
  thread.freeing = false;
}

Unpacked::Unpacked(Node* n) : node_(n) {
  const Op& op = *n->op;
  GRADUS_CHECK(!n->freed, graph_freed, "{}: its saved values were freed by an earlier backward: pass retain_graph to keep them", node_name(n));
  const auto& arguments = op.info->schema.arguments;
  for (size_t i = 0; i < arguments.size(); ++i) {
    values_[i] = n->has_args ? n->args[i] : op.info->defaults[i];
    if (arguments[i].type == Type::tensor && !values_[i].is_number()) values_[i] = Value(std::nullopt);
  }
  for (uint32_t i = 0; i < n->saved_count; ++i) {
    const Saved& s = n->saved()[i];
    const uint32_t now = s.tensor->storage->current();
    GRADUS_CHECK(now == s.version, in_place, "{}: a saved tensor of shape {} was changed in place: it is at version {}, expected {}",
                 node_name(n), text(s.tensor->sizes()), now, s.version);
    if (s.is_output) {
      while (outputs_.size() <= s.slot) outputs_.push_back({});
      Tensor out = Tensor::share(s.tensor);
      if (context().grad_mode) {                              // create_graph: the value gets its history back
        out = alias(out);
        set_history(out.impl(), Ref<Node>::share(n), s.slot);
      }
      outputs_[s.slot] = std::move(out);
    }
  }
  uint32_t flat = 0, next = 0;
  const auto take = [&]() -> TensorImpl* {                    // saved inputs stand in flat order
    if (next < n->saved_count && !n->saved()[next].is_output && n->saved()[next].slot == flat) return n->saved()[next++].tensor;
    return nullptr;
  };
  size_t lists = 0;
  for (const Argument& a : arguments)
    if (a.type == Type::tensor && a.list) lists += n->edge_count;
  lists_.reserve(lists);                                      // spans point into it
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Argument& a = arguments[i];
    if (a.type != Type::tensor) continue;
    if (!a.list) {
      if (TensorImpl* t = take()) values_[i] = Value(t);
      ++flat;
      continue;
    }
    const size_t begin = lists_.size();
    const uint32_t members = n->edge_count - static_cast<uint32_t>(op.info->schema.inputs - 1);   // at most one list
    for (uint32_t m = 0; m < members; ++m, ++flat) lists_.push_back(Tensor::share(take()));
    values_[i] = Value(std::span<const Tensor>(lists_.data() + begin, members));
  }
}

}  // namespace gradus
