// A block of rows of scores, as it goes to the SIMD targets. Private to the kernels.
#pragma once
#include <algorithm>
#include <cstdint>

namespace gradus::kernels {

struct AttentionRows {
  int64_t rows = 0, columns = 0, first = 0;                   // first: the place of row 0 among all queries
  bool causal = false, boolean = false;                       // boolean: what the mask holds
  const void* mask = nullptr;
  int64_t mask_step = 0;
  void *scores = nullptr, *slopes = nullptr;                  // dense
  void* logsumexp = nullptr;
  int64_t logsumexp_step = 1;
  const double* shift = nullptr;
  void* mask_slopes = nullptr;
  int64_t mask_slopes_step = 0;

  int64_t seen(int64_t i) const { return causal ? std::min(columns, first + i + 1) : columns; }
};
enum class AttentionStep { weigh, weigh_again, slopes, mask_slopes };

}  // namespace gradus::kernels
