/* Optimizers, schedulers, clipping and first values through the C interface. */
#include <stdlib.h>

#include "capi_check.h"

#define SETTINGS(list) (list), sizeof(list) / sizeof((list)[0]), sizeof((list)[0])
#define TEXT(s) (s), sizeof(s) - 1

static gradus_tensor *leaf(gradus_context *ctx, double value) {
  gradus_tensor *t = vector(ctx, &value, 1);
  OK(gradus_tensor_set_requires_grad(ctx, t, 1));
  return t;
}
static void give_grad(gradus_context *ctx, gradus_tensor *t, double value) {
  gradus_tensor *g = vector(ctx, &value, 1);
  OK(gradus_tensor_set_grad(ctx, t, g));
  gradus_release(g);
}

static gradus_status square(void *user, gradus_context *ctx, gradus_tensor **loss) {
  gradus_tensor *p = (gradus_tensor *)user, *s;
  gradus_status status;
  OK(gradus_tensor_set_grad(ctx, p, NULL));
  OK(gradus_mul(ctx, p, p, &s));
  OK(gradus_sum(ctx, s, NULL, 0, 0, 0, loss));
  status = gradus_backward(ctx, loss, 1, NULL, NULL);
  gradus_release(s);
  return status;
}
static gradus_status refuses(void *user, gradus_context *ctx, gradus_tensor **loss) {
  (void)user;
  *loss = NULL;
  return gradus_context_fail(ctx, GRADUS_E_CALLBACK, 42, "no data", 7);
}
static gradus_status nothing(void *user, gradus_context *ctx, gradus_tensor **loss) {
  (void)user, (void)ctx, (void)loss;
  return GRADUS_OK;
}

static void describes(void) {
  gradus_context *ctx = new_context();
  const gradus_setting s[] = {{0.25, "lr", NULL}, {0.5, "momentum", NULL}};
  gradus_tensor *p[2], *same;
  gradus_optimizer *opt;
  gradus_optimizer_info info;
  gradus_setting setting;
  size_t i;
  int64_t group;
  double value;

  p[0] = leaf(ctx, 2), p[1] = leaf(ctx, 1);
  OK(gradus_optimizer_create(ctx, TEXT("SGD"), p, 1, SETTINGS(s), &opt));
  OK(gradus_optimizer_add_group(ctx, opt, p + 1, 1, NULL, 0, 0));
  CHECK(counts_now().optimizers == 1);
  SIZED(info);
  OK(gradus_optimizer_describe(ctx, opt, &info));
  CHECK(info.group_count == 2 && info.param_count == 2 && info.setting_count == 6 && strcmp(info.algorithm, "SGD") == 0);
  for (i = 0; i < info.setting_count; ++i) {
    OK(gradus_optimizer_setting_at(ctx, opt, 1, i, &setting));
    OK(gradus_optimizer_get(ctx, opt, 1, setting.name, strlen(setting.name), &value));
    CHECK(value == setting.value);
  }
  FAILS(gradus_optimizer_setting_at(ctx, opt, 1, i, &setting), GRADUS_E_INDEX, "setting 6 of 6");
  CHECK(setting.name == NULL);
  OK(gradus_optimizer_param(ctx, opt, 1, &group, &same));
  CHECK(same == p[1] && group == 1);
  gradus_release(same);
  FAILS(gradus_optimizer_param(ctx, opt, 2, NULL, &same), GRADUS_E_INDEX, "parameter 2 of 2");
  CHECK(same == NULL);
  gradus_retain(opt);
  gradus_release(opt);
  CHECK(counts_now().optimizers == 1);
  gradus_release(opt);
  gradus_release(p[0]);
  gradus_release(p[1]);
  gradus_release(ctx);
}

