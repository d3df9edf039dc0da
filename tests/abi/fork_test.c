/* fork: before, between and inside calls the child goes on with everything, worker threads included; where another thread was inside
 * a call the child's calls are STATE. Nothing hangs. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../capi_check.h"

enum { N = 256 };

/* A product large enough for the workers, and a pass. The sum of x x is known: N for x of ones / N. */
static int computes(gradus_context *ctx) {
  const int64_t shape[2] = {N, N};
  gradus_tensor *x = NULL, *y = NULL, *s = NULL, *g = NULL;
  double sum = 0;
  int ok = gradus_ones(ctx, shape, 2, GRADUS_F64, &x) == GRADUS_OK && gradus_tensor_set_requires_grad(ctx, x, 1) == GRADUS_OK &&
           gradus_matmul(ctx, x, x, &y) == GRADUS_OK && gradus_mean(ctx, y, NULL, 0, 0, 0, &s) == GRADUS_OK &&
           gradus_backward(ctx, &s, 1, NULL, NULL) == GRADUS_OK && gradus_tensor_grad(ctx, x, &g) == GRADUS_OK &&
           gradus_tensor_item_f64(ctx, s, &sum) == GRADUS_OK && sum == N && g != NULL;
  gradus_release(g);
  gradus_release(s);
  gradus_release(y);
  gradus_release(x);
  return ok;
}
static gradus_context *with_workers(void) {
  gradus_context *ctx = NULL;
  gradus_context_options o;
  SIZED(o);
  o.threads = 4;
  CHECK(gradus_context_create(&o, &ctx) == GRADUS_OK);
  return ctx;
}

