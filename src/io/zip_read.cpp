// Reading a zip: nothing of what it says of itself is believed until both headers and the bounds agree.
#include <zlib.h>

#include <algorithm>
#include <memory>

#include "io/zip.h"

namespace gradus::io {
namespace {

constexpr uint64_t kEnd = 22, kEnd64 = 56, kLocator = 20, kCentral = 46, kLocal = 30;
constexpr uint64_t kNone16 = 0xffff, kNone32 = 0xffffffff;    // "look into the 64-bit field"
constexpr uint64_t kMostPerByte = 1032;                       // what one byte of deflate can stand for
constexpr uint64_t kEncrypted = 0x1, kDescriptor = 0x8, kRefused = 0x1 | 0x20 | 0x40 | 0x2000;          // encryption, patches
constexpr uint64_t kDescriptorBytes = 24;

// Numbers at a place of the file, which is inside it.
struct Reader {
  std::string_view all;
  uint64_t u16(uint64_t at) const { return little(all.data() + at, 2); }
  uint64_t u32(uint64_t at) const { return little(all.data() + at, 4); }
  uint64_t u64(uint64_t at) const { return little(all.data() + at, 8); }
  bool begins(uint64_t at, std::string_view with) const { return all.substr(at).starts_with(with); }
};

struct Directory {
  uint64_t offset = 0, bytes = 0, count = 0;
};

Directory find_directory(const Reader& r) {
  const uint64_t size = r.all.size();
  uint64_t end = size;
  for (uint64_t at = size - std::min(size, kEnd); size >= kEnd && size - at <= kEnd + kNone16; --at) {
    if (r.begins(at, "PK\5\6") && at + kEnd + r.u16(at + 20) == size) end = at;
    if (end != size || at == 0) break;
  }
  GRADUS_CHECK(end != size, value, "npz: no zip: there is no directory at the end of {} bytes", size);
  Directory d{r.u32(end + 16), r.u32(end + 12), r.u16(end + 10)};
  bool one_disk = r.u16(end + 4) == 0 && r.u16(end + 6) == 0 && r.u16(end + 8) == d.count;
  if (d.offset == kNone32 || d.bytes == kNone32 || d.count == kNone16) {
    GRADUS_CHECK(end >= kLocator + kEnd64 && r.begins(end - kLocator, "PK\6\7"), value, "npz: byte {}: no 64-bit directory", end);
    const uint64_t end64 = r.u64(end - kLocator + 8);
    GRADUS_CHECK(end64 == end - kLocator - kEnd64 && r.begins(end64, "PK\6\6"), value, "npz: byte {}: no 64-bit directory where {} is said", end, end64);
    d = {r.u64(end64 + 48), r.u64(end64 + 40), r.u64(end64 + 32)};
    one_disk = r.u32(end64 + 16) == 0 && r.u32(end64 + 20) == 0 && r.u64(end64 + 24) == d.count;
    end = end64;
  }
  GRADUS_CHECK(one_disk, value, "npz: byte {}: a zip in several parts", end);
  GRADUS_CHECK(d.bytes <= end && d.offset == end - d.bytes, value, "npz: byte {}: a directory of {} bytes at {} does not end here", end, d.bytes, d.offset);
  GRADUS_CHECK(d.count <= d.bytes / kCentral, value, "npz: byte {}: {} members in a directory of {} bytes", end, d.count, d.bytes);
  return d;
}

// The 64-bit values that stand in the extra field [at, end) for those that are all ones, in this order.
void read_extra(const Reader& r, uint64_t at, uint64_t end, std::initializer_list<uint64_t*> values) {
  for (uint64_t next; at + 4 <= end; at = next) {
    next = at + 4 + r.u16(at + 2);
    GRADUS_CHECK(next <= end, value, "npz: byte {}: an extra field beyond its end", at);
    if (r.u16(at) != 1) continue;
    at += 4;
    for (uint64_t* v : values) {
      if (*v != kNone32) continue;
      GRADUS_CHECK(at + 8 <= next, value, "npz: byte {}: a 64-bit size is missing", at);
      *v = r.u64(at);
      at += 8;
    }
    return;
  }
}

// The entry of the directory at `at`, which moves on behind it. Offsets are not yet looked at.
ZipEntry read_central(const Reader& r, uint64_t& at, uint64_t end, uint64_t& flags) {
  GRADUS_CHECK(end - at >= kCentral && r.begins(at, "PK\1\2"), value, "npz: byte {}: no entry of the directory", at);
  const uint64_t name = at + kCentral, extra = name + r.u16(at + 28), comment = extra + r.u16(at + 30), next = comment + r.u16(at + 32);
  GRADUS_CHECK(next <= end, value, "npz: byte {}: an entry beyond the end of the directory", at);
  ZipEntry e{std::string(r.all.substr(name, extra - name)), {}};
  ZipMember& m = e.member;
  const uint64_t method = r.u16(at + 10);
  flags = r.u16(at + 8);
  m.crc = static_cast<uint32_t>(r.u32(at + 16));
  m.packed = r.u32(at + 20);
  m.unpacked = r.u32(at + 24);
  m.header = r.u32(at + 42);
  read_extra(r, extra, comment, {&m.unpacked, &m.packed, &m.header});
  GRADUS_CHECK((flags & kRefused) == 0, value, "npz: byte {}: member {} is {}", at, shown(e.name), flags & kEncrypted ? "encrypted" : "of a kind that is not read");
  GRADUS_CHECK(method == 0 || method == 8, value, "npz: byte {}: member {} has compression {}; stored and deflated ones are read", at, shown(e.name), method);
  m.deflated = method == 8;
  GRADUS_CHECK(m.deflated || m.packed == m.unpacked, value, "npz: byte {}: member {} is stored in {} bytes and has {}", at, shown(e.name), m.packed, m.unpacked);
  GRADUS_CHECK(m.unpacked / kMostPerByte <= m.packed, value, "npz: byte {}: member {}: {} bytes cannot unpack to {}", at, shown(e.name), m.packed, m.unpacked);
  at = next;
  return e;
}

// Finds the content behind the local header, which has to say what the directory says.
void read_local(const Reader& r, ZipEntry& e, uint64_t flags, uint64_t limit) {
  ZipMember& m = e.member;
  GRADUS_CHECK(m.header <= limit && limit - m.header >= kLocal && r.begins(m.header, "PK\3\4"), value, "npz: byte {}: no member {} here", m.header, shown(e.name));
  const uint64_t name = m.header + kLocal, extra = name + r.u16(m.header + 26);
  m.offset = extra + r.u16(m.header + 28);
  GRADUS_CHECK(m.offset <= limit && m.packed <= limit - m.offset, value, "npz: byte {}: member {} of {} bytes goes beyond {}", m.header, shown(e.name), m.packed, limit);
  uint64_t packed = r.u32(m.header + 18), unpacked = r.u32(m.header + 22);
  read_extra(r, extra, m.offset, {&unpacked, &packed});
  const bool later = flags & kDescriptor;                     // sizes and sum come behind the content
  const bool agree = r.all.substr(name, extra - name) == e.name && r.u16(m.header + 8) == (m.deflated ? 8 : 0) && !(r.u16(m.header + 6) & kRefused) &&
                     (later || (packed == m.packed && unpacked == m.unpacked && r.u32(m.header + 14) == m.crc));
  GRADUS_CHECK(agree, value, "npz: byte {}: member {} is not what the directory says", m.header, shown(e.name));
}

}  // namespace

std::vector<ZipEntry> read_zip(std::string_view all) {
  const Reader r{all};
  const Directory d = find_directory(r);
  std::vector<ZipEntry> entries;
  struct Extent { uint64_t begin, end, slack; };
  std::vector<Extent> extents;
  uint64_t at = d.offset;
  for (uint64_t i = 0; i < d.count; ++i) {
    uint64_t flags = 0;
    ZipEntry e = read_central(r, at, d.offset + d.bytes, flags);
    read_local(r, e, flags, d.offset);
    extents.push_back({e.member.header, e.member.offset + e.member.packed, flags & kDescriptor ? kDescriptorBytes : 0});
    entries.push_back(std::move(e));
  }
  GRADUS_CHECK(at == d.offset + d.bytes, value, "npz: byte {}: the directory goes on behind its {} members", at, d.count);
  std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) { return a.begin < b.begin; });
  uint64_t end = 0, slack = 0;
  extents.push_back({d.offset, d.offset, 0});
  for (const Extent& e : extents) {
    GRADUS_CHECK(e.begin >= end, value, "npz: byte {}: two members share bytes", e.begin);
    GRADUS_CHECK(e.begin - end <= slack, value, "npz: byte {}: {} bytes that belong to no member", end, e.begin - end);
    end = e.end;
    slack = e.slack;
  }
  return entries;
}

