// The table of contents: every public C++ function over tensors, by family, each beside its record. Argument order and defaults
// are the schema's.
#pragma once
#include <optional>

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

// ---- reduce.cpp: sums, products, counts, moments over dimensions
extern Op sum_op, nansum_op, mean_op, nanmean_op, prod_op, all_op, any_op, count_nonzero_op, var_op, std_op, var_mean_op, std_mean_op;
inline Tensor sum(const Tensor& self, SizesRef dim, bool keepdim = false, Dtype dtype = Dtype::none) { return call(sum_op, {self, dim, keepdim, dtype}); }
inline Tensor sum(const Tensor& self) { return call(sum_op, {self}); }
inline Tensor mean(const Tensor& self, SizesRef dim, bool keepdim = false, Dtype dtype = Dtype::none) { return call(mean_op, {self, dim, keepdim, dtype}); }
inline Tensor mean(const Tensor& self) { return call(mean_op, {self}); }
inline Tensor prod(const Tensor& self) { return call(prod_op, {self}); }
inline Tensor var(const Tensor& self, SizesRef dim, std::optional<Number> correction = {}, bool keepdim = false) { return call(var_op, {self, dim, correction, keepdim}); }
inline Tensor std_dev(const Tensor& self, SizesRef dim, std::optional<Number> correction = {}, bool keepdim = false) { return call(std_op, {self, dim, correction, keepdim}); }

// ---- extreme.cpp: largest and smallest elements
extern Op share_of_ties_op, amax_op, amin_op, max_op, min_op, aminmax_op, max_dim_op, min_dim_op, argmax_op, argmin_op;
inline Tensor amax(const Tensor& self, SizesRef dim = {}, bool keepdim = false) { return call(amax_op, {self, dim, keepdim}); }
inline Tensor amin(const Tensor& self, SizesRef dim = {}, bool keepdim = false) { return call(amin_op, {self, dim, keepdim}); }
inline Tensor argmax(const Tensor& self, std::optional<int64_t> dim = {}, bool keepdim = false) { return call(argmax_op, {self, dim, keepdim}); }

// ---- view.cpp: other layouts of the same storage
extern Op view_op, reshape_op, expand_op;
inline Tensor view(const Tensor& self, SizesRef size) { return call(view_op, {self, size}); }
inline Tensor reshape(const Tensor& self, SizesRef shape) { return call(reshape_op, {self, shape}); }
inline Tensor expand(const Tensor& self, SizesRef size) { return call(expand_op, {self, size}); }

extern Op permute_op;
inline Tensor permute(const Tensor& self, SizesRef dims) { return call(permute_op, {self, dims}); }

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
extern Op linalg_vector_norm_op, norm_op;
inline Tensor norm(const Tensor& self, Number p = 2.0, SizesRef dim = {}, bool keepdim = false) { return call(norm_op, {self, p, dim, keepdim}); }

// ---- softmax.cpp: softmax, log_softmax, logsumexp
extern Op softmax_op, log_softmax_op, softmax_data_op, log_softmax_data_op, safe_softmax_op, softmax_backward_data_op, log_softmax_backward_data_op, logsumexp_op;
inline Tensor softmax(const Tensor& self, int64_t dim, Dtype dtype = Dtype::none) { return call(softmax_op, {self, dim, dtype}); }
inline Tensor log_softmax(const Tensor& self, int64_t dim, Dtype dtype = Dtype::none) { return call(log_softmax_op, {self, dim, dtype}); }
inline Tensor logsumexp(const Tensor& self, SizesRef dim, bool keepdim = false) { return call(logsumexp_op, {self, dim, keepdim}); }

// ---- scan.cpp: running sums and products
extern Op cumsum_op, reverse_cumsum_op, cumprod_op, cummax_op, cummin_op, logcumsumexp_op, reverse_logcumsumexp_op, diff_op;
inline Tensor cumsum(const Tensor& self, int64_t dim, Dtype dtype = Dtype::none) { return call(cumsum_op, {self, dim, dtype}); }

// ---- sort.cpp: order, and elements picked along a dimension
extern Op value_selecting_reduction_backward_op, select_along_op, sort_op, argsort_op, msort_op, topk_op, kthvalue_op, median_op, median_dim_op, nanmedian_op, nanmedian_dim_op, mode_op;

// ---- join.cpp: joining and repeating

// ---- index.cpp: reading at indices

// ---- scatter.cpp: writing at indices

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
