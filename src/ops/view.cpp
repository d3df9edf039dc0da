// Views that keep the order of the elements: other shapes, repeats, aliases. Views have no kernel and copy nothing.
#include "graph/history.h"
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"
#include "ops/view.h"

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

Layout viewed(const Args& a, std::string_view what) {
  const Tensor& self = a.tensor(0);
  Layout l{infer_size(a.integers(1), self.numel(), what), {}, self.offset()};
  GRADUS_CHECK(reshape_strides(self.sizes(), self.strides(), l.sizes, l.strides), shape,
               "{}: shape {} can't be had from shape {} with strides {} without a copy: use reshape", what, text(l.sizes), text(self.sizes()), text(self.strides()));
  return l;
}

// At least n dimensions: those missing are put where NumPy puts them.
Tensor at_least(const Tensor& self, int64_t n) {
  Sizes sizes(self.sizes());
  if (self.ndim() == 0) sizes = Sizes(static_cast<size_t>(n), 1);
  else if (self.ndim() == 1 && n >= 2) sizes.insert(0, 1);
  if (self.ndim() > 0 && n == 3 && sizes.size() == 2) sizes.push_back(1);
  return same(sizes, self.sizes()) ? self : view(self, sizes);
}

void shapes_up_to_three(Samples& s) {
  s.add({s.rand({})});
  s.add({s.rand({3})});
  s.add({s.rand({2, 3})});
  s.add({s.rand({2, 0, 2})});
}

void view_samples(Samples& s) {
  s.add({s.rand({2, 6}), s.list({3, -1})});
  s.add({s.rand({}), s.list({1, 1})});
  s.add({s.rand({0, 3}), s.list({3, 0})});
  s.error({s.rand({2, 3}), s.list({4, -1})}, "does not fit 6 elements");
}
void like_another(Samples& s) {
  s.add({s.rand({2, 6}), s.rand({3, 4})});
  s.error({s.rand({2, 3}), s.rand({5})}, "does not fit 6 elements");
}

}  // namespace

Op view_op{
    .schema = "view(Tensor(a) self, int[] size) -> Tensor(a)",
    .doc = "The same elements in another shape, without a copy; one size may be -1. An error if the strides do not allow it.",
    .view = [](const Args& a, Layouts& out) { out.push_back(viewed(a, "view")); },
    .vjp = {reshape_back},
    .samples = view_samples,
};

Op unsafe_view_op{
    .schema = "_unsafe_view(Tensor self, int[] size) -> Tensor",
    .doc = "As view; PyTorch uses it where the caller gives up self.",
    .view = [](const Args& a, Layouts& out) { out.push_back(viewed(a, "_unsafe_view")); },
    .vjp = {reshape_back},
    .samples = view_samples,
};

Op reshape_op{
    .schema = "reshape(Tensor(a) self, int[] shape) -> Tensor(a)",
    .doc = "The same elements in another shape: a view where the strides allow it, else a copy.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensor& self = a.tensor(0);
      const Sizes shape = infer_size(a.integers(1), self.numel(), "reshape");
      Sizes strides;
      const bool possible = reshape_strides(self.sizes(), self.strides(), shape, strides);
      out.push_back(view(possible ? self : call(clone_op, {self}), shape));
    },
    .samples = view_samples,
};

Op reshape_alias_op{
    .schema = "_reshape_alias(Tensor(a) self, int[] size, int[] stride) -> Tensor(a)",
    .doc = "As view, with the strides that view would find.",
    .view = [](const Args& a, Layouts& out) {
      Layout l = viewed(a, "_reshape_alias");
      const SizesRef stride = a.integers(2);
      bool fits = stride.size() == l.sizes.size();
      for (size_t i = 0; fits && i < stride.size(); ++i) fits = l.sizes[i] == 1 ? stride[i] >= 0 : stride[i] == l.strides[i];
      GRADUS_CHECK(fits || a.tensor(0).numel() == 0, shape, "_reshape_alias: strides {}, where shape {} has {}", text(stride), text(l.sizes), text(l.strides));
      if (fits) l.strides = Sizes(stride);
      out.push_back(l);
    },
    .vjp = {reshape_back},
    .samples = [](Samples& s) {
      s.add({s.rand({2, 6}), s.list({3, 4}), s.list({4, 1})});
      s.error({s.rand({2, 6}), s.list({3, 4}), s.list({3, 1})}, "strides [3, 1]");
    },
};

Op view_as_op{
    .schema = "view_as(Tensor(a) self, Tensor other) -> Tensor(a)",
    .doc = "self viewed in the shape of other.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(view(a.tensor(0), a.tensor(1).sizes())); },
    .samples = like_another,
};

Op reshape_as_op{
    .schema = "reshape_as(Tensor(a) self, Tensor other) -> Tensor(a)",
    .doc = "self in the shape of other.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(reshape(a.tensor(0), a.tensor(1).sizes())); },
    .samples = like_another,
};

