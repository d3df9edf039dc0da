/* Profile, ranges, anomaly mode and log through the C interface. */
#include <stdlib.h>

#include "capi_check.h"

static gradus_profile_event event_at(gradus_context *ctx, const gradus_profile *p, uint64_t i) {
  gradus_profile_event e;
  SIZED(e);
  OK(gradus_profile_event_at(ctx, p, i, &e));
  return e;
}
static gradus_profile_info info_of(gradus_context *ctx, const gradus_profile *p) {
  gradus_profile_info i;
  SIZED(i);
  OK(gradus_profile_describe(ctx, p, &i));
  return i;
}

/* sum(w * x) and its backward. */
static void work(gradus_context *ctx, gradus_tensor *w, gradus_tensor *x) {
  gradus_tensor *y, *s;
  OK(gradus_mul(ctx, w, x, &y));
  OK(gradus_sum(ctx, y, NULL, 0, 0, 0, &s));
  OK(gradus_backward(ctx, &s, 1, NULL, NULL));
  gradus_release(y);
  gradus_release(s);
}

static void profiles(void) {
  gradus_context *ctx = new_context(), *other = new_context();
  const double x[2] = {1, 2};
  gradus_tensor *w = vector(ctx, x, 2), *a = vector(ctx, x, 2), *none;
  gradus_profile *p = NULL, *q = NULL;
  gradus_profile_options o;
  gradus_profile_table_options t;
  gradus_profile_event e;
  gradus_profile_info info;
  char text[8192], small[16];
  size_t length, again;
  uint64_t i, product = 0, linked = 0;
  int64_t outer = 0, self = 0;

  OK(gradus_tensor_set_requires_grad(ctx, w, 1));
  SIZED(o);
  o.flags = GRADUS_PROFILE_SHAPES;
  OK(gradus_profile_start(ctx, &o, &p));
  OK(gradus_profile_start(ctx, NULL, &q));
  OK(gradus_profile_range_begin(ctx, "step", 4));
  work(ctx, w, a);
  OK(gradus_profile_range_end(ctx));
  FAILS(gradus_profile_range_end(ctx), GRADUS_E_STATE, "no range");
  CHECK(info_of(ctx, p).flags == (GRADUS_PROFILE_SHAPES | GRADUS_PROFILE_RUNNING));
  {
    gradus_context *const ctx_of_p = ctx;
    ctx = other;
    FAILS(gradus_profile_table(other, p, NULL, text, sizeof text, NULL), GRADUS_E_STATE, "another context");
    FAILS(gradus_profile_stop(other, p), GRADUS_E_STATE, "does not run on this context");
    ctx = ctx_of_p;
  }
  OK(gradus_profile_stop(ctx, p));
  FAILS(gradus_profile_stop(ctx, p), GRADUS_E_STATE, "stopped");
  work(ctx, w, a);

  info = info_of(other, p);                        /* at rest it may be read with any context */
  CHECK(info.dropped == 0 && info.duration_ns > 0 && info.flags == GRADUS_PROFILE_SHAPES);
  for (i = 0; i < info.event_count; ++i) {
    e = event_at(ctx, p, i);
    CHECK(e.struct_size == sizeof e && e.duration_ns >= 0 && e.self_ns >= 0 && e.self_ns <= e.duration_ns && e.parent < (int64_t)i);
    self += e.self_ns;
    if (e.parent < 0) outer += e.duration_ns;
    if (!strcmp(e.name, "mul")) {
      product = e.sequence;
      CHECK(e.kind == GRADUS_EVENT_OP && e.bytes == 16 && !strcmp(e.shapes, "[2], [2]"));
    }
    if (!strcmp(e.name, "MulBackward0")) {
      linked = e.sequence;
      CHECK(e.kind == GRADUS_EVENT_NODE && !strcmp(event_at(ctx, p, (uint64_t)e.parent).name, "backward"));
    }
  }
  CHECK(self == outer && product && product == linked);
  CHECK(!strcmp(event_at(ctx, p, 0).name, "step") && event_at(ctx, p, 0).kind == GRADUS_EVENT_RANGE);
  FAILS(gradus_profile_event_at(ctx, p, info.event_count, &e), GRADUS_E_INDEX, "event|of");
  e.struct_size = 4;
  FAILS(gradus_profile_event_at(ctx, p, 0, &e), GRADUS_E_ARGUMENT, "struct_size");

  OK(gradus_profile_table(ctx, p, NULL, text, sizeof text, &length));
  CHECK(length == strlen(text) && strstr(text, "MulBackward0") && strstr(text, "# of Calls") && strstr(text, "Self CPU time total: "));
  OK(gradus_profile_table(ctx, p, NULL, small, sizeof small, &again));
  CHECK(again == length && strlen(small) == sizeof small - 1);
  SIZED(t);
  t.flags = GRADUS_TABLE_BY_SHAPE;
  t.row_limit = 1;
  t.sort_by = "name";
  t.sort_by_length = 4;
  OK(gradus_profile_table(ctx, p, &t, text, sizeof text, NULL));
  CHECK(strstr(text, "AccumulateGrad") && strstr(text, "[[2]]") && !strstr(text, "Backward0"));
  t.sort_by = "none";
  FAILS(gradus_profile_table(ctx, p, &t, text, sizeof text, NULL), GRADUS_E_UNKNOWN_NAME, "'none'|cpu_time_total");
  t.sort_by = NULL;
  FAILS(gradus_profile_table(ctx, p, &t, text, sizeof text, NULL), GRADUS_E_NULL, "sort_by|4");
  t.sort_by_length = 0;
  t.flags = 0x10;
  FAILS(gradus_profile_table(ctx, p, &t, text, sizeof text, NULL), GRADUS_E_UNKNOWN_FIELD, "0x10");
  FAILS(gradus_profile_table(ctx, p, NULL, NULL, 5, NULL), GRADUS_E_NULL, "buffer|5");
  FAILS(gradus_profile_trace(ctx, p, NULL, 5, NULL), GRADUS_E_NULL, "buffer|5");
  FAILS(gradus_profile_table(ctx, (gradus_profile *)w, NULL, text, sizeof text, NULL), GRADUS_E_HANDLE, "profile|tensor");
  FAILS(gradus_sin(ctx, (gradus_tensor *)p, &none), GRADUS_E_HANDLE, "input|profile");
  FAILS(gradus_profile_stop(ctx, NULL), GRADUS_E_NULL, "profile");
  FAILS(gradus_profile_start(ctx, NULL, NULL), GRADUS_E_NULL, "profile");
  FAILS(gradus_profile_range_begin(ctx, NULL, 0), GRADUS_E_NULL, "name");
  FAILS(gradus_profile_describe(ctx, p, NULL), GRADUS_E_NULL, "info");
  gradus_release(p);
  p = q;
  o.flags = 0x80;
  FAILS(gradus_profile_start(ctx, &o, &p), GRADUS_E_UNKNOWN_FIELD, "0x80");
  CHECK(p == NULL);
  o.flags = GRADUS_PROFILE_NO_EVENTS;
  OK(gradus_profile_start(ctx, &o, &p));
  work(ctx, w, a);
  gradus_release(a);
  CHECK(info_of(ctx, p).event_count == 0 && info_of(ctx, p).dropped > 0);
  OK(gradus_profile_table(ctx, p, NULL, text, sizeof text, NULL));
  CHECK(strstr(text, "mul") != NULL);
  gradus_retain(q);
  gradus_release(q);
  CHECK(counts_now().profiles == 2);
  gradus_release(p);
  CHECK(counts_now().profiles == 2);               /* it still runs */
  gradus_release(w);
  gradus_release(ctx);                             /* which stops both */
  CHECK(counts_now().profiles == 1);
  ctx = other;
  CHECK(!(info_of(ctx, q).flags & GRADUS_PROFILE_RUNNING));
  gradus_release(q);
  gradus_release(other);
}

