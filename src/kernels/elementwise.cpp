#include "kernels/elementwise.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "base/parallel.h"
#include "kernels/complex.h"
#include "kernels/convert.h"

namespace gradus::kernels {
namespace {

constexpr int64_t kBlock = 256;                               // elements that are converted at a time
constexpr int64_t kLightGrain = 16384, kHeavyGrain = 4096;    // elements of a part: some microseconds of work
constexpr int64_t kStreamGrain = 262144;                      // long enough for the prefetcher
constexpr int64_t kLong = int64_t{1} << 24;                   // some 20 ms on one thread

// The last-level cache that this processor sees. sysconf reports the whole socket's on some virtual machines, sysfs does not.
int64_t last_level_cache() {
  long kib = 0;
  if (std::FILE* f = std::fopen("/sys/devices/system/cpu/cpu0/cache/index3/size", "re")) {
    if (std::fscanf(f, "%ldK", &kib) != 1) kib = 0;
    std::fclose(f);
  }
  if (kib > 0) return int64_t{kib} << 10;
  const long bytes = sysconf(_SC_LEVEL3_CACHE_SIZE);
  return bytes > 0 ? bytes : int64_t{16} << 20;
}
// Past this many bytes touched, results are written around the cache: 0.75 of the last level.
int64_t stream_bytes() {
  static const int64_t bytes = last_level_cache() / 4 * 3;
  return bytes;
}

void repeat_value(void* to, const void* value, size_t size) {
  for (size_t i = 0; i < kRepeatBytes; i += size) std::memcpy(static_cast<char*>(to) + i, value, size);
}
bool run_flat(const Formula& f, const View& out, const Operand* in, int n) {
  const Dtype type = dtype_of(f.compute);
  const int64_t size = size_of(type);
  if (out.dtype != type || !out.contiguous) return false;
  alignas(64) char repeat[kMaxOperands][kRepeatBytes];
  Strip s{out.numel, out.data, {}, {}, f.attributes, false};
  for (int k = 0; k < n; ++k) {
    const Operand& o = in[k];
    if (o.is_number) {
      fill_repeat(repeat[k], o.number, f.compute);
    } else if (o.view.dtype != type) {
      return false;
    } else if (o.view.numel == out.numel && o.view.contiguous) {
      s.in[k] = o.view.data;
      continue;
    } else if (o.view.numel == 1) {
      repeat_value(repeat[k], o.view.data, static_cast<size_t>(size));
    } else {
      return false;
    }
    s.in[k] = repeat[k];
    s.repeat[k] = true;
  }
  elementwise_flat(f.run, s, n, size, f.light);
  return true;
}

// The iteration space with neighbouring dims merged where every operand allows it.
struct Space {
  int ndim = 0;
  int64_t sizes[kMaxDims];
  int64_t out[kMaxDims];                                      // strides in elements
  int64_t in[kMaxOperands][kMaxDims];
};

Space collapse(const View& out, const Operand* in, int n) {
  int order[kMaxDims];
  for (int i = 0; i < out.ndim; ++i) order[i] = i;
  std::sort(order, order + out.ndim, [&](int a, int b) { return out.strides[a] != out.strides[b] ? out.strides[a] > out.strides[b] : a < b; });
  Space s;
  for (int at = 0; at < out.ndim; ++at) {
    const int i = order[at];
    if (out.sizes[i] == 1) continue;
    int64_t strides[kMaxOperands];
    bool merge = s.ndim > 0 && s.out[s.ndim - 1] == out.strides[i] * out.sizes[i];
    for (int k = 0; k < n; ++k) {
      const View& v = in[k].view;
      const int j = in[k].is_number ? -1 : i - (out.ndim - v.ndim);
      strides[k] = j < 0 || v.sizes[j] == 1 ? 0 : v.strides[j];
      if (merge) merge = s.in[k][s.ndim - 1] == strides[k] * out.sizes[i];
    }
    if (merge) s.sizes[s.ndim - 1] *= out.sizes[i];
    else s.sizes[s.ndim++] = out.sizes[i];
    s.out[s.ndim - 1] = out.strides[i];
    for (int k = 0; k < n; ++k) s.in[k][s.ndim - 1] = strides[k];
  }
  if (s.ndim == 0) {
    s.sizes[s.ndim++] = 1;
    s.out[0] = 1;
    for (int k = 0; k < n; ++k) s.in[k][0] = 0;
  }
  return s;
}

// One pass over [begin, end) of the space in row-major order: rows along the last dim, cut into blocks.
class Walk {
 public:
  Walk(const Formula& f, const View& out, const Operand* in, int n, const Space& s) : f_(f), out_(out), in_(in), n_(n), s_(s) {
    size_ = size_of(dtype_of(f.compute));
    unpack_ = unpack_for(f.compute, out.dtype);
    direct_out_ = out.dtype == dtype_of(f.compute) && s.out[s.ndim - 1] == 1;
    for (int k = 0; k < n; ++k) {
      if (in[k].is_number) { fill_repeat(repeat_[k], in[k].number, f.compute); continue; }
      pack_[k] = pack_for(in[k].view.dtype, f.compute);
      direct_[k] = in[k].view.dtype == dtype_of(f.compute) && s.in[k][s.ndim - 1] == 1;
      any_packed_ |= !direct_[k] && s.in[k][s.ndim - 1] != 0;
    }
  }

