// Training steps of an MLP 784-256-128-10, batch 64, cross-entropy, plain SGD. Beside it: peers/mlp_torch.
// usage: mlp_bench [threads]
#include "mlp.h"

#include "gradus/gradus.hpp"

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  gradus_context_options options{};
  options.threads = threads;
  const gradus::Context context(options);
  const gradus::Context::Use use(context);
  std::vector<gradus::Tensor> weights, biases;
  for (int64_t l = 0; l < mlp::kLayers; ++l) {
    const int64_t in = mlp::kSizes[l], out = mlp::kSizes[l + 1];
    weights.push_back(gradus::from_data(mlp::numbers(static_cast<size_t>(in * out), 0.05, 1 + static_cast<uint64_t>(l)).data(), {out, in}).requires_grad_());
    biases.push_back(gradus::from_data(mlp::numbers(static_cast<size_t>(out), 0.05, 11 + static_cast<uint64_t>(l)).data(), {out}).requires_grad_());
  }
  const auto x = gradus::from_data(mlp::numbers(static_cast<size_t>(mlp::kBatch * mlp::kSizes[0]), 1, 21).data(), {mlp::kBatch, mlp::kSizes[0]});
  const auto target = gradus::from_data(mlp::labels().data(), {mlp::kBatch});
  mlp::measure("gradus", threads, [&] {
    gradus::Tensor h = x;
    for (size_t l = 0; l < mlp::kLayers; ++l) {
      h = gradus::linear(h, weights[l], biases[l]);
      if (l + 1 < mlp::kLayers) h = h.relu();
    }
    const gradus::Tensor loss = gradus::cross_entropy_loss(h, target);
    loss.backward();
    const gradus::NoGradGuard off;
    for (auto* group : {&weights, &biases})
      for (gradus::Tensor& p : *group) {
        p.add_(p.grad(), -mlp::kRate);
        p.zero_grad();
      }
    return loss.item<double>();
  });
}
