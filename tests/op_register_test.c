/* Operations of the host: schemas, calls by name, gradients, errors; one of them is trained with. */
#include <pthread.h>
#include <stdlib.h>

#include "capi_check.h"

static gradus_value tensor_value(gradus_tensor *t) {
  gradus_value v;
  memset(&v, 0, sizeof v);
  v.kind = t ? GRADUS_V_TENSOR : GRADUS_V_NONE;
  v.u.tensor = t;
  return v;
}
static gradus_value real_value(double d) {
  gradus_value v;
  memset(&v, 0, sizeof v);
  v.kind = GRADUS_V_F64;
  v.u.f64 = d;
  return v;
}
static gradus_op_definition definition(const char *name, const char *schema, gradus_op_fn forward, gradus_op_fn backward) {
  gradus_op_definition d;
  SIZED(d);
  d.name = name;
  d.schema = schema;
  d.forward = forward;
  d.backward = backward;
  return d;
}

/* swish(x, beta) = x * sigmoid(beta * x); its gradient is s + beta * y * (1 - s) */
static gradus_status swish_forward(void *user, gradus_context *ctx, const gradus_value *a, size_t n, gradus_value *out, size_t capacity, size_t *count) {
  gradus_tensor *t = NULL, *s = NULL, *y = NULL;
  CHECK(n == 3 && capacity == 1 && a[0].kind == GRADUS_V_TENSOR && a[1].kind == GRADUS_V_F64 && a[2].kind == GRADUS_V_I64_LIST);
  CHECK(*(const char *)user == 'u');
  if (a[1].u.f64 < 0) return gradus_context_fail(ctx, GRADUS_E_VALUE, 5, "beta is negative", 16);
  OK(gradus_mul_scalar(ctx, a[0].u.tensor, a[1].u.f64, &t));
  OK(gradus_sigmoid(ctx, t, &s));
  OK(gradus_mul(ctx, a[0].u.tensor, s, &y));
  gradus_release(t); gradus_release(s);
  out[0] = tensor_value(y);
  *count = 1;
  return GRADUS_OK;
}
static gradus_status swish_backward(void *user, gradus_context *ctx, const gradus_value *a, size_t n, gradus_value *out, size_t capacity, size_t *count) {
  gradus_tensor *t, *s, *one_less, *d, *slope, *g;
  (void)user;
  CHECK(n == 5 && capacity == 1 && a[3].kind == GRADUS_V_TENSOR && a[4].kind == GRADUS_V_TENSOR);
  CHECK(a[2].kind == GRADUS_V_I64_LIST && a[2].length == 2 && ((const int64_t *)a[2].u.ptr)[1] == 7);
  OK(gradus_mul_scalar(ctx, a[0].u.tensor, a[1].u.f64, &t));
  OK(gradus_sigmoid(ctx, t, &s));
  gradus_release(t);
  OK(gradus_rsub_scalar(ctx, s, 1.0, 1.0, &one_less));
  OK(gradus_mul(ctx, a[3].u.tensor, one_less, &t));
  OK(gradus_mul_scalar(ctx, t, a[1].u.f64, &d));
  OK(gradus_add(ctx, s, d, &slope));
  OK(gradus_mul(ctx, a[4].u.tensor, slope, &g));
  gradus_release(t); gradus_release(s); gradus_release(one_less); gradus_release(d); gradus_release(slope);
  out[0] = tensor_value(g);
  *count = 1;
  return GRADUS_OK;
}

static gradus_tensor *swish(gradus_context *ctx, const gradus_op *op, gradus_tensor *x, double beta) {
  static const int64_t unused[2] = {3, 7};
  gradus_value a[3], y;
  a[0] = tensor_value(x);
  a[1] = real_value(beta);
  memset(&a[2], 0, sizeof a[2]);
  a[2].kind = GRADUS_V_I64_LIST;
  a[2].u.ptr = unused;
  a[2].length = 2;
  OK(gradus_invoke(ctx, op, a, 3, &y, 1, NULL));
  return y.u.tensor;
}
static double value_of(gradus_context *ctx, const gradus_tensor *t) {
  double d = 0;
  OK(gradus_tensor_item_f64(ctx, t, &d));
  return d;
}

