/* calls_test misuse | memory | new: every function of the interface, called through the table that calls.py makes of gradus_api.json.
 *
 * misuse: each argument in turn is null, released, a handle of another kind, negative, huge, or a number that nothing is called.
 * memory: an allocator that fails at its n-th request, for n = 0, 1, ... until the call succeeds; new: operator new does.
 * Each call ends in a status; after a failure outputs are null and inputs are bit for bit what they were; nothing is left alive. */
#include <float.h>
#include <limits.h>
#include <stdlib.h>

#include "../capi_check.h"

typedef void (*function)(void);
typedef struct argument { void *p; int64_t i; double d; function f; } argument;
typedef enum kind {
  CONTEXT, TENSOR, TENSORS, NODE, PROFILE, CALL, OP, OPS, I32, U32, I64, U64, SIZE, F64, CALLBACK, USER, RESULT, RESULTS, ROOM, OPTIONS, FILLED,
  INTEGERS, REALS, FLAG, TEXT, DATA, OTHER
} kind;
typedef struct parameter { const char *name; kind what; function stub; size_t struct_size; int length; int nullable; } parameter;
typedef struct entry { const char *name; gradus_status (*call)(const argument *a); const parameter *parameters; int count, fails; } entry;

#include "calls.inc"

enum { MOST = 24, COUNT = sizeof entries / sizeof entries[0], ROOM_BYTES = 8 << 20, RESULT_ROOM = 1 << 16, PRESETS = 8, ELEMENTS = 96 };

/* ---- the world that one function sees */
typedef struct world {
  gradus_context *ctx;
  gradus_tensor *t[4];            /* the last one is of integers */
  gradus_tensor *list[2], *gaps[2], *dead;
  gradus_node *node;
  gradus_profile *profile;
  unsigned char before[4][8 * ELEMENTS];
} world;
static char *room;                /* what functions write into */
static gradus_tensor **results;
static int64_t calls, refused;
extern long new_until_failure;    /* failing_new.cpp */
static long new_in_call = -1;
static int of_new;

static const int64_t shapes[PRESETS][5] = {{2, 2, 3}, {2, 3, 3}, {1, 4}, {4, 1, 2, 4, 4}, {0}, {3, 2, 3, 3}, {2, 1, 1}, {2, 4, 2}}; /* rank, sizes */
static void fill(world *w, gradus_tensor **t, int32_t dtype, int preset) {
  double x[ELEMENTS];
  int64_t whole[ELEMENTS];
  int i;
  gradus_context *ctx = w->ctx;
  for (i = 0; i < ELEMENTS; ++i) {
    x[i] = 0.1 + 0.07 * i;
    whole[i] = i % 2;
  }
  OK(gradus_tensor_copy_in(ctx, dtype, (int32_t)shapes[preset][0], shapes[preset] + 1, NULL, dtype == GRADUS_I64 ? (void *)whole : (void *)x, sizeof x, t));
}
static void bytes_of(const world *w, int i, unsigned char *to) {
  gradus_tensor_info info;
  SIZED(info);
  memset(to, 0, 8 * ELEMENTS);
  if (gradus_tensor_describe(w->t[i], &info) == GRADUS_OK && info.data) memcpy(to, info.data, (size_t)(info.count * gradus_dtype_size(info.dtype)));
}
static void remember(world *w) {
  int i;
  for (i = 0; i < 4; ++i) bytes_of(w, i, w->before[i]);
}
static int unchanged(const world *w) {
  unsigned char now[8 * ELEMENTS];
  int i;
  for (i = 0; i < 4; ++i) {
    bytes_of(w, i, now);
    if (memcmp(now, w->before[i], sizeof now) != 0) return 0;
  }
  return 1;
}
/* Some of the huge sizes are no more than a machine may have: they must not be tried out. */
static void *take_little(void *user, size_t bytes, size_t alignment) {
  void *p = NULL;
  (void)user;
  return bytes < (64u << 20) && posix_memalign(&p, alignment, bytes) == 0 ? p : NULL;
}
static void give_little(void *user, void *block, size_t bytes, size_t alignment) {
  (void)user; (void)bytes; (void)alignment;
  free(block);
}
static world make_world(int preset) {
  world w;
  gradus_tensor *y = NULL;
  gradus_context *ctx;
  gradus_context_options o;
  int i;
  memset(&w, 0, sizeof w);
  SIZED(o);
  o.alloc = take_little;
  o.dealloc = give_little;
  w.ctx = new_context(); /* whose memory is kept */
  fill(&w, &w.dead, GRADUS_F64, preset);
  gradus_release(w.dead);
  gradus_release(w.ctx);
  CHECK(gradus_context_create(&o, &w.ctx) == GRADUS_OK);
  ctx = w.ctx;
  for (i = 0; i < 3; ++i) fill(&w, &w.t[i], GRADUS_F64, preset);
  fill(&w, &w.t[3], GRADUS_I64, preset);
  w.list[0] = w.gaps[0] = w.t[0];
  w.list[1] = w.t[1];
  OK(gradus_tensor_set_requires_grad(ctx, w.t[0], 1));
  OK(gradus_sin(ctx, w.t[0], &y));
  OK(gradus_tensor_grad_fn(ctx, y, &w.node));
  OK(gradus_tensor_set_requires_grad(ctx, w.t[0], 0));
  OK(gradus_profile_start(ctx, NULL, &w.profile));
  OK(gradus_profile_stop(ctx, w.profile));
  gradus_release(y);
  remember(&w);
  return w;
}
static void end_world(world *w) {
  int i;
  gradus_release(w->profile);
  gradus_release(w->node);
  for (i = 0; i < 4; ++i) gradus_release(w->t[i]);
  gradus_release(w->ctx);
}

