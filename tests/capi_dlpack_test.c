/* DLPack both ways, with a producer and a consumer written here from the standard's text. */
#include "capi_check.h"

typedef struct DLManagedTensorVersioned {
  struct { uint32_t major, minor; } version;
  void *manager_ctx;
  void (*deleter)(struct DLManagedTensorVersioned *self);
  uint64_t flags;
  struct {
    void *data;
    struct { int32_t type, id; } device;
    int32_t ndim;
    struct { uint8_t code, bits; uint16_t lanes; } dtype;
    int64_t *shape, *strides;
    uint64_t byte_offset;
  } t;
} Managed;

static int deleted;
static void on_delete(Managed *self) {
  (void)self;
  ++deleted;
}

static Managed produce(void *data, int32_t ndim, int64_t *shape) {
  Managed m;
  memset(&m, 0, sizeof m);
  m.version.major = 1;
  m.version.minor = 3;
  m.deleter = on_delete;
  m.t.data = data;
  m.t.device.type = 1;
  m.t.ndim = ndim;
  m.t.dtype.code = 2;
  m.t.dtype.bits = 64;
  m.t.dtype.lanes = 1;
  m.t.shape = shape;
  return m;
}

static void exports(void) {
  gradus_context *ctx = new_context();
  const double x[6] = {1, 2, 3, 4, 5, 6};
  const int64_t shape[2] = {2, 3};
  gradus_tensor *a, *part;
  Managed *m = NULL;
  const int64_t size = 2, stride = 3, offset = 1;
  OK(gradus_tensor_copy_in(ctx, GRADUS_F64, 2, shape, NULL, x, sizeof x, &a));
  OK(gradus_tensor_to_dlpack(ctx, a, 0, &m));
  CHECK(m->version.major == 1 && m->t.ndim == 2 && m->t.shape[1] == 3 && m->t.strides[0] == 3 && m->t.strides[1] == 1);
  CHECK(m->t.dtype.code == 2 && m->t.dtype.bits == 64 && m->t.dtype.lanes == 1 && m->t.device.type == 1 && m->flags == 0);
  CHECK((uintptr_t)m->t.data % 64 == 0 && ((double *)m->t.data)[4] == 5);
  gradus_release(a);
  CHECK(((double *)m->t.data)[5] == 6 && counts_now().tensors == 1); /* it holds the memory */
  m->deleter(m);

  OK(gradus_tensor_copy_in(ctx, GRADUS_F64, 2, shape, NULL, x, sizeof x, &a));
  OK(gradus_as_strided(ctx, a, &size, 1, &stride, 1, &offset, &part));
  OK(gradus_tensor_to_dlpack(ctx, part, GRADUS_DLPACK_READ_ONLY, &m)); /* a view: the offset is apart, the data aligned */
  CHECK((uintptr_t)m->t.data % 64 == 0 && m->t.byte_offset == 8 && m->t.strides[0] == 3 && m->flags == 1);
  CHECK(*(double *)(void *)((char *)m->t.data + m->t.byte_offset) == 2);
  m->deleter(m);
  OK(gradus_tensor_to_dlpack(ctx, part, GRADUS_DLPACK_COPY, &m));
  CHECK(m->flags == 2 && m->t.strides[0] == 1 && ((double *)m->t.data)[1] == 5);
  m->deleter(m);
  gradus_release(part);

  OK(gradus_tensor_set_requires_grad(ctx, a, 1));
  FAILS(gradus_tensor_to_dlpack(ctx, a, 0, &m), GRADUS_E_STATE, "dlpack|requires grad");
  CHECK(m == NULL);
  OK(gradus_tensor_to_dlpack(ctx, a, GRADUS_DLPACK_DETACH, &m));
  m->deleter(m);
  FAILS(gradus_tensor_to_dlpack(ctx, a, GRADUS_DLPACK_COPY | GRADUS_DLPACK_NEVER_COPY, &m), GRADUS_E_VALUE, "copy");
  FAILS(gradus_tensor_to_dlpack(ctx, a, 0x40, &m), GRADUS_E_UNKNOWN_FIELD, "flags");
  gradus_release(a);
  gradus_release(ctx);
}

