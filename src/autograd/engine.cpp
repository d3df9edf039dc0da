#include "autograd/engine.h"

#include <algorithm>

#include "autograd/accumulate.h"
#include "autograd/project.h"
#include "autograd/pull.h"
#include "base/context.h"
#include "graph/call.h"
#include "graph/history.h"
#include "graph/observer.h"
#include "ops/ops.h"

namespace gradus {

Run::~Run() {                                                 // after a failure nodes may still be claimed
  for (Slot& s : slots_)
    if (s.node && s.node->owner.load(std::memory_order_relaxed) == this) s.node->owner.store(nullptr, std::memory_order_release);
}

uint32_t Run::slot_of(Node* n) {
  Run* owner = n->owner.load(std::memory_order_acquire);
  if (owner == this) return n->slot;
  if (!side_.empty()) {                                       // first met while another run collected there: it stays aside
    const auto at = side_.find(n);
    if (at != side_.end()) return at->second;
  }
  uint32_t i;
  if (free_.empty()) {
    i = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    i = free_.back();
    free_.pop_back();
  }
  slots_[i].node = Ref<Node>::share(n);
  slots_[i].others.resize(n->output_count - 1u);
  // Claimed when the slot holds it: whatever fails from here on, the destructor lets go of it.
  if (owner == nullptr && n->owner.compare_exchange_strong(owner, this, std::memory_order_acq_rel)) owner = this;
  if (owner == this) n->slot = i; else side_[n] = i;
  heap_.push_back({n->sequence, i});
  std::push_heap(heap_.begin(), heap_.end(), [](const Ready& a, const Ready& b) { return a.sequence < b.sequence; });
  return i;
}

Tensor* Run::buffer_of(const Edge& e) {
  if (e.node->owner.load(std::memory_order_acquire) == this) return &slots_[e.node->slot].at(e.nr);
  const auto at = side_.find(e.node);
  return at == side_.end() ? nullptr : &slots_[at->second].at(e.nr);
}

void Run::deliver(const Edge& to, Tensor g) { add_into(slots_[slot_of(to.node)].at(to.nr), std::move(g)); }

void Run::only(std::span<const Edge> roots, std::span<const Edge> targets, Tensors* results) {
  restricted_ = true;
  results_ = results;
  uint64_t oldest = UINT64_MAX;
  for (size_t i = 0; i < targets.size(); ++i) {
    if (!targets[i].node) continue;
    targets_[targets[i].node].push_back({targets[i].nr, i});
    oldest = std::min(oldest, targets[i].node->sequence);
  }
  // All nodes between, then from the oldest on: needed is what is a target or leads to a needed one.
  std::vector<Node*> reached, stack;
  std::unordered_set<const Node*> seen;
  const auto visit = [&](Node* n) {
    if (n && n->sequence >= oldest && seen.insert(n).second) stack.push_back(n);
  };
  for (const Edge& e : roots) visit(e.node);
  while (!stack.empty()) {
    Node* n = stack.back();
    stack.pop_back();
    reached.push_back(n);
    for (uint32_t i = 0; i < n->edge_count; ++i) visit(n->edges()[i].node);
  }
  std::sort(reached.begin(), reached.end(), [](const Node* a, const Node* b) { return a->sequence < b->sequence; });
  for (Node* n : reached) {
    bool leads = targets_.count(n) > 0;
    for (uint32_t i = 0; i < n->edge_count && !leads; ++i) leads = n->edges()[i].node && needed_.count(n->edges()[i].node);
    if (leads) needed_.insert(n);
  }
}

void Run::run() {
  if ((context().attention.load(std::memory_order_relaxed) & Context::kObserved) == 0) [[likely]] return loop();
  watch_pass({accumulates_, options_.create_graph}, [&] { loop(); });
}

void Run::loop() {
  Context& c = context();
  const GradMode mode(options_.create_graph);
  for (uint32_t step = 0; !heap_.empty(); ++step) {
    const uint32_t attention = c.attention.load(std::memory_order_relaxed);
    GRADUS_CHECK(!(attention & Context::kCancelled), cancelled, "backward: cancelled");
    watched_ = attention & Context::kObserved;
    if (c.interrupt && step % 64 == 0) GRADUS_CHECK(c.interrupt(c.user) == 0, cancelled, "backward: cancelled by the host");
    std::pop_heap(heap_.begin(), heap_.end(), [](const Ready& a, const Ready& b) { return a.sequence < b.sequence; });
    const uint32_t i = heap_.back().slot;
    heap_.pop_back();
    Slot s = std::move(slots_[i]);                            // complete: summed over all uses
    Node* n = s.node.get();
    if (n->owner.load(std::memory_order_relaxed) == this) n->owner.store(nullptr, std::memory_order_release);
    else side_.erase(n);
    free_.push_back(i);
    process(n, s);
  }
}

void Run::process(Node* n, Slot& s) {
  if (n->extra) run_hooks(n, s);
  if (restricted_) capture(n, s);
  if (watched_) [[unlikely]] return apply_watched(n, s);
  apply(n, s);
}

void Run::apply_watched(Node* n, Slot& s) {
  watch_node(n, s.first, s.others, [&](Tensors& produced) {
    apply(n, s);
    for (uint32_t i = 0; i < n->edge_count; ++i) {
      const Edge& e = n->edges()[i];
      const Tensor* collected = wanted(e) ? buffer_of(e) : nullptr;
      produced.push_back(collected ? *collected : Tensor());
    }
  });
}

void Run::apply(Node* n, Slot& s) {
  if (n->is_sink()) {
    if (accumulates_ && !restricted_ && n->leaf->requires_grad) accumulate_grad(n->leaf, std::move(s.first));
    return;
  }
  bool any = false;
  for (uint32_t i = 0; i < n->edge_count && !any; ++i) any = wanted(n->edges()[i]);
  if (!any) return;
  if (n->op->formula && !options_.create_graph) pull_formula_node(n, std::move(s.first));
  else pull_node(n, s);
  if (!options_.retain_graph && !options_.create_graph) release_saved(n);
}

void Run::run_hooks(Node* n, Slot& s) {
  for (uint32_t nr = 0; nr < n->output_count; ++nr) {
    Tensor& g = s.at(nr);
    if (!g) continue;
    const std::vector<Hook> hooks = n->extra->hooks[nr];      // a hook may remove itself or others
    for (const Hook& h : hooks) {
      Tensor changed = h.run(g);
      if (!changed) continue;
      const OutputMeta want = output_meta(n, nr);
      GRADUS_CHECK(same(changed.sizes(), want.sizes), shape, "hook: it returned a gradient of shape {} for a tensor of shape {}", text(changed.sizes()), text(want.sizes));
      GRADUS_CHECK(changed.dtype() == want.dtype, dtype, "hook: it returned a gradient of {} for a tensor of {}", name(changed.dtype()), name(want.dtype));
      g = std::move(changed);
    }
  }
  for (const Retained& r : n->extra->retained)
    if (r.tensor && s.at(r.nr)) accumulate_grad(r.tensor, s.at(r.nr));
}

void Run::capture(Node* n, Slot& s) {
  const auto at = targets_.find(n);
  if (at == targets_.end()) return;
  for (const auto& [nr, result] : at->second) (*results_)[result] = s.at(nr);
}

void Run::pull_formula_node(Node* n, Tensor g) {
  int last = -1;
  for (uint32_t i = 0; i < n->edge_count; ++i)
    if (wanted(n->edges()[i])) last = static_cast<int>(i);
  for (int i = 0; i <= last; ++i) {
    const Edge& e = n->edges()[i];
    if (!wanted(e)) continue;
    const OutputMeta target = output_meta(e.node, e.nr);
    Tensor pulled = pull_formula(n, i, g, i == last, buffer_of(e), target);
    if (pulled) deliver(e, project(std::move(pulled), target, n));
  }
}

void Run::pull_node(Node* n, Slot& s) {
  const Op& op = *n->op;
  Tensors gradients;
  for (uint32_t nr = 0; nr < n->output_count; ++nr) {         // rules never see a missing gradient
    const OutputMeta m = output_meta(n, nr);
    gradients.push_back(s.at(nr) || !is_differentiable(m.dtype) ? std::move(s.at(nr)) : zeros(m.sizes, m.dtype));
  }
  const Unpacked saved(n);
  Call c(n, saved, gradients);
  const auto send = [&](uint32_t flat, Tensor g) {
    const Edge& e = n->edges()[flat];
    if (g) deliver(e, project(std::move(g), output_meta(e.node, e.nr), n));
  };
  if (op.vjp_all) {
    Tensors all(n->edge_count);
    op.vjp_all(c, all);
    for (uint32_t i = 0; i < n->edge_count; ++i)
      if (wanted(n->edges()[i])) send(i, std::move(all[i]));
    return;
  }
  const int lists = static_cast<int>(n->edge_count) - op.info->schema.inputs + 1;   // members of the one Tensor[] argument
  uint32_t flat = 0;
  for (const Argument& a : op.info->schema.arguments) {
    if (a.type != Type::tensor) continue;
    for (int m = 0; m < (a.list ? lists : 1); ++m, ++flat) {
      if (!wanted(n->edges()[flat])) continue;
      c.ask(static_cast<int>(flat), m);
      if (op.formula) send(flat, op.formula->slope[a.input].pull(c, gradients[0]));
      else if (op.vjp[a.input]) send(flat, op.vjp[a.input](c, gradients[0]));
    }
  }
}

}  // namespace gradus
