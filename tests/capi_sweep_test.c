/* Every operation with every argument replaced by something wrong, one at a time: a status or a result, never a crash; failed
 * calls give null results, and nothing lives afterwards. */
#include <float.h>
#include <stdlib.h>

#include "capi_check.h"

enum { MAX_ARGUMENTS = 16 };
static const int64_t sizes[2] = {2, 3};
static int64_t calls, failures;

static gradus_value of_kind(int32_t kind) {
  gradus_value v;
  memset(&v, 0, sizeof v);
  v.kind = kind;
  return v;
}
static gradus_value of_tensor(gradus_tensor *t) {
  gradus_value v = of_kind(GRADUS_V_TENSOR);
  v.u.tensor = t;
  return v;
}
static gradus_value of_integer(int64_t i) {
  gradus_value v = of_kind(GRADUS_V_I64);
  v.u.i64 = i;
  return v;
}
static gradus_value of_number(double d) {
  gradus_value v = of_kind(GRADUS_V_F64);
  v.u.f64 = d;
  return v;
}
static gradus_value of_list(int32_t kind, const void *p, uint64_t length) {
  gradus_value v = of_kind(kind);
  v.u.ptr = p;
  v.length = length;
  return v;
}

/* Something of the right kind, so that the call gets as far as it can. */
static gradus_value plausible(const gradus_argument_info *a, gradus_tensor **t) {
  if (a->default_value.kind != GRADUS_V_DEFAULT && a->flags & GRADUS_ARG_KEYWORD) return of_kind(GRADUS_V_DEFAULT);
  switch (a->kind) {
    case GRADUS_V_TENSOR: return of_tensor(t[0]);
    case GRADUS_V_TENSOR_LIST: return of_list(a->kind, t, 2);
    case GRADUS_V_I64: return of_integer(0);
    case GRADUS_V_I64_LIST: return of_list(a->kind, sizes, 2);
    case GRADUS_V_F64: return of_number(0.5);
    case GRADUS_V_BOOL: return of_kind(GRADUS_V_BOOL);
    default: return of_kind(GRADUS_V_DEFAULT);
  }
}

static void try_call(gradus_context *ctx, const gradus_op *op, const gradus_value *v, size_t n) {
  gradus_value r[8];
  size_t count = 0, i;
  gradus_error e;
  gradus_status s = gradus_invoke(ctx, op, v, n, r, 8, &count);
  ++calls;
  SIZED(e);
  if (s != GRADUS_OK) {
    ++failures;
    gradus_context_error(ctx, &e);
    CHECK(e.status == s && e.message_length > 0);
    if (s == GRADUS_E_INTERNAL) {
      ++faults;
      printf("%s: internal error: %s\n", e.origin, e.message);
    }
    for (i = 0; i < 8; ++i) CHECK(r[i].u.tensor == NULL);
    return;
  }
  for (i = 0; i < count; ++i) gradus_release(r[i].u.tensor);
}

static void sweep(gradus_context *ctx, const gradus_op *op, gradus_tensor **t, gradus_tensor *other_dtype, gradus_tensor *empty, gradus_tensor *dead) {
  const int64_t lists[][3] = {{-1, -1, -1}, {INT64_MIN, INT64_MIN, 1}, {INT64_MAX, INT64_MAX, 2}, {0, 0, 0}, {INT64_C(1) << 62, 4, 4}};
  const double reals[2] = {DBL_MAX, -1};
  gradus_tensor *gaps[2] = {NULL, NULL};
  gradus_value bad[32], v[MAX_ARGUMENTS];
  gradus_op_info info;
  gradus_argument_info a;
  int count = 0, k;
  uint32_t i, n;
  SIZED(info);
  CHECK(gradus_op_describe(op, &info) == GRADUS_OK);
  gaps[0] = t[0];
  bad[count++] = of_tensor(NULL);
  bad[count++] = of_tensor((gradus_tensor *)ctx);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)   /* there its memory is not kept */
  bad[count++] = of_tensor(dead);
#else
  (void)dead;
