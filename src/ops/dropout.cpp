// Dropout.
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {

const OpList dropout_ops{};

}  // namespace gradus
