// Convolution as users call it (conv1d, conv_transpose2d, convolution_backward, …): compositions of the faces (conv_faces.cpp).
#include "ops/conv_faces.h"
#include "ops/lists.h"
#include "ops/samples.h"

namespace gradus {
namespace {

struct Spec {
  Sizes stride, padding, dilation, output_padding;
  bool transposed = false, same = false;
  int64_t groups = 1;
};

void check_spec(const Args& a, const Spec& s, const Tensor& x, const Tensor& w) {
  const auto& op = name(a.op());
  GRADUS_CHECK(x.dtype() == w.dtype(), dtype, "{}: an input of {} with a weight of {}", op, name(x.dtype()), name(w.dtype()));
  checked(a, s.groups, 1, "groups");
  for (int64_t v : s.stride) checked(a, v, 1, "stride");
  for (int64_t v : s.padding) checked(a, v, 0, "padding");
  for (int64_t v : s.dilation) checked(a, v, 1, "dilation");
  GRADUS_CHECK(w.size(0) % s.groups == 0 && w.size(0) > 0, shape, "{}: a weight of shape {} with {} groups", op, text(w.sizes()), s.groups);
  const int64_t channels = s.transposed ? w.size(0) : multiply(w.size(1), s.groups);
  GRADUS_CHECK(x.size(1) == channels, shape, "{}: with groups={} and a weight of shape {} the input must have {} channels; its shape is {}", op, s.groups,
               text(w.sizes()), channels, text(x.sizes()));
  for (int64_t k : spatial(w)) GRADUS_CHECK(k > 0, shape, "{}: an empty kernel: weight {}", op, text(w.sizes()));
}
void check_bias(const Args& a, const Tensor& b, const Tensor& x, int64_t channels) {
  if (!b) return;
  GRADUS_CHECK(b.dtype() == x.dtype(), dtype, "{}: a bias of {} for an input of {}", name(a.op()), name(b.dtype()), name(x.dtype()));
  GRADUS_CHECK(b.ndim() == 1 && b.size(0) == channels, shape, "{}: a bias of shape {} for {} channels", name(a.op()), text(b.sizes()), channels);
}

Tensor transposed_conv(const Args& a, const Spec& s, const Tensor& x, const Tensor& w, const Tensor& bias) {
  Sizes size;
  for (size_t d = 0; d < s.stride.size(); ++d) {
    const int64_t extra = s.output_padding[d];
    GRADUS_CHECK(extra >= 0 && (extra < s.stride[d] || extra < s.dilation[d]), value, "{}: output_padding {} must be smaller than stride {} or dilation {}", name(a.op()),
                 extra, s.stride[d], s.dilation[d]);
    const int64_t n = (spatial(x)[d] - 1) * s.stride[d] - 2 * s.padding[d] + s.dilation[d] * (spatial(w)[d] - 1) + extra + 1;
    GRADUS_CHECK(n > 0, shape, "{}: an input of shape {} is too small: the result would have size {}", name(a.op()), text(x.sizes()), n);
    size.push_back(n);
  }
  const int64_t channels = multiply(w.size(1), s.groups);
  check_bias(a, bias, x, channels);
  const Tensor y = call(conv_input_op, {x, w, s.stride, s.padding, s.dilation, s.groups, size});
  if (!bias) return y;
  Sizes column(size.size() + 1, 1);
  column[0] = channels;
  return add(y, reshape(bias, column));
}
Tensor plain_conv(const Args& a, const Spec& s, const Tensor& x, const Tensor& w, const Tensor& bias) {
  Sizes size, padding(s.padding);
  for (size_t d = 0; d < s.stride.size(); ++d) {
    const int64_t reach = s.dilation[d] * (spatial(w)[d] - 1) + 1, all = spatial(x)[d] + (s.same ? reach - 1 : 2 * padding[d]);
    if (s.same) padding[d] = (reach - 1) / 2;
    GRADUS_CHECK(all >= reach, shape, "{}: the kernel of size {} is larger than the padded input of size {}: input {}, weight {}", name(a.op()), reach, all,
                 text(x.sizes()), text(w.sizes()));
    size.push_back((all - reach) / s.stride[d] + 1);
  }
  check_bias(a, bias, x, w.size(0));
  return call(conv_forward_op, {x, w, bias, s.stride, padding, s.dilation, s.groups, size});
}
Tensor convolve(const Args& a, const Spec& s, const Tensor& x, const Tensor& w, const Tensor& bias) {
  check_spec(a, s, x, w);
  return s.transposed ? transposed_conv(a, s, x, w, bias) : plain_conv(a, s, x, w, bias);
}

// Input with or without a batch.
void conv_nd(const Args& a, size_t n, const Spec& s, Tensors& out) {
  const Tensor &x = a.tensor(0), &w = a.tensor(1);
  const auto dims = static_cast<int64_t>(n) + 2;
  GRADUS_CHECK(x.ndim() == dims || x.ndim() == dims - 1, shape, "{}: the input must have {} dimensions, or {} without a batch, not shape {}", name(a.op()), dims,
               dims - 1, text(x.sizes()));
  GRADUS_CHECK(w.ndim() == dims, shape, "{}: the weight must have {} dimensions, not shape {}", name(a.op()), dims, text(w.sizes()));
  if (x.ndim() == dims) return out.push_back(convolve(a, s, x, w, a.optional_tensor(2)));
  Sizes one(x.sizes());
  one.insert(0, 1);
  const Tensor y = convolve(a, s, reshape(x, one), w, a.optional_tensor(2));
  out.push_back(reshape(y, y.sizes().subspan(1)));
}
template <size_t n> void conv(const Args& a, Tensors& out) {
  conv_nd(a, n, {a.integers(3, n), a.integers(4, n), a.integers(5, n), {}, false, false, a.integer(6)}, out);
}
template <size_t n> void conv_with_text(const Args& a, Tensors& out) {
  Spec s{a.integers(3, n), Sizes(n, 0), a.integers(5, n), {}, false, a.text(4) == "same", a.integer(6)};
  GRADUS_CHECK(s.same || a.text(4) == "valid", value, "{}: padding must be 'same' or 'valid', not '{}'", name(a.op()), a.text(4));
  for (int64_t v : s.stride) GRADUS_CHECK(!s.same || v == 1, value, "{}: padding 'same' needs stride 1, not {}", name(a.op()), text(s.stride));
  conv_nd(a, n, s, out);
}
template <size_t n> void conv_transpose(const Args& a, Tensors& out) {
  conv_nd(a, n, {a.integers(3, n), a.integers(4, n), a.integers(7, n), a.integers(5, n), true, false, a.integer(6)}, out);
}

void check_dims(const Args& a, const Tensor& x, const Tensor& w) {
  GRADUS_CHECK(x.ndim() >= 3 && x.ndim() <= 5 && w.ndim() == x.ndim(), shape, "{}: an input of shape {} with a weight of shape {}", name(a.op()), text(x.sizes()),
               text(w.sizes()));
}
void convolution(const Args& a, Tensors& out) {
  const Tensor &x = a.tensor(0), &w = a.tensor(1);
  check_dims(a, x, w);
  const auto n = static_cast<size_t>(x.ndim() - 2);
  out.push_back(convolve(a, {a.integers(3, n), a.integers(4, n), a.integers(5, n), a.integers(7, n), a.flag(6), false, a.integer(8)}, x, w, a.optional_tensor(2)));
}
void convolution_backward(const Args& a, Tensors& out) {
  const Tensor &g = a.tensor(0), x = conj(a.tensor(1)), w = conj(a.tensor(2));
  check_dims(a, x, w);
  const auto n = static_cast<size_t>(x.ndim() - 2);
  GRADUS_CHECK(a.integers(10).size() == 3, argument, "{}: output_mask has {} members, not 3", name(a.op()), a.integers(10).size());
  const Sizes stride = a.integers(4, n), padding = a.integers(5, n), dilation = a.integers(6, n);
  const bool transposed = a.flag(7);
  const int64_t groups = a.integer(9);
  const auto wanted = [&](size_t i) { return a.integers(10)[i] != 0; };
  Tensor dx, dw;
  if (wanted(0) && transposed) dx = call(conv_forward_op, {g, w, std::nullopt, stride, padding, dilation, groups, spatial(x)});
  if (wanted(0) && !transposed) dx = call(conv_input_op, {g, w, stride, padding, dilation, groups, spatial(x)});
  if (wanted(1)) dw = call(conv_weight_op, {transposed ? g : x, transposed ? x : g, stride, padding, dilation, groups, spatial(w)});
  for (const Tensor& t : {dx, dw, wanted(2) ? sum_but_channels(g) : Tensor()}) out.push_back(t);
}

}  // namespace

Op convolution_op{
    .schema = "convolution(Tensor input, Tensor weight, Tensor? bias, int[] stride, int[] padding, int[] dilation, bool transposed, int[] output_padding, int groups) -> Tensor",
    .doc = "Cross-correlation of a batch [n, channels, spatial…] with filters [out, channels / groups, kernel…], or, transposed, its gradient by the input.",
    .complex = true,
    .compose = convolution,
    .samples = [](Samples& s) {
      const auto ints = [&](int64_t v) { return s.list({v, v}); };
      s.add({s.rand({2, 4, 5, 4}), s.rand({6, 2, 3, 2}), s.rand({6}), s.list({2, 1}), s.list({1, 0}), s.list({1, 2}), Value(false), ints(0), Value(2)});
      s.add({s.rand({2, 4, 3, 2}), s.rand({4, 3, 2, 3}), s.rand({6}), s.list({2, 3}), s.list({1, 0}), s.list({1, 2}), Value(true), s.list({1, 2}), Value(2)});
      s.add({s.rand({0, 2, 3, 3}), s.rand({1, 2, 3, 3}), Value(std::nullopt), ints(1), ints(0), ints(1), Value(false), ints(0), Value(1)});
      s.error({s.rand({1, 3, 4, 4}), s.rand({2, 2, 3, 3}), Value(std::nullopt), ints(1), ints(0), ints(1), Value(false), ints(0), Value(1)}, "must have 2 channels");
      s.error({s.rand({1, 2, 4, 4}), s.rand({2, 2, 3, 3}), Value(std::nullopt), ints(1), ints(0), ints(1), Value(true), ints(1), Value(1)}, "output_padding");
    },
};
Op convolution_backward_op{
    .schema = "convolution_backward(Tensor grad_output, Tensor input, Tensor weight, int[]? bias_sizes, int[] stride, int[] padding, int[] dilation, bool transposed, "
              "int[] output_padding, int groups, bool[3] output_mask) -> (Tensor, Tensor, Tensor)",
    .doc = "The gradients of a convolution by input, weight and bias; those not asked for are none.",
    .complex = true,
    .compose = convolution_backward,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 6, 3, 2}), s.rand({2, 4, 5, 4}), s.rand({6, 2, 3, 2}), s.list({6}), s.list({2, 1}), s.list({1, 0}), s.list({1, 2}), Value(false), s.list({0, 0}),
             Value(2), s.list({1, 1, 1})});
      s.error({s.rand({2, 6, 3}), s.rand({2, 4, 5}), s.rand({6, 2}), s.list({6}), Value(1), Value(0), Value(1), Value(false), Value(0), Value(2), s.list({1, 1, 1})}, "an input of shape");
    },
};

