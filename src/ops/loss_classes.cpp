// Losses over classes: nll_loss, cross_entropy_loss and what they are made of.
#include <cmath>

#include "base/context.h"
#include "kernels/loss.h"
#include "ops/lists.h"
#include "ops/losses.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

// Scores are [C] or [N, C, d1, …], classes [] or [N, d1, …].
void check_shapes(const Args& a, const Tensor& x, const Tensor& t, const Tensor& weight) {
  GRADUS_CHECK(is_floating(x.dtype()), dtype, "{}: not defined for {}", name(a.op()), name(x.dtype()));
  GRADUS_CHECK(t.dtype() == Dtype::i64, dtype, "{}: classes must be int64, not {}", name(a.op()), name(t.dtype()));
  Sizes want(x.sizes());
  if (x.ndim() > 0) want.erase(x.ndim() == 1 ? 0 : 1);
  GRADUS_CHECK(x.ndim() > 0 && same(t.sizes(), want), shape, "{}: scores of shape {} with classes of shape {}", name(a.op()), text(x.sizes()), text(t.sizes()));
  if (!weight) return;
  GRADUS_CHECK(weight.dtype() == x.dtype(), dtype, "{}: scores of {} with a weight of {}", name(a.op()), name(x.dtype()), name(weight.dtype()));
  GRADUS_CHECK(weight.ndim() == 1 && weight.size(0) == x.size(x.ndim() == 1 ? 0 : 1), shape, "{}: a weight of shape {} for scores of shape {}", name(a.op()),
               text(weight.sizes()), text(x.sizes()));
}

// The arguments of a kernel over classes: scores, target, weight, reduction and ignore_index from position `at` on.
struct ClassArgs {
  Tensor scores, target, weight;
  kernels::Classes classes;

  ClassArgs(const Args& a, int at) : scores(row_major(a.tensor(at))), target(row_major(a.tensor(at + 1))), weight(a.optional_tensor(at + 2)) {
    if (weight) weight = row_major(weight);
    const int64_t n = scores.ndim();
    classes.dtype = scores.dtype();
    classes.scores = scores.impl()->data();
    classes.target = target.data<int64_t>();
    classes.weight = weight ? weight.impl()->data() : nullptr;
    classes.rows = n == 1 ? 1 : scores.size(0);
    classes.classes = scores.size(n == 1 ? 0 : 1);
    for (int64_t d = 2; d < n; ++d) classes.inner *= scores.size(d);
    classes.ignored = a.integer(at + 4);
    classes.reduction = static_cast<kernels::Reduction>(a.integer(at + 3));
    kernels::check_classes(classes, public_name(name(a.op())));
  }
  static std::string_view public_name(std::string_view op) { return op.starts_with("nll") ? "nll_loss" : "cross_entropy_loss"; }
};

void forward_shape(const Args& a, Metas& out) {               // (scores, target, weight, reduction, ignore_index)
  const Tensor &x = a.tensor(0), &t = a.tensor(1);
  check_reduction(a, 3);
  check_shapes(a, x, t, a.optional_tensor(2));
  out.push_back({x.dtype(), a.integer(3) == 0 ? Sizes(t.sizes()) : Sizes()});
  out.push_back({x.dtype(), {}});
}
void backward_shape(const Args& a, Metas& out) {              // (g, scores, target, weight, reduction, ignore_index, …)
  check_reduction(a, 4);
  check_shapes(a, a.tensor(1), a.tensor(2), a.optional_tensor(3));
  const SizesRef want = a.integer(4) == 0 ? a.tensor(2).sizes() : SizesRef();
  GRADUS_CHECK(same(a.tensor(0).sizes(), want), shape, "{}: a gradient of shape {} for a loss of shape {}", name(a.op()), text(a.tensor(0).sizes()), text(want));
  GRADUS_CHECK(a.tensor(0).dtype() == a.tensor(1).dtype(), dtype, "{}: a gradient of {} for scores of {}", name(a.op()), name(a.tensor(0).dtype()), name(a.tensor(1).dtype()));
  out.push_back(a.tensor(1).meta());
}

void nll_compose(const Args& a, Tensors& out) { out.push_back(call(nll_loss_forward_op, {a[0], a[1], a[2], a[3], a[4]})); }

