// Newton's method without a Hessian: conjugate gradients need only its products with vectors, and those are one more backward.
//   newton_cg --svg curve.svg
// The function is Rosenbrock's in 100 dimensions, the sum of 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2: a long curved valley with the minimum 0 at
// (1, ..., 1). Each epoch is one step of Newton's method: conjugate gradients solve H d = -g roughly, stop where a direction has negative
// curvature, and the step goes along d as far as the function decreases enough. Near the minimum every step doubles the number of right digits.
// Expected of the defaults (double precision, seed 1), and of newton_cg.py: value 0 after 263 steps and 1,789 products; every coordinate is 1.
// There is one more local minimum, of value 3.99 near (-1, 1, ..., 1), where other seeds may end (3 does).
#include <cmath>

#include "learning.h"

using gradus::Tensor;

namespace {

// Where we are; its value is Rosenbrock's function.
struct Point : gradus::nn::Module {
  explicit Point(int64_t dimensions) {
    x = parameter("x", gradus::randn({dimensions}, gradus::float64));
    products = buffer("products", gradus::tensor(int64_t{0}));
  }
  Tensor value() const {
    const int64_t n = x.numel() - 1;
    const Tensor here = x.narrow(0, 0, n), next = x.narrow(0, 1, n);
    return (100 * (next - here.pow(2)).pow(2) + (1 - here).pow(2)).sum();
  }
  Tensor x, products;                                         // products of the Hessian with a vector, so far
};

double scalar_product(const Tensor& a, const Tensor& b) { return (a * b).sum().item<double>(); }

// d with |H d + g| <= min(1/2, sqrt |g|) |g|, where H v is the gradient of g . v.
Tensor solve(const Point& at, const Tensor& gradient, int most = 200) {
  Tensor d = gradus::zeros_like(at.x.detach()), r = -gradient.detach(), p = r;
  double rr = scalar_product(r, r);
  const double enough = std::min(0.25, std::sqrt(rr)) * rr;
  for (int k = 0; k < most; ++k) {
    const Tensor hp = gradus::grad({gradient}, {at.x}, {p}, {.retain_graph = true})[0];
    at.products += int64_t{1};
    const double curvature = scalar_product(p, hp);
    if (curvature <= 1e-12 * scalar_product(p, p)) return k ? d : p;
    const double alpha = rr / curvature;
    d = d + alpha * p;
    r = r - alpha * hp;
    const double before = std::exchange(rr, scalar_product(r, r));
    if (rr <= enough) break;
    p = r + rr / before * p;
  }
  return d;
}

// Halves the step until the function falls by a part of what the slope promises.
void search(const Point& at, double value, const Tensor& direction, double slope) {
  const gradus::NoGradGuard no_grad;
  const Tensor start = at.x.detach().clone();
  for (double step = 1; step > 1e-12; step /= 2) {
    at.x.copy_(start + step * direction);
    if (at.value().item<double>() <= value + 1e-4 * step * slope) return;
  }
  at.x.copy_(start);
}

double newton_step(const Point& at) {
  const Tensor value = at.value(), gradient = gradus::grad({value}, {at.x}, {}, {.create_graph = true})[0];
  const Tensor direction = solve(at, gradient);
  search(at, value.item<double>(), direction, scalar_product(gradient.detach(), direction));
  return value.item<double>();
}

void program(const examples::Arguments& args) {
  Point at(args.quick ? 10 : 100);
  examples::Training run(args, {"value"}, at);
  const long end = examples::end_of(args, args.epochs);
  examples::Progress progress("steps", end - run.done);
  while (run.done < end && !(run.started(0) && run.last(0) < 1e-20)) {
    run.point(0, static_cast<double>(run.done), newton_step(at));
    ++run.done;
    run.save();
    progress.step(examples::text("value %.3e", run.last(0)));
  }
  progress.close();
  std::printf("value %.2e after %ld steps and %ld products of the Hessian with a vector; furthest from the minimum: %.1e\n",
              at.value().item<double>(), run.done, at.products.item<long>(), (at.x.detach() - 1).abs().max().item<double>());
  examples::expect(args, run.last(0) < 1e-10, "a value below 1e-10");
  run.draw("Newton's method with conjugate gradients", "step", "Rosenbrock's function", true);
}

}  // namespace

int main(int, char** argv) { return examples::run(argv, 300, {}, program, false); }
