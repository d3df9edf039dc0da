#include "base/memory.h"

#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <new>

#include "base/context.h"
#include "base/error.h"
#include "base/host.h"
#include "base/live.h"
#include "base/ref.h"
#include "base/thread.h"

namespace gradus {

thread_local Thread* t_thread [[gnu::tls_model("initial-exec")]] = nullptr;

namespace {

constexpr int kFine = kFineClasses, kClasses = kBlockClasses;
constexpr size_t kSlabBlock = 4096, kHuge = size_t{2} << 20;
constexpr int kBatch = 64;                                    // blocks that move between a thread and the store at once

int class_of(size_t bytes) {
  if (bytes <= 512) return bytes == 0 ? 0 : static_cast<int>((bytes + 15) / 16) - 1;
  const int e = 63 - __builtin_clzll(bytes - 1);              // bytes in (2^e, 2^(e+1)]
  return kFine + 4 * (e - 9) + static_cast<int>((bytes - 1) >> (e - 2) & 3);
}
size_t bytes_of(int c) {
  if (c < kFine) return static_cast<size_t>(c + 1) * 16;
  const int e = 9 + (c - kFine) / 4;
  return static_cast<size_t>(4 + (c - kFine) % 4 + 1) << (e - 2);
}

// What threads share. Never destroyed: blocks may be given back while the process ends.
struct Store {
  std::mutex lock;                                            // guards everything here
  FreeList lists[kClasses];
  Thread* threads = nullptr;                                  // living ones
  char *slab = nullptr, *slab_end = nullptr;
  size_t slab_bytes = 0;
  uint64_t kept = 0;
  std::atomic<int64_t> live{0}, peak{0};                      // of blocks beyond the slabs, and of ended threads
  int64_t counts[static_cast<int>(Live::count)] = {};         // of ended threads
  bool orphaned = false;                                      // what a thread was doing is lost: see after_fork
};
// In the child, which has this thread alone. A call that another one was inside of never ends, and what it has locked or half
// changed stays so: then the child's calls are refused.
void after_fork(Store& s);
Store& store() {
  alignas(Store) static char place[sizeof(Store)];
  static Store* s = [] {
    auto* made = new (place) Store;
    // A child must not inherit the lock from a thread that it does not have.
    pthread_atfork([] { store().lock.lock(); }, [] { store().lock.unlock(); }, [] { after_fork(store()); });
    return made;
  }();
  return *s;
}

void after_fork(Store& s) {
  for (Thread* t = s.threads; t; t = t->next) s.orphaned |= t != t_thread && (t->context || t->setting_up.get() != 0);
  if (t_thread) t_thread->orphan = s.orphaned;
  s.lock.unlock();
}

void flush(void* p) {                                         // at a thread's end: its blocks serve the others
  Thread* c = static_cast<Thread*>(p);
  Store& s = store();
  {
    const std::lock_guard hold(s.lock);
    for (int i = 0; i < kClasses; ++i)
      while (void* b = c->blocks[i].pop()) s.lists[i].push(b);
    s.live.fetch_add(c->live_bytes.get(), std::memory_order_relaxed);
    for (int i = 0; i < static_cast<int>(Live::count); ++i) s.counts[i] += c->live[i].get();
    for (Thread** at = &s.threads; *at; at = &(*at)->next)
      if (*at == c) { *at = c->next; break; }
  }
  t_thread = nullptr;
  delete c;
}

[[gnu::cold, gnu::noinline]] void no_memory(size_t bytes) { fail(Status::memory, "out of memory: {} bytes", bytes); }

void note_peak(Store& s, int64_t live) {
  for (int64_t peak = s.peak.load(std::memory_order_relaxed); live > peak;)
    if (s.peak.compare_exchange_weak(peak, live, std::memory_order_relaxed)) break;
}

// Small blocks are cut from slabs; a deep graph's slabs are huge pages, or page faults would be most of its cost.
[[gnu::noinline]] void* refill(Thread& c, int k) {
  Store& s = store();
  const size_t bytes = bytes_of(k);
  const std::lock_guard hold(s.lock);
  const int wanted = bytes * kBatch <= 16384 ? kBatch : static_cast<int>(16384 / bytes);
  for (int i = 0; i < wanted; ++i) {
    void* b = s.lists[k].pop();
    if (!b) break;
    c.blocks[k].push(b);
  }
  if (void* b = c.blocks[k].pop()) return b;
  const size_t align = bytes % 64 == 0 ? 64 : 16;
  for (int i = 0; i < wanted; ++i) {
    char* at = reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(s.slab) + align - 1) / align * align);
    if (!s.slab || at + bytes > s.slab_end) {
      const size_t slab = s.slab_bytes < (1 << 20) ? size_t{1} << 18 : kHuge;
      char* fresh = static_cast<char*>(std::aligned_alloc(slab, slab));
      if (!fresh) {
        if (i > 0) break;
        no_memory(bytes);
      }
      if (slab == kHuge) madvise(fresh, slab, MADV_HUGEPAGE);
      s.slab_bytes += slab;
      s.slab_end = fresh + slab;
      at = fresh;
    }
    s.slab = at + bytes;
    c.blocks[k].push(at);
  }
  return c.blocks[k].pop();
}

