// Blocks of memory: size classes kept per thread, a shared store behind them, and the context's own allocator in front.
#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/thread.h"

namespace gradus {

// A replacement for the library's own blocks, given with a context. Counted: blocks outlive contexts.
Allocator* make_allocator(void* (*alloc)(void* user, size_t bytes, size_t alignment),
                          void (*dealloc)(void* user, void* block, size_t bytes, size_t alignment), void* user,
                          void (*destroy)(void* user));
void release(Allocator*);

inline constexpr uint8_t kForeign = 255;                      // the size class of a block from an Allocator
struct Block {
  void* data = nullptr;
  uint8_t size_class = 0;
};

Block take_any_block(size_t bytes);
void give_any_block(void* data, uint8_t size_class);
inline constexpr uint32_t kThreadKeeps = 4096;                // small blocks of one class that a thread keeps to itself

// Throws Error(memory) when there is none. Blocks are aligned to 16 bytes; those of a multiple of 64 bytes to 64.
inline Block take_block(size_t bytes) {
  Thread* t = t_thread;
  if (bytes <= 16 * kFineClasses && t && !t->allocator) [[likely]] {
    const size_t k = (bytes - (bytes != 0)) / 16;
    if (void* p = t->blocks[k].pop()) [[likely]] {
      t->live_bytes.add(static_cast<int64_t>(16 * (k + 1)));
      return {p, static_cast<uint8_t>(k)};
    }
  }
  return take_any_block(bytes);
}
inline void give_block(void* data, uint8_t k) {
  Thread* t = t_thread;
  if (k < kFineClasses && t && t->blocks[k].count < kThreadKeeps) [[likely]] {
    t->blocks[k].push(data);
    t->live_bytes.add(-16 * (int64_t{k} + 1));
    return;
  }
  give_any_block(data, k);
}

// Memory for the length of a kernel.
class Scratch {
 public:
  explicit Scratch(size_t bytes) : block_(take_block(bytes < 1024 ? 1024 : bytes)) {}
  ~Scratch() { give_block(block_.data, block_.size_class); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  void* data() const { return block_.data; }
  template <class T> T* as() const { return static_cast<T*>(block_.data); }

 private:
  Block block_;
};

struct MemoryUse {
  uint64_t live_bytes, peak_bytes, kept_bytes;                // kept: freed by the caller, not yet given back
};
MemoryUse memory_use();
void trim_memory();                                           // gives kept blocks of 4 KiB and more back to the system

}  // namespace gradus
