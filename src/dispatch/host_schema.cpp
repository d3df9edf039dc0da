#include "dispatch/host_schema.h"

#include <cctype>

#include "dispatch/op.h"

namespace gradus {
namespace {

// Words with dots between, two at least.
bool is_name(std::string_view name) {
  int words = 0;
  bool begin = true;
  for (char c : name) {
    if (c == '.') {
      if (begin) return false;
      begin = true;
      continue;
    }
    const auto u = static_cast<unsigned char>(c);
    if (u >= 0x80 || !(std::isalpha(u) || c == '_' || (!begin && std::isdigit(u)))) return false;
    words += begin;
    begin = false;
  }
  return words > 1 && !begin;
}

bool fits(const Argument& a) {                                // the default
  const Tag t = a.fallback.tag;
  if (!a.has_default) return true;
  if (t == Tag::none) return a.optional;
  if (a.list) return t == Tag::integers && a.type == Type::integer;
  switch (a.type) {
    case Type::integer: return t == Tag::integer;
    case Type::real: return t == Tag::real;
    case Type::scalar: return a.fallback.is_number();
    case Type::boolean: return t == Tag::boolean;
    case Type::text: return t == Tag::text;
    case Type::dtype: return t == Tag::dtype;
    default: return false;
  }
}

void check(const Schema& s) {
  GRADUS_CHECK(s.arguments.size() <= kMaxArguments, value, "{}: {} arguments, at most {} are possible", s.name, s.arguments.size(), kMaxArguments);
  for (size_t i = 0; i < s.arguments.size(); ++i) {
    const Argument& a = s.arguments[i];
    GRADUS_CHECK(!a.aliases && !a.written, value, "{}: argument '{}' is marked as an alias or as written, which an operation of the host can't be", s.name, a.name);
    GRADUS_CHECK(a.type != Type::other, value, "{}: argument '{}' has a type that has no values here", s.name, a.name);
    GRADUS_CHECK(!a.list || a.type == Type::tensor || a.type == Type::integer || a.type == Type::real, value,
                 "{}: argument '{}' is a list of what has no lists: only tensors, integers and floats have", s.name, a.name);
    GRADUS_CHECK(fits(a), value, "{}: the default of argument '{}' does not fit its type", s.name, a.name);
    GRADUS_CHECK(s.position(a.name) == static_cast<int>(i), value, "{}: two arguments are called '{}'", s.name, a.name);
  }
  GRADUS_CHECK(!s.results.empty(), value, "{}: it has no results", s.name);
  for (const Result& r : s.results) {
    GRADUS_CHECK(r.type == Type::tensor && !r.aliases, value, "{}: results are tensors, and no aliases", s.name);
    GRADUS_CHECK(!r.list || s.results.size() == 1, value, "{}: a list result stands alone", s.name);
  }
}

}  // namespace

Schema parse_host_schema(std::string_view name, std::string_view text) {
  GRADUS_CHECK(is_name(name), value, "'{}' is no name for an operation of the host: words with a dot between, as in vendor.op", name);
  const size_t begin = text.find('(');
  std::string_view before = text.substr(0, std::min(begin, text.size()));
  while (!before.empty() && std::isspace(static_cast<unsigned char>(before.back()))) before.remove_suffix(1);
  GRADUS_CHECK(begin != std::string_view::npos && (before.empty() || before == name), value, "{}: the schema '{}' does not begin with the name or '('", name, text);
  const std::string whole = "host" + std::string(text.substr(begin));
  Schema s;
  try {
    s = parse_schema(whole);
  } catch (const Error& e) {
    if (e.status() != Status::internal) throw;
    throw Error(Status::value, std::string(name) + ": " + e.what());
  }
  s.name = name;
  check(s);
  return s;
}

}  // namespace gradus
