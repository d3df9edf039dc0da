/* Where the host's destroy functions run: at the last reference, or with GRADUS_CTX_POLLED_DESTROY in gradus_context_poll and nowhere
 * else; callbacks run on threads that are inside a call, whatever the workers do. */
#include <pthread.h>
#include <stdlib.h>

#include "../capi_check.h"

static pthread_t destroyed_on;
static int destroyed, order[16];
static void on_destroy(void *user) {
  if (destroyed < 16) order[destroyed] = (int)(intptr_t)user;
  destroyed_on = pthread_self();
  ++destroyed;
}
static void *number(int i) { return (void *)(intptr_t)i; }

static gradus_context *polled(void) {
  gradus_context *ctx = NULL;
  gradus_context_options o;
  SIZED(o);
  o.flags = GRADUS_CTX_POLLED_DESTROY;
  CHECK(gradus_context_create(&o, &ctx) == GRADUS_OK);
  return ctx;
}

static gradus_status look(void *user, gradus_context *ctx, gradus_tensor *grad, gradus_tensor **replacement) {
  (void)user; (void)ctx; (void)grad; (void)replacement;
  return GRADUS_OK;
}
static gradus_status pass_back(void *user, gradus_context *ctx, gradus_function_call *call, gradus_tensor *const *in, size_t n,
                               gradus_tensor **out, size_t capacity, size_t *count) {
  (void)user; (void)ctx; (void)n;
  if (gradus_function_state(call) == NULL) return gradus_context_fail(ctx, GRADUS_E_CALLBACK, 0, "no state", 8);
  gradus_retain(in[0]);
  out[0] = in[0];
  *count = capacity;
  return GRADUS_OK;
}
static gradus_status forward(void *user, gradus_context *ctx, gradus_function_call *call, gradus_tensor *const *in, size_t n,
                             gradus_tensor **out, size_t capacity, size_t *count) {
  (void)user; (void)n; (void)capacity;
  *count = 1;
  if (gradus_function_set_state(ctx, call, number(3), on_destroy) != GRADUS_OK) return GRADUS_E_CALLBACK;
  return gradus_mul_scalar(ctx, in[0], 1.0, out);
}
static gradus_status pack(void *user, gradus_context *ctx, gradus_tensor *tensor, const gradus_op *op, gradus_tensor **replacement, void **token) {
  (void)user; (void)ctx; (void)op;
  gradus_retain(tensor);
  *replacement = tensor;
  *token = number(4);
  return GRADUS_OK;
}
static gradus_status unpack(void *user, gradus_context *ctx, gradus_tensor *replacement, void *token, gradus_tensor **result) {
  (void)user; (void)ctx; (void)token;
  gradus_retain(replacement);
  *result = replacement;
  return GRADUS_OK;
}
static void discard(void *user, void *token) { (void)user; on_destroy(token); }

/* One of each: wrapped memory 1, a hook's user 2, a function's user 6 and state 3, a saved token 4 and its hooks' user 5. */
static double memory[2] = {1, 2};
static void use_all(gradus_context *ctx, gradus_tensor **kept) {
  const int64_t shape[1] = {2};
  gradus_function f;
  gradus_saved_hooks h;
  gradus_tensor *y;
  size_t count;
  OK(gradus_tensor_wrap(ctx, GRADUS_F64, 1, shape, NULL, memory, sizeof memory, 0, on_destroy, number(1), &kept[0]));
  OK(gradus_tensor_set_requires_grad(ctx, kept[0], 1));
  OK(gradus_tensor_add_hook(ctx, kept[0], look, number(2), on_destroy, NULL));
  SIZED(f);
  f.name = "Same";
  f.forward = forward;
  f.vjp = pass_back;
  f.user = number(6);
  f.destroy = on_destroy;
  OK(gradus_function_apply(ctx, &f, kept, 1, &y, 1, &count));
  SIZED(h);
  h.pack = pack;
  h.unpack = unpack;
  h.discard = discard;
  h.user = number(5);
  h.destroy = on_destroy;
  OK(gradus_context_push_saved_hooks(ctx, &h));
  OK(gradus_sin(ctx, y, &kept[1]));
  OK(gradus_context_pop_saved_hooks(ctx));
  gradus_release(y);
  OK(gradus_sum(ctx, kept[1], NULL, 0, 0, 0, &y));
  OK(gradus_backward(ctx, &y, 1, NULL, NULL));
  gradus_release(y);
}

