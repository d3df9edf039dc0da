// Attention: what the suite's small samples do not reach, and which of its forms leave the weights out of memory.
#include <set>
#include <string>

#include "graph/observer.h"
#include "hwy/targets.h"
#include "layers.h"

namespace gradus {
namespace {

// The ops that were called, and the sizes of the gradients that the fused op has made.
struct Calls : Observer {
  explicit Calls(Context& c) : context(c) { observe(c, this); }
  ~Calls() override { stop_observing(context, this); }
  void after_call(const CallEvent& e) override {
    names.insert(name(*e.op));
    if (e.op != &attention_backward_op) return;
    for (const Tensor& t : *e.outputs) made.push_back(t.numel());
  }
  bool fused() const { return names.contains("_attention") && !names.contains("_safe_softmax"); }
  Context& context;
  std::set<std::string> names;
  std::vector<int64_t> made;
};

class Attending : public Layers {
 protected:
  static Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask = {}, bool causal = false, bool grouped = false) {
    return call(scaled_dot_product_attention_op, {q, k, v, mask, 0.0, causal, std::nullopt, grouped});
  }
  static Tensor in_full(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask, bool causal, bool grouped) {
    return call_all(scaled_dot_product_attention_math_op, {q, k, v, mask, 0.0, causal, Tensor(), std::nullopt, grouped})[0];
  }
  static Tensors slopes(const Tensor& y, std::span<const Tensor> x, const Tensor& g) { return grad({&y, 1}, x, {&g, 1}, {}); }
  static Tensor boolean(SizesRef sizes) { return call(gt_op, {random(sizes), -0.3}); }
  // Value and gradients against the composition's; the same bits for one thread.
  void expect_fused(const Tensors& x, bool causal, bool grouped) {
    Tensor y;
    Tensors got, alone;
    const Tensor want = in_full(x[0], x[1], x[2], x[3], causal, grouped), g = transpose(random(transpose(want, -1, -2).sizes(), want.dtype()), -1, -2);
    Tensors wanted;
    for (const Tensor& t : x)
      if (t && t.wants_grad()) wanted.push_back(t);
    {
      const Calls calls(context_);
      y = attend(x[0], x[1], x[2], x[3], causal, grouped);
      got = slopes(y, wanted, g);
      EXPECT_TRUE(calls.fused());
    }
    const double tolerance = y.dtype() == Dtype::f64 ? 1e-13 : 2e-6;
    expect_close(y, want, tolerance);
    const Tensors slow = slopes(want, wanted, g);
    context_.threads = 1;
    const Tensor one = attend(x[0], x[1], x[2], x[3], causal, grouped);
    alone = slopes(one, wanted, g);
    context_.threads = 0;
    EXPECT_EQ(values(y), values(one));
    for (size_t i = 0; i < got.size(); ++i) {
      expect_close(got[i], slow[i], 5 * tolerance);
      EXPECT_EQ(values(got[i]), values(alone[i])) << "gradient " << i;
    }
  }
};

// Several blocks of queries, more keys than queries and fewer; the weights of the composition are in memory.
TEST_F(Attending, FusedIsItsComposition) {
  struct Case { int64_t heads, length, keys, inner, width; bool causal, turned; };
  for (const Case& c : {Case{3, 150, 150, 8, 5, true, true}, Case{2, 70, 200, 16, 24, true, false},
                        Case{2, 200, 33, 5, 7, true, true}, Case{40, 9, 20, 3, 4, false, false}}) {
    const Sizes wide{2, c.length, c.heads, c.inner};
    for (Dtype d : {Dtype::f64, Dtype::f32}) {
      const Tensor q = transpose(random(wide, d), 1, 2), k = random(Sizes{2, c.heads, c.keys, c.inner}, d),
                   v = random(Sizes{2, c.heads, c.keys, c.width}, d);
      const Tensors got = call_all(attention_op, {q, k, v, Tensor(), 0.3, c.causal, int64_t{c.turned}});
      const Tensor out = c.turned ? transpose(got[0], 1, 2) : got[0];
      const double tolerance = d == Dtype::f64 ? 1e-13 : 2e-6;
      expect_close(out, call_all(scaled_dot_product_attention_math_op, {q, k, v, Tensor(), 0.0, c.causal, Tensor(), 0.3})[0], tolerance);
      const Tensor g = transpose(random(Sizes{2, c.length, c.heads, c.width}, d), 1, 2), gl = random(Sizes{2, c.heads, c.length}, d);
      const Value arguments[] = {g, gl, q, k, v, Tensor(), out, got[1], 0.3, c.causal, int64_t{7}};
      Tensors fused, want;
      call(attention_backward_op, arguments, 11, fused);
      attention_backward_op.compose(Args(attention_backward_op, arguments), want);
      for (size_t i = 0; i < 3; ++i) expect_close(fused[i], want[i], tolerance * 5);
      context_.threads = 1;
      Tensors alone;
      call(attention_backward_op, arguments, 11, alone);
      context_.threads = 0;
      for (size_t i = 0; i < 3; ++i) EXPECT_EQ(values(fused[i]), values(alone[i]));
      EXPECT_EQ(values(got[0]), values(call_all(attention_op, {q, k, v, Tensor(), 0.3, c.causal, int64_t{c.turned}})[0]));
    }
  }
}

TEST_F(Attending, MasksAreFused) {
  const int64_t length = 150, keys = 70;
  for (Dtype d : {Dtype::f64, Dtype::f32})
    for (const Sizes& sizes : {Sizes{length, keys}, Sizes{1, keys}, Sizes{length, 1}, Sizes{2, 1, 1, keys}, Sizes{2, 3, length, keys}, Sizes{3, 1, keys}}) {
      const Tensor q = leaf_of(random(Sizes{2, 3, length, 8}, d)), k = leaf_of(random(Sizes{2, 3, keys, 8}, d)), v = leaf_of(random(Sizes{2, 3, keys, 5}, d));
      expect_fused({q, k, v, boolean(sizes)}, false, false);
      expect_fused({q, k, v, random(sizes, d)}, false, false);
      if (sizes.back() == keys) expect_fused({q, k, v, leaf_of(random(sizes, d))}, false, false);    // else it shifts a row, and has no slope
    }
}

TEST_F(Attending, MasksAreFusedOnEveryTarget) {
  for (int64_t left = hwy::SupportedTargets() & HWY_TARGETS; left != 0; left &= left - 1) {
    hwy::SetSupportedTargetsForTest(left & -left);
    SCOPED_TRACE(hwy::TargetName(left & -left));
    for (Dtype d : {Dtype::f64, Dtype::f32})
      for (int64_t keys : {5, 7, 16, 67}) {
        const Tensor q = leaf_of(random(Sizes{9, 5}, d)), k = leaf_of(random(Sizes{keys, 5}, d)), v = leaf_of(random(Sizes{keys, 3}, d));
        expect_fused({q, k, v, boolean(Sizes{9, keys})}, false, false);
        expect_fused({q, k, v, to(where(boolean(Sizes{9, keys}), random(Sizes{9, keys}), -100.0), d)}, false, false);   // weights of e^-100
      }
    hwy::SetSupportedTargetsForTest(0);
  }
}

// Keys and values shared by all members, a query shared by them, a mask that has more members than any: gradients of what is shared are summed.
TEST_F(Attending, BroadcastsAreFused) {
  struct Case { Sizes q, k, v, mask; };
  for (const Case& c : {Case{{2, 3}, {3}, {2, 1}, {}}, Case{{3}, {2, 1}, {2, 3}, {}}, Case{{}, {2, 3}, {3}, {}}, Case{{3}, {1}, {3}, {2, 1}}, Case{{2, 1, 2}, {3, 1}, {2, 3, 2}, {3, 1}}})
    for (bool causal : {false, true}) {
      const auto with = [](const Sizes& batch, int64_t rows, int64_t columns) {
        Sizes s(batch);
        s.push_back(rows);
        s.push_back(columns);
        return random(s);
      };
      const Tensor mask = c.mask.empty() || causal ? Tensor() : with(c.mask, 130, 90);
      if (!c.mask.empty() && causal) continue;
      expect_fused({leaf_of(with(c.q, 130, 6)), leaf_of(with(c.k, 90, 6)), leaf_of(with(c.v, 90, 4)), mask}, causal, false);
    }
}

TEST_F(Attending, GroupsOfHeadsAreFused) {
  const int64_t length = 140, keys = 90;
  for (Dtype d : {Dtype::f64, Dtype::f32})
    for (int64_t heads : {1, 2, 6})
      for (bool turned : {false, true}) {
        const Tensor q = leaf_of(turned ? random(Sizes{2, length, 6, 8}, d) : random(Sizes{2, 6, length, 8}, d)), k = leaf_of(random(Sizes{2, heads, keys, 8}, d)),
                     v = leaf_of(random(Sizes{2, heads, keys, 5}, d));
        const Tensor seen = turned ? transpose(q, 1, 2) : q;
        expect_fused({seen, k, v, Tensor()}, true, true);
        expect_fused({seen, k, v, boolean(Sizes{6, length, keys})}, false, true);
        expect_fused({seen, k, v, leaf_of(random(Sizes{2, 1, length, keys}, d))}, false, true);
      }
}

TEST_F(Attending, TheResultLiesAsTheQueryDoes) {
  const Tensor q = transpose(random(Sizes{2, 5, 6, 4}), 1, 2), k = random(Sizes{2, 3, 7, 4});
  EXPECT_TRUE(transpose(attend(q, k, k, {}, false, true), 1, 2).contiguous());
  EXPECT_TRUE(attend(clone(q), k, k, {}, false, true).contiguous());
}

TEST_F(Attending, OnlyTheWantedGradientsAreComputed) {
  const Sizes sizes[] = {{2, 3, 4}, {2, 5, 4}, {2, 5, 6}, {3, 5}};
  for (size_t which = 0; which < 4; ++which) {
    Tensors x;
    for (const bool others_could : {false, true}) {
      x = {};
      for (size_t i = 0; i < 4; ++i) x.push_back(i == which || others_could ? leaf_of(random(sizes[i])) : random(sizes[i]));
      const Calls calls(context_);
      slopes(attend(x[0], x[1], x[2], x[3]), {&x[which], 1}, random(Sizes{2, 3, 6}));
      ASSERT_EQ(calls.made.size(), 4u);
      for (size_t i = 0; i < 4; ++i) EXPECT_EQ(calls.made[i], i == which ? x[i].numel() : 0) << i << " for " << which;
    }
  }
}

// Two heads on two threads, and longer ones until the host is asked again within them.
TEST_F(Attending, ItsBackwardIsEndedInsideOfAHead) {
  struct Host { int asked = 0; } host;
  context_.threads = 2;
  context_.user = &host;
  for (int64_t length = 1024; length <= 16384 && host.asked < 2; length *= 2) {
    const Tensor q = random(Sizes{2, length, 8}, Dtype::f32);
    const Tensors y = call_all(attention_op, {q, q, q, Tensor(), 1.0, false, int64_t{0}});
    context_.interrupt = [](void* user) -> int32_t { return ++static_cast<Host*>(user)->asked >= 2; };
    context_.question_due = {};
    host.asked = 0;
    Status status{};
    try {
      call_all(attention_backward_op, {y[0], y[1], q, q, q, Tensor(), y[0], y[1], 1.0, false, int64_t{7}});
    } catch (const Error& e) {
      status = e.status();
    }
    context_.interrupt = nullptr;
    context_.attention = 0;
    EXPECT_EQ(status == Status::cancelled, host.asked >= 2);
  }
  EXPECT_EQ(host.asked, 2);
}

// A key that may not be seen has no part in any derivative, however large its score; a NaN that may be seen is in all of them.
TEST_F(Attending, HigherGradientsSeeTheMask) {
  const Tensor q = leaf({1, 1}, {2, 1}), k = leaf({0, 1000}, {2, 1}), v = leaf({1, 2}, {2, 1});
  const auto recorded = [](const Tensor& y, const Tensors& x) { const Tensor one = sum(y); return grad({&one, 1}, x, {}, {.create_graph = true}); };
  const Tensor hides = tensor({0, -HUGE_VAL, 0, 0}, {2, 2});
  for (const Tensor& mask : {Tensor(), tensor({1, 0, 1, 1}, {2, 2}, Dtype::boolean), hides}) {
    const Tensor y = call(scaled_dot_product_attention_op, {q, k, v, mask, 0.0, !mask, 1.0});
    const Tensor d = recorded(y, {q})[0];
    for (const Tensor& second : recorded(mul(d, d), {q, k}))
      for (double x : values(second)) EXPECT_TRUE(std::isfinite(x)) << x;
  }
  const Tensor broken = leaf({NAN, 1}, {2, 1});
  const Tensor z = call(scaled_dot_product_attention_op, {q, broken, v, Tensor(), 0.0, false, 1.0});
  for (double x : values(recorded(z, {v})[0])) EXPECT_TRUE(std::isnan(x)) << x;
}

TEST_F(Attending, FusedRefusesWhatDoesNotFit) {
  const Tensor q = random(Sizes{2, 3, 4}), k = random(Sizes{2, 5, 4}), v = random(Sizes{2, 5, 6});
  const auto fused = [&](const Tensor& key, const Tensor& value, const Tensor& mask = {}) { call_all(attention_op, {q, key, value, mask, 1.0, false, int64_t{0}}); };
  expect_error(Status::shape, "a key of [2, 5, 4] and a value of [2, 4, 6]", [&] { fused(k, random(Sizes{2, 4, 6})); });
  expect_error(Status::dtype, "a query of float64 with a key of float32", [&] { fused(to(k, Dtype::f32), v); });
  expect_error(Status::dtype, "a query of float64 with a mask of int64", [&] { fused(k, v, zeros(Sizes{3, 5}, Dtype::i64)); });
  expect_error(Status::shape, "a mask of shape [5] for 3 queries and 5 keys", [&] { fused(k, v, random(Sizes{5})); });
  expect_error(Status::shape, "_attention: shapes [2] and [3] do not broadcast", [&] { fused(random(Sizes{3, 5, 4}), v); });
  const Tensors y = call_all(attention_op, {q, k, v, Tensor(), 1.0, false, int64_t{0}});
  expect_error(Status::shape, "a gradient of shape [2, 3, 4]", [&] { call_all(attention_backward_op, {q, y[1], q, k, v, Tensor(), y[0], y[1], 1.0, false, int64_t{7}}); });
  expect_error(Status::shape, "a logsumexp of shape [2, 3, 6]", [&] {
    call_all(attention_backward_op, {y[0], y[0], q, k, v, Tensor(), y[0], y[1], 1.0, false, int64_t{7}});
  });
}

// A mask of more rows than there are queries, or with fewer than two dimensions, is left to the composition.
TEST_F(Attending, MasksThatAddRowsAreComposed) {
  const Tensor q = random(Sizes{1, 4}), k = random(Sizes{5, 4}), v = random(Sizes{5, 6});
  for (const Sizes& sizes : {Sizes{3, 5}, Sizes{5}}) {
    const Tensor mask = random(sizes);
    EXPECT_EQ(values(attend(q, k, v, mask)), values(in_full(q, k, v, mask, false, false)));
  }
}

TEST_F(Attending, ARowThatSeesNothingGivesZerosAndNoGradient) {
  const Tensor q = leaf_of(random(Sizes{2, 3})), k = leaf_of(random(Sizes{2, 3})), v = leaf_of(random(Sizes{2, 3}));
  for (const Tensor& mask : {tensor({0, 0, 1, 0}, {2, 2}, Dtype::boolean), leaf({-HUGE_VAL, -HUGE_VAL, 0, -HUGE_VAL}, {2, 2})}) {
    const Tensor y = attend(q, k, v, mask);
    for (size_t i = 0; i < 3; ++i) EXPECT_EQ(values(y)[i], 0);
    Tensors inputs{q, k, v};
    if (mask.wants_grad()) inputs.push_back(mask);
    const Tensors first = grad({&y, 1}, inputs, {&y, 1}, {.create_graph = true});
    for (size_t i = 0; i < 3; ++i) EXPECT_EQ(values(first[0])[i], 0);
    const Tensor total = sum(mul(first[0], first[0]));
    for (const Tensor& g : grad({&total, 1}, inputs, {}, {.allow_unused = true}))
      for (double x : values(g)) EXPECT_TRUE(std::isfinite(x));
  }
}

TEST_F(Attending, NothingToSeeGivesZerosAndNobodyWhoSeesNothing) {
  for (const Sizes& s : {Sizes{2, 3, 0}, Sizes{2, 0, 4}, Sizes{0, 3, 4}}) {
    const Tensor q = leaf_of(random(Sizes{s[0], s[1], 5})), k = leaf_of(random(Sizes{s[0], s[2], 5})), v = leaf_of(random(Sizes{s[0], s[2], 6}));
    for (bool causal : {false, true}) {
      const Tensor y = attend(q, k, v, {}, causal);
      EXPECT_TRUE(same(y.sizes(), Sizes{s[0], s[1], 6}));
      const Tensor inputs[] = {q, k, v};
      for (double x : values(y)) EXPECT_EQ(x, 0);
      for (const Tensor& g : slopes(y, inputs, y))
        for (double x : values(g)) EXPECT_EQ(x, 0);
    }
  }
}

}  // namespace
}  // namespace gradus
