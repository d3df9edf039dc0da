#include "base/stack.h"

#include <pthread.h>

#include <algorithm>

#include "base/thread.h"

namespace gradus {
namespace {

// What a level may take: the engine, a rule and its kernels, and the host's own frames between two calls.
constexpr size_t kLeast = size_t{64} << 10, kMost = size_t{1} << 20;

void find_stack(Thread& t) noexcept {
  pthread_attr_t a;
  if (pthread_getattr_np(pthread_self(), &a) != 0) return;
  void* low = nullptr;
  size_t size = 0;
  if (pthread_attr_getstack(&a, &low, &size) == 0) {          // without the guard pages
    t.stack_low = reinterpret_cast<uintptr_t>(low);
    t.stack_high = t.stack_low + size;
  }
  pthread_attr_destroy(&a);
}

// The frame's own address: that of a variable may lie on a sanitizer's heap.
[[gnu::noinline]] uintptr_t here() noexcept { return reinterpret_cast<uintptr_t>(__builtin_frame_address(0)); }

}  // namespace

size_t stack_size(Thread& t) noexcept {
  if (t.stack_high == t.stack_low) find_stack(t);
  const uintptr_t at = here();
  return at >= t.stack_low && at < t.stack_high ? t.stack_high - t.stack_low : 0;
}

bool stack_is_short(Thread& t) noexcept {
  const size_t size = stack_size(t);
  return size > 0 && here() - t.stack_low < std::clamp(size / 8, kLeast, kMost);
}

}  // namespace gradus
