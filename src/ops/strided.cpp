// Regions of a tensor seen as memory: what writing through a view, and as_strided, come to. A region (size, stride, offset) is
// meant relative to the first element of a tensor whose strides are base_stride; a tensor laid out otherwise, such as a
// gradient, is first brought into that geometry.
#include <algorithm>
#include <cstring>

#include "dispatch/evaluate.h"
#include "graph/history.h"
#include "kernels/complex.h"
#include "kernels/copy.h"
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

// The region arguments begin at `at`: size, stride, offset, base_stride.
struct Region {
  SizesRef size, stride, base_stride;
  int64_t offset, elements;                                   // from the first to the last one; 0 when there are none
  template <class A> Region(const A& a, int at)
      : size(a.integers(at)), stride(a.integers(at + 1)), base_stride(a.integers(at + 3)), offset(a.integer(at + 2)), elements(span_of(size, stride)) {}

  bool inside(const Tensor& base) const { return elements == 0 || (offset >= 0 && offset <= span_of(base.sizes(), base_stride) - elements); }
  void check(SizesRef base, std::string_view what) const {
    constexpr int64_t far = int64_t{1} << 60;                 // sums of what is nearer do not overflow
    GRADUS_CHECK(base_stride.size() == base.size(), shape, "{}: {} base strides for {} dimensions", what, base_stride.size(), base.size());
    const int64_t all = span_of(base, base_stride);
    if (elements > far || offset > far || offset < -far || all > far) refuse(what, offset, all, "tensor");
  }
  void check_inside(const Tensor& base, std::string_view what) const {
    check(base.sizes(), what);
    if (!inside(base)) refuse(what, offset, span_of(base.sizes(), base_stride), "tensor");
  }
  // The region may lie anywhere in the memory, also where the tensor has nothing.
  void check_memory(const Tensor& base, std::string_view what) const {
    check(base.sizes(), what);
    const int64_t first = base.offset() + offset, room = base.storage().bytes / size_of(base.dtype());
    if (elements > 0 && (first < 0 || first > room - elements)) refuse(what, first, room, "memory");
  }

 private:
  [[noreturn]] void refuse(std::string_view what, int64_t from, int64_t room, std::string_view where) const {
    fail(Status::shape, "{}: size {}, stride {} and offset {} reach beyond the {} elements of the {}", what, text(size), text(stride), from, room, where);
  }
};

bool has_geometry(const Tensor& t, SizesRef base_stride) {
  for (size_t d = 0; d < base_stride.size(); ++d)
    if (t.sizes()[d] != 1 && t.strides()[d] != base_stride[d]) return false;
  return true;
}
// t itself if its memory has the geometry of the base, else a copy that has, gaps zero.
Tensor in_geometry(const Tensor& t, SizesRef base_stride) {
  if (has_geometry(t, base_stride)) return t;
  Tensor copy = empty_strided(t.dtype(), t.sizes(), base_stride);
  if (!is_dense(t.sizes(), base_stride)) std::memset(copy.storage().data, 0, static_cast<size_t>(copy.storage().bytes));
  kernels::copy(view_of(copy), view_of(t));
  return copy;
}
Tensor region_of(const Tensor& base, const Region& r) { return alias(base, r.size, r.stride, base.offset() + r.offset); }

// Memory of its own that holds both a base and a region that sticks out of it, zeros where the base has nothing.
struct Around {
  Tensor base, region;
  Around(const Tensor& like, const Region& r) {
    const int64_t before = std::max<int64_t>(0, -r.offset), end = std::max(span_of(like.sizes(), r.base_stride), r.offset + r.elements);
    const Tensor memory = empty(like.dtype(), Sizes{before + end});
    kernels::fill(view_of(memory), Number(0));
    base = alias(memory, like.sizes(), r.base_stride, before);
    region = alias(memory, r.size, r.stride, before + r.offset);
    kernels::copy(view_of(base), view_of(like));
  }
};

// Adds src to the elements of the region, which may meet one element several times: in row-major order.
void add_region(const View& to, const View& from) {
  visit_all(to.dtype, [&]<class T>() {
    using Sum = std::conditional_t<is_complex_type<T>, Complex<double>, double>;
    Sizes index(static_cast<size_t>(to.ndim), 0);
    for (int64_t i = 0; i < to.numel; ++i) {
      int64_t t = 0, f = 0;
      for (int d = 0; d < to.ndim; ++d) {
        t += index[static_cast<size_t>(d)] * to.strides[d];
        f += index[static_cast<size_t>(d)] * from.strides[d];
      }
      T& e = to.as<T>()[t];
      if constexpr (std::is_integral_v<T>) e = static_cast<T>(e + from.as<T>()[f]);
      else e = convert_any<T>(convert_any<Sum>(e) + convert_any<Sum>(from.as<T>()[f]));
      for (int d = to.ndim - 1; d >= 0; --d) {
        if (++index[static_cast<size_t>(d)] < to.sizes[d]) break;
        index[static_cast<size_t>(d)] = 0;
      }
    }
  });
}

