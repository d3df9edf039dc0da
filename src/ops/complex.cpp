// Complex numbers and their parts. What a holomorphic formula computes of them is kernels/formulas/complex.h.
#include "dispatch/evaluate.h"
#include "kernels/complex.h"
#include "kernels/copy.h"
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

Dtype part_type(Dtype t) { return real_of(t); }
Dtype whole_type(Dtype t) { return complex_of(t); }

void parts_layout(const Args& a, Layouts& out) {
  const Tensor& self = a.tensor(0);
  GRADUS_CHECK(is_complex(self.dtype()), dtype, "{}: the tensor must be complex, not {}", name(a.op()), name(self.dtype()));
  out.push_back(layout_of_parts(self.impl()));
}
void whole_layout(const Args& a, Layouts& out) {
  const Tensor& self = a.tensor(0);
  GRADUS_CHECK(self.dtype() == Dtype::f32 || self.dtype() == Dtype::f64, dtype, "view_as_complex: the tensor must be float32 or float64, not {}",
               name(self.dtype()));
  GRADUS_CHECK(self.ndim() > 0 && self.size(-1) == 2, shape, "view_as_complex: the last size of shape {} must be 2", text(self.sizes()));
  Layout l = self.layout();
  bool pairs = l.strides.back() == 1 && l.offset % 2 == 0 && reinterpret_cast<uintptr_t>(self.impl()->data()) % 8 == 0;
  l.sizes.erase(l.sizes.size() - 1);
  l.strides.erase(l.strides.size() - 1);
  for (size_t d = 0; d < l.sizes.size(); ++d) pairs &= l.strides[d] % 2 == 0 || l.sizes[d] <= 1;
  GRADUS_CHECK(pairs, shape, "view_as_complex: strides {} and offset {}: the last stride must be 1, the others and the offset even, the memory aligned",
               text(self.strides()), self.offset());
  for (int64_t& s : l.strides) s /= 2;
  l.offset /= 2;
  out.push_back(l);
}

Tensor part(const Tensor& self, int64_t which) { return select(view_as_real(self), -1, which); }

void conjugate(const Args& a, const Tensors& out) {
  const Tensor& to = out[0];
  kernels::copy(view_of(to), view_of(a.tensor(0)));
  const auto negate = [&]<class C>() {
    C* z = to.data<C>();
    for (int64_t i = 0; i < to.numel(); ++i) z[i].im = -z[i].im;
  };
  if (to.dtype() == Dtype::c64) negate.template operator()<Complex<float>>();
  else negate.template operator()<Complex<double>>();
}

void joined_shape(const Args& a, Metas& out) {
  const Tensor &re = a.tensor(0), &im = a.tensor(1);
  GRADUS_CHECK(re.dtype() == im.dtype() && (re.dtype() == Dtype::f32 || re.dtype() == Dtype::f64), dtype,
               "{}: both tensors must be float32, or both float64: {} and {}", name(a.op()), name(re.dtype()), name(im.dtype()));
  out.push_back({complex_of(re.dtype()), broadcast_sizes(re.sizes(), im.sizes(), name(a.op()))});
}
void join_parts(const Args& a, const Tensors& out) {
  const Tensor parts = parts_of(out[0]);
  Layout l = parts.layout();
  l.sizes.erase(l.sizes.size() - 1);
  l.strides.erase(l.strides.size() - 1);
  for (int i = 0; i < 2; ++i) kernels::copy(view_of(alias(parts, l.sizes, l.strides, l.offset + i)), view_of(a.tensor(i)));
}

// z / |z|, 0 at 0; there no branch is chosen that divides by 0.
Tensor direction(const Tensor& z) {
  const Tensor size = abs(z), nothing = eq(size, 0);
  return where(nothing, 0.0, div(z, where(nothing, 1.0, size)));
}
// At 0 an angle depends on the signs of the zeros alone.
Tensor angle_of(const Tensor& z) {
  if (is_complex(z.dtype())) {
    const Tensor nothing = eq(z, 0), x = real(z), y = imag(z);
    return call(atan2_op, {where(nothing, copysign(0.0, y), y), where(nothing, copysign(1.0, x), x)});
  }
  const Tensor x = is_integral(z.dtype()) ? to(z, Dtype::f32) : z;
  return where(isnan(x), x, mul(to(lt(x, 0), x.dtype()), 3.141592653589793));
}

void complex_samples(Samples& s) {
  s.add({s.complex({2, 3})});
  s.add({s.complex({})});
  s.add({s.complex({0, 2})});
}
void any_samples(Samples& s) {
  complex_samples(s);
  s.add({s.rand({2, 3})});
}
void pair_samples(Samples& s) {
  s.add({s.rand({2, 3}), s.rand({3})});
  s.add({s.rand({}), s.rand({2})});
  s.error({s.rand({2}), s.rand({3})}, "2 and 3");
}

}  // namespace

