// npz: a zip of npy files, each called after its array.
#include <algorithm>

#include "io/formats.h"
#include "io/zip.h"

namespace gradus::io {
namespace {

constexpr std::string_view kSuffix = ".npy";

void check_limit(const std::vector<ZipEntry>& entries, uint64_t file, uint64_t max_bytes) {
  const uint64_t limit = max_bytes ? max_bytes : std::max(kUnpackedAlways, kUnpackedRatio * file);
  uint64_t sum = 0;
  for (const ZipEntry& e : entries) {
    GRADUS_CHECK(!__builtin_add_overflow(sum, e.member.unpacked, &sum) && sum <= limit, value,
                 "npz: {} bytes would unpack to more than {}, which max_bytes does not allow", file, limit);
  }
}

}  // namespace

void read_npz(File& f, uint64_t max_bytes) {
  const std::string_view all = f.content.text();
  std::vector<ZipEntry> entries = read_zip(all);
  check_limit(entries, all.size(), max_bytes);
  char prefix[kNpyPrefix + kNpyHeader];
  for (ZipEntry& z : entries) {
    const ZipMember& m = z.member;
    GRADUS_CHECK(z.name.ends_with(kSuffix) && is_utf8(z.name), value, "npz: byte {}: member {} is no array: its name does not end in .npy", m.header, shown(z.name));
    const std::string_view packed = all.substr(m.offset, m.packed);
    FileEntry& e = f.entries.emplace_back();
    e.name = z.name.substr(0, z.name.size() - kSuffix.size());
    try {
      if (m.deflated) {
        const size_t n = Inflater(packed, shown(e.name)).read(prefix, std::min<uint64_t>(sizeof prefix, m.unpacked));
        parse_npy_header({prefix, n}, m.unpacked, 0, f, e);
      } else {
        parse_npy_header(packed.substr(0, sizeof prefix), m.unpacked, m.offset, f, e);
        e.offset += m.offset;
      }
    } catch (const Error& error) {
      throw Error(error.status(), format("npz: member {}: {}", shown(e.name), error.what()));
    }
    f.members.push_back(m);
  }
}

void unpack(const File& f, size_t index, char* to) {
  const FileEntry& e = f.entries[index];
  const ZipMember& m = f.members[index];
  Inflater in(f.content.text().substr(m.offset, m.packed), shown(e.name));
  char header[kNpyPrefix + kNpyHeader];
  const bool whole = in.read(header, e.offset) == e.offset && in.read(to, e.bytes) == e.bytes;
  GRADUS_CHECK(whole, value, "npz: member {} unpacks to less than its {} bytes", shown(e.name), m.unpacked);
  in.finish(m);
}

void check_sum(const File& f, size_t index) {
  const ZipMember& m = f.members[index];
  const uint32_t crc = crc_of(0, f.content.text().data() + m.offset, m.packed);
  GRADUS_CHECK(crc == m.crc, value, "npz: byte {}: {} is damaged: its sum is {:08x}, not {:08x}", m.offset, shown(f.entries[index].name), crc, m.crc);
}

void write_npz(Sink& sink, const std::vector<Named>& tensors, bool deflate) {
  ZipWriter zip(sink, deflate);
  for (const Named& n : tensors)
    zip.member(std::string(n.name) + std::string(kSuffix), [&n](Sink& to) { write_npy(to, n.tensor); });
  zip.finish();
}

}  // namespace gradus::io
