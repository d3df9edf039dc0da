/*
 * gradus/autograd.h - gradients: which tensors want them, how they are computed, and the graph that was recorded.
 *
 * The rules are PyTorch's. A tensor requires grad by its own flag (a leaf) or because it was computed, while recording, from
 * tensors that do.
 */
#ifndef GRADUS_AUTOGRAD_H
#define GRADUS_AUTOGRAD_H

#include "gradus/invoke.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The flag of a leaf. DTYPE for an integer tensor; STATE to switch it off on a computed one: detach that. */
GRADUS_API gradus_status gradus_tensor_set_requires_grad(gradus_context *ctx, gradus_tensor *tensor,
                                                         int32_t on);                        /* since:1 */
/* Another tensor [own] on the same storage and version, without history. */
GRADUS_API gradus_status gradus_tensor_detach(gradus_context *ctx, const gradus_tensor *tensor,
                                              gradus_tensor **result);                       /* since:1 */
/* Takes the history and the flag away from the tensor itself. STATE for a view. */
GRADUS_API gradus_status gradus_tensor_detach_in_place(gradus_context *ctx, gradus_tensor *tensor); /* since:1 */

/*
 * The gradient collected so far [own]; success and null when there is none. Not a copy: later passes add to it. Asking a computed
 * tensor that keeps none is a line of log level 1.
 */
GRADUS_API gradus_status gradus_tensor_grad(gradus_context *ctx, const gradus_tensor *tensor,
                                            gradus_tensor **result);                         /* since:1 */
/* Replaces it by another of the same shape and dtype, of which a reference is taken; null clears it. */
GRADUS_API gradus_status gradus_tensor_set_grad(gradus_context *ctx, gradus_tensor *tensor,
                                                gradus_tensor *grad /* [null ok] */);        /* since:1 */
/* Makes a computed tensor keep its gradient as leaves do. STATE if it does not require grad. */
GRADUS_API gradus_status gradus_tensor_retain_grad(gradus_context *ctx, gradus_tensor *tensor); /* since:1 */

/* Options of a backward pass. */
typedef struct gradus_backward_options {
  uint32_t struct_size;
  uint32_t flags;                /* GRADUS_BACKWARD_* */
  uint64_t input_count;          /* gradus_backward only */
  gradus_tensor *const *inputs;  /* [null ok] the tensors whose .grad is added to, at least one; null: all leaves */
  const void *reserved0;
} gradus_backward_options;
enum {
  GRADUS_BACKWARD_KEEP_GRAPH   = 0x1, /* keep what was saved, for another pass over it */
  GRADUS_BACKWARD_RECORD       = 0x2, /* record the pass itself, for gradients of gradients; keeps the graph */
  GRADUS_BACKWARD_ALLOW_UNUSED = 0x4, /* gradus_grad: null for an input that nothing reaches, instead of STATE */
  GRADUS_BACKWARD_MATERIALIZE  = 0x8, /* gradus_grad: zeros for it */
  GRADUS_BACKWARD_BATCHED      = 0x10 /* gradus_grad: a seed is a batch of them along its first dimension, and so is each result */
};

/*
 * Adds the gradient of sum(seed * output) to the .grad of the leaves. seeds: one per output, an entry null for a real output of
 * one element, and any dtype else that is complex where the output's is. The graph's saved values are freed on the way unless kept.
 * Errors: STATE for an output that does not require grad, and in a callback of a pass for a pass that the thread's stack has no room
 * for; SHAPE or DTYPE for a seed that does not fit, VALUE for an empty list, GRAPH_FREED, IN_PLACE, CALLBACK of a hook, CANCELLED,
 * ANOMALY in anomaly mode. After a failure some leaves may already have their sum.
 */
GRADUS_API gradus_status gradus_backward(gradus_context *ctx, gradus_tensor *const *outputs, size_t output_count,
                                         gradus_tensor *const *seeds /* [null ok] */,
                                         const gradus_backward_options *options /* [null ok] */); /* since:1 */
