// What the gradients of a function of the host lead to when its rule ran unrecorded: to the gradients that it was given by the
// function's jvp, as d<t, vjp(u)>/du = jvp(t); to its inputs by a refusal.
#pragma once
#include "graph/custom.h"

namespace gradus {

void put_second(Node* of, const Ref<FunctionCall>& call, std::span<const Tensor> incoming, std::vector<Tensor>& gradients);

}  // namespace gradus
