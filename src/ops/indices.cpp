#include "ops/indices.h"

#include <algorithm>
#include <cmath>

#include "dispatch/evaluate.h"
#include "kernels/copy.h"

namespace gradus {
namespace {

Tensor offsets_of(SizesRef sizes, SizesRef strides) {
  Tensor t = empty(Dtype::i64, Sizes{numel_of(sizes)});
  kernels::offsets(t.data<int64_t>(), sizes, strides);
  return t;
}

// Places of a tensor whose dims are cut at `first` and `last`: those before are outer, those from last on inner.
Indexed cut(SizesRef sizes, SizesRef strides, size_t first, size_t last) {
  Indexed at;
  at.places.outer = numel_of(sizes.first(first));
  at.places.inner = numel_of(sizes.subspan(last));
  at.outer = offsets_of(sizes.first(first), strides.first(first));
  at.places.outer_offset = at.outer.data<int64_t>();
  if (!is_contiguous(sizes.subspan(last), strides.subspan(last))) {
    at.inner = offsets_of(sizes.subspan(last), strides.subspan(last));
    at.places.inner_offset = at.inner.data<int64_t>();
  }
  return at;
}

void set_index(Indexed& at, Tensor index, int64_t stride, int64_t size, bool shared) {
  at.index = std::move(index);
  at.places.index = at.index.data<int64_t>();
  at.places.stride = stride;
  at.places.size = size;
  at.places.shared = shared;
}

Tensor cast(const Tensor& t, Dtype dtype) {
  Tensor c = empty(dtype, t.sizes());
  kernels::copy(view_of(c), view_of(t));
  return c;
}

}  // namespace

void check_index_dtype(const Tensor& index, std::string_view what) {
  const bool good = index.dtype() == Dtype::i64 || index.dtype() == Dtype::i32 || index.numel() == 0;   // no index is a bad one
  GRADUS_CHECK(good, dtype, "{}: indices must be int64 or int32, not {}", what, name(index.dtype()));
}

void check_number(const Args& a, int position) {
  const Number n = a.number(position);
  const Dtype d = a.tensor(0).dtype();
  GRADUS_CHECK(!is_integral(d) || !n.is_real() || n.f == std::trunc(n.f), dtype, "{}: the value {} for a tensor of {}", name(a.op()), n.f, name(d));
}

Tensor checked_index(const Tensor& index, int64_t size, bool negative, std::string_view what) {
  const bool ready = index.dtype() == Dtype::i64 && index.contiguous();
  Tensor plain = ready ? index : cast(index, Dtype::i64);
  if (ready && negative) plain = empty(Dtype::i64, index.sizes());
  int64_t bad = 0;
  const int64_t* from = ready ? index.data<int64_t>() : plain.data<int64_t>();
  GRADUS_CHECK(kernels::check_indices(plain.data<int64_t>(), from, index.numel(), size, negative, bad), index, "{}: index {} is out of range for size {}", what, bad, size);
  return plain;
}

void check_along(SizesRef self, int64_t dim, const Tensor& index, std::string_view what) {
  check_index_dtype(index, what);
  const auto n = static_cast<int64_t>(self.size());
  const int64_t d = wrap_dim(dim, n, what);
  if (index.numel() == 0) return;                             // of any shape: it names nothing
  GRADUS_CHECK(std::max<int64_t>(n, 1) == std::max<int64_t>(index.ndim(), 1), shape, "{}: an index of {} dimensions for a tensor of {}", what, index.ndim(), n);
  if (n == 0 || index.ndim() == 0) return;
  for (int64_t i = 0; i < n; ++i)
    GRADUS_CHECK(i == d || index.size(i) <= self[static_cast<size_t>(i)], shape, "{}: an index of shape {} is larger than shape {} outside dim {}", what,
                 text(index.sizes()), text(self), d);
}

Indexed along(const Layout& l, int64_t dim, const Tensor& index) {
  if (l.sizes.empty()) return elements_of(l, index);
  const auto d = static_cast<size_t>(dim);
  Sizes sizes(index.sizes());
  if (index.ndim() == 0) sizes.push_back(1);                  // one index into a vector
  Indexed at = cut(sizes, l.strides, d, d + 1);
  at.places.count = sizes[d];
  at.block = Sizes(index.sizes());
  set_index(at, index, l.strides[d], l.sizes[d], false);
  return at;
}

Indexed rows_of(const Layout& l, int64_t dim, const Tensor& index) {
  if (l.sizes.empty()) return elements_of(l, index);
  const auto d = static_cast<size_t>(dim);
  Indexed at = cut(l.sizes, l.strides, d, d + 1);
  at.places.count = index.numel();
  at.block = Sizes(l.sizes);
  at.block[d] = index.numel();
  set_index(at, index, l.strides[d], l.sizes[d], true);
  return at;
}

Indexed elements_of(const Layout& l, const Tensor& index) {
  Indexed at = cut({}, {}, 0, 0);
  at.places.count = index.numel();
  at.block = Sizes(index.sizes());
  if (is_contiguous(l.sizes, l.strides)) {
    set_index(at, index, 1, numel_of(l.sizes), true);
    return at;
  }
  Tensor places = empty(Dtype::i64, index.sizes());           // row-major counts to offsets
  const Tensor all = offsets_of(l.sizes, l.strides);
  for (int64_t i = 0; i < index.numel(); ++i) places.data<int64_t>()[i] = all.data<int64_t>()[index.data<int64_t>()[i]];
  set_index(at, places, 1, span_of(l.sizes, l.strides), true);
  return at;
}

IndexList::IndexList(SizesRef sizes, std::span<const Tensor> given, std::string_view what) : what_(what) {
  for (const Tensor& t : given) {
    if (!t) { by_dim_.push_back(t); continue; }
    if (t.dtype() != Dtype::boolean) {
      check_index_dtype(t, what);
      by_dim_.push_back(t);
      continue;
    }
    const size_t at = by_dim_.size(), n = t.sizes().size();
    GRADUS_CHECK(at + n <= sizes.size() && same(t.sizes(), sizes.subspan(at, n)), index, "{}: a mask of shape {} for dimensions {} and on of shape {}", what,
                 text(t.sizes()), at, text(sizes));
    const int64_t count = kernels::count_nonzero(view_of(t)), columns = t.ndim();
    const Tensor rows = empty(Dtype::i64, Sizes{count, columns});
    kernels::nonzero(rows.data<int64_t>(), view_of(t));
    for (int64_t c = 0; c < columns; ++c) by_dim_.push_back(alias(rows, Sizes{count}, Sizes{columns}, c));
  }
  GRADUS_CHECK(by_dim_.size() <= sizes.size(), index, "{}: {} indices for {} dimensions", what, by_dim_.size(), sizes.size());
  by_dim_.resize(sizes.size());
  bool any = false;
  for (size_t d = 0; d < sizes.size(); ++d) {
    if (!by_dim_[d]) continue;
    if (!any) first_ = d;
    else if (last_ != d) together_ = false;
    any = true;
    last_ = d + 1;
    index_ = broadcast_sizes(index_, by_dim_[d].sizes(), what);
  }
  const size_t front = together_ ? first_ : 0;
  for (size_t d = 0; d < front; ++d) block_.push_back(sizes[d]);
  for (int64_t s : index_) block_.push_back(s);
  for (size_t d = front; d < sizes.size(); ++d)
    if (!by_dim_[d]) block_.push_back(sizes[d]);
  numel_of(block_);
}

Indexed IndexList::places(const Layout& l) const {
  const int64_t n = numel_of(index_);
  Tensor sum = empty(Dtype::i64, index_);
  kernels::fill(view_of(sum), Number(0));
  Sizes rest, rest_strides;
  for (size_t d = 0; d < l.sizes.size(); ++d) {
    if (!by_dim_[d]) {
      rest.push_back(l.sizes[d]);
      rest_strides.push_back(l.strides[d]);
      continue;
    }
    Tensor index = by_dim_[d];
    if (index.dtype() != Dtype::i64 || !index.contiguous() || !same(index.sizes(), index_)) {
      index = empty(Dtype::i64, index_);
      kernels::copy(view_of(index), view_of(by_dim_[d]));
    }
    int64_t bad = 0;
    GRADUS_CHECK(kernels::add_indices(sum.data<int64_t>(), index.data<int64_t>(), n, l.sizes[d], l.strides[d], bad), index,
                 "{}: index {} is out of range for size {}", what_, bad, l.sizes[d]);
  }
  Indexed at = together_ ? cut(l.sizes, l.strides, first_, last_) : cut(rest, rest_strides, 0, 0);
  at.places.count = n;
  at.block = block_;
  set_index(at, sum, 1, span_of(l.sizes, l.strides), true);
  return at;
}

void read(const Tensor& out, const Tensor& self, const Indexed& at) {
  if (at.numel() > 0) kernels::read(out.impl()->data(), view_of(self), at.places);
}

void write(const Tensor& out, const Tensor& src, const Indexed& at, kernels::Combine how, Number alpha) {
  if (at.numel() == 0) return;
  const bool half = (out.dtype() == Dtype::f16 || out.dtype() == Dtype::bf16) && how == kernels::Combine::add;
  if (half) {
    Tensor wide = empty_strided(Dtype::f32, out.sizes(), out.strides());
    kernels::copy(view_of(wide), view_of(out));
    write(wide, src, at, how, alpha);
    return kernels::copy(view_of(out), view_of(wide));
  }
  Tensor values = src.storage().data == out.storage().data || src.dtype() != out.dtype() ? cast(src, out.dtype()) : src;
  const kernels::Places& p = at.places;
  kernels::Source s{nullptr, p.count * p.inner, p.inner, 1};
  if (values.numel() == 1) {
    s = {nullptr, 0, 0, 0};
  } else if (!values.contiguous() || !same(values.sizes(), at.block)) {
    const Tensor block = empty(out.dtype(), at.block);
    kernels::copy(view_of(block), view_of(values));
    values = block;
  }
  s.data = values.impl()->data();
  kernels::write(view_of(out), s, p, how, alpha);
}

Tensor last_writers(SizesRef sizes, const Indexed& at) {
  // Everyone leaves its number; who finds it again was the last.
  const Tensor numbers = empty(Dtype::i64, at.block), found = empty(Dtype::i64, at.block), last = empty(Dtype::boolean, at.block);
  const int64_t n = at.numel();
  for (int64_t i = 0; i < n; ++i) numbers.data<int64_t>()[i] = i;
  const Tensor marks = empty(Dtype::i64, sizes);
  write(marks, numbers, at, kernels::Combine::replace);
  read(found, marks, at);
  for (int64_t i = 0; i < n; ++i) last.data<bool>()[i] = found.data<int64_t>()[i] == i;
  return last;
}

}  // namespace gradus
