// Running sums, products and extrema along a dimension.
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {

const OpList scan_ops{};

}  // namespace gradus
