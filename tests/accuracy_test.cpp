// Every function of the kernels' Value type stays within its error and has the right special values, on each SIMD target.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <string_view>

#include "math_reference.h"

namespace {

std::string describe(const MathCase& c, const MathTarget& target, const MathError& e) {
  char text[300];
  std::snprintf(text, sizeof text,
                "%s on %s: %zu points beyond %g ulp, first f(%.17g, %.17g) = %.17g; "
                "largest error %g ulp at (%.17g, %.17g)",
                c.name, target.name, e.wrong, c.ulp, e.wrong_x, e.wrong_y, e.wrong_result, e.ulp, e.x, e.y);
  return text;
}

template <class T> void expect_within(const MathCase& c, const Points<T>& points) {
  std::vector<T> out(points.x.size());
  for (const MathTarget& target : math_targets()) {
    bool found = false;
    for (const MathTable& f : target.functions) {
      if (std::string_view(f.name) != c.name) continue;
      found = true;
      run(f, points, out);
      const MathError e = math_error<T>(c, points, out);
      EXPECT_EQ(e.wrong, 0u) << describe(c, target, e);
    }
    EXPECT_TRUE(found) << c.name;
  }
}

class Accuracy : public testing::TestWithParam<MathCase> {};

TEST_P(Accuracy, SampledPointsStayWithinTheErrorInSinglePrecision) {
  expect_within<float>(GetParam(), sampled_points<float>(GetParam(), 65539));
}
TEST_P(Accuracy, SampledPointsStayWithinTheErrorInDoublePrecision) {
  expect_within<double>(GetParam(), sampled_points<double>(GetParam(), 65539));
}
TEST_P(Accuracy, SpecialValuesAreRightInSinglePrecision) { expect_within<float>(GetParam(), special_points<float>(GetParam())); }
TEST_P(Accuracy, SpecialValuesAreRightInDoublePrecision) {
  expect_within<double>(GetParam(), special_points<double>(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Functions, Accuracy, testing::ValuesIn(math_cases().begin(), math_cases().end()),
                         [](const auto& test) { return std::string(test.param.name) + "_" + std::to_string(test.index); });

TEST(AccuracyTargets, AtLeastTheBaselineIsTested) { EXPECT_FALSE(math_targets().empty()); }

}  // namespace
