/* The generic call, its out= form, the batch, and the registry as structs. */
#include <stdlib.h>

#include "capi_check.h"

static gradus_value tensor_value(gradus_tensor *t) {
  gradus_value v = {GRADUS_V_TENSOR, 0, {0}, 0};
  v.u.tensor = t;
  return v;
}
static gradus_value number(double d) {
  gradus_value v = {GRADUS_V_F64, 0, {0}, 0};
  v.u.f64 = d;
  return v;
}
static gradus_value complex_number(double re, double im) {
  gradus_value v = {GRADUS_V_COMPLEX, 0, {0}, 0};
  v.u.f64 = re;
  memcpy(&v.length, &im, sizeof im);
  return v;
}
static gradus_value integer(int64_t i) {
  gradus_value v = {GRADUS_V_I64, 0, {0}, 0};
  v.u.i64 = i;
  return v;
}
static gradus_value list(const int64_t *p, size_t n) {
  gradus_value v = {GRADUS_V_I64_LIST, 0, {0}, 0};
  v.u.ptr = p;
  v.length = n;
  return v;
}
static gradus_value result_of(int64_t call, uint32_t which) {
  gradus_value v = {GRADUS_V_RESULT_OF, 0, {0}, 0};
  v.aux = which;
  v.u.i64 = call;
  return v;
}
static const gradus_op *op(const char *name) { return gradus_op_find(name, strlen(name)); }

static void complex_numbers(void) {
  gradus_context *ctx = new_context();
  const double x[2] = {1, -2};
  double got[4] = {0};
  gradus_tensor *a = vector(ctx, x, 2), *other;
  gradus_value v[3], r;

  v[0] = tensor_value(a);
  v[1] = complex_number(0.5, -3);
  OK(gradus_invoke(ctx, op("mul"), v, 2, &r, 1, NULL)); /* (0.5 - 3i) x */
  OK(gradus_tensor_copy_out(ctx, r.u.tensor, GRADUS_C128, got, sizeof got));
  CHECK(got[0] == 0.5 && got[1] == -3 && got[2] == -1 && got[3] == 6);
  other = r.u.tensor;
  v[0] = v[1] = tensor_value(other);
  v[2] = complex_number(0, 1);
  OK(gradus_invoke(ctx, op("add"), v, 3, &r, 1, NULL)); /* (1 + i) times it */
  OK(gradus_tensor_copy_out(ctx, r.u.tensor, GRADUS_C128, got, sizeof got));
  CHECK(got[0] == 3.5 && got[1] == -2.5 && got[2] == -7 && got[3] == 5);
  gradus_release(r.u.tensor);
  v[1] = complex_number(0, 1);
  CHECK(gradus_invoke(ctx, op("linalg_vector_norm"), v, 2, &r, 1, NULL) == GRADUS_E_ARGUMENT);
  v[0] = v[1] = tensor_value(a);
  CHECK(gradus_invoke(ctx, op("add"), v, 3, &r, 1, NULL) == GRADUS_E_DTYPE);
  gradus_release(other);
  gradus_release(a);
  gradus_release(ctx);
}

