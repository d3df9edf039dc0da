// Blocks of memory: size classes kept per thread, a shared store behind them, and the context's own allocator in front.
#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>

namespace gradus {

// A replacement for the library's own blocks, given with a context. Counted: blocks outlive contexts.
struct Allocator;
Allocator* make_allocator(void* (*alloc)(void* user, size_t bytes, size_t alignment),
                          void (*dealloc)(void* user, void* block, size_t bytes, size_t alignment), void* user,
                          void (*destroy)(void* user));
void release(Allocator*);

// 16-byte steps up to 512 bytes, then four classes per doubling. kForeign: from an Allocator, which stands before the block.
inline constexpr uint8_t kForeign = 255;
struct Block {
  void* data = nullptr;
  uint8_t size_class = 0;
};

// Throws Error(memory) when there is none. Blocks are aligned to 16 bytes; those of a multiple of 64 bytes to 64.
Block take_block(size_t bytes);
void give_block(void* data, uint8_t size_class);

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
