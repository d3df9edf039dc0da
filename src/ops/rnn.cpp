// Recurrent cells and layers.
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {

const OpList rnn_ops{};

}  // namespace gradus
