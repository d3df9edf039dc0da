// Matrix products beyond the suite's samples: sizes that fold and broadcast, factors, dtypes, bits.
#include "fixture.h"

namespace gradus {
namespace {

using Products = Core;

Tensor flipped(const Tensor& t) {                             // the same values with the last two strides exchanged
  const int64_t n = t.ndim();
  Sizes dims;
  for (int64_t d = 0; d < n; ++d) dims.push_back(d < n - 2 ? d : 2 * n - 3 - d);
  return permute(contiguous(permute(t, dims)), dims);
}

std::vector<double> plain(const Tensor& a, const Tensor& b) {   // of two matrices
  const Tensor x = contiguous(to(a, Dtype::f64)), y = contiguous(to(b, Dtype::f64));
  const int64_t m = x.size(0), k = x.size(1), n = y.size(1);
  std::vector<double> out(static_cast<size_t>(m * n));
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j)
      for (int64_t l = 0; l < k; ++l) out[static_cast<size_t>(i * n + j)] += x.data<double>()[i * k + l] * y.data<double>()[l * n + j];
  return out;
}

void expect_near(const std::vector<double>& got, const std::vector<double>& want, double tolerance) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], want[i], tolerance) << i;
}

TEST_F(Products, OperandsMayLieInAnyWay) {
  const Tensor a = randn(Sizes{33, 70}, Dtype::f32), b = randn(Sizes{70, 41}, Dtype::f32);
  const std::vector<double> want = plain(a, b);
  for (const Tensor& x : {a, flipped(a)})
    for (const Tensor& y : {b, flipped(b)}) expect_near(values(mm(x, y)), want, 1e-4);
  const Tensor row = expand(randn(Sizes{1, 70}, Dtype::f32), Sizes{33, 70});   // all rows are one
  expect_near(values(mm(row, b)), plain(row, b), 1e-4);
}

TEST_F(Products, AStackTimesAMatrixIsOneProduct) {
  const Tensor a = randn(Sizes{3, 5, 7}, Dtype::f64), b = randn(Sizes{7, 4}, Dtype::f64);
  EXPECT_EQ(values(matmul(a, b)), values(mm(reshape(a, Sizes{15, 7}), b)));
  const Tensor turned = permute(randn(Sizes{5, 3, 7}, Dtype::f64), Sizes{1, 0, 2});     // rows at two strides: they don't fold
  expect_near(values(matmul(turned, b)), values(matmul(contiguous(turned), b)), 0);
}

TEST_F(Products, BatchesBroadcastWithoutCopies) {
  const Tensor a = randn(Sizes{4, 1, 3, 5}, Dtype::f64), b = randn(Sizes{2, 5, 6}, Dtype::f64);
  const Tensor full = matmul(expand(a, Sizes{4, 2, 3, 5}), expand(b, Sizes{4, 2, 5, 6}));
  EXPECT_EQ(values(matmul(a, b)), values(full));
}

TEST_F(Products, BetaZeroDoesNotReadSelf) {
  const Tensor nan = full(Sizes{2, 2}, NAN, Dtype::f64), a = ones(Sizes{2, 3}, Dtype::f64), b = ones(Sizes{3, 2}, Dtype::f64);
  EXPECT_EQ(values(addmm(nan, a, b, 0, 2)), (std::vector<double>{6, 6, 6, 6}));
  EXPECT_TRUE(std::isnan(values(addmm(nan, a, b))[0]));
  EXPECT_EQ(values(call(addr_op, {nan, ones(Sizes{2}, Dtype::f64), ones(Sizes{2}, Dtype::f64), 0, 1})), (std::vector<double>{1, 1, 1, 1}));
}

TEST_F(Products, FactorsApplyInPlaceToo) {
  const Tensor c = tensor({1, 2, 3, 4}, {2, 2}), a = tensor({1, 0, 0, 1}, {2, 2}), b = tensor({1, 2, 3, 4}, {2, 2});
  call_in_place(addmm_op, {c, a, b, 2, -1});
  EXPECT_EQ(values(c), (std::vector<double>{1, 2, 3, 4}));
}