/* Waits for a child that ends with 0 if all was well. */
static int ended_well(pid_t child) {
  int status = 0;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int fresh_start(void) {
  gradus_context *ctx = with_workers();
  const int ok = computes(ctx);
  gradus_release(ctx);
  return ok;
}

static void before_any_call(void) {
  pid_t child = fork();
  if (child == 0) _exit(fresh_start() && gradus_op_find("add", 3) != NULL ? 0 : 1);
  CHECK(ended_well(child));
}

static void between_calls(void) {
  gradus_context *ctx = with_workers();
  const double data[2] = {1, 2};
  gradus_tensor *t = vector(ctx, data, 2);
  int i;
  CHECK(computes(ctx));
  for (i = 0; i < 5; ++i) {
    pid_t child = fork();
    if (child == 0) {
      gradus_tensor *y = NULL;
      int ok = computes(ctx) && fresh_start() && gradus_sin(ctx, t, &y) == GRADUS_OK;
      gradus_release(y);
      gradus_release(t);
      gradus_release(ctx);
      _exit(ok && counts_now().tensors == 0 && counts_now().contexts == 0 ? 0 : 1);
    }
    CHECK(ended_well(child));
    CHECK(computes(ctx));
  }
  gradus_release(t);
  gradus_release(ctx);
}

/* In a callback: this thread is inside a call, and no other. */
static pid_t forked = -1;
static gradus_status forking(void *user, gradus_context *ctx, gradus_tensor *grad, gradus_tensor **replacement) {
  (void)user; (void)grad; (void)replacement;
  gradus_context_set_recording(ctx, 1, NULL); /* off in hooks */
  forked = fork();
  return computes(ctx) ? GRADUS_OK : gradus_context_fail(ctx, GRADUS_E_CALLBACK, 0, "it does not compute", 19);
}
static void inside_own_call(void) {
  gradus_context *ctx = with_workers();
  const double data[2] = {1, 2};
  gradus_tensor *t = vector(ctx, data, 2), *y, *s;
  OK(gradus_tensor_set_requires_grad(ctx, t, 1));
  OK(gradus_tensor_add_hook(ctx, t, forking, NULL, NULL, NULL));
  OK(gradus_sin(ctx, t, &y));
  OK(gradus_sum(ctx, y, NULL, 0, 0, 0, &s));
  {
    const gradus_status status = gradus_backward(ctx, &s, 1, NULL, NULL);
    if (forked == 0) _exit(status == GRADUS_OK && computes(ctx) ? 0 : 1);
    CHECK(status == GRADUS_OK && ended_well(forked));
  }
  gradus_release(s);
  gradus_release(y);
  gradus_release(t);
  gradus_release(ctx);
}

/* Another thread stays inside a call until it may go. */
struct holder {
  pthread_mutex_t lock;
  pthread_cond_t change;
  int inside, may_go;
};
static gradus_status hold(void *user, gradus_context *ctx, gradus_tensor *grad, gradus_tensor **replacement) {
  struct holder *h = user;
  (void)ctx; (void)grad; (void)replacement;
  pthread_mutex_lock(&h->lock);
  h->inside = 1;
  pthread_cond_broadcast(&h->change);
  while (!h->may_go) pthread_cond_wait(&h->change, &h->lock);
  pthread_mutex_unlock(&h->lock);
  return GRADUS_OK;
}
static void *stay_inside(void *user) {
  gradus_context *ctx = with_workers();
  const double data[2] = {1, 2};
  gradus_tensor *t = vector(ctx, data, 2), *s;
  OK(gradus_tensor_set_requires_grad(ctx, t, 1));
  OK(gradus_tensor_add_hook(ctx, t, hold, user, NULL, NULL));
  OK(gradus_sum(ctx, t, NULL, 0, 0, 0, &s));
  OK(gradus_backward(ctx, &s, 1, NULL, NULL));
  gradus_release(s);
  gradus_release(t);
  gradus_release(ctx);
  return NULL;
}
static void *try_in_child(void *user) {
  gradus_context *ctx = NULL;
  *(int *)user = gradus_context_create(NULL, &ctx) == GRADUS_E_STATE && ctx == NULL;
  return NULL;
}
static int refuses(gradus_context *ctx, gradus_tensor *t) {
  gradus_tensor *y = t;
  gradus_context *other = ctx;
  gradus_error e;
  pthread_t thread;
  size_t length = 1;
  int ok, there = 0;
  SIZED(e);
  ok = gradus_sin(ctx, t, &y) == GRADUS_E_STATE && y == NULL;
  gradus_context_error(ctx, &e);
  ok = ok && strstr(e.message, "forked") != NULL;
  ok = ok && gradus_context_create(NULL, &other) == GRADUS_E_STATE && other == NULL;
  ok = ok && gradus_registry_json(NULL, 0, &length) == GRADUS_E_STATE;
  ok = ok && gradus_op_find("sin", 3) == NULL && gradus_op_count() == 0;
  ok = ok && pthread_create(&thread, NULL, try_in_child, &there) == 0 && pthread_join(thread, NULL) == 0 && there;
  gradus_release(t);
  gradus_release(ctx);
  return ok && counts_now().contexts == 2;
}
static gradus_status forking_beside(void *user, gradus_context *ctx, gradus_tensor *grad, gradus_tensor **replacement) {
  (void)replacement;
  forked = fork();
  if (forked == 0) {
    gradus_tensor *y = NULL;
    *(int *)user = gradus_sin(ctx, grad, &y) == GRADUS_E_STATE;
  }
  return GRADUS_OK;
}
static void beside_another_call(void) {
  struct holder h = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};
  gradus_context *ctx = with_workers();
  const double data[2] = {1, 2};
  gradus_tensor *t = vector(ctx, data, 2), *s;
  pthread_t thread;
  pid_t child;
  int refused = 0;
  CHECK(pthread_create(&thread, NULL, stay_inside, &h) == 0);
  pthread_mutex_lock(&h.lock);
  while (!h.inside) pthread_cond_wait(&h.change, &h.lock);
  pthread_mutex_unlock(&h.lock);
  child = fork();
  if (child == 0) _exit(refuses(ctx, t) ? 0 : 1);
  CHECK(ended_well(child));
  CHECK(computes(ctx)); /* the parent goes on */

  OK(gradus_tensor_set_requires_grad(ctx, t, 1)); /* and a child that is itself inside a call comes out of it */
  OK(gradus_tensor_add_hook(ctx, t, forking_beside, &refused, NULL, NULL));
  OK(gradus_sum(ctx, t, NULL, 0, 0, 0, &s));
  {
    const gradus_status status = gradus_backward(ctx, &s, 1, NULL, NULL);
    if (forked == 0) _exit(status == GRADUS_OK && refused && gradus_backward(ctx, &s, 1, NULL, NULL) == GRADUS_E_STATE ? 0 : 1);
    CHECK(status == GRADUS_OK && ended_well(forked));
  }
  pthread_mutex_lock(&h.lock);
  h.may_go = 1;
  pthread_cond_broadcast(&h.change);
  pthread_mutex_unlock(&h.lock);
  pthread_join(thread, NULL);
  gradus_release(s);
  gradus_release(t);
  gradus_release(ctx);
}

/* At any moment of a busy thread: either the child works or it says STATE. */
static int stop;
static pthread_mutex_t stop_lock = PTHREAD_MUTEX_INITIALIZER;
static void *work(void *user) {
  gradus_context *ctx = with_workers();
  for (;;) {
    int last;
    pthread_mutex_lock(&stop_lock);
    last = stop;
    pthread_mutex_unlock(&stop_lock);
    if (last) break;
    *(int *)user &= computes(ctx);
  }
  gradus_release(ctx);
  return NULL;
}
static void at_any_moment(void) {
  pthread_t thread;
  int fine = 1, i;
  CHECK(pthread_create(&thread, NULL, work, &fine) == 0);
  for (i = 0; i < 50; ++i) {
    pid_t child = fork();
    if (child == 0) {
      gradus_context *ctx = NULL;
      const gradus_status s = gradus_context_create(NULL, &ctx);
      _exit(s == GRADUS_E_STATE || (s == GRADUS_OK && computes(ctx)) ? 0 : 1);
    }
    CHECK(ended_well(child));
    sched_yield();
  }
  pthread_mutex_lock(&stop_lock);
  stop = 1;
  pthread_mutex_unlock(&stop_lock);
  pthread_join(thread, NULL);
  CHECK(fine);
}

int main(void) {
  before_any_call();
  between_calls();
  inside_own_call();
  beside_another_call();
  at_any_moment();
  return finish("fork_test");
}
