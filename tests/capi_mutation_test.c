/* Writing what a node has saved: copied in time in the mode for it, and hooks on saved values that are refused. */
#include <stdlib.h>

#include "capi_check.h"

static const double kStart[] = {1, 2};

static uint64_t copies(gradus_context *ctx) {
  gradus_context_info info;
  SIZED(info);
  OK(gradus_context_describe(ctx, &info));
  return info.saved_copies;
}
static int is_on(gradus_context *ctx) {
  gradus_context_info info;
  SIZED(info);
  OK(gradus_context_describe(ctx, &info));
  return (info.flags & GRADUS_CONTEXT_MUTATION_ON_SAVED) != 0;
}
static void set_mode(gradus_context *ctx, int32_t on) { OK(gradus_context_set_mutation_on_saved(ctx, on, NULL)); }
static gradus_tensor *leaf(gradus_context *ctx) {
  gradus_tensor *t = vector(ctx, kStart, 2);
  OK(gradus_tensor_set_requires_grad(ctx, t, 1));
  return t;
}
/* sum(x * x), which saves x. */
static gradus_tensor *square(gradus_context *ctx, gradus_tensor *x) {
  gradus_tensor *product, *sum;
  OK(gradus_mul(ctx, x, x, &product));
  OK(gradus_sum(ctx, product, NULL, 0, 0, 0, &sum));
  gradus_release(product);
  return sum;
}
static void check_grad(gradus_context *ctx, gradus_tensor *x, double a, double b, int line) {
  const double wanted[] = {a, b};
  gradus_tensor *g;
  OK(gradus_tensor_grad(ctx, x, &g));
  check_values(ctx, g, wanted, 2, line);
  gradus_release(g);
}
static void backward(gradus_context *ctx, gradus_tensor *y) { OK(gradus_backward(ctx, &y, 1, NULL, NULL)); }

static void the_mode(void) {
  gradus_context *ctx = new_context();
  gradus_tensor *x = leaf(ctx), *b, *y, *view;
  int32_t before = 7;
  int64_t from = 0;
  OK(gradus_context_set_mutation_on_saved(ctx, 1, &before));
  CHECK(before == 0 && is_on(ctx));
  OK(gradus_context_set_mutation_on_saved(ctx, 1, &before));
  CHECK(before == 1 && is_on(ctx));
  OK(gradus_clone(ctx, x, &b));
  y = square(ctx, b);
  OK(gradus_select(ctx, b, 0, from, &view));
  OK(gradus_zero_(ctx, view, NULL));                               /* through a view, recorded */
  CHECK(copies(ctx) == 1);
  OK(gradus_zero_(ctx, b, NULL));                                   /* nobody has that value */
  CHECK(copies(ctx) == 1);
  backward(ctx, y);
  check_grad(ctx, x, 2, 4, __LINE__);
  gradus_release(view), gradus_release(y), gradus_release(b);
  OK(gradus_clone(ctx, x, &b));
  y = square(ctx, b);
  OK(gradus_tensor_increment_version(ctx, b));
  FAILS(gradus_backward(ctx, &y, 1, NULL, NULL), GRADUS_E_IN_PLACE, "does not see");
  gradus_release(y);
  y = square(ctx, b);
  OK(gradus_context_set_mutation_on_saved(ctx, 0, &before));
  CHECK(before == 1 && !is_on(ctx) && copies(ctx) == 0);
  FAILS(gradus_backward(ctx, &y, 1, NULL, NULL), GRADUS_E_STATE, "outside of");
  FAILS(gradus_context_pop_saved_hooks(ctx), GRADUS_E_STATE, "none");
  gradus_release(y), gradus_release(b);
  OK(gradus_clone(ctx, x, &b));
  y = square(ctx, b);
  OK(gradus_zero_(ctx, b, NULL));
  FAILS(gradus_backward(ctx, &y, 1, NULL, NULL), GRADUS_E_IN_PLACE, "zero_|version");
  gradus_release(y), gradus_release(b), gradus_release(x);
  set_mode(ctx, 1);                                           /* a context may go with it on */
  gradus_release(ctx);
}

