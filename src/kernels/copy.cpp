#include "kernels/copy.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <numeric>

#include "base/parallel.h"
#include "kernels/complex.h"
#include "kernels/convert.h"

namespace gradus::kernels {
namespace {

constexpr int64_t kGrain = 16384;
constexpr int64_t kTile = 32;                                 // of a transposed conversion: both sides stay in the first-level cache

struct Space {
  int ndim = 0;
  int64_t sizes[kMaxDims], to[kMaxDims], from[kMaxDims];
};

// Dims by falling stride of `to`, neighbours merged where both sides allow it; always at least two.
Space collapse(const View& to, const View& from) {
  int order[kMaxDims];
  std::iota(order, order + to.ndim, 0);
  std::sort(order, order + to.ndim, [&](int a, int b) { return to.strides[a] != to.strides[b] ? to.strides[a] > to.strides[b] : a < b; });
  Space s{1, {1}, {0}, {0}};
  for (int at = 0; at < to.ndim; ++at) {
    const int i = order[at], j = i - (to.ndim - from.ndim);
    if (to.sizes[i] == 1) continue;
    const int64_t t = to.strides[i], f = j < 0 || from.sizes[j] == 1 ? 0 : from.strides[j];
    if (s.ndim > 1 && s.to[s.ndim - 1] == t * to.sizes[i] && s.from[s.ndim - 1] == f * to.sizes[i]) s.sizes[s.ndim - 1] *= to.sizes[i];
    else s.sizes[s.ndim++] = to.sizes[i];
    s.to[s.ndim - 1] = t;
    s.from[s.ndim - 1] = f;
  }
  if (s.ndim == 1) {                                          // one element
    s.sizes[1] = s.to[1] = s.from[1] = 1;
    s.ndim = 2;
  }
  return s;
}

// Where `from` lies closest along another dim than the innermost, that one comes next to it.
void bring_near(Space& s) {
  const int inner = s.ndim - 1;
  int near = inner;
  for (int d = 0; d < s.ndim; ++d)
    if (s.from[d] != 0 && s.sizes[d] > 1 && (s.from[near] == 0 || std::abs(s.from[d]) < std::abs(s.from[near]))) near = d;
  if (near == inner) return;
  for (int64_t* v : {s.sizes, s.to, s.from}) std::rotate(v + near, v + near + 1, v + inner);
}

// rows x n elements; strides in elements.
struct Block {
  char *to, *from;
  int64_t rows, n, to_row, to_step, from_row, from_step;

