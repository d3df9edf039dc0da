// Parts of a tensor as views (select, slice, diagonal, unfold), and for each the tensor of zeros around a part (select_backward)
// and the tensor with a part replaced (select_scatter). The three are each other's derivatives, so every order is covered.
#include "dispatch/evaluate.h"
#include "kernels/copy.h"
#include "kernels/index.h"
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"
#include "ops/view.h"

namespace gradus {
namespace {

struct Range { int64_t start, length, step; };
Range slice_range(const Args& a, int at, int64_t size) {      // start, end, step as Python reads them
  const auto bound = [&](int i, int64_t otherwise) {
    const int64_t v = a.has(i) ? a.integer(i) : otherwise;
    return std::clamp<int64_t>(v < 0 ? v + size : v, 0, size);
  };
  const int64_t step = a.integer(at + 2), start = bound(at, 0), end = std::max(start, bound(at + 1, size));
  GRADUS_CHECK(step > 0, value, "{}: step {} is not positive", name(a.op()), step);
  return {start, (end - start) / step + ((end - start) % step != 0), step};
}

Tensor part(const Tensor& t, const Layout& l) { return alias(t, l.sizes, l.strides, l.offset); }
View filled_with_zeros(const Tensor& t) {
  kernels::fill(view_of(t), Number(0));
  return view_of(t);
}

void check_source(const Tensor& src, const Layout& l, std::string_view what) {
  GRADUS_CHECK(same(src.sizes(), l.sizes), shape, "{}: a source of shape {} for a part of shape {}", what, text(src.sizes()), text(l.sizes));
}

// V_scatter(self, src, attributes of V)
template <Op& V> void scatter_shape(const Args& a, Metas& out) {
  check_source(a.tensor(1), layout_by(V, a.tensor(0), a, 2), name(a.op()));
  out.push_back(a.tensor(0).meta());
}
template <Op& V> void scatter_kernel(const Args& a, const Tensors& out) {
  const Tensor& src = a.tensor(1);
  const Tensor apart = src.impl()->storage == out[0].impl()->storage ? clone(src) : src;
  kernels::copy(view_of(part(out[0], layout_by(V, out[0], a, 2))), view_of(apart));
}
template <Op& V, Op& Scatter> Tensor without_part(const Call& c, const Tensor& g) {
  const Tensor nothing = expand(zeros({}, g.dtype()), view_by(V, g, c.args(), 2).sizes());
  Value v[kMaxArguments] = {Value(g), Value(nothing)};
  const int n = static_cast<int>(Scatter.info->schema.arguments.size());
  for (int i = 2; i < n; ++i) v[i] = c.args()[i];
  Tensors out;
  call(Scatter, v, n, out);
  return std::move(out[0]);
}
template <Op& V, int at> Tensor take_part(const Call& c, const Tensor& g) { return view_by(V, g, c.args(), at); }

// V_backward(grad_output, input_sizes, attributes of V)
void backward_shape(const Args& a, Metas& out) {
  numel_of(a.integers(1));
  out.push_back({a.tensor(0).dtype(), Sizes(a.integers(1))});
}
// Each element is written once: the ranges before and after the part, and the part.
void place(const Tensor& out, const Layout& l, const Tensor& src, size_t d, int64_t begin, int64_t end) {
  const auto clear = [&](int64_t from, int64_t to) {
    if (from == to) return;
    Sizes sizes(out.sizes());
    sizes[d] = to - from;
    kernels::fill(view_of(alias(out, sizes, out.strides(), out.offset() + from * out.strides()[d])), Number(0));
  };
  check_source(src, l, "backward");
  clear(0, begin);
  clear(end, out.sizes()[d]);
  kernels::copy(view_of(part(out, l)), view_of(src));
}

}  // namespace

Op select_op{
    .schema = "select(Tensor(a) self, int dim, int index) -> Tensor(a)",
    .doc = "The part at one index of a dimension, which the result lacks.",
    .serves = "select.int",
    .view = [](const Args& a, Layouts& out) {
      const Tensor& self = a.tensor(0);
      const size_t d = real_dim(self, a.integer(1), "select");
      const int64_t i = a.integer(2), n = self.sizes()[d];
      GRADUS_CHECK(i >= -n && i < n, index, "select: index {} is out of range for dimension {} of size {}", i, d, n);
      Layout l = self.layout();
      l.offset += (i < 0 ? i + n : i) * l.strides[d];
      l.sizes.erase(d);
      l.strides.erase(d);
      out.push_back(l);
    },
    .vjp = {[](const Call& c, const Tensor& g) { return call(select_backward_op, {g, c.sizes(), c.integer(1), c.integer(2)}); }},
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3, 4}), Value(1), Value(2)});
      s.add({s.rand({3}), Value(-1), Value(-3)});
      s.error({s.rand({2, 3}), Value(1), Value(3)}, "index 3 is out of range");
      s.error({s.rand({}), Value(0), Value(0)}, "a scalar has no dimension");
    },
};
Op select_backward_op{
    .schema = "select_backward(Tensor grad_output, int[] input_sizes, int dim, int index) -> Tensor",
    .doc = "Zeros with grad_output at one index of a dimension.",
    .complex = true,
    .shape = backward_shape,
    .kernel = [](const Args& a, const Tensors& out) {
      const Layout l = layout_by(select_op, out[0], a, 2);
      const size_t d = real_dim(out[0], a.integer(2), "select_backward");
      const int64_t i = a.integer(3) < 0 ? a.integer(3) + out[0].sizes()[d] : a.integer(3);
      place(out[0], l, a.tensor(0), d, i, i + 1);
    },
    .vjp = {take_part<select_op, 2>},
    .samples = [](Samples& s) {
      s.add({s.rand({2, 4}), s.list({2, 3, 4}), Value(1), Value(-1)});
      s.error({s.rand({2, 4}), s.list({2, 3, 4}), Value(2), Value(0)}, "a source of shape [2, 4] for a part of shape [2, 3]");
    },
};
Op select_scatter_op{
    .schema = "select_scatter(Tensor self, Tensor src, int dim, int index) -> Tensor",
    .doc = "self with the part at one index of a dimension replaced by src.",
    .complex = true,
    .shape = scatter_shape<select_op>,
    .kernel = scatter_kernel<select_op>,
    .updates = true,
    .vjp = {without_part<select_op, select_scatter_op>, take_part<select_op, 2>},
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3, 4}), s.rand({2, 4}), Value(1), Value(2)});
      s.error({s.rand({2, 3}), s.rand({3}), Value(1), Value(0)}, "a source of shape [3] for a part of shape [2]");
    },
};

