// Reads the set "Optical Recognition of Handwritten Digits" of E. Alpaydin and C. Kaynak: images of 8 x 8 pixels from 0 to 16,
// one a line, followed by the digit. 3823 lines to learn from (optdigits.tra) and 1797 to be tested on (optdigits.tes).
#pragma once
#include <charconv>
#include <cstdint>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace examples {

struct Digits {
  static constexpr int kSide = 8, kPixels = kSide * kSide;
  static constexpr float kInk = 16;                           // the darkest pixel
  std::vector<float> pixels;                                  // count x kPixels, as in the file
  std::vector<int64_t> labels;                                // 0 to 9
  size_t count() const { return labels.size(); }
};

// Adds one line "p, p, …, p, digit"; what is wrong with it is thrown with the file and line.
inline void read_digit(const std::string& line, const std::string& where, Digits& to) {
  const char *at = line.data(), *end = at + line.size();
  while (end > at && (end[-1] == '\r' || end[-1] == ' ')) --end;
  for (int field = 0; field <= Digits::kPixels; ++field) {
    while (at < end && *at == ' ') ++at;
    int value = 0;
    const auto [next, error] = std::from_chars(at, end, value);
    const int most = field < Digits::kPixels ? 16 : 9;
    const std::string place = where + ", field " + std::to_string(field + 1);
    if (error != std::errc()) throw std::runtime_error(place + (at == end ? ": the line ends here; 65 numbers are wanted" : ": not a number"));
    if (value < 0 || value > most) throw std::runtime_error(place + ": " + std::to_string(value) + " is not in 0.." + std::to_string(most));
    at = next;
    if (field < Digits::kPixels) to.pixels.push_back(static_cast<float>(value));
    else to.labels.push_back(value);
    if (field < Digits::kPixels && at < end && *at == ',') ++at;
  }
  if (at != end) throw std::runtime_error(where + ": more than 65 numbers");
}

inline Digits read_digits(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw std::runtime_error(path + ": can't be opened");
  Digits digits;
  std::string line;
  for (long number = 1; std::getline(in, line); ++number)
    if (!line.empty()) read_digit(line, path + ":" + std::to_string(number), digits);
  if (in.bad()) throw std::runtime_error(path + ": reading failed");
  if (digits.count() == 0) throw std::runtime_error(path + ": holds no images");
  return digits;
}

}  // namespace examples