static void cancelled_while_watched(void) {
  gradus_context *ctx = new_context();
  const double x[1] = {1};
  gradus_tensor *a = vector(ctx, x, 1), *y;
  gradus_profile *p;
  OK(gradus_profile_start(ctx, NULL, &p));
  gradus_context_cancel(ctx);
  FAILS(gradus_sin(ctx, a, &y), GRADUS_E_CANCELLED, "sin|cancelled");
  OK(gradus_sin(ctx, a, &y));
  CHECK(info_of(ctx, p).event_count == 1);
  gradus_release(y);
  gradus_release(a);
  gradus_release(p);
  gradus_release(ctx);
}

static void anomalies(void) {
  gradus_context *ctx = new_context();
  const double x[2] = {0, 4};
  gradus_tensor *a = vector(ctx, x, 2), *r, *z, *s;
  uint32_t before = 99;
  OK(gradus_tensor_set_requires_grad(ctx, a, 1));
  OK(gradus_context_set_anomaly(ctx, GRADUS_ANOMALY_NAN | GRADUS_ANOMALY_TRACE, &before));
  CHECK(before == 0);
  OK(gradus_profile_range_begin(ctx, "root", 4));
  OK(gradus_sqrt(ctx, a, &r));
  OK(gradus_profile_range_end(ctx));
  OK(gradus_mul_scalar(ctx, r, 0, &z));
  OK(gradus_sum(ctx, z, NULL, 0, 0, 0, &s));
  FAILS(gradus_backward(ctx, &s, 1, NULL, NULL), GRADUS_E_ANOMALY, "SqrtBackward0|output 0|[2]|NaN in 1 of 2|sqrt([2])|'root'|mul([2])|sum([2])");
  CHECK((GRADUS_E_ANOMALY & ~0xff) == GRADUS_E_STATE && !strcmp(gradus_status_name(GRADUS_E_ANOMALY), "GRADUS_E_ANOMALY"));
  gradus_release(z);
  OK(gradus_context_set_anomaly(ctx, GRADUS_ANOMALY_INF | GRADUS_ANOMALY_FORWARD, &before));
  CHECK(before == (GRADUS_ANOMALY_NAN | GRADUS_ANOMALY_TRACE));
  FAILS(gradus_reciprocal(ctx, a, &z), GRADUS_E_ANOMALY, "reciprocal|infinity in 1 of 2");
  CHECK(z == NULL);
  FAILS(gradus_context_set_anomaly(ctx, GRADUS_ANOMALY_FORWARD, NULL), GRADUS_E_VALUE, "NAN or INF");
  FAILS(gradus_context_set_anomaly(ctx, 0x20, &before), GRADUS_E_UNKNOWN_FIELD, "0x20");
  OK(gradus_context_set_anomaly(ctx, 0, NULL));
  OK(gradus_reciprocal(ctx, a, &z));
  gradus_release(z);
  OK(gradus_context_set_anomaly(ctx, GRADUS_ANOMALY_NAN, NULL)); /* left on: the context's end takes it along */
  gradus_release(s);
  gradus_release(r);
  gradus_release(a);
  gradus_release(ctx);
}

