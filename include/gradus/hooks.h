/*
 * gradus/hooks.h - the host's code inside a backward pass, and between saving a value and reading it.
 *
 * Order at one node: hooks of its output tensors, in the order of registration; kept gradients (gradus_tensor_retain_grad); its
 * own hooks before; its rule; at a leaf the sum into .grad and then the leaf's hooks; its own hooks after. gradus_grad runs
 * the tensor hooks of its inputs, but not the nodes behind them. A hook may remove itself and others; it runs with
 * recording on only under GRADUS_BACKWARD_RECORD. Ids are for removal by the tensor or node that the hook was added to.
 */
#ifndef GRADUS_HOOKS_H
#define GRADUS_HOOKS_H

#include "gradus/autograd.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Runs hook in every pass that reaches the tensor, with the whole gradient, in the order of registration. Belongs to the
 * history the tensor has now. STATE if the tensor does not require grad. hook_id [null ok] is for removal; removing a hook
 * that is not there is INDEX.
 */
GRADUS_API gradus_status gradus_tensor_add_hook(gradus_context *ctx, gradus_tensor *tensor, gradus_hook_fn hook,
                                                void *user, gradus_destroy_fn destroy /* [null ok] */,
                                                uint64_t *hook_id);                          /* since:1 */
GRADUS_API gradus_status gradus_tensor_remove_hook(gradus_context *ctx, gradus_tensor *tensor, uint64_t hook_id); /* since:1 */

/*
 * Of a node. Before its rule, gradients are those of its outputs and incoming is empty; after it, gradients are those of its
 * inputs, one per edge, and incoming those of its outputs. Entries [borrow] may be null: no gradient. The hook may put
 * others of the same shape and dtype into replacements (gradient_count entries, null at first) [own, given to the library].
 */
typedef gradus_status (*gradus_node_hook_fn)(void *user, gradus_context *ctx, gradus_tensor *const *gradients,
                                             size_t gradient_count, gradus_tensor *const *incoming, size_t incoming_count,
                                             gradus_tensor **replacements);
enum { GRADUS_HOOK_BEFORE = 0, GRADUS_HOOK_AFTER = 1 };
/* VALUE for an unknown moment. hook_id [null ok]. A leaf's node has hooks, too; those after see no gradients. */
GRADUS_API gradus_status gradus_node_add_hook(gradus_context *ctx, gradus_node *node, int32_t moment, gradus_node_hook_fn hook,
                                              void *user, gradus_destroy_fn destroy /* [null ok] */,
                                              uint64_t *hook_id);                            /* since:1 */
/* INDEX if the node has no such hook. */
GRADUS_API gradus_status gradus_node_remove_hook(gradus_context *ctx, gradus_node *node, uint64_t hook_id); /* since:1 */

/*
 * Of a leaf: runs each time a pass has added to its .grad, which it may use and clear (an optimizer's step, for one). STATE
 * for a tensor that is no leaf that requires grad. Removed by gradus_tensor_remove_hook; hook_id [null ok].
 */
typedef gradus_status (*gradus_leaf_hook_fn)(void *user, gradus_context *ctx, gradus_tensor *leaf);
GRADUS_API gradus_status gradus_tensor_add_grad_hook(gradus_context *ctx, gradus_tensor *leaf, gradus_leaf_hook_fn hook,
                                                     void *user, gradus_destroy_fn destroy /* [null ok] */,
                                                     uint64_t *hook_id);                     /* since:1 */

/*
 * Of several tensors together, once per pass: with GRADUS_HOOK_ALL when all those that the pass reaches have their gradients,
 * with GRADUS_HOOK_ANY at the first. gradients: one per tensor [borrow], null where none came. hook_ids [null ok] receives
 * one id per tensor; the hook goes when all are removed. STATE if one of the tensors does not require grad.
 */
typedef gradus_status (*gradus_multi_hook_fn)(void *user, gradus_context *ctx, gradus_tensor *const *gradients, size_t count);
enum { GRADUS_HOOK_ALL = 0, GRADUS_HOOK_ANY = 1 };
GRADUS_API gradus_status gradus_tensors_add_hook(gradus_context *ctx, gradus_tensor *const *tensors, size_t count, int32_t mode,
                                                 gradus_multi_hook_fn hook, void *user,
                                                 gradus_destroy_fn destroy /* [null ok] */,
                                                 uint64_t *hook_ids);                        /* since:1 */

