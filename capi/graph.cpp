// The recorded graph as text.
#include "io/graph.h"

#include "capi/guard.h"

using namespace gradus;
using namespace gradus::capi;

gradus_status gradus_graph_export(gradus_context* ctx, gradus_tensor* const* outputs, size_t output_count, const gradus_graph_options* options,
                                  int32_t format, char* buffer, size_t capacity, size_t* length) {
  return guard_text(ctx, "graph_export", buffer, capacity, length, [&](Context&) {
    needed(length, "length");
    GRADUS_CHECK(format >= GRADUS_GRAPH_DOT && format <= GRADUS_GRAPH_TABLE, value, "format {} is none of DOT, JSON and TABLE", format);
    const gradus_graph_options o = read_options(options);
    check_flags(o.flags, GRADUS_GRAPH_WITH_SAVED);
    io::GraphOptions g;
    g.tensors = tensors(o.tensors, o.name_count, "tensors");
    check_list(o.names, o.name_count, "names");
    for (size_t i = 0; i < o.name_count; ++i) g.names.emplace_back(needed(o.names[i], "names"));
    g.saved = o.flags & GRADUS_GRAPH_WITH_SAVED;
    const std::span<const Tensor> roots = tensors(outputs, output_count, "outputs");
    return format == GRADUS_GRAPH_DOT ? io::graph_dot(roots, g) : format == GRADUS_GRAPH_JSON ? io::graph_json(roots, g) : io::saved_table(roots);
  });
}
