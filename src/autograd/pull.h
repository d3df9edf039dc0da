// The gradient of one input of a formula node, by its fused kernel: addend + g * slope in one pass.
#pragma once
#include "graph/shared_node.h"

namespace gradus {

// g may be overwritten or moved away when this is its `last` use. When *buffer is a gradient of the right kind that nobody else sees, the result
// is added to it in the same pass, and null is returned.
// UNSUPPORTED where the formula has NaN for a slope by that input: no derivative is known.
Tensor pull_formula(Node* n, const SavedValues& saved, int input, Tensor& g, bool last, Tensor* buffer, const OutputMeta& target);
void check_has_slope(const Node* n, int input);

}  // namespace gradus
