#include "graph/second.h"

#include "base/context.h"
#include "graph/history.h"

namespace gradus {

class SecondRule : public HostRule {
 public:
  SecondRule(Node* of, Ref<FunctionCall> call, uint32_t seeds) : of_(Ref<Node>::share(of)), call_(std::move(call)), seeds_(seeds) {}
  std::string name() const override { return "OnceDifferentiable"; }
  void free_saved() override {}

  void pull(Node* n, Tensors& gradients, const Tensors& incoming) override {
    Function& f = *call_->function_;
    bool beyond = !f.has_jvp();
    for (uint32_t i = seeds_; i < n->edge_count && !beyond; ++i) beyond = context().pass->wants(n->edges()[i]);
    GRADUS_CHECK(!beyond, state, "{}: it is differentiable once only, and a gradient of its gradient is asked for", f.node_name());
    const std::vector<Tensor> tangents(incoming.begin(), incoming.end());
    std::vector<Tensor> results;
    f.push(*call_, tangents, results);
    GRADUS_CHECK(results.size() == seeds_, value, "{}: its jvp returned {} tangents for {} results", f.name(), results.size(), seeds_);
    for (uint32_t k = 0; k < seeds_; ++k) gradients[k] = std::move(results[k]);
  }

 private:
  Ref<Node> of_;                                              // has what the function saved
  Ref<FunctionCall> call_;
  uint32_t seeds_;                                            // edges to the gradients that came in; behind them those to the inputs
};

void put_second(Node* of, const Ref<FunctionCall>& call, std::span<const Tensor> incoming, std::vector<Tensor>& gradients) {
  Edges edges;
  edges.reserve(of->edge_count + incoming.size());
  for (const Tensor& g : incoming) edges.add(g && needs_grad(g.impl()) ? history(g.impl()) : Edge());
  for (uint32_t i = 0; i < of->edge_count; ++i) {
    const Edge& e = of->edges()[i];
    if (e.node) retain(e.node);
    edges.add(e);
  }
  std::vector<Tensor> shown;
  for (const Tensor& g : gradients) shown.push_back(g ? g : empty(Dtype::i64, SizesRef()));
  const Ref<Node> end = make_host_node(std::make_unique<SecondRule>(of, call, static_cast<uint32_t>(incoming.size())), edges.get(), shown);
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (!gradients[i] || !is_differentiable(gradients[i].dtype())) continue;
    gradients[i] = alias(gradients[i]);
    set_history(gradients[i].impl(), end, static_cast<uint32_t>(i));
  }
}

}  // namespace gradus
