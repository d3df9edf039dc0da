/* gradcheck from C: functions with user data, their failures, options, and what is refused. */
#include "capi_check.h"

typedef struct state {
  int calls, fails_at, results;
  gradus_tensor *other; /* not an input */
} state;

/* sum(x * x), or with other: x * other, whose own gradient is not recorded. */
static gradus_status square(void *user, gradus_context *ctx, gradus_tensor *const *inputs, size_t input_count, gradus_tensor **results,
                            size_t result_capacity, size_t *result_count) {
  state *s = user;
  gradus_tensor *y = NULL;
  gradus_status status;
  CHECK(input_count >= 1 && result_capacity >= 16 && results[0] == NULL);
  if (++s->calls == s->fails_at) {
    gradus_mul(ctx, inputs[0], inputs[0], &results[0]); /* is taken all the same */
    return gradus_context_fail(ctx, GRADUS_E_CALLBACK, 77, "no luck", 7);
  }
  if ((status = gradus_mul(ctx, inputs[0], s->other ? s->other : inputs[0], &y)) != GRADUS_OK) return status;
  results[0] = y;
  *result_count = s->results ? (size_t)s->results : 1;
  return GRADUS_OK;
}
/* Loses the gradient of one of its two factors. */
static gradus_status lossy(void *user, gradus_context *ctx, gradus_tensor *const *inputs, size_t input_count, gradus_tensor **results,
                           size_t result_capacity, size_t *result_count) {
  gradus_tensor *d = NULL;
  gradus_status status = gradus_tensor_detach(ctx, inputs[0], &d);
  (void)user, (void)input_count, (void)result_capacity;
  if (status == GRADUS_OK) status = gradus_mul(ctx, inputs[0], d, &results[0]);
  gradus_release(d);
  *result_count = 1;
  return status;
}
static gradus_status counting(void *user, gradus_context *ctx, gradus_tensor *const *inputs, size_t input_count, gradus_tensor **results,
                              size_t result_capacity, size_t *result_count) {
  (void)input_count, (void)result_capacity;
  *result_count = 1;
  return gradus_add_scalar(ctx, inputs[0], ++*(int *)user, &results[0]);
}
static gradus_status silent(void *user, gradus_context *ctx, gradus_tensor *const *inputs, size_t input_count, gradus_tensor **results,
                            size_t result_capacity, size_t *result_count) {
  (void)user, (void)ctx, (void)inputs, (void)input_count, (void)results, (void)result_capacity, (void)result_count;
  return GRADUS_E_STATE;
}

static gradus_tensor *leaf(gradus_context *ctx, const double *values, int64_t n) {
  gradus_tensor *t = vector(ctx, values, n);
  OK(gradus_tensor_set_requires_grad(ctx, t, 1));
  return t;
}
static const double data[3] = {0.5, 2, -1};

static void results(void) {
  gradus_context *ctx = new_context();
  gradus_tensor *x = leaf(ctx, data, 3);
  gradus_gradcheck_options o;
  state s;
  char report[2048];
  size_t length = 0;
  int32_t passed = 7;
  int count = 0, fast;
  memset(&s, 0, sizeof s);
  SIZED(o);
  for (fast = 0; fast < 2; ++fast) {
    o.flags = fast ? GRADUS_GRADCHECK_FAST : 0;
    OK(gradus_gradcheck(ctx, square, &s, &x, 1, &o, &passed, report, sizeof report, &length));
    CHECK(passed == 1 && strncmp(report, "passed: ", 8) == 0 && length == strlen(report));
    OK(gradus_gradgradcheck(ctx, square, &s, &x, 1, NULL, 0, &o, &passed, report, sizeof report, &length));
    CHECK(passed == 1);
    OK(gradus_gradcheck(ctx, lossy, NULL, &x, 1, &o, &passed, report, sizeof report, &length));
    CHECK(passed == 0 && strstr(report, "the gradient of output 0 with respect to input 0 is wrong"));
    CHECK(strstr(report, "element [0] of the output by element [0] of the input: 0.5 by backward") != NULL);
    OK(gradus_gradcheck(ctx, counting, &count, &x, 1, &o, &passed, report, sizeof report, &length));
    CHECK(passed == 0 && strstr(report, "the function is not deterministic"));
  }
  OK(gradus_gradgradcheck(ctx, square, &s, &x, 1, &x, 1, NULL, &passed, NULL, 0, NULL)); /* x as its own gradient too */
  CHECK(passed == 1);
  OK(gradus_gradcheck(ctx, lossy, NULL, &x, 1, NULL, &passed, report, 8, &length)); /* cut */
  CHECK(strcmp(report, "the gra") == 0 && length > 100 && length < 8192);
  VALUES(x, data, 3);
  gradus_release(x);
  gradus_release(ctx);
}

