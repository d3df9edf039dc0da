// Reading at indices: gather, index_select, index, take, masked_select, nonzero.
#include "dispatch/evaluate.h"
#include "kernels/index.h"
#include "ops/indices.h"
#include "ops/lists.h"
#include "ops/samples.h"

namespace gradus {
namespace {

void check_vector(const Tensor& index, std::string_view what) {
  check_index_dtype(index, what);
  GRADUS_CHECK(index.ndim() <= 1, shape, "{}: an index of shape {}, where a vector is wanted", what, text(index.sizes()));
}
void check_mask(const Tensor& mask, std::string_view what) {
  GRADUS_CHECK(mask.dtype() == Dtype::boolean, dtype, "{}: a mask must be bool, not {}", what, name(mask.dtype()));
}

}  // namespace

Op gather_op{
    .schema = "gather(Tensor self, int dim, Tensor index, *, bool sparse_grad=False) -> Tensor",
    .doc = "out[i, j, ...] = self[i, index[i, j, ...], ...] for dim 1. index may be smaller than self in the other dimensions. Gradients are dense.",
    .complex = true,
    .shape = [](const Args& a, Metas& out) {
      check_along(a.tensor(0).sizes(), a.integer(1), a.tensor(2), "gather");
      out.push_back({a.tensor(0).dtype(), Sizes(a.tensor(2).sizes())});
    },
    .kernel = [](const Args& a, const Tensors& out) {
      const Tensor& self = a.tensor(0);
      if (out[0].numel() == 0) return;
      const int64_t d = wrap_dim(a.integer(1), self.ndim(), "gather");
      const Tensor index = checked_index(a.tensor(2), self.ndim() == 0 ? 1 : self.size(d), false, "gather");
      read(out[0], self, along(self.layout(), d, index));
    },
    .vjp = {[](const Call& c, const Tensor& g) { return scatter_add(zeros(c.sizes(), g.dtype()), c.integer(1), c.tensor(2), g); }},
    .save = input(1),
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), Value(1), s.integers({2, 4}, 0, 3)});
      s.add({s.rand({3, 2, 4}), Value(0), s.integers({2, 1, 3}, 0, 3)});
      s.add({s.rand({4}), Value(-1), s.values({3}, {1, 1, 0}, Dtype::i64)});
      s.add({s.rand({}), Value(0), s.values({}, {0}, Dtype::i64)});
      s.add({s.rand({2, 3}), Value(0), s.integers({0, 3}, 0, 1)});
      s.add({s.rand({3}), Value(0), s.integers({2, 0}, 0, 1)});
      s.error({s.rand({2, 3}), Value(1), s.values({1, 1}, {3}, Dtype::i64)}, "index 3 is out of range for size 3");
      s.error({s.rand({2, 3}), Value(1), s.integers({3, 1}, 0, 1)}, "an index of shape [3, 1]");
      s.error({s.rand({2, 3}), Value(1), s.rand({2, 1})}, "indices must be int64 or int32");
    },
};

Op index_select_op{
    .schema = "index_select(Tensor self, int dim, Tensor index) -> Tensor",
    .doc = "The parts of self at the indices of a dimension, in the order of the indices.",
    .complex = true,
    .shape = [](const Args& a, Metas& out) {
      const Tensor& self = a.tensor(0);
      const auto d = static_cast<size_t>(wrap_dim(a.integer(1), self.ndim(), "index_select"));
      check_vector(a.tensor(2), "index_select");
      Sizes sizes(self.sizes());
      if (self.ndim() == 0) GRADUS_CHECK(a.tensor(2).numel() == 1, shape, "index_select: {} indices into a scalar", a.tensor(2).numel());
      else sizes[d] = a.tensor(2).numel();
      numel_of(sizes);
      out.push_back({self.dtype(), sizes});
    },
    .kernel = [](const Args& a, const Tensors& out) {
      const Tensor& self = a.tensor(0);
      const int64_t d = wrap_dim(a.integer(1), self.ndim(), "index_select");
      read(out[0], self, rows_of(self.layout(), d, checked_index(a.tensor(2), self.ndim() == 0 ? 1 : self.size(d), false, "index_select")));
    },
    .vjp = {[](const Call& c, const Tensor& g) { return index_add(zeros(c.sizes(), g.dtype()), c.integer(1), c.tensor(2), g); }},
    .save = input(1),
    .samples = [](Samples& s) {
      s.add({s.rand({3, 2}), Value(0), s.values({4}, {2, 0, 2, 1}, Dtype::i64)});
      s.add({s.rand({2, 3, 2}), Value(-2), s.values({2}, {1, 1}, Dtype::i32)});
      s.add({s.rand({3, 2}), Value(1), s.integers({0}, 0, 1)});
      s.add({s.rand({}), Value(0), s.values({1}, {0}, Dtype::i64)});
      s.error({s.rand({3, 2}), Value(0), s.values({1}, {-1}, Dtype::i64)}, "index -1 is out of range for size 3");
      s.error({s.rand({3, 2}), Value(0), s.integers({1, 1}, 0, 1)}, "a vector is wanted");
    },
};

