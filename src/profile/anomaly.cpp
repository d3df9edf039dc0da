#include "profile/anomaly.h"

#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "graph/custom.h"
#include "graph/observer.h"
#include "ops/ops.h"
#include "profile/text.h"

namespace gradus {
namespace {

constexpr size_t kMaxCalls = size_t{1} << 18;                 // remembered; the oldest are forgotten first
constexpr size_t kMaxChain = 10, kMaxParents = 4;             // named in a message

// What a tensor holds that it should not; nothing for integers.
struct Fault {
  const char* what = nullptr;
  int64_t count = 0;
};
int64_t count_true(const Tensor& mask) { return call(count_nonzero_op, {mask}).data<int64_t>()[0]; }
Fault fault_of(const Tensor& t, uint32_t flags) {
  if (!t || !is_differentiable(t.dtype())) return {};
  const Unobserved alone(context());
  const GradMode off(false);
  if (flags & anomaly::nan)
    if (const int64_t n = count_true(isnan(t))) return {"NaN", n};
  if (flags & anomaly::inf)
    if (const int64_t n = count_true(isinf(t))) return {"infinity", n};
  return {};
}
std::string told(const Fault& f, const Tensor& t) {
  return format("of shape {}, holds {} in {} of {} elements", text(t.sizes()), f.what, f.count, t.numel());
}

// Ops that hand out memory as it is.
bool leaves_unset(std::string_view n) {
  return n.starts_with("empty") || n.starts_with("new_empty") || n.starts_with("resize");
}

// A call that recorded nodes.
struct Recorded {
  std::string name;
  std::string within;                                         // the outermost composition or function around it; empty: none
  std::string shapes;
  std::shared_ptr<const std::string> range;
  uint64_t maker;                                             // the node whose backward made the call; 0: none
  std::vector<uint64_t> nodes;
};

// The calls by the numbers of the nodes that they recorded.
class Calls {
 public:
  const Recorded* find(uint64_t sequence) const {
    const auto at = by_node_.find(sequence);
    return at == by_node_.end() ? nullptr : &calls_[at->second - forgotten_];
  }
  void add(Recorded r, uint64_t before, uint64_t after) {
    for (uint64_t s = after; s > before; --s)                 // those of calls inside are theirs
      if (by_node_.emplace(s, forgotten_ + calls_.size()).second) r.nodes.push_back(s);
    if (r.nodes.empty()) return;
    calls_.push_back(std::move(r));
    if (calls_.size() <= kMaxCalls) return;
    for (const uint64_t s : calls_.front().nodes) by_node_.erase(s);
    calls_.pop_front();
    ++forgotten_;
  }
  void clear() { *this = Calls(); }

 private:
  std::deque<Recorded> calls_;
  uint64_t forgotten_ = 0;
  std::unordered_map<uint64_t, uint64_t> by_node_;
};

class Anomaly final : public Observer {
 public:
  uint32_t flags = 0;
  void set(uint32_t f) {
    flags = f;
    if (!(f & anomaly::trace)) calls_.clear();
  }

  void before_call(const CallEvent& e) override { frames_.push_back({&e, e.name, 0}); }
  void after_call(const CallEvent& e) override;
  void before_node(const NodeEvent& e) override;
  void after_node(const NodeEvent& e) override;
  void before_pass(const PassEvent&) override { passes_.emplace_back(); }
  void after_pass(const PassEvent&) override { if (!passes_.empty()) passes_.pop_back(); }
  void begin_range(std::string_view name) override {
    ranges_.push_back(std::make_shared<const std::string>(ranges_.empty() ? std::string(name) : *ranges_.back() + "/" + std::string(name)));
  }
  void end_range() override { if (!ranges_.empty()) ranges_.pop_back(); }
  void explain(const Node* n, std::string& message) override;
  void left() override { delete this; }

 private:
  struct Frame {                                              // a call, or a node's work, that is going on
    const void* key;
    std::string_view call;                                    // its name
    uint64_t sequence;                                        // of the node; 0 for a call
  };
  struct Step { uint64_t newer; std::string name; };          // by whom a node got its first gradient; what it is called
  using Pass = std::unordered_map<uint64_t, Step>;

  void close(const void* key);
  uint64_t maker() const;
  std::string_view within() const;
  void check_results(const CallEvent& e);
  std::string where() const { return ranges_.empty() ? "" : ", in range '" + *ranges_.back() + "'"; }
  std::string origin(const Recorded& r, bool full) const;
  std::string story(const Node* n) const;

