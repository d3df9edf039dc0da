/* Hooks of nodes, leaves and groups of tensors, edges, and what a node keeps. */
#include "capi_check.h"
#include "capi_chain.h"

static int destroyed;
static void on_destroy(void *user) { destroyed += *(int *)user; }
static int one = 1;

static void check_gradient(gradus_context *ctx, const chain *c, double factor) {
  gradus_tensor *g = NULL;
  double wanted[2];
  int i;
  for (i = 0; i < 2; ++i) wanted[i] = factor * exp(start[i]) * (1 + start[i]);
  OK(gradus_tensor_grad(ctx, c->x, &g));
  CHECK(g != NULL);
  if (g) VALUES(g, wanted, 2);
  gradus_release(g);
  OK(gradus_tensor_set_grad(ctx, c->x, NULL));
}

static char order[64];
static void note(char what) { order[strlen(order)] = what; }

static gradus_status double_it(gradus_context *ctx, gradus_tensor *t, gradus_tensor **result) {
  return gradus_add(ctx, t, t, result);
}
static gradus_status before(void *user, gradus_context *ctx, gradus_tensor *const *g, size_t n, gradus_tensor *const *incoming, size_t m,
                            gradus_tensor **replacements) {
  (void)incoming;
  CHECK(n == 1 && m == 0 && g[0]);
  note('b');
  return user ? double_it(ctx, g[0], &replacements[0]) : GRADUS_OK;
}
static gradus_status after(void *user, gradus_context *ctx, gradus_tensor *const *g, size_t n, gradus_tensor *const *incoming, size_t m,
                           gradus_tensor **replacements) {
  gradus_node *here = NULL;
  CHECK(n == 1 && m == 1 && g[0] && incoming[0]);
  OK(gradus_backward_node(ctx, &here));
  CHECK(here != NULL);
  gradus_release(here);
  note('a');
  return user ? double_it(ctx, g[0], &replacements[0]) : GRADUS_OK;
}
static gradus_status on_tensor(void *user, gradus_context *ctx, gradus_tensor *g, gradus_tensor **replacement) {
  (void)user, (void)ctx, (void)g, (void)replacement;
  note('t');
  return GRADUS_OK;
}
static gradus_status on_leaf(void *user, gradus_context *ctx, gradus_tensor *leaf) {
  gradus_tensor *g = NULL;
  (void)user;
  OK(gradus_tensor_grad(ctx, leaf, &g));
  CHECK(g != NULL);
  gradus_release(g);
  note('l');
  return GRADUS_OK;
}
static gradus_status fails(void *user, gradus_context *ctx, gradus_tensor *leaf) {
  (void)user, (void)leaf;
  return gradus_context_fail(ctx, GRADUS_E_CALLBACK, 77, "no more", 7);
}

