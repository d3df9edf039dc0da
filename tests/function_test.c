/* Functions of the host with a vjp of their own: what they save, mark and return, and what goes wrong. */
#include <stdlib.h>

#include "capi_check.h"

static int destroyed, states;
static void destroy(void *user) {
  (void)user;
  ++destroyed;
}
static void destroy_state(void *user) {
  free(user);
  ++states;
}

/* What one test does differently is in its user data. */
typedef struct plan {
  int fail_forward, fail_vjp, extra, wrong_shape, missing, keep_nothing, save_intermediate, give_second;
  gradus_function_call *seen;
  gradus_tensor *gradient_seen[2];
  int forwards, pulls;
} plan;

static gradus_status say(gradus_context *ctx, int64_t code, const char *text) {
  return gradus_context_fail(ctx, GRADUS_E_CALLBACK, code, text, strlen(text));
}

/* y = exp(x) from x (and an ignored second input); saves y, or an alias of it that is no result. */
static gradus_status exp_forward(void *user, gradus_context *ctx, gradus_function_call *call, gradus_tensor *const *in, size_t n,
                                 gradus_tensor **out, size_t capacity, size_t *count) {
  plan *p = (plan *)user;
  gradus_tensor *y, *saved[2];
  int32_t needs = -1;
  gradus_context_info info;
  SIZED(info);
  ++p->forwards;
  p->seen = call;
  CHECK(capacity >= 1 && n >= 1);
  OK(gradus_context_describe(ctx, &info));
  CHECK(!(info.flags & GRADUS_CONTEXT_RECORDING));
  OK(gradus_function_needs_input_grad(ctx, call, 0, &needs));
  CHECK(needs == 1 || needs == 0);
  FAILS(gradus_function_needs_input_grad(ctx, call, n, &needs), GRADUS_E_INDEX, "MyExp");
  FAILS(gradus_function_saved(ctx, call, 0, &y), GRADUS_E_STATE, "MyExp|forward");
  OK(gradus_function_set_state(ctx, call, malloc(8), destroy_state));
  OK(gradus_exp(ctx, in[0], &y));
  out[0] = y;
  *count = p->extra ? capacity + 1 : 1;
  if (p->fail_forward) return say(ctx, 77, "forward will not");
  if (p->keep_nothing) return GRADUS_OK;
  saved[0] = y;
  saved[1] = NULL;
  if (p->save_intermediate) {
    OK(gradus_mul_scalar(ctx, y, 1.0, &saved[0]));
    OK(gradus_function_save_for_backward(ctx, call, saved, 2));
    gradus_release(saved[0]);
    return GRADUS_OK;
  }
  return gradus_function_save_for_backward(ctx, call, saved, 2);
}
static gradus_status exp_vjp(void *user, gradus_context *ctx, gradus_function_call *call, gradus_tensor *const *g, size_t n,
                             gradus_tensor **out, size_t capacity, size_t *count) {
  plan *p = (plan *)user;
  gradus_tensor *y = NULL, *none = (gradus_tensor *)1, *wide;
  ++p->pulls;
  CHECK(n == 1 && g[0] && gradus_function_state(call) != NULL);
  CHECK(p->seen == call);
  if (p->fail_vjp) return say(ctx, 78, "vjp will not");
  if (p->keep_nothing) {
    CHECK(gradus_function_saved_count(call) == 0);
    FAILS(gradus_function_saved(ctx, call, 0, &y), GRADUS_E_INDEX, "MyExpBackward|0");
    *count = capacity;
    return GRADUS_OK;
  }
  CHECK(gradus_function_saved_count(call) == 2);
  if (gradus_function_saved(ctx, call, 0, &y) != GRADUS_OK) {
    gradus_error e;
    SIZED(e);
    gradus_context_error(ctx, &e);
    return e.status;
  }
  OK(gradus_function_saved(ctx, call, 1, &none));
  CHECK(none == NULL);
  FAILS(gradus_function_save_for_backward(ctx, call, &y, 1), GRADUS_E_STATE, "MyExp");
  FAILS(gradus_function_mark_dirty(ctx, call, &y, 1), GRADUS_E_STATE, "MyExp");
  OK(gradus_mul(ctx, g[0], y, &out[0]));
  if (p->wrong_shape) {
    const int64_t five = 5;
    gradus_release(out[0]);
    OK(gradus_ones(ctx, &five, 1, GRADUS_F64, &wide));
    out[0] = wide;
  }
  if (p->give_second) { gradus_retain(out[0]); out[1] = out[0]; }
  gradus_release(y);
  *count = p->missing ? capacity - 1 : capacity;
  if (p->extra) *count = capacity + 1;
  return GRADUS_OK;
}