static void calls(void) {
  gradus_context *ctx = new_context();
  const double x[3] = {1, 2, 3}, scaled[3] = {9, 10, 11}, six[1] = {6};
  const int64_t zero = 0;
  const int32_t whole[2] = {5, 6};
  const double eight[2] = {8, 9};
  const int64_t two = 2;
  gradus_tensor *a = vector(ctx, x, 3), *n;
  gradus_value v[4], r[2];
  gradus_tensor_info i;
  size_t count = 9;
  SIZED(i);

  v[0] = tensor_value(a);
  v[1] = number(4);
  v[2] = integer(2);
  OK(gradus_invoke(ctx, op("add"), v, 3, r, 2, &count));
  CHECK(count == 1 && r[0].kind == GRADUS_V_TENSOR && r[1].kind == GRADUS_V_DEFAULT);
  VALUES(r[0].u.tensor, scaled, 3);
  gradus_release(r[0].u.tensor);

  memset(v + 1, 0, sizeof v[1]); /* the default, and one number for a list */
  OK(gradus_invoke(ctx, op("sum"), v, 2, r, 1, NULL));
  VALUES(r[0].u.tensor, six, 1);
  gradus_release(r[0].u.tensor);
  v[1] = integer(0);
  OK(gradus_invoke(ctx, op("sum"), v, 2, r, 1, NULL));
  gradus_release(r[0].u.tensor);
  v[1] = list(&zero, 1);
  OK(gradus_invoke(ctx, op("sum"), v, 2, r, 1, NULL));
  gradus_release(r[0].u.tensor);

  OK(gradus_tensor_copy_in(ctx, GRADUS_I32, 1, &two, NULL, whole, sizeof whole, &n));
  v[0] = tensor_value(n);
  v[1] = integer(3);
  OK(gradus_invoke(ctx, op("add_"), v, 2, NULL, 0, NULL)); /* an integer keeps integers, results are not wanted */
  VALUES(n, eight, 2);
  OK(gradus_invoke(ctx, op("add"), v, 2, r, 1, NULL));
  CHECK(gradus_tensor_describe(r[0].u.tensor, &i) == GRADUS_OK && i.dtype == GRADUS_I32);
  gradus_release(r[0].u.tensor);
  v[1] = number(3);
  OK(gradus_invoke(ctx, op("add"), v, 2, r, 1, NULL));
  CHECK(gradus_tensor_describe(r[0].u.tensor, &i) == GRADUS_OK && i.dtype == GRADUS_F32);
  gradus_release(r[0].u.tensor);
  gradus_release(n);

  /* refusals */
  v[0] = tensor_value(a);
  v[1] = tensor_value(a);
  FAILS(gradus_invoke(ctx, NULL, v, 1, r, 1, NULL), GRADUS_E_NULL, "op");
  FAILS(gradus_invoke(ctx, (const gradus_op *)a, v, 1, r, 1, NULL), GRADUS_E_HANDLE, "op|tensor");
  FAILS(gradus_invoke(ctx, op("sin"), v, 2, r, 1, NULL), GRADUS_E_ARGUMENT, "sin|2|at most 1");
  FAILS(gradus_invoke(ctx, op("sin"), NULL, 1, r, 1, NULL), GRADUS_E_NULL, "arguments");
  FAILS(gradus_invoke(ctx, op("sin"), v, 0, r, 1, NULL), GRADUS_E_ARGUMENT, "sin|missing");
  FAILS(gradus_invoke(ctx, op("sin"), v, SIZE_MAX, r, 1, NULL), GRADUS_E_ARGUMENT, "at most 1");
  FAILS(gradus_invoke(ctx, op("sin"), v, 1, r, 0, &count), GRADUS_E_VALUE, "1 results, room for 0");
  CHECK(count == 1);
  v[0].kind = 1234;
  FAILS(gradus_invoke(ctx, op("sin"), v, 1, r, 1, NULL), GRADUS_E_VALUE, "sin|input|1234");
  v[0].kind = -5;
  FAILS(gradus_invoke(ctx, op("sin"), v, 1, r, 1, NULL), GRADUS_E_VALUE, "-5");
  v[0] = result_of(0, 0);
  FAILS(gradus_invoke(ctx, op("sin"), v, 1, r, 1, NULL), GRADUS_E_VALUE, "sin|input|11");
  v[0] = tensor_value(NULL);
  FAILS(gradus_invoke(ctx, op("sin"), v, 1, r, 1, NULL), GRADUS_E_NULL, "input");
  v[0] = list(NULL, 4);
  FAILS(gradus_invoke(ctx, op("sin"), v, 1, r, 1, NULL), GRADUS_E_NULL, "input");
  v[0] = tensor_value(a);
  v[1] = list(&zero, UINT64_MAX / 8);
  FAILS(gradus_invoke(ctx, op("sum"), v, 2, r, 1, NULL), GRADUS_E_VALUE, "sum|dim");
  v[1].kind = GRADUS_V_TENSOR_LIST;
  v[1].u.ptr = &ctx;
  v[1].length = 1;
  FAILS(gradus_invoke(ctx, op("sum"), v, 2, r, 1, NULL), GRADUS_E_HANDLE, "dim|context");
  gradus_release(a);
  gradus_release(ctx);
}

