// einsum and tensordot.
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {

const OpList einsum_ops{};

}  // namespace gradus