// Per cell and without weights, minus the score of the right class, with the class dimension kept at size 1.
Tensor minus_right(const Tensor& x, const Tensor& target, int64_t ignored) {
  const Tensor t = call(nll_loss_forward_op, {x, target, std::nullopt, 0, ignored});
  Sizes sizes(t.sizes());
  sizes.insert(x.ndim() == 1 ? 0 : 1, 1);
  return reshape(t, sizes);
}

// ---- rules
Tensor plain_nll(const Tensor& x, const Value& target, const Value& weight, int64_t reduction, int64_t ignored) {
  return call(nll_loss_forward_op, {x, target, weight, reduction, ignored});
}
// The sums by class of one number per cell; scores only say how many classes there are.
Tensor by_class(const Tensor& cells, const Tensor& scores, const Tensor& target, int64_t ignored) {
  const Tensor spread = call(nll_loss_backward_op, {expand(cells, target.sizes()), scores, target, std::nullopt, 0, ignored, zeros({}, scores.dtype())});
  Sizes dims;
  for (int64_t d = 0; d < scores.ndim(); ++d)
    if (d != (scores.ndim() == 1 ? 0 : 1)) dims.push_back(d);
  return neg(dims.empty() ? spread : sum(spread, dims));
}

Tensor nll_scores(const Call& c, const Tensor& g) {
  return call(nll_loss_backward_op, {g, c.tensor(0), c.tensor(1), c.args()[2], c.args()[3], c.args()[4], c.output(1)});
}
// Of out = sum(w l) / W and W = sum(w): by cell g (l - out) / W + g_W, or g l + g_W without the mean.
Tensor nll_weight(const Call& c, const Tensor& g) {
  const Tensor &x = c.tensor(0), &target = c.tensor(1);
  Tensor cells = plain_nll(x, c.args()[1], std::nullopt, 0, c.integer(4));
  if (c.integer(3) == 1) {
    const Tensors both = call_all(nll_loss_forward_op, {x, target, c.args()[2], 1, c.args()[4]});
    cells = div(sub(cells, both[0]), both[1]);
  }
  return by_class(add(mul(cells, g), c.grad(1)), x, target, c.integer(4));
}

// The loss is linear in its scores, so is its gradient in g: v -> the loss of v.
Tensor nll_of(const Call& c, const Tensor& v, bool weighted) {
  const int64_t reduction = c.integer(4);
  if (!weighted) {
    const Tensor cells = mul(plain_nll(v, c.args()[2], std::nullopt, 0, c.integer(5)), c.tensor(0));
    return reduction == 1 ? div(cells, c.tensor(6)) : cells;
  }
  const Tensor s = plain_nll(v, c.args()[2], c.args()[3], reduction == 1 ? 2 : reduction, c.integer(5));
  return reduction == 1 ? div(s, c.tensor(6)) : s;
}
Tensor nll_backward_total(const Call& c, const Tensor& v) {
  return c.integer(4) == 1 ? neg(div(mul(c.tensor(0), nll_of(c, v, true)), c.tensor(6))) : Tensor();
}

// ---- cross entropy
Tensor shared(const Tensor& total, int64_t reduction, const Tensor& sums) { return reduction == 1 ? div(sums, total) : sums; }

Tensor smoothed(const Args& a, const Tensor& log_p, int64_t dim) {
  const double smoothing = a.real(5);
  const int64_t reduction = a.integer(3), classes = log_p.size(dim);
  Tensors plain;
  plain = call_all(nll_loss_forward_op, {log_p, a[1], a[2], reduction, a[4]});
  Tensor weighted = log_p;
  if (a.has(2)) {
    Sizes sizes(static_cast<size_t>(log_p.ndim()), 1);
    sizes[static_cast<size_t>(dim)] = classes;
    weighted = mul(log_p, reshape(a.tensor(2), sizes));
  }
  Tensor rest = neg(sum(weighted, {&dim, 1}, false, log_p.dtype()));
  rest = where(eq(a.tensor(1), Value(a.integer(4))), Value(0.0), rest);
  if (reduction != 0) rest = shared(plain[1], reduction, sum(rest));
  return add(mul(plain[0], 1 - smoothing), mul(rest, smoothing / static_cast<double>(classes)));
}