static void an_optimizer_step(void) {
  gradus_context *ctx = new_context();
  gradus_tensor *x = leaf(ctx), *y, *other;
  gradus_optimizer *sgd;
  gradus_setting rate;
  const double up[] = {2.0, 2.0};
  memset(&rate, 0, sizeof rate);
  rate.name = "lr", rate.value = 0.5;
  OK(gradus_optimizer_create(ctx, "SGD", 3, &x, 1, &rate, 1, sizeof rate, &sgd));
  set_mode(ctx, 1);
  y = square(ctx, x);
  other = vector(ctx, up, 2);
  OK(gradus_tensor_set_grad(ctx, x, other));
  OK(gradus_optimizer_step(ctx, sgd));
  CHECK(copies(ctx) == 1);
  VALUES(x, ((const double[]){0, 1}), 2);
  OK(gradus_tensor_set_grad(ctx, x, NULL));
  backward(ctx, y);
  check_grad(ctx, x, 2, 4, __LINE__);
  gradus_release(y), gradus_release(other), gradus_release(sgd), gradus_release(x), gradus_release(ctx);
}

/* A saved .grad, to which a pass adds in place. */
static void a_gradient(void) {
  gradus_context *ctx = new_context();
  gradus_tensor *x = leaf(ctx), *w = leaf(ctx), *y, *p, *sum, *g;
  set_mode(ctx, 1);
  y = square(ctx, x);
  backward(ctx, y);
  OK(gradus_tensor_grad(ctx, x, &g));
  OK(gradus_mul(ctx, w, g, &p));
  OK(gradus_sum(ctx, p, NULL, 0, 0, 0, &sum));
  gradus_release(y);
  y = square(ctx, x);
  backward(ctx, y);
  check_grad(ctx, x, 4, 8, __LINE__);
  VALUES(g, ((const double[]){4, 8}), 2);
  backward(ctx, sum);
  check_grad(ctx, w, 2, 4, __LINE__);
  gradus_release(y), gradus_release(g), gradus_release(p), gradus_release(sum), gradus_release(w), gradus_release(x), gradus_release(ctx);
}

static gradus_status doubled(void *user, gradus_context *ctx, gradus_function_call *call, gradus_tensor *const *in, size_t count,
                             gradus_tensor **results, size_t capacity, size_t *made) {
  (void)user, (void)capacity;
  *made = 1;
  gradus_retain(in[0]);
  results[0] = in[0];
  if (gradus_function_mark_dirty(ctx, call, in, count)) return GRADUS_E_CALLBACK;
  return gradus_mul_scalar_(ctx, in[0], 2, NULL);
}
static gradus_status double_gradient(void *user, gradus_context *ctx, gradus_function_call *call, gradus_tensor *const *g, size_t count,
                                     gradus_tensor **results, size_t capacity, size_t *made) {
  (void)user, (void)call, (void)count, (void)capacity;
  *made = 1;
  return gradus_mul_scalar(ctx, g[0], 2, &results[0]);
}
static void a_function_that_writes(void) {
  gradus_context *ctx = new_context();
  gradus_tensor *x = leaf(ctx), *b, *y, *z;
  gradus_function f;
  SIZED(f);
  f.name = "Doubled", f.forward = doubled, f.vjp = double_gradient;
  set_mode(ctx, 1);
  OK(gradus_clone(ctx, x, &b));
  y = square(ctx, b);
  OK(gradus_function_apply(ctx, &f, &b, 1, &z, 1, NULL));
  CHECK(copies(ctx) == 1);
  backward(ctx, y);
  check_grad(ctx, x, 2, 4, __LINE__);
  gradus_release(z), gradus_release(y), gradus_release(b), gradus_release(x), gradus_release(ctx);
}

