#include "autograd/engine.h"

#include <algorithm>

#include "autograd/accumulate.h"
#include "autograd/project.h"
#include "autograd/pull.h"
#include "base/context.h"
#include "base/interrupt.h"
#include "base/stack.h"
#include "graph/call.h"
#include "graph/history.h"
#include "graph/observer.h"
#include "graph/shared_node.h"
#include "ops/ops.h"

namespace gradus {

Run::Run(const GradOptions& options, bool accumulates) : id_(++context().passes), options_(options), accumulates_(accumulates) {}

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
  slots_[i].node = n;
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

void Run::seed(const Edge& to, Tensor g) {
  roots_.push_back(Ref<Node>::share(to.node));
  deliver(to, std::move(g));
}

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

namespace {
// The innermost pass of the context. Hooks on saved values that callbacks push or take away are as before when it ends.
class RunScope {
 public:
  explicit RunScope(Run* run)
      : context_(context()), before_(std::exchange(context_.pass, run)), hooks_(Ref<SavedHooks>::share(context_.saved_hooks)) {
    ++this_thread().passes;
  }
  ~RunScope() {
    --this_thread().passes;
    context_.pass = before_;
    const Ref<SavedHooks> inside = Ref<SavedHooks>::adopt(std::exchange(context_.saved_hooks, hooks_.detach()));
  }
  RunScope(const RunScope&) = delete;
  RunScope& operator=(const RunScope&) = delete;

