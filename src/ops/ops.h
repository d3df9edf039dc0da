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

// ---- reduce.cpp: over dimensions
extern Op sum_op;
inline Tensor sum(const Tensor& self, SizesRef dim, bool keepdim = false, Dtype dtype = Dtype::none) { return call(sum_op, {self, dim, keepdim, dtype}); }
inline Tensor sum(const Tensor& self) { return call(sum_op, {self}); }

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

// ---- softmax.cpp: softmax, log_softmax, logsumexp

// ---- scan.cpp: running sums and products

// ---- sort.cpp: order

// ---- join.cpp: joining and repeating

// ---- index.cpp: reading at indices

// ---- scatter.cpp: writing at indices

// ---- random.cpp: random numbers
extern Op rand_op, randn_op, rand_like_op, randn_like_op, randint_op, randint_like_op, randperm_op, uniform_op, normal_op, exponential_op,
    log_normal_op, cauchy_op, geometric_op, random_op, bernoulli_op, normal_around_op, multinomial_op;
inline Tensor rand(SizesRef size, Dtype dtype = Dtype::none) { return call(rand_op, {size, dtype}); }
inline Tensor randn(SizesRef size, Dtype dtype = Dtype::none) { return call(randn_op, {size, dtype}); }
inline Tensor randint(int64_t low, int64_t high, SizesRef size) { return call(randint_op, {low, high, size}); }
inline Tensor randperm(int64_t n) { return call(randperm_op, {n}); }

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
extern Op native_dropout_op, native_dropout_backward_op, dropout_op, feature_dropout_op, alpha_dropout_op, feature_alpha_dropout_op;
inline Tensors native_dropout(const Tensor& input, double p, bool train) { return call_all(native_dropout_op, {input, p, train}); }
inline Tensor dropout(const Tensor& input, double p, bool train) { return call(dropout_op, {input, p, train}); }

// ---- conv.cpp: convolution

// ---- pool.cpp: pooling

// ---- normalize.cpp: normalisation

// ---- rnn.cpp: recurrent cells and layers

// ---- attention.cpp: attention

// ---- pad.cpp: padding, resampling, fold

// ---- linalg.cpp: linear algebra

}  // namespace gradus
