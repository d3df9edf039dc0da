// Writing elements at places that indices name.
#pragma once
#include "kernels/index.h"
#include "kernels/number.h"

namespace gradus::kernels {

enum class Combine { replace, add, multiply, max, min };

// The block of new values, of the written array's element type: strides of o, i, j in elements.
struct Source {
  const char* data = nullptr;
  int64_t outer = 0, count = 0, inner = 0;
};

// to[place] = combine(to[place], alpha * from) for all elements of the block (alpha for add only). A place that is named several
// times meets its values in the order of i: replace leaves the last one, and sums have the same bits for any number of threads.
void write(const View& to, const Source& from, const Places& p, Combine how, Number alpha = Number(1));

}  // namespace gradus::kernels
