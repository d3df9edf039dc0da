#include "graph/observer.h"

#include <algorithm>

#include "graph/history.h"

namespace gradus {
namespace {

// Newer than all inputs and all nodes of the context: the nodes of the call get the numbers behind it.
uint64_t newest(const Context& c, std::span<const Value> values) {
  uint64_t n = c.sequence;
  const auto look = [&](const TensorImpl* t) {
    if (t && t->grad_fn) n = std::max(n, t->grad_fn->sequence);
  };
  for (const Value& v : values) {
    if (v.tag == Tag::tensor) look(v.t);
    if (v.tag == Tag::tensors)
      for (const Tensor& t : v.list()) look(t.impl());
  }
  return n;
}

}  // namespace

void watch_call(CallEvent e, Tensors& out, const std::function<void()>& run) {
  const Context& c = context();
  e.before = newest(c, e.values);
  try {
    tell(e, &Observer::before_call);
    run();
  } catch (...) {
    e.after = std::max(e.before, c.sequence);
    tell(e, &Observer::after_call, true);
    throw;
  }
  e.after = std::max(e.before, c.sequence);
  e.outputs = &out;
  tell(e, &Observer::after_call);
}

void observe(Context& c, Observer* o) {
  o->next_ = std::exchange(c.observers, o);
  c.attention.fetch_or(Context::kObserved);
}

bool stop_observing(Context& c, Observer* o) {
  const Observer* at = c.observers;
  while (at && at != o) at = at->next_;
  if (!at || o->gone_) return false;
  const Told told(c, o);
  return o->gone_ = true;
}

void stop_observing(Context& c) {
  for_each_observer(c, [&](Observer& o) { stop_observing(c, &o); });
}

Told::~Told() {
  if (--observer_->told_ > 0 || !observer_->gone_) return;
  Observer** at = &context_.observers;
  while (*at != observer_) at = &(*at)->next_;
  *at = observer_->next_;
  if (!context_.observers) context_.attention.fetch_and(~uint32_t{Context::kObserved});
  observer_->left();
}

void attend(const Op& op, const Value* values, int n, Tensors& out, PlainCall plain) {
  Context& c = context();
  const uint32_t attention = c.attention.load(std::memory_order_relaxed);
  GRADUS_CHECK(!(attention & Context::kCancelled), cancelled, "{}: cancelled", name(op));
  if (!(attention & Context::kObserved)) return plain(op, values, n, out);
  watch_call({&op, name(op), {values, static_cast<size_t>(n)}}, out, [&] { plain(op, values, n, out); });
}

void begin_range(Context& c, std::string_view name) {
  for_each_observer(c, [&](Observer& o) { o.begin_range(name); });
  ++c.ranges;
}

void end_range(Context& c) {
  GRADUS_CHECK(c.ranges > 0, state, "no range is open");
  --c.ranges;
  for_each_observer(c, [](Observer& o) { o.end_range(); });
}

void rethrow_explained(const Node* n) {
  try {
    throw;
  } catch (const Error& e) {
    std::string message = e.what();
    for_each_observer(context(), [&](Observer& o) { o.explain(n, message); });
    throw Error(e.status(), std::move(message), e.argument());
  }
}

}  // namespace gradus
