/*
 * gradus/invoke.h - operations by name: what exists, one call for all of them, and many calls in one crossing.
 *
 * A language can make its whole binding from gradus_registry_json and gradus_invoke at load time; the typed functions of
 * gradus/ops.h are the same operations for C.
 */
#ifndef GRADUS_INVOKE_H
#define GRADUS_INVOKE_H

#include "gradus/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a value holds; its kind says which of these. */
union gradus_payload {
  int64_t        i64;
  double         f64;
  const void    *ptr;
  gradus_tensor *tensor;
};
/* One argument or result: 24 bytes on every platform. The layout never changes; new kinds may come. */
typedef struct gradus_value {
  int32_t  kind;                 /* GRADUS_V_* */
  uint32_t aux;                  /* the dtype of GRADUS_V_DTYPE; which result for GRADUS_V_RESULT_OF; else 0 */
  union gradus_payload u;
  uint64_t length;               /* elements of a list, bytes of a text; of GRADUS_V_COMPLEX see there; else 0 */
} gradus_value;
enum {
  GRADUS_V_DEFAULT     = 0,      /* the schema's default */
  GRADUS_V_NONE        = 1,      /* nothing, where the schema says optional */
  GRADUS_V_BOOL        = 2,      /* u.i64, 0 or 1 */
  GRADUS_V_I64         = 3,      /* u.i64 */
  GRADUS_V_F64         = 4,      /* u.f64 */
  GRADUS_V_TEXT        = 5,      /* u.ptr: length bytes of UTF-8 [borrow] */
  GRADUS_V_DTYPE       = 6,      /* aux */
  GRADUS_V_TENSOR      = 7,      /* u.tensor; [own] in results */
  GRADUS_V_I64_LIST    = 8,      /* u.ptr: length int64_t [borrow] */
  GRADUS_V_F64_LIST    = 9,      /* u.ptr: length double [borrow] */
  GRADUS_V_TENSOR_LIST = 10,     /* u.ptr: length gradus_tensor pointers [borrow]; null ones where the schema allows gaps */
  GRADUS_V_RESULT_OF   = 11,     /* in a batch: result `aux` of the earlier call u.i64 */
  GRADUS_V_COMPLEX     = 12      /* u.f64, and the imaginary part: the eight bytes of a double in `length`. Where an operation takes
                                    complex tensors and its number is a factor or an element; elsewhere ARGUMENT */
};

/* The operation of a name ("add", "add_"), [static]; null if there is none. Any thread; needs no context. */
GRADUS_API const gradus_op *gradus_op_find(const char *name, size_t length);                 /* since:1 */
/* All operations, in the order of the manual. Null beyond the last. */
GRADUS_API size_t           gradus_op_count(void);                                           /* since:1 */
GRADUS_API const gradus_op *gradus_op_at(size_t index);                                      /* since:1 */

/*
 * Calls an operation. Arguments stand in schema order; missing ones at the end take their defaults, as GRADUS_V_DEFAULT does.
 * A number may stand in a tensor position of elementwise operations, and one integer where a list of integers is wanted.
 * Results are values of kind GRADUS_V_TENSOR, one after another, a list result too (split, unbind), and result_count
 * [null ok] says how many. results null: they are not wanted. A capacity that does not suffice is VALUE: nothing is returned,
 * and result_count is what is needed. An operation that ends in "_" writes its first argument and returns it.
 */
GRADUS_API gradus_status gradus_invoke(gradus_context *ctx, const gradus_op *op, const gradus_value *arguments,
                                       size_t argument_count, gradus_value *results /* [null ok] */,
                                       size_t result_capacity, size_t *result_count);        /* since:1 */

/*
 * Calls an operation that returns tensors of its own (GRADUS_OP_OUT in its info) and writes the results into given ones,
 * PyTorch's out=. outs: one tensor [borrow] for each result, in order; out_count of them.
 * A tensor of the result's shape keeps its memory and strides; one of another shape is resized: its shape, strides and, if it is
 * too small, its memory are new, and pointers that gradus_tensor_describe gave are no longer valid. The result's dtype must be
 * castable to the tensor's (no float into integers, nothing but bool into bool: else DTYPE). A dtype argument left to its default
 * is that of the only out, where the operation takes no tensors or theirs can be cast to it. An out may be an argument of the
 * same shape as the result. Nothing is recorded.
 * UNSUPPORTED: the operation writes in place, or returns an argument or a view. STATE: recording is on and an argument or
 * out requires grad; the memory of an out is read-only or seen several times through it; or it would have to be resized and requires
 * grad, is a view, is wrapped memory, or shares memory that is too small. VALUE: not one out for each result, outs share memory, or one
 * shares part of an argument's. SHAPE: an out that is an argument has another shape than the result. Then no out has changed.
 */