static gradus_function function_of(const char *name, gradus_function_fn forward, gradus_function_fn vjp, void *user) {
  gradus_function f;
  SIZED(f);
  f.name = name;
  f.forward = forward;
  f.vjp = vjp;
  f.user = user;
  f.destroy = destroy;
  return f;
}
static gradus_tensor *apply(gradus_context *ctx, const gradus_function *f, gradus_tensor *a, gradus_tensor *b, size_t n) {
  gradus_tensor *in[2], *y = NULL;
  size_t count = 9;
  in[0] = a;
  in[1] = b;
  OK(gradus_function_apply(ctx, f, in, n, &y, 1, &count));
  CHECK(count == 1);
  return y;
}
static gradus_tensor *leaf(gradus_context *ctx) {
  const double values[] = {0, 1, 2};
  gradus_tensor *x = vector(ctx, values, 3);
  OK(gradus_tensor_set_requires_grad(ctx, x, 1));
  return x;
}
static gradus_tensor *total(gradus_context *ctx, gradus_tensor *t) {
  gradus_tensor *s = NULL;
  OK(gradus_sum(ctx, t, NULL, 0, 0, 0, &s));
  return s;
}
static const double kExp[] = {1, 2.718281828459045, 7.38905609893065};

static void test_gradients(gradus_context *ctx) {
  plan p, *plans = &p;
  gradus_function f;
  gradus_tensor *x = leaf(ctx), *y, *s, *g, *gg;
  gradus_node *node = NULL;
  gradus_backward_options record;
  char name[32];
  memset(plans, 0, sizeof p);
  f = function_of("MyExp", exp_forward, exp_vjp, &p);
  y = apply(ctx, &f, x, NULL, 1);
  VALUES(y, kExp, 3);
  OK(gradus_tensor_grad_fn(ctx, y, &node));
  OK(gradus_node_name(ctx, node, name, sizeof name, NULL));
  CHECK(strcmp(name, "MyExpBackward") == 0);
  s = total(ctx, y);
  SIZED(record);
  record.flags = GRADUS_BACKWARD_RECORD;
  OK(gradus_grad(ctx, &s, 1, &x, 1, NULL, &record, &g));
  VALUES(g, kExp, 3);
  gradus_release(s);
  s = total(ctx, g);
  OK(gradus_grad(ctx, &s, 1, &x, 1, NULL, &record, &gg)); /* through the saved result's history */
  VALUES(gg, kExp, 3);
  gradus_release(gg); gradus_release(g); gradus_release(s);
  s = total(ctx, y);
  OK(gradus_backward(ctx, &s, 1, NULL, NULL));
  CHECK(p.forwards == 1 && p.pulls == 3);
  FAILS(gradus_backward(ctx, &s, 1, NULL, NULL), GRADUS_E_GRAPH_FREED, "MyExpBackward|freed");
  CHECK(destroyed == 0 && states == 0);
  gradus_release(node); gradus_release(s); gradus_release(y); gradus_release(x);
  CHECK(destroyed == 1 && states == 1);
}

