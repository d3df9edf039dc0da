// Layer, RMS and group normalisation.
#include "ops/normalize.h"

#include "ops/lists.h"
#include "ops/samples.h"

namespace gradus {
namespace {

// The last dimensions, which `normalized_shape` at position 1 repeats: [rows, 1, elements, 1].
struct Rows {
  NormLayout layout;
  Sizes normalized, statistic;                                // the latter: leading sizes, then ones
  Rows(const Args& a, const Tensor& x, int position) : normalized(a.integers(position)) {
    const auto n = static_cast<int64_t>(normalized.size());
    GRADUS_CHECK(n > 0, shape, "{}: normalized_shape is empty", name(a.op()));
    GRADUS_CHECK(n <= x.ndim() && same(x.sizes().last(normalized.size()), normalized), shape, "{}: an input of shape {} does not end in normalized_shape {}",
                 name(a.op()), text(x.sizes()), text(normalized));
    const SizesRef lead = x.sizes().first(static_cast<size_t>(x.ndim() - n));
    statistic = Sizes(lead);
    for (int64_t i = 0; i < n; ++i) statistic.push_back(1);
    layout = {.sizes = {numel_of(lead), 1, numel_of(normalized), 1}};
  }
};
void check_scales(const Args& a, int weight, int bias, SizesRef want) {
  check_scale(a, weight, "weight", want);
  if (bias >= 0) check_scale(a, bias, "bias", want);
}

// ---- (input, normalized_shape, weight, bias, eps, …)
void layer_norm(const Args& a, Tensors& out) {
  const Tensor& x = a.tensor(0);
  check_floating(a, x);
  const Rows r(a, x, 1);
  check_scales(a, 2, 3, r.normalized);
  out.push_back(normalize(x, a[2], a[3], r.layout, a.real(4))[0]);
}
void native_layer_norm(const Args& a, Tensors& out) {
  const Tensor& x = a.tensor(0);
  check_floating(a, x);
  const Rows r(a, x, 1);
  check_scales(a, 2, 3, r.normalized);
  const Tensors n = normalize(x, a[2], a[3], r.layout, a.real(4));
  out.push_back(n[0]);
  add_gradient(out, n[1], true, r.statistic, x.dtype());
  add_gradient(out, inverse_std(n[2], a.real(4)), true, r.statistic, x.dtype());
}
// (grad_out, input, normalized_shape, mean, rstd, weight, bias, output_mask)
void native_layer_norm_backward(const Args& a, Tensors& out) {
  const Tensor& x = a.tensor(1);
  check_floating(a, x);
  const Rows r(a, x, 2);
  check_scales(a, 5, 6, r.normalized);
  const int64_t mask = mask_bits(a, 7);
  const Tensors d = normalize_backward(a[0], a[1], a[5], a[3], a[4], r.layout, mask);
  add_gradient(out, d[0], mask & 1, x.sizes(), x.dtype());
  add_gradient(out, d[1], mask & 2, r.normalized, a.has(5) ? a.tensor(5).dtype() : x.dtype());
  add_gradient(out, d[2], mask & 4, r.normalized, a.has(6) ? a.tensor(6).dtype() : x.dtype());
}
// By the squares themselves, as PyTorch, not those of absolute values.
Tensor complex_rms_norm(const Tensor& x, const Tensor& weight, size_t n, double eps) {
  Sizes dims;
  for (size_t d = 1; d <= n; ++d) dims.push_back(-static_cast<int64_t>(d));
  const Tensor y = mul(x, rsqrt(add(mean(mul(x, x), dims, true), eps)));
  return weight ? mul(y, weight) : y;
}
void rms_norm(const Args& a, Tensors& out) {                  // (input, normalized_shape, weight, eps)
  const Tensor &x = a.tensor(0), &weight = a.optional_tensor(2);
  const bool complex = is_complex(x.dtype()) || (weight && is_complex(weight.dtype()));
  if (!complex) check_floating(a, x);
  Rows r(a, x, 1);
  check_scales(a, 2, -1, r.normalized);
  const Dtype d = real_of(x.dtype());
  const double eps = a.has(3) ? a.real(3) : d == Dtype::f64 ? 0x1p-52 : d == Dtype::f32 ? 0x1p-23 : d == Dtype::f16 ? 0x1p-10 : 0x1p-7;
  if (complex) return out.push_back(complex_rms_norm(x, weight, a.integers(1).size(), eps));
  r.layout.center = false;
  out.push_back(normalize(x, a[2], std::nullopt, r.layout, eps)[0]);
}

// ---- groups of channels
NormLayout groups_of(const Args& a, const Tensor& x, int64_t batch, int64_t channels, int64_t inner, int64_t groups) {
  GRADUS_CHECK(groups > 0 && channels % groups == 0, shape, "{}: {} channels in {} groups", name(a.op()), channels, groups);
  GRADUS_CHECK(batch >= 0 && inner >= 0 && multiply(multiply(batch, channels), inner) == x.numel(), shape, "{}: an input of shape {} as N {}, C {}, HxW {}",
               name(a.op()), text(x.sizes()), batch, channels, inner);
  return {.sizes = {batch, groups, channels / groups, inner}};
}
void group_norm(const Args& a, Tensors& out) {                // (input, num_groups, weight, bias, eps, cudnn_enabled)
  const Tensor& x = a.tensor(0);
  check_floating(a, x);
  GRADUS_CHECK(x.ndim() >= 2, shape, "group_norm: an input of shape {} has no channels", text(x.sizes()));
  const NormLayout l = groups_of(a, x, x.size(0), x.size(1), numel_of(x.sizes().subspan(2)), a.integer(1));
  check_scales(a, 2, 3, x.sizes().subspan(1, 1));
  out.push_back(normalize(x, a[2], a[3], l, a.real(4))[0]);
}
void native_group_norm(const Args& a, Tensors& out) {         // (input, weight, bias, N, C, HxW, group, eps)
  const Tensor& x = a.tensor(0);
  check_floating(a, x);
  const NormLayout l = groups_of(a, x, a.integer(3), a.integer(4), a.integer(5), a.integer(6));
  const Sizes channels{a.integer(4)}, statistic{a.integer(3), a.integer(6)};
  check_scales(a, 1, 2, channels);
  const Tensors n = normalize(x, a[1], a[2], l, a.real(7));
  out.push_back(n[0]);
  add_gradient(out, n[1], true, statistic, x.dtype());
  add_gradient(out, inverse_std(n[2], a.real(7)), true, statistic, x.dtype());
}
// (grad_out, input, mean, rstd, weight, N, C, HxW, group, output_mask)
void native_group_norm_backward(const Args& a, Tensors& out) {
  const Tensor& x = a.tensor(1);
  check_floating(a, x);
  const NormLayout l = groups_of(a, x, a.integer(5), a.integer(6), a.integer(7), a.integer(8));
  const Sizes channels{a.integer(6)};
  check_scales(a, 4, -1, channels);
  const int64_t mask = mask_bits(a, 9);
  const Tensors d = normalize_backward(a[0], a[1], a[4], a[2], a[3], l, mask);
  const Dtype scale = a.has(4) ? a.tensor(4).dtype() : x.dtype();
  add_gradient(out, d[0], mask & 1, x.sizes(), x.dtype());
  add_gradient(out, d[1], mask & 2, channels, scale);
  add_gradient(out, d[2], mask & 4, channels, scale);
}

void layer_samples(Samples& s) {
  s.add({s.rand({3, 5}), s.list({5}), s.rand({5}), s.rand({5}), Value(1e-5)});
  s.add({s.rand({2, 3, 4}), s.list({3, 4}), s.rand({3, 4}), Value(std::nullopt), Value(0.1)});
  s.add({s.rand({2, 37}, 9, 12), s.list({37}), Value(std::nullopt), s.rand({37}), Value(1e-5)});
  s.add({s.rand({4}), s.list({4}), Value(std::nullopt), Value(std::nullopt), Value(1e-5)});
  s.add({s.rand({0, 3}), s.list({3}), s.rand({3}), s.rand({3}), Value(1e-5)});
  s.error({s.rand({3, 5}), s.list({4}), Value(std::nullopt), Value(std::nullopt), Value(1e-5)}, "an input of shape [3, 5] does not end in normalized_shape [4]");
  s.error({s.rand({3, 5}), s.list({5}), s.rand({4}), Value(std::nullopt), Value(1e-5)}, "a weight of shape [4], expected [5]");
}
void group_samples(Samples& s) {
  s.add({s.rand({2, 6, 3}), Value(3), s.rand({6}), s.rand({6}), Value(1e-5)});
  s.add({s.rand({2, 4}), Value(2), s.rand({4}), Value(std::nullopt), Value(0.1)});
  s.add({s.rand({1, 2, 3, 3}), Value(1), Value(std::nullopt), s.rand({2})});
  s.error({s.rand({2, 5, 3}), Value(2)}, "5 channels in 2 groups");
  s.error({s.rand({2, 4, 3}), Value(2), s.rand({3})}, "a weight of shape [3], expected [4]");
}

}  // namespace

Op native_layer_norm_op{
    .schema = "native_layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight, Tensor? bias, float eps) -> (Tensor, Tensor, Tensor)",
    .doc = "layer_norm; and the mean and 1 / sqrt(var + eps) of each row.",
    .compose = native_layer_norm,
    .samples = layer_samples,
};
Op layer_norm_op{
    .schema = "layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, bool cudnn_enable=True) -> Tensor",
    .doc = "(x - mean) / sqrt(var + eps) * weight + bias, with mean and variance over the last dimensions, whose sizes are normalized_shape.",
    .compose = layer_norm,
    .samples = layer_samples,
};
Op native_layer_norm_backward_op{
    .schema = "native_layer_norm_backward(Tensor grad_out, Tensor input, SymInt[] normalized_shape, Tensor mean, Tensor rstd, Tensor? weight, Tensor? bias, "
              "bool[3] output_mask) -> (Tensor, Tensor, Tensor)",
    .doc = "The gradients of layer_norm by input, weight and bias; those not asked for are none.",
    .compose = native_layer_norm_backward,
    .samples = [](Samples& s) {
      s.add({s.rand({3, 5}), s.rand({3, 5}), s.list({5}), s.rand({3, 1}), s.rand({3, 1}, 0.5, 2), s.rand({5}), s.rand({5}), s.list({1, 1, 1})});
      s.add({s.rand({2, 3, 2}), s.rand({2, 3, 2}), s.list({3, 2}), s.rand({2, 1, 1}), s.rand({2, 1, 1}, 0.5, 2), Value(std::nullopt), Value(std::nullopt), s.list({1, 1, 1})});
      s.error({s.rand({3, 4}), s.rand({3, 5}), s.list({5}), s.rand({3, 1}), s.rand({3, 1}), Value(std::nullopt), Value(std::nullopt), s.list({1, 0, 0})}, "a gradient of shape [3, 4]");
    },
};
Op rms_norm_op{
    .schema = "rms_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, float? eps=None) -> Tensor",
    .doc = "x / sqrt(mean(x^2) + eps) * weight, with the mean over the last dimensions, whose sizes are normalized_shape. eps is the dtype's by default.",
    .complex = true,
    .compose = rms_norm,
    .samples = [](Samples& s) {
      s.add({s.rand({3, 5}), s.list({5}), s.rand({5}), Value(1e-5)});
      s.add({s.rand({2, 3, 4}), s.list({3, 4}), Value(std::nullopt), Value(0.1)});
      s.error({s.rand({3, 5}), s.list({3}), Value(std::nullopt), Value(0.1)}, "an input of shape [3, 5] does not end in normalized_shape [3]");
    },
};
Op native_group_norm_op{
    .schema = "native_group_norm(Tensor input, Tensor? weight, Tensor? bias, SymInt N, SymInt C, SymInt HxW, int group, float eps) -> (Tensor, Tensor, Tensor)",
    .doc = "group_norm of [N, C, HxW]; and the mean and 1 / sqrt(var + eps) of each group.",
    .compose = native_group_norm,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 6, 2}), s.rand({6}), s.rand({6}), Value(2), Value(6), Value(2), Value(3), Value(1e-5)});
      s.add({s.rand({3, 4}), Value(std::nullopt), s.rand({4}), Value(3), Value(4), Value(1), Value(2), Value(1e-5)});
      s.error({s.rand({2, 6, 2}), s.rand({6}), s.rand({6}), Value(2), Value(6), Value(3), Value(3), Value(1e-5)}, "an input of shape [2, 6, 2] as N 2, C 6, HxW 3");
    },
};
Op group_norm_op{
    .schema = "group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, bool cudnn_enabled=True) -> Tensor",
    .doc = "(x - mean) / sqrt(var + eps) * weight + bias of [N, C, …], with mean and variance over groups of channels, weight and bias by channel.",
    .compose = group_norm,
    .samples = group_samples,
};
Op native_group_norm_backward_op{
    .schema = "native_group_norm_backward(Tensor grad_out, Tensor input, Tensor mean, Tensor rstd, Tensor? weight, SymInt N, SymInt C, SymInt HxW, int group, "
              "bool[3] output_mask) -> (Tensor, Tensor, Tensor)",
    .doc = "The gradients of group_norm by input, weight and bias; those not asked for are none.",
    .compose = native_group_norm_backward,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 6, 2}), s.rand({2, 6, 2}), s.rand({2, 3}), s.rand({2, 3}, 0.5, 2), s.rand({6}), Value(2), Value(6), Value(2), Value(3), s.list({1, 1, 1})});
      s.add({s.rand({3, 4}), s.rand({3, 4}), s.rand({3, 2}), s.rand({3, 2}, 0.5, 2), Value(std::nullopt), Value(3), Value(4), Value(1), Value(2), s.list({1, 1, 1})});
      s.error({s.rand({2, 6}), s.rand({2, 6}), s.rand({2, 2}), s.rand({2, 3}), Value(std::nullopt), Value(2), Value(6), Value(1), Value(3), s.list({1, 1, 1})}, "expected 6");
    },
};

static Op* const all[] = {&native_layer_norm_op, &layer_norm_op, &native_layer_norm_backward_op, &rms_norm_op, &native_group_norm_op, &group_norm_op,
                          &native_group_norm_backward_op};
const OpList normalize_ops = all;

}  // namespace gradus
