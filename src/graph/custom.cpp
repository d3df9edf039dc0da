#include "graph/custom.h"

#include <algorithm>
#include <cstring>

#include "base/context.h"
#include "base/live.h"
#include "graph/history.h"
#include "graph/observer.h"
#include "graph/second.h"
#include "graph/shared_node.h"

namespace gradus {
namespace {

constexpr int kNoSlot = UINT16_MAX;                           // of a saved value that is neither input nor result

bool contains(std::span<const Tensor> list, const TensorImpl* t) {
  return std::any_of(list.begin(), list.end(), [t](const Tensor& x) { return x.impl() == t; });
}
int position(std::span<const Tensor> list, const TensorImpl* t) {
  for (size_t i = 0; i < list.size(); ++i)
    if (list[i].impl() == t) return static_cast<int>(i);
  return -1;
}

// Whether a gradient of these sizes comes to `to` by sums over broadcast dimensions.
bool sums_to(SizesRef from, SizesRef to) {
  if (from.size() < to.size()) return false;
  for (size_t i = 1; i <= to.size(); ++i)
    if (const int64_t want = to[to.size() - i]; want != 1 && want != from[from.size() - i]) return false;
  return true;
}

}  // namespace

// ---- the node's side
class CustomRule : public HostRule {
 public:
  explicit CustomRule(Ref<FunctionCall> call) : call_(std::move(call)) {}
  ~CustomRule() override {
    call_->drop_all();
    call_->node_ = nullptr;
  }
  CustomRule(const CustomRule&) = delete;
  CustomRule& operator=(const CustomRule&) = delete;
  std::string name() const override { return call_->function_->node_name(); }
  void free_saved() override { call_->drop_all(); }
  void held(const SeeHeld& see) const override { call_->held(see); }
  FunctionCall* call() const { return call_.get(); }

  void pull(Node* n, Tensors& gradients, const Tensors& incoming) override {
    FunctionCall& call = *call_;
    std::vector<Tensor> given(incoming.begin(), incoming.end()), results;
    for (uint32_t k = 0; k < given.size(); ++k)
      if (!given[k] && call.materialize_) given[k] = call.missing(n, k);
    const bool once = call.function_->once_differentiable, records = context().grad_mode;
    {
      const GradMode mode(records && !once);
      call.function_->pull(call, given, results);
    }
    check(n, results);
    if (once && records) put_second(n, call_, given, results);
    for (size_t i = 0; i < results.size(); ++i) gradients[i] = std::move(results[i]);
  }

 private:
  void check(const Node* n, const std::vector<Tensor>& results) const {
    GRADUS_CHECK(results.size() == n->edge_count, value, "{}: it returned {} gradients for {} inputs", name(), results.size(), n->edge_count);
    for (uint32_t i = 0; i < n->edge_count; ++i) {
      const Tensor& g = results[i];
      if (!g) continue;
      GRADUS_CHECK(call_->inputs_[i] != FunctionCall::Input::none, value, "{}: it returned a gradient for input {}, which was none", name(), i);
      GRADUS_CHECK(call_->inputs_[i] != FunctionCall::Input::whole, dtype, "{}: it returned a gradient for input {}, a tensor of integers", name(), i);
      const Edge& e = n->edges()[i];
      if (!e.node) continue;
      GRADUS_CHECK(is_differentiable(g.dtype()), dtype, "{}: it returned a gradient of {} for input {}", name(), gradus::name(g.dtype()), i);
      const SizesRef want = output_meta(e.node, e.nr).sizes;
      GRADUS_CHECK(sums_to(g.sizes(), want), shape, "{}: it returned a gradient of shape {} for input {} of shape {}", name(), text(g.sizes()), i, text(want));
    }
  }