static void test_register(gradus_context *ctx) {
  static char user = 'u';
  const size_t before = gradus_op_count();
  gradus_op_definition d = definition("test.swish", "(Tensor x, float beta=1.0, int[] unused=[1, 2]) -> Tensor", swish_forward, swish_backward);
  const gradus_op *op = NULL, *other = NULL;
  gradus_op_info info;
  gradus_argument_info argument;
  char *json;
  size_t length = 0;
  d.summary = "x * sigmoid(beta * x)";
  d.user = &user;
  OK(gradus_op_register(ctx, &d, &op));
  CHECK(op && gradus_op_find("test.swish", 10) == op && gradus_op_count() == before + 1 && gradus_op_at(before) == op);
  SIZED(info);
  CHECK(gradus_op_describe(op, &info) == GRADUS_OK);
  CHECK(strcmp(info.name, "test.swish") == 0 && strcmp(info.schema, "test.swish(Tensor x, float beta=1.0, int[] unused=[1, 2]) -> Tensor") == 0);
  CHECK(strcmp(info.summary, "x * sigmoid(beta * x)") == 0 && info.flags == (GRADUS_OP_DIFFERENTIABLE | GRADUS_OP_OUT) && info.required_arguments == 1);
  SIZED(argument);
  CHECK(gradus_op_describe_argument(op, 0, &argument) == GRADUS_OK && argument.flags == GRADUS_ARG_GRADIENT_FLOWS);
  CHECK(gradus_registry_json(NULL, 0, &length) == GRADUS_OK);
  json = (char *)malloc(length + 1);
  CHECK(gradus_registry_json(json, length + 1, &length) == GRADUS_OK && strstr(json, "\"name\": \"test.swish\"") != NULL);
  free(json);
  FAILS(gradus_op_register(ctx, &d, &other), GRADUS_E_VALUE, "test.swish");
  CHECK(!other && gradus_op_count() == before + 1);
}

static void test_schemas(gradus_context *ctx) {
  static const char *const bad[] = {
      "", "(", "(Tensor x", "(Tensor x)", "(Tensor x) ->", "(Tensor x) -> ()", "(Tensor x) -> Tensor y z", "(Tensor x,) -> Tensor", "(Tensor x Tensor y) -> Tensor",
      "(Tensor x, Tensor x) -> Tensor", "(Tensor(a!) x) -> Tensor(a!)", "(Tensor x) -> int", "(Tensor x) -> (Tensor[], Tensor)", "(Tensor x, int n=1.5) -> Tensor",
      "(Tensor x, int n=99999999999999999999999x) -> Tensor", "(Tensor x, bool b=3) -> Tensor", "(Tensor x, bool[] b) -> Tensor", "(Tensor x, Device d) -> Tensor",
      "(Tensor x, float[] w=[1.5]) -> Tensor", "(Tensor x, str s='a) -> Tensor", "(Tensor x=1) -> Tensor", "other.name(Tensor x) -> Tensor", "(quaternion q) -> Tensor",
      "(Tensor x, int n=) -> Tensor", "(Tensor x, int n=", "(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j, int k, int l, int m, int n, int o, int p, int q) -> Tensor"};
  static const char *const bad_names[] = {"swish", "", ".", "a.", ".a", "a..b", "a.1b", "a b.c", "a.b\xc3\xa4", "add"};
  const size_t before = gradus_op_count();
  const gradus_op *op = NULL;
  gradus_op_definition d;
  size_t i;
  for (i = 0; i < sizeof bad / sizeof *bad; ++i) {
    d = definition("test.bad", bad[i], swish_forward, NULL);
    FAILS(gradus_op_register(ctx, &d, &op), GRADUS_E_VALUE, "test.bad");
    if (op) printf("accepted: %s\n", bad[i]);
  }
  for (i = 0; i < sizeof bad_names / sizeof *bad_names; ++i) {
    d = definition(bad_names[i], "(Tensor x) -> Tensor", swish_forward, NULL);
    FAILS(gradus_op_register(ctx, &d, &op), GRADUS_E_VALUE, "dot");
  }
  d = definition("test.null", "(Tensor x) -> Tensor", NULL, NULL);
  FAILS(gradus_op_register(ctx, &d, &op), GRADUS_E_NULL, "forward");
  d = definition(NULL, "(Tensor x) -> Tensor", swish_forward, NULL);
  FAILS(gradus_op_register(ctx, &d, &op), GRADUS_E_NULL, "name");
  d = definition("test.null", NULL, swish_forward, NULL);
  FAILS(gradus_op_register(ctx, &d, &op), GRADUS_E_NULL, "schema");
  d = definition("test.flags", "(Tensor x) -> Tensor", swish_forward, NULL);
  d.flags = 128;
  FAILS(gradus_op_register(ctx, &d, &op), GRADUS_E_UNKNOWN_FIELD, "0x80");
  CHECK(gradus_op_count() == before);
}

