/* gradus_context_cancel from a signal handler inside one long operation: CANCELLED at its next safe point, and all works afterwards. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "../capi_check.h"

static gradus_context *running;
static volatile sig_atomic_t came;
static struct timespec when;
static void on_alarm(int signal) {
  (void)signal;
  clock_gettime(CLOCK_MONOTONIC, &when);
  gradus_context_cancel(running);
  came = 1;
}
static double since(struct timespec then) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)(now.tv_sec - then.tv_sec) + 1e-9 * (double)(now.tv_nsec - then.tv_nsec);
}

/* Sends the signal to the thread that computes, once it does. */
static pthread_t computing;
static void *ring(void *user) {
  const struct timespec moment = {0, 20000000};
  nanosleep(&moment, NULL);
  pthread_kill(computing, SIGUSR1);
  return user;
}

static void product(int32_t threads) {
  gradus_context *ctx = NULL;
  gradus_context_options o;
  const int64_t shape[2] = {3000, 3000};
  gradus_tensor *x, *y = NULL, *z = NULL;
  pthread_t thread;
  gradus_status s = GRADUS_OK;
  double late;
  int tries;
  SIZED(o);
  o.threads = threads;
  CHECK(gradus_context_create(&o, &ctx) == GRADUS_OK);
  running = ctx;
  computing = pthread_self();
  OK(gradus_ones(ctx, shape, 2, GRADUS_F64, &x));
  came = 0;
  CHECK(pthread_create(&thread, NULL, ring, NULL) == 0);
  for (tries = 0; s == GRADUS_OK && tries < 1000; ++tries) {
    s = gradus_matmul(ctx, x, x, &y);
    if (s == GRADUS_OK) gradus_release(y);
  }
  late = since(when);
  CHECK(came);
  FAILS(s, GRADUS_E_CANCELLED, "cancelled");
  CHECK(y == NULL);
  pthread_join(thread, NULL);
  printf("cancel_test: %d threads, ended %.1f ms after the signal\n", (int)threads, 1e3 * late);
  OK(gradus_sin(ctx, x, &z));
  gradus_release(z);
  gradus_release(x);
  gradus_release(ctx);
}

/* A write in place is done whole or not at all. */
static void in_place(void) {
  gradus_context *ctx = new_context();
  const int64_t shape[1] = {1 << 22};
  gradus_tensor *x;
  gradus_tensor *s;
  double sum = 0;
  running = ctx;
  OK(gradus_ones(ctx, shape, 1, GRADUS_F64, &x));
  gradus_context_cancel(ctx);
  FAILS(gradus_mul_scalar_(ctx, x, 2.0, NULL), GRADUS_E_CANCELLED, "");
  OK(gradus_sum(ctx, x, NULL, 0, 0, 0, &s));
  OK(gradus_tensor_item_f64(ctx, s, &sum));
  CHECK(sum == (double)shape[0]);
  gradus_release(s);
  gradus_release(x);
  gradus_release(ctx);
}

int main(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_alarm;
  sigaction(SIGUSR1, &action, NULL);
  product(1);
  product(4);
  in_place();
  return finish("cancel_test");
}
