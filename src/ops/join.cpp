// Tensors put together: cat, stack and what is made of them.
#include "dispatch/evaluate.h"
#include "kernels/copy.h"
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

bool is_nothing(const Tensor& t) { return t.ndim() == 1 && t.numel() == 0; }     // fits in any cat, as it always did in PyTorch

Dtype joined_dtype(const Args& a) {
  Promotion p;
  for (const Tensor& t : a.tensors(0)) p.add(t.impl());
  return p.result();
}

// The dim and how much of it each tensor takes.
struct Joint {
  int64_t dim = 0;
  Sizes lengths;
};
Joint joint_of(std::span<const Tensor> tensors, int64_t dim) {
  GRADUS_CHECK(!tensors.empty(), argument, "cat: no tensors given");
  const Tensor* first = nullptr;
  Joint j;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& t = tensors[i];
    GRADUS_CHECK(t.ndim() > 0, shape, "cat: tensor {} is a scalar", i);
    if (is_nothing(t)) { j.lengths.push_back(0); continue; }
    if (!first) {
      first = &t;
      j.dim = wrap_dim(dim, t.ndim(), "cat");
    }
    GRADUS_CHECK(t.ndim() == first->ndim(), shape, "cat: tensor {} has {} dimensions, those before it {}", i, t.ndim(), first->ndim());
    for (int64_t d = 0; d < t.ndim(); ++d)
      GRADUS_CHECK(d == j.dim || t.size(d) == first->size(d), shape, "cat: tensor {} of shape {} does not fit shape {} beside dim {}", i, text(t.sizes()),
                   text(first->sizes()), j.dim);
    j.lengths.push_back(t.size(j.dim));
  }
  if (!first) j.dim = wrap_dim(dim, 1, "cat");
  return j;
}

void cat_shape(const Args& a, Metas& out) {
  const Joint j = joint_of(a.tensors(0), a.integer(1));       // the op stands in the registry: anybody may call it
  GRADUS_CHECK(j.dim == a.integer(1) && same(j.lengths, a.integers(2)), argument, "_cat: lengths {} along dim {}, of the tensors they are {}", text(a.integers(2)),
               a.integer(1), text(j.lengths));
  const Tensor* like = &a.tensors(0)[0];
  for (const Tensor& t : a.tensors(0))
    if (!is_nothing(t)) { like = &t; break; }
  Sizes sizes(like->sizes());
  int64_t total = 0;
  for (int64_t n : a.integers(2)) GRADUS_CHECK(!__builtin_add_overflow(total, n, &total), shape, "cat: the sizes {} overflow", text(a.integers(2)));
  sizes[static_cast<size_t>(a.integer(1))] = total;
  numel_of(sizes);
  out.push_back({joined_dtype(a), sizes});
}
void cat_kernel(const Args& a, const Tensors& out) {
  const auto d = static_cast<size_t>(a.integer(1));
  Layout l = out[0].layout();
  size_t i = 0;
  for (const Tensor& t : a.tensors(0)) {
    const int64_t n = a.integers(2)[i++];
    l.sizes[d] = n;
    if (n > 0) kernels::copy(view_of(alias(out[0], l.sizes, l.strides, l.offset)), view_of(t));
    l.offset += n * l.strides[d];
  }
}

// The tensors with a dimension put in or made up for, joined.
template <class F> Tensor joined(const Args& a, int64_t dim, const F& prepare) {
  GRADUS_CHECK(!a.tensors(0).empty(), argument, "{}: no tensors given", name(a.op()));
  std::vector<Tensor> parts;
  for (const Tensor& t : a.tensors(0)) parts.push_back(prepare(t));
  return cat(parts, dim);
}

void lists_of_tensors(Samples& s) {
  s.add({s.tensors({s.rand({2, 3, 2}), s.rand({2, 3, 2})})});
  s.add({s.tensors({s.rand({2, 3}), s.rand({2, 3})})});
  s.add({s.tensors({s.rand({3}), s.rand({3})})});
  s.add({s.tensors({s.rand({}), s.rand({}), s.rand({})})});
  s.error({s.tensors({})}, "no tensors given");
}

}  // namespace

