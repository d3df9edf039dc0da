// The two ops behind every normalisation: forward, and backward with the gradients of the statistics in the same pass.
#include "kernels/normalize.h"

#include "kernels/copy.h"
#include "ops/lists.h"
#include "ops/normalize.h"

namespace gradus {
namespace {

Dtype compute(Dtype d) { return d == Dtype::f64 ? d : Dtype::f32; }

// Row-major and of dtype d: t itself or a copy; null for none.
Tensor laid_out(const Tensor& t, Dtype d) {
  if (!t || (t.contiguous() && t.dtype() == d)) return t;
  const Tensor c = empty(d, t.sizes());
  kernels::copy(view_of(c), view_of(t));
  return c;
}
char* data_of(const Tensor& t) { return t ? t.data<char>() : nullptr; }
// Where a kernel of dtype d writes what belongs in `to`.
Tensor target(const Tensor& to, Dtype d) { return to.dtype() == d ? to : empty(d, to.sizes()); }
void finish(const Tensor& to, const Tensor& from) {
  if (to.impl() != from.impl()) kernels::copy(view_of(to), view_of(from));
}

// The layout stands at `position`, then across and center.
kernels::Normalize layout_of(const Args& a, int position, const Tensor& x) {
  const SizesRef l = a.integers(position);
  GRADUS_CHECK(l.size() == 4, argument, "{}: {} numbers for the layout, not 4", name(a.op()), l.size());
  GRADUS_CHECK(numel_of(l) == x.numel(), shape, "{}: an input of shape {} as {}", name(a.op()), text(x.sizes()), text(l));
  GRADUS_CHECK(!a.flag(position + 1) || l[3] != 1 || l[0] == 1, argument, "{}: statistics across a batch need more than one element inside", name(a.op()));
  return {.dtype = compute(x.dtype()), .batch = l[0], .groups = l[1], .channels = l[2], .inner = l[3], .across = a.flag(position + 1) && l[3] != 1,
          .center = a.flag(position + 2)};
}
void check_numel(const Args& a, int position, int64_t want) {
  const Tensor& t = a.optional_tensor(position);
  if (!t) return;
  check_floating(a, t);
  GRADUS_CHECK(t.numel() == want, shape, "{}: {} numbers in argument {}, expected {}", name(a.op()), t.numel(), position, want);
}

// ---- forward: (input, weight, bias, layout, across, center, eps)
void forward_shape(const Args& a, Metas& out) {
  const Tensor& x = a.tensor(0);
  check_floating(a, x);
  const kernels::Normalize z = layout_of(a, 3, x);
  for (int i : {1, 2}) check_numel(a, i, z.groups * z.channels);
  out.push_back(x.meta());
  for (int i = 0; i < 2; ++i) out.push_back({z.dtype, Sizes{z.statistics()}});
}
void forward_kernel(const Args& a, const Tensors& out) {
  kernels::Normalize z = layout_of(a, 3, a.tensor(0));
  if (out[0].numel() == 0) {                                  // the statistics of nothing
    for (size_t i : {size_t{1}, size_t{2}}) kernels::fill(view_of(out[i]), Number(0));
    return;
  }
  const Tensor x = laid_out(a.tensor(0), z.dtype), w = laid_out(a.optional_tensor(1), z.dtype), b = laid_out(a.optional_tensor(2), z.dtype);
  const Tensor y = target(out[0], z.dtype);
  z.eps = a.real(6);
  z.x = data_of(x);
  z.weight = data_of(w);
  z.bias = data_of(b);
  z.y = data_of(y);
  z.mean = data_of(out[1]);
  z.var = data_of(out[2]);
  kernels::normalize(z);
  finish(out[0], y);
}
void forward_pull(const Call& c, Tensors& d) {
  const int64_t mask = (c.wants(0) ? 1 : 0) | (c.wants(1) ? 2 : 0) | (c.wants(2) ? 4 : 0);
  const Value *a = c.args().values();
  const Tensors all = call_all(normalize_backward_op, {c.grad(0), c.tensor(0), a[1], c.output(1), inverse_std(c.output(2), c.real(6)), c.grad(1), c.grad(2), a[3], a[4], a[5], mask});
  for (size_t i = 0; i < 3; ++i)
    if (mask >> i & 1) d[i] = reshape(all[i], c.meta(static_cast<int>(i)).sizes);
}

// ---- backward: (grad, input, weight, mean, rstd, grad_mean, grad_var, layout, across, center, mask)
void backward_shape(const Args& a, Metas& out) {
  const Tensor &g = a.tensor(0), &x = a.tensor(1);
  check_floating(a, x);
  check_floating(a, g);
  GRADUS_CHECK(same(g.sizes(), x.sizes()), shape, "{}: a gradient of shape {} for an input of shape {}", name(a.op()), text(g.sizes()), text(x.sizes()));
  const kernels::Normalize z = layout_of(a, 7, x);
  check_numel(a, 2, z.groups * z.channels);
  for (int i : {3, 4, 5, 6}) check_numel(a, i, z.statistics());
  out.push_back({x.dtype(), a.integer(10) & 1 ? Sizes(x.sizes()) : Sizes{0}});
  for (int bit : {2, 4}) out.push_back({z.dtype, Sizes{a.integer(10) & bit ? z.groups * z.channels : 0}});
}
void backward_kernel(const Args& a, const Tensors& out) {
  kernels::NormalizeBack b{.of = layout_of(a, 7, a.tensor(1))};
  if (a.tensor(1).numel() == 0) {
    for (const Tensor& t : out) kernels::fill(view_of(t), Number(0));
    return;
  }
  const Dtype d = b.of.dtype;
  const int64_t mask = a.integer(10);
  Tensor in[7];
  for (int i = 0; i < 7; ++i) in[i] = laid_out(a.optional_tensor(i), d);
  const Tensor dx = target(out[0], d);
  const Tensor sums = mask & 6 && b.of.inner != 1 ? empty(Dtype::f64, Sizes{2, b.of.batch, b.of.groups, b.of.channels}) : Tensor();
  b.g = data_of(in[0]);
  b.of.x = data_of(in[1]);
  b.of.weight = data_of(in[2]);
  b.of.mean = data_of(in[3]);
  b.rstd = data_of(in[4]);
  b.grad_mean = data_of(in[5]);
  b.grad_var = data_of(in[6]);
  b.dx = mask & 1 ? data_of(dx) : nullptr;
  b.dw = mask & 2 ? data_of(out[1]) : nullptr;
  b.db = mask & 4 ? data_of(out[2]) : nullptr;
  b.sums = reinterpret_cast<double*>(data_of(sums));
  kernels::normalize_backward(b);
  if (b.dx) finish(out[0], dx);
}

// The same with ops, on the array as [batch, groups, channels, inner].
void backward_compose(const Args& a, Tensors& out) {
  const Tensor& x = a.tensor(1);
  const kernels::Normalize z = layout_of(a, 7, x);
  const int64_t mask = a.integer(10);
  const Sizes all{z.batch, z.groups, z.channels, z.inner}, by_statistic{z.across ? 1 : z.batch, z.groups, 1, 1};
  const Sizes dims = z.across ? Sizes{0, 2, 3} : Sizes{2, 3}, others{0, 3};
  const auto n = static_cast<double>(z.count());
  const auto statistic = [&](int i) { return reshape(a.tensor(i), by_statistic); };
  const Tensor g = to(reshape(a.tensor(0), all), z.dtype), rstd = statistic(4);
  const Tensor away = sub(to(reshape(x, all), z.dtype), statistic(3)), unit = mul(away, rstd);
  if (mask & 1) {
    const Tensor u = a.has(2) ? mul(g, reshape(to(a.tensor(2), z.dtype), Sizes{1, z.groups, z.channels, 1})) : g;
    Tensor inside = sub(u, mul(unit, mean(mul(u, unit), dims, true)));
    if (z.center) inside = sub(inside, mean(u, dims, true));
    Tensor dx = mul(rstd, inside);
    if (a.has(5) && z.center) dx = add(dx, div(statistic(5), n));
    if (a.has(6)) dx = add(dx, mul(away, mul(statistic(6), 2 / n)));
    out.push_back(to(reshape(dx, x.sizes()), x.dtype()));
  } else {
    out.push_back(Tensor());
  }
  out.push_back(mask & 2 ? reshape(sum(mul(g, unit), others), Sizes{z.groups * z.channels}) : Tensor());
  out.push_back(mask & 4 ? reshape(sum(g, others), Sizes{z.groups * z.channels}) : Tensor());
}

}  // namespace

Op normalize_op{
    .schema = "_normalize(Tensor input, Tensor? weight, Tensor? bias, int[] layout, bool across, bool center, float eps) -> (Tensor, Tensor mean, Tensor var)",
    .doc = "(x - mean) / sqrt(var + eps) * weight + bias of x seen as [batch, groups, channels, inner]: mean and variance by batch member and group, "
           "or by group across the batch; weight and bias by channel. Without center the mean is 0.",
    .shape = forward_shape,
    .kernel = forward_kernel,
    .vjp_all = forward_pull,
    .save = input(0) | input(1) | output(1) | output(2),
};
Op normalize_backward_op{
    .schema = "_normalize_backward(Tensor grad, Tensor input, Tensor? weight, Tensor mean, Tensor rstd, Tensor? grad_mean, Tensor? grad_var, int[] layout, bool across, "
              "bool center, int mask) -> (Tensor, Tensor, Tensor)",
    .doc = "The gradients of _normalize by input, weight and bias, where the bits 1, 2 and 4 of mask ask for them.",
    .shape = backward_shape,
    .kernel = backward_kernel,
    .compose = backward_compose,
};

static Op* const all[] = {&normalize_op, &normalize_backward_op};
const OpList normalize_kernel_ops = all;

}  // namespace gradus
