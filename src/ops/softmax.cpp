// softmax, log_softmax, logsumexp.
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {

const OpList softmax_ops{};

}  // namespace gradus
