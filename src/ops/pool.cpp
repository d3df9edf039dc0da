// Maxima of windows. They differentiate through the places where they were found: reading at places and adding at places are
// each other's gradient.
#include "ops/lists.h"
#include "ops/samples.h"
#include "ops/windows.h"

namespace gradus {
namespace {

template <size_t n> kernels::Pool fixed(const Args& a) { return WindowArgs(a, 1, n, 4, 5).pool(a, a.tensor(0).sizes(), n); }
template <size_t n> kernels::Pool adaptive(const Args& a) { return adaptive_pool(a, a.tensor(0).sizes(), a.integers(1, n)); }

template <size_t n, PoolRule rule> void max_shape(const Args& a, Metas& out) {
  const Tensor& x = a.tensor(0);
  check_pool_dtype(a, x, true);
  check_pool_input(a, x.sizes(), n);
  const Sizes sizes = pooled_sizes(x.sizes(), rule(a), n);
  out.push_back({x.dtype(), sizes});
  out.push_back({Dtype::i64, sizes});
}
template <PoolRule rule> void max_kernel(const Args& a, const Tensors& out) {
  if (out[0].numel() == 0) return;
  const Tensor x = dense(a.tensor(0));
  kernels::max_pool(rule(a), x.dtype(), x.impl()->data(), out[0].impl()->data(), out[1].data<int64_t>());
}
template <size_t n> Tensor max_back(const Call& c, const Tensor& g) { return call(plane_scatter_op, {g, c.output(1), c.sizes().last(n), false}); }

// ---- places in planes
int64_t product(SizesRef s) { return numel_of(s); }
void check_places(const Args& a, size_t n) {
  const Tensor &x = a.tensor(0), &index = a.tensor(1);
  GRADUS_CHECK(index.dtype() == Dtype::i64, dtype, "{}: indices must be int64, not {}", name(a.op()), name(index.dtype()));
  GRADUS_CHECK(n >= 1 && n <= x.sizes().size() && index.ndim() == x.ndim(), shape, "{}: {} spatial dimensions of {} and indices {}", name(a.op()), n, text(x.sizes()), text(index.sizes()));
  const size_t lead = x.sizes().size() - n;
  GRADUS_CHECK(same(x.sizes().first(lead), index.sizes().first(lead)), shape, "{}: {} with indices {}", name(a.op()), text(x.sizes()), text(index.sizes()));
}
void gather_shape(const Args& a, Metas& out) {
  check_places(a, static_cast<size_t>(std::max<int64_t>(a.integer(2), 0)));
  out.push_back({a.tensor(0).dtype(), Sizes(a.tensor(1).sizes())});
}
void gather_kernel(const Args& a, const Tensors& out) {
  if (out[0].numel() == 0) return;
  const auto n = static_cast<size_t>(a.integer(2));
  const Tensor x = dense(a.tensor(0)), index = dense(a.tensor(1));
  const int64_t plane = product(last_dims(index, n));
  kernels::plane_gather(x.dtype(), index.numel() / plane, product(last_dims(x, n)), plane, x.impl()->data(), index.data<int64_t>(), out[0].impl()->data());
}
void scatter_shape(const Args& a, Metas& out) {
  const Tensor& x = a.tensor(0);
  check_places(a, a.integers(2).size());
  GRADUS_CHECK(same(x.sizes(), a.tensor(1).sizes()), shape, "{}: {} with indices {}", name(a.op()), text(x.sizes()), text(a.tensor(1).sizes()));
  Sizes sizes(x.sizes().first(x.sizes().size() - a.integers(2).size()));
  for (int64_t s : a.integers(2)) sizes.push_back(s);
  out.push_back({x.dtype(), sizes});
}
void scatter_kernel(const Args& a, const Tensors& out) {
  const size_t n = a.integers(2).size();
  const Tensor x = dense(a.tensor(0)), index = dense(a.tensor(1));
  const int64_t planes = product(out[0].sizes().first(out[0].sizes().size() - n));
  kernels::plane_scatter(x.dtype(), planes, product(last_dims(x, n)), product(a.integers(2)), x.impl()->data(), index.data<int64_t>(), out[0].impl()->data(), a.flag(3));
}

// ---- compositions
template <Op& with_indices> void values_only(const Args& a, Tensors& out) {
  Tensors both;
  call(with_indices, a.values(), static_cast<int>(a.op().info->schema.arguments.size()), both);
  out.push_back(both[0]);
}
template <size_t n> void max_backward(const Args& a, Tensors& out) {
  const int last = static_cast<int>(a.op().info->schema.arguments.size()) - 1;
  check_pool_gradient(a, a.tensor(0).sizes(), a.tensor(1).sizes(), n);
  out.push_back(call(plane_scatter_op, {a.tensor(0), a.tensor(last), last_dims(a.tensor(1), n), false}));
}
// The sizes of max_unpool must hold every index; equal indices: the last one stays.
template <size_t n> void max_unpool(const Args& a, Tensors& out) {
  check_pool_input(a, a.tensor(0).sizes(), n);
  const Sizes size = a.integers(2, n);
  out.push_back(call(plane_scatter_op, {a.tensor(0), a.tensor(1), size, true}));
}

}  // namespace

Op plane_gather_op{
    .schema = "_plane_gather(Tensor self, Tensor indices, int dims) -> Tensor",
    .doc = "The elements at the indices of each plane, which the last dims make up.",
    .shape = gather_shape,
    .kernel = gather_kernel,
    .vjp = {[](const Call& c, const Tensor& g) { return call(plane_scatter_op, {g, c.tensor(1), c.sizes().last(static_cast<size_t>(c.integer(2))), false}); }},
    .save = input(1),
};
Op plane_scatter_op{
    .schema = "_plane_scatter(Tensor self, Tensor indices, int[] size, bool replace) -> Tensor",
    .doc = "Planes of zeros to which the elements are added at the indices, or which they replace.",
    .shape = scatter_shape,
    .kernel = scatter_kernel,
    .vjp = {[](const Call& c, const Tensor& g) { return call(plane_gather_op, {g, c.tensor(1), static_cast<int64_t>(c.integers(2).size())}); }},
    .save = input(1),
};

#define GRADUS_MAX_POOL(n)                                                                                                                \
  static void max_pool##n##d_samples(Samples& s);                                                                                         \
  Op max_pool##n##d_with_indices_op{                                                                                                      \
      .schema = "max_pool" #n "d_with_indices(Tensor self, int[" #n "] kernel_size, int[" #n "] stride=[], int[" #n "] padding=0, int["      \
                #n "] dilation=1, bool ceil_mode=False) -> (Tensor, Tensor)",                                                             \
      .doc = "The largest element of each window and its place in the plane; NaN counts as the largest. No stride: that of the kernel.",  \
      .shape = max_shape<n, fixed<n>>,                                                                                                    \
      .kernel = max_kernel<fixed<n>>,                                                                                                     \
      .vjp = {max_back<n>},                                                                                                               \
      .save = output(1),                                                                                                                  \
      .samples = max_pool##n##d_samples,                                                                                                  \
  };                                                                                                                                      \
  Op max_pool##n##d_op{                                                                                                                   \
      .schema = "max_pool" #n "d(Tensor self, int[" #n "] kernel_size, int[" #n "] stride=[], int[" #n "] padding=0, int[" #n                \
                "] dilation=1, bool ceil_mode=False) -> Tensor",                                                                          \
      .doc = "The largest element of each window; NaN counts as the largest. No stride: that of the kernel.",                             \
      .compose = values_only<max_pool##n##d_with_indices_op>,                                                                             \
      .samples = max_pool##n##d_samples,                                                                                                  \
  };                                                                                                                                      \
  Op adaptive_max_pool##n##d_op{                                                                                                          \
      .schema = "adaptive_max_pool" #n "d(Tensor self, int[" #n "] output_size) -> (Tensor, Tensor)",                                     \
      .doc = "The largest elements of output_size windows that cover the input evenly, and their places in the plane.",                   \
      .shape = max_shape<n, adaptive<n>>,                                                                                                 \
      .kernel = max_kernel<adaptive<n>>,                                                                                                  \
      .vjp = {max_back<n>},                                                                                                               \
      .save = output(1),                                                                                                                  \
      .samples = adaptive_max_pool##n##d_samples,                                                                                         \
  };