  Calls calls_;
  std::vector<Frame> frames_;
  std::vector<Pass> passes_;
  std::vector<std::shared_ptr<const std::string>> ranges_;
};

void Anomaly::close(const void* key) {
  size_t at = frames_.size();
  while (at > 0 && frames_[at - 1].key != key) --at;
  if (at > 0) frames_.resize(at - 1);
}

uint64_t Anomaly::maker() const {
  for (size_t i = frames_.size(); i-- > 0;)
    if (frames_[i].sequence) return frames_[i].sequence;
  return 0;
}

// The outermost call that goes on, as far as the node whose rule makes it.
std::string_view Anomaly::within() const {
  std::string_view name;
  for (size_t i = frames_.size(); i-- > 0 && !frames_[i].sequence;) name = frames_[i].call;
  return name;
}

void Anomaly::after_call(const CallEvent& e) {
  close(&e);
  if (!e.outputs) return;
  if ((flags & anomaly::trace) && e.after > e.before)
    calls_.add({std::string(e.name), std::string(within()), shapes_of(e.values), ranges_.empty() ? nullptr : ranges_.back(), maker(), {}}, e.before, e.after);
  if ((flags & anomaly::forward) && !(e.op && (e.op->view || leaves_unset(e.name)))) check_results(e);
}

void Anomaly::check_results(const CallEvent& e) {
  for (size_t i = 0; i < e.outputs->size(); ++i) {
    const Tensor& t = (*e.outputs)[i];
    const Fault f = fault_of(t, flags);
    if (!f.what) continue;
    std::string message = format("{}: result {}, {}; the call: {}({}){}", e.name, i, told(f, t), e.name, shapes_of(e.values), where());
    for (size_t k = 0; k < e.values.size(); ++k) {
      const Value& v = e.values[k];
      if (v.tag != Tag::tensor || v.t->storage == t.impl()->storage) continue;               // it was written
      if (fault_of(Tensor::share(v.t), flags).what) message += format("; argument {} holds it already", k);
    }
    if (!within().empty()) message += format("; called by {}", within());
    throw Error(Status::anomaly, std::move(message));
  }
}

void Anomaly::before_node(const NodeEvent& e) {
  frames_.push_back({&e, {}, e.node->sequence});
  if (!passes_.empty()) {
    Step& s = passes_.back().try_emplace(e.node->sequence, Step{0, ""}).first->second;
    s.name = node_name(e.node);
  }
  for (size_t nr = 0; nr <= e.others.size(); ++nr)
    if (const Fault f = fault_of(e.incoming(nr), flags); f.what)
      throw Error(Status::anomaly, format("{}: the gradient that comes in for output {}, {}: a seed's or a hook's", node_name(e.node), nr, told(f, e.incoming(nr))));
}

void Anomaly::after_node(const NodeEvent& e) {
  close(&e);
  if (!e.produced) return;
  for (size_t i = 0; i < e.produced->size(); ++i) {
    const Tensor& t = (*e.produced)[i];
    if (!t) continue;
    if (const Fault f = fault_of(t, flags); f.what)
      throw Error(Status::anomaly, format("{}: output {}, the gradient {}{}", node_name(e.node), i, told(f, t), story(e.node)));
    if (!passes_.empty()) passes_.back().try_emplace(e.node->edges()[i].node->sequence, Step{e.node->sequence, ""});
  }
}

// "sqrt([3]) within std, in range 'loss'"
std::string Anomaly::origin(const Recorded& r, bool full) const {
  std::string s = r.name + "(" + r.shapes + ")";
  if (full && !r.within.empty()) s += " within " + r.within;
  if (full && r.range) s += ", in range '" + *r.range + "'";
  return s;
}

// The forward call, the way to the root of the pass, and, if a backward made the call, the call behind that, and so on.
std::string Anomaly::story(const Node* n) const {
  std::string s;
  const Recorded* call = calls_.find(n->sequence);
  if (call) s += "; its forward call: " + origin(*call, true);
  else if ((flags & anomaly::trace) && (!host_of(n) || function_call_of(n))) s += "; its forward call was not traced";
  if (!passes_.empty()) {
    const Pass& pass = passes_.back();
    size_t steps = 0;
    for (auto at = pass.find(n->sequence); at != pass.end() && at->second.newer; ++steps) {
      at = pass.find(at->second.newer);
      if (at == pass.end() || steps >= kMaxChain) continue;   // counted only
      const Recorded* r = calls_.find(at->first);
      (s += steps ? ", " : "; from there to the root: ") += r ? origin(*r, false) : at->second.name;
    }
    if (steps > kMaxChain) s += format(" and {} more", steps - kMaxChain);
  }
  for (size_t i = 0; call && call->maker && i < kMaxParents; ++i) {
    const Recorded* parent = calls_.find(call->maker);
    s += parent ? "; that call was made by the backward of " + origin(*parent, true) : std::string("; that call was made by a backward pass");
    call = parent;
  }
  return s;
}

void Anomaly::explain(const Node* n, std::string& message) {
  if (n->is_sink()) return;                                   // made with the first call that uses the leaf, which has no part in it
  if (const Recorded* r = calls_.find(n->sequence)) message += "; in " + node_name(n) + " of " + origin(*r, true);
}

Anomaly* anomaly_of(Context& c) {
  Anomaly* found = nullptr;
  for_each_observer(c, [&](Observer& o) {
    if (auto* a = dynamic_cast<Anomaly*>(&o)) found = a;
  });
  return found;
}

}  // namespace

uint32_t anomaly_flags(Context& c) {
  const Anomaly* a = anomaly_of(c);
  return a ? a->flags : 0;
}

uint32_t set_anomaly(Context& c, uint32_t flags) {
  Anomaly* a = anomaly_of(c);
  const uint32_t before = anomaly_flags(c);
  if (!flags) {
    if (a) stop_observing(c, a);
    return before;
  }
  if (!a) observe(c, a = new Anomaly);
  a->set(flags);
  return before;
}

}  // namespace gradus
