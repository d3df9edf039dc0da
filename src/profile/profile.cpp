#include "profile/profile.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "base/live.h"
#include "profile/text.h"

namespace gradus {
namespace {

constexpr uint32_t kMaxTexts = 1 << 16;                       // names and shapes told apart; later ones are one

int64_t clock_now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

int64_t bytes_of(const Tensor& t) { return t.numel() * static_cast<int64_t>(size_of(t.dtype())); }

bool shares_storage(const Tensor& t, std::span<const Value> values) {
  for (const Value& v : values) {
    if (v.tag == Tag::tensor && v.t->storage == t.impl()->storage) return true;
    if (v.tag == Tag::tensors)
      for (const Tensor& m : v.list())
        if (m && m.impl()->storage == t.impl()->storage) return true;
  }
  return false;
}

}  // namespace

template <class F> void Recorder::keep_going(F f) noexcept {
  try {
    f();
  } catch (...) {
    ++dropped_;
  }
}

Recorder::Recorder(const ProfileOptions& options, Profile* owner) : options_(options), owner_(owner), start_(clock_now()) {
  texts_.emplace_back();                                      // 0: no shapes
  texts_.emplace_back("(others)");
}

int64_t Recorder::duration() const { return (stop_ ? stop_ : clock_now()) - start_; }

uint32_t Recorder::text_number(std::string_view s) {
  if (s.empty()) return 0;
  const auto at = text_numbers_.find(s);
  if (at != text_numbers_.end()) return at->second;
  if (texts_.size() >= kMaxTexts) return 1;
  const auto number = static_cast<uint32_t>(texts_.size());
  text_numbers_.emplace(texts_.emplace_back(s), number);
  return number;
}

uint32_t Recorder::op_name(std::unordered_map<const Op*, uint32_t>& known, const Op* op, const Node* node) {
  const auto at = known.find(op);
  if (at != known.end()) return at->second;
  const uint32_t number = text_number(node ? node_name(node) : name(*op));
  known.emplace(op, number);
  return number;
}

uint32_t Recorder::row_number(EventKind kind, uint32_t name, uint32_t shapes) {
  const uint64_t key = uint64_t(kind) << 60 | uint64_t{name} << 24 | shapes;
  const auto [at, fresh] = row_numbers_.emplace(key, static_cast<uint32_t>(rows_.size()));
  if (fresh) rows_.push_back({kind, name, shapes});
  return at->second;
}

uint32_t Recorder::thread() {
  const Thread* me = &this_thread();
  for (size_t i = threads_.size(); i-- > 0;)
    if (threads_[i].first == me) return static_cast<uint32_t>(i);
  threads_.emplace_back(me, syscall(SYS_gettid));
  return static_cast<uint32_t>(threads_.size() - 1);
}

int64_t Recorder::memory_now() const { return options_.memory ? static_cast<int64_t>(memory_use().live_bytes) : 0; }

void Recorder::open(const void* key, EventKind kind, uint32_t name, uint32_t shapes) {
  Frame f{key, row_number(kind, name, shapes), -1, 0};
  if (events_.size() < options_.max_events) {
    f.event = static_cast<int64_t>(events_.size());
    const int64_t parent = frames_.empty() ? -1 : frames_.back().event;
    events_.push_back({kind, name, shapes, thread(), false, parent, 0, -1, 0, 0, 0, 0, 0});
  } else {
    ++dropped_;
  }
  f.memory = memory_now();
  f.begin = clock_now();
  frames_.push_back(f);
}

// The newest frame and its sums.
void Recorder::close_top(int64_t now, const Result& result) {
  const Frame f = frames_.back();
  frames_.pop_back();
  const int64_t duration = now - f.begin, memory = memory_now() - f.memory;
  ProfileRow& row = rows_[f.row];
  bool in_row = false, in_name = false;
  for (const Frame& outer : frames_) {
    in_row |= outer.row == f.row;
    in_name |= rows_[outer.row].kind == row.kind && rows_[outer.row].name == row.name;
  }
  ++row.calls;
  row.bytes += result.bytes;
  row.memory += memory;
  row.self_memory += memory - f.children_memory;
  row.self += duration - f.children;
  row.total += in_row ? 0 : duration;
  row.total_of_name += in_name ? 0 : duration;
  if (!frames_.empty()) {
    Frame& outer = frames_.back();
    outer.children += duration;
    outer.children_memory += memory;
    outer.linked = std::max({outer.linked, f.linked, result.sequence});
  }
  if (f.event < 0) return;
  ProfileEvent& e = events_[static_cast<size_t>(f.event)];
  e.failed = result.failed;
  e.start = f.begin - start_;
  e.duration = duration;
  e.self = duration - f.children;
  e.first_sequence = result.first_sequence;
  e.sequence = result.sequence;
  e.bytes = result.bytes;
  e.memory = memory;
}

// Ends what the key opened, and what was left open inside it: a range that a failing callback forgot.
void Recorder::close(const void* key, const Result& result) {
  const int64_t now = clock_now();
  size_t at = frames_.size();
  while (at > 0 && frames_[at - 1].key != key) --at;
  if (at == 0) return;                                        // it began before the profile
  while (frames_.size() > at) close_top(now, {true, 0, 0, 0});
  Result r = result;
  const Frame& f = frames_.back();
  if (rows_[f.row].kind == EventKind::call) {                 // the nodes of the calls inside are theirs
    r.first_sequence = std::max(r.first_sequence, f.linked + 1);
    if (r.first_sequence > r.sequence) r.first_sequence = r.sequence = 0;
  }
  close_top(now, r);
}

void Recorder::before_call(const CallEvent& e) {
  keep_going([&] {
    const uint32_t shapes = options_.shapes ? text_number(shapes_of(e.values)) : 0;
    open(&e, EventKind::call, e.op ? op_name(call_names_, e.op, nullptr) : text_number(e.name), shapes);
  });
}
void Recorder::after_call(const CallEvent& e) {
  keep_going([&] {
    Result r{!e.outputs, 0, e.before + 1, e.after};
    if (e.outputs)
      for (const Tensor& t : *e.outputs)
        if (t && !shares_storage(t, e.values)) r.bytes += bytes_of(t);
    close(&e, r);
  });
}

void Recorder::before_node(const NodeEvent& e) {
  keep_going([&] {
    std::string shapes;
    for (size_t nr = 0; options_.shapes && nr <= e.others.size(); ++nr)
      (shapes += nr ? ", " : "") += e.incoming(nr) ? gradus::text(e.incoming(nr).sizes()) : "[]";
    const bool host = host_of(e.node);   // named by itself, not by an op
    open(&e, EventKind::node, host ? text_number(node_name(e.node)) : op_name(node_names_, e.node->op, e.node), text_number(shapes));
  });
}
void Recorder::after_node(const NodeEvent& e) {
  keep_going([&] {
    const uint64_t recorded = e.node->is_sink() ? 0 : e.node->sequence;      // no call recorded a leaf
    Result r{!e.produced, 0, recorded, recorded};
    if (e.produced)
      for (const Tensor& t : *e.produced)
        if (t) r.bytes += bytes_of(t);
    close(&e, r);
  });
}

void Recorder::before_pass(const PassEvent& e) {
  keep_going([&] { open(&e, EventKind::pass, text_number(e.accumulates ? "backward" : "grad"), 0); });
}
void Recorder::after_pass(const PassEvent& e) {
  keep_going([&] { close(&e, {e.failed, 0, 0, 0}); });
}

void Recorder::begin_range(std::string_view name) {
  keep_going([&] { open(nullptr, EventKind::range, text_number(name), 0); });
}
void Recorder::end_range() {
  keep_going([&] {
    if (!frames_.empty() && !frames_.back().key) close_top(clock_now(), {});
  });
}

void Recorder::left() {
  stop_ = clock_now();
  keep_going([&] {
    while (!frames_.empty()) close_top(stop_, {});
  });
  owner_->watches.store(nullptr, std::memory_order_release);
  release(owner_);
}

Profile::Profile(const ProfileOptions& options) : Object{Kind::profile, {}}, recorder(options, this) { count_live(Live::profiles, 1); }
Profile::~Profile() {
  kind = Kind::dead;
  count_live(Live::profiles, -1);
}

Ref<Profile> start_profile(Context& c, const ProfileOptions& options) {
  auto p = Ref<Profile>::adopt(new Profile(options));
  retain(p.get());                                            // the context's reference
  p->watches.store(&c, std::memory_order_release);
  observe(c, &p->recorder);
  return p;
}

void stop_profile(Context& c, Profile& p) {
  GRADUS_CHECK(stop_observing(c, &p.recorder), state, "profile: it does not run on this context, or has been stopped");
}

}  // namespace gradus
