// The largest and smallest elements, and where they are.
#include "kernels/copy.h"
#include "kernels/reduce.h"
#include "ops/dims.h"
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

using kernels::Reduction;

void not_empty(const Args& a, const ReducedDims& dims) {
  const Tensor& self = a.tensor(0);
  for (size_t d = 0; d < static_cast<size_t>(self.ndim()); ++d)
    GRADUS_CHECK(!dims.has(d) || self.sizes()[d] > 0, index, "{}: dim {} is reduced and has size 0", name(a.op()), d);
}
void run(Reduction kind, const Tensor& out, const Tensor& in, uint64_t dims) {
  kernels::reduce({.kind = kind, .out = view_of(out), .in = view_of(in), .dims = dims});
}

// ---- amax, amin: (self, dim=[], keepdim)
void extreme_shape(const Args& a, Metas& out) {
  const ReducedDims dims(a, 1);
  not_empty(a, dims);
  out.push_back({a.tensor(0).dtype(), reduced_sizes(a.tensor(0).sizes(), dims, a.flag(2))});
}
template <Reduction kind> void extreme_kernel(const Args& a, const Tensors& out) { run(kind, out[0], a.tensor(0), ReducedDims(a, 1).mask); }
Tensor extreme_pull(const Call& c, const Tensor& g) {
  const Tensor& x = c.tensor(0);
  return call(share_among_ties_op, {g, x, c.output(), c.integers(1)});
}
void extreme_samples(Samples& s) {
  s.add({s.spread({2, 3})});
  s.add({s.spread({2, 3, 4}), s.list({1})});
  s.add({s.spread({2, 3, 4}), s.list({0, -1}), Value(true)});
  s.add({s.spread({})});
  s.error({s.rand({2, 0}), s.list({1})}, "dim 1 is reduced and has size 0");
  s.error({s.rand({2, 3}), s.list({2})}, "dim 2 is out of range");
}

// ---- max, min of everything
void whole_shape(const Args& a, Metas& out) {
  GRADUS_CHECK(a.tensor(0).numel() > 0, value, "{}: no elements", name(a.op()));
  out.push_back({a.tensor(0).dtype(), {}});
}
template <Reduction kind> void whole_kernel(const Args& a, const Tensors& out) { run(kind, out[0], a.tensor(0), ~uint64_t{0}); }
Tensor whole_pull(const Call& c, const Tensor& g) { return call(share_among_ties_op, {g, c.tensor(0), c.output(), SizesRef()}); }
void whole_samples(Samples& s) {
  s.add({s.spread({2, 3})});
  s.add({s.spread({})});
  s.error({s.rand({0, 2})}, "no elements");
}

// ---- values and indices along one dim: (self, dim, keepdim)
int64_t the_dim(const Args& a) { return wrap_dim(a.integer(1), a.tensor(0).ndim(), name(a.op())); }
void indexed_shape(const Args& a, Metas& out) {
  const Sizes dim{a.integer(1)};
  const ReducedDims dims(dim, a.tensor(0).sizes(), name(a.op()));
  not_empty(a, dims);
  const Sizes sizes = reduced_sizes(a.tensor(0).sizes(), dims, a.flag(2));
  out.push_back({a.tensor(0).dtype(), sizes});
  out.push_back({Dtype::i64, sizes});
}
template <bool largest> void indexed_kernel(const Args& a, const Tensors& out) {
  kernels::extreme_index(largest, view_of(out[0]), view_of(out[1]), view_of(a.tensor(0)), static_cast<int>(the_dim(a)));
}
void indexed_samples(Samples& s) {
  s.add({s.spread({2, 3}), Value(1)});
  s.add({s.spread({2, 3, 4}), Value(0), Value(true)});
  s.add({s.values({2, 3}, {1, 3, 3, 2, 2, 2}, Dtype::i64), Value(-1)});   // the first among equals
  s.add({s.spread({}), Value(0)});
  s.error({s.rand({2, 0}), Value(1)}, "dim 1 is reduced and has size 0");
  s.error({s.rand({2, 3}), Value(2)}, "dim 2 is out of range");
}

Tensor pull_selected(const Call& c, const Tensor& g) { return selected_pull(c, g, c.integer(1), c.flag(2)); }

