// Padding, resampling, fold and unfold.
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {

const OpList pad_ops{};

}  // namespace gradus
