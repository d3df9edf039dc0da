/*
 * gradus/graph.h - a recorded graph to look at: as DOT, which Graphviz draws, as JSON, and as a table of what is saved.
 *
 *   gradus_graph_export(ctx, &loss, 1, NULL, GRADUS_GRAPH_DOT, buffer, sizeof buffer, &length);    then: dot -Tsvg
 */
#ifndef GRADUS_GRAPH_H
#define GRADUS_GRAPH_H

#include "gradus/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  GRADUS_GRAPH_DOT   = 1,
  GRADUS_GRAPH_JSON  = 2,
  GRADUS_GRAPH_TABLE = 3         /* what is saved, by operation */
};

/* Options of the texts below. */
typedef struct gradus_graph_options {
  uint32_t struct_size;
  uint32_t flags;                /* GRADUS_GRAPH_WITH_SAVED */
  uint64_t name_count;
  gradus_tensor *const *tensors; /* [null ok] name_count tensors, leaves or computed ones, ... */
  const char *const *names;      /* [null ok] ... and what each is called: UTF-8 with a 0 at the end */
} gradus_graph_options;
enum {
  GRADUS_GRAPH_WITH_SAVED = 0x1  /* DOT: what the nodes saved, as notes. JSON always has it. */
};

/*
 * The graph behind the outputs, of any depth: at most capacity bytes, a 0 at the end included; length receives the bytes of
 * the whole. The same graph gives the same text. In DOT and JSON an edge leads from a node to the one that made its argument:
 * the way of the gradients. In DOT operations are boxes, dashed once their saved values are freed; leaves are ovals.
 *
 * JSON:
 *   {"version": 1,
 *    "saved_bytes": n,                              bytes of the storages that saved values keep alive, each counted once:
 *                                                   what hooks put in their place, and what checkpoints keep, too
 *    "roots": [{"node": id, "output_nr": k}, ...],  one for each output: which result of which node it is
 *    "nodes": [...]}                                oldest first; one line each; ids are 1, 2, 3 ... in this order
 *   A node of an operation:
 *   {"id": 2, "name": "MulBackward0", "sequence": 7, "op": "mul",       null for a function of the host
 *    "freed": false,                                whether an earlier pass freed what it saved
 *    "arguments": {"other": 2},                     those that are no tensors and not the default; numbers that JSON has not
 *                                                   are the texts "inf", "-inf" and "nan"
 *    "outputs": [{"name": null, "shape": [3], "dtype": "float32"}],
 *    "saved": [{"what": "self", "output": false, "freed": false, "packed": false, "shape": [3], "dtype": "float32", "bytes": 12}],
 *    "edges": [{"input": 0, "argument": "self", "node": 1, "output_nr": 0}]}
 *   "what" is an argument, or with "output": true a result, or "saved[0]" and so on of a function of the host; a freed one has nothing behind that. There is one edge for
 *   each tensor argument, in the order of the schema, each member of a list by itself ("tensors[1]"); its "node" is null where
 *   no gradient flows. A leaf:
 *   {"id": 1, "name": "AccumulateGrad", "sequence": 1,
 *    "leaf": {"name": "a", "shape": [3], "dtype": "float32", "requires_grad": true, "has_grad": false}}
 *   Names are null unless the options give them. Later versions may add keys.
 *
 * The table has a line for each operation, that with the most bytes first, and one for the total: how many nodes keep something,
 * how many values, the bytes of their storages (each counted once, with the oldest node that keeps it), and how many of these
 * are memory of leaves, which is there anyway. What checkpoints keep has a line of its own, "checkpoint"; their nodes' values
 * have no bytes, as those that hooks of the host keep elsewhere.
 *
 * Errors: STATE for an output that does not require grad; VALUE for no outputs, or another format.
 */
GRADUS_API gradus_status gradus_graph_export(gradus_context *ctx, gradus_tensor *const *outputs, size_t output_count,
                                             const gradus_graph_options *options /* [null ok] */, int32_t format,
                                             char *buffer, size_t capacity, size_t *length);  /* since:1 */

#ifdef __cplusplus
}
#endif
#endif /* GRADUS_GRAPH_H */
