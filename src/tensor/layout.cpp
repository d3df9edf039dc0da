#include "tensor/layout.h"

#include <algorithm>

namespace gradus {

int64_t multiply(int64_t a, int64_t b) {
  int64_t r;
  GRADUS_CHECK(!__builtin_mul_overflow(a, b, &r), shape, "size {} times {} overflows", a, b);
  return r;
}

int64_t numel_of(SizesRef sizes) {
  GRADUS_CHECK(sizes.size() <= kMaxDims, shape, "{} dimensions, more than {}", sizes.size(), kMaxDims);
  int64_t n = 1, nonzero = 1;
  for (int64_t s : sizes) {
    GRADUS_CHECK(s >= 0, shape, "negative size in {}", text(sizes));
    n *= s == 0 ? 0 : 1;
    if (s != 0) GRADUS_CHECK(!__builtin_mul_overflow(nonzero, s, &nonzero), shape, "sizes {} overflow", text(sizes));
  }
  return n == 0 ? 0 : nonzero;
}

Sizes contiguous_strides(SizesRef sizes) {
  Sizes strides(sizes.size());
  int64_t step = 1;
  for (size_t i = sizes.size(); i-- > 0;) {
    strides[i] = step;
    step *= std::max<int64_t>(sizes[i], 1);
  }
  return strides;
}

bool is_contiguous(SizesRef sizes, SizesRef strides) {
  int64_t step = 1;
  for (size_t i = sizes.size(); i-- > 0;) {
    if (sizes[i] == 0) return true;
    if (sizes[i] == 1) continue;
    if (strides[i] != step) {
      return std::find(sizes.begin(), sizes.end(), 0) != sizes.end();
    }
    step *= sizes[i];
  }
  return true;
}

int64_t span_of(SizesRef sizes, SizesRef strides) {
  GRADUS_CHECK(sizes.size() == strides.size(), shape, "{} sizes with {} strides", sizes.size(), strides.size());
  int64_t span = 1;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == 0) return 0;
    GRADUS_CHECK(sizes[i] > 0, shape, "negative size in {}", text(sizes));
    GRADUS_CHECK(strides[i] >= 0, shape, "negative stride in {}", text(strides));
    GRADUS_CHECK(!__builtin_add_overflow(span, multiply(sizes[i] - 1, strides[i]), &span), shape, "sizes {} with strides {} overflow",
                 text(sizes), text(strides));
  }
  return span;
}

// Dims of more than one element, by growing stride.
static Sizes by_stride(SizesRef sizes, SizesRef strides) {
  Sizes order;
  for (size_t i = 0; i < sizes.size(); ++i)
    if (sizes[i] != 1) order.push_back(static_cast<int64_t>(i));
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    const int64_t x = strides[static_cast<size_t>(a)], y = strides[static_cast<size_t>(b)];
    return x != y ? x < y : a < b;
  });
  return order;
}

bool is_dense(SizesRef sizes, SizesRef strides) {
  int64_t step = 1;
  for (int64_t s : sizes)
    if (s == 0) return true;
  for (int64_t d : by_stride(sizes, strides)) {
    if (strides[static_cast<size_t>(d)] != step) return false;
    step *= sizes[static_cast<size_t>(d)];
  }
  return true;
}

bool is_non_overlapping(SizesRef sizes, SizesRef strides) {
  int64_t reach = 0;                                          // of the dims so far, in elements beyond the first
  for (int64_t s : sizes)
    if (s == 0) return true;
  for (int64_t d : by_stride(sizes, strides)) {
    const size_t i = static_cast<size_t>(d);
    if (strides[i] <= reach) return false;
    reach += (sizes[i] - 1) * strides[i];
  }
  return true;
}

int64_t wrap_dim(int64_t dim, int64_t ndim, std::string_view what) {
  const int64_t n = std::max<int64_t>(ndim, 1);
  GRADUS_CHECK(dim >= -n && dim < n, index, "{}: dim {} is out of range for {} dimensions", what, dim, ndim);
  return dim < 0 ? dim + n : dim;
}

Sizes broadcast_sizes(SizesRef a, SizesRef b, std::string_view what) {
  Sizes out(std::max(a.size(), b.size()));
  for (size_t i = 1; i <= out.size(); ++i) {                  // from the last dim
    const int64_t x = i <= a.size() ? a[a.size() - i] : 1, y = i <= b.size() ? b[b.size() - i] : 1;
    GRADUS_CHECK(x == y || x == 1 || y == 1, shape, "{}: shapes {} and {} do not broadcast: {} and {} differ", what, text(a), text(b), x, y);
    out[out.size() - i] = x == 1 ? y : x;
  }
  return out;
}

Sizes broadcast_strides(SizesRef sizes, SizesRef strides, SizesRef to) {
  Sizes out(to.size());
  const size_t shift = to.size() - sizes.size();
  for (size_t i = 0; i < sizes.size(); ++i) out[i + shift] = sizes[i] == 1 && to[i + shift] != 1 ? 0 : strides[i];
  return out;
}

bool reshape_strides(SizesRef sizes, SizesRef strides, SizesRef to, Sizes& result) {
  result = contiguous_strides(to);
  if (is_contiguous(sizes, strides)) return true;             // arrays without elements too
  // Walk from the last dim: a run of old dims that lie one behind the other is cut into new dims.
  size_t i = sizes.size(), j = to.size();
  while (i > 0) {
    const int64_t step = strides[i - 1];
    int64_t run = sizes[--i];
    while (i > 0 && (sizes[i - 1] == 1 || strides[i - 1] == step * run)) run *= sizes[--i];   // strides of size-1 dims do not count
    int64_t cut = 1;
    while (j > 0 && (cut < run || to[j - 1] == 1)) {
      result[--j] = cut * step;
      cut *= to[j];
    }
    if (cut != run) return false;
  }
  return true;
}

bool same(SizesRef a, SizesRef b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

const char* end_of(const View& v) { return v.data + (v.contiguous ? v.numel : span_of(v.shape(), v.steps())) * size_of(v.dtype); }

Overlap overlap(const View& a, const View& b) {
  if (a.numel == 0 || b.numel == 0) return Overlap::none;
  if (a.data == b.data && a.dtype == b.dtype && same(a.shape(), b.shape()) && same(a.steps(), b.steps())) return Overlap::full;
  if (end_of(a) <= b.data || end_of(b) <= a.data) return Overlap::none;
  return is_dense(a.shape(), a.steps()) && is_dense(b.shape(), b.steps()) ? Overlap::partial : Overlap::unknown;
}

}  // namespace gradus