 private:
  Context& context_;
  Pass* before_;
  Ref<SavedHooks> hooks_;
};
// Callbacks of a pass may begin another one, on the same stack: they could run on no other thread, which their language may not
// know. Where the stack's end is not known a count stands in.
void check_nesting() {
  constexpr uint32_t enough = 60;
  Thread& t = this_thread();
  if (t.passes == 0) [[likely]] return;
  if (const size_t size = stack_size(t))
    GRADUS_CHECK(!stack_is_short(t), state, "backward: {} passes are nested, one inside the other, and the thread's stack of {} KiB has no room for another",
                 t.passes, size >> 10);
  else
    GRADUS_CHECK(t.passes < enough, state, "backward: {} passes are nested, one inside the other, on a stack of unknown size", t.passes);
}
}  // namespace

void Run::run() {
  check_nesting();
  if ((context().attention.load(std::memory_order_relaxed) & Context::kObserved) == 0) [[likely]] return loop();
  watch_pass({accumulates_, options_.create_graph}, [&] { loop(); });
}

void Run::loop() {
  Context& c = context();
  const GradMode mode(options_.create_graph);
  const RunScope scope(this);
  Interrupt host(&c);
  for (uint32_t step = 0; !heap_.empty(); ++step) {
    const uint32_t attention = c.attention.load(std::memory_order_relaxed);
    GRADUS_CHECK(!(attention & Context::kCancelled), cancelled, "backward: cancelled");
    watched_ = attention & Context::kObserved;
    host.step(step, "backward");
    std::pop_heap(heap_.begin(), heap_.end(), [](const Ready& a, const Ready& b) { return a.sequence < b.sequence; });
    const uint32_t i = heap_.back().slot;
    heap_.pop_back();
    Slot s = std::move(slots_[i]);                            // complete: summed over all uses
    Node* n = std::exchange(slots_[i].node, nullptr);
    if (n->owner.load(std::memory_order_relaxed) == this) n->owner.store(nullptr, std::memory_order_release);
    else side_.erase(n);
    free_.push_back(i);
    current_ = n;
    process(n, s);
  }
  finish();
}

void Run::finish() {
  current_ = nullptr;
  for (size_t i = 0; i < at_end_.size(); ++i) {               // one may add others
    const std::function<void()> f = std::move(at_end_[i]);
    f();
  }
}

void Run::find_reachable() {
  if (!reachable_.empty()) return;
  std::vector<const Node*> stack;
  const auto visit = [&](const Node* to) { if (to && reachable_.insert(to).second) stack.push_back(to); };
  for (const Ref<Node>& r : roots_) visit(r.get());
  while (!stack.empty()) {
    const Node* at = stack.back();
    stack.pop_back();
    for (uint32_t i = 0; i < at->edge_count; ++i) visit(at->edges()[i].node);
  }
}

bool Run::reaches(const Node* n) {
  if (restricted_) return needed_.count(n) > 0;
  find_reachable();
  return reachable_.count(n) > 0;
}

std::vector<Node*> Run::order() {
  if (!restricted_) find_reachable();
  std::vector<Node*> all;
  for (const Node* n : restricted_ ? needed_ : reachable_) all.push_back(const_cast<Node*>(n));
  std::sort(all.begin(), all.end(), [](const Node* a, const Node* b) { return a->sequence > b->sequence; });
  return all;
}

Tensors Run::call(Node* n, Tensors incoming) {
  check_nesting();
  const RunScope scope(this);
  roots_.push_back(Ref<Node>::share(n));                      // whatever its rule lets go of
  current_ = n;
  Tensors gradients(n->edge_count);
  const bool any = std::any_of(incoming.begin(), incoming.end(), [](const Tensor& g) { return bool(g); });
  if (n->is_sink()) {
    if (any && n->leaf->requires_grad) accumulate_grad(n->leaf, std::move(incoming[0]));
  } else if (any || host_of(n)) {
    pull(n, incoming, gradients);
  }
  for (uint32_t i = 0; i < n->edge_count; ++i) {
    const Edge& e = n->edges()[i];
    gradients[i] = wants(e) && gradients[i] ? project(std::move(gradients[i]), output_meta(e.node, e.nr), n) : Tensor();
  }
  finish();
  return gradients;
}

void Run::process(Node* n, Slot& s) {
  if (n->extra()) run_tensor_hooks(n, s);
  if (watched_) [[unlikely]] return apply_watched(n, s);
  apply(n, s);
}

void Run::apply_watched(Node* n, Slot& s) {
  watch_node(n, s.first, s.others, [&](Tensors& produced) {
    apply(n, s);
    for (uint32_t i = 0; i < n->edge_count; ++i) {
      const Edge& e = n->edges()[i];
      const Tensor* collected = wants(e) ? buffer_of(e) : nullptr;
      produced.push_back(collected ? *collected : Tensor());
    }
  });
}

// The fused kernels are those of real numbers. Abs of complex ones has a real gradient.
static bool reads_complex(const Node* n, const Tensor& g) {
  return is_complex(g.dtype()) || (n->op->real_result && n->edges()[0].node && is_complex(output_meta(n->edges()[0].node, n->edges()[0].nr).dtype));
}

static bool has_node_hooks(const Node* n) {
  const NodeExtra* extra = n->extra();
  if (!extra) return false;
  const NodeLock lock(n);
  return !extra->before.empty() || !extra->after.empty();
}

void Run::apply(Node* n, Slot& s) {
  if (n->is_sink() && accumulates_) {
    if (n->leaf->requires_grad && (!restricted_ || targets_.count(n))) accumulate(n, std::move(s.first));
    return;
  }
  if (restricted_) capture(n, s);
  uint32_t last = n->edge_count;                              // behind it nothing is wanted
  while (last > 0 && !wants(n->edges()[last - 1])) --last;
  if (last == 0) return;
  const bool plain = !n->packed() && !has_node_hooks(n);
  if (n->op->formula && plain && !options_.create_graph && !reads_complex(n, s.first)) return pull_formula_node(n, std::move(s.first), last);
  pull_node(n, s);
  if (!options_.retain_graph && !options_.create_graph) release_saved(n);
}

static void check_hook(const Tensor& g, const Node* n, uint32_t nr) {
  if (!g) return;
  const OutputMeta want = output_meta(n, nr);
  GRADUS_CHECK(same(g.sizes(), want.sizes), shape, "hook: it returned a gradient of shape {} for a tensor of shape {}", text(g.sizes()), text(want.sizes));
  GRADUS_CHECK(g.dtype() == want.dtype, dtype, "hook: it returned a gradient of {} for a tensor of {}", name(g.dtype()), name(want.dtype));
}

void Run::run_tensor_hooks(Node* n, Slot& s) {
  for (uint32_t nr = 0; nr < n->output_count; ++nr) {
    Tensor& g = s.at(nr);
    if (!g) continue;
    const std::vector<TensorHook> hooks = copy_of(n, n->extra()->hooks[nr]);
    for (const TensorHook& h : hooks) {
      Tensor changed = h.run(g);
      check_hook(changed, n, nr);
      if (changed) g = std::move(changed);
    }
  }
  for (const Retained& r : copy_of(n, n->extra()->retained))
    if (r.tensor && s.at(r.nr)) accumulate_grad(r.tensor, s.at(r.nr));
}

void Run::accumulate(Node* sink, Tensor g) {
  const NodeExtra* extra = sink->extra();
  if (!extra) return accumulate_grad(sink->leaf, std::move(g));
  const std::vector<NodeHook> before = copy_of(sink, extra->before), after = copy_of(sink, extra->after);
  if (before.empty() && after.empty() && copy_of(sink, extra->accumulated).empty()) return accumulate_grad(sink->leaf, std::move(g));
  Tensors incoming{g};
  for (const NodeHook& h : before) {
    h.run(incoming, {});
    check_hook(incoming[0], sink, 0);
  }
  if (incoming[0]) accumulate_grad(sink->leaf, incoming[0]);
  for (const LeafHook& h : copy_of(sink, extra->accumulated)) h.run(Tensor::share(sink->leaf));
  Tensors none;
  for (const NodeHook& h : after) h.run(none, incoming);
}

void Run::capture(Node* n, Slot& s) {
  const auto at = targets_.find(n);
  if (at == targets_.end()) return;
  for (const auto& [nr, result] : at->second) (*results_)[result] = s.at(nr);
}

void Run::pull_formula_node(Node* n, Tensor g, uint32_t edges) {
  SavedValues saved(n, options_.retain_graph ? SavedValues::Use::share : SavedValues::Use::take);
  for (uint32_t i = 0; i < edges; ++i) {
    const Edge& e = n->edges()[i];
    if (i + 1 < edges && !wants(e)) continue;
    const OutputMeta target = output_meta(e.node, e.nr);
    Tensor pulled = pull_formula(n, saved, static_cast<int>(i), g, i + 1 == edges, buffer_of(e), target);
    if (pulled) deliver(e, project(std::move(pulled), target, n));
  }
  saved.free();
}

void Run::pull_node(Node* n, Slot& s) {
  Tensors incoming, gradients(n->edge_count);
  for (uint32_t nr = 0; nr < n->output_count; ++nr) incoming.push_back(std::move(s.at(nr)));
  std::vector<NodeHook> after;
  if (n->extra()) {
    for (const NodeHook& h : copy_of(n, n->extra()->before)) {
      h.run(incoming, {});
      for (uint32_t nr = 0; nr < n->output_count; ++nr) check_hook(incoming[nr], n, nr);
    }
  }
  pull(n, incoming, gradients);
  if (n->extra()) after = copy_of(n, n->extra()->after);                      // also those that a rule has added
  for (const NodeHook& h : after) h.run(gradients, incoming);
  for (uint32_t i = 0; i < n->edge_count; ++i) {
    const Edge& e = n->edges()[i];
    if (wants(e) && gradients[i]) deliver(e, project(std::move(gradients[i]), output_meta(e.node, e.nr), n));
  }
}

void Run::pull(Node* n, const Tensors& incoming, Tensors& gradients) {
  if (HostRule* host = host_of(n)) host->pull(n, gradients, incoming);
  else pull_rules(n, incoming, gradients);
}

// A gradient that nothing sent: zeros that take no memory but one element's.
static Tensor missing_gradient(const OutputMeta& m) { return expand(zeros(SizesRef(), m.dtype), m.sizes); }

void Run::pull_rules(Node* n, const Tensors& incoming, Tensors& gradients) {
  const Op& op = *n->op;
  Tensors whole;                                              // rules never see a missing one
  for (uint32_t nr = 0; nr < n->output_count; ++nr) {
    const OutputMeta m = output_meta(n, nr);
    whole.push_back(incoming[nr] || !is_differentiable(m.dtype) ? incoming[nr] : missing_gradient(m));
  }
  const Unpacked saved(n);
  Call c(n, saved, whole, *this);
  if (op.vjp_all) return op.vjp_all(c, gradients);
  const int lists = static_cast<int>(n->edge_count) - op.info->schema.inputs + 1;   // members of the one Tensor[] argument
  uint32_t flat = 0;
  for (const Argument& a : op.info->schema.arguments) {
    if (a.type != Type::tensor) continue;
    for (int m = 0; m < (a.list ? lists : 1); ++m, ++flat) {
      if (!wants(n->edges()[flat])) continue;
      c.ask(static_cast<int>(flat), m);
      if (op.formula) {
        check_has_slope(n, a.input);
        gradients[flat] = op.formula->slope[a.input].pull(c, whole[0]);
      } else if (op.vjp[a.input]) {
        gradients[flat] = op.vjp[a.input](c, whole[0]);
      }
    }
  }
}

}  // namespace gradus
