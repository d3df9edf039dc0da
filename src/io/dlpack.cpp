#include "io/dlpack.h"

#include <algorithm>
#include <memory>

#include "dispatch/evaluate.h"
#include "graph/history.h"
#include "kernels/copy.h"

// The layout of the standard's dlpack.h, version 1.
extern "C" {
struct DLPackVersion { uint32_t major, minor; };
struct DLDevice { int32_t device_type, device_id; };
struct DLDataType { uint8_t code, bits; uint16_t lanes; };
struct DLTensor {
  void* data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t *shape, *strides;
  uint64_t byte_offset;
};
struct DLManagedTensorVersioned {
  DLPackVersion version;
  void* manager_ctx;
  void (*deleter)(DLManagedTensorVersioned* self);
  uint64_t flags;
  DLTensor dl_tensor;
};
}

namespace gradus::io {
namespace {

constexpr uint32_t kMajor = 1, kMinor = 0;
constexpr int32_t kCpu = 1;
constexpr uint64_t kReadOnly = 1, kIsCopied = 2, kSubBytePadded = 4;
constexpr uintptr_t kAlign = 64;
enum Code : uint8_t { integer = 0, unsigned_integer = 1, real = 2, bfloat = 4, complex = 5, boolean = 6 };

DLDataType type_of(Dtype t) {
  const auto bits = static_cast<uint8_t>(8 * size_of(t));
  if (t == Dtype::boolean) return {boolean, bits, 1};
  if (t == Dtype::u8) return {unsigned_integer, bits, 1};
  if (t == Dtype::bf16) return {bfloat, bits, 1};
  return {is_complex(t) ? complex : is_floating(t) ? real : integer, bits, 1};
}

Dtype dtype_of(DLDataType t) {
  GRADUS_CHECK(t.lanes == 1, unsupported, "dlpack: elements of {} lanes", t.lanes);
  for (int i = 1; i < kDtypes; ++i) {
    const Dtype d = static_cast<Dtype>(i);
    const DLDataType ours = type_of(d);
    if (ours.code == t.code && ours.bits == t.bits) return d;
  }
  fail(Status::unsupported, "dlpack: no element type for code {} with {} bits", t.code, t.bits);
}

// What an exported struct stands on: the tensor, and its own copy of the sizes.
struct Export {
  DLManagedTensorVersioned managed{};
  Tensor tensor;
  Sizes sizes, strides;
};

// Where the data of an exported tensor begins: at a multiple of 64, with the rest in byte_offset, where the memory is ours.
void place(DLTensor& to, const Tensor& t) {
  if (t.numel() == 0) return;
  const uintptr_t at = reinterpret_cast<uintptr_t>(t.impl()->data()), base = reinterpret_cast<uintptr_t>(t.storage().data);
  to.byte_offset = base % kAlign == 0 ? at % kAlign : 0;
  to.data = reinterpret_cast<void*>(at - to.byte_offset);
}

// The memory of an imported struct as a checked array.
struct Import {
  explicit Import(const DLManagedTensorVersioned& m) {
    GRADUS_CHECK(m.version.major == kMajor, unsupported, "dlpack: version {}.{} is not 1.x", m.version.major, m.version.minor);
    const DLTensor& t = m.dl_tensor;
    GRADUS_CHECK(t.device.device_type == kCpu, unsupported, "dlpack: memory of device type {} is not host memory", t.device.device_type);
    GRADUS_CHECK((m.flags & kSubBytePadded) == 0, unsupported, "dlpack: padded elements of less than a byte");
    type = dtype_of(t.dtype);
    GRADUS_CHECK(t.ndim >= 0 && t.ndim <= kMaxDims, shape, "dlpack: {} dimensions", t.ndim);
    GRADUS_CHECK(t.shape || t.ndim == 0, null, "dlpack: no shape");
    sizes = SizesRef(t.shape, static_cast<size_t>(t.ndim));
    numel = numel_of(sizes);
    strides = t.strides ? Sizes(SizesRef(t.strides, sizes.size())) : contiguous_strides(sizes);
    for (int64_t s : strides) GRADUS_CHECK(s >= 0, shape, "dlpack: negative strides {}", text(strides));
    bytes = multiply(span_of(sizes, strides), size_of(type));
    GRADUS_CHECK(t.data || bytes == 0, null, "dlpack: no data for shape {}", text(sizes));
    data = static_cast<char*>(t.data) + (t.data ? t.byte_offset : 0);
    aligned = reinterpret_cast<uintptr_t>(data) % static_cast<uintptr_t>(std::min<int64_t>(size_of(type), 8)) == 0;
  }
  Tensor copied() const {
    Tensor t = empty(type, sizes);
    if (numel == 0) return t;
    if (aligned) {
      const Dtype as = type == Dtype::boolean ? Dtype::u8 : type;      // bytes of booleans may be any
      kernels::copy(view_of(t), {data, as, static_cast<int>(sizes.size()), sizes.data(), strides.data(), numel, is_contiguous(sizes, strides)});
      return t;
    }
    std::unique_ptr<char[]> moved(new char[static_cast<size_t>(bytes)]);
    std::memcpy(moved.get(), data, static_cast<size_t>(bytes));
    kernels::copy(view_of(t), {moved.get(), type, static_cast<int>(sizes.size()), sizes.data(), strides.data(), numel, is_contiguous(sizes, strides)});
    return t;
  }

