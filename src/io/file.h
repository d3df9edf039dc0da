// Files of tensors: one that is open for reading, and what is to be saved. safetensors, npy, npz.
#pragma once
#include <deque>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace gradus {

enum class FileFormat : int32_t { automatic = 0, safetensors = 1, npy = 2, npz = 3 };

// One tensor of a file: where its elements lie and how to read them. A file may have a million.
struct FileEntry {
  std::string name;
  char type[13] = {};                                         // as the file spells it: "F32", "<f4"
  Dtype dtype = Dtype::none;                                  // none: a type that this library has not
  uint8_t rank = 0;
  bool swapped : 1 = false;                                   // in the other byte order
  bool column_major : 1 = false;
  uint32_t dims = 0;                                          // where its sizes begin in File::dims
  uint64_t offset = 0;                                        // of the elements: in the file, or in the unpacked member
  uint64_t bytes = 0;
};

// Of an npz, for the entry of the same place.
struct ZipMember {
  uint64_t header = 0, offset = 0, packed = 0, unpacked = 0;  // header: the local one; offset: what follows it
  uint32_t crc = 0;
  bool deflated = false;
};

struct FileOptions {
  FileFormat format = FileFormat::automatic;
  bool read_only = false;                                     // tensors are views of the content
  bool copy = false;                                          // read the file into memory, do not map it
  uint64_t max_bytes = 0;                                     // of all members, unpacked; 0: kUnpackedAlways, or kUnpackedRatio times the file
};
inline constexpr uint64_t kUnpackedAlways = uint64_t{256} << 20, kUnpackedRatio = 100;

// The content of a file in memory. It lives as long as the file, or a tensor that is a view of it.
struct Content {
  explicit Content(Ref<Storage> s, int f = -1) : storage(std::move(s)), file(f) {}
  Content(Content&& o) noexcept : storage(std::move(o.storage)), file(std::exchange(o.file, -1)) {}
  ~Content();

  Ref<Storage> storage;
  int file;                                                   // where it is mapped from, open; -1: nowhere
  std::string_view text() const { return {storage->data, static_cast<size_t>(storage->bytes)}; }
};

// Checked as a whole when it is opened; unchanging since.
struct File : Object {
  explicit File(Content c);
  ~File();
  SizesRef sizes(const FileEntry& e) const { return {dims.data() + e.dims, e.rank}; }
  size_t find(std::string_view name) const;                   // entries.size() if there is none
  void index_names();                                         // refuses two of a name

  FileFormat format = FileFormat::automatic;
  bool read_only = false;
  Content content;
  std::deque<FileEntry> entries;                              // in the order of the file
  std::vector<ZipMember> members;
  std::vector<int64_t> dims;
  std::vector<uint32_t> by_name;
  std::vector<std::pair<std::string, std::string>> metadata;
};
inline void retain(File* f) { f->refs.up(); }
inline void release(File* f) { if (f->refs.down()) delete f; }

namespace io {

Ref<File> open_file(std::string_view path, const FileOptions& options);
Ref<File> open_memory(std::string_view bytes, const FileOptions& options);    // of a copy
Tensor load(const File& file, size_t index);

struct SaveOptions {
  FileFormat format = FileFormat::automatic;                  // automatic: by the end of the path
  bool deflate = false;                                       // npz
  bool sync = true;                                           // wait until the disk has it
  std::vector<std::pair<std::string_view, std::string_view>> metadata;        // safetensors
};
struct Named {
  std::string_view name;
  Tensor tensor;
};
// Another process sees the old file or the new one; after a failure the old one is there.
void save(std::string_view path, std::vector<Named> tensors, SaveOptions options);
Tensor save_to_memory(std::vector<Named> tensors, const SaveOptions& options);         // the bytes, as a tensor of u8

}  // namespace io
}  // namespace gradus
