/*
 * The C side of gradus.R, by .Call: shim.c has values, calls and tensors, callbacks.c what the library calls, memory.c what is shared with R.
 * Handles are external pointers, which R's collector releases. All of it runs on R's thread.
 */
#ifndef GRADUS_R_SHIM_H
#define GRADUS_R_SHIM_H

#include <R.h>
#include <Rinternals.h>
#include <gradus/gradus.h>
#include <string.h>

enum { ARGUMENTS = 40, RESULTS = 64 };
extern gradus_context *ctx;
extern SEXP space, pending;                                        /* gradus.R's environment; an error of R on its way through C */

SEXP own(gradus_tensor *t);
SEXP borrow(gradus_tensor *t);
gradus_tensor *tensor(SEXP x);
void check(gradus_status status);                                  /* raises the library's error, or that of R which a callback left, in gradus.R */
SEXP describe(const gradus_op *op);                                /* name, names of arguments, kinds of arguments, the operation */
gradus_tensor_info info_of(SEXP x);
int layout(SEXP dim, int64_t *shape, int64_t *strides);            /* R's: the first index runs fastest; the rank */
void make_memory_class(DllInfo *dll);

#endif
