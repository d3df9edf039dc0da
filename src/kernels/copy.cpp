#include "kernels/copy.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/parallel.h"
#include "kernels/convert.h"
#include "kernels/elementwise.h"

namespace gradus::kernels {
namespace {

constexpr int64_t kGrain = 16384;
constexpr int64_t kTile = 32;                                 // of a transposed copy: both sides stay in the first-level cache

struct Space {
  int ndim = 0;
  int64_t sizes[kMaxDims], to[kMaxDims], from[kMaxDims];
};

// Dims by falling stride of `to`, neighbours merged where both sides allow it.
Space collapse(const View& to, const View& from) {
  int order[kMaxDims];
  std::iota(order, order + to.ndim, 0);
  std::stable_sort(order, order + to.ndim, [&](int a, int b) { return to.strides[a] > to.strides[b]; });
  Space s;
  for (int at = 0; at < to.ndim; ++at) {
    const int i = order[at], j = i - (to.ndim - from.ndim);
    if (to.sizes[i] == 1) continue;
    const int64_t t = to.strides[i], f = j < 0 || from.sizes[j] == 1 ? 0 : from.strides[j];
    if (s.ndim > 0 && s.to[s.ndim - 1] == t * to.sizes[i] && s.from[s.ndim - 1] == f * to.sizes[i]) {
      s.sizes[s.ndim - 1] *= to.sizes[i];
    } else {
      s.sizes[s.ndim++] = to.sizes[i];
    }
    s.to[s.ndim - 1] = t;
    s.from[s.ndim - 1] = f;
  }
  if (s.ndim == 0) {
    s.sizes[0] = 1;
    s.to[0] = s.from[0] = 1;
    s.ndim = 1;
  }
  return s;
}

// Calls row(to offset, from offset) for every index of the leading `dims` dims from begin to end.
template <class Row> void walk(const Space& s, int dims, int64_t begin, int64_t end, const Row& row) {
  int64_t index[kMaxDims], rest = begin, to = 0, from = 0;
  for (int d = dims - 1; d >= 0; --d) {
    index[d] = rest % s.sizes[d];
    rest /= s.sizes[d];
    to += index[d] * s.to[d];
    from += index[d] * s.from[d];
  }
  for (int64_t i = begin; i < end; ++i) {
    row(to, from);
    for (int d = dims - 1; d >= 0; --d) {
      to += s.to[d];
      from += s.from[d];
      if (++index[d] < s.sizes[d]) break;
      to -= s.sizes[d] * s.to[d];
      from -= s.sizes[d] * s.from[d];
      index[d] = 0;
    }
  }
}

}  // namespace

void copy(const View& to, const View& from) {
  if (to.numel == 0) return;
  const int64_t ts = size_of(to.dtype), fs = size_of(from.dtype);
  const Space s = collapse(to, from);
  const Copy convert = copy_for(from.dtype, to.dtype);
  const int inner = s.ndim - 1;
  const int64_t n = s.sizes[inner], ti = s.to[inner], fi = s.from[inner];
  const bool plain = to.dtype == from.dtype && ti == 1 && fi == 1;
  if (s.ndim == 1) {
    parallel_for(n, kGrain, [&](int64_t b, int64_t e) {
      if (plain) std::memcpy(to.data + b * ts, from.data + b * ts, static_cast<size_t>((e - b) * ts));
      else convert(to.data + b * ti * ts, from.data + b * fi * fs, e - b, ti, fi);
    });
    return;
  }
  // The dim in which `from` lies closest; if it is another than the innermost, go through tiles of the two.
  int near = inner;
  for (int d = 0; d < s.ndim; ++d)
    if (s.from[d] != 0 && (s.from[near] == 0 || s.from[d] < s.from[near])) near = d;
  if (near != inner && fi != 0 && n >= kTile / 2 && s.sizes[near] >= kTile / 2) {
    Space outer = s;
    outer.sizes[near] = (s.sizes[near] + kTile - 1) / kTile;
    outer.to[near] *= kTile;
    outer.from[near] *= kTile;
    const int64_t rows = std::accumulate(outer.sizes, outer.sizes + inner, int64_t{1}, std::multiplies<>());
    int64_t below = 1;                                        // rows per step of the tiled dim
    for (int d = near + 1; d < inner; ++d) below *= s.sizes[d];
    parallel_for(rows, std::max<int64_t>(1, kGrain / (n * kTile)), [&](int64_t b, int64_t e) {
      int64_t row = b;
      walk(outer, inner, b, e, [&](int64_t t, int64_t f) {
        const int64_t tile = row++ / below % outer.sizes[near];
        const int64_t m = std::min(kTile, s.sizes[near] - tile * kTile);
        for (int64_t c = 0; c < n; c += kTile)                // along `near` reads are dense, writes stay in the tile
          for (int64_t i = c; i < std::min(n, c + kTile); ++i)
            convert(to.data + (t + i * ti) * ts, from.data + (f + i * fi) * fs, m, s.to[near], s.from[near]);
      });
    });
    return;
  }
  const int64_t rows = std::accumulate(s.sizes, s.sizes + inner, int64_t{1}, std::multiplies<>());
  parallel_for(rows, std::max<int64_t>(1, kGrain / n), [&](int64_t b, int64_t e) {
    walk(s, inner, b, e, [&](int64_t t, int64_t f) {
      if (plain) std::memcpy(to.data + t * ts, from.data + f * fs, static_cast<size_t>(n * ts));
      else convert(to.data + t * ts, from.data + f * fs, n, ti, fi);
    });
  });
}

void fill(const View& to, Number value) {
  alignas(8) char place[8] = {};
  visit(to.dtype, [&]<class T>() {
    const T v = value.is_real() ? convert<T>(value.f) : convert<T>(value.i);
    std::memcpy(place, &v, sizeof v);
  });
  if (to.contiguous && std::all_of(place, place + size_of(to.dtype), [](char c) { return c == 0; })) {
    const int64_t bytes = to.numel * size_of(to.dtype);
    parallel_for(bytes, kGrain * 8, [&](int64_t b, int64_t e) { std::memset(to.data + b, 0, static_cast<size_t>(e - b)); });
    return;
  }
  copy(to, View{place, to.dtype, 0, nullptr, nullptr, 1, true});
}

}  // namespace gradus::kernels
