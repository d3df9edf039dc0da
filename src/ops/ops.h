// The table of contents: every public C++ function over tensors, by family, each beside its record. Argument order and defaults
// are the schema's.
#pragma once
#include <optional>
#include <span>

#include "graph/call.h"

namespace gradus {

// ---- unary.cpp: functions of one tensor, element by element
extern Op exp_op, exp2_op, expm1_op, log_op, log2_op, log10_op, log1p_op, sin_op, cos_op, tan_op, asin_op, acos_op, atan_op;
extern Op sinh_op, cosh_op, tanh_op, asinh_op, acosh_op, atanh_op, sigmoid_op, erf_op, erfc_op, erfinv_op, special_ndtr_op;
extern Op lgamma_op, digamma_op, sinc_op, polygamma_of_op, polygamma_op, logit_op, deg2rad_op, rad2deg_op, neg_op, abs_op;
extern Op square_op, sqrt_op, rsqrt_op, reciprocal_op, sign_op, floor_op, ceil_op, trunc_op, frac_op, round_op, positive_op;
extern Op nan_to_num_of_op, nan_to_num_op;
inline Tensor exp(const Tensor& self) { return call(exp_op, {self}); }
inline Tensor exp2(const Tensor& self) { return call(exp2_op, {self}); }
inline Tensor expm1(const Tensor& self) { return call(expm1_op, {self}); }
inline Tensor log(const Tensor& self) { return call(log_op, {self}); }
inline Tensor log2(const Tensor& self) { return call(log2_op, {self}); }
inline Tensor log10(const Tensor& self) { return call(log10_op, {self}); }
inline Tensor log1p(const Tensor& self) { return call(log1p_op, {self}); }
inline Tensor sin(const Tensor& self) { return call(sin_op, {self}); }
inline Tensor cos(const Tensor& self) { return call(cos_op, {self}); }
inline Tensor tan(const Tensor& self) { return call(tan_op, {self}); }
inline Tensor asin(const Tensor& self) { return call(asin_op, {self}); }
inline Tensor acos(const Tensor& self) { return call(acos_op, {self}); }
inline Tensor atan(const Tensor& self) { return call(atan_op, {self}); }
inline Tensor sinh(const Tensor& self) { return call(sinh_op, {self}); }
inline Tensor cosh(const Tensor& self) { return call(cosh_op, {self}); }
inline Tensor tanh(const Tensor& self) { return call(tanh_op, {self}); }
inline Tensor asinh(const Tensor& self) { return call(asinh_op, {self}); }
inline Tensor acosh(const Tensor& self) { return call(acosh_op, {self}); }
inline Tensor atanh(const Tensor& self) { return call(atanh_op, {self}); }
inline Tensor sigmoid(const Tensor& self) { return call(sigmoid_op, {self}); }
inline Tensor erf(const Tensor& self) { return call(erf_op, {self}); }
inline Tensor erfc(const Tensor& self) { return call(erfc_op, {self}); }
inline Tensor erfinv(const Tensor& self) { return call(erfinv_op, {self}); }
inline Tensor special_ndtr(const Tensor& self) { return call(special_ndtr_op, {self}); }
inline Tensor lgamma(const Tensor& self) { return call(lgamma_op, {self}); }
inline Tensor digamma(const Tensor& self) { return call(digamma_op, {self}); }
inline Tensor sinc(const Tensor& self) { return call(sinc_op, {self}); }
inline Tensor deg2rad(const Tensor& self) { return call(deg2rad_op, {self}); }
inline Tensor rad2deg(const Tensor& self) { return call(rad2deg_op, {self}); }
inline Tensor neg(const Tensor& self) { return call(neg_op, {self}); }
inline Tensor abs(const Tensor& self) { return call(abs_op, {self}); }
inline Tensor square(const Tensor& self) { return call(square_op, {self}); }
inline Tensor sqrt(const Tensor& self) { return call(sqrt_op, {self}); }
inline Tensor rsqrt(const Tensor& self) { return call(rsqrt_op, {self}); }
inline Tensor reciprocal(const Tensor& self) { return call(reciprocal_op, {self}); }
inline Tensor sign(const Tensor& self) { return call(sign_op, {self}); }
inline Tensor floor(const Tensor& self) { return call(floor_op, {self}); }
inline Tensor ceil(const Tensor& self) { return call(ceil_op, {self}); }
inline Tensor trunc(const Tensor& self) { return call(trunc_op, {self}); }
inline Tensor frac(const Tensor& self) { return call(frac_op, {self}); }
inline Tensor positive(const Tensor& self) { return call(positive_op, {self}); }
inline Tensor polygamma(int64_t n, const Tensor& self) { return call(polygamma_op, {n, self}); }
inline Tensor logit(const Tensor& self, std::optional<double> eps = {}) { return call(logit_op, {self, eps}); }
inline Tensor round(const Tensor& self, int64_t decimals = 0) { return call(round_op, {self, decimals}); }
inline Tensor nan_to_num(const Tensor& self, std::optional<double> nan = {}, std::optional<double> posinf = {}, std::optional<double> neginf = {}) {
  return call(nan_to_num_op, {self, nan, posinf, neginf});
}

// ---- special.cpp: rare special functions
extern Op i0_op, special_i0e_op, special_i1_op, special_i1e_op, special_erfcx_op, special_ndtri_op, special_log_ndtr_op, special_entr_op;
extern Op zeta_op, gamma_p_op, gamma_q_op, special_zeta_op, igamma_op, igammac_op, mvlgamma_op;

// ---- binary.cpp: two tensors, or a tensor and a number, with broadcasting
extern Op add_op, sub_op, rsub_op, mul_op, div_op, floor_divide_op, trunc_divide_op, div_mode_op, fmod_op, remainder_op;
extern Op pow_op, float_power_op, maximum_op, minimum_op, fmax_op, fmin_op, atan2_op, hypot_op, copysign_op, xlogy_op;
extern Op special_xlog1py_op, logaddexp_op, logaddexp2_op, nextafter_op, heaviside_op, ldexp_op, bitwise_and_op, bitwise_or_op;
extern Op bitwise_xor_op, bitwise_not_op, bitwise_left_shift_op, bitwise_right_shift_op, gcd_op, lcm_op;
inline Tensor add(const Value& self, const Value& other, Number alpha = 1) { return call(add_op, {self, other, alpha}); }
inline Tensor sub(const Value& self, const Value& other, Number alpha = 1) { return call(sub_op, {self, other, alpha}); }
inline Tensor rsub(const Value& self, const Value& other, Number alpha = 1) { return call(rsub_op, {self, other, alpha}); }
inline Tensor pow(const Value& self, const Value& exponent) { return call(pow_op, {self, exponent}); }
inline Tensor float_power(const Value& self, const Value& exponent) { return call(float_power_op, {self, exponent}); }
inline Tensor div_mode(const Value& self, const Value& other, std::optional<std::string_view> rounding_mode) {
  return call(div_mode_op, {self, other, rounding_mode});
}
inline Tensor heaviside(const Value& self, const Value& values) { return call(heaviside_op, {self, values}); }
inline Tensor bitwise_not(const Tensor& self) { return call(bitwise_not_op, {self}); }
inline Tensor mul(const Value& self, const Value& other) { return call(mul_op, {self, other}); }
inline Tensor div(const Value& self, const Value& other) { return call(div_op, {self, other}); }
inline Tensor floor_divide(const Value& self, const Value& other) { return call(floor_divide_op, {self, other}); }
inline Tensor trunc_divide(const Value& self, const Value& other) { return call(trunc_divide_op, {self, other}); }
inline Tensor fmod(const Value& self, const Value& other) { return call(fmod_op, {self, other}); }
inline Tensor remainder(const Value& self, const Value& other) { return call(remainder_op, {self, other}); }
inline Tensor maximum(const Value& self, const Value& other) { return call(maximum_op, {self, other}); }
inline Tensor minimum(const Value& self, const Value& other) { return call(minimum_op, {self, other}); }
inline Tensor fmax(const Value& self, const Value& other) { return call(fmax_op, {self, other}); }
inline Tensor fmin(const Value& self, const Value& other) { return call(fmin_op, {self, other}); }
inline Tensor atan2(const Value& self, const Value& other) { return call(atan2_op, {self, other}); }
inline Tensor hypot(const Value& self, const Value& other) { return call(hypot_op, {self, other}); }
inline Tensor copysign(const Value& self, const Value& other) { return call(copysign_op, {self, other}); }
inline Tensor xlogy(const Value& self, const Value& other) { return call(xlogy_op, {self, other}); }
inline Tensor special_xlog1py(const Value& self, const Value& other) { return call(special_xlog1py_op, {self, other}); }
inline Tensor logaddexp(const Value& self, const Value& other) { return call(logaddexp_op, {self, other}); }
inline Tensor logaddexp2(const Value& self, const Value& other) { return call(logaddexp2_op, {self, other}); }
inline Tensor nextafter(const Value& self, const Value& other) { return call(nextafter_op, {self, other}); }
inline Tensor ldexp(const Value& self, const Value& other) { return call(ldexp_op, {self, other}); }
inline Tensor bitwise_and(const Value& self, const Value& other) { return call(bitwise_and_op, {self, other}); }
inline Tensor bitwise_or(const Value& self, const Value& other) { return call(bitwise_or_op, {self, other}); }
inline Tensor bitwise_xor(const Value& self, const Value& other) { return call(bitwise_xor_op, {self, other}); }
inline Tensor bitwise_left_shift(const Value& self, const Value& other) { return call(bitwise_left_shift_op, {self, other}); }
inline Tensor bitwise_right_shift(const Value& self, const Value& other) { return call(bitwise_right_shift_op, {self, other}); }
inline Tensor gcd(const Value& self, const Value& other) { return call(gcd_op, {self, other}); }
inline Tensor lcm(const Value& self, const Value& other) { return call(lcm_op, {self, other}); }
inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator+(const Tensor& a, double b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, double b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, double b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, double b) { return div(a, b); }
inline Tensor operator-(const Tensor& a) { return neg(a); }

// ---- complex.cpp: complex numbers and their parts
extern Op view_as_real_op, view_as_complex_op, real_op, imag_op, conj_op, conj_physical_op, conj_data_op, resolve_conj_op, resolve_neg_op, complex_op,
    polar_op, angle_op, sgn_op, mh_op;
inline Tensor real(const Tensor& self) { return is_complex(self.dtype()) ? call(real_op, {self}) : self; }
inline Tensor imag(const Tensor& self) { return call(imag_op, {self}); }
inline Tensor conj(const Tensor& self) { return is_complex(self.dtype()) ? call(conj_op, {self}) : self; }
inline Tensor sgn(const Tensor& self) { return is_complex(self.dtype()) ? call(sgn_op, {self}) : sign(self); }
inline Tensor view_as_real(const Tensor& self) { return call(view_as_real_op, {self}); }
inline Tensor view_as_complex(const Tensor& self) { return call(view_as_complex_op, {self}); }

// ---- compare.cpp: comparisons and logic
extern Op lt_op, gt_op, le_op, ge_op, eq_op, ne_op, logical_and_op, logical_or_op, logical_xor_op, logical_not_op, isnan_op;
extern Op isinf_op, isfinite_op, signbit_op, isposinf_op, isneginf_op, isclose_op, allclose_op, equal_op, isreal_op;
inline Tensor lt(const Value& self, const Value& other) { return call(lt_op, {self, other}); }
inline Tensor gt(const Value& self, const Value& other) { return call(gt_op, {self, other}); }
inline Tensor le(const Value& self, const Value& other) { return call(le_op, {self, other}); }
inline Tensor ge(const Value& self, const Value& other) { return call(ge_op, {self, other}); }
inline Tensor eq(const Value& self, const Value& other) { return call(eq_op, {self, other}); }
inline Tensor ne(const Value& self, const Value& other) { return call(ne_op, {self, other}); }
inline Tensor logical_and(const Value& self, const Value& other) { return call(logical_and_op, {self, other}); }
inline Tensor logical_or(const Value& self, const Value& other) { return call(logical_or_op, {self, other}); }
inline Tensor logical_xor(const Value& self, const Value& other) { return call(logical_xor_op, {self, other}); }
inline Tensor logical_not(const Tensor& self) { return call(logical_not_op, {self}); }
inline Tensor isnan(const Tensor& self) { return call(isnan_op, {self}); }
inline Tensor isinf(const Tensor& self) { return call(isinf_op, {self}); }
inline Tensor isfinite(const Tensor& self) { return call(isfinite_op, {self}); }
inline Tensor signbit(const Tensor& self) { return call(signbit_op, {self}); }
inline Tensor isposinf(const Tensor& self) { return call(isposinf_op, {self}); }
inline Tensor isneginf(const Tensor& self) { return call(isneginf_op, {self}); }
inline Tensor isclose(const Tensor& self, const Tensor& other, double rtol = 1e-05, double atol = 1e-08, bool equal_nan = false) {
  return call(isclose_op, {self, other, rtol, atol, equal_nan});
}

// ---- ternary.cpp: three tensors or numbers, with broadcasting
extern Op where_op, clamp_of_op, clamp_min_op, clamp_max_op, clamp_op, addcmul_op, addcdiv_op, lerp_op;
inline Tensor where(const Value& condition, const Value& self, const Value& other) { return call(where_op, {condition, self, other}); }
inline Tensor clamp(const Tensor& self, const Value& min, const Value& max = std::nullopt) { return call(clamp_op, {self, min, max}); }
inline Tensor clamp_min(const Value& self, const Value& min) { return call(clamp_min_op, {self, min}); }
inline Tensor clamp_max(const Value& self, const Value& max) { return call(clamp_max_op, {self, max}); }
inline Tensor addcmul(const Value& self, const Value& tensor1, const Value& tensor2, Number value = 1) {
  return call(addcmul_op, {self, tensor1, tensor2, value});
}
inline Tensor addcdiv(const Value& self, const Value& tensor1, const Value& tensor2, Number value = 1) {
  return call(addcdiv_op, {self, tensor1, tensor2, value});
}
inline Tensor lerp(const Value& self, const Value& end, const Value& weight) { return call(lerp_op, {self, end, weight}); }

extern Op sum_op;
// ---- reduce.cpp: sums, products, counts, moments over dimensions
extern Op sum_op, nansum_op, mean_op, nanmean_op, prod_op, all_op, any_op, count_nonzero_op, var_op, std_op, var_mean_op, std_mean_op, sum_to_size_op;
inline Tensor sum(const Tensor& self, SizesRef dim, bool keepdim = false, Dtype dtype = Dtype::none) { return call(sum_op, {self, dim, keepdim, dtype}); }
inline Tensor sum(const Tensor& self) { return call(sum_op, {self}); }
inline Tensor mean(const Tensor& self, SizesRef dim, bool keepdim = false, Dtype dtype = Dtype::none) { return call(mean_op, {self, dim, keepdim, dtype}); }
inline Tensor mean(const Tensor& self) { return call(mean_op, {self}); }
inline Tensor prod(const Tensor& self) { return call(prod_op, {self}); }
inline Tensor var(const Tensor& self, SizesRef dim, std::optional<Number> correction = {}, bool keepdim = false) { return call(var_op, {self, dim, correction, keepdim}); }
inline Tensor std_dev(const Tensor& self, SizesRef dim, std::optional<Number> correction = {}, bool keepdim = false) { return call(std_op, {self, dim, correction, keepdim}); }

// ---- extreme.cpp: largest and smallest elements
extern Op share_among_ties_op, amax_op, amin_op, max_op, min_op, aminmax_op, max_dim_op, min_dim_op, argmax_op, argmin_op;
inline Tensor amax(const Tensor& self, SizesRef dim = {}, bool keepdim = false) { return call(amax_op, {self, dim, keepdim}); }
inline Tensor amin(const Tensor& self, SizesRef dim = {}, bool keepdim = false) { return call(amin_op, {self, dim, keepdim}); }
inline Tensor argmax(const Tensor& self, std::optional<int64_t> dim = {}, bool keepdim = false) { return call(argmax_op, {self, dim, keepdim}); }

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
extern Op split_op, unsafe_split_op, unsafe_chunk_op, split_with_sizes_op, chunk_op, unbind_op, tensor_split_op, tensor_split_indices_op, hsplit_op, hsplit_indices_op, vsplit_op,
    vsplit_indices_op, dsplit_op, dsplit_indices_op;
inline Tensors split(const Tensor& self, int64_t split_size, int64_t dim = 0) { return call_all(split_op, {self, split_size, dim}); }
inline Tensors split_with_sizes(const Tensor& self, SizesRef split_sizes, int64_t dim = 0) { return call_all(split_with_sizes_op, {self, split_sizes, dim}); }
inline Tensors chunk(const Tensor& self, int64_t chunks, int64_t dim = 0) { return call_all(chunk_op, {self, chunks, dim}); }
inline Tensors unbind(const Tensor& self, int64_t dim = 0) { return call_all(unbind_op, {self, dim}); }

// ---- strided.cpp: regions of memory
extern Op as_strided_op, strided_view_op, strided_gather_op, strided_put_op, strided_backward_op, as_strided_scatter_op;

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

// ---- overloads.cpp: ops whose arguments come in another form
extern Op narrow_tensor_op, tensor_split_tensor_op, atleast_1d_list_op, atleast_2d_list_op, atleast_3d_list_op, linspace_tensor_op, logspace_tensor_op;
extern Op normal_sized_op, normal_around_mean_op;

// ---- connected.cpp: gradients of 0 to what chose a piece
extern Op connected_op;

// ---- copy.cpp: casts and copies
extern Op to_op, to_copy_op, clone_op, copy_op, contiguous_op, fill_op, fill_tensor_op, zero_op, resize_op, resize_as_op;
inline Tensor to(const Tensor& self, Dtype dtype) { return call(to_op, {self, dtype}); }
inline Tensor contiguous(const Tensor& self) { return call(contiguous_op, {self}); }

// ---- activation.cpp: activation functions
extern Op relu_op, relu6_op, threshold_op, leaky_relu_op, prelu_kernel_op, prelu_op, hardtanh_op, hardsigmoid_op, hardswish_op;
extern Op hardshrink_op, softshrink_op, softsign_op, gelu_none_op, gelu_tanh_op, gelu_op, silu_op, elu_op, selu_op, celu_op;
extern Op softplus_op, log_sigmoid_op, mish_op, tanhshrink_op, glu_op;
inline Tensor relu(const Tensor& self) { return call(relu_op, {self}); }
inline Tensor relu6(const Tensor& self) { return call(relu6_op, {self}); }
inline Tensor hardsigmoid(const Tensor& self) { return call(hardsigmoid_op, {self}); }
inline Tensor hardswish(const Tensor& self) { return call(hardswish_op, {self}); }
inline Tensor softsign(const Tensor& self) { return call(softsign_op, {self}); }
inline Tensor silu(const Tensor& self) { return call(silu_op, {self}); }
inline Tensor selu(const Tensor& self) { return call(selu_op, {self}); }
inline Tensor log_sigmoid(const Tensor& self) { return call(log_sigmoid_op, {self}); }
inline Tensor mish(const Tensor& self) { return call(mish_op, {self}); }
inline Tensor tanhshrink(const Tensor& self) { return call(tanhshrink_op, {self}); }
inline Tensor threshold(const Tensor& self, Number threshold, Number value) { return call(threshold_op, {self, threshold, value}); }
inline Tensor leaky_relu(const Tensor& self, Number negative_slope = 0.01) { return call(leaky_relu_op, {self, negative_slope}); }
inline Tensor prelu(const Tensor& self, const Tensor& weight) { return call(prelu_op, {self, weight}); }
inline Tensor hardtanh(const Tensor& self, Number min_val = -1, Number max_val = 1) { return call(hardtanh_op, {self, min_val, max_val}); }
inline Tensor hardshrink(const Tensor& self, Number lambd = 0.5) { return call(hardshrink_op, {self, lambd}); }
inline Tensor softshrink(const Tensor& self, Number lambd = 0.5) { return call(softshrink_op, {self, lambd}); }
inline Tensor gelu(const Tensor& self, std::string_view approximate = "none") { return call(gelu_op, {self, approximate}); }
inline Tensor elu(const Tensor& self, Number alpha = 1, Number scale = 1, Number input_scale = 1) {
  return call(elu_op, {self, alpha, scale, input_scale});
}
inline Tensor celu(const Tensor& self, Number alpha = 1.0) { return call(celu_op, {self, alpha}); }
inline Tensor softplus(const Tensor& self, Number beta = 1, Number threshold = 20) { return call(softplus_op, {self, beta, threshold}); }

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

// ---- statistics.cpp: quantiles, covariances, trapezoids, distances
extern Op trapezoid_op, cumulative_trapezoid_op, quantile_op, nanquantile_op, cov_op, corrcoef_op, dist_op, renorm_op;

// ---- counting.cpp: unique elements, bins, membership
extern Op unique_op, unique_dim_op, unique_consecutive_op, bincount_op, histc_op, isin_op, combinations_op;

// ---- diagonals.cpp: matrices made of diagonals, and what is on them
extern Op diag_embed_op, diag_op, diagflat_op, linalg_diagonal_op, trace_op;

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

// ---- linalg_*.cpp: factorizations, equations, and what follows from them (see matrices.h)
extern Op linalg_inv_ex_op, linalg_inv_op, inverse_op, linalg_solve_data_op, linalg_solve_ex_op, linalg_solve_op, linalg_solve_triangular_op, triangular_solve_op,
    lu_permutation_op, linalg_lu_factor_ex_op, linalg_lu_factor_op, lu_with_info_op, lu_unpack_op, linalg_lu_op, linalg_lu_solve_op, lu_solve_op, linalg_det_data_op,
    linalg_det_op, det_op, linalg_slogdet_data_op, linalg_slogdet_op, slogdet_op, logdet_op, linalg_cholesky_ex_op, linalg_cholesky_op, cholesky_op,
    cholesky_solve_op, cholesky_inverse_op, linalg_qr_op, qr_op, geqrf_op, linalg_householder_product_op, ormqr_op, linalg_svd_data_op, linalg_svd_op, svd_op,
    linalg_svdvals_op, linalg_eigh_data_op, linalg_eigh_op, linalg_eigvalsh_op, linalg_eig_data_op, linalg_eig_op, linalg_eigvals_op, linalg_matrix_rank_op, pinv_data_op, linalg_pinv_op,
    pinverse_op, linalg_matrix_norm_op, linalg_matrix_norm_named_op, linalg_norm_op, linalg_norm_named_op, linalg_cond_op, linalg_cond_named_op, lstsq_data_op,
    linalg_lstsq_op, linalg_matrix_power_op, linalg_matrix_exp_op, linalg_tensorinv_op, linalg_tensorsolve_op;

// ---- random.cpp: random numbers
extern Op rand_op, randn_op, rand_like_op, randn_like_op, randint_op, randint_below_op, randint_like_op, randperm_op, uniform_op, normal_op, exponential_op,
    log_normal_op, cauchy_op, geometric_op, random_op, bernoulli_op, normal_around_op, multinomial_op;
inline Tensor rand(SizesRef size, Dtype dtype = Dtype::none) { return call(rand_op, {size, dtype}); }
inline Tensor randn(SizesRef size, Dtype dtype = Dtype::none) { return call(randn_op, {size, dtype}); }
inline Tensor randint(int64_t low, int64_t high, SizesRef size) { return call(randint_op, {low, high, size}); }
inline Tensor randperm(int64_t n) { return call(randperm_op, {n}); }

}  // namespace gradus

#include "ops/layers.h"