Op cat_op{
    .schema = "cat(Tensor[] tensors, int dim=0) -> Tensor",
    .doc = "The tensors one after the other along a dimension, in their common dtype. Tensors of shape [0] are left out.",
    .serves = "cat concat concatenate",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Joint j = joint_of(a.tensors(0), a.integer(1));
      out.push_back(call(joined_op, {a[0], j.dim, j.lengths}));
    },
    .samples = [](Samples& s) {
      s.add({s.tensors({s.rand({2, 3}), s.rand({1, 3})})});
      s.add({s.tensors({s.rand({2, 3}), s.rand({2, 0}), s.rand({2, 2})}), Value(-1)});
      s.add({s.tensors({s.rand({0}), s.rand({2, 2})}), Value(1)});
      s.add({s.tensors({s.rand({3})})});
      s.error({s.tensors({})}, "no tensors given");
      s.error({s.tensors({s.rand({2, 3}), s.rand({2, 2})})}, "tensor 1 of shape [2, 2] does not fit shape [2, 3]");
      s.error({s.tensors({s.rand({}), s.rand({2})})}, "tensor 0 is a scalar");
    },
};
// The lengths stand among the arguments because the rule needs them of tensors that want no gradient, too.
Op joined_op{
    .schema = "_cat(Tensor[] tensors, int dim, int[] lengths) -> Tensor",
    .doc = "cat with the length of each tensor along dim.",
    .complex = true,
    .shape = cat_shape,
    .kernel = cat_kernel,
    .vjp = {[](const Call& c, const Tensor& g) -> Tensor {
      if (c.sizes().size() != g.sizes().size() || is_nothing(g)) return zeros(c.sizes(), g.dtype());
      const SizesRef lengths = c.integers(2);
      int64_t begin = 0;
      for (int m = 0; m < c.member(); ++m) begin += lengths[static_cast<size_t>(m)];
      return slice(g, c.integer(1), begin, begin + lengths[static_cast<size_t>(c.member())]);
    }},
};

Op stack_op{
    .schema = "stack(Tensor[] tensors, int dim=0) -> Tensor",
    .doc = "The tensors side by side along a new dimension, in their common dtype.",
    .complex = true,
    .shape = [](const Args& a, Metas& out) {
      GRADUS_CHECK(!a.tensors(0).empty(), argument, "stack: no tensors given");
      const Tensor& first = a.tensors(0)[0];
      for (size_t i = 1; i < a.tensors(0).size(); ++i)
        GRADUS_CHECK(same(a.tensors(0)[i].sizes(), first.sizes()), shape, "stack: tensor {} has shape {}, the first one {}", i, text(a.tensors(0)[i].sizes()), text(first.sizes()));
      Sizes sizes(first.sizes());
      sizes.insert(static_cast<size_t>(wrap_dim(a.integer(1), first.ndim() + 1, "stack")), static_cast<int64_t>(a.tensors(0).size()));
      numel_of(sizes);
      out.push_back({joined_dtype(a), sizes});
    },
    .kernel = [](const Args& a, const Tensors& out) {
      const auto d = static_cast<size_t>(wrap_dim(a.integer(1), out[0].ndim(), "stack"));
      Layout l = out[0].layout();
      l.sizes.erase(d);
      l.strides.erase(d);
      for (const Tensor& t : a.tensors(0)) {
        kernels::copy(view_of(alias(out[0], l.sizes, l.strides, l.offset)), view_of(t));
        l.offset += out[0].strides()[d];
      }
    },
    .vjp = {[](const Call& c, const Tensor& g) { return select(g, c.integer(1), c.member()); }},
    .samples = [](Samples& s) {
      s.add({s.tensors({s.rand({2, 3}), s.rand({2, 3})})});
      s.add({s.tensors({s.rand({2, 3}), s.rand({2, 3})}), Value(-1)});
      s.add({s.tensors({s.rand({}), s.rand({})})});
      s.error({s.tensors({s.rand({2}), s.rand({3})})}, "tensor 1 has shape [3], the first one [2]");
    },
};

Op hstack_op{
    .schema = "hstack(Tensor[] tensors) -> Tensor",
    .doc = "cat along the second dimension; vectors and scalars along the first.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const bool vectors = !a.tensors(0).empty() && a.tensors(0)[0].ndim() <= 1;
      out.push_back(joined(a, vectors ? 0 : 1, [](const Tensor& t) { return call(atleast_1d_op, {t}); }));
    },
    .samples = lists_of_tensors,
};
Op vstack_op{
    .schema = "vstack(Tensor[] tensors) -> Tensor",
    .doc = "cat along the first dimension; vectors are rows.",
    .serves = "vstack row_stack",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(joined(a, 0, [](const Tensor& t) { return call(atleast_2d_op, {t}); })); },
    .samples = lists_of_tensors,
};
Op dstack_op{
    .schema = "dstack(Tensor[] tensors) -> Tensor",
    .doc = "cat along the third dimension.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(joined(a, 2, [](const Tensor& t) { return call(atleast_3d_op, {t}); })); },
    .samples = lists_of_tensors,
};
Op column_stack_op{
    .schema = "column_stack(Tensor[] tensors) -> Tensor",
    .doc = "cat along the second dimension; vectors are columns.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      out.push_back(joined(a, 1, [](const Tensor& t) { return t.ndim() <= 1 ? reshape(t, Sizes{t.numel(), 1}) : t; }));
    },
    .samples = lists_of_tensors,
};

