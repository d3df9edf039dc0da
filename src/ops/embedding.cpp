// Rows of tables, classes as vectors, and places in sorted sequences.
#include "dispatch/evaluate.h"
#include "kernels/copy.h"
#include "kernels/search.h"
#include "ops/indices.h"
#include "ops/lists.h"
#include "ops/samples.h"

namespace gradus {
namespace {

Tensor flat(const Tensor& t) { return reshape(t, Sizes{t.numel()}); }

// Counts of each index, at the indices: what scale_grad_by_freq divides by.
Tensor frequency(const Tensor& indices, int64_t num_weights, Dtype dtype) {
  const Tensor index = flat(indices);
  return index_select(index_add(zeros(Sizes{num_weights}, dtype), 0, index, ones(Sizes{index.numel()}, dtype)), 0, index);
}

void embedding_backward_kernel(const Args& a, const Tensors& out) {
  const Tensor &g = a.tensor(0), &out0 = out[0];
  const int64_t rows = a.integer(2), padding = a.integer(3), width = out0.size(1);
  const Tensor checked = checked_index(a.tensor(1), rows, false, "embedding_dense_backward");
  const Tensor index = alias(checked, Sizes{checked.numel()}, Sizes{1}, checked.offset());
  const Tensor plain = g.contiguous() ? g : clone(g);
  kernels::fill(view_of(out0), Number(0));
  const Indexed at = rows_of(out0.layout(), 0, index);
  write(out0, alias(plain, Sizes{index.numel(), width}, Sizes{width, 1}, plain.offset()), at, kernels::Combine::add);
  if (padding >= 0 && padding < rows) kernels::fill(view_of(alias(out0, Sizes{width}, Sizes{1}, padding * width)), Number(0));
  if (!a.flag(4)) return;
  kernels::divide_rows(view_of(out0), view_of(index));
}

Dtype place_dtype(const Args& a, int position) { return a.flag(position) ? Dtype::i32 : Dtype::i64; }

void search(const Tensor& out, const Tensor& sorted, const Tensor& values, const Tensor& sorter, bool right) {
  const Dtype t = promote(sorted.dtype(), values.dtype());
  const auto plain = [](const Tensor& x, Dtype d) {
    Tensor c = empty(d, x.sizes());
    kernels::copy(view_of(c), view_of(x));
    return c;
  };
  const Dtype wide = is_integral(t) ? Dtype::i64 : Dtype::f64;
  const Tensor s = plain(sorted, wide), v = plain(values, wide), places = empty(Dtype::i64, out.sizes());
  const Tensor order = sorter ? checked_index(sorter, sorted.size(-1), false, "searchsorted") : Tensor();
  kernels::search_sorted(places.data<int64_t>(), view_of(s), view_of(v), order ? order.data<int64_t>() : nullptr, right);
  kernels::copy(view_of(out), view_of(places));
}

}  // namespace

Op embedding_op{
    .schema = "embedding(Tensor weight, Tensor indices, int padding_idx=-1, bool scale_grad_by_freq=False, bool sparse=False) -> Tensor",
    .doc = "The rows of weight at the indices. The row padding_idx gets no gradient (-1: there is none such); with scale_grad_by_freq a row's gradient is divided by "
           "how often it was read. Gradients are dense.",
    .shape = [](const Args& a, Metas& out) {
      const Tensor &weight = a.tensor(0), &indices = a.tensor(1);
      GRADUS_CHECK(weight.ndim() == 2, shape, "embedding: a weight of shape {}, where a matrix is wanted", text(weight.sizes()));
      check_index_dtype(indices, "embedding");
      Sizes sizes(indices.sizes());
      sizes.push_back(weight.size(1));
      numel_of(sizes);
      out.push_back({weight.dtype(), sizes});
    },
    .kernel = [](const Args& a, const Tensors& out) {
      const Tensor& weight = a.tensor(0);
      read(out[0], weight, rows_of(weight.layout(), 0, checked_index(a.tensor(1), weight.size(0), false, "embedding")));
    },
    .vjp = {[](const Call& c, const Tensor& g) {
      return call(embedding_dense_backward_op, {g, c.tensor(1), c.sizes()[0], c.integer(2), c.flag(3)});
    }},
    .save = input(1),
    .samples = [](Samples& s) {
      s.add({s.rand({4, 3}), s.values({2, 2}, {1, 3, 1, 0}, Dtype::i64)});
      s.add({s.rand({4, 3}), s.values({3}, {1, 3, 1}, Dtype::i32)});
      s.add({s.rand({4, 3}), s.integers({0, 2}, 0, 1)});
      s.error({s.rand({4, 3}), s.values({1}, {4}, Dtype::i64)}, "index 4 is out of range for size 4");
      s.error({s.rand({4}), s.integers({1}, 0, 1)}, "a matrix is wanted");
    },
};
Op embedding_dense_backward_op{
    .schema = "embedding_dense_backward(Tensor grad_output, Tensor indices, int num_weights, int padding_idx, bool scale_grad_by_freq) -> Tensor",
    .doc = "The gradient of embedding's weight: the rows of grad_output added at the indices, in their order.",
    .shape = [](const Args& a, Metas& out) {
      const Tensor &g = a.tensor(0), &indices = a.tensor(1);
      check_index_dtype(indices, "embedding_dense_backward");
      GRADUS_CHECK(is_floating(g.dtype()), dtype, "embedding_dense_backward: a gradient of {}", name(g.dtype()));
      GRADUS_CHECK(g.ndim() == indices.ndim() + 1 && same(g.sizes().first(indices.sizes().size()), indices.sizes()), shape,
                   "embedding_dense_backward: a gradient of shape {} for indices of shape {}", text(g.sizes()), text(indices.sizes()));
      const Sizes sizes{a.integer(2), g.size(-1)};
      numel_of(sizes);
      out.push_back({g.dtype(), sizes});
    },
    .kernel = embedding_backward_kernel,
    .vjp = {[](const Call& c, const Tensor& g) {
      const Tensor& indices = c.tensor(1);
      Tensor rows = embedding(g, indices);
      const auto per_row = [&](const Tensor& t) { return unsqueeze(reshape(t, indices.sizes()), -1); };
      if (c.flag(4)) rows = div(rows, per_row(frequency(indices, c.integer(2), g.dtype())));
      return c.integer(3) < 0 ? rows : masked_fill(rows, unsqueeze(eq(indices, c.integer(3)), -1), 0);
    }},
    .save = input(1),
    .samples = [](Samples& s) {
      s.add({s.rand({2, 2, 3}), s.values({2, 2}, {1, 3, 1, 0}, Dtype::i64), Value(4), Value(-1), Value(false)});
      s.add({s.rand({4, 3}), s.values({4}, {1, 3, 1, 0}, Dtype::i64), Value(4), Value(3), Value(true)});
      s.error({s.rand({2, 3}), s.integers({3}, 0, 1), Value(4), Value(-1), Value(false)}, "a gradient of shape [2, 3] for indices of shape [3]");
    },
};

Op one_hot_op{
    .schema = "one_hot(Tensor self, int num_classes=-1) -> Tensor",
    .doc = "For every class number a vector with 1 in its place, else 0; num_classes -1 is the largest number plus 1.",
    .shape = [](const Args& a, Metas& out) {
      const Tensor& self = a.tensor(0);
      GRADUS_CHECK(self.dtype() == Dtype::i64, dtype, "one_hot: class numbers must be int64, not {}", name(self.dtype()));
      int64_t classes = a.integer(1);
      if (classes == -1) {
        GRADUS_CHECK(self.numel() > 0, value, "one_hot: no class numbers to find num_classes from");
        classes = kernels::largest(view_of(self)) + 1;
        GRADUS_CHECK(classes > 0, index, "one_hot: index {} is negative", classes - 1);
      }
      GRADUS_CHECK(classes > 0, value, "one_hot: {} classes", classes);
      Sizes sizes(self.sizes());
      sizes.push_back(classes);
      numel_of(sizes);
      out.push_back({Dtype::i64, sizes});
    },
    .kernel = [](const Args& a, const Tensors& out) {
      const int64_t classes = out[0].size(-1);
      const Tensor index = checked_index(a.tensor(0), classes, false, "one_hot");
      kernels::fill(view_of(out[0]), Number(0));
      for (int64_t i = 0; i < index.numel(); ++i) out[0].data<int64_t>()[i * classes + index.data<int64_t>()[i]] = 1;
    },
    .samples = [](Samples& s) {
      s.add({s.values({3}, {1, 0, 3}, Dtype::i64)});
      s.add({s.values({2, 2}, {1, 0, 2, 2}, Dtype::i64), Value(5)});
      s.add({s.integers({0}, 0, 1), Value(3)});
      s.error({s.values({1}, {3}, Dtype::i64), Value(3)}, "index 3 is out of range for size 3");
      s.error({s.values({1}, {-1}, Dtype::i64), Value(3)}, "index -1 is out of range for size 3");
    },
};

Op searchsorted_op{
    .schema = "searchsorted(Tensor sorted_sequence, Tensor self, *, bool out_int32=False, bool right=False, str? side=None, Tensor? sorter=None) -> Tensor",
    .doc = "Where each value would be put into the sorted sequence (a vector, or one for each row): before its equals, after them with right or side 'right'.",
    .serves = "searchsorted.Tensor",
    .shape = [](const Args& a, Metas& out) {
      const Tensor &sorted = a.tensor(0), &values = a.tensor(1);
      GRADUS_CHECK(sorted.ndim() >= 1, shape, "searchsorted: the sequence is a scalar");
      bool fits = sorted.ndim() == 1 || sorted.ndim() == values.ndim();
      for (int64_t d = 0; fits && sorted.ndim() > 1 && d + 1 < sorted.ndim(); ++d) fits = sorted.size(d) == values.size(d);
      GRADUS_CHECK(fits, shape, "searchsorted: values of shape {} for sequences of shape {}", text(values.sizes()), text(sorted.sizes()));
      GRADUS_CHECK(!a.has(4) || a.text(4) == "left" || a.text(4) == "right", value, "searchsorted: side '{}', where 'left' or 'right' is wanted", a.text(4));
      GRADUS_CHECK(!a.has(4) || a.text(4) == "right" || !a.flag(3), value, "searchsorted: side 'left' with right");
      if (const Tensor& sorter = a.optional_tensor(5)) {
        check_index_dtype(sorter, "searchsorted");
        GRADUS_CHECK(same(sorter.sizes(), sorted.sizes()), shape, "searchsorted: a sorter of shape {} for sequences of shape {}", text(sorter.sizes()), text(sorted.sizes()));
      }
      out.push_back({place_dtype(a, 2), Sizes(values.sizes())});
    },
    .kernel = [](const Args& a, const Tensors& out) {
      search(out[0], a.tensor(0), a.tensor(1), a.optional_tensor(5), a.flag(3) || (a.has(4) && a.text(4) == "right"));
    },
    .samples = [](Samples& s) {
      s.add({s.values({4}, {1, 2, 2, 5}), s.values({2, 2}, {2, 0, 6, 5})});
      s.add({s.values({2, 3}, {1, 2, 2, 0, 4, 8}), s.values({2, 2}, {2, 0, 8, 5}), Value(false), Value(true)});
      s.add({s.values({3}, {5, 1, 2}), s.values({2}, {2, 0}), Value(true), Value(false), s.text("right"), s.values({3}, {1, 2, 0}, Dtype::i64)});
      s.error({s.values({2, 1}, {1, 2}), s.values({3, 1}, {1, 2, 3})}, "values of shape [3, 1] for sequences of shape [2, 1]");
    },
};
Op bucketize_op{
    .schema = "bucketize(Tensor self, Tensor boundaries, *, bool out_int32=False, bool right=False) -> Tensor",
    .doc = "Where each value would be put into the sorted boundaries: before its equals, after them with right.",
    .serves = "bucketize.Tensor",
    .shape = [](const Args& a, Metas& out) {
      GRADUS_CHECK(a.tensor(1).ndim() == 1, shape, "bucketize: boundaries of shape {}, where a vector is wanted", text(a.tensor(1).sizes()));
      out.push_back({place_dtype(a, 2), Sizes(a.tensor(0).sizes())});
    },
    .kernel = [](const Args& a, const Tensors& out) { search(out[0], a.tensor(1), a.tensor(0), {}, a.flag(3)); },
    .samples = [](Samples& s) {
      s.add({s.values({2, 2}, {2, 0, 6, 5}), s.values({4}, {1, 2, 2, 5})});
      s.add({s.values({}, {2}), s.values({2}, {1, 2}), Value(true), Value(true)});
      s.error({s.rand({2}), s.rand({2, 2})}, "a vector is wanted");
    },
};

static Op* const all[] = {&embedding_op, &embedding_dense_backward_op, &one_hot_op, &searchsorted_op, &bucketize_op};
const OpList embedding_ops = all;

}  // namespace gradus
