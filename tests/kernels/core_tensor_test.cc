// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/core/arena.h"
#include "kernels/core/error.h"
#include "kernels/core/tensor.h"

namespace percept {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(Shape, CountsAndPrints) {
  EXPECT_EQ(Shape({2, 3, 4}).elements(), 24);
  EXPECT_EQ(Shape({}).elements(), 1);
  EXPECT_EQ(Shape({5, 0}).elements(), 0);
  EXPECT_EQ(Shape({2, 3}).ToString(), "[2, 3]");
  EXPECT_EQ(Shape({}).ToString(), "[]");
  EXPECT_FALSE(Shape({2, 3}) == Shape({3, 2}));
  EXPECT_FALSE(Shape({2}) == Shape({2, 1}));
}

TEST(Shape, MoreThanFourDimensionsAreABug) {
  EXPECT_THAT([] { Shape({1, 1, 1, 1, 1}); }, ThrowsMessage<InternalError>(HasSubstr("rank_ < kMaxRank")));
  EXPECT_THROW(Shape({-1}), InternalError);
}

TEST(BF16, RoundsToNearestEven) {
  EXPECT_EQ(FloatToBF16(1.0f), 0x3f80);
  EXPECT_EQ(FloatToBF16(1.0f + 0x1p-8f), 0x3f80) << "a tie goes to the even neighbour below";
  EXPECT_EQ(FloatToBF16(1.0f + 3 * 0x1p-8f), 0x3f82) << "a tie goes to the even neighbour above";
  EXPECT_EQ(FloatToBF16(1.0f + 0x1.2p-8f), 0x3f81);
  EXPECT_EQ(FloatToBF16(std::numeric_limits<float>::infinity()), 0x7f80);
  EXPECT_EQ(FloatToBF16(std::numeric_limits<float>::max()), 0x7f80);
  EXPECT_TRUE(std::isnan(BF16ToFloat(FloatToBF16(std::numeric_limits<float>::quiet_NaN()))));
  for (uint32_t bits = 0; bits < 0x7f80; ++bits) {
    ASSERT_EQ(FloatToBF16(BF16ToFloat(static_cast<uint16_t>(bits))), bits);
  }
}

TEST(Matrix, RowsAreAligned) {
  const Matrix matrix(3, 17);
  for (int64_t r = 0; r < 3; ++r) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(matrix.view().row(r)) % Buffer::kAlignment, 0u);
  }
  EXPECT_EQ(matrix.Rows(1, 2).row(0), matrix.view().row(1));
}

TEST(Arena, GivesBackWhatAScopeTook) {
  Arena arena(Arena::MatrixBytes(2, 20) + 64);
  float* first = nullptr;
  {
    const Arena::Scope scope(arena);
    first = arena.AllocateMatrix(2, 20).data;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(arena.Allocate<char>(3)) % 64, 0u);
  }
  EXPECT_EQ(arena.AllocateMatrix(1, 1).data, first);
  EXPECT_EQ(arena.high_water_bytes(), arena.capacity_bytes());
}

TEST(Arena, FullIsABugNotGrowth) {
  Arena arena(64);
  EXPECT_THAT([&] { arena.Allocate<float>(17); },
              ThrowsMessage<InternalError>(HasSubstr("scratch arena of 64 bytes is full")));
}

}  // namespace
}  // namespace percept
