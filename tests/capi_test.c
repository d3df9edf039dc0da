/* Contexts, tensors, operations, gradients, hooks and the graph, by the public header alone. */
#include "capi_check.h"

static void versions(void) {
  CHECK(gradus_api_level() >= GRADUS_API_LEVEL);
  CHECK(gradus_version() != 0 && strlen(gradus_version_string()) >= 5);
  CHECK(gradus_has_feature("threads", 7) == 1 && gradus_has_feature("warp drive", 10) == 0);
  CHECK(!strcmp(gradus_status_name(GRADUS_E_SHAPE), "GRADUS_E_SHAPE"));
  CHECK(!strcmp(gradus_status_name(0x03ff), "GRADUS_E_STATE"));
  CHECK(!strcmp(gradus_status_name(7), "unknown"));
  CHECK(!strcmp(gradus_dtype_name(GRADUS_F32), "float32") && gradus_dtype_size(GRADUS_BF16) == 2);
  CHECK(gradus_dtype_name(0) == NULL && gradus_dtype_name(99) == NULL && gradus_dtype_size(-1) == 0);
}

static void contexts(void) {
  gradus_context *ctx = new_context(), *other = new_context();
  gradus_context_info a, b;
  int32_t before = -1;
  SIZED(a);
  b = a;
  OK(gradus_context_describe(ctx, &a));
  OK(gradus_context_describe(other, &b));
  CHECK(a.flags == GRADUS_CONTEXT_RECORDING);
  CHECK(a.seed != 0 && a.seed != b.seed);
  OK(gradus_context_set_recording(ctx, 0, &before));
  CHECK(before == 1);
  OK(gradus_context_set_inference(ctx, 1, &before));
  CHECK(before == 0);
  OK(gradus_context_set_seed(ctx, 7));
  OK(gradus_context_describe(ctx, &a));
  CHECK(a.flags == GRADUS_CONTEXT_INFERENCE && a.seed == 7 && a.random_offset == 0);
  OK(gradus_context_set_random_state(ctx, 7, 12));
  OK(gradus_context_describe(ctx, &a));
  CHECK(a.random_offset == 12);
  gradus_retain(ctx);
  gradus_release(ctx);
  OK(gradus_context_describe(ctx, &a));
  gradus_release(ctx);
  gradus_release(other);
  gradus_release(NULL);
  gradus_retain(NULL);
}

static int destroyed;
static void on_destroy(void *user) { destroyed += *(int *)user; }

static void tensors(void) {
  gradus_context *ctx = new_context();
  gradus_tensor *t, *u;
  gradus_tensor_info i;
  const int64_t shape[2] = {2, 3}, turned[2] = {1, 2}, empty[2] = {0, 3};
  const int32_t numbers[6] = {1, 2, 3, 4, 5, 6};
  const double in_columns[6] = {1, 3, 5, 2, 4, 6}, zeros[6] = {0, 0, 0, 0, 0, 0};
  double memory[3] = {1, 2, 3}, d;
  uint8_t any_bool[3] = {0, 1, 77};
  const double as_bool[3] = {0, 1, 1};
  int64_t n, three = 3;
  int weight = 5;
  char text[64];
  size_t length;
  SIZED(i);

  OK(gradus_tensor_zeros(ctx, 0, 2, shape, &t));
  VALUES(t, zeros, 6);
  CHECK(gradus_tensor_describe(t, &i) == GRADUS_OK);
  CHECK(i.dtype == GRADUS_F32 && i.rank == 2 && i.shape[1] == 3 && i.strides[0] == 3 && i.count == 6 && i.data != NULL);
  CHECK(i.flags == (GRADUS_TENSOR_LEAF | GRADUS_TENSOR_CONTIGUOUS) && !strcmp(i.dtype_name, "float32"));
  gradus_release(t);

  OK(gradus_tensor_copy_in(ctx, GRADUS_I32, 2, shape, turned, numbers, sizeof numbers, &t));
  VALUES(t, in_columns, 6);
  FAILS(gradus_tensor_item_f64(ctx, t, &d), GRADUS_E_VALUE, "item|[2, 3]|6");
  gradus_release(t);
  OK(gradus_tensor_copy_in(ctx, GRADUS_BOOL, 1, &three, NULL, any_bool, 3, &t));
  VALUES(t, as_bool, 3);
  gradus_release(t);

  OK(gradus_tensor_copy_in(ctx, GRADUS_I32, 0, NULL, NULL, numbers + 4, sizeof *numbers, &t));
  OK(gradus_tensor_item_f64(ctx, t, &d));
  OK(gradus_tensor_item_i64(ctx, t, &n));
  CHECK(d == 5 && n == 5);
  OK(gradus_tensor_print(ctx, t, text, sizeof text, &length));
  CHECK(!strcmp(text, "tensor(5, dtype=torch.int32)") || !strcmp(text, "tensor(5, dtype=int32)"));
  CHECK(length == strlen(text));
  OK(gradus_tensor_print(ctx, t, text, 4, &length));
  CHECK(!strcmp(text, "ten") && length > 4);
  gradus_release(t);

  OK(gradus_tensor_wrap(ctx, GRADUS_F64, 1, &three, NULL, memory, sizeof memory, 0, on_destroy, &weight, &t));
  CHECK(counts_now().foreign_blocks == 1);
  OK(gradus_mul_scalar_(ctx, t, 2, NULL));
  CHECK(memory[2] == 6 && destroyed == 0);
  OK(gradus_tensor_detach(ctx, t, &u));
  CHECK(gradus_tensor_describe(u, &i) == GRADUS_OK && i.version == 1);
  gradus_release(t);
  CHECK(destroyed == 0);
  gradus_release(u);
  CHECK(destroyed == 5);
  OK(gradus_tensor_wrap(ctx, GRADUS_F64, 1, &three, NULL, memory, sizeof memory, GRADUS_WRAP_READ_ONLY, NULL, NULL, &t));
  FAILS(gradus_mul_scalar_(ctx, t, 2, NULL), GRADUS_E_STATE, "mul_|read-only");
  gradus_release(t);

  OK(gradus_tensor_zeros(ctx, GRADUS_F32, 2, empty, &t));
  CHECK(gradus_tensor_describe(t, &i) == GRADUS_OK && i.data == NULL && i.count == 0);
  OK(gradus_tensor_copy_out(ctx, t, 0, NULL, 0));
  gradus_release(ctx); /* the tensor outlives it */
  CHECK(gradus_tensor_describe(t, &i) == GRADUS_OK);
  gradus_release(t);
}

