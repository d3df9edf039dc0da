// What holds over long runs: memory comes back to its start, nesting goes deep, a failed write in place changes nothing.
#include "fixture.h"

#include "base/live.h"
#include "base/memory.h"
#include "ops/layers.h"

namespace gradus {
namespace {

using Endurance = Core;
using Doubles = std::vector<double>;

void backward(const Tensor& t) { gradus::backward(std::span(&t, 1), {}); }

// One step of logistic regression by gradient descent.
void step(const Tensor& w, const Tensor& x, const Tensor& y) {
  backward(mse_loss(sigmoid(mm(x, w)), y));
  const GradMode off(false);
  call_in_place(sub_op, {w, mul(autograd_meta(w.impl()).grad, 0.5)});
  set_grad(w.impl(), Tensor());
}

TEST_F(Endurance, AHundredThousandStepsLeaveMemoryWhereItWas) {
  const Tensor w = leaf({0, 0}, {2, 1}), x = tensor({1, 2, -1, 0.5, 2, -2}, {3, 2}), y = tensor({1, 0, 1}, {3, 1});
  for (int i = 0; i < 100; ++i) step(w, x, y);
  const int64_t tensors = live_count(Live::tensors), nodes = live_count(Live::nodes);
  const uint64_t bytes = memory_use().live_bytes;
  for (int i = 0; i < 100000; ++i) step(w, x, y);
  EXPECT_EQ(live_count(Live::tensors), tensors);
  EXPECT_EQ(live_count(Live::nodes), nodes);
  EXPECT_EQ(memory_use().live_bytes, bytes);
}

TEST_F(Endurance, BackwardFiftyDeepInsideHooks) {
  const Tensor a = leaf({1}, {1});
  int depth = 0, deepest = 0;
  std::function<void()> dive = [&] {
    const Tensor y = mul(a, 2);
    add_hook(y.impl(), [&](const Tensor&) {
      deepest = std::max(deepest, ++depth);
      const GradMode on(true);
      if (depth < 50) dive();
      --depth;
      return Tensor();
    });
    backward(sum(y));
  };
  dive();
  EXPECT_EQ(deepest, 50);
  EXPECT_EQ(values(grad_of(a)), Doubles{100});
}

// Memory for n requests, and then none.
struct Scarce {
  int64_t left;
  static void* take(void* user, size_t bytes, size_t alignment) {
    auto* s = static_cast<Scarce*>(user);
    return s->left-- > 0 ? std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment) : nullptr;
  }
  static void give(void*, void* block, size_t, size_t) { std::free(block); }
};

TEST_F(Endurance, AWriteThatFailsForMemoryChangesNothing) {
  for (int64_t n = 0;; ++n) {
    ASSERT_LT(n, 200);
    const Tensor a = leaf({1, 2, 3, 4}, {2, 2});
    const Tensor base = mul(a, 2), row = select(base, 0, 1);
    const Node *base_before = grad_fn(base.impl()), *row_before = grad_fn(row.impl());
    const uint32_t version = base.storage().current();
    Scarce scarce{n};
    Allocator* allocator = make_allocator(Scarce::take, Scarce::give, &scarce, nullptr);
    bool failed = false;
    {
      Context other;
      other.allocator = allocator;
      other.sequence = context_.sequence;
      const ContextScope scope(other);
      try {
        call_in_place(exp_op, {row});
      } catch (const Error& e) {
        EXPECT_EQ(e.status(), Status::memory);
        failed = true;
      }
    }
    if (failed) {
      EXPECT_EQ(values(base), (Doubles{2, 4, 6, 8})) << n;
      EXPECT_EQ(base.storage().current(), version);
      EXPECT_EQ(grad_fn(base.impl()), base_before);
      EXPECT_EQ(grad_fn(row.impl()), row_before);
    }
    backward(sum(base));
    const Doubles g = values(grad_of(a));
    EXPECT_EQ(g[0], 2);
    EXPECT_NEAR(g[2], failed ? 2 : 2 * std::exp(6), 1e-9);
    scarce.left = 1000;
    if (!failed) {
      release(allocator);
      return;
    }
    release(allocator);
  }
}

}  // namespace
}  // namespace gradus
