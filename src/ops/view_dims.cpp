// Views that reorder, drop or add dimensions.
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"
#include "ops/view.h"

namespace gradus {
namespace {

Layout permuted(const Tensor& self, SizesRef dims, std::string_view what) {
  GRADUS_CHECK(dims.size() == self.sizes().size(), shape, "{}: {} dims given for {} dimensions", what, dims.size(), self.ndim());
  Layout l{{}, {}, self.offset()};
  uint64_t seen = 0;
  for (int64_t d : dims) {
    const int64_t i = wrap_dim(d, self.ndim(), what);
    GRADUS_CHECK(!(seen >> i & 1), value, "{}: dim {} appears twice in {}", what, d, text(dims));
    seen |= uint64_t{1} << i;
    l.sizes.push_back(self.size(i));
    l.strides.push_back(self.stride(i));
  }
  return l;
}

// The layout with two dimensions exchanged.
Layout exchanged(const Tensor& self, int64_t a, int64_t b, std::string_view what) {
  const auto i = static_cast<size_t>(wrap_dim(a, self.ndim(), what)), j = static_cast<size_t>(wrap_dim(b, self.ndim(), what));
  Layout l = self.layout();
  if (l.sizes.empty()) return l;
  std::swap(l.sizes[i], l.sizes[j]);
  std::swap(l.strides[i], l.strides[j]);
  return l;
}

// The order of dims that has source[i] at destination[i] and the others as they were.
Sizes moved(int64_t ndim, SizesRef source, SizesRef destination, std::string_view what) {
  GRADUS_CHECK(source.size() == destination.size(), argument, "{}: {} source dims for {} destinations", what, source.size(), destination.size());
  Sizes order(static_cast<size_t>(std::max<int64_t>(ndim, 1)), -1);
  uint64_t taken = 0;
  for (size_t i = 0; i < source.size(); ++i) {
    const int64_t from = wrap_dim(source[i], ndim, what);
    int64_t& to = order[static_cast<size_t>(wrap_dim(destination[i], ndim, what))];
    GRADUS_CHECK(!(taken >> from & 1) && to < 0, value, "{}: dims {} to {} name a dimension twice", what, text(source), text(destination));
    taken |= uint64_t{1} << from;
    to = from;
  }
  int64_t next = 0;
  for (int64_t& to : order) {
    if (to >= 0) continue;
    while (taken >> next & 1) ++next;
    to = next++;
  }
  order.resize(static_cast<size_t>(ndim));
  return order;
}

void two_dims(Samples& s) {
  s.add({s.rand({2, 3}), Value(0), Value(1)});
  s.add({s.rand({2, 3, 4}), Value(-1), Value(0)});
  s.add({s.rand({}), Value(0), Value(-1)});
  s.add({s.rand({0, 3}), Value(0), Value(1)});
  s.error({s.rand({2, 3}), Value(0), Value(2)}, "dim 2 is out of range");
}
void moves(Samples& s) {
  s.add({s.rand({2, 3, 4}), s.list({0}), s.list({2})});
  s.add({s.rand({2, 3, 4}), s.list({0, 1}), s.list({-1, 0})});
  s.add({s.rand({2, 3}), Value(1), Value(0)});
  s.error({s.rand({2, 3}), s.list({0, 0}), s.list({0, 1})}, "name a dimension twice");
}
void matrices(Samples& s) {
  s.add({s.rand({2, 3})});
  s.add({s.rand({0, 3})});
}

}  // namespace

Op t_op{
    .schema = "t(Tensor(a) self) -> Tensor(a)",
    .doc = "A matrix with rows and columns exchanged; vectors and scalars as they are.",
    .view = [](const Args& a, Layouts& out) {
      const Tensor& self = a.tensor(0);
      GRADUS_CHECK(self.ndim() <= 2, shape, "t: a tensor of {} dimensions, where at most 2 are taken", self.ndim());
      out.push_back(self.ndim() < 2 ? self.layout() : exchanged(self, 0, 1, "t"));
    },
    .in_place = true,
    .vjp = {[](const Call&, const Tensor& g) { return call(t_op, {g}); }},
    .samples = [](Samples& s) {
      matrices(s);
      s.add({s.rand({3})});
      s.add({s.rand({})});
      s.error({s.rand({2, 2, 2})}, "at most 2");
    },
};

Op mt_op{
    .schema = "mT(Tensor(a) self) -> Tensor(a)",
    .doc = "The last two dimensions exchanged.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      GRADUS_CHECK(a.tensor(0).ndim() >= 2, shape, "mT: a tensor of {} dimensions, where at least 2 are wanted", a.tensor(0).ndim());
      out.push_back(transpose(a.tensor(0), -2, -1));
    },
    .samples = [](Samples& s) {
      matrices(s);
      s.add({s.rand({2, 3, 4})});
      s.error({s.rand({3})}, "at least 2");
    },
};

Op numpy_t_op{
    .schema = "numpy_T(Tensor(a) self) -> Tensor(a)",
    .doc = "All dimensions in reverse order.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      Sizes dims;
      for (int64_t d = a.tensor(0).ndim(); d-- > 0;) dims.push_back(d);
      out.push_back(permute(a.tensor(0), dims));
    },
    .samples = [](Samples& s) {
      matrices(s);
      s.add({s.rand({2, 3, 4})});
      s.add({s.rand({})});
    },
};

