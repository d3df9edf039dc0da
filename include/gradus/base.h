/*
 * gradus/base.h - what every other header of gradus needs: statuses, element types, handles, callbacks, versions.
 *
 * The dialect is the common subset of C99 and C++98 that cffi, pycparser, LuaJIT, bindgen, SWIG and cgo read.
 *
 * Marks in the comments of all headers:
 *   [borrow]   the callee looks at it during the call only (every input, unless it says otherwise)
 *   [own]      the caller receives one reference and has to gradus_release() it
 *   [view:X]   the pointer is valid as long as the caller keeps X
 *   [static]   the pointer is valid until the process ends
 *   [null ok]  a null pointer is accepted and means "default" or "not wanted"
 *   since:N    the first GRADUS_API_LEVEL that has it; from level 2 on inside #if GRADUS_TARGET_LEVEL >= N
 *   deprecated:N  the level that has its successor, which the comment names
 *
 * Every function that can fail takes a context first and returns a status; its outputs come last and are null (or 0) after
 * a failure. A failure changes nothing. No function prints, ends the process, or lets a C++ exception out. Any of them may fail
 * with NULL, HANDLE, BUSY, MEMORY or CANCELLED, or STATE in a forked child; its comment names what else.
 */
#ifndef GRADUS_BASE_H
#define GRADUS_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifndef GRADUS_API
#  if defined(_WIN32) && !defined(GRADUS_STATIC)
#    ifdef GRADUS_BUILDING
#      define GRADUS_API __declspec(dllexport)
#    else
#      define GRADUS_API __declspec(dllimport)
#    endif
#  elif defined(__GNUC__)
#    define GRADUS_API __attribute__((visibility("default")))
#  else
#    define GRADUS_API
#  endif
#endif

/* The API level that these headers describe, for #if. The enumerator GRADUS_API_LEVEL is the same number. */
#define GRADUS_HEADER_LEVEL 1
#ifndef GRADUS_TARGET_LEVEL
/* Defined before the first include, it hides what later levels have: a program that is to run on older libraries. */
#  define GRADUS_TARGET_LEVEL GRADUS_HEADER_LEVEL
#elif GRADUS_TARGET_LEVEL < 1 || GRADUS_TARGET_LEVEL > GRADUS_HEADER_LEVEL
#  error "GRADUS_TARGET_LEVEL is not a level of these headers"
#endif
#if defined(GRADUS_WARN_DEPRECATED) && defined(__GNUC__)
#  define GRADUS_DEPRECATED __attribute__((deprecated))
#else
/* Marks what has a better successor; it stays. Compilers warn of it if GRADUS_WARN_DEPRECATED is defined. */
#  define GRADUS_DEPRECATED
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Constants are enumerators of tagless enums and fit int32_t; no signature and no field has an enum type. */
enum { GRADUS_API_LEVEL = 1 };

/*
 * 0 is success. Otherwise category = status & ~0xff, and a program that does not know a detail uses the category.
 * The text of the last failure is in the context: gradus_context_error.
 */