Tensor as_dtype(const Tensor& t, Dtype dtype) {
  Tensor other = empty_strided(dtype, t.sizes(), t.strides());
  kernels::copy(view_of(other), view_of(t));
  return other;
}

// Writes or adds src into the region of out. Halves are summed in float.
void put(const Tensor& out, const Tensor& src, const Region& r, bool accumulate) {
  if (accumulate && (out.dtype() == Dtype::f16 || out.dtype() == Dtype::bf16)) {
    const Tensor wide = as_dtype(out, Dtype::f32);
    put(wide, as_dtype(src, Dtype::f32), r, true);
    return kernels::copy(view_of(out), view_of(wide));
  }
  const auto write = [&](const Tensor& region) {
    if (accumulate) add_region(view_of(region), view_of(src));
    else kernels::copy(view_of(region), view_of(src));
  };
  if (!r.inside(out)) {
    const Around a(out, r);
    write(a.region);
    return kernels::copy(view_of(out), view_of(a.base));
  }
  const Tensor base = in_geometry(out, r.base_stride);
  write(region_of(base, r));
  if (base.impl() != out.impl()) kernels::copy(view_of(out), view_of(base));
}

template <class A> Tensor gather_region(const A& c, int at, const Tensor& g) {
  return call(strided_gather_op, {g, c.integers(at), c.integers(at + 1), c.integer(at + 2), c.integers(at + 3)});
}

}  // namespace

Op strided_view_op{
    .schema = "_strided_view(Tensor(a) self, int[] size, int[] stride, int offset, int[] base_stride) -> Tensor(a)",
    .doc = "The region as a view; base_stride are the tensor's own strides.",
    .view = [](const Args& a, Layouts& out) {
      const Region r(a, 1);
      r.check_memory(a.tensor(0), "as_strided");
      GRADUS_CHECK(same(r.base_stride, a.tensor(0).strides()), value, "_strided_view: base_stride {} are not the tensor's strides {}", text(r.base_stride),
                   text(a.tensor(0).strides()));
      out.push_back({Sizes(r.size), Sizes(r.stride), a.tensor(0).offset() + (r.elements == 0 ? 0 : r.offset)});   // nothing lies nowhere
    },
    .vjp = {[](const Call& c, const Tensor& g) {
      return call(strided_backward_op, {g, c.sizes(), c.integers(1), c.integers(2), c.integer(3), c.integers(4)});
    }},
};

Op strided_gather_op{
    .schema = "_strided_gather(Tensor self, int[] size, int[] stride, int offset, int[] base_stride) -> Tensor",
    .doc = "A copy of the region.",
    .complex = true,
    .shape = [](const Args& a, Metas& out) {
      const Region r(a, 1);
      r.check(a.tensor(0).sizes(), "_strided_gather");
      out.push_back({a.tensor(0).dtype(), Sizes(r.size)});
    },
    .kernel = [](const Args& a, const Tensors& out) {
      const Region r(a, 1);
      const Tensor& self = a.tensor(0);
      kernels::copy(view_of(out[0]), view_of(r.inside(self) ? region_of(in_geometry(self, r.base_stride), r) : Around(self, r).region));
    },
    .vjp = {[](const Call& c, const Tensor& g) {
      return call(strided_backward_op, {g, c.sizes(), c.integers(1), c.integers(2), c.integer(3), c.integers(4)});
    }},
};

Op strided_put_op{
    .schema = "_strided_put(Tensor self, Tensor src, int[] size, int[] stride, int offset, int[] base_stride, bool accumulate) -> Tensor",
    .doc = "self with the region replaced by src, or with src added to it.",
    .complex = true,
    .shape = [](const Args& a, Metas& out) {
      const Region r(a, 2);
      r.check(a.tensor(0).sizes(), "_strided_put");
      GRADUS_CHECK(a.tensor(1).dtype() == a.tensor(0).dtype(), dtype, "_strided_put: a source of {} for a tensor of {}", name(a.tensor(1).dtype()), name(a.tensor(0).dtype()));
      GRADUS_CHECK(a.flag(6) || is_non_overlapping(r.size, r.stride), state, "_strided_put: elements of the region of size {} and stride {} share memory", text(r.size), text(r.stride));
      GRADUS_CHECK(same(a.tensor(1).sizes(), r.size), shape, "_strided_put: a source of shape {} for a region of shape {}", text(a.tensor(1).sizes()), text(r.size));
      out.push_back(a.tensor(0).meta());
    },
    .kernel = [](const Args& a, const Tensors& out) {
      const Tensor& src = a.tensor(1);
      const bool apart = src.impl()->storage != out[0].impl()->storage;
      put(out[0], apart ? src : clone(src), Region(a, 2), a.flag(6));
    },
    .updates = true,
    .vjp = {[](const Call& c, const Tensor& g) {
              if (c.flag(6)) return g;
              const Tensor nothing = expand(zeros({}, g.dtype()), c.integers(2));
              return call(strided_put_op, {g, nothing, c.integers(2), c.integers(3), c.integer(4), c.integers(5), false});
            },
            [](const Call& c, const Tensor& g) { return gather_region(c, 2, g); }},
};

