/* The derivative of x^3 at 2, and of that once more. */
#include <gradus/gradus.h>
#include <stdio.h>

int main(void) {
  gradus_context *ctx;
  gradus_tensor *x, *y, *first = NULL, *second = NULL;
  gradus_backward_options record = {sizeof record, GRADUS_BACKWARD_RECORD, 0, NULL, NULL};
  const double two = 2;
  double d1 = 0, d2 = 0;

  if (gradus_api_level() < GRADUS_API_LEVEL || gradus_context_create(NULL, &ctx) != GRADUS_OK) return 1;
  gradus_tensor_copy_in(ctx, GRADUS_F64, 0, NULL, NULL, &two, sizeof two, &x);
  gradus_tensor_set_requires_grad(ctx, x, 1);
  gradus_pow_scalar(ctx, x, 3, &y);
  if (gradus_grad(ctx, &y, 1, &x, 1, NULL, &record, &first) != GRADUS_OK) return 1;
  if (gradus_grad(ctx, &first, 1, &x, 1, NULL, NULL, &second) != GRADUS_OK) return 1;
  gradus_tensor_item_f64(ctx, first, &d1);
  gradus_tensor_item_f64(ctx, second, &d2);
  gradus_release(second); gradus_release(first); gradus_release(y); gradus_release(x); gradus_release(ctx);
  printf("gradus %s: %g %g\n", gradus_version_string(), d1, d2);
  return d1 == 12 && d2 == 12 ? 0 : 1;
}
