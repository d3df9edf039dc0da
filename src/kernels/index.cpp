#include "kernels/index.h"

#include <cstring>

#include "base/parallel.h"
#include "kernels/complex.h"

namespace gradus::kernels {
namespace {

constexpr int64_t kGrain = 16384;

// Element types by size: a move needs no more.
template <class F> void by_size(Dtype t, F&& f) {
  switch (size_of(t)) {
    case 1: return f.template operator()<uint8_t>();
    case 2: return f.template operator()<uint16_t>();
    case 4: return f.template operator()<uint32_t>();
    case 8: return f.template operator()<uint64_t>();
    default: return f.template operator()<Complex<double>>();
  }
}

template <class T> void read_rows(T* to, const T* from, const Places& p) {
  parallel_for(p.outer * p.count, std::max<int64_t>(1, kGrain / std::max<int64_t>(p.inner, 1)), [&](int64_t b, int64_t e) {
    for (int64_t r = b; r < e; ++r) {
      const T* f = from + p.outer_offset[r / p.count] + p.index[r % p.count] * p.stride;
      T* t = to + r * p.inner;
      if (p.inner == 1 && !p.inner_offset) *t = *f;
      else if (!p.inner_offset) std::memcpy(t, f, static_cast<size_t>(p.inner) * sizeof(T));
      else for (int64_t j = 0; j < p.inner; ++j) t[j] = f[p.inner_offset[j]];
    }
  });
}
template <class T> void read_elements(T* to, const T* from, const Places& p) {
  const auto body = [&](int64_t b, int64_t e) {               // rows of `inner`
    for (int64_t r = b; r < e; ++r) {
      const T* f = from + p.outer_offset[r / p.count];
      const int64_t* index = p.index + r * p.inner;
      T* t = to + r * p.inner;
      for (int64_t j = 0; j < p.inner; ++j) t[j] = f[index[j] * p.stride + (p.inner_offset ? p.inner_offset[j] : j)];
    }
  };
  parallel_for(p.outer * p.count, std::max<int64_t>(1, kGrain / std::max<int64_t>(p.inner, 1)), body);
}

}  // namespace

void read(char* to, const View& from, const Places& p) {
  by_size(from.dtype, [&]<class T>() {
    if (p.shared) read_rows(reinterpret_cast<T*>(to), from.as<const T>(), p);
    else read_elements(reinterpret_cast<T*>(to), from.as<const T>(), p);
  });
}

bool check_indices(int64_t* to, const int64_t* from, int64_t n, int64_t size, bool negative, int64_t& bad) {
  const int64_t low = negative ? -size : 0;
  bool good = true;
  for (int64_t i = 0; i < n; ++i) good &= from[i] >= low && from[i] < size;
  for (int64_t i = 0; i < n && !good; ++i)
    if (from[i] < low || from[i] >= size) { bad = from[i]; return false; }
  if (to != from || negative)
    for (int64_t i = 0; i < n; ++i) to[i] = from[i] + (from[i] < 0 ? size : 0);
  return true;
}

bool add_indices(int64_t* to, const int64_t* from, int64_t n, int64_t size, int64_t stride, int64_t& bad) {
  for (int64_t i = 0; i < n; ++i) {
    const int64_t k = from[i];
    if (k < -size || k >= size) { bad = k; return false; }
    to[i] += (k < 0 ? k + size : k) * stride;
  }
  return true;
}

void offsets(int64_t* out, SizesRef sizes, SizesRef strides) {
  int64_t n = 1;
  for (int64_t s : sizes) n *= s;
  Sizes index(sizes.size(), 0);
  int64_t at = 0;
  for (int64_t i = 0; i < n; ++i) {
    out[i] = at;
    for (size_t d = sizes.size(); d-- > 0;) {
      at += strides[d];
      if (++index[d] < sizes[d]) break;
      at -= sizes[d] * strides[d];
      index[d] = 0;
    }
  }
}

namespace {
template <class T> bool is_nonzero(T v) {
  if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) return (v.bits & 0x7fff) != 0;
  else return v != T(0);
}
// f(element, index) in row-major order.
template <class T, class F> void each(const View& in, F&& f) {
  Sizes index(static_cast<size_t>(in.ndim), 0);
  int64_t at = 0;
  for (int64_t i = 0; i < in.numel; ++i) {
    f(in.as<const T>()[at], index);
    for (int d = in.ndim - 1; d >= 0; --d) {
      int64_t& k = index[static_cast<size_t>(d)];
      at += in.strides[d];
      if (++k < in.sizes[d]) break;
      at -= in.sizes[d] * in.strides[d];
      k = 0;
    }
  }
}
}  // namespace

int64_t count_nonzero(const View& in) {
  int64_t n = 0;
  visit_all(in.dtype, [&]<class T>() {
    if (in.contiguous) {
      for (int64_t i = 0; i < in.numel; ++i) n += is_nonzero(in.as<const T>()[i]);
    } else {
      each<T>(in, [&](T v, const Sizes&) { n += is_nonzero(v); });
    }
  });
  return n;
}
void nonzero(int64_t* out, const View& in) {
  visit_all(in.dtype, [&]<class T>() {
    each<T>(in, [&](T v, const Sizes& index) {
      if (is_nonzero(v)) out = std::copy(index.begin(), index.end(), out);
    });
  });
}

void fold(const View& out, const View& in, int dim, int64_t step) {
  const int64_t size = in.sizes[in.ndim - 1];
  int64_t outer = 1, inner = 1;
  for (int d = 0; d < dim; ++d) outer *= out.sizes[d];
  for (int d = dim + 1; d < out.ndim; ++d) inner *= out.sizes[d];
  const int64_t length = out.ndim == 0 ? 1 : out.sizes[dim], windows = out.ndim == 0 ? 1 : in.sizes[dim];
  visit_all(out.dtype, [&]<class T>() {
    using Sum = std::conditional_t<is_complex_type<T>, Complex<double>, std::conditional_t<std::is_integral_v<T>, int64_t, double>>;
    parallel_for(outer * length, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, inner * (size / step + 1))), [&](int64_t b, int64_t e) {
      for (int64_t r = b; r < e; ++r) {
        const int64_t o = r / length, at = r % length;
        const int64_t first = at < size ? 0 : (at - size) / step + 1, last = std::min(windows - 1, at / step);
        for (int64_t k = 0; k < inner; ++k) {
          Sum s = 0;
          for (int64_t i = first; i <= last; ++i) s = s + convert_any<Sum>(in.as<const T>()[((o * windows + i) * inner + k) * size + at - i * step]);
          out.as<T>()[r * inner + k] = convert_any<T>(s);
        }
      }
    });
  });
}

}  // namespace gradus::kernels