Op slice_op{
    .schema = "slice(Tensor(a) self, int dim=0, int? start=None, int? end=None, int step=1) -> Tensor(a)",
    .doc = "The part from start to before end of a dimension, every step-th; bounds are read as Python's.",
    .serves = "slice.Tensor",
    .view = [](const Args& a, Layouts& out) {
      const Tensor& self = a.tensor(0);
      const size_t d = real_dim(self, a.integer(1), "slice");
      const Range r = slice_range(a, 2, self.sizes()[d]);
      Layout l = self.layout();
      l.offset += r.length > 0 ? r.start * l.strides[d] : 0;
      l.sizes[d] = r.length;
      if (r.length > 1) l.strides[d] = multiply(l.strides[d], r.step);
      out.push_back(l);
    },
    .vjp = {[](const Call& c, const Tensor& g) {
      const Args& a = c.args();
      return call(slice_backward_op, {g, c.sizes(), a[1], a.has(2) ? a[2] : Value(0), a.has(3) ? a[3] : Value(INT64_MAX), a[4]});
    }},
    .samples = [](Samples& s) {
      s.add({s.rand({5, 3}), Value(0), Value(1), Value(4)});
      s.add({s.rand({2, 7}), Value(-1), Value(-6), Value(100), Value(2)});
      s.add({s.rand({4})});
      s.add({s.rand({4}), Value(0), Value(3), Value(1)});
      s.error({s.rand({4}), Value(0), Value(0), Value(2), Value(0)}, "step 0 is not positive");
      s.error({s.rand({4}), Value(1)}, "dim 1 is out of range");
    },
};
Op slice_backward_op{
    .schema = "slice_backward(Tensor grad_output, int[] input_sizes, int dim, int start, int end, int step) -> Tensor",
    .doc = "Zeros with grad_output in a slice.",
    .complex = true,
    .shape = backward_shape,
    .kernel = [](const Args& a, const Tensors& out) {
      const Layout l = layout_by(slice_op, out[0], a, 2);
      const size_t d = real_dim(out[0], a.integer(2), "slice_backward");
      const Range r = slice_range(a, 3, out[0].sizes()[d]);
      check_source(a.tensor(0), l, "slice_backward");
      if (r.step == 1) return place(out[0], l, a.tensor(0), d, r.start, r.start + r.length);
      filled_with_zeros(out[0]);
      kernels::copy(view_of(part(out[0], l)), view_of(a.tensor(0)));
    },
    .vjp = {take_part<slice_op, 2>},
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.list({5, 3}), Value(0), Value(1), Value(-2), Value(1)});
      s.add({s.rand({2, 3}), s.list({2, 7}), Value(1), Value(1), Value(7), Value(2)});
      s.error({s.rand({3, 3}), s.list({5, 3}), Value(0), Value(1), Value(3), Value(1)}, "a source of shape [3, 3] for a part of shape [2, 3]");
    },
};
Op slice_scatter_op{
    .schema = "slice_scatter(Tensor self, Tensor src, int dim=0, int? start=None, int? end=None, int step=1) -> Tensor",
    .doc = "self with a slice replaced by src.",
    .complex = true,
    .shape = scatter_shape<slice_op>,
    .kernel = scatter_kernel<slice_op>,
    .updates = true,
    .vjp = {without_part<slice_op, slice_scatter_op>, take_part<slice_op, 2>},
    .samples = [](Samples& s) {
      s.add({s.rand({5, 3}), s.rand({2, 3}), Value(0), Value(1), Value(4), Value(2)});
      s.add({s.rand({3}), s.rand({3})});
      s.error({s.rand({5}), s.rand({3}), Value(0), Value(3)}, "a source of shape [3] for a part of shape [2]");
    },
};

