// Callbacks of the host with their user data.
#pragma once
#include <vector>

#include "base/host.h"
#include "base/interrupt.h"
#include "capi/guard.h"

namespace gradus::capi {

// Copies share one; the last destroys user, if the registration succeeded.
template <class Fn> class Callback {
 public:
  Callback(Fn f, void* user, gradus_destroy_fn destroy) : shared_(new Shared{{}, f, user, destroy, {}}) {
    try {
      shared_->host.reserve(Live::callbacks, destroy != nullptr);
    } catch (...) {
      delete shared_;
      throw;
    }
  }
  Callback(const Callback& o) : shared_(o.shared_) { shared_->refs.up(); }
  Callback& operator=(const Callback&) = delete;
  ~Callback() {
    if (!shared_->refs.down()) return;
    shared_->host.end(Live::callbacks);
    delete shared_;
  }
  void arm() const { shared_->host.arm(shared_->destroy, shared_->user); }   // the registration succeeded: user is ours
  void* user() const { return shared_->user; }

  // Calls it with the context and throws when it fails.
  template <class... A> void run(const char* what, A... arguments) const {
    check(status(arguments...), what);
  }
  template <class... A> gradus_status status(A... arguments) const {
    Context& c = context();
    if (Interrupt host(&c); host && host.ask()) {             // first of all what a signal handler of the host has to say
      write_error(c, GRADUS_E_CANCELLED, "cancelled by the host", "callback", -1, 0);
      return GRADUS_E_CANCELLED;
    }
    c.error.status = GRADUS_OK;
    try {
      return shared_->f(shared_->user, capi::handle(&c), arguments...);
    } catch (const std::exception& e) {
      write_error(c, GRADUS_E_CALLBACK, e.what(), "callback", -1, 0);
    } catch (...) {
      write_error(c, GRADUS_E_CALLBACK, "a foreign exception came out of a callback", "callback", -1, 0);
    }
    return GRADUS_E_CALLBACK;
  }
  static void check(gradus_status s, const char* what) {
    if (s == GRADUS_OK) return;
    if (!is_status(s)) fail(Status::callback, "a {} gave {}, which is no status", what, s);
    Context& c = context();
    if (c.error.status != s) write_error(c, s, format("a {} failed and did not say why", what), what, -1, 0);
    throw CallbackFailed(static_cast<Status>(s));
  }

 private:
  struct Shared {
    Count refs;
    Fn f;
    void* user;
    gradus_destroy_fn destroy;
    HostData host;
  };
  Shared* shared_;
};

// What a callback returns [own]: null, or a tensor.
class Returned {
 public:
  ~Returned() { if (is(given_, Kind::tensor)) release(core<TensorImpl>(given_)); }
  Returned() = default;
  Returned(const Returned&) = delete;
  Returned& operator=(const Returned&) = delete;
  gradus_tensor** place() { return &given_; }
  Tensor take(const char* what) {
    gradus_tensor* t = std::exchange(given_, nullptr);
    if (t && !is(t, Kind::tensor)) refuse_handle(t, Kind::tensor, what);
    return Tensor::adopt(core<TensorImpl>(t));
  }

 private:
  gradus_tensor* given_ = nullptr;
};

// What a callback puts into an array [own]: each null, or a tensor, and the library's whatever happens.
class ReturnedList {
 public:
  explicit ReturnedList(size_t n) : given_(n) {}
  ~ReturnedList() {
    for (gradus_tensor* t : given_)
      if (is(t, Kind::tensor)) release(core<TensorImpl>(t));
  }
  ReturnedList(const ReturnedList&) = delete;
  ReturnedList& operator=(const ReturnedList&) = delete;
  gradus_tensor** data() { return given_.data(); }
  size_t size() const { return given_.size(); }
  Tensor take(size_t i, const char* what) {
    if (given_[i] && !is(given_[i], Kind::tensor)) refuse_handle(given_[i], Kind::tensor, what);
    return Tensor::adopt(core<TensorImpl>(std::exchange(given_[i], nullptr)));
  }

 private:
  std::vector<gradus_tensor*> given_;
};

inline gradus_tensor* const* handles(const Tensors& t) { return reinterpret_cast<gradus_tensor* const*>(t.data()); }

}  // namespace gradus::capi
