/* The jvp of a function whose vjp is not recorded: what it is asked, and what goes wrong. */
#include "capi_check.h"

static int destroyed;
static void destroy(void *user) {
  (void)user;
  ++destroyed;
}

/* What one test does differently is in its user data. */
typedef struct plan {
  int fail, missing, extra, wrong_shape, pulls;
} plan;

/* y = x x, by rules that nothing records; jvp as the plan says. */
static gradus_status twice_x(gradus_context *ctx, gradus_function_call *call, gradus_tensor *g, gradus_tensor **out) {
  gradus_tensor *x, *t;
  OK(gradus_function_saved(ctx, call, 0, &x));
  OK(gradus_mul(ctx, g, x, &t));
  OK(gradus_mul_scalar(ctx, t, 2.0, out));
  gradus_release(t);
  gradus_release(x);
  return GRADUS_OK;
}
static gradus_status square_forward(void *user, gradus_context *ctx, gradus_function_call *call, gradus_tensor *const *in, size_t n,
                                    gradus_tensor **out, size_t capacity, size_t *count) {
  (void)user;
  CHECK(n == 2 && capacity == 1 && !in[1]);
  *count = 1;
  OK(gradus_mul(ctx, in[0], in[0], out));
  return gradus_function_save_for_backward(ctx, call, in, 1);
}
static gradus_status square_vjp(void *user, gradus_context *ctx, gradus_function_call *call, gradus_tensor *const *g, size_t n,
                                gradus_tensor **out, size_t capacity, size_t *count) {
  ++((plan *)user)->pulls;
  CHECK(n == 1 && capacity == 2);
  *count = capacity;
  return twice_x(ctx, call, g[0], out);
}
static gradus_status square_jvp(void *user, gradus_context *ctx, gradus_function_call *call, gradus_tensor *const *t, size_t n,
                                gradus_tensor **out, size_t capacity, size_t *count) {
  plan *p = user;
  const int64_t five = 5;
  CHECK(n == 2 && capacity == 1 && t[0] && !t[1]);
  *count = p->missing ? 0 : p->extra ? 2 : 1;
  if (p->fail) return gradus_context_fail(ctx, GRADUS_E_CALLBACK, 79, "jvp will not", 12);
  if (p->wrong_shape) return gradus_ones(ctx, &five, 1, GRADUS_F64, out);
  return twice_x(ctx, call, t[0], out);
}
static void test_jvp(void) {
  gradus_context *ctx = new_context();
  const double start[] = {0, 1, 2}, ones[] = {1, 1, 1}, along[] = {1, 10, 100}, want[] = {0, 20, 400};
  plan p = {0, 0, 0, 0, 0};
  gradus_function f;
  gradus_backward_options record;
  gradus_error e;
  gradus_tensor *in[2], *x = vector(ctx, start, 3), *u = vector(ctx, ones, 3), *t = vector(ctx, along, 3), *y, *g, *j = NULL;
  SIZED(e);
  SIZED(record);
  record.flags = GRADUS_BACKWARD_RECORD;
  SIZED(f);
  f.name = "Square";
  f.forward = square_forward;
  f.vjp = square_vjp;
  f.user = &p;
  f.destroy = destroy;
  f.flags = GRADUS_FUNCTION_ONCE_DIFFERENTIABLE;
  f.jvp = square_jvp;
  OK(gradus_tensor_set_requires_grad(ctx, u, 1));
  OK(gradus_tensor_set_requires_grad(ctx, x, 1));
  in[0] = x;
  in[1] = NULL;
  OK(gradus_function_apply(ctx, &f, in, 2, &y, 1, NULL));
  OK(gradus_grad(ctx, &y, 1, &x, 1, &u, &record, &g));
  gradus_release(y); /* what it saved stays as long as it is needed */
  FAILS(gradus_grad(ctx, &g, 1, &x, 1, &t, &record, &j), GRADUS_E_STATE, "SquareBackward|once");
  FAILS(gradus_backward(ctx, &g, 1, &t, &record), GRADUS_E_STATE, "SquareBackward|once");
  p.missing = 1;
  FAILS(gradus_grad(ctx, &g, 1, &u, 1, &t, &record, &j), GRADUS_E_VALUE, "Square|jvp|0 tangents for 1 results");
  p.missing = 0;
  p.extra = 1;
  FAILS(gradus_grad(ctx, &g, 1, &u, 1, &t, &record, &j), GRADUS_E_VALUE, "Square|jvp|2 tangents for 1 results");
  p.extra = 0;
  p.wrong_shape = 1;
  FAILS(gradus_grad(ctx, &g, 1, &u, 1, &t, &record, &j), GRADUS_E_SHAPE, "[5]|[3]");
  p.wrong_shape = 0;
  p.fail = 1;
  FAILS(gradus_grad(ctx, &g, 1, &u, 1, &t, &record, &j), GRADUS_E_CALLBACK, "jvp will not");
  gradus_context_error(ctx, &e);
  CHECK(e.user_code == 79);
  p.fail = 0;
  OK(gradus_grad(ctx, &g, 1, &u, 1, &t, NULL, &j)); /* nothing was lost by all that */
  VALUES(j, want, 3);
  CHECK(p.pulls == 1 && destroyed == 0);
  gradus_release(j); gradus_release(g); gradus_release(u); gradus_release(t); gradus_release(x);
  gradus_release(ctx);
  CHECK(destroyed == 1);
}

int main(void) {
  test_jvp();
  return finish("function_jvp_test");
}