/* ---- arguments that could be right */
static const int64_t integers[3] = {0, 1, 2}, lengths[3] = {1, 1, 1}, extents[3] = {2, 3, 1};
static const double reals[3] = {0.5, 0.25, 1};
static const gradus_value values[4];
static int is_dim(const char *name) { return strncmp(name, "dim", 3) == 0 || strncmp(name, "axis", 4) == 0; }
static void right(const entry *e, world *w, int preset, argument *a) {
  int i, tensors = 0;
  memset(a, 0, MOST * sizeof *a);
  for (i = 0; i < e->count; ++i) {
    const parameter *p = &e->parameters[i];
    switch (p->what) {
      case CONTEXT: a[i].p = w->ctx; break;
      case TENSOR: a[i].p = strstr(p->name, "ind") || strstr(p->name, "target") ? w->t[preset % 2 ? 3 : 1] : w->t[tensors++ % 3]; break;
      case TENSORS: a[i].p = w->list; break;
      case NODE: a[i].p = w->node; break;
      case PROFILE: a[i].p = w->profile; break;
      case OP: a[i].p = (void *)(uintptr_t)gradus_op_find("sin", 3); break;
      case I64: case U64: case U32: a[i].i = is_dim(p->name) ? 0 : 1; break;
      case I32: a[i].i = strcmp(p->name, "rank") == 0 ? 2 : 0; break;
      case SIZE: a[i].i = strstr(p->name, "bytes") ? 8 * ELEMENTS : 1; break;
      case F64: a[i].d = 0.5; break;
      case CALLBACK: a[i].f = p->nullable ? NULL : p->stub; break;
      case RESULT: case RESULTS: a[i].p = results; break;
      case ROOM: a[i].p = room; break;
      case OPTIONS: case FILLED:
        a[i].p = room + (ROOM_BYTES / 2) + 1024 * i;
        memset(a[i].p, 0, 1024);
        if (p->struct_size) *(uint32_t *)a[i].p = (uint32_t)p->struct_size;
        break;
      case INTEGERS: a[i].p = (void *)(uintptr_t)(is_dim(p->name) ? integers : preset % 2 ? lengths : extents); break;
      case REALS: a[i].p = (void *)(uintptr_t)(p->nullable ? NULL : reals); break;
      case TEXT: a[i].p = (void *)(uintptr_t)(p->nullable ? NULL : "sum"); break;
      case DATA: a[i].p = room; break;
      default: break;
    }
  }
  for (i = 0; i < e->count; ++i) /* lengths of what is there; an input's counts where a result shares it */
    if (e->parameters[i].what == RESULTS && e->parameters[i].length >= 0) a[e->parameters[i].length].i = 8;
  for (i = 0; i < e->count; ++i) {
    const parameter *p = &e->parameters[i];
    const int64_t n = p->what == INTEGERS && is_dim(p->name) ? 1 : p->what == TEXT ? (a[i].p ? 3 : 0) : 2;
    if (p->length >= 0 && p->what != DATA && p->what != RESULT && p->what != RESULTS) a[p->length].i = p->what == REALS && !a[i].p ? 0 : n;
  }
  for (i = 0; i < e->count; ++i) /* outputs of their own */
    if (e->parameters[i].what == RESULT || e->parameters[i].what == RESULTS) a[i].p = results + 1024 * i;
    else if (e->parameters[i].what == ROOM) a[i].p = room + (ROOM_BYTES / 64) * i;
}

