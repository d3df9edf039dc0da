// safetensors: 8 bytes of length n, n bytes of JSON (padded with spaces), then the elements without a gap.
#include <algorithm>
#include <numeric>

#include "io/formats.h"

namespace gradus::io {
namespace {

constexpr uint64_t kMaxHeader = 100'000'000, kAlign = 8;

// In the order of their data; the same place is that of tensors without elements.
void sort_by_place(File& f) {
  const auto before = [](const FileEntry& a, const FileEntry& b) { return a.offset != b.offset ? a.offset < b.offset : a.bytes < b.bytes; };
  if (std::is_sorted(f.entries.begin(), f.entries.end(), before)) return;
  std::vector<uint32_t> order(f.entries.size());
  std::iota(order.begin(), order.end(), uint32_t{0});
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    const FileEntry &x = f.entries[a], &y = f.entries[b];
    return before(x, y) || (!before(y, x) && a < b);
  });
  std::deque<FileEntry> sorted;
  for (uint32_t i : order) sorted.push_back(std::move(f.entries[i]));
  f.entries = std::move(sorted);
}

std::string_view type_name(Dtype t) {
  switch (t) {
    case Dtype::boolean: return "BOOL";
    case Dtype::u8: return "U8";
    case Dtype::i8: return "I8";
    case Dtype::i16: return "I16";
    case Dtype::i32: return "I32";
    case Dtype::i64: return "I64";
    case Dtype::f16: return "F16";
    case Dtype::bf16: return "BF16";
    case Dtype::f32: return "F32";
    case Dtype::c64: return "C64";
    case Dtype::c128: return "C128";
    default: return "F64";
  }
}

// Keys in order, so that the same tensors make the same file.
std::string metadata_text(const SaveOptions& options) {
  auto pairs = options.metadata;
  std::sort(pairs.begin(), pairs.end());
  std::string s = "\"__metadata__\":{";
  for (size_t i = 0; i < pairs.size(); ++i) {
    const auto& [key, value] = pairs[i];
    GRADUS_CHECK(i == 0 || pairs[i - 1].first != key, value, "save: metadata has {} twice", shown(key));
    GRADUS_CHECK(is_utf8(key) && is_utf8(value), value, "save: metadata {} is not UTF-8", shown(key));
    s += (i ? "," : "") + quoted(key) + ":" + quoted(value);
  }
  return s + "}";
}

}  // namespace

void read_safetensors(File& f) {
  const std::string_view all = f.content.text();
  GRADUS_CHECK(all.size() >= 8, value, "safetensors: {} bytes, too short for the length of a header", all.size());
  const uint64_t length = little(all.data(), 8);
  GRADUS_CHECK(length <= kMaxHeader, value, "safetensors: byte 0: a header of {} bytes; {} are the most", length, kMaxHeader);
  GRADUS_CHECK(length <= all.size() - 8, value, "safetensors: byte 0: a header of {} bytes, and the file has {}", length, all.size());
  const uint64_t start = 8 + length, size = all.size() - start;
  parse_safetensors_header(all.substr(8, length), f);
  sort_by_place(f);
  uint64_t end = 0;
  for (FileEntry& e : f.entries) {
    GRADUS_CHECK(e.offset == end, value, "safetensors: {} begins at byte {} of the data, and what is before it ends at {}", shown(e.name), e.offset, end);
    GRADUS_CHECK(e.bytes <= size - end, value, "safetensors: {} has bytes {} to {} of the data, which ends at {}", shown(e.name), e.offset,
                 e.offset + e.bytes, size);
    end += e.bytes;
    e.offset += start;
  }
  GRADUS_CHECK(end == size, value, "safetensors: byte {}: {} bytes that belong to no tensor", start + end, size - end);
}

void write_safetensors(Sink& sink, std::vector<Named>& tensors, const SaveOptions& options) {
  // Large elements first, so that all are aligned; then in the order given.
  std::vector<uint32_t> order(tensors.size());
  std::iota(order.begin(), order.end(), uint32_t{0});
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    const int64_t m = size_of(tensors[a].tensor.dtype()), n = size_of(tensors[b].tensor.dtype());
    return m != n ? m > n : a < b;
  });
  std::vector<int64_t> begins(tensors.size());
  int64_t end = 0;
  for (uint32_t i : order) begins[i] = std::exchange(end, end + multiply(tensors[i].tensor.numel(), size_of(tensors[i].tensor.dtype())));

  std::string header = "{";
  if (!options.metadata.empty()) header += metadata_text(options);
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& t = tensors[i].tensor;
    GRADUS_CHECK(tensors[i].name != "__metadata__", value, "save: no tensor can be called '__metadata__'");
    if (header.size() > 1) header += ',';
    header += quoted(tensors[i].name) + format(":{{\"dtype\":\"{}\",\"shape\":[", type_name(t.dtype()));
    for (size_t k = 0; k < t.sizes().size(); ++k) header += (k ? "," : "") + format("{}", t.sizes()[k]);
    header += format("],\"data_offsets\":[{},{}]}}", begins[i], begins[i] + t.numel() * size_of(t.dtype()));
  }
  header += '}';
  header.resize((header.size() + kAlign - 1) / kAlign * kAlign, ' ');
  GRADUS_CHECK(header.size() <= kMaxHeader, value, "save: the names make a header of {} bytes; {} are the most", header.size(), kMaxHeader);

  char length[8];
  for (int i = 0; i < 8; ++i) length[i] = static_cast<char>(header.size() >> 8 * i);
  sink.write(length, sizeof length);
  sink.write(header);
  for (uint32_t i : order) write_elements(sink, tensors[i].tensor);
}

}  // namespace gradus::io
