// The three faces of a convolution on training shapes: forward, gradient by input, gradient by weight. Counter: GF/s, all taps
// counted. Arguments: batch, in channels, side, kernel, padding, stride, out channels, groups.
#include <benchmark/benchmark.h>

#include <vector>

#include "base/context.h"
#include "kernels/conv.h"

namespace {

using gradus::Dtype;
using gradus::kernels::Conv;

enum Face { forward, input, weight };

Conv conv_of(const benchmark::State& s) {
  const int64_t side = s.range(2), k = s.range(3), p = s.range(4), stride = s.range(5), out = (side + 2 * p - k) / stride + 1;
  return {s.range(0), s.range(7), s.range(1), s.range(6), {1, side, side}, {1, out, out}, {1, k, k}, {1, stride, stride}, {0, p, p}, {1, 1, 1}};
}

template <Face face> void run(benchmark::State& state) {
  gradus::Context context;
  context.threads = 1;
  const gradus::ContextScope scope(context);
  const Conv c = conv_of(state);
  std::vector<float> x(static_cast<size_t>(c.batch * c.in_channels * c.in_plane()), 0.5f), w(static_cast<size_t>(c.weights()), 0.25f),
      y(static_cast<size_t>(c.batch * c.out_channels * c.out_plane()), 1.0f);
  for (auto _ : state) {
    if (face == forward) gradus::kernels::conv_forward(c, Dtype::f32, x.data(), w.data(), nullptr, y.data());
    if (face == input) gradus::kernels::conv_input(c, Dtype::f32, y.data(), w.data(), x.data());
    if (face == weight) gradus::kernels::conv_weight(c, Dtype::f32, x.data(), y.data(), w.data());
    benchmark::ClobberMemory();
  }
  state.counters["GF/s"] = benchmark::Counter(2e-9 * c.work() * static_cast<double>(c.batch * state.iterations()), benchmark::Counter::kIsRate);
}
void shapes(benchmark::internal::Benchmark* b) {
  b->Args({64, 1, 28, 5, 2, 1, 6, 1});
  b->Args({64, 6, 14, 5, 0, 1, 16, 1});
  b->Args({32, 64, 32, 3, 1, 1, 64, 1});
  b->Args({16, 128, 16, 3, 1, 1, 128, 1});
  b->Args({32, 256, 14, 1, 0, 1, 64, 1});
  b->Args({32, 16, 32, 3, 1, 1, 16, 1});
  b->Args({32, 3, 32, 3, 1, 1, 16, 1});
  b->Args({16, 64, 32, 3, 1, 2, 128, 1});
  b->Args({4, 3, 224, 7, 3, 2, 64, 1});
  b->Args({8, 512, 7, 3, 1, 1, 512, 1});
  b->Args({32, 64, 32, 3, 1, 1, 64, 64});
  b->Unit(benchmark::kMillisecond)->UseRealTime()->MinTime(0.1);
}
BENCHMARK(run<forward>)->Apply(shapes);
BENCHMARK(run<input>)->Apply(shapes);
BENCHMARK(run<weight>)->Apply(shapes);

}  // namespace