Op view_as_real_op{
    .schema = "view_as_real(Tensor(a) self) -> Tensor(a)",
    .doc = "Complex numbers as pairs of real ones along a new last dimension.",
    .view = parts_layout,
    .view_type = part_type,
    .vjp = {[](const Call&, const Tensor& g) { return view_as_complex(contiguous(g)); }},
    .samples = [](Samples& s) { complex_samples(s); s.error({s.rand({2})}, "must be complex"); },
};
Op view_as_complex_op{
    .schema = "view_as_complex(Tensor(a) self) -> Tensor(a)",
    .doc = "Pairs of real numbers along the last dimension as complex ones.",
    .view = whole_layout,
    .view_type = whole_type,
    .vjp = {[](const Call&, const Tensor& g) { return view_as_real(g); }},
    .samples = [](Samples& s) {
      s.add({s.rand({3, 2})});
      s.add({s.rand({2})});
      s.add({s.rand({0, 2})});
      s.error({s.rand({3})}, "must be 2");
      s.error({s.integers({2}, 0, 9)}, "float32 or float64");
    },
};
Op real_op{
    .schema = "real(Tensor(a) self) -> Tensor(a)",
    .doc = "The real parts, as a view; a real tensor itself.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(is_complex(a.tensor(0).dtype()) ? part(a.tensor(0), 0) : a.tensor(0)); },
    .samples = any_samples,
};
Op imag_op{
    .schema = "imag(Tensor(a) self) -> Tensor(a)",
    .doc = "The imaginary parts, as a view; refuses real tensors.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      GRADUS_CHECK(is_complex(a.tensor(0).dtype()), dtype, "imag: the tensor must be complex, not {}", name(a.tensor(0).dtype()));
      out.push_back(part(a.tensor(0), 1));
    },
    .samples = [](Samples& s) { complex_samples(s); s.error({s.rand({2})}, "must be complex"); },
};
Op conj_data_op{
    .schema = "_conj_physical(Tensor self) -> Tensor",
    .doc = "The conjugate of each element of a complex tensor.",
    .complex = true,
    .shape = [](const Args& a, Metas& out) {
      GRADUS_CHECK(is_complex(a.tensor(0).dtype()), dtype, "_conj_physical: the tensor must be complex, not {}", name(a.tensor(0).dtype()));
      out.push_back(a.tensor(0).meta());
    },
    .kernel = conjugate,
    .in_place = true,
    .vjp = {[](const Call&, const Tensor& g) { return conj(g); }},
    .samples = [](Samples& s) { complex_samples(s); s.error({s.rand({2})}, "must be complex"); },
};
Op conj_physical_op{
    .schema = "conj_physical(Tensor self) -> Tensor",
    .doc = "The conjugate of each element; a real tensor itself.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(is_complex(a.tensor(0).dtype()) ? call(conj_data_op, {a.tensor(0)}) : a.tensor(0)); },
    .in_place = true,
    .samples = any_samples,
};
Op conj_op{
    .schema = "conj(Tensor(a) self) -> Tensor(a)",
    .doc = "The conjugate of each element, computed at once; a real tensor itself.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(is_complex(a.tensor(0).dtype()) ? call(conj_data_op, {a.tensor(0)}) : a.tensor(0)); },
    .samples = any_samples,
};
Op resolve_conj_op{
    .schema = "resolve_conj(Tensor(a) self) -> Tensor(a)",
    .doc = "The tensor itself: conjugates are computed at once.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(a.tensor(0)); },
    .samples = any_samples,
};
Op resolve_neg_op{
    .schema = "resolve_neg(Tensor(a) self) -> Tensor(a)",
    .doc = "The tensor itself: signs are computed at once.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(a.tensor(0)); },
    .samples = any_samples,
};
Op complex_op{
    .schema = "complex(Tensor real, Tensor imag) -> Tensor",
    .doc = "Complex numbers of two tensors of parts.",
    .shape = joined_shape,
    .kernel = join_parts,
    .vjp = {[](const Call&, const Tensor& g) { return real(g); }, [](const Call&, const Tensor& g) { return imag(g); }},
    .samples = [](Samples& s) { pair_samples(s); s.error({s.integers({2}, 0, 9), s.integers({2}, 0, 9)}, "float32"); },
};
Op polar_op{
    .schema = "polar(Tensor abs, Tensor angle) -> Tensor",
    .doc = "Complex numbers of absolute values and angles.",
    .compose = [](const Args& a, Tensors& out) {
      Metas checked;
      joined_shape(a, checked);
      const Tensor &size = a.tensor(0), &angle = a.tensor(1);
      out.push_back(call(complex_op, {mul(size, cos(angle)), mul(size, sin(angle))}));
    },
    .samples = pair_samples,
};
Op angle_op{
    .schema = "angle(Tensor self) -> Tensor",
    .doc = "The angle of each element in (-pi, pi]: 0 or pi of real numbers. The gradient at 0 is 0.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(angle_of(a.tensor(0))); },
    .samples = any_samples,
};
Op sgn_op{
    .schema = "sgn(Tensor self) -> Tensor",
    .doc = "z / |z| for each element, 0 at 0: of real numbers their sign.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(is_complex(a.tensor(0).dtype()) ? direction(a.tensor(0)) : sign(a.tensor(0))); },
    .in_place = true,
    .samples = any_samples,
};
Op mh_op{
    .schema = "mH(Tensor(a) self) -> Tensor(a)",
    .doc = "Matrices transposed and conjugated.",
    .serves = "adjoint matrix_H",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(conj(call(mt_op, {a.tensor(0)}))); },
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3})});
      s.add({s.rand({2, 3, 4})});
      s.error({s.rand({3})}, "mT");
    },
};

static Op* const all[] = {&view_as_real_op, &view_as_complex_op, &real_op, &imag_op, &conj_data_op, &conj_physical_op, &conj_op, &resolve_conj_op,
                          &resolve_neg_op, &complex_op, &polar_op, &angle_op, &sgn_op, &mh_op};
const OpList complex_ops = all;

}  // namespace gradus
