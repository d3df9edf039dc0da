// Who watches a context: told of every call of an op or of a function of the host, every node of a backward pass, and named ranges. A context that nobody watches
// pays for it with the one branch on Context::attention.
#pragma once
#include <exception>
#include <functional>
#include <string_view>

#include "base/context.h"
#include "graph/node.h"

namespace gradus {

struct CallEvent {
  const Op* op;                                               // null: a function of the host
  std::string_view name;                                      // of the op or the function
  std::span<const Value> values;                              // as the caller gave them: defaults may be missing
  uint64_t before = 0, after = 0;                             // nodes that it recorded have the numbers from before + 1 to after
  const Tensors* outputs = nullptr;                           // null until it has succeeded
};
// A node of a pass, after its hooks. The incoming gradients are there before it runs, the produced ones when it has succeeded.
struct NodeEvent {
  const Node* node;
  const Tensor* first = nullptr;                              // incoming, of output 0
  std::span<const Tensor> others;
  const Tensors* produced = nullptr;                          // by edge: what is collected there by now, null where nothing flows
  const Tensor& incoming(size_t nr) const { return nr == 0 ? *first : others[nr - 1]; }
};
struct PassEvent {
  bool accumulates, create_graph;                             // accumulates: backward, not grad
  bool failed = false;
};

// Calls nest: a composition's parts lie between its begin and end, the calls of a rule between those of its node. An observer may
// come or go in between, in a callback of its own, too: it misses the rest, and does not come again. What `after` throws is the
// result of the call; every observer hears the end all the same.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void before_call(const CallEvent&) {}
  virtual void after_call(const CallEvent&) {}
  virtual void before_node(const NodeEvent&) {}
  virtual void after_node(const NodeEvent&) {}
  virtual void before_pass(const PassEvent&) {}
  virtual void after_pass(const PassEvent&) {}
  virtual void begin_range(std::string_view) {}
  virtual void end_range() {}
  virtual void explain(const Node*, std::string& /*message*/) {}   // of a failure: more about the node that it came from
  virtual void left() {}                                      // it is told nothing more, no callback of it runs, and it may delete itself

 private:
  friend void observe(Context&, Observer*);
  friend bool stop_observing(Context&, Observer*);
  friend class Told;
  Observer* next_ = nullptr;
  uint32_t told_ = 0;                                         // callbacks that run: it stays in the list as long
  bool gone_ = false;                                         // and leaves when they are over
};

void observe(Context&, Observer*);
bool stop_observing(Context&, Observer*);                     // false if it does not watch this context
void stop_observing(Context&);                                // everybody
// Keeps an observer in the list.
class Told {
 public:
  Told(Context& c, Observer* o) : context_(c), observer_(o) { ++o->told_; }
  ~Told();
  Told(const Told&) = delete;
  Told& operator=(const Told&) = delete;
  bool gone() const { return observer_->gone_; }
  Observer* next() const { return observer_->next_; }

 private:
  Context& context_;
  Observer* observer_;
};
template <class F> void for_each_observer(Context& c, F&& f) {
  for (Observer* o = c.observers; o;) {
    const Told told(c, o);
    if (!told.gone()) f(*o);
    o = told.next();
  }
}

// The call of a context that has something to attend to: ends it, or tells the observers around plain().
using PlainCall = void (*)(const Op&, const Value*, int n, Tensors& out);
[[gnu::cold]] void attend(const Op& op, const Value* values, int n, Tensors& out, PlainCall plain);

// Tells the observers around run(), which fills `out`.
void watch_call(CallEvent e, Tensors& out, const std::function<void()>& run);

void begin_range(Context&, std::string_view name);
void end_range(Context&);                                     // throws when none is open

// Nobody watches, or keeps results for a checkpoint, while it lives: for the calls that observers make themselves.
class Unobserved {
 public:
  explicit Unobserved(Context& c)
      : context_(c), before_(c.attention.fetch_and(~kBits) & kBits), results_(std::exchange(c.results, nullptr)) {}
  ~Unobserved() {
    context_.results = results_;
    context_.attention.fetch_or(before_);
  }
  Unobserved(const Unobserved&) = delete;
  Unobserved& operator=(const Unobserved&) = delete;

 private:
  static constexpr uint32_t kBits = Context::kObserved | Context::kResults;
  Context& context_;
  uint32_t before_;
  KeptResults* results_;
};

// ---- the engine's
// tell(event) for every observer; then the first exception of theirs goes on, unless `quiet`.
template <class E> using Tell = void (Observer::*)(const E&);
template <class E> void tell(const E& event, Tell<E> what, bool quiet = false) {
  std::exception_ptr first;
  for_each_observer(context(), [&](Observer& o) {
    try {
      (o.*what)(event);
    } catch (...) {
      if (!first) first = std::current_exception();
    }
  });
  if (first && !quiet) std::rethrow_exception(first);
}
[[noreturn]] void rethrow_explained(const Node* n);           // inside a catch

template <class F> void watch_pass(PassEvent e, F&& run) {
  tell(e, &Observer::before_pass);
  try {
    run();
  } catch (...) {
    e.failed = true;
    tell(e, &Observer::after_pass, true);
    throw;
  }
  tell(e, &Observer::after_pass);
}
// run(produced) is the node's work.
template <class F> void watch_node(const Node* n, const Tensor& first, std::span<const Tensor> others, F&& run) {
  NodeEvent e{n, &first, others, nullptr};
  Tensors produced;
  try {
    tell(e, &Observer::before_node);
    run(produced);
  } catch (...) {
    e.first = nullptr;
    tell(e, &Observer::after_node, true);
    rethrow_explained(n);
  }
  e.first = nullptr;
  e.produced = &produced;
  tell(e, &Observer::after_node);
}

}  // namespace gradus