static void test_gradients(gradus_context *ctx) {
  const gradus_op *op = gradus_op_find("test.swish", 10);
  const double values[] = {-1.5, 0.25, 2}, h = 1e-4;
  gradus_tensor *x = vector(ctx, values, 3), *y, *s, *g = NULL, *gg;
  gradus_node *n;
  gradus_backward_options record;
  double first[3], second[3];
  char name[40];
  int i;
  SIZED(record);
  record.flags = GRADUS_BACKWARD_RECORD;
  OK(gradus_tensor_set_requires_grad(ctx, x, 1));
  y = swish(ctx, op, x, 1.5);
  OK(gradus_tensor_grad_fn(ctx, y, &n));
  OK(gradus_node_name(ctx, n, name, sizeof name, NULL));
  CHECK(strcmp(name, "TestSwishBackward0") == 0);
  OK(gradus_sum(ctx, y, NULL, 0, 0, 0, &s));
  OK(gradus_grad(ctx, &s, 1, &x, 1, NULL, &record, &g));
  gradus_release(s); gradus_release(n); gradus_release(y);
  OK(gradus_sum(ctx, g, NULL, 0, 0, 0, &s));
  OK(gradus_grad(ctx, &s, 1, &x, 1, NULL, NULL, &gg));
  OK(gradus_tensor_copy_out(ctx, g, GRADUS_F64, first, sizeof first));
  OK(gradus_tensor_copy_out(ctx, gg, GRADUS_F64, second, sizeof second));
  for (i = 0; i < 3; ++i) {
    const double at = values[i], b = 1.5;
#define SWISH(z) ((z) / (1 + exp(-b * (z))))
    CHECK(fabs(first[i] - (SWISH(at + h) - SWISH(at - h)) / (2 * h)) < 1e-6);
    CHECK(fabs(second[i] - (SWISH(at + h) - 2 * SWISH(at) + SWISH(at - h)) / (h * h)) < 1e-5);
  }
  gradus_release(s); gradus_release(gg); gradus_release(g); gradus_release(x);
}

static void test_failures(gradus_context *ctx) {
  const gradus_op *op = gradus_op_find("test.swish", 10);
  const double values[] = {1, 2};
  gradus_tensor *x = vector(ctx, values, 2);
  gradus_value a[2], y;
  gradus_error e;
  a[0] = tensor_value(x);
  a[1] = real_value(-1);
  FAILS(gradus_invoke(ctx, op, a, 2, &y, 1, NULL), GRADUS_E_VALUE, "beta is negative");
  SIZED(e);
  gradus_context_error(ctx, &e);
  CHECK(e.user_code == 5);
  FAILS(gradus_invoke(ctx, op, a, 0, &y, 1, NULL), GRADUS_E_ARGUMENT, "test.swish|'x'|missing");
  a[0] = real_value(1);
  FAILS(gradus_invoke(ctx, op, a, 1, &y, 1, NULL), GRADUS_E_ARGUMENT, "test.swish|'x'|tensor");
  gradus_release(x);
}

/* mix(parts, weight?) -> (sum of parts, and of squares); remembers nothing of its results. The gradient of the weight is none. */
static gradus_status mix_forward(void *user, gradus_context *ctx, const gradus_value *a, size_t n, gradus_value *out, size_t capacity, size_t *count) {
  gradus_tensor *const *parts = (gradus_tensor *const *)a[0].u.ptr;
  gradus_tensor *square, *sum[2], *next;
  uint64_t i;
  (void)user;
  CHECK(n == 2 && capacity == 2 && a[0].kind == GRADUS_V_TENSOR_LIST && a[0].length > 0);
  OK(gradus_clone(ctx, parts[0], &sum[0]));
  OK(gradus_mul(ctx, parts[0], parts[0], &sum[1]));
  for (i = 1; i < a[0].length; ++i) {
    OK(gradus_add(ctx, sum[0], parts[i], &next));
    gradus_release(sum[0]);
    sum[0] = next;
    OK(gradus_mul(ctx, parts[i], parts[i], &square));
    OK(gradus_add(ctx, sum[1], square, &next));
    gradus_release(sum[1]); gradus_release(square);
    sum[1] = next;
  }
  out[0] = tensor_value(sum[0]);
  out[1] = tensor_value(sum[1]);
  *count = 2;
  return GRADUS_OK;
}
static gradus_status mix_backward(void *user, gradus_context *ctx, const gradus_value *a, size_t n, gradus_value *out, size_t capacity, size_t *count) {
  gradus_tensor *const *parts = (gradus_tensor *const *)a[0].u.ptr;
  gradus_tensor *twice, *g;
  uint64_t i;
  (void)user;
  CHECK(n == 6 && a[2].kind == GRADUS_V_NONE && a[3].kind == GRADUS_V_NONE && a[4].kind == GRADUS_V_TENSOR && a[5].kind == GRADUS_V_TENSOR);
  CHECK(capacity == a[0].length + 1);
  for (i = 0; i < a[0].length; ++i) {
    OK(gradus_mul_scalar(ctx, parts[i], 2.0, &twice));
    OK(gradus_mul(ctx, twice, a[5].u.tensor, &g));
    gradus_release(twice);
    OK(gradus_add(ctx, g, a[4].u.tensor, &twice));
    gradus_release(g);
    out[i] = tensor_value(twice);
  }
  *count = capacity;
  return GRADUS_OK;
}