Op narrow_op{
    .schema = "narrow(Tensor(a) self, int dim, int start, int length) -> Tensor(a)",
    .doc = "length indices of a dimension from start on.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const size_t d = real_dim(a.tensor(0), a.integer(1), "narrow");
      const int64_t n = a.tensor(0).sizes()[d], length = a.integer(3), start = a.integer(2) < 0 ? a.integer(2) + n : a.integer(2);
      GRADUS_CHECK(length >= 0, value, "narrow: negative length {}", length);
      GRADUS_CHECK(start >= 0 && start <= n - length, index, "narrow: start {} with length {} is out of range for a dimension of size {}", a.integer(2), length, n);
      out.push_back(slice(a.tensor(0), static_cast<int64_t>(d), start, start + length));
    },
    .samples = [](Samples& s) {
      s.add({s.rand({5, 3}), Value(0), Value(1), Value(2)});
      s.add({s.rand({5}), Value(0), Value(-2), Value(2)});
      s.add({s.rand({5}), Value(0), Value(5), Value(0)});
      s.error({s.rand({5}), Value(0), Value(4), Value(2)}, "start 4 with length 2 is out of range");
    },
};

Op diagonal_op{
    .schema = "diagonal(Tensor(a) self, int offset=0, int dim1=0, int dim2=1) -> Tensor(a)",
    .doc = "The elements where the index of dim2 is that of dim1 plus offset, as a last dimension.",
    .view = [](const Args& a, Layouts& out) {
      const Tensor& self = a.tensor(0);
      const size_t d1 = real_dim(self, a.integer(2), "diagonal"), d2 = real_dim(self, a.integer(3), "diagonal");
      GRADUS_CHECK(d1 != d2, value, "diagonal: dim {} and dim {} are the same", a.integer(2), a.integer(3));
      const int64_t offset = a.integer(1), rows = self.sizes()[d1], columns = self.sizes()[d2];
      const int64_t down = offset < 0 ? std::min(rows, -std::max(offset, -rows)) : 0, right = offset > 0 ? std::min(columns, offset) : 0;
      const int64_t n = std::max<int64_t>(0, std::min(rows - down, columns - right));
      Layout l = self.layout();
      if (n > 0) l.offset += down * l.strides[d1] + right * l.strides[d2];
      const int64_t stride = l.strides[d1] + l.strides[d2];
      for (const size_t d : {std::max(d1, d2), std::min(d1, d2)}) {
        l.sizes.erase(d);
        l.strides.erase(d);
      }
      l.sizes.push_back(n);
      l.strides.push_back(stride);
      out.push_back(l);
    },
    .vjp = {[](const Call& c, const Tensor& g) { return call(diagonal_backward_op, {g, c.sizes(), c.integer(1), c.integer(2), c.integer(3)}); }},
    .samples = [](Samples& s) {
      s.add({s.rand({3, 4})});
      s.add({s.rand({2, 3, 4}), Value(-1), Value(-1), Value(0)});
      s.add({s.rand({3, 3}), Value(5)});
      s.error({s.rand({3, 3}), Value(0), Value(1), Value(-1)}, "are the same");
      s.error({s.rand({3})}, "dim 1 is out of range");
    },
};
Op diagonal_backward_op{
    .schema = "diagonal_backward(Tensor grad_output, int[] input_sizes, int offset, int dim1, int dim2) -> Tensor",
    .doc = "Zeros with grad_output on a diagonal.",
    .complex = true,
    .shape = backward_shape,
    .kernel = [](const Args& a, const Tensors& out) {
      const Layout l = layout_by(diagonal_op, out[0], a, 2);
      check_source(a.tensor(0), l, "diagonal_backward");
      filled_with_zeros(out[0]);
      kernels::copy(view_of(part(out[0], l)), view_of(a.tensor(0)));
    },
    .vjp = {take_part<diagonal_op, 2>},
    .samples = [](Samples& s) {
      s.add({s.rand({3}), s.list({3, 4}), Value(1), Value(0), Value(1)});
      s.error({s.rand({4}), s.list({3, 4}), Value(0), Value(0), Value(1)}, "a source of shape [4] for a part of shape [3]");
    },
};
Op diagonal_scatter_op{
    .schema = "diagonal_scatter(Tensor self, Tensor src, int offset=0, int dim1=0, int dim2=1) -> Tensor",
    .doc = "self with a diagonal replaced by src.",
    .complex = true,
    .shape = scatter_shape<diagonal_op>,
    .kernel = scatter_kernel<diagonal_op>,
    .updates = true,
    .vjp = {without_part<diagonal_op, diagonal_scatter_op>, take_part<diagonal_op, 2>},
    .samples = [](Samples& s) {
      s.add({s.rand({3, 4}), s.rand({3}), Value(1)});
      s.error({s.rand({3, 4}), s.rand({4})}, "a source of shape [4] for a part of shape [3]");
    },
};

