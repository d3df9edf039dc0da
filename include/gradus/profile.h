/*
 * gradus/profile.h - the profiler: what a context did, how often, for how long, and how much it made.
 *
 *   gradus_profile_start(ctx, NULL, &profile);
 *   ...                                             operations, backward passes
 *   gradus_profile_stop(ctx, profile);
 *   gradus_profile_table(ctx, profile, NULL, text, sizeof text, NULL);
 *   gradus_release(profile);
 *
 * Recorded are operations and functions of the host (with the operations that a composition or a forward calls inside them), the
 * nodes of a backward pass, passes, and the caller's ranges. Times are those of CLOCK_MONOTONIC in nanoseconds; "self" is the time without what ran inside. While no
 * profile runs, an operation pays nothing for it.
 */
#ifndef GRADUS_PROFILE_H
#define GRADUS_PROFILE_H

#include "gradus/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Options of gradus_profile_start. */
typedef struct gradus_profile_options {
  uint32_t struct_size;
  uint32_t flags;                /* GRADUS_PROFILE_* */
  uint64_t max_events;           /* how many single events are kept, the first ones; 0: 1048576. The table counts all */
} gradus_profile_options;
enum {
  GRADUS_PROFILE_SHAPES    = 0x1, /* keep the shapes of inputs */
  GRADUS_PROFILE_MEMORY    = 0x2, /* what the process allocated meanwhile, less what it freed */
  GRADUS_PROFILE_NO_EVENTS = 0x4  /* only the table: memory does not grow with the length of the run */
};

/*
 * Starts a profile [own] of all that this context does from now on. Several may run at once; the context holds a reference
 * to each. UNKNOWN_FIELD for unknown flags.
 */
GRADUS_API gradus_status gradus_profile_start(gradus_context *ctx, const gradus_profile_options *options /* [null ok] */,
                                              gradus_profile **profile);                     /* since:1 */
/*
 * Stops it; what still runs ends now. STATE if it does not run on this context. The end of the context stops it too, while
 * releasing the handle does not.
 */
GRADUS_API gradus_status gradus_profile_stop(gradus_context *ctx, gradus_profile *profile);  /* since:1 */

/*
 * Reading: with the context that it runs on, or once stopped with any; otherwise STATE. While it runs, what has not ended is
 * left out.
 */
typedef struct gradus_profile_info {
  uint32_t struct_size;
  uint32_t flags;                /* GRADUS_PROFILE_* as in the options, and GRADUS_PROFILE_RUNNING */
  uint64_t event_count;          /* kept */
  uint64_t dropped;              /* beyond max_events, or for lack of memory */
  int64_t  duration_ns;          /* from start to stop, or until now */
} gradus_profile_info;
enum { GRADUS_PROFILE_RUNNING = 0x100 };
GRADUS_API gradus_status gradus_profile_describe(gradus_context *ctx, const gradus_profile *profile,
                                                 gradus_profile_info *info);                 /* since:1 */

/* One event. They are numbered in the order in which they began. */
typedef struct gradus_profile_event {
  uint32_t struct_size;
  int32_t  kind;                 /* GRADUS_EVENT_* */
  uint32_t flags;                /* GRADUS_EVENT_FAILED */
  int32_t  thread;               /* the system's number of the thread */
  int64_t  parent;               /* the event inside which it ran, or -1 */
  int64_t  start_ns;             /* since the start of the profile */
  int64_t  duration_ns;          /* -1: it has not ended */
  int64_t  self_ns;
  uint64_t first_sequence;       /* an operation recorded the nodes of these numbers, itself, not by what ran inside; of a */
  uint64_t sequence;             /* node both are its own number. 0: none */
  int64_t  bytes;                /* of results in new memory; of a node the gradients that it passed on */
  int64_t  memory;               /* with GRADUS_PROFILE_MEMORY */
  const char *name;              /* [view:profile] "mul", "MulBackward0", "backward", or the range's */
  const char *shapes;            /* [view:profile] "[2, 3], []" of arguments up to the last tensor ([] for what is none), or of */
                                 /* the gradients that come in; "" if not kept */
} gradus_profile_event;
enum {
  GRADUS_EVENT_OP = 1, GRADUS_EVENT_NODE = 2, GRADUS_EVENT_PASS = 3, GRADUS_EVENT_RANGE = 4, /* kinds */
  GRADUS_EVENT_FAILED = 0x1                                                                  /* flags */
};
/* INDEX if there is no such event. */
GRADUS_API gradus_status gradus_profile_event_at(gradus_context *ctx, const gradus_profile *profile, uint64_t index,
                                                 gradus_profile_event *info);                /* since:1 */

/* Options of gradus_profile_table. */
typedef struct gradus_profile_table_options {
  uint32_t struct_size;
  uint32_t flags;                /* GRADUS_TABLE_BY_SHAPE */
  uint64_t row_limit;            /* 0: all rows */
  uint64_t sort_by_length;       /* bytes of sort_by */
  const char *sort_by;           /* [null ok] "self_cpu_time_total", or "cpu_time_total", "cpu_time" (the average), "count", */
  const void *reserved0;         /* "bytes", "cpu_memory_usage", "self_cpu_memory_usage", "name" */
} gradus_profile_table_options;
enum { GRADUS_TABLE_BY_SHAPE = 0x1 }; /* one row for each name and shapes, instead of each name */
/*
 * One row per name, the largest first, as text: at most capacity bytes, a 0 included; length [null ok] receives the bytes of
 * the whole. UNKNOWN_NAME for a column that there is not. What runs inside another of its name is not in "CPU total" twice.
 */
GRADUS_API gradus_status gradus_profile_table(gradus_context *ctx, const gradus_profile *profile,
                                              const gradus_profile_table_options *options /* [null ok] */, char *buffer,
                                              size_t capacity, size_t *length);              /* since:1 */
/*
 * The events as JSON for chrome://tracing or Perfetto, with arrows from operations to the backward of the nodes they
 * recorded. Text as above; length [null ok].
 */
GRADUS_API gradus_status gradus_profile_trace(gradus_context *ctx, const gradus_profile *profile, char *buffer,
                                              size_t capacity, size_t *length);              /* since:1 */

/*
 * Names what the context does until the matching end; ranges nest. Profiles list them, and messages of anomaly mode name
 * them. A range that begins in a callback ends there. The name is copied; UTF-8. STATE for an end without a begin.
 */
GRADUS_API gradus_status gradus_profile_range_begin(gradus_context *ctx, const char *name, size_t length); /* since:1 */
GRADUS_API gradus_status gradus_profile_range_end(gradus_context *ctx);                      /* since:1 */

#ifdef __cplusplus
}
#endif
#endif /* GRADUS_PROFILE_H */
