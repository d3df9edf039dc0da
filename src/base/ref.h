// Counted objects: what every handle of the library points at, and the owner of one reference.
#pragma once
#include <atomic>
#include <cstdint>
#include <utility>

namespace gradus {

// The first word of every object, by which the C layer knows what it was handed.
enum class Kind : uint32_t { dead = 0, context = 0x67726301, tensor = 0x67726302, node = 0x67726303, op = 0x67726304,
                             profile = 0x67726305, call = 0x67726306, file = 0x67726309 };

// A reference count that any thread may change.
class Count {
 public:
  void up() { n_.fetch_add(1, std::memory_order_relaxed); }
  // True for the last reference. A sole owner needs no locked instruction: nobody else can make a second one.
  bool down() { return n_.load(std::memory_order_acquire) == 1 || n_.fetch_sub(1, std::memory_order_acq_rel) == 1; }
  bool one() const { return n_.load(std::memory_order_acquire) == 1; }

 private:
  std::atomic<uint32_t> n_{1};
};

struct Object {
  Kind kind;
  Count refs;
};

// Owns one reference. retain(T*) and release(T*) are found beside T.
template <class T> class Ref {
 public:
  Ref() = default;
  Ref(Ref&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  Ref(const Ref& o) : p_(o.p_) { if (p_) retain(p_); }
  Ref& operator=(Ref o) noexcept { std::swap(p_, o.p_); return *this; }
  ~Ref() { if (p_) release(p_); }

  static Ref adopt(T* p) { Ref r; r.p_ = p; return r; }      // takes over the caller's reference
  static Ref share(T* p) { if (p) retain(p); return adopt(p); }

  T* get() const { return p_; }
  T* operator->() const { return p_; }
  T& operator*() const { return *p_; }
  explicit operator bool() const { return p_ != nullptr; }
  T* detach() { return std::exchange(p_, nullptr); }

 private:
  T* p_ = nullptr;
};

}  // namespace gradus
