// The list of all ops. It is completed once, when the first context is made: schemas are parsed, in-place forms derived,
// kernels of this machine looked up. Nothing of it happens at load. Ops of the host are added later, at the end; readers take no lock.
#pragma once
#include <span>
#include <string_view>

#include "dispatch/op.h"

namespace gradus {

// The floor of the ops says what there is (ops/all.cpp).
using OpLists = std::span<const std::span<Op* const>>;
void complete_registry(OpLists lists);                        // any thread, any number of times
// An op of the host with its info filled in, from now on for good. VALUE, and nothing is kept, when the name is taken.
void append_op(Op& op);
// A differentiable record of a name and its arguments that nobody finds: for what is recorded and is no op of the list. Lives for good.
const Op& unlisted_op(std::string_view schema);
std::span<const Op* const> all_ops();                         // in-place forms follow their op
const Op* find_op(std::string_view name);                     // "add", "add_"; null when there is none

}  // namespace gradus
