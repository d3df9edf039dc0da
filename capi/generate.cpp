// gradus_generate ROOT [OUT]: writes everything that follows from the registry and the headers, below OUT (else ROOT).
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "capi/generate.h"
#include "ops/lists.h"

namespace gradus::capi {

std::vector<const Op*> public_ops() {
  std::vector<const Op*> all;
  for (const Op* op : all_ops())
    if (is_public(*op)) all.push_back(op);
  return all;
}

std::string wrapped(const std::string& head, const std::vector<std::string>& parts, const std::string& tail) {
  const size_t line_start = head.rfind('\n') == std::string::npos ? 0 : head.rfind('\n') + 1;
  const std::string indent(std::min<size_t>(head.size() - line_start, 48), ' ');
  std::string s = head;
  size_t column = head.size() - line_start;
  for (size_t i = 0; i < parts.size(); ++i) {
    const size_t needed = parts[i].size() + (i + 1 < parts.size() ? 1 : tail.size());
    if (i && column + 1 + needed > 120) {
      (s += '\n') += indent;
      column = indent.size();
    } else if (i) {
      s += ' ';
      ++column;
    }
    s += parts[i];
    if (i + 1 < parts.size()) s += ',';
    column += parts[i].size() + 1;
  }
  return s + tail;
}

std::string result_name(const Op& op, size_t i) {
  const auto& results = op.info->schema.results;
  if (results.size() == 1) return "result";
  const std::string& n = results[i].name;
  const bool taken = op.info->schema.position(n) >= 0 || is_keyword(n);
  return n.empty() || taken ? "result" + std::to_string(i) : n;
}

namespace {

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error(Status::io, "can't read " + path.string());
  return {std::istreambuf_iterator<char>(in), {}};
}
void write(const std::filesystem::path& path, const std::string& text) {
  if (std::filesystem::exists(path) && read(path) == text) return;         // unchanged files keep their time
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
  std::printf("%s\n", path.filename().c_str());
}

std::string without_comments(const std::string& s) {
  std::string out;
  for (size_t at = 0; at < s.size();) {
    const size_t begin = std::min(s.find("/*", at), s.size());
    out.append(s, at, begin - at);
    at = begin == s.size() ? begin : s.find("*/", begin) + 2;
  }
  return out;
}

// The exported prototypes of a header by name: one line each, no comments.
void collect(const std::string& header, std::map<std::string, std::string>& prototypes) {
  constexpr std::string_view mark = "GRADUS_API ";
  const std::string text = without_comments(header);
  for (size_t at = 0; (at = text.find(mark, at)) != std::string::npos;) {
    if (at > 0 && text[at - 1] != '\n') { at += mark.size(); continue; }   // the macro's own lines
    const size_t end = text.find(';', at);
    std::string line;
    for (char c : text.substr(at + mark.size(), end - at - mark.size())) {
      if (std::isspace(static_cast<unsigned char>(c))) { if (!line.empty() && line.back() != ' ' && line.back() != '(') line += ' '; }
      else { if ((c == ',' || c == ')') && line.back() == ' ') line.pop_back(); line += c; }
    }
    const size_t open = line.find('('), begin = line.find_last_of(" *", open) + 1;
    prototypes[line.substr(begin, open - begin)] = line + ";";
    at = end;
  }
}

std::string version_script(const std::map<std::string, std::string>& prototypes) {
  std::string s = std::string("# ") + kNotice +
                  "\n# A node is never renamed and a symbol never moves; each API level that adds symbols adds a node that inherits the last.\n"
                  "GRADUS_1.0 {\n  global:\n";
  for (const auto& [name, text] : prototypes) s += "    " + name + ";\n";
  return s + "  local: *;\n};\n";
}

int generate(const std::filesystem::path& root, const std::filesystem::path& out) {
  define_all_ops();
  const std::string header = c_header();
  write(out / "include/gradus/ops.h", header);
  write(out / "include/gradus/methods.hpp", cpp_methods());
  write(out / "include/gradus/ops.hpp", cpp_functions());
  write(out / "capi/ops.cpp", c_source());
  write(out / "capi/registry.json", registry_json());
  write(out / "docs/ops.md", manual());
  std::map<std::string, std::string> prototypes;
  for (const auto& file : std::filesystem::directory_iterator(root / "include/gradus"))
    if (file.path().extension() == ".h" && file.path().filename() != "ops.h") collect(read(file.path()), prototypes);
  collect(header, prototypes);
  std::string abi;
  for (const auto& [name, text] : prototypes) abi += text + "\n";
  write(out / "capi/abi.txt", abi);
  write(out / "capi/gradus.map", version_script(prototypes));
  return 0;
}

}  // namespace
}  // namespace gradus::capi

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: gradus_generate ROOT [OUT]\n");
    return 2;
  }
  try {
    return gradus::capi::generate(argv[1], argc > 2 ? argv[2] : argv[1]);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "gradus_generate: %s\n", e.what());
    return 1;
  }
}
