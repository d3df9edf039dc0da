/*
 * gradus/context.h - contexts: what other libraries keep in globals and thread-locals.
 *
 * The last error, whether operations are recorded, the random numbers, the allocator and the log sink belong to a context,
 * the first parameter of everything that can fail. One thread at a time uses a context, and it may move between threads; a
 * second thread gets GRADUS_E_BUSY and nothing is touched. There may be any number of contexts, and tensors are shared freely
 * between them.
 */
#ifndef GRADUS_CONTEXT_H
#define GRADUS_CONTEXT_H

#include "gradus/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Options of gradus_context_create. */
typedef struct gradus_context_options {
  uint32_t struct_size;
  uint32_t flags;                /* GRADUS_CTX_* */
  int32_t  threads;              /* for one call; 0: as many as the machine gives this process */
  int32_t  log_level;            /* what log is called for: see below; 0: silent */
  uint64_t seed;                 /* of random numbers; 0: from the operating system */
  gradus_log_fn       log;       /* [null ok] must not call the library */
  gradus_alloc_fn     alloc;     /* [null ok] both or none; memory outlives the context, and so does user then */
  gradus_free_fn      dealloc;
  gradus_interrupt_fn interrupt; /* [null ok] */
  void               *user;      /* handed to the four above and to destroy */
  gradus_destroy_fn   destroy;   /* [null ok] */
} gradus_context_options;
/*
 * Log levels; each includes those below. The text is one line of UTF-8, without a line feed and valid during the call.
 * 1  failures ("add: ...", what the status says in words) and warnings
 * 2  each node of a backward pass with its number and the shapes of the gradients: "MulBackward0 #7: [2, 3] -> [2, 3], [2, 3]"
 * 3  each operation or function of the host with the shapes of arguments and results, parts of compositions first
 * Levels 2 and 3 make every call slower.
 */
enum {
  GRADUS_CTX_POLLED_DESTROY = 0x1, /* see gradus_context_poll */
  GRADUS_CTX_DETERMINISTIC  = 0x2  /* accepted for clarity: everything is, whatever the number of threads and the processor */
};

/*
 * A new context [own], recording and not in inference mode. There is no context yet to hold a message, so the status says all:
 * ARGUMENT for half an allocator or negative threads, UNKNOWN_FIELD, MEMORY, IO when the system has no random numbers.
 */
GRADUS_API gradus_status gradus_context_create(const gradus_context_options *options, /* [null ok] */
                                               gradus_context **context);                    /* since:1 */

/*
 * For hosts whose functions may run on some threads only, or not inside a finalizer. In a context with GRADUS_CTX_POLLED_DESTROY
 * the destroy functions of what was registered through it (hooks, functions and their state, wrapped and imported memory, and
 * discard of saved-value hooks) do not run when the last reference goes: they wait, and this call runs them on its thread, in
 * order, with those that they add. ran [null ok] receives how many. What has not run when the context goes never does and stays
 * in gradus_live_counts, as callbacks or foreign_blocks. The destroy of the context itself, and an allocator, are not polled.
 * Without the flag it does nothing.
 */
GRADUS_API gradus_status gradus_context_poll(gradus_context *ctx, uint64_t *ran);            /* since:1 */

/* The last failure on a context. A success does not clear it: read it after a status that is not 0. */
typedef struct gradus_error {
  uint32_t struct_size;
  gradus_status status;
  int32_t  argument;             /* position of the argument at fault in the operation's schema, or -1 */
  int32_t  reserved0;
  uint64_t message_length;       /* bytes of message */
  int64_t  user_code;            /* what a callback passed to gradus_context_fail */
  const char *message;           /* [view:ctx until its next call] UTF-8 with a 0 at the end: shapes and dtypes included */
  const char *origin;            /* [static, or a batch call's label] operation or function */
} gradus_error;
GRADUS_API void gradus_context_error(const gradus_context *ctx, gradus_error *error);        /* since:1 */

/*
 * For callbacks: records why they fail and returns the status to return: CALLBACK for a number that is none. Text beyond 1023
 * bytes is cut. user_code reaches the caller of the outer function unchanged, to find its own exception by.
 */
GRADUS_API gradus_status gradus_context_fail(gradus_context *ctx, gradus_status status, int64_t user_code,
                                             const char *message, size_t length);            /* since:1 */

/*
 * Ends the running call of a context, or its next one if none runs, with GRADUS_E_CANCELLED at the next safe point; the one
 * after works again. Any thread, signal handlers included: it is one atomic write. Safe points are between operations, nodes of
 * a pass, and pieces of a large operation, except for one that writes in place: that one ends first.
 */
