// Views of several parts at once.
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"
#include "ops/view.h"

namespace gradus {
namespace {

void push_parts(const Tensor& self, size_t d, SizesRef lengths, Layouts& out) {
  Layout l = self.layout();
  for (int64_t n : lengths) {
    l.sizes[d] = n;
    out.push_back(l);
    l.offset += n * l.strides[d];
  }
}

Tensor join_gradients(const Call& c, int64_t dim) {
  std::vector<Tensor> parts;
  for (int i = 0, n = static_cast<int>(c.node()->output_count); i < n; ++i) parts.push_back(c.grad(i));
  return cat(parts, dim);
}

Sizes equal_parts(const Tensor& self, size_t d, int64_t size, std::string_view what) {
  const int64_t n = self.sizes()[d];
  GRADUS_CHECK(size >= 0, value, "{}: negative split size {}", what, size);
  GRADUS_CHECK(size > 0 || n == 0, value, "{}: split size 0 for a dimension of size {}", what, n);
  Sizes lengths;
  for (int64_t at = 0; at < n; at += size) lengths.push_back(std::min(size, n - at));
  if (lengths.empty()) lengths.push_back(0);
  return lengths;
}

// Slices, each a view by itself, that begin at the bounds.
void slices(const Tensor& self, int64_t dim, SizesRef bounds, Tensors& out) {
  int64_t begin = 0;
  for (int64_t end : bounds) {
    out.push_back(slice(self, dim, begin, end));
    begin = end;
  }
  out.push_back(slice(self, dim, begin));
}
void sections(const Tensor& self, int64_t dim, int64_t count, std::string_view what, Tensors& out) {
  const size_t d = real_dim(self, dim, what);
  GRADUS_CHECK(count > 0, value, "{}: {} sections", what, count);
  const int64_t n = self.sizes()[d];
  GRADUS_CHECK(count <= std::max<int64_t>(n, 65536), value, "{}: {} sections of a dimension of size {}", what, count, n);
  int64_t begin = 0;
  for (int64_t i = 0; i < count; ++i) {                       // the first n % count parts are one longer
    const int64_t length = n / count + (i < n % count);
    out.push_back(slice(self, static_cast<int64_t>(d), begin, begin + length));
    begin += length;
  }
}
// hsplit, vsplit, dsplit: the sections must be equal.
void even_sections(const Args& a, int64_t least, int64_t dim, Tensors& out) {
  const Tensor& self = a.tensor(0);
  GRADUS_CHECK(self.ndim() >= least, shape, "{}: a tensor of {} dimensions, where at least {} are wanted", name(a.op()), self.ndim(), least);
  const int64_t count = a.integer(1);
  GRADUS_CHECK(count > 0 && self.size(dim) % count == 0, value, "{}: {} equal sections of a dimension of size {}", name(a.op()), count, self.size(dim));
  sections(self, dim, count, name(a.op()), out);
}
void at_indices(const Args& a, int64_t least, int64_t dim, Tensors& out) {
  GRADUS_CHECK(a.tensor(0).ndim() >= least, shape, "{}: a tensor of {} dimensions, where at least {} are wanted", name(a.op()), a.tensor(0).ndim(), least);
  slices(a.tensor(0), dim, a.integers(1), out);
}
int64_t columns_of(const Args& a) { return a.tensor(0).ndim() == 1 ? 0 : 1; }

void even_samples(Samples& s) {
  s.add({s.rand({4, 4, 4}), Value(2)});
  s.error({s.rand({4, 4, 4}), Value(3)}, "3 equal sections of a dimension of size 4");
  s.error({s.rand({}), Value(1)}, "at least");
}
void index_samples(Samples& s) {
  s.add({s.rand({4, 4, 4}), s.list({1, 3})});
  s.error({s.rand({}), s.list({1})}, "at least");
}

}  // namespace

Op split_op{
    .schema = "split(Tensor(a) self, int split_size, int dim=0) -> Tensor(a)[]",
    .doc = "Parts of split_size along a dimension, the last one shorter where it does not divide. The parts may not be written in place while recording.",
    .serves = "split.Tensor",
    .view = [](const Args& a, Layouts& out) {
      const size_t d = real_dim(a.tensor(0), a.integer(2), "split");
      push_parts(a.tensor(0), d, equal_parts(a.tensor(0), d, a.integer(1), "split"), out);
    },
    .multi_view = true,
    .vjp = {[](const Call& c, const Tensor&) { return join_gradients(c, c.integer(2)); }},
    .samples = [](Samples& s) {
      s.add({s.rand({5, 2}), Value(2)});
      s.add({s.rand({2, 4}), Value(4), Value(-1)});
      s.add({s.rand({0, 2}), Value(0)});
      s.error({s.rand({4}), Value(0)}, "split size 0");
    },
};

Op unsafe_split_op{
    .schema = "unsafe_split(Tensor self, int split_size, int dim=0) -> Tensor[]",
    .doc = "split into copies, which may be written in place.",
    .serves = "unsafe_split.Tensor",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { for (const Tensor& t : split(a.tensor(0), a.integer(1), a.integer(2))) out.push_back(call(clone_op, {t})); },
    .samples = [](Samples& s) { s.add({s.rand({5, 2}), Value(2)}); s.error({s.rand({4}), Value(0)}, "split size 0"); },
};
Op unsafe_chunk_op{
    .schema = "unsafe_chunk(Tensor self, int chunks, int dim=0) -> Tensor[]",
    .doc = "chunk into copies, which may be written in place.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { for (const Tensor& t : chunk(a.tensor(0), a.integer(1), a.integer(2))) out.push_back(call(clone_op, {t})); },
    .samples = [](Samples& s) { s.add({s.rand({2, 5}), Value(2), Value(1)}); s.error({s.rand({4}), Value(0)}, "chunk"); },
};
Op split_with_sizes_op{
    .schema = "split_with_sizes(Tensor(a) self, int[] split_sizes, int dim=0) -> Tensor(a)[]",
    .doc = "Parts of the given sizes along a dimension. The parts may not be written in place while recording.",
    .serves = "split_with_sizes split.sizes",
    .view = [](const Args& a, Layouts& out) {
      const size_t d = real_dim(a.tensor(0), a.integer(2), "split_with_sizes");
      int64_t rest = a.tensor(0).sizes()[d];
      for (int64_t n : a.integers(1)) {
        GRADUS_CHECK(n >= 0, value, "split_with_sizes: negative size in {}", text(a.integers(1)));
        rest = n > rest ? -1 : rest - n;
        if (rest < 0) break;
      }
      GRADUS_CHECK(rest == 0, shape, "split_with_sizes: sizes {} for a dimension of size {}", text(a.integers(1)), a.tensor(0).sizes()[d]);
      push_parts(a.tensor(0), d, a.integers(1), out);
    },
    .multi_view = true,
    .vjp = {[](const Call& c, const Tensor&) { return join_gradients(c, c.integer(2)); }},
    .samples = [](Samples& s) {
      s.add({s.rand({5, 2}), s.list({2, 0, 3})});
      s.add({s.rand({2, 4}), s.list({1, 3}), Value(1)});
      s.error({s.rand({4}), s.list({2, 1})}, "sizes [2, 1] for a dimension of size 4");
      s.error({s.rand({4}), s.list({-1, 5})}, "negative size");
    },
};

Op chunk_op{
    .schema = "chunk(Tensor(a) self, int chunks, int dim=0) -> Tensor(a)[]",
    .doc = "At most so many parts of equal size, the last one shorter.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensor& self = a.tensor(0);
      const int64_t chunks = a.integer(1), dim = static_cast<int64_t>(real_dim(self, a.integer(2), "chunk")), n = self.size(dim);
      GRADUS_CHECK(chunks > 0, value, "chunk: {} chunks", chunks);
      if (n == 0) out = call_all(split_with_sizes_op, {self, Sizes(static_cast<size_t>(chunks), 0), dim});
      else out = call_all(split_op, {self, (n - 1) / chunks + 1, dim});
    },
    .samples = [](Samples& s) {
      s.add({s.rand({5, 2}), Value(3)});
      s.add({s.rand({2, 0}), Value(2), Value(1)});
      s.error({s.rand({4}), Value(0)}, "0 chunks");
    },
};

