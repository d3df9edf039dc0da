/* Nodes called by themselves and what a program keeps with them; what callbacks may ask of a pass; modes that are told; small tensor calls. */
#include "capi_check.h"
#include "capi_chain.h"

static int destroyed;
static void on_destroy(void *user) { destroyed += *(int *)user; }

/* mul's gradients are g * other and g * self. */
static void calls(void) {
  gradus_context *ctx = new_context();
  chain c = make_chain(ctx);
  const double seed[2] = {10, 1}, long_seed[3] = {1, 2, 3};
  double wanted[2];
  gradus_tensor *g = vector(ctx, seed, 2), *wide = vector(ctx, long_seed, 3), *none = NULL, *got[2], *pair[2], *parts, *grad;
  gradus_node *mul, *leaf;
  const int64_t two = 2;
  size_t n = 9;
  int32_t before;
  gradus_tensor_info info;
  SIZED(info);
  OK(gradus_tensor_grad_fn(ctx, c.y, &mul));
  OK(gradus_node_call(ctx, mul, &g, 1, got, 2, &n));
  CHECK(n == 2);
  wanted[0] = 10 * start[0]; wanted[1] = start[1];
  VALUES(got[0], wanted, 2);
  wanted[0] = 10 * exp(start[0]); wanted[1] = exp(start[1]);
  VALUES(got[1], wanted, 2);
  CHECK(gradus_tensor_describe(got[0], &info) == GRADUS_OK && info.flags & GRADUS_TENSOR_REQUIRES_GRAD);
  gradus_release(got[0]); gradus_release(got[1]);
  OK(gradus_context_set_recording(ctx, 0, &before));
  OK(gradus_node_call(ctx, mul, &g, 1, got, 2, NULL));
  CHECK(gradus_tensor_describe(got[0], &info) == GRADUS_OK && !(info.flags & GRADUS_TENSOR_REQUIRES_GRAD));
  gradus_release(got[0]); gradus_release(got[1]);
  OK(gradus_context_set_recording(ctx, before, NULL));
  OK(gradus_node_call(ctx, mul, &none, 1, got, 2, &n));
  CHECK(n == 2 && got[0] == NULL && got[1] == NULL);

  pair[0] = pair[1] = g;
  FAILS(gradus_node_call(ctx, mul, pair, 2, got, 2, &n), GRADUS_E_VALUE, "MulBackward0|2 gradients for 1");
  CHECK(n == 0 && got[0] == NULL);
  FAILS(gradus_node_call(ctx, mul, &g, 1, got, 1, &n), GRADUS_E_VALUE, "node_call|MulBackward0|2 results|1");
  CHECK(n == 2 && got[0] == NULL);
  FAILS(gradus_node_call(ctx, mul, &g, 1, NULL, 2, &n), GRADUS_E_NULL, "results");
  FAILS(gradus_node_call(ctx, mul, NULL, 1, got, 2, &n), GRADUS_E_NULL, "gradients");
  FAILS(gradus_node_call(ctx, mul, &wide, 1, got, 2, &n), GRADUS_E_SHAPE, "MulBackward0|gradient 0|[3]|[2]");
  FAILS(gradus_node_call(ctx, NULL, &g, 1, got, 2, &n), GRADUS_E_NULL, "node");
  FAILS(gradus_node_call(ctx, (gradus_node *)g, &g, 1, got, 2, &n), GRADUS_E_HANDLE, "node|tensor");
  OK(gradus_ones(ctx, &two, 1, GRADUS_C128, &parts));
  FAILS(gradus_node_call(ctx, mul, &parts, 1, got, 2, &n), GRADUS_E_DTYPE, "MulBackward0|gradient 0|complex128");

  OK(gradus_tensor_grad(ctx, c.x, &grad));
  CHECK(grad == NULL);
  OK(gradus_node_next(ctx, mul, 1, &leaf, NULL));
  OK(gradus_node_call(ctx, leaf, &g, 1, NULL, 0, &n));
  CHECK(n == 0);
  OK(gradus_tensor_grad(ctx, c.x, &grad));
  VALUES(grad, seed, 2);
  gradus_release(grad);
  OK(gradus_backward(ctx, &c.s, 1, NULL, NULL));
  FAILS(gradus_node_call(ctx, mul, &g, 1, got, 2, &n), GRADUS_E_GRAPH_FREED, "MulBackward0");
  gradus_release(leaf); gradus_release(mul); gradus_release(g); gradus_release(wide); gradus_release(parts);
  free_chain(&c);
  gradus_release(ctx);
}

