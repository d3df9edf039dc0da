#include "kernels/gemm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/gemm.cpp"
#include "hwy/foreach_target.h"
#include "kernels/gemm-inl.h"
#include "kernels/gemm_half-inl.h"
#include "kernels/gemm_integer-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradus::HWY_NAMESPACE {

template <class T> Product<T> product_of(const kernels::Gemm& g) {
  return {g.m,
          g.n,
          g.k,
          static_cast<const T*>(g.a),
          g.a_row,
          g.a_col,
          static_cast<const T*>(g.b),
          g.b_row,
          g.b_col,
          static_cast<T*>(g.c),
          g.ldc,
          static_cast<T>(g.alpha),
          g.accumulate,
          static_cast<const T*>(g.bias)};
}
void gemm_f32(const kernels::Gemm& g) { run_product(product_of<float>(g)); }
void gemm_f64(const kernels::Gemm& g) { run_product(product_of<double>(g)); }
void gemm_f16(const kernels::Gemm& g) { run_half<Half>(g); }
void gemm_bf16(const kernels::Gemm& g) { run_half<BFloat16>(g); }
void gemm_integer(const kernels::Gemm& g) {
  switch (g.dtype) {
    case Dtype::boolean: return run_integer<bool>(g);
    case Dtype::u8: return run_integer<uint8_t>(g);
    case Dtype::i8: return run_integer<int8_t>(g);
    case Dtype::i16: return run_integer<int16_t>(g);
    case Dtype::i32: return run_integer<int32_t>(g);
    default: return run_integer<int64_t>(g);
  }
}

}  // namespace gradus::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <type_traits>

#include "base/parallel.h"

namespace gradus {

HWY_EXPORT(gemm_f32);
HWY_EXPORT(gemm_f64);
HWY_EXPORT(gemm_f16);
HWY_EXPORT(gemm_bf16);
HWY_EXPORT(gemm_integer);

namespace kernels {
namespace {

// Multiply-adds for which other threads are not worth waking.
constexpr double kAlone = 64 * 64 * 64;
constexpr double kPart = 0x1p19;         // at least of one part: some four microseconds
constexpr double kLong = 0x1p30;         // some 50 ms: longer without a look at the context would be deaf to cancelling

double work_of(const Gemm& g) { return static_cast<double>(g.m) * static_cast<double>(g.n) * static_cast<double>(g.k); }

template <class T> T* shifted(T* p, int64_t elements, Dtype t) {
  using Byte = std::conditional_t<std::is_const_v<T>, const char, char>;
  return p ? static_cast<Byte*>(p) + elements * size_of(t) : p;
}

// k = 0 of the floating types: the sum is empty and alpha without meaning, so that an infinite one makes no NaN.
template <class T> void store_empty(const Gemm& g) {
  for (int64_t i = 0; i < g.m; ++i) {
    T* const c = static_cast<T*>(g.c) + i * g.ldc;
    for (int64_t j = 0; j < g.n; ++j) {
      if (g.bias && g.accumulate) c[j] = convert<T>(convert<double>(c[j]) + convert<double>(static_cast<const T*>(g.bias)[j]));
      else if (g.bias) c[j] = static_cast<const T*>(g.bias)[j];
      else if (!g.accumulate) c[j] = convert<T>(0.0f);
    }
  }
}

// The whole product on this thread.
void run_here(const Gemm& g) {
  if (is_integral(g.dtype)) return HWY_DYNAMIC_DISPATCH(gemm_integer)(g);
  if (g.k == 0) return visit(g.dtype, [&]<class T> { store_empty<T>(g); });
  switch (g.dtype) {
    case Dtype::f64: return HWY_DYNAMIC_DISPATCH(gemm_f64)(g);
    case Dtype::f16: return HWY_DYNAMIC_DISPATCH(gemm_f16)(g);
    case Dtype::bf16: return HWY_DYNAMIC_DISPATCH(gemm_bf16)(g);
    default: return HWY_DYNAMIC_DISPATCH(gemm_f32)(g);
  }
}

// Strides along a dimension of one element do not matter: 1 spares packing.
Gemm normalized(Gemm g) {
  if (g.m == 1) g.a_row = 1;
  if (g.n == 1) g.b_col = 1;
  if (g.k == 1) g.a_col = g.b_row = 1;
  return g;
}

// A grid over C: eight parts for each thread, so that one that comes late does less, but none of less than a few microseconds.
struct Grid {
  int64_t rows, columns;  // of one part

