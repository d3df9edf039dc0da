// Losses over classes: a score per class, and the number of the right one. Arrays are row-major.
#pragma once
#include "tensor/layout.h"

namespace gradus::kernels {

enum class Reduction : int { none = 0, mean = 1, sum = 2 };

// Scores [rows, classes, inner] with classes [rows, inner]; cells of the class `ignored` do not count.
struct Classes {
  Dtype dtype = Dtype::f32;                                   // of all but the classes
  const void* scores = nullptr;
  const int64_t* target = nullptr;
  const void* weight = nullptr;                               // [classes], or null: all 1
  int64_t rows = 1, classes = 1, inner = 1;
  int64_t ignored = -100;
  Reduction reduction = Reduction::mean;
};

// Refuses a class that there is not, with the op's name and the number of classes.
void check_classes(const Classes& c, std::string_view what);

// out: -weight * score of the right class, by cell (0 where ignored), or summed in double; with mean divided by the total weight,
// which is 0 / 0 when every cell is ignored. total: that weight.
void nll(const Classes& c, void* out, void* total);
// out = d nll / d scores times g, zero but at the right classes.
void nll_backward(const Classes& c, const void* g, const void* total, void* out);

// The same of the logarithm of softmax over the classes, for inner = 1, floats and doubles. lse: log(sum(exp(row))) by row.
void cross_entropy(const Classes& c, void* out, void* total, void* lse);
void cross_entropy_backward(const Classes& c, const void* g, const void* total, const void* lse, void* out);

// -(t max(log x, -100) + (1 - t) max(log(1 - x), -100)) by element, of floats and doubles; x in [0, 1] or an error.
void binary_cross_entropy(const View& out, const View& x, const View& t);

// log(sum(exp(x))) of n numbers, and out[i] = factor exp(x[i] - lse), in vectors of this machine (loss_rows.cpp).
double row_logsumexp(const float* x, int64_t n);
double row_logsumexp(const double* x, int64_t n);
void row_softmax(const float* x, int64_t n, double lse, double factor, float* out);
void row_softmax(const double* x, int64_t n, double lse, double factor, double* out);

}  // namespace gradus::kernels