static void steps(void) {
  gradus_context *ctx = new_context();
  const gradus_setting s[] = {{0.25, "lr", NULL}, {0.5, "momentum", NULL}};
  const double four = 4, one = 1, after = 0.75;
  gradus_tensor *p = leaf(ctx, 2), *loss, *state;
  gradus_optimizer *opt, *other;
  gradus_optimizer_state_info entry;
  gradus_error error;
  size_t count;

  OK(gradus_optimizer_create(ctx, TEXT("SGD"), &p, 1, SETTINGS(s), &opt));
  OK(gradus_optimizer_state_count(ctx, opt, &count));
  CHECK(count == 0);
  OK(gradus_optimizer_step_closure(ctx, opt, square, p, &loss));    /* the gradient is 4 */
  VALUES(loss, &four, 1);
  VALUES(p, &one, 1);
  gradus_release(loss);
  OK(gradus_optimizer_state_count(ctx, opt, &count));
  CHECK(count == 1);
  SIZED(entry);
  OK(gradus_optimizer_state_at(ctx, opt, 0, &entry, &state));
  CHECK(entry.param == 0 && strcmp(entry.name, "momentum_buffer") == 0);
  VALUES(state, &four, 1);
  OK(gradus_optimizer_create(ctx, TEXT("SGD"), &p, 1, SETTINGS(s), &other));
  OK(gradus_optimizer_load_state(ctx, other, entry.param, entry.name, strlen(entry.name), state));
  give_grad(ctx, p, -1);
  OK(gradus_optimizer_step(ctx, other));                            /* 1 - 0.25 (0.5 4 - 1) */
  VALUES(p, &after, 1);
  VALUES(state, &four, 1);
  gradus_release(state);

  FAILS(gradus_optimizer_state_at(ctx, opt, 1, &entry, &state), GRADUS_E_INDEX, "entry 1 of 1");
  CHECK(state == NULL);
  FAILS(gradus_optimizer_step_closure(ctx, opt, refuses, NULL, &loss), GRADUS_E_CALLBACK, "no data");
  SIZED(error);
  gradus_context_error(ctx, &error);
  CHECK(error.user_code == 42 && loss == NULL);
  FAILS(gradus_optimizer_step_closure(ctx, opt, nothing, NULL, &loss), GRADUS_E_NULL, "gave no loss|loss");
  VALUES(p, &after, 1);
  OK(gradus_optimizer_zero_grad(ctx, opt, 1));
  OK(gradus_optimizer_step(ctx, opt));                              /* without a gradient nothing happens */
  VALUES(p, &after, 1);
  gradus_context_cancel(ctx);
  give_grad(ctx, p, 1);
  FAILS(gradus_optimizer_step(ctx, opt), GRADUS_E_CANCELLED, "cancelled");
  VALUES(p, &after, 1);
  gradus_release(opt);
  gradus_release(other);
  gradus_release(p);
  gradus_release(ctx);
}

