/* Passes inside callbacks of passes: as many as the thread's stack takes, then a status. */
#include <pthread.h>
#include <stdlib.h>

#include "capi_check.h"

/* How a pass begins the next one. */
typedef enum { VJP, TENSOR_HOOK, UNPACK_HOOK, SEGMENT, NODE_CALL, OPERATION, WAYS } way;

typedef struct {
  way how;
  int deepest, depth, limit;
} nest;

static gradus_status run_nested(nest *n, gradus_context *ctx);

static gradus_tensor *leaf(gradus_context *ctx) {
  const double one = 1;
  gradus_tensor *t = vector(ctx, &one, 1);
  if (t) OK(gradus_tensor_set_requires_grad(ctx, t, 1));
  return t;
}
/* What each callback does: one more pass inside it, up to the limit. */
static gradus_status deeper(nest *n, gradus_context *ctx) {
  gradus_status s = GRADUS_OK;
  if (++n->depth > n->deepest) n->deepest = n->depth;
  if (n->depth < n->limit) s = run_nested(n, ctx);
  --n->depth;
  return s;
}

static gradus_status forward(void *user, gradus_context *ctx, gradus_function_call *call, gradus_tensor *const *in, size_t count,
                             gradus_tensor **results, size_t capacity, size_t *made) {
  (void)user, (void)call, (void)count, (void)capacity;
  *made = 1;
  return gradus_clone(ctx, in[0], &results[0]);
}
static gradus_status vjp(void *user, gradus_context *ctx, gradus_function_call *call, gradus_tensor *const *g, size_t count,
                         gradus_tensor **results, size_t capacity, size_t *made) {
  (void)call, (void)count, (void)capacity;
  *made = 1;
  gradus_retain(g[0]);
  results[0] = g[0];
  return deeper(user, ctx);
}
static gradus_status hook(void *user, gradus_context *ctx, gradus_tensor *g, gradus_tensor **changed) {
  (void)g, (void)changed;
  return deeper(user, ctx);
}
static gradus_status pack(void *user, gradus_context *ctx, gradus_tensor *value, const gradus_op *op, gradus_tensor **replacement, void **token) {
  (void)ctx, (void)op, (void)token;
  (void)user;
  gradus_retain(value);
  *replacement = value;
  return GRADUS_OK;
}
static gradus_status unpack(void *user, gradus_context *ctx, gradus_tensor *replacement, void *token, gradus_tensor **result) {
  (void)token;
  gradus_retain(replacement);
  *result = replacement;
  return deeper(user, ctx);
}
static gradus_status segment(void *user, gradus_context *ctx, gradus_tensor *const *in, size_t count, gradus_tensor **results, size_t capacity,
                             size_t *made) {
  nest *n = user;
  const gradus_status s = gradus_exp(ctx, in[0], &results[0]);
  (void)count, (void)capacity;
  *made = 1;
  if (s || n->limit > 0) return s ? s : deeper(n, ctx);
  n->limit = -n->limit;                                       /* the first run */
  return s;
}
static gradus_status op_forward(void *user, gradus_context *ctx, const gradus_value *in, size_t count, gradus_value *results, size_t capacity, size_t *made) {
  (void)user, (void)count, (void)capacity;
  *made = 1;
  results[0].kind = GRADUS_V_TENSOR;
  return gradus_mul_scalar(ctx, in[0].u.tensor, 2, &results[0].u.tensor);
}
static const gradus_op *registered;
static nest *of_operation;                                    /* an operation is registered once */
static gradus_status op_backward(void *user, gradus_context *ctx, const gradus_value *in, size_t count, gradus_value *results, size_t capacity, size_t *made) {
  (void)user, (void)capacity;
  *made = 1;
  results[0].kind = GRADUS_V_TENSOR;
  results[0].u.tensor = in[count - 1].u.tensor;
  gradus_retain(results[0].u.tensor);
  return deeper(of_operation, ctx);
}

