// gradus/nn/layers.hpp - linear layers, convolutions, embeddings, dropout; activations and pooling as modules.
#ifndef GRADUS_NN_LAYERS_HPP
#define GRADUS_NN_LAYERS_HPP

#include <cmath>

#include "gradus/nn/module.hpp"

namespace gradus {
inline namespace v1 {
namespace nn {

namespace detail {
using namespace v1::detail;
inline Tensor uniform(const IntList& sizes, double bound) { return zeros(sizes).uniform_(-bound, bound); }
// The bound of kaiming_uniform_ with a = sqrt(5): 1 / sqrt(fan in).
inline double by_fan_in(int64_t fan_in) { return fan_in > 0 ? 1 / std::sqrt(static_cast<double>(fan_in)) : 0.0; }
inline void check(bool good, const char* where, const char* why) {
  if (!good) throw Error(GRADUS_E_VALUE, std::string(where) + ": " + why, where);
}
}  // namespace detail

class Linear : public Module {                                // input weight^T + bias; weight is [out, in]
 public:
  Linear(int64_t in, int64_t out, bool with_bias = true) {
    weight = parameter("weight", detail::uniform({out, in}, detail::by_fan_in(in)));
    if (with_bias) bias = parameter("bias", detail::uniform({out}, detail::by_fan_in(in)));
  }
  Tensor forward(const Tensor& x) override { return linear(x, weight, bias); }
  Tensor weight, bias;
};

struct ConvOptions {                                          // as the keywords of torch.nn.Conv2d
  std::vector<int64_t> stride = {1, 1};
  std::vector<int64_t> padding = {0, 0};
  std::vector<int64_t> dilation = {1, 1};
  int64_t groups = 1;
  bool bias = true;
};
class Conv2d : public Module {                                // weight is [out, in / groups, height, width]
 public:
  Conv2d(int64_t in, int64_t out, std::array<int64_t, 2> kernel, ConvOptions o = {}) : options(std::move(o)) {
    detail::check(options.groups > 0 && in % options.groups == 0 && out % options.groups == 0, "Conv2d", "groups divides both channel counts");
    const int64_t each = in / options.groups;
    const double bound = detail::by_fan_in(each * kernel[0] * kernel[1]);
    weight = parameter("weight", detail::uniform({out, each, kernel[0], kernel[1]}, bound));
    if (options.bias) bias = parameter("bias", detail::uniform({out}, bound));
  }
  Tensor forward(const Tensor& x) override {
    return conv2d(x, weight, bias, options.stride, options.padding, options.dilation, options.groups);
  }
  ConvOptions options;
  Tensor weight, bias;
};

class Embedding : public Module {                             // rows of weight by number
 public:
  Embedding(int64_t count, int64_t width) { weight = parameter("weight", randn({count, width})); }
  Tensor forward(const Tensor& numbers) override { return embedding(weight, numbers); }
  Tensor weight;
};

class Dropout : public Module {                               // in training: zeros with probability p, the rest times 1 / (1 - p)
 public:
  explicit Dropout(double share = 0.5) : p(share) { detail::check(share >= 0 && share <= 1, "Dropout", "p is between 0 and 1"); }
  Tensor forward(const Tensor& x) override { return dropout(x, p, is_training()); }
  double p;
};

// ---- functions as layers
class ReLU : public Module {                                  // gradus::relu as a module
 public:
  Tensor forward(const Tensor& x) override { return relu(x); }
};
class GELU : public Module {                                  // gradus::gelu as a module
 public:
  Tensor forward(const Tensor& x) override { return gelu(x); }
};
class SiLU : public Module {                                  // gradus::silu as a module
 public:
  Tensor forward(const Tensor& x) override { return silu(x); }
};
class Tanh : public Module {                                  // gradus::tanh as a module
 public:
  Tensor forward(const Tensor& x) override { return tanh(x); }
};
class Sigmoid : public Module {                               // gradus::sigmoid as a module
 public:
  Tensor forward(const Tensor& x) override { return sigmoid(x); }
};
class Flatten : public Module {                               // all dimensions but that of the batch become one
 public:
  Tensor forward(const Tensor& x) override { return flatten(x, 1); }
};
class MaxPool2d : public Module {                             // of windows side by side
 public:
  explicit MaxPool2d(std::array<int64_t, 2> window) : kernel(window) {}
  explicit MaxPool2d(int64_t side) : kernel{side, side} {}
  Tensor forward(const Tensor& x) override { return max_pool2d(x, kernel); }
  std::array<int64_t, 2> kernel;
};
class AdaptiveAvgPool2d : public Module {                     // to pictures of that size
 public:
  explicit AdaptiveAvgPool2d(std::array<int64_t, 2> to) : size(to) {}
  explicit AdaptiveAvgPool2d(int64_t side) : size{side, side} {}
  Tensor forward(const Tensor& x) override { return adaptive_avg_pool2d(x, size); }
  std::array<int64_t, 2> size;
};

}  // namespace nn
}  // namespace v1
}  // namespace gradus

#endif  // GRADUS_NN_LAYERS_HPP