static void gradients(void) {
  gradus_context *ctx = new_context();
  const double x[3] = {1, 2, 3}, dx[3] = {2, 4, 6}, twice[3] = {4, 8, 12}, second[3] = {2, 2, 2};
  double trace = 0;
  gradus_tensor *a = vector(ctx, x, 3), *y, *loss, *g, *g2, *s;
  gradus_tensor_info i;
  gradus_backward_options options;
  SIZED(i);
  SIZED(options);

  OK(gradus_tensor_set_requires_grad(ctx, a, 1));
  OK(gradus_tensor_grad(ctx, a, &g));
  CHECK(g == NULL);
  OK(gradus_mul(ctx, a, a, &y));
  OK(gradus_sum(ctx, y, NULL, 0, 0, 0, &loss));
  CHECK(gradus_tensor_describe(loss, &i) == GRADUS_OK && i.flags & GRADUS_TENSOR_REQUIRES_GRAD && !(i.flags & GRADUS_TENSOR_LEAF));
  options.flags = GRADUS_BACKWARD_KEEP_GRAPH;
  OK(gradus_backward(ctx, &loss, 1, NULL, &options));
  OK(gradus_tensor_grad(ctx, a, &g));
  VALUES(g, dx, 3);
  gradus_release(g);
  OK(gradus_backward(ctx, &loss, 1, NULL, NULL));
  OK(gradus_tensor_grad(ctx, a, &g));
  VALUES(g, twice, 3);
  gradus_release(g);
  FAILS(gradus_backward(ctx, &loss, 1, NULL, NULL), GRADUS_E_GRAPH_FREED, "MulBackward0|retain_graph");
  OK(gradus_tensor_set_grad(ctx, a, NULL));
  OK(gradus_tensor_grad(ctx, a, &g));
  CHECK(g == NULL);
  gradus_release(loss);
  gradus_release(y);

  /* second order, and nothing added to .grad */
  OK(gradus_mul(ctx, a, a, &y));
  OK(gradus_sum(ctx, y, NULL, 0, 0, 0, &loss));
  options.flags = GRADUS_BACKWARD_RECORD;
  OK(gradus_grad(ctx, &loss, 1, &a, 1, NULL, &options, &g));
  VALUES(g, dx, 3);
  OK(gradus_sum(ctx, g, NULL, 0, 0, 0, &s));
  OK(gradus_grad(ctx, &s, 1, &a, 1, NULL, NULL, &g2));
  VALUES(g2, second, 3);
  gradus_release(g2);
  gradus_release(s);
  gradus_release(g);
  OK(gradus_tensor_grad(ctx, a, &g));
  CHECK(g == NULL);

  /* a batch of gradients */
  options.flags = GRADUS_BACKWARD_KEEP_GRAPH | GRADUS_BACKWARD_BATCHED;
  OK(gradus_eye(ctx, 3, NULL, GRADUS_F64, &s));
  FAILS(gradus_backward(ctx, &y, 1, &s, &options), GRADUS_E_ARGUMENT, "backward: a batch");
  OK(gradus_grad(ctx, &y, 1, &a, 1, &s, &options, &g));
  OK(gradus_sum(ctx, g, NULL, 0, 0, 0, &g2)); /* the trace of the Jacobian */
  OK(gradus_tensor_item_f64(ctx, g2, &trace));
  CHECK(trace == dx[0] + dx[1] + dx[2]);
  gradus_release(g2);
  gradus_release(s);
  gradus_release(g);

  /* inputs of backward, seeds */
  options.flags = 0;
  options.input_count = 1;
  options.inputs = &y;
  s = vector(ctx, dx, 3);
  OK(gradus_tensor_retain_grad(ctx, y));
  OK(gradus_backward(ctx, &y, 1, &s, &options));
  OK(gradus_tensor_grad(ctx, y, &g));
  CHECK(g != NULL);
  gradus_release(g);
  OK(gradus_tensor_grad(ctx, a, &g));
  CHECK(g == NULL);
  gradus_release(s);
  gradus_release(loss);
  gradus_release(y);
  gradus_release(a);
  gradus_release(ctx);
}