Op unfold_op{
    .schema = "unfold(Tensor(a) self, int dimension, int size, int step) -> Tensor(a)",
    .doc = "Windows of a dimension, one every step elements, their elements as a last dimension.",
    .view = [](const Args& a, Layouts& out) {
      const Tensor& self = a.tensor(0);
      const auto d = static_cast<size_t>(wrap_dim(a.integer(1), self.ndim(), "unfold"));
      const int64_t size = a.integer(2), step = a.integer(3), n = self.ndim() == 0 ? 1 : self.sizes()[d];
      GRADUS_CHECK(size >= 0 && size <= n, value, "unfold: windows of {} in a dimension of size {}", size, n);
      GRADUS_CHECK(step > 0, value, "unfold: step {} is not positive", step);
      Layout l = self.layout();
      const int64_t stride = self.ndim() == 0 ? 1 : l.strides[d];
      if (self.ndim() > 0) {
        l.sizes[d] = (n - size) / step + 1;
        l.strides[d] = l.sizes[d] > 1 ? multiply(stride, step) : stride;
      }
      l.sizes.push_back(size);
      l.strides.push_back(stride);
      out.push_back(l);
    },
    .vjp = {[](const Call& c, const Tensor& g) { return call(unfold_backward_op, {g, c.sizes(), c.integer(1), c.integer(2), c.integer(3)}); }},
    .samples = [](Samples& s) {
      s.add({s.rand({7}), Value(0), Value(3), Value(1)});
      s.add({s.rand({2, 7, 2}), Value(1), Value(2), Value(3)});
      s.add({s.rand({}), Value(0), Value(1), Value(1)});
      s.error({s.rand({3}), Value(0), Value(4), Value(1)}, "windows of 4 in a dimension of size 3");
    },
};
Op unfold_backward_op{
    .schema = "unfold_backward(Tensor grad_in, int[] input_sizes, int dim, int size, int step) -> Tensor",
    .doc = "For every element the sum of grad_in over the windows that hold it.",
    .complex = true,
    .shape = backward_shape,
    .kernel = [](const Args& a, const Tensors& out) {
      check_source(a.tensor(0), layout_by(unfold_op, out[0], a, 2), "unfold_backward");
      const Tensor g = a.tensor(0).contiguous() ? a.tensor(0) : clone(a.tensor(0));
      kernels::fold(view_of(out[0]), view_of(g), static_cast<int>(wrap_dim(a.integer(2), out[0].ndim(), "unfold_backward")), a.integer(4));
    },
    .vjp = {take_part<unfold_op, 2>},
    .samples = [](Samples& s) {
      s.add({s.rand({5, 3}), s.list({7}), Value(0), Value(3), Value(1)});
      s.add({s.rand({2, 2, 2, 2}), s.list({2, 7, 2}), Value(1), Value(2), Value(4)});
      s.error({s.rand({4, 3}), s.list({7}), Value(0), Value(3), Value(1)}, "a source of shape [4, 3] for a part of shape [5, 3]");
    },
};

static Op* const all[] = {&select_op, &select_backward_op, &select_scatter_op, &slice_op, &slice_backward_op, &slice_scatter_op, &narrow_op,
                          &diagonal_op, &diagonal_backward_op, &diagonal_scatter_op, &unfold_op, &unfold_backward_op};
const OpList view_region_ops = all;

}  // namespace gradus