typedef int32_t gradus_status;
enum {
  GRADUS_OK              = 0,
  GRADUS_E_ARGUMENT      = 0x0100, /* category: the caller passed something wrong                     */
  GRADUS_E_NULL          = 0x0101, /* a null pointer where something is needed                        */
  GRADUS_E_HANDLE        = 0x0102, /* a handle of the wrong kind, or one already released             */
  GRADUS_E_SHAPE         = 0x0103, /* sizes that do not fit, or negative ones, or more than can exist */
  GRADUS_E_DTYPE         = 0x0104,
  GRADUS_E_INDEX         = 0x0105,
  GRADUS_E_VALUE         = 0x0106,
  GRADUS_E_MEMORY        = 0x0200, /* category: out of memory                                         */
  GRADUS_E_STATE         = 0x0300, /* category: the right call at the wrong moment                    */
  GRADUS_E_BUSY          = 0x0301, /* the context is inside a call on another thread                  */
  GRADUS_E_GRAPH_FREED   = 0x0302, /* an earlier backward freed what this one would read              */
  GRADUS_E_IN_PLACE      = 0x0303, /* a saved value was changed since it was recorded                 */
  GRADUS_E_ANOMALY       = 0x0304, /* anomaly mode found a NaN or an infinity                         */
  GRADUS_E_UNSUPPORTED   = 0x0400, /* category: not in this version or build                          */
  GRADUS_E_UNKNOWN_NAME  = 0x0401,
  GRADUS_E_UNKNOWN_FIELD = 0x0402, /* an option struct has non-zero bytes that this library predates  */
  GRADUS_E_CALLBACK      = 0x0500, /* category: a callback of the caller reported failure             */
  GRADUS_E_CANCELLED     = 0x0600, /* category: gradus_context_cancel, or the interrupt callback      */
  GRADUS_E_IO            = 0x0700, /* category: operating system or file                              */
  GRADUS_E_INTERNAL      = 0x0f00  /* category: a defect in the library                               */
};

/* Element types. A number never changes and is never used again. 0 stands for "default" where a parameter says so. */
enum {
  GRADUS_BOOL = 1, GRADUS_U8 = 2, GRADUS_I8 = 3, GRADUS_I16 = 4, GRADUS_I32 = 5, GRADUS_I64 = 6,
  GRADUS_F16 = 7, GRADUS_BF16 = 8, GRADUS_F32 = 9, GRADUS_F64 = 10, GRADUS_C64 = 11, GRADUS_C128 = 12
};

/*
 * Handles: distinct incomplete structs, never looked into. A handle may be used from any context and any thread; of a
 * context only one thread at a time may make use.
 */
typedef struct gradus_context gradus_context; /* errors, modes, random numbers, memory of one line of work */
typedef struct gradus_tensor  gradus_tensor;
typedef struct gradus_node    gradus_node;    /* one recorded operation of the graph                       */
typedef struct gradus_profile gradus_profile; /* what a context did, and how long it took                  */
typedef struct gradus_optimizer gradus_optimizer; /* parameters, their settings, and what the steps so far left */
typedef struct gradus_scheduler gradus_scheduler; /* the settings of an optimizer as functions of the epoch */
typedef struct gradus_file    gradus_file;    /* a file of tensors, open for reading                       */
typedef struct gradus_op      gradus_op;      /* an operation that exists; [static], needs no release      */

/*
 * Forking: if no other thread is inside a call, the child may go on with everything; worker threads start anew. Otherwise every
 * call of the child that can fail is STATE, and releasing does nothing. Ending: nothing has to be released before exit, and
 * nothing of the library runs then. A library that was loaded stays: dlclose is harmless, and so are finalizers after it.
 */

/*
 * One more reference, and one less, for every kind of handle. Null, and a handle known to be dead, are ignored. Any thread,
 * finalizer threads included; never fails, never waits for a context. Releasing a context while its tensors live is fine;
 * released inside a callback, it goes when the call is over. Graphs of any depth are freed without recursion.
 */
GRADUS_API void gradus_retain(void *handle);                                                 /* since:1 */
GRADUS_API void gradus_release(void *handle);                                                /* since:1 */

/*
 * Callbacks. user is a token that the library only hands back; destroy(user) runs exactly once, if and only if the call
 * that received it succeeded, on the thread that drops the last reference. Callbacks run on the thread that is inside a call
 * of their context, never on a worker thread. They may call the library with that context, except for allocators and log
 * sinks, and must not longjmp. A C++ exception that comes out of one is its failure, GRADUS_E_CALLBACK; out of a destroy, discard,
 * log or free function it is dropped, and std::bad_alloc out of an allocator is MEMORY.
 */
