// The typed C functions: one per operation, and one with numbers for tensors where PyTorch has that.
#include <algorithm>
#include <cctype>

#include "capi/generate.h"

namespace gradus::capi {
namespace {

struct Parameter {
  std::vector<std::string> declared;                          // "const int64_t *dim", "size_t dim_count"
  std::string value;                                          // "arg::list(dim, dim_count)"
};

Parameter tensor_parameter(const Argument& a, const std::string& n) {
  if (a.list) return {{"gradus_tensor *const *" + n, "size_t " + n + "_count"}, "arg::list(" + n + ", " + n + "_count)"};
  const std::string type = a.written ? "gradus_tensor *" : "const gradus_tensor *";
  return {{type + n}, (a.optional ? "arg::optional(" : "arg::given(") + n + ")"};
}

Parameter parameter(const OpInfo& op, size_t i) {
  const Argument& a = op.schema.arguments[i];
  const std::string n = argument_name(op, i);
  const auto plain = [&](const std::string& type, const std::string& value) {
    if (a.list) return Parameter{{"const " + type + " *" + n, "size_t " + n + "_count"}, "arg::list(" + n + ", " + n + "_count)"};
    if (a.optional) return Parameter{{"const " + type + " *" + n}, "arg::optional(" + n + ")"};
    return Parameter{{type + " " + n}, value};
  };
  switch (a.type) {
    case Type::tensor: return tensor_parameter(a, n);
    case Type::integer: return plain("int64_t", "Value(" + n + ")");
    case Type::real: return plain("double", "Value(" + n + ")");
    case Type::scalar: return plain("double", (a.fallback.tag == Tag::integer ? "arg::whole(" : "Value(") + n + ")");
    case Type::boolean:
      if (a.optional) return {{"const int32_t *" + n}, n + " ? arg::flag(*" + n + ") : Value(std::nullopt)"};
      return {{"int32_t " + n}, "arg::flag(" + n + ")"};
    case Type::dtype: return {{"int32_t " + n}, "arg::dtype(" + n + ")"};
    case Type::text: return {{"const char *" + n, "size_t " + n + "_length"}, "arg::text(" + n + ", " + n + "_length)"};
    default: return {{}, "Value()"};
  }
}

// The parameter is left to its default: the factor of the second operand, for which there is gradus_invoke.
bool left_out(const Op& op, const Argument& a) { return op.formula && a.keyword_only && a.name == "alpha"; }

struct Function {
  const Op* op;
  bool scalar;                                                // numbers in place of tensors
  std::string name;
};

Parameter parameter(const Function& f, size_t i) {
  const OpInfo& info = *f.op->info;
  if (!f.scalar || !takes_number(*f.op, i)) return parameter(info, i);
  const std::string n = argument_name(info, i);
  if (info.schema.arguments[i].optional) return {{"const double *" + n}, "arg::optional(" + n + ")"};
  return {{"double " + n}, "Value(" + n + ")"};
}

bool has_scalar_form(const Op& op) {
  return op.takes_numbers || (op.formula && op.formula->arity == 2 && op.serves.find("Scalar") != std::string_view::npos);
}

std::vector<Function> functions() {
  std::vector<Function> all;
  for (const Op* op : public_ops()) {
    std::string n = name(*op);                                // C names are lower-case: mT is gradus_mt
    std::transform(n.begin(), n.end(), n.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (n != name(*op) && find_op(n)) continue;
    all.push_back({op, false, "gradus_" + n});
    if (!has_scalar_form(*op)) continue;
    const std::string stem = op->info->functional ? n.substr(0, n.size() - 1) + "_scalar_" : n + "_scalar";
    if (!find_op(stem)) all.push_back({op, true, "gradus_" + stem});
  }
  return all;
}

std::vector<std::string> declared(const Function& f) {
  const OpInfo& info = *f.op->info;
  std::vector<std::string> parts{"gradus_context *ctx"};
  for (size_t i = 0; i < info.schema.arguments.size(); ++i) {
    if (left_out(*f.op, info.schema.arguments[i])) continue;
    const Parameter p = parameter(f, i);
    parts.insert(parts.end(), p.declared.begin(), p.declared.end());
  }
  if (is_list_result(*f.op)) {
    for (const char* p : {"gradus_tensor **results", "size_t capacity", "size_t *count"}) parts.push_back(p);
  } else {
    for (size_t i = 0; i < info.schema.results.size(); ++i) parts.push_back("gradus_tensor **" + result_name(*f.op, i));
  }
  return parts;
}

std::string body(const Function& f) {
  const OpInfo& info = *f.op->info;
  std::vector<std::string> values;
  for (size_t i = 0; i < info.schema.arguments.size(); ++i) {
    values.push_back(left_out(*f.op, info.schema.arguments[i]) ? "Value()" : parameter(f, i).value);
  }
  while (values.size() > 1 && values.back() == "Value()") values.pop_back();       // missing at the end: defaults
  const std::string head = "(ctx, k_" + info.name + ", \"" + info.name + "\", v_, ";
  std::string call;
  if (is_list_result(*f.op)) {
    call = "call_list" + head + "results, capacity, count)";
  } else if (info.schema.results.size() == 1 && !info.functional) {
    call = "call_one" + head + "result)";
  } else {
    call = "call_some" + head + "{";
    for (size_t i = 0; i < info.schema.results.size(); ++i) call += (i ? ", " : "") + result_name(*f.op, i);
    call += "})";
  }
  return wrapped("  const Value v_[] = {", values, "};\n") + "  return " + call + ";\n}\n";
}

std::string one_line_doc(std::string_view doc) {              // as a C comment, filled to the column limit
  std::string out, line = " *";
  size_t at = 0;
  while (at < doc.size()) {
    const size_t end = std::min(doc.find_first_of(" \n", at), doc.size());
    const std::string_view word = doc.substr(at, end - at);
    if (!word.empty()) {
      if (line.size() + 1 + word.size() > 118) { out += line + "\n"; line = " *"; }
      line += ' ';
      line += word;
    }
    at = end + 1;
  }
  return out + line + "\n";
}

std::string comment(const Function& f) {
  if (f.scalar) return "/* The same with a number. since:1 */\n";
  std::string doc(f.op->doc);
  for (size_t at; (at = doc.find("*/")) != std::string::npos;) doc.replace(at, 2, "* /");
  return "/*\n" + one_line_doc(doc) + " *   " + print(f.op->info->schema) + "\n * since:1\n */\n";
}

constexpr const char* kOpsHead = R"(
 * What holds for all of them:
 *   tensors     [borrow], and [null ok] where the schema says Tensor? (or Tensor?[] for entries of a list)
 *   int[]       a pointer and a count; null with 0 is the default of the schema
 *   int?        a pointer [null ok]; so is float? and bool?
 *   Scalar      a double. It counts as a floating number in type promotion, except where the schema's default is an integer
 *               (alpha=1) and it is whole. For exact 64-bit integers and booleans there is gradus_invoke
 *   ScalarType  GRADUS_F32 and so on; 0 is the default
 *   str         a pointer and a length; null with 0 is the default
 *   layouts, devices, generators and memory formats are left out, and so is alpha of add and sub: gradus_invoke has it
 *   results     [own], null after a failure. Of several, and of operations that end in "_" and return their first argument,
 *               those not wanted are given as null. A list comes as an array: VALUE if capacity is too small, and then count
 *               is what is needed
 * The names are PyTorch's, except for keywords: input for self, stop for end. Errors: SHAPE, DTYPE, INDEX, VALUE for
 * arguments that do not fit, STATE for writing where autograd forbids it, UNSUPPORTED, MEMORY, CANCELLED.
 */
#ifndef GRADUS_OPS_H
#define GRADUS_OPS_H

#include "gradus/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

)";

}  // namespace

std::string c_header() {
  std::string s = std::string("/*\n * gradus/ops.h - one function for each operation.\n * ") + kNotice + "\n *" + kOpsHead;
  for (const Function& f : functions()) {
    s += comment(f) + wrapped("GRADUS_API gradus_status " + f.name + "(", declared(f), ");\n") + "\n";
    for (const std::string& p : declared(f)) {
      const std::string word = p.substr(p.find_last_of(" *") + 1);
      if (is_keyword(word)) throw Error(Status::internal, f.name + ": the parameter '" + word + "' is a keyword of some language: see capi/names.cpp");
    }
  }
  return s + "#ifdef __cplusplus\n}\n#endif\n#endif /* GRADUS_OPS_H */\n";
}

std::string c_source() {
  std::string s = std::string("// ") + kNotice + "\n#include <mutex>\n\n#include \"capi/invoke.h\"\n#include \"dispatch/registry.h\"\n\n" +
                  "using namespace gradus;\nusing namespace gradus::capi;\n\nnamespace {\n";
  std::vector<std::string> names, marks;
  for (const Op* op : public_ops()) {
    names.push_back("\"" + name(*op) + "\"");
    marks.push_back("k_" + name(*op));
  }
  s += wrapped("enum Which : int {", marks, "};\n") + wrapped("constexpr std::string_view names[] = {", names, "};\n");
  s += "}  // namespace\n\nconst Op* gradus::capi::ops[std::size(names)] = {};\nvoid gradus::capi::find_ops() {\n"
       "  static std::once_flag once;\n  std::call_once(once, [] { for (size_t i = 0; i < std::size(names); ++i) ops[i] = find_op(names[i]); });\n}\n\n";
  for (const Function& f : functions()) s += wrapped("gradus_status " + f.name + "(", declared(f), ") {\n") + body(f);
  return s;
}

}  // namespace gradus::capi
