// The work of ../mlp_bench.cpp in libtorch. usage: mlp_torch [threads]
#include <torch/torch.h>

#include "../mlp.h"

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  torch::set_num_threads(threads);
  const auto from = [](std::vector<float> v, std::vector<int64_t> sizes) { return torch::from_blob(v.data(), sizes).clone(); };
  std::vector<torch::Tensor> weights, biases;
  for (int64_t l = 0; l < mlp::kLayers; ++l) {
    const int64_t in = mlp::kSizes[l], out = mlp::kSizes[l + 1];
    weights.push_back(from(mlp::numbers(in * out, 0.05, 1 + l), {out, in}).requires_grad_());
    biases.push_back(from(mlp::numbers(out, 0.05, 11 + l), {out}).requires_grad_());
  }
  const auto x = from(mlp::numbers(mlp::kBatch * mlp::kSizes[0], 1, 21), {mlp::kBatch, mlp::kSizes[0]});
  auto classes = mlp::labels();
  const auto target = torch::from_blob(classes.data(), {mlp::kBatch}, torch::kInt64).clone();
  mlp::measure("libtorch", threads, [&] {
    torch::Tensor h = x;
    for (size_t l = 0; l < mlp::kLayers; ++l) {
      h = torch::linear(h, weights[l], biases[l]);
      if (l + 1 < mlp::kLayers) h = torch::relu(h);
    }
    const torch::Tensor loss = torch::cross_entropy_loss(h, target);
    loss.backward();
    const torch::NoGradGuard off;
    for (auto* group : {&weights, &biases})
      for (torch::Tensor& p : *group) {
        p.add_(p.grad(), -mlp::kRate);
        p.mutable_grad().reset();
      }
    return loss.item<double>();
  });
}