Op unbind_op{
    .schema = "unbind(Tensor(a) self, int dim=0) -> Tensor(a)[]",
    .doc = "The parts at every index of a dimension, which they lack. The parts may not be written in place while recording.",
    .serves = "unbind.int",
    .view = [](const Args& a, Layouts& out) {
      const Tensor& self = a.tensor(0);
      const size_t d = real_dim(self, a.integer(1), "unbind");
      Layout l = self.layout();
      l.sizes.erase(d);
      l.strides.erase(d);
      for (int64_t i = 0; i < self.sizes()[d]; ++i) {
        out.push_back(l);
        l.offset += self.strides()[d];
      }
    },
    .multi_view = true,
    .vjp = {[](const Call& c, const Tensor&) {
      std::vector<Tensor> parts;
      for (int i = 0, n = static_cast<int>(c.node()->output_count); i < n; ++i) parts.push_back(c.grad(i));
      return stack(parts, c.integer(1));
    }},
    .samples = [](Samples& s) {
      s.add({s.rand({3, 2})});
      s.add({s.rand({2, 3}), Value(-1)});
      s.error({s.rand({})}, "a scalar has no dimension");
    },
};

Op tensor_split_op{
    .schema = "tensor_split(Tensor(a) self, int sections, int dim=0) -> Tensor(a)[]",
    .doc = "So many parts along a dimension, the first ones longer by one where it does not divide.",
    .serves = "tensor_split.sections",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { sections(a.tensor(0), a.integer(2), a.integer(1), "tensor_split", out); },
    .samples = [](Samples& s) {
      s.add({s.rand({7, 2}), Value(3)});
      s.add({s.rand({2, 2}), Value(3), Value(1)});
      s.error({s.rand({4}), Value(0)}, "0 sections");
    },
};
Op tensor_split_indices_op{
    .schema = "tensor_split_indices(Tensor(a) self, int[] indices, int dim=0) -> Tensor(a)[]",
    .doc = "The parts between the given indices of a dimension, which are read as the bounds of slices.",
    .serves = "tensor_split.indices",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      slices(a.tensor(0), static_cast<int64_t>(real_dim(a.tensor(0), a.integer(2), "tensor_split")), a.integers(1), out);
    },
    .samples = [](Samples& s) {
      s.add({s.rand({7, 2}), s.list({2, 4})});
      s.add({s.rand({7}), s.list({5, 2, -1})});
      s.error({s.rand({}), s.list({1})}, "a scalar has no dimension");
    },
};

