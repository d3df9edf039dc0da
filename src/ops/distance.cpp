// Distances and angles between vectors.
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

Tensor length(const Tensor& t, double p, int64_t dim, bool keepdim = false) { return call(linalg_vector_norm_op, {t, p, SizesRef(&dim, 1), keepdim}); }
void check_floating(const Args& a, const Tensor& t) {
  GRADUS_CHECK(is_floating(t.dtype()), dtype, "{}: not defined for {}", name(a.op()), name(t.dtype()));
}
void check_p(const Args& a, double p) { GRADUS_CHECK(p >= 0, value, "{}: p {} is negative", name(a.op()), p); }

// Each vector by its length, or by eps where that is larger: the product of tiny lengths does not underflow.
void cosine_similarity(const Args& a, Tensors& out) {
  const double eps = a.real(3);
  for (int i : {0, 1}) check_floating(a, a.tensor(i));
  const Sizes sizes = broadcast_sizes(a.tensor(0).sizes(), a.tensor(1).sizes(), name(a.op()));
  const int64_t dim = wrap_dim(a.integer(2), static_cast<int64_t>(sizes.size()), name(a.op()));
  const Tensor x = expand(a.tensor(0), sizes), y = expand(a.tensor(1), sizes);
  const auto unit = [&](const Tensor& t) { return div(t, clamp_min(length(t, 2, dim, true), eps)); };
  out.push_back(sum(mul(unit(x), unit(y)), {&dim, 1}));
}
void pairwise_distance(const Args& a, Tensors& out) {         // (x1, x2, p, eps, keepdim)
  const auto number = [](const Tensor& t) { return is_integral(t.dtype()) ? to(t, Dtype::f32) : t; };   // differences do not wrap
  out.push_back(length(add(sub(number(a.tensor(0)), number(a.tensor(1))), a.real(3)), a.real(2), -1, a.flag(4)));
}
void cdist(const Args& a, Tensors& out) {                     // (x1, x2, p, compute_mode)
  const Tensor &x = a.tensor(0), &y = a.tensor(1);
  for (const Tensor* t : {&x, &y}) {
    check_floating(a, *t);
    GRADUS_CHECK(t->ndim() >= 2, shape, "cdist: an input of shape {} is no list of vectors", text(t->sizes()));
  }
  GRADUS_CHECK(x.size(-1) == y.size(-1), shape, "cdist: vectors of {} and of {} numbers", x.size(-1), y.size(-1));
  check_p(a, a.real(2));
  const Tensor away = sub(unsqueeze(x, -2), unsqueeze(y, -3));
  out.push_back(x.size(-1) == 0 ? sum(away, Sizes{-1}) : length(away, a.real(2), -1));
}
void pdist(const Args& a, Tensors& out) {
  const Tensor& x = a.tensor(0);
  check_floating(a, x);
  check_p(a, a.real(1));
  GRADUS_CHECK(x.ndim() == 2, shape, "pdist: an input of shape {} is no list of vectors", text(x.sizes()));
  const Tensor pairs = call(triu_indices_op, {x.size(0), x.size(0), int64_t{1}});
  const Tensor away = sub(index_select(x, 0, select(pairs, 0, 0)), index_select(x, 0, select(pairs, 0, 1)));
  out.push_back(x.size(1) == 0 ? sum(away, Sizes{-1}) : length(away, a.real(1), -1));
}

}  // namespace

Op cosine_similarity_op{
    .schema = "cosine_similarity(Tensor x1, Tensor x2, int dim=1, float eps=1e-08) -> Tensor",
    .doc = "The sum along dim of x1 x2 over the product of their lengths, each of which counts at least eps.",
    .compose = cosine_similarity,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.rand({2, 3})});
      s.add({s.rand({2, 3, 2}), s.rand({3, 1}), Value(-2), Value(1e-6)});
      s.error({s.rand({2, 3}), s.rand({2, 4})}, "4");
      s.error({s.rand({3}), s.rand({3})}, "dim 1 is out of range");
    },
};
Op pairwise_distance_op{
    .schema = "pairwise_distance(Tensor x1, Tensor x2, float p=2, float eps=1e-06, bool keepdim=False) -> Tensor",
    .doc = "The p-norm of x1 - x2 + eps along the last dimension.",
    .complex = true,
    .compose = pairwise_distance,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3}), s.rand({2, 3})});
      s.add({s.rand({2, 3}), s.rand({3}), Value(1.0), Value(1e-6), Value(true)});
      s.error({s.rand({2, 3}), s.rand({2, 4})}, "4");
    },
};
Op cdist_op{
    .schema = "cdist(Tensor x1, Tensor x2, float p=2, int? compute_mode=None) -> Tensor",
    .doc = "The p-norms of the differences of all vectors of x1 [..., P, M] and x2 [..., R, M]: [..., P, R].",
    .compose = cdist,
    .samples = [](Samples& s) {
      s.add({s.rand({3, 2}), s.rand({4, 2})});
      s.add({s.rand({2, 3, 2}), s.rand({1, 2, 2}), Value(1.0)});
      s.add({s.rand({2, 3}), s.rand({2, 3}), Value(3.0)});
      s.add({s.rand({2, 3}), s.rand({2, 3}), Value(HUGE_VAL)});
      s.error({s.rand({2, 3}), s.rand({2, 4})}, "vectors of 3 and of 4 numbers");
      s.error({s.rand({2, 3}), s.rand({2, 3}), Value(-1.0)}, "p -1 is negative");
    },
};
Op pdist_op{
    .schema = "pdist(Tensor self, float p=2) -> Tensor",
    .doc = "The p-norms of the differences of all pairs of rows i < j, in order.",
    .compose = pdist,
    .samples = [](Samples& s) {
      s.add({s.rand({4, 3})});
      s.add({s.rand({3, 2}), Value(1.0)});
      s.error({s.rand({4})}, "an input of shape [4]");
    },
};

static Op* const all[] = {&cosine_similarity_op, &pairwise_distance_op, &cdist_op, &pdist_op};
const OpList distance_ops = all;

}  // namespace gradus