uint32_t crc_of(uint32_t before, const char* data, size_t n) { return static_cast<uint32_t>(crc32_z(before, reinterpret_cast<const Bytef*>(data), n)); }

struct Inflater::State {
  z_stream z{};
  std::string_view left;
  std::string what;
  uint32_t crc = 0;
  bool ended = false;
};

Inflater::Inflater(std::string_view packed, std::string what) : state_(std::make_unique<State>()) {
  state_->left = packed;
  state_->what = std::move(what);
  GRADUS_CHECK(inflateInit2(&state_->z, -MAX_WBITS) == Z_OK, memory, "npz: no memory to unpack");
}
Inflater::~Inflater() { inflateEnd(&state_->z); }

size_t Inflater::read(char* to, size_t n) {
  constexpr size_t kPiece = size_t{1} << 30;                  // zlib counts in 32 bits
  State& s = *state_;
  size_t done = 0;
  while (done < n && !s.ended) {
    const size_t in = std::min(s.left.size(), kPiece), out = std::min(n - done, kPiece);
    s.z.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(s.left.data()));
    s.z.avail_in = static_cast<uInt>(in);
    s.z.next_out = reinterpret_cast<Bytef*>(to + done);
    s.z.avail_out = static_cast<uInt>(out);
    const int status = inflate(&s.z, Z_NO_FLUSH);
    const size_t made = out - s.z.avail_out;
    s.crc = crc_of(s.crc, to + done, made);
    done += made;
    s.left.remove_prefix(in - s.z.avail_in);
    s.ended = status == Z_STREAM_END;
    GRADUS_CHECK(status != Z_MEM_ERROR, memory, "npz: no memory to unpack");
    GRADUS_CHECK(s.ended || status == Z_OK, value, "npz: member {}: {} bytes before its end, what is deflated is not valid: {}", s.what, s.left.size(),
                 s.z.msg ? s.z.msg : "it ends too early");
  }
  return done;
}

void Inflater::finish(const ZipMember& m) {
  State& s = *state_;
  char more;
  GRADUS_CHECK(read(&more, 1) == 0 && s.left.empty(), value, "npz: member {} unpacks to more than its {} bytes", s.what, m.unpacked);
  GRADUS_CHECK(s.crc == m.crc, value, "npz: member {} is damaged: its sum is {:08x}, not {:08x}", s.what, s.crc, m.crc);
}

}  // namespace gradus::io
