// Order along a dimension, and elements picked by their index along it.
#include <cstring>

#include "base/context.h"
#include "kernels/copy.h"
#include "kernels/sort.h"
#include "ops/dims.h"
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

Tensor row_major(const Tensor& t) {
  if (t.contiguous()) return t;
  const Tensor c = empty(t.meta());
  kernels::copy(view_of(c), view_of(t));
  return c;
}
int64_t the_dim(const Args& a, int position) { return wrap_dim(a.integer(position), a.tensor(0).ndim(), name(a.op())); }
size_t place(int64_t dim) { return static_cast<size_t>(dim); }

// ---- picking: an index of the shape with any size in place of dim's
Sizes with_dim(SizesRef sizes, int64_t dim) {                 // of indices that lost dim
  Sizes s(sizes);
  s.insert(place(dim), 1);
  return s;
}
void check_index(const Tensor& index, SizesRef full, SizesRef sizes, int64_t dim, std::string_view what) {
  GRADUS_CHECK(index.dtype() == Dtype::i64, dtype, "{}: indices of {}, where int64 is wanted", what, name(index.dtype()));
  bool fits = full.size() == sizes.size();
  for (size_t d = 0; fits && d < sizes.size(); ++d) fits = d == place(dim) || full[d] == sizes[d];
  GRADUS_CHECK(fits, shape, "{}: indices of shape {} for shape {}", what, text(index.sizes()), text(sizes));
}
void check_range(const Tensor& index, int64_t n, std::string_view what) {
  for (int64_t i = 0; i < index.numel(); ++i) {
    const int64_t k = index.data<int64_t>()[i];
    GRADUS_CHECK(k >= 0 && k < n, index, "{}: index {} is out of range for size {}", what, k, n);
  }
}

// ---- sort: one line at a time
void pair_of(const Args& a, Metas& out, const Sizes& sizes) {
  out.push_back({a.tensor(0).dtype(), sizes});
  out.push_back({Dtype::i64, sizes});
}
Sizes without(SizesRef sizes, int64_t dim, bool keepdim, const Args& a) { return reduced_sizes(sizes, ReducedDims(Sizes{dim}, sizes, name(a.op())), keepdim); }
void not_empty(const Args& a, int64_t dim) {
  const Tensor& self = a.tensor(0);
  GRADUS_CHECK(self.ndim() == 0 || self.size(dim) > 0, index, "{}: dim {} is reduced and has size 0", name(a.op()), dim);
}
void sorted(const Tensor& values, const Tensor& indices, const Tensor& self, int64_t dim, int64_t k, bool descending) {
  const Tensor x = row_major(self);
  if (values.numel() > 0)
    kernels::sort(x.dtype(), values.data<char>(), indices.data<int64_t>(), x.data<char>(), lines_of(x.sizes(), dim), k, descending);
}
int64_t size_along(const Tensor& t, int64_t dim) { return t.ndim() == 0 ? 1 : t.size(dim); }

// ---- ranks: kthvalue, median
enum class Pick { kth, median, nanmedian };
template <Pick pick> void rank_shape(const Args& a, Metas& out) {
  constexpr int at = pick == Pick::kth ? 2 : 1;
  const Tensor& self = a.tensor(0);
  const int64_t dim = the_dim(a, at);
  not_empty(a, dim);
  if (pick == Pick::kth)
    GRADUS_CHECK(a.integer(1) >= 1 && a.integer(1) <= size_along(self, dim), index, "kthvalue: k = {} is out of range for dim {} of size {}", a.integer(1), dim, size_along(self, dim));
  pair_of(a, out, without(self.sizes(), dim, a.flag(at + 1), a));
}
kernels::Rank rank_of(Pick pick, int64_t k) { return {.k = k, .middle = pick != Pick::kth, .nan_wins = pick == Pick::median}; }
template <Pick pick> void rank_kernel(const Args& a, const Tensors& out) {
  const Tensor x = row_major(a.tensor(0));
  if (out[0].numel() == 0) return;
  kernels::select_rank(x.dtype(), out[0].data<char>(), out[1].data<int64_t>(), x.data<char>(), lines_of(x.sizes(), the_dim(a, pick == Pick::kth ? 2 : 1)),
                       rank_of(pick, pick == Pick::kth ? a.integer(1) - 1 : 0));
}
template <int dim> Tensor pull_picked(const Call& c, const Tensor& g) { return selected_pull(c, g, c.integer(dim), c.flag(dim + 1)); }
template <Pick pick> void whole_median(const Args& a, const Tensors& out) {
  const Tensor x = row_major(a.tensor(0));
  int64_t index = 0;
  kernels::select_rank(x.dtype(), out[0].data<char>(), &index, x.data<char>(), {1, x.numel(), 1}, rank_of(pick, 0));
}
void whole_shape(const Args& a, Metas& out) {
  GRADUS_CHECK(a.tensor(0).numel() > 0, value, "{}: no elements", name(a.op()));
  out.push_back({a.tensor(0).dtype(), {}});
}
Tensor share_whole(const Call& c, const Tensor& g) { return call(share_among_ties_op, {g, c.tensor(0), c.output(), SizesRef()}); }

