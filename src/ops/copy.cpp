// Casts, copies, writing over what is there, and other sizes.
#include <algorithm>

#include "base/context.h"
#include "dispatch/evaluate.h"
#include "graph/history.h"
#include "graph/saved_copies.h"
#include "kernels/copy.h"
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

void like_self(const Args& a, Metas& out) { out.push_back(a.tensor(0).meta()); }
void copy_self(const Args& a, const Tensors& out) { kernels::copy(view_of(out[0]), view_of(a.tensor(0))); }

Tensor first_elements(const Tensor& self, SizesRef sizes) {
  const int64_t n = numel_of(sizes), kept = std::min(n, self.numel());
  const Tensor first = slice(reshape(self, Sizes{-1}), 0, 0, kept);
  const Tensor parts[] = {first, zeros(Sizes{n - kept}, self.dtype())};
  return reshape(cat(parts), sizes);
}
void resize_self(const Args& a, SizesRef sizes) {
  TensorImpl* self = a.tensor(0).impl();
  GRADUS_CHECK(!self->inference || context().inference_mode, state, "{}: a tensor made in inference mode can't be changed outside of it", name(a.op()));
  check_resizable(self, sizes, name(a.op()));
  if (same(sizes, self->sizes())) return;
  before_write(*self->storage);
  resize(self, sizes);
}

Tensor pass_on(const Call&, const Tensor& g) { return g; }
Tensor nothing_left(const Call&, const Tensor& g) { return zeros(g.sizes(), g.dtype()); }   // of what was overwritten

}  // namespace

Op clone_op{
    .schema = "clone(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor",
    .doc = "A copy with memory of its own, row-major; gradients flow through.",
    .complex = true,
    .shape = like_self,
    .kernel = copy_self,
    .vjp = {pass_on},
    .samples = on_interval<-2, 2>,
};

Op to_op{
    .schema = "to(Tensor(a) self, ScalarType dtype, bool non_blocking=False, bool copy=False, MemoryFormat? memory_format=None) -> Tensor(a)",
    .doc = "The elements as another dtype; the tensor itself when it has that dtype already and no copy is asked for.",
    .serves = "to.dtype",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      const Tensor& self = a.tensor(0);
      if (a.dtype(1, self.dtype()) == self.dtype() && !a.flag(3)) out.push_back(self);
      else out.push_back(call(to_copy_op, {self, a[1]}));
    },
    .samples = [](Samples& s) { s.add({s.rand({2, 3}), Value(Dtype::f32)}); s.add({s.rand({3}), Value(Dtype::f64)}); },
};

Op to_copy_op{
    .schema = "_to_copy(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, "
              "bool non_blocking=False, MemoryFormat? memory_format=None) -> Tensor",
    .doc = "A copy with the elements as another dtype. Floats outside an integer's range saturate; NaN becomes 0.",
    .complex = true,
    .shape = [](const Args& a, Metas& out) {
      const Dtype d = a.dtype(1, a.tensor(0).dtype());
      out.push_back({d, Sizes(a.tensor(0).sizes())});
    },
    .kernel = copy_self,
    .vjp = {pass_on},                                         // the engine casts back
    .samples = [](Samples& s) { s.add({s.rand({2, 3}), Value(Dtype::f32)}); s.add({s.rand({3}), Value(Dtype::i32)}); },
};

Op contiguous_op{
    .schema = "contiguous(Tensor(a) self, *, MemoryFormat memory_format=contiguous_format) -> Tensor(a)",
    .doc = "The tensor itself if its memory is row-major, else a copy that is.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(a.tensor(0).contiguous() ? a.tensor(0) : call(clone_op, {a.tensor(0)})); },
    .samples = on_interval<-2, 2>,
};

