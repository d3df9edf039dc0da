// Schemas in PyTorch's syntax: "sum(Tensor self, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor".
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "dispatch/value.h"

namespace gradus {

enum class Type : uint8_t { tensor, integer, real, boolean, scalar, dtype, text, other };   // other: layout, device, generator …

struct Argument {
  std::string name;
  Type type = Type::tensor;
  bool list = false, optional = false, keyword_only = false, written = false, aliases = false, has_default = false;
  int list_size = 0;                                          // int[2]: one number serves for both
  bool optional_elements = false;                             // Tensor?[]
  int input = -1;                                             // which of the tensor arguments it is
  Value fallback;                                             // the default; lists and texts point into `storage`
  std::vector<int64_t> integers;
  std::string text;
};

struct Result {
  std::string name;
  Type type = Type::tensor;
  bool list = false, aliases = false, written = false;
};

struct Schema {
  std::string name, overload;                                 // "sum", "dim_IntList"
  std::vector<Argument> arguments;
  std::vector<Result> results;
  int inputs = 0;                                             // tensor arguments
  int required = 0;                                           // leading arguments without a default

  int position(std::string_view argument) const;              // or -1
};

Schema parse_schema(std::string_view text);                   // throws Error(internal): schemas are ours
std::string print(const Schema& s);

}  // namespace gradus
