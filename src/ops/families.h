// The op lists in the order of the manual, under its headings.
#pragma once
#include <vector>

#include "ops/lists.h"

namespace gradus {

struct Family {
  std::string_view title;                                     // neighbours with the same title are one section
  OpList ops;
};
std::vector<Family> families();

}  // namespace gradus
