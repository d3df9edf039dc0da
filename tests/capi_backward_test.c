/* What backward and grad take, and .grad of .grad. */
#include <stdlib.h>

#include "capi_check.h"

static const double kStart[] = {1, 2};

static gradus_tensor *leaf(gradus_context *ctx) {
  gradus_tensor *t = vector(ctx, kStart, 2);
  OK(gradus_tensor_set_requires_grad(ctx, t, 1));
  return t;
}
static gradus_tensor *tensor_of(gradus_context *ctx, int32_t dtype, const void *values, size_t bytes) {
  gradus_tensor *t = NULL;
  const int64_t two = 2;
  OK(gradus_tensor_copy_in(ctx, dtype, 1, &two, NULL, values, bytes, &t));
  return t;
}

static void empty_lists(void) {
  gradus_context *ctx = new_context();
  gradus_tensor *x = leaf(ctx), *y, *g = NULL, *const none[1] = {NULL};
  gradus_backward_options o;
  OK(gradus_sum(ctx, x, NULL, 0, 0, 0, &y));
  SIZED(o);
  o.inputs = none;
  FAILS(gradus_backward(ctx, &y, 1, NULL, &o), GRADUS_E_VALUE, "backward: an empty list of inputs");
  OK(gradus_tensor_grad(ctx, x, &g));
  CHECK(g == NULL);
  FAILS(gradus_grad(ctx, &y, 1, NULL, 0, NULL, NULL, NULL), GRADUS_E_VALUE, "grad: no inputs given");
  FAILS(gradus_grad(ctx, NULL, 0, NULL, 0, NULL, NULL, NULL), GRADUS_E_VALUE, "grad: no outputs given");
  FAILS(gradus_grad_edges(ctx, NULL, 0, NULL, 0, sizeof(gradus_edge), NULL, NULL, NULL), GRADUS_E_VALUE, "grad: no inputs given");
  FAILS(gradus_grad(ctx, &y, 1, &x, 1, NULL, NULL, NULL), GRADUS_E_NULL, "results");
  o.inputs = NULL;
  OK(gradus_backward(ctx, &y, 1, NULL, &o));
  gradus_release(y), gradus_release(x), gradus_release(ctx);
}

static void seeds_of_other_types(void) {
  gradus_context *ctx = new_context();
  gradus_tensor *x = leaf(ctx), *y, *g, *seed;
  const int64_t whole[] = {3, -4};
  const uint8_t truth[] = {1, 0};
  const float complex64[] = {1, 1, 2, 2};
  OK(gradus_mul_scalar(ctx, x, 2, &y));
  seed = tensor_of(ctx, GRADUS_I64, whole, sizeof whole);
  OK(gradus_grad(ctx, &y, 1, &x, 1, &seed, (gradus_backward_options[]){{sizeof(gradus_backward_options), GRADUS_BACKWARD_KEEP_GRAPH, 0, NULL, NULL}}, &g));
  VALUES(g, ((const double[]){6, -8}), 2);
  gradus_release(g), gradus_release(seed);
  seed = tensor_of(ctx, GRADUS_C64, complex64, sizeof complex64);
  FAILS(gradus_grad(ctx, &y, 1, &x, 1, &seed, NULL, &g), GRADUS_E_DTYPE, "gradient 0|complex64|float64");
  gradus_release(seed);
  seed = tensor_of(ctx, GRADUS_BOOL, truth, sizeof truth);
  OK(gradus_grad(ctx, &y, 1, &x, 1, &seed, NULL, &g));
  VALUES(g, ((const double[]){2, 0}), 2);
  gradus_release(g), gradus_release(seed), gradus_release(y), gradus_release(x), gradus_release(ctx);
}

/* Each is the gradient of the next one: all end with the last. */
static void a_chain_of_gradients(void) {
  gradus_context *ctx = new_context();
  gradus_tensor *x = vector(ctx, kStart, 2), *y;
  int i, wrong = 0;
  for (i = 0; i < 300000; ++i) {
    const int64_t two = 2;
    wrong += gradus_tensor_copy_in(ctx, GRADUS_F64, 1, &two, NULL, kStart, sizeof kStart, &y) != GRADUS_OK;
    wrong += gradus_tensor_set_grad(ctx, y, x) != GRADUS_OK;
    gradus_release(x);
    x = y;
  }
  CHECK(wrong == 0);
  gradus_release(x);
  gradus_release(ctx);
}

