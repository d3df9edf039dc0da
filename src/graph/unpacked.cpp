// The arguments of a recorded call, for its rule.
#include "base/context.h"
#include "graph/shared_node.h"

namespace gradus {

void refuse_freed(const Node* n) {
  fail(Status::graph_freed, "{}: its saved values were freed by an earlier backward: pass retain_graph to keep them", node_name(n));
}

Unpacked::Unpacked(Node* n) : node_(n) {
  const SavedValues saved(n, SavedValues::Use::share);
  const auto& arguments = n->op->info->schema.arguments;
  size_t lists = 0;
  for (size_t i = 0; i < arguments.size(); ++i) {
    values_[i] = n->has_args() ? n->args[i] : n->op->info->defaults[i];
    if (arguments[i].type != Type::tensor) continue;
    if (!values_[i].is_number()) values_[i] = Value(std::nullopt);
    if (arguments[i].list) lists = n->edge_count;
  }
  kept_.reserve(lists + n->saved_count);                      // spans and values point into it
  read_outputs(saved.get());
  read_inputs(saved.get());
}

void Unpacked::read_outputs(std::span<const Saved> saved) {
  for (const Saved& s : saved) {
    if (!s.is_output) continue;
    while (outputs_.size() <= s.slot) outputs_.push_back({});
    const Tensor out = unpack(node_, s);
    outputs_[s.slot] = context().grad_mode ? with_history(out, {node_, s.slot}) : out;   // under create_graph it is differentiated, too
  }
}

Tensor as_recorded(Tensor value, const Edge& to) {
  const TensorImpl* t = value.impl();
  if (to.node->is_sink() ? to.node->leaf == t && !t->grad_fn : t->grad_fn == to.node && t->output_nr == to.nr) return value;
  return with_history(value, to);
}

// A saved input; under create_graph with the history that it had then.
TensorImpl* Unpacked::input(const Saved& s, uint32_t flat) {
  Tensor t = unpack(node_, s);
  if (const Edge& e = node_->edges()[flat]; context().grad_mode && e.node) t = as_recorded(std::move(t), e);
  kept_.push_back(std::move(t));
  return kept_.back().impl();
}

void Unpacked::read_inputs(std::span<const Saved> saved) {
  uint32_t flat = 0;
  size_t next = 0;                                            // saved inputs stand in flat order
  const auto take = [&]() -> TensorImpl* {
    if (next == saved.size() || saved[next].is_output || saved[next].slot != flat) return nullptr;
    return input(saved[next++], flat);
  };
  const Schema& schema = node_->op->info->schema;
  for (size_t i = 0; i < schema.arguments.size(); ++i) {
    const Argument& a = schema.arguments[i];
    if (a.type != Type::tensor) continue;
    if (!a.list) {
      if (TensorImpl* t = take()) values_[i] = Value(t);
      ++flat;
      continue;
    }
    const size_t begin = kept_.size();
    const uint32_t members = node_->edge_count - static_cast<uint32_t>(schema.inputs - 1);   // at most one list
    for (uint32_t m = 0; m < members; ++m, ++flat)
      if (!take()) kept_.push_back({});
    values_[i] = Value(std::span<const Tensor>(kept_.data() + begin, members));
  }
}

}  // namespace gradus
