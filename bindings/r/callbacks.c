/* What the library calls: hooks, functions and operations with derivatives of their own, and functions under test. */
#include "shim.h"

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
static void give_all(SEXP list, gradus_tensor **results, size_t capacity, size_t *count) {
  size_t i;
  *count = (size_t)Rf_xlength(list);
  for (i = 0; i < *count && i < capacity; ++i) results[i] = give(VECTOR_ELT(list, (R_xlen_t)i));
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
  if (status == GRADUS_OK) give_all(result, results, capacity, count);
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

static SEXP decode(const gradus_value *v) {
  SEXP list;
  uint64_t i;
  switch (v->kind) {
    case GRADUS_V_TENSOR: return borrow(v->u.tensor);
    case GRADUS_V_BOOL: return Rf_ScalarLogical(v->u.i64 != 0);
    case GRADUS_V_I64: return Rf_ScalarReal((double)v->u.i64);
    case GRADUS_V_F64: return Rf_ScalarReal(v->u.f64);
    case GRADUS_V_TEXT: return Rf_ScalarString(Rf_mkCharLenCE(v->u.ptr, (int)v->length, CE_UTF8));
    case GRADUS_V_DTYPE: return Rf_mkString(gradus_dtype_name((int32_t)v->aux));
    case GRADUS_V_I64_LIST:
    case GRADUS_V_F64_LIST:
      list = Rf_allocVector(REALSXP, (R_xlen_t)v->length);
      for (i = 0; i < v->length; ++i)
        REAL(list)[i] = v->kind == GRADUS_V_F64_LIST ? ((const double *)v->u.ptr)[i] : (double)((const int64_t *)v->u.ptr)[i];
      return list;
    case GRADUS_V_TENSOR_LIST:
      list = PROTECT(Rf_allocVector(VECSXP, (R_xlen_t)v->length));
      for (i = 0; i < v->length; ++i) SET_VECTOR_ELT(list, (R_xlen_t)i, borrow(((gradus_tensor *const *)v->u.ptr)[i]));
      UNPROTECT(1);
      return list;
    default: return R_NilValue;
  }
}
static gradus_status on_op(void *user, const gradus_value *values, size_t n, gradus_value *results, size_t capacity, size_t *count, int part) {
  gradus_status status;
  SEXP arguments = PROTECT(Rf_allocVector(VECSXP, (R_xlen_t)n)), result;
  size_t i;
  for (i = 0; i < n; ++i) SET_VECTOR_ELT(arguments, (R_xlen_t)i, decode(&values[i]));
  result = PROTECT(guarded(VECTOR_ELT(user, part), arguments, &status));
  *count = status == GRADUS_OK ? (size_t)Rf_xlength(result) : 0;
  for (i = 0; i < *count && i < capacity; ++i) {
    results[i].u.tensor = give(VECTOR_ELT(result, (R_xlen_t)i));
    results[i].kind = results[i].u.tensor ? GRADUS_V_TENSOR : GRADUS_V_NONE;
  }
  UNPROTECT(2);
  return status;
}
static gradus_status on_op_forward(void *user, gradus_context *context, const gradus_value *values, size_t n, gradus_value *results, size_t capacity,
                                   size_t *count) {
  (void)context;
  return on_op(user, values, n, results, capacity, count, 0);
}
static gradus_status on_op_backward(void *user, gradus_context *context, const gradus_value *values, size_t n, gradus_value *results, size_t capacity,
                                    size_t *count) {
  (void)context;
  return on_op(user, values, n, results, capacity, count, 1);
}
SEXP r_register_op(SEXP name, SEXP schema, SEXP rules) {           /* rules: forward and backward, kept for good */
  gradus_op_definition d = {sizeof d, 0, CHAR(Rf_asChar(name)), CHAR(Rf_asChar(schema)), NULL, on_op_forward, on_op_backward, rules};
  const gradus_op *op;
  gradus_status status;
  R_PreserveObject(rules);
  status = gradus_op_register(ctx, &d, &op);
  if (status != GRADUS_OK) R_ReleaseObject(rules);
  check(status);
  return describe(op);
}

static gradus_status on_compute(void *user, gradus_context *context, gradus_tensor *const *inputs, size_t n, gradus_tensor **results,
                                size_t capacity, size_t *count) {
  gradus_status status;
  SEXP arguments = PROTECT(Rf_allocVector(VECSXP, (R_xlen_t)n)), result;
  size_t i;
  (void)context;
  for (i = 0; i < n; ++i) SET_VECTOR_ELT(arguments, (R_xlen_t)i, borrow(inputs[i]));
  result = PROTECT(guarded(user, arguments, &status));
  if (status == GRADUS_OK) give_all(result, results, capacity, count);
  UNPROTECT(2);
  return status;
}
SEXP r_gradcheck(SEXP f, SEXP inputs) {                            /* whether it passed, and the report */
  const R_xlen_t n = Rf_xlength(inputs);
  gradus_tensor **list = (gradus_tensor **)R_alloc((size_t)n + 1, sizeof *list);
  char report[8192];
  int32_t passed;
  SEXP all;
  R_xlen_t i;
  for (i = 0; i < n; ++i) list[i] = tensor(VECTOR_ELT(inputs, i));
  check(gradus_gradcheck(ctx, on_compute, f, list, (size_t)n, NULL, &passed, report, sizeof report, NULL));
  all = PROTECT(Rf_allocVector(VECSXP, 2));
  SET_VECTOR_ELT(all, 0, Rf_ScalarLogical(passed));
  SET_VECTOR_ELT(all, 1, Rf_mkString(report));
  UNPROTECT(1);
  return all;
}
