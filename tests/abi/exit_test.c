/* exit_test WAY: a process ends with live handles, sleeping and running workers and a thread inside a call: status 0, and no hang.
 * WAY is return, exit, or thread (exit from another thread than main's). */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "../capi_check.h"

static gradus_tensor *left[64];
static void *busy(void *user) {
  gradus_context *ctx = new_context();
  const int64_t shape[2] = {512, 512};
  gradus_tensor *x, *y;
  OK(gradus_ones(ctx, shape, 2, GRADUS_F32, &x));
  for (;;) {
    if (gradus_matmul(ctx, x, x, &y) != GRADUS_OK) return user;
    gradus_release(y);
  }
}
static void on_exit_of_host(void) { gradus_release(left[0]); } /* a finalizer of the host */
static void *end(void *user) {
  (void)user;
  exit(0);
}

int main(int argc, char **argv) {
  gradus_context *ctx = NULL;
  gradus_context_options o;
  const struct timespec moment = {0, 50000000};
  const int64_t shape[2] = {300, 300};
  pthread_t thread;
  int i;
  atexit(on_exit_of_host);
  SIZED(o);
  o.threads = 4;
  CHECK(gradus_context_create(&o, &ctx) == GRADUS_OK);
  for (i = 0; i < 64; ++i) {
    OK(gradus_ones(ctx, shape, 2, GRADUS_F32, &left[i]));
    OK(gradus_tensor_set_requires_grad(ctx, left[i], 1));
    if (i) OK(gradus_matmul(ctx, left[i], left[0], &left[i - 1]));
  }
  CHECK(pthread_create(&thread, NULL, busy, NULL) == 0);
  nanosleep(&moment, NULL);
  if (faults) return 1;
  if (argc > 1 && strcmp(argv[1], "exit") == 0) exit(0);
  if (argc > 1 && strcmp(argv[1], "thread") == 0 && pthread_create(&thread, NULL, end, NULL) == 0) pthread_join(thread, NULL);
  return 0;
}
