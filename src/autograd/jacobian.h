// Jacobians as plain numbers, and what gradcheck says about two that differ.
#pragma once
#include <string>
#include <vector>

#include "tensor/layout.h"

namespace gradus {

using Numbers = std::vector<double>;

// Of one output by one input: a row for each element of the output, a column for each of the input.
struct Jacobian {
  Jacobian(SizesRef output, SizesRef input)
      : output_sizes(output), input_sizes(input), rows(numel_of(output)), columns(numel_of(input)), entries(static_cast<size_t>(multiply(rows, columns))) {}
  double& at(int64_t row, int64_t column) { return entries[static_cast<size_t>(row * columns + column)]; }
  double at(int64_t row, int64_t column) const { return entries[static_cast<size_t>(row * columns + column)]; }

  Sizes output_sizes, input_sizes;
  int64_t rows, columns;
  Numbers entries;
};

struct Tolerance {
  double atol, rtol;
  bool holds(double got, double wanted) const;                // infinities agree with themselves, NaN with nothing
};

// What two Jacobians of the same sizes have apart.
struct Difference {
  Difference(const Jacobian& got, const Jacobian& wanted, Tolerance tolerance);
  int64_t wrong = 0;                                          // entries
  int64_t first = -1;                                         // the first wrong one
  double largest = 0;                                         // of all; NaN if one is
};
// "first wrong entry ...": the numbers, and the Jacobians where they are small. `got_by`, `wanted_by` say where they come from.
std::string describe(const Difference& d, const Jacobian& got, std::string_view got_by, const Jacobian& wanted, std::string_view wanted_by);

std::string index_text(int64_t element, SizesRef sizes);      // "[1, 2]"

}  // namespace gradus
