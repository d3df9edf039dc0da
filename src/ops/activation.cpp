// Activation functions, element by element.
#include "ops/formula.h"
#include "ops/lists.h"
#include "ops/samples.h"

namespace gradus {
template <> constexpr unsigned detail::choosing<formulas::PreluKernel, 0> = 1;           // self chooses between 1 and the weight

namespace {

void prelu(const Args& a, Tensors& out) {
  const Tensor &self = a.tensor(0), &weight = a.tensor(1);
  const int64_t channels = self.ndim() > 1 ? self.size(1) : 1;
  GRADUS_CHECK(weight.ndim() <= 1, shape, "prelu: a weight of shape {}, where one dimension is wanted", text(weight.sizes()));
  GRADUS_CHECK(weight.numel() == 1 || weight.numel() == channels, shape, "prelu: {} weights for {} channels", weight.numel(), channels);
  Sizes sizes(static_cast<size_t>(self.ndim()), 1);
  if (self.ndim() > 1) sizes[1] = weight.numel();
  out.push_back(call(prelu_kernel_op, {self, reshape(weight, sizes)}));
}
void gelu(const Args& a, Tensors& out) {
  const std::string_view how = a.text(1);
  GRADUS_CHECK(how == "none" || how == "tanh", value, "gelu: approximate is 'none' or 'tanh', not '{}'", how);
  out.push_back(call(how == "none" ? gelu_none_op : gelu_tanh_op, {a.tensor(0)}));
}
void celu(const Args& a, Tensors& out) {
  GRADUS_CHECK(a.real(1) != 0, value, "celu: alpha is 0");
  out.push_back(call(elu_op, {a.tensor(0), a[1], 1.0, 1 / a.real(1)}));
}
void check_lambd(const Args& a, Dtype) { GRADUS_CHECK(a.real(1) >= 0, value, "softshrink: negative lambd {}", a.real(1)); }

}  // namespace

Op relu_op{
    .schema = "relu(Tensor self) -> Tensor",
    .doc = "max(x, 0) for each element; the gradient at 0 is 0.",
    .formula = formula<formulas::Relu>(),
    .no_bool = true,
    .samples = on_interval<-3, 3>,
};
Op relu6_op{
    .schema = "relu6(Tensor self) -> Tensor",
    .doc = "min(max(x, 0), 6) for each element; the gradient at both kinks is 0.",
    .compose = [](const Args& a, Tensors& out) { out.push_back(call(hardtanh_op, {a.tensor(0), 0, 6})); },
    .in_place = true,
    .samples = on_interval<-2, 9>,
};
Op threshold_op{
    .schema = "threshold(Tensor self, Scalar threshold, Scalar value) -> Tensor",
    .doc = "x where it is above the threshold, value elsewhere.",
    .formula = formula<formulas::Threshold>(),
    .samples = [](Samples& s) { s.add({s.rand({2, 3}), Value(0.5), Value(-1.0)}); },
};
Op leaky_relu_op{
    .schema = "leaky_relu(Tensor self, Scalar negative_slope=0.01) -> Tensor",
    .doc = "x above 0, negative_slope * x elsewhere.",
    .formula = formula<formulas::LeakyRelu>(),
    .samples = [](Samples& s) { s.add({s.rand({2, 3})}); s.add({s.rand({37}), Value(0.2)}); },
};
Op prelu_kernel_op{
    .schema = "_prelu_kernel(Tensor self, Tensor weight) -> Tensor",
    .doc = "self above 0, weight * self elsewhere, with broadcasting.",
    .formula = formula<formulas::PreluKernel>(),
    .samples = broadcasts,
};
Op prelu_op{
    .schema = "prelu(Tensor self, Tensor weight) -> Tensor",
    .doc = "x above 0, weight * x elsewhere; one weight, or one per channel (dimension 1).",
    .compose = prelu,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3, 2}), s.rand({3})});
      s.add({s.rand({2, 3}), s.rand({1})});
      s.add({s.rand({4}), s.rand({})});
      s.error({s.rand({2, 3}), s.rand({2})}, "2 weights for 3 channels");
    },
};
Op hardtanh_op{
    .schema = "hardtanh(Tensor self, Scalar min_val=-1, Scalar max_val=1) -> Tensor",
    .doc = "x held in [min_val, max_val]; the gradient at both is 0.",
    .formula = formula<formulas::Hardtanh>(),
    .no_bool = true,
    .samples = [](Samples& s) { s.add({s.rand({2, 3})}); s.add({s.rand({37}), Value(-1), Value(0.0)}); },
};
Op hardsigmoid_op{
    .schema = "hardsigmoid(Tensor self) -> Tensor",
    .doc = "(x + 3) / 6 held in [0, 1].",
    .formula = formula<formulas::Hardsigmoid>(),
    .samples = on_interval<-5, 5>,
};
Op hardswish_op{
    .schema = "hardswish(Tensor self) -> Tensor",
    .doc = "x * hardsigmoid(x).",
    .formula = formula<formulas::Hardswish>(),
    .samples = on_interval<-5, 5>,
};
Op hardshrink_op{
    .schema = "hardshrink(Tensor self, Scalar lambd=0.5) -> Tensor",
    .doc = "x where |x| > lambd, 0 elsewhere.",
    .formula = formula<formulas::Hardshrink>(),
    .samples = on_interval<-3, 3>,
};
Op softshrink_op{
    .schema = "softshrink(Tensor self, Scalar lambd=0.5) -> Tensor",
    .doc = "x moved by lambd toward 0, 0 where |x| <= lambd.",
    .formula = formula<formulas::Softshrink>(),
    .check = check_lambd,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3})});
      s.add({s.rand({37}), Value(0.2)});
      s.error({s.rand({2}), Value(-1.0)}, "lambd");
    },
};
Op softsign_op{
    .schema = "softsign(Tensor self) -> Tensor",
    .doc = "x / (1 + |x|) for each element.",
    .formula = formula<formulas::Softsign>(),
    .samples = on_interval<-3, 3>,
};
Op gelu_none_op{
    .schema = "_gelu(Tensor self) -> Tensor",
    .doc = "x times the normal distribution function of x.",
    .formula = formula<formulas::Gelu>(),
    .samples = on_interval<-3, 3>,
};
Op gelu_tanh_op{
    .schema = "_gelu_tanh(Tensor self) -> Tensor",
    .doc = "gelu with the distribution function approximated by a hyperbolic tangent.",
    .formula = formula<formulas::GeluTanh>(),
    .samples = on_interval<-3, 3>,
};
Op gelu_op{
    .schema = "gelu(Tensor self, *, str approximate='none') -> Tensor",
    .doc = "x times the normal distribution function of x, exact or ('tanh') approximate.",
    .compose = gelu,
    .in_place = true,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}, -4, 4)});
      s.add({s.rand({37}, -4, 4), s.text("tanh")});
      s.error({s.rand({2}), s.text("sine")}, "'sine'");
    },
};
Op silu_op{
    .schema = "silu(Tensor self) -> Tensor",
    .doc = "x * sigmoid(x) for each element.",
    .formula = formula<formulas::Silu>(),
    .samples = on_interval<-3, 3>,
};
Op elu_op{
    .schema = "elu(Tensor self, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1) -> Tensor",
    .doc = "scale * x above 0, scale * alpha * (exp(input_scale * x) - 1) elsewhere.",
    .formula = formula<formulas::Elu>(),
    .samples = [](Samples& s) { s.add({s.rand({2, 3})}); s.add({s.rand({37}), Value(1.5), Value(0.5), Value(2.0)}); },
};
Op selu_op{
    .schema = "selu(Tensor self) -> Tensor",
    .doc = "elu with the two constants that keep mean 0 and variance 1 through layers.",
    .compose = [](const Args& a, Tensors& out) { out.push_back(call(elu_op, {a.tensor(0), 1.6732632423543772, 1.0507009873554805})); },
    .in_place = true,
    .samples = on_interval<-3, 3>,
};
Op celu_op{
    .schema = "celu(Tensor self, Scalar alpha=1.0) -> Tensor",
    .doc = "x above 0, alpha * (exp(x / alpha) - 1) elsewhere.",
    .compose = celu,
    .in_place = true,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3})});
      s.add({s.rand({37}), Value(0.5)});
      s.error({s.rand({2}), Value(0.0)}, "alpha");
    },
};
Op softplus_op{
    .schema = "softplus(Tensor self, Scalar beta=1, Scalar threshold=20) -> Tensor",
    .doc = "log(1 + exp(beta * x)) / beta; x itself where beta * x is above the threshold.",
    .formula = formula<formulas::Softplus>(),
    .samples = [](Samples& s) { s.add({s.rand({2, 3}, -30, 30)}); s.add({s.rand({37}), Value(0.5), Value(0.8)}); },
};
Op log_sigmoid_op{
    .schema = "log_sigmoid(Tensor self) -> Tensor",
    .doc = "log(sigmoid(x)) for each element, with all digits on both sides.",
    .formula = formula<formulas::LogSigmoid>(),
    .samples = on_interval<-9, 9>,
};
Op mish_op{
    .schema = "mish(Tensor self) -> Tensor",
    .doc = "x * tanh(softplus(x)) for each element.",
    .formula = formula<formulas::Mish>(),
    .samples = on_interval<-3, 3>,
};
Op tanhshrink_op{
    .schema = "tanhshrink(Tensor self) -> Tensor",
    .doc = "x - tanh(x) for each element, with all digits near 0.",
    .formula = formula<formulas::Tanhshrink>(),
    .samples = on_interval<-3, 3>,
};