GRADUS_API void gradus_context_cancel(gradus_context *ctx);                                  /* since:1 */

/*
 * Whether operations on tensors that require grad are recorded (1 in a new context). previous [null ok] receives the value to
 * restore later.
 */
GRADUS_API gradus_status gradus_context_set_recording(gradus_context *ctx, int32_t on,
                                                      int32_t *previous);                    /* since:1 */
/*
 * In inference mode nothing is recorded, and tensors made there can never take part in a graph. 0 in a new context. previous
 * [null ok].
 */
GRADUS_API gradus_status gradus_context_set_inference(gradus_context *ctx, int32_t on,
                                                      int32_t *previous);                    /* since:1 */

/*
 * Lets operations write memory that a recorded operation has saved: while on (0 in a new context) such a value is copied before the
 * write, once, and backward reads what was saved. Backward over what was recorded has to run before the mode ends: else it is STATE.
 * Seen are the writes of this context's operations, optimizers and passes; what somebody else writes is IN_PLACE in backward, as
 * ever. It counts as saved-value hooks: STATE where those are refused (gradus/hooks.h), and to end it while hooks pushed since are in
 * force. Setting it again changes nothing. previous [null ok] receives whether it was on.
 */
GRADUS_API gradus_status gradus_context_set_mutation_on_saved(gradus_context *ctx, int32_t on,
                                                              int32_t *previous);            /* since:1 */
/*
 * What GRADUS_CTX_DETERMINISTIC sets, for programs that ask whether it is set: results are the same either way. previous [null ok].
 */
GRADUS_API gradus_status gradus_context_set_deterministic(gradus_context *ctx, int32_t on,
                                                          int32_t *previous);                /* since:1 */

/*
 * Anomaly mode, for this context only: where did a NaN come from? It ends a pass with GRADUS_E_ANOMALY as soon as a node
 * produces a bad gradient. The message names the node and which of its outputs, and with TRACE the operation that recorded
 * the node, its argument shapes and its range (gradus_profile_range_begin), the operations from there to the root, and for a
 * gradient of a gradient the operation whose backward made it. TRACE remembers what is recorded while it is on, the last
 * 262144 operations. With FORWARD an operation fails whose result is bad; one in place has written it then. previous [null ok]
 * receives the flags to restore later; 0 is off. A function of the host (gradus/function.h) counts as an operation here.
 * UNKNOWN_FIELD for other flags, VALUE for FORWARD without NAN or INF.
 */
enum {
  GRADUS_ANOMALY_NAN     = 0x1,  /* NaN is bad */
  GRADUS_ANOMALY_INF     = 0x2,  /* infinities are */
  GRADUS_ANOMALY_FORWARD = 0x4,  /* look at the results of operations too */
  GRADUS_ANOMALY_TRACE   = 0x8   /* remember the operations */
};
GRADUS_API gradus_status gradus_context_set_anomaly(gradus_context *ctx, uint32_t flags,
                                                    uint32_t *previous);                     /* since:1 */

/*
 * The random stream is given by two numbers: the seed, and how far it was used. The same two give the same numbers on every
 * machine and for any number of threads. Setting a seed starts its stream.
 */
GRADUS_API gradus_status gradus_context_set_seed(gradus_context *ctx, uint64_t seed);        /* since:1 */
GRADUS_API gradus_status gradus_context_set_random_state(gradus_context *ctx, uint64_t seed,
                                                         uint64_t offset);                   /* since:1 */

/* The modes and the random stream of a context, as they are now. */
typedef struct gradus_context_info {
  uint32_t struct_size;
  uint32_t flags;                /* GRADUS_CONTEXT_* */
  int32_t  threads;              /* as in the options */
  int32_t  log_level;
  uint64_t seed;
  uint64_t random_offset;
  uint64_t saved_copies;         /* how many values were copied since gradus_context_set_mutation_on_saved was set */
  uint32_t anomaly;              /* GRADUS_ANOMALY_*; 0: off */
  uint32_t reserved0;
} gradus_context_info;
enum {
  GRADUS_CONTEXT_RECORDING         = 0x1,
  GRADUS_CONTEXT_INFERENCE         = 0x2,
  GRADUS_CONTEXT_MUTATION_ON_SAVED = 0x4,
  GRADUS_CONTEXT_DETERMINISTIC     = 0x8
};
/* What was set. ARGUMENT for a struct_size too small. */
GRADUS_API gradus_status gradus_context_describe(gradus_context *ctx, gradus_context_info *info); /* since:1 */

#ifdef __cplusplus
}
#endif
#endif /* GRADUS_CONTEXT_H */
