/*
 * Logistic regression in C99: which of ten digits a picture of 8x8 pixels shows, by one linear function of the pixels for each.
 *   logistic_regression [--data FOLDER] [--epochs 300] [--seed 1] [--threads 0] [--save FILE] [--resume FILE] [--expect PERCENT] [--help]
 * FOLDER holds optdigits.tra and optdigits.tes; without it pictures are made up. An epoch is one step on all of them. A resumed run goes on after the
 * epoch that its file was saved after, and ends with the bits of one that ran through.
 * Expected of the defaults: made up 98.30 % read right, optdigits 94.16 % in 0.3 s.
 */
#include "learning_c.h"

/* The mean loss of weights p on images x that show y [own]; *right is the share read right in percent. */
static gradus_tensor *loss_of(gradus_tensor *const *p, const gradus_tensor *x, const gradus_tensor *y, double *right) {
  const int64_t classes = 1;
  gradus_tensor *scores, *read, *same, *share, *loss;
  TRY(gradus_linear(ctx, x, p[0], p[1], &scores));
  TRY(gradus_cross_entropy_loss(ctx, scores, y, NULL, 1, -100, 0.0, &loss));
  TRY(gradus_argmax(ctx, scores, &classes, 0, &read));
  TRY(gradus_eq(ctx, read, y, &same));
  TRY(gradus_mean(ctx, same, NULL, 0, 0, GRADUS_F64, &share));
  TRY(gradus_tensor_item_f64(ctx, share, right));
  *right *= 100;
  gradus_release(share); gradus_release(same); gradus_release(read); gradus_release(scores);
  return loss;
}

int main(int argc, char **argv) {
  const arguments a = read_arguments(argv);
  const char *const names[PARAMETERS] = {"weight", "bias"};
  const int64_t sizes[] = {DIGITS, PIXELS}, epochs = (int64_t)a.epochs;
  const gradus_setting rate = {2.0, "lr", NULL};
  gradus_context_options options = {0};
  gradus_tensor *p[PARAMETERS], *x, *y, *test_x, *test_y, *loss;
  gradus_optimizer *descent;
  progress shown;
  int64_t n, epoch = 0;
  double value, right;

  (void)argc;
  options.struct_size = sizeof options;
  options.threads = (int32_t)a.threads;
  TRY(gradus_context_create(&options, &ctx));
  random_state = a.seed;
  n = read_digits(a.data, "optdigits.tra", &x, &y);
  printf("%ld digits to learn from, %ld to be tested on\n", (long)n, (long)read_digits(a.data, "optdigits.tes", &test_x, &test_y));
  fflush(stdout);

  for (n = 0; n < PARAMETERS; ++n) TRY(gradus_tensor_zeros(ctx, GRADUS_F32, n ? 1 : 2, sizes, &p[n]));
  if (a.resume) epoch = resume(a.resume, p, names);
  for (n = 0; n < PARAMETERS; ++n) TRY(gradus_tensor_set_requires_grad(ctx, p[n], 1));
  TRY(gradus_optimizer_create(ctx, "SGD", 3, p, PARAMETERS, &rate, 1, sizeof rate, &descent));
  shown = progress_of("epochs", epochs - epoch);
  while (epoch < epochs) {
    loss = loss_of(p, x, y, &right);
    TRY(gradus_optimizer_zero_grad(ctx, descent, 1));
    TRY(gradus_backward(ctx, &loss, 1, NULL, NULL));
    TRY(gradus_optimizer_step(ctx, descent));
    TRY(gradus_tensor_item_f64(ctx, loss, &value));
    gradus_release(loss);
    ++epoch;
    progress_step(&shown, value, right);
  }
  if (a.save) save(a.save, p, names, epoch);
  loss = loss_of(p, test_x, test_y, &right);
  TRY(gradus_tensor_item_f64(ctx, loss, &value));
  printf("test after epoch %ld: %.2f %% read right, loss %.4f\n", (long)epoch, right, value);

  gradus_release(loss); gradus_release(descent); gradus_release(p[0]); gradus_release(p[1]);
  gradus_release(x); gradus_release(y); gradus_release(test_x); gradus_release(test_y); gradus_release(ctx);
  if (right < (double)a.expect) stop(1, "%d %% read right were expected", (int)a.expect);
  return 0;
}