static int calls;
static gradus_status doubled(void *user, gradus_context *ctx, gradus_tensor *grad, gradus_tensor **replacement) {
  calls += *(int *)user;
  return gradus_mul_scalar(ctx, grad, 2, replacement);
}
static gradus_status failing(void *user, gradus_context *ctx, gradus_tensor *grad, gradus_tensor **replacement) {
  (void)user;
  (void)grad;
  (void)replacement;
  return gradus_context_fail(ctx, GRADUS_E_CALLBACK, 4711, "I refuse", 8);
}
static gradus_status silent(void *user, gradus_context *ctx, gradus_tensor *grad, gradus_tensor **replacement) {
  (void)user;
  (void)ctx;
  (void)grad;
  (void)replacement;
  return GRADUS_E_CALLBACK + 3;
}

static void hooks(void) {
  gradus_context *ctx = new_context();
  const double x[2] = {3, 4}, dx[2] = {12, 16};
  gradus_tensor *a = vector(ctx, x, 2), *y, *g;
  gradus_error e;
  uint64_t id = 0, bad = 0;
  int one = 1;
  SIZED(e);
  destroyed = 0;
  FAILS(gradus_tensor_add_hook(ctx, a, doubled, &one, on_destroy, &id), GRADUS_E_STATE, "require grad");
  CHECK(destroyed == 0 && counts_now().callbacks == 0);
  OK(gradus_tensor_set_requires_grad(ctx, a, 1));
  OK(gradus_tensor_add_hook(ctx, a, doubled, &one, on_destroy, &id));
  OK(gradus_mul(ctx, a, a, &y));
  OK(gradus_sum(ctx, y, NULL, 0, 0, 0, &g));
  OK(gradus_backward(ctx, &g, 1, NULL, NULL));
  gradus_release(g);
  gradus_release(y);
  OK(gradus_tensor_grad(ctx, a, &g));
  VALUES(g, dx, 2);
  gradus_release(g);
  CHECK(calls == 1);
  OK(gradus_tensor_remove_hook(ctx, a, id));
  CHECK(destroyed == 1);
  FAILS(gradus_tensor_remove_hook(ctx, a, id), GRADUS_E_INDEX, "hook");

  OK(gradus_tensor_add_hook(ctx, a, failing, NULL, NULL, &bad));
  OK(gradus_sum(ctx, a, NULL, 0, 0, 0, &y));
  FAILS(gradus_backward(ctx, &y, 1, NULL, NULL), GRADUS_E_CALLBACK, "I refuse");
  gradus_context_error(ctx, &e);
  CHECK(e.user_code == 4711 && e.message_length == 8);
  OK(gradus_tensor_remove_hook(ctx, a, bad));
  OK(gradus_tensor_add_hook(ctx, a, silent, NULL, NULL, &bad));
  FAILS(gradus_backward(ctx, &y, 1, NULL, NULL), GRADUS_E_CALLBACK + 3, "did not say why");
  gradus_release(y);
  gradus_release(a);
  gradus_release(ctx);
}

