// Attention whose weights are never in memory, and its gradients. For what it leaves out see attention.cpp.
#include <cmath>

#include "base/context.h"
#include "dispatch/evaluate.h"
#include "kernels/attention.h"
#include "ops/lists.h"
#include "ops/ops.h"

namespace gradus {
namespace {

// The last two dimensions exchanged, or with `heads` those before the last.
Tensor exchanged(const Tensor& t, int64_t heads = 0) { return transpose(t, -2 - heads, -1 - heads); }
Tensor dense_rows(const Tensor& t) { return t.stride(-1) == 1 && t.stride(-2) >= 0 ? t : clone(t); }

void check(const Args& a, int at) {
  const Tensor &q = a.tensor(at), &k = a.tensor(at + 1), &v = a.tensor(at + 2);
  GRADUS_CHECK(q.dtype() == Dtype::f32 || q.dtype() == Dtype::f64, dtype, "{}: not defined for {}", name(a.op()), name(q.dtype()));
  GRADUS_CHECK(q.dtype() == k.dtype() && q.dtype() == v.dtype(), dtype, "{}: a query of {} with a key of {} and a value of {}",
               name(a.op()), name(q.dtype()), name(k.dtype()), name(v.dtype()));
  GRADUS_CHECK(q.ndim() >= 2 && k.ndim() == q.ndim() && v.ndim() == q.ndim(), shape,
               "{}: a query of shape {}, a key of {} and a value of {}", name(a.op()), text(q.sizes()), text(k.sizes()),
               text(v.sizes()));
  const auto batch = static_cast<size_t>(q.ndim() - 2);
  GRADUS_CHECK(same(q.sizes().first(batch), k.sizes().first(batch)) && same(q.sizes().first(batch), v.sizes().first(batch)) &&
                   q.size(-1) == k.size(-1) && k.size(-2) == v.size(-2),
               shape, "{}: a query of shape {} with a key of {} and a value of {}", name(a.op()), text(q.sizes()),
               text(k.sizes()), text(v.sizes()));
  GRADUS_CHECK(q.numel() > 0 && v.numel() > 0, shape, "{}: nothing to attend to: a query of shape {}, a value of {}",
               name(a.op()), text(q.sizes()), text(v.sizes()));
}

Sizes out_sizes(const Tensor& q, const Tensor& v) {
  Sizes s(q.sizes());
  s.back() = v.size(-1);
  return s;
}

// (query, key, value, scale, causal, turned)
void forward_shape(const Args& a, Metas& out) {
  check(a, 0);
  const Tensor &q = a.tensor(0), &v = a.tensor(2);
  Sizes sizes = out_sizes(q, v);
  if (a.flag(5)) {
    GRADUS_CHECK(q.ndim() >= 3, shape, "{}: a query of shape {} has no heads to be turned", name(a.op()), text(q.sizes()));
    std::swap(sizes[sizes.size() - 2], sizes[sizes.size() - 3]);
  }
  out.push_back({q.dtype(), sizes});
  out.push_back({q.dtype(), Sizes(q.sizes().first(q.sizes().size() - 1))});
}
void forward_kernel(const Args& a, const Tensors& out) {
  const GradMode off(false);
  const Tensor q = dense_rows(a.tensor(0)), k = dense_rows(a.tensor(1)), v = dense_rows(a.tensor(2)), to = a.flag(5) ? exchanged(out[0], 1) : out[0];
  kernels::attention({view_of(q), view_of(k), view_of(v), view_of(to), view_of(out[1]), a.real(3), a.flag(4)});
}
void forward_pull(const Call& c, Tensors& d) {
  const bool turned = c.flag(5);
  const auto straight = [&](const Tensor& t) { return turned ? exchanged(t, 1) : t; };
  d = call_all(attention_backward_op, {straight(c.grad(0)), c.grad(1), c.tensor(0), c.tensor(1), c.tensor(2),
                                       straight(c.output(0)), c.output(1), c.real(3), c.flag(4)});
}

// (grad, grad_logsumexp, query, key, value, out, logsumexp, scale, causal)
void backward_shape(const Args& a, Metas& out) {
  check(a, 2);
  const Tensor &q = a.tensor(2), &v = a.tensor(4);
  for (int i : {0, 5})
    GRADUS_CHECK(same(a.tensor(i).sizes(), out_sizes(q, v)) && a.tensor(i).dtype() == q.dtype(), shape,
                 "{}: a {} of shape {} beside a query of {} and a value of {}", name(a.op()), i ? "result" : "gradient",
                 text(a.tensor(i).sizes()), text(q.sizes()), text(v.sizes()));
  for (int i : {1, 6})
    GRADUS_CHECK(same(a.tensor(i).sizes(), q.sizes().first(q.sizes().size() - 1)) && a.tensor(i).dtype() == q.dtype(), shape,
                 "{}: a logsumexp of shape {} beside a query of {}", name(a.op()), text(a.tensor(i).sizes()), text(q.sizes()));
  for (int i : {2, 3, 4}) out.push_back(a.tensor(i).meta());
}
void backward_kernel(const Args& a, const Tensors& out) {
  const GradMode off(false);
  const Tensor g = dense_rows(a.tensor(0)), q = dense_rows(a.tensor(2)), k = dense_rows(a.tensor(3)), v = dense_rows(a.tensor(4)),
               o = dense_rows(a.tensor(5));
  kernels::attention_backward({view_of(q), view_of(k), view_of(v), view_of(o), view_of(a.tensor(6)), a.real(7), a.flag(8)},
                              {view_of(g), view_of(a.tensor(1)), view_of(out[0]), view_of(out[1]), view_of(out[2])});
}
// With weights P = exp(S - logsumexp), S = scale q k': dS = P * (g v' - sum(g * out) + grad_logsumexp).
void backward_compose(const Args& a, Tensors& out) {
  const Tensor &g = a.tensor(0), &q = a.tensor(2), &k = a.tensor(3), &v = a.tensor(4);
  const int64_t last = -1;
  const Tensor sees = ne(a.tensor(6), -HUGE_VAL), all = unsqueeze(where(sees, a.tensor(6), 0.0), -1);
  Tensor scores = sub(mul(matmul(q, exchanged(k)), a.real(7)), all);
  if (a.flag(8)) scores = where(tril(ones(Sizes{q.size(-2), k.size(-2)}, Dtype::boolean)), scores, -HUGE_VAL);    // before exp, which may overflow
  const Tensor weights = exp(scores);
  const Tensor shift = unsqueeze(sub(sum(mul(g, a.tensor(5)), {&last, 1}), a.tensor(1)), -1);
  const Tensor slopes = mul(mul(weights, sub(matmul(g, exchanged(v)), shift)), a.real(7));
  out.push_back(matmul(slopes, k));
  out.push_back(matmul(exchanged(slopes), q));
  out.push_back(matmul(exchanged(weights), g));
}

}  // namespace

Op attention_op{
    .schema = "_attention(Tensor query, Tensor key, Tensor value, float scale, bool causal, bool turned) -> (Tensor, Tensor)",
    .doc =
        "softmax(scale query key') value, and the logarithm of each row's sum of exponentials; with `turned` the dimensions of "
        "heads and queries of the result are exchanged.",
    .shape = forward_shape,
    .kernel = forward_kernel,
    .vjp_all = forward_pull,
    .save = input(0) | input(1) | input(2) | output(0) | output(1),
};
Op attention_backward_op{
    .schema =
        "_attention_backward(Tensor grad, Tensor grad_logsumexp, Tensor query, Tensor key, Tensor value, Tensor out, Tensor "
        "logsumexp, float scale, bool causal) -> "
        "(Tensor, Tensor, Tensor)",
    .doc = "The gradients of _attention by query, key and value.",
    .shape = backward_shape,
    .kernel = backward_kernel,
    .compose = backward_compose,
};

static Op* const all[] = {&attention_op, &attention_backward_op};
const OpList attention_fused_ops = all;

}  // namespace gradus
