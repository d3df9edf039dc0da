/* Values, calls and tensors, whatever the operation. */
#include "shim.h"

gradus_context *ctx;
SEXP space, pending;

static void finalize(SEXP x) {
  gradus_release(R_ExternalPtrAddr(x));
  R_ClearExternalPtr(x);
}
SEXP own(gradus_tensor *t) {
  SEXP x, name;
  if (!t) return R_NilValue;
  x = PROTECT(R_MakeExternalPtr(t, R_NilValue, R_NilValue));
  name = PROTECT(Rf_mkString("gradus"));
  R_RegisterCFinalizer(x, finalize);
  Rf_setAttrib(x, R_ClassSymbol, name);
  UNPROTECT(2);
  return x;
}
SEXP borrow(gradus_tensor *t) {
  gradus_retain(t);
  return own(t);
}
gradus_tensor *tensor(SEXP x) { return TYPEOF(x) == EXTPTRSXP ? R_ExternalPtrAddr(x) : NULL; }

void check(gradus_status status) {
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
  if (Rf_inherits(x, "gradus_result")) { v->kind = GRADUS_V_RESULT_OF; v->u.i64 = Rf_asInteger(x); }
  else if (TYPEOF(x) == NILSXP) v->kind = GRADUS_V_NONE;
  else if (TYPEOF(x) == EXTPTRSXP) { v->kind = GRADUS_V_TENSOR; v->u.tensor = tensor(x); }
  else if (kind >= GRADUS_V_I64_LIST) list_value(v, x, kind);
  else if (TYPEOF(x) == STRSXP && kind == GRADUS_V_DTYPE) { v->kind = kind; v->aux = (uint32_t)dtype_of(CHAR(Rf_asChar(x))); }
  else if (TYPEOF(x) == STRSXP) { v->kind = GRADUS_V_TEXT; v->u.ptr = CHAR(Rf_asChar(x)); v->length = strlen(v->u.ptr); }
  else if (TYPEOF(x) == LGLSXP) { v->kind = GRADUS_V_BOOL; v->u.i64 = Rf_asLogical(x) == 1; }
  else if (kind == GRADUS_V_I64 || (TYPEOF(x) == INTSXP && kind != GRADUS_V_F64)) { v->kind = GRADUS_V_I64; v->u.i64 = (int64_t)Rf_asReal(x); }
  else { v->kind = GRADUS_V_F64; v->u.f64 = Rf_asReal(x); }
}

void R_init_shim(DllInfo *dll) { make_memory_class(dll); }
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
SEXP describe(const gradus_op *op) {
  gradus_op_info info = {sizeof info, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  SEXP all, names, kinds;
  uint32_t i;
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
SEXP r_operation(SEXP index) {                                     /* from 0; NULL beyond the last */
  const gradus_op *op = gradus_op_at((size_t)Rf_asInteger(index));
  return op ? describe(op) : R_NilValue;
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

/* Each of calls is a list of a name in known, which has operation and kinds, and arguments. What the last one gives. */
SEXP r_batch(SEXP calls, SEXP known) {
  const R_xlen_t n = Rf_xlength(calls);
  gradus_call *list = (gradus_call *)R_alloc((size_t)n + 1, sizeof *list);
  gradus_value result;
  R_xlen_t i, k;
  memset(list, 0, sizeof *list * ((size_t)n + 1));
  memset(&result, 0, sizeof result);
  for (i = 0; i < n; ++i) {
    SEXP call = VECTOR_ELT(calls, i), op = Rf_findVarInFrame(known, Rf_installTrChar(Rf_asChar(VECTOR_ELT(call, 0)))), kinds;
    const R_xlen_t count = Rf_xlength(call) - 1;
    gradus_value *values = (gradus_value *)R_alloc((size_t)count + 1, sizeof *values);
    if (op == R_UnboundValue) Rf_error("gradus: call %d of the batch is of no operation", (int)i + 1);
    kinds = VECTOR_ELT(op, 1);
    if (count > Rf_xlength(kinds)) Rf_error("gradus: call %d of the batch has too many arguments", (int)i + 1);
    for (k = 0; k < count; ++k) encode(&values[k], VECTOR_ELT(call, k + 1), INTEGER(kinds)[k]);
    list[i].op = R_ExternalPtrAddr(VECTOR_ELT(op, 0));
    list[i].argument_count = (uint64_t)count;
    list[i].arguments = values;
  }
  if (n > 0) {
    list[n - 1].results = &result;
    list[n - 1].result_capacity = 1;
  }
  check(gradus_invoke_batch(ctx, list, (size_t)n, sizeof *list, NULL));
  return own(result.u.tensor);
}

int layout(SEXP dim, int64_t *shape, int64_t *strides) {
  const int rank = Rf_length(dim);
  int i;
  for (i = 0; i < rank; ++i) {
    shape[i] = INTEGER(dim)[i];
    strides[i] = i ? strides[i - 1] * shape[i - 1] : 1;
  }
  return rank;
}
SEXP r_tensor(SEXP x, SEXP dim) {                                  /* element [i, j] of the tensor is that of the array */
  int64_t shape[64], strides[64];
  const int rank = layout(dim, shape, strides);
  gradus_tensor *t;
  check(gradus_tensor_copy_in(ctx, GRADUS_F64, rank, shape, strides, REAL(x), sizeof(double) * (size_t)Rf_xlength(x), &t));
  return own(t);
}
gradus_tensor_info info_of(SEXP x) {
  gradus_tensor_info info;
  memset(&info, 0, sizeof info);
  info.struct_size = sizeof info;
  check(gradus_tensor_describe(tensor(x), &info));
  return info;
}
SEXP r_numbers(SEXP x) {                                           /* by rows, and the sizes */
  const gradus_tensor_info info = info_of(x);
  SEXP all, data, dim;
  int i;
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

SEXP r_live(void) {
  gradus_counts c;
  memset(&c, 0, sizeof c);
  c.struct_size = sizeof c;
  gradus_live_counts(&c);
  return Rf_ScalarReal((double)(c.contexts + c.tensors + c.graph_nodes + c.foreign_blocks + c.callbacks + c.bytes_live));
}