GRADUS_API gradus_status gradus_invoke_out(gradus_context *ctx, const gradus_op *op, const gradus_value *arguments,
                                           size_t argument_count, gradus_tensor *const *outs, size_t out_count); /* since:1 */

/* One call of a batch. */
typedef struct gradus_call {
  uint64_t argument_count;
  uint64_t result_capacity;
  uint64_t result_count;         /* out */
  uint64_t reserved0;
  const gradus_op    *op;
  const gradus_value *arguments;
  gradus_value       *results;   /* [null ok] then the results only feed later calls */
  const char         *label;     /* [null ok] [view: as long as the error is read] text with a 0 at the end, shown in errors */
} gradus_call;
/*
 * Many calls in one crossing, in order. call_bytes is sizeof(gradus_call). GRADUS_V_RESULT_OF takes a result of an earlier
 * call as an argument by itself (not inside a list). Stops at the first failure: done [null ok] says how many calls finished;
 * their results are valid, those of the others null.
 */
GRADUS_API gradus_status gradus_invoke_batch(gradus_context *ctx, gradus_call *calls, size_t call_count,
                                             size_t call_bytes, size_t *done);               /* since:1 */

/* What is known of an operation. All text is [static]. */
typedef struct gradus_op_info {
  uint32_t struct_size;
  uint32_t flags;                /* GRADUS_OP_* */
  uint32_t argument_count;
  uint32_t result_count;         /* of the schema; a list counts as one */
  uint32_t required_arguments;   /* the leading ones without a default */
  uint32_t since;                /* API level */
  const char *name;
  const char *schema;            /* PyTorch's syntax */
  const char *summary;
  const char *serves;            /* ATen overloads it answers, separated by spaces */
} gradus_op_info;
enum {
  GRADUS_OP_DIFFERENTIABLE = 0x1,
  GRADUS_OP_IN_PLACE       = 0x2, /* writes its first argument */
  GRADUS_OP_VIEW           = 0x4, /* results share the storage of the first argument */
  GRADUS_OP_RANDOM         = 0x8,
  GRADUS_OP_LIST_RESULT    = 0x20, /* the number of results depends on the arguments */
  GRADUS_OP_OUT            = 0x40 /* gradus_invoke_out takes it */
};
GRADUS_API gradus_status gradus_op_describe(const gradus_op *op, gradus_op_info *info);      /* since:1 */

/* What is known of one argument of an operation. All text is [static]. */
typedef struct gradus_argument_info {
  uint32_t struct_size;
  uint32_t flags;                /* GRADUS_ARG_* */
  int32_t  kind;                 /* GRADUS_V_*; of a Scalar GRADUS_V_F64 with GRADUS_ARG_NUMBER; GRADUS_V_NONE: only for
                                    compatibility with schemas, give nothing */
  uint32_t since;
  const char *name;              /* a keyword in no common language: "input" for PyTorch's "self" */
  const char *schema_name;
  gradus_value default_value;    /* GRADUS_V_DEFAULT if there is none */
} gradus_argument_info;
enum {
  GRADUS_ARG_OPTIONAL       = 0x1, /* GRADUS_V_NONE is accepted */
  GRADUS_ARG_WRITTEN        = 0x2,
  GRADUS_ARG_GRADIENT_FLOWS = 0x4,
  GRADUS_ARG_KEYWORD        = 0x8, /* by name only, in languages that have that */
  GRADUS_ARG_NUMBER         = 0x10 /* a number of any kind is accepted, a complex one by some operations */
};
/* INDEX if there is no such argument. */
GRADUS_API gradus_status gradus_op_describe_argument(const gradus_op *op, uint32_t index,
                                                     gradus_argument_info *info);            /* since:1 */

/*
 * All of it as one JSON text, UTF-8: {"level", "ops": [{"name", "schema", "doc", "serves": [...], "arguments": [{"name",
 * "schema_name", "type", "list", "optional", "default", "keyword_only", "written"}], "results": [{"name", "type", "list"}],
 * "differentiable", "in_place", "view", "random", "out"}]}. "type" is "tensor", "int", "float", "bool", "number", "dtype", "text" or
 * "other" (give nothing). At most capacity bytes are written, a 0 at the end included; length receives the bytes of the whole.
 */
GRADUS_API gradus_status gradus_registry_json(char *buffer, size_t capacity, size_t *length); /* since:1 */

#ifdef __cplusplus
}
#endif
#endif /* GRADUS_INVOKE_H */
