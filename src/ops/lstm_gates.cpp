// The gates of an lstm cell as one op, and their gradients as another.
#include "dispatch/evaluate.h"
#include "kernels/lstm.h"
#include "ops/lists.h"
#include "ops/ops.h"

namespace gradus {
namespace {

Tensor row_major(const Tensor& t) { return t.contiguous() ? t : clone(t); }

void check(const Args& a, const Tensor& gates, const Tensor& c) {
  GRADUS_CHECK(gates.dtype() == Dtype::f32 || gates.dtype() == Dtype::f64, dtype, "{}: not defined for {}", name(a.op()), name(gates.dtype()));
  GRADUS_CHECK(c.ndim() == 2 && gates.ndim() == 2 && gates.size(0) == c.size(0) && gates.size(1) == 4 * c.size(1), shape, "{}: gates of shape {} for a state of shape {}",
               name(a.op()), text(gates.sizes()), text(c.sizes()));
}
void check_like(const Args& a, const Tensor& t, const Tensor& c, Dtype d) {
  GRADUS_CHECK(same(t.sizes(), c.sizes()) && t.dtype() == d, shape, "{}: a {} of shape {} beside gates of {} and a state of shape {}", name(a.op()), name(t.dtype()), text(t.sizes()),
               name(d), text(c.sizes()));
}
kernels::Lstm cell(const Tensor& gates, const Tensor& c) {
  return {gates.dtype(), c.size(0), c.size(1), gates.data<char>(), c.data<char>(), nullptr, nullptr, nullptr, nullptr, nullptr};
}

void forward_shape(const Args& a, Metas& out) {
  check(a, a.tensor(0), a.tensor(1));
  check_like(a, a.tensor(1), a.tensor(1), a.tensor(0).dtype());
  for (int i = 0; i < 2; ++i) out.push_back(a.tensor(1).meta());
}
void forward_kernel(const Args& a, const Tensors& out) {
  const Tensor gates = row_major(a.tensor(0)), c = row_major(a.tensor(1));
  kernels::Lstm l = cell(gates, c);
  l.h = out[0].data<char>();
  l.next = out[1].data<char>();
  kernels::lstm_forward(l);
}

// (grad_h, grad_c, gates, c, c_out)
void backward_shape(const Args& a, Metas& out) {
  const Tensor &gates = a.tensor(2), &c = a.tensor(3);
  check(a, gates, c);
  for (int i : {0, 1, 3, 4}) check_like(a, a.tensor(i), c, gates.dtype());
  out.push_back(gates.meta());
  out.push_back(c.meta());
}
void backward_kernel(const Args& a, const Tensors& out) {
  Tensor in[5];
  for (int i = 0; i < 5; ++i) in[i] = row_major(a.tensor(i));
  kernels::Lstm l = cell(in[2], in[3]);
  l.gh = in[0].data<char>();
  l.gc = in[1].data<char>();
  l.next = in[4].data<char>();
  l.dgates = out[0].data<char>();
  l.h = out[1].data<char>();
  kernels::lstm_backward(l);
}
void backward_compose(const Args& a, Tensors& out) {
  const Tensor &v = a.tensor(0), &c = a.tensor(3);
  const Tensors x = chunk(a.tensor(2), 4, 1);
  const auto rest = [](const Tensor& s) { return rsub(s, 1.0); };
  const Tensor i = sigmoid(x[0]), f = sigmoid(x[1]), g = tanh(x[2]), o = sigmoid(x[3]), t = tanh(a.tensor(4));
  const Tensor d = add(a.tensor(1), mul(mul(v, o), rest(square(t))));
  const Tensor parts[] = {mul(mul(d, g), mul(i, rest(i))), mul(mul(d, c), mul(f, rest(f))), mul(mul(d, i), rest(square(g))), mul(mul(v, t), mul(o, rest(o)))};
  out.push_back(cat(parts, 1));
  out.push_back(mul(d, f));
}

}  // namespace

Op lstm_gates_op{
    .schema = "_lstm_gates(Tensor gates, Tensor c) -> (Tensor h, Tensor c_out)",
    .doc = "Of gates in four parts i, f, g, o: c_out = sigmoid(f) c + sigmoid(i) tanh(g), h = sigmoid(o) tanh(c_out).",
    .shape = forward_shape,
    .kernel = forward_kernel,
    .vjp_all = [](const Call& c, Tensors& d) { d = call_all(lstm_gates_backward_op, {c.grad(0), c.grad(1), c.tensor(0), c.tensor(1), c.output(1)}); },
    .save = input(0) | input(1) | output(1),
};
Op lstm_gates_backward_op{
    .schema = "_lstm_gates_backward(Tensor grad_h, Tensor grad_c, Tensor gates, Tensor c, Tensor c_out) -> (Tensor, Tensor)",
    .doc = "The gradients of _lstm_gates by gates and c.",
    .shape = backward_shape,
    .kernel = backward_kernel,
    .compose = backward_compose,
};

static Op* const all[] = {&lstm_gates_op, &lstm_gates_backward_op};
const OpList lstm_gates_ops = all;

}  // namespace gradus
