/* The fundamentals of autograd from C99, step by step: what tutorial.cpp shows, with statuses and owned handles. Draws tutorial_c.svg. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gradus/gradus.h"
#include "svg.h"

static gradus_context *ctx;

/* Every call that can fail stands in TRY; a failure ends the program with the library's message. */
static void try_(gradus_status status, const char *call) {
  gradus_error error;
  if (status == GRADUS_OK) return;
  memset(&error, 0, sizeof error);
  error.struct_size = sizeof error;
  if (ctx) gradus_context_error(ctx, &error);
  fprintf(stderr, "tutorial: %s\n  %s: %s\n", call, gradus_status_name(status), error.message ? error.message : "");
  exit(1);
}
#define TRY(call) try_(call, #call)

static void check(int holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "tutorial: does not hold: %s\n", what);
  exit(1);
}

static void title(const char *text) { printf("\n==== %s\n\n", text); }

static void show(const char *name, const gradus_tensor *t) {
  size_t length = 0;
  char *text;
  if (!t) { printf("%s = none\n", name); return; }
  TRY(gradus_tensor_print(ctx, t, NULL, 0, &length));
  text = malloc(length + 1);
  check(text != NULL, "there is memory");
  TRY(gradus_tensor_print(ctx, t, text, length + 1, &length));
  printf("%s = %s\n", name, text);
  free(text);
}

static int requires_grad(const gradus_tensor *t) {
  gradus_tensor_info info;
  memset(&info, 0, sizeof info);
  info.struct_size = sizeof info;
  TRY(gradus_tensor_describe(t, &info));
  return (info.flags & GRADUS_TENSOR_REQUIRES_GRAD) != 0;
}

static double item(const gradus_tensor *t) {
  double v;
  TRY(gradus_tensor_item_f64(ctx, t, &v));
  return v;
}

/* Takes the node. */
static void walk(gradus_node *node, int depth) {
  gradus_node_info info;
  char name[64];
  uint32_t i;
  if (!node) return;
  memset(&info, 0, sizeof info);
  info.struct_size = sizeof info;
  TRY(gradus_node_describe(node, &info));
  TRY(gradus_node_name(ctx, node, name, sizeof name, NULL));
  printf("%*s%s\n", 2 * depth, "", name);
  for (i = 0; i < info.edge_count; ++i) {
    gradus_node *next;
    TRY(gradus_node_next(ctx, node, i, &next, NULL));
    walk(next, depth + 1);
  }
  gradus_release(node);
}

/* Steps 1 to 3: a computation is recorded, looked at, and run backwards. */
enum { POINTS = 25 };
static void a_simple_example(void) {
  gradus_tensor *a, *b, *c, *d, *out, *grad, *none;
  gradus_node *node;
  double x[POINTS], y[POINTS], g[POINTS];
  int i;
  title("1. A leaf that requires grad, and a function of it");
  TRY(gradus_linspace(ctx, 0, 2 * acos(-1.0), POINTS, 0, &a));
  TRY(gradus_tensor_set_requires_grad(ctx, a, 1));
  show("a", a);
  TRY(gradus_sin(ctx, a, &b));
  show("b = sin a", b);

  title("2. The graph behind the result");
  TRY(gradus_mul_scalar(ctx, b, 2, &c));
  TRY(gradus_add_scalar(ctx, c, 1, &d));
  TRY(gradus_sum(ctx, d, NULL, 0, 0, 0, &out));
  show("out", out);
  TRY(gradus_tensor_grad_fn(ctx, out, &node));
  walk(node, 0);
  TRY(gradus_tensor_grad_fn(ctx, a, &node));
  check(node == NULL, "a leaf has no grad_fn");

  title("3. Backward");
  TRY(gradus_backward(ctx, &out, 1, NULL, NULL));
  TRY(gradus_tensor_grad(ctx, a, &grad));
  show("a.grad", grad);
  TRY(gradus_tensor_copy_out(ctx, a, GRADUS_F64, x, sizeof x));
  TRY(gradus_tensor_copy_out(ctx, b, GRADUS_F64, y, sizeof y));
  TRY(gradus_tensor_copy_out(ctx, grad, GRADUS_F64, g, sizeof g));
  for (i = 0; i < POINTS; ++i) check(fabs(g[i] - 2 * cos(x[i])) < 1e-5, "a.grad = 2 cos a");
  TRY(gradus_tensor_grad(ctx, b, &none));
  check(none == NULL, "only leaves keep their gradient");
  {
    const svg_series series[] = {{"sin a", x, y, POINTS, 0, 0}, {"gradient of the sum of 2 sin a + 1", x, g, POINTS, 1, 0}};
    const svg_plot plot = {"A function and the gradient that backward found", "a", "value", series, 2, 0};
    check(svg_write_plots("tutorial_c.svg", &plot, 1), "tutorial_c.svg can be written");
  }
  gradus_release(a), gradus_release(b), gradus_release(c), gradus_release(d), gradus_release(out), gradus_release(grad);
}

