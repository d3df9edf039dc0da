/* The exported graph from C: sizes, names, and what is refused. graph_test.cpp looks at the texts. */
#include <stdlib.h>

#include "capi_check.h"

static void texts(void) {
  gradus_context *ctx = new_context();
  const double data[2] = {1, 2};
  gradus_tensor *a = vector(ctx, data, 2), *y = NULL, *named[2];
  const char *names[2] = {"the input", "y"};
  gradus_graph_options o;
  char small[16], *whole;
  size_t length = 0, again = 0;
  OK(gradus_tensor_set_requires_grad(ctx, a, 1));
  OK(gradus_sin(ctx, a, &y));
  SIZED(o);
  o.flags = GRADUS_GRAPH_WITH_SAVED;
  o.name_count = 2;
  o.tensors = named;
  o.names = names;
  named[0] = a;
  named[1] = y;
  OK(gradus_graph_export(ctx, &y, 1, &o, GRADUS_GRAPH_DOT, NULL, 0, &length));
  whole = malloc(length + 1);
  OK(gradus_graph_export(ctx, &y, 1, &o, GRADUS_GRAPH_DOT, whole, length + 1, &again));
  CHECK(again == length && strlen(whole) == length);
  CHECK(strstr(whole, "\"the input\\nfloat64 [2]\"") && strstr(whole, "y: float64 [2]") && strstr(whole, "saved self"));
  free(whole);
  OK(gradus_graph_export(ctx, &y, 1, NULL, GRADUS_GRAPH_JSON, small, sizeof small, &length));
  CHECK(strcmp(small, "{\"version\": 1, ") == 0 && length > 100);
  gradus_release(y);
  gradus_release(a);
  gradus_release(ctx);
}

static void refusals(void) {
  gradus_context *ctx = new_context();
  const double data[2] = {1, 2};
  gradus_tensor *a = vector(ctx, data, 2), *y = NULL, *pair[2], *none = NULL;
  const char *name = NULL;
  gradus_graph_options o;
  char text[64];
  size_t length = 7;
  OK(gradus_tensor_set_requires_grad(ctx, a, 1));
  OK(gradus_sin(ctx, a, &y));
  SIZED(o);
  FAILS(gradus_graph_export(ctx, &y, 1, NULL, 4, text, sizeof text, &length), GRADUS_E_VALUE, "format 4");
  CHECK(length == 0);
  FAILS(gradus_graph_export(ctx, &y, 0, NULL, GRADUS_GRAPH_DOT, text, sizeof text, &length), GRADUS_E_VALUE, "no outputs");
  FAILS(gradus_graph_export(ctx, NULL, 1, NULL, GRADUS_GRAPH_DOT, text, sizeof text, &length), GRADUS_E_NULL, "outputs");
  FAILS(gradus_graph_export(ctx, &none, 1, NULL, GRADUS_GRAPH_DOT, text, sizeof text, &length), GRADUS_E_NULL, "outputs");
  FAILS(gradus_graph_export(ctx, &y, 1, NULL, GRADUS_GRAPH_DOT, NULL, 8, &length), GRADUS_E_NULL, "buffer");
  FAILS(gradus_graph_export(ctx, &y, 1, NULL, GRADUS_GRAPH_DOT, text, sizeof text, NULL), GRADUS_E_NULL, "length");
  o.name_count = 1;
  o.tensors = &a;
  FAILS(gradus_graph_export(ctx, &y, 1, &o, GRADUS_GRAPH_JSON, text, sizeof text, &length), GRADUS_E_NULL, "names");
  o.names = &name;
  FAILS(gradus_graph_export(ctx, &y, 1, &o, GRADUS_GRAPH_JSON, text, sizeof text, &length), GRADUS_E_NULL, "names");
  o.tensors = NULL;
  FAILS(gradus_graph_export(ctx, &y, 1, &o, GRADUS_GRAPH_JSON, text, sizeof text, &length), GRADUS_E_NULL, "tensors");
  o.name_count = 0;
  o.flags = 2;
  FAILS(gradus_graph_export(ctx, &y, 1, &o, GRADUS_GRAPH_JSON, text, sizeof text, &length), GRADUS_E_UNKNOWN_FIELD, "flags");
  pair[0] = y;
  OK(gradus_tensor_detach(ctx, a, &pair[1]));
  FAILS(gradus_graph_export(ctx, pair, 2, NULL, GRADUS_GRAPH_JSON, text, sizeof text, &length), GRADUS_E_STATE, "output 1|does not require grad");
  gradus_release(pair[1]);
  gradus_release(y);
  gradus_release(a);
  gradus_release(ctx);
}

int main(void) {
  texts();
  refusals();
  return finish("capi_graph_test");
}