static void failures(void) {
  gradus_context *ctx = new_context();
  gradus_tensor *x = leaf(ctx, data, 3), *two = leaf(ctx, data, 2);
  gradus_error e;
  gradus_counts counts;
  state s;
  int32_t passed = 7;
  uint64_t tensors;
  SIZED(e);
  SIZED(counts);
  gradus_live_counts(&counts);
  tensors = counts.tensors;
  memset(&s, 0, sizeof s);
  for (s.fails_at = 1; s.fails_at < 6; ++s.fails_at) {
    s.calls = 0;
    FAILS(gradus_gradcheck(ctx, square, &s, &x, 1, NULL, &passed, NULL, 0, NULL), GRADUS_E_CALLBACK, "no luck");
    gradus_context_error(ctx, &e);
    CHECK(e.user_code == 77 && passed == 0 && s.calls == s.fails_at);
    s.calls = 0;
    FAILS(gradus_gradgradcheck(ctx, square, &s, &x, 1, NULL, 0, NULL, &passed, NULL, 0, NULL), GRADUS_E_CALLBACK, "no luck");
    VALUES(x, data, 3);
  }
  s.fails_at = 0;
  s.other = two;
  FAILS(gradus_gradcheck(ctx, square, &s, &x, 1, NULL, &passed, NULL, 0, NULL), GRADUS_E_SHAPE, "mul|[3]|[2]");
  s.other = NULL;
  FAILS(gradus_gradcheck(ctx, silent, NULL, &x, 1, NULL, &passed, NULL, 0, NULL), GRADUS_E_STATE, "function failed and did not say why");
  s.results = 2; /* says two and gives one */
  FAILS(gradus_gradcheck(ctx, square, &s, &x, 1, NULL, &passed, NULL, 0, NULL), GRADUS_E_NULL, "results");
  s.results = 1000;
  FAILS(gradus_gradcheck(ctx, square, &s, &x, 1, NULL, &passed, NULL, 0, NULL), GRADUS_E_VALUE, "1000 results|64");
  gradus_live_counts(&counts);
  CHECK(counts.tensors == tensors);
  gradus_release(two);
  gradus_release(x);
  gradus_release(ctx);
}

static void refusals(void) {
  gradus_context *ctx = new_context();
  gradus_tensor *x = leaf(ctx, data, 3), *plain = vector(ctx, data, 3), *fixed = NULL, *none = NULL;
  gradus_gradcheck_options o;
  state s;
  int32_t passed = 7;
  double memory[3] = {1, 2, 3};
  const int64_t n = 3;
  memset(&s, 0, sizeof s);
  memset(&o, 0, sizeof o);
  FAILS(gradus_gradcheck(ctx, square, &s, &x, 1, &o, &passed, NULL, 0, NULL), GRADUS_E_ARGUMENT, "struct_size");
  o.struct_size = sizeof o;
  FAILS(gradus_gradcheck(ctx, NULL, &s, &x, 1, &o, &passed, NULL, 0, NULL), GRADUS_E_NULL, "compute");
  FAILS(gradus_gradcheck(ctx, square, &s, &x, 1, &o, NULL, NULL, 0, NULL), GRADUS_E_NULL, "passed");
  FAILS(gradus_gradcheck(ctx, square, &s, &x, 1, &o, &passed, NULL, 4, NULL), GRADUS_E_NULL, "report");
  FAILS(gradus_gradcheck(ctx, square, &s, NULL, 1, &o, &passed, NULL, 0, NULL), GRADUS_E_NULL, "inputs");
  FAILS(gradus_gradcheck(ctx, square, &s, &none, 1, &o, &passed, NULL, 0, NULL), GRADUS_E_NULL, "inputs");
  FAILS(gradus_gradcheck(ctx, square, &s, &plain, 1, &o, &passed, NULL, 0, NULL), GRADUS_E_STATE, "none of the 1 inputs requires grad");
  FAILS(gradus_gradgradcheck(ctx, square, &s, &x, 1, NULL, 2, &o, &passed, NULL, 0, NULL), GRADUS_E_NULL, "grad_outputs");
  OK(gradus_tensor_wrap(ctx, GRADUS_F64, 1, &n, NULL, memory, sizeof memory, GRADUS_WRAP_READ_ONLY, NULL, NULL, &fixed));
  OK(gradus_tensor_set_requires_grad(ctx, fixed, 1));
  FAILS(gradus_gradcheck(ctx, square, &s, &fixed, 1, &o, &passed, NULL, 0, NULL), GRADUS_E_STATE, "input 0|read-only");
  o.eps = -1;
  FAILS(gradus_gradcheck(ctx, square, &s, &x, 1, &o, &passed, NULL, 0, NULL), GRADUS_E_VALUE, "eps is -1");
  o.eps = 0;
  o.flags = 0x100;
  FAILS(gradus_gradcheck(ctx, square, &s, &x, 1, &o, &passed, NULL, 0, NULL), GRADUS_E_UNKNOWN_FIELD, "0x100");
  CHECK(s.calls == 0 && passed == 0);
  CHECK(gradus_gradcheck(NULL, square, &s, &x, 1, NULL, &passed, NULL, 0, NULL) == GRADUS_E_NULL);
  gradus_release(fixed);
  gradus_release(plain);
  gradus_release(x);
  gradus_release(ctx);
}

