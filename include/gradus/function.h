/*
 * gradus/function.h - functions and operations of the host, with derivatives of its own.
 *
 * A function is applied to tensors and is one node of the graph: its forward computes without recording, its vjp turns the
 * gradients of its results into those of its inputs. An operation has a name and a schema besides: it is found, listed and
 * invoked as those of the library.
 */
#ifndef GRADUS_FUNCTION_H
#define GRADUS_FUNCTION_H

#include "gradus/invoke.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One application of a function: what its forward keeps for its vjp. Both get it; a reference to it may be retained. */
typedef struct gradus_function_call gradus_function_call;

/*
 * forward gets the inputs (entries null where null was given) and gives the results; vjp gets one gradient per result and gives
 * one gradient, or null, per input; jvp gets one tangent, or null, per input and gives one, or null, per result. results has result_capacity null entries, which are given to the library [own] whatever is
 * returned: an input that is returned as it is has to be retained first. *result_count begins at 0; vjp and jvp have to come to
 * result_capacity. A failure is reported with gradus_context_fail; both modes of the context are restored afterwards.
 */
typedef gradus_status (*gradus_function_fn)(void *user, gradus_context *ctx, gradus_function_call *call,
                                            gradus_tensor *const *tensors, size_t tensor_count, gradus_tensor **results,
                                            size_t result_capacity, size_t *result_count);
typedef struct gradus_function {
  uint32_t struct_size;
  uint32_t flags;                /* GRADUS_FUNCTION_* */
  const char *name;              /* text with a 0 at the end; the node is called name + "Backward" */
  gradus_function_fn forward;    /* [null ok] the results are the inputs: a function that changes gradients only */
  gradus_function_fn vjp;
  void *user;
  gradus_destroy_fn destroy;     /* [null ok] of user; with the recorded node, at once if nothing is recorded */
  gradus_function_fn jvp;        /* [null ok] of a function that is differentiable once */
} gradus_function;
enum { GRADUS_FUNCTION_ONCE_DIFFERENTIABLE = 0x1 /* vjp runs unrecorded, and a gradient of its gradients is STATE but for jvp */ };

/*
 * Applies a function. forward runs with recording off. A node is recorded if recording is on, an input requires grad, and a
 * result can: integers and those marked as not differentiable never do. Rules, as in PyTorch:
 *   - a result that is an input, and was not written, is another tensor with a history of its own;
 *   - a result that is a view can't be written in place while recording;
 *   - results that are null stay null, and count.
 * Gradients of another shape are summed over the dimensions that the input was broadcast along; what does not fit is SHAPE when
 * backward runs, a gradient for a null input VALUE, for one of integers DTYPE, another number of them VALUE. vjp is recorded under
 * GRADUS_BACKWARD_RECORD, so a rule made of operations has any number of derivatives. Where it is not (ONCE_DIFFERENTIABLE), jvp is the
 * derivative of its gradients by those that it was given: Jacobian-vector products, which are two passes, go through. user is used by every pass over the node; two
 * contexts may be in vjp at the same time. results: [own] capacity entries; if they do not suffice: VALUE, and count is
 * what is needed. Other errors: NULL, those of the callbacks, CALLBACK for a C++ exception, and those of the functions below.
 */
GRADUS_API gradus_status gradus_function_apply(gradus_context *ctx, const gradus_function *definition,
                                               gradus_tensor *const *inputs, size_t input_count, gradus_tensor **results,
                                               size_t capacity, size_t *count /* [null ok] */); /* since:1 */

/*
 * For forward, STATE after it. Keeps tensors for vjp (entries may be null): inputs and results, which come back with their
 * history, or others. They pass the saved-value hooks; one that is changed in place later is IN_PLACE when vjp asks for it. A
 * second call replaces the first.
 */
GRADUS_API gradus_status gradus_function_save_for_backward(gradus_context *ctx, gradus_function_call *call,
                                                           gradus_tensor *const *tensors, size_t count); /* since:1 */
/*
 * For forward: the inputs that it writes. All have to be results (else STATE from the application, as for a leaf that requires grad,
 * and for a view when there are other results, too). Their version is raised. What was written stays so after a failure.
 */