static void wrong(void) {
  gradus_context *ctx = new_context();
  const gradus_setting unknown[] = {{1, "rate", NULL}}, nameless[] = {{1, NULL, NULL}}, bad[] = {{-2, "lr", NULL}};
  gradus_tensor *p = leaf(ctx, 2);
  gradus_optimizer *opt = NULL, *made;
  gradus_scheduler *scheduler;
  double value = 1;

  FAILS(gradus_optimizer_create(ctx, NULL, 3, &p, 1, NULL, 0, 0, &made), GRADUS_E_NULL, "'algorithm' is null");
  FAILS(gradus_optimizer_create(ctx, TEXT("SGDX"), &p, 1, NULL, 0, 0, &made), GRADUS_E_UNKNOWN_NAME, "'SGDX'");
  FAILS(gradus_optimizer_create(ctx, TEXT("SGD"), NULL, 1, NULL, 0, 0, &made), GRADUS_E_NULL, "'parameters' is null");
  FAILS(gradus_optimizer_create(ctx, TEXT("SGD"), &p, 1, NULL, 2, sizeof bad[0], &made), GRADUS_E_NULL, "'settings' is null");
  FAILS(gradus_optimizer_create(ctx, TEXT("SGD"), &p, 1, bad, 1, 8, &made), GRADUS_E_ARGUMENT, "'setting_bytes' is 8");
  FAILS(gradus_optimizer_create(ctx, TEXT("SGD"), &p, 1, SETTINGS(bad), &made), GRADUS_E_VALUE, "SGD|'lr' is -2");
  FAILS(gradus_optimizer_create(ctx, TEXT("SGD"), &p, 1, SETTINGS(unknown), &made), GRADUS_E_UNKNOWN_NAME, "SGD|'rate'|momentum");
  FAILS(gradus_optimizer_create(ctx, TEXT("SGD"), &p, 1, SETTINGS(nameless), &made), GRADUS_E_NULL, "'name' is null");
  CHECK(made == NULL);
  FAILS(gradus_optimizer_create(ctx, TEXT("SGD"), &p, 1, NULL, 0, 0, NULL), GRADUS_E_NULL, "'result'");
  FAILS(gradus_optimizer_step(ctx, NULL), GRADUS_E_NULL, "'optimizer' is null");
  FAILS(gradus_optimizer_step(ctx, (gradus_optimizer *)p), GRADUS_E_HANDLE, "'optimizer' is a tensor");
  OK(gradus_optimizer_create(ctx, TEXT("Adam"), &p, 1, NULL, 0, 0, &opt));
  FAILS(gradus_optimizer_step_closure(ctx, opt, NULL, NULL, NULL), GRADUS_E_NULL, "'closure' is null");
  FAILS(gradus_optimizer_get(ctx, opt, 0, TEXT("momentum"), &value), GRADUS_E_UNKNOWN_NAME, "Adam|'momentum'");
  CHECK(value == 0);
  FAILS(gradus_optimizer_set(ctx, opt, -2, TEXT("lr"), 1), GRADUS_E_INDEX, "group -2 of 1");
  FAILS(gradus_optimizer_load_state(ctx, opt, 0, TEXT("exp_avg"), NULL), GRADUS_E_NULL, "'value' is null");
  FAILS(gradus_scheduler_create(ctx, opt, TEXT("StepLR"), NULL, 0, 0, &scheduler), GRADUS_E_VALUE, "StepLR|'step_size' is needed");
  FAILS(gradus_scheduler_create(ctx, (gradus_optimizer *)p, TEXT("StepLR"), NULL, 0, 0, &scheduler), GRADUS_E_HANDLE, "is a tensor");
  CHECK(scheduler == NULL);
  FAILS(gradus_scheduler_step(ctx, (gradus_scheduler *)opt), GRADUS_E_HANDLE, "'scheduler' is a optimizer");
  FAILS(gradus_clip_grad_norm(ctx, &p, 1, -1, 2, 0, &value), GRADUS_E_VALUE, "'max_norm' is -1");
  FAILS(gradus_clip_grad_value(ctx, NULL, 1, 1), GRADUS_E_NULL, "'tensors' is null");
  FAILS(gradus_init_xavier(ctx, p, 2, 1), GRADUS_E_VALUE, "'draw' is 2");
  FAILS(gradus_init_orthogonal(ctx, p, 1), GRADUS_E_SHAPE, "shape [1]");
  FAILS(gradus_init_trunc_normal(ctx, p, 0, 1, 2, -2), GRADUS_E_VALUE, "no numbers from 2 to -2");
  FAILS(gradus_init_gain(ctx, TEXT("sine"), 0, &value), GRADUS_E_UNKNOWN_NAME, "'sine'");
  gradus_release(opt);
  gradus_release(p);
  gradus_release(ctx);
}

