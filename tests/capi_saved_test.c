/* Hooks on saved values. */
#include "capi_check.h"
#include "capi_chain.h"

/* ---- saved values. user: how often packed, unpacked, discarded. */
typedef struct tally { int packed, unpacked, discarded; } tally;
static gradus_status pack_token(void *user, gradus_context *ctx, gradus_tensor *t, const gradus_op *op, gradus_tensor **replacement, void **token) {
  (void)ctx, (void)replacement, (void)op;
  ++((tally *)user)->packed;
  gradus_retain(t);
  *token = t;
  return GRADUS_OK;
}
static gradus_status unpack_token(void *user, gradus_context *ctx, gradus_tensor *replacement, void *token, gradus_tensor **result) {
  (void)ctx;
  CHECK(!replacement);
  ++((tally *)user)->unpacked;
  gradus_retain(token);
  *result = (gradus_tensor *)token;
  return GRADUS_OK;
}
static void discard_token(void *user, void *token) {
  ++((tally *)user)->discarded;
  gradus_release(token);
}
static gradus_status pack_half(void *user, gradus_context *ctx, gradus_tensor *t, const gradus_op *op, gradus_tensor **replacement, void **token) {
  (void)token;
  CHECK(op != NULL);
  ++((tally *)user)->packed;
  return gradus_to(ctx, t, GRADUS_BF16, 0, 0, replacement);
}
static gradus_status unpack_half(void *user, gradus_context *ctx, gradus_tensor *replacement, void *token, gradus_tensor **result) {
  CHECK(replacement && !token);
  ++((tally *)user)->unpacked;
  return gradus_to(ctx, replacement, GRADUS_F64, 0, 0, result);
}
static gradus_status unpack_wrong(void *user, gradus_context *ctx, gradus_tensor *replacement, void *token, gradus_tensor **result) {
  (void)user, (void)token;
  return gradus_sum(ctx, replacement, NULL, 0, 0, 0, result);
}
static gradus_status unpack_nothing(void *user, gradus_context *ctx, gradus_tensor *replacement, void *token, gradus_tensor **result) {
  (void)user, (void)ctx, (void)replacement, (void)token, (void)result;
  return GRADUS_OK;
}
static gradus_status pack_writes(void *user, gradus_context *ctx, gradus_tensor *t, const gradus_op *op, gradus_tensor **replacement, void **token) {
  gradus_tensor *r = NULL;
  gradus_status s = gradus_zero_(ctx, t, &r);
  (void)user, (void)op, (void)replacement, (void)token;
  gradus_release(r);
  return s;
}
static gradus_saved_hooks hooks_of(gradus_pack_fn pack, gradus_unpack_fn unpack, gradus_discard_fn discard, void *user) {
  gradus_saved_hooks h;
  SIZED(h);
  h.pack = pack;
  h.unpack = unpack;
  h.discard = discard;
  h.user = user;
  return h;
}

