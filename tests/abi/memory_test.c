/* Memory of the host: blocks that are not aligned are refused and given back, what a handle weighs, and what trimming gives back. */
#include <stdlib.h>

#include "../capi_check.h"

static long given, taken_back;
static int64_t off = 8;
static void *crooked(void *user, size_t bytes, size_t alignment) {
  char *p = NULL;
  (void)user;
  if (posix_memalign((void **)(void *)&p, alignment, bytes + 64) != 0) return NULL;
  ++given;
  return p + off;
}
static void straighten(void *user, void *block, size_t bytes, size_t alignment) {
  (void)user; (void)bytes; (void)alignment;
  ++taken_back;
  free((char *)block - off);
}

static uint64_t weight(const gradus_tensor *t) {
  gradus_tensor_info info;
  SIZED(info);
  CHECK(gradus_tensor_describe(t, &info) == GRADUS_OK);
  return info.bytes;
}

int main(void) {
  gradus_context *ctx = NULL;
  gradus_context_options o;
  const int64_t shape[2] = {1000, 1000}, row[1] = {3};
  double own[3] = {1, 2, 3};
  gradus_tensor *t = NULL, *view, *wrapped;
  SIZED(o);
  o.alloc = crooked;
  o.dealloc = straighten;
  CHECK(gradus_context_create(&o, &ctx) == GRADUS_OK);
  for (off = 8; off < 64; off += 8) {
    FAILS(gradus_tensor_zeros(ctx, GRADUS_F64, 1, row, &t), GRADUS_E_MEMORY, "aligned|64");
    CHECK(t == NULL && given == taken_back && given > 0);
  }
  off = 0;
  OK(gradus_tensor_zeros(ctx, GRADUS_F64, 1, row, &t));
  gradus_release(t);
  gradus_release(ctx);
  CHECK(given == taken_back);

  ctx = new_context();
  OK(gradus_tensor_zeros(ctx, GRADUS_F32, 2, shape, &t));
  OK(gradus_select(ctx, t, 0, 5, &view));
  CHECK(weight(t) >= 4000000 && weight(view) == weight(t));
  OK(gradus_tensor_wrap(ctx, GRADUS_F64, 1, row, NULL, own, sizeof own, 0, NULL, NULL, &wrapped));
  CHECK(weight(wrapped) == sizeof own);
  gradus_release(wrapped);
  CHECK(counts_now().bytes_live >= 4000000);
  gradus_release(t);
  gradus_release(view);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* there nothing is kept */
  CHECK(counts_now().bytes_kept >= 4000000);
#endif
  gradus_memory_trim();
  CHECK(counts_now().bytes_kept == 0);
  gradus_release(ctx);
  return finish("memory_test");
}
