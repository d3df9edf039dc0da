// What one op costs on tiny tensors through the C functions: typed and generic calls, recorded or not, backward per node.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <initializer_list>
#include <utility>

#include "gradus/gradus.h"

namespace {

void check(gradus_status s) {
  if (s != GRADUS_OK) std::abort();
}

struct Pair {                                                 // a context and two tensors of four floats
  gradus_context* c = nullptr;
  gradus_tensor *a = nullptr, *b = nullptr;
  explicit Pair(bool records) {
    check(gradus_context_create(nullptr, &c));
    const int64_t four = 4;
    const float x[] = {0.5f, 1.5f, -1, 2}, y[] = {1.0001f, 1, 1, 1};
    check(gradus_tensor_copy_in(c, GRADUS_F32, 1, &four, nullptr, x, sizeof x, &a));
    check(gradus_tensor_copy_in(c, GRADUS_F32, 1, &four, nullptr, y, sizeof y, &b));
    check(gradus_tensor_set_requires_grad(c, a, records));
  }
  ~Pair() {
    gradus_release(a);
    gradus_release(b);
    gradus_release(c);
  }
};

using Binary = gradus_status (*)(gradus_context*, const gradus_tensor*, const gradus_tensor*, gradus_tensor**);
void binary(benchmark::State& state, Binary op) {
  Pair p(state.range(0));
  for (auto _ : state) {
    gradus_tensor* r;
    check(op(p.c, p.a, p.b, &r));
    gradus_release(r);
  }
}
void relu(benchmark::State& state) {
  Pair p(state.range(0));
  for (auto _ : state) {
    gradus_tensor* r;
    check(gradus_relu(p.c, p.a, &r));
    gradus_release(r);
  }
}
void invoke_mul(benchmark::State& state) {
  Pair p(state.range(0));
  const gradus_op* op = gradus_op_find("mul", 3);
  gradus_value v[2] = {};
  v[0].kind = v[1].kind = GRADUS_V_TENSOR;
  v[0].u.tensor = p.a;
  v[1].u.tensor = p.b;
  for (auto _ : state) {
    gradus_value r;
    size_t n;
    check(gradus_invoke(p.c, op, v, 2, &r, 1, &n));
    gradus_release(r.u.tensor);
  }
}
BENCHMARK_CAPTURE(binary, add, gradus_add)->Arg(0)->Arg(1);
BENCHMARK_CAPTURE(binary, mul, gradus_mul)->Arg(0)->Arg(1);
BENCHMARK(relu)->Arg(0)->Arg(1);
BENCHMARK(invoke_mul)->Arg(0)->Arg(1);

// A chain of 10,002 ops: mul, add, relu in turn. Times are per op.
constexpr int kChain = 3334;
gradus_tensor* chain(const Pair& p) {
  gradus_retain(p.a);
  gradus_tensor* y = p.a;
  for (int i = 0; i < kChain; ++i) {
    gradus_tensor* r;
    for (const Binary op : {gradus_mul, gradus_add}) {
      check(op(p.c, y, p.b, &r));
      gradus_release(std::exchange(y, r));
    }
    check(gradus_relu(p.c, y, &r));
    gradus_release(std::exchange(y, r));
  }
  return y;
}
void chain_forward(benchmark::State& state) {
  Pair p(state.range(0));
  for (auto _ : state) {
    gradus_tensor* y = chain(p);
    state.PauseTiming();
    gradus_release(y);
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * 3 * kChain);
}
void chain_backward(benchmark::State& state) {
  Pair p(true);
  for (auto _ : state) {
    state.PauseTiming();
    gradus_tensor* y = chain(p);
    state.ResumeTiming();
    check(gradus_backward(p.c, &y, 1, &p.b, nullptr));
    state.PauseTiming();
    gradus_release(y);
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * 3 * kChain);
}
BENCHMARK(chain_forward)->Arg(0)->Arg(1)->Unit(benchmark::kMicrosecond);
BENCHMARK(chain_backward)->Unit(benchmark::kMicrosecond);

}  // namespace