static void graph(void) {
  gradus_context *ctx = new_context();
  const double x[2] = {1, 2};
  gradus_tensor *a = vector(ctx, x, 2), *s, *b, *v;
  gradus_node *node, *next, *leaf;
  gradus_node_info info;
  char name[32];
  size_t length;
  uint32_t nr = 9;
  SIZED(info);
  OK(gradus_tensor_set_requires_grad(ctx, a, 1));
  OK(gradus_tensor_grad_fn(ctx, a, &node));
  CHECK(node == NULL);
  OK(gradus_sin(ctx, a, &s));
  OK(gradus_mul_scalar(ctx, s, 2, &b));
  OK(gradus_tensor_grad_fn(ctx, b, &node));
  OK(gradus_node_name(ctx, node, name, sizeof name, &length));
  CHECK(!strcmp(name, "MulBackward0") && length == 12);
  CHECK(gradus_node_describe(node, &info) == GRADUS_OK && info.edge_count == 2 && info.output_count == 1 && info.flags == 0);
  OK(gradus_node_next(ctx, node, 1, &next, NULL));
  CHECK(next == NULL); /* the number */
  FAILS(gradus_node_next(ctx, node, 2, &next, NULL), GRADUS_E_INDEX, "edge 2");
  OK(gradus_node_next(ctx, node, 0, &next, &nr));
  OK(gradus_node_name(ctx, next, name, 4, &length));
  CHECK(!strcmp(name, "Sin") && length == 12 && nr == 0);
  OK(gradus_node_next(ctx, next, 0, &leaf, NULL));
  OK(gradus_node_name(ctx, leaf, name, sizeof name, NULL));
  CHECK(!strcmp(name, "AccumulateGrad"));
  CHECK(gradus_node_describe(leaf, &info) == GRADUS_OK && info.flags == GRADUS_NODE_LEAF && info.edge_count == 0);
  OK(gradus_node_variable(ctx, leaf, &v));
  CHECK(v == a);
  gradus_release(v);
  OK(gradus_node_variable(ctx, next, &v));
  CHECK(v == NULL);
  gradus_release(a);
  gradus_release(s);
  gradus_release(b);
  gradus_retain(leaf);
  gradus_release(leaf);
  CHECK(counts_now().graph_nodes == 3);
  gradus_release(leaf);
  gradus_release(next);
  gradus_release(node);
  gradus_release(ctx);
}

static void modes(void) {
  gradus_context *ctx = new_context();
  const double x[1] = {2};
  const int64_t one = 1;
  gradus_tensor *a = vector(ctx, x, 1), *y, *z, *loss;
  gradus_tensor_info i;
  SIZED(i);
  OK(gradus_tensor_set_requires_grad(ctx, a, 1));
  FAILS(gradus_sin_(ctx, a, NULL), GRADUS_E_STATE, "sin_|leaf");
  OK(gradus_context_set_recording(ctx, 0, NULL));
  OK(gradus_sin_(ctx, a, NULL));
  OK(gradus_mul(ctx, a, a, &y));
  CHECK(gradus_tensor_describe(y, &i) == GRADUS_OK && !(i.flags & GRADUS_TENSOR_REQUIRES_GRAD));
  gradus_release(y);
  OK(gradus_context_set_recording(ctx, 1, NULL));
  OK(gradus_context_set_inference(ctx, 1, NULL));
  OK(gradus_tensor_zeros(ctx, GRADUS_F64, 1, &one, &y));
  OK(gradus_context_set_inference(ctx, 0, NULL));
  CHECK(gradus_tensor_describe(y, &i) == GRADUS_OK && i.flags & GRADUS_TENSOR_INFERENCE);
  FAILS(gradus_mul(ctx, a, y, &z), GRADUS_E_STATE, "inference");
  gradus_release(y);

  /* a saved value that changed */
  OK(gradus_sin(ctx, a, &y));
  OK(gradus_exp(ctx, y, &z));
  OK(gradus_mul_scalar_(ctx, z, 2, NULL));
  OK(gradus_sum(ctx, z, NULL, 0, 0, 0, &loss));
  FAILS(gradus_backward(ctx, &loss, 1, NULL, NULL), GRADUS_E_IN_PLACE, "ExpBackward0|[1]|version 1|expected 0");
  gradus_release(loss);
  gradus_release(z);
  gradus_release(y);
  gradus_release(a);
  gradus_release(ctx);
}

int main(void) {
  versions();
  contexts();
  tensors();
  gradients();
  hooks();
  graph();
  modes();
  return finish("capi_test");
}