Op strided_backward_op{
    .schema = "_strided_backward(Tensor grad_output, int[] input_sizes, int[] size, int[] stride, int offset, int[] base_stride) -> Tensor",
    .doc = "Zeros with grad_output added in the region.",
    .complex = true,
    .shape = [](const Args& a, Metas& out) {
      numel_of(a.integers(1));
      Region(a, 2).check(a.integers(1), "_strided_backward");
      GRADUS_CHECK(same(a.tensor(0).sizes(), a.integers(2)), shape, "_strided_backward: a gradient of shape {} for a region of shape {}", text(a.tensor(0).sizes()), text(a.integers(2)));
      out.push_back({a.tensor(0).dtype(), Sizes(a.integers(1))});
    },
    .kernel = [](const Args& a, const Tensors& out) {
      const Region r(a, 2);
      kernels::fill(view_of(out[0]), Number(0));
      put(out[0], a.tensor(0), r, !is_non_overlapping(r.size, r.stride));
    },
    .vjp = {[](const Call& c, const Tensor& g) { return gather_region(c, 2, g); }},
};

Op as_strided_op{
    .schema = "as_strided(Tensor(a) self, int[] size, int[] stride, int? storage_offset=None) -> Tensor(a)",
    .doc = "A view of the tensor's memory with sizes, strides and offset (in elements of the storage) of the caller's choice. Elements of the "
           "memory that belong neither to self nor to its base get no gradient.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      // Memory outside of a view belongs to its base.
      const Tensor& self = a.tensor(0);
      const int64_t first = a.has(3) ? a.integer(3) : self.offset();
      GRADUS_CHECK(first >= 0, value, "as_strided: negative offset {}", first);
      GRADUS_CHECK(a.integers(1).size() == a.integers(2).size(), shape, "as_strided: {} sizes with {} strides", a.integers(1).size(), a.integers(2).size());
      const int64_t beyond = first - self.offset(), room = span_of(self.sizes(), self.strides()) - span_of(a.integers(1), a.integers(2));
      const bool inside = beyond >= 0 && beyond <= room;
      const Tensor& on = !inside && self.impl()->view ? self.impl()->autograd->base : self;
      out.push_back(call(strided_view_op, {on, a.integers(1), a.integers(2), first - on.offset(), on.strides()}));
    },
    .in_place = true,
    .samples = [](Samples& s) {
      s.add({s.rand({6}), s.list({2, 2}), s.list({3, 1})});
      s.add({s.rand({6}), s.list({2, 3}), s.list({1, 1}), Value(1)});          // a window over overlapping places
      s.error({s.rand({6}), s.list({7}), s.list({1})}, "beyond the 6 elements");
      s.error({s.rand({6}), s.list({2, 2}), s.list({1})}, "2 sizes with 1 strides");
      s.error({s.rand({6}), s.list({2}), s.list({1}), Value(INT64_MAX)}, "beyond the 6 elements");
      s.error({s.rand({6}), s.list({2}), s.list({1}), Value(INT64_MIN)}, "negative offset");
    },
};

Op as_strided_scatter_op{
    .schema = "as_strided_scatter(Tensor self, Tensor src, int[] size, int[] stride, int? storage_offset=None) -> Tensor",
    .doc = "self with the elements that as_strided names replaced by src.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensor& self = a.tensor(0);
      GRADUS_CHECK(!a.has(4) || a.integer(4) >= 0, value, "as_strided_scatter: negative offset {}", a.integer(4));
      const int64_t offset = a.has(4) ? a.integer(4) - self.offset() : 0;
      const Value v[] = {a[0], a[1], a[2], a[3], Value(offset), Value(self.strides())};
      Region(Args(strided_put_op, v), 2).check_inside(self, "as_strided_scatter");
      out.push_back(call(strided_put_op, {self, a[1], a.integers(2), a.integers(3), offset, self.strides(), false}));
    },
    .samples = [](Samples& s) {
      s.add({s.rand({6}), s.rand({2, 2}), s.list({2, 2}), s.list({3, 1})});
      s.add({s.rand({2, 3}), s.rand({2}), s.list({2}), s.list({2}), Value(1)});
      s.error({s.rand({6}), s.rand({2}), s.list({2}), s.list({7})}, "beyond the 6 elements");
      s.error({s.rand({6}), s.rand({3}), s.list({2}), s.list({1})}, "a source of shape [3] for a region of shape [2]");
      s.error({s.rand({6}), s.rand({2, 2}), s.list({2, 2}), s.list({1, 1})}, "share memory");
    },
};

static Op* const all[] = {&strided_backward_op, &as_strided_scatter_op, &as_strided_op, &strided_view_op, &strided_gather_op, &strided_put_op};
const OpList strided_ops = all;

}  // namespace gradus
