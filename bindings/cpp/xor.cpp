// x1 xor x2 learnt by a network of 2-16-1, by gradus.hpp; then a hook, a function and an operation with derivatives of their own, an error,
// shared memory, and costs.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <gradus/function.hpp>
#include <gradus/invoke.hpp>
#include <stdexcept>

using gradus::Tensor;

static void check(bool condition, const std::string& what) {
  if (!condition) throw std::logic_error("xor: " + what);
}
static std::vector<double> wave(int n, double step) {
  std::vector<double> list;
  for (int i = 1; i <= n; ++i) list.push_back(std::sin(step * i));
  return list;
}

static std::pair<int, double> train() {
  const Tensor x = gradus::tensor({0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0}, gradus::float64).view({4, 2});
  const Tensor y = gradus::tensor({0.0, 1.0, 1.0, 0.0}, gradus::float64).view({4, 1});
  const Tensor w1 = gradus::tensor(wave(32, 1.7), gradus::float64).reshape({16, 2}).requires_grad_();
  const Tensor b1 = gradus::tensor(wave(16, 0.9), gradus::float64).requires_grad_();
  const Tensor w2 = gradus::tensor(wave(16, 2.1), gradus::float64).reshape({1, 16}).requires_grad_();
  const Tensor b2 = gradus::tensor({0.0}, gradus::float64).requires_grad_();
  for (int step = 1; step <= 2000; ++step) {
    const Tensor loss = mse_loss(linear(linear(x, w1, b1).tanh(), w2, b2), y);
    loss.backward();
    const gradus::NoGradGuard guard;
    for (const Tensor& p : {w1, b1, w2, b2}) {
      p.sub_(p.grad(), 0.05);
      p.set_grad({});
    }
    if (loss.item<double>() < 0.001) return {step, loss.item<double>()};
  }
  throw std::logic_error("no convergence");
}

static void hooks() {
  const Tensor x = gradus::tensor({1.0, 2.0}).requires_grad_();
  const auto id = x.register_hook([](const Tensor& g) { return g * 10; });
  (x * x).sum().backward();
  check(x.grad().to_vector<double>() == std::vector{20.0, 40.0}, "the hook's gradient");
  x.remove_hook(id);
  x.register_hook([](const Tensor&) { throw std::domain_error("of C++"); });
  try {
    x.sum().backward();
    check(false, "no exception");
  } catch (const std::domain_error& e) {
    check(e.what() == std::string("of C++"), "another exception");
  }
}

struct Cube : gradus::Function<Cube> {
  static Tensor forward(gradus::AutogradContext* ctx, const Tensor& x) {
    ctx->save_for_backward({x});
    return x * x * x;
  }
  static Tensor backward(gradus::AutogradContext* ctx, const std::vector<Tensor>& g) {
    return g[0] * ctx->saved_tensors()[0].square() * 3;
  }
};
static void own_derivative() {
  const Tensor x = gradus::tensor({2.0, 3.0}).requires_grad_();
  Cube::apply(x).sum().backward();
  check(x.grad().to_vector<double>() == std::vector{12.0, 27.0}, "the derivative of the cube");
}

struct Distance {
  static Tensor forward(const Tensor& x, const Tensor& y, double scale) { return (x * x + y * y).sqrt() * scale; }
  static std::vector<Tensor> backward(const Tensor& x, const Tensor& y, double scale, const Tensor& r, const Tensor& g) {
    const Tensor slope = g * (scale * scale) / r;
    return {slope * x, slope * y};
  }
};
static void own_operation() {
  const Tensor x = gradus::tensor({3.0, 5.0}, gradus::float64).requires_grad_(), y = gradus::tensor({4.0, 12.0}, gradus::float64).requires_grad_();
  gradus::register_op<Distance>("demo.distance", "(Tensor x, Tensor y, float scale=1.0) -> Tensor");
  try {
    gradus::register_op<Distance>("demo.distance", "(Tensor x) -> Tensor");
    check(false, "a name twice");
  } catch (const gradus::Error& e) {
    check(e.status() == GRADUS_E_VALUE, e.what());
  }
  check(gradus::invoke("demo.distance", {x, y})[0].to_vector<double>() == std::vector{5.0, 13.0}, "the distances");
  const auto report = gradus::gradcheck([](const Tensor& a, const Tensor& b) { return gradus::invoke("demo.distance", {a, b, 2.0}); }, {x, y});
  check(report.passed, report.report);
  const Tensor sum = gradus::batch({{"demo.distance", {x, y, 2.0}}, {"sum", {gradus::ResultOf{0}}}})[0];
  sum.backward();
  check(sum.item<double>() == 36 && std::abs(x.grad().to_vector<double>()[0] - 1.2) < 1e-12, "the batch");
}