static void saved_values(void) {
  gradus_context *ctx = new_context();
  tally outer = {0, 0, 0}, inner = {0, 0, 0};
  gradus_saved_hooks h = hooks_of(pack_token, unpack_token, discard_token, &outer);
  chain c;
  gradus_tensor *g = NULL, *gg = NULL, *gs = NULL;
  gradus_backward_options record;
  double wanted[2];
  int i;
  SIZED(record);
  record.flags = GRADUS_BACKWARD_RECORD;
  OK(gradus_context_push_saved_hooks(ctx, &h));
  c = make_chain(ctx);                                        /* exp saves its result, mul both inputs */
  OK(gradus_context_pop_saved_hooks(ctx));
  FAILS(gradus_context_pop_saved_hooks(ctx), GRADUS_E_STATE, "there are none");
  CHECK(outer.packed == 3 && outer.unpacked == 0);
  OK(gradus_grad(ctx, &c.s, 1, &c.x, 1, NULL, &record, &g));
  CHECK(outer.unpacked == 3);
  OK(gradus_sum(ctx, g, NULL, 0, 0, 0, &gs));
  OK(gradus_grad(ctx, &gs, 1, &c.x, 1, NULL, NULL, &gg));      /* twice, through values that hooks kept */
  for (i = 0; i < 2; ++i) wanted[i] = exp(start[i]) * (2 + start[i]);
  VALUES(gg, wanted, 2);
  free_chain(&c);
  gradus_release(g);
  gradus_release(gg);
  gradus_release(gs);
  CHECK(outer.discarded == outer.packed);

  outer.packed = outer.unpacked = outer.discarded = 0;         /* bfloat16 inside, a token outside */
  OK(gradus_context_push_saved_hooks(ctx, &h));
  h = hooks_of(pack_half, unpack_half, NULL, &inner);
  OK(gradus_context_push_saved_hooks(ctx, &h));
  c = make_chain(ctx);
  OK(gradus_context_pop_saved_hooks(ctx));
  OK(gradus_context_pop_saved_hooks(ctx));
  CHECK(inner.packed == 3 && outer.packed == 3);
  OK(gradus_backward(ctx, &c.s, 1, NULL, NULL));
  CHECK(inner.unpacked == 3 && outer.unpacked == 3 && outer.discarded == 3);
  OK(gradus_tensor_grad(ctx, c.x, &g));
  {
    double got[2];
    OK(gradus_tensor_copy_out(ctx, g, GRADUS_F64, got, sizeof got));
    for (i = 0; i < 2; ++i) CHECK(fabs(got[i] - exp(start[i]) * (1 + start[i])) < 0.02 * got[i]);
  }
  gradus_release(g);
  free_chain(&c);

  h = hooks_of(pack_half, unpack_wrong, NULL, &inner);
  OK(gradus_context_push_saved_hooks(ctx, &h));
  c = make_chain(ctx);
  OK(gradus_context_pop_saved_hooks(ctx));
  FAILS(gradus_backward(ctx, &c.s, 1, NULL, NULL), GRADUS_E_STATE, "an unpack hook gave bfloat16 of shape []|saved float64 of shape [2]");
  free_chain(&c);
  h = hooks_of(pack_half, unpack_nothing, NULL, &inner);
  OK(gradus_context_push_saved_hooks(ctx, &h));
  c = make_chain(ctx);
  OK(gradus_context_pop_saved_hooks(ctx));
  FAILS(gradus_backward(ctx, &c.s, 1, NULL, NULL), GRADUS_E_STATE, "an unpack hook gave nothing for a saved float64 of shape [2]");
  free_chain(&c);
  h = hooks_of(pack_writes, unpack_wrong, NULL, NULL);
  OK(gradus_context_push_saved_hooks(ctx, &h));
  {
    gradus_tensor *x = vector(ctx, start, 2), *y = NULL;
    OK(gradus_tensor_set_requires_grad(ctx, x, 1));
    FAILS(gradus_sin(ctx, x, &y), GRADUS_E_STATE, "sin: a pack hook changed the saved tensor in place");
    CHECK(y == NULL);
    gradus_release(x);
  }
  gradus_release(ctx);                                         /* with hooks in force */
}

/* ---- hooks that come and go while a pass runs */
static gradus_status pushes(void *user, gradus_context *ctx, gradus_tensor *gradient, gradus_tensor **replacement) {
  const gradus_saved_hooks h = hooks_of(pack_token, unpack_token, discard_token, user);
  (void)gradient, (void)replacement;
  return gradus_context_push_saved_hooks(ctx, &h);
}
static gradus_status pops(void *user, gradus_context *ctx, gradus_tensor *gradient, gradus_tensor **replacement) {
  (void)user, (void)gradient, (void)replacement;
  return gradus_context_pop_saved_hooks(ctx);
}
static gradus_status unpack_pushing(void *user, gradus_context *ctx, gradus_tensor *replacement, void *token, gradus_tensor **result) {
  OK(pushes(user, ctx, NULL, NULL));
  return unpack_token(user, ctx, replacement, token, result);
}

