// gradus/nn.hpp - layers in C++ with PyTorch's names, first values and state dicts, over the operations of ops.hpp.
//
//   struct Net : gradus::nn::Module {
//     gradus::nn::Linear hidden{64, 32}, out{32, 10};
//     Net() { add("hidden", hidden); add("out", out); }
//     Tensor forward(const Tensor& x) override { return out(gradus::relu(hidden(x))); }
//   };
//
// A module that is a member is added by reference, so modules are neither copied nor moved; Sequential owns what it is given.
#ifndef GRADUS_NN_HPP
#define GRADUS_NN_HPP

#include "gradus/nn/attention.hpp"
#include "gradus/nn/layers.hpp"
#include "gradus/nn/module.hpp"
#include "gradus/nn/norms.hpp"
#include "gradus/nn/recurrent.hpp"

#endif  // GRADUS_NN_HPP
