// Writing at indices: scatter and its kinds, index_put, put. The places of self that are written lose their gradient; where
// several values go to one place and the last one wins, the gradient goes to that one alone.
#include "dispatch/evaluate.h"
#include "kernels/copy.h"
#include "kernels/scatter.h"
#include "ops/indices.h"
#include "ops/lists.h"
#include "ops/samples.h"

namespace gradus {
namespace {

using kernels::Combine;

int64_t size_along(const Tensor& self, int64_t dim) { return self.ndim() == 0 ? 1 : self.size(dim); }

// (self, dim, index, src): src is a number, or has self's dtype and at least the sizes of the index.
void check_scatter(const Args& a, Metas& out) {
  const Tensor &self = a.tensor(0), &index = a.tensor(2);
  check_along(self.sizes(), a.integer(1), index, name(a.op()));
  if (a[3].tag == Tag::tensor && index.numel() > 0) {
    const Tensor& src = a.tensor(3);
    GRADUS_CHECK(src.dtype() == self.dtype(), dtype, "{}: a source of {} for a tensor of {}", name(a.op()), name(src.dtype()), name(self.dtype()));
    bool fits = std::max<int64_t>(src.ndim(), 1) == std::max<int64_t>(index.ndim(), 1) && index.numel() <= src.numel();
    for (int64_t d = 0; fits && d < std::min(src.ndim(), index.ndim()); ++d) fits = index.size(d) <= src.size(d);
    GRADUS_CHECK(fits, shape, "{}: a source of shape {} for an index of shape {}", name(a.op()), text(src.sizes()), text(index.sizes()));
  }
  if (a[3].is_number()) check_number(a, 3);
  out.push_back(self.meta());
}

// The part of src that the index has elements for; a number becomes a tensor of one element.
Tensor source_of(const Args& a, int position, const Tensor& index, Dtype dtype) {
  if (a[position].tag != Tag::tensor) {
    Tensor one = empty(dtype, Sizes{});
    kernels::fill(view_of(one), a.number(position));
    return one;
  }
  const Tensor& src = a.tensor(position);
  if (same(src.sizes(), index.sizes())) return src;
  if (src.ndim() != index.ndim()) return alias(src, index.sizes(), contiguous_strides(index.sizes()), src.offset());   // scalars and single elements
  return alias(src, index.sizes(), src.strides(), src.offset());
}

void scatter_with(const Args& a, const Tensor& out, Combine how) {
  if (a.tensor(2).numel() == 0) return;
  const int64_t d = wrap_dim(a.integer(1), out.ndim(), name(a.op()));
  const Tensor index = checked_index(a.tensor(2), size_along(out, d), false, name(a.op()));
  write(out, source_of(a, 3, a.tensor(2), out.dtype()), along(out.layout(), d, index), how);
}

// g, which has the index's shape, as the gradient of a source that may be larger.
Tensor fit_source(const Call& c, Tensor g) {
  if (g.numel() == 0) return zeros(c.sizes(), g.dtype());
  if (c.sizes().size() != g.sizes().size()) return reshape(g, c.sizes());
  for (size_t d = 0; d < g.sizes().size(); ++d) {
    if (g.sizes()[d] == c.sizes()[d]) continue;
    Sizes sizes(g.sizes());
    sizes[d] = c.sizes()[d];
    g = call(slice_backward_op, {g, sizes, static_cast<int64_t>(d), 0, g.sizes()[d], 1});
  }
  return g;
}
Tensor gather_gradient(const Call& c, const Tensor& g) { return fit_source(c, gather(g, c.integer(1), c.tensor(2))); }

Combine combine_of(const Args& a, int position) {
  if (!a.has(position)) return Combine::replace;
  GRADUS_CHECK(a.text(position) == "add" || a.text(position) == "multiply", value, "scatter: reduce '{}', where 'add' or 'multiply' is wanted", a.text(position));
  return a.text(position) == "add" ? Combine::add : Combine::multiply;
}
void refuse_multiply(const Call& c) {
  GRADUS_CHECK(combine_of(c.args(), 4) != Combine::multiply, unsupported, "scatter: reduce 'multiply' has no gradient: use scatter_reduce with 'prod'");
}

void check_put(const Args& a, Metas& out) {
  check_index_dtype(a.tensor(1), "put");
  GRADUS_CHECK(a.tensor(2).dtype() == a.tensor(0).dtype(), dtype, "put: a source of {} for a tensor of {}", name(a.tensor(2).dtype()), name(a.tensor(0).dtype()));
  GRADUS_CHECK(a.tensor(1).numel() == a.tensor(2).numel(), shape, "put: {} values for {} indices", a.tensor(2).numel(), a.tensor(1).numel());
  out.push_back(a.tensor(0).meta());
}
void check_index_put(const Args& a, Metas& out) {
  const Tensor &self = a.tensor(0), &values = a.tensor(2);
  GRADUS_CHECK(values.dtype() == self.dtype(), dtype, "index_put: values of {} for a tensor of {}", name(values.dtype()), name(self.dtype()));
  const IndexList list(self.sizes(), a.tensors(1), "index_put");
  GRADUS_CHECK(same(broadcast_sizes(values.sizes(), list.block(), "index_put"), list.block()), shape, "index_put: values of shape {} for places of shape {}",
               text(values.sizes()), text(list.block()));
  out.push_back(self.meta());
}

}  // namespace

Op scatter_op{
    .schema = "scatter(Tensor self, int dim, Tensor index, Tensor src, *, str? reduce=None) -> Tensor",
    .doc = "self with src, a tensor or a number, written to out[i, index[i, j, ...], ...] for dim 1, or added or multiplied in with reduce 'add' or 'multiply'. "
           "Of several values for one place the last one wins, and gets the gradient.",
    .serves = "scatter.src scatter.value scatter.reduce scatter.value_reduce",
    .complex = true,
    .takes_numbers = true,
    .complex_numbers = true,
    .shape = [](const Args& a, Metas& out) {
      combine_of(a, 4);
      check_scatter(a, out);
    },
    .kernel = [](const Args& a, const Tensors& out) { scatter_with(a, out[0], combine_of(a, 4)); },
    .updates = true,
    .vjp = {[](const Call& c, const Tensor& g) -> Tensor {
              refuse_multiply(c);
              return c.args().has(4) ? g : scatter(g, c.integer(1), c.tensor(2), 0);
            },
            nullptr,
            [](const Call& c, const Tensor& g) -> Tensor {
              refuse_multiply(c);
              if (c.args().has(4)) return gather_gradient(c, g);
              const Tensor last = call(scatter_winner_op, {c.tensor(2), c.integer(1), g.sizes()});
              return fit_source(c, where(last, gather(g, c.integer(1), c.tensor(2)), Value(0)));
            }},
    .save = input(1),
    .samples = [](Samples& s) {
      s.add({s.rand({2, 4}), Value(1), s.values({2, 2}, {2, 0, 1, 3}, Dtype::i64), s.rand({2, 2})});
      s.add({s.rand({3, 2}), Value(0), s.values({2, 2}, {1, 0, 1, 2}, Dtype::i64), s.rand({2, 2})});          // two for one place
      s.add({s.rand({3, 2}), Value(0), s.values({1, 2}, {1, 0}, Dtype::i64), s.rand({2, 3})});                // more source than index
      s.add({s.rand({2, 4}), Value(-1), s.values({2, 1}, {2, 0}, Dtype::i64), Value(1.5)});
      s.add({s.rand({4}), Value(0), s.values({3}, {1, 1, 3}, Dtype::i64), s.rand({3}), s.text("add")});
      s.add({s.rand({3, 2}), Value(0), s.integers({0, 2}, 0, 1), s.rand({0, 2})});
      s.error({s.rand({2, 3}), Value(1), s.values({1, 1}, {3}, Dtype::i64), Value(1)}, "index 3 is out of range for size 3");
      s.error({s.rand({2, 3}), Value(1), s.integers({2, 2}, 0, 1), s.rand({1, 2})}, "a source of shape [1, 2] for an index of shape [2, 2]");
      s.error({s.rand({2, 3}), Value(1), s.integers({2, 2}, 0, 1), s.rand({2, 2}), s.text("max")}, "reduce 'max'");
      s.error({s.rand({2, 3}), Value(1), s.integers({2, 2}, 0, 1), s.rand({2, 2}, 0, 1, Dtype::f32)}, "a source of float32 for a tensor of float64");
    },
};

Op scatter_winner_op{
    .schema = "_scatter_winner(Tensor index, int dim, int[] sizes) -> Tensor",
    .doc = "Whether each element of a scatter into a tensor of these sizes is the last one to write its place.",
    .shape = [](const Args& a, Metas& out) { out.push_back({Dtype::boolean, Sizes(a.tensor(0).sizes())}); },
    .kernel = [](const Args& a, const Tensors& out) {
      const SizesRef sizes = a.integers(2);
      if (out[0].numel() == 0) return;
      const int64_t d = wrap_dim(a.integer(1), static_cast<int64_t>(sizes.size()), "_scatter_winner");
      const Tensor index = checked_index(a.tensor(0), sizes.empty() ? 1 : sizes[static_cast<size_t>(d)], true, "_scatter_winner");
      kernels::copy(view_of(out[0]), view_of(last_writers(sizes, along({Sizes(sizes), contiguous_strides(sizes), 0}, d, index))));
    },
};

Op index_winner_op{
    .schema = "_index_winner(Tensor?[] indices, int[] sizes) -> Tensor",
    .doc = "Whether each element of an index_put into a tensor of these sizes is the last one to write its place.",
    .shape = [](const Args& a, Metas& out) { out.push_back({Dtype::boolean, IndexList(a.integers(1), a.tensors(0), "index_put").block()}); },
    .kernel = [](const Args& a, const Tensors& out) {
      const SizesRef sizes = a.integers(1);
      const IndexList list(sizes, a.tensors(0), "index_put");
      kernels::copy(view_of(out[0]), view_of(last_writers(sizes, list.places({Sizes(sizes), contiguous_strides(sizes), 0}))));
    },
};

Op scatter_add_op{
    .schema = "scatter_add(Tensor self, int dim, Tensor index, Tensor src) -> Tensor",
    .doc = "self with src added at out[i, index[i, j, ...], ...] for dim 1, in the order of src.",
    .complex = true,
    .shape = check_scatter,
    .kernel = [](const Args& a, const Tensors& out) { scatter_with(a, out[0], Combine::add); },
    .updates = true,
    .vjp = {[](const Call&, const Tensor& g) { return g; }, nullptr, gather_gradient},
    .save = input(1),
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), Value(1), s.values({2, 4}, {2, 0, 2, 2, 1, 1, 0, 1}, Dtype::i64), s.rand({2, 4})});
      s.add({s.rand({3, 2, 2}), Value(0), s.integers({4, 1, 2}, 0, 3), s.rand({4, 2, 2})});
      s.add({s.rand({}), Value(0), s.values({}, {0}, Dtype::i64), s.rand({})});
      s.error({s.rand({3}), Value(0), s.values({2}, {0, -1}, Dtype::i64), s.rand({2})}, "index -1 is out of range for size 3");
      s.error({s.rand({3}), Value(0), s.values({2}, {0, 1}, Dtype::i64), s.rand({})}, "a source of shape [] for an index of shape [2]");
    },
};

