// What one call costs through the C interface on four elements: typed, generic and in batches, with and without recording.
#include <benchmark/benchmark.h>

#include <vector>

#include "gradus/gradus.h"

namespace {

struct Fixture {
  explicit Fixture(bool records) {
    gradus_context_create(nullptr, &ctx);
    const float x[4] = {1, -2, 3, -4};
    const int64_t n = 4;
    for (gradus_tensor** t : {&a, &b}) {
      gradus_tensor_copy_in(ctx, GRADUS_F32, 1, &n, nullptr, x, sizeof x, t);
      if (records) gradus_tensor_set_requires_grad(ctx, *t, 1);
    }
    for (auto [v, t] : {std::pair(&values[0], a), std::pair(&values[1], b)}) {
      v->kind = GRADUS_V_TENSOR;
      v->u.tensor = t;
    }
  }
  ~Fixture() {
    for (void* h : {static_cast<void*>(a), static_cast<void*>(b), static_cast<void*>(ctx)}) gradus_release(h);
  }
  gradus_context* ctx = nullptr;
  gradus_tensor *a = nullptr, *b = nullptr;
  gradus_value values[2] = {};
};

using Binary = gradus_status (*)(gradus_context*, const gradus_tensor*, const gradus_tensor*, gradus_tensor**);
void typed_binary(benchmark::State& state, Binary f) {
  const Fixture x(state.range(0));
  for (auto _ : state) {
    gradus_tensor* y;
    f(x.ctx, x.a, x.b, &y);
    gradus_release(y);
  }
}
void typed_relu(benchmark::State& state) {
  const Fixture x(state.range(0));
  for (auto _ : state) {
    gradus_tensor* y;
    gradus_relu(x.ctx, x.a, &y);
    gradus_release(y);
  }
}
void invoke(benchmark::State& state, const char* name, size_t length, size_t arguments) {
  const Fixture x(state.range(0));
  const gradus_op* op = gradus_op_find(name, length);
  for (auto _ : state) {
    gradus_value y;
    gradus_invoke(x.ctx, op, x.values, arguments, &y, 1, nullptr);
    gradus_release(y.u.tensor);
  }
}
void batch_mul(benchmark::State& state) {
  const Fixture x(state.range(0));
  std::vector<gradus_call> calls(100);
  for (gradus_call& c : calls) {
    c = {};
    c.op = gradus_op_find("mul", 3);
    c.arguments = x.values;
    c.argument_count = 2;
  }
  for (auto _ : state) gradus_invoke_batch(x.ctx, calls.data(), calls.size(), sizeof(gradus_call), nullptr);
  state.SetItemsProcessed(state.iterations() * 100);
}
void describe(benchmark::State& state) {                      // crossing and guard alone
  const Fixture x(false);
  gradus_context_info i = {};
  for (auto _ : state) {
    i.struct_size = sizeof i;
    gradus_context_describe(x.ctx, &i);
  }
}

BENCHMARK_CAPTURE(typed_binary, add, gradus_add)->Arg(0)->Arg(1);
BENCHMARK_CAPTURE(typed_binary, mul, gradus_mul)->Arg(0)->Arg(1);
BENCHMARK(typed_relu)->Arg(0)->Arg(1);
BENCHMARK_CAPTURE(invoke, add, "add", 3, 2)->Arg(0)->Arg(1);
BENCHMARK_CAPTURE(invoke, mul, "mul", 3, 2)->Arg(0)->Arg(1);
BENCHMARK_CAPTURE(invoke, relu, "relu", 4, 1)->Arg(0)->Arg(1);
BENCHMARK(batch_mul)->Arg(0);
BENCHMARK(describe);

}  // namespace
BENCHMARK_MAIN();
