/* Checkpoints of the host: parts of the forward pass that run again in backward, and loops of few states. */
#include <pthread.h>

#include "capi_check.h"

/* A segment's user data: how often it ran and how far, when it fails, and whether it was destroyed. */
typedef struct segment { int runs, tails, fails_at, destroyed; gradus_context *seen; } segment;
static void destroyed(void *user) { ++((segment *)user)->destroyed; }

/* exp(sin(x)) * x. Its gradient is exp(sin x) * (1 + x cos x). */
static gradus_status wave(gradus_context *ctx, gradus_tensor *x, gradus_tensor **result) {
  gradus_tensor *s = NULL, *e = NULL;
  gradus_status status = gradus_sin(ctx, x, &s);
  if (!status) status = gradus_exp(ctx, s, &e);
  if (!status) status = gradus_mul(ctx, e, x, result);
  gradus_release(s);
  gradus_release(e);
  return status;
}
static const double start[3] = {0.5, 1, 2};
static double slope_of_wave(double x) { return exp(sin(x)) * (1 + x * cos(x)); }

static gradus_status run_wave(void *user, gradus_context *ctx, gradus_tensor *const *inputs, size_t input_count, gradus_tensor **results,
                              size_t capacity, size_t *count) {
  segment *s = user;
  gradus_status status;
  CHECK(input_count == 1 && capacity >= 1 && results[0] == NULL);
  s->seen = ctx;
  if (++s->runs == s->fails_at) return gradus_context_fail(ctx, GRADUS_E_CALLBACK, 40 + s->runs, "not this time", 13);
  status = wave(ctx, inputs[0], &results[0]);
  s->tails += !status;
  *count = 1;
  return status;
}
static gradus_tensor *leaf(gradus_context *ctx) {
  gradus_tensor *x = vector(ctx, start, 3);
  OK(gradus_tensor_set_requires_grad(ctx, x, 1));
  return x;
}
/* The sum of a checkpoint of run_wave. */
static gradus_tensor *checkpointed(gradus_context *ctx, segment *s, gradus_tensor *x, const gradus_checkpoint_options *options) {
  gradus_tensor *y = NULL, *sum = NULL;
  size_t count = 9;
  OK(gradus_checkpoint(ctx, run_wave, s, destroyed, &x, 1, options, &y, 1, &count));
  CHECK(count == 1);
  OK(gradus_sum(ctx, y, NULL, 0, 0, 0, &sum));
  gradus_release(y);
  return sum;
}
static gradus_backward_options passing(uint32_t flags) {
  gradus_backward_options o;
  SIZED(o);
  o.flags = flags;
  return o;
}
static gradus_checkpoint_options with(uint32_t flags) {
  gradus_checkpoint_options o;
  SIZED(o);
  o.flags = flags;
  return o;
}

static void gradients_of_both_orders(void) {
  gradus_context *ctx = new_context();
  gradus_tensor *x = leaf(ctx), *y, *plain = NULL, *g = NULL, *sum = NULL, *second = NULL;
  segment s = {0, 0, 0, 0, NULL};
  const gradus_backward_options record = passing(GRADUS_BACKWARD_RECORD);
  double wanted[3], got[3];
  int i;
  y = checkpointed(ctx, &s, x, NULL);
  CHECK(s.runs == 1 && s.tails == 1 && s.destroyed == 0);
  OK(gradus_backward(ctx, &y, 1, NULL, NULL));
  CHECK(s.runs == 2 && s.tails == 1);                          /* the second run ends with the last value saved: mul is refused */
  OK(gradus_tensor_grad(ctx, x, &g));
  for (i = 0; i < 3; ++i) wanted[i] = slope_of_wave(start[i]);
  VALUES(g, wanted, 3);
  gradus_release(g);
  gradus_release(y);
  CHECK(s.destroyed == 1);

  y = checkpointed(ctx, &s, x, NULL);
  OK(gradus_grad(ctx, &y, 1, &x, 1, NULL, &record, &g));
  OK(gradus_sum(ctx, g, NULL, 0, 0, 0, &sum));
  OK(gradus_grad(ctx, &sum, 1, &x, 1, NULL, NULL, &second));
  for (i = 0; i < 3; ++i)                                      /* f'' = exp(sin x) ((1 + x cos x) cos x + cos x - x sin x) */
    wanted[i] = exp(sin(start[i])) * ((1 + start[i] * cos(start[i])) * cos(start[i]) + cos(start[i]) - start[i] * sin(start[i]));
  VALUES(second, wanted, 3);
  gradus_release(g);
  gradus_release(sum);
  gradus_release(second);
  gradus_release(y);
  CHECK(s.destroyed == 2);

  OK(wave(ctx, x, &plain));                                    /* the same bits as without */
  OK(gradus_sum(ctx, plain, NULL, 0, 0, 0, &sum));
  OK(gradus_grad(ctx, &sum, 1, &x, 1, NULL, NULL, &g));
  OK(gradus_tensor_copy_out(ctx, g, GRADUS_F64, wanted, sizeof wanted));
  gradus_release(g);
  y = checkpointed(ctx, &s, x, NULL);
  OK(gradus_grad(ctx, &y, 1, &x, 1, NULL, NULL, &g));
  OK(gradus_tensor_copy_out(ctx, g, GRADUS_F64, got, sizeof got));
  CHECK(memcmp(got, wanted, sizeof got) == 0);
  gradus_release(g);
  gradus_release(y);
  gradus_release(sum);
  gradus_release(plain);
  gradus_release(x);
  gradus_release(ctx);
}

