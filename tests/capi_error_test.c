/* Wrong arguments of every sort: each is a status with a message, outputs are null, and nothing lives afterwards. */
#include <pthread.h>
#include <stdlib.h>

#include "capi_check.h"

static int destroyed;
static void on_destroy(void *user) {
  (void)user;
  ++destroyed;
}

static void handles(void) {
  gradus_context *ctx = new_context(), *none = NULL;
  const double x[2] = {1, 2};
  gradus_tensor *a = vector(ctx, x, 2), *y = a;
  gradus_node *node = (gradus_node *)a;
  gradus_tensor_info info;
  SIZED(info);

  CHECK(gradus_sin(NULL, a, &y) == GRADUS_E_NULL && y == NULL);
  CHECK(gradus_sin((gradus_context *)a, a, &y) == GRADUS_E_HANDLE);
  CHECK(gradus_context_create(NULL, NULL) == GRADUS_E_NULL);
  FAILS(gradus_sin(ctx, NULL, &y), GRADUS_E_NULL, "input|null|tensor");
  FAILS(gradus_sin(ctx, (gradus_tensor *)ctx, &y), GRADUS_E_HANDLE, "input|context|tensor");
  FAILS(gradus_sin(ctx, (const gradus_tensor *)gradus_op_find("sin", 3), &y), GRADUS_E_HANDLE, "input|operation");
  FAILS(gradus_add(ctx, a, NULL, &y), GRADUS_E_NULL, "other");
  FAILS(gradus_sin(ctx, a, NULL), GRADUS_E_NULL, "result");
  FAILS(gradus_node_variable(ctx, (gradus_node *)a, &y), GRADUS_E_HANDLE, "node|tensor");
  FAILS(gradus_tensor_grad_fn(ctx, NULL, &node), GRADUS_E_NULL, "tensor");
  FAILS(gradus_context_fail(ctx, GRADUS_E_STATE, 0, NULL, 0), GRADUS_E_STATE, "");
  CHECK(node == NULL);
  FAILS(gradus_backward(ctx, &a, 0, NULL, NULL), GRADUS_E_VALUE, "no outputs");
  FAILS(gradus_backward(ctx, NULL, 1, NULL, NULL), GRADUS_E_NULL, "outputs");
  FAILS(gradus_backward(ctx, &a, 1, NULL, NULL), GRADUS_E_STATE, "backward|output 0|require grad");
  FAILS(gradus_backward(ctx, &a, SIZE_MAX, NULL, NULL), GRADUS_E_VALUE, "outputs");
  y = a;
  FAILS(gradus_grad(ctx, &a, 1, &a, 1, NULL, NULL, &y), GRADUS_E_STATE, "grad");
  CHECK(y == NULL);
  CHECK(gradus_tensor_describe(NULL, &info) == GRADUS_E_NULL);
  CHECK(gradus_tensor_describe((gradus_tensor *)ctx, &info) == GRADUS_E_HANDLE);
  CHECK(gradus_tensor_describe(a, NULL) == GRADUS_E_NULL);
  info.struct_size = 0;
  CHECK(gradus_tensor_describe(a, &info) == GRADUS_E_ARGUMENT);

  gradus_release(a);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  FAILS(gradus_sin(ctx, a, &y), GRADUS_E_HANDLE, "input|released"); /* seen, as the memory is kept by the library */
  gradus_release(a);
#endif
  gradus_release((void *)(uintptr_t)gradus_op_find("sin", 3));
  gradus_release(ctx);
  CHECK(gradus_context_describe(none, NULL) == GRADUS_E_NULL);
  gradus_context_cancel(NULL);
}

