// The JSON of a safetensors header, read by nlohmann::json's event parser, which neither recurses nor builds a tree. Integers only:
// nothing goes through a double. The one file that includes the library.
#define JSON_NO_IO
#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>

#include "io/formats.h"

namespace gradus::io {
namespace {

struct Type {
  std::string_view name;
  int64_t bits;
  Dtype dtype = Dtype::none;                                  // none: known, but not to this library
};
constexpr Type kTypes[] = {
    {"BOOL", 8, Dtype::boolean}, {"U8", 8, Dtype::u8}, {"I8", 8, Dtype::i8}, {"I16", 16, Dtype::i16}, {"I32", 32, Dtype::i32},
    {"I64", 64, Dtype::i64}, {"F16", 16, Dtype::f16}, {"BF16", 16, Dtype::bf16}, {"F32", 32, Dtype::f32}, {"F64", 64, Dtype::f64},
    {"U16", 16}, {"U32", 32}, {"U64", 64}, {"C64", 64, Dtype::c64}, {"C128", 128, Dtype::c128}, {"F8_E4M3", 8}, {"F8_E5M2", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8},
    {"F8_E5M2FNUZ", 8}, {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F4", 4}};

// The text, and how far it was read.
class Cursor {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  explicit Cursor(const char* at, const char** seen = nullptr) : at_(at), seen_(seen) {}
  const char& operator*() const { return *at_; }
  Cursor& operator++() {
    *seen_ = ++at_;
    return *this;
  }
  bool operator==(const Cursor& o) const { return at_ == o.at_; }
  bool operator!=(const Cursor& o) const { return at_ != o.at_; }

 private:
  const char* at_;
  const char** seen_;
};

// What the parser tells, one event at a time. Anything but what the place allows is refused at once, so depth is at most three.
class Header {
 public:
  Header(std::string_view text, File& file) : text_(text), file_(file) {}
  Cursor begin() { return Cursor(text_.data(), &(seen_ = text_.data())); }
  Cursor end() { return Cursor(text_.data() + text_.size()); }

  bool null() { refuse("null"); }
  bool boolean(bool) { refuse("a boolean"); }
  bool number_integer(int64_t) { refuse("a negative number"); }
  bool number_float(double, const std::string&) { refuse("a number that is no integer below 2^64"); }
  bool binary(const nlohmann::json::binary_t&) { refuse("binary data"); }
  bool number_unsigned(uint64_t v) {
    if (place_ != shape && place_ != offsets) refuse("a number");
    if (v > INT64_MAX) refuse("a number above 2^63");
    if (numbers_.size() == (place_ == shape ? size_t{kMaxDims} : 2)) refuse("one number more");
    numbers_.push_back(static_cast<int64_t>(v));
    return true;
  }
  bool string(std::string& s) {
    if (place_ == metadata) file_.metadata.back().second = std::move(s);
    else if (place_ == tensor && key_ == has_type) set_type(s);
    else refuse("a text");
    return true;
  }
  bool start_object(size_t) {
    if (place_ == outside) place_ = names;
    else if (place_ == names && is_metadata_) place_ = metadata;
    else if (place_ == names) { place_ = tensor; type_ = nullptr; found_ = 0; }
    else refuse("an object");
    return true;
  }
  bool key(std::string& s) {
    if (place_ == metadata) file_.metadata.emplace_back(std::move(s), std::string());
    else if (place_ == names) name(s);
    else field(s);
    return true;
  }
  bool end_object() {
    if (place_ == tensor) finish();
    place_ = place_ == names ? outside : names;
    return true;
  }
  bool start_array(size_t) {
    if (place_ != tensor || key_ == has_type) refuse("a list");
    place_ = key_ == has_shape ? shape : offsets;
    numbers_.clear();
    return true;
  }
  bool end_array() {
    if (place_ == offsets && numbers_.size() != 2) refuse("the end of the list");
    if (place_ == shape) sizes_ = numbers_;
    else begin_ = numbers_[0], end_ = numbers_[1];
    place_ = tensor;
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& e) {
    const std::string_view what = e.what();                   // "[json.exception...] parse error at ...: what it is"
    const size_t colon = what.find(": ");
    fail(Status::value, "safetensors: byte {}: no JSON: {}", 8 + position, shown(colon == what.npos ? what : what.substr(colon + 2)));
  }

 private:
  enum Place { outside, names, metadata, tensor, shape, offsets };
  enum Field : unsigned { has_type = 1, has_shape = 2, has_offsets = 4, all = 7 };

  size_t at() const { return 8 + static_cast<size_t>(seen_ - text_.data()); }
  [[noreturn]] void refuse(const char* what) const {
    static constexpr const char* wanted[] = {"an object", "the object of a tensor", "metadata's texts", "dtype, shape and data_offsets", "sizes", "two offsets"};
    fail(Status::value, "safetensors: byte {}: {}, where {} {} expected", at(), what, wanted[place_], place_ == outside || place_ == names ? "is" : "are");
  }
  void name(std::string& s) {
    is_metadata_ = s == "__metadata__";
    GRADUS_CHECK(!is_metadata_ || !std::exchange(has_metadata_, true), value, "safetensors: byte {}: metadata again", at());
    if (is_metadata_) return;
    file_.entries.emplace_back().name = std::move(s);
  }
  void field(const std::string& s) {
    key_ = s == "dtype" ? unsigned{has_type} : s == "shape" ? unsigned{has_shape} : s == "data_offsets" ? unsigned{has_offsets} : 0;
    GRADUS_CHECK(key_ != 0, value, "safetensors: byte {}: {} has the unknown key {}", at(), shown(entry().name), shown(s));
    GRADUS_CHECK(!(found_ & key_), value, "safetensors: byte {}: {} has {} twice", at(), shown(entry().name), s);
    found_ |= key_;
  }
  void set_type(const std::string& s) {
    const auto* t = std::find_if(std::begin(kTypes), std::end(kTypes), [&s](const Type& k) { return k.name == s; });
    GRADUS_CHECK(t != std::end(kTypes), value, "safetensors: byte {}: {} has the unknown dtype {}", at(), shown(entry().name), shown(s));
    type_ = t;
  }
  void finish() {
    FileEntry& e = entry();
    GRADUS_CHECK(found_ == all, value, "safetensors: byte {}: {} has no {}", at(), shown(e.name),
                 !(found_ & has_type) ? "dtype" : !(found_ & has_shape) ? "shape" : "data_offsets");
    type_->name.copy(e.type, sizeof e.type - 1);
    e.dtype = type_->dtype;
    set_sizes(file_, e, sizes_, type_->bits, at());
    GRADUS_CHECK(begin_ <= end_ && static_cast<uint64_t>(end_ - begin_) == e.bytes, value,
                 "safetensors: byte {}: {} has offsets {} and {}, and {} of shape {} has {} bytes", at(), shown(e.name), begin_, end_, e.type, text(sizes_), e.bytes);
    e.offset = static_cast<uint64_t>(begin_);
    e.swapped = !kLittle && type_->bits > 8;
  }
  FileEntry& entry() { return file_.entries.back(); }

  std::string_view text_;
  File& file_;
  const char* seen_ = nullptr;
  Place place_ = outside;
  unsigned key_ = 0, found_ = 0;
  bool is_metadata_ = false, has_metadata_ = false;
  const Type* type_ = nullptr;
  Sizes numbers_, sizes_;
  int64_t begin_ = 0, end_ = 0;
};

}  // namespace

void parse_safetensors_header(std::string_view json, File& file) {
  GRADUS_CHECK(json.starts_with('{'), value, "safetensors: byte 8: the header begins with no '{{'");
  const size_t zero = json.find('\0');                        // the parser would take it for the end
  GRADUS_CHECK(zero == json.npos, value, "safetensors: byte {}: a zero byte in the header", 8 + zero);
  const size_t last = json.find_last_not_of(' ');
  GRADUS_CHECK(json[last] == '}', value, "safetensors: byte {}: the header ends with no '}}'", 8 + last);
  Header header(json, file);
  nlohmann::json::sax_parse(header.begin(), header.end(), &header);

  std::vector<std::string_view> keys;
  for (const auto& [key, value] : file.metadata) keys.push_back(key);
  std::sort(keys.begin(), keys.end());
  const auto twice = std::adjacent_find(keys.begin(), keys.end());
  GRADUS_CHECK(twice == keys.end(), value, "safetensors: metadata has {} twice", shown(*twice));
}

}  // namespace gradus::io