struct lines { char text[8192]; int32_t highest; int count; };
static void on_line(void *user, int32_t level, const char *text, size_t length) {
  struct lines *l = user;
  ++l->count;
  if (level > l->highest) l->highest = level;
  if (strlen(l->text) + length + 2 < sizeof l->text) strcat(strncat(l->text, text, length), "\n");
}
/* Only that of a computed tensor which keeps none is a mistake. */
static void reads_of_grad(gradus_context *ctx, gradus_tensor *leaf, struct lines *l, int level) {
  gradus_tensor *y = NULL, *g = NULL;
  int before;
  OK(gradus_mul(ctx, leaf, leaf, &y));
  before = l->count;
  OK(gradus_tensor_grad(ctx, leaf, &g));
  CHECK(g == NULL && l->count == before);
  OK(gradus_tensor_grad(ctx, y, &g));
  CHECK(g == NULL && l->count == before + (level > 0));
  CHECK((level > 0) == (strstr(l->text, "tensor_grad: a result of MulBackward0 gets no gradient: retain_grad") != NULL));
  OK(gradus_tensor_retain_grad(ctx, y));
  before = l->count;
  OK(gradus_tensor_grad(ctx, y, &g));
  CHECK(g == NULL && l->count == before);
  gradus_release(y);
}
static void logs(void) {
  const double x[2] = {1, 2};
  int level;
  for (level = 0; level <= 3; ++level) {
    struct lines *l = calloc(1, sizeof *l);
    gradus_context_options o;
    gradus_backward_options record;
    gradus_context *ctx = NULL;
    gradus_tensor *w, *a, *y;
    if (!l) return;
    SIZED(o);
    o.log_level = level;
    o.log = on_line;
    o.user = l;
    CHECK(gradus_context_create(&o, &ctx) == GRADUS_OK);
    w = vector(ctx, x, 2);
    a = vector(ctx, x, 1);
    OK(gradus_tensor_set_requires_grad(ctx, w, 1));
    work(ctx, w, w);
    CHECK(gradus_view(ctx, w, NULL, 3, &y) == GRADUS_E_NULL);
    OK(gradus_sum(ctx, w, NULL, 0, 0, 0, &y));
    SIZED(record);
    record.flags = GRADUS_BACKWARD_RECORD;
    OK(gradus_backward(ctx, &y, 1, NULL, &record));
    OK(gradus_tensor_set_grad(ctx, w, NULL));
    reads_of_grad(ctx, w, l, level);
    CHECK(l->highest == level && (level > 0) == (l->count > 0));
    CHECK((level > 0) == (strstr(l->text, "view: ") != NULL));
    CHECK((level > 0) == (strstr(l->text, "create_graph") != NULL));
    CHECK((level > 1) == (strstr(l->text, "MulBackward0 #") != NULL && strstr(l->text, ": [2] -> [2], [2]\n") != NULL));
    CHECK((level > 1) == (strstr(l->text, ": [2] -> accumulated\n") != NULL));
    CHECK((level > 2) == (strstr(l->text, "mul([2], [2]) -> [2]\n") != NULL));
    gradus_release(y);
    gradus_release(a);
    gradus_release(w);
    gradus_release(ctx);
    free(l);
  }
}

int main(void) {
  profiles();
  cancelled_while_watched();
  anomalies();
  logs();
  return finish("capi_profile_test");
}