Op index_put_op{
    .schema = "index_put(Tensor self, Tensor?[] indices, Tensor values, bool accumulate=False) -> Tensor",
    .doc = "self with the places that index would read replaced by values, which broadcast to them, or with values added to them. Of several values "
           "for one place the last one wins, and gets the gradient.",
    .complex = true,
    .shape = check_index_put,
    .kernel = [](const Args& a, const Tensors& out) {
      const Indexed at = IndexList(out[0].sizes(), a.tensors(1), "index_put").places(out[0].layout());
      write(out[0], a.tensor(2), at, a.flag(3) ? Combine::add : Combine::replace);
    },
    .updates = true,
    .vjp = {[](const Call& c, const Tensor& g) { return c.flag(3) ? g : call(index_put_op, {g, c.args()[1], zeros({}, g.dtype())}); },
            nullptr,
            [](const Call& c, const Tensor& g) {
              const Tensor read = call(index_op, {g, c.args()[1]});
              return c.flag(3) ? read : where(call(index_winner_op, {c.args()[1], g.sizes()}), read, Value(0));
            }},
    .save = input(1),
    .samples = [](Samples& s) {
      const Value gap = Value(std::nullopt);
      s.add({s.rand({3, 2}), s.tensors({s.values({2}, {0, -1}, Dtype::i64)}), s.rand({2, 2})});
      s.add({s.rand({3, 2}), s.tensors({gap, s.values({3}, {0, 1, 0}, Dtype::i64)}), s.rand({3}), Value(true)});
      s.add({s.rand({3, 2}), s.tensors({s.values({3}, {1, 1, 0}, Dtype::i64), s.values({1}, {1}, Dtype::i64)}), s.rand({3})});
      s.add({s.rand({2, 3, 2}), s.tensors({s.values({2}, {1, 0}, Dtype::i64), gap, s.values({2}, {1, 1}, Dtype::i64)}), s.rand({})});
      s.add({s.rand({2, 3}), s.tensors({s.values({2, 3}, {1, 0, 0, 1, 1, 0}, Dtype::boolean)}), s.rand({3})});
      s.error({s.rand({3}), s.tensors({s.values({1}, {-4}, Dtype::i64)}), s.rand({1})}, "index -4 is out of range for size 3");
      s.error({s.rand({3}), s.tensors({s.values({2}, {0, 1}, Dtype::i64)}), s.rand({3})}, "do not broadcast");
    },
};

