// What tests of the C++ face share: values, expected errors, and nothing left alive at the end. Included after a header of gradus.
#pragma once
#include <gtest/gtest.h>

#include <string>
#include <vector>

inline void expect_values(const gradus::Tensor& t, const std::vector<double>& wanted, double tolerance = 1e-9) {
  const auto got = t.detach().to_vector<double>();
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], tolerance) << "element " << i;
}

// The status of the Error that f throws, and part of its message.
template <class F> void expect_error(gradus_status status, const std::string& part, F f) {
  try {
    f();
    ADD_FAILURE() << "no error; expected: " << part;
  } catch (const gradus::Error& e) {
    EXPECT_EQ(e.status(), status) << e.what();
    EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
  }
}

inline gradus_counts counts() {
  gradus_counts c{};
  c.struct_size = sizeof c;
  gradus_live_counts(&c);
  return c;
}

// Contexts apart, of which each thread has its own, nothing outlives a test.
class Clean : public ::testing::Test {
 protected:
  void TearDown() override {
    const gradus_counts c = counts();
    EXPECT_EQ(c.tensors, 0u);
    EXPECT_EQ(c.graph_nodes, 0u);
    EXPECT_EQ(c.foreign_blocks, 0u);
    EXPECT_EQ(c.callbacks, 0u);
    EXPECT_EQ(c.profiles, 0u);
    EXPECT_EQ(c.optimizers, 0u);
    EXPECT_EQ(c.schedulers, 0u);
    EXPECT_EQ(c.files, 0u);
    EXPECT_EQ(c.function_calls, 0u);
  }
};
