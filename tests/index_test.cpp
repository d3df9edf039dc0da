// Reading and writing at indices: who gets the gradient, what is refused before anything is written, and bits for any threads.
#include "fixture.h"

namespace gradus {
namespace {

using Indexing = Core;
using Doubles = std::vector<double>;

void backward(const Tensor& t) { gradus::backward({&t, 1}, {}); }

TEST_F(Indexing, RepeatedReadsAddTheirGradients) {
  const Tensor a = leaf({1, 2, 3}, {3}), index = tensor({0, 0, 2, 1}, {4}, Dtype::i64), w = tensor({1, 10, 100, 1000}, {4});
  backward(sum(mul(gather(a, 0, index), w)));
  EXPECT_EQ(values(grad_of(a)), (Doubles{11, 1000, 100}));
  const Tensor b = leaf({1, 2, 3}, {3}), signs = tensor({0, 0, 2, -1}, {4}, Dtype::i64);
  backward(sum(mul(gradus::index(b, {&signs, 1}), w)));
  EXPECT_EQ(values(grad_of(b)), (Doubles{11, 0, 1100}));
}

TEST_F(Indexing, TheLastOfSeveralWritesWinsAndGetsTheGradient) {
  const Tensor index = tensor({1, 1, 0}, {3}, Dtype::i64), g = tensor({10, 100}, {2});
  const auto check = [&](auto&& write) {
    const Tensor base = leaf({1, 2}, {2}), src = leaf({5, 6, 7}, {3});
    const Tensor y = write(base, src);
    EXPECT_EQ(values(y), (Doubles{7, 6}));
    backward(sum(mul(y, g)));
    EXPECT_EQ(values(grad_of(src)), (Doubles{0, 100, 10}));
    EXPECT_EQ(values(grad_of(base)), (Doubles{0, 0}));
  };
  check([&](const Tensor& x, const Tensor& v) { return scatter(x, 0, index, v); });
  check([&](const Tensor& x, const Tensor& v) { return call(index_copy_op, {x, 0, index, v}); });
  check([&](const Tensor& x, const Tensor& v) { return index_put(x, {&index, 1}, v); });
  check([&](const Tensor& x, const Tensor& v) { return call(put_op, {x, index, v}); });
}

TEST_F(Indexing, ABadIndexLeavesTheTensorAsItWas) {
  const Tensor a = tensor({1, 2, 3}, {3}), bad = tensor({0, 3}, {2}, Dtype::i64), v = tensor({8, 9}, {2});
  const auto refuses = [&](const char* what, auto&& write) {
    expect_error(Status::index, what, write);
    EXPECT_EQ(values(a), (Doubles{1, 2, 3}));
  };
  refuses("scatter_: index 3 is out of range for size 3", [&] { call_in_place(scatter_op, {a, 0, bad, v}); });
  refuses("scatter_add_: index 3 is out of range for size 3", [&] { call_in_place(scatter_add_op, {a, 0, bad, v}); });
  refuses("index_add_: index 3 is out of range for size 3", [&] { call_in_place(index_add_op, {a, 0, bad, v}); });
  refuses("index_copy_: index 3 is out of range for size 3", [&] { call_in_place(index_copy_op, {a, 0, bad, v}); });
  refuses("index_put: index 3 is out of range for size 3", [&] { call_in_place(index_put_op, {a, std::span<const Tensor>(&bad, 1), v}); });
  refuses("put: index 3 is out of range for size 3", [&] { call_in_place(put_op, {a, bad, v}); });
  expect_error(Status::index, "index 9223372036854775807 is out of range", [&] { gather(a, 0, call(fill_op, {bad, INT64_MAX})); });
  expect_error(Status::index, "index -9223372036854775808 is out of range", [&] { take(a, call(fill_op, {bad, INT64_MIN})); });
}

TEST_F(Indexing, EmptyIndicesGiveZeroGradients) {
  const Tensor none = empty(Dtype::i64, Sizes{0});
  const Tensor a = leaf({1, 2, 3}, {3});
  backward(sum(index_select(a, 0, none)));
  EXPECT_EQ(values(grad_of(a)), (Doubles{0, 0, 0}));
  const Tensor b = leaf({1, 2, 3}, {3});
  backward(sum(gradus::index(b, {&none, 1})));
  EXPECT_EQ(values(grad_of(b)), (Doubles{0, 0, 0}));
}

TEST_F(Indexing, ThePaddingRowGetsNoGradient) {
  const Tensor w = leaf({1, 1, 2, 2, 3, 3}, {3, 2}), index = tensor({0, 1, 1, 2, 2, 2}, {6}, Dtype::i64);
  backward(sum(embedding(w, index, 1)));
  EXPECT_EQ(values(grad_of(w)), (Doubles{1, 1, 0, 0, 3, 3}));
  const Tensor scaled = leaf({1, 1, 2, 2, 3, 3}, {3, 2});
  backward(sum(embedding(scaled, index, 0, true)));
  EXPECT_EQ(values(grad_of(scaled)), (Doubles{0, 0, 1, 1, 1, 1}));
}

TEST_F(Indexing, MasksReachInPlace) {
  const Tensor a = leaf({1, 2, 3}, {3}), v = leaf({9}, {}), mask = tensor({1, 0, 1}, {3}, Dtype::boolean);
  const Tensor y = mul(a, 1);
  call_in_place(masked_fill_op, {y, mask, v});
  EXPECT_EQ(values(y), (Doubles{9, 2, 9}));
  backward(sum(mul(y, tensor({1, 2, 4}, {3}))));
  EXPECT_EQ(values(grad_of(a)), (Doubles{0, 2, 0}));
  EXPECT_EQ(values(grad_of(v)), (Doubles{5}));
  const Tensor small = tensor({1, 2, 3}, {3});
  expect_error(Status::shape, "does not fit", [&] { call_in_place(masked_fill_op, {small, tensor({1, 0}, {2, 1}, Dtype::boolean), 1}); });
}

TEST_F(Indexing, TiesOfAmaxShareAndAZeroKeepsItsProduct) {
  const Tensor self = leaf({2, 0}, {2}), src = leaf({2, 1, 3}, {3}), index = tensor({0, 0, 1}, {3}, Dtype::i64);
  backward(sum(scatter_reduce(self, 0, index, src, "amax")));
  EXPECT_EQ(values(grad_of(self)), (Doubles{0.5, 0}));
  EXPECT_EQ(values(grad_of(src)), (Doubles{0.5, 0, 1}));
  const Tensor one = tensor({1}, {1}), factors = leaf({2, 0, 4}, {3}), all = tensor({0, 0, 0}, {3}, Dtype::i64);
  backward(sum(scatter_reduce(one, 0, all, factors, "prod")));
  EXPECT_EQ(values(grad_of(factors)), (Doubles{0, 8, 0}));
}

TEST_F(Indexing, ScatterAddsHalvesInFloat) {
  const Tensor y = zeros(Sizes{1}, Dtype::f16), one = call(ones_op, {Sizes{5000}, Dtype::f16}), index = zeros(Sizes{5000}, Dtype::i64);
  EXPECT_EQ(values(scatter_add(y, 0, index, one)), (Doubles{5000}));
  EXPECT_EQ(values(index_add(y, 0, index, one)), (Doubles{5000}));
}

TEST_F(Indexing, SumsHaveTheSameBitsForAnyThreads) {
  const int64_t n = 20000, rows = 37;
  const Tensor index = empty(Dtype::i64, Sizes{n});
  for (int64_t i = 0; i < n; ++i) index.data<int64_t>()[i] = i * i % rows;
  for (const int64_t width : {1, 5, 200}) {
    const Tensor src = empty(Dtype::f32, Sizes{n, width});
    for (int64_t i = 0; i < src.numel(); ++i) src.data<float>()[i] = std::sin(static_cast<float>(i));
    const Tensor wide = expand(reshape(index, Sizes{n, 1}), Sizes{n, width}), base = zeros(Sizes{rows, width}, Dtype::f32);
    std::vector<Doubles> results;
    for (const int threads : {1, 2, 7}) {
      context_.threads = threads;
      results.push_back(values(index_add(base, 0, index, src)));
      results.push_back(values(scatter_add(base, 0, wide, src)));
      results.push_back(values(index_put(base, {&index, 1}, src, true)));
    }
    for (const Doubles& r : results) EXPECT_EQ(r, results[0]) << width;
  }
}

TEST_F(Indexing, CatJoinsDtypesAndPassesOverNothing) {
  const Tensor nothing = empty(Dtype::f32, Sizes{0}), whole = tensor({1, 2}, {1, 2}, Dtype::i64), x = leaf({3, 4}, {1, 2});
  const Tensor y = cat(std::vector<Tensor>{nothing, whole, x});
  EXPECT_EQ(y.dtype(), Dtype::f64);
  EXPECT_EQ(values(y), (Doubles{1, 2, 3, 4}));
  const Tensor twice = cat(std::vector<Tensor>{x, x}, 1);
  backward(sum(mul(twice, tensor({1, 2, 3, 4}, {1, 4}))));
  EXPECT_EQ(values(grad_of(x)), (Doubles{4, 6}));
  expect_error(Status::shape, "tensor 1 has 1 dimensions", [&] { cat(std::vector<Tensor>{whole, tensor({1}, {1})}); });
}

}  // namespace
}  // namespace gradus
