/*
 * What a call costs in C: add of two tensors of four elements by its function, by gradus_invoke, and in a batch of 100. The least of 15
 * rounds, of the processor's time.
 */
#define _POSIX_C_SOURCE 199309L
#include <gradus/gradus.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { CALLS = 100, ROUNDS = 15, REPEATS = 2000 };
static gradus_context *ctx;
static gradus_tensor *x, *y;
static gradus_value pair[2], values[CALLS][2], last;
static gradus_call calls[CALLS];

static void try_(gradus_status status) {
  if (status == GRADUS_OK) return;
  fprintf(stderr, "costs: %s\n", gradus_status_name(status));
  exit(1);
}
static int typed(void) {
  gradus_tensor *z;
  try_(gradus_add(ctx, x, y, &z));
  gradus_release(z);
  return 1;
}
static int generic(void) {
  gradus_value z;
  try_(gradus_invoke(ctx, calls[0].op, pair, 2, &z, 1, NULL));
  gradus_release(z.u.tensor);
  return 1;
}
static int batch(void) {
  try_(gradus_invoke_batch(ctx, calls, CALLS, sizeof calls[0], NULL));
  gradus_release(last.u.tensor);
  return CALLS;
}
static double least(int (*run)(void)) {
  double best = 1e9, time;
  struct timespec start, end;
  int i, done;
  for (i = 0; i < ROUNDS; ++i) {
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    for (done = 0; done < REPEATS;) done += run();
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    time = ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) / REPEATS;
    if (time < best) best = time;
  }
  return best;
}

int main(void) {
  const double numbers[4] = {1, 2, 3, 4}, ones[4] = {1, 1, 1, 1};
  const int64_t shape[1] = {4};
  double sums[4];
  gradus_counts c = {0};
  int i;
  try_(gradus_context_create(NULL, &ctx));
  try_(gradus_tensor_copy_in(ctx, GRADUS_F64, 1, shape, NULL, numbers, sizeof numbers, &x));
  try_(gradus_tensor_copy_in(ctx, GRADUS_F64, 1, shape, NULL, ones, sizeof ones, &y));
  pair[0].kind = pair[1].kind = GRADUS_V_TENSOR;
  pair[0].u.tensor = x;
  pair[1].u.tensor = y;
  for (i = 0; i < CALLS; ++i) {                                      /* x + y + y + ... */
    values[i][0] = pair[0];
    values[i][1] = pair[1];
    if (i > 0) {
      values[i][0].kind = GRADUS_V_RESULT_OF;
      values[i][0].u.i64 = i - 1;
    }
    calls[i].op = gradus_op_find("add", 3);
    calls[i].argument_count = 2;
    calls[i].arguments = values[i];
  }
  calls[CALLS - 1].results = &last;
  calls[CALLS - 1].result_capacity = 1;
  try_(gradus_invoke_batch(ctx, calls, CALLS, sizeof calls[0], NULL));
  try_(gradus_tensor_copy_out(ctx, last.u.tensor, GRADUS_F64, sums, sizeof sums));
  gradus_release(last.u.tensor);
  printf("c: add %.0f ns, by gradus_invoke %.0f ns, in a batch %.0f ns\n", least(typed), least(generic), least(batch));
  gradus_release(x);
  gradus_release(y);
  gradus_release(ctx);
  c.struct_size = sizeof c;
  gradus_live_counts(&c);
  return sums[3] != 104 || c.contexts + c.tensors + c.graph_nodes + c.foreign_blocks + c.callbacks + c.bytes_live != 0;
}
