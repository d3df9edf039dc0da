// Losses.
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {

const OpList loss_ops{};

}  // namespace gradus