static void node_hooks(void) {
  gradus_context *ctx = new_context();
  chain c = make_chain(ctx);
  gradus_backward_options keep;
  gradus_error e;
  uint64_t b, a, l, f, t;
  SIZED(keep);
  keep.flags = GRADUS_BACKWARD_KEEP_GRAPH;
  destroyed = 0;
  OK(gradus_node_add_hook(ctx, c.exp_node, GRADUS_HOOK_AFTER, after, NULL, NULL, &a));
  OK(gradus_node_add_hook(ctx, c.exp_node, GRADUS_HOOK_BEFORE, before, NULL, NULL, &b));
  OK(gradus_tensor_add_hook(ctx, c.e, on_tensor, NULL, NULL, &t));
  OK(gradus_tensor_add_grad_hook(ctx, c.x, on_leaf, &one, on_destroy, &l));
  OK(gradus_backward(ctx, &c.s, 1, NULL, &keep));
  CHECK(!strcmp(order, "tbal"));
  check_gradient(ctx, &c, 1);
  OK(gradus_node_remove_hook(ctx, c.exp_node, a));
  FAILS(gradus_node_remove_hook(ctx, c.exp_node, a), GRADUS_E_INDEX, "no hook");
  OK(gradus_tensor_remove_hook(ctx, c.x, l));
  CHECK(destroyed == 1);
  OK(gradus_node_add_hook(ctx, c.exp_node, GRADUS_HOOK_AFTER, after, &one, on_destroy, &a));
  OK(gradus_backward(ctx, &c.s, 1, NULL, &keep));
  {
    gradus_tensor *g = NULL;
    double wanted[2];
    int i;
    for (i = 0; i < 2; ++i) wanted[i] = exp(start[i]) * (1 + 2 * start[i]);   /* the path through exp counts twice */
    OK(gradus_tensor_grad(ctx, c.x, &g));
    VALUES(g, wanted, 2);
    gradus_release(g);
    OK(gradus_tensor_set_grad(ctx, c.x, NULL));
  }
  OK(gradus_node_remove_hook(ctx, c.exp_node, a));
  OK(gradus_tensor_add_grad_hook(ctx, c.x, fails, NULL, NULL, &f));
  FAILS(gradus_backward(ctx, &c.s, 1, NULL, &keep), GRADUS_E_CALLBACK, "no more");
  SIZED(e);
  gradus_context_error(ctx, &e);
  CHECK(e.user_code == 77);
  OK(gradus_tensor_remove_hook(ctx, c.x, f));
  OK(gradus_tensor_set_grad(ctx, c.x, NULL));
  OK(gradus_backward(ctx, &c.s, 1, NULL, NULL));
  check_gradient(ctx, &c, 1);
  FAILS(gradus_node_add_hook(ctx, c.exp_node, 7, after, &one, on_destroy, &a), GRADUS_E_VALUE, "'moment' is 7");
  FAILS(gradus_tensor_add_grad_hook(ctx, c.e, on_leaf, &one, on_destroy, &l), GRADUS_E_STATE, "only a leaf");
  FAILS(gradus_node_add_hook(ctx, c.exp_node, GRADUS_HOOK_AFTER, NULL, &one, on_destroy, &a), GRADUS_E_NULL, "'hook' is null");
  CHECK(destroyed == 2);
  free_chain(&c);
  gradus_release(ctx);
}

static int groups, deferred;
static gradus_status on_group(void *user, gradus_context *ctx, gradus_tensor *const *g, size_t n) {
  (void)ctx;
  ++groups;
  CHECK(n == 2);
  CHECK(!g[0] == !(*(int *)user & 1) && !g[1] == !(*(int *)user & 2));
  return GRADUS_OK;
}
static gradus_status on_end(void *user, gradus_context *ctx) {
  deferred += *(int *)user;
  if (*(int *)user == 1) {
    static int ten = 10;
    OK(gradus_backward_defer(ctx, on_end, &ten, NULL));
  }
  return GRADUS_OK;
}
static gradus_status defers(void *user, gradus_context *ctx, gradus_tensor *g, gradus_tensor **replacement) {
  int32_t yes = -1;
  (void)g, (void)replacement;
  OK(gradus_backward_reaches(ctx, (gradus_node *)user, &yes));
  CHECK(yes == 1);
  OK(gradus_backward_defer(ctx, on_end, &one, NULL));
  return GRADUS_OK;
}