  void operator()(int64_t begin, int64_t end) {
    const int inner = s_.ndim - 1;
    int64_t index[kMaxDims], rest = begin, out_at = 0, at[kMaxOperands] = {};
    for (int d = inner; d >= 0; --d) {
      index[d] = rest % s_.sizes[d];
      rest /= s_.sizes[d];
      out_at += index[d] * s_.out[d];
      for (int k = 0; k < n_; ++k) at[k] += index[d] * s_.in[k][d];
    }
    while (begin < end) {
      const int64_t count = std::min(s_.sizes[inner] - index[inner], end - begin);
      row(count, out_at, at);
      begin += count;
      index[inner] += count;
      out_at += count * s_.out[inner];
      for (int k = 0; k < n_; ++k) at[k] += count * s_.in[k][inner];
      for (int d = inner; d > 0 && index[d] == s_.sizes[d]; --d) {
        index[d] = 0;
        ++index[d - 1];
        out_at += s_.out[d - 1] - s_.sizes[d] * s_.out[d];
        for (int k = 0; k < n_; ++k) at[k] += s_.in[k][d - 1] - s_.sizes[d] * s_.in[k][d];
      }
    }
  }

 private:
  void row(int64_t count, int64_t out_at, const int64_t* at) {
    const int inner = s_.ndim - 1;
    Strip s{count, nullptr, {}, {}, f_.attributes, false};
    const char* from[kMaxOperands];
    for (int k = 0; k < n_; ++k) {
      if (in_[k].is_number) { s.in[k] = repeat_[k]; s.repeat[k] = true; continue; }
      from[k] = in_[k].view.data + at[k] * size_of(in_[k].view.dtype);
      if (s_.in[k][inner] == 0) {
        alignas(16) char value[16];
        pack_[k](value, from[k], 1, 1);
        repeat_value(repeat_[k], value, static_cast<size_t>(size_));
        s.in[k] = repeat_[k];
        s.repeat[k] = true;
      } else if (direct_[k]) {
        s.in[k] = from[k];
      }
    }
    char* out = out_.data + out_at * size_of(out_.dtype);
    if (direct_out_ && !any_packed_) { s.out = out; return f_.run(s); }
    const int64_t block = size_ > 8 ? kBlock / 2 : kBlock;
    for (int64_t b = 0; b < count; b += block) {
      Strip part = s;
      part.n = std::min(block, count - b);
      for (int k = 0; k < n_; ++k) {
        if (s.repeat[k]) continue;
        if (direct_[k]) { part.in[k] = from[k] + b * size_; continue; }
        const int64_t stride = s_.in[k][inner];
        pack_[k](packed_[k], from[k] + b * stride * size_of(in_[k].view.dtype), part.n, stride);
        part.in[k] = packed_[k];
      }
      part.out = direct_out_ ? out + b * size_ : packed_[kMaxOperands];
      f_.run(part);
      if (!direct_out_) unpack_(out + b * s_.out[inner] * size_of(out_.dtype), part.out, part.n, s_.out[inner]);
    }
  }

  const Formula& f_;
  const View& out_;
  const Operand* in_;
  int n_;
  const Space& s_;
  int64_t size_;
  Unpack unpack_;
  bool direct_out_, any_packed_ = false;
  bool direct_[kMaxOperands] = {};
  Pack pack_[kMaxOperands] = {};
  alignas(64) char repeat_[kMaxOperands][kRepeatBytes];
  alignas(64) char packed_[kMaxOperands + 1][kBlock * 8];
};

}  // namespace

void fill_repeat(void* to, Number n, Compute c) {
  if (c == Compute::f32) std::fill_n(static_cast<float*>(to), kRepeatBytes / sizeof(float), static_cast<float>(n.f));
  else if (c == Compute::f64) std::fill_n(static_cast<double*>(to), kRepeatBytes / sizeof(double), n.f);
  else if (c == Compute::i64) std::fill_n(static_cast<int64_t*>(to), kRepeatBytes / sizeof(int64_t), n.i);
  else if (c == Compute::c64) std::fill_n(static_cast<Complex<float>*>(to), kRepeatBytes / sizeof(Complex<float>), Complex<float>(n));
  else std::fill_n(static_cast<Complex<double>*>(to), kRepeatBytes / sizeof(Complex<double>), Complex<double>(n));
}

void elementwise_flat(StripFn run, Strip& s, int n, int64_t size, bool light) {
  s.stream = false;
  const int64_t grain = light ? kLightGrain : kHeavyGrain;
  if (s.n <= grain) return run(s);
  int64_t touched = s.n * size;
  for (int k = 0; k < n; ++k) touched += s.repeat[k] ? 0 : s.n * size;
  s.stream = touched > stream_bytes() && reinterpret_cast<uintptr_t>(s.out) % 64 == 0;
  // The same bits in one piece, and unbroken streams of memory; but a very long one would be deaf to cancelling.
  const bool alone = thread_count() == 1;
  if (alone && s.n <= kLong) return run(s);
  parallel_for(s.n, alone ? kLong : s.stream ? kStreamGrain : grain, [&](int64_t begin, int64_t end) {
    Strip part = s;
    part.n = end - begin;
    part.out = static_cast<char*>(s.out) + begin * size;
    for (int k = 0; k < n; ++k)
      if (!s.repeat[k]) part.in[k] = static_cast<const char*>(s.in[k]) + begin * size;
    run(part);
  });
}

void elementwise(const Formula& f, const View& out, const Operand* in, int n) {
  if (out.numel == 0 || run_flat(f, out, in, n)) return;
  const Space space = collapse(out, in, n);
  const int64_t grain = f.light ? kLightGrain : kHeavyGrain;
  parallel_for(out.numel, grain, [&](int64_t begin, int64_t end) { Walk(f, out, in, n, space)(begin, end); });
}

}  // namespace gradus::kernels
