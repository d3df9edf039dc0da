// npy, versions 1.0 to 3.0: a magic, a length, a dictionary in Python's notation, then the elements. The dictionary is read by a grammar of
// its own: three keys in any order, two texts, a truth value and a tuple of integers; nothing is evaluated.
#include <algorithm>

#include "io/formats.h"

namespace gradus::io {
namespace {

class Dictionary {
 public:
  Dictionary(std::string_view text, uint64_t at, File& file, FileEntry& entry) : text_(text), start_(at), file_(file), entry_(entry) {}

  void read() {
    space();
    expect('{');
    for (space(); peek() != '}'; space()) {
      item();
      space();
      if (peek() != '}') expect(',');
    }
    ++at_;
    space();
    if (at_ < text_.size()) refuse("the end of the header");
    if (found_ != all) refuse("all of 'descr', 'fortran_order' and 'shape'");
    set_sizes(file_, entry_, sizes_, 8 * width_, start_);
    entry_.column_major = column_major_ && sizes_.size() > 1;
  }

 private:
  enum Field : unsigned { type = 1, order = 2, shape = 4, all = 7 };

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void space() {
    while (peek() == ' ' || peek() == '\n' || peek() == '\t' || peek() == '\r') ++at_;
  }
  bool take(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  void expect(char c) {
    const char what[] = {'\'', c, '\'', '\0'};
    if (at_ >= text_.size() || text_[at_] != c) refuse(what);
    ++at_;
  }
  [[noreturn]] void refuse(const char* wanted) const {
    fail(Status::value, "npy: byte {}: {} is expected, not {}", start_ + at_, wanted, at_ < text_.size() ? shown(text_.substr(at_, 20)) : "the end");
  }

  std::string_view quoted() {
    const char mark = peek();
    if (mark != '\'' && mark != '"') refuse("a text");
    const size_t begin = ++at_;
    while (at_ < text_.size() && text_[at_] != mark) {
      const char c = text_[at_];
      if (c < 0x20 || c > 0x7e || c == '\\') refuse("plain text");
      ++at_;
    }
    expect(mark);
    return text_.substr(begin, at_ - 1 - begin);
  }
  void item() {
    const std::string_view key = quoted();
    const unsigned field = key == "descr" ? unsigned{type} : key == "fortran_order" ? unsigned{order} : key == "shape" ? unsigned{shape} : 0;
    GRADUS_CHECK(field != 0, value, "npy: byte {}: unknown key {}", start_ + at_, shown(key));
    GRADUS_CHECK(!(found_ & field), value, "npy: byte {}: '{}' again", start_ + at_, key);
    found_ |= field;
    space();
    expect(':');
    space();
    if (field == type) set_type(peek() == '[' ? std::string_view("a record") : quoted());
    if (field == order && !(column_major_ = take("True")) && !take("False")) refuse("True or False");
    if (field == shape) tuple();
  }
  void tuple() {
    expect('(');
    bool comma = true;
    for (space(); peek() != ')'; space()) {
      if (!comma || sizes_.size() == kMaxDims) refuse(comma ? "no dimension beyond the 64th" : "',' or ')'");
      sizes_.push_back(integer());
      space();
      comma = take(",");
    }
    if (sizes_.size() == 1 && !comma) refuse("',' (without it this is no tuple)");
    ++at_;
  }
  int64_t integer() {
    const size_t begin = at_;
    int64_t v = 0;
    for (; peek() >= '0' && peek() <= '9'; ++at_)
      if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, peek() - '0', &v)) refuse("a size below 2^63");
    if (at_ == begin || (text_[begin] == '0' && at_ > begin + 1)) refuse("a size");
    take("L");                                                // as Python 2 wrote it
    return v;
  }
  // "<f4": byte order, kind, bytes.
  void set_type(std::string_view s) {
    struct Known { std::string_view code; int64_t width; Dtype dtype = Dtype::none; };
    static constexpr Known known[] = {{"b1", 1, Dtype::boolean}, {"u1", 1, Dtype::u8}, {"i1", 1, Dtype::i8}, {"i2", 2, Dtype::i16},
                                      {"i4", 4, Dtype::i32}, {"i8", 8, Dtype::i64}, {"f2", 2, Dtype::f16}, {"f4", 4, Dtype::f32},
                                      {"f8", 8, Dtype::f64}, {"u2", 2}, {"u4", 4}, {"u8", 8}, {"c8", 8, Dtype::c64}, {"c16", 16, Dtype::c128}};
    const char order_of_bytes = s.empty() ? '\0' : s[0];
    const auto* k = std::find_if(std::begin(known), std::end(known), [&s](const Known& o) { return !s.empty() && o.code == s.substr(1); });
    const bool ordered = order_of_bytes == '<' || order_of_bytes == '>' || order_of_bytes == '=';
    GRADUS_CHECK(k != std::end(known) && (ordered || (order_of_bytes == '|' && k->width == 1)), value,
                 "npy: byte {}: the element type {} is not read: numbers and truth values are", start_ + at_, shown(s));
    s.copy(entry_.type, sizeof entry_.type - 1);
    entry_.dtype = k->dtype;
    width_ = k->width;
    entry_.swapped = width_ > 1 && order_of_bytes != '=' && (order_of_bytes == '<') != kLittle;
  }