static void adaptive_max_pool1d_samples(Samples& s) {
  s.add({s.rand({2, 3, 7}), Value(3)});
  s.error({s.rand({2, 3, 0}), Value(3)}, "without elements");
}
static void adaptive_max_pool2d_samples(Samples& s) {
  s.add({s.rand({2, 3, 5, 4}), s.list({3, 2})});
  s.add({s.rand({2, 3, 4}), s.list({5, 1})});                 // more windows than elements
  s.error({s.rand({2, 3, 4}), s.list({-1, 1})}, "is negative");
}
static void adaptive_max_pool3d_samples(Samples& s) {
  s.add({s.rand({2, 3, 4, 3}), s.list({2, 3, 1})});
  s.error({s.rand({3, 4, 3}), s.list({2, 3, 1})}, "must have 4 or 5 dimensions");
}
GRADUS_MAX_POOL(1)
GRADUS_MAX_POOL(2)
GRADUS_MAX_POOL(3)
#undef GRADUS_MAX_POOL
static void max_pool1d_samples(Samples& s) {
  s.add({s.rand({2, 3, 7}), Value(3), Value(2), Value(1)});
  s.add({s.rand({2, 8}), Value(2), s.list({}), Value(0), Value(2), Value(true)});
  s.error({s.rand({2, 3, 7}), Value(3), Value(2), Value(2)}, "at most half");
  s.error({s.rand({2, 3, 1}), Value(3)}, "too small");
}
static void max_pool2d_samples(Samples& s) {
  s.add({s.rand({2, 2, 5, 4}), Value(2)});
  s.add({s.rand({2, 5, 6}), s.list({3, 2}), s.list({2, 1}), s.list({1, 1}), s.list({1, 2}), Value(true)});
  s.add({s.rand({0, 2, 3, 3}), Value(2)});
  s.error({s.rand({2, 2, 5, 4}), Value(0)}, "must be at least 1");
  s.error({s.rand({5, 4}), Value(2)}, "must have 3 or 4 dimensions");
}
static void max_pool3d_samples(Samples& s) {
  s.add({s.rand({1, 2, 3, 4, 4}), s.list({2, 3, 2}), s.list({1, 2, 2}), s.list({0, 1, 1})});
  s.error({s.rand({1, 2, 0, 4, 4}), Value(2)}, "without elements");
}

