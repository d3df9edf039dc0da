// Writing at indices: scatter, index_put, index_add, masked_fill; and the functional forms of writes to views.
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {

const OpList scatter_ops{};

}  // namespace gradus