static void imports(void) {
  gradus_context *ctx = new_context();
  double x[6] = {1, 2, 3, 4, 5, 6};
  const double columns[6] = {1, 4, 2, 5, 3, 6};
  int64_t shape[2] = {3, 2}, strides[2] = {1, 3}, back[2] = {-1, 1}, large[2] = {INT64_MAX, 4}, negative[2] = {-1, 2};
  gradus_tensor *t;
  gradus_tensor_info i;
  Managed m = produce(x, 2, shape), *again;
  SIZED(i);

  OK(gradus_tensor_from_dlpack(ctx, &m, 0, &t)); /* no strides: row-major */
  VALUES(t, x, 6);
  CHECK(gradus_tensor_describe(t, &i) == GRADUS_OK && i.data == x);
  OK(gradus_tensor_to_dlpack(ctx, t, 0, &again)); /* and out again, and in: the memory stays in its place */
  gradus_release(t);
  OK(gradus_tensor_from_dlpack(ctx, again, 0, &t));
  CHECK(gradus_tensor_describe(t, &i) == GRADUS_OK && i.data == x && deleted == 0);
  gradus_release(t);
  CHECK(deleted == 1);

  m.t.strides = strides;
  m.flags = 1;
  OK(gradus_tensor_from_dlpack(ctx, &m, 0, &t));
  VALUES(t, columns, 6);
  FAILS(gradus_mul_scalar_(ctx, t, 2, NULL), GRADUS_E_STATE, "read-only");
  gradus_release(t);
  OK(gradus_tensor_from_dlpack(ctx, &m, GRADUS_DLPACK_COPY, &t));
  CHECK(deleted == 3); /* a copy needs the producer no longer */
  OK(gradus_mul_scalar_(ctx, t, 1, NULL));
  gradus_release(t);
  m.flags = 0;
  m.t.strides = NULL;
  m.t.ndim = 1;
  m.t.data = (char *)x + 1; /* misaligned */
  shape[0] = 5;
  OK(gradus_tensor_from_dlpack(ctx, &m, 0, &t));
  CHECK(gradus_tensor_describe(t, &i) == GRADUS_OK && i.data != m.t.data);
  gradus_release(t);
  deleted = 0;
  FAILS(gradus_tensor_from_dlpack(ctx, &m, GRADUS_DLPACK_NEVER_COPY, &t), GRADUS_E_VALUE, "aligned");

  m = produce(x, 2, shape);
  shape[0] = 3;
  m.version.major = 2;
  FAILS(gradus_tensor_from_dlpack(ctx, &m, 0, &t), GRADUS_E_UNSUPPORTED, "version 2.3");
  m.version.major = 1;
  m.t.device.type = 2;
  FAILS(gradus_tensor_from_dlpack(ctx, &m, 0, &t), GRADUS_E_UNSUPPORTED, "device type 2");
  m.t.device.type = 1;
  m.t.dtype.lanes = 4;
  FAILS(gradus_tensor_from_dlpack(ctx, &m, 0, &t), GRADUS_E_UNSUPPORTED, "4 lanes");
  m.t.dtype.lanes = 1;
  m.t.dtype.bits = 4;
  FAILS(gradus_tensor_from_dlpack(ctx, &m, 0, &t), GRADUS_E_UNSUPPORTED, "code 2 with 4 bits");
  m.t.dtype.bits = 64;
  m.flags = 4;
  FAILS(gradus_tensor_from_dlpack(ctx, &m, 0, &t), GRADUS_E_UNSUPPORTED, "padded");
  m.flags = 0;
  m.t.strides = back;
  FAILS(gradus_tensor_from_dlpack(ctx, &m, 0, &t), GRADUS_E_SHAPE, "negative strides");
  m.t.strides = NULL;
  m.t.shape = large;
  FAILS(gradus_tensor_from_dlpack(ctx, &m, 0, &t), GRADUS_E_SHAPE, "");
  m.t.shape = negative;
  FAILS(gradus_tensor_from_dlpack(ctx, &m, 0, &t), GRADUS_E_SHAPE, "negative");
  m.t.shape = NULL;
  FAILS(gradus_tensor_from_dlpack(ctx, &m, 0, &t), GRADUS_E_NULL, "shape");
  m.t.shape = shape;
  m.t.data = NULL;
  FAILS(gradus_tensor_from_dlpack(ctx, &m, 0, &t), GRADUS_E_NULL, "data");
  m.t.ndim = 100;
  FAILS(gradus_tensor_from_dlpack(ctx, &m, 0, &t), GRADUS_E_SHAPE, "100 dimensions");
  FAILS(gradus_tensor_from_dlpack(ctx, NULL, 0, &t), GRADUS_E_NULL, "managed");
  CHECK(deleted == 0 && t == NULL); /* a failure leaves it with the producer */

  m = produce(x, 2, shape);
  m.deleter = NULL; /* immortal */
  OK(gradus_tensor_from_dlpack(ctx, &m, 0, &t));
  gradus_release(t);
  shape[0] = 0;
  m.t.data = NULL; /* nothing in it */
  OK(gradus_tensor_from_dlpack(ctx, &m, 0, &t));
  gradus_release(t);
  gradus_release(ctx);
}

int main(void) {
  exports();
  imports();
  return finish("capi_dlpack_test");
}
