// Three faces of one form, the sum of x * w * y over the terms that meet, are a closed family: each is the gradient of the form by
// one of its arguments, so every rule is a call of another face, to any order. Of complex numbers the other argument is conjugated.
#include "ops/conv_faces.h"

#include "base/context.h"
#include "kernels/conv.h"
#include "kernels/copy.h"
#include "ops/lists.h"

namespace gradus {
namespace {

// The geometry arguments of a face begin at `at`: stride, padding, dilation, groups, and the spatial size of the result.
struct Geometry {
  SizesRef stride, padding, dilation, size;
  int64_t groups;
  template <class A> Geometry(const A& a, int at)
      : stride(a.integers(at)), padding(a.integers(at + 1)), dilation(a.integers(at + 2)), size(a.integers(at + 4)), groups(a.integer(at + 3)) {}
};
constexpr int kForwardGeometry = 3, kGradientGeometry = 2;

kernels::Conv conv_of(const Args& a, const Geometry& g, SizesRef x, SizesRef w, SizesRef y) {
  const size_t n = x.size() - 2;
  GRADUS_CHECK(x.size() >= 3 && x.size() <= 5 && w.size() == n + 2 && y.size() == n + 2 && g.stride.size() == n && g.padding.size() == n && g.dilation.size() == n,
               shape, "{}: {} dimensions with {} of the weight, {} of the result and {} strides", name(a.op()), x.size(), w.size(), y.size(), g.stride.size());
  checked(a, g.groups, 1, "groups");
  GRADUS_CHECK(x[0] == y[0] && x[1] == w[1] * g.groups && y[1] == w[0] && w[0] % g.groups == 0, shape, "{}: input {}, weight {} and result {} do not fit with {} groups",
               name(a.op()), text(x), text(w), text(y), g.groups);
  kernels::Conv c{x[0], g.groups, x[1], y[1], {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {1, 1, 1}};
  for (size_t d = 0; d < n; ++d) {
    const size_t to = d + 3 - n;
    c.in[to] = x[d + 2], c.out[to] = y[d + 2], c.kernel[to] = w[d + 2];
    c.stride[to] = checked(a, g.stride[d], 1, "stride");
    c.padding[to] = checked(a, g.padding[d], 0, "padding");
    c.dilation[to] = checked(a, g.dilation[d], 1, "dilation");
  }
  return c;
}
Sizes sizes_of(int64_t first, int64_t second, SizesRef rest) {
  Sizes s{first, second};
  for (int64_t r : rest) s.push_back(r);
  return s;
}
void check_faces(const Args& a, const Tensor& p, const Tensor& q) {
  GRADUS_CHECK(p.dtype() == q.dtype(), dtype, "{}: {} against {}", name(a.op()), name(p.dtype()), name(q.dtype()));
  GRADUS_CHECK(p.dtype() != Dtype::boolean, dtype, "{}: not defined for bool", name(a.op()));
  GRADUS_CHECK(p.ndim() >= 3 && q.ndim() == p.ndim(), shape, "{}: {} against {}", name(a.op()), text(p.sizes()), text(q.sizes()));
}

// What the kernels take: contiguous, and halves as floats.
Tensor operand(const Tensor& t) {
  if (t.dtype() != Dtype::f16 && t.dtype() != Dtype::bf16) return t.contiguous() ? t : clone(t);
  Tensor wide = empty(Dtype::f32, t.sizes());
  kernels::copy(view_of(wide), view_of(t));
  return wide;
}
const void* data_of(const Tensor& t) { return t ? t.impl()->data() : nullptr; }

// A face of two operands, of which forward has a bias beside them, into an array of one of their dtypes.
using Face = void (*)(const kernels::Conv&, Dtype, const void* p, const void* q, const void* bias, void* out);
void run(Face face, const kernels::Conv& c, const Tensor& p, const Tensor& q, const Tensor& bias, const Tensor& out) {
  const bool half = out.dtype() == Dtype::f16 || out.dtype() == Dtype::bf16;
  const Tensor to = half ? empty(Dtype::f32, out.sizes()) : out;
  const Tensor x = operand(p), y = operand(q), b = bias ? operand(bias) : Tensor();
  face(c, to.dtype(), data_of(x), data_of(y), data_of(b), to.impl()->data());
  if (half) kernels::copy(view_of(out), view_of(to));
}
// (p + ip') (q + iq') by three products, as PyTorch does: p q - p' q' and (p + p') (q + q') - p q - p' q'.
void run_complex(Face face, const kernels::Conv& c, const Tensor& p, const Tensor& q, const Tensor& bias, const Tensor& out) {
  const GradMode off(false);
  const auto imag = [](const Tensor& t) { return call(imag_op, {t}); };
  const auto product = [&](const Tensor& x, const Tensor& y, const Tensor& b) {
    const Tensor to = empty(real_of(out.dtype()), out.sizes());
    run(face, c, x, y, b, to);
    return to;
  };
  const Tensor reals = product(real(p), real(q), bias ? real(bias) : Tensor()), imaginaries = product(imag(p), imag(q), {});
  const Tensor sums = product(add(real(p), imag(p)), add(real(q), imag(q)), bias ? add(real(bias), imag(bias)) : Tensor());
  const Tensor parts = parts_of(out);
  kernels::copy(view_of(select(parts, -1, 0)), view_of(sub(reals, imaginaries)));
  kernels::copy(view_of(select(parts, -1, 1)), view_of(sub(sub(sums, reals), imaginaries)));
}
void run_any(Face face, const kernels::Conv& c, const Tensor& p, const Tensor& q, const Tensor& bias, const Tensor& out) {
  (is_complex(out.dtype()) ? run_complex : run)(face, c, p, q, bias, out);
}

kernels::Conv forward_conv(const Args& a) {
  const Geometry g(a, kForwardGeometry);
  const Tensor &x = a.tensor(0), &w = a.tensor(1);
  return conv_of(a, g, x.sizes(), w.sizes(), sizes_of(x.size(0), w.size(0), g.size));
}
kernels::Conv input_conv(const Args& a) {
  const Geometry g(a, kGradientGeometry);
  const Tensor &y = a.tensor(0), &w = a.tensor(1);
  checked(a, g.groups, 1, "groups");
  return conv_of(a, g, sizes_of(y.size(0), multiply(w.size(1), g.groups), g.size), w.sizes(), y.sizes());
}
kernels::Conv weight_conv(const Args& a) {
  const Geometry g(a, kGradientGeometry);
  const Tensor &x = a.tensor(0), &y = a.tensor(1);
  checked(a, g.groups, 1, "groups");
  return conv_of(a, g, x.sizes(), sizes_of(y.size(1), x.size(1) / g.groups, g.size), y.sizes());
}

void forward_shape(const Args& a, Metas& out) {
  const Tensor &x = a.tensor(0), &w = a.tensor(1), &b = a.optional_tensor(2);
  check_faces(a, x, w);
  forward_conv(a);
  if (b) {
    GRADUS_CHECK(b.dtype() == x.dtype(), dtype, "{}: a bias of {} for an input of {}", name(a.op()), name(b.dtype()), name(x.dtype()));
    GRADUS_CHECK(b.ndim() == 1 && b.size(0) == w.size(0), shape, "{}: a bias of shape {} for {} channels", name(a.op()), text(b.sizes()), w.size(0));
  }
  out.push_back({x.dtype(), sizes_of(x.size(0), w.size(0), a.integers(kForwardGeometry + 4))});
}
void forward_kernel(const Args& a, const Tensors& out) {
  run_any([](const kernels::Conv& c, Dtype t, const void* x, const void* w, const void* b, void* y) { kernels::conv_forward(c, t, x, w, b, y); }, forward_conv(a),
          a.tensor(0), a.tensor(1), a.optional_tensor(2), out[0]);
}
void input_shape(const Args& a, Metas& out) {
  check_faces(a, a.tensor(0), a.tensor(1));
  const kernels::Conv c = input_conv(a);
  out.push_back({a.tensor(0).dtype(), sizes_of(c.batch, c.in_channels, a.integers(kGradientGeometry + 4))});
}
void input_kernel(const Args& a, const Tensors& out) {
  run_any([](const kernels::Conv& c, Dtype t, const void* y, const void* w, const void*, void* x) { kernels::conv_input(c, t, y, w, x); }, input_conv(a),
          a.tensor(0), a.tensor(1), {}, out[0]);
}
void weight_shape(const Args& a, Metas& out) {
  check_faces(a, a.tensor(0), a.tensor(1));
  const kernels::Conv c = weight_conv(a);
  out.push_back({a.tensor(0).dtype(), sizes_of(c.out_channels, c.group_in(), a.integers(kGradientGeometry + 4))});
}
void weight_kernel(const Args& a, const Tensors& out) {
  run_any([](const kernels::Conv& c, Dtype t, const void* x, const void* y, const void*, void* w) { kernels::conv_weight(c, t, x, y, w); }, weight_conv(a),
          a.tensor(0), a.tensor(1), {}, out[0]);
}

// The faces by their arguments; sizes are spatial.
Tensor face_forward(const Geometry& g, const Tensor& x, const Tensor& w, const Tensor& bias, SizesRef size) {
  return call(conv_forward_op, {x, w, bias, g.stride, g.padding, g.dilation, g.groups, size});
}
Tensor face_input(const Geometry& g, const Tensor& y, const Tensor& w, SizesRef size) {
  return call(conv_input_op, {y, w, g.stride, g.padding, g.dilation, g.groups, size});
}
Tensor face_weight(const Geometry& g, const Tensor& x, const Tensor& y, SizesRef size) {
  return call(conv_weight_op, {x, y, g.stride, g.padding, g.dilation, g.groups, size});
}
SizesRef asked(const Call& c) { return c.sizes().subspan(2); }

}  // namespace

Op conv_forward_op{
    .schema = "_conv_forward(Tensor input, Tensor weight, Tensor? bias, int[] stride, int[] padding, int[] dilation, int groups, int[] output_size) -> Tensor",
    .doc = "The convolution of a batch; zeros stand beyond the input wherever output_size reaches.",
    .complex = true,
    .shape = forward_shape,
    .kernel = forward_kernel,
    .vjp = {[](const Call& c, const Tensor& g) { return face_input(Geometry(c, kForwardGeometry), g, conj(c.tensor(1)), asked(c)); },
            [](const Call& c, const Tensor& g) { return face_weight(Geometry(c, kForwardGeometry), conj(c.tensor(0)), g, asked(c)); },
            [](const Call&, const Tensor& g) { return sum_but_channels(g); }},
    .save = input(0) | input(1),
};
Op conv_input_op{
    .schema = "_conv_input(Tensor grad_output, Tensor weight, int[] stride, int[] padding, int[] dilation, int groups, int[] input_size) -> Tensor",
    .doc = "The gradient of a convolution by its input, and so the transposed convolution.",
    .complex = true,
    .shape = input_shape,
    .kernel = input_kernel,
    .vjp = {[](const Call& c, const Tensor& g) { return face_forward(Geometry(c, kGradientGeometry), g, conj(c.tensor(1)), {}, asked(c)); },
            [](const Call& c, const Tensor& g) { return face_weight(Geometry(c, kGradientGeometry), g, conj(c.tensor(0)), asked(c)); }},
    .save = input(0) | input(1),
};
Op conv_weight_op{
    .schema = "_conv_weight(Tensor input, Tensor grad_output, int[] stride, int[] padding, int[] dilation, int groups, int[] kernel_size) -> Tensor",
    .doc = "The gradient of a convolution by its weight.",
    .complex = true,
    .shape = weight_shape,
    .kernel = weight_kernel,
    .vjp = {[](const Call& c, const Tensor& g) { return face_input(Geometry(c, kGradientGeometry), conj(c.tensor(1)), g, asked(c)); },
            [](const Call& c, const Tensor& g) { return face_forward(Geometry(c, kGradientGeometry), conj(c.tensor(0)), g, {}, asked(c)); }},
    .save = input(0) | input(1),
};

static Op* const all[] = {&conv_forward_op, &conv_input_op, &conv_weight_op};
const OpList conv_face_ops = all;

}  // namespace gradus
