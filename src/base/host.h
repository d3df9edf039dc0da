// Data of the host that the library holds until a last reference goes, and calls of the host's functions that may throw.
#pragma once
#include <cstdint>
#include <exception>

#include "base/error.h"
#include "base/thread.h"

namespace gradus {

using DestroyFn = void (*)(void* user);

// Runs what must not fail: an exception has nowhere to go and is dropped.
void run_destroy(DestroyFn f, void* user) noexcept;

// An exception of the host is a failure of its callback.
template <class F> auto ask_host(const char* what, F&& f) -> decltype(f()) {
  try {
    return f();
  } catch (const std::exception& e) {
    fail(Status::callback, "{}: an exception came out of it: {}", what, e.what());
  } catch (...) {
    fail(Status::callback, "{}: a foreign exception came out of it", what);
  }
}

struct Deferred;                                              // a place in a queue, reserved while there is memory
struct DestroyQueue;                                          // of a context with polled destruction; counted
DestroyQueue* make_destroy_queue();
void close_destroy_queue(DestroyQueue* q) noexcept;           // what is in it, or comes later, is not run and stays counted
uint64_t run_destroy_queue(DestroyQueue* q) noexcept;         // in the order of arrival, until it is empty; how many ran

// One thing of the host's, counted from reserve to its end. At the end destroy runs on the spot, or, if the context that
// reserved has polled destruction, joins the context's queue and stays counted until it has run.
class HostData {
 public:
  HostData() = default;
  HostData(const HostData&) = delete;
  HostData& operator=(const HostData&) = delete;

  void reserve(Live what, bool destroys);                     // may throw for want of memory
  // From here on user is the library's. drop, if given, frees what destroy would free when destroy will never run.
  void arm(DestroyFn destroy, void* user, DestroyFn drop = nullptr) noexcept;
  void end(Live what) noexcept;                               // once; after it nothing is held

 private:
  DestroyFn destroy_ = nullptr;
  void* user_ = nullptr;
  Deferred* place_ = nullptr;
};

}  // namespace gradus
