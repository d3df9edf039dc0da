// New tensors from sizes and numbers.
#include "kernels/copy.h"
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

constexpr Dtype kDefault = Dtype::f32;

void sizes_and_dtype(const Args& a, Metas& out) {
  numel_of(a.integers(0));
  out.push_back({a.dtype(1, kDefault), Sizes(a.integers(0))});
}

}  // namespace

Op zeros_op{
    .schema = "zeros(int[] size, *, ScalarType? dtype=None) -> Tensor",
    .doc = "A tensor of zeros; float32 unless a dtype is given.",
    .shape = sizes_and_dtype,
    .kernel = [](const Args&, const Tensors& out) { kernels::fill(view_of(out[0]), Number(0)); },
    .samples = [](Samples& s) { s.add({s.list({2, 3})}); s.error({s.list({-1})}, "negative size"); },
};
Op ones_op{
    .schema = "ones(int[] size, *, ScalarType? dtype=None) -> Tensor",
    .doc = "A tensor of ones; float32 unless a dtype is given.",
    .shape = sizes_and_dtype,
    .kernel = [](const Args&, const Tensors& out) { kernels::fill(view_of(out[0]), Number(1)); },
    .samples = [](Samples& s) { s.add({s.list({2, 3})}); s.error({s.list({-1})}, "negative size"); },
};
Op full_op{
    .schema = "full(int[] size, Scalar fill_value, *, ScalarType? dtype=None) -> Tensor",
    .doc = "A tensor of one number; its dtype is that of the number unless one is given.",
    .shape = [](const Args& a, Metas& out) {
      numel_of(a.integers(0));
      const Number n = a.number(1);
      out.push_back({a.dtype(2, n.is_real() ? kDefault : n.is_boolean() ? Dtype::boolean : Dtype::i64), Sizes(a.integers(0))});
    },
    .kernel = [](const Args& a, const Tensors& out) { kernels::fill(view_of(out[0]), a.number(1)); },
    .samples = [](Samples& s) { s.add({s.list({2, 3}), Value(1.5)}); s.error({s.list({-1}), Value(1)}, "negative size"); },
};

static Op* const all[] = {&zeros_op, &ones_op, &full_op};
const OpList create_ops = all;

}  // namespace gradus
