// Many contexts on many threads: shared leaves, shared graphs, freeing elsewhere, small stacks, the pool after fork.
#include "fixture.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "base/parallel.h"

namespace gradus {
namespace {

using Threads = Core;
using Doubles = std::vector<double>;

// Runs f in a context of its own on another thread.
template <class F> std::thread in_context(F f) {
  return std::thread([f] {
    Context c;
    const ContextScope scope(c);
    f();
  });
}
void backward(const Tensor& t, const GradOptions& o = {}) { gradus::backward({&t, 1}, {}, o); }

TEST_F(Threads, GradientsOfASharedLeafAddUp) {
  const Tensor a = leaf({1, 2}, {2});
  std::vector<std::thread> all;
  for (int t = 0; t < 4; ++t)
    all.push_back(in_context([&a] {
      for (int i = 0; i < 200; ++i) backward(sum(mul(mul(a, a), 1)));
    }));
  for (std::thread& t : all) t.join();
  EXPECT_EQ(values(grad_of(a)), (Doubles{1600, 3200}));
}

TEST_F(Threads, OneGraphRunByManyAtOnce) {
  const Tensor a = leaf({1, 2}, {2});
  Tensor y = a;
  for (int i = 0; i < 50; ++i) y = add(y, mul(a, y));
  const Tensor s = sum(y);
  backward(s, {.retain_graph = true});
  const Doubles once = values(grad_of(a));
  set_grad(a.impl(), Tensor());
  std::vector<std::thread> all;
  for (int t = 0; t < 4; ++t)
    all.push_back(in_context([&s, &a, &once] {
      for (int i = 0; i < 50; ++i) {
        const Tensors g = grad({&s, 1}, {&a, 1}, {}, {.retain_graph = true});
        ASSERT_EQ(values(g[0]), once);
      }
    }));
  for (std::thread& t : all) t.join();
}

TEST_F(Threads, WhatOneThreadMakesAnotherFrees) {
  const MemoryUse before = memory_use();
  for (int round = 0; round < 20; ++round) {
    std::vector<Tensor> made;
    for (int i = 0; i < 10000; ++i) made.push_back(tensor({1, 2, 3}, {3}));
    std::thread([&made] { made.clear(); }).join();
  }
  EXPECT_EQ(memory_use().live_bytes, before.live_bytes);
}

TEST_F(Threads, ADeepGraphNeedsNoDeepStack) {
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, 256 << 10);
  pthread_t thread;
  ASSERT_EQ(pthread_create(&thread, &attr, [](void*) -> void* {
    Context c;
    const ContextScope scope(c);
    Tensor a = zeros(Sizes{1}, Dtype::f64);
    set_requires_grad(a.impl(), true);
    Tensor y = a;
    for (int i = 0; i < 1000000; ++i) y = sin(y);
    backward(y, {.retain_graph = true});
    EXPECT_EQ(values(grad_of(a)), (Doubles{1}));
    return nullptr;
  }, nullptr), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attr);
}

TEST_F(Threads, APartsErrorReachesTheCaller) {
  context_.threads = 2;
  EXPECT_THROW(parallel_for(1000, 1, [](int64_t b, int64_t) { GRADUS_CHECK(b != 500, value, "part {}", b); }), Error);
  std::atomic<int64_t> sum{0};
  parallel_for(1000, 1, [&](int64_t b, int64_t) { sum += b; });
  EXPECT_EQ(sum.load(), 999 * 500);
}

TEST_F(Threads, APartRunsInnerLoopsOnTheSpot) {
  context_.threads = 2;
  std::atomic<int64_t> count{0};
  parallel_for(64, 1, [&](int64_t, int64_t) { parallel_for(64, 1, [&](int64_t, int64_t) { ++count; }); });
  EXPECT_EQ(count.load(), 64 * 64);
}

TEST_F(Threads, TheSameBitsForOneAndTwoThreads) {
  const Tensor x = zeros(Sizes{200000}, Dtype::f32);
  for (int64_t i = 0; i < x.numel(); ++i) x.data<float>()[i] = static_cast<float>(i) * 1e-3f - 100;
  context_.threads = 1;
  const Tensor one = tanh(mul(x, 0.37));
  context_.threads = 2;
  const Tensor two = tanh(mul(x, 0.37));
  EXPECT_EQ(std::memcmp(one.data<float>(), two.data<float>(), static_cast<size_t>(4 * x.numel())), 0);
}

#if !defined(__SANITIZE_THREAD__)
TEST_F(Threads, AForkedChildComputes) {
  context_.threads = 2;
  const Tensor x = ones(Sizes{1000000}, Dtype::f32);
  values(sum(exp(x)));                                        // the pool is running
  const pid_t child = fork();
  if (child == 0) {
    const bool right = values(sum(mul(x, 2)))[0] == 2000000;
    _exit(right ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#if !defined(__SANITIZE_ADDRESS__)                            // whose own allocator holds a lock across a fork
TEST_F(Threads, AForkDuringAnotherThreadsAllocationLeavesMemoryUsable) {
  std::atomic<bool> stop{false};
  std::thread busy([&] { while (!stop) { const Scratch large(1 << 16); } });
  int failed = 0;
  for (int i = 0; i < 200 && failed == 0; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(5);                                               // a lock left held would never come free
      { const Scratch large(1 << 16); }
      _exit(0);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0) ++failed;
  }
  stop = true;
  busy.join();
  EXPECT_EQ(failed, 0);
}
#endif
#endif

#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
TEST_F(Threads, ARefusedBlockIsNoPeak) {
  const uint64_t before = memory_use().peak_bytes;
  constexpr size_t huge = size_t{1} << 46;
  try {
    const Scratch large(huge);
    GTEST_SKIP() << "the system promises any amount of memory";
  } catch (const Error& e) {
    EXPECT_EQ(static_cast<int>(e.status()), static_cast<int>(Status::memory));
  }
  EXPECT_LT(memory_use().peak_bytes, before + huge / 2);
}
#endif

}  // namespace
}  // namespace gradus
