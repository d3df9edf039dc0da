// Files of tensors: open, list, load, save.
#include "io/file.h"

#include "capi/guard.h"
#include "io/bytes.h"

using namespace gradus;
using namespace gradus::capi;

namespace {

const File& file(const gradus_file* f) { return *object<File>(f, Kind::file, "file"); }
gradus_file* give(Ref<File> f) { return reinterpret_cast<gradus_file*>(f.detach()); }

FileFormat format_of(int32_t number) {
  GRADUS_CHECK(number >= GRADUS_FORMAT_AUTO && number <= GRADUS_FORMAT_NPZ, value, "unknown format {}", number);
  return static_cast<FileFormat>(number);
}

std::string_view bytes_of(const char* text, size_t length, const char* what) {
  GRADUS_CHECK(text || length == 0, null, "'{}' is null with a length of {}", what, length);
  GRADUS_CHECK(length <= PTRDIFF_MAX, value, "'{}' has a length of {}", what, length);
  return length ? std::string_view(text, length) : std::string_view();
}

FileOptions options_of(const gradus_file_options* given) {
  const gradus_file_options o = read_options(given);
  constexpr uint32_t known = GRADUS_FILE_READ_ONLY | GRADUS_FILE_COPY;
  check_flags(o.flags, known);
  GRADUS_CHECK(o.reserved0 == 0, unknown_field, "reserved0 is not 0");
  FileOptions f;
  f.format = format_of(o.format);
  f.read_only = o.flags & GRADUS_FILE_READ_ONLY;
  f.copy = o.flags & GRADUS_FILE_COPY;
  f.max_bytes = o.max_bytes;
  return f;
}

// What is to be saved, seen in the caller's arrays.
struct ToSave {
  ToSave(gradus_tensor* const* list, const char* const* names, size_t count, const gradus_save_options* given) {
    const gradus_save_options o = read_options(given);
    constexpr uint32_t known = GRADUS_SAVE_DEFLATE | GRADUS_SAVE_NO_SYNC;
    check_flags(o.flags, known);
    GRADUS_CHECK(o.reserved0 == 0, unknown_field, "reserved0 is not 0");
    options.format = format_of(o.format);
    options.deflate = o.flags & GRADUS_SAVE_DEFLATE;
    options.sync = !(o.flags & GRADUS_SAVE_NO_SYNC);
    GRADUS_CHECK(o.metadata_count <= kLongest, value, "'metadata_count' is {}", o.metadata_count);
    GRADUS_CHECK(o.metadata_count == 0 || (o.metadata_keys && o.metadata_texts), null, "metadata of {} pairs without keys or texts", o.metadata_count);
    for (uint64_t i = 0; i < o.metadata_count; ++i) {
      const char* text = needed(o.metadata_texts[i], "metadata_texts");
      options.metadata.emplace_back(needed(o.metadata_keys[i], "metadata_keys"),
                                    o.metadata_text_lengths ? bytes_of(text, o.metadata_text_lengths[i], "metadata_texts") : std::string_view(text));
    }
    const std::span<const Tensor> all = capi::tensors(list, count, "tensors");
    GRADUS_CHECK(names || count <= 1, null, "'names' is null for {} tensors", count);
    for (size_t i = 0; i < count; ++i) {
      const char* name = names ? needed(names[i], "names") : "";
      tensors.push_back({names && o.name_lengths ? bytes_of(name, o.name_lengths[i], "names") : std::string_view(name), all[i]});
    }
  }
  std::vector<io::Named> tensors;
  io::SaveOptions options;
};

}  // namespace

gradus_status gradus_file_open(gradus_context* ctx, const char* path, size_t length, const gradus_file_options* options, gradus_file** result) {
  return guard_result(ctx, "file_open", result, [&](Context&) { return give(io::open_file(text_of(path, length, "path"), options_of(options))); });
}
gradus_status gradus_file_open_memory(gradus_context* ctx, const void* data, size_t data_bytes, const gradus_file_options* options, gradus_file** result) {
  return guard_result(ctx, "file_open_memory", result, [&](Context&) {
    return give(io::open_memory(bytes_of(static_cast<const char*>(data), data_bytes, "data"), options_of(options)));
  });
}

gradus_status gradus_file_describe(gradus_context* ctx, const gradus_file* f, gradus_file_info* info) {
  return guard(ctx, "file_describe", [&](Context&) {
    const File& from = file(f);
    gradus_file_info i{};
    i.flags = bit(from.read_only, GRADUS_FILE_READ_ONLY);
    i.format = static_cast<int32_t>(from.format);
    i.tensor_count = from.entries.size();
    i.metadata_count = from.metadata.size();
    i.bytes = from.content.text().size();
    fill_info(info, i);
  });
}

gradus_status gradus_file_tensor_at(gradus_context* ctx, const gradus_file* f, uint64_t index, gradus_file_tensor* info) {
  return guard(ctx, "file_tensor_at", [&](Context&) {
    const File& from = file(f);
    GRADUS_CHECK(index < from.entries.size(), index, "tensor {} of {}", index, from.entries.size());
    const FileEntry& e = from.entries[index];
    gradus_file_tensor i{};
    i.dtype = static_cast<int32_t>(e.dtype);
    i.rank = e.rank;
    i.name_length = e.name.size();
    i.bytes = e.bytes;
    i.name = e.name.c_str();
    i.shape = from.sizes(e).data();
    i.stored_type = e.type;
    fill_info(info, i);
  });
}

gradus_status gradus_file_find(gradus_context* ctx, const gradus_file* f, const char* name, size_t length, uint64_t* index) {
  if (index) *index = 0;
  return guard(ctx, "file_find", [&](Context&) {
    const File& from = file(f);
    const std::string_view wanted = bytes_of(name, length, "name");   // of any length
    const size_t found = from.find(wanted);
    GRADUS_CHECK(found < from.entries.size(), unknown_name, "none of the {} tensors is called {}", from.entries.size(), io::shown(wanted));
    *needed(index, "index") = found;
  });
}

gradus_status gradus_file_metadata_at(gradus_context* ctx, const gradus_file* f, uint64_t index, gradus_file_metadata* info) {
  return guard(ctx, "file_metadata_at", [&](Context&) {
    const File& from = file(f);
    GRADUS_CHECK(index < from.metadata.size(), index, "metadata {} of {}", index, from.metadata.size());
    const auto& [key, text] = from.metadata[index];
    gradus_file_metadata i{};
    i.key_length = key.size();
    i.text_length = text.size();
    i.key = key.c_str();
    i.text = text.c_str();
    fill_info(info, i);
  });
}

gradus_status gradus_file_load(gradus_context* ctx, const gradus_file* f, uint64_t index, gradus_tensor** result) {
  return guard_result(ctx, "file_load", result, [&](Context&) { return capi::give(io::load(file(f), index)); });
}

gradus_status gradus_file_save(gradus_context* ctx, const char* path, size_t length, gradus_tensor* const* tensors, const char* const* names, size_t count,
                               const gradus_save_options* options) {
  return guard(ctx, "file_save", [&](Context&) {
    ToSave s(tensors, names, count, options);
    io::save(text_of(path, length, "path"), std::move(s.tensors), std::move(s.options));
  });
}
gradus_status gradus_file_save_memory(gradus_context* ctx, gradus_tensor* const* tensors, const char* const* names, size_t count,
                                      const gradus_save_options* options, gradus_tensor** result) {
  return guard_result(ctx, "file_save_memory", result, [&](Context&) {
    ToSave s(tensors, names, count, options);
    return capi::give(io::save_to_memory(std::move(s.tensors), s.options));
  });
}