static void test_lists(gradus_context *ctx) {
  gradus_op_definition d = definition("test.pair.mix", "test.pair.mix(Tensor[] parts, Tensor? weight=None) -> (Tensor sums, Tensor squares)", mix_forward, mix_backward);
  const gradus_op *op = NULL;
  const double p[] = {1, 2}, q[] = {3, 4}, sums[] = {4, 6}, squares[] = {10, 20}, dp[] = {2, 4}, dq[] = {6, 8};
  gradus_tensor *parts[2], *s, *g;
  gradus_value a, out[2];
  gradus_call calls[2];
  gradus_value total, arguments;
  size_t count = 0, done = 0;
  d.flags = GRADUS_OP_FORGETS_RESULTS;
  OK(gradus_op_register(ctx, &d, &op));
  parts[0] = vector(ctx, p, 2);
  parts[1] = vector(ctx, q, 2);
  OK(gradus_tensor_set_requires_grad(ctx, parts[0], 1));
  OK(gradus_tensor_set_requires_grad(ctx, parts[1], 1));
  memset(&a, 0, sizeof a);
  a.kind = GRADUS_V_TENSOR_LIST;
  a.u.ptr = parts;
  a.length = 2;
  OK(gradus_invoke(ctx, op, &a, 1, out, 2, &count));
  CHECK(count == 2);
  VALUES(out[0].u.tensor, sums, 2);
  VALUES(out[1].u.tensor, squares, 2);
  OK(gradus_sum(ctx, out[1].u.tensor, NULL, 0, 0, 0, &s));
  OK(gradus_backward(ctx, &s, 1, NULL, NULL));
  OK(gradus_tensor_grad(ctx, parts[0], &g));
  VALUES(g, dp, 2);
  gradus_release(g);
  OK(gradus_tensor_grad(ctx, parts[1], &g));
  VALUES(g, dq, 2);
  gradus_release(g); gradus_release(s); gradus_release(out[0].u.tensor); gradus_release(out[1].u.tensor);

  memset(calls, 0, sizeof calls); /* in a batch, its result feeds the next call */
  memset(&arguments, 0, sizeof arguments);
  arguments.kind = GRADUS_V_RESULT_OF;
  arguments.aux = 1;
  calls[0].op = op;
  calls[0].arguments = &a;
  calls[0].argument_count = 1;
  calls[1].op = gradus_op_find("sum", 3);
  calls[1].arguments = &arguments;
  calls[1].argument_count = 1;
  calls[1].results = &total;
  calls[1].result_capacity = 1;
  OK(gradus_invoke_batch(ctx, calls, 2, sizeof calls[0], &done));
  CHECK(done == 2 && value_of(ctx, total.u.tensor) == 30);
  gradus_release(total.u.tensor); gradus_release(parts[0]); gradus_release(parts[1]);
}