static void *release_all(void *user) {
  gradus_tensor **kept = user;
  gradus_release(kept[1]);
  gradus_release(kept[0]);
  return NULL;
}
static void release_elsewhere(gradus_tensor **kept) {
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, release_all, kept) == 0);
  pthread_join(thread, NULL);
}

static int seen(int what) {
  int i, n = 0;
  for (i = 0; i < destroyed && i < 16; ++i) n += order[i] == what;
  return n;
}

static void at_once(void) {
  gradus_context *ctx = new_context();
  gradus_tensor *kept[2];
  uint64_t ran = 7;
  destroyed = 0;
  use_all(ctx, kept);
  release_elsewhere(kept);
  CHECK(destroyed == 6 && !pthread_equal(destroyed_on, pthread_self()));
  OK(gradus_context_poll(ctx, &ran));
  CHECK(ran == 0);
  gradus_release(ctx);
  CHECK(counts_now().callbacks == 0 && counts_now().foreign_blocks == 0);
}

static void when_polled(void) {
  gradus_context *ctx = polled();
  gradus_tensor *kept[2];
  uint64_t ran = 7;
  int i;
  destroyed = 0;
  use_all(ctx, kept);
  release_elsewhere(kept);
  CHECK(destroyed == 0);
  CHECK(counts_now().tensors == 0 && counts_now().graph_nodes == 0);
  CHECK(counts_now().foreign_blocks == 1 && counts_now().callbacks >= 4); /* they wait */
  OK(gradus_context_poll(ctx, &ran));
  CHECK(destroyed == 6 && ran >= 5 && pthread_equal(destroyed_on, pthread_self()));
  for (i = 1; i <= 6; ++i) CHECK(seen(i) == 1);
  for (i = 0; i < 6 && order[i] != 5; ++i) {}
  while (--i >= 0 && order[i] != 4) {}
  CHECK(i >= 0); /* the token goes before the user of its hooks */
  CHECK(counts_now().foreign_blocks == 0 && counts_now().callbacks == 0);
  OK(gradus_context_poll(ctx, NULL));
  CHECK(destroyed == 6);
  CHECK(gradus_context_poll(NULL, &ran) == GRADUS_E_NULL && ran == 0);
  gradus_release(ctx);
}

/* A registration that fails takes nothing, queued or not. */
static void failures(void) {
  gradus_context *ctx = polled();
  gradus_tensor *t = NULL;
  uint64_t ran;
  const int64_t shape[1] = {2};
  destroyed = 0;
  FAILS(gradus_tensor_wrap(ctx, GRADUS_F64, 1, shape, NULL, memory, 8, 0, on_destroy, NULL, &t), GRADUS_E_VALUE, "data_bytes");
  t = vector(ctx, memory, 2);
  FAILS(gradus_tensor_add_hook(ctx, t, look, NULL, on_destroy, NULL), GRADUS_E_STATE, "");
  gradus_release(t);
  OK(gradus_context_poll(ctx, &ran));
  CHECK(ran == 0 && destroyed == 0 && counts_now().callbacks == 0);
  gradus_release(ctx);
}