static void outs(void) {
  gradus_context *ctx = new_context();
  const double x[3] = {1, 2, 3}, doubled[3] = {2, 4, 6}, sorted[3] = {1, 2, 3}, positions[3] = {0, 1, 2};
  const int64_t one = 1;
  double foreign[1] = {5};
  gradus_tensor *a = vector(ctx, x, 3), *b = vector(ctx, x, 1), *w, *n, *two[2];
  gradus_value v[2];
  gradus_op_info info;
  gradus_tensor_info i;
  const void *memory;
  uint64_t version;
  memset(&info, 0, sizeof info);
  memset(&i, 0, sizeof i);
  info.struct_size = sizeof info;
  i.struct_size = sizeof i;
  CHECK(gradus_op_describe(op("add"), &info) == GRADUS_OK && (info.flags & GRADUS_OP_OUT));
  CHECK(gradus_op_describe(op("add_"), &info) == GRADUS_OK && !(info.flags & GRADUS_OP_OUT));
  CHECK(gradus_op_describe(op("view"), &info) == GRADUS_OK && !(info.flags & GRADUS_OP_OUT));

  v[0] = v[1] = tensor_value(a);
  OK(gradus_invoke_out(ctx, op("add"), v, 2, &b, 1)); /* grows */
  VALUES(b, doubled, 3);
  CHECK(gradus_tensor_describe(b, &i) == GRADUS_OK);
  memory = i.data;
  version = i.version;
  OK(gradus_invoke_out(ctx, op("mul"), v, 2, &b, 1)); /* fits */
  CHECK(gradus_tensor_describe(b, &i) == GRADUS_OK && i.data == memory && i.version > version);
  OK(gradus_tensor_zeros(ctx, GRADUS_I64, 1, &one, &n));
  two[0] = b;
  two[1] = n;
  OK(gradus_invoke_out(ctx, op("sort"), v, 1, two, 2));
  VALUES(b, sorted, 3);
  VALUES(n, positions, 3);

  FAILS(gradus_invoke_out(ctx, op("sort"), v, 1, two, 1), GRADUS_E_VALUE, "sort|1 tensors|2 results");
  FAILS(gradus_invoke_out(ctx, op("neg"), v, 1, &n, 1), GRADUS_E_DTYPE, "neg|float64|int64");
  FAILS(gradus_invoke_out(ctx, op("neg"), v, 1, NULL, 1), GRADUS_E_NULL, "outs");
  two[1] = NULL;
  FAILS(gradus_invoke_out(ctx, op("sort"), v, 1, two, 2), GRADUS_E_NULL, "outs");
  FAILS(gradus_invoke_out(ctx, op("neg"), v, 1, (gradus_tensor *const *)&ctx, 1), GRADUS_E_HANDLE, "outs|context");
  FAILS(gradus_invoke_out(ctx, op("neg"), v, 5, &b, 1), GRADUS_E_ARGUMENT, "at most 1");
  FAILS(gradus_invoke_out(ctx, NULL, v, 1, &b, 1), GRADUS_E_NULL, "op");
  FAILS(gradus_invoke_out(ctx, op("neg_"), v, 1, &b, 1), GRADUS_E_UNSUPPORTED, "neg_|no out= form");
  OK(gradus_tensor_wrap(ctx, GRADUS_F64, 1, &one, NULL, foreign, sizeof foreign, 0, NULL, NULL, &w));
  FAILS(gradus_invoke_out(ctx, op("neg"), v, 1, &w, 1), GRADUS_E_STATE, "neg|[1]|[3]|not the library's");
  OK(gradus_tensor_set_requires_grad(ctx, a, 1));
  FAILS(gradus_invoke_out(ctx, op("neg"), v, 1, &b, 1), GRADUS_E_STATE, "neg|no automatic differentiation|self");
  CHECK(foreign[0] == 5);
  VALUES(b, sorted, 3);
  gradus_release(w);
  gradus_release(n);
  gradus_release(b);
  gradus_release(a);
  gradus_release(ctx);
}

