/* What checkpoints keep by the host's choice, and the table of what is saved. */
#include "capi_check.h"

typedef struct choice { int runs, asked, kept_from, destroyed, fails; char last[32]; } choice;
static void destroyed(void *user) { ++((choice *)user)->destroyed; }

/* tanh(exp(x)). */
static gradus_status run(void *user, gradus_context *ctx, gradus_tensor *const *inputs, size_t input_count, gradus_tensor **results,
                         size_t capacity, size_t *count) {
  gradus_tensor *e = NULL;
  gradus_status s = gradus_exp(ctx, inputs[0], &e);
  (void)input_count, (void)capacity;
  ++((choice *)user)->runs;
  if (!s) s = gradus_tanh(ctx, e, &results[0]);
  gradus_release(e);
  *count = 1;
  return s;
}
/* Keeps the results from the kept_from-th operation on. */
static gradus_status keep(void *user, gradus_context *ctx, const gradus_op *op, const gradus_value *arguments, size_t argument_count, int32_t *yes) {
  choice *c = user;
  gradus_tensor_info info;
  SIZED(info);
  CHECK(argument_count == 1 && arguments[0].kind == GRADUS_V_TENSOR && *yes == 0);
  CHECK(gradus_tensor_describe(arguments[0].u.tensor, &info) == GRADUS_OK && info.count == 3);
  strcpy(c->last, op == gradus_op_find("exp", 3) ? "exp" : op == gradus_op_find("tanh", 4) ? "tanh" : "another");
  if (c->fails) return gradus_context_fail(ctx, GRADUS_E_CALLBACK, 5, "no opinion", 10);
  *yes = ++c->asked >= c->kept_from;
  return GRADUS_OK;
}

static int64_t number_in(const char *table, const char *line, int column) {
  const char *at = strstr(table, line);
  long value[4] = {-1, -1, -1, -1};
  CHECK(at != NULL);
  if (at) sscanf(at + strlen(line), "%ld %ld %ld %ld", &value[0], &value[1], &value[2], &value[3]);
  return value[column];
}

int main(void) {
  gradus_context *ctx = new_context();
  static const double start[3] = {0.5, 1, 2};
  gradus_tensor *x = vector(ctx, start, 3), *y, *sum, *g;
  gradus_checkpoint_options o;
  double wanted[3];
  char table[1024];
  size_t count, length;
  int i, from;
  SIZED(o);
  o.keep = keep;
  OK(gradus_tensor_set_requires_grad(ctx, x, 1));
  for (from = 1; from <= 3; ++from) {
    choice c = {0, 0, 0, 0, 0, ""};
    c.kept_from = from;
    y = sum = g = NULL;
    OK(gradus_checkpoint(ctx, run, &c, destroyed, &x, 1, &o, &y, 1, &count));
    CHECK(c.asked == 2 && strcmp(c.last, "tanh") == 0);
    OK(gradus_sum(ctx, y, NULL, 0, 0, 0, &sum));
    OK(gradus_graph_export(ctx, &sum, 1, NULL, GRADUS_GRAPH_TABLE, table, sizeof table, &length));
    CHECK(strlen(table) == length);
    CHECK(number_in(table, "checkpoint", 2) == 24 * (4 - from));   /* the input, and what is kept */
    CHECK(number_in(table, "checkpoint", 3) == 24 && number_in(table, "total", 2) == 24 * (4 - from));
    OK(gradus_grad(ctx, &sum, 1, &x, 1, NULL, NULL, &g));
    for (i = 0; i < 3; ++i) wanted[i] = exp(start[i]) / pow(cosh(exp(start[i])), 2);
    VALUES(g, wanted, 3);
    CHECK(c.runs == 2 && c.asked == 2);
    gradus_release(g);
    gradus_release(sum);
    gradus_release(y);
    CHECK(c.destroyed == 1);
  }
  {
    choice c = {0, 0, 1, 0, 1, ""};
    FAILS(gradus_checkpoint(ctx, run, &c, destroyed, &x, 1, &o, &y, 1, &count), GRADUS_E_CALLBACK, "no opinion");
    CHECK(c.destroyed == 0 && count == 0);
  }
  FAILS(gradus_graph_export(ctx, &x, 1, NULL, 4, table, sizeof table, &length), GRADUS_E_VALUE, "format 4");
  gradus_release(x);
  gradus_release(ctx);
  return finish("capi_keep_test");
}
