// Contexts in C++: modes and what they tell, anomaly mode by names, cancel and poll, checks of gradients, and the library about itself.
#include <thread>

#include "gradus/gradus.hpp"
#include "hpp_fixture.h"

namespace {

using gradus::Tensor;
using Tensors = std::vector<Tensor>;

class ContextHpp : public Clean {};

Tensor leaf(std::vector<double> v) { return gradus::tensor(v).requires_grad_(); }

// ---- checks of gradients, anomaly mode

TEST_F(ContextHpp, GradcheckLeavesOutWhatItIsTold) {
  const Tensor x = leaf({1, 2});
  int undefined = 0, passes = 0;
  const auto two = [&](const Tensor& t) {
    const Tensor y = t * 2;
    y.register_hook([&](const Tensor&) { ++passes; });
    return Tensors{y, t * 3};
  };
  gradus::GradcheckOptions o;
  o.check_undefined_grad = false, o.check_scaling = false;
  EXPECT_TRUE(gradus::gradcheck(two, {x}, o));
  const int without = std::exchange(passes, 0);
  o.check_scaling = true;
  EXPECT_TRUE(gradus::gradcheck(two, {x}, o));
  EXPECT_GT(passes, without);
  undefined = std::exchange(passes, 0);
  o.check_undefined_grad = true;
  EXPECT_TRUE(gradus::gradcheck(two, {x}, o));
  EXPECT_GT(passes, undefined);

  bool strided = false;
  const auto watch = [&](const Tensor& t) {
    const Tensor y = t * t;
    y.register_hook([&](const Tensor& g) { strided |= !g.is_contiguous(); });
    return y;
  };
  EXPECT_TRUE(gradus::gradgradcheck(watch, {x}));
  EXPECT_FALSE(strided);
  o.gen_non_contig_grad_outputs = true;
  EXPECT_TRUE(gradus::gradgradcheck(watch, {x}, {}, o));
  EXPECT_TRUE(strided);
}

TEST_F(ContextHpp, GradcheckTakesASeed) {
  const Tensor x = leaf({1, 2, 3});
  const auto first = [&](uint64_t seed) {
    gradus::GradcheckOptions o;
    o.fast = true, o.seed = seed;
    std::vector<double> directions;
    EXPECT_TRUE(gradus::gradcheck([&](const Tensor& t) {
      const Tensor y = t * 2;
      y.register_hook([&](const Tensor& g) { if (directions.empty()) directions = g.to_vector<double>(); });
      return y;
    }, {x}, o));
    return directions;
  };
  EXPECT_EQ(first(1), first(1));
  EXPECT_NE(first(1), first(2));
}

TEST_F(ContextHpp, AnomalyModeByNames) {
  const Tensor x = leaf({0});
  {
    const gradus::AnomalyGuard guard;
    EXPECT_NO_THROW(x.sqrt().sum().backward());               // an infinity
    expect_error(GRADUS_E_ANOMALY, "", [&] { (x.sqrt() * 0).sum().backward(); });
  }
  gradus::AnomalyOptions o;
  o.nan = false, o.inf = true, o.forward = true;
  {
    const gradus::AnomalyGuard guard(o);
    expect_error(GRADUS_E_ANOMALY, "", [&] { x.reciprocal(); });
    expect_error(GRADUS_E_ANOMALY, "", [&] { x.sqrt().sum().backward(); });
  }
  EXPECT_NO_THROW(x.reciprocal());
  o.inf = false;
  expect_error(GRADUS_E_VALUE, "FORWARD", [&] { const gradus::AnomalyGuard guard(o); });
}

// ---- contexts and the library

TEST_F(ContextHpp, ModesAreTold) {
  EXPECT_FALSE(gradus::is_deterministic());
  EXPECT_FALSE(gradus::is_anomaly_enabled());
  {
    const gradus::DeterministicGuard on;
    const gradus::AnomalyGuard anomaly;
    const gradus::InferenceGuard inference;
    EXPECT_TRUE(gradus::is_deterministic());
    EXPECT_EQ(gradus::context_info().anomaly, uint32_t{GRADUS_ANOMALY_NAN} | uint32_t{GRADUS_ANOMALY_TRACE});
    EXPECT_TRUE(gradus::is_inference_mode_enabled());
  }
  EXPECT_FALSE(gradus::is_deterministic());
  EXPECT_FALSE(gradus::is_anomaly_enabled());
  EXPECT_FALSE(gradus::is_inference_mode_enabled());
  gradus_context_options o{};
  o.flags = GRADUS_CTX_DETERMINISTIC;
  const gradus::Context c(o);
  const gradus::Context::Use use(c);
  EXPECT_TRUE(gradus::is_deterministic());
}

TEST_F(ContextHpp, AContextIsCancelledFromOutside) {
  const gradus::Context c;
  const gradus::Context::Use use(c);
  const Tensor x = leaf({1, 2});
  std::thread([&] { c.cancel(); }).join();
  expect_error(GRADUS_E_CANCELLED, "", [&] { x * 2; });
  expect_values(x * 2, {2, 4});
}

TEST_F(ContextHpp, DestructorsWaitForAPoll) {
  gradus_context_options o{};
  o.flags = GRADUS_CTX_POLLED_DESTROY;
  const gradus::Context c(o);
  const gradus::Context::Use use(c);
  const auto alive = std::make_shared<int>(0);
  {
    const Tensor x = leaf({1, 2});
    x.register_hook([alive](const Tensor&) {});
  }
  EXPECT_EQ(alive.use_count(), 2);
  EXPECT_EQ(c.poll(), 1u);
  EXPECT_EQ(alive.use_count(), 1);
  EXPECT_EQ(c.poll(), 0u);
}

TEST_F(ContextHpp, TheLibraryAboutItself) {
  EXPECT_EQ(gradus::version(), gradus_version_string());
  EXPECT_TRUE(gradus::has_feature("dlpack"));
  EXPECT_FALSE(gradus::has_feature("telepathy"));
  EXPECT_EQ(gradus::to_string(gradus::bfloat16), "bfloat16");
  EXPECT_EQ(gradus::to_string(gradus::Dtype::none), "none");
  EXPECT_EQ(gradus::element_size(gradus::complex128), 16);
  const uint64_t before = gradus::live_counts().tensors;
  const Tensor x = gradus::tensor(std::vector<double>{1});
  EXPECT_EQ(gradus::live_counts().tensors, before + 1);
  gradus::memory_trim();
}

}  // namespace
