#include "tensor/tensor.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/context.h"
#include "base/live.h"

namespace gradus {

namespace {
constexpr int64_t kInline = 1024;                             // data up to this size share the header's block

TensorImpl* new_impl(Storage* storage, Dtype dtype, int ndim) {
  Block b;
  try {
    b = take_block(sizeof(TensorImpl) + 2 * sizeof(int64_t) * static_cast<size_t>(ndim));
  } catch (...) {
    release(storage);
    throw;
  }
  auto* t = static_cast<TensorImpl*>(b.data);
  t->kind = Kind::tensor;
  new (&t->refs) Count;
  t->storage = storage;
  t->grad_fn = nullptr;
  t->autograd = nullptr;
  t->offset = 0;
  t->dims = reinterpret_cast<int64_t*>(t + 1);
  t->dtype = dtype;
  t->ndim = static_cast<uint8_t>(ndim);
  t->size_class = b.size_class;
  t->contiguous = true;
  t->requires_grad = t->own_dims = t->view = false;
  t->inference = context().inference_mode;
  t->output_nr = 0;
  count_live(Live::tensors, 1);
  return t;
}

void copy_dims(TensorImpl* t, SizesRef sizes, SizesRef strides) {
  for (int i = 0; i < t->ndim; ++i) {
    t->dims[i] = sizes[static_cast<size_t>(i)];
    t->dims[t->ndim + i] = strides[static_cast<size_t>(i)];
  }
}
}  // namespace

Storage* new_storage(int64_t bytes) {
  const bool separate = bytes > kInline;
  const Block head = take_block(sizeof(Storage) + (separate ? 0 : static_cast<size_t>(bytes + 63) / 64 * 64));
  Storage* s = new (head.data) Storage;
  s->size_class = head.size_class;
  s->bytes = bytes;
  s->separate = separate;
  if (!separate) { s->data = reinterpret_cast<char*>(s + 1); return s; }
  try {
    const Block data = take_block(static_cast<size_t>(bytes));
    s->data = static_cast<char*>(data.data);
    s->data_class = data.size_class;
  } catch (...) {
    give_block(s, s->size_class);
    throw;
  }
  return s;
}

Storage* wrap_storage(void* data, int64_t bytes, bool destroys) {
  const Block head = take_block(sizeof(Storage));
  Storage* s = new (head.data) Storage;
  try {
    s->host.reserve(Live::foreign_blocks, destroys);
  } catch (...) {
    give_block(head.data, head.size_class);
    throw;
  }
  s->size_class = head.size_class;
  s->bytes = bytes;
  s->wrapped = true;
  s->data = static_cast<char*>(data);
  return s;
}

void free_storage(Storage* s) {
  if (s->separate) give_block(s->data, s->data_class);
  if (s->wrapped) s->host.end(Live::foreign_blocks);
  give_block(s, s->size_class);
}

void free_tensor(TensorImpl* t) {
  t->kind = Kind::dead;
  count_live(Live::tensors, -1);
  if (t->autograd) free_autograd(t);
  release(t->storage);
  Node* history = t->grad_fn;
  if (t->own_dims) delete[] t->dims;
  give_block(t, t->size_class);
  if (history) release(history);
}

Tensor empty(Dtype dtype, SizesRef sizes) {
  const int64_t numel = numel_of(sizes);
  TensorImpl* t = new_impl(new_storage(multiply(numel, size_of(dtype))), dtype, static_cast<int>(sizes.size()));
  t->numel = numel;
  int64_t step = 1;
  for (int i = t->ndim; i-- > 0;) {
    const int64_t s = sizes[static_cast<size_t>(i)];
    t->dims[i] = s;
    t->dims[t->ndim + i] = step;
    step *= s == 0 ? 1 : s;
  }
  return Tensor::adopt(t);
}

Tensor empty_like(const TensorImpl* like) {
  TensorImpl* t = new_impl(new_storage(like->numel * size_of(like->dtype)), like->dtype, like->ndim);
  t->numel = like->numel;
  for (int i = 0; i < 2 * like->ndim; ++i) t->dims[i] = like->dims[i];
  return Tensor::adopt(t);
}

Tensor empty_strided(Dtype dtype, SizesRef sizes, SizesRef strides) {
  GRADUS_CHECK(sizes.size() == strides.size(), shape, "{} sizes with {} strides", sizes.size(), strides.size());
  numel_of(sizes);                                            // no negative ones, whose span would be nonsense
  return over_storage(new_storage(multiply(span_of(sizes, strides), size_of(dtype))), dtype, sizes, strides, 0);
}

Tensor over_storage(Storage* s, Dtype dtype, SizesRef sizes, SizesRef strides, int64_t offset) {
  int64_t numel = 0;
  try {
    numel = numel_of(sizes);
  } catch (...) {
    release(s);
    throw;
  }
  TensorImpl* t = new_impl(s, dtype, static_cast<int>(sizes.size()));
  t->numel = numel;
  t->offset = offset;
  copy_dims(t, sizes, strides);
  t->contiguous = is_contiguous(sizes, strides);
  return Tensor::adopt(t);
}

Tensor alias(const Tensor& t, SizesRef sizes, SizesRef strides, int64_t offset) {
  retain(t.impl()->storage);
  Tensor a = over_storage(t.impl()->storage, t.dtype(), sizes, strides, offset);
  a.impl()->inference = t.impl()->inference;
  return a;
}

Tensor alias(const Tensor& of) {
  const TensorImpl* from = of.impl();
  retain(from->storage);
  TensorImpl* t = new_impl(from->storage, from->dtype, from->ndim);
  t->offset = from->offset;
  t->numel = from->numel;
  t->contiguous = from->contiguous;
  t->inference = from->inference;
  for (int i = 0; i < 2 * from->ndim; ++i) t->dims[i] = from->dims[i];
  return Tensor::adopt(t);
}

Tensor alias_as(Dtype dtype, const Tensor& t, const Layout& l) {
  retain(t.impl()->storage);
  Tensor a = over_storage(t.impl()->storage, dtype, l.sizes, l.strides, l.offset);
  a.impl()->inference = t.impl()->inference;
  return a;
}
Layout layout_of_parts(const TensorImpl* t) {
  Layout l{Sizes(t->sizes()), Sizes(t->strides()), t->offset};
  if (!is_complex(t->dtype)) return l;
  for (int64_t& s : l.strides) s *= 2;
  l.sizes.push_back(2);
  l.strides.push_back(1);
  l.offset *= 2;
  return l;
}

void set_layout(TensorImpl* t, SizesRef sizes, SizesRef strides, int64_t offset) {
  const int64_t numel = numel_of(sizes);
  const bool contiguous = is_contiguous(sizes, strides);
  const Sizes s(sizes), st(strides);                          // they may be the tensor's own
  if (sizes.size() > t->ndim) {
    auto* dims = new int64_t[2 * sizes.size()];
    if (t->own_dims) delete[] t->dims;
    t->dims = dims;
    t->own_dims = true;
  }
  t->ndim = static_cast<uint8_t>(sizes.size());
  copy_dims(t, s, st);
  t->offset = offset;
  t->numel = numel;
  t->contiguous = contiguous;
}

static int64_t bytes_of(const TensorImpl* t, SizesRef sizes) {  // up to the last element of the new shape
  const int64_t numel = numel_of(sizes);
  return numel == 0 ? 0 : multiply(t->offset + numel, size_of(t->dtype));
}

void check_resizable(const TensorImpl* t, SizesRef sizes, std::string_view what) {
  const Storage& s = *t->storage;
  const char* why = t->wants_grad()                                      ? "it requires grad"
                    : t->view                                            ? "it is a view"
                    : s.read_only                                        ? "its memory is read-only"
                    : s.wrapped                                          ? "its memory is not the library's"
                    : bytes_of(t, sizes) > s.bytes && !s.refs.one()      ? "another tensor shares its memory"
                                                                         : nullptr;
  GRADUS_CHECK(!why, state, "{}: a tensor of shape {} can't be given the shape {}: {}", what, text(t->sizes()), text(sizes), why);
}

void resize(TensorImpl* t, SizesRef sizes) {
  const int64_t bytes = bytes_of(t, sizes);
  if (bytes > t->storage->bytes) {
    Storage* larger = new_storage(bytes);
    std::memcpy(larger->data, t->storage->data, static_cast<size_t>(t->storage->bytes));
    larger->version.store(t->storage->current(), std::memory_order_relaxed);   // what was saved of it is found changed
    release(t->storage);
    t->storage = larger;
  }
  set_layout(t, sizes, contiguous_strides(sizes), t->offset);
  t->storage->bump();
}

View view_of(const TensorImpl* t) {
  return {t->data(), t->dtype, t->ndim, t->dims, t->dims + t->ndim, t->numel, t->contiguous};
}

}  // namespace gradus
