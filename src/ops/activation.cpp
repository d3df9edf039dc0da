// Activation functions.
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {

const OpList activation_ops{};

}  // namespace gradus
