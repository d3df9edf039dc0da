// Normalisation of a row-major array seen as [batch, groups, channels, inner]: by the mean and variance of each group, of one
// batch member or across the batch, then scaled and shifted by channel.
#pragma once
#include <cstdint>

#include "tensor/dtype.h"

namespace gradus::kernels {

struct Normalize {
  Dtype dtype = Dtype::f32;                                   // f32 or f64, of all arrays
  int64_t batch = 1, groups = 1, channels = 1, inner = 1;
  bool across = false;                                        // statistics by group; else by batch member and group
  bool center = true;                                         // false: mean 0, and the mean of x^2 for the variance
  double eps = 0;
  const void *x = nullptr, *weight = nullptr, *bias = nullptr;   // weight and bias [groups * channels], or null
  void *y = nullptr, *mean = nullptr, *var = nullptr;

  int64_t statistics() const { return across ? groups : batch * groups; }
  int64_t count() const { return (across ? batch : 1) * channels * inner; }   // elements behind one statistic
};
void normalize(const Normalize&);                             // y = (x - mean) / sqrt(var + eps) * weight + bias; var over count()

// With z = (x - mean) rstd and u = g weight, over the elements of a statistic:
// dx = rstd (u - mean(u) - z mean(u z)) + grad_mean / n + 2 grad_var (x - mean) / n, dw = sum(g z), db = sum(g).
struct NormalizeBack {
  Normalize of;                                               // x, weight, mean
  const void *g = nullptr, *rstd = nullptr, *grad_mean = nullptr, *grad_var = nullptr;   // the last two may be null
  void *dx = nullptr, *dw = nullptr, *db = nullptr;           // null: not wanted
  double* sums = nullptr;                                     // where inner > 1: room for 2 * batch * groups * channels
};
void normalize_backward(const NormalizeBack&);

}  // namespace gradus::kernels
