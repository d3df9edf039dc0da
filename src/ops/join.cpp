// Joining and repeating: cat, stack, repeat, roll, flip.
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {

const OpList join_ops{};

}  // namespace gradus
