// The context's log: lines of text for the host's sink.
#pragma once
#include <string_view>

#include "base/context.h"

namespace gradus {

inline bool logs(const Context& c, int32_t level) { return c.log && c.log_level >= level && !c.logging; }

// A sink that calls the library logs nothing by it, and one that throws is not heard.
inline void log(Context& c, int32_t level, std::string_view text) noexcept {
  if (!logs(c, level)) return;
  c.logging = true;
  try {
    c.log(c.user, level, text.data(), text.size());
  } catch (...) {
  }
  c.logging = false;
}

}  // namespace gradus