/* A destroy that releases more, polls, and releases the context. */
static gradus_context *own;
static gradus_tensor *second;
static void release_more(void *user) {
  uint64_t ran = 9;
  (void)user;
  ++destroyed;
  gradus_release(second);
  CHECK(gradus_context_poll(own, &ran) == GRADUS_OK && ran == 1);
  gradus_release(own);
}
static void nested(void) {
  const int64_t shape[1] = {2};
  gradus_tensor *t;
  gradus_context *ctx = own = polled();
  uint64_t ran;
  destroyed = 0;
  OK(gradus_tensor_wrap(ctx, GRADUS_F64, 1, shape, NULL, memory, sizeof memory, 0, on_destroy, NULL, &second));
  OK(gradus_tensor_wrap(ctx, GRADUS_F64, 1, shape, NULL, memory, sizeof memory, 0, release_more, NULL, &t));
  gradus_release(t);
  CHECK(gradus_context_poll(ctx, &ran) == GRADUS_OK);
  CHECK(ran == 1 && destroyed == 2 && counts_now().contexts == 0 && counts_now().foreign_blocks == 0);
}

/* With the context gone they never run, and are seen to be missing. */
static int missing_blocks, missing_callbacks;
static void too_late(void) {
  gradus_context *ctx = polled();
  gradus_tensor *kept[2], *more[2];
  destroyed = 0;
  use_all(ctx, kept);
  use_all(ctx, more);
  release_elsewhere(kept); /* queued, */
  gradus_release(ctx);
  release_elsewhere(more); /* and dropped after the end */
  CHECK(destroyed == 0);
  missing_blocks = (int)counts_now().foreign_blocks;
  missing_callbacks = (int)counts_now().callbacks;
  CHECK(missing_blocks == 2 && missing_callbacks >= 8);
  CHECK(counts_now().contexts == 0 && counts_now().tensors == 0 && counts_now().graph_nodes == 0);
}

/* Callbacks of all kinds under eight workers. */
static pthread_t caller;
static int calls, elsewhere;
static void note(void) {
  ++calls;
  elsewhere += !pthread_equal(caller, pthread_self());
}
static void noting_log(void *user, int32_t level, const char *text, size_t length) { (void)user; (void)level; (void)text; (void)length; note(); }
static int32_t noting_interrupt(void *user) { (void)user; note(); return 0; }
static void *noting_alloc(void *user, size_t bytes, size_t alignment) {
  void *p = NULL;
  (void)user;
  note();
  return posix_memalign(&p, alignment, bytes) == 0 ? p : NULL;
}
static void noting_free(void *user, void *block, size_t bytes, size_t alignment) { (void)user; (void)bytes; (void)alignment; note(); free(block); }
static gradus_status noting_hook(void *user, gradus_context *ctx, gradus_tensor *grad, gradus_tensor **replacement) {
  note();
  return look(user, ctx, grad, replacement);
}
static void on_the_callers_thread(void) {
  gradus_context *ctx = NULL;
  gradus_context_options o;
  gradus_tensor *x, *y, *z, *s;
  const int64_t shape[2] = {1024, 1024};
  SIZED(o);
  o.threads = 8;
  o.log_level = 3;
  o.log = noting_log;
  o.interrupt = noting_interrupt;
  o.alloc = noting_alloc;
  o.dealloc = noting_free;
  caller = pthread_self();
  CHECK(gradus_context_create(&o, &ctx) == GRADUS_OK);
  OK(gradus_tensor_zeros(ctx, GRADUS_F32, 2, shape, &x));
  OK(gradus_tensor_set_requires_grad(ctx, x, 1));
  OK(gradus_tensor_add_hook(ctx, x, noting_hook, NULL, NULL, NULL));
  OK(gradus_matmul(ctx, x, x, &y));
  OK(gradus_exp(ctx, y, &z));
  OK(gradus_sum(ctx, z, NULL, 0, 0, 0, &s));
  OK(gradus_backward(ctx, &s, 1, NULL, NULL));
  CHECK(calls > 20 && elsewhere == 0);
  gradus_release(s);
  gradus_release(z);
  gradus_release(y);
  gradus_release(x);
  gradus_release(ctx);
  CHECK(elsewhere == 0);
}

int main(void) {
  at_once();
  when_polled();
  failures();
  nested();
  on_the_callers_thread();
  CHECK(counts_now().callbacks == 0 && counts_now().foreign_blocks == 0);
  too_late();
  printf("poll_test: %d checks, %d faults\n", checks, faults);
  return faults != 0;
}
