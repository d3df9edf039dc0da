// Linear algebra through LAPACK.
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {

const OpList linalg_ops{};

}  // namespace gradus
