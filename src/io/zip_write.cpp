// Writing a zip: sizes and sums are filled in once a member is complete. Contents begin at multiples of 64, so that stored arrays can
// be mapped; every date is 1980-01-01, so that the same tensors make the same file.
#include <zlib.h>

#include <memory>

#include "io/zip.h"

namespace gradus::io {
namespace {

constexpr uint64_t kNone32 = 0xffffffff, kNone16 = 0xffff, kAlign = 64;
constexpr uint64_t kVersion = 45, kDate = 0x21, kUtf8 = 0x800, kUnix = 3 << 8;
constexpr uint64_t kSizes64 = 1, kPadding = 0xd935;           // ids of extra fields; the second is the one that aligners use

void put(std::string& s, uint64_t v, int bytes) {
  for (int i = 0; i < bytes; ++i) s += static_cast<char>(v >> 8 * i);
}
uint64_t flags_of(const std::string& name) {
  for (const char c : name)
    if (static_cast<unsigned char>(c) >= 0x80) return kUtf8;
  return 0;
}
uint64_t capped(uint64_t v, uint64_t none) { return v < none ? v : none; }

}  // namespace

// Counts and sums what goes through.
class ZipWriter::Stored final : public Sink {
 public:
  Stored(Sink& out, Member& m) : out_(out), member_(m) {}
  void write(const char* data, size_t n) override {
    member_.crc = crc_of(member_.crc, data, n);
    member_.unpacked += n;
    out_.write(data, n);
  }
  void patch(uint64_t, const char*, size_t) override { fail(Status::internal, "npz: a member is written once"); }

 private:
  Sink& out_;
  Member& member_;
};

class ZipWriter::Deflated final : public Sink {
 public:
  Deflated(Sink& out, Member& m) : out_(out), member_(m), packed_(kPacked, '\0') {
    GRADUS_CHECK(deflateInit2(&z_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK, memory, "npz: no memory to deflate");
  }
  ~Deflated() override { deflateEnd(&z_); }
  void write(const char* data, size_t n) override {
    member_.crc = crc_of(member_.crc, data, n);
    member_.unpacked += n;
    for (constexpr size_t kPiece = size_t{1} << 30; n > 0;) {
      const size_t piece = n < kPiece ? n : kPiece;
      run(data, piece, Z_NO_FLUSH);
      data += piece;
      n -= piece;
    }
  }
  void finish() { run("", 0, Z_FINISH); }
  void patch(uint64_t, const char*, size_t) override { fail(Status::internal, "npz: a member is written once"); }

 private:
  static constexpr size_t kPacked = 1 << 16;
  void run(const char* data, size_t n, int flush) {
    z_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(data));
    z_.avail_in = static_cast<uInt>(n);
    do {
      z_.next_out = reinterpret_cast<Bytef*>(packed_.data());
      z_.avail_out = kPacked;
      deflate(&z_, flush);
      out_.write(packed_.data(), kPacked - z_.avail_out);
    } while (z_.avail_out == 0);
  }
  Sink& out_;
  Member& member_;
  std::string packed_;
  z_stream z_{};
};

ZipWriter::Member ZipWriter::begin(const std::string& name) {
  GRADUS_CHECK(name.size() <= kNone16, value, "save: a name of {} bytes is too long for a zip", name.size());
  GRADUS_CHECK(name.find('\0') == name.npos, value, "save: the name {} has a zero byte, which a zip has not", shown(name));
  Member m;
  m.name = name;
  m.header = out_.written();
  const uint64_t unpadded = m.header + 30 + name.size() + 20 + 4, padding = (kAlign - unpadded % kAlign) % kAlign;
  std::string s = "PK\3\4";
  put(s, kVersion, 2);
  put(s, flags_of(name), 2);
  put(s, deflate_ ? 8 : 0, 2);
  put(s, kDate << 16, 4);
  put(s, 0, 4);                                               // the sum
  put(s, kNone32, 4);
  put(s, kNone32, 4);
  put(s, name.size(), 2);
  put(s, 20 + 4 + padding, 2);
  s += name;
  put(s, kSizes64, 2);
  put(s, 16, 2);
  s.append(16, '\0');                                         // unpacked, packed
  put(s, kPadding, 2);
  put(s, padding, 2);
  s.append(padding, '\0');
  out_.write(s);
  m.offset = out_.written();
  return m;
}

std::unique_ptr<Sink> ZipWriter::content(Member& m) {
  if (deflate_) return std::make_unique<Deflated>(out_, m);
  return std::make_unique<Stored>(out_, m);
}

void ZipWriter::complete(Sink& content) {
  if (deflate_) static_cast<Deflated&>(content).finish();
}

void ZipWriter::end(Member m) {
  m.packed = out_.written() - m.offset;
  std::string sum, sizes;
  put(sum, m.crc, 4);
  put(sizes, m.unpacked, 8);
  put(sizes, m.packed, 8);
  out_.patch(m.header + 14, sum.data(), sum.size());
  out_.patch(m.header + 30 + m.name.size() + 4, sizes.data(), sizes.size());
  members_.push_back(std::move(m));
}

// The entry of the directory.
std::string ZipWriter::central(const Member& m) const {
  std::string extra, s = "PK\1\2";
  for (const uint64_t v : {m.unpacked, m.packed, m.header})
    if (v >= kNone32) put(extra, v, 8);
  put(s, kVersion | kUnix, 2);
  put(s, kVersion, 2);
  put(s, flags_of(m.name), 2);
  put(s, deflate_ ? 8 : 0, 2);
  put(s, kDate << 16, 4);
  put(s, m.crc, 4);
  put(s, capped(m.packed, kNone32), 4);
  put(s, capped(m.unpacked, kNone32), 4);
  put(s, m.name.size(), 2);
  put(s, extra.empty() ? 0 : 4 + extra.size(), 2);
  put(s, 0, 6);                                               // no comment, the first disk, no inner attributes
  put(s, uint64_t{0100644} << 16, 4);
  put(s, capped(m.header, kNone32), 4);
  s += m.name;
  if (extra.empty()) return s;
  put(s, kSizes64, 2);
  put(s, extra.size(), 2);
  return s + extra;
}

void ZipWriter::finish() {
  const uint64_t directory = out_.written();
  for (const Member& m : members_) out_.write(central(m));
  const uint64_t end = out_.written(), bytes = end - directory, count = members_.size();
  std::string s;
  if (directory >= kNone32 || bytes >= kNone32 || count >= kNone16) {
    s += "PK\6\6";
    put(s, 44, 8);
    put(s, kVersion | kUnix, 2);
    put(s, kVersion, 2);
    put(s, 0, 8);
    for (const uint64_t v : {count, count, bytes, directory}) put(s, v, 8);
    s += "PK\6\7";
    put(s, 0, 4);
    put(s, end, 8);
    put(s, 1, 4);
  }
  s += "PK\5\6";
  put(s, 0, 4);
  put(s, capped(count, kNone16), 2);
  put(s, capped(count, kNone16), 2);
  put(s, capped(bytes, kNone32), 4);
  put(s, capped(directory, kNone32), 4);
  put(s, 0, 2);
  out_.write(s);
}

}  // namespace gradus::io
