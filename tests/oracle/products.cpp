#include "oracle/oracle.h"

namespace gradus::oracle {

Oracles products() { return {}; }

}  // namespace gradus::oracle