Op hsplit_op{
    .schema = "hsplit(Tensor(a) self, int sections) -> Tensor(a)[]",
    .doc = "Equal parts along the second dimension, of a vector along the first.",
    .serves = "hsplit.int",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { even_sections(a, 1, columns_of(a), out); },
    .samples = even_samples,
};
Op hsplit_indices_op{
    .schema = "hsplit_indices(Tensor(a) self, int[] indices) -> Tensor(a)[]",
    .doc = "The parts between indices of the second dimension, of a vector of the first.",
    .serves = "hsplit.array",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { at_indices(a, 1, columns_of(a), out); },
    .samples = index_samples,
};
Op vsplit_op{
    .schema = "vsplit(Tensor(a) self, int sections) -> Tensor(a)[]",
    .doc = "Equal parts along the first dimension.",
    .serves = "vsplit.int",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { even_sections(a, 2, 0, out); },
    .samples = even_samples,
};
Op vsplit_indices_op{
    .schema = "vsplit_indices(Tensor(a) self, int[] indices) -> Tensor(a)[]",
    .doc = "The parts between indices of the first dimension.",
    .serves = "vsplit.array",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { at_indices(a, 2, 0, out); },
    .samples = index_samples,
};
Op dsplit_op{
    .schema = "dsplit(Tensor(a) self, int sections) -> Tensor(a)[]",
    .doc = "Equal parts along the third dimension.",
    .serves = "dsplit.int",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { even_sections(a, 3, 2, out); },
    .samples = even_samples,
};
Op dsplit_indices_op{
    .schema = "dsplit_indices(Tensor(a) self, int[] indices) -> Tensor(a)[]",
    .doc = "The parts between indices of the third dimension.",
    .serves = "dsplit.array",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { at_indices(a, 3, 2, out); },
    .samples = index_samples,
};

static Op* const all[] = {&split_op, &unsafe_split_op, &unsafe_chunk_op, &split_with_sizes_op, &chunk_op, &unbind_op, &tensor_split_op, &tensor_split_indices_op, &hsplit_op,
                          &hsplit_indices_op, &vsplit_op, &vsplit_indices_op, &dsplit_op, &dsplit_indices_op};
const OpList view_split_ops = all;

}  // namespace gradus