/*
 * Returns the gradients for the inputs in results (input_count entries [own]) and leaves every .grad alone. A batch of seeds is one
 * pass for each of its members: a null seed among them serves all; VALUE if there are none, SHAPE if they differ in length.
 */
GRADUS_API gradus_status gradus_grad(gradus_context *ctx, gradus_tensor *const *outputs, size_t output_count,
                                     gradus_tensor *const *inputs, size_t input_count,
                                     gradus_tensor *const *seeds /* [null ok] */,
                                     const gradus_backward_options *options /* [null ok] */,
                                     gradus_tensor **results);                               /* since:1 */

/*
 * The graph. A node is one recorded operation; its edges lead, one per tensor argument, to the nodes that made the
 * arguments, and to a node named "AccumulateGrad" for a leaf.
 */
/* The node that computed a tensor [own]; success and null for a leaf. */
GRADUS_API gradus_status gradus_tensor_grad_fn(gradus_context *ctx, const gradus_tensor *tensor,
                                               gradus_node **result);                        /* since:1 */
typedef struct gradus_node_info {
  uint32_t struct_size;
  uint32_t flags;                /* GRADUS_NODE_* */
  uint32_t edge_count;
  uint32_t output_count;
  uint64_t identity;             /* the same for all handles of one node */
  uint64_t sequence;             /* larger than that of every node it leads to */
} gradus_node_info;
enum { GRADUS_NODE_LEAF = 0x1 /* collects the gradient of a leaf */, GRADUS_NODE_FREED = 0x2 /* what it saved is gone */ };
GRADUS_API gradus_status gradus_node_describe(const gradus_node *node, gradus_node_info *info); /* since:1 */
/* "MulBackward0": at most capacity bytes, a 0 included; length [null ok] receives the bytes of the whole name. */
GRADUS_API gradus_status gradus_node_name(gradus_context *ctx, const gradus_node *node, char *buffer, size_t capacity,
                                          size_t *length);                                   /* since:1 */
/*
 * Where edge `index` leads: a node [own] and which of its outputs; null where no gradient flows. INDEX if there is no such
 * edge.
 */
GRADUS_API gradus_status gradus_node_next(gradus_context *ctx, const gradus_node *node, uint32_t index,
                                          gradus_node **next, uint32_t *output_nr /* [null ok] */); /* since:1 */
/* The leaf [own] of a node with GRADUS_NODE_LEAF; success and null for any other. */
GRADUS_API gradus_status gradus_node_variable(gradus_context *ctx, const gradus_node *node,
                                              gradus_tensor **result);                       /* since:1 */
/* The operation that a node recorded [static]; null for a leaf's and for a function of the host. */
GRADUS_API const gradus_op *gradus_node_op(const gradus_node *node);                         /* since:1 */
/*
 * What a node keeps of one argument of its operation, by schema name ("self", "dim"), or of its results ("result", "result1"):
 * numbers, lists and texts [view:node], and tensors [own] as its rule reads them. GRADUS_V_NONE for a tensor that was not saved or
 * not given. A list of tensors is GRADUS_V_TENSOR_LIST with its length and no pointer: its members are asked for as "indices[0]" and so
 * on. What a function of the host saved is the list "saved". INDEX for a name that the operation does not have, GRAPH_FREED for a
 * tensor after the node has run.
 */
GRADUS_API gradus_status gradus_node_saved(gradus_context *ctx, const gradus_node *node, const char *name, size_t length,
                                           gradus_value *value);                             /* since:1 */

/*
 * Applies a node's rule to gradients of its outputs (entries null where there is none) outside of a pass, as calling a grad_fn does in
 * PyTorch: results [own] are the gradients for its edges, null where none flows, and count says how many. Hooks do not
 * run, what the node saved is kept, and what is computed is recorded if the context records. A leaf's node adds to .grad and has no
 * results. VALUE for another count than that of its outputs, or a capacity that does not suffice (count is what is needed); SHAPE or DTYPE
 * for a gradient that does not fit; GRAPH_FREED.
 */
