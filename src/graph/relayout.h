// In-place forms that change the tensor itself instead of its elements: transpose_ and other views of its own memory, resize_, detach_.
#pragma once
#include "dispatch/op.h"

namespace gradus {

bool changes_itself(const Op& form);                          // form: an in-place one
void change_itself(const Op& form, const Args& args);

}  // namespace gradus
