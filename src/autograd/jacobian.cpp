#include "autograd/jacobian.h"

#include <algorithm>
#include <cmath>

namespace gradus {
namespace {

constexpr int64_t kPrinted = 8;                               // rows and columns of a Jacobian that is printed

std::string matrix(const Jacobian& j) {
  std::string out;
  for (int64_t r = 0; r < j.rows; ++r) {
    out += r ? "\n    [" : "    [";
    for (int64_t c = 0; c < j.columns; ++c) out += format("{}{:11.5g}", c ? ", " : "", j.at(r, c));
    out += "]";
  }
  return out;
}

}  // namespace

bool Tolerance::holds(double got, double wanted) const { return got == wanted || std::abs(got - wanted) <= atol + rtol * std::abs(wanted); }

Difference::Difference(const Jacobian& got, const Jacobian& wanted, Tolerance tolerance) {
  for (size_t i = 0; i < got.entries.size(); ++i) {
    const double a = got.entries[i], b = wanted.entries[i], apart = a == b ? 0 : std::abs(a - b);
    if (!(apart <= largest) && !std::isnan(largest)) largest = apart;
    if (tolerance.holds(a, b)) continue;
    if (wrong++ == 0) first = static_cast<int64_t>(i);
  }
}

std::string index_text(int64_t element, SizesRef sizes) {
  Sizes index(sizes);
  for (size_t d = sizes.size(); d-- > 0; element /= sizes[d]) index[d] = element % sizes[d];
  return text(index);
}

std::string describe(const Difference& d, const Jacobian& got, std::string_view got_by, const Jacobian& wanted, std::string_view wanted_by) {
  const auto at = static_cast<size_t>(d.first);
  std::string out = format("\n  first wrong entry: element {} of the output by element {} of the input: {:.10g} by {}, {:.10g} by {}\n"
                           "  wrong entries: {} of {}; largest difference {:.4g}",
                           index_text(d.first / got.columns, got.output_sizes), index_text(d.first % got.columns, got.input_sizes), got.entries[at],
                           got_by, wanted.entries[at], wanted_by, d.wrong, got.entries.size(), d.largest);
  if (got.rows > kPrinted || got.columns > kPrinted) return out;
  return out + format("\n  by {}, a row for each element of the output:\n{}\n  by {}:\n{}", got_by, matrix(got), wanted_by, matrix(wanted));
}

}  // namespace gradus
