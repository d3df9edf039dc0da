// A matrix product, its gradient, and an error that arrives as an exception.
#include <gradus/gradus.hpp>
#include <iostream>

int main() {
  const auto w = gradus::tensor({1.0, -2.0, 3.0, 4.0}, gradus::float64).view({2, 2}).requires_grad_();
  const auto loss = w.mm(w).relu().sum();
  loss.backward();
  bool caught = false;
  try {
    w.mm(gradus::zeros({3, 3}, gradus::float64));
  } catch (const gradus::Error& e) {
    caught = e.status() == GRADUS_E_SHAPE;
  }
  std::cout << w.grad() << "\n" << (caught ? "shapes are checked\n" : "shapes are not checked\n");
  return caught && w.grad().numel() == 4 ? 0 : 1;
}
