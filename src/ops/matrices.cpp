#include "ops/matrices.h"

namespace gradus {

void check_elements(const Args& a, const Tensor& t) {
  GRADUS_CHECK(t.dtype() >= Dtype::f32, dtype, "{}: not defined for {}", name(a.op()), name(t.dtype()));
}
void check_matrices(const Args& a, const Tensor& t) {
  check_elements(a, t);
  GRADUS_CHECK(t.ndim() >= 2, shape, "{}: the matrices must have at least 2 dimensions, not shape {}", name(a.op()), text(t.sizes()));
}
void check_sides(const Args& a, const Tensor& t) {
  GRADUS_CHECK(t.ndim() >= 2, shape, "{}: the matrices must have at least 2 dimensions, not shape {}", name(a.op()), text(t.sizes()));
  GRADUS_CHECK(t.size(-1) == t.size(-2), shape, "{}: the matrices must be square, not of shape {}", name(a.op()), text(t.sizes()));
}
void check_square(const Args& a, const Tensor& t) {
  check_elements(a, t);
  check_sides(a, t);
}
void check_finite(const Args& a, const Tensor& t) {
  const GradMode off(false);
  GRADUS_CHECK(call(all_op, {isfinite(t)}).data<bool>()[0], value, "{}: a matrix has elements that are infinite or not a number", name(a.op()));
}
void check_infos(const Args& a, const Tensor& infos, std::string_view what) {
  const int32_t* info = infos.data<int32_t>();
  for (int64_t i = 0; i < infos.numel(); ++i) {
    if (info[i] == 0) continue;
    GRADUS_CHECK(infos.ndim() == 0, value, "{}: batch element {}: {}", name(a.op()), i, what);
    fail(Status::value, "{}: {}", name(a.op()), what);
  }
}

void check_turns(const Call& c, const Tensor& turns, const Tensor& gradient) {
  const GradMode off(false);
  const int64_t rows = -2;
  const Tensor limit = mul(add(call(linalg_vector_norm_op, {gradient, 2, SizesRef(&rows, 1)}), 1.0), 0.01);
  GRADUS_CHECK(!call(any_op, {gt(abs(turns), limit)}).data<bool>()[0], value,
               "{}: the loss depends on the factors of size 1 that complex vectors may have: it has no gradient", name(c.op()));
}

Tensor turned(const Tensor& t) {
  Layout l = t.layout();
  const size_t n = l.sizes.size();
  std::swap(l.sizes[n - 1], l.sizes[n - 2]);
  std::swap(l.strides[n - 1], l.strides[n - 2]);
  return alias(t, l.sizes, l.strides, l.offset);
}
Tensor columns_of(const Tensor& t, SizesRef batch) {
  const Tensor columns = empty(t.dtype(), with(Sizes(batch), {t.size(-1), t.size(-2)}));
  kernels::copy(view_of(columns), view_of(turned(t)));
  return columns;
}
void put_columns(const Tensor& out, const Tensor& columns) { kernels::copy(view_of(out), view_of(turned(columns))); }

Tensor repeated(const Tensor& t, SizesRef sizes) {
  if (t.contiguous() && same(t.sizes(), sizes)) return t;
  const Tensor all = empty(t.dtype(), sizes);
  kernels::copy(view_of(all), view_of(t));
  return all;
}
kernels::Stack stack_of(const Tensor& columns) {
  const int64_t rows = columns.size(-1), cols = columns.size(-2);
  return {columns.dtype(), columns.impl()->data(), numel_of(batch_of(columns)), rows, cols};
}

bool is_zero_gradient(const Tensor& g) {
  if (g.wants_grad() || g.numel() == 0) return g.numel() == 0;
  for (int64_t d = 0; d < g.ndim(); ++d)
    if (g.size(d) > 1 && g.stride(d) != 0) return false;
  return visit_all(g.dtype(), [&]<class T>() { return !convert_any<bool>(g.data<T>()[0]); });
}

Tensor real_on_diagonal(const Tensor& t) {
  if (!is_complex(t.dtype())) return t;
  const Tensor part = imag(diagonal_of(t));
  return sub(t, matrix_of(call(complex_op, {zeros_like(part), part})));
}

void lu_into(const Args& a, const Tensor& factors, const Tensor& pivots, const Tensor& infos) {
  const Tensor columns = columns_of(a.tensor(0));
  kernels::lu(name(a.op()), stack_of(columns), pivots.data<int32_t>(), infos.data<int32_t>());
  put_columns(factors, columns);
}
Tensor rows_permuted(const Tensor& t, const Tensor& pivots, bool forward) {
  const Tensor rows = call(lu_permutation_op, {pivots, t.size(-2), forward});
  const Sizes batch = broadcast_sizes(batch_of(t), SizesRef(rows.sizes()).first(static_cast<size_t>(rows.ndim() - 1)), "lu_unpack");
  const Sizes sizes = with(batch, {t.size(-2), t.size(-1)});
  return gather(expand(t, sizes), -2, expand(tall(rows), sizes));
}

}  // namespace gradus