static void sizes(void) {
  gradus_context *ctx = new_context();
  const int64_t negative[2] = {2, -3}, huge[3] = {INT64_MAX, INT64_MAX, 2}, large[1] = {INT64_C(1) << 45}, two[1] = {2}, back[1] = {-1};
  const double x[2] = {1, 2}, z[3] = {1, 2, 3};
  double out[1];
  gradus_tensor *a = vector(ctx, x, 2), *b = vector(ctx, z, 3), *y = a;
  char text[8];

  FAILS(gradus_tensor_zeros(ctx, 0, 2, negative, &y), GRADUS_E_SHAPE, "negative|-3");
  CHECK(y == NULL);
  FAILS(gradus_tensor_zeros(ctx, 0, 3, huge, &y), GRADUS_E_SHAPE, "");
  FAILS(gradus_tensor_zeros(ctx, GRADUS_F64, 1, large, &y), GRADUS_E_MEMORY, "out of memory");
  FAILS(gradus_tensor_zeros(ctx, 0, -1, two, &y), GRADUS_E_SHAPE, "rank -1");
  FAILS(gradus_tensor_zeros(ctx, 0, 65, two, &y), GRADUS_E_SHAPE, "rank 65|64");
  FAILS(gradus_tensor_zeros(ctx, 0, 1, NULL, &y), GRADUS_E_NULL, "shape");
  FAILS(gradus_tensor_zeros(ctx, 99, 1, two, &y), GRADUS_E_DTYPE, "99");
  FAILS(gradus_tensor_zeros(ctx, -1, 1, two, &y), GRADUS_E_DTYPE, "-1");
  FAILS(gradus_randperm(ctx, 2, GRADUS_C64, &y), GRADUS_E_UNSUPPORTED, "complex");
  FAILS(gradus_tensor_copy_in(ctx, GRADUS_F64, 1, two, NULL, x, 8, &y), GRADUS_E_VALUE, "data_bytes|8|[2]|16");
  FAILS(gradus_tensor_copy_in(ctx, GRADUS_F64, 1, two, back, x, 16, &y), GRADUS_E_SHAPE, "negative strides");
  FAILS(gradus_tensor_copy_in(ctx, GRADUS_F64, 1, two, NULL, NULL, 16, &y), GRADUS_E_NULL, "data");
  FAILS(gradus_tensor_wrap(ctx, GRADUS_F64, 1, two, NULL, (char *)out + 1, 16, 0, on_destroy, NULL, &y), GRADUS_E_VALUE, "aligned");
  FAILS(gradus_tensor_wrap(ctx, GRADUS_F64, 1, two, NULL, out, 16, 0x80, on_destroy, NULL, &y), GRADUS_E_UNKNOWN_FIELD, "flags");
  CHECK(destroyed == 0);
  FAILS(gradus_tensor_copy_out(ctx, a, 0, out, sizeof out), GRADUS_E_VALUE, "data_bytes|8|[2]|16");
  FAILS(gradus_tensor_print(ctx, a, NULL, 8, NULL), GRADUS_E_NULL, "");
  FAILS(gradus_tensor_print(ctx, a, text, 8, NULL), GRADUS_E_NULL, "length");
  FAILS(gradus_add(ctx, a, b, &y), GRADUS_E_SHAPE, "add|[2]|[3]");
  FAILS(gradus_view(ctx, a, NULL, 3, &y), GRADUS_E_NULL, "view|size|3");
  FAILS(gradus_view(ctx, a, two, SIZE_MAX, &y), GRADUS_E_VALUE, "view|size");
  FAILS(gradus_view(ctx, a, NULL, 0, &y), GRADUS_E_ARGUMENT, "view|size|missing");
  FAILS(gradus_view(ctx, b, two, 1, &y), GRADUS_E_SHAPE, "view|[2]|3 elements");
  FAILS(gradus_ones(ctx, two, 1, 77, &y), GRADUS_E_ARGUMENT, "ones|dtype");
  gradus_release(a);
  gradus_release(b);
  gradus_release(ctx);
}