static void groups_of_tensors(void) {
  gradus_context *ctx = new_context();
  chain c = make_chain(ctx);
  gradus_tensor *both[2], *lonely = vector(ctx, start, 2), *g = NULL;
  gradus_backward_options keep;
  uint64_t ids[2], id;
  int all = 3, first = 1, only_y = 2;
  SIZED(keep);
  keep.flags = GRADUS_BACKWARD_KEEP_GRAPH;
  both[0] = c.x;
  both[1] = c.e;
  OK(gradus_tensors_add_hook(ctx, both, 2, GRADUS_HOOK_ALL, on_group, &all, NULL, ids));
  OK(gradus_backward(ctx, &c.s, 1, NULL, &keep));
  CHECK(groups == 1);
  OK(gradus_tensor_remove_hook(ctx, c.x, ids[0]));
  OK(gradus_tensor_remove_hook(ctx, c.e, ids[1]));
  both[0] = c.y;
  OK(gradus_tensors_add_hook(ctx, both, 2, GRADUS_HOOK_ANY, on_group, &first, NULL, ids));
  OK(gradus_backward(ctx, &c.s, 1, NULL, &keep));
  CHECK(groups == 2);
  OK(gradus_tensor_remove_hook(ctx, c.y, ids[0]));
  OK(gradus_tensor_remove_hook(ctx, c.e, ids[1]));
  OK(gradus_tensor_set_requires_grad(ctx, lonely, 1));
  both[0] = lonely;
  both[1] = c.y;
  OK(gradus_tensors_add_hook(ctx, both, 2, GRADUS_HOOK_ALL, on_group, &only_y, NULL, NULL));
  OK(gradus_grad(ctx, &c.s, 1, &c.x, 1, NULL, &keep, &g));
  CHECK(groups == 3);
  OK(gradus_tensor_add_hook(ctx, c.e, defers, c.exp_node, NULL, &id));
  OK(gradus_backward(ctx, &c.s, 1, NULL, NULL));
  CHECK(groups == 4 && deferred == 11);
  FAILS(gradus_backward_defer(ctx, on_end, &one, NULL), GRADUS_E_STATE, "no backward pass");
  FAILS(gradus_tensors_add_hook(ctx, both, 2, 5, on_group, &all, NULL, ids), GRADUS_E_VALUE, "'mode' is 5");
  gradus_release(g);
  gradus_release(lonely);
  free_chain(&c);
  gradus_release(ctx);
}

static void edges_and_nodes(void) {
  gradus_context *ctx = new_context();
  chain c = make_chain(ctx);
  gradus_edge s, x, e;
  gradus_tensor *g = NULL, *base = NULL, *row = NULL, *other = NULL;
  gradus_value v;
  gradus_tensor_info info;
  const double ones[3] = {1, 1, 1};
  double wanted[2];
  int i;
  for (i = 0; i < 2; ++i) wanted[i] = exp(start[i]) * (1 + start[i]);
  OK(gradus_tensor_edge(ctx, c.s, &s));
  OK(gradus_tensor_edge(ctx, c.x, &x));
  OK(gradus_tensor_edge(ctx, c.e, &e));
  CHECK(gradus_node_op(e.node) == gradus_op_find("exp", 3) && gradus_node_op(x.node) == NULL);
  OK(gradus_node_saved(ctx, e.node, "result", 6, &v));
  CHECK(v.kind == GRADUS_V_TENSOR);
  gradus_release(v.u.tensor);
  OK(gradus_node_saved(ctx, s.node, "dtype", 5, &v));
  CHECK(v.kind == GRADUS_V_NONE);
  FAILS(gradus_node_saved(ctx, e.node, "dim", 3, &v), GRADUS_E_INDEX, "ExpBackward0|'dim'");
  gradus_release(c.s);                                         /* the edge stands for it */
  c.s = NULL;
  OK(gradus_grad_edges(ctx, &s, 1, &x, 1, sizeof s, NULL, NULL, &g));
  VALUES(g, wanted, 2);
  gradus_release(g);
  FAILS(gradus_node_saved(ctx, e.node, "result", 6, &v), GRADUS_E_GRAPH_FREED, "freed");
  x.output_nr = 1;
  FAILS(gradus_grad_edges(ctx, &s, 1, &x, 1, sizeof s, NULL, NULL, &g), GRADUS_E_INDEX, "'inputs' 0 is output 1 of a node with 1");
  FAILS(gradus_backward_edges(ctx, &s, 1, 8, NULL, NULL), GRADUS_E_ARGUMENT, "'edge_bytes' is 8");
  gradus_release(s.node);
  gradus_release(x.node);
  gradus_release(e.node);
  free_chain(&c);

  c = make_chain(ctx);                                         /* free all but what leads from e */
  OK(gradus_tensor_edge(ctx, c.s, &s));
  OK(gradus_tensor_edge(ctx, c.e, &e));
  OK(gradus_graph_free(ctx, &s, 1, &e, 1, sizeof s));
  FAILS(gradus_backward(ctx, &c.s, 1, NULL, NULL), GRADUS_E_GRAPH_FREED, "MulBackward0");
  OK(gradus_backward_edges(ctx, &e, 1, sizeof e, &c.x, NULL));
  gradus_release(s.node);
  gradus_release(e.node);

  OK(gradus_select(ctx, c.y, 0, 1, &row));
  OK(gradus_tensor_base(ctx, row, &base));
  CHECK(base == c.y);
  gradus_release(base);
  OK(gradus_tensor_base(ctx, c.y, &base));
  CHECK(base == NULL);
  other = vector(ctx, ones, 3);
  OK(gradus_tensor_set_data(ctx, c.x, other));
  SIZED(info);
  gradus_tensor_describe(c.x, &info);
  CHECK(info.count == 3 && (info.flags & GRADUS_TENSOR_REQUIRES_GRAD));
  FAILS(gradus_tensor_set_data(ctx, c.y, other), GRADUS_E_STATE, "only a leaf");
  gradus_release(other);
  gradus_release(row);
  free_chain(&c);
  gradus_release(ctx);
}

