// Gradients.
#include "autograd/grad.h"

#include <vector>

#include "capi/guard.h"
#include "graph/history.h"

using namespace gradus;
using namespace gradus::capi;

namespace {

GradOptions options_of(const gradus_backward_options& o) {
  constexpr uint32_t known = GRADUS_BACKWARD_KEEP_GRAPH | GRADUS_BACKWARD_RECORD | GRADUS_BACKWARD_ALLOW_UNUSED | GRADUS_BACKWARD_MATERIALIZE |
                             GRADUS_BACKWARD_BATCHED;
  check_flags(o.flags, known);
  GRADUS_CHECK(!o.reserved0, unknown_field, "reserved0 is not null");
  GradOptions g;
  g.retain_graph = o.flags & GRADUS_BACKWARD_KEEP_GRAPH;
  g.create_graph = o.flags & GRADUS_BACKWARD_RECORD;
  g.allow_unused = o.flags & GRADUS_BACKWARD_ALLOW_UNUSED;
  g.materialize = o.flags & GRADUS_BACKWARD_MATERIALIZE;
  g.batched = o.flags & GRADUS_BACKWARD_BATCHED;
  return g;
}
std::span<const Tensor> seeds_of(gradus_tensor* const* seeds, size_t count) {
  return seeds ? tensors(seeds, count, "seeds", true) : std::span<const Tensor>();
}

std::vector<Edge> edges_of(const gradus_edge* list, size_t count, size_t bytes, const char* what) {
  GRADUS_CHECK(bytes == sizeof(gradus_edge), argument, "'edge_bytes' is {}, not {}", bytes, sizeof(gradus_edge));
  check_list(list, count, what);
  GRADUS_CHECK(count <= kLongest, value, "'{}' has a count of {}", what, count);
  std::vector<Edge> edges;
  edges.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    Node* n = node(list[i].node);
    GRADUS_CHECK(!list[i].reserved0, unknown_field, "'{}' {}: reserved0 is not null", what, i);
    GRADUS_CHECK(list[i].output_nr < n->output_count, index, "'{}' {} is output {} of a node with {}", what, i, list[i].output_nr, n->output_count);
    edges.push_back({n, static_cast<uint32_t>(list[i].output_nr)});
  }
  return edges;
}

// A pass from outputs() to the leaves, or to inputs(): functions that read the caller's lists of tensors or edges.
template <class F>
gradus_status run_backward(gradus_context* ctx, F outputs, gradus_tensor* const* seeds, size_t count, const gradus_backward_options* options) {
  return guard(ctx, "backward", [&](Context&) {
    const gradus_backward_options o = read_options(options);
    GRADUS_CHECK(!(o.flags & GRADUS_BACKWARD_BATCHED), argument, "backward: a batch of gradients has no place in .grad: use grad");
    backward(outputs(), seeds_of(seeds, count), options_of(o), tensors(o.inputs, o.input_count, "inputs"));
  });
}
template <class F, class G>
gradus_status run_grad(gradus_context* ctx, F outputs, G inputs, gradus_tensor* const* seeds, size_t count, const gradus_backward_options* options,
                       gradus_tensor** results, size_t result_count) {
  clear(results, result_count);
  return guard(ctx, "grad", [&](Context&) {
    if (result_count > 0) needed(results, "results");
    const gradus_backward_options o = read_options(options);
    GRADUS_CHECK(o.input_count == 0 && !o.inputs, argument, "grad: the inputs are an argument, not an option");
    Tensors g = grad(outputs(), inputs(), seeds_of(seeds, count), options_of(o));
    for (size_t i = 0; i < g.size(); ++i) results[i] = give(std::move(g[i]));
  });
}

}  // namespace