static void test_unrecorded(gradus_context *ctx) {
  plan p;
  gradus_function f;
  const double one = 1;
  gradus_tensor *x = leaf(ctx), *c = vector(ctx, &one, 1), *y;
  gradus_node *node;
  memset(&p, 0, sizeof p);
  destroyed = states = 0;
  f = function_of("MyExp", exp_forward, exp_vjp, &p);
  y = apply(ctx, &f, c, NULL, 1);
  OK(gradus_tensor_grad_fn(ctx, y, &node));
  CHECK(node == NULL && destroyed == 1 && states == 1);
  gradus_release(y);
  OK(gradus_context_set_recording(ctx, 0, NULL));
  y = apply(ctx, &f, x, NULL, 1);
  OK(gradus_context_set_recording(ctx, 1, NULL));
  OK(gradus_tensor_grad_fn(ctx, y, &node));
  CHECK(node == NULL && destroyed == 2 && states == 2);
  gradus_release(y); gradus_release(c); gradus_release(x);
}

static void expect_code(gradus_context *ctx, int64_t code) {
  gradus_error e;
  SIZED(e);
  gradus_context_error(ctx, &e);
  CHECK(e.user_code == code);
}

static void test_failures(gradus_context *ctx) {
  plan p;
  gradus_function f;
  const int64_t three = 3;
  const int64_t whole[] = {1, 2, 3};
  gradus_tensor *x = leaf(ctx), *i = NULL, *y = NULL, *s, *in[2];
  size_t count = 7;
  memset(&p, 0, sizeof p);
  destroyed = states = 0;
  OK(gradus_tensor_copy_in(ctx, GRADUS_I64, 1, &three, NULL, whole, sizeof whole, &i));
  in[0] = x; in[1] = i;
  f = function_of("MyExp", exp_forward, exp_vjp, &p);
  p.fail_forward = 1;
  FAILS(gradus_function_apply(ctx, &f, in, 1, &y, 1, &count), GRADUS_E_CALLBACK, "forward will not");
  expect_code(ctx, 77);
  CHECK(!y && count == 0 && destroyed == 0 && states == 1);
  p.fail_forward = 0;
  p.extra = 1;
  FAILS(gradus_function_apply(ctx, &f, in, 1, &y, 1, &count), GRADUS_E_VALUE, "MyExp|2 results|1");
  CHECK(!y && count == 2 && destroyed == 0);
  p.extra = 0;
  f.vjp = NULL;
  FAILS(gradus_function_apply(ctx, &f, in, 1, &y, 1, &count), GRADUS_E_NULL, "vjp");
  f.vjp = exp_vjp;
  f.name = NULL;
  FAILS(gradus_function_apply(ctx, &f, in, 1, &y, 1, &count), GRADUS_E_NULL, "name");
  f.name = "MyExp";
  f.flags = 64;
  FAILS(gradus_function_apply(ctx, &f, in, 1, &y, 1, &count), GRADUS_E_UNKNOWN_FIELD, "0x40");
  f.flags = 0;
  FAILS(gradus_function_apply(ctx, &f, NULL, 1, &y, 1, &count), GRADUS_E_NULL, "inputs");
  FAILS(gradus_function_apply(ctx, NULL, in, 1, &y, 1, &count), GRADUS_E_NULL, "definition");
  FAILS(gradus_function_mark_dirty(ctx, (gradus_function_call *)x, in, 1), GRADUS_E_HANDLE, "tensor");
  CHECK(gradus_function_state(NULL) == NULL && gradus_function_saved_count((gradus_function_call *)x) == 0);
  CHECK(destroyed == 0);

  y = apply(ctx, &f, x, i, 2);
  s = total(ctx, y);
  p.fail_vjp = 1;
  FAILS(gradus_backward(ctx, &s, 1, NULL, NULL), GRADUS_E_CALLBACK, "vjp will not");
  expect_code(ctx, 78);
  p.fail_vjp = 0; p.wrong_shape = 1;
  FAILS(gradus_backward(ctx, &s, 1, NULL, NULL), GRADUS_E_SHAPE, "MyExpBackward|[5]|input 0|[3]");
  p.wrong_shape = 0; p.missing = 1;
  FAILS(gradus_backward(ctx, &s, 1, NULL, NULL), GRADUS_E_VALUE, "MyExpBackward|1 gradients for 2 inputs");
  p.missing = 0; p.extra = 1;
  FAILS(gradus_backward(ctx, &s, 1, NULL, NULL), GRADUS_E_VALUE, "MyExpBackward|3 gradients for 2 inputs");
  p.extra = 0; p.give_second = 1;
  FAILS(gradus_backward(ctx, &s, 1, NULL, NULL), GRADUS_E_DTYPE, "MyExpBackward|input 1|integers");
  p.give_second = 0;
  OK(gradus_backward(ctx, &s, 1, NULL, NULL)); /* nothing was lost by all that */
  gradus_release(s); gradus_release(y);

  y = apply(ctx, &f, x, NULL, 2);
  s = total(ctx, y);
  p.give_second = 1;
  FAILS(gradus_backward(ctx, &s, 1, NULL, NULL), GRADUS_E_VALUE, "MyExpBackward|input 1|none");
  gradus_release(s); gradus_release(y); gradus_release(i); gradus_release(x);
  CHECK(destroyed == 2);
}

