// A network solves a partial differential equation: no data, only what its second derivatives have to be.
//   pinn --svg error.svg
// Poisson's equation on the unit square, u_xx + u_yy = -f with f = 2 pi^2 sin(pi x) sin(pi y) and u = 0 on the border; its solution is
// u = sin(pi x) sin(pi y). The network's output times x (1 - x) y (1 - y) is 0 on the border by itself, so the loss is the equation alone, at
// points that are drawn anew for each step: the mean of (u_xx + u_yy + f)^2. The second derivatives come from two calls of gradus::grad, and
// backward goes through both. An epoch is 50 steps. Expected of the defaults (20 epochs, seed 1), and of pinn.py digit by digit: a relative error of
// 1.04e-03 in 1 s.
#include <cmath>

#include "learning.h"

using gradus::Tensor;
namespace nn = gradus::nn;
namespace optim = gradus::optim;

namespace {

const double kPi = std::acos(-1.0);

struct Solution : nn::Module {
  explicit Solution(int64_t width = 32, int layers = 3) {
    for (int i = 0; i < layers; ++i) {
      net.push<nn::Linear>(i ? width : 2, width);
      net.push<nn::Tanh>();
    }
    net.push<nn::Linear>(width, 1);
    add("net", net);
  }
  Tensor forward(const Tensor& points) override {
    const auto xy = points.unbind(1);                         // each part in a statement: C++ leaves the order of operands open, and the order
    const Tensor right = 1 - xy[0], top = 1 - xy[1];          // in which gradients are added decides the last bits
    return net(points).squeeze(1) * xy[0] * right * xy[1] * top;
  }
  nn::Sequential net;
};

// u_xx + u_yy at each point, still a function of the parameters.
Tensor laplacian(const Tensor& u, const Tensor& points) {
  const Tensor first = gradus::grad({u.sum()}, {points}, {}, {.create_graph = true})[0];
  const auto second = [&](int64_t k) {
    return gradus::grad({first.select(1, k).sum()}, {points}, {}, {.create_graph = true})[0].select(1, k);
  };
  const Tensor xx = second(0);
  return xx + second(1);
}

Tensor exact(const Tensor& points) {
  const auto xy = points.unbind(1);
  return gradus::sin(kPi * xy[0]) * gradus::sin(kPi * xy[1]);
}

Tensor residual(nn::Module& model, const Tensor& drawn) {
  const Tensor points = drawn.detach().requires_grad_();
  return (laplacian(model(points), points) + 2 * (kPi * kPi) * exact(points.detach())).pow(2).mean();
}

// The relative error over a grid: the root of the sum of squares, divided by the solution's.
double error(nn::Module& model, int64_t side = 41) {
  const gradus::NoGradGuard no_grad;
  const Tensor line = gradus::linspace(0, 1, side), points = gradus::stack({line.repeat_interleave(side), line.repeat({side})}, 1);
  const Tensor right = exact(points);
  return ((model(points) - right).pow(2).sum() / right.pow(2).sum()).sqrt().item<double>();
}

void program(const examples::Arguments& args) {
  const long epochs = args.quick ? 3 : args.epochs, steps = args.quick ? 20 : 50, count = args.quick ? 64 : 256;
  Solution model;
  const double before = error(model);
  const optim::Optimizer optimizer("Adam", model.parameters(), {{"lr", 5e-3}});
  const optim::Scheduler rates(optimizer, "CosineAnnealingLR", {{"T_max", static_cast<double>(epochs * steps)}});
  examples::Training run(args, {"residual", "relative error"}, model, &optimizer, &rates);
  const long end = examples::end_of(args, epochs);
  examples::Progress progress("epochs", end - run.done);
  while (run.done < end) {
    Tensor loss;
    for (long i = 0; i < steps; ++i) {
      optimizer.zero_grad();
      loss = residual(model, gradus::rand({count, 2}));
      loss.backward();
      optimizer.step();
      rates.step();
    }
    ++run.done;
    run.point(0, static_cast<double>(run.done), loss.item<double>());
    run.point(1, static_cast<double>(run.done), error(model));
    run.save();
    progress.step(examples::text("residual %.2e", run.last(0)) + examples::text("  relative error %.2e", run.last(1)));
  }
  const double after = error(model);
  std::printf("relative error: %.2e, at the start %.2e\n", after, before);
  examples::expect(args, after < 0.7, "a relative error below 0.7");
  run.draw("A network solves Poisson's equation", "epoch", "", true);
}

}  // namespace

int main(int, char** argv) { return examples::run(argv, 20, {}, program, false); }
