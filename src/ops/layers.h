// The second half of the table of contents (ops.h): products, losses, convolution and the other layers of networks.
#pragma once
#include "ops/ops.h"

namespace gradus {

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
extern Op outer_op, ger_op, inner_op, tensordot_op, kron_op, addr_op, addbmm_op, bilinear_op, linalg_multi_dot_op, linalg_vecdot_op, linalg_cross_op, cross_op, linalg_vander_op;
inline Tensor outer(const Tensor& self, const Tensor& vec2) { return call(outer_op, {self, vec2}); }
inline Tensor inner(const Tensor& self, const Tensor& other) { return call(inner_op, {self, other}); }
inline Tensor tensordot(const Tensor& self, const Tensor& other, SizesRef dims_self, SizesRef dims_other) { return call(tensordot_op, {self, other, dims_self, dims_other}); }
inline Tensor kron(const Tensor& self, const Tensor& other) { return call(kron_op, {self, other}); }

// ---- einsum.cpp: einsum
extern Op einsum_op;
inline Tensor einsum(std::string_view equation, std::span<const Tensor> tensors) { return call(einsum_op, {equation, tensors}); }

// ---- loss.cpp: losses of pairs of numbers and of vectors
extern Op mse_loss_op, l1_loss_op, smooth_l1_loss_op, huber_loss_op, bce_op, binary_cross_entropy_op, binary_cross_entropy_with_logits_op, kl_div_op,
    soft_margin_loss_op, hinge_embedding_loss_op, margin_ranking_loss_op, cosine_embedding_loss_op, triplet_margin_loss_op, poisson_nll_loss_op,
    gaussian_nll_loss_op, multilabel_soft_margin_loss_op;
inline Tensor mse_loss(const Tensor& self, const Tensor& target, int64_t reduction = 1) { return call(mse_loss_op, {self, target, reduction}); }
inline Tensor l1_loss(const Tensor& self, const Tensor& target, int64_t reduction = 1) { return call(l1_loss_op, {self, target, reduction}); }

// ---- loss_classes.cpp: losses over classes
extern Op nll_loss_forward_op, nll_loss_backward_op, nll_loss_op, nll_loss2d_op, nll_loss_nd_op, cross_entropy_op, cross_entropy_backward_op,
    cross_entropy_loss_op, multi_margin_loss_op, multilabel_margin_loss_op;
inline Tensor nll_loss(const Tensor& self, const Tensor& target, const Tensor& weight = {}, int64_t reduction = 1) { return call(nll_loss_op, {self, target, weight, reduction}); }
inline Tensor cross_entropy_loss(const Tensor& self, const Tensor& target, const Tensor& weight = {}, int64_t reduction = 1, int64_t ignore_index = -100, double label_smoothing = 0) {
  return call(cross_entropy_loss_op, {self, target, weight, reduction, ignore_index, label_smoothing});
}

// ---- dropout.cpp: dropout
extern Op native_dropout_op, native_dropout_backward_op, dropout_op, feature_dropout_op, alpha_dropout_op, feature_alpha_dropout_op, rrelu_op;
inline Tensors native_dropout(const Tensor& input, double p, bool train) { return call_all(native_dropout_op, {input, p, train}); }
inline Tensor dropout(const Tensor& input, double p, bool train) { return call(dropout_op, {input, p, train}); }

// ---- conv.cpp: convolution
extern Op conv_forward_op, conv_input_op, conv_weight_op, convolution_op, convolution_backward_op, conv1d_op, conv2d_op, conv3d_op,
    conv1d_padding_op, conv2d_padding_op, conv3d_padding_op, conv_transpose1d_op, conv_transpose2d_op, conv_transpose3d_op;
inline Tensor conv1d(const Tensor& input, const Tensor& weight, const Tensor& bias = {}, const Value& stride = 1, const Value& padding = 0, const Value& dilation = 1, int64_t groups = 1) { return call(conv1d_op, {input, weight, bias, stride, padding, dilation, groups}); }
inline Tensor conv2d(const Tensor& input, const Tensor& weight, const Tensor& bias = {}, const Value& stride = 1, const Value& padding = 0, const Value& dilation = 1, int64_t groups = 1) { return call(conv2d_op, {input, weight, bias, stride, padding, dilation, groups}); }
inline Tensor conv3d(const Tensor& input, const Tensor& weight, const Tensor& bias = {}, const Value& stride = 1, const Value& padding = 0, const Value& dilation = 1, int64_t groups = 1) { return call(conv3d_op, {input, weight, bias, stride, padding, dilation, groups}); }
inline Tensor conv_transpose2d(const Tensor& input, const Tensor& weight, const Tensor& bias = {}, const Value& stride = 1, const Value& padding = 0, const Value& output_padding = 0, int64_t groups = 1, const Value& dilation = 1) { return call(conv_transpose2d_op, {input, weight, bias, stride, padding, output_padding, groups, dilation}); }

// ---- pool.cpp: maxima of windows
extern Op plane_gather_op, plane_scatter_op, max_pool1d_with_indices_op, max_pool2d_with_indices_op, max_pool3d_with_indices_op, max_pool1d_op, max_pool2d_op,
    max_pool3d_op, adaptive_max_pool1d_op, adaptive_max_pool2d_op, adaptive_max_pool3d_op, max_pool2d_with_indices_backward_op,
    max_pool3d_with_indices_backward_op, adaptive_max_pool2d_backward_op, adaptive_max_pool3d_backward_op, max_unpool2d_op, max_unpool3d_op;
inline Tensor max_pool2d(const Tensor& self, const Value& kernel_size, const Value& stride = SizesRef(), const Value& padding = 0, const Value& dilation = 1, bool ceil_mode = false) {
  return call(max_pool2d_op, {self, kernel_size, stride, padding, dilation, ceil_mode});
}

// ---- average_pool.cpp: averages of windows
extern Op avg_pool_back_op, adaptive_avg_back_op, avg_pool1d_op, avg_pool2d_op, avg_pool3d_op, avg_pool2d_backward_op, avg_pool3d_backward_op, adaptive_avg_pool1d_op,
    adaptive_avg_pool2d_op, adaptive_avg_pool3d_op, adaptive_avg_pool2d_kernel_op, adaptive_avg_pool3d_kernel_op, adaptive_avg_pool2d_backward_op,
    adaptive_avg_pool3d_backward_op;
inline Tensor avg_pool2d(const Tensor& self, const Value& kernel_size, const Value& stride = SizesRef(), const Value& padding = 0, bool ceil_mode = false,
                         bool count_include_pad = true, std::optional<int64_t> divisor_override = {}) {
  return call(avg_pool2d_op, {self, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override});
}
inline Tensor adaptive_avg_pool2d(const Tensor& self, const Value& output_size) { return call(adaptive_avg_pool2d_op, {self, output_size}); }

// ---- normalize_kernels.cpp, normalize.cpp, batch_norm.cpp: normalisation
extern Op normalize_op, normalize_backward_op, native_layer_norm_op, layer_norm_op, native_layer_norm_backward_op, rms_norm_op, native_group_norm_op, group_norm_op,
    native_group_norm_backward_op, native_batch_norm_op, native_batch_norm_legit_op, native_batch_norm_no_stats_op, batch_norm_op, native_batch_norm_backward_op, instance_norm_op;
inline Tensor layer_norm(const Tensor& input, SizesRef normalized_shape, const Tensor& weight = {}, const Tensor& bias = {}, double eps = 1e-05) {
  return call(layer_norm_op, {input, normalized_shape, weight, bias, eps});
}
inline Tensor group_norm(const Tensor& input, int64_t num_groups, const Tensor& weight = {}, const Tensor& bias = {}, double eps = 1e-05) {
  return call(group_norm_op, {input, num_groups, weight, bias, eps});
}
inline Tensor rms_norm(const Tensor& input, SizesRef normalized_shape, const Tensor& weight = {}, std::optional<double> eps = {}) {
  return call(rms_norm_op, {input, normalized_shape, weight, eps});
}
inline Tensor batch_norm(const Tensor& input, const Tensor& weight, const Tensor& bias, const Tensor& running_mean, const Tensor& running_var, bool training,
                         double momentum = 0.1, double eps = 1e-05) {
  return call(batch_norm_op, {input, weight, bias, running_mean, running_var, training, momentum, eps, true});
}

// ---- lstm_gates.cpp, rnn.cpp: recurrent cells and layers
extern Op lstm_gates_op, lstm_gates_backward_op, rnn_tanh_cell_op, rnn_relu_cell_op, gru_cell_op, lstm_cell_op, rnn_tanh_op, rnn_relu_op, gru_op, lstm_op;

// ---- attention.cpp, attention_fused.cpp: attention
extern Op attention_op, attention_backward_op, scaled_dot_product_attention_op, scaled_dot_product_attention_math_op;
inline Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& attn_mask = {}, double dropout_p = 0, bool is_causal = false,
                                           std::optional<double> scale = {}, bool enable_gqa = false) {
  return call(scaled_dot_product_attention_op, {query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa});
}

