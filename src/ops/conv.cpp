// Convolution: one closed family.
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {

const OpList conv_ops{};

}  // namespace gradus
