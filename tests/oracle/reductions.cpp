#include "oracle/oracle.h"

namespace gradus::oracle {

Oracles reductions() { return {}; }

}  // namespace gradus::oracle
