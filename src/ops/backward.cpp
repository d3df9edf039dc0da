// PyTorch's backward ops of activations, losses and reads at indices, for those who call them by name. Here gradients come from
// the formulas and rules themselves; these are the same slopes as compositions, so they differentiate again.
#include "graph/history.h"
#include "ops/formula.h"
#include "ops/lists.h"
#include "ops/losses.h"
#include "ops/samples.h"

namespace gradus {
namespace {

// grad_output * the slope of a formula of one input at x, whose value is y.
template <class F> Tensor backward(const F& f, const Tensor& g, const Term& x, const Term& y = {}) {
  const Term v[] = {x, y};
  const Term slope = slope_of<1, 0>(f, v);
  return connect(detail::times_slope<F>(g, slope), slope, v);
}
template <class F> void at_input(const Args& a, Tensors& out) { out.push_back(backward(F{}, a.tensor(0), a.tensor(1))); }
template <class F> void at_value(const Args& a, Tensors& out) { out.push_back(backward(F{}, a.tensor(0), Term(), a.tensor(1))); }

void elu_backward(const Args& a, Tensors& out) {
  const Number alpha = a.number(1), scale = a.number(2), input_scale = a.number(3);
  const Tensor &g = a.tensor(0), &x = a.tensor(5);
  if (!a.flag(4)) return out.push_back(backward(formulas::Elu{alpha, scale, input_scale}, g, x));
  GRADUS_CHECK(alpha.f >= 0 && scale.f >= 0 && input_scale.f >= 0, value,               // the result's sign says which branch it came from
               "elu_backward: from the result, alpha {}, scale {} and input_scale {} can't be negative", alpha.f, scale.f, input_scale.f);
  const Tensor below = mul(add(x, alpha.f * scale.f), input_scale);
  out.push_back(mul(g, where(le(x, 0), below, scale)));
}

// The gradient of a mean is spread over its elements.
Tensor spread(const Args& a, int reduction, const Tensor& slope) {
  check_reduction(a, reduction);
  const Tensor product = mul(a.tensor(0), slope);
  return a.integer(reduction) == 1 ? div(product, static_cast<double>(slope.numel())) : product;
}
void mse_backward(const Args& a, Tensors& out) { out.push_back(spread(a, 3, mul(sub(a.tensor(1), a.tensor(2)), 2))); }
void smooth_l1_backward(const Args& a, Tensors& out) {
  const Tensor d = sub(a.tensor(1), a.tensor(2));
  const double beta = a.real(4);
  out.push_back(spread(a, 3, beta == 0 ? call(sign_op, {d}) : call(clamp_op, {div(d, beta), -1.0, 1.0})));
}
void huber_backward(const Args& a, Tensors& out) {
  out.push_back(spread(a, 3, call(clamp_op, {sub(a.tensor(1), a.tensor(2)), -a.real(4), a.real(4)})));
}
void bce_backward(const Args& a, Tensors& out) {              // the denominator is kept from 0, as PyTorch does
  const Tensor &x = a.tensor(1), &weight = a.optional_tensor(3);
  const Tensor slope = div(sub(x, a.tensor(2)), call(clamp_op, {mul(sub(1, x), x), 1e-12}));
  out.push_back(spread(a, 4, weight ? mul(slope, weight) : slope));
}

void activation_samples(Samples& s) { s.add({s.rand({2, 3}), s.values({2, 3}, {-2, -0.7, 0.3, 0.9, 1.7, 2.5})}); }
void pair_samples(Samples& s) {
  s.add({s.rand({2, 3}), s.rand({2, 3}, 0.1, 0.4), s.rand({2, 3}, 0.5, 0.9), Value(0)});
  s.add({s.rand({}), s.rand({4}, 0.1, 0.4), s.rand({4}, 0.5, 0.9), Value(1)});
  s.error({s.rand({}), s.rand({4}), s.rand({4}), Value(3)}, "reduction 3");
}
void pair_samples_with(Samples& s) {
  s.add({s.rand({2, 3}), s.rand({2, 3}, 0.1, 0.4), s.rand({2, 3}, 0.6, 0.9), Value(0), Value(0.17)});
  s.error({s.rand({}), s.rand({4}), s.rand({4}), Value(3), Value(1.0)}, "reduction 3");
}

}  // namespace

Op sigmoid_backward_op{
    .schema = "sigmoid_backward(Tensor grad_output, Tensor output) -> Tensor",
    .doc = "grad_output * y (1 - y), y the value of sigmoid.",
    .complex = true,
    .compose = at_value<formulas::Sigmoid>,
    .samples = [](Samples& s) { s.add({s.rand({2, 3}), s.rand({2, 3}, 0.1, 0.9)}); },
};
Op tanh_backward_op{
    .schema = "tanh_backward(Tensor grad_output, Tensor output) -> Tensor",
    .doc = "grad_output * (1 - y^2), y the value of tanh.",
    .complex = true,
    .compose = at_value<formulas::Tanh>,
    .samples = [](Samples& s) { s.add({s.rand({2, 3}), s.rand({2, 3}, -0.9, 0.9)}); },
};
Op threshold_backward_op{
    .schema = "threshold_backward(Tensor grad_output, Tensor self, Scalar threshold) -> Tensor",
    .doc = "grad_output where self is above the threshold, 0 elsewhere.",
    .compose = [](const Args& a, Tensors& out) { out.push_back(backward(formulas::Threshold{a.number(2), 0}, a.tensor(0), a.tensor(1))); },
    .samples = [](Samples& s) { s.add({s.rand({4}), s.values({4}, {-1, 0.2, 0.6, 2}), Value(0.5)}); },
};
Op silu_backward_op{
    .schema = "silu_backward(Tensor grad_output, Tensor self) -> Tensor",
    .doc = "grad_output * the slope of silu at self.",
    .complex = true,
    .compose = at_input<formulas::Silu>,
    .samples = activation_samples,
};
Op gelu_backward_op{
    .schema = "gelu_backward(Tensor grad_output, Tensor self, *, str approximate='none') -> Tensor",
    .doc = "grad_output * the slope of gelu at self.",
    .compose = [](const Args& a, Tensors& out) {
      GRADUS_CHECK(a.text(2) == "none" || a.text(2) == "tanh", value, "gelu_backward: approximate must be 'none' or 'tanh', not '{}'", a.text(2));
      if (a.text(2) == "tanh") at_input<formulas::GeluTanh>(a, out);
      else at_input<formulas::Gelu>(a, out);
    },
    .samples = activation_samples,
};
Op leaky_relu_backward_op{
    .schema = "leaky_relu_backward(Tensor grad_output, Tensor self, Scalar negative_slope, bool self_is_result) -> Tensor",
    .doc = "grad_output where self is positive, negative_slope times it elsewhere; the result of leaky_relu serves as self where its slope is positive.",
    .compose = [](const Args& a, Tensors& out) {
      GRADUS_CHECK(!a.flag(3) || a.real(2) >= 0, value, "leaky_relu_backward: from the result, the slope {} can't be negative", a.real(2));
      out.push_back(backward(formulas::LeakyRelu{a.number(2)}, a.tensor(0), a.tensor(1)));
    },
    .samples = [](Samples& s) {
      s.add({s.rand({3}), s.values({3}, {-1, 0.2, 2}), Value(0.1), Value(false)});
      s.error({s.rand({3}), s.rand({3}), Value(-0.1), Value(true)}, "can't be negative");
    },
};
Op elu_backward_op{
    .schema = "elu_backward(Tensor grad_output, Scalar alpha, Scalar scale, Scalar input_scale, bool is_result, Tensor self_or_result) -> Tensor",
    .doc = "grad_output * the slope of elu, from its input, or from its result where neither alpha nor a scale is negative.",
    .compose = elu_backward,
    .samples = [](Samples& s) {
      s.add({s.rand({3}), Value(1.5), Value(1.1), Value(0.9), Value(false), s.values({3}, {-1, 0.2, 2})});
      s.add({s.rand({3}), Value(1.5), Value(1.1), Value(0.9), Value(true), s.values({3}, {-1, 0.2, 2})});
      s.error({s.rand({3}), Value(-1.5), Value(1.1), Value(0.9), Value(true), s.rand({3})},
              "alpha -1.5, scale 1.1 and input_scale 0.9 can't be negative");
      s.error({s.rand({3}), Value(1.5), Value(-1.1), Value(0.9), Value(true), s.rand({3})}, "scale -1.1");
      s.error({s.rand({3}), Value(1.5), Value(1.1), Value(-0.9), Value(true), s.rand({3})}, "input_scale -0.9");
    },
};
Op softplus_backward_op{
    .schema = "softplus_backward(Tensor grad_output, Tensor self, Scalar beta, Scalar threshold) -> Tensor",
    .doc = "grad_output * the slope of softplus at self.",
    .compose = [](const Args& a, Tensors& out) { out.push_back(backward(formulas::Softplus{a.number(2), a.number(3)}, a.tensor(0), a.tensor(1))); },
    .samples = [](Samples& s) { s.add({s.rand({3}), s.values({3}, {-1, 0.2, 2}), Value(1.5), Value(20)}); },
};
Op hardtanh_backward_op{
    .schema = "hardtanh_backward(Tensor grad_output, Tensor self, Scalar min_val, Scalar max_val) -> Tensor",
    .doc = "grad_output where self is between the bounds, 0 elsewhere.",
    .compose = [](const Args& a, Tensors& out) { out.push_back(backward(formulas::Hardtanh{a.number(2), a.number(3)}, a.tensor(0), a.tensor(1))); },
    .samples = [](Samples& s) { s.add({s.rand({3}), s.values({3}, {-2, 0.2, 2}), Value(-1), Value(1)}); },
};
Op log_sigmoid_forward_op{
    .schema = "log_sigmoid_forward(Tensor self) -> (Tensor output, Tensor buffer)",
    .doc = "log_sigmoid, and exp(-|x|) as the buffer that PyTorch's backward asks for.",
    .compose = [](const Args& a, Tensors& out) {
      out.push_back(call(log_sigmoid_op, {a.tensor(0)}));
      out.push_back(exp(neg(abs(detach(a.tensor(0))))));
    },
    .samples = [](Samples& s) { s.add({s.values({3}, {-2, 0.2, 2})}); },
};
Op log_sigmoid_backward_op{
    .schema = "log_sigmoid_backward(Tensor grad_output, Tensor self, Tensor buffer) -> Tensor",
    .doc = "grad_output * sigmoid(-self); the buffer is not needed.",
    .compose = at_input<formulas::LogSigmoid>,
    .samples = [](Samples& s) { s.add({s.rand({3}), s.values({3}, {-2, 0.2, 2}), s.rand({3})}); },
};
Op mse_loss_backward_op{
    .schema = "mse_loss_backward(Tensor grad_output, Tensor self, Tensor target, int reduction) -> Tensor",
    .doc = "2 (self - target) grad_output, divided by the number of elements for the mean.",
    .compose = mse_backward,
    .samples = pair_samples,
};
Op smooth_l1_loss_backward_op{
    .schema = "smooth_l1_loss_backward(Tensor grad_output, Tensor self, Tensor target, int reduction, float beta) -> Tensor",
    .doc = "(self - target) / beta cut to [-1, 1], times grad_output; divided by the number of elements for the mean.",
    .compose = smooth_l1_backward,
    .samples = pair_samples_with,
};
Op huber_loss_backward_op{
    .schema = "huber_loss_backward(Tensor grad_output, Tensor self, Tensor target, int reduction, float delta) -> Tensor",
    .doc = "self - target cut to [-delta, delta], times grad_output; divided by the number of elements for the mean.",
    .compose = huber_backward,
    .samples = pair_samples_with,
};
Op binary_cross_entropy_backward_op{
    .schema = "binary_cross_entropy_backward(Tensor grad_output, Tensor self, Tensor target, Tensor? weight=None, int reduction=Mean) -> Tensor",
    .doc = "weight (self - target) / (self (1 - self)) grad_output; divided by the number of elements for the mean.",
    .compose = bce_backward,
    .samples = [](Samples& s) {
      s.add({s.rand({}), s.rand({4}, 0.1, 0.9), s.rand({4}, 0.1, 0.9)});
      s.add({s.rand({4}), s.rand({4}, 0.1, 0.9), s.rand({4}, 0.1, 0.9), s.rand({4}, 0.5, 2), Value(0)});
      s.error({s.rand({}), s.rand({4}, 0.1, 0.9), s.rand({4}), Value(std::nullopt), Value(3)}, "reduction 3");
    },
};
Op embedding_backward_op{
    .schema = "embedding_backward(Tensor grad, Tensor indices, int num_weights, int padding_idx, bool scale_grad_by_freq, bool sparse) -> Tensor",
    .doc = "The gradient of the table of an embedding, dense.",
    .compose = [](const Args& a, Tensors& out) {
      GRADUS_CHECK(!a.flag(5), unsupported, "embedding_backward: sparse gradients are not supported");
      out.push_back(call(embedding_dense_backward_op, {a[0], a[1], a[2], a[3], a[4]}));
    },
    .samples = [](Samples& s) { s.add({s.rand({3, 2}), s.integers({3}, 0, 4), Value(4), Value(-1), Value(false), Value(false)}); },
};
Op gather_backward_op{
    .schema = "gather_backward(Tensor grad, Tensor self, int dim, Tensor index, bool sparse_grad) -> Tensor",
    .doc = "The gradient of gather's input: grad added to where it was read.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      GRADUS_CHECK(!a.flag(4), unsupported, "gather_backward: sparse gradients are not supported");
      out.push_back(scatter_add(zeros(a.tensor(1).sizes(), a.tensor(0).dtype()), a.integer(2), a.tensor(3), a.tensor(0)));
    },
    .samples = [](Samples& s) { s.add({s.rand({2, 2}), s.rand({2, 3}), Value(1), s.integers({2, 2}, 0, 3), Value(false)}); },
};
Op index_select_backward_op{
    .schema = "index_select_backward(Tensor grad, int[] self_sizes, int dim, Tensor index) -> Tensor",
    .doc = "The gradient of index_select's input: grad added to where it was read.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      out.push_back(index_add(zeros(a.integers(1), a.tensor(0).dtype()), a.integer(2), a.tensor(3), a.tensor(0)));
    },
    .samples = [](Samples& s) { s.add({s.rand({2, 2}), s.list({2, 3}), Value(1), s.integers({2}, 0, 3)}); },
};

static Op* const all[] = {
    &sigmoid_backward_op, &tanh_backward_op, &threshold_backward_op, &silu_backward_op, &gelu_backward_op, &leaky_relu_backward_op,
    &elu_backward_op, &softplus_backward_op, &hardtanh_backward_op, &log_sigmoid_forward_op, &log_sigmoid_backward_op,
    &mse_loss_backward_op, &smooth_l1_loss_backward_op, &huber_loss_backward_op, &binary_cross_entropy_backward_op,
    &embedding_backward_op, &gather_backward_op, &index_select_backward_op,
};
const OpList backward_ops = all;

}  // namespace gradus
