// What autograd records: nodes, their edges, the values they saved. Note: one count for sink and leaf. The sink in which a leaf
// collects its gradient belongs to the leaf, and a reference to the sink is a reference to the leaf: neither dies before the other.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "graph/saved.h"

namespace gradus {

class Run;                                                    // one backward pass (autograd/engine.h)

struct Edge {
  Node* node = nullptr;                                       // null: nothing flows
  uint32_t nr = 0;                                            // which output of the node
};

// A running pass as rules see it (Context::pass).
class Pass {
 public:
  virtual Node* node() const = 0;                             // the one whose rule or hooks run; null in callbacks at the end
  virtual bool wants(const Edge& e) const = 0;                // whether a gradient along it leads to anything asked for
 protected:
  ~Pass() = default;
};

// Hooks: of a tensor (the whole gradient, and perhaps another in its place), of a node before it runs (its incoming gradients)
// and after (those it made, with the incoming ones), and of a leaf once its .grad is up to date.
uint64_t new_hook_id();                                       // no two hooks of the process have the same
struct TensorHook { uint64_t id; std::function<Tensor(const Tensor& gradient)> run; };
struct NodeHook { uint64_t id; std::function<void(Tensors& gradients, const Tensors& incoming)> run; };
struct LeafHook { uint64_t id; std::function<void(const Tensor& leaf)> run; };
struct Retained { uint32_t nr; TensorImpl* tensor; };         // tensor: not owned, it clears itself

// The rule and state of a node that is no op of the registry but a function of the host (graph/custom.h).
struct HostRule {
  virtual ~HostRule() = default;
  virtual std::string name() const = 0;
  virtual void pull(Node* n, Tensors& gradients, const Tensors& incoming) = 0;   // incoming: null where none came
  virtual void free_saved() = 0;
  virtual void held(const SeeHeld&) const {}
};

// What few nodes have.
struct NodeExtra {
  std::vector<std::vector<TensorHook>> hooks;                 // by output
  std::vector<NodeHook> before, after;
  std::vector<LeafHook> accumulated;
  std::vector<Retained> retained;
  std::unique_ptr<HostRule> host;
  std::shared_ptr<void> user;                                 // what the host put here: shared_node.h
};
NodeExtra& extra_of(Node* n);                                 // made when there is none

// One recorded application of an op. In the same block follow edges, saved values, the outputs' metadata and the arguments.
struct Node : Object {
  const Op* op;                                               // null: the sink of a leaf
  uint64_t sequence;                                          // larger than those of all nodes it depends on
  union { std::atomic<Run*> owner; Node* next; };             // the run that collects here; of a dying node the next one
  uint32_t slot;                                              // in the owner
  uint32_t edge_count;
  uint32_t output_count;
  uint16_t saved_count;
  uint8_t size_class;
  std::atomic<uint8_t> flags;
  std::atomic<NodeExtra*> more;                               // null: none
  union { TensorImpl* leaf; Value* args; };

  Edge* edges() { return reinterpret_cast<Edge*>(this + 1); }
  const Edge* edges() const { return reinterpret_cast<const Edge*>(this + 1); }
  Saved* saved() { return reinterpret_cast<Saved*>(edges() + edge_count); }
  bool is_sink() const { return op == nullptr; }

  // kPacked: some values are kept by hooks. kFreed: saved values are out of reach. kLocked: shared_node.h.
  static constexpr uint8_t kHasArgs = 1, kPacked = 2, kFreed = 4, kLocked = 8;
  bool has_args() const { return flags.load(std::memory_order_relaxed) & kHasArgs; }
  bool packed() const { return flags.load(std::memory_order_relaxed) & kPacked; }
  bool freed() const { return flags.load(std::memory_order_acquire) & kFreed; }
  NodeExtra* extra() const { return more.load(std::memory_order_acquire); }
  void mark_packed(bool is_packed) { if (is_packed) flags.fetch_or(kPacked, std::memory_order_relaxed); }
};

inline void retain(Node* n) { if (n->op) n->refs.up(); else n->leaf->refs.up(); }
void free_node(Node*);
inline void release(Node* n) {
  if (!n->op) release(n->leaf);
  else if (n->refs.down()) free_node(n);
}

// Places in the graph that are held; some may be empty.
class Edges {
 public:
  explicit Edges(size_t n = 0) : edges_(n) {}
  ~Edges() {
    for (const Edge& e : edges_)
      if (e.node) release(e.node);
  }
  Edges(const Edges&) = delete;
  Edges& operator=(const Edges&) = delete;
  Edge& operator[](size_t i) { return edges_[i]; }
  void reserve(size_t n) { edges_.reserve(n); }
  void add(Edge owned) { edges_.push_back(owned); }           // where room was made
  std::span<Edge> get() { return edges_; }