  Grid(const Gemm& g, int threads) : rows(g.m), columns(g.n) {
    const double enough = std::clamp(work_of(g) / (8 * threads), kPart, kLong) / static_cast<double>(g.k);
    // Every part of a row of parts prepares B anew where it is turned or converted: then rather columns.
    const bool prepared = g.b_col != 1 || size_of(g.dtype) == 2;
    const int64_t least_rows = prepared ? 192 : 24;
    while (static_cast<double>(rows) * static_cast<double>(columns) > enough) {
      if (columns > 64 && (prepared || columns > 2 * rows || rows <= least_rows)) columns = half(columns, 64);
      else if (rows > least_rows) rows = half(rows, 24);
      else if (columns > 32) columns = half(columns, 32);
      else break;
    }
  }
  int64_t weight(const Gemm& g) const {
    const double part = static_cast<double>(rows) * static_cast<double>(columns) * static_cast<double>(g.k);
    return std::max<int64_t>(1, static_cast<int64_t>(std::min(part, kLong) / kAlone));
  }
  static int64_t half(int64_t n, int64_t unit) { return (n / 2 + unit - 1) / unit * unit; }
};

void run_part(Gemm g, const Grid& grid, int64_t row, int64_t column) {
  g.a = shifted(g.a, row * g.a_row, g.dtype);
  g.b = shifted(g.b, column * g.b_col, g.dtype);
  g.c = shifted(g.c, row * g.ldc + column, g.dtype);
  g.bias = shifted(g.bias, column, g.dtype);
  g.m = std::min(grid.rows, g.m - row);
  g.n = std::min(grid.columns, g.n - column);
  run_here(g);
}

}  // namespace

void gemm(const Gemm& given) {
  if (given.m == 0 || given.n == 0) return;
  const Gemm g = normalized(given);
  // An element does not depend on the part it is calculated in, so one thread alone need not pay for parts.
  if (work_of(g) <= (thread_count() == 1 ? kLong : kAlone)) return run_here(g);
  const Grid grid(g, thread_count());
  const int64_t across = (g.n + grid.columns - 1) / grid.columns, down = (g.m + grid.rows - 1) / grid.rows;
  parallel_for(across * down, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) run_part(g, grid, i / across * grid.rows, i % across * grid.columns);
  }, grid.weight(g));
}

void gemm_batch(const Gemm& given, int64_t count, const int64_t* a_offsets, const int64_t* b_offsets, const int64_t* c_offsets) {
  if (given.m == 0 || given.n == 0) return;
  const Gemm g = normalized(given);
  const auto entry = [&](int64_t i) {
    Gemm one = g;
    if (a_offsets) one.a = shifted(g.a, a_offsets[i], g.dtype);
    if (b_offsets) one.b = shifted(g.b, b_offsets[i], g.dtype);
    if (c_offsets) one.c = shifted(g.c, c_offsets[i], g.dtype);
    return one;
  };
  const double work = work_of(g);
  if (work > 8 * kAlone && count < 32) {  // few and large: threads inside each
    for (int64_t i = 0; i < count; ++i) gemm(entry(i));
    return;
  }
  parallel_for(count, static_cast<int64_t>(std::max(1.0, kAlone / std::max(work, 1.0))), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) run_here(entry(i));
  });
}

}  // namespace kernels
}  // namespace gradus
#endif
