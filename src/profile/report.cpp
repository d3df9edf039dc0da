// The table of a profile, as PyTorch's key_averages().table() shows it.
#include <algorithm>
#include <map>

#include "profile/profile.h"

namespace gradus {
namespace {

std::string time_text(double ns) {
  if (ns >= 1e9) return format("{:.3f}s", ns / 1e9);
  if (ns >= 1e6) return format("{:.3f}ms", ns / 1e6);
  return format("{:.3f}us", ns / 1e3);
}
std::string bytes_text(int64_t bytes) {
  const auto b = static_cast<double>(bytes);
  const double size = b < 0 ? -b : b;
  if (size >= 1024.0 * 1024 * 1024) return format("{:.2f} Gb", b / (1024.0 * 1024 * 1024));
  if (size >= 1024.0 * 1024) return format("{:.2f} Mb", b / (1024.0 * 1024));
  if (size >= 1024) return format("{:.2f} Kb", b / 1024);
  return format("{} b", bytes);
}
std::string percent(int64_t part, int64_t whole) { return format("{:.2f}%", whole > 0 ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0.0); }

// At most `width` characters; the cut falls between characters of UTF-8.
std::string shortened(const std::string& s, size_t width) {
  if (s.size() <= width) return s;
  size_t n = width - 3;
  while (n > 0 && (static_cast<unsigned char>(s[n]) & 0xc0) == 0x80) --n;
  return s.substr(0, n) + "...";
}
size_t characters(std::string_view s) {
  return static_cast<size_t>(std::count_if(s.begin(), s.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::vector<ProfileRow> grouped(const Recorder& r, bool by_shape) {
  if (by_shape) return r.rows();
  std::map<std::pair<EventKind, uint32_t>, ProfileRow> names;
  for (const ProfileRow& row : r.rows()) {
    ProfileRow& sum = names.try_emplace({row.kind, row.name}, ProfileRow{row.kind, row.name, 0}).first->second;
    sum.calls += row.calls;
    sum.bytes += row.bytes;
    sum.memory += row.memory;
    sum.self_memory += row.self_memory;
    sum.self += row.self;
    sum.total += row.total_of_name;
  }
  std::vector<ProfileRow> rows;
  for (const auto& [key, row] : names) rows.push_back(row);
  return rows;
}

double average(const ProfileRow& row) { return row.calls ? static_cast<double>(row.total) / static_cast<double>(row.calls) : 0; }

using Key = double (*)(const ProfileRow&);
Key key_of(std::string_view column) {
  if (column.empty() || column == "self_cpu_time_total") return [](const ProfileRow& x) { return static_cast<double>(x.self); };
  if (column == "cpu_time_total") return [](const ProfileRow& x) { return static_cast<double>(x.total); };
  if (column == "cpu_time") return [](const ProfileRow& x) { return average(x); };
  if (column == "count") return [](const ProfileRow& x) { return static_cast<double>(x.calls); };
  if (column == "bytes") return [](const ProfileRow& x) { return static_cast<double>(x.bytes); };
  if (column == "cpu_memory_usage") return [](const ProfileRow& x) { return static_cast<double>(x.memory); };
  if (column == "self_cpu_memory_usage") return [](const ProfileRow& x) { return static_cast<double>(x.self_memory); };
  fail(Status::unknown_name, "profile: no column '{}' to sort by: name, count, cpu_time, cpu_time_total, self_cpu_time_total, bytes, "
       "cpu_memory_usage, self_cpu_memory_usage", column);
}

void sort(std::vector<ProfileRow>& rows, const Recorder& r, std::string_view column) {
  const auto by_name = [&](const ProfileRow& a, const ProfileRow& b) {
    const int order = r.text(a.name).compare(r.text(b.name));
    return order != 0 ? order < 0 : r.text(a.shapes) < r.text(b.shapes);
  };
  if (column == "name") return std::sort(rows.begin(), rows.end(), by_name);
  const Key key = key_of(column);
  std::sort(rows.begin(), rows.end(), [&](const ProfileRow& a, const ProfileRow& b) {
    const double x = key(a), y = key(b);
    return x != y ? x > y : by_name(a, b);
  });
}

std::string line_of(const std::vector<std::vector<std::string>>& columns, const std::vector<size_t>& widths, size_t row) {
  std::string s;
  for (size_t c = 0; c < columns.size(); ++c) {
    const std::string& cell = columns[c][row];
    (s += c ? "  " : "") += std::string(widths[c] - characters(cell), ' ') + cell;
  }
  return s + "\n";
}

std::string framed(const std::vector<std::vector<std::string>>& columns) {   // the first row is the heading
  std::vector<size_t> widths;
  std::string rule;
  for (const auto& cells : columns) {
    size_t width = 12;
    for (const std::string& cell : cells) width = std::max(width, characters(cell));
    (rule += widths.empty() ? "" : "  ") += std::string(width, '-');
    widths.push_back(width);
  }
  rule += "\n";
  std::string s = rule + line_of(columns, widths, 0) + rule;
  for (size_t row = 1; row < columns[0].size(); ++row) s += line_of(columns, widths, row);
  return s + rule;
}

}  // namespace

std::string profile_table(const Recorder& r, const TableOptions& options) {
  std::vector<ProfileRow> rows = grouped(r, options.by_shape);
  sort(rows, r, options.sort_by);
  int64_t all = 0;
  for (const ProfileRow& row : rows) all += row.self;
  if (options.row_limit && options.row_limit < rows.size()) rows.resize(options.row_limit);

  std::vector<std::vector<std::string>> columns;
  const auto column = [&](std::string_view title, auto cell) {
    auto& cells = columns.emplace_back(1, std::string(title));
    for (const ProfileRow& row : rows) cells.push_back(cell(row));
  };
  column("Name", [&](const ProfileRow& x) { return shortened(r.text(x.name), 55); });
  column("Self CPU %", [&](const ProfileRow& x) { return percent(x.self, all); });
  column("Self CPU", [](const ProfileRow& x) { return time_text(static_cast<double>(x.self)); });
  column("CPU total %", [&](const ProfileRow& x) { return percent(x.total, all); });
  column("CPU total", [](const ProfileRow& x) { return time_text(static_cast<double>(x.total)); });
  column("CPU time avg", [](const ProfileRow& x) { return time_text(average(x)); });
  column("Bytes", [](const ProfileRow& x) { return bytes_text(x.bytes); });
  if (r.options().memory) {
    column("CPU Mem", [](const ProfileRow& x) { return bytes_text(x.memory); });
    column("Self CPU Mem", [](const ProfileRow& x) { return bytes_text(x.self_memory); });
  }
  column("# of Calls", [](const ProfileRow& x) { return std::to_string(x.calls); });
  if (options.by_shape) column("Input Shapes", [&](const ProfileRow& x) { return "[" + shortened(r.text(x.shapes), 80) + "]"; });
  return framed(columns) + "Self CPU time total: " + time_text(static_cast<double>(all)) + "\n";
}

}  // namespace gradus
