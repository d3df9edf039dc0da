/* What a node keeps, by name: lists of tensors member by member, and the values that a function of the host saved. */
#include <stdlib.h>

#include "capi_check.h"

static gradus_node *node_of(gradus_context *ctx, const gradus_tensor *t) {
  gradus_node *n = NULL;
  OK(gradus_tensor_grad_fn(ctx, t, &n));
  CHECK(n != NULL);
  return n;
}
static gradus_value saved(gradus_context *ctx, const gradus_node *n, const char *name) {
  gradus_value v;
  memset(&v, 0xff, sizeof v);
  OK(gradus_node_saved(ctx, n, name, strlen(name), &v));
  return v;
}
static void no_such(gradus_context *ctx, const gradus_node *n, const char *name, gradus_status status, const char *words) {
  gradus_value v;
  FAILS(gradus_node_saved(ctx, n, name, strlen(name), &v), status, words);
  CHECK(v.kind == GRADUS_V_DEFAULT && v.u.ptr == NULL);
}
static uint64_t identity(const gradus_tensor *t) {
  gradus_tensor_info info;
  SIZED(info);
  CHECK(gradus_tensor_describe(t, &info) == GRADUS_OK);
  return info.identity;
}
static gradus_tensor *leaf(gradus_context *ctx, const double *values, int64_t n) {
  gradus_tensor *t = vector(ctx, values, n);
  OK(gradus_tensor_set_requires_grad(ctx, t, 1));
  return t;
}

static void lists(void) {
  gradus_context *ctx = new_context();
  const double data[3] = {1, 2, 3}, seven = 7;
  const int64_t where[2] = {2, 0}, two = 2;
  int64_t got[2] = {0, 0};
  gradus_tensor *x = leaf(ctx, data, 3), *index = NULL, *y = NULL, *both[2], *z = NULL;
  gradus_node *n;
  gradus_value v;
  OK(gradus_tensor_copy_in(ctx, GRADUS_I64, 1, &two, NULL, where, sizeof where, &index));
  OK(gradus_index(ctx, x, &index, 1, &y));
  n = node_of(ctx, y);
  v = saved(ctx, n, "indices");
  CHECK(v.kind == GRADUS_V_TENSOR_LIST && v.length == 1 && v.u.ptr == NULL);
  v = saved(ctx, n, "indices[0]");
  CHECK(v.kind == GRADUS_V_TENSOR);
  OK(gradus_tensor_copy_out(ctx, v.u.tensor, GRADUS_I64, got, sizeof got));
  CHECK(memcmp(got, where, sizeof where) == 0);
  gradus_release(v.u.tensor);
  no_such(ctx, n, "indices[1]", GRADUS_E_INDEX, "IndexBackward0|'indices[1]'");
  no_such(ctx, n, "indices[-1]", GRADUS_E_INDEX, "'indices[-1]'");
  no_such(ctx, n, "indices[0", GRADUS_E_INDEX, "'indices[0'");
  no_such(ctx, n, "indices[99999999999]", GRADUS_E_INDEX, "'indices[");
  no_such(ctx, n, "[0]", GRADUS_E_INDEX, "'[0]'");
  no_such(ctx, n, "", GRADUS_E_INDEX, "''");
  no_such(ctx, n, "self[0]", GRADUS_E_INDEX, "'self[0]'");
  no_such(ctx, n, "result[1]", GRADUS_E_INDEX, "'result[1]'");
  CHECK(saved(ctx, n, "result[0]").kind == GRADUS_V_NONE);
  gradus_release(n);

  both[0] = x;
  both[1] = leaf(ctx, &seven, 1);
  OK(gradus_cat(ctx, both, 2, 0, &z));
  n = node_of(ctx, z);
  v = saved(ctx, n, "tensors");
  CHECK(v.kind == GRADUS_V_TENSOR_LIST && v.length == 2);
  CHECK(saved(ctx, n, "tensors[1]").kind == GRADUS_V_NONE);    /* its rule reads only the sizes */
  gradus_release(n);
  gradus_release(z); gradus_release(both[1]); gradus_release(y); gradus_release(index); gradus_release(x);
  gradus_release(ctx);
}

