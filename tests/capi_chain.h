/* A small graph for the C tests. Included after capi_check.h. */
#ifndef CAPI_CHAIN_H
#define CAPI_CHAIN_H

/* x = [1, 2] that requires grad, y = exp(x) * x, sum(y). Gradient: exp(x) * (1 + x). */
typedef struct chain { gradus_tensor *x, *e, *y, *s; gradus_node *exp_node; } chain;
static const double start[2] = {1, 2};
static chain make_chain(gradus_context *ctx) {
  chain c;
  c.x = vector(ctx, start, 2);
  OK(gradus_tensor_set_requires_grad(ctx, c.x, 1));
  OK(gradus_exp(ctx, c.x, &c.e));
  OK(gradus_mul(ctx, c.e, c.x, &c.y));
  OK(gradus_sum(ctx, c.y, NULL, 0, 0, 0, &c.s));
  OK(gradus_tensor_grad_fn(ctx, c.e, &c.exp_node));
  return c;
}
static void free_chain(chain *c) {
  gradus_release(c->x);
  gradus_release(c->e);
  gradus_release(c->y);
  gradus_release(c->s);
  gradus_release(c->exp_node);
}

#endif