Op put_op{
    .schema = "put(Tensor self, Tensor index, Tensor source, bool accumulate=False) -> Tensor",
    .doc = "self with source written, or added, at indices that count all elements of self, row by row; negative ones from the end. Of several values for one "
           "place the last one wins, and gets the gradient.",
    .complex = true,
    .shape = check_put,
    .kernel = [](const Args& a, const Tensors& out) {
      const Indexed at = elements_of(out[0].layout(), checked_index(a.tensor(1), out[0].numel(), true, "put"));
      const Tensor &source = a.tensor(2), values = source.contiguous() ? source : clone(source);
      write(out[0], alias(values, at.block, contiguous_strides(at.block), values.offset()), at, a.flag(3) ? Combine::add : Combine::replace);
    },
    .updates = true,
    .vjp = {[](const Call& c, const Tensor& g) { return c.flag(3) ? g : call(put_op, {g, c.tensor(1), zeros(c.tensor(1).sizes(), g.dtype())}); },
            nullptr,
            [](const Call& c, const Tensor& g) {
              const Tensor flat = reshape(c.tensor(1), Sizes{c.tensor(1).numel()}), read = take(g, flat);
              if (c.flag(3)) return reshape(read, c.sizes());
              return reshape(where(call(scatter_winner_op, {flat, 0, Sizes{g.numel()}}), read, Value(0)), c.sizes());
            }},
    .save = input(1),
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.values({3}, {0, -1, 0}, Dtype::i64), s.rand({3})});
      s.add({s.rand({2, 3}), s.values({2, 2}, {1, 1, 4, 1}, Dtype::i64), s.rand({4}), Value(true)});
      s.error({s.rand({2}), s.values({1}, {2}, Dtype::i64), s.rand({1})}, "index 2 is out of range for size 2");
      s.error({s.rand({2}), s.values({1}, {0}, Dtype::i64), s.rand({2})}, "2 values for 1 indices");
    },
};

static Op* const all[] = {&scatter_op, &scatter_winner_op, &index_winner_op, &scatter_add_op, &index_put_op, &put_op};
const OpList scatter_ops = all;

}  // namespace gradus