Op glu_op{
    .schema = "glu(Tensor self, int dim=-1) -> Tensor",
    .doc = "The first half along dim times the sigmoid of the second.",
    .compose = [](const Args& a, Tensors& out) {
      const Tensor& x = a.tensor(0);
      GRADUS_CHECK(x.ndim() > 0, shape, "glu: a tensor of no dimensions");
      const int64_t dim = wrap_dim(a.integer(1), x.ndim(), "glu"), n = x.size(dim);
      GRADUS_CHECK(n % 2 == 0, shape, "glu: dim {} has the odd size {}", dim, n);
      out.push_back(mul(narrow(x, dim, 0, n / 2), sigmoid(narrow(x, dim, n / 2, n / 2))));
    },
    .samples = [](Samples& s) {
      s.add({s.rand({2, 4})});
      s.add({s.rand({4, 3}), Value(0)});
      s.error({s.rand({2, 3})}, "odd size 3");
    },
};

static Op* const all[] = {
    &relu_op, &relu6_op, &threshold_op, &leaky_relu_op, &prelu_kernel_op, &prelu_op, &hardtanh_op, &hardsigmoid_op,
    &hardswish_op, &hardshrink_op, &softshrink_op, &softsign_op, &gelu_none_op, &gelu_tanh_op, &gelu_op, &silu_op,
    &elu_op, &selu_op, &celu_op, &softplus_op, &log_sigmoid_op, &mish_op, &tanhshrink_op, &glu_op,
};
const OpList activation_ops = all;

}  // namespace gradus
