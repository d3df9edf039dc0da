// First values of parameters: random, of a size by PyTorch's formulas. Nothing is recorded; the numbers are the context's.
#pragma once
#include <string_view>

#include "tensor/tensor.h"

namespace gradus {

// The factor by which a function's input should grow: "relu", "leaky_relu" (whose slope is `parameter`), "tanh", ...
double gain_of(std::string_view nonlinearity, double parameter);

enum class Draw { uniform, normal };
enum class Fan { in, out };
void init_xavier(const Tensor& t, Draw draw, double gain);
void init_kaiming(const Tensor& t, Draw draw, double slope, Fan fan, std::string_view nonlinearity);
// Rows or columns, whichever are fewer, that are orthonormal times gain; all directions equally likely.
void init_orthogonal(const Tensor& t, double gain);
void init_trunc_normal(const Tensor& t, double mean, double std, double low, double high);

}  // namespace gradus
