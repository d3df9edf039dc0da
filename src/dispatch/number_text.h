// Numbers as schemas and JSON write them, whatever the locale of the process: a point, never a comma.
#pragma once
#include <charconv>
#include <string>

namespace gradus {

inline double real_of(std::string_view text) {
  double v = 0;
  std::from_chars(text.data(), text.data() + text.size(), v);
  return v;
}

// With the fewest digits that give the number back.
inline std::string shortest(double v) {
  char room[40];
  std::string_view text;
  for (int digits = 1; digits <= 17; ++digits) {
    text = {room, static_cast<size_t>(std::to_chars(room, room + sizeof room, v, std::chars_format::general, digits).ptr - room)};
    if (real_of(text) == v) break;
  }
  return std::string(text);
}

}  // namespace gradus
