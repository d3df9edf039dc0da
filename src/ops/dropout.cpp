// Dropout. The mask is kept for the gradient, not drawn again.
#include <cmath>

#include "base/context.h"
#include "dispatch/evaluate.h"
#include "kernels/copy.h"
#include "kernels/random.h"
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

void check_probability(const Args& a) {
  GRADUS_CHECK(a.real(1) >= 0 && a.real(1) <= 1, value, "{}: p {} is outside [0, 1]", name(a.op()), a.real(1));
}
void check_input(const Args& a, const Tensor& x) {
  GRADUS_CHECK(is_floating(x.dtype()), dtype, "{}: not defined for {}", name(a.op()), name(x.dtype()));
  check_probability(a);
}
Tensor row_major(const Tensor& t) { return t.contiguous() ? t : clone(t); }

bool drops(const Args& a) {                                   // the input of any type comes back where nothing is dropped
  check_probability(a);
  if (!a.flag(2) || a.real(1) == 0 || a.tensor(0).numel() == 0) return false;
  check_input(a, a.tensor(0));
  return true;
}

// Noise of one number per channel: [N, C, 1, 1 …].
Tensor channel_noise(const Args& a) {
  const Tensor& x = a.tensor(0);
  GRADUS_CHECK(x.ndim() >= 2, shape, "{}: an input of shape {} has no channels", name(a.op()), text(x.sizes()));
  Sizes sizes(x.sizes());
  for (size_t d = 2; d < sizes.size(); ++d) sizes[d] = 1;
  return ones(sizes, x.dtype());
}

// Below 0 a slope of its own for each element while training, else their mean.
void rrelu(const Args& a, Tensors& out) {
  const Tensor& x = a.tensor(0);
  const double lower = a.real(1), upper = a.real(2);
  GRADUS_CHECK(is_floating(x.dtype()), dtype, "rrelu: not defined for {}", name(x.dtype()));
  GRADUS_CHECK(std::isfinite(lower) && std::isfinite(upper) && lower <= upper, value, "rrelu: slopes from {} to {}", lower, upper);
  if (!a.flag(3)) return out.push_back(leaky_relu(x, Number((lower + upper) / 2)));
  const Tensor slopes = empty(x.dtype(), x.sizes());
  call_in_place(uniform_op, {slopes, lower, upper});
  out.push_back(where(le(x, 0), mul(x, slopes), x));
}

// Keeps mean and variance of what selu gives: dropped elements get selu's lower bound, then all are scaled and shifted.
Tensor alpha_dropped(const Tensor& x, const Tensor& like_noise, double p) {
  constexpr double kBound = 1.7580993408473766;               // scale * alpha of selu
  if (p == 1) return mul(x, zeros(Sizes{}, x.dtype()));
  const Tensor kept = native_dropout(like_noise, p, true)[1];
  const double a = 1 / std::sqrt((kBound * kBound * p + 1) * (1 - p)), shift = kBound * a * p;
  const Tensor mask = to(kept, x.dtype());
  return add(mul(x, mul(mask, a)), add(mul(sub(mask, 1.0), kBound * a), shift));
}

void dropout_samples(Samples& s) {
  s.add({s.rand({2, 3, 2}), Value(0.5), Value(true)});
  s.add({s.rand({2, 3}), Value(0.5), Value(false)});
  s.add({s.rand({2, 3}), Value(0), Value(true)});
  s.add({s.rand({2, 3}), Value(1), Value(true)});
  s.error({s.rand({2, 3}), Value(1.5), Value(true)}, "p 1.5 is outside [0, 1]");
}

}  // namespace

