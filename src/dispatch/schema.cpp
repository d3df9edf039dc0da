#include "dispatch/schema.h"

#include <cctype>
#include <cstdlib>

#include "dispatch/number_text.h"

namespace gradus {
namespace {

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Schema parse() {
    Schema s;
    s.name = word();
    if (eat('.')) s.overload = word();
    expect('(');
    bool keyword_only = false;
    while (!eat(')')) {
      if (eat('*')) keyword_only = true;
      else {
        Argument a = argument();
        a.keyword_only = keyword_only;
        if (a.type == Type::tensor) a.input = s.inputs++;
        if (!a.has_default && s.required == static_cast<int>(s.arguments.size())) ++s.required;
        s.arguments.push_back(std::move(a));
      }
      eat(',');
    }
    expect('-');
    expect('>');
    if (eat('(')) {
      while (!eat(')')) {
        s.results.push_back(result());
        eat(',');
      }
    } else {
      s.results.push_back(result());
    }
    return s;
  }

 private:
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
      while (!eat(']')) { a.integers.push_back(std::atoll(std::string(number()).c_str())); eat(','); }
      a.fallback.tag = Tag::integers;
    } else if (eat('\'')) {
      a.text = until('\'');
      a.fallback.tag = Tag::text;
    } else {
      skip();
      if (std::isdigit(static_cast<unsigned char>(text_[at_])) || text_[at_] == '-') {
        const std::string n(number());
        if (a.list) { a.integers.assign(1, std::atoll(n.c_str())); a.fallback.tag = Tag::integers; }
        else if (a.type == Type::real || n.find_first_of(".e") != std::string::npos) a.fallback = Value(real_of(n));
        else a.fallback = Value(static_cast<int64_t>(std::atoll(n.c_str())));
      } else {
        named_default(a, word());
      }
    }
  }
  void named_default(Argument& a, const std::string& w) {
    if (w == "None" || w == "contiguous_format") a.fallback = Value(std::nullopt);
    else if (w == "True" || w == "False") a.fallback = Value(w == "True");
    else if (w == "Mean") a.fallback = Value(1);
    else if (w == "Sum") a.fallback = Value(2);
    else if (w == "long") a.fallback = Value(Dtype::i64);
    else fail(Status::internal, "schema: unknown default '{}' in '{}'", w, text_);
  }

  void skip() { while (at_ < text_.size() && text_[at_] == ' ') ++at_; }
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
  std::string_view number() {
    skip();
    const size_t begin = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '.' || text_[at_] == '-' || text_[at_] == '+')) ++at_;
    return text_.substr(begin, at_ - begin);
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
    case Tag::dtype: return "long";
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
