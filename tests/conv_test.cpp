// Convolutions against the naive form on random geometries and every SIMD target, without a step outside of the arrays; equal
// bits for threads and batches; what PyTorch refuses.
#include <random>

#include "fixture.h"
#include "hwy/targets.h"
#include "kernels/conv.h"
#include "kernels/gemm.h"

namespace gradus {
namespace {

using kernels::Conv;
using Numbers = std::vector<double>;

struct Geometries {
  std::mt19937 engine{7};
  int64_t in(int64_t low, int64_t high) { return low + static_cast<int64_t>(engine() % static_cast<uint32_t>(high - low + 1)); }

  Conv next() {
    for (;;) {
      const int64_t groups = in(0, 2) ? 1 : in(1, 4);
      Conv c{in(1, 3), groups, groups * in(1, in(0, 3) ? 5 : 20), groups * in(1, in(0, 3) ? 5 : 40), {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, {1, 1, 1}};
      const int64_t dims = in(1, 3);
      bool good = true;
      for (int64_t d = 3 - dims; d < 3; ++d) {
        c.in[d] = in(1, dims == 3 ? 6 : 18), c.kernel[d] = in(1, 4), c.stride[d] = in(0, 1) ? 1 : in(1, 4), c.dilation[d] = in(0, 2) ? 1 : in(1, 3);
        c.padding[d] = in(0, 1) ? in(0, 3) : c.kernel[d] / 2;
        const int64_t room = c.in[d] + 2 * c.padding[d] - (c.kernel[d] - 1) * c.dilation[d] - 1;
        good = good && room >= 0;
        c.out[d] = room / c.stride[d] + 1 + (in(0, 5) ? 0 : in(-1, 1));       // faces may be smaller or reach beyond
        good = good && c.out[d] >= 1;
      }
      if (good) return c;
    }
  }
};

std::string text_of(const Conv& c) {
  std::string s = format("batch {} groups {} channels {} {}", c.batch, c.groups, c.in_channels, c.out_channels);
  for (int d = 0; d < 3; ++d) s += format(" | in {} out {} kernel {} stride {} padding {} dilation {}", c.in[d], c.out[d], c.kernel[d], c.stride[d], c.padding[d], c.dilation[d]);
  return s;
}

// An array between guards.
template <class T> struct Guarded {
  static constexpr size_t kGuard = 64;
  std::vector<T> all;
  size_t n;
  explicit Guarded(int64_t count) : all(static_cast<size_t>(count) + 2 * kGuard, std::numeric_limits<T>::quiet_NaN()), n(static_cast<size_t>(count)) {}
  T* data() { return all.data() + kGuard; }
  void fill(std::mt19937& e) { for (size_t i = 0; i < n; ++i) data()[i] = static_cast<T>(static_cast<int>(e() % 17) - 8) / 4; }
  bool untouched() const {
    for (size_t i = 0; i < kGuard; ++i) if (!std::isnan(all[i]) || !std::isnan(all[kGuard + n + i])) return false;
    return true;
  }
};

template <class Term> void each_term(const Conv& c, const Term& term) {
  for (int64_t n = 0; n < c.batch; ++n)
    for (int64_t row = 0; row < c.out_channels; ++row)
      for (int64_t k = 0; k < c.group_in(); ++k)
        for (int64_t o = 0; o < c.out_plane(); ++o)
          for (int64_t t = 0; t < c.taps(); ++t) {
            const int64_t out[] = {o / (c.out[1] * c.out[2]), o / c.out[2] % c.out[1], o % c.out[2]};
            const int64_t tap[] = {t / (c.kernel[1] * c.kernel[2]), t / c.kernel[2] % c.kernel[1], t % c.kernel[2]};
            int64_t at = 0;
            bool inside = true;
            for (int d = 0; d < 3; ++d) {
              const int64_t u = out[d] * c.stride[d] + tap[d] * c.dilation[d] - c.padding[d];
              inside = inside && u >= 0 && u < c.in[d];
              at = at * c.in[d] + u;
            }
            if (inside)
              term((n * c.in_channels + row / c.group_out() * c.group_in() + k) * c.in_plane() + at, (row * c.group_in() + k) * c.taps() + t,
                   (n * c.out_channels + row) * c.out_plane() + o);
          }
}

template <class F> void for_each_target(const F& f) {
  for (int64_t left = hwy::SupportedTargets() & HWY_TARGETS; left != 0; left &= left - 1) {
    hwy::SetSupportedTargetsForTest(left & -left);
    SCOPED_TRACE(hwy::TargetName(left & -left));
    f();
    hwy::SetSupportedTargetsForTest(0);
  }
}

template <class T> void expect_all(Guarded<T>& got, const Numbers& want, const char* face) {
  ASSERT_TRUE(got.untouched()) << face << " wrote outside";
  for (size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(got.data()[i], want[i], 1e-4 * (1 + std::abs(want[i]))) << face << " at " << i;
}

class ConvTest : public Core {};

template <class T> void faces_match(Dtype t, int rounds) {
  Geometries g;
  for (int i = 0; i < rounds; ++i) {
    const Conv c = g.next();
    SCOPED_TRACE(text_of(c));
    Guarded<T> x(c.batch * c.in_channels * c.in_plane()), w(c.weights()), y(c.batch * c.out_channels * c.out_plane()), bias(c.out_channels);
    Guarded<T> dx(static_cast<int64_t>(x.n)), dw(static_cast<int64_t>(w.n)), fy(static_cast<int64_t>(y.n));
    for (auto* a : {&x, &w, &y, &bias}) a->fill(g.engine);
    Numbers want_y(y.n), want_x(x.n), want_w(w.n);
    for (size_t k = 0; k < y.n; ++k) want_y[k] = bias.data()[k / static_cast<size_t>(c.out_plane()) % static_cast<size_t>(c.out_channels)];
    each_term(c, [&](int64_t p, int64_t q, int64_t r) {
      want_y[r] += double{x.data()[p]} * w.data()[q];
      want_x[p] += double{y.data()[r]} * w.data()[q];
      want_w[q] += double{y.data()[r]} * x.data()[p];
    });
    for_each_target([&] {
      kernels::conv_forward(c, t, x.data(), w.data(), bias.data(), fy.data());
      kernels::conv_input(c, t, y.data(), w.data(), dx.data());
      kernels::conv_weight(c, t, x.data(), y.data(), dw.data());
      expect_all(fy, want_y, "forward");
      expect_all(dx, want_x, "input");
      expect_all(dw, want_w, "weight");
    });
    if (testing::Test::HasFatalFailure()) return;
  }
}
TEST_F(ConvTest, FacesMatchTheirFormOnEveryTargetInFloat) { faces_match<float>(Dtype::f32, 300); }
TEST_F(ConvTest, FacesMatchTheirFormOnEveryTargetInDouble) { faces_match<double>(Dtype::f64, 100); }

Tensor random(std::initializer_list<int64_t> sizes, uint64_t seed) {
  std::mt19937_64 e(seed);
  Tensor t = empty(Dtype::f32, {sizes.begin(), sizes.size()});
  for (int64_t i = 0; i < t.numel(); ++i) t.data<float>()[i] = static_cast<float>(static_cast<double>(e() >> 11) * 0x1p-52 - 1);
  return t;
}
bool same_bits(const Tensor& a, const Tensor& b) { return same(a.sizes(), b.sizes()) && std::memcmp(a.impl()->data(), b.impl()->data(), static_cast<size_t>(a.numel()) * 4) == 0; }

TEST_F(ConvTest, ThreadsDoNotChangeBits) {
  struct Case { Tensor x, w; int64_t stride, groups; };
  const Case cases[] = {{random({9, 32, 20, 20}, 1), random({40, 32, 3, 3}, 2), 1, 1}, {random({3, 64, 17, 17}, 3), random({64, 64, 3, 3}, 4), 2, 1},
                        {random({2, 64, 30, 30}, 5), random({64, 1, 3, 3}, 6), 1, 64}, {random({40, 1, 28, 28}, 7), random({6, 1, 5, 5}, 8), 1, 1}};
  for (const Case& k : cases) {
    const Sizes stride(2, k.stride), padding(2, 1), one(2, 1);
    const auto faces = [&](int threads) {
      context_.threads = threads;
      const Tensor y = conv2d(k.x, k.w, {}, k.stride, 1, 1, k.groups);
      return std::vector<Tensor>{y, call(conv_input_op, {y, k.w, stride, padding, one, k.groups, k.x.sizes().last(2)}),
                                 call(conv_weight_op, {k.x, y, stride, padding, one, k.groups, k.w.sizes().last(2)})};
    };
    const auto a = faces(1), b = faces(2), c = faces(3);
    for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(same_bits(a[i], b[i]) && same_bits(a[i], c[i])) << "face " << i << " of " << text(k.x.sizes());
  }
}

TEST_F(ConvTest, AnImageAloneHasTheBitsItHasInABatch) {
  const Tensor x = random({5, 24, 13, 13}, 1), w = random({30, 24, 3, 3}, 2), y = conv2d(x, w, {}, 1, 1);
  const Tensor one = alias(x, Sizes{1, 24, 13, 13}, x.strides(), 3 * x.stride(0));
  EXPECT_TRUE(same_bits(conv2d(one, w, {}, 1, 1), clone(alias(y, Sizes{1, 30, 13, 13}, y.strides(), 3 * y.stride(0)))));
}

// No zero of a border may meet an infinity: 0 * inf is NaN.
TEST_F(ConvTest, InfinitiesSpreadOnlyWhereTheyAreRead) {
  Tensor x = random({1, 9, 7, 7}, 1), w = random({16, 9, 3, 3}, 2);
  x.data<float>()[24] = INFINITY;
  for (int64_t stride : {1, 2}) {
    const Tensor y = conv2d(x, w, {}, stride, 1);
    int64_t finite = 0;
    for (int64_t i = 0; i < y.numel(); ++i) {
      EXPECT_FALSE(std::isnan(y.data<float>()[i]));
      finite += std::isfinite(y.data<float>()[i]);
    }
    EXPECT_EQ(finite, y.numel() - 16 * (stride == 1 ? 9 : 4));
  }
}

TEST_F(ConvTest, BackwardGivesOnlyWhatTheMaskAsks) {
  const Tensor x = random({1, 2, 4, 4}, 1), w = random({3, 2, 2, 2}, 2), g = random({1, 3, 3, 3}, 3);
  const Sizes one(2, 1), none(2, 0), mask{0, 1, 0};
  const Tensors d = call_all(convolution_backward_op, {g, x, w, std::nullopt, one, none, one, false, none, 1, mask});
  EXPECT_FALSE(d[0]);
  EXPECT_TRUE(same(d[1].sizes(), w.sizes()));
  EXPECT_FALSE(d[2]);
}

TEST_F(ConvTest, TransposedConvolutionIsTheInputGradient) {
  const Tensor x = random({2, 6, 9, 8}, 1), w = random({4, 3, 3, 2}, 2), g = random({2, 4, 4, 8}, 3);
  const Tensor leaf = clone(x);
  set_requires_grad(leaf.impl(), true);
  const Tensor y = conv2d(leaf, w, {}, Sizes{2, 1}, Sizes{1, 1}, Sizes{1, 2}, 2);
  ASSERT_TRUE(same(y.sizes(), Sizes{2, 4, 5, 8}));
  const Tensor seed = random({2, 4, 5, 8}, 4);
  const Tensors d = grad({&y, 1}, {&leaf, 1}, {&seed, 1});
  EXPECT_TRUE(same_bits(d[0], conv_transpose2d(seed, w, {}, Sizes{2, 1}, Sizes{1, 1}, Sizes{0, 0}, 2, Sizes{1, 2})));
}

TEST_F(ConvTest, ChannelsOrDtypesThatDoNotFitAreNamed) {
  expect_error(Status::shape, "conv2d: with groups=2 and a weight of shape [4, 2, 3, 3] the input must have 4 channels; its shape is [1, 3, 5, 5]",
               [] { conv2d(random({1, 3, 5, 5}, 1), random({4, 2, 3, 3}, 2), {}, 1, 0, 1, 2); });
  expect_error(Status::dtype, "an input of float32 with a weight of float64", [] { conv2d(random({1, 3, 5, 5}, 1), to(random({4, 3, 3, 3}, 2), Dtype::f64)); });
  expect_error(Status::value, "padding must be at least 0", [] { conv2d(random({1, 3, 5, 5}, 1), random({4, 3, 3, 3}, 2), {}, 1, -1); });
  expect_error(Status::shape, "3 numbers for 'stride'", [] { conv2d(random({1, 3, 5, 5}, 1), random({4, 3, 3, 3}, 2), {}, Sizes{1, 1, 1}); });
}

}  // namespace
}  // namespace gradus