/* A value changed after it was saved: both ops are named. */
static void changed(void) {
  gradus_context *ctx = new_context();
  chain c = make_chain(ctx);
  gradus_tensor *r = NULL;
  int32_t was;
  OK(gradus_context_set_recording(ctx, 0, &was));
  OK(gradus_mul_(ctx, c.e, c.x, &r));
  OK(gradus_context_set_recording(ctx, was, NULL));
  gradus_release(r);
  FAILS(gradus_backward(ctx, &c.s, 1, NULL, NULL), GRADUS_E_IN_PLACE, "MulBackward0|changed in place by mul_|version 1, expected 0");
  free_chain(&c);
  c = make_chain(ctx);
  OK(gradus_tensor_increment_version(ctx, c.e));
  FAILS(gradus_backward(ctx, &c.s, 1, NULL, NULL), GRADUS_E_IN_PLACE, "by its owner");
  free_chain(&c);
  gradus_release(ctx);
}

static gradus_status lets_go(void *user, gradus_context *ctx, gradus_tensor *leaf) {
  (void)user, (void)leaf;
  gradus_release(ctx);
  return GRADUS_OK;
}
static void context_released_inside(void) {
  gradus_context *ctx = new_context();
  chain c = make_chain(ctx);
  OK(gradus_tensor_add_grad_hook(ctx, c.x, lets_go, NULL, NULL, NULL));
  CHECK(gradus_backward(ctx, &c.s, 1, NULL, NULL) == GRADUS_OK);
  CHECK(counts_now().contexts == 0);
  free_chain(&c);
}

typedef struct second_pass { gradus_context *ctx; gradus_tensor *s; int ran; } second_pass;
static void runs_pass(void *user) {
  second_pass *p = (second_pass *)user;
  ++p->ran;
  CHECK(gradus_backward(p->ctx, &p->s, 1, NULL, NULL) == GRADUS_OK);
}
/* The gradient that a pass replaces is the host's memory: its destroy may run a pass that adds to the same leaf. */
static void replaced_gradient_runs_a_pass(void) {
  gradus_context *ctx = new_context();
  chain first = make_chain(ctx);
  double memory[2] = {0, 0};
  const int64_t two = 2;
  gradus_tensor *g = NULL;
  second_pass p;
  memset(&p, 0, sizeof p);
  p.ctx = ctx;
  OK(gradus_sum(ctx, first.x, NULL, 0, 0, 0, &p.s));
  OK(gradus_tensor_wrap(ctx, GRADUS_F64, 1, &two, NULL, memory, sizeof memory, GRADUS_WRAP_READ_ONLY, runs_pass, &p, &g));
  OK(gradus_tensor_set_grad(ctx, first.x, g));
  gradus_release(g);
  CHECK(p.ran == 0);
  OK(gradus_backward(ctx, &first.s, 1, NULL, NULL));
  CHECK(p.ran == 1);
  memory[0] = exp(start[0]) * (1 + start[0]) + 1;
  memory[1] = exp(start[1]) * (1 + start[1]) + 1;
  OK(gradus_tensor_grad(ctx, first.x, &g));
  VALUES(g, memory, 2);
  gradus_release(g); gradus_release(p.s);
  free_chain(&first);
  gradus_release(ctx);
}

int main(void) {
  node_hooks();
  groups_of_tensors();
  edges_and_nodes();
  changed();
  context_released_inside();
  replaced_gradient_runs_a_pass();
  return finish("capi_hooks_test");
}