TEST_F(Products, IntegersWrapAndHalvesRoundOnce) {
  const Tensor big = full(Sizes{1, 2}, int64_t{1} << 62, Dtype::i64), one = full(Sizes{2, 1}, 2, Dtype::i64);
  EXPECT_EQ(mm(big, one).data<int64_t>()[0], 0);
  const Tensor bytes = full(Sizes{2, 2}, 100, Dtype::u8);
  EXPECT_EQ(mm(bytes, bytes).data<uint8_t>()[0], static_cast<uint8_t>(20000));
  const Tensor h = full(Sizes{1, 4097}, 1, Dtype::f16), w = ones(Sizes{4097, 1}, Dtype::f16);
  EXPECT_EQ(values(mm(h, w))[0], 4096);                       // a sum in float16 would stop at 2048
  const Tensor bool_matrix = ones(Sizes{2, 2}, Dtype::boolean);
  expect_error(Status::dtype, "mm: not defined for bool", [&] { mm(bool_matrix, bool_matrix); });
  expect_error(Status::dtype, "mm: float32 against float64", [&] { mm(ones(Sizes{2, 2}, Dtype::f32), ones(Sizes{2, 2}, Dtype::f64)); });
  const Tensor i = ones(Sizes{2, 2}, Dtype::i64);
  EXPECT_EQ(addmm(i, i, i, 2.5, -1.5).data<int64_t>()[0], 0);  // factors of integers lose their fraction
}

TEST_F(Products, ThreadsDoNotChangeBits) {
  const Tensor x = randn(Sizes{64, 784}, Dtype::f32), w = randn(Sizes{256, 784}, Dtype::f32), b = randn(Sizes{256}, Dtype::f32);
  set_requires_grad(x.impl(), true);
  set_requires_grad(w.impl(), true);
  std::vector<double> first[3];
  for (int threads : {1, 2}) {
    context_.threads = threads;
    set_grad(x.impl(), {});
    set_grad(w.impl(), {});
    const Tensor y = linear(x, w, b), s = sum(mul(y, y));
    gradus::backward({&s, 1}, {});
    const std::vector<double> now[3] = {values(y), values(grad_of(x)), values(grad_of(w))};
    for (int i = 0; i < 3; ++i) {
      if (threads == 1) first[i] = now[i];
      EXPECT_EQ(now[i], first[i]) << i;
    }
  }
}

TEST_F(Products, EinsumAgreesWithItsSpecialCases) {
  const Tensor a = randn(Sizes{3, 4, 5}, Dtype::f64), b = randn(Sizes{3, 5, 2}, Dtype::f64), v = randn(Sizes{4}, Dtype::f64);
  const auto ein = [](std::string_view e, std::initializer_list<Tensor> t) { return values(einsum(e, {t.begin(), t.size()})); };
  expect_near(ein("bij, bjk -> bik", {a, b}), values(bmm(a, b)), 1e-13);
  expect_near(ein("ijk->", {a}), values(sum(a)), 1e-12);
  expect_near(ein("kij", {a}), values(permute(a, Sizes{1, 2, 0})), 0);          // the output is ijk
  expect_near(ein("ijk,j->ik", {a, v}), values(matmul(v, a)), 1e-13);
  const Tensor s = randn(Sizes{4, 4}, Dtype::f64);
  expect_near(ein("ii,ij->ij", {s, s}), values(mul(reshape(einsum("ii->i", {&s, 1}), Sizes{4, 1}), s)), 0);
  expect_near(ein("...,...->...", {v, s}), values(mul(v, s)), 0);
  expect_near(ein("Ab,bA", {s, s}), values(sum(mul(s, permute(s, Sizes{1, 0})))), 1e-13);
}

TEST_F(Products, ChainsTakeTheCheapestOrder) {
  const Tensor list[] = {randn(Sizes{10, 100}, Dtype::f64), randn(Sizes{100, 5}, Dtype::f64), randn(Sizes{5, 50}, Dtype::f64)};
  expect_near(values(call(linalg_multi_dot_op, {std::span<const Tensor>(list)})), values(mm(mm(list[0], list[1]), list[2])), 1e-10);
}

}  // namespace
}  // namespace gradus
