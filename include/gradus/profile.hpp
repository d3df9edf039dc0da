// gradus/profile.hpp - watching what a context does: a profile, named ranges and anomaly mode, each for as long as its object lives.
//
//   gradus::Profile profile;
//   for (int i = 0; i < 1000; ++i) x = x / y * y;
//   profile.stop();
//   std::cout << profile.table("self_cpu_time_total");
#ifndef GRADUS_PROFILE_HPP
#define GRADUS_PROFILE_HPP

#include "gradus/values.hpp"

namespace gradus {
inline namespace v1 {

// What a profile collects.
struct ProfileOptions {
  bool shapes = false;                                        // keep the shapes of inputs
  bool memory = false;                                        // what was allocated meanwhile
  bool events = true;                                         // keep single events, for event() and trace()
  uint64_t max_events = 0;                                    // 0: the library's limit
};

// Of the context that is current where it is made.
class Profile {
 public:
  explicit Profile(ProfileOptions options = {}) : context_(Context::current()) {
    gradus_retain(context_);
    keeps_ = detail::Handle<gradus_context>(context_);
    gradus_profile_options o{};
    o.struct_size = sizeof o;
    o.flags = (options.shapes ? uint32_t{GRADUS_PROFILE_SHAPES} : 0) | (options.memory ? uint32_t{GRADUS_PROFILE_MEMORY} : 0) |
              (options.events ? 0 : uint32_t{GRADUS_PROFILE_NO_EVENTS});
    o.max_events = options.max_events;
    gradus_profile* p = nullptr;
    detail::check(context_, gradus_profile_start(context_, &o, &p));
    profile_ = detail::Handle<gradus_profile>(p);
    running_ = true;
  }
  ~Profile() {
    if (running_) gradus_profile_stop(context_, handle());
  }
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

  void stop() {
    if (std::exchange(running_, false)) detail::check(context_, gradus_profile_stop(context_, handle()));
  }
  // Rows sorted by a column ("self_cpu_time_total" if none is named); 0 rows: all.
  std::string table(std::string_view sort_by = {}, uint64_t row_limit = 0, bool by_shape = false) const {
    gradus_profile_table_options o{};
    o.struct_size = sizeof o;
    o.flags = by_shape ? uint32_t{GRADUS_TABLE_BY_SHAPE} : 0;
    o.row_limit = row_limit;
    o.sort_by = sort_by.data();
    o.sort_by_length = sort_by.size();
    return text([&](char* buffer, size_t capacity, size_t* length) { return gradus_profile_table(context_, handle(), &o, buffer, capacity, length); });
  }
  std::string trace() const {                                 // for chrome://tracing and Perfetto
    return text([&](char* buffer, size_t capacity, size_t* length) { return gradus_profile_trace(context_, handle(), buffer, capacity, length); });
  }
  gradus_profile_info info() const {
    gradus_profile_info i{};
    i.struct_size = sizeof i;
    detail::check(context_, gradus_profile_describe(context_, handle(), &i));
    return i;
  }
  gradus_profile_event event(uint64_t index) const {
    gradus_profile_event e{};
    e.struct_size = sizeof e;
    detail::check(context_, gradus_profile_event_at(context_, handle(), index, &e));
    return e;
  }
  gradus_profile* handle() const { return profile_.handle(); }

 private:
  // While it runs the text may grow between the two calls: asked for again until it fits.
  template <class F> std::string text(F write) const {
    std::string s(4096, '\0');
    for (;;) {
      size_t length = 0;
      detail::check(context_, write(s.data(), s.size(), &length));
      const bool fits = length < s.size();
      s.resize(fits ? length : length + 256);
      if (fits) return s;
    }
  }
  gradus_context* context_;
  detail::Handle<gradus_context> keeps_;                      // it may outlive the thread whose context it is
  detail::Handle<gradus_profile> profile_;
  bool running_ = false;
};

// Names what happens while it lives, in profiles and in messages of anomaly mode.
class ProfileRange {
 public:
  explicit ProfileRange(std::string_view name) : context_(Context::current()) {
    detail::check(context_, gradus_profile_range_begin(context_, name.data(), name.size()));
  }
  ~ProfileRange() { gradus_profile_range_end(context_); }
  ProfileRange(const ProfileRange&) = delete;
  ProfileRange& operator=(const ProfileRange&) = delete;

 private:
  gradus_context* context_;
};

// What anomaly mode looks for.
struct AnomalyOptions {
  bool nan = true;                                            // NaN is bad
  bool inf = false;                                           // infinities are
  bool forward = false;                                       // look at the results of operations, too
  bool trace = true;                                          // remember the operations, to name the one that recorded a node
};

// A pass ends with GRADUS_E_ANOMALY where a gradient becomes NaN, and the message says by which operation.
class AnomalyGuard {
 public:
  explicit AnomalyGuard(AnomalyOptions o = {}) : context_(Context::current()) {
    const uint32_t flags = (o.nan ? uint32_t{GRADUS_ANOMALY_NAN} : 0) | (o.inf ? uint32_t{GRADUS_ANOMALY_INF} : 0) |
                           (o.forward ? uint32_t{GRADUS_ANOMALY_FORWARD} : 0) | (o.trace ? uint32_t{GRADUS_ANOMALY_TRACE} : 0);
    detail::check(context_, gradus_context_set_anomaly(context_, flags, &before_));
  }
  ~AnomalyGuard() { gradus_context_set_anomaly(context_, before_, nullptr); }
  AnomalyGuard(const AnomalyGuard&) = delete;
  AnomalyGuard& operator=(const AnomalyGuard&) = delete;

 private:
  gradus_context* context_;
  uint32_t before_ = 0;
};

}  // namespace v1
}  // namespace gradus
#endif