/* A model of two layers: 1000 inputs, 100 hidden, 10 outputs. */
typedef struct model { gradus_tensor *parameter[4]; } model; /* weight, bias, weight, bias */

static gradus_tensor *random_leaf(int64_t rows, int64_t columns, double scale) {
  const int64_t shape[2] = {rows, columns};
  gradus_tensor *r, *scaled;
  TRY(gradus_randn(ctx, shape, 2, 0, &r));
  TRY(gradus_mul_scalar(ctx, r, scale, &scaled));
  gradus_release(r);
  return scaled;
}

static model make_model(void) {
  const int64_t hidden = 100, outputs = 10;
  model m;
  int i;
  m.parameter[0] = random_leaf(100, 1000, 0.03);
  TRY(gradus_tensor_zeros(ctx, GRADUS_F32, 1, &hidden, &m.parameter[1]));
  m.parameter[2] = random_leaf(10, 100, 0.1);
  TRY(gradus_tensor_zeros(ctx, GRADUS_F32, 1, &outputs, &m.parameter[3]));
  for (i = 0; i < 4; ++i) TRY(gradus_tensor_set_requires_grad(ctx, m.parameter[i], 1));
  return m;
}

/* The sum of the squared errors of the model. */
static gradus_tensor *loss_of(const model *m, const gradus_tensor *input, const gradus_tensor *ideal) {
  gradus_tensor *hidden, *active, *prediction, *difference, *squares, *loss;
  TRY(gradus_linear(ctx, input, m->parameter[0], m->parameter[1], &hidden));
  TRY(gradus_relu(ctx, hidden, &active));
  TRY(gradus_linear(ctx, active, m->parameter[2], m->parameter[3], &prediction));
  TRY(gradus_sub(ctx, ideal, prediction, &difference));
  TRY(gradus_mul(ctx, difference, difference, &squares));
  TRY(gradus_sum(ctx, squares, NULL, 0, 0, 0, &loss));
  gradus_release(hidden), gradus_release(active), gradus_release(prediction), gradus_release(difference), gradus_release(squares);
  return loss;
}

/* parameter -= rate * gradient, unrecorded. */
static void step(const model *m, double rate) {
  int32_t before;
  int i;
  TRY(gradus_context_set_recording(ctx, 0, &before));
  for (i = 0; i < 4; ++i) {
    gradus_tensor *grad, *change;
    TRY(gradus_tensor_grad(ctx, m->parameter[i], &grad));
    TRY(gradus_mul_scalar(ctx, grad, rate, &change));
    TRY(gradus_sub_(ctx, m->parameter[i], change, NULL));
    gradus_release(grad), gradus_release(change);
  }
  TRY(gradus_context_set_recording(ctx, before, NULL));
}

static double gradient_norm(const gradus_tensor *t) {
  double norm;
  gradus_tensor *grad, *n;
  TRY(gradus_tensor_grad(ctx, t, &grad));
  check(grad != NULL, "there is a gradient");
  TRY(gradus_linalg_vector_norm(ctx, grad, 2, NULL, 0, 0, 0, &n));
  norm = item(n);
  gradus_release(grad), gradus_release(n);
  return norm;
}

static void clear_gradients(const model *m) {
  int i;
  for (i = 0; i < 4; ++i) TRY(gradus_tensor_set_grad(ctx, m->parameter[i], NULL));
}

/* Steps 4 and 5: training, and gradients that add up. */
static void training(void) {
  const model m = make_model();
  gradus_tensor *input = random_leaf(16, 1000, 1), *ideal = random_leaf(16, 10, 1), *loss, *none;
  double before, last;
  int i;
  title("4. One step of training");
  TRY(gradus_tensor_grad(ctx, m.parameter[2], &none));
  check(none == NULL, "no gradient before the first backward");
  loss = loss_of(&m, input, ideal);
  show("loss", loss);
  before = item(loss);
  TRY(gradus_backward(ctx, &loss, 1, NULL, NULL));
  gradus_release(loss);
  step(&m, 0.001);
  loss = loss_of(&m, input, ideal);
  show("loss", loss);
  check(item(loss) < before, "a step makes the loss smaller");
  gradus_release(loss);

  title("5. Gradients add up until they are cleared");
  clear_gradients(&m);
  last = 0;
  for (i = 0; i < 5; ++i) {
    loss = loss_of(&m, input, ideal);
    TRY(gradus_backward(ctx, &loss, 1, NULL, NULL));
    gradus_release(loss);
    printf("pass %d: the norm of w2.grad is %g\n", i + 1, gradient_norm(m.parameter[2]));
    check(gradient_norm(m.parameter[2]) > last, "another pass adds its gradient");
    last = gradient_norm(m.parameter[2]);
  }
  clear_gradients(&m);
  for (i = 0; i < 4; ++i) gradus_release(m.parameter[i]);
  gradus_release(input), gradus_release(ideal);
}