/* 2 x, which saves x, nothing, and twice x. */
static gradus_status forward(void *user, gradus_context *ctx, gradus_function_call *call, gradus_tensor *const *in, size_t n,
                             gradus_tensor **out, size_t capacity, size_t *count) {
  gradus_tensor *keep[3];
  CHECK(user == NULL && n == 1 && capacity == 1);
  OK(gradus_mul_scalar(ctx, in[0], 2.0, &out[0]));
  *count = 1;
  keep[0] = in[0];
  keep[1] = NULL;
  keep[2] = out[0];
  return gradus_function_save_for_backward(ctx, call, keep, 3);
}
static gradus_status vjp(void *user, gradus_context *ctx, gradus_function_call *call, gradus_tensor *const *g, size_t n,
                         gradus_tensor **out, size_t capacity, size_t *count) {
  CHECK(user == NULL && n == 1 && capacity == 1 && call != NULL);
  *count = 1;
  return gradus_mul_scalar(ctx, g[0], 2.0, &out[0]);
}
static char *export_of(gradus_context *ctx, gradus_tensor *t, int32_t format) {
  gradus_graph_options o;
  size_t length = 0;
  char *text;
  SIZED(o);
  o.flags = GRADUS_GRAPH_WITH_SAVED;
  OK(gradus_graph_export(ctx, &t, 1, &o, format, NULL, 0, &length));
  text = malloc(length + 1);
  OK(gradus_graph_export(ctx, &t, 1, &o, format, text, length + 1, &length));
  return text;
}
static void expect_text(char *text, const char *part) {
  CHECK(strstr(text, part) != NULL);
  free(text);
}

static void functions(void) {
  gradus_context *ctx = new_context();
  const double data[2] = {1, 2}, doubled[2] = {2, 4};
  gradus_tensor *x = leaf(ctx, data, 2), *y = NULL, *s = NULL;
  gradus_function f;
  gradus_node *n, *of;
  gradus_node_info first, second;
  gradus_value v;
  size_t count = 0;
  SIZED(f);
  f.name = "Keeper";
  f.forward = forward;
  f.vjp = vjp;
  OK(gradus_function_apply(ctx, &f, &x, 1, &y, 1, &count));
  OK(gradus_sum(ctx, y, NULL, 0, 0, 0, &s));
  n = node_of(ctx, y);
  v = saved(ctx, n, "saved");
  CHECK(v.kind == GRADUS_V_TENSOR_LIST && v.length == 3 && v.u.ptr == NULL);
  v = saved(ctx, n, "saved[0]");
  CHECK(v.kind == GRADUS_V_TENSOR && identity(v.u.tensor) == identity(x));
  gradus_release(v.u.tensor);
  CHECK(saved(ctx, n, "saved[1]").kind == GRADUS_V_NONE);
  v = saved(ctx, n, "saved[2]");
  VALUES(v.u.tensor, doubled, 2);
  of = node_of(ctx, v.u.tensor);                               /* with the history it had */
  SIZED(first);
  SIZED(second);
  CHECK(gradus_node_describe(n, &first) == GRADUS_OK && gradus_node_describe(of, &second) == GRADUS_OK && first.identity == second.identity);
  gradus_release(of);
  gradus_release(v.u.tensor);
  no_such(ctx, n, "saved[3]", GRADUS_E_INDEX, "KeeperBackward|'saved[3]'|3 values");
  no_such(ctx, n, "self", GRADUS_E_INDEX, "KeeperBackward|'self'");
  expect_text(export_of(ctx, s, GRADUS_GRAPH_JSON), "\"saved\": [{\"what\": \"saved[0]\", \"output\": false, \"freed\": false, \"packed\": false, \"shape\": [2], "
              "\"dtype\": \"float64\", \"bytes\": 16}, {\"what\": \"saved[2]\", \"output\": true, ");
  expect_text(export_of(ctx, s, GRADUS_GRAPH_DOT), "label=\"saved[2]\\nfloat64 [2]\\n16 bytes\"");
  OK(gradus_backward(ctx, &s, 1, NULL, NULL));
  no_such(ctx, n, "saved[0]", GRADUS_E_GRAPH_FREED, "KeeperBackward|freed");
  CHECK(saved(ctx, n, "saved").length == 3);
  expect_text(export_of(ctx, s, GRADUS_GRAPH_JSON), "{\"what\": \"saved[0]\", \"output\": false, \"freed\": true}");
  expect_text(export_of(ctx, s, GRADUS_GRAPH_DOT), "label=\"saved[0]\\nfreed\"");
  gradus_release(n); gradus_release(s); gradus_release(y); gradus_release(x);
  gradus_release(ctx);
}

int main(void) {
  lists();
  functions();
  return finish("capi_node_saved_test");
}
