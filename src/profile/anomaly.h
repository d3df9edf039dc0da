// Anomaly mode of a context: which op call a NaN or an infinity came from.
#pragma once
#include <cstdint>

namespace gradus {

struct Context;

namespace anomaly {
enum Flags : uint32_t {
  nan = 1, inf = 2,                                           // what ends a pass when a gradient holds it
  forward = 4,                                                // results of op calls are looked at too
  trace = 8,                                                  // keep the calls, so that messages can name them
};
}

// Sets the flags, 0 for off, and returns those before.
uint32_t set_anomaly(Context& c, uint32_t flags);
uint32_t anomaly_flags(Context& c);

}  // namespace gradus
