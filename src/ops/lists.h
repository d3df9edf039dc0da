// The ops of each family file; all.cpp puts them together.
#pragma once
#include "dispatch/registry.h"

namespace gradus {

using OpList = std::span<Op* const>;
extern const OpList unary_ops;
extern const OpList special_ops;
extern const OpList activation_ops;
extern const OpList binary_ops;
extern const OpList compare_ops;
extern const OpList complex_ops;
extern const OpList ternary_ops;
extern const OpList reduce_ops;
extern const OpList extreme_ops;
extern const OpList norm_ops;
extern const OpList softmax_ops;
extern const OpList scan_ops;
extern const OpList sort_ops;
extern const OpList view_ops;
extern const OpList view_dims_ops;
extern const OpList view_region_ops;
extern const OpList view_split_ops;
extern const OpList strided_ops;
extern const OpList nextafter_ops;
extern const OpList overload_ops;
extern const OpList connected_ops;
extern const OpList join_ops;
extern const OpList repeat_ops;
extern const OpList index_ops;
extern const OpList embedding_ops;
extern const OpList embedding_bag_ops;
extern const OpList scatter_ops;
extern const OpList scatter_rows_ops;
extern const OpList scatter_reduce_ops;
extern const OpList masked_ops;
extern const OpList diagonal_ops;
extern const OpList statistics_ops;
extern const OpList counting_ops;
extern const OpList copy_ops;
extern const OpList create_ops;
extern const OpList random_ops;
extern const OpList matmul_ops;
extern const OpList product_ops;
extern const OpList einsum_ops;
extern const OpList loss_ops;
extern const OpList class_loss_ops;
extern const OpList dropout_ops;
extern const OpList conv_face_ops;
extern const OpList conv_ops;
extern const OpList pool_ops;
extern const OpList average_pool_ops;
extern const OpList normalize_kernel_ops;
extern const OpList normalize_ops;
extern const OpList batch_norm_ops;
extern const OpList lstm_gates_ops;
extern const OpList rnn_ops;
extern const OpList attention_ops;
extern const OpList attention_fused_ops;
extern const OpList distance_ops;
extern const OpList pad_ops;
extern const OpList resample_ops;
extern const OpList fold_ops;
extern const OpList solve_ops;
extern const OpList lu_ops;
extern const OpList determinant_ops;
extern const OpList eig_ops;
extern const OpList cholesky_ops;
extern const OpList reflection_ops;
extern const OpList spectral_ops;
extern const OpList matrix_norm_ops;
extern const OpList least_squares_ops;
extern const OpList matrix_power_ops;
extern const OpList backward_ops;

OpList view_copy_ops();                                       // made from the views'
void define_all_ops();                                        // completes the registry; the first context does it

}  // namespace gradus
