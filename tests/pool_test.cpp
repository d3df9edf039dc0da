// Where pooling has rules of its own: NaN, infinities, ties, ceil_mode, integers, indices out of range.
#include "fixture.h"

namespace gradus {
namespace {

class PoolTest : public Core {};

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