Tensor from_probabilities(const Args& a, int64_t dim) {
  const Tensor &x = a.tensor(0), &given = a.tensor(1);
  const double smoothing = a.real(5);
  const int64_t classes = x.size(dim);
  GRADUS_CHECK(same(x.sizes(), given.sizes()), shape, "cross_entropy_loss: scores of shape {} with probabilities of shape {}", text(x.sizes()), text(given.sizes()));
  const Tensor p = smoothing > 0 ? add(mul(given, 1 - smoothing), smoothing / static_cast<double>(classes)) : given;
  Tensor cells = mul(log_softmax(x, dim), p);
  if (a.has(2)) {
    GRADUS_CHECK(a.tensor(2).ndim() == 1 && a.tensor(2).size(0) == classes, shape, "cross_entropy_loss: a weight of shape {} for scores of shape {}",
                 text(a.tensor(2).sizes()), text(x.sizes()));
    Sizes sizes(static_cast<size_t>(x.ndim()), 1);
    sizes[static_cast<size_t>(dim)] = classes;
    cells = mul(cells, reshape(a.tensor(2), sizes));
  }
  if (a.integer(3) == 0) return neg(sum(cells, {&dim, 1}, false, cells.dtype()));
  const Tensor all = neg(sum(cells));
  return a.integer(3) == 1 ? div(all, static_cast<double>(x.numel()) / static_cast<double>(classes)) : all;
}

void cross_entropy(const Args& a, Tensors& out) {
  const Tensor &x = a.tensor(0), &target = a.tensor(1);
  check_reduction(a, 3);
  GRADUS_CHECK(a.real(5) >= 0 && a.real(5) <= 1, value, "cross_entropy_loss: label_smoothing {} is outside [0, 1]", a.real(5));
  GRADUS_CHECK(x.ndim() > 0, shape, "cross_entropy_loss: scores without a dimension of classes");
  const int64_t dim = x.ndim() == 1 ? 0 : 1;
  if (is_floating(target.dtype())) return out.push_back(from_probabilities(a, dim));
  const Tensor classes = target.dtype() == Dtype::i64 || target.dtype() == Dtype::boolean ? target : to(target, Dtype::i64);
  check_shapes(a, x, classes, a.optional_tensor(2));
  const Value v[] = {a[0], Value(classes), a[2], a[3], a[4], a[5]};
  const Args with_classes(a.op(), v);
  if (a.real(5) > 0) return out.push_back(smoothed(with_classes, log_softmax(x, dim), dim));
  const bool learnt_weight = a.has(2) && context().grad_mode && a.tensor(2).wants_grad();
  if (x.ndim() == 2 && x.size(1) > 0 && !learnt_weight && (x.dtype() == Dtype::f32 || x.dtype() == Dtype::f64))
    return out.push_back(call(cross_entropy_op, {a[0], Value(classes), a[2], a[3], a[4]}));
  out.push_back(call(nll_loss_forward_op, {log_softmax(x, dim), classes, a[2], a[3], a[4]}));
}

// ---- samples
Value classes_of(Samples& s, std::initializer_list<int64_t> sizes, int64_t n) { return s.integers(sizes, 0, n); }
void nll_samples(Samples& s) {
  for (int reduction : {0, 1, 2}) s.add({s.rand({3, 4}), classes_of(s, {3}, 4), s.rand({4}, 0.5, 2), Value(reduction), Value(-100)});
  s.add({s.rand({4}), s.values({}, {2}, Dtype::i64), Value(std::nullopt), Value(1), Value(-100)});
  s.add({s.rand({3, 2}), s.values({3}, {0, -1, 1}, Dtype::i64), Value(std::nullopt), Value(1), Value(-1)});
  s.add({s.rand({2, 3, 2, 2}), classes_of(s, {2, 2, 2}, 3), Value(std::nullopt), Value(0), Value(-100)});
  s.error({s.rand({2, 3}), s.values({2}, {0, 3}, Dtype::i64), Value(std::nullopt), Value(1), Value(-100)}, "target 3 at 1 is none of 3 classes");
  s.error({s.rand({2, 3}), classes_of(s, {3}, 3), Value(std::nullopt), Value(1), Value(-100)}, "with classes of shape [3]");
}

