#include "capi/names.h"

#include <algorithm>

#include "dispatch/number_text.h"
#include "dispatch/registry.h"
#include "gradus/base.h"
#include "graph/out.h"

namespace gradus::capi {
namespace {

constexpr std::pair<std::string_view, const char*> kOtherNames[] = {
    {"self", "input"}, {"end", "stop"}, {"from", "low"}, {"to", "high"}, {"implicit", "is_implicit"}, {"var", "variance"}, {"type", "kind"}, {"in", "source"},
    {"out", "target"}, {"lambda", "threshold"}, {"default", "fallback"}, {"val", "value"}, {"ref", "reference"}, {"base", "base_value"},
    {"fn", "function"}, {"mod", "modulus"}, {"object", "item"}, {"params", "parameters"}, {"string", "text"}, {"global", "is_global"},
    {"struct", "structure"}, {"with", "companion"}, {"where", "condition"}, {"fixed", "is_fixed"}, {"test", "is_test"},
};

constexpr std::string_view kKeywords[] = {
    "abstract", "alias", "align", "allowzero", "alignas", "alignof", "and", "any", "anyframe", "anytype", "arguments", "as", "asm", "assert",
    "async", "auto", "await", "baremodule", "base", "become", "begin", "bitand", "bitor", "bool", "box", "break", "byte", "case", "catch",
    "chan", "char", "checked", "class", "compl", "concept", "const", "constraint", "consteval", "constexpr", "constinit", "continue", "crate",
    "debugger", "decimal", "def", "default", "defer", "del", "delegate", "delete", "do", "done", "double", "downto", "dyn", "dynamic", "elif",
    "else", "elseif", "end", "enum", "errdefer", "error", "eval", "event", "except", "exception", "explicit", "export", "extends", "extern",
    "external", "fallthrough", "false", "final", "finally", "fixed", "float", "fn", "for", "foreach", "friend", "from", "fun", "func",
    "function", "functor", "global", "go", "goto", "if", "impl", "implements", "implicit", "import", "in", "include", "inherit", "initializer",
    "inline", "instanceof", "int", "interface", "internal", "is", "lambda", "land", "lazy", "let", "local", "lock", "long", "loop", "lor",
    "lsl", "lsr", "lxor", "macro", "map", "match", "method", "mod", "module", "move", "mut", "mutable", "namespace", "native", "new", "nil",
    "noalias", "noexcept", "nonlocal", "nonrec", "not", "null", "nullptr", "object", "of", "open", "operator", "or", "orelse", "out",
    "override", "package", "packed", "params", "pass", "priv", "private", "protected", "pub", "public", "quote", "raise", "range", "readonly",
    "rec", "ref", "register", "repeat", "requires", "restrict", "resume", "return", "sbyte", "sealed", "select", "self", "short", "sig",
    "signed", "sizeof", "stackalloc", "static", "strictfp", "string", "struct", "super", "suspend", "switch", "synchronized", "template",
    "test", "then", "this", "throw", "throws", "to", "trait", "transient", "true", "try", "type", "typedef", "typeid", "typename", "typeof",
    "uint", "ulong", "unchecked", "undefined", "union", "unreachable", "unsafe", "unsigned", "unsized", "until", "use", "ushort", "using",
    "val", "var", "virtual", "void", "volatile", "when", "where", "while", "with", "xor", "yield",
};

std::string quoted(std::string_view s) {
  std::string out = "\"";
  for (char c : s) {
    if (c == '"' || c == '\\') (out += '\\') += c;
    else if (c == '\n') out += "\\n";
    else if (static_cast<unsigned char>(c) < 0x20) out += ' ';
    else out += c;
  }
  return out + '"';
}
const char* boolean(bool b) { return b ? "true" : "false"; }

const char* type_name(Type t) {
  constexpr const char* names[] = {"tensor", "int", "float", "bool", "number", "dtype", "text", "other"};
  return names[static_cast<int>(t)];
}

std::string default_value(const Argument& a) {
  const Value& v = a.fallback;
  switch (v.tag) {
    case Tag::boolean: return boolean(v.i != 0);
    case Tag::integer: return std::to_string(v.i);
    case Tag::real: {
      const std::string s = shortest(v.d);
      if (s.find_first_not_of("-0123456789.e+") != std::string::npos) return quoted(s);     // inf, nan
      return s.find_first_of(".e") == std::string::npos ? s + ".0" : s;
    }
    case Tag::text: return quoted(a.text);
    case Tag::dtype: return quoted(gradus::name(static_cast<Dtype>(v.aux)));
    case Tag::integers: return text(a.integers);
    default: return "null";
  }
}

std::string argument_json(const OpInfo& op, size_t i) {
  const Argument& a = op.schema.arguments[i];
  std::string s = "{\"name\": " + quoted(argument_name(op, i)) + ", \"schema_name\": " + quoted(a.name) + ", \"type\": \"" + type_name(a.type) +
                  "\", \"list\": " + boolean(a.list) + ", \"optional\": " + boolean(a.optional);
  if (a.list && a.list_size) s += ", \"list_size\": " + std::to_string(a.list_size);
  if (a.optional_elements) s += ", \"optional_elements\": true";
  if (a.has_default) s += ", \"default\": " + default_value(a);
  return s + ", \"keyword_only\": " + boolean(a.keyword_only) + ", \"written\": " + boolean(a.written) + "}";
}

std::string op_json(const OpInfo& info) {
  const Op& op = *info.op;
  std::string s = "  {\"name\": " + quoted(info.name) + ", \"schema\": " + quoted(print(info.schema)) + ", \"doc\": " + quoted(op.doc) + ", \"serves\": [";
  std::string_view rest = op.serves;
  for (bool first = true; !rest.empty(); first = false) {
    const size_t n = std::min(rest.find(' '), rest.size());
    if (n > 0) s += (first ? "" : ", ") + quoted(rest.substr(0, n));
    rest.remove_prefix(std::min(n + 1, rest.size()));
  }
  s += "],\n   \"arguments\": [";
  for (size_t i = 0; i < info.schema.arguments.size(); ++i) s += (i ? ",\n     " : "\n     ") + argument_json(info, i);
  s += "],\n   \"results\": [";
  for (size_t i = 0; i < info.schema.results.size(); ++i) {
    const Result& r = info.schema.results[i];
    s += std::string(i ? ", " : "") + "{\"name\": " + quoted(r.name) + ", \"type\": \"" + type_name(r.type) + "\", \"list\": " + boolean(r.list) + "}";
  }
  return s + "],\n   \"differentiable\": " + boolean(info.differentiable) + ", \"in_place\": " + boolean(info.functional != nullptr) +
         ", \"view\": " + boolean(op.view != nullptr) + ", \"random\": " + boolean(op.random) + ", \"out\": " + boolean(has_out_form(op)) + "}";
}

}  // namespace

bool is_keyword(std::string_view word) { return std::find(std::begin(kKeywords), std::end(kKeywords), word) != std::end(kKeywords); }

const char* argument_name(const OpInfo& op, size_t position) {
  const std::string& name = op.schema.arguments[position].name;
  for (const auto& [from, to] : kOtherNames)
    if (name == from && op.schema.position(to) < 0) return to;
  return name.c_str();
}

std::string registry_json() {
  std::string s = "{\"level\": " + std::to_string(GRADUS_API_LEVEL) + ", \"ops\": [\n";
  bool first = true;
  for (const Op* op : all_ops()) s += (std::exchange(first, false) ? "" : ",\n") + op_json(*op->info);
  return s + "\n]}\n";
}

}  // namespace gradus::capi