GRADUS_API gradus_status gradus_function_mark_dirty(gradus_context *ctx, gradus_function_call *call,
                                                    gradus_tensor *const *tensors, size_t count); /* since:1 */
/* For forward: results that do not require grad. */
GRADUS_API gradus_status gradus_function_mark_non_differentiable(gradus_context *ctx, gradus_function_call *call,
                                                                 gradus_tensor *const *tensors, size_t count); /* since:1 */
/* For forward. 0: vjp gets null where no gradient came, instead of zeros. */
GRADUS_API gradus_status gradus_function_set_materialize(gradus_context *ctx, gradus_function_call *call, int32_t on); /* since:1 */
/* Whether an input required grad; in vjp, whether this pass asks for its gradient. INDEX if there is none such. */
GRADUS_API gradus_status gradus_function_needs_input_grad(gradus_context *ctx, gradus_function_call *call, size_t index,
                                                          int32_t *yes);                     /* since:1 */
/*
 * What is no tensor: a pointer that lives as long as the call does. The former one is destroyed.
 */
GRADUS_API gradus_status gradus_function_set_state(gradus_context *ctx, gradus_function_call *call, void *user,
                                                   gradus_destroy_fn destroy /* [null ok] */); /* since:1 */
/* Null if none was set, or for another kind of handle. */
GRADUS_API void *gradus_function_state(const gradus_function_call *call);                    /* since:1 */
/* For vjp: how many tensors were saved. */
GRADUS_API size_t gradus_function_saved_count(const gradus_function_call *call);             /* since:1 */
/* One of them [own]; success and null where null was saved. GRAPH_FREED after a pass that did not keep the graph. */
GRADUS_API gradus_status gradus_function_saved(gradus_context *ctx, gradus_function_call *call, size_t index,
                                               gradus_tensor **result);                      /* since:1 */

/*
 * forward gets the arguments in schema order, defaults filled in, and gives one value per result of the schema (GRADUS_V_TENSOR; of
 * a list one per member, 1024 at most). backward gets the arguments, then the results (a list is one value), then one gradient per result, and
 * gives one value per tensor among the arguments, members of lists one by one: GRADUS_V_TENSOR, or GRADUS_V_NONE. Otherwise as
 * gradus_function_fn.
 */
typedef gradus_status (*gradus_op_fn)(void *user, gradus_context *ctx, const gradus_value *arguments, size_t argument_count,
                                      gradus_value *results, size_t result_capacity, size_t *result_count);
typedef struct gradus_op_definition {
  uint32_t struct_size;
  uint32_t flags;                /* GRADUS_OP_FORGETS_* */
  const char *name;              /* "vendor.op": words with dots between, at least one; a 0 at the end of this and the next */
  const char *schema;            /* "(Tensor x, float scale=1.0, *, int[]? dims=None) -> Tensor", in PyTorch's syntax; the name may stand before it */
  const char *summary;           /* [null ok] */
  gradus_op_fn forward;
  gradus_op_fn backward;         /* [null ok] then a gradient through it is UNSUPPORTED */
  void *user;                    /* for good: a registered operation lives until the process ends */
} gradus_op_definition;
enum {
  GRADUS_OP_FORGETS_ARGUMENTS = 0x1, /* backward gets GRADUS_V_NONE for tensors among the arguments, and they are not kept */
  GRADUS_OP_FORGETS_RESULTS   = 0x2
};
/*
 * Registers an operation for the whole process. Any thread; the callbacks may run on several at once, in one context each. VALUE for
 * a name without a dot or already taken, and for a schema that can't be read or holds what the host can't supply: no
 * results, written arguments, results other than tensors, lists other than of tensors, integers or floats, more than 16 arguments.
 */
GRADUS_API gradus_status gradus_op_register(gradus_context *ctx, const gradus_op_definition *definition,
                                            const gradus_op **op /* [null ok] */);           /* since:1 */

#ifdef __cplusplus
}
#endif
#endif /* GRADUS_FUNCTION_H */
