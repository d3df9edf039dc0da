// Averages of windows, and the transposed map, which deals a number out evenly to its window: each is the other's gradient.
#include "ops/lists.h"
#include "ops/samples.h"
#include "ops/windows.h"

namespace gradus {
namespace {

using kernels::Pool;

bool has_argument(const Args& a, int i) { return a.op().info->schema.arguments.size() > static_cast<size_t>(i) && a.has(i); }
// count_include_pad and divisor_override (absent in avg_pool1d) from `at` on.
Pool with_divisor(Pool p, const Args& a, int at) {
  p.count_include_pad = a.flag(at);
  if (has_argument(a, at + 1)) {
    p.divisor = a.integer(at + 1);
    GRADUS_CHECK(p.divisor != 0, value, "{}: divisor_override must not be 0", name(a.op()));
  }
  return p;
}
template <size_t n> Pool fixed(const Args& a) { return with_divisor(WindowArgs(a, 1, n, 0, 4).pool(a, a.tensor(0).sizes(), n), a, 5); }
template <size_t n> Pool adaptive(const Args& a) { return adaptive_pool(a, a.tensor(0).sizes(), a.integers(1, n)); }

template <size_t n, PoolRule rule, bool integers> void mean_shape(const Args& a, Metas& out) {
  const Tensor& x = a.tensor(0);
  check_pool_dtype(a, x, integers);
  check_pool_input(a, x.sizes(), n);
  out.push_back({x.dtype(), pooled_sizes(x.sizes(), rule(a), n)});
}
template <PoolRule rule> void mean_kernel(const Args& a, const Tensors& out) {
  if (out[0].numel() == 0) return;
  const Tensor x = dense(a.tensor(0));
  kernels::avg_pool(rule(a), x.dtype(), x.impl()->data(), out[0].impl()->data());
}

// ---- the transposed maps: (Tensor self, int[] input_size, the arguments of the windows); input_size is spatial
Sizes image_sizes(const Args& a) {
  const SizesRef size = a.integers(1);
  GRADUS_CHECK(!size.empty() && size.size() <= 3 && size.size() < a.tensor(0).sizes().size(), shape, "{}: input_size {} for a gradient of shape {}", name(a.op()), text(size),
               text(a.tensor(0).sizes()));
  Sizes sizes(a.tensor(0).sizes().first(a.tensor(0).sizes().size() - size.size()));
  for (int64_t s : size) sizes.push_back(s);
  return sizes;
}
Pool fixed_back(const Args& a) { return with_divisor(WindowArgs(a, 2, a.integers(1).size(), 0, 5).pool(a, image_sizes(a), a.integers(1).size()), a, 6); }
Pool adaptive_back(const Args& a) { return adaptive_pool(a, image_sizes(a), Sizes(last_dims(a.tensor(0), a.integers(1).size()))); }
template <PoolRule rule> void back_shape(const Args& a, Metas& out) {
  const Tensor& g = a.tensor(0);
  check_pool_dtype(a, g, false);
  const Sizes sizes = image_sizes(a);
  check_pool_input(a, sizes, a.integers(1).size());
  const Sizes expected = pooled_sizes(sizes, rule(a), a.integers(1).size());
  GRADUS_CHECK(same(expected, g.sizes()), shape, "{}: a gradient of shape {}, where {} is expected", name(a.op()), text(g.sizes()), text(expected));
  out.push_back({g.dtype(), sizes});
}
template <PoolRule rule> void back_kernel(const Args& a, const Tensors& out) {
  if (out[0].numel() == 0) return;
  const Tensor g = dense(a.tensor(0));
  kernels::avg_pool_back(rule(a), g.dtype(), g.impl()->data(), out[0].impl()->data());
}

// A pooling op by the number of its spatial dims.
const Op& fixed_op(size_t n) { return n == 1 ? avg_pool1d_op : n == 2 ? avg_pool2d_op : avg_pool3d_op; }
template <size_t n> Tensor fixed_pull(const Call& c, const Tensor& g) {
  const bool has = has_argument(c.args(), 6);
  return call(avg_pool_back_op, {g, c.sizes().last(n), c.integers(1), c.integers(2), c.integers(3), c.flag(4), c.flag(5), has ? Value(c.integer(6)) : Value(std::nullopt)});
}
Tensor fixed_push(const Call& c, const Tensor& g) {
  const size_t n = c.integers(1).size();
  const Value values[] = {g, c.integers(2), c.integers(3), c.integers(4), c.flag(5), c.flag(6), c.args()[7]};
  return call_one(fixed_op(n), values, n == 1 ? 6 : 7);
}
template <size_t n> Tensor adaptive_pull(const Call& c, const Tensor& g) { return call(adaptive_avg_back_op, {g, c.sizes().last(n)}); }
Tensor adaptive_push(const Call& c, const Tensor& g) {
  const size_t n = c.integers(1).size();
  return call(n == 1 ? adaptive_avg_pool1d_op : n == 2 ? adaptive_avg_pool2d_kernel_op : adaptive_avg_pool3d_kernel_op, {g, c.sizes().last(n)});
}

// ---- ATen's forms, whose second argument is the input
template <size_t n> void fixed_backward(const Args& a, Tensors& out) {
  check_pool_gradient(a, a.tensor(0).sizes(), a.tensor(1).sizes(), n);
  out.push_back(call(avg_pool_back_op, {a.tensor(0), last_dims(a.tensor(1), n), a[2], a[3], a[4], a[5], a[6], a[7]}));
}
template <size_t n> void adaptive_backward(const Args& a, Tensors& out) {
  check_pool_gradient(a, a.tensor(0).sizes(), a.tensor(1).sizes(), n);
  out.push_back(call(adaptive_avg_back_op, {a.tensor(0), last_dims(a.tensor(1), n)}));
}

}  // namespace

Op avg_pool_back_op{
    .schema = "_avg_pool_back(Tensor self, int[] input_size, int[] kernel_size, int[] stride, int[] padding, bool ceil_mode, bool count_include_pad, int? divisor_override) -> Tensor",
    .doc = "Every element dealt out evenly to its window.",
    .shape = back_shape<fixed_back>,
    .kernel = back_kernel<fixed_back>,
    .vjp = {fixed_push},
};
Op adaptive_avg_back_op{
    .schema = "_adaptive_avg_back(Tensor self, int[] input_size) -> Tensor",
    .doc = "Every element dealt out evenly to its window, where the windows cover the result evenly.",
    .shape = back_shape<adaptive_back>,
    .kernel = back_kernel<adaptive_back>,
    .vjp = {adaptive_push},
};

static void avg_pool1d_samples(Samples& s) {
  s.add({s.rand({2, 3, 7}), Value(3), Value(2), Value(1)});
  s.add({s.rand({2, 8}), Value(3), Value(3), Value(1), Value(true), Value(false)});
  s.error({s.rand({2, 3, 7}), Value(3), Value(2), Value(2)}, "at most half");
}
static void avg_pool2d_samples(Samples& s) {
  s.add({s.rand({2, 2, 4, 6}), Value(2)});
  s.add({s.rand({2, 5, 6}), s.list({3, 2}), s.list({2, 1}), s.list({1, 1}), Value(true)});
  s.add({s.rand({1, 2, 5, 6}), s.list({3, 2}), s.list({3, 2}), s.list({1, 0}), Value(true), Value(false)});
  s.add({s.rand({1, 1, 4, 4}), Value(3), Value(1), Value(1), Value(false), Value(true), Value(-2)});
  s.add({s.rand({0, 2, 3, 3}), Value(2)});
  s.error({s.rand({1, 1, 4, 4}), Value(3), Value(1), Value(1), Value(false), Value(true), Value(0)}, "must not be 0");
  s.error({s.rand({1, 1, 4, 4}), s.list({3, 3, 3})}, "3 numbers for 'kernel_size'");
  s.error({s.rand({1, 1, 2, 4}), Value(3)}, "too small");
}
static void avg_pool3d_samples(Samples& s) {
  s.add({s.rand({1, 2, 3, 4, 5}), s.list({2, 3, 2}), s.list({1, 2, 2}), s.list({0, 1, 1}), Value(true), Value(false)});
  s.error({s.rand({4, 4, 4}), Value(2)}, "must have 4 or 5 dimensions");
}
#define GRADUS_AVG_POOL(n, divisor)                                                                                                       \
  Op avg_pool##n##d_op{                                                                                                                   \
      .schema = "avg_pool" #n "d(Tensor self, int[" #n "] kernel_size, int[" #n "] stride=[], int[" #n                                       \
                "] padding=0, bool ceil_mode=False, bool count_include_pad=True" divisor ") -> Tensor",                                   \
      .doc = "The sum of each window by the number of its elements, with those of the padding where count_include_pad is set.",           \
      .shape = mean_shape<n, fixed<n>, true>,                                                                                             \
      .kernel = mean_kernel<fixed<n>>,                                                                                                    \
      .vjp = {fixed_pull<n>},                                                                                                             \
      .samples = avg_pool##n##d_samples,                                                                                                  \
  };
