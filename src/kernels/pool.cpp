#include "kernels/pool.h"

#include <algorithm>

#include "base/error.h"
#include "kernels/planes.h"

namespace gradus::kernels {
namespace {

int64_t work_of(const Pool& p) {
  int64_t reads = p.out_plane();
  for (const Windows& w : p.dim) reads *= w.adaptive ? (w.in + w.out - 1) / std::max<int64_t>(w.out, 1) : w.kernel;
  return std::max(reads, p.in_plane());
}

// One window of a plane: [first, end) by step along each dim.
struct Box {
  int64_t first[3], end[3], step[3];

  void set(int d, const Windows& w, int64_t o) {
    first[d] = w.first(o), end[d] = w.end(o), step[d] = w.adaptive ? 1 : w.dilation;
  }
};
// Calls body(output index, box) for the windows of a plane.
template <class Body> void each_window(const Pool& p, const Body& body) {
  Box b;
  int64_t at = 0;
  for (int64_t i = 0; i < p.dim[0].out; ++i) {
    b.set(0, p.dim[0], i);
    for (int64_t j = 0; j < p.dim[1].out; ++j) {
      b.set(1, p.dim[1], j);
      for (int64_t k = 0; k < p.dim[2].out; ++k, ++at) {
        b.set(2, p.dim[2], k);
        body(at, b, i, j, k);
      }
    }
  }
}
template <class Body> inline void each_element(const Pool& p, const Box& b, const Body& body) {
  for (int64_t i = b.first[0]; i < b.end[0]; i += b.step[0])
    for (int64_t j = b.first[1]; j < b.end[1]; j += b.step[1]) {
      const int64_t line = (i * p.dim[1].in + j) * p.dim[2].in;
      for (int64_t k = b.first[2]; k < b.end[2]; k += b.step[2]) body(line + k);
    }
}
int64_t divisor_of(const Pool& p, const Box& b, int64_t i, int64_t j, int64_t k) {
  if (p.divisor) return p.divisor;
  if (p.count_include_pad) return p.dim[0].padded_length(i) * p.dim[1].padded_length(j) * p.dim[2].padded_length(k);
  int64_t n = 1;
  for (int d = 0; d < 3; ++d) n *= b.end[d] - b.first[d];
  return n;
}

template <class T> void max_of_plane(const Pool& p, const T* x, T* y, int64_t* index) {
  each_window(p, [&](int64_t o, const Box& b, int64_t, int64_t, int64_t) {
    int64_t at = (b.first[0] * p.dim[1].in + b.first[1]) * p.dim[2].in + b.first[2];
    auto best = convert<WideOf<T>>(x[at]);
    each_element(p, b, [&](int64_t e) {
      const auto v = convert<WideOf<T>>(x[e]);
      if (v > best || v != v) best = v, at = e;
    });
    y[o] = x[at];
    index[o] = at;
  });
}
template <class T> void mean_of_plane(const Pool& p, const T* x, T* y) {
  each_window(p, [&](int64_t o, const Box& b, int64_t i, int64_t j, int64_t k) {
    WideOf<T> s = 0;
    each_element(p, b, [&](int64_t e) { s += convert<WideOf<T>>(x[e]); });
    y[o] = convert<T>(s / static_cast<WideOf<T>>(divisor_of(p, b, i, j, k)));
  });
}
template <class T> void deal_out_plane(const Pool& p, const T* y, WideOf<T>* x) {
  each_window(p, [&](int64_t o, const Box& b, int64_t i, int64_t j, int64_t k) {
    const auto v = convert<WideOf<T>>(y[o]) / static_cast<WideOf<T>>(divisor_of(p, b, i, j, k));
    each_element(p, b, [&](int64_t e) { x[e] += v; });
  });
}

[[noreturn, gnu::cold]] void refuse(int64_t i, int64_t n) { fail(Status::index, "pooling: index {} in a plane of {} elements", i, n); }

}  // namespace

void max_pool(const Pool& p, Dtype t, const void* x, void* y, int64_t* index) {
  visit(t, [&]<class T>() {
    each_plane(p.planes, work_of(p), [&](int64_t i) {
      max_of_plane(p, static_cast<const T*>(x) + i * p.in_plane(), static_cast<T*>(y) + i * p.out_plane(), index + i * p.out_plane());
    });
  });
}

void avg_pool(const Pool& p, Dtype t, const void* x, void* y) {
  visit(t, [&]<class T>() {
    each_plane(p.planes, work_of(p), [&](int64_t i) {
      mean_of_plane(p, static_cast<const T*>(x) + i * p.in_plane(), static_cast<T*>(y) + i * p.out_plane());
    });
  });
}

void avg_pool_back(const Pool& p, Dtype t, const void* y, void* x) {
  visit(t, [&]<class T>() {
    each_plane(p.planes, work_of(p), [&](int64_t i) {
      const T* const from = static_cast<const T*>(y) + i * p.out_plane();
      T* const to = static_cast<T*>(x) + i * p.in_plane();
      sum_into(to, p.in_plane(), [&](WideOf<T>* sums) { deal_out_plane(p, from, sums); });
    });
  });
}

void plane_gather(Dtype t, int64_t planes, int64_t in_plane, int64_t out_plane, const void* x, const int64_t* index, void* out) {
  visit(t, [&]<class T>() {
    each_plane(planes, out_plane, [&](int64_t p) {
      const T* const from = static_cast<const T*>(x) + p * in_plane;
      for (int64_t i = p * out_plane; i < (p + 1) * out_plane; ++i) {
        if (index[i] < 0 || index[i] >= in_plane) refuse(index[i], in_plane);
        static_cast<T*>(out)[i] = from[index[i]];
      }
    });
  });
}

void plane_scatter(Dtype t, int64_t planes, int64_t in_plane, int64_t out_plane, const void* x, const int64_t* index, void* out, bool replace) {
  visit(t, [&]<class T>() {
    each_plane(planes, in_plane + out_plane, [&](int64_t p) {
      T* const to = static_cast<T*>(out) + p * out_plane;
      std::fill_n(to, out_plane, T{});
      for (int64_t i = p * in_plane; i < (p + 1) * in_plane; ++i) {
        if (index[i] < 0 || index[i] >= out_plane) refuse(index[i], out_plane);
        const T v = static_cast<const T*>(x)[i];
        T& e = to[index[i]];
        e = replace ? v : convert<T>(convert<WideOf<T>>(e) + convert<WideOf<T>>(v));
      }
    });
  });
}

}  // namespace gradus::kernels