  Ref<FunctionCall> call_;
};

FunctionCall* function_call_of(const Node* n) {
  const auto* rule = dynamic_cast<const CustomRule*>(host_of(n));
  return rule ? rule->call() : nullptr;
}

FunctionCall::FunctionCall(Ref<Function> function, std::span<const Tensor> inputs) : Object{Kind::call, {}}, function_(std::move(function)) {
  for (const Tensor& t : inputs) {
    inputs_.push_back(!t ? Input::none : is_differentiable(t.dtype()) ? Input::floating : Input::whole);
    needs_.push_back(t && needs_grad(t.impl()));
  }
  count_live(Live::function_calls, 1);                        // nothing fails behind it
}

FunctionCall::~FunctionCall() {
  kind = Kind::dead;
  drop_all();
  set_state(nullptr, nullptr);
  count_live(Live::function_calls, -1);
}

FunctionCall::Outputs& FunctionCall::during_forward(const char* what) const {
  GRADUS_CHECK(outputs_, state, "{}: {} belongs into its forward", function_->name(), what);
  return *outputs_;
}
void FunctionCall::save(std::span<const Tensor> values) {
  std::vector<Tensor>& to = during_forward("saving for backward").saved;
  std::vector<Tensor> made(values.begin(), values.end());
  to.swap(made);
  saved_count_ = to.size();
}
void FunctionCall::mark_dirty(std::span<const Tensor> written) { during_forward("marking what is written").dirty.assign(written.begin(), written.end()); }
void FunctionCall::mark_non_differentiable(std::span<const Tensor> results) {
  during_forward("marking results as not differentiable").constant.assign(results.begin(), results.end());
}
void FunctionCall::set_materialize(bool on) {
  during_forward("asking for gradients of zeros");
  materialize_ = on;
}
bool FunctionCall::records() const { return during_forward("asking whether it is recorded").records; }

bool FunctionCall::needs_input_grad(size_t input) const {
  GRADUS_CHECK(input < needs_.size(), index, "{}: input {} of {}", function_->name(), input, needs_.size());
  const Pass* pass = context().pass;
  const bool pulled = node_ && pass && pass->node() == node_;
  return needs_[input] && (!pulled || pass->wants(node_->edges()[input]));
}

void FunctionCall::set_state(void* state, void (*destroy)(void*)) {
  std::unique_ptr<HostData> owner;
  if (destroy) {
    owner = std::make_unique<HostData>();
    owner->reserve(Live::callbacks, true);
    owner->arm(destroy, state);
  }
  state_ = state;
  std::swap(owner, state_owner_);
  if (owner) owner->end(Live::callbacks);
}

Tensor FunctionCall::saved(size_t i) const {
  GRADUS_CHECK(!outputs_, state, "{}: what it saves can be read once its forward is over", function_->name());
  GRADUS_CHECK(node_, graph_freed, "{}: its saved values were freed by an earlier backward: pass retain_graph to keep them", function_->node_name());
  Kept kept;                                                  // another thread may free it meanwhile
  {
    const NodeLock lock(node_);
    GRADUS_CHECK(!node_->freed(), graph_freed, "{}: its saved values were freed by an earlier backward: pass retain_graph to keep them", function_->node_name());
    GRADUS_CHECK(i < entries_.size(), index, "{}: saved value {} of {}", function_->node_name(), i, entries_.size());
    if (entries_[i].source == Entry::Source::none) return {};
    kept.share(entries_[i]);
  }
  const Entry& e = kept.entry;
  Tensor t = unpack(node_, e.saved);
  const Edge to = e.source == Entry::Source::input ? node_->edges()[e.saved.slot] : e.source == Entry::Source::output ? Edge{node_, e.saved.slot} : e.history;
  return to.node && is_differentiable(t.dtype()) ? as_recorded(std::move(t), to) : t;
}

Tensor FunctionCall::missing(const Node* n, uint32_t nr) const {
  if (!present_[nr]) return {};
  const OutputMeta m = output_meta(n, nr);
  Tensor zeros = empty(m.dtype, m.sizes);
  if (zeros.numel() > 0) std::memset(zeros.data<char>(), 0, static_cast<size_t>(zeros.numel()) * static_cast<size_t>(size_of(m.dtype)));
  return zeros;
}

void FunctionCall::keep_all(Node* n, std::span<const Tensor> inputs, std::span<const Tensor> raw, std::span<const Tensor> dirty) {
  using Source = Entry::Source;
  entries_.resize(outputs_->saved.size());
  for (size_t i = 0; i < entries_.size(); ++i) {
    const Tensor& t = outputs_->saved[i];
    if (!t) continue;
    GRADUS_CHECK(!t.impl()->inference, state, "{}: a tensor made in inference mode can't be saved for backward: clone it first", function_->name());
    const int in = position(inputs, t.impl()), out = position(raw, t.impl());
    GRADUS_CHECK(in < kNoSlot, value, "{}: it saves input {}, and can save the first {} only", function_->name(), in, kNoSlot);
    const bool is_input = in >= 0 && !contains(dirty, t.impl()), is_output = !is_input && out >= 0;
    Entry& e = entries_[i];
    Tensor value = t;
    if (is_output) {
      value = alias(t);                                       // itself, it would own its owner
    } else if (!is_input && !(t.impl()->requires_grad && !t.impl()->grad_fn)) {
      if (t.impl()->grad_fn) {
        e.history = {t.impl()->grad_fn, t.impl()->output_nr};
        retain(e.history.node);
      }
      value = alias(t);                                       // a view would hold its base, which may be a result
    }
    keep(e.saved, *n->op, std::move(value), static_cast<uint32_t>(is_input ? in : is_output ? out : kNoSlot), is_output);
    e.source = is_input ? Source::input : is_output ? Source::output : Source::other;
  }
}

std::vector<FunctionCall::Note> FunctionCall::notes() const {
  std::vector<Note> notes;
  notes.reserve(saved_count_);
  const NodeLock lock(node_);
  for (size_t i = 0; i < saved_count_; ++i) {
    if (i >= entries_.size()) {
      notes.push_back({i, false, true, false, {}});
    } else if (entries_[i].source != Entry::Source::none) {
      const Saved& s = entries_[i].saved;
      notes.push_back({i, s.is_output, false, s.is_packed, s.is_packed ? s.packed->meta : reinterpret_cast<const Tensor&>(s.tensor).meta()});
    }
  }
  return notes;
}

void FunctionCall::held(const SeeHeld& see) const {
  const NodeLock lock(node_);
  for (const Entry& e : entries_)
    if (e.source != Entry::Source::none) gradus::held(e.saved, see);
}

void FunctionCall::Entry::let_go() {
  if (source != Source::none) drop(saved);
  if (history.node) release(history.node);
}
void FunctionCall::Kept::share(const Entry& e) {
  entry = e;
  retain_saved(e.saved);
  if (e.history.node) retain(e.history.node);
}

void FunctionCall::drop_all() {
  std::vector<Entry> gone;
  gone.swap(entries_);                                        // what dies may run the host's code
  for (Entry& e : gone) e.let_go();
}

// ---- one application
class Application {
 public:
  Application(const Ref<Function>& f, std::span<const Tensor> inputs) : call_(Ref<FunctionCall>::adopt(new FunctionCall(f, inputs))), inputs_(inputs), edges_(inputs.size()) {
    const Context& c = context();
    call_->outputs_ = &said_;
    if (!c.grad_mode || c.inference_mode) return;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!call_->needs_[i]) continue;
      edges_[i] = history(inputs[i].impl());                  // as it is before forward writes
      said_.records = true;
    }
  }
  ~Application() {
    call_->outputs_ = nullptr;
  }
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;

  void run(std::vector<Tensor>& results) {
    {
      const GradMode off(false);
      call_->function_->forward(*call_, inputs_, raw_);
    }
    GRADUS_CHECK(raw_.size() <= UINT16_MAX, value, "{}: {} results", name(), raw_.size());
    for (const Tensor& t : said_.dirty)
      if (t) t.storage().bump(kWrittenByFunction);
    check_written();
    for (const Tensor& t : raw_) call_->present_.push_back(static_cast<bool>(t));
    said_.records = said_.records && std::any_of(raw_.begin(), raw_.end(), [&](const Tensor& t) { return differentiable(t); });
    if (said_.records) {
      record();
    } else {
      for (const Tensor& t : raw_) results_.push_back(plain(t));
    }
    results = std::move(results_);
  }

 private:
  std::string name() const { return call_->function_->name(); }
  bool is_input(const Tensor& t) const { return contains(inputs_, t.impl()); }
  bool is_dirty(const Tensor& t) const { return contains(said_.dirty, t.impl()); }
  bool differentiable(const Tensor& t) const { return t && is_differentiable(t.dtype()) && !contains(said_.constant, t.impl()); }

  void check_written() const {
    for (const Tensor& t : said_.dirty) {
      if (!t) continue;
      GRADUS_CHECK(contains(raw_, t.impl()), state, "{}: a tensor marked as written is not returned: all of them must be results", name());
      const bool records = said_.records && differentiable(t);
      check_in_place(name(), t.impl(), records);
      GRADUS_CHECK(!records || !t.impl()->view || raw_.size() == 1, state,
                   "{}: it writes an input that is a view, so it can't return more than that one tensor (it returns {})", name(), raw_.size());
    }
  }

  // Another tensor for one that belongs to somebody: a view of it that can't be written while recording.
  static Tensor stand_in(const Tensor& t) {
    Tensor a = alias(t);
    record_view(a, t, false);
    if (a.impl()->view) a.impl()->autograd->kind = ViewKind::custom;
    return a;
  }
  // Of a result without a history of this call.
  Tensor plain(const Tensor& t) const {
    if (!t) return t;
    if (needs_grad(t.impl())) return detach(t);
    return is_input(t) && !is_dirty(t) ? stand_in(t) : t;
  }
  // Before the node's history is put on.
  Tensor differentiable_result(const Tensor& t) const {
    GRADUS_CHECK(!t.impl()->inference, state, "{}: it returned a tensor made in inference mode: clone it first", name());
    return is_input(t) || t.wants_grad() ? stand_in(t) : t;
  }

  // All that can fail comes before the first history is changed.
  void record() {
    std::vector<Tensor> shown;
    for (const Tensor& t : raw_) shown.push_back(t ? t : empty(Dtype::i64, SizesRef()));
    const Ref<Node> n = make_host_node(std::make_unique<CustomRule>(call_), edges_.get(), shown);
    call_->node_ = n.get();
    call_->keep_all(n.get(), inputs_, raw_, said_.dirty);
    std::vector<Rewrite> rewrites;
    std::vector<uint32_t> fresh;
    results_.reserve(raw_.size());
    for (uint32_t k = 0; k < raw_.size(); ++k) {
      const Tensor& t = raw_[k];
      if (!differentiable(t)) {
        results_.push_back(plain(t));
      } else if (is_dirty(t)) {
        rewrites.emplace_back(t.impl(), n, k);
        results_.push_back(t);
      } else {
        results_.push_back(differentiable_result(t));
        fresh.push_back(k);
      }
    }
    for (Rewrite& r : rewrites) r.commit();
    for (uint32_t k : fresh) put_history(results_[k].impl(), n, k);
  }
  static void put_history(TensorImpl* t, const Ref<Node>& n, uint32_t nr) {
    set_history(t, n, nr);
    if (!t->view) return;
    t->autograd->kind = ViewKind::custom;
    t->autograd->seen_version = t->storage->current();
  }

  Ref<FunctionCall> call_;
  std::span<const Tensor> inputs_;
  Edges edges_;
  FunctionCall::Outputs said_;
  std::vector<Tensor> raw_, results_;                         // as forward gave them; as they are handed on
};

// In a context that has something to attend to.
[[gnu::cold]] static void attend(const Ref<Function>& function, std::span<const Tensor> inputs, std::vector<Tensor>& results, uint32_t attention) {
  const std::string name = function->name();
  GRADUS_CHECK(!(attention & Context::kCancelled), cancelled, "{}: cancelled", name);
  if (!(attention & Context::kObserved)) return Application(function, inputs).run(results);
  std::vector<Value> values;
  for (const Tensor& t : inputs) values.push_back(t ? Value(t.impl()) : Value(std::nullopt));
  Tensors shown;
  watch_call({nullptr, name, values}, shown, [&] {
    Application(function, inputs).run(results);
    for (const Tensor& t : results) shown.push_back(t);
  });
}

void apply_function(const Ref<Function>& function, std::span<const Tensor> inputs, std::vector<Tensor>& results) {
  if (const uint32_t attention = context().attention.load(std::memory_order_relaxed)) return attend(function, inputs, results, attention);
  Application(function, inputs).run(results);
}

}  // namespace gradus