/* y = f(x), whose backward calls deeper. */
static gradus_status apply(nest *n, gradus_context *ctx, gradus_tensor *x, gradus_tensor **y) {
  gradus_function f;
  gradus_saved_hooks h;
  gradus_checkpoint_options o;
  uint64_t id;
  gradus_status s;
  size_t made;
  switch (n->how) {
    case VJP:
    case NODE_CALL:
      SIZED(f);
      f.name = "Nest", f.forward = forward, f.vjp = vjp, f.user = n;
      return gradus_function_apply(ctx, &f, &x, 1, y, 1, NULL);
    case TENSOR_HOOK:
      s = gradus_exp(ctx, x, y);
      return s ? s : gradus_tensor_add_hook(ctx, *y, hook, n, NULL, &id);
    case UNPACK_HOOK:
      SIZED(h);
      h.pack = pack, h.unpack = unpack, h.user = n;
      s = gradus_context_push_saved_hooks(ctx, &h);
      if (s) return s;
      s = gradus_exp(ctx, x, y);
      gradus_context_pop_saved_hooks(ctx);
      return s;
    case SEGMENT:
      n->limit = -n->limit;
      SIZED(o);
      o.flags = GRADUS_CHECKPOINT_WHOLE | GRADUS_CHECKPOINT_UNCHECKED;      /* the second run does what the first does not */
      return gradus_checkpoint(ctx, segment, n, NULL, &x, 1, &o, y, 1, &made);
    default: {
      gradus_value in, out;
      memset(&in, 0, sizeof in);
      in.kind = GRADUS_V_TENSOR, in.u.tensor = x;
      s = gradus_invoke(ctx, registered, &in, 1, &out, 1, &made);
      *y = s ? NULL : out.u.tensor;
      return s;
    }
  }
}
/* The rule of the node that made y, without a pass around it. */
static gradus_status call_node(gradus_context *ctx, gradus_tensor *y) {
  gradus_node *node = NULL;
  gradus_tensor *g = NULL;
  gradus_status s = gradus_tensor_grad_fn(ctx, y, &node);
  if (!s) s = gradus_node_call(ctx, node, &y, 1, &g, 1, NULL);
  gradus_release(g);
  gradus_release(node);
  return s;
}
static gradus_status run_nested(nest *n, gradus_context *ctx) {
  gradus_tensor *x, *y = NULL;
  gradus_status s;
  int32_t before;
  gradus_context_set_recording(ctx, 1, &before);
  x = leaf(ctx);
  s = x ? apply(n, ctx, x, &y) : GRADUS_E_MEMORY;
  if (!s) s = n->how == NODE_CALL ? call_node(ctx, y) : gradus_backward(ctx, &y, 1, NULL, NULL);
  gradus_context_set_recording(ctx, before, NULL);
  gradus_release(y);
  gradus_release(x);
  return s;
}

typedef struct {
  int limit, deepest[WAYS];
} job;

static void *run_all(void *given) {
  job *j = given;
  gradus_context *ctx = new_context();
  int w;
  for (w = 0; w < WAYS; ++w) {
    nest n;
    n.how = (way)w, n.deepest = n.depth = 0, n.limit = j->limit;
    of_operation = &n;
    if (j->limit < 1000000) OK(run_nested(&n, ctx));
    else FAILS(run_nested(&n, ctx), GRADUS_E_STATE, "are nested, one inside the other");
    j->deepest[w] = n.deepest;
    n.deepest = n.depth = 0, n.limit = 2;                     /* as good as new afterwards */
    OK(run_nested(&n, ctx));
    CHECK(n.deepest == 2);
  }
  gradus_release(ctx);
  return NULL;
}
static void run_on_stack(size_t bytes, job *j) {
  pthread_attr_t a;
  pthread_t t;
  pthread_attr_init(&a);
  pthread_attr_setstacksize(&a, bytes);
  CHECK(pthread_create(&t, &a, run_all, j) == 0);
  pthread_join(t, NULL);
  pthread_attr_destroy(&a);
}

int main(void) {
  job tiny, ordinary, large, few;
  int w;
  gradus_op_definition d;
  gradus_context *ctx = new_context();
  SIZED(d);
  d.name = "nest.twice", d.schema = "(Tensor x) -> Tensor", d.forward = op_forward, d.backward = op_backward;
  CHECK(gradus_op_register(ctx, &d, &registered) == GRADUS_OK);
  tiny.limit = ordinary.limit = 1000000;
  large.limit = 3000;
  few.limit = 8;
  run_on_stack(256 << 10, &tiny);
  run_on_stack(8 << 20, &ordinary);
  run_on_stack(256 << 20, &large);
  run_on_stack(512 << 10, &few);
  for (w = 0; w < WAYS; ++w) {
    printf("way %d: %d passes on 256 KiB, %d on 8 MiB\n", w, tiny.deepest[w], ordinary.deepest[w]);
    CHECK(tiny.deepest[w] >= 2);
    CHECK(ordinary.deepest[w] > 60);
    CHECK(large.deepest[w] == 3000);
    CHECK(few.deepest[w] == 8);
  }
  gradus_release(ctx);
  return finish("capi_nest_test");
}