static void user_data(void) {
  gradus_context *ctx = new_context();
  chain c = make_chain(ctx);
  gradus_node *leaf;
  int one = 1, ten = 10, hundred = 100;
  OK(gradus_node_next(ctx, c.exp_node, 0, &leaf, NULL));
  CHECK(gradus_node_user(c.exp_node) == NULL && gradus_node_user(NULL) == NULL && gradus_node_user((gradus_node *)c.x) == NULL);
  OK(gradus_node_set_user(ctx, c.exp_node, &one, on_destroy));
  CHECK(gradus_node_user(c.exp_node) == &one && counts_now().callbacks == 1);
  OK(gradus_node_set_user(ctx, c.exp_node, &ten, on_destroy));
  CHECK(destroyed == 1 && gradus_node_user(c.exp_node) == &ten);
  OK(gradus_node_set_user(ctx, leaf, &hundred, on_destroy));
  FAILS(gradus_node_set_user(ctx, NULL, &one, on_destroy), GRADUS_E_NULL, "node");
  FAILS(gradus_node_set_user(ctx, (gradus_node *)c.x, &one, on_destroy), GRADUS_E_HANDLE, "node|tensor");
  OK(gradus_backward(ctx, &c.s, 1, NULL, NULL));
  CHECK(destroyed == 1);
  gradus_release(leaf);
  free_chain(&c);
  CHECK(destroyed == 111 && counts_now().callbacks == 0);

  c = make_chain(ctx);
  OK(gradus_node_set_user(ctx, c.exp_node, &one, NULL));
  CHECK(gradus_node_user(c.exp_node) == &one && counts_now().callbacks == 0);
  OK(gradus_node_set_user(ctx, c.exp_node, NULL, NULL));
  CHECK(gradus_node_user(c.exp_node) == NULL);
  free_chain(&c);
  CHECK(destroyed == 111);
  gradus_release(ctx);
}

/* What a hook finds of the pass it runs in. */
typedef struct found { size_t count; char names[8][32]; uint64_t id; int32_t too_few; } found;
static gradus_status look(void *user, gradus_context *ctx, gradus_tensor *grad, gradus_tensor **replacement) {
  found *f = (found *)user;
  gradus_node *nodes[8];
  size_t i, n = 0;
  (void)grad; (void)replacement;
  f->too_few = gradus_backward_order(ctx, nodes, 1, &n);
  CHECK(n > 1 && nodes[0] == NULL);
  OK(gradus_backward_order(ctx, nodes, 8, &f->count));
  for (i = 0; i < f->count; ++i) {
    OK(gradus_node_name(ctx, nodes[i], f->names[i], 32, NULL));
    gradus_release(nodes[i]);
  }
  FAILS(gradus_backward_order(ctx, NULL, 1, &n), GRADUS_E_NULL, "results");
  OK(gradus_backward_id(ctx, &f->id));
  return GRADUS_OK;
}
static void passes(void) {
  gradus_context *ctx = new_context();
  chain c = make_chain(ctx);
  found f;
  gradus_tensor *g;
  gradus_node *nodes[1];
  gradus_backward_options keep;
  uint64_t first, id = 7;
  size_t n = 7;
  SIZED(keep);
  keep.flags = GRADUS_BACKWARD_KEEP_GRAPH;
  memset(&f, 0, sizeof f);
  OK(gradus_tensor_add_hook(ctx, c.y, look, &f, NULL, NULL));
  OK(gradus_backward(ctx, &c.s, 1, NULL, &keep));
  CHECK(f.too_few == GRADUS_E_VALUE && f.count == 4);
  CHECK(!strcmp(f.names[0], "SumBackward0") && !strcmp(f.names[1], "MulBackward0") && !strcmp(f.names[2], "ExpBackward0") && !strcmp(f.names[3], "AccumulateGrad"));
  first = f.id;
  CHECK(first != 0);
  OK(gradus_grad(ctx, &c.s, 1, &c.e, 1, NULL, &keep, &g)); /* to e, and no further */
  CHECK(f.count == 3 && f.id != first && f.id != 0);
  gradus_release(g);
  OK(gradus_backward_id(ctx, &id));
  CHECK(id == 0);
  FAILS(gradus_backward_id(ctx, NULL), GRADUS_E_NULL, "id");
  FAILS(gradus_backward_order(ctx, nodes, 1, &n), GRADUS_E_STATE, "no backward pass");
  CHECK(n == 0 && nodes[0] == NULL);
  FAILS(gradus_grad(ctx, &c.s, 1, NULL, 0, NULL, NULL, NULL), GRADUS_E_VALUE, "grad: no inputs given");
  free_chain(&c);
  gradus_release(ctx);
}