static int64_t user_code(gradus_context *ctx) {
  gradus_error e;
  SIZED(e);
  gradus_context_error(ctx, &e);
  return e.user_code;
}

static void callbacks_that_fail(void) {
  gradus_context *ctx = new_context();
  gradus_tensor *x = leaf(ctx), *y = x, *g = NULL;
  segment s = {0, 0, 1, 0, NULL};
  const gradus_backward_options keep = passing(GRADUS_BACKWARD_KEEP_GRAPH);
  double wanted[3];
  size_t count = 9;
  int i;
  FAILS(gradus_checkpoint(ctx, run_wave, &s, destroyed, &x, 1, NULL, &y, 1, &count), GRADUS_E_CALLBACK, "not this time");
  CHECK(user_code(ctx) == 41 && count == 0 && s.destroyed == 0);
  s.fails_at = 3;                                              /* the first run of the next one is run 2 */
  y = checkpointed(ctx, &s, x, NULL);
  FAILS(gradus_backward(ctx, &y, 1, NULL, &keep), GRADUS_E_CALLBACK, "not this time");
  CHECK(user_code(ctx) == 43 && s.destroyed == 0);
  OK(gradus_tensor_grad(ctx, x, &g));
  CHECK(g == NULL);
  OK(gradus_backward(ctx, &y, 1, NULL, NULL));                 /* the graph is still there */
  OK(gradus_tensor_grad(ctx, x, &g));
  for (i = 0; i < 3; ++i) wanted[i] = slope_of_wave(start[i]);
  VALUES(g, wanted, 3);
  FAILS(gradus_backward(ctx, &y, 1, NULL, NULL), GRADUS_E_GRAPH_FREED, "");
  gradus_release(g);
  gradus_release(y);
  CHECK(s.destroyed == 1);
  gradus_release(x);
  gradus_release(ctx);
}

/* Makes one result and says that it made as many as there is room for, and `tails` more. */
static gradus_status miscounts(void *user, gradus_context *ctx, gradus_tensor *const *inputs, size_t input_count, gradus_tensor **results,
                               size_t capacity, size_t *count) {
  (void)input_count;
  *count = capacity + (size_t)((segment *)user)->tails;
  return wave(ctx, inputs[0], &results[0]);
}

