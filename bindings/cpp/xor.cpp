// x1 xor x2 learnt by a network of 2-16-1, by gradus.hpp; then a hook, a function with a derivative of its own, an error, memory, and costs.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <gradus/function.hpp>
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

static std::string error() {
  try {
    gradus::tensor({1.0, 2.0, 3.0}) + gradus::tensor({1.0, 2.0});
  } catch (const gradus::Error& e) {
    check(e.status() == GRADUS_E_SHAPE && std::string(e.what()).find("[3]") != std::string::npos, e.what());
    return e.what();
  }
  throw std::logic_error("no error");
}

static void memory() {
  std::vector<double> v{1, 2, 3};
  const Tensor x = gradus::wrap(v.data(), {3});
  v[1] = 5;
  check(x.sum().item<double>() == 9, "the vector's memory");
}

static double cost() {
  const Tensor x = gradus::tensor({1.0, 2.0, 3.0, 4.0}), y = gradus::ones({4});
  std::vector<double> times;
  for (int k = 0; k < 15; ++k) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 2000; ++i) x + y;
    times.push_back(std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count() / 2000);
  }
  std::nth_element(times.begin(), times.begin() + 7, times.end());
  return times[7];
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
    memory();
    std::printf("cpp: %zu functions, xor in %d steps, loss %.4f; add %.0f ns; \"%s\"\n", gradus_op_count(), steps, loss, cost(), error().c_str());
  }
  check(live() == 0, "something is left alive");
}