Op broadcast_tensors_op{
    .schema = "broadcast_tensors(Tensor[] tensors) -> Tensor[]",
    .doc = "The tensors expanded to their common shape.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      Sizes sizes;
      for (const Tensor& t : a.tensors(0)) sizes = broadcast_sizes(sizes, t.sizes(), "broadcast_tensors");
      for (const Tensor& t : a.tensors(0)) out.push_back(expand(t, sizes));
    },
    .samples = [](Samples& s) {
      s.add({s.tensors({s.rand({2, 1}), s.rand({3}), s.rand({})})});
      s.error({s.tensors({s.rand({2}), s.rand({3})})}, "do not broadcast");
    },
};

Op meshgrid_op{
    .schema = "meshgrid(Tensor[] tensors, *, str indexing='ij') -> Tensor[]",
    .doc = "The coordinates of the grid that vectors span; indexing 'xy' exchanges the first two dimensions.",
    .serves = "meshgrid meshgrid.indexing",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const auto given = a.tensors(0);
      GRADUS_CHECK(!given.empty(), argument, "meshgrid: no tensors given");
      GRADUS_CHECK(a.text(1) == "ij" || a.text(1) == "xy", value, "meshgrid: indexing '{}', where 'ij' or 'xy' is wanted", a.text(1));
      const bool swap = a.text(1) == "xy" && given.size() >= 2;
      Sizes grid;
      for (const Tensor& t : given) {
        GRADUS_CHECK(t.ndim() <= 1, shape, "meshgrid: a tensor of shape {}, where a vector is wanted", text(t.sizes()));
        GRADUS_CHECK(t.dtype() == given[0].dtype(), dtype, "meshgrid: tensors of {} and {}", name(t.dtype()), name(given[0].dtype()));
        grid.push_back(t.numel());
      }
      for (size_t i = 0; i < given.size(); ++i) {
        Sizes line(grid.size(), 1);
        line[i] = grid[i];
        const Tensor t = expand(view(given[i], line), grid);
        out.push_back(swap ? transpose(t, 0, 1) : t);
      }
    },
    .samples = [](Samples& s) {
      s.add({s.tensors({s.rand({2}), s.rand({3})})});
      s.add({s.tensors({s.rand({2}), s.rand({3}), s.rand({})}), s.text("xy")});
      s.error({s.tensors({s.rand({2, 2})})}, "a vector is wanted");
      s.error({s.tensors({s.rand({2})}), s.text("yx")}, "indexing 'yx'");
    },
};

Op cartesian_prod_op{
    .schema = "cartesian_prod(Tensor[] tensors) -> Tensor",
    .doc = "All combinations of the elements of vectors, one a row.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      for (const Tensor& t : a.tensors(0)) GRADUS_CHECK(t.ndim() == 1, shape, "cartesian_prod: a tensor of shape {}, where a vector is wanted", text(t.sizes()));
      if (a.tensors(0).size() == 1) return out.push_back(a.tensors(0)[0]);
      std::vector<Tensor> columns;
      for (const Tensor& t : call_all(meshgrid_op, {a[0]})) columns.push_back(reshape(t, Sizes{t.numel()}));
      out.push_back(stack(columns, 1));
    },
    .samples = [](Samples& s) {
      s.add({s.tensors({s.rand({2}), s.rand({3})})});
      s.add({s.tensors({s.rand({2})})});
      s.error({s.tensors({s.rand({2, 2})})}, "a vector is wanted");
    },
};

Op block_diag_op{
    .schema = "block_diag(Tensor[] tensors) -> Tensor",
    .doc = "A matrix with the tensors along its diagonal and zeros elsewhere; vectors and scalars are one row.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      int64_t before = 0, columns = 0;
      for (const Tensor& t : a.tensors(0)) columns += t.ndim() == 0 ? 1 : t.size(-1);
      std::vector<Tensor> rows;
      for (const Tensor& t : a.tensors(0)) {
        GRADUS_CHECK(t.ndim() <= 2, shape, "block_diag: a tensor of {} dimensions, where at most 2 are taken", t.ndim());
        const Tensor block = call(atleast_2d_op, {t});
        const int64_t n = block.size(0), after = columns - before - block.size(1);
        rows.push_back(cat(std::vector<Tensor>{zeros(Sizes{n, before}, t.dtype()), block, zeros(Sizes{n, after}, t.dtype())}, 1));
        before += block.size(1);
      }
      out.push_back(rows.empty() ? zeros(Sizes{1, 0}) : cat(rows));
    },
    .samples = [](Samples& s) {
      s.add({s.tensors({s.rand({2, 3}), s.rand({2}), s.rand({}), s.rand({3, 1})})});
      s.add({s.tensors({s.rand({2, 0}), s.rand({1, 2})})});
      s.error({s.tensors({s.rand({1, 2, 3})})}, "at most 2");
    },
};

static Op* const all[] = {&cat_op, &joined_op, &stack_op, &hstack_op, &vstack_op, &dstack_op, &column_stack_op, &broadcast_tensors_op,
                          &meshgrid_op, &cartesian_prod_op, &block_diag_op};
const OpList join_ops = all;

}  // namespace gradus
