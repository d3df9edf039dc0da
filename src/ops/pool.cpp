// Pooling.
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {

const OpList pool_ops{};

}  // namespace gradus
