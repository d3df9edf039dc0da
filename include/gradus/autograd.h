/*
 * gradus/autograd.h - gradients: which tensors want them, how they are computed, and the graph that was recorded.
 *
 * The rules are PyTorch's. A tensor requires grad by its own flag (a leaf) or because it was computed, while recording, from
 * tensors that do.
 */
#ifndef GRADUS_AUTOGRAD_H
#define GRADUS_AUTOGRAD_H

#include "gradus/tensor.h"

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

/* The gradient collected so far [own]; success and null when there is none. Not a copy: later passes add to it. */
GRADUS_API gradus_status gradus_tensor_grad(gradus_context *ctx, const gradus_tensor *tensor,
                                            gradus_tensor **result);                         /* since:1 */
/* Replaces it by another of the same shape and dtype, of which a reference is taken; null clears it. */
GRADUS_API gradus_status gradus_tensor_set_grad(gradus_context *ctx, gradus_tensor *tensor,
                                                gradus_tensor *grad /* [null ok] */);        /* since:1 */
/* Makes a computed tensor keep its gradient as leaves do. STATE if it does not require grad. */
GRADUS_API gradus_status gradus_tensor_retain_grad(gradus_context *ctx, gradus_tensor *tensor); /* since:1 */

/*
 * Runs hook in every pass that reaches the tensor, with the whole gradient, in the order of registration. Belongs to the
 * history the tensor has now. STATE if the tensor does not require grad. hook_id [null ok] is for removal; removing a hook
 * that is not there is INDEX.
 */
GRADUS_API gradus_status gradus_tensor_add_hook(gradus_context *ctx, gradus_tensor *tensor, gradus_hook_fn hook,
                                                void *user, gradus_destroy_fn destroy /* [null ok] */,
                                                uint64_t *hook_id);                          /* since:1 */
GRADUS_API gradus_status gradus_tensor_remove_hook(gradus_context *ctx, gradus_tensor *tensor, uint64_t hook_id); /* since:1 */

typedef struct gradus_backward_options {
  uint32_t struct_size;
  uint32_t flags;                /* GRADUS_BACKWARD_* */
  uint64_t input_count;          /* gradus_backward only: 0: all leaves */
  gradus_tensor *const *inputs;  /* [null ok] the tensors whose .grad is added to */
  const void *reserved0;
} gradus_backward_options;
enum {
  GRADUS_BACKWARD_KEEP_GRAPH   = 0x1, /* keep what was saved, for another pass over it */
  GRADUS_BACKWARD_RECORD       = 0x2, /* record the pass itself, for gradients of gradients; keeps the graph */
  GRADUS_BACKWARD_ALLOW_UNUSED = 0x4, /* gradus_grad: null for an input that nothing reaches, instead of STATE */
  GRADUS_BACKWARD_MATERIALIZE  = 0x8  /* gradus_grad: zeros for it */
};

/*
 * Adds the gradient of sum(seed * output) to the .grad of the leaves. seeds: one per output, an entry null for a real output of
 * one element. The graph's saved values are freed on the way unless kept. Errors: STATE for an output that does not require
 * grad, SHAPE or DTYPE for a seed that does not fit, GRAPH_FREED, IN_PLACE, CALLBACK of a hook, CANCELLED. After a failure
 * some leaves may already have their sum.
 */
GRADUS_API gradus_status gradus_backward(gradus_context *ctx, gradus_tensor *const *outputs, size_t output_count,
                                         gradus_tensor *const *seeds /* [null ok] */,
                                         const gradus_backward_options *options /* [null ok] */); /* since:1 */
/* Returns the gradients for the inputs in results (input_count entries [own]) and leaves every .grad alone. */
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

#ifdef __cplusplus
}
#endif
#endif /* GRADUS_AUTOGRAD_H */
