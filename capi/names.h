// How arguments are called outside: PyTorch's names, except for keywords of common languages.
#pragma once
#include <string>
#include <string_view>

#include "dispatch/op.h"

namespace gradus::capi {

const char* argument_name(const OpInfo& op, size_t position);  // [static]
bool is_keyword(std::string_view word);                       // somewhere: C++, C#, Go, Rust, Python, Java, JavaScript, Julia, Lua, OCaml, Zig
std::string registry_json();

}  // namespace gradus::capi
