/* A small training step, with a function of the caller in it, under an allocator that fails at its n-th request, for every n until it succeeds: each failure is
 * MEMORY with a readable message, and everything is released afterwards. */
#include <stdlib.h>

#include "capi_check.h"

struct heap { long until_failure, blocks; int destroyed; };
static void *take(void *user, size_t bytes, size_t alignment) {
  struct heap *h = user;
  void *p = NULL;
  if (h->until_failure-- == 0) return NULL;
  if (posix_memalign(&p, alignment < sizeof p ? sizeof p : alignment, bytes) != 0) return NULL;
  ++h->blocks;
  return p;
}
static void give(void *user, void *block, size_t bytes, size_t alignment) {
  (void)bytes;
  (void)alignment;
  --((struct heap *)user)->blocks;
  free(block);
}
static void on_destroy(void *user) { ++((struct heap *)user)->destroyed; }
static gradus_status scaled(void *user, gradus_context *ctx, gradus_tensor *grad, gradus_tensor **replacement) {
  (void)user;
  return gradus_mul_scalar(ctx, grad, 0.5, replacement);
}

/* A function that doubles its input in place, which is a view, and saves it. */
static int applied, let_go;
static void on_let_go(void *user) { (void)user; ++let_go; }
static gradus_status double_it(void *user, gradus_context *ctx, gradus_function_call *call, gradus_tensor *const *in, size_t n, gradus_tensor **out,
                               size_t capacity, size_t *count) {
  gradus_status s;
  (void)user; (void)n; (void)capacity;
  if ((s = gradus_mul_scalar_(ctx, in[0], 2.0, &out[0])) != GRADUS_OK) return s;
  *count = 1;
  if ((s = gradus_function_mark_dirty(ctx, call, in, 1)) != GRADUS_OK) return s;
  return gradus_function_save_for_backward(ctx, call, in, 1);
}
static gradus_status double_back(void *user, gradus_context *ctx, gradus_function_call *call, gradus_tensor *const *in, size_t n, gradus_tensor **out,
                                 size_t capacity, size_t *count) {
  gradus_tensor *y = NULL;
  gradus_status s = gradus_function_saved(ctx, call, 0, &y);
  (void)user; (void)n;
  gradus_release(y);
  if (s == GRADUS_OK) s = gradus_mul_scalar(ctx, in[0], 2.0, &out[0]);
  *count = capacity;
  return s;
}
static gradus_status apply(gradus_context *ctx, gradus_tensor *x, gradus_tensor **y) {
  gradus_function f;
  size_t count;
  gradus_status s;
  SIZED(f);
  f.name = "Double";
  f.forward = double_it;
  f.vjp = double_back;
  f.destroy = on_let_go;
  s = gradus_function_apply(ctx, &f, &x, 1, y, 1, &count);
  applied += s == GRADUS_OK;
  return s;
}

enum { A, B, SUM, VIEW, DOUBLED, PRODUCT, CURVE, LOSS, GRAD, SECOND, TOTAL, COUNT };

/* All of it, or a status; what was made is in t. */
static gradus_status step(gradus_context *ctx, gradus_tensor **t, gradus_node **node) {
  const double x[4] = {1, 2, 3, 4};
  const int64_t shape[2] = {2, 2}, row[1] = {2};
  gradus_backward_options record;
  gradus_status s;
  SIZED(record);
  record.flags = GRADUS_BACKWARD_RECORD;
#define TRY(call) if ((s = (call)) != GRADUS_OK) return s
  TRY(gradus_tensor_copy_in(ctx, GRADUS_F64, 2, shape, NULL, x, sizeof x, &t[A]));
  TRY(gradus_ones(ctx, row, 1, GRADUS_F64, &t[B]));
  TRY(gradus_tensor_set_requires_grad(ctx, t[A], 1));
  TRY(gradus_tensor_add_hook(ctx, t[A], scaled, NULL, NULL, NULL));
  TRY(gradus_add(ctx, t[A], t[B], &t[SUM]));
  TRY(gradus_select(ctx, t[SUM], 0, 1, &t[VIEW]));
  TRY(apply(ctx, t[VIEW], &t[DOUBLED]));
  TRY(gradus_mul(ctx, t[SUM], t[A], &t[PRODUCT]));
  TRY(gradus_tanh(ctx, t[PRODUCT], &t[CURVE]));
  TRY(gradus_sum(ctx, t[CURVE], NULL, 0, 0, 0, &t[LOSS]));
  TRY(gradus_tensor_grad_fn(ctx, t[LOSS], node));
  TRY(gradus_grad(ctx, &t[LOSS], 1, &t[A], 1, NULL, &record, &t[GRAD]));
  TRY(gradus_mul(ctx, t[GRAD], t[GRAD], &t[SECOND]));
  TRY(gradus_sum(ctx, t[SECOND], NULL, 0, 0, 0, &t[TOTAL]));
  return gradus_backward(ctx, &t[TOTAL], 1, NULL, NULL);
#undef TRY
}

static gradus_status run(long until_failure, struct heap *heap) {
  gradus_context *ctx = NULL;
  gradus_tensor *t[COUNT] = {NULL};
  gradus_node *node = NULL;
  gradus_context_options o;
  gradus_status s;
  int i;
  memset(heap, 0, sizeof *heap);
  heap->until_failure = until_failure;
  SIZED(o);
  o.alloc = take;
  o.dealloc = give;
  o.user = heap;
  o.destroy = on_destroy;
  CHECK(gradus_context_create(&o, &ctx) == GRADUS_OK);
  s = step(ctx, t, &node);
  if (s != GRADUS_OK) FAILS(s, GRADUS_E_MEMORY, "out of memory");
  heap->until_failure = -1;
  if (t[A]) { /* usable afterwards */
    gradus_tensor *y = NULL;
    OK(gradus_sin(ctx, t[A], &y));
    gradus_release(y);
  }
  gradus_release(ctx);
  gradus_release(node);
  for (i = 0; i < COUNT; ++i) gradus_release(t[i]);
  CHECK(heap->blocks == 0 && heap->destroyed == 1 && applied == let_go);
  CHECK(counts_now().tensors == 0 && counts_now().graph_nodes == 0 && counts_now().callbacks == 0);
  return s;
}

int main(void) {
  struct heap heap;
  long n = 0;
  while (run(n, &heap) != GRADUS_OK && n < 10000 && faults == 0) ++n;
  CHECK(n > 20 && n < 10000 && applied > 1);
  printf("capi_memory_test: %ld failing allocations\n", n);
  return finish("capi_memory_test");
}
