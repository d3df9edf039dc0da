// The profiler: how often each op, node and named range of a context ran, for how long, and what it made. Times are those of
// CLOCK_MONOTONIC. The sums per name are exact for a run of any length; single events are kept up to a limit.
#pragma once
#include <deque>
#include <unordered_map>
#include <vector>

#include "graph/observer.h"

namespace gradus {

struct ProfileOptions {
  bool shapes = false;                                        // keep the shapes of inputs
  bool memory = false;                                        // what the process has allocated, before and after
  uint64_t max_events = uint64_t{1} << 20;                    // the first ones
};

enum class EventKind : int32_t { call = 1, node = 2, pass = 3, range = 4 };

struct ProfileEvent {
  EventKind kind;
  uint32_t name, shapes;                                      // indices of texts
  uint32_t thread;
  bool failed;
  int64_t parent;                                             // index, or -1
  int64_t start, duration, self;                              // ns; start counts from that of the profile; duration -1: running
  uint64_t first_sequence, sequence;                          // of the nodes that a call recorded, or of the node; 0: none
  int64_t bytes;                                              // of the results
  int64_t memory;                                             // allocated minus freed
};

struct ProfileRow {
  EventKind kind;
  uint32_t name, shapes;
  int64_t calls = 0, bytes = 0, memory = 0, self_memory = 0;
  int64_t self = 0, total = 0, total_of_name = 0;             // ns; total without what runs inside another of the same row, or name
};

class Recorder final : public Observer {
 public:
  Recorder(const ProfileOptions& options, struct Profile* owner);

  void before_call(const CallEvent& e) override;
  void after_call(const CallEvent& e) override;
  void before_node(const NodeEvent& e) override;
  void after_node(const NodeEvent& e) override;
  void before_pass(const PassEvent& e) override;
  void after_pass(const PassEvent& e) override;
  void begin_range(std::string_view name) override;
  void end_range() override;
  void left() override;

  const ProfileOptions& options() const { return options_; }
  const std::vector<ProfileEvent>& events() const { return events_; }
  const std::vector<ProfileRow>& rows() const { return rows_; }
  const std::string& text(uint32_t i) const { return texts_[i]; }
  int64_t thread_number(uint32_t i) const { return threads_[i].second; }
  uint64_t dropped() const { return dropped_; }
  int64_t start() const { return start_; }                    // ns of the clock
  int64_t duration() const;                                   // until it stopped, or until now

 private:
  struct Frame {                                              // what is running
    const void* key;                                          // the event that opened it; null for a range
    uint32_t row;
    int64_t event;                                            // -1 when it was dropped
    int64_t begin, children = 0;
    int64_t memory = 0, children_memory = 0;
    uint64_t linked = 0;                                      // nodes up to here belong to calls inside
  };
  struct Result {
    bool failed = false;
    int64_t bytes = 0;
    uint64_t first_sequence = 0, sequence = 0;
  };
  void open(const void* key, EventKind kind, uint32_t name, uint32_t shapes);
  void close(const void* key, const Result& result);
  void close_top(int64_t now, const Result& result);
  uint32_t text_number(std::string_view text);
  uint32_t op_name(std::unordered_map<const Op*, uint32_t>& known, const Op* op, const Node* node);
  uint32_t row_number(EventKind kind, uint32_t name, uint32_t shapes);
  uint32_t thread();
  int64_t memory_now() const;
  template <class F> void keep_going(F f) noexcept;           // out of memory: what cannot be noted is dropped

  ProfileOptions options_;
  Profile* owner_;
  int64_t start_, stop_ = 0;
  std::vector<ProfileEvent> events_;
  std::vector<ProfileRow> rows_;
  std::vector<Frame> frames_;
  std::deque<std::string> texts_;                             // addresses stay
  std::unordered_map<std::string_view, uint32_t> text_numbers_;
  std::unordered_map<const Op*, uint32_t> call_names_, node_names_;
  std::unordered_map<uint64_t, uint32_t> row_numbers_;
  std::vector<std::pair<const Thread*, int64_t>> threads_;
  uint64_t dropped_ = 0;
};

// The handle. A context that it watches holds a reference.
struct Profile : Object {
  explicit Profile(const ProfileOptions& options);
  ~Profile();
  std::atomic<Context*> watches{nullptr};
  Recorder recorder;
};
inline void retain(Profile* p) { p->refs.up(); }
inline void release(Profile* p) { if (p->refs.down()) delete p; }

Ref<Profile> start_profile(Context& c, const ProfileOptions& options);
void stop_profile(Context& c, Profile& p);                    // throws unless it runs on this context; frames still open end now

// ---- report.cpp
struct TableOptions {
  std::string_view sort_by;                                   // a column; nothing: self_cpu_time_total
  uint64_t row_limit = 0;                                     // 0: all
  bool by_shape = false;
};
std::string profile_table(const Recorder& r, const TableOptions& options);
// ---- trace.cpp: the events for chrome://tracing and Perfetto, with arrows from a call to the backward of its node.
std::string profile_trace(const Recorder& r);

}  // namespace gradus