/* Steps 6 to 8: switching recording off, detaching, and what in-place operations may not do. */
static void control(void) {
  const int64_t shape[2] = {2, 3};
  gradus_tensor *a, *recorded, *plain, *quiet, *detached, *refused;
  gradus_error error;
  int32_t before;
  title("6. Recording on and off");
  TRY(gradus_ones(ctx, shape, 2, 0, &a));
  TRY(gradus_tensor_set_requires_grad(ctx, a, 1));
  TRY(gradus_mul_scalar(ctx, a, 2, &recorded));
  TRY(gradus_tensor_set_requires_grad(ctx, a, 0));
  TRY(gradus_mul_scalar(ctx, a, 2, &plain));
  show("recorded", recorded);
  show("plain", plain);
  TRY(gradus_tensor_set_requires_grad(ctx, a, 1));
  TRY(gradus_context_set_recording(ctx, 0, &before));
  TRY(gradus_mul_scalar(ctx, a, 2, &quiet));
  TRY(gradus_context_set_recording(ctx, before, NULL));
  check(!requires_grad(quiet), "nothing is recorded while recording is off");

  title("7. Detach");
  TRY(gradus_tensor_detach(ctx, recorded, &detached));
  show("detached", detached);
  check(!requires_grad(detached), "a detached tensor does not require grad");

  title("8. In place on a leaf");
  check(gradus_sin_(ctx, a, &refused) == GRADUS_E_STATE && !refused, "sin_ on a leaf that requires grad is refused");
  memset(&error, 0, sizeof error);
  error.struct_size = sizeof error;
  gradus_context_error(ctx, &error);
  printf("refused: %s\n", error.message);
  gradus_release(a), gradus_release(recorded), gradus_release(plain), gradus_release(quiet), gradus_release(detached);
}

/* Step 9: where the time goes. */
static void profiler(void) {
  const int64_t shape[2] = {2, 3};
  gradus_tensor *x, *y;
  gradus_profile *profile;
  gradus_profile_table_options by_self_time;
  char *table;
  size_t length = 0;
  int i;
  title("9. The profiler");
  TRY(gradus_rand(ctx, shape, 2, 0, &x));
  TRY(gradus_rand(ctx, shape, 2, 0, &y));
  TRY(gradus_tensor_set_requires_grad(ctx, x, 1));
  TRY(gradus_profile_start(ctx, NULL, &profile));
  for (i = 0; i < 1000; ++i) {
    gradus_tensor *quotient, *product;
    TRY(gradus_div(ctx, x, y, &quotient));
    TRY(gradus_mul(ctx, quotient, y, &product));
    gradus_release(quotient), gradus_release(x);
    x = product;
  }
  TRY(gradus_profile_stop(ctx, profile));
  memset(&by_self_time, 0, sizeof by_self_time);
  by_self_time.struct_size = sizeof by_self_time;
  by_self_time.sort_by = "self_cpu_time_total";
  by_self_time.sort_by_length = strlen(by_self_time.sort_by);
  TRY(gradus_profile_table(ctx, profile, &by_self_time, NULL, 0, &length));
  table = malloc(length + 1);
  check(table != NULL, "there is memory");
  TRY(gradus_profile_table(ctx, profile, &by_self_time, table, length + 1, &length));
  printf("%s", table);
  check(strstr(table, "div") && strstr(table, "mul") && strstr(table, "1000"), "the table counts 1000 of each");
  free(table);
  gradus_release(profile), gradus_release(x), gradus_release(y);
}

/* Doubles x until its norm is 1000: a loop whose length depends on the data. factor is what x was multiplied by. */
static gradus_tensor *doubled(gradus_tensor *x, double *factor) {
  float now[3];
  gradus_tensor *y = x;
  gradus_retain(x);
  *factor = 1;
  do {
    gradus_tensor *twice;
    TRY(gradus_mul_scalar(ctx, y, 2, &twice));
    gradus_release(y);
    y = twice;
    *factor *= 2;
    TRY(gradus_tensor_copy_out(ctx, y, GRADUS_F32, now, sizeof now));
  } while (sqrt((double)now[0] * now[0] + (double)now[1] * now[1] + (double)now[2] * now[2]) < 1000);
  return y;
}

