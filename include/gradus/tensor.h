/*
 * gradus/tensor.h - tensors: making them from memory, reading them, exchanging them.
 *
 * A tensor is storage seen through sizes and strides. Storage is shared by all views of it, and every write raises its
 * version. Strides count elements and are never negative. A rank is at most 64.
 */
#ifndef GRADUS_TENSOR_H
#define GRADUS_TENSOR_H

#include "gradus/context.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * New tensors [own] of the given sizes: filled with zeros, or with whatever the memory holds. dtype 0 is GRADUS_F32. shape
 * may be null for rank 0. Errors: DTYPE for an unknown number, SHAPE for negative or overflowing sizes,
 * MEMORY.
 */
GRADUS_API gradus_status gradus_tensor_zeros(gradus_context *ctx, int32_t dtype, int32_t rank, const int64_t *shape,
                                             gradus_tensor **result);                        /* since:1 */
GRADUS_API gradus_status gradus_tensor_empty(gradus_context *ctx, int32_t dtype, int32_t rank, const int64_t *shape,
                                             gradus_tensor **result);                        /* since:1 */

/*
 * A new tensor [own] with a copy of host memory of that dtype. strides (in elements) null: row-major. data_bytes is what may
 * be read; VALUE if the elements reach further.
 */
GRADUS_API gradus_status gradus_tensor_copy_in(gradus_context *ctx, int32_t dtype, int32_t rank, const int64_t *shape,
                                               const int64_t *strides /* [null ok] */, const void *data,
                                               size_t data_bytes, gradus_tensor **result);   /* since:1 */

/*
 * A tensor [own] on the caller's memory, without a copy; destroy(user) [null ok] runs when the last view of it is gone. The
 * memory must be aligned for its elements, and bytes of GRADUS_BOOL must be 0 or 1.
 */
GRADUS_API gradus_status gradus_tensor_wrap(gradus_context *ctx, int32_t dtype, int32_t rank, const int64_t *shape,
                                            const int64_t *strides /* [null ok] */, void *data, size_t data_bytes,
                                            uint32_t flags /* GRADUS_WRAP_* */, gradus_destroy_fn destroy,
                                            void *user, gradus_tensor **result);             /* since:1 */
enum { GRADUS_WRAP_READ_ONLY = 0x1 /* operations that write are refused */ };

/*
 * Writes the elements, cast to dtype (0: the tensor's own), row-major over data. VALUE if data_bytes does not suffice. Of a
 * tensor that requires grad the values are read and nothing is recorded.
 */
GRADUS_API gradus_status gradus_tensor_copy_out(gradus_context *ctx, const gradus_tensor *tensor, int32_t dtype,
                                                void *data, size_t data_bytes);              /* since:1 */

/* The one element of a tensor, cast; VALUE if there is not exactly one. Floats beyond int64_t saturate. */
GRADUS_API gradus_status gradus_tensor_item_f64(gradus_context *ctx, const gradus_tensor *tensor,
                                                double *result);                             /* since:1 */
GRADUS_API gradus_status gradus_tensor_item_i64(gradus_context *ctx, const gradus_tensor *tensor,
                                                int64_t *result);                            /* since:1 */

/*
 * One call instead of ten getters; needs no context and changes nothing. NULL or HANDLE are the only failures (ARGUMENT for a
 * struct_size too small). The pointers may move when the tensor is written by an operation that gives it another layout.
 */
typedef struct gradus_tensor_info {
  uint32_t struct_size;
  int32_t  dtype;
  int32_t  rank;
  uint32_t flags;                /* GRADUS_TENSOR_* */
  int64_t  count;                /* number of elements */
  uint64_t identity;             /* the same for all handles of one tensor */
  uint64_t storage;              /* the same for all tensors on one storage */
  uint64_t version;              /* of the storage: how often it was written */
  const int64_t *shape;          /* [view:tensor] */
  const int64_t *strides;        /* [view:tensor] elements; never null when rank > 0 */
  const void    *data;           /* [view:tensor] the first element; null when count is 0 */
  const char    *dtype_name;     /* [static] */
  uint64_t bytes;                /* of the storage, all views together: what a collector may reckon the handle at */
} gradus_tensor_info;
enum {
  GRADUS_TENSOR_REQUIRES_GRAD = 0x1,  /* by its own flag, or because it was computed from such */
  GRADUS_TENSOR_LEAF          = 0x2,  /* computed from nothing that was recorded */
  GRADUS_TENSOR_READ_ONLY     = 0x4,
  GRADUS_TENSOR_CONTIGUOUS    = 0x8,  /* row-major without gaps */
  GRADUS_TENSOR_INFERENCE     = 0x10, /* made in inference mode */
  GRADUS_TENSOR_VIEW          = 0x20, /* a view of another tensor, for writes through it */
  GRADUS_TENSOR_HAS_GRAD      = 0x40,
  GRADUS_TENSOR_RETAINS_GRAD  = 0x80  /* computed, and keeps its gradient all the same */
};
GRADUS_API gradus_status gradus_tensor_describe(const gradus_tensor *tensor, gradus_tensor_info *info); /* since:1 */

/*
 * The tensor as text in PyTorch's format, "tensor([1., 2.], requires_grad=True)": at most capacity bytes are written, a 0 at
 * the end included; length receives the bytes of the whole text without that 0. buffer may be null when capacity is 0.
 */
GRADUS_API gradus_status gradus_tensor_print(gradus_context *ctx, const gradus_tensor *tensor, char *buffer,
                                             size_t capacity, size_t *length);               /* since:1 */

/*
 * DLPack 1.x, versioned structs only. Export [own: whoever calls its deleter]: strides are always there, the deleter may run
 * on any thread. A tensor that requires grad is refused (STATE) unless GRADUS_DLPACK_DETACH. Import takes over managed on
 * success only; after a failure the caller still owns it and nothing of it was touched. Refused: other devices, vectors of
 * lanes, types of less than a byte (UNSUPPORTED), negative strides, sizes that overflow (SHAPE). Misaligned memory is copied.
 */
struct DLManagedTensorVersioned;
enum {
  GRADUS_DLPACK_COPY       = 0x1, /* always a copy */
  GRADUS_DLPACK_NEVER_COPY = 0x2, /* an error (VALUE) where a copy would be needed */
  GRADUS_DLPACK_DETACH     = 0x4,
  GRADUS_DLPACK_READ_ONLY  = 0x8  /* mark it read-only */
};
GRADUS_API gradus_status gradus_tensor_to_dlpack(gradus_context *ctx, const gradus_tensor *tensor, uint32_t flags,
                                                 struct DLManagedTensorVersioned **managed); /* since:1 */
GRADUS_API gradus_status gradus_tensor_from_dlpack(gradus_context *ctx, struct DLManagedTensorVersioned *managed,
                                                   uint32_t flags, gradus_tensor **result);  /* since:1 */

#ifdef __cplusplus
}
#endif
#endif /* GRADUS_TENSOR_H */