// Targets of a row are its classes up to the first negative one; every other class should stay 1 below each of them.
void multilabel_margin(const Args& a, Tensors& out) {
  const Tensor &x = a.tensor(0), &t = a.tensor(1);
  GRADUS_CHECK(is_floating(x.dtype()) && t.dtype() == Dtype::i64, dtype, "multilabel_margin_loss: scores of {} with targets of {}", name(x.dtype()), name(t.dtype()));
  check_reduction(a, 2);
  const Tensor scores = x.ndim() == 0 ? unsqueeze(x, 0) : x, classes = t.ndim() == 0 ? unsqueeze(t, 0) : t;
  GRADUS_CHECK(x.ndim() <= 2 && same(scores.sizes(), classes.sizes()) && scores.size(-1) > 0, shape,
               "multilabel_margin_loss: scores of shape {} with targets of shape {}, not [C] or [N, C] both", text(x.sizes()), text(t.sizes()));
  const int64_t last[] = {-2, -1};
  const Tensor counts = call(cumprod_op, {to(ge(classes, 0), scores.dtype()), -1}), indices = clamp_min(classes, 0);
  const Tensor hits = scatter_add(zeros(scores.sizes(), scores.dtype()), -1, indices, counts);
  const Tensor margins = relu(add(sub(1.0, unsqueeze(gather(scores, -1, indices), -1)), unsqueeze(scores, -2)));
  const Tensor counted = logical_and(unsqueeze(ne(counts, 0), -1), unsqueeze(eq(hits, 0), -2));
  const Tensor rows = div(sum(where(counted, margins, 0.0), last), static_cast<double>(scores.size(-1)));
  out.push_back(reduced(rows, a.integer(2)));
}

}  // namespace

Op nll_loss_forward_op{
    .schema = "nll_loss_forward(Tensor self, Tensor target, Tensor? weight, int reduction, int ignore_index) -> (Tensor output, Tensor total_weight)",
    .doc = "Minus the weighted score of the right class by cell, summed or averaged; and the sum of the weights that counted.",
    .serves = "nll_loss2d_forward",
    .shape = forward_shape,
    .kernel = [](const Args& a, const Tensors& out) { kernels::nll(ClassArgs(a, 0).classes, out[0].impl()->data(), out[1].impl()->data()); },
    .vjp = {nll_scores, nullptr, nll_weight},
    .save = input(0) | input(1) | input(2) | output(1),
    .samples = nll_samples,
};
Op nll_loss_backward_op{
    .schema = "nll_loss_backward(Tensor grad_output, Tensor self, Tensor target, Tensor? weight, int reduction, int ignore_index, Tensor total_weight) -> Tensor",
    .doc = "The gradient of nll_loss_forward with respect to the scores.",
    .serves = "nll_loss2d_backward",
    .shape = backward_shape,
    .kernel = [](const Args& a, const Tensors& out) {
      kernels::nll_backward(ClassArgs(a, 1).classes, row_major(a.tensor(0)).impl()->data(), a.tensor(6).impl()->data(), out[0].impl()->data());
    },
    .vjp = {[](const Call& c, const Tensor& v) { return nll_of(c, v, true); }, nullptr, nullptr,
            [](const Call& c, const Tensor& v) { return by_class(nll_of(c, v, false), v, c.tensor(2), c.integer(5)); }, nll_backward_total},
    .save = input(0) | input(2) | input(3) | input(4),
    .samples = [](Samples& s) {
      s.add({s.rand({3}), s.rand({3, 4}), classes_of(s, {3}, 4), s.rand({4}, 0.5, 2), Value(0), Value(-100), s.rand({}, 1, 2)});
      s.add({s.rand({}), s.rand({3, 4}), classes_of(s, {3}, 4), s.rand({4}, 0.5, 2), Value(1), Value(-100), s.rand({}, 1, 2)});
      s.error({s.rand({2}), s.rand({3, 4}), classes_of(s, {3}, 4), Value(std::nullopt), Value(1), Value(-100), s.rand({}, 1, 2)}, "for a loss of shape []");
    },
};

Op nll_loss_op{
    .schema = "nll_loss(Tensor self, Tensor target, Tensor? weight=None, int reduction=Mean, int ignore_index=-100) -> Tensor",
    .doc = "Minus the score of the right class, where the scores are logarithms of probabilities. Scores are [C] or [N, C, …], targets [] or "
           "[N, …]. Averaged by weight; NaN when every class is ignored.",
    .compose = nll_compose,
    .samples = nll_samples,
};
Op nll_loss2d_op{
    .schema = "nll_loss2d(Tensor self, Tensor target, Tensor? weight=None, int reduction=Mean, int ignore_index=-100) -> Tensor",
    .doc = "nll_loss of images: scores [N, C, H, W], targets [N, H, W].",
    .compose = nll_compose,
    .samples = nll_samples,
};
Op nll_loss_nd_op{
    .schema = "nll_loss_nd(Tensor self, Tensor target, Tensor? weight=None, int reduction=Mean, int ignore_index=-100) -> Tensor",
    .doc = "nll_loss of any number of dimensions.",
    .compose = nll_compose,
    .samples = nll_samples,
};