static gradus_status as_it_is(void *user, gradus_context *ctx, gradus_tensor *value, const gradus_op *op, gradus_tensor **replacement, void **token) {
  (void)user, (void)ctx, (void)op, (void)token;
  gradus_retain(value);
  *replacement = value;
  return GRADUS_OK;
}
static gradus_status as_it_was(void *user, gradus_context *ctx, gradus_tensor *replacement, void *token, gradus_tensor **result) {
  (void)user, (void)ctx, (void)token;
  gradus_retain(replacement);
  *result = replacement;
  return GRADUS_OK;
}
static gradus_status same(void *user, gradus_context *ctx, gradus_tensor *const *in, size_t n, gradus_tensor **results, size_t capacity, size_t *made) {
  (void)user, (void)n, (void)capacity;
  *made = 1;
  return gradus_exp(ctx, in[0], &results[0]);
}

static void other_hooks_inside(void) {
  gradus_context *ctx = new_context();
  gradus_tensor *x = leaf(ctx), *b, *y;
  gradus_saved_hooks h;
  SIZED(h);
  h.pack = as_it_is, h.unpack = as_it_was;
  set_mode(ctx, 1);
  OK(gradus_context_push_saved_hooks(ctx, &h));
  OK(gradus_clone(ctx, x, &b));
  y = square(ctx, b);
  FAILS(gradus_context_set_mutation_on_saved(ctx, 0, NULL), GRADUS_E_STATE, "still in force");
  CHECK(is_on(ctx));
  OK(gradus_context_pop_saved_hooks(ctx));
  FAILS(gradus_context_pop_saved_hooks(ctx), GRADUS_E_STATE, "mutation_on_saved");
  OK(gradus_zero_(ctx, b, NULL));
  backward(ctx, y);
  check_grad(ctx, x, 2, 4, __LINE__);
  set_mode(ctx, 0);
  gradus_release(y), gradus_release(b), gradus_release(x), gradus_release(ctx);
}

static void refused(void) {
  gradus_context *ctx = new_context();
  gradus_tensor *x = leaf(ctx), *y = NULL;
  size_t made;
  gradus_saved_hooks h;
  SIZED(h);
  h.pack = as_it_is, h.unpack = as_it_was;
  FAILS(gradus_context_permit_saved_hooks(ctx), GRADUS_E_STATE, "not refused");
  OK(gradus_context_refuse_saved_hooks(ctx, "no hooks: outer", 15));
  OK(gradus_context_refuse_saved_hooks(ctx, "no hooks: inner", 15));
  FAILS(gradus_context_push_saved_hooks(ctx, &h), GRADUS_E_STATE, "no hooks: inner");
  OK(gradus_context_permit_saved_hooks(ctx));
  FAILS(gradus_context_push_saved_hooks(ctx, &h), GRADUS_E_STATE, "no hooks: outer");
  FAILS(gradus_context_set_mutation_on_saved(ctx, 1, NULL), GRADUS_E_STATE, "no hooks: outer");
  FAILS(gradus_checkpoint(ctx, same, NULL, NULL, &x, 1, NULL, &y, 1, &made), GRADUS_E_STATE, "no hooks: outer");
  FAILS(gradus_context_pop_saved_hooks(ctx), GRADUS_E_STATE, "none");
  y = square(ctx, x);                                         /* all else is as ever */
  backward(ctx, y);
  check_grad(ctx, x, 2, 4, __LINE__);
  OK(gradus_context_permit_saved_hooks(ctx));
  OK(gradus_context_push_saved_hooks(ctx, &h));
  FAILS(gradus_context_refuse_saved_hooks(ctx, "too late", 8), GRADUS_E_STATE, "too late");
  FAILS(gradus_context_permit_saved_hooks(ctx), GRADUS_E_STATE, "not refused");
  OK(gradus_context_pop_saved_hooks(ctx));
  FAILS(gradus_context_refuse_saved_hooks(ctx, NULL, 3), GRADUS_E_NULL, "message");
  OK(gradus_context_refuse_saved_hooks(ctx, "to the end", 10));
  gradus_release(y), gradus_release(x), gradus_release(ctx);
}

int main(void) {
  the_mode();
  an_optimizer_step();
  a_gradient();
  a_function_that_writes();
  other_hooks_inside();
  refused();
  return finish("capi_mutation_test");
}