// From the heap, or past kMapped from the system alone: what is given back there leaves no holes.
constexpr size_t kPage = 4096, kMapped = size_t{1} << 20;
constexpr int kNear = 3;                                      // classes above that serve a request: less than twice its size
size_t whole_pages(size_t size) { return (size + kPage - 1) / kPage * kPage; }

void* fresh_large(size_t size) {
  if (size < kMapped) return std::aligned_alloc(64, (size + 63) / 64 * 64);
  const size_t align = size >= kHuge ? kHuge : kPage, whole = whole_pages(size), mapped = whole + align - kPage;
  void* p = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return nullptr;
  char* const from = static_cast<char*>(p);
  char* const at = reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(from) + align - 1) / align * align);
  if (at > from) munmap(from, static_cast<size_t>(at - from));
  if (const size_t behind = mapped - whole - static_cast<size_t>(at - from); behind > 0) munmap(at + whole, behind);
  if (size >= kHuge) madvise(at, size / kHuge * kHuge, MADV_HUGEPAGE);
  return at;
}
void free_large(void* p, size_t size) {
  if (size < kMapped) std::free(p);
  else munmap(p, whole_pages(size));
}

Block take_large(size_t bytes, int k) {
  Store& s = store();
  const auto taken = [&](void* p, int c) {
    const auto change = static_cast<int64_t>(bytes_of(c));
    note_peak(s, s.live.fetch_add(change, std::memory_order_relaxed) + change);
    return Block{p, static_cast<uint8_t>(c)};
  };
  {
    const std::lock_guard hold(s.lock);
    for (int c = k; c <= std::min(k + kNear, kClasses - 1); ++c)
      if (void* b = s.lists[c].pop()) { s.kept -= bytes_of(c); return taken(b, c); }
  }
  void* p = fresh_large(bytes_of(k));
  if (!p) { trim_memory(); p = fresh_large(bytes_of(k)); }
  if (!p) no_memory(bytes);
  return taken(p, k);
}
// More than was once in use, for the sizes of a step do not quite fill each other's blocks: half as much again, of large uses an eighth.
int64_t most_kept(int64_t peak) { return peak + std::min(peak / 2, std::max(peak / 8, int64_t{32} << 20)); }

// Kept while no more is in use and kept together than that; blocks of other sizes make room, they are older.
void give_large(void* p, int k) {
  Store& s = store();
  const auto size = static_cast<int64_t>(bytes_of(k));
  const int64_t live = s.live.fetch_sub(size, std::memory_order_relaxed) - size;
  const std::lock_guard hold(s.lock);
  const auto over = [&] { return live + static_cast<int64_t>(s.kept) + size > most_kept(s.peak.load(std::memory_order_relaxed)); };
  for (int c = kClasses - 1; c >= 0 && bytes_of(c) > kSlabBlock && over(); --c)
    while (c != k && over()) {
      void* other = s.lists[c].pop();
      if (!other) break;
      s.kept -= bytes_of(c);
      free_large(other, bytes_of(c));
    }
  if (over()) return free_large(p, static_cast<size_t>(size));
  s.kept += static_cast<uint64_t>(size);
  s.lists[k].push(p);
}

}  // namespace

// ---- a context's own allocator
struct Allocator {
  Count refs;
  void* (*alloc)(void*, size_t, size_t);
  void (*dealloc)(void*, void*, size_t, size_t);
  void* user;
  void (*destroy)(void*);
};
Allocator* make_allocator(void* (*alloc)(void*, size_t, size_t), void (*dealloc)(void*, void*, size_t, size_t), void* user,
                          void (*destroy)(void*)) {
  auto* a = new (std::nothrow) Allocator{{}, alloc, dealloc, user, destroy};
  if (!a) no_memory(sizeof(Allocator));
  return a;
}
void release(Allocator* a) {
  if (!a->refs.down()) return;
  if (a->destroy) run_destroy(a->destroy, a->user);
  delete a;
}
namespace {
struct Foreign { Allocator* owner; size_t bytes; };
constexpr size_t kForeignHead = 64;                           // the alignment, too
void give_to(Allocator* a, void* p, size_t bytes) noexcept {
  try {
    a->dealloc(a->user, p, bytes, kForeignHead);
  } catch (...) {                                             // as from destroy: it has nowhere to go
  }
}
void* take_foreign(Allocator* a, size_t bytes) {
  if (bytes > SIZE_MAX / 2) no_memory(bytes);
  void* p = nullptr;
  try {
    p = a->alloc(a->user, bytes + kForeignHead, kForeignHead);
  } catch (const std::bad_alloc&) {
  } catch (...) {
    fail(Status::callback, "an exception came out of the allocator of the host");
  }
  if (!p) no_memory(bytes);
  if (reinterpret_cast<uintptr_t>(p) % kForeignHead != 0) {
    give_to(a, p, bytes + kForeignHead);
    fail(Status::memory, "the allocator of the host gave a block that is not aligned to {} bytes", kForeignHead);
  }
  a->refs.up();
  *static_cast<Foreign*>(p) = {a, bytes + kForeignHead};
  return static_cast<char*>(p) + kForeignHead;
}
void give_foreign(void* block) {
  void* p = static_cast<char*>(block) - kForeignHead;
  const Foreign f = *static_cast<Foreign*>(p);
  give_to(f.owner, p, f.bytes);
  release(f.owner);
}
}  // namespace

