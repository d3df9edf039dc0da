/*
 * gradus/checkpoint.h - less memory for more time: parts of the forward pass that are computed again in backward, instead of
 * keeping what their operations save.
 */
#ifndef GRADUS_CHECKPOINT_H
#define GRADUS_CHECKPOINT_H

#include "gradus/hooks.h"
#include "gradus/invoke.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Computes results [own, given to the library] from inputs [borrow] and must do the same each time. count says how many
 * there are; more than capacity is VALUE. It fails when an operation fails: in the second run that may be because nothing more
 * is needed.
 */
typedef gradus_status (*gradus_segment_fn)(void *user, gradus_context *ctx, gradus_tensor *const *inputs, size_t input_count,
                                           gradus_tensor **results, size_t capacity, size_t *count);
/* One step of a loop: the next state from the state, of state_count tensors each. */
typedef gradus_status (*gradus_step_fn)(void *user, gradus_context *ctx, int64_t step, gradus_tensor *const *state,
                                        size_t state_count, gradus_tensor **next);

/*
 * Whether the results of an operation that is about to run are kept: *keep, 0 at first. Called in the first run for each operation that
 * makes memory, for one that is composed of others before these (if it is kept, they are, unasked). arguments [borrow] are in schema order.
 * user is the segment's. What it computes is not recorded.
 */
typedef gradus_status (*gradus_keep_fn)(void *user, gradus_context *ctx, const gradus_op *op, const gradus_value *arguments,
                                        size_t argument_count, int32_t *keep);

/* Options of gradus_checkpoint. */
typedef struct gradus_checkpoint_options {
  uint32_t struct_size;
  uint32_t flags;                     /* GRADUS_CHECKPOINT_* */
  uint64_t kept_count;
  const gradus_op *const *kept;       /* [null ok] operations whose results are kept and not computed again */
  gradus_keep_fn keep;                /* [null ok] says so of the others, call by call */
  const void *reserved0;
  const void *reserved1;
} gradus_checkpoint_options;
enum {
  GRADUS_CHECKPOINT_NEW_RANDOM = 0x1, /* the second run takes new random numbers; else those of the first */
  GRADUS_CHECKPOINT_WHOLE      = 0x2, /* the second run goes to its end; else it ends with the last value that is needed */
  GRADUS_CHECKPOINT_UNCHECKED  = 0x4  /* else a second run that saves other shapes or dtypes than the first is STATE */
};

/*
 * Runs segment on the inputs (entries may be null) and keeps for backward the inputs alone: what its operations save is made by a
 * second run when the first rule asks for it. Works with gradus_backward, gradus_grad, records of gradients, and other checkpoints
 * inside. A tensor that segment uses without it being an input has to stay as it is. user belongs to the library from success on, until
 * the graph is gone. Without recording it is just the call. IN_PLACE in backward for an input that was changed since,
 * or a saved value that segment itself changes later; STATE while a pass of another thread reads the same checkpoint. results [own] are
 * null after a failure; more than capacity results are VALUE.
 */
GRADUS_API gradus_status gradus_checkpoint(gradus_context *ctx, gradus_segment_fn segment, void *user,
                                           gradus_destroy_fn destroy /* [null ok] */, gradus_tensor *const *inputs,
                                           size_t input_count, const gradus_checkpoint_options *options /* [null ok] */,
                                           gradus_tensor **results, size_t capacity, size_t *count); /* since:1 */
/*
 * Runs step for 0 .. steps-1 from the state and returns the last state (state_count entries [own]). Keeps O(log steps) states
 * and runs each step O(log steps) times, by checkpoints of halves.
 */
GRADUS_API gradus_status gradus_checkpoint_loop(gradus_context *ctx, gradus_step_fn step, void *user,
                                                gradus_destroy_fn destroy /* [null ok] */, int64_t steps,
                                                gradus_tensor *const *state, size_t state_count,
                                                const gradus_checkpoint_options *options /* [null ok] */,
                                                gradus_tensor **results);                    /* since:1 */

#ifdef __cplusplus
}
#endif
#endif /* GRADUS_CHECKPOINT_H */
