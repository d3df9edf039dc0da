#include "dispatch/schema.h"

#include <cctype>
#include <cstdlib>

#include "dispatch/number_text.h"

namespace gradus {
namespace {

Dtype dtype_called(std::string_view word) {                   // "float32"
  for (int i = 1; i < kDtypes; ++i)
    if (name(static_cast<Dtype>(i)) == word) return static_cast<Dtype>(i);
  return Dtype::none;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Schema parse() {
    Schema s;
    s.name = word();
    if (eat('.')) s.overload = word();
    expect('(');
    bool keyword_only = false;
    list(')', [&] {
      if (eat('*')) keyword_only = true;
      else add_argument(s, keyword_only);
    });
    expect('-');
    expect('>');
    if (eat('(')) list(')', [&] { s.results.push_back(result()); });
    else s.results.push_back(result());
    skip();
    GRADUS_CHECK(at_ == text_.size(), internal, "schema: '{}' follows the end of '{}'", text_.substr(at_), text_);
    return s;
  }

 private:
  void add_argument(Schema& s, bool keyword_only) {
    Argument a = argument();
    a.keyword_only = keyword_only;
    if (a.type == Type::tensor) a.input = s.inputs++;
    if (!a.has_default && s.required == static_cast<int>(s.arguments.size())) ++s.required;
    s.arguments.push_back(std::move(a));
  }
  Argument argument() {
    Argument a;
    a.type = type();
    if (eat('(')) { a.aliases = true; a.written = until(')').find('!') != std::string_view::npos; }
    if (eat('?')) a.optional = true;
    if (eat('[')) {
      a.list = true;
      a.optional_elements = std::exchange(a.optional, false);
      const std::string_view n = until(']');
      if (!n.empty()) a.list_size = std::atoi(std::string(n).c_str());
      if (eat('?')) a.optional = true;
    }
    a.name = word();
    if (eat('=')) default_of(a);
    return a;
  }
  Result result() {
    Result r;
    r.type = type();
    if (eat('(')) { r.aliases = true; r.written = until(')').find('!') != std::string_view::npos; }
    if (eat('[')) { until(']'); r.list = true; }
    skip();
    if (at_ < text_.size() && std::isalpha(static_cast<unsigned char>(text_[at_]))) r.name = word();
    return r;
  }
  Type type() {
    const std::string w = word();
    if (w == "Tensor") return Type::tensor;
    if (w == "int" || w == "SymInt") return Type::integer;
    if (w == "float") return Type::real;
    if (w == "bool") return Type::boolean;
    if (w == "Scalar") return Type::scalar;
    if (w == "ScalarType") return Type::dtype;
    if (w == "str") return Type::text;
    if (w == "Layout" || w == "Device" || w == "MemoryFormat" || w == "Generator") return Type::other;
    fail(Status::internal, "schema: unknown type '{}' in '{}'", w, text_);
  }
  void default_of(Argument& a) {
    a.has_default = true;
    if (eat('[')) {
      list(']', [&] { a.integers.push_back(integer(number())); });
      a.fallback.tag = Tag::integers;
    } else if (eat('\'')) {
      a.text = until('\'');
      a.fallback.tag = Tag::text;
    } else if (skip(); at_ < text_.size() && (std::isdigit(static_cast<unsigned char>(text_[at_])) || text_[at_] == '-')) {
      const std::string n = number();
      if (a.list) { a.integers.assign(1, integer(n)); a.fallback.tag = Tag::integers; }
      else if (a.type == Type::real || n.find_first_of(".e") != std::string::npos) a.fallback = Value(real(n));
      else a.fallback = Value(integer(n));
    } else {
      named_default(a, word());
    }
  }
  void named_default(Argument& a, const std::string& w) {
    if (w == "None" || w == "contiguous_format") a.fallback = Value(std::nullopt);
    else if (w == "True" || w == "False") a.fallback = Value(w == "True");
    else if (w == "Mean") a.fallback = Value(1);
    else if (w == "Sum") a.fallback = Value(2);
    else if (w == "long") a.fallback = Value(Dtype::i64);
    else if (const Dtype t = dtype_called(w); t != Dtype::none) a.fallback = Value(t);
    else fail(Status::internal, "schema: unknown default '{}' in '{}'", w, text_);
  }

  // Items with commas between, up to `end`.
  template <class F> void list(char end, F&& item) {
    if (eat(end)) return;
    do item(); while (eat(','));
    expect(end);
  }
  void skip() { while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_; }
  bool eat(char c) {
    skip();
    if (at_ < text_.size() && text_[at_] == c) { ++at_; return true; }
    return false;
  }
  void expect(char c) { GRADUS_CHECK(eat(c), internal, "schema: expected '{}' at {} of '{}'", c, at_, text_); }
  std::string word() {
    skip();
    const size_t begin = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_')) ++at_;
    GRADUS_CHECK(at_ > begin, internal, "schema: expected a word at {} of '{}'", at_, text_);
    return std::string(text_.substr(begin, at_ - begin));
  }
  std::string number() {
    skip();
    const size_t begin = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '.' || text_[at_] == '-' || text_[at_] == '+')) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }
  int64_t integer(const std::string& n) {
    char* end = nullptr;
    const long long value = std::strtoll(n.c_str(), &end, 10);
    GRADUS_CHECK(!n.empty() && *end == 0, internal, "schema: '{}' is no integer in '{}'", n, text_);
    return value;
  }
  double real(const std::string& n) {
    double value = 0;                                         // a point in any locale, hence not strtod
    const auto [end, error] = std::from_chars(n.data(), n.data() + n.size(), value);
    GRADUS_CHECK(error == std::errc() && end == n.data() + n.size(), internal, "schema: '{}' is no number in '{}'", n, text_);
    return value;
  }
  std::string_view until(char c) {
    const size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != c) ++at_;
    expect(c);
    return text_.substr(begin, at_ - begin - 1);
  }

  std::string_view text_;
  size_t at_ = 0;
};

