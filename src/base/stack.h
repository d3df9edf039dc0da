// How much of its stack a thread has left: code of the host that comes back into the library must not run into the end.
#pragma once
#include <cstddef>

namespace gradus {

struct Thread;

// Whether less is left than one more level of nesting may take. False where nobody can say: on a stack that is not the thread's
// own, as that of a fiber.
bool stack_is_short(Thread& thread) noexcept;
size_t stack_size(Thread& thread) noexcept;                   // 0: not known

}  // namespace gradus