typedef void (*gradus_destroy_fn)(void *user);
typedef void (*gradus_log_fn)(void *user, int32_t level, const char *text, size_t length);
/* Returns memory of the given alignment, or null when there is none. Other memory is given back at once: MEMORY. */
typedef void *(*gradus_alloc_fn)(void *user, size_t bytes, size_t alignment);
typedef void (*gradus_free_fn)(void *user, void *block, size_t bytes, size_t alignment);
/*
 * Asked about every 20 ms in a call that takes longer, where gradus_context_cancel would end it, every 64 nodes of a pass or calls of a
 * batch, and before each callback; non-zero ends the call with GRADUS_E_CANCELLED. What it calls itself does not ask it.
 */
typedef int32_t (*gradus_interrupt_fn)(void *user);
/*
 * Sees the whole gradient of a tensor [borrow] and may put another of the same shape and dtype into *replacement [own, given
 * to the library]. On failure it says why by gradus_context_fail and returns that status.
 */
typedef gradus_status (*gradus_hook_fn)(void *user, gradus_context *ctx, gradus_tensor *grad,
                                        gradus_tensor **replacement);

/* Which library is loaded: major << 22 | minor << 12 | patch, the API level it offers, and "1.2.3" [static]. */
GRADUS_API uint32_t    gradus_version(void);                                                 /* since:1 */
GRADUS_API uint32_t    gradus_api_level(void);                                               /* since:1 */
GRADUS_API const char *gradus_version_string(void);                                          /* since:1 */
/*
 * 1 if the library has a feature ("threads", "simd", "dlpack"), else 0. "lapack" opens the system's LAPACK, as the first operation that
 * needs it does: without one those operations fail with GRADUS_E_UNSUPPORTED.
 */
GRADUS_API int32_t     gradus_has_feature(const char *name, size_t length);                  /* since:1 */
/* "GRADUS_E_SHAPE" [static]; the category's name for an unknown detail, "unknown" beyond that. */
GRADUS_API const char *gradus_status_name(gradus_status status);                             /* since:1 */
/* "float32" [static], as PyTorch prints it; null for a number that is no element type. */
GRADUS_API const char *gradus_dtype_name(int32_t dtype);                                     /* since:1 */
/* Bytes of one element; 0 for a number that is no element type. */
GRADUS_API int64_t     gradus_dtype_size(int32_t dtype);                                     /* since:1 */

/*
 * Growable structs begin with struct_size, which the caller sets to sizeof(the struct), 4096 at most; the rest of an option
 * struct is zero unless wanted otherwise. Bytes that the library does not know must be zero, else GRADUS_E_UNKNOWN_FIELD. A
 * struct that the library fills comes back with struct_size set to the bytes that the library knows; the caller's bytes beyond
 * are zero.
 */

/* What lives in the process. All zero (bytes_peak and bytes_kept apart) once everything is released. */
typedef struct gradus_counts {
  uint32_t struct_size;
  uint32_t reserved0;
  uint64_t contexts;
  uint64_t tensors;
  uint64_t graph_nodes;
  uint64_t foreign_blocks;       /* memory of the caller that tensors stand on */
  uint64_t callbacks;            /* of hooks, recorded functions, and what nodes and calls keep */
  uint64_t bytes_live;           /* of the library's own allocator */
  uint64_t bytes_peak;
  uint64_t bytes_kept;           /* freed, and kept for the next request */
  uint64_t profiles;
  uint64_t optimizers;
  uint64_t schedulers;
  uint64_t files;
  uint64_t function_calls;       /* applications of functions that a node, or whoever retained them, holds */
} gradus_counts;
GRADUS_API void gradus_live_counts(gradus_counts *counts);                                   /* since:1 */
/* Gives kept memory back to the operating system. */
GRADUS_API void gradus_memory_trim(void);                                                    /* since:1 */

#ifdef __cplusplus
}
#endif
#endif /* GRADUS_BASE_H */
