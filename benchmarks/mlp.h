// The work that mlp_bench and peers/mlp_torch share: the shapes, the numbers, and how a figure is printed.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace mlp {

constexpr int64_t kSizes[] = {784, 256, 128, 10}, kBatch = 64, kLayers = 3;
constexpr double kRate = 0.05;

// The same pseudo-random numbers in [-scale, scale) everywhere.
inline std::vector<float> numbers(size_t n, double scale, uint64_t seed) {
  std::vector<float> v(n);
  for (float& x : v) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    x = static_cast<float>((static_cast<double>(seed >> 40) / (1 << 23) - 1) * scale);
  }
  return v;
}
inline std::vector<int64_t> labels() {
  std::vector<int64_t> v(kBatch);
  for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<int64_t>(i * 7 % 10);
  return v;
}

// Times `step` in rounds of 20 and prints the median per step, with the loss that both programs must agree on.
template <class Step> void measure(const char* who, int threads, const Step& step) {
  double loss = 0;
  for (int i = 0; i < 100; ++i) loss = step();
  const double first = loss;
  std::vector<double> us;
  for (int r = 0; r < 60; ++r) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 20; ++i) loss = step();
    us.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count() / 20);
  }
  std::sort(us.begin(), us.end());
  std::printf("%-12s threads %d  %8.1f us/step (best %.1f)  %8.0f samples/s  loss after 100 steps %.6f\n", who, threads, us[us.size() / 2], us[0],
              1e6 * kBatch / us[us.size() / 2], first);
}

}  // namespace mlp