#endif
  bad[count++] = of_tensor(other_dtype);
  bad[count++] = of_tensor(empty);
  bad[count++] = of_integer(-1);
  bad[count++] = of_integer(INT64_MIN);
  bad[count++] = of_integer(INT64_MAX);
  bad[count++] = of_integer(7);
  bad[count++] = of_number(NAN);
  bad[count++] = of_number(-DBL_MAX);
  for (k = 0; k < 5; ++k) bad[count++] = of_list(GRADUS_V_I64_LIST, lists[k], 3);
  bad[count++] = of_list(GRADUS_V_I64_LIST, lists, 0);
  bad[count++] = of_list(GRADUS_V_I64_LIST, NULL, 3);
  bad[count++] = of_list(GRADUS_V_I64_LIST, lists, UINT64_MAX);
  bad[count++] = of_list(GRADUS_V_F64_LIST, reals, 2);
  bad[count++] = of_list(GRADUS_V_TENSOR_LIST, gaps, 2);
  bad[count++] = of_list(GRADUS_V_TENSOR_LIST, NULL, 1);
  bad[count++] = of_list(GRADUS_V_TENSOR_LIST, t, 0);
  bad[count++] = of_list(GRADUS_V_TEXT, "nonsense", 8);
  bad[count++] = of_list(GRADUS_V_COMPLEX, NULL, UINT64_C(0x4000000000000000));   /* 2i */
  bad[count++] = of_kind(GRADUS_V_NONE);
  bad[count++] = of_kind(GRADUS_V_DTYPE);
  bad[count++] = of_kind(GRADUS_V_RESULT_OF);
  bad[count++] = of_kind(INT32_MAX);
  bad[count] = of_kind(GRADUS_V_DTYPE);
  bad[count++].aux = 4711;

  n = info.argument_count;
  for (i = 0; i < n; ++i) {
    SIZED(a);
    CHECK(gradus_op_describe_argument(op, i, &a) == GRADUS_OK);
    v[i] = plausible(&a, t);
  }
  for (i = 0; i <= n; ++i) try_call(ctx, op, v, i); /* too few arguments */
  for (i = 0; i < n; ++i)
    for (k = 0; k < count; ++k) {
      const gradus_value kept = v[i];
      v[i] = bad[k];
      try_call(ctx, op, v, n);
      v[i] = kept;
    }
}

int main(int argc, char **argv) {
  gradus_context *ctx = new_context();
  const double x[6] = {1, 2, 3, 4, 5, 6};
  const int64_t shape[2] = {2, 3}, none[2] = {0, 3};
  gradus_tensor *t[2], *whole, *empty, *dead;
  size_t i;
  for (i = 0; i < 2; ++i) OK(gradus_tensor_copy_in(ctx, GRADUS_F64, 2, shape, NULL, x, sizeof x, &t[i]));
  OK(gradus_tensor_zeros(ctx, GRADUS_I64, 2, shape, &whole));
  OK(gradus_tensor_zeros(ctx, GRADUS_F32, 2, none, &empty));
  for (i = 0; i < gradus_op_count(); ++i) {
    gradus_op_info info;
    SIZED(info);
    CHECK(gradus_op_describe(gradus_op_at(i), &info) == GRADUS_OK);
    if (info.name[0] == '_') continue; /* the library's own: their callers have checked */
    if (argc > 1 && strcmp(argv[1], info.name) != 0) continue;
    if (argc > 1 || getenv("SWEEP_NAMES")) fprintf(stderr, "%s\n", info.name);
    /* written tensors are made anew, so that no operation meets what another left */
    OK(gradus_tensor_copy_in(ctx, GRADUS_F64, 2, shape, NULL, x, sizeof x, &dead));
    gradus_release(dead);
    sweep(ctx, gradus_op_at(i), t, whole, empty, dead);
  }
  CHECK(failures > calls / 4 && failures < calls);
  printf("capi_sweep_test: %ld calls, %ld of them refused\n", (long)calls, (long)failures);
  gradus_release(t[0]);
  gradus_release(t[1]);
  gradus_release(whole);
  gradus_release(empty);
  gradus_release(ctx);
  return finish("capi_sweep_test");
}