Op take_op{
    .schema = "take(Tensor self, Tensor index) -> Tensor",
    .doc = "The elements at indices that count all elements of self, row by row; negative ones from the end.",
    .complex = true,
    .shape = [](const Args& a, Metas& out) {
      check_index_dtype(a.tensor(1), "take");
      out.push_back({a.tensor(0).dtype(), Sizes(a.tensor(1).sizes())});
    },
    .kernel = [](const Args& a, const Tensors& out) {
      const Tensor& self = a.tensor(0);
      read(out[0], self, elements_of(self.layout(), checked_index(a.tensor(1), self.numel(), true, "take")));
    },
    .vjp = {[](const Call& c, const Tensor& g) { return call(put_op, {zeros(c.sizes(), g.dtype()), c.tensor(1), g, true}); }},
    .save = input(1),
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.values({2, 2}, {0, 5, -1, 0}, Dtype::i64)});
      s.add({s.rand({2, 3}), s.integers({0}, 0, 1)});
      s.error({s.rand({2, 3}), s.values({1}, {6}, Dtype::i64)}, "index 6 is out of range for size 6");
    },
};

Op take_along_dim_op{
    .schema = "take_along_dim(Tensor self, Tensor indices, int? dim=None) -> Tensor",
    .doc = "As gather, self and indices broadcast to each other outside dim; over the flattened tensors where there is no dim.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensor &self = a.tensor(0), &indices = a.tensor(1);
      if (!a.has(2)) return out.push_back(gather(reshape(self, Sizes{self.numel()}), 0, reshape(indices, Sizes{indices.numel()})));
      GRADUS_CHECK(self.ndim() == indices.ndim(), shape, "take_along_dim: indices of {} dimensions for a tensor of {}", indices.ndim(), self.ndim());
      if (self.ndim() == 0) return out.push_back(gather(self, a.integer(2), indices));
      const auto d = static_cast<size_t>(wrap_dim(a.integer(2), self.ndim(), "take_along_dim"));
      Sizes read(self.sizes()), asked(indices.sizes());
      read[d] = asked[d] = 1;
      read = broadcast_sizes(read, asked, "take_along_dim");
      asked = read;
      read[d] = self.sizes()[d];
      asked[d] = indices.sizes()[d];
      out.push_back(gather(expand(self, read), static_cast<int64_t>(d), expand(indices, asked)));
    },
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.values({1, 2}, {2, 0}, Dtype::i64), Value(1)});
      s.add({s.rand({2, 3}), s.values({3}, {5, 0, 0}, Dtype::i64)});
      s.error({s.rand({2, 3}), s.integers({3}, 0, 1), Value(1)}, "indices of 1 dimensions for a tensor of 2");
    },
};

