// Bytes from and to the operating system: content of files, sinks to write to, numbers in little-endian order.
#pragma once
#include <bit>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "io/file.h"

namespace gradus::io {

// ---- reading
// The content of a regular file: mapped for reading, or read into memory.
Content read_content(std::string_view path, bool copy);
// A mapping of its own of a part of the content's file, copied page by page where it is written; null if there is none to be had.
Storage* map_part(const Content& content, uint64_t offset, uint64_t bytes);

// A number of n bytes, the least significant first.
inline uint64_t little(const char* at, int n) {
  uint64_t v = 0;
  for (int i = n; i-- > 0;) v = v << 8 | static_cast<unsigned char>(at[i]);
  return v;
}
bool is_utf8(std::string_view s);                             // without surrogates and overlong forms
std::string shown(std::string_view s);                        // in quotes for a message: UTF-8 in any case, cut, without control characters
std::string quoted(std::string_view s);                       // in quotes for JSON; bytes above 0x7f are UTF-8 and stay

inline constexpr bool kLittle = std::endian::native == std::endian::little;
void swap_bytes(char* data, int64_t count, int64_t size);     // each element of `size` bytes

// ---- writing
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void write(const char* data, size_t n) = 0;
  virtual void patch(uint64_t at, const char* data, size_t n) = 0;             // over what was written
  void write(std::string_view s) { write(s.data(), s.size()); }
  uint64_t written() const { return written_; }

 protected:
  uint64_t written_ = 0;
};
// Only counts.
class CountSink final : public Sink {
 public:
  using Sink::write;
  void write(const char*, size_t n) override { written_ += n; }
  void patch(uint64_t, const char*, size_t) override {}
};
// Fills memory, and refuses to go beyond.
class MemorySink final : public Sink {
 public:
  using Sink::write;
  explicit MemorySink(std::span<char> to) : to_(to) {}
  void write(const char* data, size_t n) override;
  void patch(uint64_t at, const char* data, size_t n) override;

 private:
  std::span<char> to_;
};
// A new file beside `path` that takes its place on commit, and is removed otherwise.
class FileSink final : public Sink {
 public:
  using Sink::write;
  FileSink(std::string_view path, bool sync);
  ~FileSink() override;
  void write(const char* data, size_t n) override;
  void patch(uint64_t at, const char* data, size_t n) override;
  void commit();

 private:
  void write_at(uint64_t at, const char* data, size_t n);
  void flush();
  std::string path_, folder_, temporary_;
  std::string buffer_;                                        // what is not yet written: small pieces together
  int file_ = -1;
  bool sync_;
};

// The elements of a tensor in its row-major order, or that of its reversed dimensions; little-endian.
void write_elements(Sink& sink, const Tensor& t, bool column_major = false);

}  // namespace gradus::io
