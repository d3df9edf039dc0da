// Views: shared memory, writes through chains of them, what may not be written, and copies between memory layouts.
#include "fixture.h"
#include "kernels/copy.h"

namespace gradus {
namespace {

using Views = Core;
using Doubles = std::vector<double>;

void backward(const Tensor& t) { gradus::backward({&t, 1}, {}); }

TEST_F(Views, AWriteThroughAChainReachesTheBase) {
  const Tensor a = leaf({1, 2, 3, 4, 5, 6}, {2, 3});
  const Tensor y = mul(a, 1);
  const Tensor v = select(transpose(y, 0, 1), 0, 1);          // the middle column
  call_in_place(mul_op, {v, 10});
  EXPECT_EQ(values(y), (Doubles{1, 20, 3, 4, 50, 6}));
  backward(sum(mul(y, y)));
  EXPECT_EQ(values(grad_of(a)), (Doubles{2, 400, 6, 8, 1000, 12}));
}

TEST_F(Views, AnotherViewSeesTheWrite) {
  const Tensor a = leaf({1, 2, 3, 4}, {2, 2});
  const Tensor y = mul(a, 1), row = select(y, 0, 0), diagonal_of = diagonal(y);
  call_in_place(mul_op, {row, 3});
  EXPECT_EQ(values(diagonal_of), (Doubles{3, 4}));
  backward(sum(mul(diagonal_of, diagonal_of)));
  EXPECT_EQ(values(grad_of(a)), (Doubles{18, 0, 0, 8}));
}

TEST_F(Views, AWrittenValueGetsItsGradientThroughAView) {
  const Tensor y = zeros(Sizes{3}, Dtype::f64), x = leaf({2}, {});
  const Tensor place = select(y, 0, 1);
  call_in_place(copy_op, {place, x});
  EXPECT_TRUE(y.wants_grad());
  backward(sum(mul(y, tensor({1, 5, 7}, {3}))));
  EXPECT_EQ(values(grad_of(x)), (Doubles{5}));
}

TEST_F(Views, WritesInPlaceAtIndicesWorkThroughAView) {
  const Tensor a = leaf({1, 2, 3, 4, 5, 6}, {2, 3}), v = leaf({10, 20}, {2});
  const Tensor y = mul(a, 1), column = select(y, 1, 2);
  const Tensor index = tensor({1, 0}, {2}, Dtype::i64);
  call_in_place(index_copy_op, {column, 0, index, v});
  EXPECT_EQ(values(y), (Doubles{1, 2, 20, 4, 5, 10}));
  backward(sum(mul(y, tensor({1, 2, 3, 4, 5, 6}, {2, 3}))));
  EXPECT_EQ(values(grad_of(a)), (Doubles{1, 2, 0, 4, 5, 0}));
  EXPECT_EQ(values(grad_of(v)), (Doubles{6, 3}));
}

TEST_F(Views, PartsOfOneOpMayNotBeWritten) {
  const Tensor a = leaf({1, 2, 3, 4}, {2, 2});
  const Tensor y = mul(a, 1);
  for (const Tensors& parts : {unbind(y), split(y, 1), chunk(y, 2), split_with_sizes(y, Sizes{1, 1})}) {
    expect_error(Status::state, "one of several outputs", [&] { call_in_place(mul_op, {parts[0], 2}); });
    const Tensor view_of_part = flatten(parts[1]);
    if (view_of_part.impl() != parts[1].impl()) expect_error(Status::state, "one of several outputs", [&] { call_in_place(mul_op, {view_of_part, 2}); });
  }
  const Tensors apart = call_all(tensor_split_op, {y, 2});    // slices, each a view by itself
  call_in_place(mul_op, {apart[0], 2});
  backward(sum(y));
  EXPECT_EQ(values(grad_of(a)), (Doubles{2, 2, 1, 1}));
}

TEST_F(Views, AnOpMayHaveAnyNumberOfResults) {
  for (int64_t count : {100, 70000}) {
    const Tensor x = ones(Sizes{count}, Dtype::f64);
    set_requires_grad(x.impl(), true);
    const Tensors rows = unbind(x);
    backward(add(mul(rows[16], 2), mul(rows[static_cast<size_t>(count) - 1], 3)));
    Doubles expected(static_cast<size_t>(count));
    expected[16] = 2;
    expected.back() = 3;
    EXPECT_EQ(values(grad_of(x)), expected);
  }
}

TEST_F(Views, AViewMadeWithoutRecordingMayNotBeWrittenWhileRecording) {
  const Tensor a = leaf({1, 2}, {2});
  const Tensor y = mul(a, 1);
  Tensor v;
  {
    const GradMode off(false);
    v = select(y, 0, 0);
  }
  expect_error(Status::state, "while recording was off", [&] { call_in_place(mul_op, {v, 2}); });
  expect_error(Status::state, "view of a leaf", [&] { call_in_place(mul_op, {select(a, 0, 0), 2}); });
}

TEST_F(Views, AnExpandedViewMayNotBeWritten) {
  const Tensor y = tensor({1, 2}, {2, 1});
  expect_error(Status::state, "share memory", [&] { call_in_place(mul_op, {expand(y, Sizes{2, 3}), 2}); });
  expect_error(Status::state, "share memory", [&] { call_in_place(mul_op, {call(unfold_op, {tensor({1, 2, 3}, {3}), 0, 2, 1}), 2}); });
}

TEST_F(Views, ADetachedViewSharesTheVersion) {
  const Tensor a = leaf({1, 2}, {2});
  const Tensor y = exp(a), z = sum(y), d = call(detach_op, {y});
  EXPECT_FALSE(d.wants_grad());
  EXPECT_EQ(d.impl()->storage, y.impl()->storage);
  call_in_place(mul_op, {d, 2});
  expect_error(Status::in_place, "ExpBackward0", [&] { backward(z); });
}

TEST_F(Views, LongLaddersOfWritesStayRight) {
  const Tensor a = leaf({1, 1}, {2});
  const Tensor y = mul(a, 1);
  for (int i = 0; i < 300; ++i) call_in_place(add_op, {select(y, 0, 0), 1});
  call_in_place(mul_op, {select(y, 0, 0), 2});
  backward(sum(y));
  EXPECT_EQ(values(y), (Doubles{602, 1}));
  EXPECT_EQ(values(grad_of(a)), (Doubles{2, 1}));
}

TEST_F(Views, ASizeOneDimOfAnyStrideCanBeReshaped) {
  const Tensor memory = tensor({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, {12});
  const Tensor odd = call(as_strided_op, {memory, Sizes{2, 1, 3}, Sizes{6, 99, 1}});
  EXPECT_EQ(values(view(odd, Sizes{2, 3})), (Doubles{0, 1, 2, 6, 7, 8}));
  EXPECT_EQ(values(reshape(odd, Sizes{6})), (Doubles{0, 1, 2, 6, 7, 8}));
  expect_error(Status::shape, "without a copy", [&] { view(odd, Sizes{6}); });
}

TEST_F(Views, OverlappingWindowsSumTheirGradients) {
  const Tensor a = leaf({1, 2, 3, 4, 5}, {5});
  backward(sum(mul(call(unfold_op, {a, 0, 3, 1}), tensor({1, 2, 3, 10, 20, 30, 100, 200, 300}, {3, 3}))));
  EXPECT_EQ(values(grad_of(a)), (Doubles{1, 12, 123, 230, 300}));
  const Tensor b = leaf({1, 2, 3, 4}, {4});
  backward(sum(call(as_strided_op, {b, Sizes{3, 2}, Sizes{1, 1}})));
  EXPECT_EQ(values(grad_of(b)), (Doubles{1, 2, 2, 1}));
}

TEST_F(Views, SlicesReadBoundsAsPython) {
  const Tensor a = tensor({0, 1, 2, 3, 4}, {5});
  EXPECT_EQ(values(slice(a, 0, -2)), (Doubles{3, 4}));
  EXPECT_EQ(values(slice(a, 0, 1, -1, 2)), (Doubles{1, 3}));
  EXPECT_EQ(slice(a, 0, 4, 2).numel(), 0);
  EXPECT_EQ(values(slice(a, 0, INT64_MIN / 2, INT64_MAX)), values(a));
  EXPECT_EQ(values(slice(a, 0, 0, 5, INT64_MAX)), (Doubles{0}));
}

// ---- copies
TEST_F(Views, CopiesGoBetweenAnyLayoutsAndDtypes) {
  const Sizes sizes{7, 19, 33};
  const Sizes rows{627, 33, 1}, reversed{1, 7, 133}, swapped{33, 231, 1}, gaps{1400, 70, 2}, wide{0, 33, 1}, narrow_row{33, 0, 1}, one_column{19, 1, 0};
  const Sizes all_to[] = {rows, reversed, swapped, gaps}, all_from[] = {rows, reversed, swapped, gaps, wide, narrow_row, one_column};
  const Dtype types[] = {Dtype::boolean, Dtype::u8, Dtype::i8, Dtype::i16, Dtype::i32, Dtype::i64, Dtype::f16, Dtype::bf16, Dtype::f32, Dtype::f64};
  for (const Sizes& ts : all_to)
    for (const Sizes& fs : all_from)
      for (Dtype to : types)
        for (Dtype from : types) {
          if (to != from && (static_cast<int>(to) + static_cast<int>(from)) % 3) continue;   // a third of the conversions
          const Tensor a = empty_strided(to, sizes, ts), b = empty_strided(from, sizes, fs);
          visit(from, [&]<class F>() {
            for (int64_t i = 0; i < b.storage().bytes / size_of(from); ++i) reinterpret_cast<F*>(b.storage().data)[i] = convert<F>(static_cast<double>(i * 7 % 101));
          });
          kernels::copy(view_of(a), view_of(b));
          int wrong = 0;
          visit(to, [&]<class T>() {
            visit(from, [&]<class F>() {
              for (int64_t i = 0; i < 7; ++i)
                for (int64_t j = 0; j < 19; ++j)
                  for (int64_t k = 0; k < 33; ++k) {
                    const T got = a.data<T>()[i * ts[0] + j * ts[1] + k * ts[2]], want = convert<T>(b.data<F>()[i * fs[0] + j * fs[1] + k * fs[2]]);
                    wrong += std::memcmp(&got, &want, sizeof got) != 0;
                  }
            });
          });
          ASSERT_EQ(wrong, 0) << name(from) << text(fs) << " to " << name(to) << text(ts);
        }
}

TEST_F(Views, AWriteFromOverlappingMemoryReadsTheOldValues) {
  const Tensor a = tensor({1, 2, 3, 4}, {2, 2});
  call_in_place(sub_op, {a, slice(a, 1, 0, 1)});
  EXPECT_EQ(values(a), (Doubles{0, 1, 0, 1}));
  const Tensor b = tensor({1, 2, 3, 4, 5}, {5});
  call_in_place(copy_op, {slice(b, 0, 1), slice(b, 0, 0, 4)});
  EXPECT_EQ(values(b), (Doubles{1, 1, 2, 3, 4}));
  const Tensor c = tensor({1, 2, 3, 4}, {2, 2});
  call_in_place(copy_op, {c, t(c)});
  EXPECT_EQ(values(c), (Doubles{1, 3, 2, 4}));
}

// Memory beyond a tensor that has no base: what lies outside gets no gradient, and a write there changes none.
TEST_F(Views, AsStridedReachesOverTheWholeMemory) {
  const Tensor memory = tensor({0, 1, 2, 3, 4, 5}, {6}), part = detach(slice(memory, 0, 2, 4));
  const auto all = [](const Tensor& t) { return call(as_strided_op, {t, Sizes{6}, Sizes{1}, 0}); };
  EXPECT_EQ(values(all(part)), (Doubles{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(values(call(as_strided_op, {part, Sizes{2}, Sizes{1}})), (Doubles{2, 3}));
  expect_error(Status::shape, "as_strided: size [7], stride [1] and offset 0 reach beyond the 6 elements of the memory",
               [&] { call(as_strided_op, {part, Sizes{7}, Sizes{1}, 0}); });
  expect_error(Status::shape, "as_strided: size [2], stride [1] and offset 5", [&] { call(as_strided_op, {part, Sizes{2}, Sizes{1}, 5}); });

  set_requires_grad(part.impl(), true);
  const Tensor y = all(part), z = sum(mul(mul(y, y), tensor({1, 2, 3, 4, 5, 6}, {6})));
  const Tensor g = grad({&z, 1}, {&part, 1}, {}, {.create_graph = true})[0];
  EXPECT_EQ(values(g), (Doubles{2 * 3 * 2, 2 * 4 * 3}));
  const Tensor s = sum(mul(g, tensor({10, 100}, {2})));
  EXPECT_EQ(values(grad({&s, 1}, {&part, 1}, {})[0]), (Doubles{60, 800}));

  // Each element twice, in part beyond.
  const Tensor windows = sum(mul(call(as_strided_op, {part, Sizes{3, 2}, Sizes{1, 1}, 1}), tensor({1, 2, 3, 4, 5, 6}, {3, 2})));
  EXPECT_EQ(values(grad({&windows, 1}, {&part, 1}, {})[0]), (Doubles{2 + 3, 4 + 5}));
}

TEST_F(Views, AWriteBeyondATensorReachesItsPart) {
  const Tensor memory = tensor({0, 1, 2, 3, 4, 5}, {6}), part = detach(slice(memory, 0, 2, 4)), w = leaf({1, 2, 3}, {3});
  const Tensor region = call(as_strided_op, {part, Sizes{3}, Sizes{1}, 0});
  call_in_place(copy_op, {region, mul(w, 10)});
  EXPECT_EQ(values(memory), (Doubles{10, 20, 30, 3, 4, 5}));
  backward(sum(mul(part, tensor({7, 8}, {2}))));
  EXPECT_EQ(values(grad_of(w)), (Doubles{0, 0, 70}));
  const Tensor v = leaf({5}, {1});
  call_in_place(copy_op, {call(as_strided_op, {part, Sizes{1}, Sizes{1}, 5}), v});             // wholly outside
  const Tensor after = sum(part);
  EXPECT_EQ(values(grad({&after, 1}, {&v, 1}, {})[0]), Doubles{0});
}

}  // namespace
}  // namespace gradus
