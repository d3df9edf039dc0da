// Tensors from memory, back to memory, and as data.
#include <algorithm>

#include "dispatch/evaluate.h"
#include "capi/guard.h"
#include "graph/history.h"
#include "io/dlpack.h"
#include "io/print.h"
#include "kernels/copy.h"
#include "ops/ops.h"

using namespace gradus;
using namespace gradus::capi;

namespace {

// Memory of the caller as an array; its bytes suffice.
struct Outside {
  Outside(int32_t number, int32_t rank, const int64_t* sizes_, const int64_t* strides_, const void* memory, size_t data_bytes)
      : type(capi::dtype(number, Dtype::f32)), sizes(shape(rank, sizes_)), numel(numel_of(sizes)),
        strides(strides_ ? Sizes(SizesRef(strides_, sizes.size())) : contiguous_strides(sizes)) {
    for (int64_t s : strides) GRADUS_CHECK(s >= 0, shape, "negative strides {}", text(strides));
    bytes = multiply(span_of(sizes, strides), size_of(type));
    GRADUS_CHECK(memory || bytes == 0, null, "'data' is null for shape {}", text(sizes));
    GRADUS_CHECK(static_cast<uint64_t>(bytes) <= data_bytes, value, "'data_bytes' is {}, and shape {} with strides {} of {} reaches over {}", data_bytes,
                 text(sizes), text(strides), name(type), bytes);
  }
  View view(const void* memory) const {                       // bytes of booleans may be any: they are read as numbers
    return {static_cast<char*>(const_cast<void*>(memory)), type == Dtype::boolean ? Dtype::u8 : type, static_cast<int>(sizes.size()), sizes.data(),
            strides.data(), numel, is_contiguous(sizes, strides)};
  }

  Dtype type;
  SizesRef sizes;
  int64_t numel;
  Sizes strides;
  int64_t bytes = 0;
};

template <class T> T item(const gradus_tensor* handle, Dtype as) {
  const TensorImpl* t = tensor(handle, "tensor");
  GRADUS_CHECK(t->numel == 1, value, "item: a tensor of shape {} has {} elements, not one", text(t->sizes()), t->numel);
  GRADUS_CHECK(!is_complex(t->dtype), dtype, "item: a number of {} has two parts: copy it out", name(t->dtype));
  T out;
  kernels::copy({reinterpret_cast<char*>(&out), as, t->ndim, t->dims, t->dims, 1, true}, view_of(t));
  return out;
}

uint32_t flags_of(const TensorImpl* t) {
  return bit(t->requires_grad || needs_grad(t), GRADUS_TENSOR_REQUIRES_GRAD) | bit(!t->grad_fn && (t->requires_grad || !needs_grad(t)), GRADUS_TENSOR_LEAF) |
         bit(t->storage->read_only, GRADUS_TENSOR_READ_ONLY) | bit(t->contiguous, GRADUS_TENSOR_CONTIGUOUS) |
         bit(t->inference, GRADUS_TENSOR_INFERENCE) | bit(t->view, GRADUS_TENSOR_VIEW) |
         bit(t->autograd && t->autograd->grad, GRADUS_TENSOR_HAS_GRAD) | bit(t->autograd && t->autograd->retained_by, GRADUS_TENSOR_RETAINS_GRAD);
}

}  // namespace

gradus_status gradus_tensor_zeros(gradus_context* ctx, int32_t dtype, int32_t rank, const int64_t* sizes, gradus_tensor** result) {
  return guard_result(ctx, "tensor_zeros", result, [&](Context&) { return give(zeros(shape(rank, sizes), capi::dtype(dtype, Dtype::f32))); });
}
gradus_status gradus_tensor_empty(gradus_context* ctx, int32_t dtype, int32_t rank, const int64_t* sizes, gradus_tensor** result) {
  return guard_result(ctx, "tensor_empty", result, [&](Context&) { return give(empty(capi::dtype(dtype, Dtype::f32), shape(rank, sizes))); });
}

gradus_status gradus_tensor_copy_in(gradus_context* ctx, int32_t dtype, int32_t rank, const int64_t* sizes, const int64_t* strides,
                                    const void* data, size_t data_bytes, gradus_tensor** result) {
  return guard_result(ctx, "tensor_copy_in", result, [&](Context&) {
    const Outside from(dtype, rank, sizes, strides, data, data_bytes);
    Tensor t = empty(from.type, from.sizes);
    if (from.numel > 0) kernels::copy(view_of(t), from.view(data));
    return give(std::move(t));
  });
}