/* ---- one call and what must hold after it */
static void complain(const entry *e, const char *what, const char *which) {
  if (++faults < 40) printf("%s: %s (%s)\n", e->name, what, which);
}
static void let_go(const parameter *p, void **out) {
  int k;
  struct DLManagedTensorVersioned { uint32_t version[2]; void *manager; void (*deleter)(struct DLManagedTensorVersioned *self); } *managed = out[0];
  if (strcmp(p->name, "op") == 0) return; /* static */
  if (strcmp(p->name, "managed") == 0) managed->deleter(managed);
  else for (k = 0; k < 1000; ++k) gradus_release(out[k]);
}
static gradus_status try_call(const entry *e, world *w, argument *a, const char *which) {
  gradus_status s;
  int i, k;
  for (i = 0; i < e->count; ++i)
    if ((e->parameters[i].what == RESULT || e->parameters[i].what == RESULTS) && a[i].p) {
      ((void **)a[i].p)[0] = e->parameters[i].what == RESULT ? (void *)w : NULL;
      for (k = 1; k < 1000; ++k) ((void **)a[i].p)[k] = NULL;
    }
  ++calls;
  new_until_failure = new_in_call;
  s = e->call(a);
  new_until_failure = -1;
  refused += s != GRADUS_OK;
  if (strcmp(gradus_status_name(s), "unknown") == 0) complain(e, "an unknown status", which);
  if (s == GRADUS_E_INTERNAL) complain(e, "an internal error", which);
  for (i = 0; i < e->count; ++i) {
    void **out = a[i].p;
    if ((e->parameters[i].what != RESULT && e->parameters[i].what != RESULTS) || !out) continue;
    if (e->fails && s != GRADUS_OK && out[0]) complain(e, "an output that is not null after a failure", which);
    if (s != GRADUS_OK || out[0] == (void *)w) continue;
    let_go(&e->parameters[i], out);
  }
  if (s != GRADUS_OK && !unchanged(w)) complain(e, "an input that a failure changed", which);
  if (s == GRADUS_OK) remember(w);
  return s;
}

/* ---- arguments that are wrong, one at a time */
static void wrong(const entry *e, world *w, int preset, int i) {
  const parameter *p = &e->parameters[i];
  argument a[MOST];
  static const int64_t whole[] = {-1, INT64_MIN, INT64_MAX, INT64_C(1) << 62, 4711, INT32_MIN, INT32_MAX};
  static const double numbers[] = {NAN, INFINITY, -INFINITY, DBL_MAX, -1};
  void *handles[8];
  int n = 0, k;
#define TRY(set) do { right(e, w, preset, a); set; try_call(e, w, a, p->name); } while (0)
  handles[n++] = NULL;
  handles[n++] = w->ctx;
  handles[n++] = w->t[3];
  handles[n++] = w->node;
  handles[n++] = w->profile;
  handles[n++] = (void *)(uintptr_t)gradus_op_find("sin", 3);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* there its memory is not kept */
  handles[n++] = w->dead;
#endif
  switch (p->what) {
    case CONTEXT: case TENSOR: case NODE: case PROFILE: case CALL: case OP:
      for (k = 0; k < n; ++k) TRY(a[i].p = handles[k]);
      break;
    case TENSORS:
      TRY(a[i].p = NULL);
      TRY(a[i].p = w->gaps);
      for (k = 1; k < n; ++k) TRY((w->gaps[1] = handles[k], a[i].p = w->gaps));
      w->gaps[1] = NULL;
      break;
    case I32: case U32: case I64: case U64:
      for (k = 0; k < 7; ++k) TRY(a[i].i = whole[k]);
      break;
    case SIZE: /* a claim about the caller's own memory can't be checked, unless it is absurd */
      TRY(a[i].i = 0);
      if (!strstr(p->name, "data")) TRY(a[i].i = -1);
      if (!strstr(p->name, "data")) TRY(a[i].i = INT64_MAX);
      break;
    case F64:
      for (k = 0; k < 5; ++k) TRY(a[i].d = numbers[k]);
      break;
    case CALLBACK: TRY(a[i].f = NULL); break;
    case OPTIONS: case FILLED:
      TRY(a[i].p = NULL);
      if (!p->struct_size) break;
      TRY(*(uint32_t *)a[i].p = 0);
      TRY(*(uint32_t *)a[i].p = 7);
      TRY(*(uint32_t *)a[i].p = UINT32_MAX);
      TRY(((uint32_t *)a[i].p)[1] = UINT32_MAX);
      TRY((*(uint32_t *)a[i].p = 1000, ((char *)a[i].p)[999] = 1));
      if (p->what == FILLED) break;
      CHECK(!e->fails || e->call(a) != GRADUS_OK); /* a field from the future, that is set */
      break;
    default:
      TRY(a[i].p = NULL);
  }
#undef TRY
}