static void structs(void) {
  struct { gradus_context_options o; uint64_t more[4]; } newer;
  struct { gradus_tensor_info i; uint64_t more[4]; } wide;
  struct { uint32_t struct_size; int32_t dtype; uint64_t guard; } narrow;
  gradus_context *ctx = NULL;
  gradus_tensor *t;
  gradus_backward_options b;
  const int64_t two[1] = {2};
  memset(&newer, 0, sizeof newer);
  newer.o.struct_size = sizeof newer;
  CHECK(gradus_context_create(&newer.o, &ctx) == GRADUS_OK && ctx != NULL); /* a newer program that asks for nothing new */
  newer.more[3] = 1;
  gradus_release(ctx);
  CHECK(gradus_context_create(&newer.o, &ctx) == GRADUS_E_UNKNOWN_FIELD && ctx == NULL);
  memset(&newer, 0, sizeof newer);
  newer.o.struct_size = sizeof newer.o;
  newer.o.alloc = (gradus_alloc_fn)0;
  newer.o.threads = -1;
  CHECK(gradus_context_create(&newer.o, &ctx) == GRADUS_E_ARGUMENT);
  newer.o.threads = 0;
  newer.o.flags = 0x40;
  CHECK(gradus_context_create(&newer.o, &ctx) == GRADUS_E_UNKNOWN_FIELD);
  newer.o.struct_size = 3;
  CHECK(gradus_context_create(&newer.o, &ctx) == GRADUS_E_ARGUMENT);

  ctx = new_context();
  OK(gradus_tensor_zeros(ctx, GRADUS_F64, 1, two, &t));
  memset(&wide, 0xff, sizeof wide);
  wide.i.struct_size = sizeof wide;
  CHECK(gradus_tensor_describe(t, &wide.i) == GRADUS_OK);
  CHECK(wide.i.struct_size == sizeof wide.i && wide.more[0] == 0 && wide.more[3] == 0);
  memset(&narrow, 0xff, sizeof narrow);
  narrow.struct_size = 8;
  CHECK(gradus_tensor_describe(t, (gradus_tensor_info *)(void *)&narrow) == GRADUS_OK);
  CHECK(narrow.dtype == GRADUS_F64 && narrow.guard == UINT64_MAX);
  SIZED(b);
  b.flags = 0x100;
  FAILS(gradus_backward(ctx, &t, 1, NULL, &b), GRADUS_E_UNKNOWN_FIELD, "flags|0x100");
  b.flags = 0;
  b.input_count = 2;
  FAILS(gradus_backward(ctx, &t, 1, NULL, &b), GRADUS_E_NULL, "inputs|2");
  gradus_release(t);
  gradus_release(ctx);
}

