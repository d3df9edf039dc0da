// Reading at indices: index, gather, index_select, masked_select, embedding.
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {

const OpList index_ops{};

}  // namespace gradus
