// The fundamentals of autograd with gradus, step by step. Prints what it does, checks it, and draws tutorial.svg.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "gradus/functional.hpp"
#include "svg.h"

using gradus::Tensor;

namespace {

void title(const char* text) { std::cout << "\n==== " << text << "\n\n"; }
void check(bool holds, const char* what) {
  if (holds) return;
  std::cerr << "tutorial: does not hold: " << what << '\n';
  std::exit(1);
}

void draw(const Tensor& x, const Tensor& y, const Tensor& slope) {
  const auto xs = x.detach().to_vector<double>(), ys = y.detach().to_vector<double>(), gs = slope.to_vector<double>();
  const svg_series series[] = {{"sin a", xs.data(), ys.data(), xs.size(), 0, 0}, {"gradient of the sum of 2 sin a + 1", xs.data(), gs.data(), xs.size(), 1, 0}};
  const svg_plot plot = {"A function and the gradient that backward found", "a", "value", series, 2, 0};
  check(svg_write_plots("tutorial.svg", &plot, 1) != 0, "tutorial.svg can be written");
}

void walk(const gradus::Node& node, int depth = 0) {
  if (!node) return;
  std::cout << std::string(static_cast<size_t>(2 * depth), ' ') << node.name() << '\n';
  for (const auto& [next, nr] : node.next_functions()) walk(next, depth + 1);
}

// Steps 1 to 3: a computation is recorded, looked at, and run backwards.
void a_simple_example() {
  title("1. A leaf that requires grad, and a function of it");
  const Tensor a = gradus::linspace(0.0, 2 * std::acos(-1.0), 25).requires_grad_();
  std::cout << "a = " << a << '\n';
  const Tensor b = gradus::sin(a);
  std::cout << "b = sin a = " << b << '\n';

  title("2. The graph behind the result");
  const Tensor c = 2 * b, d = c + 1, out = d.sum();
  std::cout << "out = " << out << "\n\n";
  walk(out.grad_fn());
  std::ofstream("graph.dot") << gradus::graph_dot({out}, {{a, "a"}, {b, "b"}, {c, "c"}, {d, "d"}, {out, "out"}}, true);
  check(!a.grad_fn() && a.is_leaf(), "a leaf has no grad_fn");

  title("3. Backward");
  out.backward();
  std::cout << "a.grad = " << a.grad() << '\n';
  const auto x = a.detach().to_vector<double>(), g = a.grad().to_vector<double>();
  for (size_t i = 0; i < x.size(); ++i) check(std::abs(g[i] - 2 * std::cos(x[i])) < 1e-5, "a.grad = 2 cos a");
  check(!b.grad().defined(), "only leaves keep their gradient");
  std::cout << "b.grad = " << b.grad() << '\n';
  draw(a, b, a.grad());
}

struct TinyModel {
  Tensor w1 = (0.03 * gradus::randn({100, 1000})).requires_grad_(), b1 = gradus::zeros({100}).requires_grad_();
  Tensor w2 = (0.1 * gradus::randn({10, 100})).requires_grad_(), b2 = gradus::zeros({10}).requires_grad_();

