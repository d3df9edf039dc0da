// A block of rows of scores, as it goes to the SIMD targets. Private to the kernels.
#pragma once
#include <algorithm>
#include <cstdint>

namespace gradus::kernels {

struct AttentionRows {
  int64_t rows = 0, columns = 0, first = 0;                   // first: the place of row 0 among all queries
  bool causal = false;
  double scale = 1;
  void *scores = nullptr, *slopes = nullptr;                  // dense
  void* logsumexp = nullptr;
  int64_t logsumexp_step = 1;
  const double* shift = nullptr;

  int64_t seen(int64_t i) const { return causal ? std::min(columns, first + i + 1) : columns; }
};
enum class AttentionStep { weigh, weigh_again, slopes };

}  // namespace gradus::kernels