// ---- under a sanitizer: each block is malloc's own, of the bytes asked for. A kept block would hide overruns and late uses.
namespace {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
constexpr uint8_t kOwn = 254;                                 // its size class
void* take_own(size_t bytes) {
  void* p = nullptr;
  if (posix_memalign(&p, bytes_of(class_of(bytes)) % 64 == 0 ? 64 : 16, bytes == 0 ? 1 : bytes) != 0) no_memory(bytes);
  this_thread().live_bytes.add(static_cast<int64_t>(malloc_usable_size(p)));
  return p;
}
void give_own(void* p) {
  this_thread().live_bytes.add(-static_cast<int64_t>(malloc_usable_size(p)));
  std::free(p);
}
}  // namespace

// ---- threads
Thread* start_thread() {
  struct AtExit {
    pthread_key_t key{};
    bool made = pthread_key_create(&key, flush) == 0;         // without one, records of ended threads stay
  };
  static const AtExit at_exit;
  auto* c = new (std::nothrow) Thread;
  if (!c) no_memory(sizeof(Thread));
  if (at_exit.made) pthread_setspecific(at_exit.key, c);
  Store& s = store();
  const std::lock_guard hold(s.lock);
  c->next = s.threads;
  c->orphan = s.orphaned;
  s.threads = c;
  return t_thread = c;
}
Thread* thread_or_null() noexcept {
  try {
    return &this_thread();
  } catch (...) {
    return nullptr;
  }
}

// ---- the two calls
Block take_any_block(size_t bytes) {
  Thread& t = this_thread();
  if (t.allocator) return {take_foreign(t.allocator, bytes), kForeign};
  if (bytes > (size_t{1} << 46)) no_memory(bytes);
  if (kSanitized) return {take_own(bytes), kOwn};
  const int k = class_of(bytes);
  const size_t size = bytes_of(k);
  if (size > kSlabBlock) return take_large(bytes, k);
  void* p = t.blocks[k].pop();
  if (!p) p = refill(t, k);
  t.live_bytes.add(static_cast<int64_t>(size));
  return {p, static_cast<uint8_t>(k)};
}

void give_any_block(void* p, uint8_t k) {
  if (k == kForeign) return give_foreign(p);
  if (kSanitized) return give_own(p);
  const size_t size = bytes_of(k);
  if (size > kSlabBlock) return give_large(p, k);
  Thread& t = this_thread();
  t.blocks[k].push(p);
  t.live_bytes.add(-static_cast<int64_t>(size));
  if (t.blocks[k].count < kThreadKeeps) return;
  Store& s = store();                                         // a thread that only frees must not hoard
  const std::lock_guard hold(s.lock);
  for (uint32_t n = kThreadKeeps / 2; n > 0; --n) s.lists[k].push(t.blocks[k].pop());
}

MemoryUse memory_use() {
  Store& s = store();
  const std::lock_guard hold(s.lock);
  int64_t live = s.live.load(std::memory_order_relaxed);
  for (Thread* c = s.threads; c; c = c->next) live += c->live_bytes.get();
  note_peak(s, live);
  return {static_cast<uint64_t>(live > 0 ? live : 0), static_cast<uint64_t>(s.peak.load(std::memory_order_relaxed)), s.kept};
}

int64_t live_count(Live what) {
  Store& s = store();
  const std::lock_guard hold(s.lock);
  int64_t n = s.counts[static_cast<int>(what)];
  for (Thread* c = s.threads; c; c = c->next) n += c->live[static_cast<int>(what)].get();
  return n;
}

void trim_memory() {
  Store& s = store();
  const std::lock_guard hold(s.lock);
  for (int k = 0; k < kClasses; ++k)
    if (bytes_of(k) > kSlabBlock)
      while (void* p = s.lists[k].pop()) free_large(p, bytes_of(k));
  s.kept = 0;
}

}  // namespace gradus
