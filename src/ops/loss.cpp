// Losses of pairs of numbers and of vectors. Most are compositions; reduction: 0 each element, 1 the mean, 2 the sum.
#include <cmath>

#include "base/context.h"
#include "kernels/loss.h"
#include "ops/lists.h"
#include "ops/losses.h"
#include "ops/samples.h"

namespace gradus {
namespace {

void finish(const Args& a, Tensors& out, const Tensor& cells, int reduction) {
  check_reduction(a, reduction);
  out.push_back(reduced(cells, a.integer(reduction)));
}
void check_positive(const Args& a, int position, bool zero) {
  const double v = a.real(position);
  GRADUS_CHECK(v > 0 || (zero && v == 0), value, "{}: '{}' {} is {}", name(a.op()), a.op().info->schema.arguments[static_cast<size_t>(position)].name, v,
               zero ? "negative" : "not positive");
}

Tensor difference(const Args& a) {
  GRADUS_CHECK(is_differentiable(a.tensor(0).dtype()), dtype, "{}: not defined for {}", name(a.op()), name(a.tensor(0).dtype()));
  return sub(a.tensor(0), a.tensor(1));
}

// Samples of (self, target, reduction, a number where there is one).
template <int low, int high, bool number> void pairs(Samples& s) {
  for (int reduction : {0, 1, 2}) {
    if (number) s.add({s.rand({2, 3}, low, high), s.rand({2, 3}, low, high), Value(reduction), Value(0.7)});
    else s.add({s.rand({2, 3}, low, high), s.rand({2, 3}, low, high), Value(reduction)});
  }
  s.add({s.rand({}, low, high), s.rand({}, low, high)});
  s.error({s.rand({2, 3}, low, high), s.rand({2, 3}, low, high), Value(7)}, "reduction 7");
}
void signs(Samples& s) {                                      // (self, target of -1 and 1, …)
  s.add({s.rand({2, 3}), s.values({2, 3}, {1, -1, 1, 1, -1, -1})});
  s.add({s.rand({3}), s.values({3}, {1, -1, 1}), Value(0)});
}

Tensor vector_distance(const Tensor& a, const Tensor& b, double p, double eps) {
  const int64_t last = -1;
  return norm(add(sub(a, b), eps), Number(p), {&last, 1});
}

// The one formula where the quadratic part ends at m = min(|d|, limit): no branch, hence no dead one.
// Half floats go through float32: the two terms cancel.
Tensor rounded_corner(const Tensor& size, double limit, double slope) {
  const bool half = size_of(size.dtype()) == 2;
  const Tensor x = half ? to(size, Dtype::f32) : size, m = clamp_max(x, limit);
  const Tensor y = add(mul(m, sub(mul(m, 0.5 / limit * slope), slope)), mul(x, slope));
  return half ? to(y, size.dtype()) : y;
}

// ---- binary cross entropy
Tensor clamped_log(const Tensor& t) { return clamp_min(log(t), -100.0); }
Tensor bce_input(const Call& c, const Tensor& g) {            // (x - t) / (x (1 - x)), held finite at 0 and 1
  const Tensor &x = c.tensor(0), &t = c.tensor(1);
  return mul(g, div(sub(x, t), clamp_min(mul(x, sub(1.0, x)), 1e-12)));
}
Tensor bce_target(const Call& c, const Tensor& g) {
  const Tensor& x = c.tensor(0);
  return mul(g, sub(clamped_log(sub(1.0, x)), clamped_log(x)));
}

void bce_with_logits(const Args& a, Tensors& out) {
  const Tensor &x = a.tensor(0), &t = a.tensor(1);
  check_floating(a);
  GRADUS_CHECK(same(x.sizes(), t.sizes()), shape, "binary_cross_entropy_with_logits: an input of shape {} with a target of shape {}", text(x.sizes()), text(t.sizes()));
  const Tensor right = call(log_sigmoid_op, {x});
  Tensor factor;                                              // of log_sigmoid: 1 + (pos_weight - 1) t
  if (a.has(3)) factor = add(mul(sub(a.tensor(3), 1.0), t), 1.0);
  Tensor cells = sub(mul(sub(1.0, t), x), factor ? mul(factor, right) : right);
  if (a.has(2)) cells = mul(cells, a.tensor(2));
  finish(a, out, cells, 4);
}

void cosine_embedding(const Args& a, Tensors& out) {
  const Dtype types[] = {a.tensor(0).dtype(), a.tensor(1).dtype()};
  if (types[0] == Dtype::boolean || types[1] == Dtype::boolean) {               // as numbers
    const Tensor loss = call(cosine_embedding_loss_op, {to(a.tensor(0), Dtype::f64), to(a.tensor(1), Dtype::f64), a[2], a[3], a[4]});
    return out.push_back(to(loss, is_floating(types[0]) ? types[0] : is_floating(types[1]) ? types[1] : Dtype::f32));
  }
  const Tensor x = as_floating(a, 0), y = as_floating(a, 1), &t = a.tensor(2);
  GRADUS_CHECK((t.ndim() == 0 && x.ndim() == 1 && y.ndim() == 1) || (t.ndim() == 1 && x.ndim() == 2 && y.ndim() == 2), shape,
               "cosine_embedding_loss: inputs of shapes {} and {} with a target of shape {}", text(x.sizes()), text(y.sizes()), text(t.sizes()));
  constexpr double kTiny = 1e-12;
  const int64_t dim = t.ndim();
  const SizesRef dims(&dim, 1);
  const Tensor lengths = sqrt(mul(add(sum(mul(x, x), dims), kTiny), add(sum(mul(y, y), dims), kTiny)));
  const Tensor cosine = div(sum(mul(x, y), dims), lengths);
  const Tensor alike = where(eq(t, 1), sub(1.0, cosine), Value(0.0)), apart = where(eq(t, -1), clamp_min(sub(cosine, a.real(3)), 0.0), Value(0.0));
  finish(a, out, add(alike, apart), 4);
}

void triplet_margin(const Args& a, Tensors& out) {
  const double margin = a.real(3), p = a.real(4), eps = a.real(5);
  const Tensor anchor = as_floating(a, 0), positive = as_floating(a, 1), negative = as_floating(a, 2);
  GRADUS_CHECK(anchor.ndim() == positive.ndim() && anchor.ndim() == negative.ndim(), shape, "triplet_margin_loss: shapes {}, {} and {} differ in their number of dimensions",
               text(anchor.sizes()), text(positive.sizes()), text(negative.sizes()));
  GRADUS_CHECK(margin > 0, value, "triplet_margin_loss: margin {} is not positive", margin);
  const Tensor near = vector_distance(anchor, positive, p, eps);
  Tensor far = vector_distance(anchor, negative, p, eps);
  if (a.flag(6)) far = minimum(far, vector_distance(positive, negative, p, eps));
  finish(a, out, clamp_min(add(sub(near, far), margin), 0.0), 7);
}

void poisson_nll(const Args& a, Tensors& out) {
  const Tensor x = as_floating(a, 0), t = as_floating(a, 1);
  Tensor cells = a.flag(2) ? sub(exp(x), mul(t, x)) : sub(x, mul(t, log(add(x, a.real(4)))));
  if (a.flag(3)) {                                            // Stirling's approximation of log t!
    const Tensor rest = add(sub(mul(t, log(t)), t), mul(log(mul(t, 2 * M_PI)), 0.5));
    cells = add(cells, where(le(t, 1), Value(0.0), rest));
  }
  finish(a, out, cells, 5);
}

void gaussian_nll(const Args& a, Tensors& out) {
  const Tensor& variance = a.tensor(2);
  check_floating(a);
  check_positive(a, 4, false);
  Tensor lift;                                                // brings it to eps at least, unseen by the gradient
  {
    const GradMode off(false);
    lift = sub(clamp_min(variance, a.real(4)), variance);
  }
  const Tensor v = add(variance, lift);
  Tensor cells = mul(add(log(v), div(square(sub(a.tensor(0), a.tensor(1))), v)), 0.5);
  if (a.flag(3)) cells = add(cells, 0.5 * std::log(2 * M_PI));
  finish(a, out, cells, 5);
}

}  // namespace

Op mse_loss_op{
    .schema = "mse_loss(Tensor self, Tensor target, int reduction=Mean) -> Tensor",
    .doc = "The squared difference.",
    .compose = [](const Args& a, Tensors& out) { finish(a, out, square(difference(a)), 2); },
    .samples = pairs<-2, 2, false>,
};
Op l1_loss_op{
    .schema = "l1_loss(Tensor self, Tensor target, int reduction=Mean) -> Tensor",
    .doc = "The absolute difference; the gradient at 0 is 0.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { finish(a, out, abs(difference(a)), 2); },
    .samples = pairs<-2, 2, false>,
};
Op smooth_l1_loss_op{
    .schema = "smooth_l1_loss(Tensor self, Tensor target, int reduction=Mean, float beta=1.0) -> Tensor",
    .doc = "0.5 d^2 / beta for differences under beta, else |d| - 0.5 beta.",
    .compose = [](const Args& a, Tensors& out) {
      check_positive(a, 3, true);
      const Tensor size = abs(difference(a));
      finish(a, out, a.real(3) == 0 ? size : rounded_corner(size, a.real(3), 1), 2);
    },
    .samples = pairs<-2, 2, true>,
};
Op huber_loss_op{
    .schema = "huber_loss(Tensor self, Tensor target, int reduction=Mean, float delta=1.0) -> Tensor",
    .doc = "0.5 d^2 for differences under delta, else delta (|d| - 0.5 delta).",
    .compose = [](const Args& a, Tensors& out) {
      check_positive(a, 3, false);
      finish(a, out, rounded_corner(abs(difference(a)), a.real(3), a.real(3)), 2);
    },
    .samples = pairs<-2, 2, true>,
};
Op bce_op{
    .schema = "_binary_cross_entropy(Tensor self, Tensor target) -> Tensor",
    .doc = "binary_cross_entropy by element.",
    .shape = [](const Args& a, Metas& out) {
      const Tensor &x = a.tensor(0), &t = a.tensor(1);
      GRADUS_CHECK(is_floating(x.dtype()) && x.dtype() == t.dtype(), dtype, "binary_cross_entropy: {} with a target of {}", name(x.dtype()), name(t.dtype()));
      GRADUS_CHECK(same(x.sizes(), t.sizes()), shape, "binary_cross_entropy: an input of shape {} with a target of shape {}", text(x.sizes()), text(t.sizes()));
      out.push_back(x.meta());
    },
    .kernel = [](const Args& a, const Tensors& out) {
      const GradMode off(false);
      const bool half = out[0].dtype() == Dtype::f16 || out[0].dtype() == Dtype::bf16;
      const auto wide = [&](const Tensor& t) { return row_major(half ? to(t, Dtype::f32) : t); };
      const Tensor x = wide(a.tensor(0)), t = wide(a.tensor(1)), y = half ? empty(Dtype::f32, x.sizes()) : out[0];
      kernels::binary_cross_entropy(view_of(y), view_of(x), view_of(t));
      if (half) call_in_place(copy_op, {out[0], y});
    },
    .vjp = {bce_input, bce_target},
    .save = input(0) | input(1),
};
Op binary_cross_entropy_op{
    .schema = "binary_cross_entropy(Tensor self, Tensor target, Tensor? weight=None, int reduction=Mean) -> Tensor",
    .doc = "-(t log(x) + (1 - t) log(1 - x)) for x in [0, 1], with logarithms held above -100.",
    .compose = [](const Args& a, Tensors& out) {
      const Tensor cells = call(bce_op, {a.tensor(0), a.tensor(1)});
      finish(a, out, a.has(2) ? mul(cells, a.tensor(2)) : cells, 3);
    },
    .samples = [](Samples& s) {
      for (int reduction : {0, 1, 2}) s.add({s.rand({2, 3}, 0.1, 0.9), s.rand({2, 3}, 0, 1), s.rand({2, 3}, 0.5, 2), Value(reduction)});
      s.add({s.rand({3}, 0.1, 0.9), s.values({3}, {0, 1, 1})});
      s.error({s.values({2}, {0.5, 1.5}), s.values({2}, {0, 1})}, "1.5 at 1 is outside [0, 1]");
      s.error({s.rand({2}, 0, 1), s.rand({3}, 0, 1)}, "a target of shape [3]");
    },
};
Op binary_cross_entropy_with_logits_op{
    .schema = "binary_cross_entropy_with_logits(Tensor self, Tensor target, Tensor? weight=None, Tensor? pos_weight=None, int reduction=Mean) -> Tensor",
    .doc = "binary_cross_entropy of sigmoid(self), without the loss of digits; pos_weight multiplies the part of positive targets.",
    .compose = bce_with_logits,
    .samples = [](Samples& s) {
      for (int reduction : {0, 1, 2}) s.add({s.rand({2, 3}), s.rand({2, 3}, 0, 1), s.rand({3}, 0.5, 2), s.rand({3}, 0.5, 2), Value(reduction)});
      s.add({s.values({3}, {-60, 0, 60}), s.values({3}, {1, 1, 0})});
      s.error({s.rand({2}), s.rand({3})}, "a target of shape [3]");
    },
};
Op kl_div_op{
    .schema = "kl_div(Tensor self, Tensor target, int reduction=Mean, *, bool log_target=False) -> Tensor",
    .doc = "t (log(t) - x) where x is a logarithm already, and t too if log_target.",
    .compose = [](const Args& a, Tensors& out) {
      const Tensor &x = a.tensor(0), &t = a.tensor(1);
      check_floating(a);
      finish(a, out, a.flag(3) ? mul(exp(t), sub(t, x)) : sub(xlogy(t, t), mul(t, x)), 2);
    },
    .samples = [](Samples& s) {
      for (int reduction : {0, 1, 2}) s.add({s.rand({2, 3}), s.rand({2, 3}, 0.1, 1), Value(reduction)});
      s.add({s.rand({3}), s.rand({3}), Value(1), Value(true)});
      s.error({s.rand({2}), s.rand({2}), Value(-1)}, "reduction -1");
    },
};
Op soft_margin_loss_op{
    .schema = "soft_margin_loss(Tensor self, Tensor target, int reduction=Mean) -> Tensor",
    .doc = "log(1 + exp(-t x)).",
    .compose = [](const Args& a, Tensors& out) {
      check_floating(a);
      finish(a, out, neg(call(log_sigmoid_op, {mul(a.tensor(0), a.tensor(1))})), 2);
    },
    .samples = [](Samples& s) { signs(s); s.error({s.rand({2}), s.rand({2}), Value(7)}, "reduction 7"); },
};
Op hinge_embedding_loss_op{
    .schema = "hinge_embedding_loss(Tensor self, Tensor target, float margin=1.0, int reduction=Mean) -> Tensor",
    .doc = "x where the target is 1, max(0, margin - x) where it is -1.",
    .compose = [](const Args& a, Tensors& out) {
      const Tensor x = as_floating(a, 0), &t = a.tensor(1);
      const Tensor far = where(ne(t, 1), clamp_min(sub(a.real(2), x), 0.0), Value(0.0)), near = where(ne(t, -1), x, Value(0.0));
      finish(a, out, add(far, near), 3);
    },
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.values({2, 3}, {1, -1, 1, 1, -1, -1}), Value(0.5)});
      s.add({s.rand({3}), s.values({3}, {1, -1, 1}), Value(1), Value(0)});
      s.error({s.rand({2}), s.rand({2}), Value(1), Value(7)}, "reduction 7");
    },
};
Op margin_ranking_loss_op{
    .schema = "margin_ranking_loss(Tensor input1, Tensor input2, Tensor target, float margin=0.0, int reduction=Mean) -> Tensor",
    .doc = "max(0, margin - t (x1 - x2)).",
    .compose = [](const Args& a, Tensors& out) {
      finish(a, out, clamp_min(sub(a.real(3), mul(a.tensor(2), sub(as_floating(a, 0), as_floating(a, 1)))), 0.0), 4);
    },
    .samples = [](Samples& s) {
      s.add({s.rand({4}), s.rand({4}), s.values({4}, {1, -1, 1, -1}), Value(0.3)});
      s.error({s.rand({4}), s.rand({3}), s.values({4}, {1, -1, 1, -1})}, "4 and 3 differ");
    },
};
Op cosine_embedding_loss_op{
    .schema = "cosine_embedding_loss(Tensor input1, Tensor input2, Tensor target, float margin=0.0, int reduction=Mean) -> Tensor",
    .doc = "1 - cosine where the target is 1, max(0, cosine - margin) where it is -1.",
    .compose = cosine_embedding,
    .samples = [](Samples& s) {
      s.add({s.rand({3, 4}), s.rand({3, 4}), s.values({3}, {1, -1, 1}), Value(0.1)});
      s.add({s.rand({4}), s.rand({4}), s.values({}, {-1}), Value(-0.9)});
      s.error({s.rand({4}), s.rand({4}), s.values({1}, {1})}, "a target of shape [1]");
    },
};
Op triplet_margin_loss_op{
    .schema = "triplet_margin_loss(Tensor anchor, Tensor positive, Tensor negative, float margin=1.0, float p=2, float eps=1e-06, bool swap=False, int reduction=Mean) -> Tensor",
    .doc = "max(0, margin + distance to the positive - distance to the negative), distances of order p.",
    .complex = true,
    .compose = triplet_margin,
    .samples = [](Samples& s) {
      s.add({s.rand({3, 4}), s.rand({3, 4}), s.rand({3, 4})});
      s.add({s.rand({3, 4}), s.rand({3, 4}), s.rand({3, 4}), Value(2), Value(3), Value(1e-6), Value(true), Value(0)});
      s.error({s.rand({3, 4}), s.rand({3, 4}), s.rand({3, 4}), Value(0)}, "margin 0");
    },
};
Op poisson_nll_loss_op{
    .schema = "poisson_nll_loss(Tensor input, Tensor target, bool log_input, bool full, float eps, int reduction) -> Tensor",
    .doc = "exp(x) - t x for logarithms of rates, x - t log(x + eps) for rates; full adds Stirling's approximation of log t! for t > 1.",
    .compose = poisson_nll,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.rand({2, 3}, 0.2, 4), Value(true), Value(true), Value(1e-8), Value(1)});
      s.add({s.rand({3}, 0.5, 2), s.rand({3}, 0, 4), Value(false), Value(false), Value(1e-8), Value(0)});
      s.error({s.rand({2}), s.rand({2}), Value(true), Value(false), Value(1e-8), Value(7)}, "reduction 7");
    },
};
Op gaussian_nll_loss_op{
    .schema = "gaussian_nll_loss(Tensor input, Tensor target, Tensor var, bool full=False, float eps=1e-06, int reduction=Mean) -> Tensor",
    .doc = "0.5 (log(var) + (x - t)^2 / var), with var held above eps; full adds 0.5 log(2 pi).",
    .compose = gaussian_nll,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.rand({2, 3}), s.rand({2, 3}, 0.5, 2), Value(true)});
      s.add({s.rand({3}), s.rand({3}), s.rand({3}, 0.5, 2), Value(false), Value(1e-6), Value(0)});
      s.error({s.rand({3}), s.rand({3}), s.rand({3}, 0.5, 2), Value(false), Value(0)}, "'eps' 0 is not positive");
    },
};
Op multilabel_soft_margin_loss_op{
    .schema = "multilabel_soft_margin_loss(Tensor input, Tensor target, Tensor? weight=None, int reduction=Mean) -> Tensor",
    .doc = "The mean over the last dimension of -(t log(sigmoid(x)) + (1 - t) log(sigmoid(-x))).",
    .compose = [](const Args& a, Tensors& out) {
      const Tensor &x = a.tensor(0), &t = a.tensor(1);
      check_floating(a);
      const int64_t last = -1;
      Tensor cells = neg(add(mul(t, call(log_sigmoid_op, {x})), mul(sub(1.0, t), call(log_sigmoid_op, {neg(x)}))));
      if (a.has(2)) cells = mul(cells, a.tensor(2));
      finish(a, out, mean(cells, {&last, 1}), 3);
    },
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.values({2, 3}, {1, 0, 1, 1, 0, 0}), s.rand({3}, 0.5, 2)});
      s.add({s.rand({3}), s.values({3}, {1, 0, 1}), Value(std::nullopt), Value(0)});
      s.error({s.rand({2, 3}), s.rand({2, 2})}, "2 and 3 differ");
    },
};

static Op* const all[] = {&mse_loss_op, &l1_loss_op, &smooth_l1_loss_op, &huber_loss_op, &bce_op, &binary_cross_entropy_op, &binary_cross_entropy_with_logits_op,
                          &kl_div_op, &soft_margin_loss_op, &hinge_embedding_loss_op, &margin_ranking_loss_op, &cosine_embedding_loss_op, &triplet_margin_loss_op,
                          &poisson_nll_loss_op, &gaussian_nll_loss_op, &multilabel_soft_margin_loss_op};
const OpList loss_ops = all;

}  // namespace gradus