GRADUS_AVG_POOL(1, "")
GRADUS_AVG_POOL(2, ", int? divisor_override=None")
GRADUS_AVG_POOL(3, ", int? divisor_override=None")
#undef GRADUS_AVG_POOL

static void adaptive1d_samples(Samples& s) {
  s.add({s.rand({2, 3, 7}), Value(3)});
  s.error({s.rand({7}), Value(3)}, "must have 2 or 3 dimensions");
}
static void adaptive2d_samples(Samples& s) {
  s.add({s.rand({2, 3, 5, 4}), s.list({3, 2})});
  s.add({s.rand({3, 2, 4}), s.list({5, 1})});
  s.add({s.rand({0, 3, 2, 2}), Value(1)});
  s.error({s.rand({3, 2, 4}), s.list({-1, 1})}, "is negative");
}
static void adaptive3d_samples(Samples& s) {
  s.add({s.rand({2, 3, 4, 3}), s.list({2, 3, 1})});
  s.error({s.rand({2, 0, 4, 3}), s.list({2, 3, 1})}, "without elements");
}
static const char* const kAdaptiveDoc = "The averages of output_size windows that cover the input evenly: window i of n goes from i * size / n, rounded down, to (i + 1) * size / n, rounded up.";
Op adaptive_avg_pool1d_op{
    .schema = "adaptive_avg_pool1d(Tensor self, int[1] output_size) -> Tensor",
    .doc = kAdaptiveDoc,
    .shape = mean_shape<1, adaptive<1>, false>,
    .kernel = mean_kernel<adaptive<1>>,
    .vjp = {adaptive_pull<1>},
    .samples = adaptive1d_samples,
};
#define GRADUS_ADAPTIVE(n)                                                                                                                \
  Op adaptive_avg_pool##n##d_kernel_op{                                                                                                   \
      .schema = "_adaptive_avg_pool" #n "d(Tensor self, int[" #n "] output_size) -> Tensor",                                              \
      .doc = kAdaptiveDoc,                                                                                                                \
      .shape = mean_shape<n, adaptive<n>, false>,                                                                                         \
      .kernel = mean_kernel<adaptive<n>>,                                                                                                 \
      .vjp = {adaptive_pull<n>},                                                                                                          \
      .samples = adaptive##n##d_samples,                                                                                                  \
  };                                                                                                                                      \
  Op adaptive_avg_pool##n##d_op{                                                                                                          \
      .schema = "adaptive_avg_pool" #n "d(Tensor self, int[" #n "] output_size) -> Tensor",                                               \
      .doc = kAdaptiveDoc,                                                                                                                \
      .compose = [](const Args& a, Tensors& out) { out.push_back(call(adaptive_avg_pool##n##d_kernel_op, {a.tensor(0), a[1]})); },        \
      .samples = adaptive##n##d_samples,                                                                                                  \
  };
GRADUS_ADAPTIVE(2)
GRADUS_ADAPTIVE(3)
#undef GRADUS_ADAPTIVE

Op avg_pool2d_backward_op{
    .schema = "avg_pool2d_backward(Tensor grad_output, Tensor self, int[2] kernel_size, int[2] stride, int[2] padding, bool ceil_mode, bool count_include_pad, "
              "int? divisor_override) -> Tensor",
    .doc = "The gradient of avg_pool2d by its input.",
    .compose = fixed_backward<2>,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 3, 4}), s.rand({2, 5, 6}), s.list({3, 3}), s.list({2, 2}), s.list({1, 1}), Value(true), Value(true), Value(std::nullopt)});
      s.error({s.rand({2, 3, 3}), s.rand({2, 5, 6}), s.list({3, 3}), s.list({2, 2}), s.list({1, 1}), Value(true), Value(true), Value(std::nullopt)}, "where [2, 3, 4] is expected");
    },
};
Op avg_pool3d_backward_op{
    .schema = "avg_pool3d_backward(Tensor grad_output, Tensor self, int[3] kernel_size, int[3] stride, int[3] padding, bool ceil_mode, bool count_include_pad, "
              "int? divisor_override) -> Tensor",
    .doc = "The gradient of avg_pool3d by its input.",
    .compose = fixed_backward<3>,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 1, 2, 2}), s.rand({2, 2, 3, 4}), s.list({2, 2, 3}), s.list({1, 1, 1}), s.list({0, 0, 0}), Value(false), Value(true), Value(5)});
      s.error({s.rand({2, 1, 2, 2}), s.rand({3, 4}), s.list({2, 2, 3}), s.list({1, 1, 1}), s.list({0, 0, 0}), Value(false), Value(true), Value(5)}, "must have 4 or 5");
    },
};
Op adaptive_avg_pool2d_backward_op{
    .schema = "_adaptive_avg_pool2d_backward(Tensor grad_output, Tensor self) -> Tensor",
    .doc = "The gradient of adaptive_avg_pool2d by its input.",
    .compose = adaptive_backward<2>,
    .samples = [](Samples& s) { s.add({s.rand({2, 3, 2}), s.rand({2, 5, 4})}); s.error({s.rand({3, 2}), s.rand({5, 4})}, "must have 3 or 4 dimensions"); },
};
Op adaptive_avg_pool3d_backward_op{
    .schema = "_adaptive_avg_pool3d_backward(Tensor grad_output, Tensor self) -> Tensor",
    .doc = "The gradient of adaptive_avg_pool3d by its input.",
    .compose = adaptive_backward<3>,
    .samples = [](Samples& s) { s.add({s.rand({2, 1, 3, 2}), s.rand({2, 2, 5, 4})}); s.error({s.rand({1, 1, 3, 2}), s.rand({2, 2, 5, 4})}, "a gradient of shape [1, 1, 3, 2] for an input of shape [2, 2, 5, 4]"); },
};

static Op* const all[] = {&avg_pool_back_op, &adaptive_avg_back_op, &avg_pool1d_op, &avg_pool2d_op, &avg_pool3d_op, &adaptive_avg_pool1d_op, &adaptive_avg_pool2d_kernel_op,
                          &adaptive_avg_pool3d_kernel_op, &adaptive_avg_pool2d_op, &adaptive_avg_pool3d_op, &avg_pool2d_backward_op, &avg_pool3d_backward_op,
                          &adaptive_avg_pool2d_backward_op, &adaptive_avg_pool3d_backward_op};
const OpList average_pool_ops = all;

}  // namespace gradus
