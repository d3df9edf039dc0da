/*
 * Memory that R and tensors share. R's vectors are values: a tensor on one may only read, and a vector on a tensor's memory is copied before R
 * writes to it; what the tensor's owner writes shows in it.
 */
#include "shim.h"
#include <R_ext/Altrep.h>

static void forget(void *user) { R_ReleaseObject(user); }
SEXP r_wrap(SEXP x, SEXP dim) {
  int64_t shape[64], strides[64];
  const int rank = layout(dim, shape, strides);
  gradus_tensor *t;
  gradus_status status;
  R_PreserveObject(x);
  MARK_NOT_MUTABLE(x);
  status = gradus_tensor_wrap(ctx, GRADUS_F64, rank, shape, strides, REAL(x), sizeof(double) * (size_t)Rf_xlength(x), GRADUS_WRAP_READ_ONLY,
                              forget, x, &t);
  if (status != GRADUS_OK) R_ReleaseObject(x);
  check(status);
  return own(t);
}

/* A vector whose first datum is the tensor. */
static R_altrep_class_t memory_class;
static R_xlen_t memory_length(SEXP x) { return (R_xlen_t)info_of(R_altrep_data1(x)).count; }
static void *memory_pointer(SEXP x, Rboolean writable) {
  (void)writable;                                                  /* it is never the caller's own: see MARK_NOT_MUTABLE */
  return (void *)info_of(R_altrep_data1(x)).data;
}
static const void *memory_pointer_or_null(SEXP x) { return memory_pointer(x, FALSE); }
static double memory_element(SEXP x, R_xlen_t i) { return ((const double *)memory_pointer(x, FALSE))[i]; }
void make_memory_class(DllInfo *dll) {
  memory_class = R_make_altreal_class("gradus_memory", "gradus", dll);
  R_set_altrep_Length_method(memory_class, memory_length);
  R_set_altvec_Dataptr_method(memory_class, memory_pointer);
  R_set_altvec_Dataptr_or_null_method(memory_class, memory_pointer_or_null);
  R_set_altreal_Elt_method(memory_class, memory_element);
}
SEXP r_data(SEXP x) {
  const gradus_tensor_info info = info_of(x);
  SEXP vector;
  if (info.dtype != GRADUS_F64 || !(info.flags & GRADUS_TENSOR_CONTIGUOUS)) Rf_error("gradus: no float64 tensor without gaps");
  vector = R_new_altrep(memory_class, x, R_NilValue);
  MARK_NOT_MUTABLE(vector);
  return vector;
}

struct DLManagedTensorVersioned {                                  /* as far as its deleter */
  uint32_t major, minor;
  void *context;
  void (*deleter)(struct DLManagedTensorVersioned *);
};
static void drop(SEXP x) {
  struct DLManagedTensorVersioned *managed = R_ExternalPtrAddr(x);
  R_ClearExternalPtr(x);
  if (managed && managed->deleter) managed->deleter(managed);
}
SEXP r_to_dlpack(SEXP x) {
  struct DLManagedTensorVersioned *managed;
  SEXP pointer;
  check(gradus_tensor_to_dlpack(ctx, tensor(x), 0, &managed));
  pointer = PROTECT(R_MakeExternalPtr(managed, R_NilValue, R_NilValue));
  R_RegisterCFinalizer(pointer, drop);
  UNPROTECT(1);
  return pointer;
}
SEXP r_from_dlpack(SEXP pointer) {
  gradus_tensor *t;
  check(gradus_tensor_from_dlpack(ctx, R_ExternalPtrAddr(pointer), 0, &t));
  R_ClearExternalPtr(pointer);
  return own(t);
}
