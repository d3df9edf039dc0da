/* What the C tests share: checks that report the line and go on, small tensors, and the counts that must come back to zero. */
#ifndef CAPI_CHECK_H
#define CAPI_CHECK_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "gradus/gradus.h"

static int faults, checks;

#define CHECK(condition)                                                  \
  do {                                                                    \
    ++checks;                                                             \
    if (!(condition)) {                                                   \
      ++faults;                                                           \
      printf("%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);    \
    }                                                                     \
  } while (0)
#define OK(call) check_status(ctx, (call), GRADUS_OK, "", #call, __FILE__, __LINE__)
/* The call fails with a status and a message that holds each of the words (separated by "|"). */
#define FAILS(call, status, words) check_status(ctx, (call), (status), (words), #call, __FILE__, __LINE__)

/* A struct that says its size; the rest is zero. */
#define SIZED(s) (memset(&(s), 0, sizeof(s)), (s).struct_size = sizeof(s))

static void check_status(gradus_context *ctx, gradus_status got, gradus_status wanted, const char *words, const char *call,
                         const char *file, int line) {
  gradus_error e;
  char word[128];
  SIZED(e);
  gradus_context_error(ctx, &e);
  ++checks;
  if (got != wanted) {
    ++faults;
    printf("%s:%d: %s gives %s, not %s: %s\n", file, line, call, gradus_status_name(got), gradus_status_name(wanted), got ? e.message : "");
    return;
  }
  while (*words) {
    size_t n = strcspn(words, "|");
    memcpy(word, words, n);
    word[n] = 0;
    words += n + (words[n] == '|');
    if (!strstr(e.message, word)) {
      ++faults;
      printf("%s:%d: %s: \"%s\" is not in the message: %s\n", file, line, call, word, e.message);
    }
  }
}

#if defined(__GNUC__)
#define HELPER static __attribute__((unused))
#else
#define HELPER static
#endif

HELPER gradus_context *new_context(void) {
  gradus_context *ctx = NULL;
  CHECK(gradus_context_create(NULL, &ctx) == GRADUS_OK);
  return ctx;
}

/* A float64 tensor of one dimension. */
HELPER gradus_tensor *vector(gradus_context *ctx, const double *values, int64_t n) {
  gradus_tensor *t = NULL;
  OK(gradus_tensor_copy_in(ctx, GRADUS_F64, 1, &n, NULL, values, sizeof(double) * (size_t)n, &t));
  return t;
}

HELPER void check_values(gradus_context *ctx, const gradus_tensor *t, const double *wanted, int64_t n, int line) {
  double got[64];
  int64_t i;
  gradus_tensor_info info;
  SIZED(info);
  ++checks;
  if (gradus_tensor_describe(t, &info) != GRADUS_OK || info.count != n) {
    ++faults;
    printf("line %d: %d elements, not %d\n", line, (int)info.count, (int)n);
    return;
  }
  OK(gradus_tensor_copy_out(ctx, t, GRADUS_F64, got, sizeof got));
  for (i = 0; i < n; ++i)
    if (!(fabs(got[i] - wanted[i]) <= 1e-6 * (1 + fabs(wanted[i])))) {
      ++faults;
      printf("line %d: element %d is %.17g, not %.17g\n", line, (int)i, got[i], wanted[i]);
    }
}
#define VALUES(tensor, wanted, n) check_values(ctx, (tensor), (wanted), (n), __LINE__)

static gradus_counts counts_now(void) {
  gradus_counts c;
  SIZED(c);
  gradus_live_counts(&c);
  return c;
}

/* At the end of a program: nothing lives. */
HELPER int finish(const char *program) {
  const gradus_counts c = counts_now();
  CHECK(c.contexts == 0);
  CHECK(c.tensors == 0);
  CHECK(c.graph_nodes == 0);
  CHECK(c.foreign_blocks == 0);
  CHECK(c.callbacks == 0);
  CHECK(c.profiles == 0);
  CHECK(c.files == 0);
  CHECK(c.function_calls == 0);
  printf("%s: %d checks, %d faults\n", program, checks, faults);
  return faults != 0;
}

#endif
