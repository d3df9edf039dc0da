// Matrix products.
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {

const OpList matmul_ops{};

}  // namespace gradus
