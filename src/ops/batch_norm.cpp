// Batch and instance normalisation. Running statistics are written outside of recording.
#include "base/context.h"
#include "graph/history.h"
#include "ops/lists.h"
#include "ops/normalize.h"
#include "ops/samples.h"

namespace gradus {
namespace {

// [N, C, …] as the kernels take it: one number per channel and member is seen as [C, N].
struct Channels {
  Tensor x;
  NormLayout layout;
  Sizes sizes;                                                // of the input
  bool turned;
  int64_t channels;

  Channels(const Args& a, const Tensor& input) : sizes(input.sizes()) {
    check_floating(a, input);
    GRADUS_CHECK(input.ndim() >= 2, shape, "{}: an input of shape {} has no channels", name(a.op()), text(sizes));
    channels = sizes[1];
    const int64_t inner = numel_of(SizesRef(sizes).subspan(2));
    turned = inner == 1;
    if (turned) layout = {.sizes = {1, channels, 1, sizes[0]}};
    else layout = {.sizes = {sizes[0], channels, 1, inner}, .across = true};
    x = turn(input);
  }
  Tensor turn(const Tensor& t) const { return turned ? transpose(reshape(t, Sizes{sizes[0], channels}), 0, 1) : t; }
  Tensor back(const Tensor& t) const { return turned ? reshape(transpose(t, 0, 1), sizes) : t; }
  Tensor spread(const Tensor& t) const {                      // [C] beside [N, C, …]
    Sizes s(sizes.size(), 1);
    s[1] = channels;
    return reshape(t, s);
  }
};

struct Positions { int weight, bias, mean, var; };
void check_channels(const Args& a, const Positions& p, int64_t channels) {
  const Sizes want{channels};
  check_scale(a, p.weight, "weight", want);
  if (p.bias >= 0) check_scale(a, p.bias, "bias", want);
  if (p.mean < 0) return;
  check_scale(a, p.mean, "running_mean", want);
  check_scale(a, p.var, "running_var", want);
}

// What a running statistic becomes; it can be written then.
Tensor moved(const Args& a, int position, std::string_view what, const Tensor& now, double momentum) {
  const Tensor& running = a.optional_tensor(position);
  if (!running) return {};
  check_in_place(format("{}: {}", name(a.op()), what), running.impl(), false);
  return add(mul(running, 1 - momentum), mul(to(now, running.dtype()), momentum));
}
// Of n numbers each; the running variance is the unbiased one, NaN for n = 1.
void update_running(const Args& a, const Positions& p, const Tensor& mean, const Tensor& var, int64_t n, double momentum) {
  if (p.mean < 0 || a.tensor(0).numel() == 0) return;
  const GradMode off(false);
  const auto count = static_cast<double>(n);
  const Tensor next_mean = moved(a, p.mean, "running_mean", mean, momentum);
  const Tensor next_var = moved(a, p.var, "running_var", mul(var, count / (count - 1)), momentum);
  if (next_mean) call_in_place(copy_op, {a.tensor(p.mean), next_mean});
  if (next_var) call_in_place(copy_op, {a.tensor(p.var), next_var});
}

Tensor by_running(const Args& a, const Positions& p, const Channels& c, const Tensor& input, double eps) {
  GRADUS_CHECK(p.mean >= 0 && a.has(p.mean) && a.has(p.var), argument, "{}: running_mean and running_var must be given without training", name(a.op()));
  const Dtype d = input.dtype() == Dtype::f64 ? Dtype::f64 : Dtype::f32;
  Tensor scale = inverse_std(to(a.tensor(p.var), d), eps);
  if (a.has(p.weight)) scale = mul(scale, to(a.tensor(p.weight), d));
  const Tensor away = sub(to(input, d), c.spread(to(a.tensor(p.mean), d)));
  const Tensor y = a.has(p.bias) ? addcmul(c.spread(to(a.tensor(p.bias), d)), away, c.spread(scale)) : mul(away, c.spread(scale));
  return to(y, input.dtype());
}

// y, save_mean and save_invstd.
void batch_norm_of(const Args& a, const Positions& p, bool training, double momentum, double eps, Tensors& out) {
  const Tensor& x = a.tensor(0);
  const Channels c(a, x);
  check_channels(a, p, c.channels);
  if (!training) {
    out.push_back(by_running(a, p, c, x, eps));
    for (int i = 0; i < 2; ++i) out.push_back(zeros(Sizes{0}, x.dtype()));
    return;
  }
  const Tensors n = normalize(c.x, a[p.weight], a[p.bias], c.layout, eps);
  update_running(a, p, n[1], n[2], c.layout.across ? c.layout.count() : c.sizes[0], momentum);
  out.push_back(c.back(n[0]));
  out.push_back(to(n[1], x.dtype()));
  out.push_back(to(inverse_std(n[2], eps), x.dtype()));
}
// (input, weight, bias, running_mean, running_var, training, momentum, eps, …)
void native_batch_norm(const Args& a, Tensors& out) { batch_norm_of(a, {1, 2, 3, 4}, a.flag(5), a.real(6), a.real(7), out); }
void batch_norm(const Args& a, Tensors& out) {
  const Tensor& x = a.tensor(0);
  if (x.numel() == 0 && x.ndim() < 2) {                       // PyTorch asks nothing of an empty input; here it may lack channels
    check_floating(a, x);
    return out.push_back(call(clone_op, {x}));
  }
  Tensors all;
  native_batch_norm(a, all);
  out.push_back(all[0]);
}
void batch_norm_no_stats(const Args& a, Tensors& out) { batch_norm_of(a, {1, 2, -1, -1}, a.flag(3), a.real(4), a.real(5), out); }

// (grad_out, input, weight, running_mean, running_var, save_mean, save_invstd, train, eps, output_mask)
void native_batch_norm_backward(const Args& a, Tensors& out) {
  const Tensor &g = a.tensor(0), &x = a.tensor(1);
  const Channels c(a, x);
  const bool train = a.flag(7);
  check_channels(a, {2, -1, 3, 4}, c.channels);
  GRADUS_CHECK(same(g.sizes(), x.sizes()), shape, "{}: a gradient of shape {} for an input of shape {}", name(a.op()), text(g.sizes()), text(x.sizes()));
  const int at = train ? 5 : 3;
  for (int i : {at, at + 1})
    GRADUS_CHECK(a.has(i), argument, "{}: argument '{}' must be given {} training", name(a.op()), a.op().info->schema.arguments[static_cast<size_t>(i)].name, train ? "in" : "without");
  const int64_t mask = mask_bits(a, 9);
  const Tensor rstd = train ? a.tensor(6) : inverse_std(a.tensor(4), a.real(8));
  Tensors d = normalize_backward(c.turn(g), c.x, a[2], a[at], rstd, c.layout, train ? mask : mask & 6);
  if (mask & 1) d[0] = train ? c.back(d[0]) : mul(g, c.spread(a.has(2) ? mul(rstd, a.tensor(2)) : rstd));
  const Dtype scale = a.has(2) ? a.tensor(2).dtype() : x.dtype();
  const Sizes channels{c.channels};
  add_gradient(out, d[0], mask & 1, x.sizes(), x.dtype());
  add_gradient(out, d[1], mask & 2, channels, scale);
  add_gradient(out, d[2], mask & 4, channels, scale);
}

// (input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps, cudnn_enabled)
void instance_norm(const Args& a, Tensors& out) {
  const Tensor& x = a.tensor(0);
  const Channels c(a, x);
  const Positions p{1, 2, 3, 4};
  check_channels(a, p, c.channels);
  if (!a.flag(5)) return out.push_back(by_running(a, p, c, x, a.real(7)));
  const int64_t inner = numel_of(SizesRef(c.sizes).subspan(2));
  const Tensors n = normalize(x, a[1], a[2], {.sizes = {c.sizes[0], c.channels, 1, inner}}, a.real(7));
  if (a.has(3) || a.has(4)) {
    const GradMode off(false);
    const Sizes by_member{c.sizes[0], c.channels}, batch{0};
    update_running(a, p, mean(reshape(n[1], by_member), batch), mean(reshape(n[2], by_member), batch), inner, a.real(6));
  }
  out.push_back(n[0]);
}

const Value kNone(std::nullopt);
// Training, and by given statistics; with or without the argument that asks for cudnn.
void both_ways(Samples& s, bool cudnn) {
  const auto add = [&](Value x, Value w, Value b, Value mean, Value var, bool training, double eps) {
    if (cudnn) s.add({x, w, b, mean, var, Value(training), Value(0.1), Value(eps), Value(true)});
    else s.add({x, w, b, mean, var, Value(training), Value(0.1), Value(eps)});
  };
  add(s.rand({3, 2, 4}), s.rand({2}), s.rand({2}), kNone, kNone, true, 1e-5);
  add(s.rand({2, 3, 2, 3}), kNone, s.rand({3}), kNone, kNone, true, 0.1);
  add(s.rand({2, 3, 2}), s.rand({3}), s.rand({3}), s.rand({3}), s.rand({3}, 0.5, 2), false, 1e-5);
  add(s.rand({2, 3, 2}), kNone, kNone, s.rand({3}), s.rand({3}, 0.5, 2), false, 1e-5);
}
void batch_samples(Samples& s, bool cudnn) {
  both_ways(s, cudnn);
  if (!cudnn) s.add({s.rand({5, 3}), s.rand({3}), kNone, kNone, kNone, Value(true), Value(0.1), Value(1e-5)});
  else s.add({s.rand({5, 3}), s.rand({3}), kNone, kNone, kNone, Value(true), Value(0.1), Value(1e-5), Value(true)});
  if (!cudnn) s.error({s.rand({4, 3}), s.rand({2}), kNone, kNone, kNone, Value(true), Value(0.1), Value(1e-5)}, "a weight of shape [2], expected [3]");
  else s.error({s.rand({4, 3}), kNone, kNone, kNone, kNone, Value(false), Value(0.1), Value(1e-5), Value(true)}, "running_mean and running_var must be given");
}

}  // namespace

Op native_batch_norm_op{
    .schema = "native_batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool training, float momentum, float eps) -> "
              "(Tensor, Tensor, Tensor)",
    .doc = "batch_norm; and the mean and 1 / sqrt(var + eps) of each channel, which without training are empty.",
    .compose = native_batch_norm,
    .samples = [](Samples& s) { batch_samples(s, false); },
};
Op native_batch_norm_legit_op{
    .schema = "_native_batch_norm_legit(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool training, float momentum, float eps) -> "
              "(Tensor, Tensor, Tensor)",
    .doc = "native_batch_norm under the name of its functional form.",
    .compose = native_batch_norm,
    .samples = [](Samples& s) { batch_samples(s, false); },
};
Op native_batch_norm_no_stats_op{
    .schema = "_native_batch_norm_legit_no_stats(Tensor input, Tensor? weight, Tensor? bias, bool training, float momentum, float eps) -> (Tensor, Tensor, Tensor)",
    .doc = "native_batch_norm without running statistics.",
    .serves = "_native_batch_norm_legit.no_stats",
    .compose = batch_norm_no_stats,
    .samples = [](Samples& s) {
      s.add({s.rand({3, 2, 4}), s.rand({2}), s.rand({2}), Value(true), Value(0.1), Value(1e-5)});
      s.error({s.rand({3, 2, 4}), kNone, kNone, Value(false), Value(0.1), Value(1e-5)}, "running_mean and running_var must be given");
    },
};
Op batch_norm_op{
    .schema = "batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool training, float momentum, float eps, "
              "bool cudnn_enabled) -> Tensor",
    .doc = "(x - mean) / sqrt(var + eps) * weight + bias by channel of [N, C, …]. In training mean and variance are those of the input, and the running ones "
           "move towards them by momentum, the variance unbiased, so NaN of one number; an input "
           "without elements leaves them alone. Else they are the running ones.",
    .compose = batch_norm,
    .samples = [](Samples& s) { batch_samples(s, true); },
};
Op native_batch_norm_backward_op{
    .schema = "native_batch_norm_backward(Tensor grad_out, Tensor input, Tensor? weight, Tensor? running_mean, Tensor? running_var, Tensor? save_mean, "
              "Tensor? save_invstd, bool train, float eps, bool[3] output_mask) -> (Tensor, Tensor, Tensor)",
    .doc = "The gradients of batch_norm by input, weight and bias; those not asked for are none.",
    .compose = native_batch_norm_backward,
    .samples = [](Samples& s) {
      s.add({s.rand({3, 2, 4}), s.rand({3, 2, 4}), s.rand({2}), kNone, kNone, s.rand({2}), s.rand({2}, 0.5, 2), Value(true), Value(1e-5), s.list({1, 1, 1})});
      s.add({s.rand({3, 2}), s.rand({3, 2}), kNone, kNone, kNone, s.rand({2}), s.rand({2}, 0.5, 2), Value(true), Value(1e-5), s.list({1, 1, 1})});
      s.add({s.rand({3, 2, 2}), s.rand({3, 2, 2}), s.rand({2}), s.rand({2}), s.rand({2}, 0.5, 2), kNone, kNone, Value(false), Value(1e-5), s.list({1, 1, 1})});
      s.error({s.rand({3, 2}), s.rand({3, 2}), kNone, kNone, kNone, kNone, kNone, Value(true), Value(1e-5), s.list({1, 1, 1})}, "'save_mean' must be given in training");
    },
};
Op instance_norm_op{
    .schema = "instance_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool use_input_stats, float momentum, float eps, "
              "bool cudnn_enabled) -> Tensor",
    .doc = "batch_norm with mean and variance of each channel of each member of the batch; the running ones move towards their averages, "
           "unless the input has no elements.",
    .compose = instance_norm,
    .samples = [](Samples& s) {
      both_ways(s, true);
      s.error({s.rand({2, 3, 2}), kNone, s.rand({4}), kNone, kNone, Value(true), Value(0.1), Value(1e-5), Value(true)}, "a bias of shape [4], expected [3]");
    },
};

static Op* const all[] = {&native_batch_norm_op, &native_batch_norm_legit_op, &native_batch_norm_no_stats_op, &batch_norm_op, &native_batch_norm_backward_op, &instance_norm_op};
const OpList batch_norm_ops = all;

}  // namespace gradus