  Dtype type;
  SizesRef sizes;
  Sizes strides;
  int64_t numel = 0, bytes = 0;
  char* data = nullptr;
  bool aligned = false;
};

}  // namespace

DlpackFlags::DlpackFlags(uint32_t bits) : copy(bits & 1), never_copy(bits & 2), detach(bits & 4), read_only(bits & 8) {
  GRADUS_CHECK((bits & ~15u) == 0, unknown_field, "dlpack: unknown flags {:#x}", bits);
  GRADUS_CHECK(!(copy && never_copy), value, "dlpack: both a copy and no copy are asked for");
}

DLManagedTensorVersioned* to_dlpack(const Tensor& t, DlpackFlags flags) {
  GRADUS_CHECK(flags.detach || !needs_grad(t.impl()), state, "dlpack: the tensor requires grad, which does not travel: detach it");
  auto e = std::make_unique<Export>();
  e->tensor = flags.copy ? clone(t) : alias(t);                // holds the memory, whatever becomes of t
  e->sizes = Sizes(e->tensor.sizes());
  e->strides = Sizes(e->tensor.strides());
  DLManagedTensorVersioned& m = e->managed;
  m.version = {kMajor, kMinor};
  m.manager_ctx = e.get();
  m.deleter = [](DLManagedTensorVersioned* self) {
    const Thread* me = thread_or_null();
    if (me && !me->orphan) delete static_cast<Export*>(self->manager_ctx);
  };
  m.flags = (flags.copy ? kIsCopied : 0) | (flags.read_only || e->tensor.storage().read_only ? kReadOnly : 0);
  m.dl_tensor = {nullptr, {kCpu, 0}, static_cast<int32_t>(e->sizes.size()), type_of(t.dtype()), e->sizes.data(), e->strides.data(), 0};
  place(m.dl_tensor, e->tensor);
  return &e.release()->managed;
}

Tensor from_dlpack(DLManagedTensorVersioned* managed, DlpackFlags flags) {
  const Import from(*managed);
  const auto destroy = [](void* user) {
    auto* m = static_cast<DLManagedTensorVersioned*>(user);
    if (m->deleter) m->deleter(m);
  };
  if (flags.copy || !from.aligned) {
    GRADUS_CHECK(!flags.never_copy, value, "dlpack: the memory is not aligned for {} and a copy is not wanted", name(from.type));
    Tensor t = from.copied();
    t.storage().read_only = flags.read_only;
    run_destroy(destroy, managed);
    return t;
  }
  Storage* s = wrap_storage(from.data, from.bytes, true);
  s->read_only = flags.read_only || (managed->flags & kReadOnly);
  Tensor t = over_storage(s, from.type, from.sizes, from.strides, 0);
  s->host.arm(destroy, managed);                              // from here on nothing fails
  return t;
}

}  // namespace gradus::io