gradus_status gradus_tensor_set_requires_grad(gradus_context* ctx, gradus_tensor* t, int32_t on) {
  return guard(ctx, "tensor_set_requires_grad", [&](Context&) { set_requires_grad(tensor(t, "tensor"), on != 0); });
}
gradus_status gradus_tensor_detach(gradus_context* ctx, const gradus_tensor* t, gradus_tensor** result) {
  return guard_result(ctx, "tensor_detach", result, [&](Context&) { return give(detach(Tensor::share(tensor(t, "tensor")))); });
}
gradus_status gradus_tensor_detach_in_place(gradus_context* ctx, gradus_tensor* t) {
  return guard(ctx, "tensor_detach_in_place", [&](Context&) { detach_in_place(tensor(t, "tensor")); });
}

gradus_status gradus_tensor_grad(gradus_context* ctx, const gradus_tensor* t, gradus_tensor** result) {
  return guard_result(ctx, "tensor_grad", result, [&](Context&) {
    const TensorImpl* p = tensor(t, "tensor");
    return p->autograd ? give(p->autograd->grad) : nullptr;
  });
}
gradus_status gradus_tensor_set_grad(gradus_context* ctx, gradus_tensor* t, gradus_tensor* grad) {
  return guard(ctx, "tensor_set_grad", [&](Context&) {
    TensorImpl* p = tensor(t, "tensor");
    set_grad(p, grad ? Tensor::share(tensor(grad, "grad")) : Tensor());
  });
}
gradus_status gradus_tensor_retain_grad(gradus_context* ctx, gradus_tensor* t) {
  return guard(ctx, "tensor_retain_grad", [&](Context&) { retain_grad(tensor(t, "tensor")); });
}

gradus_status gradus_backward(gradus_context* ctx, gradus_tensor* const* outputs, size_t output_count, gradus_tensor* const* seeds,
                              const gradus_backward_options* options) {
  return run_backward(ctx, [=] { return tensors(outputs, output_count, "outputs"); }, seeds, output_count, options);
}

gradus_status gradus_grad(gradus_context* ctx, gradus_tensor* const* outputs, size_t output_count, gradus_tensor* const* inputs,
                          size_t input_count, gradus_tensor* const* seeds, const gradus_backward_options* options, gradus_tensor** results) {
  return run_grad(ctx, [=] { return tensors(outputs, output_count, "outputs"); }, [=] { return tensors(inputs, input_count, "inputs"); }, seeds,
                  output_count, options, results, input_count);
}

gradus_status gradus_backward_edges(gradus_context* ctx, const gradus_edge* outputs, size_t output_count, size_t edge_bytes, gradus_tensor* const* seeds,
                                    const gradus_backward_options* options) {
  return run_backward(ctx, [=] { return edges_of(outputs, output_count, edge_bytes, "outputs"); }, seeds, output_count, options);
}

gradus_status gradus_grad_edges(gradus_context* ctx, const gradus_edge* outputs, size_t output_count, const gradus_edge* inputs, size_t input_count,
                                size_t edge_bytes, gradus_tensor* const* seeds, const gradus_backward_options* options, gradus_tensor** results) {
  return run_grad(ctx, [=] { return edges_of(outputs, output_count, edge_bytes, "outputs"); },
                  [=] { return edges_of(inputs, input_count, edge_bytes, "inputs"); }, seeds, output_count, options, results, input_count);
}

gradus_status gradus_graph_free(gradus_context* ctx, const gradus_edge* outputs, size_t output_count, const gradus_edge* kept, size_t kept_count,
                                size_t edge_bytes) {
  return guard(ctx, "graph_free", [&](Context&) {
    free_graph(edges_of(outputs, output_count, edge_bytes, "outputs"), edges_of(kept, kept_count, edge_bytes, "kept"));
  });
}

gradus_status gradus_tensor_increment_version(gradus_context* ctx, gradus_tensor* t) {
  return guard(ctx, "tensor_increment_version", [&](Context&) {
    TensorImpl* p = tensor(t, "tensor");
    GRADUS_CHECK(!p->inference, state, "a tensor made in inference mode has no version");
    p->storage->bump();
  });
}

gradus_status gradus_tensor_set_data(gradus_context* ctx, gradus_tensor* t, const gradus_tensor* other) {
  return guard(ctx, "tensor_set_data", [&](Context&) { set_data(tensor(t, "tensor"), tensor(other, "other")); });
}
