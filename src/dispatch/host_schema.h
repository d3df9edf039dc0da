// Schemas of ops that the host registers: read with distrust.
#pragma once
#include "dispatch/schema.h"

namespace gradus {

// VALUE for a name without a dot, and for what can't be read or supplied. The text may begin with the name, or be "(…) -> …" alone.
Schema parse_host_schema(std::string_view name, std::string_view text);

}  // namespace gradus