Op index_op{
    .schema = "index(Tensor self, Tensor?[] indices) -> Tensor",
    .doc = "self at index tensors, one for each leading dimension (absent: all of it), which broadcast to one shape. That shape stands where the indices "
           "stand if they are neighbours, else in front. A bool tensor stands for the indices where it is true, of as many dimensions as it has. "
           "Negative indices count from the end.",
    .serves = "index.Tensor",
    .complex = true,
    .shape = [](const Args& a, Metas& out) { out.push_back({a.tensor(0).dtype(), IndexList(a.tensor(0).sizes(), a.tensors(1), "index").block()}); },
    .kernel = [](const Args& a, const Tensors& out) { read(out[0], a.tensor(0), IndexList(a.tensor(0).sizes(), a.tensors(1), "index").places(a.tensor(0).layout())); },
    .vjp = {[](const Call& c, const Tensor& g) { return call(index_put_op, {zeros(c.sizes(), g.dtype()), c.args()[1], g, true}); }},
    .save = input(1),
    .samples = [](Samples& s) {
      const Value gap = Value(std::nullopt);
      s.add({s.rand({3, 2}), s.tensors({s.values({4}, {0, -1, 1, 0}, Dtype::i64)})});
      s.add({s.rand({3, 2, 4}), s.tensors({gap, s.values({2, 1}, {0, 1}, Dtype::i64), s.values({3}, {3, 0, -4}, Dtype::i64)})});
      s.add({s.rand({3, 2, 4}), s.tensors({s.values({2}, {2, 2}, Dtype::i64), gap, s.values({2}, {3, 1}, Dtype::i32)})});
      s.add({s.rand({2, 3}), s.tensors({s.values({2, 3}, {1, 0, 0, 1, 1, 0}, Dtype::boolean)})});
      s.add({s.rand({2, 3, 2}), s.tensors({gap, s.values({3}, {1, 0, 1}, Dtype::boolean), s.values({}, {1}, Dtype::i64)})});
      s.add({s.rand({2, 3}), s.tensors({s.integers({0}, 0, 1)})});
      s.add({s.rand({2, 3}), s.tensors({gap, s.values({3}, {0, 0, 0}, Dtype::boolean)})});
      s.error({s.rand({3}), s.tensors({s.values({2}, {0, 3}, Dtype::i64)})}, "index 3 is out of range for size 3");
      s.error({s.rand({3}), s.tensors({s.values({2}, {1, 0}, Dtype::boolean)})}, "a mask of shape [2]");
      s.error({s.rand({3}), s.tensors({s.integers({1}, 0, 1), s.integers({1}, 0, 1)})}, "2 indices for 1 dimensions");
      s.error({s.rand({3, 3}), s.tensors({s.integers({2}, 0, 1), s.integers({3}, 0, 1)})}, "do not broadcast");
    },
};

Op masked_select_op{
    .schema = "masked_select(Tensor self, Tensor mask) -> Tensor",
    .doc = "The elements where the mask is true, as a vector; self and mask broadcast to each other.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      check_mask(a.tensor(1), "masked_select");
      const Sizes sizes = broadcast_sizes(a.tensor(0).sizes(), a.tensor(1).sizes(), "masked_select");
      const Tensor flat = reshape(expand(a.tensor(0), sizes), Sizes{numel_of(sizes)});
      const Tensor mask = reshape(expand(a.tensor(1), sizes), Sizes{numel_of(sizes)});
      out.push_back(index(flat, {&mask, 1}));
    },
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.values({2, 3}, {1, 0, 0, 1, 1, 0}, Dtype::boolean)});
      s.add({s.rand({2, 3}), s.values({2, 1}, {0, 1}, Dtype::boolean)});
      s.add({s.rand({2}), s.values({2, 1}, {1, 1}, Dtype::boolean)});
      s.add({s.rand({}), s.values({}, {1}, Dtype::boolean)});
      s.error({s.rand({2}), s.values({2}, {1, 1}, Dtype::i64)}, "a mask must be bool");
    },
};

Op nonzero_op{
    .schema = "nonzero(Tensor self) -> Tensor",
    .doc = "The indices of the elements that are not 0, one row each, in row-major order.",
    .complex = true,
    .shape = [](const Args& a, Metas& out) { out.push_back({Dtype::i64, Sizes{kernels::count_nonzero(view_of(a.tensor(0))), a.tensor(0).ndim()}}); },
    .kernel = [](const Args& a, const Tensors& out) { kernels::nonzero(out[0].data<int64_t>(), view_of(a.tensor(0))); },
    .samples = [](Samples& s) {
      s.add({s.values({2, 3}, {0, 2, 0, -1, 0, 0.5})});
      s.add({s.values({}, {3})});
      s.add({s.rand({0, 2})});
    },
};
Op argwhere_op{
    .schema = "argwhere(Tensor self) -> Tensor",
    .doc = "The indices of the elements that are not 0, one row each: nonzero.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(call(nonzero_op, {a[0]})); },
    .samples = [](Samples& s) { s.add({s.values({2, 3}, {0, 2, 0, -1, 0, 0.5})}); },
};
Op nonzero_numpy_op{
    .schema = "nonzero_numpy(Tensor self) -> Tensor[]",
    .doc = "The indices of the elements that are not 0, one vector for each dimension; a scalar counts as a vector.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensor& self = a.tensor(0);
      out = unbind(call(nonzero_op, {self.ndim() == 0 ? unsqueeze(self, 0) : self}), 1);
    },
    .samples = [](Samples& s) { s.add({s.values({2, 3}, {0, 2, 0, -1, 0, 0.5})}); s.add({s.values({}, {3})}); },
};

static Op* const all[] = {&gather_op, &index_select_op, &take_op, &take_along_dim_op, &index_op, &masked_select_op, &nonzero_op, &argwhere_op, &nonzero_numpy_op};
const OpList index_ops = all;

}  // namespace gradus
