// A tensor as text, character for character as PyTorch 2.6 prints it with its default options.
#pragma once
#include <string>

#include "tensor/tensor.h"

namespace gradus {

// "tensor([1., 2.], requires_grad=True)". Above 1000 elements each dimension shows its first and last three.
std::string print(const Tensor& t);

}  // namespace gradus