static std::string error() {
  try {
    gradus::tensor({1.0, 2.0, 3.0}) + gradus::tensor({1.0, 2.0});
  } catch (const gradus::Error& e) {
    check(e.status() == GRADUS_E_SHAPE && std::string(e.what()).find("[3]") != std::string::npos, e.what());
    return e.what();
  }
  throw std::logic_error("no error");
}

struct Managed {                                                   // DLManagedTensorVersioned of DLPack 1
  uint32_t major, minor;
  void* context;
  void (*deleter)(Managed*);
  uint64_t flags;
  void* data;
  int32_t device, device_id, rank;
  uint8_t code, bits;
  uint16_t lanes;
  int64_t *shape, *strides;
  uint64_t byte_offset;
};
static void memory() {
  std::vector<double> v{1, 2, 3};
  const Tensor x = gradus::wrap(v.data(), {3});                    // v outlives x
  v[1] = 5;
  x.mul_(2);
  check(v == std::vector{2.0, 10.0, 6.0}, "the vector's memory");
  const double* before = v.data();
  const Tensor y = gradus::wrap(std::move(v), {3});                // y has v
  check(y.data_ptr<double>() == before && y.data_ptr<double>()[1] == 10, "the vector moved");
  auto* managed = gradus::to_dlpack(y);
  const auto* seen = reinterpret_cast<const Managed*>(managed);
  check(seen->major == 1 && seen->data == before && seen->rank == 1 && seen->shape[0] == 3 && seen->code == 2 && seen->bits == 64, "DLPack");
  const Tensor z = gradus::from_dlpack(managed);
  z.zero_();
  check(y.sum().item<double>() == 0, "the memory that went through DLPack");
}

// The least of 15 rounds, in nanoseconds of the processor's time.
template <class F> static double least(int calls, F&& f) {
  double best = 1e9;
  for (int round = 0; round < 15; ++round) {
    const std::clock_t start = std::clock();
    f();
    best = std::min(best, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC * 1e9 / calls);
  }
  return best;
}
static std::pair<double, double> costs() {
  const Tensor x = gradus::tensor({1.0, 2.0, 3.0, 4.0}), y = gradus::ones({4});
  std::vector<gradus::Call> calls{{"add", {x, y}}};
  for (size_t i = 0; i < 99; ++i) calls.push_back({"add", {gradus::ResultOf{i}, y}});
  check(gradus::batch(calls)[0].to_vector<double>()[0] == 101, "the batch");
  return {least(20000, [&] { for (int i = 0; i < 20000; ++i) x + y; }), least(20000, [&] { for (int i = 0; i < 200; ++i) gradus::batch(calls); })};
}

static uint64_t live() {
  gradus_counts c{};
  c.struct_size = sizeof c;
  gradus_live_counts(&c);
  return c.contexts + c.tensors + c.graph_nodes + c.foreign_blocks + c.callbacks + c.bytes_live;
}

int main() {
  {
    gradus::Context context;                                       // or without: each thread has one until it ends
    const gradus::Context::Use use(context);
    const auto [steps, loss] = train();
    hooks();
    own_derivative();
    own_operation();
    memory();
    const auto [one, batch] = costs();
    std::printf("cpp: %zu functions, xor in %d steps, loss %.4f; add %.0f ns, in a batch %.0f ns; \"%s\"\n", gradus_op_count(), steps, loss, one,
                batch, error().c_str());
  }
  check(live() == 0, "something is left alive");
}
