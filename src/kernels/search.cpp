#include "kernels/search.h"

#include <algorithm>
#include <vector>

#include "base/parallel.h"

namespace gradus::kernels {

template <class T> static void search(int64_t* out, const View& sorted, const View& values, const int64_t* order, bool right) {
  const int64_t n = sorted.sizes[sorted.ndim - 1];
  const int64_t row = sorted.ndim == 1 ? values.numel : values.sizes[values.ndim - 1];
  parallel_for(values.numel, 2048, [&](int64_t b, int64_t e) {
    for (int64_t i = b; i < e; ++i) {
      const int64_t base = i / row * n;
      const T v = values.as<const T>()[i];
      int64_t low = 0, high = n;
      while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        const T at = sorted.as<const T>()[base + (order ? order[base + middle] : middle)];
        const bool before = right ? !(at > v) : !(at >= v);
        if (before) low = middle + 1;
        else high = middle;
      }
      out[i] = low;
    }
  });
}

void search_sorted(int64_t* out, const View& sorted, const View& values, const int64_t* order, bool right) {
  if (sorted.dtype == Dtype::i64) search<int64_t>(out, sorted, values, order, right);
  else search<double>(out, sorted, values, order, right);
}

int64_t largest(const View& v) {
  int64_t best = INT64_MIN;
  Sizes index(static_cast<size_t>(v.ndim), 0);
  int64_t at = 0;
  for (int64_t i = 0; i < v.numel; ++i) {
    best = std::max(best, v.as<const int64_t>()[at]);
    for (int d = v.ndim - 1; d >= 0; --d) {
      at += v.strides[d];
      if (++index[static_cast<size_t>(d)] < v.sizes[d]) break;
      at -= v.sizes[d] * v.strides[d];
      index[static_cast<size_t>(d)] = 0;
    }
  }
  return best;
}

void divide_rows(const View& m, const View& indices) {
  const int64_t columns = m.sizes[1];
  std::vector<int64_t> counts(static_cast<size_t>(m.sizes[0]), 0);
  for (int64_t i = 0; i < indices.numel; ++i) ++counts[static_cast<size_t>(indices.as<const int64_t>()[i])];
  visit(m.dtype, [&]<class T>() {
    for (int64_t r = 0; r < m.sizes[0]; ++r) {
      const int64_t n = counts[static_cast<size_t>(r)];
      if (n < 2) continue;
      T* row = m.as<T>() + r * columns;
      for (int64_t j = 0; j < columns; ++j) row[j] = convert<T>(convert<double>(row[j]) / static_cast<double>(n));
    }
  });
}

}  // namespace gradus::kernels
