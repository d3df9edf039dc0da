// A recorded graph as text: DOT to be drawn by Graphviz, JSON for programs. Nodes are numbered from 1 on, oldest first.
#pragma once
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace gradus::io {

struct GraphOptions {
  std::span<const Tensor> tensors;                            // these are called …
  std::vector<std::string_view> names;                        // … so, wherever they stand in the graph
  bool saved = false;                                         // DOT: what nodes saved, as notes
};

// All that the outputs, which require grad, were computed from. Reads no data, walks any depth without recursion.
std::string graph_dot(std::span<const Tensor> outputs, const GraphOptions& options);
std::string graph_json(std::span<const Tensor> outputs, const GraphOptions& options);     // as gradus/graph.h describes it

}  // namespace gradus::io
