// All families, in the order of the manual.
#include "ops/lists.h"

namespace gradus {

void define_all_ops() {
  const OpList lists[] = {unary_ops, binary_ops, ternary_ops, reduce_ops, view_ops, strided_ops, create_ops, copy_ops};
  complete_registry(lists);
}

}  // namespace gradus