// ---- distance.cpp: distances and angles
extern Op cosine_similarity_op, pairwise_distance_op, cdist_op, pdist_op;

// ---- embedding_bag.cpp: rows of a table in bags
extern Op bags_op, embedding_bag_op;

// ---- pad.cpp: padding
extern Op constant_pad_nd_op, pad_image_op, pad_image_back_op, pad_op, reflection_pad1d_op, reflection_pad2d_op, reflection_pad3d_op, replication_pad1d_op,
    replication_pad2d_op, replication_pad3d_op, reflection_pad1d_backward_op, reflection_pad2d_backward_op, reflection_pad3d_backward_op,
    replication_pad1d_backward_op, replication_pad2d_backward_op, replication_pad3d_backward_op;
inline Tensor constant_pad_nd(const Tensor& self, SizesRef pad, Number value = 0) { return call(constant_pad_nd_op, {self, pad, value}); }
inline Tensor pad(const Tensor& self, SizesRef pad, std::string_view mode = "constant", std::optional<double> value = {}) { return call(pad_op, {self, pad, mode, value}); }

// ---- resample.cpp: images of other sizes
extern Op resample_op, resample_back_op, upsample_nearest1d_op, upsample_nearest2d_op, upsample_nearest3d_op, upsample_nearest_exact1d_op, upsample_nearest_exact2d_op,
    upsample_nearest_exact3d_op, upsample_linear1d_op, upsample_bilinear2d_op, upsample_trilinear3d_op, upsample_bicubic2d_op, upsample_nearest2d_backward_op,
    upsample_bilinear2d_backward_op, upsample_bicubic2d_backward_op;

// ---- fold.cpp: windows as columns, pixels as channels
extern Op im2col_op, col2im_op, pixel_shuffle_op, pixel_unshuffle_op, channel_shuffle_op;
inline Tensor pixel_shuffle(const Tensor& self, int64_t upscale_factor) { return call(pixel_shuffle_op, {self, upscale_factor}); }
inline Tensor pixel_unshuffle(const Tensor& self, int64_t downscale_factor) { return call(pixel_unshuffle_op, {self, downscale_factor}); }

// ---- linalg.cpp: linear algebra

// ---- backward.cpp: PyTorch's backward ops by name
extern Op sigmoid_backward_op, tanh_backward_op, threshold_backward_op, silu_backward_op, gelu_backward_op, leaky_relu_backward_op, elu_backward_op,
    softplus_backward_op, hardtanh_backward_op, log_sigmoid_forward_op, log_sigmoid_backward_op, mse_loss_backward_op, smooth_l1_loss_backward_op,
    huber_loss_backward_op, binary_cross_entropy_backward_op, embedding_backward_op, gather_backward_op, index_select_backward_op;

}  // namespace gradus
