// Brings a gradient back to the space of its input: sums over broadcast dimensions and casts. The only place that does.
#pragma once
#include "graph/node.h"

namespace gradus {

Tensor project(Tensor g, const OutputMeta& input, const Node* from);

}  // namespace gradus