static void options_and_their_errors(void) {
  gradus_context *ctx = new_context();
  gradus_tensor *x = leaf(ctx), *results[2], *y;
  segment s = {0, 0, 0, 0, NULL};
  gradus_checkpoint_options o = with(0x80);
  const gradus_op *no_op = (const gradus_op *)x;
  struct { gradus_checkpoint_options known; uint64_t more; } later;
  size_t count = 9;
#define REFUSED(segment, options, capacity, status, words) \
  FAILS(gradus_checkpoint(ctx, segment, &s, destroyed, &x, 1, options, results, capacity, &count), status, words)
  REFUSED(run_wave, &o, 2, GRADUS_E_UNKNOWN_FIELD, "unknown flags 0x80");
  o = with(0);
  o.kept_count = 1;
  REFUSED(run_wave, &o, 2, GRADUS_E_NULL, "'kept' is null with a count of 1");
  o.kept = &no_op;
  REFUSED(run_wave, &o, 2, GRADUS_E_HANDLE, "kept");
  o.kept_count = (uint64_t)1 << 40;
  REFUSED(run_wave, &o, 2, GRADUS_E_VALUE, "'kept' has a count of");
  o = with(0);
  o.struct_size = 4;
  REFUSED(run_wave, &o, 2, GRADUS_E_ARGUMENT, "struct_size 4");
  memset(&later, 0, sizeof later);
  later.known.struct_size = sizeof later;
  later.more = 1;
  REFUSED(run_wave, &later.known, 2, GRADUS_E_UNKNOWN_FIELD, "option struct");
  REFUSED(NULL, NULL, 2, GRADUS_E_NULL, "'segment' is null");
  REFUSED(miscounts, NULL, 2, GRADUS_E_NULL, "result");
  s.tails = 1;
  REFUSED(miscounts, NULL, 2, GRADUS_E_VALUE, "3 results, room for 2");
  s.tails = 0;
  FAILS(gradus_checkpoint(ctx, run_wave, &s, destroyed, &x, 1, NULL, NULL, 1, &count), GRADUS_E_NULL, "'results' is null");
  FAILS(gradus_checkpoint(ctx, run_wave, &s, destroyed, &x, 1, NULL, results, 2, NULL), GRADUS_E_NULL, "'count' is null");
  FAILS(gradus_checkpoint(ctx, run_wave, &s, destroyed, NULL, 1, NULL, results, 2, &count), GRADUS_E_NULL, "inputs");
#undef REFUSED
  CHECK(s.runs == 0 && s.destroyed == 0);

  o = with(GRADUS_CHECKPOINT_WHOLE);                           /* the second run goes to its end */
  y = checkpointed(ctx, &s, x, &o);
  OK(gradus_backward(ctx, &y, 1, NULL, NULL));
  CHECK(s.runs == 2 && s.tails == 2);
  gradus_release(y);
  CHECK(s.destroyed == 1);

  OK(gradus_context_set_recording(ctx, 0, NULL));              /* just the call: user is given back at once */
  y = checkpointed(ctx, &s, x, NULL);
  CHECK(s.runs == 3 && s.destroyed == 2);
  gradus_release(y);
  gradus_release(x);
  gradus_release(ctx);
}

/* dropout(exp(x)): what a second run without the random numbers of the first gets wrong. */
static gradus_status drop(void *user, gradus_context *ctx, gradus_tensor *const *inputs, size_t input_count, gradus_tensor **results,
                          size_t capacity, size_t *count) {
  gradus_tensor *e = NULL;
  gradus_status status = gradus_exp(ctx, inputs[0], &e);
  (void)input_count, (void)capacity;
  ++((segment *)user)->runs;
  if (!status) status = gradus_dropout(ctx, e, 0.5, 1, &results[0]);
  gradus_release(e);
  *count = 1;
  return status;
}
/* How many of 64 elements have a gradient that is their value, as dropout(exp(x)) has with one mask for both. */
static int agreeing(gradus_context *ctx, const gradus_checkpoint_options *options) {
  double zeros[64], value[64], slope[64];
  gradus_tensor *x, *y = NULL, *sum = NULL, *g = NULL;
  segment s = {0, 0, 0, 0, NULL};
  size_t count;
  int i, same = 0;
  memset(zeros, 0, sizeof zeros);
  x = vector(ctx, zeros, 64);
  OK(gradus_tensor_set_requires_grad(ctx, x, 1));
  OK(gradus_checkpoint(ctx, drop, &s, NULL, &x, 1, options, &y, 1, &count));
  OK(gradus_sum(ctx, y, NULL, 0, 0, 0, &sum));
  OK(gradus_grad(ctx, &sum, 1, &x, 1, NULL, NULL, &g));
  CHECK(s.runs == 2);
  OK(gradus_tensor_copy_out(ctx, y, GRADUS_F64, value, sizeof value));
  OK(gradus_tensor_copy_out(ctx, g, GRADUS_F64, slope, sizeof slope));
  for (i = 0; i < 64; ++i) same += value[i] == slope[i];
  gradus_release(x);
  gradus_release(y);
  gradus_release(sum);
  gradus_release(g);
  return same;
}
static void random_numbers_and_kept_results(void) {
  gradus_context *ctx = new_context();
  gradus_checkpoint_options o = with(GRADUS_CHECKPOINT_NEW_RANDOM);
  const gradus_op *kept[2];
  CHECK(agreeing(ctx, NULL) == 64);
  CHECK(agreeing(ctx, &o) < 64);
  kept[0] = gradus_op_find("exp", 3);
  kept[1] = gradus_op_find("dropout", 7);
  o.kept = kept;
  o.kept_count = 2;
  CHECK(agreeing(ctx, &o) == 64);                              /* the kept mask, whatever the stream says by now */
  gradus_release(ctx);
}

