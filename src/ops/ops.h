// The table of contents: every public C++ function over tensors, by family, each beside its record. Argument order and defaults
// are the schema's.
#pragma once
#include <optional>
#include <span>

#include "graph/call.h"

namespace gradus {

// ---- unary.cpp: functions of one tensor, element by element
extern Op exp_op, log_op, sin_op, cos_op, tanh_op, sigmoid_op, erf_op, neg_op, abs_op, square_op, sqrt_op, relu_op;
inline Tensor exp(const Tensor& self) { return call(exp_op, {self}); }
inline Tensor log(const Tensor& self) { return call(log_op, {self}); }
inline Tensor sin(const Tensor& self) { return call(sin_op, {self}); }
inline Tensor cos(const Tensor& self) { return call(cos_op, {self}); }
inline Tensor tanh(const Tensor& self) { return call(tanh_op, {self}); }
inline Tensor sigmoid(const Tensor& self) { return call(sigmoid_op, {self}); }
inline Tensor erf(const Tensor& self) { return call(erf_op, {self}); }
inline Tensor neg(const Tensor& self) { return call(neg_op, {self}); }
inline Tensor abs(const Tensor& self) { return call(abs_op, {self}); }
inline Tensor square(const Tensor& self) { return call(square_op, {self}); }
inline Tensor sqrt(const Tensor& self) { return call(sqrt_op, {self}); }
inline Tensor relu(const Tensor& self) { return call(relu_op, {self}); }

// ---- binary.cpp: two tensors, or a tensor and a number, with broadcasting
extern Op add_op, sub_op, mul_op, div_op, maximum_op, lt_op, gt_op, le_op, ge_op, eq_op, ne_op, where_op;
inline Tensor add(const Value& self, const Value& other) { return call(add_op, {self, other}); }
inline Tensor sub(const Value& self, const Value& other) { return call(sub_op, {self, other}); }
inline Tensor mul(const Value& self, const Value& other) { return call(mul_op, {self, other}); }
inline Tensor div(const Value& self, const Value& other) { return call(div_op, {self, other}); }
inline Tensor maximum(const Value& self, const Value& other) { return call(maximum_op, {self, other}); }
inline Tensor lt(const Value& self, const Value& other) { return call(lt_op, {self, other}); }
inline Tensor gt(const Value& self, const Value& other) { return call(gt_op, {self, other}); }
inline Tensor le(const Value& self, const Value& other) { return call(le_op, {self, other}); }
inline Tensor ge(const Value& self, const Value& other) { return call(ge_op, {self, other}); }
inline Tensor eq(const Value& self, const Value& other) { return call(eq_op, {self, other}); }
inline Tensor ne(const Value& self, const Value& other) { return call(ne_op, {self, other}); }
inline Tensor where(const Tensor& condition, const Value& self, const Value& other) { return call(where_op, {condition, self, other}); }
inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator+(const Tensor& a, double b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, double b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, double b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, double b) { return div(a, b); }
inline Tensor operator-(const Tensor& a) { return neg(a); }

// ---- reduce.cpp: over dimensions
extern Op sum_op;
inline Tensor sum(const Tensor& self, SizesRef dim, bool keepdim = false, Dtype dtype = Dtype::none) { return call(sum_op, {self, dim, keepdim, dtype}); }
inline Tensor sum(const Tensor& self) { return call(sum_op, {self}); }

// ---- view.cpp: other shapes of the same elements
extern Op view_op, unsafe_view_op, reshape_op, reshape_alias_op, view_as_op, reshape_as_op, flatten_op, unflatten_op, ravel_op, atleast_1d_op, atleast_2d_op,
    atleast_3d_op, expand_op, expand_as_op, broadcast_to_op, alias_op, detach_op;
inline Tensor view(const Tensor& self, SizesRef size) { return call(view_op, {self, size}); }
inline Tensor reshape(const Tensor& self, SizesRef shape) { return call(reshape_op, {self, shape}); }
inline Tensor expand(const Tensor& self, SizesRef size) { return call(expand_op, {self, size}); }
inline Tensor flatten(const Tensor& self, int64_t start_dim = 0, int64_t end_dim = -1) { return call(flatten_op, {self, start_dim, end_dim}); }

// ---- view_dims.cpp: dimensions reordered, dropped, added
extern Op t_op, mt_op, numpy_t_op, transpose_op, swapaxes_op, swapdims_op, permute_op, movedim_op, moveaxis_op, squeeze_op, unsqueeze_op;
inline Tensor t(const Tensor& self) { return call(t_op, {self}); }
inline Tensor transpose(const Tensor& self, int64_t dim0, int64_t dim1) { return call(transpose_op, {self, dim0, dim1}); }
inline Tensor permute(const Tensor& self, SizesRef dims) { return call(permute_op, {self, dims}); }
inline Tensor movedim(const Tensor& self, SizesRef source, SizesRef destination) { return call(movedim_op, {self, source, destination}); }
inline Tensor squeeze(const Tensor& self) { return call(squeeze_op, {self}); }
inline Tensor squeeze(const Tensor& self, SizesRef dim) { return call(squeeze_op, {self, dim}); }
inline Tensor squeeze(const Tensor& self, int64_t dim) { return call(squeeze_op, {self, dim}); }
inline Tensor unsqueeze(const Tensor& self, int64_t dim) { return call(unsqueeze_op, {self, dim}); }

// ---- view_region.cpp: parts, what is zero around them, and replacing them
extern Op select_op, select_backward_op, select_scatter_op, slice_op, slice_backward_op, slice_scatter_op, narrow_op, diagonal_op, diagonal_backward_op,
    diagonal_scatter_op, unfold_op, unfold_backward_op;
inline Tensor select(const Tensor& self, int64_t dim, int64_t index) { return call(select_op, {self, dim, index}); }
inline Tensor slice(const Tensor& self, int64_t dim = 0, std::optional<int64_t> start = {}, std::optional<int64_t> end = {}, int64_t step = 1) {
  return call(slice_op, {self, dim, start, end, step});
}
inline Tensor narrow(const Tensor& self, int64_t dim, int64_t start, int64_t length) { return call(narrow_op, {self, dim, start, length}); }
inline Tensor diagonal(const Tensor& self, int64_t offset = 0, int64_t dim1 = 0, int64_t dim2 = 1) { return call(diagonal_op, {self, offset, dim1, dim2}); }

// ---- view_split.cpp: several parts at once
extern Op split_op, split_with_sizes_op, chunk_op, unbind_op, tensor_split_op, tensor_split_indices_op, hsplit_op, hsplit_indices_op, vsplit_op,
    vsplit_indices_op, dsplit_op, dsplit_indices_op;
inline Tensors split(const Tensor& self, int64_t split_size, int64_t dim = 0) { return call_all(split_op, {self, split_size, dim}); }
inline Tensors split_with_sizes(const Tensor& self, SizesRef split_sizes, int64_t dim = 0) { return call_all(split_with_sizes_op, {self, split_sizes, dim}); }
inline Tensors chunk(const Tensor& self, int64_t chunks, int64_t dim = 0) { return call_all(chunk_op, {self, chunks, dim}); }
inline Tensors unbind(const Tensor& self, int64_t dim = 0) { return call_all(unbind_op, {self, dim}); }

// ---- strided.cpp: regions of memory
extern Op as_strided_op, strided_view_op, strided_gather_op, strided_put_op;

// ---- create.cpp: new tensors
extern Op empty_op, zeros_op, ones_op, full_op, scalar_tensor_op, empty_like_op, zeros_like_op, ones_like_op, full_like_op, new_empty_op,
    new_zeros_op, new_ones_op, new_full_op, arange_op, range_op, linspace_op, logspace_op, eye_op;
inline Tensor zeros(SizesRef size, Dtype dtype = Dtype::none) { return call(zeros_op, {size, dtype}); }
inline Tensor ones(SizesRef size, Dtype dtype = Dtype::none) { return call(ones_op, {size, dtype}); }
inline Tensor full(SizesRef size, Number fill_value, Dtype dtype = Dtype::none) { return call(full_op, {size, fill_value, dtype}); }
inline Tensor scalar_tensor(Number s, Dtype dtype = Dtype::none) { return call(scalar_tensor_op, {s, dtype}); }
inline Tensor zeros_like(const Tensor& self, Dtype dtype = Dtype::none) { return call(zeros_like_op, {self, dtype}); }
inline Tensor ones_like(const Tensor& self, Dtype dtype = Dtype::none) { return call(ones_like_op, {self, dtype}); }
inline Tensor full_like(const Tensor& self, Number fill_value, Dtype dtype = Dtype::none) { return call(full_like_op, {self, fill_value, dtype}); }
inline Tensor arange(Number start, Number end, Number step = 1, Dtype dtype = Dtype::none) { return call(arange_op, {start, end, step, dtype}); }
inline Tensor linspace(Number start, Number end, int64_t steps, Dtype dtype = Dtype::none) { return call(linspace_op, {start, end, steps, dtype}); }
inline Tensor eye(int64_t n, Dtype dtype = Dtype::none) { return call(eye_op, {n, Value(std::nullopt), dtype}); }

// ---- copy.cpp: casts and copies
extern Op to_op, to_copy_op, clone_op, copy_op, contiguous_op, fill_op, zero_op;
inline Tensor to(const Tensor& self, Dtype dtype) { return call(to_op, {self, dtype}); }
inline Tensor contiguous(const Tensor& self) { return call(contiguous_op, {self}); }

// ---- activation.cpp: activation functions

// ---- norm.cpp: norms of vectors and matrices

// ---- softmax.cpp: softmax, log_softmax, logsumexp

// ---- scan.cpp: running sums and products

// ---- sort.cpp: order

// ---- join.cpp: tensors put together
extern Op cat_op, joined_op, stack_op, hstack_op, vstack_op, dstack_op, column_stack_op, broadcast_tensors_op, meshgrid_op, cartesian_prod_op, block_diag_op;
inline Tensor cat(std::span<const Tensor> tensors, int64_t dim = 0) { return call(cat_op, {tensors, dim}); }
inline Tensor stack(std::span<const Tensor> tensors, int64_t dim = 0) { return call(stack_op, {tensors, dim}); }

// ---- repeat.cpp: elements repeated and rearranged
extern Op repeat_op, tile_op, repeat_interleave_op, repeat_interleave_tensor_op, repeat_indices_op, tril_op, triu_op, tril_indices_op, triu_indices_op,
    roll_op, flip_op, fliplr_op, flipud_op, rot90_op;
inline Tensor repeat(const Tensor& self, SizesRef repeats) { return call(repeat_op, {self, repeats}); }
inline Tensor tril(const Tensor& self, int64_t diagonal = 0) { return call(tril_op, {self, diagonal}); }
inline Tensor triu(const Tensor& self, int64_t diagonal = 0) { return call(triu_op, {self, diagonal}); }
inline Tensor flip(const Tensor& self, SizesRef dims) { return call(flip_op, {self, dims}); }

// ---- index.cpp: reading at indices
extern Op gather_op, index_select_op, take_op, take_along_dim_op, index_op, masked_select_op, nonzero_op, argwhere_op, nonzero_numpy_op;
inline Tensor gather(const Tensor& self, int64_t dim, const Tensor& index) { return call(gather_op, {self, dim, index}); }
inline Tensor index_select(const Tensor& self, int64_t dim, const Tensor& index) { return call(index_select_op, {self, dim, index}); }
inline Tensor take(const Tensor& self, const Tensor& index) { return call(take_op, {self, index}); }
inline Tensor index(const Tensor& self, std::span<const Tensor> indices) { return call(index_op, {self, indices}); }
inline Tensor masked_select(const Tensor& self, const Tensor& mask) { return call(masked_select_op, {self, mask}); }

// ---- embedding.cpp: rows of tables, classes, sorted places
extern Op embedding_op, embedding_dense_backward_op, one_hot_op, searchsorted_op, bucketize_op;
inline Tensor embedding(const Tensor& weight, const Tensor& indices, int64_t padding_idx = -1, bool scale_grad_by_freq = false) {
  return call(embedding_op, {weight, indices, padding_idx, scale_grad_by_freq});
}

// ---- scatter.cpp: writing at indices
extern Op scatter_op, scatter_winner_op, index_winner_op, scatter_add_op, index_put_op, put_op;
inline Tensor scatter_add(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src) { return call(scatter_add_op, {self, dim, index, src}); }
inline Tensor scatter(const Tensor& self, int64_t dim, const Tensor& index, const Value& src) { return call(scatter_op, {self, dim, index, src}); }
inline Tensor index_put(const Tensor& self, std::span<const Tensor> indices, const Tensor& values, bool accumulate = false) {
  return call(index_put_op, {self, indices, values, accumulate});
}

// ---- masked.cpp: writing where a mask is true, and on diagonals
extern Op masked_fill_op, masked_scatter_op, fill_diagonal_op;
inline Tensor masked_fill(const Tensor& self, const Tensor& mask, const Value& value) { return call(masked_fill_op, {self, mask, value}); }

// ---- scatter_reduce.cpp: several values for one place reduced
extern Op scatter_reduce_op, index_reduce_op;
inline Tensor scatter_reduce(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce, bool include_self = true) {
  return call(scatter_reduce_op, {self, dim, index, src, reduce, include_self});
}

// ---- scatter_rows.cpp: writing whole parts at indices of a dimension
extern Op index_add_op, index_copy_op, index_fill_op;
inline Tensor index_add(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source) { return call(index_add_op, {self, dim, index, source}); }

// ---- random.cpp: random numbers

// ---- matmul.cpp: matrix products
extern Op mm_op, bmm_op, mv_op, dot_op, vdot_op, matmul_op, linalg_matmul_op, addmm_op, baddbmm_op, addmv_op, linear_op;
inline Tensor mm(const Tensor& self, const Tensor& mat2) { return call(mm_op, {self, mat2}); }
inline Tensor bmm(const Tensor& self, const Tensor& mat2) { return call(bmm_op, {self, mat2}); }
inline Tensor mv(const Tensor& self, const Tensor& vec) { return call(mv_op, {self, vec}); }
inline Tensor dot(const Tensor& self, const Tensor& tensor) { return call(dot_op, {self, tensor}); }
inline Tensor vdot(const Tensor& self, const Tensor& other) { return call(vdot_op, {self, other}); }
inline Tensor matmul(const Tensor& self, const Tensor& other) { return call(matmul_op, {self, other}); }
inline Tensor addmm(const Tensor& self, const Tensor& mat1, const Tensor& mat2, Number beta = 1, Number alpha = 1) { return call(addmm_op, {self, mat1, mat2, beta, alpha}); }
inline Tensor baddbmm(const Tensor& self, const Tensor& batch1, const Tensor& batch2, Number beta = 1, Number alpha = 1) { return call(baddbmm_op, {self, batch1, batch2, beta, alpha}); }
inline Tensor addmv(const Tensor& self, const Tensor& mat, const Tensor& vec, Number beta = 1, Number alpha = 1) { return call(addmv_op, {self, mat, vec, beta, alpha}); }
inline Tensor linear(const Tensor& input, const Tensor& weight, const Tensor& bias = {}) { return call(linear_op, {input, weight, bias}); }

// ---- products.cpp: products that are compositions
extern Op outer_op, ger_op, inner_op, tensordot_op, kron_op, addr_op, addbmm_op, linalg_multi_dot_op, linalg_vecdot_op;
inline Tensor outer(const Tensor& self, const Tensor& vec2) { return call(outer_op, {self, vec2}); }
inline Tensor inner(const Tensor& self, const Tensor& other) { return call(inner_op, {self, other}); }
inline Tensor tensordot(const Tensor& self, const Tensor& other, SizesRef dims_self, SizesRef dims_other) { return call(tensordot_op, {self, other, dims_self, dims_other}); }
inline Tensor kron(const Tensor& self, const Tensor& other) { return call(kron_op, {self, other}); }

// ---- einsum.cpp: einsum
extern Op einsum_op;
inline Tensor einsum(std::string_view equation, std::span<const Tensor> tensors) { return call(einsum_op, {equation, tensors}); }

// ---- loss.cpp: losses

// ---- dropout.cpp: dropout

// ---- conv.cpp: convolution

// ---- pool.cpp: pooling

// ---- normalize.cpp: normalisation

// ---- rnn.cpp: recurrent cells and layers

// ---- attention.cpp: attention

// ---- pad.cpp: padding, resampling, fold

// ---- linalg.cpp: linear algebra

}  // namespace gradus
