// Log levels 2 and 3: what runs, as text.
#pragma once

namespace gradus {

struct Context;
void start_logger(Context& c);                                // watches if the context's level asks for it

}  // namespace gradus
