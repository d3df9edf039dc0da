#include "kernels/matmul.h"

#include <algorithm>

#include "base/memory.h"
#include "base/parallel.h"
#include "kernels/gemm.h"

namespace gradus::kernels {
namespace {

Matrices matrices(const View& v) {
  Matrices m;
  m.data = v.data;
  m.dtype = v.dtype;
  const int d = v.ndim - 2;
  for (int i = 0; i < d; ++i) {
    m.batch.push_back(v.sizes[i]);
    m.batch_strides.push_back(v.strides[i]);
  }
  m.rows = v.sizes[d];
  m.cols = v.sizes[d + 1];
  m.row_stride = v.strides[d];
  m.col_stride = v.strides[d + 1];
  return m;
}

bool repeated(const Matrices& m) {
  for (size_t d = 0; d < m.batch.size(); ++d)
    if (m.batch[d] != 1 && m.batch_strides[d] != 0) return false;
  return true;
}

// Whether all rows of the stack lie at one stride, as the rows of one matrix; then that stride.
bool fold_rows(const Matrices& m, SizesRef batch, int64_t count, int64_t& stride) {
  Sizes sizes(batch), strides = broadcast_strides(m.batch, m.batch_strides, batch), result;
  sizes.push_back(m.rows);
  strides.push_back(m.row_stride);
  const int64_t rows = count * m.rows;
  if (!reshape_strides(sizes, strides, {&rows, 1}, result)) return false;
  stride = result[0];
  return true;
}

// Where each matrix of the broadcast batch begins.
void offsets(const Matrices& m, SizesRef batch, int64_t count, int64_t* out) {
  const Sizes strides = broadcast_strides(m.batch, m.batch_strides, batch);
  Sizes index(batch.size(), 0);
  int64_t at = 0;
  for (int64_t i = 0; i < count; ++i) {
    out[i] = at;
    for (size_t d = batch.size(); d-- > 0;) {
      at += strides[d];
      if (++index[d] < batch[d]) break;
      at -= strides[d] * batch[d];
      index[d] = 0;
    }
  }
}

}  // namespace

Matrices left_matrices(const View& v) {
  if (v.ndim > 1) return matrices(v);
  return {v.data, v.dtype, {}, {}, 1, v.sizes[0], 0, v.strides[0]};
}
Matrices right_matrices(const View& v) {
  if (v.ndim > 1) return matrices(v);
  return {v.data, v.dtype, {}, {}, v.sizes[0], 1, v.strides[0], 0};
}
Matrices transposed(Matrices m) {
  std::swap(m.rows, m.cols);
  std::swap(m.row_stride, m.col_stride);
  return m;
}

void matmul(const View& out, const Matrices& a, const Matrices& b, SizesRef batch, Number alpha, bool accumulate, const char* bias) {
  if (out.numel == 0) return;
  Gemm g{{a.rows, b.cols, a.cols, a.data, a.row_stride, a.col_stride, b.data, b.row_stride, b.col_stride, out.data, b.cols, alpha.f, accumulate, bias},
         out.dtype, alpha.i};
  const int64_t count = numel_of(batch);
  if (count == 1) return gemm(g);
  if (repeated(b) && fold_rows(a, batch, count, g.a_row)) {
    g.m *= count;
    return gemm(g);
  }
  const Scratch scratch(static_cast<size_t>(3 * count) * sizeof(int64_t));
  auto* at = scratch.as<int64_t>();
  offsets(a, batch, count, at);
  offsets(b, batch, count, at + count);
  for (int64_t i = 0; i < count; ++i) at[2 * count + i] = i * g.m * g.n;
  gemm_batch(g, count, at, at + count, at + 2 * count);
}

// n elements from the i-th on, one behind the other: the same sums from any strides.
template <class T> static const T* in_line(const View& v, int64_t i, int64_t n, T* buffer) {
  const int64_t stride = v.strides[0];
  if (stride == 1 || n == 1) return v.as<T>() + i * stride;
  for (int64_t j = 0; j < n; ++j) buffer[j] = v.as<T>()[(i + j) * stride];
  return buffer;
}
template <class T> static void dot_blocks(const View& out, const View& a, const View& b) {
  constexpr int64_t kBlock = 4096;
  const int64_t n = a.numel, blocks = (n + kBlock - 1) / kBlock;
  const Scratch sums(static_cast<size_t>(blocks + 1) * sizeof(double));
  parallel_for(blocks, 16, [&](int64_t first, int64_t last) {
    alignas(64) T x[kBlock], y[kBlock];
    for (int64_t i = first; i < last; ++i) {
      const int64_t at = i * kBlock, length = std::min(kBlock, n - at);
      dot_block(in_line(a, at, length, x), in_line(b, at, length, y), length, sums.as<double>() + i);
    }
  });
  double sum = 0;
  for (int64_t i = 0; i < blocks; ++i) sum += sums.as<double>()[i];
  *out.as<T>() = static_cast<T>(sum);
}

void dot(const View& out, const View& a, const View& b) {
  if (out.dtype == Dtype::f32) return dot_blocks<float>(out, a, b);
  if (out.dtype == Dtype::f64) return dot_blocks<double>(out, a, b);
  matmul(out, left_matrices(a), right_matrices(b), {});
}

}  // namespace gradus::kernels