Op copy_op{
    .schema = "copy(Tensor self, Tensor src, bool non_blocking=False) -> Tensor",
    .doc = "src, broadcast and cast to the shape and dtype of self.",
    .complex = true,
    .shape = [](const Args& a, Metas& out) {
      const Sizes s = broadcast_sizes(a.tensor(0).sizes(), a.tensor(1).sizes(), "copy");
      GRADUS_CHECK(same(s, a.tensor(0).sizes()), shape, "copy: shape {} does not broadcast to {}", text(a.tensor(1).sizes()), text(a.tensor(0).sizes()));
      out.push_back(a.tensor(0).meta());
    },
    .kernel = [](const Args& a, const Tensors& out) {
      const Tensor& src = a.tensor(1);
      const bool apart = src.impl()->storage != out[0].impl()->storage;
      kernels::copy(view_of(out[0]), view_of(apart ? src : clone(src)));
    },
    .updates = true,
    .vjp = {nullptr, pass_on},
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.rand({3})});
      s.error({s.rand({3}), s.rand({2, 3})}, "does not broadcast");
    },
};

Op fill_op{
    .schema = "fill(Tensor self, Scalar value) -> Tensor",
    .doc = "A tensor like self with every element the number.",
    .serves = "fill.Scalar",
    .complex = true,
    .complex_numbers = true,
    .shape = like_self,
    .kernel = [](const Args& a, const Tensors& out) { kernels::fill(view_of(out[0]), a.number(1)); },
    .updates = true,
    .vjp = {nothing_left},
    .samples = [](Samples& s) { s.add({s.rand({2, 3}), Value(1.5)}); },
};
Op fill_tensor_op{
    .schema = "fill_tensor(Tensor self, Tensor value) -> Tensor",
    .doc = "A tensor like self with every element that of value, a tensor of no dimensions.",
    .serves = "fill.Tensor",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      GRADUS_CHECK(a.tensor(1).ndim() == 0, shape, "fill_tensor: value has shape {}, not no dimensions", text(a.tensor(1).sizes()));
      out.push_back(call(copy_op, {a.tensor(0), a.tensor(1)}));
    },
    .in_place = true,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.rand({})});
      s.error({s.rand({2, 3}), s.rand({1})}, "shape [1]");
    },
};

Op zero_op{
    .schema = "zero(Tensor self) -> Tensor",
    .doc = "A tensor like self with every element 0.",
    .complex = true,
    .shape = like_self,
    .kernel = [](const Args&, const Tensors& out) { kernels::fill(view_of(out[0]), Number(0)); },
    .updates = true,
    .vjp = {nothing_left},
    .samples = on_interval<-2, 2>,
};

Op resize_op{
    .schema = "resize(Tensor self, int[] size, *, MemoryFormat? memory_format=None) -> Tensor",
    .doc = "The first elements of self, row by row, in another shape; zeros where it has no more. resize_ changes the tensor itself, keeps its "
           "elements in the order of memory and leaves what is new undefined; it takes no views, no wrapped memory and nothing that requires grad.",
    .serves = "resize_",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(first_elements(a.tensor(0), a.integers(1))); },
    .rewrite = [](const Args& a) { resize_self(a, a.integers(1)); },
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.list({4})});
      s.add({s.rand({3}), s.list({2, 1})});
      s.error({s.rand({2}), s.list({-1})}, "negative size");
    },
};
Op resize_as_op{
    .schema = "resize_as(Tensor self, Tensor the_template, *, MemoryFormat? memory_format=None) -> Tensor",
    .doc = "resize to the shape of the_template.",
    .serves = "resize_as_",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(first_elements(a.tensor(0), a.tensor(1).sizes())); },
    .rewrite = [](const Args& a) { resize_self(a, a.tensor(1).sizes()); },
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.rand({2, 2})});
      s.add({s.rand({2}), s.rand({})});
    },
};

static Op* const all[] = {&resize_op, &resize_as_op, &clone_op, &to_op, &to_copy_op, &contiguous_op, &copy_op, &fill_op, &fill_tensor_op, &zero_op};
const OpList copy_ops = all;

}  // namespace gradus
