// The C++ functions: free ones, and methods where the first argument is a tensor. They go through gradus_invoke, which keeps
// integers, booleans and floats apart.
#include <algorithm>

#include "capi/generate.h"

namespace gradus::capi {
namespace {

struct Parameter {
  std::string type, name, fallback;                           // fallback: empty if the argument has to be given
  bool hidden = false;                                        // always the default
};

std::string quoted(const std::string& s) { return "\"" + s + "\""; }

std::string literal(const Value& v) {
  if (v.tag == Tag::boolean) return v.i ? "true" : "false";
  if (v.tag == Tag::integer) return std::to_string(v.i);
  char shortest[40];
  std::snprintf(shortest, sizeof shortest, "%.17g", v.d);
  for (int digits = 1; digits < 17; ++digits) {
    std::snprintf(shortest, sizeof shortest, "%.*g", digits, v.d);
    if (std::atof(shortest) == v.d) break;
  }
  return shortest;
}

std::string fallback_of(const Argument& a) {
  if (!a.has_default) return a.optional ? "{}" : "";
  if (a.fallback.tag == Tag::text) return quoted(a.text);
  if (a.list || (a.fallback.tag != Tag::boolean && a.fallback.tag != Tag::integer && a.fallback.tag != Tag::real)) return "{}";
  return literal(a.fallback);
}

std::string type_of(const Op& op, size_t position, const std::string& tensor) {
  const Argument& a = op.info->schema.arguments[position];
  const auto maybe = [&](const std::string& type) { return a.optional ? "std::optional<" + type + ">" : type; };
  switch (a.type) {
    case Type::tensor:
      if (a.list) return "const BasicTensorList<" + tensor + ">&";
      return takes_number(op, position) || (op.formula && op.formula->arity > 1) ? "const Operand&" : "const " + tensor + "&";
    case Type::integer: return a.list ? "const IntList&" : maybe("int64_t");
    case Type::real: return a.list ? "const std::vector<double>&" : maybe("double");
    case Type::scalar: return maybe("Scalar");
    case Type::boolean: return maybe("bool");
    case Type::dtype: return "Dtype";
    case Type::text: return maybe("std::string_view");
    default: return "";
  }
}

// Defaults are given from the last parameter without one onwards.
std::vector<Parameter> parameters(const Op& op, const std::string& tensor) {
  std::vector<Parameter> all;
  const auto& arguments = op.info->schema.arguments;
  for (size_t i = 0; i < arguments.size(); ++i)
    all.push_back({type_of(op, i, tensor), argument_name(*op.info, i), fallback_of(arguments[i]), arguments[i].type == Type::other});
  bool open = true;
  for (size_t i = all.size(); i-- > 0;) {
    if (all[i].hidden) continue;
    if (all[i].fallback.empty()) open = false;
    if (!open) all[i].fallback.clear();
  }
  return all;
}

bool has_method(const Op& op) {
  const auto& arguments = op.info->schema.arguments;
  return !arguments.empty() && arguments[0].type == Type::tensor && !arguments[0].list && !arguments[0].optional && arguments[0].name == "self";
}

std::string result_type(const Op& op, const std::string& tensor) {
  if (is_list_result(op)) return "std::vector<" + tensor + ">";
  const size_t n = op.info->schema.results.size();
  if (n == 1) return tensor;
  std::string s = "std::tuple<";
  for (size_t i = 0; i < n; ++i) s += (i ? ", " : "") + tensor;
  return s + ">";
}

std::string call(const Op& op, const std::string& tensor, const std::vector<std::string>& values) {
  const size_t n = op.info->schema.results.size();
  const std::string what = is_list_result(op) ? "detail::many<" + tensor + ">" : n == 1 ? "detail::one<" + tensor + ">"
                                                                                      : "detail::some<" + tensor + ", " + std::to_string(n) + ">";
  return wrapped("  static const detail::Op op_(" + quoted(name(op)) + ");\n  return " + what + "(op_, {", values, "});\n");
}

std::string function(const Op& op, bool method) {
  const std::string tensor = method ? "T" : "Tensor";
  std::vector<std::string> declared, values;
  const std::vector<Parameter> all = parameters(op, tensor);
  for (size_t i = 0; i < all.size(); ++i) {
    const Parameter& p = all[i];
    values.push_back(p.hidden ? "detail::Arg()" : method && i == 0 ? "self()" : p.name);
    if (!p.hidden && !(method && i == 0)) declared.push_back(p.type + " " + p.name + (p.fallback.empty() ? "" : " = " + p.fallback));
  }
  while (!values.empty() && values.back() == "detail::Arg()") values.pop_back();
  std::string s = "// " + std::string(op.doc.substr(0, op.doc.find('\n'))) + "\n";
  if (s.size() > 130) s = s.substr(0, s.rfind(' ', 126)) + " ...\n";
  const std::string type = result_type(op, tensor);
  if (method && op.info->functional) {
    s += wrapped("const T& " + name(op) + "(", declared, ") const {\n") + call(op, "T", values);
    s.replace(s.rfind("  return "), 9, "  ");
    return s + "  return self();\n}\n";
  }
  return s + wrapped((method ? "" : "inline ") + type + " " + name(op) + "(", declared, method ? ") const {\n" : ") {\n") + call(op, tensor, values) + "}\n";
}

std::string indented(const std::string& lines) {
  std::string s;
  for (size_t at = 0; at < lines.size();) {
    const size_t end = lines.find('\n', at) + 1;
    (s += "  ").append(lines, at, end - at);
    at = end;
  }
  return s;
}

}  // namespace

std::string cpp_methods() {
  std::string s = std::string("// gradus/methods.hpp - the operations as methods of Tensor.\n// ") + kNotice +
                  "\n#ifndef GRADUS_METHODS_HPP\n#define GRADUS_METHODS_HPP\n\n#include \"gradus/values.hpp\"\n\nnamespace gradus {\ninline namespace v1 {\n\n"
                  "template <class T> class Methods {\n public:\n";
  for (const Op* op : public_ops())
    if (has_method(*op)) s += indented(function(*op, true));
  return s + "\n private:\n  const T& self() const { return static_cast<const T&>(*this); }\n};\n\n}  // namespace v1\n}  // namespace gradus\n#endif\n";
}

std::string cpp_functions() {
  std::string s = std::string("// gradus/ops.hpp - the operations as functions.\n// ") + kNotice +
                  "\n#ifndef GRADUS_OPS_HPP\n#define GRADUS_OPS_HPP\n\n#include \"gradus/tensor.hpp\"\n\nnamespace gradus {\ninline namespace v1 {\n\n";
  for (const Op* op : public_ops()) s += function(*op, false) + "\n";
  return s + "}  // namespace v1\n}  // namespace gradus\n#endif\n";
}

}  // namespace gradus::capi