static void conv1d_samples(Samples& s) {
  s.add({s.rand({2, 3, 7}), s.rand({4, 3, 3}), s.rand({4}), Value(2), Value(1)});
  s.add({s.rand({2, 9}), s.rand({3, 2, 2}), Value(std::nullopt), Value(1), Value(0), Value(3)});          // no batch
  s.error({s.rand({2, 3, 2}), s.rand({4, 3, 3})}, "larger than the padded input");
  s.error({s.rand({2, 3, 7}), s.rand({4, 3, 3}), s.rand({3})}, "a bias of shape [3] for 4 channels");
}
static void conv2d_samples(Samples& s) {
  s.add({s.rand({2, 3, 5, 4}), s.rand({4, 3, 3, 2}), s.rand({4})});
  s.add({s.rand({1, 4, 5, 5}), s.rand({8, 1, 3, 3}), Value(std::nullopt), Value(1), Value(1), Value(1), Value(4)});   // depthwise
  s.add({s.rand({3, 6, 5}), s.rand({2, 3, 2, 3}), s.rand({2}), s.list({2, 3}), s.list({2, 1}), s.list({2, 1})});
  s.add({s.rand({2, 9, 4, 3}), s.rand({3, 9, 1, 1}), s.rand({3})});
  s.add({s.rand({1, 9, 6, 7}), s.rand({10, 9, 2, 2}), Value(std::nullopt), Value(3), Value(2)});           // some elements meet nothing
  s.error({s.rand({2, 5, 5}), s.rand({4, 3, 3, 3})}, "must have 3 channels");
  s.error({s.rand({2, 3, 5, 5}), s.rand({4, 3, 3, 3}), Value(std::nullopt), Value(0)}, "stride must be at least 1");
  s.error({s.rand({3, 5}), s.rand({4, 3, 3, 3})}, "must have 4 dimensions");
}
static void conv3d_samples(Samples& s) {
  s.add({s.rand({1, 2, 3, 4, 3}), s.rand({3, 2, 2, 3, 2}), s.rand({3}), s.list({1, 2, 1}), s.list({1, 1, 0})});
  s.error({s.rand({1, 2, 3, 4, 3}), s.rand({3, 2, 2, 3})}, "must have 5 dimensions");
}
#define GRADUS_CONV(n, dims)                                                                                                              \
  Op conv##n##d_op{                                                                                                                       \
      .schema = "conv" #n "d(Tensor input, Tensor weight, Tensor? bias=None, int[" #n "] stride=1, int[" #n "] padding=0, int[" #n          \
                "] dilation=1, int groups=1) -> Tensor",                                                                                  \
      .doc = "Cross-correlation of [n, channels, " dims "] (or one image) with filters [out, channels / groups, kernel…], plus bias.",     \
      .complex = true,                                                                                                                    \
      .compose = conv<n>,                                                                                                                 \
      .samples = conv##n##d_samples,                                                                                                      \
  };                                                                                                                                      \
  Op conv##n##d_padding_op{                                                                                                               \
      .schema = "conv" #n "d_padding(Tensor input, Tensor weight, Tensor? bias=None, int[" #n "] stride=1, str padding='valid', int[" #n    \
                "] dilation=1, int groups=1) -> Tensor",                                                                                  \
      .doc = "conv" #n "d with padding 'valid' (none) or 'same' (the result is as large as the input; an odd rest goes behind).",          \
      .serves = "conv" #n "d.padding",                                                                                                    \
      .complex = true,                                                                                                                    \
      .compose = conv_with_text<n>,                                                                                                       \
      .samples = conv##n##d_text_samples,                                                                                                 \
  };
