// Scaled dot product attention.
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {

const OpList attention_ops{};

}  // namespace gradus
