// out=: results written into given tensors; which tensors are taken, resized or refused, and resize_.
#include "dispatch/registry.h"
#include "fixture.h"
#include "graph/out.h"
#include "ops/samples.h"

namespace gradus {
namespace {

using Out = Core;
using Doubles = std::vector<double>;

void into(const Op& op, std::initializer_list<Value> arguments, std::initializer_list<Tensor> outs) {
  call_out(op, arguments.begin(), static_cast<int>(arguments.size()), {outs.begin(), outs.size()});
}

TEST_F(Out, TheSameShapeKeepsMemoryAndStrides) {
  const Tensor a = tensor({1, 2, 3, 4, 5, 6}, {2, 3}), out = empty_strided(Dtype::f64, Sizes{2, 3}, Sizes{1, 2});
  const char* memory = out.impl()->data();
  for (const Op* op : {&neg_op, &clone_op}) {
    const uint32_t version = out.storage().current();
    into(*op, {a}, {out});
    EXPECT_EQ(out.impl()->data(), memory);
    EXPECT_EQ(Sizes(out.strides()), (Sizes{1, 2}));
    EXPECT_GT(out.storage().current(), version);
  }
  EXPECT_EQ(values(out), values(a));
}

TEST_F(Out, AnotherShapeIsResizedAndItsMemoryReusedWhereItSuffices) {
  const Tensor a = tensor({1, 2, 3, 4}, {2, 2}), b = tensor({1, 10}, {2});
  const Tensor none = empty(Dtype::f64, Sizes{0}), large = zeros(Sizes{3, 3}, Dtype::f64);
  const char* memory = large.impl()->data();
  for (const Tensor& out : {none, large}) {
    into(mul_op, {a, b}, {out});
    EXPECT_EQ(Sizes(out.sizes()), (Sizes{2, 2}));
    EXPECT_TRUE(out.contiguous());
    EXPECT_EQ(values(out), (Doubles{1, 20, 3, 40}));
  }
  EXPECT_EQ(large.impl()->data(), memory);
  into(sum_op, {a}, {large});
  EXPECT_EQ(large.ndim(), 0);
  EXPECT_EQ(values(large), Doubles{10});
  into(stack_op, {Value(std::span<const Tensor>(&a, 1))}, {none});          // more dimensions than there was room for
  EXPECT_EQ(Sizes(none.sizes()), (Sizes{1, 2, 2}));
}

TEST_F(Out, SeveralResults) {
  const Tensor x = tensor({3, 1, 2}, {3}), v = empty(Dtype::f64, Sizes{0}), i = empty(Dtype::i64, Sizes{3});
  into(sort_op, {x}, {v, i});
  EXPECT_EQ(values(v), (Doubles{1, 2, 3}));
  EXPECT_EQ(values(i), (Doubles{1, 2, 0}));
  expect_error(Status::value, "sort: 1 tensors in out for 2 results", [&] { into(sort_op, {x}, {v}); });
  expect_error(Status::value, "out 0 and out 1 share memory", [&] { into(sort_op, {x}, {v, v}); });
  const Tensor both = zeros(Sizes{4}, Dtype::i64);
  expect_error(Status::value, "share memory", [&] { into(sort_op, {x}, {slice(both, 0, 0, 3), slice(both, 0, 1, 4)}); });
}

TEST_F(Out, TheDtypeHasToBeCastable) {
  const Tensor x = tensor({1.5, -2}, {2}), f = zeros(Sizes{2}, Dtype::f32), i = zeros(Sizes{2}, Dtype::i32);
  into(abs_op, {x}, {f});
  EXPECT_EQ(values(f), (Doubles{1.5, 2}));
  into(lt_op, {x, 0}, {i});
  EXPECT_EQ(values(i), (Doubles{0, 1}));
  expect_error(Status::dtype, "abs: a result of float64 can't be cast to out 0, which has int32", [&] { into(abs_op, {x}, {i}); });
  expect_error(Status::dtype, "cumsum: a result of float64 can't be cast to out 0, which has int32", [&] { into(cumsum_op, {x, 0}, {i}); });
  EXPECT_EQ(values(i), (Doubles{0, 1}));
  const Tensor c = empty(Dtype::c64, Sizes{2});
  into(abs_op, {x}, {c});
  EXPECT_EQ(values(real(c)), (Doubles{1.5, 2}));
  EXPECT_EQ(values(imag(c)), (Doubles{0, 0}));
  expect_error(Status::dtype, "can't be cast", [&] { into(square_op, {c}, {f}); });
}

TEST_F(Out, TheOnlyOutGivesTheDtype) {
  const Tensor f = empty(Dtype::f32, Sizes{0}), i = empty(Dtype::i32, Sizes{0}), half = tensor({2048, 1, 1}, {3}, Dtype::f16);
  into(arange_op, {3}, {f});
  EXPECT_EQ(values(f), (Doubles{0, 1, 2}));
  into(zeros_op, {Value(Sizes{2})}, {i});
  EXPECT_EQ(i.dtype(), Dtype::i32);
  into(sum_op, {half}, {f});                                  // a float16 can't hold it
  EXPECT_EQ(values(f), Doubles{2050});
}

TEST_F(Out, AnArgumentMayBeOutIfItFits) {
  const Tensor a = tensor({1, 2}, {2}), b = tensor({1, 2, 3, 4}, {2, 2});
  into(add_op, {a, a}, {a});
  EXPECT_EQ(values(a), (Doubles{2, 4}));
  into(matmul_op, {b, b}, {b});
  EXPECT_EQ(values(b), (Doubles{7, 10, 15, 22}));
  expect_error(Status::shape, "mul: out 0 is argument 'self' too", [&] { into(mul_op, {a, b}, {a}); });
  expect_error(Status::shape, "sum: out 0 is argument 'self' too", [&] { into(sum_op, {b}, {b}); });
  EXPECT_EQ(values(b), (Doubles{7, 10, 15, 22}));
}

TEST_F(Out, AViewThatAnOpReturnsIsReadBeforeTheWrite) {
  const Tensor x = tensor({1, 2, 3, 4}, {2, 2});
  static Op turned{.schema = "turned(Tensor self) -> Tensor", .doc = "", .compose = [](const Args& a, Tensors& out) { out.push_back(transpose(a.tensor(0), 0, 1)); }};
  OpInfo info;
  info.schema = parse_schema(turned.schema);
  info.name = "turned";
  info.op = &turned;
  turned.info = &info;
  into(turned, {x}, {x});
  EXPECT_EQ(values(x), (Doubles{1, 3, 2, 4}));
}

TEST_F(Out, PartialOverlapIsRefusedAndInterleavedMemoryIsNot) {
  const Tensor x = tensor({1, 2, 3, 4}, {4}), square = tensor({1, 2, 3, 4}, {2, 2});
  const Tensor low = slice(x, 0, 0, 3), high = slice(x, 0, 1, 4);
  for (const Op* op : {&neg_op, &clone_op})
    expect_error(Status::value, "out 0 shares some of the memory of argument 'self'", [&] { into(*op, {low}, {high}); });
  expect_error(Status::value, "shares some of the memory", [&] { into(neg_op, {square}, {transpose(square, 0, 1)}); });
  expect_error(Status::state, "share memory: clone it first", [&] { into(neg_op, {low}, {expand(zeros(Sizes{1}, Dtype::f64), Sizes{3})}); });
  EXPECT_EQ(values(x), (Doubles{1, 2, 3, 4}));
  into(mul_op, {slice(x, 0, 0, 4, 2), 10}, {slice(x, 0, 1, 4, 2)});
  EXPECT_EQ(values(x), (Doubles{1, 10, 3, 30}));
}

TEST_F(Out, NothingThatRequiresGradWhileRecording) {
  const Tensor x = leaf({1, 2}, {2}), y = tensor({3, 4}, {2}), out = zeros(Sizes{2}, Dtype::f64);
  expect_error(Status::state, "add: out= has no automatic differentiation, but argument 'other' requires grad", [&] { into(add_op, {y, x}, {out}); });
  expect_error(Status::state, "but out 0 requires grad", [&] { into(add_op, {y, y}, {x}); });
  Tensor view;
  {
    const GradMode off(false);
    view = slice(x, 0, 0, 1);
    into(add_op, {y, x}, {out});
    into(add_op, {y, y}, {x});
    expect_error(Status::state, "requires grad", [&] { into(sum_op, {y}, {x}); });            // in shape [] it would be another leaf
  }
  expect_error(Status::state, "but out 0 requires grad", [&] { into(neg_op, {zeros(Sizes{1}, Dtype::f64)}, {view}); });
  EXPECT_EQ(values(out), (Doubles{4, 6}));
  EXPECT_EQ(values(x), (Doubles{6, 8}));
  EXPECT_FALSE(out.wants_grad());
}

TEST_F(Out, ASavedTensorIsFoundChanged) {
  const Tensor x = leaf({1, 2}, {2}), w = tensor({3, 4}, {2});
  const Tensor y = sum(mul(x, w)), z = sum(mul(x, w));
  into(neg_op, {w}, {w});
  expect_error(Status::in_place, "was changed in place", [&] { gradus::backward({&y, 1}, {}); });
  into(zeros_op, {Value(Sizes{100, 100})}, {w});              // to other memory
  expect_error(Status::in_place, "was changed in place", [&] { gradus::backward({&z, 1}, {}); });
}

TEST_F(Out, WhatCannotBeResized) {
  const Tensor x = tensor({1, 2, 3}, {3}), base = zeros(Sizes{4}, Dtype::f64), view = slice(base, 0, 0, 2), other = detach(base);
  double memory[3] = {7, 7, 7};
  const Tensor wrapped = over_storage(wrap_storage(memory, sizeof memory, false), Dtype::f64, Sizes{2}, Sizes{1}, 0);
  expect_error(Status::state, "can't be given the shape [3]: it is a view", [&] { into(neg_op, {x}, {view}); });
  expect_error(Status::state, "its memory is not the library's", [&] { into(clone_op, {x}, {wrapped}); });
  into(neg_op, {x}, {other});                                 // smaller: base keeps what is behind
  EXPECT_EQ(values(base), (Doubles{-1, -2, -3, 0}));
  expect_error(Status::state, "another tensor shares its memory", [&] { into(zeros_op, {Value(Sizes{5})}, {other}); });
  wrapped.storage().read_only = true;
  expect_error(Status::state, "read-only", [&] { into(neg_op, {slice(x, 0, 0, 2)}, {wrapped}); });
  EXPECT_EQ(memory[0], 7);
}

TEST_F(Out, MemoryOfTheHostMayBeThatOfSeveralStorages) {
  double memory[3] = {1, 2, 3};
  const auto wrapped = [&](double* at) { return over_storage(wrap_storage(at, 16, false), Dtype::f64, Sizes{2}, Sizes{1}, 0); };
  const Tensor first = wrapped(memory), again = wrapped(memory), shifted = wrapped(memory + 1);
  expect_error(Status::value, "shares some of the memory of argument 'self'", [&] { into(neg_op, {first}, {shifted}); });
  EXPECT_EQ(memory[1], 2);
  into(neg_op, {first}, {again});                             // element on element
  EXPECT_EQ(values(first), (Doubles{-1, -2}));
}

TEST_F(Out, OpsWithoutAnOutForm) {
  const Tensor x = tensor({1, 2}, {2}), out = zeros(Sizes{2}, Dtype::f64);
  for (const char* name : {"add_", "transpose", "split", "reshape", "contiguous", "detach"})
    expect_error(Status::unsupported, std::string(name) + ": has no out= form", [&] { into(*find_op(name), {x, x}, {out}); });
}

TEST_F(Out, RefusedCallsChangeNothing) {
  const Tensor x = tensor({1, 2}, {2}), indices = tensor({0, 9}, {2}, Dtype::i64), out = zeros(Sizes{5}, Dtype::f64);
  const uint32_t version = out.storage().current();
  expect_error(Status::index, "9", [&] { into(index_select_op, {x, 0, indices}, {out}); });
  expect_error(Status::shape, "broadcast", [&] { into(add_op, {x, zeros(Sizes{3}, Dtype::f64)}, {out}); });
  expect_error(Status::argument, "missing", [&] { into(add_op, {x}, {out}); });
  EXPECT_EQ(Sizes(out.sizes()), Sizes{5});
  EXPECT_EQ(out.storage().current(), version);
}

// Every op on its samples: into tensors without elements, and again into those.
TEST_F(Out, IsWhatTheOpReturns) {
  int calls = 0;
  for (const Op* op : all_ops()) {
    if (!op->samples || !has_out_form(*op)) continue;
    Samples samples;
    op->samples(samples);
    for (const Sample& s : samples.all()) {
      if (!s.error.empty()) continue;
      const int n = static_cast<int>(s.arguments.size());
      const Generator start = context().generator;
      Tensors want, got;
      call(*op, s.arguments.data(), n, want);
      for (const Tensor& t : want) got.push_back(empty(t.dtype(), Sizes{0}));
      for (int round = 0; round < 2; ++round) {
        context().generator = start;
        call_out(*op, s.arguments.data(), n, got);
        ++calls;
        if (name(*op).starts_with("empty") || name(*op) == "new_empty") continue;
        for (size_t k = 0; k < want.size(); ++k) {
          ASSERT_EQ(Sizes(got[k].sizes()), Sizes(want[k].sizes())) << name(*op);
          const Tensor w = clone(want[k]), g = clone(got[k]);
          EXPECT_EQ(std::memcmp(w.impl()->data(), g.impl()->data(), static_cast<size_t>(w.numel() * size_of(w.dtype()))), 0) << name(*op);
        }
      }
    }
  }
  EXPECT_GT(calls, 1000);
}

}  // namespace
}  // namespace gradus