Op flatten_op{
    .schema = "flatten(Tensor(a) self, int start_dim=0, int end_dim=-1) -> Tensor(a)",
    .doc = "Dimensions start_dim to end_dim made one: a view where the strides allow it, else a copy. A scalar gets one dimension.",
    .serves = "flatten.using_ints",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensor& self = a.tensor(0);
      const auto first = static_cast<size_t>(wrap_dim(a.integer(1), self.ndim(), "flatten")), last = static_cast<size_t>(wrap_dim(a.integer(2), self.ndim(), "flatten"));
      GRADUS_CHECK(first <= last, argument, "flatten: start_dim {} comes after end_dim {}", a.integer(1), a.integer(2));
      if (self.ndim() == 0) return out.push_back(reshape(self, Sizes{1}));
      if (first == last) return out.push_back(self);
      const SizesRef sizes = self.sizes();
      Sizes shape(sizes.first(first));
      shape.push_back(numel_of(sizes.subspan(first, last - first + 1)));
      for (int64_t s : sizes.subspan(last + 1)) shape.push_back(s);
      out.push_back(reshape(self, shape));
    },
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3, 2})});
      s.add({s.rand({2, 3, 2}), Value(1), Value(-1)});
      s.add({s.rand({})});
      s.add({s.rand({0, 3, 2}), Value(0), Value(1)});
      s.error({s.rand({2, 3}), Value(1), Value(0)}, "start_dim 1 comes after end_dim 0");
    },
};

Op unflatten_op{
    .schema = "unflatten(Tensor(a) self, int dim, int[] sizes) -> Tensor(a)",
    .doc = "One dimension cut into several; one of the sizes may be -1.",
    .serves = "unflatten.int",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensor& self = a.tensor(0);
      GRADUS_CHECK(self.ndim() > 0, shape, "unflatten: a scalar has no dimension to cut");
      const auto d = static_cast<size_t>(wrap_dim(a.integer(1), self.ndim(), "unflatten"));
      GRADUS_CHECK(!a.integers(2).empty(), argument, "unflatten: no sizes given");
      const Sizes parts = infer_size(a.integers(2), self.sizes()[d], "unflatten");
      Sizes shape(self.sizes().first(d));
      for (int64_t s : parts) shape.push_back(s);
      for (int64_t s : self.sizes().subspan(d + 1)) shape.push_back(s);
      out.push_back(view(self, shape));
    },
    .samples = [](Samples& s) {
      s.add({s.rand({2, 6}), Value(1), s.list({3, -1})});
      s.add({s.rand({4, 0}), Value(-2), s.list({2, 2})});
      s.error({s.rand({2, 6}), Value(1), s.list({4, 2})}, "does not fit 6 elements");
    },
};

Op ravel_op{
    .schema = "ravel(Tensor(a) self) -> Tensor(a)",
    .doc = "All elements in one dimension: a view where the strides allow it, else a copy.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(reshape(a.tensor(0), Sizes{a.tensor(0).numel()})); },
    .samples = shapes_up_to_three,
};

Op atleast_1d_op{
    .schema = "atleast_1d(Tensor self) -> Tensor",
    .doc = "self, a scalar as one element of one dimension.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(at_least(a.tensor(0), 1)); },
    .samples = shapes_up_to_three,
};
Op atleast_2d_op{
    .schema = "atleast_2d(Tensor self) -> Tensor",
    .doc = "self, fewer than two dimensions made up for in front.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(at_least(a.tensor(0), 2)); },
    .samples = shapes_up_to_three,
};
Op atleast_3d_op{
    .schema = "atleast_3d(Tensor self) -> Tensor",
    .doc = "self with at least three dimensions: n becomes [1, n, 1], and [m, n] becomes [m, n, 1].",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(at_least(a.tensor(0), 3)); },
    .samples = shapes_up_to_three,
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
    .vjp = {pass_on},                                         // the engine sums over the repeated dimensions
    .samples = [](Samples& s) {
      s.add({s.rand({2, 1}), s.list({2, 3})});
      s.add({s.rand({3}), s.list({2, -1})});
      s.add({s.rand({}), s.list({2})});
      s.add({s.rand({1, 2}), s.list({0, 2})});
      s.error({s.rand({2, 3}), s.list({2, 4})}, "can't be read as");
    },
};

Op expand_as_op{
    .schema = "expand_as(Tensor(a) self, Tensor other) -> Tensor(a)",
    .doc = "self expanded to the shape of other.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(expand(a.tensor(0), a.tensor(1).sizes())); },
    .samples = [](Samples& s) {
      s.add({s.rand({2, 1}), s.rand({2, 3})});
      s.error({s.rand({2, 3}), s.rand({2, 4})}, "can't be read as");
    },
};

Op broadcast_to_op{
    .schema = "broadcast_to(Tensor(a) self, int[] size) -> Tensor(a)",
    .doc = "self expanded to a shape.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(expand(a.tensor(0), a.integers(1))); },
    .samples = [](Samples& s) {
      s.add({s.rand({2, 1}), s.list({2, 3})});
      s.error({s.rand({2, 3}), s.list({2, 4})}, "can't be read as");
    },
};

Op alias_op{
    .schema = "alias(Tensor(a) self) -> Tensor(a)",
    .doc = "Another handle of the same elements.",
    .view = [](const Args& a, Layouts& out) { out.push_back(a.tensor(0).layout()); },
    .vjp = {pass_on},
    .samples = on_interval<-2, 2>,
};

Op detach_op{
    .schema = "detach(Tensor(a) self) -> Tensor(a)",
    .doc = "The same elements without history: no gradient flows through. A write through it raises the version of self. detach_ cuts the tensor itself off, which may not be a view.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(detach(a.tensor(0))); },
    .rewrite = [](const Args& a) { detach_in_place(a.tensor(0).impl()); },
    .samples = on_interval<-2, 2>,
};

static Op* const all[] = {&view_op, &unsafe_view_op, &reshape_op, &reshape_alias_op, &view_as_op, &reshape_as_op, &flatten_op, &unflatten_op,
                          &ravel_op, &atleast_1d_op, &atleast_2d_op, &atleast_3d_op, &expand_op, &expand_as_op, &broadcast_to_op, &alias_op, &detach_op};
const OpList view_ops = all;

}  // namespace gradus