/* 2 x and 3 x, whose vjp asks for both gradients. */
static gradus_status pair_forward(void *user, gradus_context *ctx, gradus_function_call *call, gradus_tensor *const *in, size_t n,
                                  gradus_tensor **out, size_t capacity, size_t *count) {
  CHECK(user == NULL && n == 1 && capacity == 2);
  OK(gradus_function_set_materialize(ctx, call, 0));
  OK(gradus_mul_scalar(ctx, in[0], 2.0, &out[0]));
  *count = 2;
  return gradus_mul_scalar(ctx, in[0], 3.0, &out[1]);
}
static gradus_status pair_vjp(void *user, gradus_context *ctx, gradus_function_call *call, gradus_tensor *const *g, size_t n,
                              gradus_tensor **out, size_t capacity, size_t *count) {
  gradus_tensor *a = NULL, *b = NULL;
  CHECK(user == NULL && call != NULL && n == 2 && capacity == 1);
  if (!g[0] || !g[1]) return gradus_context_fail(ctx, GRADUS_E_CALLBACK, 99, "two, please", 11);
  OK(gradus_mul_scalar(ctx, g[0], 2.0, &a));
  OK(gradus_mul_scalar(ctx, g[1], 3.0, &b));
  OK(gradus_add(ctx, a, b, &out[0]));
  gradus_release(b);
  gradus_release(a);
  *count = 1;
  return GRADUS_OK;
}
static gradus_status pair(void *user, gradus_context *ctx, gradus_tensor *const *inputs, size_t input_count, gradus_tensor **results,
                          size_t result_capacity, size_t *result_count) {
  gradus_function f;
  (void)user, (void)result_capacity;
  SIZED(f);
  f.name = "Pair";
  f.forward = pair_forward;
  f.vjp = pair_vjp;
  return gradus_function_apply(ctx, &f, inputs, input_count, results, 2, result_count);
}
/* A rule that fails without a gradient is a finding, and leaves no error behind. */
static void missing(void) {
  gradus_context *ctx = new_context();
  gradus_tensor *x = leaf(ctx, data, 3);
  gradus_error before, after;
  state s;
  char report[512];
  int32_t passed = 1;
  memset(&s, 0, sizeof s);
  SIZED(before);
  SIZED(after);
  OK(gradus_gradcheck(ctx, square, &s, &x, 1, NULL, &passed, NULL, 0, NULL));
  CHECK(passed == 1);
  gradus_context_error(ctx, &before);
  OK(gradus_gradcheck(ctx, pair, NULL, &x, 1, NULL, &passed, report, sizeof report, NULL));
  CHECK(passed == 0 && strcmp(report, "backward fails without a gradient of output 1 and not with zeros: two, please") == 0);
  gradus_context_error(ctx, &after);
  CHECK(after.status == before.status && after.user_code == before.user_code && strcmp(after.message, before.message) == 0);
  gradus_release(x);
  gradus_release(ctx);
}

int main(void) {
  missing();
  results();
  failures();
  refusals();
  return finish("capi_gradcheck_test");
}
