// gradus/nn/norms.hpp - normalizations.
#ifndef GRADUS_NN_NORMS_HPP
#define GRADUS_NN_NORMS_HPP

#include "gradus/nn/layers.hpp"

namespace gradus {
inline namespace v1 {
namespace nn {

class BatchNorm2d : public Module {                           // of [batch, channel, height, width]; momentum of the running values
 public:
  explicit BatchNorm2d(int64_t channels, double epsilon = 1e-5, double share = 0.1) : eps(epsilon), momentum(share) {
    weight = parameter("weight", ones({channels}));
    bias = parameter("bias", zeros({channels}));
    running_mean = buffer("running_mean", zeros({channels}));
    running_var = buffer("running_var", ones({channels}));
    num_batches_tracked = buffer("num_batches_tracked", tensor(int64_t{0}));
  }
  Tensor forward(const Tensor& x) override {
    detail::check(x.dim() == 4, "BatchNorm2d", "the input has 4 dimensions");
    if (is_training()) {
      const auto n = x.sizes();
      detail::check(n[0] * n[2] * n[3] != 1, "BatchNorm2d", "more than one value per channel is needed in training");
      num_batches_tracked += int64_t{1};
    }
    return batch_norm(x, weight, bias, running_mean, running_var, is_training(), momentum, eps, false);
  }
  double eps, momentum;
  Tensor weight, bias, running_mean, running_var, num_batches_tracked;
};

class LayerNorm : public Module {                             // over the last dimensions
 public:
  explicit LayerNorm(std::vector<int64_t> over, double epsilon = 1e-5) : shape(std::move(over)), eps(epsilon) {
    weight = parameter("weight", ones(shape));
    bias = parameter("bias", zeros(shape));
  }
  Tensor forward(const Tensor& x) override { return layer_norm(x, shape, weight, bias, eps); }
  std::vector<int64_t> shape;
  double eps;
  Tensor weight, bias;
};

class RMSNorm : public Module {                               // over the last dimensions, without their mean
 public:
  explicit RMSNorm(std::vector<int64_t> over, std::optional<double> epsilon = {}) : shape(std::move(over)), eps(epsilon) {
    weight = parameter("weight", ones(shape));
  }
  Tensor forward(const Tensor& x) override { return rms_norm(x, shape, weight, eps); }
  std::vector<int64_t> shape;
  std::optional<double> eps;
  Tensor weight;
};

class GroupNorm : public Module {                             // of [batch, channel, ...], over the channels of a group
 public:
  GroupNorm(int64_t count, int64_t channels, double epsilon = 1e-5) : groups(count), eps(epsilon) {
    detail::check(count > 0 && channels % count == 0, "GroupNorm", "groups divides channels");
    weight = parameter("weight", ones({channels}));
    bias = parameter("bias", zeros({channels}));
  }
  Tensor forward(const Tensor& x) override { return group_norm(x, groups, weight, bias, eps); }
  int64_t groups;
  double eps;
  Tensor weight, bias;
};

}  // namespace nn
}  // namespace v1
}  // namespace gradus

#endif  // GRADUS_NN_NORMS_HPP
