// What the families of views share: rules, and the layout rule of one view applied for another op.
#pragma once
#include "ops/ops.h"

namespace gradus {

inline Tensor pass_on(const Call&, const Tensor& g) { return g; }
inline Tensor reshape_back(const Call& c, const Tensor& g) { return reshape(g, c.sizes()); }

// A dimension that exists, other than wrap_dim's of a scalar.
inline size_t real_dim(const Tensor& self, int64_t dim, std::string_view what) {
  GRADUS_CHECK(self.ndim() > 0, shape, "{}: a scalar has no dimension {}", what, dim);
  return static_cast<size_t>(wrap_dim(dim, self.ndim(), what));
}

// The arguments of a view V taken from those of an op that has V's attributes from position `at` on.
struct ViewArguments {
  Value values[kMaxArguments];
  int count;
  ViewArguments(const Op& view, const Tensor& self, const Args& a, int at) : count(static_cast<int>(view.info->schema.arguments.size())) {
    values[0] = Value(self);
    for (int i = 1; i < count; ++i) values[i] = a[at + i - 1];
  }
};
inline Layout layout_by(const Op& view, const Tensor& self, const Args& a, int at) {
  const ViewArguments v(view, self, a, at);
  Layouts out;
  view.view(Args(view, v.values), out);
  return std::move(out[0]);
}
inline Tensor view_by(const Op& view, const Tensor& self, const Args& a, int at) {
  const ViewArguments v(view, self, a, at);
  Tensors out;
  call(view, v.values, v.count, out);
  return std::move(out[0]);
}

}  // namespace gradus
