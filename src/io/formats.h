// The formats, each as a reader that fills an open file with checked entries, and a writer of sorted, checked tensors.
#pragma once
#include "io/bytes.h"
#include "io/file.h"

namespace gradus::io {

void read_safetensors(File& file);
void read_npy(File& file);
void read_npz(File& file, uint64_t max_bytes);

// The header of a safetensors file as entries with offsets from the start of the data; json begins at byte 8.
void parse_safetensors_header(std::string_view json, File& file);
// The header of an npy file of `total` bytes, of which `start` is what is at hand; `at`: its place in the file, for messages.
void parse_npy_header(std::string_view start, uint64_t total, uint64_t at, File& file, FileEntry& entry);
inline constexpr size_t kNpyHeader = 10000, kNpyPrefix = 12;  // the longest header that is read, as NumPy's; magic, version and length
// The unpacked elements of an entry of an npz into memory; checks the sum of the whole member.
void unpack(const File& file, size_t index, char* to);
void check_sum(const File& file, size_t index);               // of a stored member

// Adds sizes to the file's, and gives the entry rank, dims and bytes; VALUE if there cannot be such a tensor.
void set_sizes(File& file, FileEntry& entry, SizesRef sizes, int64_t bits_of_element, uint64_t at);

void write_safetensors(Sink& sink, std::vector<Named>& tensors, const SaveOptions& options);
void write_npy(Sink& sink, const Tensor& t);
void write_npz(Sink& sink, const std::vector<Named>& tensors, bool deflate);

}  // namespace gradus::io
