/*
 * gradus/file.h - files of tensors, both ways: safetensors, and NumPy's npy and npz.
 *
 *   gradus_file_save(ctx, "model.safetensors", 17, tensors, names, count, NULL);
 *
 *   gradus_file_open(ctx, "model.safetensors", 17, NULL, &file);
 *   gradus_file_find(ctx, file, "weight", 6, &index);
 *   gradus_file_load(ctx, file, index, &tensor);
 *   gradus_release(file);
 *
 * Paths are UTF-8. A file is data: nothing in it runs, no name in it is used as a path, and all of it but the elements is
 * checked when it is opened. What is malformed is refused with VALUE and a message with the place; what the operating system
 * refuses is IO, with its text and the path; elements of a type that this library has not are UNSUPPORTED when they are loaded.
 *
 *   safetensors  names, metadata; all element types of this library
 *   npz          names; a zip of arrays, each stored or deflated; no bfloat16, no metadata
 *   npy          one tensor, called ""; versions 1.0 to 3.0, both byte orders, row- and column-major; no bfloat16
 */
#ifndef GRADUS_FILE_H
#define GRADUS_FILE_H

#include "gradus/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  GRADUS_FORMAT_AUTO        = 0, /* opening: by the content; saving: by the end of the path, ".safetensors", ".npy", ".npz" */
  GRADUS_FORMAT_SAFETENSORS = 1,
  GRADUS_FORMAT_NPY         = 2,
  GRADUS_FORMAT_NPZ         = 3
};

/* How a file is opened. */
typedef struct gradus_file_options {
  uint32_t struct_size;
  uint32_t flags;                /* GRADUS_FILE_* */
  int32_t  format;               /* GRADUS_FORMAT_* */
  int32_t  reserved0;
  uint64_t max_bytes;            /* an npz that unpacks to more is refused; 0: 256 MiB, or 100 times the file if that is more */
} gradus_file_options;
enum {
  GRADUS_FILE_READ_ONLY = 0x1,   /* tensors are views of the one content, where alignment and byte order allow it, and */
                                 /* operations that write are refused. Without it each tensor is the caller's own: */
                                 /* large ones are mapped and copied page by page where they are written, never the file */
  GRADUS_FILE_COPY      = 0x2    /* read the whole file at once, do not map it: see below */
};

/*
 * Opens a file [own]. It is mapped, unless it is empty or GRADUS_FILE_COPY is set, and may be replaced (as
 * gradus_file_save does) or deleted meanwhile. If another program writes into it or shortens it while the handle or a mapped
 * tensor lives, elements change, or the system ends this process by SIGBUS: where that can be, copy.
 * Errors: IO, VALUE; UNKNOWN_FIELD for unknown flags.
 */
GRADUS_API gradus_status gradus_file_open(gradus_context *ctx, const char *path, size_t length,
                                          const gradus_file_options *options /* [null ok] */,
                                          gradus_file **result);                             /* since:1 */
/* The same for bytes in memory [borrow], which are copied. */
GRADUS_API gradus_status gradus_file_open_memory(gradus_context *ctx, const void *data, size_t data_bytes,
                                                 const gradus_file_options *options /* [null ok] */,
                                                 gradus_file **result);                      /* since:1 */

/* What gradus_file_describe says. */
typedef struct gradus_file_info {
  uint32_t struct_size;
  uint32_t flags;                /* GRADUS_FILE_READ_ONLY as in the options */
  int32_t  format;               /* GRADUS_FORMAT_*, never AUTO */
  int32_t  reserved0;
  uint64_t tensor_count;
  uint64_t metadata_count;
  uint64_t bytes;                /* of the file */
} gradus_file_info;
/* What a file is. ARGUMENT if struct_size is too small. */
GRADUS_API gradus_status gradus_file_describe(gradus_context *ctx, const gradus_file *file, gradus_file_info *info); /* since:1 */

