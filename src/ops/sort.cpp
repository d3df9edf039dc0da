// Order: sort, topk, and what builds on them.
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {

const OpList sort_ops{};

}  // namespace gradus