static void misuse(void) {
  int f, i, preset;
  for (f = 0; f < COUNT; ++f) {
    const gradus_counts before = counts_now();
    if (getenv("CALLS_NAMES")) fprintf(stderr, "%s\n", entries[f].name);
    for (preset = 0; preset < 2; ++preset) {
      world w = make_world(preset);
      argument a[MOST];
      right(&entries[f], &w, preset, a);
      try_call(&entries[f], &w, a, "as it should be");
      for (i = 0; i < entries[f].count; ++i) wrong(&entries[f], &w, preset, i);
      end_world(&w);
    }
    if (counts_now().tensors != before.tensors || counts_now().contexts != before.contexts || counts_now().graph_nodes != before.graph_nodes)
      complain(&entries[f], "something is left alive", "counts");
    if (counts_now().callbacks != before.callbacks || counts_now().function_calls != before.function_calls ||
        counts_now().foreign_blocks != before.foreign_blocks)
      complain(&entries[f], "something of the host is left alive", "counts");
  }
  CHECK(calls >= 15000 && refused > calls / 4);
}

/* ---- memory that ends */
typedef struct heap { long until_failure, blocks; } heap;
static void *take(void *user, size_t bytes, size_t alignment) {
  heap *h = user;
  void *p = NULL;
  if (h->until_failure-- == 0 || posix_memalign(&p, alignment, bytes) != 0) return NULL;
  ++h->blocks;
  return p;
}
static void give(void *user, void *block, size_t bytes, size_t alignment) {
  (void)bytes; (void)alignment;
  --((heap *)user)->blocks;
  free(block);
}
static long starve(const entry *e, int preset, int grad) {
  world w = make_world(preset);
  argument a[MOST];
  heap h = {-1, 0};
  gradus_context_options o;
  gradus_context *starved = NULL, *ctx = w.ctx;
  gradus_status s;
  long n = 0;
  right(e, &w, preset, a);
  if (grad) OK(gradus_tensor_set_requires_grad(ctx, w.t[0], 1));
  if (try_call(e, &w, a, "to see whether it works") != GRADUS_OK) n = -1;
  end_world(&w);
  if (n < 0) return n;
  SIZED(o);
  o.alloc = of_new ? NULL : take;
  o.dealloc = of_new ? NULL : give;
  o.user = &h;
  do { /* everything anew: what works once may not work twice */
    w = make_world(preset);
    CHECK(gradus_context_create(&o, &starved) == GRADUS_OK);
    right(e, &w, preset, a);
    a[0].p = starved;
    ctx = w.ctx;
    if (grad) OK(gradus_tensor_set_requires_grad(ctx, w.t[0], 1));
    if (of_new) new_in_call = n;
    else h.until_failure = n;
    s = try_call(e, &w, a, "without memory");
    h.until_failure = new_in_call = -1;
    if (s != GRADUS_OK && s != GRADUS_E_MEMORY) complain(e, gradus_status_name(s), "without memory");
    if (s == GRADUS_E_MEMORY) check_status(starved, s, GRADUS_E_MEMORY, "memory", e->name, __FILE__, __LINE__);
    end_world(&w);
    gradus_release(starved);
    CHECK(h.blocks == 0);
  } while (s != GRADUS_OK && ++n < 500 && faults < 40);
  return n;
}
static void memory(void) {
  int f, preset, tried = 0, needy = 0;
  long failures = 0;
  for (f = 0; f < COUNT; ++f) {
    long n = -1;
    if (getenv("CALLS_NAMES")) fprintf(stderr, "%s\n", entries[f].name);
    if (!entries[f].fails || entries[f].count == 0 || entries[f].parameters[0].what != CONTEXT) continue;
    for (preset = 0; n < 0 && preset < PRESETS; ++preset) {
      n = starve(&entries[f], preset, 0);
      if (n > 0) n += starve(&entries[f], preset, 1) > 0;
    }
    tried += n >= 0;
    needy += n > 0;
    failures += n > 0 ? n : 0;
  }
  printf("calls_test: %d functions of %d work here, %d need memory; %ld requests failed\n", tried, (int)COUNT, needy, failures);
  CHECK(tried > COUNT / 2 && needy > (of_new ? 20 : COUNT / 3));
}

int main(int argc, char **argv) {
  room = calloc(1, ROOM_BYTES);
  results = calloc(RESULT_ROOM * 2, sizeof *results);
  if (!room || !results) return 2;
  (void)values;
  gradus_release(NULL);
  gradus_retain(NULL);
  of_new = argc > 1 && strcmp(argv[1], "new") == 0;
  if (of_new || (argc > 1 && strcmp(argv[1], "memory") == 0)) memory();
  else misuse();
  printf("calls_test: %ld calls, %ld refused\n", (long)calls, (long)refused);
  free(room);
  free(results);
  return finish("calls_test");
}
