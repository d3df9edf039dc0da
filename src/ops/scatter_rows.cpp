// Writing whole parts at the indices of a dimension: index_add, index_copy, index_fill.
#include "dispatch/evaluate.h"
#include "kernels/copy.h"
#include "ops/indices.h"
#include "ops/lists.h"
#include "ops/samples.h"

namespace gradus {
namespace {

using kernels::Combine;

int64_t dim_of(const Args& a, const Tensor& self) { return wrap_dim(a.integer(1), self.ndim(), name(a.op())); }

Indexed places(const Args& a, const Tensor& out) {
  const int64_t d = dim_of(a, out);
  return rows_of(out.layout(), d, checked_index(a.tensor(2), out.ndim() == 0 ? 1 : out.size(d), false, name(a.op())));
}
void check_index(const Args& a) {
  check_index_dtype(a.tensor(2), name(a.op()));
  GRADUS_CHECK(a.tensor(2).ndim() <= 1, shape, "{}: an index of shape {}, where a vector is wanted", name(a.op()), text(a.tensor(2).sizes()));
}
// (self, dim, index, source): source has self's shape with as many parts as there are indices.
void check_rows(const Args& a, Metas& out) {
  const Tensor &self = a.tensor(0), &source = a.tensor(3);
  const int64_t d = dim_of(a, self);
  check_index(a);
  GRADUS_CHECK(source.dtype() == self.dtype(), dtype, "{}: a source of {} for a tensor of {}", name(a.op()), name(source.dtype()), name(self.dtype()));
  bool fits = source.ndim() == self.ndim() && (self.ndim() > 0 || a.tensor(2).numel() == 1);
  for (int64_t i = 0; fits && i < self.ndim(); ++i) fits = source.size(i) == (i == d ? a.tensor(2).numel() : self.size(i));
  if (self.ndim() <= 1 && source.ndim() <= 1) fits = source.numel() == a.tensor(2).numel();
  GRADUS_CHECK(fits, shape, "{}: a source of shape {} for {} indices of dim {} of shape {}", name(a.op()), text(source.sizes()), a.tensor(2).numel(), d, text(self.sizes()));
  out.push_back(self.meta());
}
Tensor plain_source(const Args& a, const Indexed& at) {
  const Tensor& s = a.tensor(3);
  return same(s.sizes(), at.block) ? s : alias(s, at.block, contiguous_strides(at.block), s.offset());       // one element, with or without a dim
}

Tensor rows_of_gradient(const Call& c, const Tensor& g) {
  const Tensor rows = index_select(g, c.integer(1), c.tensor(2));
  return same(rows.sizes(), c.sizes()) ? rows : reshape(rows, c.sizes());
}
// For each index whether it is the last one of its value, in a shape that broadcasts to what index_select reads of g.
Tensor winners(const Call& c, const Tensor& g) {
  const Tensor index = reshape(c.tensor(2), Sizes{c.tensor(2).numel()});
  const int64_t d = wrap_dim(c.integer(1), g.ndim(), name(c.op()));
  const Tensor last = call(scatter_winner_op, {index, 0, Sizes{g.ndim() == 0 ? 1 : g.size(d)}});
  Sizes shape(g.sizes().size(), 1);
  if (!shape.empty()) shape[static_cast<size_t>(d)] = index.numel();
  return reshape(last, shape);
}
Tensor without_rows(const Call& c, const Tensor& g) { return call(index_fill_op, {g, c.integer(1), c.tensor(2), 0}); }

void row_samples(Samples& s) {
  s.add({s.rand({3, 2}), Value(0), s.values({2}, {2, 0}, Dtype::i64), s.rand({2, 2})});
  s.add({s.rand({2, 3, 2}), Value(-2), s.values({4}, {1, 1, 0, 1}, Dtype::i64), s.rand({2, 4, 2})});
  s.add({s.rand({3}), Value(0), s.integers({0}, 0, 1), s.rand({0})});
  s.add({s.rand({}), Value(0), s.values({}, {0}, Dtype::i64), s.rand({})});
  s.error({s.rand({3, 2}), Value(0), s.values({1}, {3}, Dtype::i64), s.rand({1, 2})}, "index 3 is out of range for size 3");
  s.error({s.rand({3, 2}), Value(0), s.values({1}, {0}, Dtype::i64), s.rand({2, 2})}, "a source of shape [2, 2] for 1 indices");
  s.error({s.rand({3, 2}), Value(0), s.integers({1, 1}, 0, 1), s.rand({1, 2})}, "a vector is wanted");
}

}  // namespace

Op index_add_op{
    .schema = "index_add(Tensor self, int dim, Tensor index, Tensor source, *, Scalar alpha=1) -> Tensor",
    .doc = "self with alpha times the parts of source added at the indices of a dimension, in the order of the indices.",
    .complex = true,
    .complex_numbers = true,
    .shape = check_rows,
    .kernel = [](const Args& a, const Tensors& out) {
      const Indexed at = places(a, out[0]);
      write(out[0], plain_source(a, at), at, Combine::add, a.number(4));
    },
    .updates = true,
    .vjp = {[](const Call&, const Tensor& g) { return g; },
            nullptr,
            [](const Call& c, const Tensor& g) {
              const Tensor rows = rows_of_gradient(c, g);
              return c.number(4) == Number(1) ? rows : mul(rows, conj(c.number(4)));
            }},
    .save = input(1),
    .samples = [](Samples& s) {
      row_samples(s);
      s.add({s.rand({3}), Value(0), s.values({2}, {1, 1}, Dtype::i64), s.rand({2}), Value(-2)});
    },
};

Op index_copy_op{
    .schema = "index_copy(Tensor self, int dim, Tensor index, Tensor source) -> Tensor",
    .doc = "self with the parts at the indices of a dimension replaced by those of source. Of several parts for one index the last one wins, and gets the gradient.",
    .complex = true,
    .shape = check_rows,
    .kernel = [](const Args& a, const Tensors& out) {
      const Indexed at = places(a, out[0]);
      write(out[0], plain_source(a, at), at, Combine::replace);
    },
    .updates = true,
    .vjp = {without_rows,
            nullptr,
            [](const Call& c, const Tensor& g) {
              const Tensor rows = where(winners(c, g), index_select(g, c.integer(1), c.tensor(2)), Value(0));
              return same(rows.sizes(), c.sizes()) ? rows : reshape(rows, c.sizes());
            }},
    .save = input(1),
    .samples = row_samples,
};

Op index_fill_op{
    .schema = "index_fill(Tensor self, int dim, Tensor index, Tensor value) -> Tensor",
    .doc = "self with the parts at the indices of a dimension filled with a number, or a tensor without dimensions.",
    .serves = "index_fill.int_Scalar index_fill.int_Tensor",
    .complex = true,
    .takes_numbers = true,
    .complex_numbers = true,
    .shape = [](const Args& a, Metas& out) {
      dim_of(a, a.tensor(0));
      check_index(a);
      if (a[3].is_number()) check_number(a, 3);
      else GRADUS_CHECK(a.tensor(3).ndim() == 0, shape, "index_fill: a value of shape {}, where a scalar is wanted", text(a.tensor(3).sizes()));
      out.push_back(a.tensor(0).meta());
    },
    .kernel = [](const Args& a, const Tensors& out) {
      const Tensor value = empty(out[0].dtype(), Sizes{});
      if (a[3].tag == Tag::tensor) kernels::copy(view_of(value), view_of(a.tensor(3)));
      else kernels::fill(view_of(value), a.number(3));
      const int64_t d = dim_of(a, out[0]);
      write(out[0], value, rows_of(out[0].layout(), d, checked_index(a.tensor(2), out[0].ndim() == 0 ? 1 : out[0].size(d), true, "index_fill")), Combine::replace);
    },
    .updates = true,
    .vjp = {without_rows,
            nullptr,
            [](const Call& c, const Tensor& g) {              // the engine sums what was filled
              return where(call(index_fill_op, {zeros(g.sizes(), Dtype::boolean), c.integer(1), c.tensor(2), true}), g, Value(0));
            }},
    .save = input(1),
    .samples = [](Samples& s) {
      s.add({s.rand({3, 2}), Value(0), s.values({2}, {2, -3}, Dtype::i64), Value(1.5)});
      s.add({s.rand({2, 3}), Value(1), s.values({3}, {1, 1, 0}, Dtype::i64), s.rand({})});
      s.error({s.rand({3, 2}), Value(0), s.values({1}, {3}, Dtype::i64), Value(1)}, "index 3 is out of range for size 3");
      s.error({s.rand({3, 2}), Value(0), s.values({1}, {0}, Dtype::i64), s.rand({1})}, "a scalar is wanted");
    },
};

static Op* const all[] = {&index_add_op, &index_copy_op, &index_fill_op};
const OpList scatter_rows_ops = all;

}  // namespace gradus
