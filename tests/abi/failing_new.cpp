// operator new of the whole process, the library included: it fails once when new_until_failure has counted down to 0.
#include <cstdlib>
#include <new>

extern "C" {
extern long new_until_failure;
long new_until_failure = -1;
}

namespace {
void* take(std::size_t bytes, std::size_t alignment) {
  if (new_until_failure >= 0 && new_until_failure-- == 0) return nullptr;
  void* p = nullptr;
  return posix_memalign(&p, alignment, bytes ? bytes : 1) == 0 ? p : nullptr;
}
void* needed(void* p) {
  if (!p) throw std::bad_alloc();
  return p;
}
}  // namespace

void* operator new(std::size_t n) { return needed(take(n, 16)); }
void* operator new[](std::size_t n) { return needed(take(n, 16)); }
void* operator new(std::size_t n, std::align_val_t a) { return needed(take(n, static_cast<std::size_t>(a))); }
void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return take(n, 16); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