Op cross_entropy_op{
    .schema = "_cross_entropy(Tensor self, Tensor target, Tensor? weight, int reduction, int ignore_index) -> (Tensor output, Tensor total_weight, Tensor logsumexp)",
    .doc = "nll_loss of log_softmax over rows, in one pass; and by row log(sum(exp(self))).",
    .shape = [](const Args& a, Metas& out) {
      forward_shape(a, out);
      out.push_back({a.tensor(0).dtype(), Sizes{a.tensor(0).size(0)}});
    },
    .kernel = [](const Args& a, const Tensors& out) {
      kernels::cross_entropy(ClassArgs(a, 0).classes, out[0].impl()->data(), out[1].impl()->data(), out[2].impl()->data());
    },
    .vjp = {[](const Call& c, const Tensor& g) {
      return call(cross_entropy_backward_op, {g, c.tensor(0), c.tensor(1), c.args()[2], c.args()[3], c.args()[4], c.output(1), c.output(2)});
    }},
    .save = input(0) | input(1) | input(2) | output(1) | output(2),
};
// With p = softmax(x) and k the right class: g w (p - onehot(k)), and for an incoming v, r = sum(p v):
// d/dg = w (r - v_k), d/dx = g w p (v - r).
Op cross_entropy_backward_op{
    .schema = "_cross_entropy_backward(Tensor grad_output, Tensor self, Tensor target, Tensor? weight, int reduction, int ignore_index, Tensor total_weight, "
              "Tensor logsumexp) -> Tensor",
    .doc = "The gradient of _cross_entropy with respect to the scores.",
    .shape = backward_shape,
    .kernel = [](const Args& a, const Tensors& out) {
      kernels::cross_entropy_backward(ClassArgs(a, 1).classes, row_major(a.tensor(0)).impl()->data(), a.tensor(6).impl()->data(), a.tensor(7).impl()->data(),
                                      out[0].impl()->data());
    },
    .vjp_all = [](const Call& c, Tensors& d) {
      const Tensor &g = c.tensor(0), &x = c.tensor(1), &v = c.grad(0);
      const int64_t dim = 1;
      const Tensor p = softmax(x, dim), r = sum(mul(p, v), {&dim, 1}, true), centred = sub(v, r);
      const Value &target = c.args()[2], &weight = c.args()[3], &reduction = c.args()[4], &ignored = c.args()[5];
      d[0] = call(nll_loss_forward_op, {centred, target, weight, reduction, ignored});
      const Tensor minus_gw = sum(call(nll_loss_backward_op, {g, x, target, weight, reduction, ignored, c.tensor(6)}), {&dim, 1}, true);
      d[1] = neg(mul(minus_gw, mul(p, centred)));
    },
    .save = input(0) | input(1) | input(2) | input(3) | input(4),
};
Op cross_entropy_loss_op{
    .schema = "cross_entropy_loss(Tensor self, Tensor target, Tensor? weight=None, int reduction=Mean, int ignore_index=-100, float label_smoothing=0.0) -> Tensor",
    .doc = "Minus the logarithm of the softmax of the scores at the right class; or, where target has the shape and kind of the scores, the cross "
           "entropy with these probabilities. Scores are [C] or [N, C, …]. Averaged by weight; NaN when every class is ignored.",
    .compose = cross_entropy,
    .samples = [](Samples& s) {
      for (int reduction : {0, 1, 2}) s.add({s.rand({3, 4}), classes_of(s, {3}, 4), s.rand({4}, 0.5, 2), Value(reduction)});
      s.add({s.rand({3, 5}), s.values({3}, {0, -1, 1}, Dtype::i64), Value(std::nullopt), Value(1), Value(-1)});
      s.add({s.rand({4}), s.values({}, {2}, Dtype::i64)});
      s.add({s.rand({2, 3, 2}), classes_of(s, {2, 2}, 3), s.rand({3}, 0.5, 2)});
      s.add({s.rand({3, 4}), s.values({3}, {0, -1, 3}, Dtype::i64), s.rand({4}, 0.5, 2), Value(1), Value(-1), Value(0.1)});
      s.add({s.rand({2, 3}), classes_of(s, {2}, 3), Value(std::nullopt), Value(0), Value(-100), Value(0.3)});
      s.add({s.rand({2, 3, 2}), s.rand({2, 3, 2}, 0, 1), s.rand({3}, 0.5, 2), Value(1), Value(-100), Value(0.1)});
      s.add({s.rand({2, 3}), s.rand({2, 3}, 0, 1), Value(std::nullopt), Value(0)});
      s.error({s.rand({2, 3}), s.values({2}, {0, 3}, Dtype::i64)}, "target 3 at 1 is none of 3 classes");
      s.error({s.rand({2, 3}), s.rand({2, 2})}, "with probabilities of shape [2, 2]");
      s.error({s.rand({2, 3}), classes_of(s, {2}, 3), Value(std::nullopt), Value(3)}, "reduction 3");
    },
};

