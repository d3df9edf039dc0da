/*
 * The C side of gradus.R, by .Call: R's values to gradus_value and back, whatever the operation. Handles are external pointers, which R's
 * collector releases. All of it runs on R's thread.
 */
#include <R.h>
#include <Rinternals.h>
#include <gradus/gradus.h>
#include <string.h>

enum { ARGUMENTS = 40, RESULTS = 64 };
static gradus_context *ctx;
static SEXP space, pending;                                        /* gradus.R's environment; an error of R on its way through C */

static void finalize(SEXP x) {
  gradus_release(R_ExternalPtrAddr(x));
  R_ClearExternalPtr(x);
}
static SEXP own(gradus_tensor *t) {
  SEXP x, name;
  if (!t) return R_NilValue;
  x = PROTECT(R_MakeExternalPtr(t, R_NilValue, R_NilValue));
  name = PROTECT(Rf_mkString("gradus"));
  R_RegisterCFinalizer(x, finalize);
  Rf_setAttrib(x, R_ClassSymbol, name);
  UNPROTECT(2);
  return x;
}
static SEXP borrow(gradus_tensor *t) {
  gradus_retain(t);
  return own(t);
}
static gradus_tensor *tensor(SEXP x) { return TYPEOF(x) == EXTPTRSXP ? R_ExternalPtrAddr(x) : NULL; }

/* Raises the library's error, or that of R which a callback left, in gradus.R. */
static void check(gradus_status status) {
  gradus_error e = {sizeof e, 0, -1, 0, 0, 0, 0, 0};
  SEXP call, thrown = pending;
  if (status == GRADUS_OK) return;
  gradus_context_error(ctx, &e);
  if (status == GRADUS_E_CALLBACK && thrown) {
    pending = NULL;
    PROTECT(thrown);
    R_ReleaseObject(thrown);
    call = PROTECT(Rf_lang2(Rf_install("stop"), thrown));
  } else {
    SEXP number = PROTECT(Rf_ScalarInteger(status)), name = PROTECT(Rf_mkString(gradus_status_name(status)));
    call = PROTECT(Rf_lang4(Rf_install("gradus_stop"), number, name, PROTECT(Rf_mkString(e.message))));
  }
  Rf_eval(call, space);
}

static void list_value(gradus_value *v, SEXP x, int32_t kind) {
  const R_xlen_t n = Rf_xlength(x);
  R_xlen_t i;
  void *data = R_alloc((size_t)n + 1, 8);
  for (i = 0; i < n; ++i) {
    if (kind == GRADUS_V_TENSOR_LIST) ((gradus_tensor **)data)[i] = tensor(VECTOR_ELT(x, i));
    else if (kind == GRADUS_V_F64_LIST) ((double *)data)[i] = TYPEOF(x) == INTSXP ? INTEGER(x)[i] : REAL(x)[i];
    else ((int64_t *)data)[i] = TYPEOF(x) == REALSXP ? (int64_t)REAL(x)[i] : INTEGER(x)[i];
  }
  v->kind = kind;
  v->u.ptr = data;
  v->length = (uint64_t)n;
}
static int32_t dtype_of(const char *name) {
  int32_t d;
  for (d = GRADUS_BOOL; d <= GRADUS_F64; ++d)
    if (!strcmp(gradus_dtype_name(d), name)) return d;
  Rf_error("gradus: no element type %s", name);
}
static void encode(gradus_value *v, SEXP x, int32_t kind) {
  memset(v, 0, sizeof *v);
  if (TYPEOF(x) == SYMSXP) return;                                  /* omitted */
  if (TYPEOF(x) == NILSXP) v->kind = GRADUS_V_NONE;
  else if (TYPEOF(x) == EXTPTRSXP) { v->kind = GRADUS_V_TENSOR; v->u.tensor = tensor(x); }
  else if (kind >= GRADUS_V_I64_LIST) list_value(v, x, kind);
  else if (TYPEOF(x) == STRSXP && kind == GRADUS_V_DTYPE) { v->kind = kind; v->aux = (uint32_t)dtype_of(CHAR(Rf_asChar(x))); }
  else if (TYPEOF(x) == STRSXP) { v->kind = GRADUS_V_TEXT; v->u.ptr = CHAR(Rf_asChar(x)); v->length = strlen(v->u.ptr); }
  else if (TYPEOF(x) == LGLSXP) { v->kind = GRADUS_V_BOOL; v->u.i64 = Rf_asLogical(x) == 1; }
  else if (kind == GRADUS_V_I64 || (TYPEOF(x) == INTSXP && kind != GRADUS_V_F64)) { v->kind = GRADUS_V_I64; v->u.i64 = (int64_t)Rf_asReal(x); }
  else { v->kind = GRADUS_V_F64; v->u.f64 = Rf_asReal(x); }
}