/* One state: x -> sin(x). Two: (a, b) -> (b, a * b). */
static gradus_status step_of(void *user, gradus_context *ctx, int64_t step, gradus_tensor *const *state, size_t state_count,
                             gradus_tensor **next) {
  segment *s = user;
  (void)step;
  if (++s->runs == s->fails_at) return gradus_context_fail(ctx, GRADUS_E_CALLBACK, 77, "a step", 6);
  if (state_count == 1) return gradus_sin(ctx, state[0], &next[0]);
  gradus_retain(state[1]);
  next[0] = state[1];
  return gradus_mul(ctx, state[0], state[1], &next[1]);
}
static void loops(void) {
  gradus_context *ctx = new_context();
  gradus_tensor *x = leaf(ctx), *b = vector(ctx, start, 3), *last = NULL, *sum = NULL, *g = NULL, *pair[2], *ends[2];
  segment s = {0, 0, 0, 0, NULL};
  uint64_t before = counts_now().tensors, held;
  double wanted[3];
  int i, k;
  OK(gradus_checkpoint_loop(ctx, step_of, &s, destroyed, 64, &x, 1, NULL, &last));
  held = counts_now().tensors - before;
  CHECK(s.runs == 64 && s.destroyed == 0 && held < 32);
  OK(gradus_sum(ctx, last, NULL, 0, 0, 0, &sum));
  OK(gradus_grad(ctx, &sum, 1, &x, 1, NULL, NULL, &g));
  CHECK(s.runs <= 64 * 8);
  for (i = 0; i < 3; ++i) {
    double at = start[i];
    wanted[i] = 1;
    for (k = 0; k < 64; ++k) wanted[i] *= cos(at), at = sin(at);
  }
  VALUES(g, wanted, 3);
  gradus_release(g);
  gradus_release(sum);
  gradus_release(last);
  CHECK(s.destroyed == 1);

  pair[0] = x;
  pair[1] = b;
  OK(gradus_checkpoint_loop(ctx, step_of, &s, destroyed, 5, pair, 2, NULL, ends)); /* a^F(n) b^F(n+1): a^5 b^8 */
  OK(gradus_sum(ctx, ends[1], NULL, 0, 0, 0, &sum));
  OK(gradus_grad(ctx, &sum, 1, &x, 1, NULL, NULL, &g));
  for (i = 0; i < 3; ++i) wanted[i] = 5 * pow(start[i], 12);
  VALUES(g, wanted, 3);
  gradus_release(g);
  gradus_release(sum);
  gradus_release(ends[0]);
  gradus_release(ends[1]);
  CHECK(s.destroyed == 2);

  OK(gradus_checkpoint_loop(ctx, step_of, &s, destroyed, 0, pair, 2, NULL, ends)); /* no step: the state itself */
  VALUES(ends[0], start, 3);
  gradus_release(ends[0]);
  gradus_release(ends[1]);
  CHECK(s.destroyed == 3);
  s.runs = 0;
  s.fails_at = 3;
  FAILS(gradus_checkpoint_loop(ctx, step_of, &s, destroyed, 5, pair, 2, NULL, ends), GRADUS_E_CALLBACK, "a step");
  CHECK(user_code(ctx) == 77 && !ends[0] && !ends[1]);
  FAILS(gradus_checkpoint_loop(ctx, step_of, &s, destroyed, -1, pair, 2, NULL, ends), GRADUS_E_VALUE, "-1 steps");
  FAILS(gradus_checkpoint_loop(ctx, NULL, &s, destroyed, 1, pair, 2, NULL, ends), GRADUS_E_NULL, "'step' is null");
  FAILS(gradus_checkpoint_loop(ctx, step_of, &s, destroyed, 1, pair, 2, NULL, NULL), GRADUS_E_NULL, "'results' is null");
  CHECK(s.destroyed == 3);
  gradus_release(x);
  gradus_release(b);
  gradus_release(ctx);
}