static void test_saved(gradus_context *ctx) {
  plan p;
  gradus_function f;
  gradus_tensor *x = leaf(ctx), *y, *s, *t;
  memset(&p, 0, sizeof p);
  f = function_of("MyExp", exp_forward, exp_vjp, &p);
  y = apply(ctx, &f, x, NULL, 1);
  OK(gradus_mul_scalar_(ctx, y, 2.0, &t));
  gradus_release(t);
  s = total(ctx, y);
  FAILS(gradus_backward(ctx, &s, 1, NULL, NULL), GRADUS_E_IN_PLACE, "MyExpBackward|version 1, expected 0|mul_");
  gradus_release(s); gradus_release(y);
  p.save_intermediate = 1;
  y = apply(ctx, &f, x, NULL, 1);
  OK(gradus_mul_scalar_(ctx, y, 2.0, &t));
  gradus_release(t);
  s = total(ctx, y);
  OK(gradus_backward(ctx, &s, 1, NULL, NULL));
  gradus_release(s); gradus_release(y);
  p.keep_nothing = 1; /* then nothing is missing the second time */
  y = apply(ctx, &f, x, NULL, 1);
  s = total(ctx, y);
  OK(gradus_backward(ctx, &s, 1, NULL, NULL));
  gradus_release(s); gradus_release(y); gradus_release(x);
}

static void test_depth(gradus_context *ctx) {
  plan p;
  gradus_function f;
  gradus_tensor *x = leaf(ctx), *y = x, *next;
  int i;
  memset(&p, 0, sizeof p);
  destroyed = states = 0;
  f = function_of("Through", NULL, exp_vjp, &p);
  gradus_retain(x);
  for (i = 0; i < 100000; ++i) {
    next = apply(ctx, &f, y, NULL, 1);
    gradus_release(y);
    y = next;
  }
  CHECK(destroyed == 0 && counts_now().graph_nodes >= 100000);
  gradus_release(y);
  CHECK(destroyed == 100000);
  gradus_release(x);
}

static void test_kept_call(gradus_context *ctx) {
  plan p;
  gradus_function f;
  gradus_tensor *x = leaf(ctx), *y, *t;
  gradus_function_call *call;
  memset(&p, 0, sizeof p);
  destroyed = 0;
  f = function_of("MyExp", exp_forward, exp_vjp, &p);
  y = apply(ctx, &f, x, NULL, 1);
  call = p.seen;
  gradus_retain(call);
  OK(gradus_function_saved(ctx, call, 0, &t));
  VALUES(t, kExp, 3);
  CHECK(counts_now().function_calls == 1 && counts_now().graph_nodes > 0);
  gradus_release(t); gradus_release(y);
  FAILS(gradus_function_saved(ctx, call, 0, &t), GRADUS_E_GRAPH_FREED, "MyExpBackward");
  CHECK(destroyed == 0 && counts_now().function_calls == 1);
  gradus_release(call);
  CHECK(destroyed == 1 && counts_now().function_calls == 0);
  gradus_release(x);
}

