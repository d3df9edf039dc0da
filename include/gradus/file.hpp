// gradus/file.hpp - files of tensors and checkpoints of a training, in one line each.
//
//   gradus::save("step.safetensors", {{"w", w}, {"m", m}, {"rng", gradus::get_rng_state()}}, {{"step", "100"}});
//
//   gradus::File f("step.safetensors");
//   w = f["w"];
//   gradus::set_rng_state(f["rng"]);
//   const int step = std::stoi(f.metadata().at("step"));
#ifndef GRADUS_FILE_HPP
#define GRADUS_FILE_HPP

#include <map>

#include "gradus/gradus.hpp"

namespace gradus {
inline namespace v1 {

// The kinds of files; automatic goes by the content, or by the ending of a name.
enum class Format : int32_t { automatic = GRADUS_FORMAT_AUTO, safetensors = GRADUS_FORMAT_SAFETENSORS, npy = GRADUS_FORMAT_NPY, npz = GRADUS_FORMAT_NPZ };
// Tensors by name.
using TensorMap = std::map<std::string, Tensor>;
// The metadata of a file.
using TextMap = std::map<std::string, std::string>;

// How a file is opened.
struct OpenOptions {
  Format format = Format::automatic;
  bool read_only = false;                                     // tensors share the mapped file and cannot be written
  bool copy = false;                                          // read the file, do not map it
  uint64_t max_bytes = 0;                                     // what an npz may unpack to; 0: the library's limit
};
// How a file is saved.
struct SaveOptions {
  Format format = Format::automatic;                          // automatic: by the end of the path
  bool deflate = false;                                       // npz
  bool sync = true;                                           // wait for the disk
};

// A file that is open for reading. Tensors live on without it.
class File {
 public:
  explicit File(std::string_view path, const OpenOptions& options = {}) : file_(open(gradus_file_open, path.data(), path.size(), options)) {}
  static File from_bytes(std::string_view bytes, const OpenOptions& options = {}) {
    return File(open(gradus_file_open_memory, static_cast<const void*>(bytes.data()), bytes.size(), options));
  }

  gradus_file_info info() const {
    gradus_file_info i{};
    i.struct_size = sizeof i;
    detail::call(gradus_file_describe, file_.handle(), &i);
    return i;
  }
  size_t size() const { return static_cast<size_t>(info().tensor_count); }
  gradus_file_tensor at(uint64_t index) const {               // what the file says of a tensor, without its elements
    gradus_file_tensor t{};
    t.struct_size = sizeof t;
    detail::call(gradus_file_tensor_at, file_.handle(), index, &t);
    return t;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (size_t i = 0, n = size(); i < n; ++i) {
      const gradus_file_tensor t = at(i);
      all.emplace_back(t.name, static_cast<size_t>(t.name_length));
    }
    return all;
  }
  Tensor load(uint64_t index) const {
    gradus_tensor* t = nullptr;
    detail::call(gradus_file_load, file_.handle(), index, &t);
    return Tensor(t);
  }
  Tensor operator[](std::string_view name) const {
    uint64_t index = 0;
    detail::call(gradus_file_find, file_.handle(), name.data(), name.size(), &index);
    return load(index);
  }
  TensorMap tensors() const {
    TensorMap all;
    const std::vector<std::string> called = names();
    for (size_t i = 0; i < called.size(); ++i) all.emplace(called[i], load(i));
    return all;
  }
  TextMap metadata() const {
    TextMap all;
    for (uint64_t i = 0, n = info().metadata_count; i < n; ++i) {
      gradus_file_metadata m{};
      m.struct_size = sizeof m;
      detail::call(gradus_file_metadata_at, file_.handle(), i, &m);
      all.emplace(std::string(m.key, static_cast<size_t>(m.key_length)), std::string(m.text, static_cast<size_t>(m.text_length)));
    }
    return all;
  }
  gradus_file* handle() const { return file_.handle(); }

 private:
  explicit File(detail::Handle<gradus_file> f) : file_(std::move(f)) {}
  template <class F, class P> static detail::Handle<gradus_file> open(F f, P from, size_t length, const OpenOptions& options) {
    gradus_file_options o{};
    o.struct_size = sizeof o;
    o.flags = (options.read_only ? uint32_t{GRADUS_FILE_READ_ONLY} : 0) | (options.copy ? uint32_t{GRADUS_FILE_COPY} : 0);
    o.format = static_cast<int32_t>(options.format);
    o.max_bytes = options.max_bytes;
    gradus_file* r = nullptr;
    detail::call(f, from, length, static_cast<const gradus_file_options*>(&o), &r);
    return detail::Handle<gradus_file>(r);
  }
  detail::Handle<gradus_file> file_;
};

namespace detail {
// The arrays of a call that saves; they point into the maps.
struct ToSave {
  ToSave(const TensorMap& map, const TextMap& metadata, const SaveOptions& options) {
    for (const auto& [name, tensor] : map) tensors.push_back(tensor.handle()), names.push_back(name.data()), name_lengths.push_back(name.size());
    for (const auto& [key, text] : metadata) keys.push_back(key.c_str()), texts.push_back(text.data()), text_lengths.push_back(text.size());
    o.struct_size = sizeof o;
    o.flags = (options.deflate ? uint32_t{GRADUS_SAVE_DEFLATE} : 0) | (options.sync ? 0 : uint32_t{GRADUS_SAVE_NO_SYNC});
    o.format = static_cast<int32_t>(options.format);
    o.name_lengths = name_lengths.data();
    o.metadata_count = keys.size();
    o.metadata_keys = keys.data();
    o.metadata_texts = texts.data();
    o.metadata_text_lengths = text_lengths.data();
  }
  ToSave(const ToSave&) = delete;
  ToSave& operator=(const ToSave&) = delete;

  std::vector<gradus_tensor*> tensors;
  std::vector<const char*> names, keys, texts;
  std::vector<uint64_t> name_lengths, text_lengths;
  gradus_save_options o{};
};
}  // namespace detail

// The file is replaced when the new one is complete; after a failure the old one is there.
inline void save(std::string_view path, const TensorMap& tensors, const TextMap& metadata = {}, const SaveOptions& options = {}) {
  const detail::ToSave s(tensors, metadata, options);
  detail::call(gradus_file_save, path.data(), path.size(), s.tensors.data(), s.names.data(), s.names.size(), &s.o);
}
// The bytes of such a file, as uint8; the options must name the format.
inline Tensor save_to_memory(const TensorMap& tensors, const TextMap& metadata, const SaveOptions& options) {
  const detail::ToSave s(tensors, metadata, options);
  gradus_tensor* r = nullptr;
  detail::call(gradus_file_save_memory, s.tensors.data(), s.names.data(), s.names.size(), &s.o, &r);
  return Tensor(r);
}
inline TensorMap load(std::string_view path, const OpenOptions& options = {}) { return File(path, options).tensors(); }

// The random stream of the context as a tensor of two int64, to be saved with the rest: the seed, and how far it was used.
inline Tensor get_rng_state() {
  gradus_context_info i{};
  i.struct_size = sizeof i;
  detail::call(gradus_context_describe, &i);
  return tensor(std::vector<int64_t>{static_cast<int64_t>(i.seed), static_cast<int64_t>(i.random_offset)});
}
inline void set_rng_state(const Tensor& state) {
  const auto v = state.to_vector<int64_t>();
  if (v.size() != 2) throw Error(GRADUS_E_VALUE, "set_rng_state: the state has " + std::to_string(v.size()) + " numbers, not 2");
  detail::call(gradus_context_set_random_state, static_cast<uint64_t>(v[0]), static_cast<uint64_t>(v[1]));
}

}  // namespace v1
}  // namespace gradus
#endif