  std::string_view text_;
  uint64_t start_;
  File& file_;
  FileEntry& entry_;
  size_t at_ = 0;
  unsigned found_ = 0;
  int64_t width_ = 0;
  bool column_major_ = false;
  Sizes sizes_;
};

std::string_view code_of(Dtype t) {
  switch (t) {
    case Dtype::boolean: return "|b1";
    case Dtype::u8: return "|u1";
    case Dtype::i8: return "|i1";
    case Dtype::i16: return "<i2";
    case Dtype::i32: return "<i4";
    case Dtype::i64: return "<i8";
    case Dtype::f16: return "<f2";
    case Dtype::f32: return "<f4";
    case Dtype::c64: return "<c8";
    case Dtype::c128: return "<c16";
    default: return "<f8";
  }
}

bool is_column_major(const Tensor& t) {
  Sizes sizes(t.sizes()), strides(t.strides());
  std::reverse(sizes.begin(), sizes.end());
  std::reverse(strides.begin(), strides.end());
  return !t.contiguous() && is_contiguous(sizes, strides);
}

}  // namespace

void parse_npy_header(std::string_view start, uint64_t total, uint64_t at, File& file, FileEntry& entry) {
  GRADUS_CHECK(start.size() >= 10 && start.starts_with("\x93NUMPY"), value, "npy: byte {}: no npy file: it does not begin with \\x93NUMPY", at);
  const unsigned major = static_cast<unsigned char>(start[6]), minor = static_cast<unsigned char>(start[7]);
  GRADUS_CHECK(major >= 1 && major <= 3 && minor == 0, value, "npy: byte {}: version {}.{}; 1.0, 2.0 and 3.0 are read", at + 6, major, minor);
  const int digits = major == 1 ? 2 : 4;
  const uint64_t before = 8 + static_cast<uint64_t>(digits);
  GRADUS_CHECK(start.size() >= before, value, "npy: byte {}: the file ends inside the length of the header", at + start.size());
  const uint64_t length = little(start.data() + 8, digits);
  GRADUS_CHECK(length <= kNpyHeader, value, "npy: byte {}: a header of {} bytes; {} are the most", at + 8, length, kNpyHeader);
  GRADUS_CHECK(length <= start.size() - before, value, "npy: byte {}: a header of {} bytes, and the file has {}", at + 8, length, total);
  Dictionary(start.substr(before, length), at + before, file, entry).read();
  entry.offset = before + length;
  GRADUS_CHECK(entry.bytes == total - entry.offset, value, "npy: byte {}: {} of shape {} has {} bytes, and {} are there", at + entry.offset, entry.type,
               text(file.sizes(entry)), entry.bytes, total - entry.offset);
}

void read_npy(File& f) {
  const std::string_view all = f.content.text();
  parse_npy_header(all.substr(0, kNpyPrefix + kNpyHeader), all.size(), 0, f, f.entries.emplace_back());
}

void write_npy(Sink& sink, const Tensor& t) {
  const bool column_major = is_column_major(t);
  std::string dictionary = format("{{'descr': '{}', 'fortran_order': {}, 'shape': (", code_of(t.dtype()), column_major ? "True" : "False");
  for (size_t i = 0; i < t.sizes().size(); ++i) dictionary += (i ? ", " : "") + format("{}", t.sizes()[i]);
  dictionary += t.ndim() == 1 ? ",), }" : "), }";
  constexpr size_t kAlign = 64, kBefore = 10;
  dictionary.resize((kBefore + dictionary.size() + 1 + kAlign - 1) / kAlign * kAlign - kBefore - 1, ' ');
  dictionary += '\n';
  const size_t n = dictionary.size();
  const char before[kBefore] = {'\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0, static_cast<char>(n & 0xff), static_cast<char>(n >> 8)};
  sink.write(before, sizeof before);
  sink.write(dictionary);
  write_elements(sink, t, column_major);
}

}  // namespace gradus::io
