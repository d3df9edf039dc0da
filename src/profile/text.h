// What profiles, logs and anomaly messages say of arguments.
#pragma once
#include <string>

#include "dispatch/op.h"

namespace gradus {

// The shapes of a call's arguments up to the last tensor: "[2, 3], [], [[2], [3]]"; what is no tensor is "[]", a list of tensors a list.
std::string shapes_of(std::span<const Value> values);
std::string shapes_of(std::span<const Tensor> tensors);       // null ones are "[]"

}  // namespace gradus
