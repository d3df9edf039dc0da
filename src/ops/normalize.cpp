// Batch, layer, group, instance and RMS normalisation.
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {

const OpList normalize_ops{};

}  // namespace gradus
