// optim_bench [threads]: one optimizer step over the parameters of an MLP 784-256-128-10, and over 10^7 floats in 100 tensors.
// peers/optim_torch.py does the same in PyTorch.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "gradus/optim.hpp"

namespace {

using gradus::Tensor;
using gradus::optim::Optimizer;

std::vector<Tensor> parameters(const std::vector<std::vector<int64_t>>& shapes) {
  std::vector<Tensor> all;
  for (const auto& shape : shapes) {
    all.push_back(gradus::randn(shape).requires_grad_());
    all.back().set_grad(gradus::randn(shape));
  }
  return all;
}

double median_step(const Optimizer& optimizer, int runs) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> times;
  for (int i = 0; i < runs + 3; ++i) {
    const auto start = Clock::now();
    optimizer.step();
    if (i >= 3) times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

void measure(const char* what, const std::vector<std::vector<int64_t>>& shapes, int runs) {
  const auto p = parameters(shapes);
  std::printf("%s: SGD with momentum %.1f us, ", what, median_step(Optimizer("SGD", p, {{"lr", 1e-6}, {"momentum", 0.9}}), runs));
  std::printf("Adam %.1f us, ", median_step(Optimizer("Adam", p, {{"lr", 1e-6}}), runs));
  std::vector<double> times;
  for (int i = 0; i < runs / 4 + 3; ++i) {
    const auto start = std::chrono::steady_clock::now();
    gradus::clip_grad_norm_(p, 1e3);
    times.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(times.begin(), times.end());
  std::printf("clip_grad_norm %.1f us\n", times[times.size() / 2]);
}

}  // namespace

int main(int argc, char** argv) {
  gradus_context_options options{};
  options.threads = argc > 1 ? std::atoi(argv[1]) : 1;
  options.seed = 1;
  const gradus::Context context(options);
  const gradus::Context::Use use(context);
  measure("MLP 784-256-128-10", {{256, 784}, {256}, {128, 256}, {128}, {10, 128}, {10}}, 400);
  measure("10^7 floats in 100 tensors", std::vector<std::vector<int64_t>>(100, {100000}), 40);
  return 0;
}
