// A profile in the trace event format: JSON for chrome://tracing and Perfetto.
#include <unistd.h>

#include "io/bytes.h"
#include "profile/profile.h"

namespace gradus {
namespace {

using io::quoted;

const char* category(EventKind k) {
  switch (k) {
    case EventKind::call: return "cpu_op";
    case EventKind::node: return "backward_op";
    case EventKind::pass: return "backward_pass";
    default: return "user_annotation";
  }
}

std::string microseconds(int64_t ns) { return format("{}.{:03}", ns / 1000, ns % 1000); }

class Trace {
 public:
  explicit Trace(const Recorder& r) : r_(r) {
    for (const ProfileEvent& e : r.events())
      if (e.kind == EventKind::call)
        for (uint64_t s = e.first_sequence; s && s <= e.sequence; ++s) recorded_.emplace(s, &e);
  }
  std::string text() {
    for (const ProfileEvent& e : r_.events()) {
      if (e.duration < 0) continue;
      complete(e);
      if (e.kind == EventKind::node) arrow(e);
    }
    return "{\"displayTimeUnit\": \"ns\", \"droppedEvents\": " + std::to_string(r_.dropped()) + ", \"traceEvents\": [" + out_ + "\n]}\n";
  }

 private:
  void event(const ProfileEvent& e, std::string_view phase, int64_t at, std::string_view name, std::string_view kind, const std::string& more) {
    out_ += out_.empty() ? "\n" : ",\n";
    out_ += format("{{\"ph\": \"{}\", \"name\": {}, \"cat\": \"{}\", \"pid\": {}, \"tid\": {}, \"ts\": {}{}}}", phase, quoted(name), kind, pid_,
                   r_.thread_number(e.thread), microseconds(r_.start() + at), more);
  }
  void complete(const ProfileEvent& e) {
    std::string args = format("\"bytes\": {}", e.bytes);
    if (e.sequence) args += format(", \"Sequence number\": {}", e.sequence);
    if (e.shapes) args += format(", \"Input Dims\": [{}]", r_.text(e.shapes) == "(others)" ? "" : r_.text(e.shapes));
    if (r_.options().memory) args += format(", \"memory\": {}", e.memory);
    if (e.failed) args += ", \"failed\": true";
    event(e, "X", e.start, r_.text(e.name), category(e.kind), format(", \"dur\": {}, \"args\": {{{}}}", microseconds(e.duration), args));
  }
  // From the call that recorded a node to the node.
  void arrow(const ProfileEvent& e) {
    const auto at = recorded_.find(e.sequence);
    if (at == recorded_.end() || at->second->duration < 0) return;
    const std::string id = format(", \"id\": {}", ++arrows_);
    event(*at->second, "s", at->second->start, "fwdbwd", "fwdbwd", id);
    event(e, "f", e.start, "fwdbwd", "fwdbwd", id + ", \"bp\": \"e\"");
  }

  const Recorder& r_;
  const int pid_ = getpid();
  std::unordered_map<uint64_t, const ProfileEvent*> recorded_;
  uint64_t arrows_ = 0;
  std::string out_;
};

}  // namespace

std::string profile_trace(const Recorder& r) { return Trace(r).text(); }

}  // namespace gradus