static gradus_status keep(void *user, gradus_context *ctx, gradus_tensor *g, gradus_tensor **changed) {
  (void)user, (void)ctx, (void)g, (void)changed;
  return GRADUS_OK;
}
static void let_go(void *user) { gradus_release(user); }
/* Each has a hook that owns the one before. */
static void a_chain_of_hooks(void) {
  gradus_context *ctx = new_context();
  gradus_tensor *x = leaf(ctx), *y;
  int i, wrong = 0;
  for (i = 0; i < 300000; ++i) {
    const int64_t two = 2;
    uint64_t id;
    wrong += gradus_tensor_copy_in(ctx, GRADUS_F64, 1, &two, NULL, kStart, sizeof kStart, &y) != GRADUS_OK;
    wrong += gradus_tensor_set_requires_grad(ctx, y, 1) != GRADUS_OK;
    wrong += gradus_tensor_add_hook(ctx, y, keep, x, let_go, &id) != GRADUS_OK;
    x = y;
  }
  CHECK(wrong == 0);
  gradus_release(x);
  gradus_release(ctx);
}

/* A leaf that becomes another type and shape, with a graph of before and a gradient of before. */
static void other_data(void) {
  gradus_context *ctx = new_context();
  gradus_tensor *x = leaf(ctx), *y, *z, *g, *half, *whole;
  gradus_tensor_info info;
  const float values[] = {5, 6};
  const int64_t numbers[] = {5, 6};
  const float pairs[] = {1, 1, 2, 2};
  half = tensor_of(ctx, GRADUS_F32, values, sizeof values);
  whole = tensor_of(ctx, GRADUS_I64, numbers, sizeof numbers);
  OK(gradus_mul_scalar(ctx, x, 2, &y));
  OK(gradus_sum(ctx, y, NULL, 0, 0, 0, &z));
  FAILS(gradus_tensor_set_data(ctx, x, whole), GRADUS_E_DTYPE, "data|int64|float64");
  OK(gradus_tensor_set_data(ctx, x, half));
  SIZED(info);
  CHECK(gradus_tensor_describe(x, &info) == GRADUS_OK && info.dtype == GRADUS_F32 && (info.flags & GRADUS_TENSOR_REQUIRES_GRAD));
  OK(gradus_backward(ctx, &z, 1, NULL, NULL));
  OK(gradus_tensor_grad(ctx, x, &g));
  CHECK(gradus_tensor_describe(g, &info) == GRADUS_OK && info.dtype == GRADUS_F32);
  gradus_release(g), gradus_release(y), gradus_release(z);
  OK(gradus_mul(ctx, x, x, &y));
  OK(gradus_sum(ctx, y, NULL, 0, 0, 0, &z));
  gradus_release(half);
  half = tensor_of(ctx, GRADUS_C64, pairs, sizeof pairs);
  FAILS(gradus_tensor_set_data(ctx, x, half), GRADUS_E_DTYPE, "data|complex64|float32");
  OK(gradus_backward(ctx, &z, 1, NULL, NULL));
  OK(gradus_tensor_grad(ctx, x, &g));
  gradus_release(g), gradus_release(y), gradus_release(z), gradus_release(half), gradus_release(whole);
  y = vector(ctx, kStart, 2);                                 /* a saved value whose tensor changes its type */
  OK(gradus_mul(ctx, x, x, &z));
  OK(gradus_tensor_set_data(ctx, x, y));
  FAILS(gradus_backward(ctx, &z, 1, &y, NULL), GRADUS_E_IN_PLACE, "MulBackward0");
  gradus_release(z), gradus_release(y), gradus_release(x), gradus_release(ctx);
}

int main(void) {
  other_data();
  empty_lists();
  seeds_of_other_types();
  a_chain_of_gradients();
  a_chain_of_hooks();
  return finish("capi_backward_test");
}
