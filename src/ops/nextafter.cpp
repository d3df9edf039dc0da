// The number next to another in a floating type: a matter of bits, not of arithmetic.
#include <cmath>

#include "base/context.h"
#include "base/parallel.h"
#include "dispatch/evaluate.h"
#include "ops/lists.h"
#include "ops/ops.h"
#include "ops/samples.h"

namespace gradus {
namespace {

constexpr int64_t kGrain = 1 << 14;

float next(float a, float b) { return std::nextafter(a, b); }
double next(double a, double b) { return std::nextafter(a, b); }
// Halves: away from zero is one bit pattern up, whatever the exponent.
template <class H> H next(H from, H to) {
  const float a = convert<float>(from), b = convert<float>(to);
  if (std::isnan(a)) return from;
  if (std::isnan(b) || a == b) return to;
  constexpr uint16_t sign = 0x8000;
  if (a == 0) return H{static_cast<uint16_t>((to.bits & sign) | 1)};
  return H{static_cast<uint16_t>((b > a) == (a > 0) ? from.bits + 1 : from.bits - 1)};
}

Dtype type_of(const Args& a) {
  Promotion p;
  p.add(a[0]);
  p.add(a[1]);
  return p.result();
}
Tensor operand(const Args& a, int i, const Meta& like) {
  const Tensor t = a[i].is_number() ? full({}, a.number(i), like.dtype) : to(a.tensor(i), like.dtype);
  return contiguous(expand(t, like.sizes));
}

}  // namespace

Op nextafter_op{
    .schema = "nextafter(Tensor self, Tensor other) -> Tensor",
    .doc = "The number next to self toward other, of the same dtype. No gradient.",
    .takes_numbers = true,
    .shape = [](const Args& a, Metas& out) {
      const Dtype d = type_of(a);
      GRADUS_CHECK(is_floating(d), dtype, "nextafter: not defined for {}", name(d));
      out.push_back({d, a[1].is_number() ? Sizes(a.tensor(0).sizes()) : broadcast_sizes(a.tensor(0).sizes(), a.tensor(1).sizes(), "nextafter")});
    },
    .kernel = [](const Args& a, const Tensors& out) {
      const GradMode off(false);
      const Tensor from = operand(a, 0, out[0].meta()), to = operand(a, 1, out[0].meta());
      visit(out[0].dtype(), [&]<class T>() {
        if constexpr (!std::is_integral_v<T>)
          parallel_for(out[0].numel(), kGrain, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) out[0].data<T>()[i] = next(from.data<T>()[i], to.data<T>()[i]);
          });
      });
    },
    .in_place = true,
    .samples = [](Samples& s) {
      broadcasts(s);
      s.add({s.values({6}, {0, 0, -1, 1, 1000, 2}), s.values({6}, {1, -1, 0, 1, 2000, -1})});
      s.add({s.rand({3}), Value(0.5)});
      s.error({s.integers({2}, 0, 3), s.integers({2}, 0, 3)}, "not defined for int64");
    },
};

static Op* const all[] = {&nextafter_op};
const OpList nextafter_ops = all;

}  // namespace gradus