  bool crosses() const { return from_step != 0 && std::abs(from_row) < std::abs(from_step) && from_row != 0; }
};

template <class T> void move_row(T* to, const T* from, int64_t n, int64_t to_step, int64_t from_step) {
  if (to_step == 1 && from_step == 1) {
    if (n < 16) for (int64_t i = 0; i < n; ++i) to[i] = from[i];
    else std::memcpy(to, from, static_cast<size_t>(n) * sizeof(T));
  } else if (to_step == 1 && from_step == 0) {
    std::fill_n(to, n, *from);
  } else {
    for (int64_t i = 0; i < n; ++i) to[i * to_step] = from[i * from_step];
  }
}

// Squares that are read along rows and written along columns, through registers.
template <class T> void move_across(const Block& b) {
  constexpr int64_t kSide = 8;
  T* to = reinterpret_cast<T*>(b.to);
  const T* from = reinterpret_cast<const T*>(b.from);
  const bool dense = b.to_step == 1 && b.from_row == 1;
  for (int64_t r = 0; r < b.rows; r += kSide) {
    const int64_t height = std::min(kSide, b.rows - r);
    for (int64_t c = 0; c < b.n; c += kSide) {
      const int64_t width = std::min(kSide, b.n - c);
      T* t = to + r * b.to_row + c * b.to_step;
      const T* f = from + r * b.from_row + c * b.from_step;
      if (dense && height == kSide && width == kSide) {
        T square[kSide][kSide];
        for (int64_t j = 0; j < kSide; ++j) std::memcpy(square[j], f + j * b.from_step, sizeof square[j]);
        for (int64_t i = 0; i < kSide; ++i)
          for (int64_t j = 0; j < kSide; ++j) t[i * b.to_row + j] = square[j][i];
      } else {
        for (int64_t i = 0; i < height; ++i)
          for (int64_t j = 0; j < width; ++j) t[i * b.to_row + j * b.to_step] = f[i * b.from_row + j * b.from_step];
      }
    }
  }
}

template <class T> void move(const Block& b) {
  if (b.crosses()) return move_across<T>(b);
  for (int64_t r = 0; r < b.rows; ++r)
    move_row(reinterpret_cast<T*>(b.to) + r * b.to_row, reinterpret_cast<const T*>(b.from) + r * b.from_row, b.n, b.to_step, b.from_step);
}

void convert_block(const Block& b, Copy convert, int64_t to_size, int64_t from_size) {
  if (!b.crosses()) {
    for (int64_t r = 0; r < b.rows; ++r) convert(b.to + r * b.to_row * to_size, b.from + r * b.from_row * from_size, b.n, b.to_step, b.from_step);
    return;
  }
  for (int64_t r = 0; r < b.rows; r += kTile)
    for (int64_t i = 0; i < b.n; ++i)                         // along the rows reads are dense, and the writes stay near
      convert(b.to + (r * b.to_row + i * b.to_step) * to_size, b.from + (r * b.from_row + i * b.from_step) * from_size, std::min(kTile, b.rows - r), b.to_row, b.from_row);
}

// One dtype on both sides: only the size of an element matters.
void move_by_size(const Block& b, int64_t size) {
  switch (size) {
    case 1: return move<uint8_t>(b);
    case 2: return move<uint16_t>(b);
    case 4: return move<uint32_t>(b);
    case 8: return move<uint64_t>(b);
    default: return move<Complex<double>>(b);
  }
}

}  // namespace

void copy(const View& to, const View& from) {
  if (to.numel == 0) return;
  const int64_t ts = size_of(to.dtype), fs = size_of(from.dtype);
  const bool moves = to.dtype == from.dtype;
  const Copy convert = moves ? nullptr : copy_for(from.dtype, to.dtype);
  Space s = collapse(to, from);
  bring_near(s);
  const auto run = [&](const Block& b) {
    if (moves) move_by_size(b, ts);
    else convert_block(b, convert, ts, fs);
  };
  const int inner = s.ndim - 1, row = inner - 1;
  const int64_t n = s.sizes[inner], rows = s.sizes[row];
  if (s.ndim == 2 && rows == 1) {                             // one run
    parallel_for(n, kGrain, [&](int64_t b, int64_t e) {
      run({to.data + b * s.to[1] * ts, from.data + b * s.from[1] * fs, 1, e - b, 0, s.to[1], 0, s.from[1]});
    });
    return;
  }
  // A part is some rows of one plane, or several planes.
  const int64_t height = std::clamp<int64_t>((kGrain / n + 7) / 8 * 8, 1, rows), bands = (rows + height - 1) / height;
  const int64_t planes = std::accumulate(s.sizes, s.sizes + row, int64_t{1}, std::multiplies<>());
  parallel_for(planes * bands, std::max<int64_t>(1, kGrain / (n * height)), [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      int64_t t = 0, f = 0, rest = part / bands;
      for (int d = row - 1; d >= 0; --d) {
        const int64_t i = rest % s.sizes[d];
        rest /= s.sizes[d];
        t += i * s.to[d];
        f += i * s.from[d];
      }
      const int64_t r = part % bands * height;
      run({to.data + (t + r * s.to[row]) * ts, from.data + (f + r * s.from[row]) * fs, std::min(height, rows - r), n, s.to[row], s.to[inner], s.from[row],
           s.from[inner]});
    }
  });
}

void fill(const View& to, Number value) {
  alignas(16) char place[16] = {};
  visit_all(to.dtype, [&]<class T>() {
    const T v = value.is_complex() ? convert_any<T>(Complex<double>(value)) : value.is_real() ? convert_any<T>(value.f) : convert_any<T>(value.i);
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
