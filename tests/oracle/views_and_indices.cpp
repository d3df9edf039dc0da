#include "oracle/oracle.h"

namespace gradus::oracle {

Oracles views_and_indices() { return {}; }

}  // namespace gradus::oracle
