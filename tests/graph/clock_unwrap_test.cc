// SPDX-License-Identifier: Apache-2.0
#include "graph/packet/clock_unwrap.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace percept::graph {
namespace {

TEST(ClockUnwrapTest, CountsOnOverEveryWrap) {
  for (const int bits : {32, 33}) {
    const uint64_t period = uint64_t{1} << bits;
    ClockUnwrap unwrap(bits);
    int64_t expected = 5;
    EXPECT_EQ(unwrap.Unwrap(5), expected);
    for (int i = 0; i < 20; ++i) {
      expected += static_cast<int64_t>(period / 3);
      EXPECT_EQ(unwrap.Unwrap(static_cast<uint64_t>(expected) % period), expected) << bits << " bits, step " << i;
    }
  }
}

TEST(ClockUnwrapTest, AStepBackStaysOneAlsoOverTheWrap) {
  const uint64_t period = uint64_t{1} << 33;
  ClockUnwrap unwrap(33);
  EXPECT_EQ(unwrap.Unwrap(period - 3600), static_cast<int64_t>(period) - 3600);
  EXPECT_EQ(unwrap.Unwrap(0), static_cast<int64_t>(period));
  EXPECT_EQ(unwrap.Unwrap(period - 1800), static_cast<int64_t>(period) - 1800);
  EXPECT_EQ(unwrap.Unwrap(1800), static_cast<int64_t>(period) + 1800);
}

TEST(ClockUnwrapTest, MayStepBackBeforeItsFirstValue) {
  ClockUnwrap unwrap(32);
  EXPECT_EQ(unwrap.Unwrap(0), 0);
  EXPECT_EQ(unwrap.Unwrap(0xffffff00u), -256);
}

TEST(ClockUnwrapTest, IgnoresBitsThatTheCounterHasNot) {
  ClockUnwrap unwrap(8);
  EXPECT_EQ(unwrap.Unwrap(0x7f05), 5);
}

TEST(ClockUnwrapTest, BeginsAnew) {
  ClockUnwrap unwrap(32);
  unwrap.Unwrap(0xfffffff0u);
  unwrap.Reset();
  EXPECT_EQ(unwrap.Unwrap(7), 7);
}

TEST(ClockUnwrapTest, RefusesWidthsThatMeanNothing) {
  try {
    ClockUnwrap unwrap(64);
    FAIL();
  } catch (const std::logic_error& error) {
    EXPECT_STREQ(error.what(), "a clock of 64 bits");
  }
}

}  // namespace
}  // namespace percept::graph