/* A second thread that uses a context inside a callback of the first. */
struct visit { gradus_context *ctx; gradus_status status, own; };
static void *intrude(void *user) {
  struct visit *v = user;
  gradus_context *mine = NULL;
  gradus_context_info i;
  SIZED(i);
  v->status = gradus_context_describe(v->ctx, &i);
  v->own = gradus_context_create(NULL, &mine);
  gradus_release(mine);
  return NULL;
}
static gradus_status with_visitor(void *user, gradus_context *ctx, gradus_tensor *grad, gradus_tensor **replacement) {
  pthread_t thread;
  (void)grad;
  (void)replacement;
  ((struct visit *)user)->ctx = ctx;
  if (pthread_create(&thread, NULL, intrude, user) == 0) pthread_join(thread, NULL);
  return gradus_context_set_seed(ctx, 1); /* this thread may come in again */
}
/* Says stop at the asking of that number; a call from inside does not ask. */
struct asked {
  int count, stop_at;
  gradus_context *ctx;
};
static int32_t interrupt(void *user) {
  struct asked *a = user;
  gradus_context *ctx = a->ctx;
  OK(gradus_context_set_seed(ctx, 1));
  return ++a->count == a->stop_at;
}
static gradus_status never(void *user, gradus_context *ctx, gradus_tensor *grad, gradus_tensor **replacement) {
  (void)ctx;
  (void)grad;
  (void)replacement;
  *(int *)user = 1;
  return GRADUS_OK;
}
static void interrupted(void) {
  int64_t side[2];
  gradus_context *plain = new_context(), *ctx = plain;
  gradus_context_options o;
  struct asked host = {0, 1, NULL};
  const double x[2] = {1, 2};
  gradus_tensor *a = vector(plain, x, 2), *y = NULL, *m, *n = NULL;
  int i, called = 0;
  OK(gradus_tensor_set_requires_grad(plain, a, 1));
  OK(gradus_sum(plain, a, NULL, 0, 0, 0, &y));
  for (i = 0; i < 200; ++i) {
    gradus_tensor *z;
    OK(gradus_sin(plain, y, &z));
    gradus_release(y);
    y = z;
  }
  SIZED(o);
  o.interrupt = interrupt;
  o.user = &host;
  destroyed = 0;
  o.destroy = on_destroy;
  CHECK(gradus_context_create(&o, &ctx) == GRADUS_OK);
  host.ctx = ctx;
  FAILS(gradus_backward(ctx, &y, 1, NULL, NULL), GRADUS_E_CANCELLED, "cancelled by the host");
  CHECK(host.count == 1);
  host.count = 0;
  for (side[0] = 512; side[0] <= 8192 && host.count == 0; side[0] *= 2) { /* one call that is long enough to ask is ended by the answer */
    gradus_status status;
    side[1] = side[0];
    OK(gradus_ones(plain, side, 2, GRADUS_F32, &m)); /* on a slow machine this would ask, too */
    status = gradus_matmul(ctx, m, m, &n);
    CHECK(status == (host.count ? GRADUS_E_CANCELLED : GRADUS_OK));
    CHECK((n == NULL) == (host.count != 0));
    gradus_release(n);
    gradus_release(m);
  }
  CHECK(host.count == 1);
  OK(gradus_tensor_add_hook(ctx, a, never, &called, NULL, NULL)); /* before a callback it is asked, too */
  OK(gradus_sum(ctx, a, NULL, 0, 0, 0, &n));
  host.count = 0;
  FAILS(gradus_backward(ctx, &n, 1, NULL, NULL), GRADUS_E_CANCELLED, "cancelled by the host");
  CHECK(host.count == 1 && called == 0);
  gradus_release(n);
  host.stop_at = 0;
  OK(gradus_sum(ctx, a, NULL, 0, 0, 0, &n));
  OK(gradus_backward(ctx, &n, 1, NULL, NULL));
  CHECK(called == 1);
  gradus_release(n);
  gradus_release(ctx);
  ctx = plain;
  CHECK(destroyed == 1);
  gradus_release(y);
  gradus_release(a);
  gradus_release(plain);
}

static void busy_and_cancel(void) {
  gradus_context *ctx = new_context();
  const double x[2] = {1, 2};
  struct visit v = {NULL, 0, 1};
  gradus_tensor *a = vector(ctx, x, 2), *y, *z;
  OK(gradus_tensor_set_requires_grad(ctx, a, 1));
  OK(gradus_tensor_add_hook(ctx, a, with_visitor, &v, on_destroy, NULL));
  OK(gradus_sum(ctx, a, NULL, 0, 0, 0, &y));
  OK(gradus_backward(ctx, &y, 1, NULL, NULL));
  CHECK(v.status == GRADUS_E_BUSY && v.own == GRADUS_OK);

  gradus_context_cancel(ctx);
  FAILS(gradus_sin(ctx, a, &z), GRADUS_E_CANCELLED, "sin|cancelled");
  OK(gradus_sin(ctx, a, &z));
  gradus_release(z);
  gradus_release(ctx);
  gradus_release(y);
  gradus_release(a);
}

int main(void) {
  handles();
  sizes();
  structs();
  busy_and_cancel();
  interrupted();
  return finish("capi_error_test");
}
