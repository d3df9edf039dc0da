#include "kernels/join.h"

#include <algorithm>

#include "base/parallel.h"
#include "kernels/copy.h"

namespace gradus::kernels {
namespace {

struct Span { int64_t begin, end; };
// Columns of row i that are in the upper triangle from the diagonal on, or in the lower one up to it.
Span in_triangle(int64_t i, int64_t columns, int64_t diagonal, bool upper) {
  const __int128 edge = static_cast<__int128>(i) + diagonal;  // any diagonal can be asked for
  const auto clamped = [&](__int128 v) { return static_cast<int64_t>(std::clamp<__int128>(v, 0, columns)); };
  return upper ? Span{clamped(edge), columns} : Span{0, clamped(edge + 1)};
}

template <class F> void indices_as(Dtype t, F&& f) {
  if (t == Dtype::i64) f.template operator()<int64_t>();
  else f.template operator()<int32_t>();
}

}  // namespace

void clear_triangle(const View& out, int64_t diagonal, bool upper) {
  if (out.numel == 0) return;
  const int64_t rows = out.sizes[out.ndim - 2], columns = out.sizes[out.ndim - 1], matrices = out.numel / (rows * columns);
  const int64_t down = out.strides[out.ndim - 2], right = out.strides[out.ndim - 1];
  const int64_t size = size_of(out.dtype);
  parallel_for(matrices * rows, std::max<int64_t>(1, 16384 / columns), [&](int64_t b, int64_t e) {
    for (int64_t r = b; r < e; ++r) {
      int64_t at = r % rows * down, rest = r / rows;
      for (int d = out.ndim - 3; d >= 0; --d) {
        at += rest % out.sizes[d] * out.strides[d];
        rest /= out.sizes[d];
      }
      const Span kept = in_triangle(r % rows, columns, diagonal, !upper);
      const Span cleared = upper ? Span{kept.end, columns} : Span{0, kept.begin};
      char* row = out.data + at * size;
      if (right == 1) std::fill(row + cleared.begin * size, row + cleared.end * size, char{0});
      else for (int64_t j = cleared.begin; j < cleared.end; ++j) std::fill_n(row + j * right * size, size, char{0});
    }
  });
}

// Rows from `low` on have some columns and from `high` on all of them. The caller has seen that rows * columns can be counted.
int64_t count_triangle(int64_t rows, int64_t columns, int64_t diagonal, bool upper) {
  const __int128 d = static_cast<__int128>(diagonal) - upper;  // the upper triangle is what the lower one before it leaves
  const __int128 low = std::clamp<__int128>(-d, 0, rows), high = std::clamp<__int128>(columns - d - 1, low, rows);
  const auto lower = static_cast<int64_t>((high - low) * (low + high + 2 * d + 1) / 2 + (rows - high) * columns);
  return upper ? rows * columns - lower : lower;
}

void triangle_indices(const View& out, int64_t rows, int64_t columns, int64_t diagonal, bool upper) {
  indices_as(out.dtype, [&]<class T>() {
    T *row = out.as<T>(), *column = row + out.numel / 2;
    const __int128 d = diagonal;                              // rows outside of [begin, end) have nothing
    const auto begin = static_cast<int64_t>(upper ? 0 : std::clamp<__int128>(-d, 0, rows));
    const auto end = out.numel == 0 ? begin : static_cast<int64_t>(upper ? std::clamp<__int128>(columns - d, 0, rows) : rows);
    for (int64_t i = begin; i < end; ++i) {
      const Span s = in_triangle(i, columns, diagonal, upper);
      for (int64_t j = s.begin; j < s.end; ++j) {
        *row++ = static_cast<T>(i);
        *column++ = static_cast<T>(j);
      }
    }
  });
}

void flip(const View& out, const View& in, uint64_t dims) {
  Sizes strides(static_cast<size_t>(in.ndim));
  int64_t first = 0;
  for (int d = 0; d < in.ndim; ++d) {
    const bool back = (dims >> d & 1) && in.sizes[d] > 0;
    if (back) first += (in.sizes[d] - 1) * in.strides[d];
    strides[static_cast<size_t>(d)] = back ? -in.strides[d] : in.strides[d];
  }
  copy(out, View{in.data + first * size_of(in.dtype), in.dtype, in.ndim, in.sizes, strides.data(), in.numel, false});
}

int64_t count_repeats(const View& repeats) {
  int64_t n = 0;
  indices_as(repeats.dtype, [&]<class T>() {
    for (int64_t i = 0; i < repeats.numel && n >= 0; ++i) {
      const int64_t r = repeats.as<T>()[i * repeats.strides[0]];
      if (r < 0 || __builtin_add_overflow(n, r, &n)) n = -1;
    }
  });
  return n;
}
void repeat_indices(const View& out, const View& repeats) {
  indices_as(repeats.dtype, [&]<class T>() {
    T* o = out.as<T>();
    for (int64_t i = 0; i < repeats.numel; ++i) o = std::fill_n(o, repeats.as<T>()[i * repeats.strides[0]], static_cast<T>(i));
  });
}

}  // namespace gradus::kernels
