// The only place that formats text with fmt, so that no other object carries its code.
#define FMT_HEADER_ONLY
#include "base/error.h"

#include <fmt/format.h>

namespace gradus {

void fail_v(Status status, fmt::string_view format, fmt::format_args args) {
  throw Error(status, fmt::vformat(format, args));
}

std::string format_v(fmt::string_view format, fmt::format_args args) { return fmt::vformat(format, args); }

std::string text(std::span<const int64_t> sizes) {
  std::string s = "[";
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (i) s += ", ";
    s += std::to_string(sizes[i]);
  }
  return s + "]";
}

}  // namespace gradus