static void left_in_a_pass(void) {
  gradus_context *ctx = new_context();
  tally inside = {0, 0, 0}, outside = {0, 0, 0};
  gradus_saved_hooks h;
  chain c = make_chain(ctx);
  OK(gradus_tensor_add_hook(ctx, c.x, pushes, &inside, NULL, NULL));
  OK(gradus_backward(ctx, &c.s, 1, NULL, NULL));
  FAILS(gradus_context_pop_saved_hooks(ctx), GRADUS_E_STATE, "there are none");
  free_chain(&c);

  h = hooks_of(pack_token, unpack_token, discard_token, &outside);
  OK(gradus_context_push_saved_hooks(ctx, &h));
  h = hooks_of(pack_token, unpack_pushing, discard_token, &inside);
  OK(gradus_context_push_saved_hooks(ctx, &h));
  c = make_chain(ctx);
  OK(gradus_tensor_add_hook(ctx, c.s, pops, NULL, NULL, NULL));
  OK(gradus_tensor_add_hook(ctx, c.s, pops, NULL, NULL, NULL));
  OK(gradus_backward(ctx, &c.s, 1, NULL, NULL));
  CHECK(inside.packed == 3 && inside.unpacked == 3 && outside.packed == 0);
  free_chain(&c);
  OK(gradus_context_pop_saved_hooks(ctx));                     /* both are in force again */
  c = make_chain(ctx);
  CHECK(inside.packed == 3 && outside.packed == 3);
  OK(gradus_context_pop_saved_hooks(ctx));
  FAILS(gradus_context_pop_saved_hooks(ctx), GRADUS_E_STATE, "there are none");
  free_chain(&c);
  CHECK(inside.discarded == 3 && outside.discarded == 3);
  gradus_release(ctx);
}

/* ---- pack hooks that reach for the very value they pack */
static gradus_saved_hooks plain_hooks;
typedef struct reach { gradus_node *node; gradus_edge edge; int frees; } reach;
static gradus_status pack_reaches(void *user, gradus_context *ctx, gradus_tensor *t, const gradus_op *op, gradus_tensor **replacement, void **token) {
  reach *r = (reach *)user;
  (void)op, (void)token;
  if (r->frees) OK(gradus_graph_free(ctx, &r->edge, 1, NULL, 0, sizeof r->edge));
  else OK(gradus_node_hook_saved(ctx, r->node, "result", 6, &plain_hooks));
  gradus_release(r->node);                                     /* the host's last handle */
  gradus_retain(t);
  *replacement = t;
  return GRADUS_OK;
}
static void reaching(int frees) {
  gradus_context *ctx = new_context();
  tally counts = {0, 0, 0};
  gradus_saved_hooks h;
  gradus_tensor *x = vector(ctx, start, 2), *y = NULL;
  reach r;
  plain_hooks = hooks_of(pack_half, unpack_half, NULL, &counts);
  OK(gradus_tensor_set_requires_grad(ctx, x, 1));
  OK(gradus_exp(ctx, x, &y));
  OK(gradus_tensor_edge(ctx, y, &r.edge));
  r.node = r.edge.node;
  r.frees = frees;
  h = hooks_of(pack_reaches, unpack_half, NULL, &r);
  FAILS(gradus_node_hook_saved(ctx, r.node, "result", 6, &h), GRADUS_E_STATE, "exp: a pack hook freed the value that it packs, or packed it itself");
  gradus_release(y);
  gradus_release(x);
  gradus_release(ctx);
}

int main(void) {
  reaching(0);
  reaching(1);
  saved_values();
  left_in_a_pass();
  return finish("capi_saved_test");
}
