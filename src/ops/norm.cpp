// Norms of vectors and matrices.
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {

const OpList norm_ops{};

}  // namespace gradus