Op transpose_op{
    .schema = "transpose(Tensor(a) self, int dim0, int dim1) -> Tensor(a)",
    .doc = "Two dimensions exchanged.",
    .serves = "transpose.int",
    .view = [](const Args& a, Layouts& out) { out.push_back(exchanged(a.tensor(0), a.integer(1), a.integer(2), "transpose")); },
    .in_place = true,
    .vjp = {[](const Call& c, const Tensor& g) { return transpose(g, c.integer(1), c.integer(2)); }},
    .samples = two_dims,
};
Op swapaxes_op{
    .schema = "swapaxes(Tensor(a) self, int axis0, int axis1) -> Tensor(a)",
    .doc = "Two dimensions exchanged: transpose.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(transpose(a.tensor(0), a.integer(1), a.integer(2))); },
    .in_place = true,
    .samples = two_dims,
};
Op swapdims_op{
    .schema = "swapdims(Tensor(a) self, int dim0, int dim1) -> Tensor(a)",
    .doc = "Two dimensions exchanged: transpose.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(transpose(a.tensor(0), a.integer(1), a.integer(2))); },
    .in_place = true,
    .samples = two_dims,
};

Op permute_op{
    .schema = "permute(Tensor(a) self, int[] dims) -> Tensor(a)",
    .doc = "The dimensions in another order: dimension i of the result is dims[i] of self.",
    .view = [](const Args& a, Layouts& out) { out.push_back(permuted(a.tensor(0), a.integers(1), "permute")); },
    .vjp = {[](const Call& c, const Tensor& g) {
      Sizes back(c.integers(1).size());
      for (size_t i = 0; i < back.size(); ++i) back[static_cast<size_t>(wrap_dim(c.integers(1)[i], g.ndim(), "permute"))] = static_cast<int64_t>(i);
      return permute(g, back);
    }},
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3, 4}), s.list({2, 0, -2})});
      s.add({s.rand({}), s.list({})});
      s.add({s.rand({0, 3}), s.list({1, 0})});
      s.error({s.rand({2, 3}), s.list({0, 0})}, "appears twice");
      s.error({s.rand({2, 3}), s.list({0})}, "1 dims given for 2");
    },
};

Op movedim_op{
    .schema = "movedim(Tensor(a) self, int[1] source, int[1] destination) -> Tensor(a)",
    .doc = "The dimensions in source moved to the places in destination, the others in order.",
    .serves = "movedim.int movedim.intlist",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(permute(a.tensor(0), moved(a.tensor(0).ndim(), a.integers(1), a.integers(2), "movedim"))); },
    .samples = moves,
};
Op moveaxis_op{
    .schema = "moveaxis(Tensor(a) self, int[1] source, int[1] destination) -> Tensor(a)",
    .doc = "The dimensions in source moved to the places in destination, the others in order: movedim.",
    .serves = "moveaxis.int moveaxis.intlist",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(permute(a.tensor(0), moved(a.tensor(0).ndim(), a.integers(1), a.integers(2), "moveaxis"))); },
    .samples = moves,
};

Op squeeze_op{
    .schema = "squeeze(Tensor(a) self, int[1]? dim=None) -> Tensor(a)",
    .doc = "Dimensions of size 1 left out: all, or those in dim. Others in dim stay.",
    .serves = "squeeze squeeze.dim squeeze.dims",
    .view = [](const Args& a, Layouts& out) {
      const Tensor& self = a.tensor(0);
      uint64_t chosen = a.has(1) ? 0 : ~uint64_t{0};
      if (a.has(1))
        for (int64_t d : a.integers(1)) {
          const uint64_t bit = uint64_t{1} << wrap_dim(d, self.ndim(), "squeeze");
          GRADUS_CHECK(!(chosen & bit), value, "squeeze: dim {} appears twice in {}", d, text(a.integers(1)));
          chosen |= bit;
        }
      Layout l{{}, {}, self.offset()};
      for (int64_t d = 0; d < self.ndim(); ++d) {
        if (self.size(d) == 1 && (chosen >> d & 1)) continue;
        l.sizes.push_back(self.size(d));
        l.strides.push_back(self.stride(d));
      }
      out.push_back(l);
    },
    .in_place = true,
    .vjp = {reshape_back},
    .samples = [](Samples& s) {
      s.add({s.rand({1, 3, 1, 2})});
      s.add({s.rand({1, 3, 1}), Value(-1)});
      s.add({s.rand({1, 3, 1}), s.list({0, 1})});
      s.add({s.rand({}), Value(0)});
      s.add({s.rand({1, 0})});
      s.error({s.rand({2, 3}), Value(2)}, "dim 2 is out of range");
    },
};

Op unsqueeze_op{
    .schema = "unsqueeze(Tensor(a) self, int dim) -> Tensor(a)",
    .doc = "A dimension of size 1 put in at dim.",
    .view = [](const Args& a, Layouts& out) {
      const Tensor& self = a.tensor(0);
      const auto d = static_cast<size_t>(wrap_dim(a.integer(1), self.ndim() + 1, "unsqueeze"));
      Layout l = self.layout();
      l.strides.insert(d, d < l.sizes.size() ? l.sizes[d] * l.strides[d] : 1);
      l.sizes.insert(d, 1);
      out.push_back(l);
    },
    .in_place = true,
    .vjp = {reshape_back},
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), Value(1)});
      s.add({s.rand({2, 3}), Value(-1)});
      s.add({s.rand({}), Value(0)});
      s.error({s.rand({2, 3}), Value(3)}, "dim 3 is out of range");
    },
};

static Op* const all[] = {&t_op, &mt_op, &numpy_t_op, &transpose_op, &swapaxes_op, &swapdims_op, &permute_op, &movedim_op, &moveaxis_op, &squeeze_op, &unsqueeze_op};
const OpList view_dims_ops = all;

}  // namespace gradus
