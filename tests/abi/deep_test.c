/* A graph of 10^6 nodes is released by a thread with a stack of 64 KiB, as finalizer threads have, and one more is differentiated there. */
#include <limits.h>
#include <pthread.h>

#include "../capi_check.h"

enum { DEPTH = 1000000, STACK = 64 << 10 };
static void *release_it(void *handle) {
  gradus_release(handle);
  return NULL;
}
static void *differentiate(void *handle) {
  gradus_context *ctx = new_context();
  gradus_tensor *t = handle;
  OK(gradus_backward(ctx, &t, 1, NULL, NULL));
  gradus_release(ctx);
  return NULL;
}
static void on_small_stack(void *(*f)(void *), void *handle) {
  pthread_attr_t attributes;
  pthread_t thread;
  size_t size = 0;
  pthread_attr_init(&attributes);
  CHECK(pthread_attr_setstacksize(&attributes, STACK) == 0);
  CHECK(pthread_attr_getstacksize(&attributes, &size) == 0 && size == STACK);
  CHECK(pthread_create(&thread, &attributes, f, handle) == 0);
  pthread_join(thread, NULL);
  pthread_attr_destroy(&attributes);
}

/* ((x + x) + x) + ...: each node has an edge to the former and one to the leaf. */
static gradus_tensor *chain(gradus_context *ctx, gradus_tensor *x) {
  gradus_tensor *t = NULL;
  int i;
  OK(gradus_neg(ctx, x, &t));
  for (i = 1; i < DEPTH; ++i) {
    gradus_tensor *next = NULL;
    if (gradus_add(ctx, t, x, &next) != GRADUS_OK) break;
    gradus_release(t);
    t = next;
  }
  return t;
}

int main(void) {
  gradus_context *ctx = new_context();
  const double one[1] = {1};
  gradus_tensor *x = vector(ctx, one, 1), *t, *g;
  const double wanted[1] = {DEPTH - 2.0};
  OK(gradus_tensor_set_requires_grad(ctx, x, 1));
  t = chain(ctx, x);
  CHECK(counts_now().graph_nodes >= DEPTH);
  on_small_stack(release_it, t);
  CHECK(counts_now().graph_nodes <= 1); /* the leaf's */
  t = chain(ctx, x);
  on_small_stack(differentiate, t);
  on_small_stack(release_it, t);
  OK(gradus_tensor_grad(ctx, x, &g));
  VALUES(g, wanted, 1);
  gradus_release(g);
  gradus_release(x);
  gradus_release(ctx);
  return finish("deep_test");
}
