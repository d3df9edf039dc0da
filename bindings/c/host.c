/*
 * What a host gives to the library, in C: an operation with a derivative of its own, calls in one crossing, memory that both see, and the other
 * way round, tensors for another library by DLPack. The tour of the rest is examples/tutorial.c.
 */
#include <gradus/gradus.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static gradus_context *ctx;
static int destroyed;

static void try_(gradus_status status) {
  gradus_error e = {0};
  if (status == GRADUS_OK) return;
  e.struct_size = sizeof e;
  gradus_context_error(ctx, &e);
  fprintf(stderr, "host: %s: %s\n", gradus_status_name(status), e.message);
  exit(1);
}
static void check(int condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "host: %s\n", what);
  exit(1);
}
static gradus_value of_tensor(gradus_tensor *t) {
  gradus_value v = {0};
  v.kind = GRADUS_V_TENSOR;
  v.u.tensor = t;
  return v;
}
static gradus_value of_real(double x) {
  gradus_value v = {0};
  v.kind = GRADUS_V_F64;
  v.u.f64 = x;
  return v;
}

/*
 * distance(x, y, scale) = scale * sqrt(x * x + y * y). A callback gives up by returning the status of the call that failed, which has left its
 * message; what it made until then is released.
 */
static gradus_status distance(void *user, gradus_context *c, const gradus_value *a, size_t n, gradus_value *results, size_t capacity, size_t *count) {
  gradus_tensor *r = NULL, *scaled = NULL;
  gradus_status status = gradus_hypot(c, a[0].u.tensor, a[1].u.tensor, &r);
  (void)user, (void)n, (void)capacity;
  if (status == GRADUS_OK) status = gradus_mul_scalar(c, r, a[2].u.f64, &scaled);
  gradus_release(r);
  if (status != GRADUS_OK) return status;
  results[0] = of_tensor(scaled);
  *count = 1;
  return GRADUS_OK;
}
/* Of x, y, scale, the result r and its gradient g: g * scale^2 / r times x, and times y. */
static gradus_status distance_backward(void *user, gradus_context *c, const gradus_value *a, size_t n, gradus_value *results, size_t capacity,
                                       size_t *count) {
  gradus_tensor *ratio = NULL, *slope = NULL, *grads[2] = {NULL, NULL};
  gradus_status status = gradus_div(c, a[4].u.tensor, a[3].u.tensor, &ratio);
  int i;
  (void)user, (void)n, (void)capacity;
  if (status == GRADUS_OK) status = gradus_mul_scalar(c, ratio, a[2].u.f64 * a[2].u.f64, &slope);
  for (i = 0; i < 2 && status == GRADUS_OK; ++i) status = gradus_mul(c, slope, a[i].u.tensor, &grads[i]);
  for (i = 0; i < 2; ++i)
    if (grads[i]) results[i] = of_tensor(grads[i]);                /* the library's, whatever is returned */
  *count = 2;
  gradus_release(ratio);
  gradus_release(slope);
  return status;
}
static const gradus_op *register_op(void) {
  gradus_op_definition d = {0};
  const gradus_op *op;
  d.struct_size = sizeof d;
  d.name = "demo.distance";
  d.schema = "(Tensor x, Tensor y, float scale=1.0) -> Tensor";
  d.summary = "The distance of (x, y) from (0, 0), scaled.";
  d.forward = distance;
  d.backward = distance_backward;
  try_(gradus_op_register(ctx, &d, &op));
  return op;
}

