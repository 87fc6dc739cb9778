// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "kernels/cpu/vector_math.h"
#include "tests/kernels/linear_cases.h"
#include "tests/support/test_context.h"

#define PERCEPT_KERNELS "tests/kernels/vector_math_cases.inc"
#include "kernels/cpu/each_isa.inc"

namespace percept {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

class VectorMathTest : public testing::TestWithParam<Isa> {
 protected:
  float Exp(float x) const { return PERCEPT_DISPATCH(GetParam(), ExpOf(x)); }
  float Tanh(float x) const { return PERCEPT_DISPATCH(GetParam(), TanhOf(x)); }
  float GeluTanh(float x) const { return PERCEPT_DISPATCH(GetParam(), GeluTanhOf(x)); }
};

double RelativeError(double value, double expected) { return std::abs(value - expected) / std::abs(expected); }

TEST_P(VectorMathTest, ExpIsWithinTwoUlp) {
  for (double x = -87.2; x < 88.2; x += 0.00371) {
    const float input = static_cast<float>(x);
    ASSERT_LT(RelativeError(Exp(input), std::exp(static_cast<double>(input))), 1.2e-7) << input;
  }
}

TEST_P(VectorMathTest, ExpAtItsEnds) {
  EXPECT_EQ(Exp(0.0f), 1.0f);
  EXPECT_EQ(Exp(-87.5f), 0.0f);
  EXPECT_EQ(Exp(-kInfinity), 0.0f);
  EXPECT_EQ(Exp(std::numeric_limits<float>::lowest()), 0.0f);
  EXPECT_GT(Exp(kInfinity), 1e38f);
  EXPECT_TRUE(std::isfinite(Exp(1000.0f)));
  EXPECT_TRUE(std::isnan(Exp(kNan)));
}

TEST_P(VectorMathTest, TanhIsWithinThreeUlp) {
  for (double x = -11.0; x < 11.0; x += 0.000671) {
    const float input = static_cast<float>(x);
    ASSERT_LT(RelativeError(Tanh(input), std::tanh(static_cast<double>(input))), 1.8e-7) << input;
  }
  EXPECT_EQ(Tanh(0.0f), 0.0f);
  EXPECT_EQ(Tanh(kInfinity), 1.0f);
  EXPECT_EQ(Tanh(-kInfinity), -1.0f);
  EXPECT_TRUE(std::isnan(Tanh(kNan)));
}

TEST_P(VectorMathTest, GeluFollowsItsFormula) {
  for (double x = -8.0; x < 8.0; x += 0.00137) {
    const double z = static_cast<float>(x);
    const double expected = 0.5 * z * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (z + 0.044715 * z * z * z)));
    ASSERT_NEAR(GeluTanh(static_cast<float>(x)), expected, 1e-6) << x;
  }
}

TEST_P(VectorMathTest, TransposeSwapsRowsAndColumns) { EXPECT_EQ(PERCEPT_DISPATCH(GetParam(), TransposeErrors()), 0); }

TEST_P(VectorMathTest, PartialLoadsAndStoresKeepToTheirLanes) {
  EXPECT_EQ(PERCEPT_DISPATCH(GetParam(), PartialErrors()), 0);
}

TEST_P(VectorMathTest, BF16LanesAreTheirFloats) { EXPECT_EQ(PERCEPT_DISPATCH(GetParam(), BF16Errors()), 0); }

TEST_P(VectorMathTest, ReductionsTakeEveryLane) { EXPECT_EQ(PERCEPT_DISPATCH(GetParam(), ReductionErrors()), 0); }

INSTANTIATE_TEST_SUITE_P(All, VectorMathTest, testing::ValuesIn(TestableIsas(TestMaxIsa())));

}  // namespace
}  // namespace percept