static const char* const kBackDoc = "The gradient of the pooling by its input: that of the results added where they were found.";
static void max_pool2d_backward_samples(Samples& s) {
  s.add({s.rand({1, 2, 2, 2}), s.rand({1, 2, 4, 4}), s.list({2, 2}), s.list({2, 2}), s.list({0, 0}), s.list({1, 1}), Value(false), s.integers({1, 2, 2, 2}, 0, 16)});
  s.error({s.rand({1, 2, 2, 2}), s.rand({1, 2, 4, 4}), s.list({2, 2}), s.list({2, 2}), s.list({0, 0}), s.list({1, 1}), Value(false), s.integers({1, 2, 2, 2}, 16, 17)}, "index 16");
}
static void max_pool3d_backward_samples(Samples& s) {
  const auto ints = [&](int64_t v) { return s.list({v, v, v}); };
  s.add({s.rand({2, 2, 1, 2}), s.rand({2, 2, 2, 3}), ints(2), ints(1), ints(0), ints(1), Value(false), s.integers({2, 2, 1, 2}, 0, 12)});
  s.error({s.rand({2, 2, 1, 2}), s.rand({2, 2, 2, 3}), ints(2), ints(1), ints(0), ints(1), Value(false), s.integers({2, 1, 1, 2}, 0, 12)}, "indices [2, 1, 1, 2]");
}
Op max_pool2d_with_indices_backward_op{
    .schema = "max_pool2d_with_indices_backward(Tensor grad_output, Tensor self, int[2] kernel_size, int[2] stride, int[2] padding, int[2] dilation, bool ceil_mode, "
              "Tensor indices) -> Tensor",
    .doc = kBackDoc,
    .compose = max_backward<2>,
    .samples = max_pool2d_backward_samples,
};
Op max_pool3d_with_indices_backward_op{
    .schema = "max_pool3d_with_indices_backward(Tensor grad_output, Tensor self, int[3] kernel_size, int[3] stride, int[3] padding, int[3] dilation, bool ceil_mode, "
              "Tensor indices) -> Tensor",
    .doc = kBackDoc,
    .compose = max_backward<3>,
    .samples = max_pool3d_backward_samples,
};
Op adaptive_max_pool2d_backward_op{
    .schema = "adaptive_max_pool2d_backward(Tensor grad_output, Tensor self, Tensor indices) -> Tensor",
    .doc = kBackDoc,
    .compose = max_backward<2>,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 2, 2}), s.rand({2, 4, 4}), s.integers({2, 2, 2}, 0, 16)});
      s.error({s.rand({2, 2, 2}), s.rand({2, 4, 4}), s.rand({2, 2, 2})}, "indices must be int64");
    },
};
Op adaptive_max_pool3d_backward_op{
    .schema = "adaptive_max_pool3d_backward(Tensor grad_output, Tensor self, Tensor indices) -> Tensor",
    .doc = kBackDoc,
    .compose = max_backward<3>,
    .samples = [](Samples& s) { s.add({s.rand({2, 1, 2, 2}), s.rand({2, 2, 3, 2}), s.integers({2, 1, 2, 2}, 0, 12)}); s.error({s.rand({2, 2}), s.rand({2, 2}), s.integers({2, 2}, 0, 2)}, "dimensions"); },
};
Op max_unpool2d_op{
    .schema = "max_unpool2d(Tensor self, Tensor indices, int[2] output_size) -> Tensor",
    .doc = "Planes of zeros with the elements at the places where max_pool2d found them; of equal places the last element stays.",
    .compose = max_unpool<2>,
    .samples = [](Samples& s) {
      const Value places = s.values({1, 2, 2, 2}, {0, 3, 9, 11, 5, 6, 8, 15}, Dtype::i64);
      s.add({s.rand({1, 2, 2, 2}), places, s.list({4, 4})});
      s.error({s.rand({1, 2, 2, 2}), s.integers({1, 2, 2, 2}, 9, 10), s.list({3, 3})}, "index 9 in a plane of 9");
    },
};
Op max_unpool3d_op{
    .schema = "max_unpool3d(Tensor self, Tensor indices, int[3] output_size, int[3] stride, int[3] padding) -> Tensor",
    .doc = "Planes of zeros with the elements at the places where max_pool3d found them; stride and padding do not matter.",
    .compose = max_unpool<3>,
    .samples = [](Samples& s) {
      s.add({s.rand({2, 1, 2, 1}), s.values({2, 1, 2, 1}, {3, 7, 0, 1}, Dtype::i64), s.list({2, 2, 2}), Value(1), Value(0)});
      s.error({s.rand({2, 1, 2, 1}), s.integers({2, 2, 1, 1}, 0, 2), s.list({2, 2, 2}), Value(1), Value(0)}, "indices [2, 2, 1, 1]");
    },
};

static Op* const all[] = {&plane_gather_op, &plane_scatter_op, &max_pool1d_with_indices_op, &max_pool2d_with_indices_op, &max_pool3d_with_indices_op, &max_pool1d_op,
                          &max_pool2d_op, &max_pool3d_op, &adaptive_max_pool1d_op, &adaptive_max_pool2d_op, &adaptive_max_pool3d_op, &max_pool2d_with_indices_backward_op,
                          &max_pool3d_with_indices_backward_op, &adaptive_max_pool2d_backward_op, &adaptive_max_pool3d_backward_op, &max_unpool2d_op, &max_unpool3d_op};
const OpList pool_ops = all;

}  // namespace gradus