static gradus_status doubled(void *user, gradus_context *c, gradus_tensor *const *inputs, size_t n, gradus_tensor **results, size_t capacity,
                             size_t *count) {
  gradus_value arguments[3], r;
  gradus_status status;
  (void)n, (void)capacity;
  arguments[0] = of_tensor(inputs[0]);
  arguments[1] = of_tensor(inputs[1]);
  arguments[2] = of_real(2);
  status = gradus_invoke(c, user, arguments, 3, &r, 1, NULL);
  if (status != GRADUS_OK) return status;
  results[0] = r.u.tensor;
  *count = 1;
  return GRADUS_OK;
}
static void own_operation(void) {
  const double xs[] = {3, 5}, ys[] = {4, 12};
  const int64_t shape[] = {2};
  const gradus_op *op = register_op();
  gradus_tensor *in[2], *grad;
  gradus_value a[3], of_first = {0}, sum;
  gradus_call calls[2];
  double total, g[2];
  int32_t passed;
  char report[8192];

  try_(gradus_tensor_copy_in(ctx, GRADUS_F64, 1, shape, NULL, xs, sizeof xs, &in[0]));
  try_(gradus_tensor_copy_in(ctx, GRADUS_F64, 1, shape, NULL, ys, sizeof ys, &in[1]));
  try_(gradus_tensor_set_requires_grad(ctx, in[0], 1));
  try_(gradus_tensor_set_requires_grad(ctx, in[1], 1));
  try_(gradus_gradcheck(ctx, doubled, (void *)op, in, 2, NULL, &passed, report, sizeof report, NULL));
  check(passed, report);

  memset(calls, 0, sizeof calls);                                  /* sum(distance(x, y, 2)) in one crossing */
  a[0] = of_tensor(in[0]);
  a[1] = of_tensor(in[1]);
  a[2] = of_real(2);
  of_first.kind = GRADUS_V_RESULT_OF;                              /* of call 0 */
  calls[0].op = op;
  calls[0].arguments = a;
  calls[0].argument_count = 3;
  calls[1].op = gradus_op_find("sum", 3);
  calls[1].arguments = &of_first;
  calls[1].argument_count = 1;
  calls[1].results = &sum;
  calls[1].result_capacity = 1;
  try_(gradus_invoke_batch(ctx, calls, 2, sizeof calls[0], NULL));
  try_(gradus_backward(ctx, &sum.u.tensor, 1, NULL, NULL));
  try_(gradus_tensor_item_f64(ctx, sum.u.tensor, &total));
  try_(gradus_tensor_grad(ctx, in[0], &grad));
  try_(gradus_tensor_copy_out(ctx, grad, GRADUS_F64, g, sizeof g));
  check(total == 36 && fabs(g[0] - 1.2) < 1e-12 && fabs(g[1] - 10.0 / 13) < 1e-12, "the batch");
  gradus_release(grad);
  gradus_release(sum.u.tensor);
  gradus_release(in[0]);
  gradus_release(in[1]);
}

static void free_and_count(void *user) {
  free(user);
  ++destroyed;
}
/* With GRADUS_CTX_POLLED_DESTROY the memory goes back when the host asks, on its thread. */
static void memory(void) {
  const int64_t shape[] = {2, 2};
  double *data = malloc(4 * sizeof *data);
  struct DLManagedTensorVersioned *managed;
  gradus_tensor *x, *y, *z;
  gradus_tensor_info info = {0};
  check(data != NULL, "no memory");
  data[0] = data[1] = data[2] = data[3] = 1;
  try_(gradus_tensor_wrap(ctx, GRADUS_F64, 2, shape, NULL, data, 4 * sizeof *data, 0, free_and_count, data, &x));
  try_(gradus_tensor_to_dlpack(ctx, x, 0, &managed));              /* for another library: here it is this one again */
  try_(gradus_tensor_from_dlpack(ctx, managed, 0, &y));
  try_(gradus_mul_scalar_(ctx, y, 5, &z));
  info.struct_size = sizeof info;
  try_(gradus_tensor_describe(z, &info));
  check(info.data == data && data[3] == 5, "the memory is another one");
  gradus_release(x);
  gradus_release(y);
  gradus_release(z);
  check(destroyed == 0, "destroyed before the host asked");
  try_(gradus_context_poll(ctx, NULL));
  check(destroyed == 1, "not destroyed once");
}

int main(void) {
  gradus_context_options options = {0};
  gradus_counts c = {0};
  options.struct_size = sizeof options;
  options.flags = GRADUS_CTX_POLLED_DESTROY;
  try_(gradus_context_create(&options, &ctx));
  own_operation();
  memory();
  gradus_release(ctx);
  c.struct_size = sizeof c;
  gradus_live_counts(&c);
  check(c.contexts + c.tensors + c.graph_nodes + c.foreign_blocks + c.callbacks + c.bytes_live == 0, "something is left alive");
  printf("c: an operation of the host, a batch, shared memory\n");
  return 0;
}
