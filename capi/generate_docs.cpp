// docs/ops.md: every public operation under the heading of its family.
#include <algorithm>

#include "capi/generate.h"
#include "ops/families.h"

namespace gradus::capi {
namespace {

std::string code(std::string_view s) { return "`" + std::string(s) + "`"; }

// "sum_dim" or "Elementwise, one tensor" as the anchor that Markdown renderers make of a heading.
std::string anchor(std::string_view heading) {
  std::string s;
  for (const char c : heading) {
    if (c == ' ') s += '-';
    else if (c >= 'A' && c <= 'Z') s += static_cast<char>(c - 'A' + 'a');
    else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-') s += c;
  }
  return s;
}

std::string words(std::string_view separated_by_spaces) {
  std::string s;
  for (size_t at = 0; at < separated_by_spaces.size();) {
    const size_t end = std::min(separated_by_spaces.find(' ', at), separated_by_spaces.size());
    if (end > at) s += (s.empty() ? "" : ", ") + code(separated_by_spaces.substr(at, end - at));
    at = end + 1;
  }
  return s;
}

std::string gradients(const Op& op) {
  if (!op.info->differentiable) return "none";
  std::string s;
  bool all = true;
  for (const Argument& a : op.info->schema.arguments) {
    if (a.type != Type::tensor) continue;
    const bool has = op.compose || (a.input < 32 && (op.info->rules >> a.input & 1u));
    all = all && has;
    if (has) s += (s.empty() ? "" : ", ") + code(a.name);
  }
  return all && op.compose && !op.kernel && !op.formula ? "through the operations it is made of" : s;
}

std::string dtypes(const Op& op) {
  if (!op.formula) return {};
  const FormulaKernels& row = *op.info->kernels;
  const bool integers = row.value[static_cast<int>(Compute::i64)] != nullptr, reals = row.value[static_cast<int>(Compute::f32)] != nullptr;
  std::string s = reals ? (op.result == ResultType::floating || integers ? "all" : "floating point") : "integers";
  if (op.no_bool) s += " but bool";
  if (op.formula->complex) s += ", complex";
  if (op.result == ResultType::boolean) s += ", to bool";
  if (op.result == ResultType::number) s += ", bool to int64";
  if (op.result == ResultType::floating) s += ", integers to float32";
  return s;
}

std::string entry(const Op& op) {
  const std::string& n = name(op);
  std::string s = "### " + n + "\n\n" + code(print(op.info->schema)) + "\n\n" + std::string(op.doc) + "\n\n";
  const auto line = [&](const char* what, const std::string& text) { if (!text.empty()) s += std::string("- ") + what + ": " + text + "\n"; };
  line("element types", dtypes(op));
  if (!op.formula && op.info->complex && op.info->schema.inputs > 0) s += "- takes complex tensors\n";
  line("gradient", gradients(op));
  if (op.view) s += "- a view: the result shares storage with " + code(op.info->schema.arguments[0].name) + "\n";
  if (op.info->in_place) line("in place", code(op.info->in_place->info->name));
  line("answers also", words(op.serves));
  return s + "\n";
}

}  // namespace

std::string manual() {
  std::string contents, body, title;
  size_t count = 0;
  for (const Family& family : families())
    for (const Op* op : family.ops) {
      if (!is_public(*op)) continue;
      if (family.title != title) {
        title = family.title;
        body += "## " + title + "\n\n";
        contents += (contents.empty() ? "- [" : "\n- [") + title + "](#" + anchor(title) + "):";
      }
      contents += " [" + name(*op) + "](#" + anchor(name(*op)) + ")";
      body += entry(*op);
      ++count;
    }
  while (body.ends_with("\n\n")) body.pop_back();
  return "# Operations\n\n<!-- " + std::string(kNotice) + " -->\n\n" + std::to_string(count) +
         " operations. Schemas are in PyTorch's syntax, and an operation answers PyTorch's of the same name; \"answers also\" lists "
         "other ATen overloads. \"Gradient\" names the arguments that can have one. What does not say that it takes complex "
         "tensors refuses them.\n\n" + contents + "\n\n" + body;
}

}  // namespace gradus::capi
