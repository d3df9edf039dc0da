// Views: rules about layout. They have no kernel and copy nothing.
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

// Sizes with one -1 filled in so that they come to numel.
Sizes infer_size(SizesRef size, int64_t numel, std::string_view what) {
  Sizes out(size);
  int64_t known = 1, open = -1;
  for (size_t i = 0; i < size.size(); ++i) {
    if (size[i] == -1) {
      GRADUS_CHECK(open < 0, shape, "{}: only one size of {} can be inferred", what, text(size));
      open = static_cast<int64_t>(i);
    } else {
      GRADUS_CHECK(size[i] >= 0, shape, "{}: negative size in {}", what, text(size));
      known = multiply(known, size[i]);
    }
  }
  if (open >= 0) {
    GRADUS_CHECK(known > 0 && numel % known == 0, shape, "{}: shape {} does not fit {} elements", what, text(size), numel);
    out[static_cast<size_t>(open)] = numel / known;
  } else {
    GRADUS_CHECK(known == numel, shape, "{}: shape {} does not fit {} elements", what, text(size), numel);
  }
  return out;
}

Tensor reshape_back(const Call& c, const Tensor& g) { return reshape(g, c.sizes()); }

}  // namespace

Op view_op{
    .schema = "view(Tensor(a) self, int[] size) -> Tensor(a)",
    .doc = "The same elements in another shape, without a copy; one size may be -1. An error if the strides do not allow it.",
    .view = [](const Args& a, Layouts& out) {
      const Tensor& self = a.tensor(0);
      Layout l{infer_size(a.integers(1), self.numel(), "view"), {}, self.offset()};
      GRADUS_CHECK(reshape_strides(self.sizes(), self.strides(), l.sizes, l.strides), shape,
                   "view: shape {} can't be had from shape {} with strides {} without a copy: use reshape", text(l.sizes), text(self.sizes()), text(self.strides()));
      out.push_back(l);
    },
    .vjp = {reshape_back},
    .samples = [](Samples& s) {
      s.add({s.rand({2, 6}), s.list({3, -1})});
      s.add({s.rand({}), s.list({1, 1})});
      s.add({s.rand({0, 3}), s.list({3, 0})});
      s.error({s.rand({2, 3}), s.list({4, -1})}, "does not fit 6 elements");
    },
};

Op reshape_op{
    .schema = "reshape(Tensor(a) self, int[] shape) -> Tensor(a)",
    .doc = "The same elements in another shape: a view where the strides allow it, else a copy.",
    .compose = [](const Args& a, Tensors& out) {
      const Tensor& self = a.tensor(0);
      const Sizes shape = infer_size(a.integers(1), self.numel(), "reshape");
      Sizes strides;
      const bool possible = reshape_strides(self.sizes(), self.strides(), shape, strides);
      out.push_back(view(possible ? self : call(clone_op, {self}), shape));
    },
    .samples = [](Samples& s) {
      s.add({s.rand({2, 6}), s.list({3, -1})});
      s.error({s.rand({2, 3}), s.list({4, -1})}, "does not fit 6 elements");
    },
};

Op expand_op{
    .schema = "expand(Tensor(a) self, int[] size, *, bool implicit=False) -> Tensor(a)",
    .doc = "Dimensions of size 1 read as larger ones, without a copy; -1 keeps a size.",
    .view = [](const Args& a, Layouts& out) {
      const Tensor& self = a.tensor(0);
      Sizes size(a.integers(1));
      GRADUS_CHECK(size.size() >= static_cast<size_t>(self.ndim()), shape, "expand: {} sizes for {} dimensions", size.size(), self.ndim());
      const size_t shift = size.size() - static_cast<size_t>(self.ndim());
      for (size_t i = 0; i < size.size(); ++i) {
        const int64_t have = i < shift ? 1 : self.sizes()[i - shift];
        if (size[i] == -1 && i >= shift) size[i] = have;
        GRADUS_CHECK(size[i] >= 0 && (have == 1 || have == size[i]), shape, "expand: shape {} can't be read as {}", text(self.sizes()), text(a.integers(1)));
      }
      out.push_back({size, broadcast_strides(self.sizes(), self.strides(), size), self.offset()});
    },
    .vjp = {[](const Call&, const Tensor& g) { return g; }},  // the engine sums over the repeated dimensions
    .samples = [](Samples& s) {
      s.add({s.rand({2, 1}), s.list({2, 3})});
      s.add({s.rand({3}), s.list({2, -1})});
      s.add({s.rand({}), s.list({2})});
      s.error({s.rand({2, 3}), s.list({2, 4})}, "can't be read as");
    },
};

static Op* const all[] = {&view_op, &reshape_op, &expand_op};
const OpList view_ops = all;

}  // namespace gradus
