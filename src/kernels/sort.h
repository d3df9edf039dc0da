// Order along one dim of a row-major array seen as [outer, n, inner], and elements picked by index.
#pragma once
#include <cstdint>

#include "tensor/dtype.h"

namespace gradus::kernels {

struct Lines {
  int64_t outer = 1, n = 1, inner = 1;
};

// to[o, j, i] = from[o, index[o, j, i], i] for j < k; the indices are checked by the caller.
void take_along(Dtype dtype, void* to, const void* from, const int64_t* index, Lines lines, int64_t k);
// to[o, index[o, j, i], i] += from[o, j, i] in the order of j; `to` is zeros of [outer, n, inner].
void add_along(Dtype dtype, void* to, const void* from, const int64_t* index, Lines lines, int64_t k);

// The first k of each line in order: ascending with NaN last, or descending with NaN first; equal ones keep their order.
void sort(Dtype dtype, void* values, int64_t* indices, const void* in, Lines lines, int64_t k, bool descending);
// The k-th smallest (from 0) of each line, NaN last; of a line with a NaN the first NaN where nan_wins, else the middle of the
// numbers where `middle`. Indices are those of the first such element.
struct Rank { int64_t k = 0; bool middle = false, nan_wins = false; };
void select_rank(Dtype dtype, void* values, int64_t* indices, const void* in, Lines lines, Rank rank);
// The most frequent element of each line, the smallest among equals, and the place of its last occurrence.
void mode(Dtype dtype, void* values, int64_t* indices, const void* in, Lines lines);

}  // namespace gradus::kernels
