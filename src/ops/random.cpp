// Random numbers: the i-th of a call depends on seed, offset and i alone.
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {

const OpList random_ops{};

}  // namespace gradus
