// Storage and tensors. A tensor is a handle: storage + layout + dtype + a slot for autograd that is empty until needed.
#pragma once
#include <atomic>
#include <cstdint>
#include <initializer_list>

#include "base/host.h"
#include "base/memory.h"
#include "base/ref.h"
#include "tensor/dtype.h"
#include "tensor/layout.h"

namespace gradus {

// Bytes with an owner. All views of them, detached ones too, share the version, which every write raises.
struct alignas(64) Storage {
  Count refs;
  std::atomic<uint32_t> version{0};
  uint8_t size_class = 0, data_class = 0;                     // of this block, and of the data's where that is another
  bool separate = false, wrapped = false, read_only = false;  // wrapped: the data is somebody else's
  std::atomic<bool> kept{false};                              // a saved value may have to be copied before a write: graph/saved_copies.h
  uint16_t changed_by = 0;                                    // by which op last: its place in the registry + 1; UINT16_MAX: a function of the host; 0: its owner
  int64_t bytes = 0;
  char* data = nullptr;
  HostData host;                                              // of wrapped memory

  uint32_t current() const { return version.load(std::memory_order_relaxed); }
  void bump(int by = -1) {
    version.fetch_add(1, std::memory_order_relaxed);
    changed_by = static_cast<uint16_t>(by + 1);
  }
};
Storage* new_storage(int64_t bytes);
// Memory of somebody else. Once s->host is armed its destroy runs when the last view is gone.
Storage* wrap_storage(void* data, int64_t bytes, bool destroys);
inline void retain(Storage* s) { s->refs.up(); }
void free_storage(Storage*);
inline void release(Storage* s) { if (s->refs.down()) free_storage(s); }

struct Node;                                                  // defined by the floors above, freed through these two
struct AutogradMeta;
void release(Node*);
void free_autograd(struct TensorImpl*);

// The sizes and strides follow in the same block.
struct TensorImpl : Object {
  Storage* storage;
  Node* grad_fn;                                              // owned; null for a leaf
  AutogradMeta* autograd;                                     // owned; null until a flag, gradient, hook or base is needed
  int64_t offset;                                             // in elements
  int64_t numel;
  int64_t* dims;                                              // ndim sizes, then ndim strides
  Dtype dtype;
  uint8_t ndim;
  uint8_t size_class;
  bool contiguous : 1;
  bool requires_grad : 1;                                     // the flag of a leaf
  bool inference : 1;                                         // made in inference mode: never part of a graph
  bool own_dims : 1;                                          // dims outgrew the block
  bool view : 1;                                              // autograd->base is set
  uint32_t output_nr;

  SizesRef sizes() const { return {dims, ndim}; }
  SizesRef strides() const { return {dims + ndim, ndim}; }
  char* data() const { return storage->data + offset * size_of(dtype); }
  uint64_t identity() const { return reinterpret_cast<uint64_t>(this); }
  bool wants_grad() const { return requires_grad || grad_fn; }
};
inline void retain(TensorImpl* t) { t->refs.up(); }
void free_tensor(TensorImpl*);
inline void release(TensorImpl* t) { if (t->refs.down()) free_tensor(t); }

// The value through which the library handles tensors; null means "none".
class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Ref<TensorImpl> impl) : impl_(std::move(impl)) {}
  static Tensor adopt(TensorImpl* t) { return Tensor(Ref<TensorImpl>::adopt(t)); }
  static Tensor share(TensorImpl* t) { return Tensor(Ref<TensorImpl>::share(t)); }

  explicit operator bool() const { return static_cast<bool>(impl_); }
  TensorImpl* impl() const { return impl_.get(); }
  TensorImpl* detach_handle() { return impl_.detach(); }      // hands the reference to the caller

  Dtype dtype() const { return impl_->dtype; }
  int64_t ndim() const { return impl_->ndim; }
  int64_t numel() const { return impl_->numel; }
  SizesRef sizes() const { return impl_->sizes(); }
  SizesRef strides() const { return impl_->strides(); }
  int64_t size(int64_t dim) const { return sizes()[static_cast<size_t>(dim < 0 ? dim + ndim() : dim)]; }
  int64_t stride(int64_t dim) const { return strides()[static_cast<size_t>(dim < 0 ? dim + ndim() : dim)]; }
  int64_t offset() const { return impl_->offset; }
  bool contiguous() const { return impl_->contiguous; }
  Storage& storage() const { return *impl_->storage; }
  bool wants_grad() const { return impl_->wants_grad(); }
  Meta meta() const { return {dtype(), Sizes(sizes())}; }
  Layout layout() const { return {Sizes(sizes()), Sizes(strides()), offset()}; }
  template <class T> T* data() const { return reinterpret_cast<T*>(impl_->data()); }

 private:
  Ref<TensorImpl> impl_;
};
static_assert(sizeof(Tensor) == sizeof(void*));

// A new contiguous tensor with whatever its memory holds.
Tensor empty(Dtype dtype, SizesRef sizes);
// Like a contiguous tensor.
Tensor empty_like(const TensorImpl* t);
inline Tensor empty(const Meta& m) { return empty(m.dtype, m.sizes); }
// Strides of the caller's choice over a storage of just their span.
Tensor empty_strided(Dtype dtype, SizesRef sizes, SizesRef strides);
// Another tensor over the same storage, without history. The layout must lie inside the storage.
Tensor alias(const Tensor& t, SizesRef sizes, SizesRef strides, int64_t offset);
Tensor alias(const Tensor& t);
// The type of the parts of complex numbers, and of the complex numbers made of parts.
constexpr Dtype real_of(Dtype t) { return t == Dtype::c128 ? Dtype::f64 : t == Dtype::c64 ? Dtype::f32 : t; }
constexpr Dtype complex_of(Dtype t) { return t == Dtype::f64 || t == Dtype::c128 ? Dtype::c128 : Dtype::c64; }
// As elements of another type; the layout counts those.
Tensor alias_as(Dtype dtype, const Tensor& t, const Layout& l);
// Complex numbers as pairs of real ones along a last dimension; of a real tensor its own layout.
Layout layout_of_parts(const TensorImpl* t);
inline Tensor parts_of(const Tensor& t) { return alias_as(real_of(t.dtype()), t, layout_of_parts(t.impl())); }
// A tensor over a storage, whose reference it takes.
Tensor over_storage(Storage* s, Dtype dtype, SizesRef sizes, SizesRef strides, int64_t offset);
// Lets a tensor see its storage otherwise; the layout must lie inside it.
void set_layout(TensorImpl* t, SizesRef sizes, SizesRef strides, int64_t offset);
// Gives a tensor a row-major shape. Its elements stay, in the order of memory, as far as there is room; what is new holds anything.
// Where memory is short, it moves to other memory: not that of a view, nor memory that is read-only, somebody else's or shared.
void check_resizable(const TensorImpl* t, SizesRef sizes, std::string_view what);
void resize(TensorImpl* t, SizesRef sizes);

View view_of(const TensorImpl* t);
inline View view_of(const Tensor& t) { return view_of(t.impl()); }

}  // namespace gradus
