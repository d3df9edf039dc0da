/* Handles cross threads: contexts work side by side on shared tensors while another thread releases what they made, as the
 * finalizer thread of a host does. */
#include <pthread.h>
#include <sched.h>

#include "capi_check.h"

enum { WORKERS = 4, STEPS = 2000, SLOTS = 256 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *dropped[SLOTS];
static int dropped_count, finished;
static gradus_tensor *shared;

static void drop(void *handle) {
  for (;;) {
    pthread_mutex_lock(&lock);
    if (dropped_count < SLOTS) {
      dropped[dropped_count++] = handle;
      pthread_mutex_unlock(&lock);
      return;
    }
    pthread_mutex_unlock(&lock);
    sched_yield();
  }
}

static void *finalizer(void *user) {
  for (;;) {
    void *batch[SLOTS];
    int n, i, last;
    pthread_mutex_lock(&lock);
    n = dropped_count;
    memcpy(batch, dropped, sizeof batch);
    dropped_count = 0;
    last = finished == WORKERS;
    pthread_mutex_unlock(&lock);
    for (i = 0; i < n; ++i) gradus_release(batch[i]);
    if (n == 0 && last) return user;
    if (n == 0) sched_yield();
  }
}

static void *worker(void *user) {
  gradus_context *ctx = NULL;
  int i, *failed = user;
  *failed = gradus_context_create(NULL, &ctx) != GRADUS_OK;
  for (i = 0; i < STEPS; ++i) {
    gradus_tensor *y = NULL, *z = NULL;
    gradus_node *node = NULL;
    double sum = 0;
    *failed |= gradus_mul(ctx, shared, shared, &y) || gradus_sum(ctx, y, NULL, 0, 0, 0, &z) || gradus_tensor_grad_fn(ctx, z, &node);
    *failed |= gradus_tensor_item_f64(ctx, z, &sum) || sum != 14;
    if (i % 8 == 0) *failed |= gradus_backward(ctx, &z, 1, NULL, NULL) != GRADUS_OK;
    drop(y);
    drop(z);
    drop(node);
  }
  gradus_release(ctx);
  pthread_mutex_lock(&lock);
  ++finished;
  pthread_mutex_unlock(&lock);
  return NULL;
}

int main(void) {
  gradus_context *ctx = new_context();
  const double x[3] = {1, 2, 3}, total[3] = {2.0 * WORKERS * STEPS / 8, 4.0 * WORKERS * STEPS / 8, 6.0 * WORKERS * STEPS / 8};
  int failed[WORKERS], i;
  pthread_t threads[WORKERS + 1];
  gradus_tensor *g;
  shared = vector(ctx, x, 3);
  OK(gradus_tensor_set_requires_grad(ctx, shared, 1));
  CHECK(pthread_create(&threads[WORKERS], NULL, finalizer, NULL) == 0);
  for (i = 0; i < WORKERS; ++i) CHECK(pthread_create(&threads[i], NULL, worker, &failed[i]) == 0);
  for (i = 0; i <= WORKERS; ++i) pthread_join(threads[i], NULL);
  for (i = 0; i < WORKERS; ++i) CHECK(failed[i] == 0);
  OK(gradus_tensor_grad(ctx, shared, &g));
  VALUES(g, total, 3); /* two contexts that add into one leaf add up */
  gradus_release(g);
  gradus_release(shared);
  gradus_release(ctx);
  return finish("capi_thread_test");
}