  Tensor operator()(const Tensor& x) const { return gradus::linear(gradus::relu(gradus::linear(x, w1, b1)), w2, b2); }
  std::vector<Tensor> parameters() const { return {w1, b1, w2, b2}; }
};

Tensor squared_error(const Tensor& ideal, const Tensor& prediction) {
  const Tensor difference = ideal - prediction;
  return (difference * difference).sum();
}
double first_weight(const Tensor& w) { return w.detach().to_vector<double>()[0]; }

// Steps 4 and 5: training, and gradients that add up.
void training() {
  title("4. One step of training");
  const TinyModel model;
  const Tensor input = gradus::randn({16, 1000}), ideal = gradus::randn({16, 10});
  check(!model.w2.grad().defined(), "no gradient before the first backward");
  const Tensor loss = squared_error(ideal, model(input));
  std::cout << "loss = " << loss << '\n';
  loss.backward();
  const double before = first_weight(model.w2);
  {
    const gradus::NoGradGuard no_grad;
    for (const Tensor& p : model.parameters()) p -= 0.001 * p.grad();
  }
  std::cout << "w2[0][0] goes from " << before << " to " << first_weight(model.w2) << '\n';
  const double after = squared_error(ideal, model(input)).item<double>();
  std::cout << "loss = " << after << '\n';
  check(after < loss.item<double>(), "a step makes the loss smaller");

  title("5. Gradients add up until they are cleared");
  for (const Tensor& p : model.parameters()) p.zero_grad();
  double last = 0;
  for (int i = 0; i < 5; ++i) {
    squared_error(ideal, model(input)).backward();
    const double now = model.w2.grad().norm().item<double>();
    std::cout << "pass " << i + 1 << ": the norm of w2.grad is " << now << '\n';
    check(now > last, "another pass adds its gradient");
    last = now;
  }
  for (const Tensor& p : model.parameters()) p.zero_grad();
  check(!model.w2.grad().defined(), "zero_grad clears");
}

// Steps 6 to 8: switching recording off, detaching, and what in-place operations may not do.
void control() {
  title("6. Recording on and off");
  const Tensor a = gradus::ones({2, 3}).requires_grad_();
  const Tensor recorded = 2 * a;
  a.requires_grad_(false);
  const Tensor plain = 2 * a;
  std::cout << recorded << '\n' << plain << '\n';
  a.requires_grad_();
  const auto add = [](const Tensor& x, const Tensor& y) {     // a function that never records
    const gradus::NoGradGuard no_grad;
    return x + y;
  };
  const Tensor quiet = add(a, 2 * a);
  check(!quiet.requires_grad(), "nothing is recorded under NoGradGuard");
  {
    const gradus::NoGradGuard no_grad;
    const gradus::EnableGradGuard grad;
    check((a + 1).requires_grad(), "EnableGradGuard records inside NoGradGuard");
  }

  title("7. Detach");
  const Tensor x = gradus::rand({5}).requires_grad_(), y = x.detach();
  std::cout << x << '\n' << y << '\n';
  check(!y.requires_grad(), "a detached tensor does not require grad");

  title("8. In place on a leaf");
  try {
    x.sin_();
    check(false, "sin_ on a leaf that requires grad is refused");
  } catch (const gradus::Error& e) {
    std::cout << "refused: " << e.what() << '\n';
  }
}

// Step 9: where the time goes.
void profiler() {
  title("9. The profiler");
  Tensor x = gradus::rand({2, 3}).requires_grad_();
  const Tensor y = gradus::rand({2, 3});
  gradus::Profile profile;
  for (int i = 0; i < 1000; ++i) x = x / y * y;
  profile.stop();
  std::cout << profile.table("self_cpu_time_total");
  uint64_t divisions = 0;
  for (uint64_t i = 0; i < profile.info().event_count; ++i) divisions += profile.event(i).name == std::string("div");
  check(divisions == 1000, "the profile saw every division");
}

// Step 10: a loop whose length depends on the data, and an output that is not one number.
Tensor doubled(const Tensor& x) {
  Tensor y = 2 * x;
  while (y.detach().norm().item<double>() < 1000) y = 2 * y;
  return y;
}
Tensor direction() { return gradus::tensor({0.1f, 1.0f, 0.0001f}); }

void vector_jacobian_product() {
  title("10. A result with three elements");
  const Tensor x = gradus::randn({3}).requires_grad_(), y = doubled(x);
  std::cout << "y = " << y << '\n';
  y.backward(direction());
  std::cout << "x.grad = " << x.grad() << '\n';
  const double factor = y[1].item<double>() / x[1].item<double>();
  check(std::abs(x.grad()[1].item<double>() - factor) < 1e-3 * factor, "x.grad = v times the factor of the loop");
}

// Steps 11 and 12: derivatives of functions.
void functions() {
  title("11. The Jacobian of a function");
  const auto f = [](const Tensor& x, const Tensor& y) { return 2 * x.exp() + 3 * y; };
  for (const Tensor& x : {gradus::rand({1}), gradus::rand({4})}) {
    const auto j = gradus::autograd::jacobian(f, {x, gradus::rand_like(x)})[0];
    std::cout << "x = " << x << "\nby x: " << j[0] << "\nby y: " << j[1] << '\n';
    check((j[0] - gradus::diag(2 * x.exp())).abs().max().item<double>() < 1e-5, "the Jacobian by x is 2 exp x on the diagonal");
    check((j[1] - 3 * gradus::eye(x.size(0))).abs().max().item<double>() < 1e-5, "the Jacobian by y is 3 on the diagonal");
  }

  title("12. A vector times the Jacobian");
  const Tensor x = gradus::randn({3});
  const auto product = gradus::autograd::vjp(doubled, {x}, {direction()});
  std::cout << "y = " << product.outputs[0] << "\nv' J = " << product.values[0] << '\n';
  const Tensor wanted = direction() * (product.outputs[0] / x);
  check((product.values[0] - wanted).abs().max().item<double>() < 1e-3 * wanted.abs().max().item<double>(), "v' J = v times the factor of the loop");
}

}  // namespace

int main() {
  try {
    gradus::manual_seed(17);
    a_simple_example();
    training();
    control();
    profiler();
    vector_jacobian_product();
    functions();
  } catch (const std::exception& e) {
    std::cerr << "tutorial: " << e.what() << '\n';
    return 1;
  }
  return 0;
}