static void batch(void) {
  gradus_context *ctx = new_context();
  const double x[3] = {1, 2, 3}, dx[3] = {2, 4, 6}, nine[3] = {1, 4, 9};
  gradus_tensor *a = vector(ctx, x, 3), *loss, *g;
  gradus_call c[3];
  gradus_value mul[2], sum[1], wrong[1], r[2];
  gradus_error e;
  size_t done = 9;
  SIZED(e);
  OK(gradus_tensor_set_requires_grad(ctx, a, 1));
  memset(c, 0, sizeof c);
  mul[0] = mul[1] = tensor_value(a);
  sum[0] = result_of(0, 0);
  c[0].op = op("mul");
  c[0].arguments = mul;
  c[0].argument_count = 2;
  c[1].op = op("sum");
  c[1].arguments = sum;
  c[1].argument_count = 1;
  c[1].results = r;
  c[1].result_capacity = 1;
  OK(gradus_invoke_batch(ctx, c, 2, sizeof *c, &done));
  CHECK(done == 2 && c[0].result_count == 1 && c[1].result_count == 1);
  loss = r[0].u.tensor;
  OK(gradus_backward(ctx, &loss, 1, NULL, NULL));
  OK(gradus_tensor_grad(ctx, a, &g));
  VALUES(g, dx, 3);
  gradus_release(g);
  gradus_release(loss);

  wrong[0] = result_of(1, 7);
  c[0].results = r + 1;
  c[0].result_capacity = 1;
  c[2].op = op("sin");
  c[2].arguments = wrong;
  c[2].argument_count = 1;
  c[2].label = "third layer";
  FAILS(gradus_invoke_batch(ctx, c, 3, sizeof *c, &done), GRADUS_E_INDEX, "sin|result 7 of call 1");
  gradus_context_error(ctx, &e);
  CHECK(done == 2 && !strcmp(e.origin, "third layer"));
  VALUES(r[1].u.tensor, nine, 3); /* what finished is there */
  gradus_release(r[0].u.tensor);
  gradus_release(r[1].u.tensor);
  FAILS(gradus_invoke_batch(ctx, c, 3, 8, &done), GRADUS_E_ARGUMENT, "call_bytes");
  FAILS(gradus_invoke_batch(ctx, NULL, 3, sizeof *c, &done), GRADUS_E_NULL, "calls");
  OK(gradus_invoke_batch(ctx, NULL, 0, sizeof *c, &done));
  c[0].op = (const gradus_op *)ctx;
  FAILS(gradus_invoke_batch(ctx, c, 1, sizeof *c, &done), GRADUS_E_HANDLE, "op|context");
  CHECK(done == 0 && r[1].kind == GRADUS_V_DEFAULT);
  gradus_release(a);
  gradus_release(ctx);
}

static void registry(void) {
  const size_t count = gradus_op_count();
  gradus_op_info i;
  gradus_argument_info a;
  char *text;
  size_t k, length = 0;
  memset(&i, 0, sizeof i);
  memset(&a, 0, sizeof a);
  CHECK(count > 50);
  for (k = 0; k < count; ++k) {
    const gradus_op *o = gradus_op_at(k);
    uint32_t n;
    i.struct_size = sizeof i;
    CHECK(gradus_op_describe(o, &i) == GRADUS_OK && op(i.name) == o && strlen(i.summary) > 0);
    CHECK(strncmp(i.schema, i.name, strlen(i.name)) == 0 && i.required_arguments <= i.argument_count);
    for (n = 0; n < i.argument_count; ++n) {
      a.struct_size = sizeof a;
      CHECK(gradus_op_describe_argument(o, n, &a) == GRADUS_OK && strlen(a.name) > 0 && strcmp(a.name, "self") != 0);
    }
    CHECK(gradus_op_describe_argument(o, n, &a) == GRADUS_E_INDEX);
  }
  CHECK(gradus_op_at(count) == NULL && op("no such thing") == NULL && op("") == NULL && gradus_op_find(NULL, 3) == NULL);
  i.struct_size = sizeof i;
  CHECK(gradus_op_describe(op("add_"), &i) == GRADUS_OK);
  CHECK(i.flags == (GRADUS_OP_DIFFERENTIABLE | GRADUS_OP_IN_PLACE) && i.argument_count == 3 && i.required_arguments == 2);
  a.struct_size = sizeof a;
  CHECK(gradus_op_describe_argument(op("add_"), 2, &a) == GRADUS_OK);
  CHECK(!strcmp(a.name, "alpha") && a.kind == GRADUS_V_F64 && a.flags == (GRADUS_ARG_KEYWORD | GRADUS_ARG_NUMBER));
  CHECK(a.default_value.kind == GRADUS_V_I64 && a.default_value.u.i64 == 1);
  CHECK(gradus_op_describe_argument(op("add_"), 0, &a) == GRADUS_OK && a.flags == (GRADUS_ARG_WRITTEN | GRADUS_ARG_GRADIENT_FLOWS));
  CHECK(gradus_op_describe(NULL, &i) == GRADUS_E_NULL && gradus_op_describe(op("add"), NULL) == GRADUS_E_NULL);

  CHECK(gradus_registry_json(NULL, 0, &length) == GRADUS_OK && length > 1000);
  text = malloc(length + 1);
  CHECK(gradus_registry_json(text, length + 1, &length) == GRADUS_OK && strlen(text) == length && text[0] == '{');
  free(text);
  CHECK(gradus_registry_json(NULL, 5, &length) == GRADUS_E_NULL && gradus_registry_json(NULL, 0, NULL) == GRADUS_E_NULL);
}

int main(void) {
  registry(); /* needs no context */
  calls();
  complex_numbers();
  outs();
  batch();
  return finish("capi_invoke_test");
}