static void conv1d_text_samples(Samples& s) {
  s.add({s.rand({2, 3, 7}), s.rand({4, 3, 4}), s.rand({4}), Value(1), s.text("same")});
  s.error({s.rand({2, 3, 7}), s.rand({4, 3, 4}), s.rand({4}), Value(2), s.text("same")}, "needs stride 1");
}
static void conv2d_text_samples(Samples& s) {
  s.add({s.rand({2, 3, 4, 5}), s.rand({4, 3, 2, 3}), s.rand({4}), Value(1), s.text("same"), s.list({3, 1})});
  s.add({s.rand({3, 4, 5}), s.rand({4, 3, 2, 3}), Value(std::nullopt), Value(2), s.text("valid")});
  s.error({s.rand({3, 4, 5}), s.rand({4, 3, 2, 3}), Value(std::nullopt), Value(1), s.text("full")}, "'same' or 'valid', not 'full'");
}
static void conv3d_text_samples(Samples& s) {
  s.add({s.rand({1, 2, 3, 2, 3}), s.rand({2, 2, 2, 1, 3}), Value(std::nullopt), Value(1), s.text("same")});
  s.error({s.rand({2, 3, 2, 3}), s.rand({2, 2, 2, 1, 3}), s.rand({3})}, "a bias of shape");
}
GRADUS_CONV(1, "length")
GRADUS_CONV(2, "height, width")
GRADUS_CONV(3, "depth, height, width")
#undef GRADUS_CONV
static void conv_transpose1d_samples(Samples& s) {
  s.add({s.rand({2, 3, 4}), s.rand({3, 4, 3}), s.rand({4}), Value(2), Value(1), Value(1)});
  s.error({s.rand({2, 3, 4}), s.rand({4, 3, 3})}, "must have 4 channels");
}
static void conv_transpose2d_samples(Samples& s) {
  s.add({s.rand({2, 4, 3, 4}), s.rand({4, 2, 3, 2}), s.rand({4}), s.list({2, 1}), s.list({1, 0}), s.list({1, 0}), Value(2), s.list({1, 2})});
  s.add({s.rand({9, 3, 3}), s.rand({9, 2, 2, 2}), Value(std::nullopt), Value(3)});                         // gaps between the filters
  s.add({s.rand({1, 2, 3, 3}), s.rand({2, 2, 3, 3}), Value(std::nullopt), Value(1), Value(0), Value(1), Value(1), Value(2)});   // output_padding of stride 1
  s.error({s.rand({1, 2, 1, 1}), s.rand({2, 3, 1, 1}), Value(std::nullopt), Value(1), Value(1)}, "is too small");
}
static void conv_transpose3d_samples(Samples& s) {
  s.add({s.rand({1, 2, 2, 3, 2}), s.rand({2, 3, 2, 1, 3}), s.rand({3}), s.list({1, 2, 2}), s.list({0, 0, 1})});
  s.error({s.rand({1, 2, 2, 3, 2}), s.rand({2, 3, 2, 1, 3}), s.rand({2})}, "a bias of shape [2] for 3 channels");
}
#define GRADUS_CONV_TRANSPOSE(n, input)                                                                                                   \
  Op conv_transpose##n##d_op{                                                                                                             \
      .schema = "conv_transpose" #n "d(Tensor input, Tensor weight, Tensor? bias=None, int[" #n "] stride=1, int[" #n "] padding=0, int["   \
                #n "] output_padding=0, int groups=1, int[" #n "] dilation=1) -> Tensor",                                                 \
      .doc = "The transposed convolution: the gradient of conv" #n "d by its input, applied to input; weight is [channels, out / groups, kernel…].", \
      .serves = input,                                                                                                                    \
      .complex = true,                                                                                                                    \
      .compose = conv_transpose<n>,                                                                                                       \
      .samples = conv_transpose##n##d_samples,                                                                                            \
  };
GRADUS_CONV_TRANSPOSE(1, "conv_transpose1d")
GRADUS_CONV_TRANSPOSE(2, "conv_transpose2d.input")
GRADUS_CONV_TRANSPOSE(3, "conv_transpose3d.input")
#undef GRADUS_CONV_TRANSPOSE

static Op* const all[] = {&convolution_op, &convolution_backward_op, &conv1d_op, &conv1d_padding_op, &conv2d_op, &conv2d_padding_op, &conv3d_op,
                          &conv3d_padding_op, &conv_transpose1d_op, &conv_transpose2d_op, &conv_transpose3d_op};
const OpList conv_ops = all;

}  // namespace gradus
