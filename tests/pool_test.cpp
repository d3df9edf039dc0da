// Where pooling has rules of its own: NaN, infinities, ties, ceil_mode, integers, indices out of range.
#include "fixture.h"

namespace gradus {
namespace {

class PoolTest : public Core {};

void expect_same_bits(const Tensor& a, const Tensor& b) {
  const Tensor x = clone(a), y = clone(b);
  ASSERT_EQ(Sizes(x.sizes()), Sizes(y.sizes()));
  EXPECT_EQ(std::memcmp(x.impl()->data(), y.impl()->data(), static_cast<size_t>(x.numel() * size_of(x.dtype()))), 0);
}

TEST_F(PoolTest, NanIsTheMaximumAndInfinityMinusOneLikeOthers) {
  const Tensor x = tensor({-INFINITY, -INFINITY, NAN, 1, -INFINITY, -INFINITY, 2, NAN}, {1, 2, 4});
  const Tensors y = call_all(max_pool2d_with_indices_op, {x, 2});
  EXPECT_EQ(values(y[0])[0], -INFINITY);
  EXPECT_EQ(y[1].data<int64_t>()[0], 0);
  EXPECT_TRUE(std::isnan(values(y[0])[1]));
  EXPECT_EQ(y[1].data<int64_t>()[1], 7);                      // the last NaN
}
TEST_F(PoolTest, TheFirstOfEqualMaximaGetsTheGradient) {
  const Tensor x = leaf({1, 1, 1, 1}, {1, 2, 2});
  const Tensor y = sum(max_pool2d(x, 2)), one = ones(Sizes{}, Dtype::f64);
  EXPECT_EQ(values(grad({&y, 1}, {&x, 1}, {&one, 1})[0]), (std::vector<double>{1, 0, 0, 0}));
}
TEST_F(PoolTest, SharedMaximaAddTheirGradients) {
  const Tensor x = leaf({0, 0, 0, 0, 9, 0, 0, 0, 0}, {1, 3, 3});
  const Tensor y = sum(max_pool2d(x, 2, 1)), one = ones(Sizes{}, Dtype::f64);
  EXPECT_EQ(values(grad({&y, 1}, {&x, 1}, {&one, 1})[0]), (std::vector<double>{0, 0, 0, 0, 4, 0, 0, 0, 0}));
}
TEST_F(PoolTest, NoWindowBeginsInThePaddingBehind) {
  const Tensor x = tensor({1, 2, 3, 4, 5}, {1, 5});
  EXPECT_EQ(values(call(max_pool1d_op, {x, 2, 2, 0, 1, true})), (std::vector<double>{2, 4, 5}));
  EXPECT_EQ(values(call(avg_pool1d_op, {x, 2, 2, 0, true})), (std::vector<double>{1.5, 3.5, 5}));
  EXPECT_EQ(values(call(avg_pool1d_op, {x, 3, 2, 1, true})), (std::vector<double>{1, 3, 3}));           // the padding counts
  EXPECT_EQ(values(call(avg_pool1d_op, {x, 3, 2, 1, true, false})), (std::vector<double>{1.5, 3, 4.5}));
}
TEST_F(PoolTest, AveragesOfIntegersAreIntegers) {
  EXPECT_EQ(values(avg_pool2d(tensor({1, 2, 3, 1, -1, -2, -3, -1}, {2, 2, 2}, Dtype::i64), 2)), (std::vector<double>{1, -1}));
  expect_error(Status::dtype, "not defined for bool", [] { avg_pool2d(tensor({1, 0, 0, 1}, {1, 2, 2}, Dtype::boolean), 2); });
}
// Planes of floats that are many enough go through tables and vectors; one plane alone, and doubles, do not.
TEST_F(PoolTest, ManyPlanesGiveWhatEachGivesAlone) {
  Sizes size{9, 2, 7, 11};
  const Tensor x = empty(Dtype::f32, size), finite = empty(Dtype::f32, size);
  for (int64_t i = 0; i < x.numel(); ++i) {
    finite.data<float>()[i] = static_cast<float>(i * 7 % 13) - 6.1f;
    x.data<float>()[i] = i % 97 == 5 ? NAN : i % 89 == 3 ? -INFINITY : finite.data<float>()[i];
  }
  struct Way { Sizes kernel, stride, padding, dilation; bool ceil; };
  for (const Way& w : {Way{{2, 2}, {2, 2}, {0, 0}, {1, 1}, false}, Way{{3, 2}, {2, 1}, {1, 1}, {1, 1}, true}, Way{{2, 3}, {1, 3}, {1, 0}, {3, 2}, false}}) {
    const Tensors many = call_all(max_pool2d_with_indices_op, {x, w.kernel, w.stride, w.padding, w.dilation, w.ceil});
    const Tensor mean = call(avg_pool2d_op, {finite, w.kernel, w.stride, w.padding, w.ceil, false});
    const Tensor back = call(avg_pool_back_op, {mean, Sizes{7, 11}, w.kernel, w.stride, w.padding, w.ceil, false, std::nullopt});
    for (int64_t n = 0; n < 9; ++n) {
      const Tensor one = select(x, 0, n), g = select(mean, 0, n);
      const Tensors alone = call_all(max_pool2d_with_indices_op, {one, w.kernel, w.stride, w.padding, w.dilation, w.ceil});
      expect_same_bits(select(many[0], 0, n), alone[0]);
      expect_same_bits(select(many[1], 0, n), alone[1]);
      expect_same_bits(g, call(avg_pool2d_op, {select(finite, 0, n), w.kernel, w.stride, w.padding, w.ceil, false}));
      expect_same_bits(select(back, 0, n), call(avg_pool_back_op, {g, Sizes{7, 11}, w.kernel, w.stride, w.padding, w.ceil, false, std::nullopt}));
    }
  }
}
TEST_F(PoolTest, UnpoolingPutsMaximaBack) {
  const Tensor x = tensor({1, 5, 2, 3, 0, 4, 8, 7, 6}, {1, 3, 3});
  const Tensors y = call_all(max_pool2d_with_indices_op, {x, 2, 1});
  EXPECT_EQ(values(call(max_unpool2d_op, {y[0], y[1], Sizes{3, 3}})), (std::vector<double>{0, 5, 0, 0, 0, 0, 8, 7, 0}));
}
TEST_F(PoolTest, IndicesOutsideOfThePlaneAreRefused) {
  const Tensor x = tensor({1}, {1, 1, 1}), far = tensor({4}, {1, 1, 1}, Dtype::i64), before = tensor({-1}, {1, 1, 1}, Dtype::i64);
  expect_error(Status::index, "index 4 in a plane of 4", [&] { call(max_unpool2d_op, {x, far, Sizes{2, 2}}); });
  expect_error(Status::index, "index -1 in a plane of 4", [&] { call(max_unpool2d_op, {x, before, Sizes{2, 2}}); });
}
TEST_F(PoolTest, AWindowOfPaddingAloneIsRefused) {
  expect_error(Status::value, "has only padding", [] { max_pool2d(tensor({1}, {1, 1, 1}), 2, 1, 1, 2); });
}
TEST_F(PoolTest, CircularPaddingMayWrapOnce) {
  const Tensor x = tensor({1, 2, 3}, {1, 3});
  EXPECT_EQ(values(pad(x, Sizes{3, 1}, "circular")), (std::vector<double>{1, 2, 3, 1, 2, 3, 1}));
  expect_error(Status::value, "padding 4 and 0 in mode circular of a dimension of size 3", [&] { pad(x, Sizes{4, 0}, "circular"); });
}
TEST_F(PoolTest, PaddingKeepsEveryDtype) {
  EXPECT_EQ(values(constant_pad_nd(tensor({1, 0}, {2}, Dtype::boolean), Sizes{1, 1}, Number(true))), (std::vector<double>{1, 1, 0, 1}));
  EXPECT_EQ(values(pad(tensor({1, 2, 3}, {1, 3}, Dtype::i32), Sizes{1, 1}, "reflect")), (std::vector<double>{2, 1, 2, 3, 2}));
}
TEST_F(PoolTest, InterpolationReachesTheCornersWhenAsked) {
  const Tensor x = tensor({0, 3}, {1, 1, 2});
  EXPECT_EQ(values(call(upsample_linear1d_op, {x, 4, true})), (std::vector<double>{0, 1, 2, 3}));
  EXPECT_EQ(values(call(upsample_linear1d_op, {x, 4, false})), (std::vector<double>{0, 0.75, 2.25, 3}));
  EXPECT_EQ(values(call(upsample_nearest1d_op, {x, 3})), (std::vector<double>{0, 0, 3}));
}

}  // namespace
}  // namespace gradus
