// The profiler: start, stop, and what it says.
#include "profile/profile.h"

#include "capi/guard.h"

using namespace gradus;
using namespace gradus::capi;

namespace {

Profile* profile(const gradus_profile* p) { return object<Profile>(p, Kind::profile, "profile"); }

// A profile at rest, or the context's own.
const Recorder& readable(const gradus_profile* p, const Context& c) {
  const Profile* q = profile(p);
  const Context* watched = q->watches.load(std::memory_order_acquire);
  GRADUS_CHECK(!watched || watched == &c, state, "profile: it runs on another context");
  return q->recorder;
}

constexpr uint32_t kFlags = GRADUS_PROFILE_SHAPES | GRADUS_PROFILE_MEMORY | GRADUS_PROFILE_NO_EVENTS;

ProfileOptions options_of(const gradus_profile_options& o) {
  check_flags(o.flags, kFlags);
  ProfileOptions p;
  p.shapes = o.flags & GRADUS_PROFILE_SHAPES;
  p.memory = o.flags & GRADUS_PROFILE_MEMORY;
  if (o.max_events) p.max_events = o.max_events;
  if (o.flags & GRADUS_PROFILE_NO_EVENTS) p.max_events = 0;
  return p;
}

TableOptions options_of(const gradus_profile_table_options& o) {
  constexpr uint32_t known = GRADUS_TABLE_BY_SHAPE;
  check_flags(o.flags, known);
  GRADUS_CHECK(!o.reserved0, unknown_field, "reserved0 is not null");
  TableOptions t;
  if (const auto by = text_of(o.sort_by, o.sort_by_length, "sort_by"); o.sort_by) t.sort_by = by;
  t.row_limit = o.row_limit;
  t.by_shape = o.flags & GRADUS_TABLE_BY_SHAPE;
  return t;
}

}  // namespace

gradus_status gradus_profile_start(gradus_context* ctx, const gradus_profile_options* options, gradus_profile** result) {
  return guard_result(ctx, "profile_start", result, [&](Context& c) {
    return reinterpret_cast<gradus_profile*>(start_profile(c, options_of(read_options(options))).detach());
  }, "profile");
}
gradus_status gradus_profile_stop(gradus_context* ctx, gradus_profile* p) {
  return guard(ctx, "profile_stop", [&](Context& c) { stop_profile(c, *profile(p)); });
}

gradus_status gradus_profile_describe(gradus_context* ctx, const gradus_profile* p, gradus_profile_info* info) {
  return guard(ctx, "profile_describe", [&](Context& c) {
    const Recorder& r = readable(p, c);
    gradus_profile_info i{};
    i.flags = bit(r.options().shapes, GRADUS_PROFILE_SHAPES) | bit(r.options().memory, GRADUS_PROFILE_MEMORY) |
              bit(r.options().max_events == 0, GRADUS_PROFILE_NO_EVENTS) | bit(profile(p)->watches.load(std::memory_order_relaxed), GRADUS_PROFILE_RUNNING);
    i.event_count = r.events().size();
    i.dropped = r.dropped();
    i.duration_ns = r.duration();
    fill_info(info, i);
  });
}

gradus_status gradus_profile_event_at(gradus_context* ctx, const gradus_profile* p, uint64_t index, gradus_profile_event* info) {
  return guard(ctx, "profile_event_at", [&](Context& c) {
    const Recorder& r = readable(p, c);
    GRADUS_CHECK(index < r.events().size(), index, "event {} of {}", index, r.events().size());
    const ProfileEvent& e = r.events()[index];
    gradus_profile_event i{};
    i.kind = static_cast<int32_t>(e.kind);
    i.flags = bit(e.failed, GRADUS_EVENT_FAILED);
    i.thread = static_cast<int32_t>(r.thread_number(e.thread));
    i.parent = e.parent;
    i.start_ns = e.start;
    i.duration_ns = e.duration;
    i.self_ns = e.self;
    i.first_sequence = e.first_sequence;
    i.sequence = e.sequence;
    i.bytes = e.bytes;
    i.memory = e.memory;
    i.name = r.text(e.name).c_str();
    i.shapes = r.text(e.shapes).c_str();
    fill_info(info, i);
  });
}

gradus_status gradus_profile_table(gradus_context* ctx, const gradus_profile* p, const gradus_profile_table_options* options, char* buffer,
                                   size_t capacity, size_t* length) {
  return guard_text(ctx, "profile_table", buffer, capacity, length, [&](Context& c) {
    return profile_table(readable(p, c), options_of(read_options(options)));
  });
}

gradus_status gradus_profile_trace(gradus_context* ctx, const gradus_profile* p, char* buffer, size_t capacity, size_t* length) {
  return guard_text(ctx, "profile_trace", buffer, capacity, length, [&](Context& c) { return profile_trace(readable(p, c)); });
}

gradus_status gradus_profile_range_begin(gradus_context* ctx, const char* name, size_t length) {
  return guard(ctx, "profile_range_begin", [&](Context& c) { begin_range(c, text_of(needed(name, "name"), length, "name")); });
}
gradus_status gradus_profile_range_end(gradus_context* ctx) {
  return guard(ctx, "profile_range_end", [&](Context& c) { end_range(c); });
}
