/* Sixteen threads with a context each on shared tensors, passes over one shared graph, one context that all of them try to use, and a thread
 * that releases 10^6 handles meanwhile. Whoever comes second to a context gets BUSY, and nothing is touched. */
#include <pthread.h>
#include <sched.h>

#include "../capi_check.h"

enum { THREADS = 16, STEPS = 300, HANDLES = 1000000 };
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { ROUNDS = HANDLES / 20 };
#else
enum { ROUNDS = HANDLES };
#endif
static gradus_tensor *shared, *loss;
static gradus_context *contended;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int done, strange, busy, worked;

static void *work(void *user) {
  gradus_context *ctx = NULL;
  gradus_backward_options keep;
  int i, bad = 0, was_busy = 0, went = 0;
  SIZED(keep);
  keep.flags = GRADUS_BACKWARD_KEEP_GRAPH;
  bad += gradus_context_create(NULL, &ctx) != GRADUS_OK;
  for (i = 0; i < STEPS; ++i) {
    gradus_tensor *y = NULL, *z = NULL, *g = NULL;
    gradus_status s;
    double sum = 0;
    bad += gradus_mul(ctx, shared, shared, &y) != GRADUS_OK || gradus_sum(ctx, y, NULL, 0, 0, 0, &z) != GRADUS_OK;
    bad += gradus_tensor_item_f64(ctx, z, &sum) != GRADUS_OK || sum != 14;
    bad += gradus_grad(ctx, &z, 1, &shared, 1, NULL, NULL, &g) != GRADUS_OK;
    if (i % 4 == 0) bad += gradus_backward(ctx, &loss, 1, NULL, &keep) != GRADUS_OK; /* all over one graph */
    gradus_release(g);
    gradus_release(z);
    gradus_release(y);
    y = shared;
    s = gradus_exp(contended, shared, &y);
    was_busy += s == GRADUS_E_BUSY;
    went += s == GRADUS_OK;
    bad += (s != GRADUS_E_BUSY && s != GRADUS_OK) || (s == GRADUS_E_BUSY && y != NULL);
    gradus_release(y);
  }
  gradus_release(ctx);
  pthread_mutex_lock(&lock);
  ++done;
  strange += bad;
  busy += was_busy;
  worked += went;
  pthread_mutex_unlock(&lock);
  return user;
}

/* Handles made here are released there. */
static void *box;
static int full, last;
static void *finalizer(void *user) {
  int ended = 0;
  while (!ended) {
    void *handle = NULL;
    pthread_mutex_lock(&lock);
    if (full) {
      handle = box;
      full = 0;
    } else {
      ended = last;
    }
    pthread_mutex_unlock(&lock);
    if (handle) {
      int i;
      for (i = 0; i < 1000; ++i) gradus_release(handle);
    } else {
      sched_yield();
    }
  }
  return user;
}
static void hand_over(void *handle) {
  int taken = 0;
  while (!taken) {
    pthread_mutex_lock(&lock);
    if (!full) {
      box = handle;
      full = taken = 1;
    }
    pthread_mutex_unlock(&lock);
    if (!taken) sched_yield();
  }
}

static gradus_status hold(void *user, gradus_context *ctx, gradus_tensor *grad, gradus_tensor **replacement) {
  (void)user; (void)ctx; (void)grad; (void)replacement;
  for (;;) { /* the context is inside a call while all others try */
    int all;
    pthread_mutex_lock(&lock);
    all = done == THREADS;
    pthread_mutex_unlock(&lock);
    if (all) return GRADUS_OK;
    sched_yield();
  }
}

int main(void) {
  gradus_context *ctx = new_context();
  const double x[3] = {1, 2, 3}, total[3] = {2.0 * THREADS * STEPS / 4, 4.0 * THREADS * STEPS / 4, 6.0 * THREADS * STEPS / 4};
  pthread_t threads[THREADS], releasing;
  gradus_tensor *y, *g, *leaf, *held;
  int i, k;
  shared = vector(ctx, x, 3);
  leaf = vector(ctx, x, 3);
  OK(gradus_tensor_set_requires_grad(ctx, shared, 1));
  OK(gradus_mul(ctx, shared, shared, &y));
  OK(gradus_sum(ctx, y, NULL, 0, 0, 0, &loss));
  contended = new_context();
  OK(gradus_tensor_set_requires_grad(ctx, leaf, 1));
  OK(gradus_tensor_add_hook(ctx, leaf, hold, NULL, NULL, NULL));
  OK(gradus_sum(ctx, leaf, NULL, 0, 0, 0, &held));
  CHECK(pthread_create(&releasing, NULL, finalizer, NULL) == 0);
  for (i = 0; i < THREADS; ++i) CHECK(pthread_create(&threads[i], NULL, work, NULL) == 0);
  for (i = 0; i < ROUNDS / 1000; ++i) {
    gradus_tensor *t = vector(ctx, x, 3);
    for (k = 1; k < 1000; ++k) gradus_retain(t);
    hand_over(t);
  }
  CHECK(gradus_backward(contended, &held, 1, NULL, NULL) == GRADUS_OK || busy > 0);
  for (i = 0; i < THREADS; ++i) pthread_join(threads[i], NULL);
  pthread_mutex_lock(&lock);
  last = 1;
  pthread_mutex_unlock(&lock);
  pthread_join(releasing, NULL);
  CHECK(strange == 0);
  printf("stress_test: %d calls of the contended context worked, %d were BUSY\n", worked, busy);
  CHECK(worked + busy == THREADS * STEPS);
  OK(gradus_tensor_grad(ctx, shared, &g));
  VALUES(g, total, 3);
  gradus_release(g);
  gradus_release(held);
  gradus_release(leaf);
  gradus_release(loss);
  gradus_release(y);
  gradus_release(shared);
  gradus_release(contended);
  gradus_release(ctx);
  return finish("stress_test");
}
