// Opening, loading and saving, whatever the format.
#include "io/file.h"

#include <unistd.h>

#include <algorithm>

#include "base/live.h"
#include "io/formats.h"

namespace gradus {

Content::~Content() {
  if (file >= 0) ::close(file);
}

File::File(Content c) : Object{Kind::file, {}}, content(std::move(c)) { count_live(Live::files, 1); }
File::~File() {
  kind = Kind::dead;
  count_live(Live::files, -1);
}

// Names are compared by their first eight bytes as a number, which tells most of them apart.
void File::index_names() {
  GRADUS_CHECK(entries.size() <= UINT32_MAX, value, "{} tensors are too many", entries.size());
  std::vector<std::pair<uint64_t, uint32_t>> order;
  order.reserve(entries.size());
  for (const FileEntry& e : entries) {
    uint64_t prefix = 0;
    for (size_t i = 0; i < 8; ++i) prefix = prefix << 8 | (i < e.name.size() ? static_cast<unsigned char>(e.name[i]) : 0);
    order.emplace_back(prefix, static_cast<uint32_t>(order.size()));
  }
  std::sort(order.begin(), order.end(), [this](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : entries[a.second].name < entries[b.second].name;
  });
  by_name.reserve(order.size());
  for (const auto& [prefix, i] : order) {
    GRADUS_CHECK(by_name.empty() || entries[by_name.back()].name != entries[i].name, value, "two tensors are called {}", io::shown(entries[i].name));
    by_name.push_back(i);
  }
}

size_t File::find(std::string_view name) const {
  const auto at = std::lower_bound(by_name.begin(), by_name.end(), name, [this](uint32_t i, std::string_view n) { return entries[i].name < n; });
  return at != by_name.end() && entries[*at].name == name ? *at : entries.size();
}

namespace io {
namespace {

constexpr uint64_t kMapped = 1 << 16;                         // smaller tensors are copied: that is faster than a mapping of their own

FileFormat format_of(std::string_view content) {
  if (content.size() > 8 && content[8] == '{' && little(content.data() + 4, 4) == 0) return FileFormat::safetensors;
  if (content.starts_with("\x93NUMPY")) return FileFormat::npy;
  if (content.starts_with("PK\3\4") || content.starts_with("PK\5\6")) return FileFormat::npz;
  return FileFormat::safetensors;
}

Ref<File> read(Content content, const FileOptions& options) {
  Ref<File> f = Ref<File>::adopt(new File(std::move(content)));
  f->read_only = options.read_only;
  f->format = options.format == FileFormat::automatic ? format_of(f->content.text()) : options.format;
  switch (f->format) {
    case FileFormat::npy: read_npy(*f); break;
    case FileFormat::npz: read_npz(*f, options.max_bytes); break;
    default: read_safetensors(*f); break;
  }
  f->index_names();
  return f;
}

void share_content(void* user) { release(static_cast<Storage*>(user)); }

// Memory of the elements as they are in the file, or null if they have to be copied.
Storage* stored(const File& f, const FileEntry& e) {
  const char* at = f.content.storage->data + e.offset;
  if (e.swapped || e.bytes == 0 || reinterpret_cast<uintptr_t>(at) % static_cast<uintptr_t>(size_of(e.dtype)) != 0) return nullptr;
  if (f.read_only) {
    Storage* s = wrap_storage(f.content.storage->data + e.offset, static_cast<int64_t>(e.bytes), false);
    retain(f.content.storage.get());
    s->host.arm(share_content, f.content.storage.get());
    return s;
  }
  return f.content.file >= 0 && e.bytes >= kMapped ? map_part(f.content, e.offset, e.bytes) : nullptr;
}

Sizes strides_of(const File& f, const FileEntry& e) {
  if (!e.column_major) return contiguous_strides(f.sizes(e));
  Sizes reversed(f.sizes(e));
  std::reverse(reversed.begin(), reversed.end());
  Sizes strides = contiguous_strides(reversed);
  std::reverse(strides.begin(), strides.end());
  return strides;
}

void check_booleans(const Tensor& t, const FileEntry& e) {
  const auto* p = reinterpret_cast<const unsigned char*>(t.impl()->data());
  for (uint64_t i = 0; i < e.bytes; ++i) GRADUS_CHECK(p[i] <= 1, value, "{}: element {} is the byte {}, no boolean", shown(e.name), i, p[i]);
}

// By name; refuses two of a name, and names and tensors that cannot be saved.
void check_tensors(std::vector<Named>& tensors, const SaveOptions& options) {
  std::sort(tensors.begin(), tensors.end(), [](const Named& a, const Named& b) { return a.name < b.name; });
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Named& n = tensors[i];
    GRADUS_CHECK(i == 0 || tensors[i - 1].name != n.name, value, "save: two tensors are called {}", shown(n.name));
    GRADUS_CHECK(is_utf8(n.name), value, "save: the name {} is not UTF-8", shown(n.name));
    const bool numpy = options.format != FileFormat::safetensors;
    GRADUS_CHECK(!numpy || n.tensor.dtype() != Dtype::bf16, unsupported, "save: {} is bfloat16, which NumPy's formats have not", shown(n.name));
  }
  GRADUS_CHECK(options.metadata.empty() || options.format == FileFormat::safetensors, unsupported, "save: NumPy's formats have no metadata");
  GRADUS_CHECK(!options.deflate || options.format == FileFormat::npz, unsupported, "save: only npz files are deflated");
  GRADUS_CHECK(options.format != FileFormat::npy || tensors.size() == 1, value, "save: an npy file holds one tensor, not {}", tensors.size());
}

void write(Sink& sink, std::vector<Named>& tensors, const SaveOptions& options) {
  switch (options.format) {
    case FileFormat::npy: return write_npy(sink, tensors[0].tensor);
    case FileFormat::npz: return write_npz(sink, tensors, options.deflate);
    default: return write_safetensors(sink, tensors, options);
  }
}

}  // namespace

void set_sizes(File& file, FileEntry& entry, SizesRef sizes, int64_t bits_of_element, uint64_t at) {
  GRADUS_CHECK(sizes.size() <= kMaxDims, value, "byte {}: a shape of {} dimensions; {} are the most", at, sizes.size(), kMaxDims);
  int64_t bits = 0;
  try {
    bits = multiply(numel_of(sizes), bits_of_element);
  } catch (const Error& e) {
    fail(Status::value, "byte {}: {}", at, e.what());
  }
  GRADUS_CHECK(bits % 8 == 0, value, "byte {}: shape {} of {} is no number of whole bytes", at, text(sizes), entry.type);
  GRADUS_CHECK(file.dims.size() + sizes.size() <= UINT32_MAX, value, "byte {}: too many dimensions in all", at);
  entry.dims = static_cast<uint32_t>(file.dims.size());
  entry.rank = static_cast<uint8_t>(sizes.size());
  entry.bytes = static_cast<uint64_t>(bits / 8);
  file.dims.insert(file.dims.end(), sizes.begin(), sizes.end());
}

Ref<File> open_file(std::string_view path, const FileOptions& options) {
  Content content = read_content(path, options.copy);
  try {
    return read(std::move(content), options);
  } catch (const Error& e) {
    throw Error(e.status(), format("{}: {}", shown(path), e.what()));
  }
}

Ref<File> open_memory(std::string_view bytes, const FileOptions& options) {
  Content content(Ref<Storage>::adopt(new_storage(static_cast<int64_t>(bytes.size()))));
  if (!bytes.empty()) std::memcpy(content.storage->data, bytes.data(), bytes.size());
  return read(std::move(content), options);
}

Tensor load(const File& f, size_t index) {
  GRADUS_CHECK(index < f.entries.size(), index, "tensor {} of {}", index, f.entries.size());
  const FileEntry& e = f.entries[index];
  GRADUS_CHECK(e.dtype != Dtype::none, unsupported, "{}: this library has no type {}", shown(e.name), e.type);
  const bool deflated = f.format == FileFormat::npz && f.members[index].deflated;
  if (f.format == FileFormat::npz && !deflated) check_sum(f, index);
  const Sizes strides = strides_of(f, e);
  Tensor t;
  if (Storage* s = deflated ? nullptr : stored(f, e)) {
    t = over_storage(s, e.dtype, f.sizes(e), strides, 0);
  } else {
    t = over_storage(new_storage(static_cast<int64_t>(e.bytes)), e.dtype, f.sizes(e), strides, 0);
    char* to = t.impl()->data();
    if (deflated) unpack(f, index, to);
    else if (e.bytes) std::memcpy(to, f.content.storage->data + e.offset, e.bytes);
    if (e.swapped) swap_bytes(to, t.numel() * size_of(e.dtype) / size_of(real_of(e.dtype)), size_of(real_of(e.dtype)));
  }
  if (e.dtype == Dtype::boolean) check_booleans(t, e);
  t.storage().read_only = f.read_only;
  return t;
}

void save(std::string_view path, std::vector<Named> tensors, SaveOptions options) {
  if (options.format == FileFormat::automatic) {
    constexpr std::pair<std::string_view, FileFormat> ends[] = {
        {".safetensors", FileFormat::safetensors}, {".npy", FileFormat::npy}, {".npz", FileFormat::npz}};
    for (const auto& [end, format] : ends)
      if (path.ends_with(end)) options.format = format;
    GRADUS_CHECK(options.format != FileFormat::automatic, value, "save: {}: no format is given, and the name ends in none of .safetensors, .npy, .npz",
                 shown(path));
  }
  check_tensors(tensors, options);
  FileSink sink(path, options.sync);
  write(sink, tensors, options);
  sink.commit();
}

Tensor save_to_memory(std::vector<Named> tensors, const SaveOptions& options) {
  GRADUS_CHECK(options.format != FileFormat::automatic, value, "save: no format is given");
  check_tensors(tensors, options);
  CountSink size;
  write(size, tensors, options);
  const int64_t bytes[] = {static_cast<int64_t>(size.written())};
  Tensor t = empty(Dtype::u8, bytes);
  MemorySink sink({t.impl()->data(), static_cast<size_t>(bytes[0])});
  write(sink, tensors, options);
  GRADUS_CHECK(sink.written() == size.written(), state, "save: a tensor was changed while it was saved");
  return t;
}

}  // namespace io
}  // namespace gradus
