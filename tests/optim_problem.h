// What tests of optimizers minimize. Included after a header of gradus.
#pragma once
#include <cmath>
#include <vector>

using gradus::Tensor;
using Tensors = std::vector<Tensor>;

// The problem behind optim_expected.h: two parameters of four and three elements, and gradients that are polynomials of them.
inline Tensors parameters(gradus::Dtype dtype = gradus::float64) {
  Tensors all;
  int k = 0;
  for (const size_t n : {4, 3}) {
    std::vector<double> v;
    for (size_t i = 0; i < n; ++i, ++k) v.push_back(std::ldexp(k * 37 % 64 - 31, -5));
    all.push_back(gradus::tensor(v, dtype).requires_grad_());
  }
  return all;
}
inline void set_gradients(const Tensors& params) {
  int k = 0;
  for (const Tensor& p : params) {
    std::vector<double> g = p.to_vector<double>();
    for (double& x : g) {
      x = (0.25 + 0.125 * (k % 5)) * (x - std::ldexp(k * 11 % 16 - 8, -3)) + 0.125 * x * x * x;
      ++k;
    }
    p.set_grad(gradus::tensor(g, p.dtype()).reshape(p.sizes()));
  }
}
inline std::vector<double> values(const Tensors& all) {
  std::vector<double> v;
  for (const Tensor& t : all)
    for (double x : t.to_vector<double>()) v.push_back(x);
  return v;
}

// A valley for LBFGS.
inline Tensor rosenbrock(const Tensors& p) {
  const Tensor x = gradus::cat({p[0], p[1]});
  const Tensor a = x.slice(0, 0, 3), b = x.slice(0, 1, 4);
  return ((b - a * a).square() * 4 + (1 - a).square()).sum();
}
inline Tensor loss_and_gradients(const gradus::optim::Optimizer& o, const Tensors& p) {
  o.zero_grad();
  const Tensor l = rosenbrock(p);
  l.backward();
  return l;
}
inline Tensors valley() {
  return {gradus::tensor({-1.2, 1.0}, gradus::float64).requires_grad_(), gradus::tensor({0.5, -0.75}, gradus::float64).requires_grad_()};
}