gradus_status gradus_tensor_wrap(gradus_context* ctx, int32_t dtype, int32_t rank, const int64_t* sizes, const int64_t* strides, void* data,
                                 size_t data_bytes, uint32_t flags, gradus_destroy_fn destroy, void* user, gradus_tensor** result) {
  return guard_result(ctx, "tensor_wrap", result, [&](Context&) {
    const Outside from(dtype, rank, sizes, strides, data, data_bytes);
    check_flags(flags, GRADUS_WRAP_READ_ONLY);
    const auto alignment = static_cast<uintptr_t>(std::min<int64_t>(size_of(from.type), 8));
    GRADUS_CHECK(reinterpret_cast<uintptr_t>(data) % alignment == 0, value, "'data' is not aligned for {}", name(from.type));
    Storage* s = wrap_storage(data, static_cast<int64_t>(from.bytes), destroy != nullptr);
    s->read_only = flags & GRADUS_WRAP_READ_ONLY;
    Tensor t = over_storage(s, from.type, from.sizes, from.strides, 0);
    s->host.arm(destroy, user);                               // from here on nothing fails: user is ours
    return give(std::move(t));
  });
}

gradus_status gradus_tensor_copy_out(gradus_context* ctx, const gradus_tensor* t, int32_t dtype, void* data, size_t data_bytes) {
  return guard(ctx, "tensor_copy_out", [&](Context&) {
    const TensorImpl* p = tensor(t, "tensor");
    const Dtype type = capi::dtype(dtype, p->dtype);
    const int64_t bytes = multiply(p->numel, size_of(type));
    GRADUS_CHECK(data || bytes == 0, null, "'data' is null for shape {}", text(p->sizes()));
    GRADUS_CHECK(static_cast<uint64_t>(bytes) <= data_bytes, value, "'data_bytes' is {}, and shape {} of {} needs {}", data_bytes, text(p->sizes()), name(type), bytes);
    const Sizes strides = contiguous_strides(p->sizes());
    if (bytes > 0) kernels::copy({static_cast<char*>(data), type, p->ndim, p->dims, strides.data(), p->numel, true}, view_of(p));
  });
}

gradus_status gradus_tensor_item_f64(gradus_context* ctx, const gradus_tensor* t, double* result) {
  return guard_result(ctx, "tensor_item_f64", result, [&](Context&) { return item<double>(t, Dtype::f64); });
}
gradus_status gradus_tensor_item_i64(gradus_context* ctx, const gradus_tensor* t, int64_t* result) {
  return guard_result(ctx, "tensor_item_i64", result, [&](Context&) { return item<int64_t>(t, Dtype::i64); });
}

gradus_status gradus_tensor_describe(const gradus_tensor* t, gradus_tensor_info* info) {
  if (!t || !info) return GRADUS_E_NULL;
  if (!is(t, Kind::tensor)) return GRADUS_E_HANDLE;
  const TensorImpl* p = core<TensorImpl>(t);
  gradus_tensor_info i{};
  i.dtype = static_cast<int32_t>(p->dtype);
  i.rank = p->ndim;
  i.flags = flags_of(p);
  i.count = p->numel;
  i.identity = p->identity();
  i.storage = reinterpret_cast<uint64_t>(p->storage);
  i.version = p->storage->current();
  i.shape = p->dims;
  i.strides = p->dims + p->ndim;
  i.data = p->numel > 0 ? p->data() : nullptr;
  i.dtype_name = name(p->dtype).data();
  i.bytes = static_cast<uint64_t>(p->storage->bytes);
  return write_info(info, i) ? GRADUS_OK : GRADUS_E_ARGUMENT;
}

gradus_status gradus_tensor_print(gradus_context* ctx, const gradus_tensor* t, char* buffer, size_t capacity, size_t* length) {
  return guard_text(ctx, "tensor_print", buffer, capacity, length, [&](Context&) {
    needed(length, "length");
    return print(Tensor::share(tensor(t, "tensor")));
  });
}

gradus_status gradus_tensor_to_dlpack(gradus_context* ctx, const gradus_tensor* t, uint32_t flags, struct DLManagedTensorVersioned** managed) {
  return guard_result(ctx, "tensor_to_dlpack", managed, [&](Context&) {
    return io::to_dlpack(Tensor::share(tensor(t, "tensor")), io::DlpackFlags(flags));
  }, "managed");
}
gradus_status gradus_tensor_from_dlpack(gradus_context* ctx, struct DLManagedTensorVersioned* managed, uint32_t flags, gradus_tensor** result) {
  return guard_result(ctx, "tensor_from_dlpack", result, [&](Context&) { return give(io::from_dlpack(needed(managed, "managed"), io::DlpackFlags(flags))); });
}