/* One tensor of a file; they are numbered in the order of the file. INDEX if there is no such tensor. */
typedef struct gradus_file_tensor {
  uint32_t struct_size;
  int32_t  dtype;                /* 0: a type that this library has not; it cannot be loaded */
  int32_t  rank;
  int32_t  reserved0;
  uint64_t name_length;
  uint64_t bytes;                /* of the elements */
  const char    *name;           /* [view:file] UTF-8, name_length bytes and a 0; may hold any character */
  const int64_t *shape;          /* [view:file] */
  const char    *stored_type;    /* [view:file] as the file spells it: "F32", "<f4" */
  const void    *reserved1;
} gradus_file_tensor;
GRADUS_API gradus_status gradus_file_tensor_at(gradus_context *ctx, const gradus_file *file, uint64_t index,
                                               gradus_file_tensor *info);                    /* since:1 */
/* The number of the tensor of a name. UNKNOWN_NAME if there is none. */
GRADUS_API gradus_status gradus_file_find(gradus_context *ctx, const gradus_file *file, const char *name, size_t length,
                                          uint64_t *index);                                  /* since:1 */

/* One pair of the metadata, in the order of the file. INDEX if there is no such pair. */
typedef struct gradus_file_metadata {
  uint32_t struct_size;
  uint32_t reserved0;
  uint64_t key_length;
  uint64_t text_length;
  const char *key;               /* [view:file] UTF-8, and a 0 behind it */
  const char *text;              /* [view:file] */
} gradus_file_metadata;
GRADUS_API gradus_status gradus_file_metadata_at(gradus_context *ctx, const gradus_file *file, uint64_t index,
                                                 gradus_file_metadata *info);                /* since:1 */

/*
 * A tensor [own] of the file, which lives on when the file is released. A column-major array comes with such strides.
 * UNSUPPORTED for an element type that this library has not; VALUE for a byte that is no boolean, and for a damaged npz.
 */
GRADUS_API gradus_status gradus_file_load(gradus_context *ctx, const gradus_file *file, uint64_t index,
                                          gradus_tensor **result);                           /* since:1 */

/* How a file is saved. */
typedef struct gradus_save_options {
  uint32_t struct_size;
  uint32_t flags;                /* GRADUS_SAVE_* */
  int32_t  format;               /* GRADUS_FORMAT_* */
  int32_t  reserved0;
  uint64_t metadata_count;       /* safetensors only, as are the pairs: UNSUPPORTED with others */
  const uint64_t *name_lengths;  /* [null ok] bytes of each name; null: they end with a 0 */
  const char *const *metadata_keys;           /* [null ok] UTF-8 with a 0 at the end */
  const char *const *metadata_texts;          /* [null ok] */
  const uint64_t    *metadata_text_lengths;   /* [null ok] bytes of each text; null: they end with a 0 */
} gradus_save_options;
enum {
  GRADUS_SAVE_DEFLATE = 0x1,     /* npz: compress. UNSUPPORTED with other formats */
  GRADUS_SAVE_NO_SYNC = 0x2      /* do not wait for the disk: after a power cut the file may be empty */
};

/*
 * Saves tensors under names (null for npy, which has one tensor and no name). The content goes to a new file in the same
 * folder, which takes the place of the old one when it is complete and on disk: other programs see one or the other, and
 * after a failure the old one is there. An old file's permissions are kept; a symbolic link is replaced. Values are saved,
 * not histories or the requirement of gradients. The same tensors make the same bytes, in whatever order they are given; those
 * of safetensors are aligned. VALUE for two tensors of a name, a name that is not UTF-8, or a format that nothing tells.
 */
GRADUS_API gradus_status gradus_file_save(gradus_context *ctx, const char *path, size_t length,
                                          gradus_tensor *const *tensors, const char *const *names /* [null ok] */,
                                          size_t count, const gradus_save_options *options /* [null ok] */); /* since:1 */
/* The bytes of such a file as a tensor [own] of GRADUS_U8. The options must name the format. */
GRADUS_API gradus_status gradus_file_save_memory(gradus_context *ctx, gradus_tensor *const *tensors,
                                                 const char *const *names /* [null ok] */, size_t count,
                                                 const gradus_save_options *options, gradus_tensor **result); /* since:1 */

#ifdef __cplusplus
}
#endif
#endif /* GRADUS_FILE_H */