static void schedules(void) {
  gradus_context *ctx = new_context();
  const gradus_setting s[] = {{1, "milestones", NULL}, {0.5, "gamma", NULL}, {3, "milestones", NULL}};
  gradus_tensor *p = leaf(ctx, 2);
  gradus_optimizer *opt;
  gradus_scheduler *scheduler;
  gradus_setting entry;
  double value;
  int i;

  OK(gradus_optimizer_create(ctx, TEXT("RAdam"), &p, 1, NULL, 0, 0, &opt));
  OK(gradus_optimizer_set(ctx, opt, -1, TEXT("lr"), 1));
  OK(gradus_scheduler_create(ctx, opt, TEXT("MultiStepLR"), SETTINGS(s), &scheduler));
  CHECK(counts_now().schedulers == 1);
  for (i = 0; i < 3; ++i) OK(gradus_scheduler_step(ctx, scheduler));
  OK(gradus_optimizer_get(ctx, opt, 0, TEXT("lr"), &value));
  CHECK(value == 0.25);
  OK(gradus_scheduler_state_at(ctx, scheduler, 0, &entry));
  CHECK(strcmp(entry.name, "last_epoch") == 0 && entry.value == 3);
  OK(gradus_scheduler_load_state(ctx, scheduler, entry.name, strlen(entry.name), 0));
  OK(gradus_scheduler_step(ctx, scheduler));
  OK(gradus_optimizer_get(ctx, opt, 0, TEXT("lr"), &value));
  CHECK(value == 0.125);
  gradus_release(opt);                                              /* the scheduler keeps it */
  OK(gradus_scheduler_step(ctx, scheduler));
  gradus_release(scheduler);
  gradus_release(p);
  gradus_release(ctx);
}

static void *may_fail(void *user, size_t bytes, size_t alignment) {
  void *block = NULL;
  if (*(int *)user) return NULL;
  return posix_memalign(&block, alignment < sizeof(void *) ? sizeof(void *) : alignment, bytes ? bytes : 1) == 0 ? block : NULL;
}
static void free_block(void *user, void *block, size_t bytes, size_t alignment) {
  (void)user, (void)bytes, (void)alignment;
  free(block);
}
static void out_of_memory(void) {
  static const char *const algorithms[] = {"Adam", "RMSprop", "Adadelta", "NAdam", "Lion", "Adagrad"};
  static const int64_t shape[1] = {5000};
  int fails = 0;
  size_t i, count;
  double before, after;
  gradus_context *ctx;
  gradus_context_options o;
  SIZED(o);
  o.alloc = may_fail;
  o.dealloc = free_block;
  o.user = &fails;
  CHECK(gradus_context_create(&o, &ctx) == GRADUS_OK);
  for (i = 0; i < sizeof algorithms / sizeof algorithms[0]; ++i) {
    gradus_tensor *p, *g, *part;
    gradus_optimizer *opt;
    OK(gradus_tensor_zeros(ctx, GRADUS_F64, 1, shape, &p));
    OK(gradus_tensor_zeros(ctx, GRADUS_F64, 1, shape, &g));
    OK(gradus_cos(ctx, g, &part));
    OK(gradus_tensor_set_grad(ctx, p, part));
    OK(gradus_optimizer_create(ctx, algorithms[i], strlen(algorithms[i]), &p, 1, NULL, 0, 0, &opt));
    fails = 1;
    FAILS(gradus_optimizer_step(ctx, opt), GRADUS_E_MEMORY, "memory");
    fails = 0;
    OK(gradus_optimizer_state_count(ctx, opt, &count));
    CHECK(count == 0);
    OK(gradus_clip_grad_norm(ctx, &p, 1, 1e9, 2, 1, &before));
    gradus_release(part);
    OK(gradus_sum(ctx, p, NULL, 0, 0, 0, &part));
    OK(gradus_tensor_item_f64(ctx, part, &after));
    CHECK(after == 0 && before > 70);
    OK(gradus_optimizer_step(ctx, opt));
    gradus_release(part);
    OK(gradus_sum(ctx, p, NULL, 0, 0, 0, &part));
    OK(gradus_tensor_item_f64(ctx, part, &after));
    CHECK(after < 0);
    gradus_release(part);
    gradus_release(g);
    gradus_release(p);
    gradus_release(opt);
  }
  gradus_release(ctx);
}

int main(void) {
  describes();
  out_of_memory();
  steps();
  wrong();
  schedules();
  CHECK(counts_now().optimizers == 0);
  CHECK(counts_now().schedulers == 0);
  return finish("capi_optim_test");
}
