#include "profile/text.h"

namespace gradus {

std::string shapes_of(std::span<const Tensor> tensors) {
  std::string s;
  for (size_t i = 0; i < tensors.size(); ++i) (s += i ? ", " : "") += tensors[i] ? text(tensors[i].sizes()) : "[]";
  return s;
}

std::string shapes_of(std::span<const Value> values) {
  std::string s;
  while (!values.empty() && values.back().tag != Tag::tensor && values.back().tag != Tag::tensors) values = values.first(values.size() - 1);
  for (size_t i = 0; i < values.size(); ++i) {
    const Value& v = values[i];
    if (i) s += ", ";
    if (v.tag == Tag::tensor) s += text(v.t->sizes());
    else if (v.tag == Tag::tensors) s += "[" + shapes_of(v.list()) + "]";
    else s += "[]";
  }
  return s;
}

}  // namespace gradus