GRADUS_API gradus_status gradus_node_call(gradus_context *ctx, gradus_node *node, gradus_tensor *const *gradients,
                                          size_t gradient_count, gradus_tensor **results, size_t capacity,
                                          size_t *count /* [null ok] */);                         /* since:1 */
/*
 * What the program keeps with a node: a pointer that lives as long as the node does. The former one is destroyed. A node of a leaf lives
 * as long as the leaf.
 */
GRADUS_API gradus_status gradus_node_set_user(gradus_context *ctx, gradus_node *node, void *user,
                                              gradus_destroy_fn destroy /* [null ok] */);    /* since:1 */
/* Null if none was set, or for another kind of handle. */
GRADUS_API void *gradus_node_user(const gradus_node *node);                                  /* since:1 */

/*
 * An edge: one output of a node. It stands for the tensor that was that output (for a leaf: its node's output 0) and needs no tensor
 * to be alive.
 */
typedef struct gradus_edge {
  uint64_t     output_nr;
  gradus_node *node;
  const void  *reserved0;
} gradus_edge;
/* The edge to which a tensor's gradient flows; edge->node is [own]. STATE for a tensor that does not require grad. */
GRADUS_API gradus_status gradus_tensor_edge(gradus_context *ctx, const gradus_tensor *tensor, gradus_edge *edge); /* since:1 */
/* gradus_backward and gradus_grad with edges for tensors. edge_bytes is sizeof(gradus_edge). INDEX for an output that a node lacks. */
GRADUS_API gradus_status gradus_backward_edges(gradus_context *ctx, const gradus_edge *outputs, size_t output_count,
                                               size_t edge_bytes, gradus_tensor *const *seeds /* [null ok] */,
                                               const gradus_backward_options *options /* [null ok] */); /* since:1 */
GRADUS_API gradus_status gradus_grad_edges(gradus_context *ctx, const gradus_edge *outputs, size_t output_count,
                                           const gradus_edge *inputs, size_t input_count, size_t edge_bytes,
                                           gradus_tensor *const *seeds /* [null ok] */,
                                           const gradus_backward_options *options /* [null ok] */,
                                           gradus_tensor **results);                         /* since:1 */
/*
 * Frees what the nodes behind `outputs` have saved, as a pass through them would, except where `kept` [null ok] still lead: the part of
 * a graph that will not be differentiated again.
 */
GRADUS_API gradus_status gradus_graph_free(gradus_context *ctx, const gradus_edge *outputs, size_t output_count,
                                           const gradus_edge *kept, size_t kept_count, size_t edge_bytes); /* since:1 */

/* The tensor [own] that a view is a part of; success and null for a tensor that is no view. */
GRADUS_API gradus_status gradus_tensor_base(gradus_context *ctx, const gradus_tensor *tensor,
                                            gradus_tensor **result);                         /* since:1 */
/* Counts a write that somebody else did in a tensor's memory, so that values saved from it are known to have changed. */
GRADUS_API gradus_status gradus_tensor_increment_version(gradus_context *ctx, gradus_tensor *tensor); /* since:1 */
/*
 * Gives a leaf, or any tensor without history, the storage, dtype, shape and layout of another ("tensor.data = other").
 * Values saved from it count as changed. STATE for a tensor with history, a view, or inference tensors; DTYPE for integers, or complex
 * for real ones and the reverse, in one that requires grad.
 */
GRADUS_API gradus_status gradus_tensor_set_data(gradus_context *ctx, gradus_tensor *tensor,
                                                const gradus_tensor *other);                 /* since:1 */

#ifdef __cplusplus
}
#endif
#endif /* GRADUS_AUTOGRAD_H */