/* Steps 10 and 12: an output that is not one number, backward and as a function of a vector v. */
static void vector_jacobian_product(int step) {
  const int64_t shape[1] = {3};
  const float data[3] = {0.3f, -1.2f, 0.7f}, direction[3] = {0.1f, 1.0f, 0.0001f};
  float g[3];
  double factor;
  gradus_tensor *x, *y, *v, *product, *grad;
  title(step == 10 ? "10. A result with three elements" : "12. A vector times the Jacobian");
  TRY(gradus_tensor_copy_in(ctx, GRADUS_F32, 1, shape, NULL, data, sizeof data, &x));
  TRY(gradus_tensor_copy_in(ctx, GRADUS_F32, 1, shape, NULL, direction, sizeof direction, &v));
  TRY(gradus_tensor_set_requires_grad(ctx, x, 1));
  y = doubled(x, &factor);
  show("y", y);
  if (step == 10) {
    TRY(gradus_backward(ctx, &y, 1, &v, NULL));
    TRY(gradus_tensor_grad(ctx, x, &product));
    show("x.grad", product);
  } else {
    TRY(gradus_grad(ctx, &y, 1, &x, 1, &v, NULL, &product)); /* leaves x.grad alone */
    show("v' J", product);
    TRY(gradus_tensor_grad(ctx, x, &grad));
    check(grad == NULL, "gradus_grad leaves x.grad alone");
  }
  TRY(gradus_tensor_copy_out(ctx, product, GRADUS_F32, g, sizeof g));
  check(fabs(g[1] - factor) < 1e-3 * factor, "v' J = v times the factor of the loop");
  gradus_release(x), gradus_release(y), gradus_release(v), gradus_release(product);
}

/* Step 11: f(x, y) = 2 exp x + 3 y, and its Jacobian: a pass for each element of the result. */
static void jacobian(const float *x_data, int n) {
  const int64_t shape[1] = {n};
  gradus_backward_options options;
  gradus_tensor *in[2], *e, *twice, *thrice, *out;
  double values[4];
  int k, i;
  memset(&options, 0, sizeof options);
  options.struct_size = sizeof options;
  options.flags = GRADUS_BACKWARD_KEEP_GRAPH;
  for (i = 0; i < 2; ++i) {
    TRY(gradus_tensor_copy_in(ctx, GRADUS_F32, 1, shape, NULL, x_data + i, sizeof(float) * (size_t)n, &in[i]));
    TRY(gradus_tensor_set_requires_grad(ctx, in[i], 1));
  }
  TRY(gradus_exp(ctx, in[0], &e)), TRY(gradus_mul_scalar(ctx, e, 2, &twice)), TRY(gradus_mul_scalar(ctx, in[1], 3, &thrice));
  TRY(gradus_add(ctx, twice, thrice, &out));
  for (k = 0; k < n; ++k) {
    const float unit[4] = {k == 0, k == 1, k == 2, k == 3};
    gradus_tensor *seed, *row[2];
    TRY(gradus_tensor_copy_in(ctx, GRADUS_F32, 1, shape, NULL, unit, sizeof(float) * (size_t)n, &seed));
    TRY(gradus_grad(ctx, &out, 1, in, 2, &seed, &options, row));
    show("row by x", row[0]), show("row by y", row[1]);
    TRY(gradus_tensor_copy_out(ctx, row[0], GRADUS_F64, values, sizeof values));
    for (i = 0; i < n; ++i) check(fabs(values[i] - (i == k ? 2 * exp(x_data[i]) : 0)) < 1e-5, "the Jacobian by x is 2 exp x on the diagonal");
    gradus_release(seed), gradus_release(row[0]), gradus_release(row[1]);
  }
  gradus_release(in[0]), gradus_release(in[1]), gradus_release(e), gradus_release(twice), gradus_release(thrice), gradus_release(out);
}
static void functions(void) {
  const float data[5] = {0.2f, 0.9f, 0.4f, 0.6f, 0.1f};
  title("11. The Jacobian of a function");
  jacobian(data, 1);
  jacobian(data, 4);
}

int main(void) {
  gradus_context_options options;
  gradus_counts counts;
  memset(&options, 0, sizeof options);
  options.struct_size = sizeof options;
  options.seed = 17;
  TRY(gradus_context_create(&options, &ctx));
  a_simple_example();
  training();
  control();
  profiler();
  vector_jacobian_product(10);
  functions();
  vector_jacobian_product(12);
  gradus_release(ctx);
  memset(&counts, 0, sizeof counts);
  counts.struct_size = sizeof counts;
  gradus_live_counts(&counts);
  check(counts.tensors == 0 && counts.graph_nodes == 0, "everything was released");
  return 0;
}