std::string_view type_name(Type t) {
  constexpr std::string_view names[] = {"Tensor", "int", "float", "bool", "Scalar", "ScalarType", "str", "Layout"};
  return names[static_cast<int>(t)];
}

std::string print_default(const Argument& a) {
  switch (a.fallback.tag) {
    case Tag::boolean: return a.fallback.i ? "True" : "False";
    case Tag::integer: return std::to_string(a.fallback.i);
    case Tag::real: {
      const std::string s = shortest(a.fallback.d);
      return s.find_first_of(".en") == std::string::npos ? s + ".0" : s;
    }
    case Tag::text: return "'" + a.text + "'";
    case Tag::dtype: return a.fallback.aux == static_cast<uint32_t>(Dtype::i64) ? "long" : std::string(name(static_cast<Dtype>(a.fallback.aux)));
    case Tag::integers: return a.list_size && a.integers.size() == 1 ? std::to_string(a.integers[0]) : text(a.integers);
    default: return "None";
  }
}

}  // namespace

Schema parse_schema(std::string_view text) {
  Schema s = Parser(text).parse();
  for (Argument& a : s.arguments) {                           // the arguments no longer move: point at their own lists
    if (a.fallback.tag == Tag::integers) { a.fallback.p = a.integers.data(); a.fallback.length = a.integers.size(); }
    if (a.fallback.tag == Tag::text) { a.fallback.p = a.text.data(); a.fallback.length = a.text.size(); }
  }
  return s;
}

std::string print(const Schema& s) {
  std::string out = s.name + (s.overload.empty() ? "" : "." + s.overload) + "(";
  bool keywords = false;
  for (size_t i = 0; i < s.arguments.size(); ++i) {
    const Argument& a = s.arguments[i];
    if (i) out += ", ";
    if (a.keyword_only && !std::exchange(keywords, true)) out += "*, ";
    out += type_name(a.type);
    if (a.aliases) out += a.written ? "(a!)" : "(a)";
    if (a.optional_elements) out += "?";
    if (a.list) out += a.list_size ? "[" + std::to_string(a.list_size) + "]" : "[]";
    if (a.optional) out += "?";
    out += " " + a.name;
    if (a.has_default) out += "=" + print_default(a);
  }
  out += ") -> ";
  if (s.results.size() != 1) out += "(";
  for (size_t i = 0; i < s.results.size(); ++i) {
    const Result& r = s.results[i];
    if (i) out += ", ";
    out += type_name(r.type);
    if (r.aliases) out += r.written ? "(a!)" : "(a)";
    if (r.list) out += "[]";
    if (!r.name.empty()) out += " " + r.name;
  }
  return s.results.size() != 1 ? out + ")" : out;
}

int Schema::position(std::string_view argument) const {
  for (size_t i = 0; i < arguments.size(); ++i)
    if (arguments[i].name == argument) return static_cast<int>(i);
  return -1;
}

}  // namespace gradus