/*
 * For callbacks inside a backward pass; STATE outside of one. The node [own] whose rule or hooks run (null in deferred calls);
 * whether a gradient of a node is on its way in this pass; and f(user) to be called once when the pass is complete, in order
 * (not after a failure; one may defer others).
 */
typedef gradus_status (*gradus_deferred_fn)(void *user, gradus_context *ctx);
GRADUS_API gradus_status gradus_backward_node(gradus_context *ctx, gradus_node **result);    /* since:1 */
GRADUS_API gradus_status gradus_backward_reaches(gradus_context *ctx, const gradus_node *node, int32_t *yes); /* since:1 */
GRADUS_API gradus_status gradus_backward_defer(gradus_context *ctx, gradus_deferred_fn f, void *user,
                                               gradus_destroy_fn destroy /* [null ok] */);   /* since:1 */
/*
 * The nodes [own] of this pass in the order in which they run, those that have run before included; count says how many. A capacity that
 * does not suffice is VALUE: nothing is returned, and count is what is needed.
 */
GRADUS_API gradus_status gradus_backward_order(gradus_context *ctx, gradus_node **results, size_t capacity,
                                               size_t *count);                               /* since:1 */
/* A number that no other pass of this context has; 0 outside of a pass, and no failure then. */
GRADUS_API gradus_status gradus_backward_id(gradus_context *ctx, uint64_t *id);              /* since:1 */

/*
 * Hooks on saved values, in force from push to pop, for everything that the context records meanwhile. pack sees each value
 * that an operation saves, detached [borrow], with the operation (null: a function of the host); it may put a tensor in its
 * place into *replacement [own, given to the library] (of any shape and dtype), a token of its own into *token, or both; if both stay
 * null the value is kept as it is. A replacement without token is handed on to the hooks that were pushed before, which see it as
 * their value. unpack gets both back each time a rule reads the value and returns a tensor [own] of the value's shape and
 * dtype. discard [null ok] gets a token that will not be asked for again. A value that hooks have packed may be changed in place:
 * nothing but the hooks remembers it. pack must not change its tensor in place (STATE). A backward pass ends with the hooks it
 * began with, whatever callbacks pushed or popped meanwhile; pack and unpack run with none in force.
 */
typedef gradus_status (*gradus_pack_fn)(void *user, gradus_context *ctx, gradus_tensor *tensor, const gradus_op *op,
                                        gradus_tensor **replacement, void **token);
typedef gradus_status (*gradus_unpack_fn)(void *user, gradus_context *ctx, gradus_tensor *replacement, void *token,
                                          gradus_tensor **result);
typedef void (*gradus_discard_fn)(void *user, void *token);
typedef struct gradus_saved_hooks {
  uint32_t struct_size;
  uint32_t flags;                /* none yet */
  gradus_pack_fn    pack;
  gradus_unpack_fn  unpack;
  gradus_discard_fn discard;     /* [null ok] */
  void             *user;
  gradus_destroy_fn destroy;     /* [null ok] after the last packed value */
  const void       *reserved0;
} gradus_saved_hooks;
GRADUS_API gradus_status gradus_context_push_saved_hooks(gradus_context *ctx, const gradus_saved_hooks *hooks); /* since:1 */
/* STATE when there are none. Values packed before stay with their hooks. */
GRADUS_API gradus_status gradus_context_pop_saved_hooks(gradus_context *ctx);                /* since:1 */
/*
 * From here on, until gradus_context_permit_saved_hooks, whatever pushes such hooks is STATE with this message (UTF-8, copied), and
 * so are gradus_checkpoint and gradus_context_set_mutation_on_saved; so is this call itself while hooks are in force. Refusals nest: the
 * innermost message counts. Graphs recorded before are not touched.
 */
GRADUS_API gradus_status gradus_context_refuse_saved_hooks(gradus_context *ctx, const char *message, size_t length); /* since:1 */
/* Ends the innermost refusal. STATE when there is none. */
GRADUS_API gradus_status gradus_context_permit_saved_hooks(gradus_context *ctx);             /* since:1 */

/*
 * Hooks on one value that a node has saved, by the name that gradus_node_saved takes: pack runs at once. VALUE if the name is
 * no tensor that an operation saved, INDEX if there is no such name, STATE if hooks keep it already or pack frees or packs it
 * itself, GRAPH_FREED when it is gone.
 */
GRADUS_API gradus_status gradus_node_hook_saved(gradus_context *ctx, gradus_node *node, const char *name, size_t length,
                                                const gradus_saved_hooks *hooks);            /* since:1 */

#ifdef __cplusplus
}
#endif
#endif /* GRADUS_HOOKS_H */
