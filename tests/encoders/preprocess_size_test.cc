// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "encoders/vision/image_size.h"
#include "kernels/core/error.h"
#include "tests/support/shared_dir.h"

namespace percept {
namespace {

using ::testing::HasSubstr;

template <typename ErrorType, typename Action>
std::string MessageOf(Action action) {
  try {
    action();
  } catch (const ErrorType& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(TargetSizeTest, MatchesEveryGolden) {
  const auto sizes = nlohmann::json::parse(std::ifstream(TestDataDir() / "images" / "sizes.json"));
  int num_checked = 0;
  for (const auto& row : sizes.at("rows")) {
    const ImageSize source{row.at("w"), row.at("h")};
    for (const int budget : kImageBudgets) {
      const auto& expected = row.at(std::to_string(budget));
      const ImageSize target = TargetSize(source, budget);
      EXPECT_EQ(target, (ImageSize{expected.at(0), expected.at(1)}))
          << source.width << "x" << source.height << " at " << budget << " gave " << target.width << "x"
          << target.height;
      EXPECT_EQ(GridOf(target).num_soft_tokens(), expected.at(2).get<int64_t>());
      ++num_checked;
    }
  }
  EXPECT_EQ(num_checked, 1000);
}

TEST(TargetSizeTest, FillsTheBudgetWithoutPassingIt) {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> log_side(0.0, 31.0);
  for (int i = 0; i < 20000; ++i) {
    const ImageSize source{static_cast<int64_t>(std::min(std::exp2(log_side(random)), 2147483647.0)),
                           static_cast<int64_t>(std::min(std::exp2(log_side(random)), 2147483647.0))};
    const int budget = kImageBudgets[static_cast<size_t>(i) % kImageBudgets.size()];
    const ImageSize target = TargetSize(source, budget);
    const PatchGrid grid = GridOf(target);
    EXPECT_GE(grid.num_soft_tokens(), 1);
    EXPECT_LE(grid.num_soft_tokens(), budget) << source.width << "x" << source.height;
    EXPECT_EQ(grid.num_patches() % 9, 0);
  }
}

TEST(TargetSizeTest, ExtremeStripsStayInTheBudget) {
  constexpr int64_t kLong = std::numeric_limits<int32_t>::max();
  EXPECT_EQ(TargetSize({kLong, 1}, 1120), (ImageSize{53760, 48}));
  EXPECT_EQ(TargetSize({1, kLong}, 70), (ImageSize{48, 3360}));
  EXPECT_EQ(TargetSize({kLong, kLong}, 280), (ImageSize{768, 768}));
}

TEST(TargetSizeTest, UnknownBudgetListsTheValidOnes) {
  for (const int budget : {0, -70, 71, 256, 1121}) {
    EXPECT_EQ(MessageOf<ArgumentError>([&] {
                TargetSize({640, 480}, budget);
              }),
              "unknown image budget " + std::to_string(budget) + ": expected 70, 140, 280, 560 or 1120 soft tokens");
  }
}

TEST(TargetSizeTest, EmptyPictureIsRefused) {
  EXPECT_EQ(MessageOf<InputError>([] {
              TargetSize({0, 480}, 70);
            }),
            "a picture of 0x480 pixels cannot be used: each side must be 1 to 2147483647");
  EXPECT_THAT(MessageOf<InputError>([] { TargetSize({640, -1}, 70); }), HasSubstr("640x-1"));
}

TEST(GridTest, RefusesSizesThatAreNotCells) {
  EXPECT_EQ(GridOf({96, 48}), (PatchGrid{6, 3}));
  EXPECT_EQ(MessageOf<ArgumentError>([] {
              GridOf({96, 50});
            }),
            "a picture of 96x50 pixels cannot be cut into cells of 48 pixels");
  EXPECT_THROW(GridOf({0, 48}), ArgumentError);
}

}  // namespace
}  // namespace percept
