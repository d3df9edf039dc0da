// In the steady state no op takes memory from the heap: its blocks come from the thread's lists. Counts every malloc.
#include <malloc.h>

#include <cstdlib>

#include "fixture.h"

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__GLIBC__)
static std::atomic<int64_t> g_mallocs{0};
extern "C" {
void* __libc_malloc(size_t);
void* __libc_memalign(size_t, size_t);
void* malloc(size_t n) { ++g_mallocs; return __libc_malloc(n); }
void* aligned_alloc(size_t align, size_t n) { ++g_mallocs; return __libc_memalign(align, n); }
}

namespace gradus {
namespace {

using Allocation = Core;

template <class F> int64_t mallocs(int rounds, F f) {
  f();                                                        // fills the lists
  f();
  const int64_t before = g_mallocs.load();
  for (int i = 0; i < rounds; ++i) f();
  return g_mallocs.load() - before;
}

TEST_F(Allocation, TheCounterCounts) {
  EXPECT_GE(mallocs(10, [] { delete new Sizes(100, 1); }), 10);
}

TEST_F(Allocation, OpsTakeNothingFromTheHeap) {
  const Tensor a = tensor({1, 2, 3, 4}, {2, 2}), w = leaf({1, 2, 3, 4}, {2, 2});
  EXPECT_EQ(mallocs(1000, [&] { relu(mul(add(a, a), 2.0)); }), 0);
  EXPECT_EQ(mallocs(1000, [&] { tanh(mul(add(w, a), w)); }), 0);                // recorded
  EXPECT_EQ(mallocs(1000, [&] { const GradMode off(false); call_in_place(mul_op, {w, 1.0}); }), 0);
  EXPECT_EQ(mallocs(1000, [&] { view(a, Sizes{4}); }), 0);
}

TEST_F(Allocation, ABackwardOfAnyLengthTakesNoMoreThanAFew) {
  const Tensor w = leaf({1, 2, 3, 4}, {4});
  const auto step = [&] {
    Tensor y = w;
    for (int i = 0; i < 1000; ++i) y = tanh(mul(y, 1.001));
    backward({&y, 1}, {&w, 1});
    set_grad(w.impl(), Tensor());
  };
  EXPECT_LE(mallocs(10, step), 10 * 16);                      // the run's own tables
}

TEST_F(Allocation, KeptBlocksOfOtherSizesMakeRoom) {         // or every result of a new size would be paid for in page faults
  context_.threads = 1;                                       // a worker makes its own record when it starts
  for (const int64_t n : {int64_t{1} << 20, int64_t{5} << 20}) {
    const Tensor a = ones(Sizes{n}, Dtype::f32), b = ones(Sizes{n}, Dtype::f32);
    EXPECT_EQ(mallocs(10, [&] { mul(a, b); }), 0) << n;
  }
}

}  // namespace
}  // namespace gradus
#endif