 private:
  std::vector<Edge> edges_;
};

// The shape and dtype of one output of a node: what a gradient must come to.
struct OutputMeta {
  Dtype dtype;
  SizesRef sizes;
};
OutputMeta output_meta(const Node* n, uint32_t nr);

HostRule* host_of(const Node* n);                             // null: an op's node
std::string node_name(const Node* n);                         // "MulBackward0", "AccumulateGrad"
std::string node_name(std::string_view op);

// Builds a node for outputs of the given metadata. Edges lead to the histories of the tensor arguments that want a gradient
// and have a rule; what those rules read is saved. Outputs are attached with set_history.
// `write_ahead`: outputs[0] is about to be written, and `instead_of_self` is a copy of what it held, if a rule reads that.
Ref<Node> make_node(const Op& op, const Args& args, std::span<const Tensor> outputs, bool write_ahead = false, const Tensor& instead_of_self = {});
Ref<Node> make_formula_node(const Op& op, const Args& args, const Tensor& out);
void set_history(TensorImpl* t, Ref<Node> n, uint32_t nr);
void pack_outputs(Node* n);                                   // of a write ahead, once it is done: by the hooks in force
// A node of a host's function with outputs of the given metadata. It takes the references of the edges.
Ref<Node> make_host_node(std::unique_ptr<HostRule> rule, std::span<Edge> edges, std::span<const Tensor> outputs);
// The value with a history of its own that leads to the edge.
Tensor with_history(const Tensor& value, const Edge& to);
Tensor as_recorded(Tensor value, const Edge& to);             // the same, unless that is the history that it has
[[noreturn, gnu::cold]] void refuse_freed(const Node* n);

// The arguments of a recorded call: attributes as given, tensors where they were saved. Throws when they were released or
// changed in place since.
class Unpacked {
 public:
  explicit Unpacked(Node* n);
  Unpacked(const Unpacked&) = delete;
  Unpacked& operator=(const Unpacked&) = delete;
  Args args() const { return Args(*node_->op, values_); }
  const Tensor& output(int i) const { return outputs_[static_cast<size_t>(i)]; }

 private:
  TensorImpl* input(const Saved& s, uint32_t flat);
  void read_outputs(std::span<const Saved> saved);
  void read_inputs(std::span<const Saved> saved);

  Node* node_;
  Value values_[kMaxArguments];
  SmallVector<Tensor, 2> outputs_;
  SmallVector<Tensor, 4> kept_;                               // unpacked ones, and members of Tensor[] arguments
};
void drop_saved(Node* n);                                     // by who has marked them as freed
void release_saved(Node* n);

// The flat inputs of a call: Tensor[] arguments member by member. f(argument position, input index, member, tensor or null).
template <class F> void for_each_input(const Op& op, const Args& args, F&& f) {
  const auto& arguments = op.info->schema.arguments;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Argument& a = arguments[i];
    if (a.type != Type::tensor) continue;
    const int at = static_cast<int>(i);
    if (!a.list) {
      f(at, a.input, 0, args[at].tag == Tag::tensor ? args[at].t : nullptr);
    } else if (args.has(at)) {
      int member = 0;
      for (const Tensor& t : args.tensors(at)) f(at, a.input, member++, t.impl());
    }
  }
}

}  // namespace gradus