SEXP r_open(SEXP environment) {
  space = environment;
  if (gradus_context_create(NULL, &ctx) != GRADUS_OK) Rf_error("gradus: no context");
  return R_NilValue;
}
SEXP r_close(void) {
  gradus_release(ctx);
  ctx = NULL;
  return R_NilValue;
}
/* Of operation i from 0: name, names of arguments, kinds of arguments, the operation; NULL beyond the last. */
SEXP r_operation(SEXP index) {
  const gradus_op *op = gradus_op_at((size_t)Rf_asInteger(index));
  gradus_op_info info = {sizeof info, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  SEXP all, names, kinds;
  uint32_t i;
  if (!op) return R_NilValue;
  check(gradus_op_describe(op, &info));
  all = PROTECT(Rf_allocVector(VECSXP, 4));
  SET_VECTOR_ELT(all, 0, Rf_mkString(info.name));
  SET_VECTOR_ELT(all, 1, names = Rf_allocVector(STRSXP, info.argument_count));
  SET_VECTOR_ELT(all, 2, kinds = Rf_allocVector(INTSXP, info.argument_count));
  SET_VECTOR_ELT(all, 3, R_MakeExternalPtr((void *)op, R_NilValue, R_NilValue));
  for (i = 0; i < info.argument_count; ++i) {
    gradus_argument_info a;
    memset(&a, 0, sizeof a);
    a.struct_size = sizeof a;
    check(gradus_op_describe_argument(op, i, &a));
    SET_STRING_ELT(names, i, Rf_mkChar(a.name));
    INTEGER(kinds)[i] = a.kind;
  }
  UNPROTECT(1);
  return all;
}
SEXP r_invoke(SEXP op, SEXP kinds, SEXP arguments) {
  gradus_value values[ARGUMENTS], results[RESULTS];
  const R_xlen_t n = Rf_xlength(arguments);
  size_t count = 0, i;
  SEXP all;
  for (i = 0; i < (size_t)n; ++i) encode(&values[i], VECTOR_ELT(arguments, (R_xlen_t)i), INTEGER(kinds)[i]);
  check(gradus_invoke(ctx, R_ExternalPtrAddr(op), values, (size_t)n, results, RESULTS, &count));
  if (count == 1) return own(results[0].u.tensor);
  all = PROTECT(Rf_allocVector(VECSXP, (R_xlen_t)count));
  for (i = 0; i < count; ++i) SET_VECTOR_ELT(all, (R_xlen_t)i, own(results[i].u.tensor));
  UNPROTECT(1);
  return all;
}

/* R's arrays have the first index run fastest: element [i, j] of the tensor is that of the array. */
SEXP r_tensor(SEXP x, SEXP dim) {
  int64_t shape[64], strides[64];
  const int rank = Rf_length(dim);
  gradus_tensor *t;
  int i;
  for (i = 0; i < rank; ++i) {
    shape[i] = INTEGER(dim)[i];
    strides[i] = i ? strides[i - 1] * shape[i - 1] : 1;
  }
  check(gradus_tensor_copy_in(ctx, GRADUS_F64, rank, shape, strides, REAL(x), sizeof(double) * (size_t)Rf_xlength(x), &t));
  return own(t);
}
SEXP r_numbers(SEXP x) {                                           /* by rows, and the sizes */
  gradus_tensor_info info;
  SEXP all, data, dim;
  int i;
  memset(&info, 0, sizeof info);
  info.struct_size = sizeof info;
  check(gradus_tensor_describe(tensor(x), &info));
  all = PROTECT(Rf_allocVector(VECSXP, 2));
  SET_VECTOR_ELT(all, 0, data = Rf_allocVector(REALSXP, info.count));
  SET_VECTOR_ELT(all, 1, dim = Rf_allocVector(INTSXP, info.rank));
  for (i = 0; i < info.rank; ++i) INTEGER(dim)[i] = (int)info.shape[i];
  check(gradus_tensor_copy_out(ctx, tensor(x), GRADUS_F64, REAL(data), sizeof(double) * (size_t)info.count));
  UNPROTECT(1);
  return all;
}
SEXP r_text(SEXP x) {
  char text[4096];
  size_t length;
  check(gradus_tensor_print(ctx, tensor(x), text, sizeof text, &length));
  return Rf_mkString(text);
}
SEXP r_requires_grad(SEXP x) {
  check(gradus_tensor_set_requires_grad(ctx, tensor(x), 1));
  return x;
}
SEXP r_grad(SEXP x) {
  gradus_tensor *t;
  check(gradus_tensor_grad(ctx, tensor(x), &t));
  return own(t);
}
SEXP r_clear_grad(SEXP x) {
  check(gradus_tensor_set_grad(ctx, tensor(x), NULL));
  return R_NilValue;
}
SEXP r_backward(SEXP x) {
  gradus_tensor *t = tensor(x);
  check(gradus_backward(ctx, &t, 1, NULL, NULL));
  return R_NilValue;
}
SEXP r_recording(SEXP on) {
  int32_t before;
  check(gradus_context_set_recording(ctx, Rf_asLogical(on), &before));
  return Rf_ScalarLogical(before);
}

/* guarded() of gradus.R gives a list of tensors, or the condition: an error of R must not leave a callback by a jump. */
static SEXP guarded(SEXP f, SEXP arguments, gradus_status *status) {
  int failed = 0;
  SEXP call = PROTECT(Rf_lang3(Rf_install("guarded"), f, arguments)), result = R_tryEvalSilent(call, space, &failed);
  *status = GRADUS_OK;
  if (failed || Rf_inherits(result, "condition")) {
    if (!failed) R_PreserveObject(pending = result);
    *status = gradus_context_fail(ctx, GRADUS_E_CALLBACK, 0, "an error of R", 13);
  }
  UNPROTECT(1);
  return result;
}
static gradus_tensor *give(SEXP x) {
  gradus_retain(tensor(x));
  return tensor(x);
}
static void forget(void *user) { R_ReleaseObject(user); }
static gradus_status on_hook(void *user, gradus_context *context, gradus_tensor *grad, gradus_tensor **replacement) {
  gradus_status status;
  SEXP arguments = PROTECT(Rf_allocVector(VECSXP, 1)), result;
  (void)context;
  SET_VECTOR_ELT(arguments, 0, borrow(grad));
  result = PROTECT(guarded(user, arguments, &status));
  if (status == GRADUS_OK && Rf_length(result)) *replacement = give(VECTOR_ELT(result, 0));
  UNPROTECT(2);
  return status;
}
SEXP r_hook(SEXP x, SEXP f) {
  uint64_t id;
  gradus_status status;
  R_PreserveObject(f);
  status = gradus_tensor_add_hook(ctx, tensor(x), on_hook, f, forget, &id);
  if (status != GRADUS_OK) R_ReleaseObject(f);
  check(status);
  return Rf_ScalarReal((double)id);
}
SEXP r_remove_hook(SEXP x, SEXP id) {
  check(gradus_tensor_remove_hook(ctx, tensor(x), (uint64_t)Rf_asReal(id)));
  return R_NilValue;
}

static gradus_status on_rule(void *user, gradus_function_call *call, gradus_tensor *const *tensors, size_t n, gradus_tensor **results,
                             size_t capacity, size_t *count, int part) {
  gradus_status status;
  SEXP arguments = PROTECT(Rf_allocVector(VECSXP, (R_xlen_t)n + 1)), result;
  size_t i;
  SET_VECTOR_ELT(arguments, 0, R_MakeExternalPtr(call, R_NilValue, R_NilValue));
  for (i = 0; i < n; ++i) SET_VECTOR_ELT(arguments, (R_xlen_t)i + 1, borrow(tensors[i]));
  result = PROTECT(guarded(VECTOR_ELT(user, part), arguments, &status));
  for (i = 0; status == GRADUS_OK && i < (size_t)Rf_xlength(result) && i < capacity; ++i)
    results[i] = give(VECTOR_ELT(result, (R_xlen_t)i));
  *count = i;
  UNPROTECT(2);
  return status;
}
static gradus_status on_forward(void *user, gradus_context *context, gradus_function_call *call, gradus_tensor *const *tensors, size_t n,
                                gradus_tensor **results, size_t capacity, size_t *count) {
  (void)context;
  return on_rule(user, call, tensors, n, results, capacity, count, 0);
}
static gradus_status on_vjp(void *user, gradus_context *context, gradus_function_call *call, gradus_tensor *const *tensors, size_t n,
                            gradus_tensor **results, size_t capacity, size_t *count) {
  (void)context;
  return on_rule(user, call, tensors, n, results, capacity, count, 1);
}
SEXP r_apply(SEXP name, SEXP rule, SEXP x) {
  gradus_function f = {sizeof f, 0, CHAR(Rf_asChar(name)), on_forward, on_vjp, rule, forget, NULL};
  gradus_tensor *input = tensor(x), *result;
  gradus_status status;
  R_PreserveObject(rule);
  status = gradus_function_apply(ctx, &f, &input, 1, &result, 1, NULL);
  if (status != GRADUS_OK) R_ReleaseObject(rule);
  check(status);
  return own(result);
}
SEXP r_save(SEXP call, SEXP x) {
  gradus_tensor *t = tensor(x);
  check(gradus_function_save_for_backward(ctx, R_ExternalPtrAddr(call), &t, 1));
  return R_NilValue;
}
SEXP r_saved(SEXP call) {
  gradus_tensor *t;
  check(gradus_function_saved(ctx, R_ExternalPtrAddr(call), 0, &t));
  return own(t);
}

SEXP r_live(void) {
  gradus_counts c;
  memset(&c, 0, sizeof c);
  c.struct_size = sizeof c;
  gradus_live_counts(&c);
  return Rf_ScalarReal((double)(c.contexts + c.tensors + c.graph_nodes + c.foreign_blocks + c.callbacks + c.bytes_live));
}
