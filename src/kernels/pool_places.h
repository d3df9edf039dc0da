// Windows of many equal planes by a table of places, of which vectors are gathered: any stride, padding and dilation.
#pragma once
#include <cstdint>

namespace gradus::kernels {

// For each of `count` results the places that it is made of, in order, by depth: places[depth][row] with -1 for none. Rows have room
// for whole vectors.
struct Places {
  int64_t count = 0, depth = 0, row = 0;
  const int32_t* places = nullptr;
};
inline constexpr int64_t kPlacesRow = 64;                     // a row is a multiple of this

// The largest of each window and its place, as max_pool has it; a window has at least one place, and those absent come last.
void largest_of_places(const Places&, const float* x, float* y, int64_t* index);
// y = the sum of the places in their order, divided by divisor[i] if there are divisors.
void sums_of_places(const Places&, const float* x, const float* divisor, float* y);

}  // namespace gradus::kernels
