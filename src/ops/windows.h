// The arguments of pooling ops: where their windows lie.
#pragma once
#include <algorithm>

#include "dispatch/evaluate.h"
#include "kernels/pool.h"
#include "ops/ops.h"

namespace gradus {

using PoolRule = kernels::Pool (*)(const Args&);

inline Tensor dense(const Tensor& t) { return t.contiguous() ? t : clone(t); }
inline SizesRef last_dims(const Tensor& t, size_t n) { return t.sizes().last(n); }
// The leading sizes, then the out sizes of the windows.
inline Sizes pooled_sizes(SizesRef sizes, const kernels::Pool& p, size_t n) {
  Sizes s(sizes.first(sizes.size() - n));
  for (size_t d = 3 - n; d < 3; ++d) s.push_back(p.dim[d].out);
  return s;
}

inline void check_pool_dtype(const Args& a, const Tensor& t, bool integers) {
  GRADUS_CHECK(t.dtype() != Dtype::boolean && (integers || is_floating(t.dtype())), dtype, "{}: not defined for {}", name(a.op()), name(t.dtype()));
}
// n spatial dims behind a channel dim and perhaps a batch dim; only the batch may be empty.
inline void check_pool_input(const Args& a, SizesRef sizes, size_t n) {
  GRADUS_CHECK(sizes.size() == n + 1 || sizes.size() == n + 2, shape, "{}: the input must have {} or {} dimensions, not shape {}", name(a.op()), n + 1, n + 2, text(sizes));
  for (size_t d = sizes.size() == n + 2 ? 1 : 0; d < sizes.size(); ++d)
    GRADUS_CHECK(sizes[d] > 0, shape, "{}: an input without elements in dimension {}: {}", name(a.op()), d, text(sizes));
}

// A gradient and the input it belongs to, in ATen's backward ops.
inline void check_pool_gradient(const Args& a, SizesRef g, SizesRef x, size_t n) {
  check_pool_input(a, x, n);
  GRADUS_CHECK(g.size() == x.size() && same(g.first(g.size() - n), x.first(x.size() - n)), shape, "{}: a gradient of shape {} for an input of shape {}", name(a.op()), text(g), text(x));
}

// Windows of a fixed size. The arguments kernel_size, stride and padding begin at `at`; no dilation_at: dilation 1.
struct WindowArgs {
  Sizes kernel, stride, padding, dilation;
  bool ceil_mode;
  WindowArgs(const Args& a, int at, size_t n, int dilation_at, int ceil_at)
      : kernel(a.integers(at, n)), stride(a.integers(at + 1).empty() ? kernel : a.integers(at + 1, n)), padding(a.integers(at + 2, n)),
        dilation(dilation_at ? a.integers(dilation_at, n) : Sizes(n, 1)), ceil_mode(a.flag(ceil_at)) {}

  kernels::Windows dim(const Args& a, size_t d, int64_t in) const {
    const int64_t k = kernel[d], s = stride[d], p = padding[d], step = dilation[d];
    GRADUS_CHECK(k > 0 && s > 0 && step > 0 && std::max({k, s, step}) <= INT32_MAX, value, "{}: kernel_size {}, stride {} and dilation {} must be at least 1", name(a.op()), k, s, step);
    const int64_t reach = (k - 1) * step + 1, room = in + 2 * p - reach + (ceil_mode ? s - 1 : 0);
    GRADUS_CHECK(p >= 0 && p <= reach / 2, value, "{}: padding {} must be at least 0 and at most half of the kernel's reach of {}", name(a.op()), p, reach);
    int64_t out = room < 0 ? 0 : room / s + 1;
    if (ceil_mode && (out - 1) * s >= in + p) --out;          // no window begins in the padding behind
    GRADUS_CHECK(out >= 1, shape, "{}: an input of size {} is too small for a kernel that reaches {} with padding {}", name(a.op()), in, reach, p);
    const kernels::Windows w{in, out, k, s, p, step};
    for (int64_t o = 0; o < out; ++o) {
      if (w.first(o) < w.end(o)) continue;
      fail(Status::value, "{}: a window of kernel_size {} with dilation {} has only padding of an input of size {}", name(a.op()), k, step, in);
    }
    return w;
  }
  kernels::Pool pool(const Args& a, SizesRef sizes, size_t n) const {
    kernels::Pool p{1, {}};
    for (size_t d = 0; d < n; ++d) p.dim[3 - n + d] = dim(a, d, sizes[sizes.size() - n + d]);
    for (size_t d = 0; d + n < sizes.size(); ++d) p.planes *= sizes[d];
    return p;
  }
};

// Windows that cover the input evenly; `out` has one number for each, or for all, spatial dims.
inline kernels::Pool adaptive_pool(const Args& a, SizesRef sizes, const Sizes& out) {
  const size_t n = out.size();
  kernels::Pool p{1, {}};
  for (size_t d = 0; d < n; ++d) {
    GRADUS_CHECK(out[d] >= 0, value, "{}: output_size {} is negative", name(a.op()), text(out));
    kernels::Windows& w = p.dim[3 - n + d];
    w.in = sizes[sizes.size() - n + d], w.out = out[d], w.adaptive = true;
  }
  for (size_t d = 0; d + n < sizes.size(); ++d) p.planes *= sizes[d];
  return p;
}

}  // namespace gradus