void dim_samples(Samples& s) {
  s.add({s.spread({2, 3}), Value(1)});
  s.add({s.spread({5}), Value(0)});
  s.add({s.spread({4, 3, 2}), Value(0), Value(true)});
  s.add({s.values({2, 4}, {1, 3, 3, 1, 2, 2, 5, 2}, Dtype::i64), Value(-1)});
  s.add({s.spread({}), Value(0)});
  s.error({s.rand({2, 0}), Value(1)}, "dim 1 is reduced and has size 0");
  s.error({s.rand({2, 3}), Value(2)}, "dim 2 is out of range");
}
void whole_samples(Samples& s) {
  s.add({s.spread({2, 3})});
  s.add({s.spread({})});
  s.error({s.rand({0})}, "no elements");
}
void sort_samples(Samples& s) {
  s.add({s.spread({2, 5})});
  s.add({s.spread({4, 3, 2}), Value(0), Value(true)});
  s.add({s.values({2, 4}, {1, 3, 3, 1, 2, 2, 5, 2}, Dtype::i64), Value(-1)});
  s.add({s.spread({})});
  s.add({s.spread({2, 0})});
  s.error({s.rand({2, 3}), Value(2)}, "dim 2 is out of range");
}

}  // namespace

Op value_selecting_reduction_backward_op{
    .schema = "value_selecting_reduction_backward(Tensor grad, int dim, Tensor indices, int[] sizes, bool keepdim) -> Tensor",
    .doc = "Zeros of the given sizes with each element of grad added at its index along dim.",
    .shape = [](const Args& a, Metas& out) {
      const SizesRef sizes = a.integers(3);
      const int64_t dim = wrap_dim(a.integer(1), static_cast<int64_t>(sizes.size()), name(a.op()));
      GRADUS_CHECK(same(a.tensor(0).sizes(), a.tensor(2).sizes()), shape, "{}: a gradient of shape {} with indices of shape {}", name(a.op()), text(a.tensor(0).sizes()), text(a.tensor(2).sizes()));
      check_index(a.tensor(2), a.flag(4) || sizes.empty() ? Sizes(a.tensor(2).sizes()) : with_dim(a.tensor(2).sizes(), dim), sizes, dim, name(a.op()));
      numel_of(sizes);
      out.push_back({a.tensor(0).dtype(), Sizes(sizes)});
    },
    .kernel = [](const Args& a, const Tensors& out) {
      const Tensor g = row_major(a.tensor(0)), index = row_major(a.tensor(2));
      const int64_t dim = wrap_dim(a.integer(1), out[0].ndim(), name(a.op()));
      const kernels::Lines l = lines_of(out[0].sizes(), dim);
      check_range(index, l.n, name(a.op()));
      if (out[0].numel() == 0) return;
      std::memset(out[0].data<char>(), 0, static_cast<size_t>(out[0].numel() * size_of(out[0].dtype())));
      kernels::add_along(g.dtype(), out[0].data<char>(), g.data<char>(), index.data<int64_t>(), l, index.numel() / (l.outer * l.inner));
    },
    .vjp = {[](const Call& c, const Tensor& v) { return call(select_along_op, {v, c.integer(1), c.tensor(2), c.flag(4)}); }},
    .save = input(1),
    .samples = [](Samples& s) {
      s.add({s.rand({2}), Value(1), s.integers({2}, 0, 3), s.list({2, 3}), Value(false)});
      s.add({s.rand({2, 4}), Value(1), s.integers({2, 4}, 0, 3), s.list({2, 3}), Value(true)});
      s.add({s.rand({}), Value(0), s.integers({}, 0, 1), s.list({}), Value(false)});
      s.add({s.rand({}), Value(0), s.integers({}, 0, 3), s.list({3}), Value(false)});
      s.error({s.rand({2}), Value(1), s.values({2}, {0, 3}, Dtype::i64), s.list({2, 3}), Value(false)}, "index 3 is out of range for size 3");
      s.error({s.rand({2}), Value(0), s.integers({2}, 0, 2), s.list({2, 3}), Value(false)}, "indices of shape [2] for shape [2, 3]");
    },
};
Op select_along_op{
    .schema = "_select_along(Tensor self, int dim, Tensor indices, bool keepdim) -> Tensor",
    .doc = "The elements at the indices along dim; the transpose of value_selecting_reduction_backward.",
    .shape = [](const Args& a, Metas& out) {
      const SizesRef sizes = a.tensor(0).sizes();
      const int64_t dim = the_dim(a, 1);
      check_index(a.tensor(2), a.flag(3) || sizes.empty() ? Sizes(a.tensor(2).sizes()) : with_dim(a.tensor(2).sizes(), dim), sizes, dim, name(a.op()));
      out.push_back({a.tensor(0).dtype(), Sizes(a.tensor(2).sizes())});
    },
    .kernel = [](const Args& a, const Tensors& out) {
      const Tensor x = row_major(a.tensor(0)), index = row_major(a.tensor(2));
      const kernels::Lines l = lines_of(x.sizes(), the_dim(a, 1));
      check_range(index, l.n, name(a.op()));
      if (out[0].numel() > 0)
        kernels::take_along(x.dtype(), out[0].data<char>(), x.data<char>(), index.data<int64_t>(), l, index.numel() / (l.outer * l.inner));
    },
    .vjp = {[](const Call& c, const Tensor& v) {
      return call(value_selecting_reduction_backward_op, {v, c.integer(1), c.tensor(2), c.sizes(), c.flag(3)});
    }},
    .save = input(1),
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), Value(1), s.integers({2}, 0, 3), Value(false)});
      s.add({s.rand({3}), Value(0), s.integers({}, 0, 3), Value(false)});
      s.add({s.rand({2, 3}), Value(0), s.integers({4, 3}, 0, 2), Value(true)});
      s.error({s.rand({2, 3}), Value(1), s.values({2}, {0, 3}, Dtype::i64), Value(false)}, "index 3 is out of range for size 3");
    },
};
Op sort_op{
    .schema = "sort(Tensor self, int dim=-1, bool descending=False, *, bool? stable=None) -> (Tensor values, Tensor indices)",
    .doc = "The elements in order along dim, and where they were. Equal ones keep their order; NaN is the largest.",
    .serves = "sort sort.stable",
    .shape = [](const Args& a, Metas& out) { the_dim(a, 1); pair_of(a, out, Sizes(a.tensor(0).sizes())); },
    .kernel = [](const Args& a, const Tensors& out) {
      const int64_t dim = the_dim(a, 1);
      sorted(out[0], out[1], a.tensor(0), dim, size_along(a.tensor(0), dim), a.flag(2));
    },
    .vjp = {[](const Call& c, const Tensor& g) { return selected_pull(c, g, c.integer(1), true); }},
    .save = output(1),
    .samples = sort_samples,
};
Op argsort_op{
    .schema = "argsort(Tensor self, int dim=-1, bool descending=False, *, bool? stable=None) -> Tensor",
    .doc = "The indices that put the elements in order along dim; equal ones keep their order.",
    .serves = "argsort argsort.stable",
    .compose = [](const Args& a, Tensors& out) {
      const GradMode off(false);
      out.push_back(call_all(sort_op, {a.tensor(0), a.integer(1), a.flag(2)})[1]);
    },
    .samples = sort_samples,
};
Op msort_op{
    .schema = "msort(Tensor self) -> Tensor",
    .doc = "The elements in order along the first dimension.",
    .compose = [](const Args& a, Tensors& out) { out.push_back(call_all(sort_op, {a.tensor(0), 0})[0]); },
    .samples = [](Samples& s) { s.add({s.rand({4, 2})}); },
};
Op topk_op{
    .schema = "topk(Tensor self, int k, int dim=-1, bool largest=True, bool sorted=True) -> (Tensor values, Tensor indices)",
    .doc = "The k largest (or smallest) elements along dim in order, and where they are; NaN is the largest.",
    .shape = [](const Args& a, Metas& out) {
      const int64_t dim = the_dim(a, 2), n = size_along(a.tensor(0), dim), k = a.integer(1);
      GRADUS_CHECK(k >= 0 && k <= n, index, "topk: k = {} is out of range for dim {} of size {}", k, dim, n);
      Sizes sizes(a.tensor(0).sizes());
      if (!sizes.empty()) sizes[place(dim)] = k;
      pair_of(a, out, sizes);
    },
    .kernel = [](const Args& a, const Tensors& out) { sorted(out[0], out[1], a.tensor(0), the_dim(a, 2), a.integer(1), a.flag(3)); },
    .vjp = {[](const Call& c, const Tensor& g) { return selected_pull(c, g, c.integer(2), true); }},
    .save = output(1),
    .samples = [](Samples& s) {
      s.add({s.spread({2, 5}), Value(2)});
      s.add({s.spread({4, 3, 2}), Value(3), Value(0), Value(false)});
      s.add({s.spread({2, 5}), Value(0)});
      s.error({s.rand({2, 3}), Value(4)}, "k = 4 is out of range for dim 1 of size 3");
    },
};
Op kthvalue_op{
    .schema = "kthvalue(Tensor self, int k, int dim=-1, bool keepdim=False) -> (Tensor values, Tensor indices)",
    .doc = "The k-th smallest element along dim, counted from 1, and its first index; NaN is the largest.",
    .shape = rank_shape<Pick::kth>,
    .kernel = rank_kernel<Pick::kth>,
    .vjp = {pull_picked<2>},
    .save = output(1),
    .samples = [](Samples& s) {
      s.add({s.spread({2, 5}), Value(2)});
      s.add({s.spread({4, 3, 2}), Value(3), Value(0), Value(true)});
      s.error({s.rand({2, 3}), Value(4)}, "k = 4 is out of range for dim 1 of size 3");
    },
};
Op median_op{
    .schema = "median(Tensor self) -> Tensor",
    .doc = "The middle element, the lower of two; NaN if there is one. Equal ones share the gradient.",
    .shape = whole_shape,
    .kernel = whole_median<Pick::median>,
    .vjp = {share_whole},
    .save = input(0) | output(),
    .samples = whole_samples,
};
Op nanmedian_op{
    .schema = "nanmedian(Tensor self) -> Tensor",
    .doc = "The middle of the elements that are not NaN, the lower of two. Equal ones share the gradient.",
    .shape = whole_shape,
    .kernel = whole_median<Pick::nanmedian>,
    .vjp = {share_whole},
    .save = input(0) | output(),
    .samples = whole_samples,
};
Op median_dim_op{
    .schema = "median_dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)",
    .doc = "The middle element along dim, the lower of two, and its first index, which gets the gradient; NaN if there is one.",
    .serves = "median.dim",
    .shape = rank_shape<Pick::median>,
    .kernel = rank_kernel<Pick::median>,
    .vjp = {pull_picked<1>},
    .save = output(1),
    .samples = dim_samples,
};
Op nanmedian_dim_op{
    .schema = "nanmedian_dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)",
    .doc = "The middle along dim of the elements that are not NaN, the lower of two, and its first index, which gets the gradient.",
    .serves = "nanmedian.dim",
    .shape = rank_shape<Pick::nanmedian>,
    .kernel = rank_kernel<Pick::nanmedian>,
    .vjp = {pull_picked<1>},
    .save = output(1),
    .samples = dim_samples,
};
Op mode_op{
    .schema = "mode(Tensor self, int dim=-1, bool keepdim=False) -> (Tensor values, Tensor indices)",
    .doc = "The most frequent element along dim, the smallest among equals, and its last index, which gets the gradient.",
    .shape = [](const Args& a, Metas& out) {
      const int64_t dim = the_dim(a, 1);
      not_empty(a, dim);
      pair_of(a, out, without(a.tensor(0).sizes(), dim, a.flag(2), a));
    },
    .kernel = [](const Args& a, const Tensors& out) {
      const Tensor x = row_major(a.tensor(0));
      if (out[0].numel() > 0) kernels::mode(x.dtype(), out[0].data<char>(), out[1].data<int64_t>(), x.data<char>(), lines_of(x.sizes(), the_dim(a, 1)));
    },
    .vjp = {pull_picked<1>},
    .save = output(1),
    .samples = dim_samples,
};

static Op* const all[] = {&value_selecting_reduction_backward_op, &select_along_op, &sort_op, &argsort_op, &msort_op, &topk_op, &kthvalue_op,
                          &median_op, &nanmedian_op, &median_dim_op, &nanmedian_dim_op, &mode_op};
const OpList sort_ops = all;

}  // namespace gradus