/* Results x, a constant x * 2 and x * 3; what its vjp saw of three gradients, and whether zeros were asked for. */
typedef struct marks { int materialize, seen[3]; } marks;
static gradus_status three_forward(void *user, gradus_context *ctx, gradus_function_call *call, gradus_tensor *const *in, size_t n,
                                   gradus_tensor **out, size_t capacity, size_t *count) {
  const marks *m = (const marks *)user;
  int i;
  CHECK(n == 1 && capacity == 3);
  for (i = 0; i < 3; ++i) OK(gradus_mul_scalar(ctx, in[0], i + 1.0, &out[i]));
  *count = 3;
  OK(gradus_function_set_materialize(ctx, call, m->materialize));
  return gradus_function_mark_non_differentiable(ctx, call, &out[1], 1);
}
static gradus_status three_vjp(void *user, gradus_context *ctx, gradus_function_call *call, gradus_tensor *const *g, size_t n,
                               gradus_tensor **out, size_t capacity, size_t *count) {
  marks *m = (marks *)user;
  size_t i;
  CHECK(n == 3 && capacity == 1);
  for (i = 0; i < 3; ++i) m->seen[i] = g[i] != NULL;
  FAILS(gradus_function_set_materialize(ctx, call, 1), GRADUS_E_STATE, "Three|forward");
  FAILS(gradus_function_mark_non_differentiable(ctx, call, NULL, 0), GRADUS_E_STATE, "Three|forward");
  *count = 1;
  return gradus_mul_scalar(ctx, g[2], 3.0, &out[0]);
}
static void test_marks(gradus_context *ctx) {
  const double three[] = {3, 3, 3};
  int materialize;
  for (materialize = 0; materialize < 2; ++materialize) {
    marks m;
    gradus_function f;
    gradus_tensor *x = leaf(ctx), *y[3], *s, *g;
    gradus_tensor_info info;
    SIZED(info);
    memset(&m, 0, sizeof m);
    m.materialize = materialize;
    f = function_of("Three", three_forward, three_vjp, &m);
    OK(gradus_function_apply(ctx, &f, &x, 1, y, 3, NULL));
    CHECK(gradus_tensor_describe(y[0], &info) == GRADUS_OK && info.flags & GRADUS_TENSOR_REQUIRES_GRAD);
    CHECK(gradus_tensor_describe(y[1], &info) == GRADUS_OK && !(info.flags & GRADUS_TENSOR_REQUIRES_GRAD));
    FAILS(gradus_backward(ctx, &y[1], 1, NULL, NULL), GRADUS_E_STATE, "require grad");
    s = total(ctx, y[2]);
    OK(gradus_backward(ctx, &s, 1, NULL, NULL));
    CHECK(m.seen[0] == materialize && m.seen[2] == 1);
    CHECK(m.seen[1] == materialize);
    OK(gradus_tensor_grad(ctx, x, &g));
    VALUES(g, three, 3);
    gradus_release(g); gradus_release(s); gradus_release(y[0]); gradus_release(y[1]); gradus_release(y[2]); gradus_release(x);
  }
}

int main(void) {
  gradus_context *ctx = new_context();
  test_gradients(ctx);
  test_unrecorded(ctx);
  test_failures(ctx);
  test_saved(ctx);
  test_depth(ctx);
  test_kept_call(ctx);
  test_marks(ctx);
  gradus_release(ctx);
  return finish("function_test");
}
