// Printing: the expected texts are what PyTorch prints for the same tensors.
#include <clocale>

#include "dispatch/number_text.h"
#include "fixture.h"
#include "io/print.h"

namespace gradus {
namespace {

class Print : public Core {
 protected:
  static Tensor f32(std::initializer_list<double> v) { return tensor(v, {static_cast<int64_t>(v.size())}, Dtype::f32); }
  // 0, 1, 2 … divided by `by`.
  static Tensor count(std::initializer_list<int64_t> sizes, double by = 1, Dtype dtype = Dtype::f32) {
    Tensor t = empty(dtype, {sizes.begin(), sizes.size()});
    visit(dtype, [&]<class T>() {
      for (int64_t i = 0; i < t.numel(); ++i) t.data<T>()[i] = convert<T>(static_cast<double>(i) / by);
    });
    return t;
  }
  static Tensor with_grad(const Tensor& t) {
    set_requires_grad(t.impl(), true);
    return t;
  }
};

constexpr double kNan = std::numeric_limits<double>::quiet_NaN(), kInf = std::numeric_limits<double>::infinity();

TEST_F(Print, Numbers) {
  EXPECT_EQ(print(tensor({3.5}, {}, Dtype::f32)), "tensor(3.5000)");
  EXPECT_EQ(print(tensor({7}, {}, Dtype::i64)), "tensor(7)");
  EXPECT_EQ(print(f32({1, -2, 300})), "tensor([  1.,  -2., 300.])");
  EXPECT_EQ(print(f32({0.5, -1.25, 100})), "tensor([  0.5000,  -1.2500, 100.0000])");
  EXPECT_EQ(print(f32({-0.0, 1})), "tensor([-0., 1.])");
}

TEST_F(Print, ScientificWhereTheRangeIsWide) {
  EXPECT_EQ(print(f32({1e-5, 1})), "tensor([1.0000e-05, 1.0000e+00])");
  EXPECT_EQ(print(f32({1, 2e9})), "tensor([1.0000e+00, 2.0000e+09])");
  EXPECT_EQ(print(f32({1e8, 3e8})), "tensor([1.0000e+08, 3.0000e+08])");
}

TEST_F(Print, NotANumberAndInfinity) {
  EXPECT_EQ(print(f32({1, kNan, kInf, -kInf})), "tensor([1., nan, inf, -inf])");
  EXPECT_EQ(print(f32({1.5, kNan, -kInf})), "tensor([1.5000,    nan,   -inf])");
  EXPECT_EQ(print(f32({std::copysign(kNan, -1), 0})), "tensor([nan, 0.])");
}

TEST_F(Print, Dtypes) {
  EXPECT_EQ(print(tensor({1, 0}, {2}, Dtype::boolean)), "tensor([ True, False])");
  EXPECT_EQ(print(tensor({1, -20, 300, 4}, {2, 2}, Dtype::i32)), "tensor([[  1, -20],\n        [300,   4]], dtype=torch.int32)");
  EXPECT_EQ(print(tensor({0.1}, {1})), "tensor([0.1000], dtype=torch.float64)");
  EXPECT_EQ(print(tensor({0.1, 1000}, {2}, Dtype::f16)), "tensor([9.9976e-02, 1.0000e+03], dtype=torch.float16)");
  EXPECT_EQ(print(tensor({0.1}, {1}, Dtype::bf16)), "tensor([0.1001], dtype=torch.bfloat16)");
}

TEST_F(Print, Empty) {
  EXPECT_EQ(print(f32({})), "tensor([])");
  EXPECT_EQ(print(tensor({}, {0, 3}, Dtype::f32)), "tensor([], size=(0, 3))");
  EXPECT_EQ(print(tensor({}, {0, 2}, Dtype::i64)), "tensor([], size=(0, 2), dtype=torch.int64)");
}

TEST_F(Print, LongRowsAreWrapped) {
  EXPECT_EQ(print(count({30})),
            "tensor([ 0.,  1.,  2.,  3.,  4.,  5.,  6.,  7.,  8.,  9., 10., 11., 12., 13.,\n"
            "        14., 15., 16., 17., 18., 19., 20., 21., 22., 23., 24., 25., 26., 27.,\n"
            "        28., 29.])");
  EXPECT_EQ(print(count({20}, 7)),
            "tensor([0.0000, 0.1429, 0.2857, 0.4286, 0.5714, 0.7143, 0.8571, 1.0000, 1.1429,\n"
            "        1.2857, 1.4286, 1.5714, 1.7143, 1.8571, 2.0000, 2.1429, 2.2857, 2.4286,\n"
            "        2.5714, 2.7143])");
}

TEST_F(Print, Nested) {
  EXPECT_EQ(print(count({2, 2, 3}, 1, Dtype::i64)),
            "tensor([[[ 0,  1,  2],\n         [ 3,  4,  5]],\n\n        [[ 6,  7,  8],\n         [ 9, 10, 11]]])");
  EXPECT_EQ(print(alias(count({2, 3}), Sizes{3, 2}, Sizes{1, 3}, 0)), "tensor([[0., 3.],\n        [1., 4.],\n        [2., 5.]])");
}

TEST_F(Print, LargeTensorsShowTheirEdges) {
  EXPECT_EQ(print(count({2000})),
            "tensor([0.0000e+00, 1.0000e+00, 2.0000e+00,  ..., 1.9970e+03, 1.9980e+03,\n        1.9990e+03])");
  EXPECT_EQ(print(count({100, 100}, 8)),
            "tensor([[0.0000e+00, 1.2500e-01, 2.5000e-01,  ..., 1.2125e+01, 1.2250e+01,\n"
            "         1.2375e+01],\n"
            "        [1.2500e+01, 1.2625e+01, 1.2750e+01,  ..., 2.4625e+01, 2.4750e+01,\n"
            "         2.4875e+01],\n"
            "        [2.5000e+01, 2.5125e+01, 2.5250e+01,  ..., 3.7125e+01, 3.7250e+01,\n"
            "         3.7375e+01],\n"
            "        ...,\n"
            "        [1.2125e+03, 1.2126e+03, 1.2128e+03,  ..., 1.2246e+03, 1.2248e+03,\n"
            "         1.2249e+03],\n"
            "        [1.2250e+03, 1.2251e+03, 1.2252e+03,  ..., 1.2371e+03, 1.2372e+03,\n"
            "         1.2374e+03],\n"
            "        [1.2375e+03, 1.2376e+03, 1.2378e+03,  ..., 1.2496e+03, 1.2498e+03,\n"
            "         1.2499e+03]])");
}

TEST_F(Print, IsBoundedForAnyShape) {
  const Tensor one = count({1}), wide = tensor({-9.2e18}, {1}, Dtype::i64);
  for (const Tensor& t : {one, wide}) {
    for (int64_t rank : {3, 5, 9, 20, 64})
      for (int64_t size : {2, 3, 7, 1000}) {
        Sizes sizes;
        for (int64_t d = 0, n = 1; d < rank; ++d) {           // as large as can be, then ones
          sizes.push_back(n < (int64_t{1} << 50) ? size : 1);
          n *= sizes[static_cast<size_t>(d)];
        }
        const std::string s = print(call(expand_op, {t, sizes}));
        EXPECT_LT(s.size(), 65536u) << rank << " dimensions of " << size;
        EXPECT_EQ(std::count(s.begin(), s.end(), '['), std::count(s.begin(), s.end(), ']'));
      }
    const std::string corner = print(call(expand_op, {t, Sizes{2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2}}));
    EXPECT_NE(corner.find("..."), std::string::npos);
  }
  const std::string five = print(count({6, 6, 6, 6, 6}));     // two at each end: 4^5 elements
  EXPECT_EQ(std::count(five.begin(), five.end(), ']'), 1 + 4 + 16 + 64 + 256);
}

TEST_F(Print, SchemasReadAndWriteAPointInEveryLocale) {
  for (double v : {0.01, 1e-05, 1.0, 0.1 + 0.2, 1e300, -2.5}) EXPECT_EQ(real_of(shortest(v)), v);
  EXPECT_EQ(shortest(0.0001), "0.0001");
  EXPECT_EQ(shortest(1e-5), "1e-05");
  const std::string before = std::setlocale(LC_ALL, nullptr);
  if (!std::setlocale(LC_ALL, "de_DE.UTF-8") && !std::setlocale(LC_ALL, "fr_FR.UTF-8")) GTEST_SKIP() << "no locale with a decimal comma is installed";
  const Schema s = parse_schema("f(Tensor self, float a=0.25) -> Tensor");
  EXPECT_EQ(s.arguments[1].fallback.d, 0.25);
  EXPECT_EQ(print(s), "f(Tensor self, float a=0.25) -> Tensor");
  std::setlocale(LC_ALL, before.c_str());
}

TEST_F(Print, PartInAutograd) {
  EXPECT_EQ(print(with_grad(f32({1, 2}))), "tensor([1., 2.], requires_grad=True)");
  EXPECT_EQ(print(sin(with_grad(f32({0, 1})))), "tensor([0.0000, 0.8415], grad_fn=<SinBackward0>)");
  EXPECT_EQ(print(with_grad(tensor({}, {0, 2}, Dtype::f32))), "tensor([], size=(0, 2), requires_grad=True)");
  EXPECT_EQ(print(div(with_grad(count({6}, 1, Dtype::f64)), 7)),
            "tensor([0.0000, 0.1429, 0.2857, 0.4286, 0.5714, 0.7143], dtype=torch.float64,\n       grad_fn=<DivBackward0>)");
  EXPECT_EQ(print(sin(div(with_grad(count({12}, 1, Dtype::f64)), 7))),
            "tensor([0.0000, 0.1424, 0.2818, 0.4156, 0.5408, 0.6551, 0.7560, 0.8415, 0.9098,\n"
            "        0.9596, 0.9899, 1.0000], dtype=torch.float64, grad_fn=<SinBackward0>)");
  EXPECT_EQ(print(mul(with_grad(count({9}, 1, Dtype::f64)), 1000)),
            "tensor([   0., 1000., 2000., 3000., 4000., 5000., 6000., 7000., 8000.],\n"
            "       dtype=torch.float64, grad_fn=<MulBackward0>)");
}

}  // namespace
}  // namespace gradus
