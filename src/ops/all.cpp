// All families, in the order of the manual.
#include "ops/families.h"

namespace gradus {

std::vector<Family> families() {
  return {
      {"Elementwise, one tensor", unary_ops},
      {"Special functions", special_ops},
      {"Activations", activation_ops},
      {"Elementwise, two tensors", binary_ops},
      {"Elementwise, two tensors", nextafter_ops},
      {"Comparisons and logic", compare_ops},
      {"Complex numbers", complex_ops},
      {"Elementwise, three tensors", ternary_ops},
      {"Reductions", reduce_ops},
      {"Reductions", extreme_ops},
      {"Reductions", norm_ops},
      {"Softmax", softmax_ops},
      {"Scans", scan_ops},
      {"Sorting and selection", sort_ops},
      {"Statistics", statistics_ops},
      {"Counting", counting_ops},
      {"Views", view_ops},
      {"Views", view_dims_ops},
      {"Views", view_region_ops},
      {"Views", view_split_ops},
      {"Views", strided_ops},
      {"Views", connected_ops},
      {"Diagonals", diagonal_ops},
      {"Copies of views", view_copy_ops()},
      {"Joining and repeating", join_ops},
      {"Joining and repeating", repeat_ops},
      {"Indexing", index_ops},
      {"Indexing", embedding_ops},
      {"Indexing", embedding_bag_ops},
      {"Scattering and masks", scatter_ops},
      {"Scattering and masks", scatter_rows_ops},
      {"Scattering and masks", scatter_reduce_ops},
      {"Scattering and masks", masked_ops},
      {"Copies and casts", copy_ops},
      {"New tensors", create_ops},
      {"Random numbers", random_ops},
      {"Matrix products", matmul_ops},
      {"Matrix products", product_ops},
      {"Matrix products", einsum_ops},
      {"Losses", loss_ops},
      {"Losses", class_loss_ops},
      {"Dropout", dropout_ops},
      {"Convolution", conv_face_ops},
      {"Convolution", conv_ops},
      {"Pooling", pool_ops},
      {"Pooling", average_pool_ops},
      {"Normalization", normalize_kernel_ops},
      {"Normalization", normalize_ops},
      {"Normalization", batch_norm_ops},
      {"Recurrent layers", lstm_gates_ops},
      {"Recurrent layers", rnn_ops},
      {"Attention", attention_ops},
      {"Attention", attention_fused_ops},
      {"Distances", distance_ops},
      {"Padding and resampling", pad_ops},
      {"Padding and resampling", resample_ops},
      {"Padding and resampling", fold_ops},
      {"Linear algebra", solve_ops},
      {"Linear algebra", lu_ops},
      {"Linear algebra", determinant_ops},
      {"Linear algebra", cholesky_ops},
      {"Linear algebra", reflection_ops},
      {"Linear algebra", spectral_ops},
      {"Linear algebra", eig_ops},
      {"Linear algebra", matrix_norm_ops},
      {"Linear algebra", least_squares_ops},
      {"Linear algebra", matrix_power_ops},
      {"Overloads", overload_ops},
      {"Backward ops by name", backward_ops},
  };
}

void define_all_ops() {
  std::vector<OpList> lists;
  for (const Family& f : families()) lists.push_back(f.ops);
  complete_registry(lists);
}

}  // namespace gradus
