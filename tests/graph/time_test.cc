// SPDX-License-Identifier: Apache-2.0
#include "graph/packet/time.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

namespace percept::graph {
namespace {

constexpr int64_t kLargest = std::numeric_limits<int64_t>::max();

TEST(TimeTest, UnitsAgree) {
  EXPECT_EQ(Time::Seconds(1.5), Time::Milliseconds(1500));
  EXPECT_EQ(Time::Milliseconds(-3), Time::Microseconds(-3000));
  EXPECT_EQ(Time::Microseconds(7).nanoseconds(), 7000);
  EXPECT_EQ(Time::Milliseconds(40) - Time::Milliseconds(15), Duration::Milliseconds(25));
  EXPECT_EQ(Time::Milliseconds(40) + Duration::Seconds(1), Time::Milliseconds(1040));
}

TEST(TimeTest, SpecialsStandOutsideTheOrdinaryTimes) {
  EXPECT_LT(Time::Unset(), Time::Min());
  EXPECT_LT(Time::Min(), Time::Nanoseconds(std::numeric_limits<int64_t>::min() + 2));
  EXPECT_LT(Time::Nanoseconds(kLargest - 1), Time::Max());
  EXPECT_EQ(Time::Nanoseconds(kLargest - 1).Next(), Time::Max());
  EXPECT_EQ(Time(), Time::Unset());
}

TEST(TimeTest, SpecialsTakeNoPartInArithmetic) {
  for (Time special : {Time::Unset(), Time::Min(), Time::Max()}) {
    EXPECT_TRUE(special.is_special());
    EXPECT_THROW(special + Duration::Milliseconds(1), std::logic_error);
    EXPECT_THROW(Time::Milliseconds(1) - special, std::logic_error);
    EXPECT_THROW(special.Next(), std::logic_error);
    EXPECT_THROW(special.nanoseconds(), std::logic_error);
  }
}

TEST(TimeTest, RefusesWhatDoesNotFit) {
  EXPECT_THROW(Time::Milliseconds(kLargest), std::out_of_range);
  EXPECT_THROW(Time::Nanoseconds(kLargest), std::out_of_range);
  EXPECT_THROW(Time::Seconds(std::nan("")), std::out_of_range);
  EXPECT_THROW(Time::Seconds(1e10), std::out_of_range);
  EXPECT_THROW(Time::Nanoseconds(kLargest - 1) + Duration::Nanoseconds(1), std::out_of_range);
  EXPECT_THROW(Duration::Seconds(9e9) + Duration::Seconds(9e9), std::out_of_range);
}

TEST(TimeTest, PrintsWithoutLoss) {
  EXPECT_EQ(Time::Milliseconds(0).ToString(), "0s");
  EXPECT_EQ(Time::Milliseconds(1500).ToString(), "1.5s");
  EXPECT_EQ(Time::Milliseconds(10000).ToString(), "10s");
  EXPECT_EQ(Time::Nanoseconds(-1).ToString(), "-0.000000001s");
  EXPECT_EQ(Time::Max().ToString(), "max");
  EXPECT_EQ(Time::Min().ToString(), "min");
  EXPECT_EQ(Time().ToString(), "unset");
}

}  // namespace
}  // namespace percept::graph