Op native_dropout_op{
    .schema = "native_dropout(Tensor input, float p, bool? train) -> (Tensor, Tensor)",
    .doc = "Each element is 0 with probability p, else divided by 1 - p; the second result says which were kept. With train false all are kept "
           "as they are.",
    .shape = [](const Args& a, Metas& out) {
      check_input(a, a.tensor(0));
      out.push_back(a.tensor(0).meta());
      out.push_back({Dtype::boolean, Sizes(a.tensor(0).sizes())});
    },
    .kernel = [](const Args& a, const Tensors& out) {
      const Tensor x = row_major(a.tensor(0));
      const bool train = !a.has(2) || a.flag(2);
      const auto words = static_cast<uint64_t>(train ? x.numel() : 0);
      Generator& g = context().generator;
      kernels::dropout(view_of(out[0]), view_of(out[1]), view_of(x), {g.seed, g.take(words)}, train ? a.real(1) : 0);
    },
    .vjp = {[](const Call& c, const Tensor& g) {
      const bool train = !c.args().has(2) || c.flag(2);
      const double p = train ? c.real(1) : 0;
      return call(native_dropout_backward_op, {g, c.output(1), p < 1 ? 1 / (1 - p) : 0.0});
    }},
    .save = output(1),
    .random = true,
    .samples = dropout_samples,
};
Op native_dropout_backward_op{
    .schema = "native_dropout_backward(Tensor grad_output, Tensor mask, float scale) -> Tensor",
    .doc = "The elements that the mask keeps, times scale; 0 elsewhere.",
    .shape = [](const Args& a, Metas& out) {
      const Tensor &g = a.tensor(0), &mask = a.tensor(1);
      GRADUS_CHECK(mask.dtype() == Dtype::boolean, dtype, "native_dropout_backward: {} with a mask of {}", name(g.dtype()), name(mask.dtype()));
      GRADUS_CHECK(same(g.sizes(), mask.sizes()), shape, "native_dropout_backward: shape {} with a mask of shape {}", text(g.sizes()), text(mask.sizes()));
      out.push_back({is_floating(g.dtype()) ? g.dtype() : Dtype::f32, Sizes(g.sizes())});
    },
    .kernel = [](const Args& a, const Tensors& out) {
      const GradMode off(false);
      const Tensor g = row_major(to(a.tensor(0), out[0].dtype()));
      kernels::masked(view_of(out[0]), view_of(g), view_of(row_major(a.tensor(1))), a.real(2));
    },
    .vjp = {[](const Call& c, const Tensor& g) { return call(native_dropout_backward_op, {g, c.tensor(1), c.real(2)}); }},
    .save = input(1),
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.values({2, 3}, {1, 0, 0, 1, 1, 0}, Dtype::boolean), Value(2)});
      s.error({s.rand({2, 3}), s.values({2}, {1, 0}, Dtype::boolean), Value(2)}, "a mask of shape [2]");
    },
};
Op dropout_op{
    .schema = "dropout(Tensor input, float p, bool train) -> Tensor",
    .doc = "While training, each element is 0 with probability p, else divided by 1 - p; otherwise the input itself.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) { out.push_back(drops(a) ? native_dropout(a.tensor(0), a.real(1), true)[0] : a.tensor(0)); },
    .in_place = true,
    .random = true,
    .samples = dropout_samples,
};
Op feature_dropout_op{
    .schema = "feature_dropout(Tensor input, float p, bool train) -> Tensor",
    .doc = "dropout of whole channels: of all elements that share their first two indices.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      if (!drops(a)) return out.push_back(a.tensor(0));
      out.push_back(mul(a.tensor(0), native_dropout(channel_noise(a), a.real(1), true)[0]));
    },
    .in_place = true,
    .random = true,
    .samples = dropout_samples,
};
Op alpha_dropout_op{
    .schema = "alpha_dropout(Tensor input, float p, bool train) -> Tensor",
    .doc = "Dropout that keeps the mean and the variance of selu's results.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      if (!drops(a)) return out.push_back(a.tensor(0));
      out.push_back(alpha_dropped(a.tensor(0), ones(a.tensor(0).sizes(), a.tensor(0).dtype()), a.real(1)));
    },
    .in_place = true,
    .random = true,
    .samples = dropout_samples,
};
Op feature_alpha_dropout_op{
    .schema = "feature_alpha_dropout(Tensor input, float p, bool train) -> Tensor",
    .doc = "alpha_dropout of whole channels.",
    .complex = true,
    .compose = [](const Args& a, Tensors& out) {
      if (!drops(a)) return out.push_back(a.tensor(0));
      out.push_back(alpha_dropped(a.tensor(0), channel_noise(a), a.real(1)));
    },
    .in_place = true,
    .random = true,
    .samples = dropout_samples,
};

Op rrelu_op{
    .schema = "rrelu(Tensor self, Scalar lower=0.125, Scalar upper=0.3333333333333333, bool training=False, Generator? generator=None) -> Tensor",
    .doc = "x above 0, slope * x elsewhere: while training each slope is drawn evenly from [lower, upper), otherwise it is their mean.",
    .compose = rrelu,
    .in_place = true,
    .random = true,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3})});
      s.add({s.rand({2, 3}), Value(0.25), Value(0.75), Value(true)});
      s.error({s.rand({2}), Value(1.0), Value(0.5)}, "slopes from 1 to 0.5");
    },
};

static Op* const all[] = {&rrelu_op, &native_dropout_op, &native_dropout_backward_op, &dropout_op, &feature_dropout_op, &alpha_dropout_op, &feature_alpha_dropout_op};
const OpList dropout_ops = all;

}  // namespace gradus