/* The graph of one context, differentiated on another thread with another. */
typedef struct elsewhere { gradus_tensor *y, *x, *g; gradus_context *ctx; segment *s; gradus_status status; } elsewhere;
static void *differentiate(void *user) {
  elsewhere *e = user;
  e->status = gradus_context_create(NULL, &e->ctx);
  if (!e->status) e->status = gradus_grad(e->ctx, &e->y, 1, &e->x, 1, NULL, NULL, &e->g);
  return user;
}
static void another_thread(int and_first_gone) {
  gradus_context *ctx = new_context();
  segment s = {0, 0, 0, 0, NULL};
  elsewhere e;
  pthread_t thread;
  double wanted[3];
  int i;
  memset(&e, 0, sizeof e);
  e.x = leaf(ctx);
  e.y = checkpointed(ctx, &s, e.x, NULL);
  CHECK(s.seen == ctx);
  if (and_first_gone) gradus_release(ctx);
  CHECK(pthread_create(&thread, NULL, differentiate, &e) == 0);
  pthread_join(thread, NULL);
  CHECK(e.status == GRADUS_OK && s.runs == 2 && s.seen == e.ctx); /* runs again where the pass runs */
  for (i = 0; i < 3; ++i) wanted[i] = slope_of_wave(start[i]);
  check_values(e.ctx, e.g, wanted, 3, __LINE__);
  gradus_release(e.g);
  gradus_release(e.y);
  CHECK(s.destroyed == 1);
  gradus_release(e.x);
  gradus_release(e.ctx);
  if (!and_first_gone) gradus_release(ctx);
}

/* Takes another way when an operation fails: the end of the second run reaches the library all the same. */
static gradus_status never_fails(void *user, gradus_context *ctx, gradus_tensor *const *inputs, size_t input_count, gradus_tensor **results,
                                 size_t capacity, size_t *count) {
  (void)input_count, (void)capacity;
  ++((segment *)user)->runs;
  *count = 1;
  if (gradus_exp(ctx, inputs[0], &results[0]) == GRADUS_OK) return GRADUS_OK;
  ++((segment *)user)->tails;
  if (gradus_tanh(ctx, inputs[0], &results[0]) == GRADUS_OK) ++((segment *)user)->fails_at;
  return GRADUS_OK;
}
static void failures_that_a_segment_ignores(void) {
  gradus_context *ctx = new_context();
  gradus_tensor *x = leaf(ctx), *y = NULL, *sum = NULL, *g = NULL;
  segment s = {0, 0, 0, 0, NULL};
  const gradus_checkpoint_options unchecked = with(GRADUS_CHECKPOINT_UNCHECKED);
  double wanted[3];
  size_t count;
  int i;
  OK(gradus_checkpoint(ctx, never_fails, &s, NULL, &x, 1, &unchecked, &y, 1, &count));
  OK(gradus_sum(ctx, y, NULL, 0, 0, 0, &sum));
  OK(gradus_grad(ctx, &sum, 1, &x, 1, NULL, NULL, &g));
  for (i = 0; i < 3; ++i) wanted[i] = exp(start[i]);
  VALUES(g, wanted, 3);
  CHECK(s.runs == 2 && s.tails == 1 && s.fails_at == 0);
  gradus_release(g);
  gradus_release(sum);
  gradus_release(y);
  gradus_release(x);
  gradus_release(ctx);
}

int main(void) {
  gradients_of_both_orders();
  callbacks_that_fail();
  options_and_their_errors();
  random_numbers_and_kept_results();
  loops();
  another_thread(0);
  another_thread(1);
  failures_that_a_segment_ignores();
  return finish("capi_checkpoint_test");
}