// ---- indices alone: (self, dim=None, keepdim)
void index_shape(const Args& a, Metas& out) {
  const Tensor& self = a.tensor(0);
  GRADUS_CHECK(a.has(1) || self.numel() > 0, value, "{}: no elements", name(a.op()));
  const Sizes dim = a.has(1) ? Sizes{a.integer(1)} : Sizes{};
  const ReducedDims dims(dim, self.sizes(), name(a.op()));
  not_empty(a, dims);
  out.push_back({Dtype::i64, reduced_sizes(self.sizes(), dims, a.flag(2))});
}
template <bool largest> void index_kernel(const Args& a, const Tensors& out) {
  const Tensor& self = a.tensor(0);
  if (a.has(1)) return kernels::extreme_index(largest, View(), view_of(out[0]), view_of(self), static_cast<int>(the_dim(a)));
  Tensor flat = self;
  if (!self.contiguous()) {
    flat = empty(self.meta());
    kernels::copy(view_of(flat), view_of(self));
  }
  const Sizes n{self.numel()}, one{1};
  flat = alias(flat, n, one, flat.offset());
  kernels::extreme_index(largest, View(), view_of(out[0]), view_of(flat), 0);
}
void index_samples(Samples& s) {
  s.add({s.spread({2, 3})});
  s.add({s.spread({2, 3}), std::nullopt, Value(true)});
  s.add({s.spread({2, 3, 4}), Value(1)});
  s.add({s.spread({2, 3, 4}), Value(-1), Value(true)});
  s.add({s.spread({})});
  s.error({s.rand({0, 2})}, "no elements");
  s.error({s.rand({2, 3}), Value(2)}, "dim 2 is out of range");
}

// Row-major, and of the dtype of self.
Tensor laid_out(const Tensor& t, const Tensor& self) {
  if (t.contiguous() && t.dtype() == self.dtype()) return t;
  const Tensor c = empty(self.dtype(), t.sizes());
  kernels::copy(view_of(c), view_of(t));
  return c;
}

}  // namespace