Op multi_margin_loss_op{
    .schema = "multi_margin_loss(Tensor self, Tensor target, Scalar p=1, Scalar margin=1, Tensor? weight=None, int reduction=Mean) -> Tensor",
    .doc = "The mean over the wrong classes and the right one of max(0, margin - score of the right one + score)^p, which for the right one counts 0.",
    .compose = [](const Args& a, Tensors& out) {
      Tensor x = a.tensor(0), target = a.tensor(1);
      const Sizes cells_of(target.sizes());
      if (x.ndim() == 0) x = reshape(x, Sizes{1});              // one score; and one class may come as [1]
      if (x.ndim() == 1 && target.ndim() == 1 && target.numel() == 1) target = reshape(target, Sizes{});
      const double p = a.number(2).f, margin = a.number(3).f;
      check_reduction(a, 5);
      check_shapes(a, x, target, a.optional_tensor(4));
      GRADUS_CHECK(x.ndim() <= 2, shape, "multi_margin_loss: scores of shape {}, not [C] or [N, C]", text(x.sizes()));
      GRADUS_CHECK(p == 1 || p == 2, value, "multi_margin_loss: p {} is not 1 or 2", p);
      const int64_t dim = x.ndim() - 1;
      Tensor z = clamp_min(add(add(x, minus_right(x, target, INT64_MIN)), margin), 0.0);
      if (p == 2) z = square(z);
      Tensor cells = div(sub(sum(z, {&dim, 1}), std::pow(std::max(margin, 0.0), p)), static_cast<double>(x.size(dim)));
      if (a.has(4)) {
        const Tensor weights = expand(a.tensor(4), x.sizes());
        cells = mul(cells, neg(call(nll_loss_forward_op, {weights, target, std::nullopt, 0, INT64_MIN})));
      }
      out.push_back(reduced(reshape(cells, cells_of), a.integer(5)));
    },
    .samples = [](Samples& s) {
      s.add({s.rand({3, 4}), classes_of(s, {3}, 4)});
      s.add({s.rand({4}), classes_of(s, {1}, 4), Value(1), Value(1), Value(std::nullopt), Value(0)});
      s.add({s.rand({}), classes_of(s, {}, 1)});
      s.add({s.rand({3, 4}), classes_of(s, {3}, 4), Value(2), Value(0.5), s.rand({4}, 0.5, 2), Value(0)});
      s.error({s.rand({3, 4}), classes_of(s, {3}, 4), Value(3)}, "p 3 is not 1 or 2");
    },
};

Op multilabel_margin_loss_op{
    .schema = "multilabel_margin_loss(Tensor self, Tensor target, int reduction=Mean) -> Tensor",
    .doc = "Hinge loss with several classes per row, listed in target up to the first -1: the sum of max(0, 1 - (x[target] - x[other])) / C.",
    .compose = multilabel_margin,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 4}), s.values({2, 4}, {3, 0, -1, 1, -1, 2, 1, 0}, Dtype::i64)});
      s.add({s.rand({3}), s.values({3}, {2, 1, 0}, Dtype::i64), Value(2)});
      s.add({s.rand({2, 3}), s.values({2, 3}, {0, 0, -1, 1, 2, -1}, Dtype::i64), Value(0)});
      s.error({s.rand({2, 3}), s.integers({3, 2}, 0, 2)}, "scores of shape [2, 3] with targets of shape [3, 2]");
      s.error({s.rand({2}), s.values({2}, {5, -1}, Dtype::i64)}, "5");
    },
};

static Op* const all[] = {&multilabel_margin_loss_op, &nll_loss_forward_op, &nll_loss_backward_op, &nll_loss_op, &nll_loss2d_op, &nll_loss_nd_op, &cross_entropy_op, &cross_entropy_backward_op,
                          &cross_entropy_loss_op, &multi_margin_loss_op};
const OpList class_loss_ops = all;

}  // namespace gradus