static void modes(void) {
  gradus_context *ctx = NULL;
  gradus_context_options o;
  gradus_context_info i;
  int32_t before = 7;
  uint64_t ran = 7;
  SIZED(o);
  SIZED(i);
  o.flags = GRADUS_CTX_DETERMINISTIC;
  CHECK(gradus_context_create(&o, &ctx) == GRADUS_OK);
  OK(gradus_context_describe(ctx, &i));
  CHECK(i.flags == (GRADUS_CONTEXT_RECORDING | GRADUS_CONTEXT_DETERMINISTIC) && i.anomaly == 0);
  OK(gradus_context_set_deterministic(ctx, 0, &before));
  CHECK(before == 1);
  OK(gradus_context_set_anomaly(ctx, GRADUS_ANOMALY_INF | GRADUS_ANOMALY_FORWARD, NULL));
  OK(gradus_context_describe(ctx, &i));
  CHECK(i.flags == GRADUS_CONTEXT_RECORDING && i.anomaly == (GRADUS_ANOMALY_INF | GRADUS_ANOMALY_FORWARD));
  OK(gradus_context_set_deterministic(ctx, 5, &before));
  CHECK(before == 0);
  OK(gradus_context_set_deterministic(ctx, 1, &before));
  CHECK(before == 1);
  OK(gradus_context_set_anomaly(ctx, 0, NULL));
  OK(gradus_context_describe(ctx, &i));
  CHECK(i.flags & GRADUS_CONTEXT_DETERMINISTIC && i.anomaly == 0);
  OK(gradus_context_poll(ctx, &ran)); /* a context that does not poll has nothing waiting */
  CHECK(ran == 0);
  OK(gradus_context_poll(ctx, NULL));
  CHECK(gradus_context_poll(NULL, &ran) == GRADUS_E_NULL);
  gradus_release(ctx);
}

static void polled(void) {
  gradus_context *ctx = NULL;
  gradus_context_options o;
  chain c;
  int one = 1;
  uint64_t ran = 7;
  destroyed = 0;
  SIZED(o);
  o.flags = GRADUS_CTX_POLLED_DESTROY;
  CHECK(gradus_context_create(&o, &ctx) == GRADUS_OK);
  c = make_chain(ctx);
  OK(gradus_node_set_user(ctx, c.exp_node, &one, on_destroy));
  free_chain(&c);
  CHECK(destroyed == 0 && counts_now().callbacks == 1);
  OK(gradus_context_poll(ctx, &ran));
  CHECK(ran == 1 && destroyed == 1 && counts_now().callbacks == 0);
  gradus_release(ctx);
}

static void tensors(void) {
  gradus_context *ctx = new_context();
  chain c = make_chain(ctx);
  const int64_t shape[2] = {2, 3}, half[1] = {1};
  gradus_tensor *t = NULL, *view;
  gradus_node *node = NULL;
  gradus_tensor_info i;
  SIZED(i);
  OK(gradus_tensor_empty(ctx, GRADUS_I32, 2, shape, &t));
  CHECK(gradus_tensor_describe(t, &i) == GRADUS_OK && i.dtype == GRADUS_I32 && i.rank == 2 && i.count == 6 && i.data != NULL && i.shape[1] == 3);
  CHECK(i.flags & GRADUS_TENSOR_CONTIGUOUS);
  gradus_release(t);
  OK(gradus_tensor_empty(ctx, 0, 0, NULL, &t));
  CHECK(gradus_tensor_describe(t, &i) == GRADUS_OK && i.dtype == GRADUS_F32 && i.count == 1);
  gradus_release(t);
  FAILS(gradus_tensor_empty(ctx, 99, 2, shape, &t), GRADUS_E_DTYPE, "99");
  CHECK(t == NULL);

  OK(gradus_tensor_detach_in_place(ctx, c.e));
  CHECK(gradus_tensor_describe(c.e, &i) == GRADUS_OK && i.flags & GRADUS_TENSOR_LEAF && !(i.flags & GRADUS_TENSOR_REQUIRES_GRAD));
  OK(gradus_tensor_grad_fn(ctx, c.e, &node));
  CHECK(node == NULL);
  OK(gradus_backward(ctx, &c.s, 1, NULL, NULL)); /* what was recorded of it before stays */
  OK(gradus_tensor_grad(ctx, c.x, &t));
  CHECK(t != NULL);
  gradus_release(t);
  OK(gradus_slice(ctx, c.y, 0, &half[0], NULL, 1, &view));
  FAILS(gradus_tensor_detach_in_place(ctx, view), GRADUS_E_STATE, "view");
  OK(gradus_tensor_detach_in_place(ctx, c.x)); /* a leaf loses its flag */
  CHECK(gradus_tensor_describe(c.x, &i) == GRADUS_OK && !(i.flags & GRADUS_TENSOR_REQUIRES_GRAD));
  FAILS(gradus_tensor_detach_in_place(ctx, NULL), GRADUS_E_NULL, "tensor");
  gradus_release(view);
  free_chain(&c);
  gradus_release(ctx);
}

int main(void) {
  calls();
  user_data();
  passes();
  modes();
  polled();
  tensors();
  return finish("capi_node_test");
}