Op share_among_ties_op{
    .schema = "_share_among_ties(Tensor grad, Tensor self, Tensor value, int[1] dim) -> Tensor",
    .doc = "grad / n at the n places along dim that equal the value, 0 elsewhere: how equal extremes share a gradient. NaN equals NaN. grad "
           "and value have the other dims.",
    .shape = [](const Args& a, Metas& out) {
      const Tensor& self = a.tensor(1);
      GRADUS_CHECK(is_floating(self.dtype()), dtype, "_share_among_ties: not defined for {}", name(self.dtype()));
      const int64_t n = numel_of(reduced_sizes(self.sizes(), ReducedDims(a, 3, self.sizes()), false));
      GRADUS_CHECK(a.tensor(0).numel() == n && a.tensor(2).numel() == n, shape, "_share_among_ties: gradients of shape {} and values of shape {} for shape {}",
                   text(a.tensor(0).sizes()), text(a.tensor(2).sizes()), text(self.sizes()));
      out.push_back(self.meta());
    },
    .kernel = [](const Args& a, const Tensors& out) {
      const Tensor &self = a.tensor(1), g = laid_out(a.tensor(0), self), value = laid_out(a.tensor(2), self);
      kernels::share_among_ties(view_of(out[0]), view_of(g), view_of(self), view_of(value), ReducedDims(a, 3, self.sizes()).mask);
    },
    .vjp = {[](const Call& c, const Tensor& v) {
      const Tensor &self = c.tensor(1), shares = call(share_among_ties_op, {ones(c.sizes(), self.dtype()), self, c.tensor(2), c.integers(3)});
      return reshape(sum(mul(v, shares), c.integers(3)), c.sizes());
    }},
    .save = input(1) | input(2),
    .samples = [](Samples& s) {
      s.add({s.rand({2}), s.values({2, 3}, {1, 3, 3, 2, 2, 2}, Dtype::f32), s.values({2}, {3, 2}, Dtype::f32), s.list({1})});
      s.add({s.rand({1, 3}), s.values({2, 3}, {1, 3, 3, 2, 2, 3}, Dtype::f32), s.values({1, 3}, {2, 3, 3}, Dtype::f32), s.list({0})});
      s.add({s.rand({}), s.values({2, 3}, {1, 3, 3, 2, 2, 2}, Dtype::f32), s.values({}, {2}, Dtype::f32), s.list({})});
      s.error({s.rand({2}), s.rand({2, 3}), s.rand({4}), s.list({1})}, "values of shape [4] for shape [2, 3]");
    },
};
Op amax_op{
    .schema = "amax(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor",
    .doc = "The largest element over the dimensions in dim, over all when there are none; NaN if there is one. Equal ones share the gradient.",
    .shape = extreme_shape,
    .kernel = extreme_kernel<Reduction::max>,
    .vjp = {extreme_pull},
    .save = input(0) | output(),
    .samples = extreme_samples,
};
Op amin_op{
    .schema = "amin(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor",
    .doc = "The smallest element over the dimensions in dim, over all when there are none; NaN if there is one. Equal ones share the gradient.",
    .shape = extreme_shape,
    .kernel = extreme_kernel<Reduction::min>,
    .vjp = {extreme_pull},
    .save = input(0) | output(),
    .samples = extreme_samples,
};
Op max_op{
    .schema = "max(Tensor self) -> Tensor",
    .doc = "The largest element; NaN if there is one. Equal ones share the gradient.",
    .shape = whole_shape,
    .kernel = whole_kernel<Reduction::max>,
    .vjp = {whole_pull},
    .save = input(0) | output(),
    .samples = whole_samples,
};
Op min_op{
    .schema = "min(Tensor self) -> Tensor",
    .doc = "The smallest element; NaN if there is one. Equal ones share the gradient.",
    .shape = whole_shape,
    .kernel = whole_kernel<Reduction::min>,
    .vjp = {whole_pull},
    .save = input(0) | output(),
    .samples = whole_samples,
};
Op aminmax_op{
    .schema = "aminmax(Tensor self, *, int? dim=None, bool keepdim=False) -> (Tensor min, Tensor max)",
    .doc = "The smallest and the largest element along dim, of all without one.",
    .compose = [](const Args& a, Tensors& out) {
      const Sizes dim = a.has(1) ? Sizes{a.integer(1)} : Sizes{};
      out.push_back(call(amin_op, {a.tensor(0), dim, a.flag(2)}));
      out.push_back(call(amax_op, {a.tensor(0), dim, a.flag(2)}));
    },
    .samples = [](Samples& s) {
      s.add({s.spread({2, 3})});
      s.add({s.spread({2, 3}), Value(1), Value(true)});
      s.error({s.rand({2, 0}), Value(1)}, "dim 1 is reduced and has size 0");
    },
};
Op max_dim_op{
    .schema = "max_dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)",
    .doc = "The largest element along dim and its index, the first among equals, which gets the gradient. NaN is the largest.",
    .serves = "max.dim",
    .shape = indexed_shape,
    .kernel = indexed_kernel<true>,
    .vjp = {pull_selected},
    .save = output(1),
    .samples = indexed_samples,
};
Op min_dim_op{
    .schema = "min_dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)",
    .doc = "The smallest element along dim and its index, the first among equals, which gets the gradient. NaN is the smallest.",
    .serves = "min.dim",
    .shape = indexed_shape,
    .kernel = indexed_kernel<false>,
    .vjp = {pull_selected},
    .save = output(1),
    .samples = indexed_samples,
};
Op argmax_op{
    .schema = "argmax(Tensor self, int? dim=None, bool keepdim=False) -> Tensor",
    .doc = "The index of the largest element along dim, in row-major order of all without one; the first among equals, NaN the largest.",
    .shape = index_shape,
    .kernel = index_kernel<true>,
    .samples = index_samples,
};
Op argmin_op{
    .schema = "argmin(Tensor self, int? dim=None, bool keepdim=False) -> Tensor",
    .doc = "The index of the smallest element along dim, in row-major order of all without one; the first among equals, NaN the smallest.",
    .shape = index_shape,
    .kernel = index_kernel<false>,
    .samples = index_samples,
};

static Op* const all[] = {&share_among_ties_op, &amax_op, &amin_op, &max_op, &min_op, &aminmax_op, &max_dim_op, &min_dim_op, &argmax_op, &argmin_op};
const OpList extreme_ops = all;

}  // namespace gradus
