// The ops of each family file; all.cpp puts them together.
#pragma once
#include "dispatch/registry.h"

namespace gradus {

using OpList = std::span<Op* const>;
extern const OpList unary_ops, binary_ops, ternary_ops, reduce_ops, view_ops, strided_ops, create_ops, copy_ops;

void define_all_ops();                                        // completes the registry; the first context does it

}  // namespace gradus
