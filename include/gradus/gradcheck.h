/*
 * gradus/gradcheck.h - whether gradients are right: what backward gives, against central differences of the function.
 *
 * For tests of functions and of operations of one's own. Use float64 inputs of a few elements: every element of every input
 * that requires grad is moved by eps to either side, and every element of every output is taken backward. A complex tensor counts
 * as the pairs of its parts, of which each is moved: the report names its elements with a last index, 0 for the real part.
 */
#ifndef GRADUS_GRADCHECK_H
#define GRADUS_GRADCHECK_H

#include "gradus/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A function under test: computes, from inputs [borrow], tensors [own, given to the library] into results, which holds
 * result_capacity null pointers, and says how many in *result_count. It is called many times, with the same handles (for complex
 * inputs new ones of the same memory), whose memory is written between the calls; it may use random numbers, which are the same in every call. On failure it returns a
 * status, its own by gradus_context_fail or that of a call of the library, and the check ends with it.
 */
typedef gradus_status (*gradus_gradcheck_fn)(void *user, gradus_context *ctx, gradus_tensor *const *inputs,
                                             size_t input_count, gradus_tensor **results, size_t result_capacity,
                                             size_t *result_count);

/* Options of gradus_gradcheck. */
typedef struct gradus_gradcheck_options {
  uint32_t struct_size;
  uint32_t flags;                /* GRADUS_GRADCHECK_* */
  double   eps;                  /* how far an element is moved; 0: 1e-6 */
  double   atol;                 /* |by backward - by differences| <= atol + rtol * |by differences|; 0: 1e-5 */
  double   rtol;                 /* 0: 1e-3 */
  double   nondet_tol;           /* what two runs of the same may have apart */
  uint64_t seed;                 /* of the random directions and gradients; the context's stream is not used */
} gradus_gradcheck_options;
enum {
  GRADUS_GRADCHECK_FAST         = 0x1, /* compares one random projection of each Jacobian, and its entries only where that differs */
  GRADUS_GRADCHECK_NO_UNDEFINED = 0x2, /* does not try outputs whose gradient is missing */
  GRADUS_GRADCHECK_NO_SCALING   = 0x4, /* does not try zero and scaled gradients of the outputs */
  GRADUS_GRADCHECK_STRIDED      = 0x8  /* gradus_gradgradcheck: the gradients it makes are not contiguous */
};

/*
 * *passed becomes 1 if the gradients are right. They are wrong, and the status is still OK, where
 *   - an entry of a Jacobian differs, or an output depends on an input and does not require grad;
 *   - two calls of compute, or two passes over one graph, differ by more than nondet_tol;
 *   - the gradient is not linear in the gradients of the outputs, or a missing one does not count as zeros or ends
 *     the pass with an error, of which the report tells;
 *   - the number, shapes or dtypes of the outputs depend on the values of the inputs.
 * report [null ok] receives at most capacity bytes, a 0 included: which output, input and entry, both values, small Jacobians
 * whole. length [null ok]: the bytes of all of it; less than 8192 for inputs of up to ten dimensions.
 *
 * Recording is on in compute. The inputs have their old bits afterwards, also after a failure, and no .grad changes. Errors: STATE
 * if no input requires grad, or one that does overlaps itself or is read-only, or in inference mode; VALUE for a negative
 * tolerance, an eps that an element is too large for, or more results than fit; those of compute and of backward.
 */
GRADUS_API gradus_status gradus_gradcheck(gradus_context *ctx, gradus_gradcheck_fn compute, void *user,
                                          gradus_tensor *const *inputs, size_t input_count,
                                          const gradus_gradcheck_options *options /* [null ok] */, int32_t *passed,
                                          char *report, size_t capacity, size_t *length);    /* since:1 */
/*
 * The same one order higher: checks the gradients of compute as functions of its inputs and of the gradients of its outputs. Those
 * are grad_outputs, one per output, or random where an entry, or all of it, is null; an output that does not require grad has
 * none. In the report an output is "the gradient of input i", and an input may be "the gradient of output k".
 */
GRADUS_API gradus_status gradus_gradgradcheck(gradus_context *ctx, gradus_gradcheck_fn compute, void *user,
                                              gradus_tensor *const *inputs, size_t input_count,
                                              gradus_tensor *const *grad_outputs /* [null ok] */, size_t grad_output_count,
                                              const gradus_gradcheck_options *options /* [null ok] */, int32_t *passed,
                                              char *report, size_t capacity, size_t *length); /* since:1 */

#ifdef __cplusplus
}
#endif
#endif /* GRADUS_GRADCHECK_H */
