// All families, in the order of the manual.
#include "ops/lists.h"

namespace gradus {

void define_all_ops() {
  const OpList lists[] = {
      unary_ops,
      activation_ops,
      binary_ops,
      compare_ops,
      ternary_ops,
      reduce_ops,
      extreme_ops,
      norm_ops,
      softmax_ops,
      scan_ops,
      sort_ops,
      view_ops,
      view_dims_ops,
      view_region_ops,
      view_split_ops,
      view_copy_ops(),
      strided_ops,
      join_ops,
      repeat_ops,
      index_ops,
      embedding_ops,
      scatter_ops,
      scatter_rows_ops,
      scatter_reduce_ops,
      masked_ops,
      copy_ops,
      create_ops,
      random_ops,
      matmul_ops,
      product_ops,
      einsum_ops,
      loss_ops,
      dropout_ops,
      conv_ops,
      pool_ops,
      average_pool_ops,
      normalize_ops,
      rnn_ops,
      attention_ops,
      pad_ops,
      resample_ops,
      fold_ops,
      linalg_ops,
  };
  complete_registry(lists);
}

}  // namespace gradus
