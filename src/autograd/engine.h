// One backward pass. A node's number is larger than those of all nodes it depends on, so the newest node that has a gradient
// is always complete: whoever could still send it one is newer and has run. No dependency count, no recursion.
#pragma once
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "autograd/grad.h"
#include "graph/node.h"

namespace gradus {

class Run final : public Pass {
 public:
  Run(const GradOptions& options, bool accumulates);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // Restricts the pass to what leads from the roots to these histories, whose gradients go to results[i].
  void only(std::span<const Edge> roots, std::span<const Edge> targets, Tensors* results);
  void seed(const Edge& to, Tensor g);
  void run();
  Tensors call(Node* n, Tensors incoming);                    // the rule of one node, by itself: one gradient per edge, or null

  // For callbacks, while it runs.
  Node* node() const override { return current_; }
  bool wants(const Edge& e) const override { return e.node && (!restricted_ || needed_.count(e.node)); }
  bool reaches(const Node* n);                                // whether a gradient of it is on its way, was, or will be
  std::vector<Node*> order();                                 // the nodes of this pass, as they run
  uint64_t id() const { return id_; }
  void at_end(std::function<void()> f) { at_end_.push_back(std::move(f)); }
  std::shared_ptr<void>& scratch(const void* owner) { return scratch_[owner]; }   // of a hook, for this pass

 private:
  struct Slot {                                               // the gradients collected for one node
    Node* node = nullptr;                                     // kept alive by the roots, as edges never change
    Tensor first;                                             // of output 0
    std::vector<Tensor> others;
    Tensor& at(uint32_t nr) { return nr == 0 ? first : others[nr - 1]; }
  };
  struct Ready { uint64_t sequence; uint32_t slot; };

  uint32_t slot_of(Node* n);
  void deliver(const Edge& to, Tensor g);
  void loop();
  void finish();
  void find_reachable();
  void process(Node* n, Slot& s);
  void apply(Node* n, Slot& s);                               // the node's own work, after the hooks of its outputs
  void apply_watched(Node* n, Slot& s);
  void run_tensor_hooks(Node* n, Slot& s);
  void capture(Node* n, Slot& s);
  void accumulate(Node* sink, Tensor g);
  void pull_formula_node(Node* n, Tensor g, uint32_t edges);
  void pull_node(Node* n, Slot& s);
  void pull(Node* n, const Tensors& incoming, Tensors& gradients);
  void pull_rules(Node* n, const Tensors& incoming, Tensors& gradients);
  Tensor* buffer_of(const Edge& e);

  const uint64_t id_;
  GradOptions options_;
  bool accumulates_;
  bool restricted_ = false;
  bool watched_ = false;                                      // an observer wants to know of the nodes
  std::unordered_set<const Node*> needed_;
  std::unordered_map<const Node*, std::vector<std::pair<uint32_t, size_t>>> targets_;   // node -> (output, result)
  Tensors* results_ = nullptr;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  std::vector<Ready> heap_;                                   // newest first
  std::unordered_map<const Node*, uint32_t> side_;            // nodes that another run collects for at the same time
  Node* current_ = nullptr;
  std::vector<Ref<Node>> roots_;
  std::unordered_set<const Node*> reachable_;                 // found at the first question
  std::vector<std::function<void()>> at_end_;
  std::unordered_map<const void*, std::shared_ptr<void>> scratch_;
};

}  // namespace gradus