static gradus_status copy_forward(void *user, gradus_context *ctx, const gradus_value *a, size_t n, gradus_value *out, size_t capacity, size_t *count) {
  gradus_tensor *t = NULL;
  const gradus_status s = gradus_clone(ctx, a[0].u.tensor, &t);
  (void)user; (void)n; (void)capacity;
  out[0] = tensor_value(t);
  *count = 1;
  return s;
}
static void test_without_backward(gradus_context *ctx) {
  gradus_op_definition d = definition("test.copy", "(Tensor x) -> Tensor", copy_forward, NULL);
  const gradus_op *op = NULL;
  const double v[] = {3}, zeros[] = {0, 0};
  gradus_tensor *x = vector(ctx, v, 1), *out;
  gradus_value a, y;
  gradus_op_info info;
  OK(gradus_op_register(ctx, &d, &op));
  SIZED(info);
  CHECK(gradus_op_describe(op, &info) == GRADUS_OK && info.flags == GRADUS_OP_OUT && strcmp(info.summary, "") == 0);
  a = tensor_value(x);
  out = vector(ctx, zeros, 2);
  OK(gradus_invoke_out(ctx, op, &a, 1, &out, 1));
  VALUES(out, v, 1);
  gradus_release(out);
  OK(gradus_tensor_set_requires_grad(ctx, x, 1));
  OK(gradus_invoke(ctx, op, &a, 1, &y, 1, NULL));
  FAILS(gradus_backward(ctx, &y.u.tensor, 1, NULL, NULL), GRADUS_E_UNSUPPORTED, "test.copy|backward");
  gradus_release(y.u.tensor); gradus_release(x);
}

/* y = swish(w * x) is fitted to w = 0.7 */
static void test_training(gradus_context *ctx) {
  const gradus_op *op = gradus_op_find("test.swish", 10);
  const double inputs[] = {-2, -1, 0.5, 1, 3}, start = 0.1, target = 0.7;
  gradus_tensor *x = vector(ctx, inputs, 5), *w = vector(ctx, &start, 1), *goal = vector(ctx, &target, 1), *t, *wanted, *y, *loss, *g;
  int step;
  OK(gradus_mul(ctx, x, goal, &t));
  wanted = swish(ctx, op, t, 1.0);
  gradus_release(t);
  OK(gradus_tensor_set_requires_grad(ctx, w, 1));
  for (step = 0; step < 200; ++step) {
    OK(gradus_mul(ctx, x, w, &t));
    y = swish(ctx, op, t, 1.0);
    OK(gradus_mse_loss(ctx, y, wanted, 1, &loss));
    OK(gradus_backward(ctx, &loss, 1, NULL, NULL));
    OK(gradus_tensor_grad(ctx, w, &g));
    OK(gradus_context_set_recording(ctx, 0, NULL));
    gradus_release(t);
    OK(gradus_mul_scalar(ctx, g, -0.1, &t));
    gradus_release(g);
    OK(gradus_add_(ctx, w, t, &g));
    OK(gradus_context_set_recording(ctx, 1, NULL));
    OK(gradus_tensor_set_grad(ctx, w, NULL));
    gradus_release(g); gradus_release(t); gradus_release(loss); gradus_release(y);
  }
  CHECK(fabs(value_of(ctx, w) - 0.7) < 1e-3);
  gradus_release(wanted); gradus_release(goal); gradus_release(w); gradus_release(x);
}

static void *registers(void *which) {
  gradus_context *ctx = new_context();
  char name[40];
  int i;
  for (i = 0; i < 300; ++i) {
    gradus_op_definition d;
    const gradus_op *op = NULL;
    snprintf(name, sizeof name, "test.thread%d.op%d", *(int *)which, i);
    d = definition(name, "(Tensor x) -> Tensor", copy_forward, NULL);
    if (gradus_op_register(ctx, &d, &op) != GRADUS_OK || gradus_op_find(name, strlen(name)) != op) return NULL;
    if (!gradus_op_at(gradus_op_count() - 1) || !gradus_op_find("add", 3)) return NULL;
  }
  gradus_release(ctx);
  return which;
}
static void test_threads(void) {
  const size_t before = gradus_op_count();
  pthread_t threads[4];
  int which[4], i;
  void *result;
  for (i = 0; i < 4; ++i) {
    which[i] = i;
    CHECK(pthread_create(&threads[i], NULL, registers, &which[i]) == 0);
  }
  for (i = 0; i < 4; ++i) {
    pthread_join(threads[i], &result);
    CHECK(result == &which[i]);
  }
  CHECK(gradus_op_count() == before + 1200);
}

int main(void) {
  gradus_context *ctx = new_context();
  test_register(ctx);
  test_schemas(ctx);
  test_gradients(ctx);
  test_failures(ctx);
  test_lists(ctx);
  test_without_backward(ctx);
  test_training(ctx);
  test_threads();
  gradus_release(ctx);
  return finish("op_register_test");
}
