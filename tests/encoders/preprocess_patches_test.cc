// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "encoders/vision/patches.h"
#include "kernels/core/error.h"
#include "tests/encoders/png.h"
#include "tests/support/shared_dir.h"

namespace percept {
namespace {

using nlohmann::json;

const KernelContext kContext = MakeKernelContext(Mode::kExact);

std::string Crc32Hex(const ImagePatches& patches) {
  const MatrixView values = patches.values.view();
  EXPECT_EQ(values.stride, values.cols);  // 768 floats are whole cache lines: rows lie one after the other
  return ::Crc32Hex(values.data, static_cast<size_t>(values.rows * values.cols) * sizeof(float));
}

TEST(PreprocessTest, MatchesEveryGoldenPixelValue) {
  const auto folder = TestDataDir() / "images";
  const json cases = json::parse(std::ifstream(folder / "cases.json"));
  int num_checked = 0;
  for (const json& image_case : cases.at("images")) {
    const TestImage source =
        ReadPng(folder / image_case.value("decoded_png", image_case.at("file").get<std::string>()));
    for (const auto& [budget, expected] : image_case.at("budgets").items()) {
      const ImagePatches pillow = PreprocessImage(source.view(), std::stoi(budget),
                                                  {ResampleWeights::kPillow, PixelValues::kDivided}, kContext);
      const ImagePatches torchvision = PreprocessImage(
          source.view(), std::stoi(budget), {ResampleWeights::kTorchvision, PixelValues::kTimesReciprocal}, kContext);
      EXPECT_EQ(pillow.grid.num_patches(), expected.at("patches").get<int64_t>());
      EXPECT_EQ(pillow.grid.num_soft_tokens(), expected.at("soft_tokens").get<int64_t>());
      EXPECT_EQ(pillow.grid.columns, expected.at("grid_w_h").at(0).get<int64_t>());
      EXPECT_EQ(Crc32Hex(pillow), expected.at("pillow").at("pixel_values_crc32_f32le").get<std::string>())
          << image_case.at("id") << " at " << budget;
      EXPECT_EQ(Crc32Hex(torchvision), expected.at("torchvision").at("pixel_values_crc32_f32le").get<std::string>())
          << image_case.at("id") << " at " << budget;
      for (size_t i = 0; i < 6; ++i) {
        EXPECT_EQ(pillow.values.view().row(0)[i], expected.at("pillow").at("patch0_first_6_values").at(i).get<float>());
      }
      ++num_checked;
    }
  }
  EXPECT_EQ(num_checked, 32);
}

TestImage Gradient(int64_t width, int64_t height) {
  TestImage image{width, height, {}};
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      for (const int64_t level : {x % 256, y % 256, (7 * x + 13 * y) % 256}) {
        image.rgb.push_back(static_cast<uint8_t>(level));
      }
    }
  }
  return image;
}

TEST(CutPatchesTest, PatchesAreInRasterOrderWithChannelFastest) {
  const TestImage image = Gradient(144, 96);
  const ImagePatches patches = CutPatches(image.view(), PixelValues::kDivided);
  ASSERT_EQ(patches.grid, (PatchGrid{9, 6}));
  ASSERT_EQ(patches.positions.size(), 54u);
  for (int32_t t = 0; t < 54; ++t) {
    const PatchPosition position = patches.positions[static_cast<size_t>(t)];
    ASSERT_EQ(position, (PatchPosition{t % 9, t / 9}));
    for (int64_t e = 0; e < kPatchValues; ++e) {
      const int64_t x = position.x * 16 + e / 3 % 16;
      const int64_t y = position.y * 16 + e / 48;
      const uint8_t level = image.rgb[static_cast<size_t>((y * image.width + x) * 3 + e % 3)];
      ASSERT_EQ(patches.values.view().row(t)[e], static_cast<float>(level) / 255.0f);
    }
  }
}

TEST(CutPatchesTest, TheTwoValueFormulasRoundAsDefined) {
  TestImage image{48, 48, std::vector<uint8_t>(48 * 48 * 3)};
  for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<uint8_t>(i % 256);
  const ImagePatches divided = CutPatches(image.view(), PixelValues::kDivided);
  const ImagePatches times = CutPatches(image.view(), PixelValues::kTimesReciprocal);
  const auto reciprocal = static_cast<float>(1.0 / 255.0);
  int num_different = 0;
  for (int64_t t = 0; t < 9; ++t) {
    for (int64_t e = 0; e < kPatchValues; ++e) {
      const int64_t offset = ((t / 3 * 16 + e / 48) * 48 + t % 3 * 16) * 3 + e % 48;
      const double level = static_cast<double>(offset % 256);
      ASSERT_EQ(divided.values.view().row(t)[e], static_cast<float>(level / 255.0));
      ASSERT_EQ(times.values.view().row(t)[e], static_cast<float>(level * static_cast<double>(reciprocal)));
      num_different += divided.values.view().row(t)[e] != times.values.view().row(t)[e] ? 1 : 0;
    }
  }
  EXPECT_GT(num_different, 0);
}

TEST(PreprocessTest, APictureOfTargetSizeIsNotResampled) {
  const TestImage image = Gradient(480, 336);
  const ImagePatches resized = PreprocessImage(image.view(), 70, {}, kContext);
  EXPECT_EQ(Crc32Hex(resized), Crc32Hex(CutPatches(image.view(), PixelValues::kDivided)));
}

TEST(PreprocessTest, RefusesAnUnknownBudgetAndAnEmptyPicture) {
  const TestImage image = Gradient(20, 10);
  const auto message_of = [](const RgbView& view, int budget) -> std::string {
    try {
      PreprocessImage(view, budget, {}, kContext);
    } catch (const Error& error) {
      return error.what();
    }
    return "nothing was thrown";
  };
  EXPECT_EQ(message_of(image.view(), 100), "unknown image budget 100: expected 70, 140, 280, 560 or 1120 soft tokens");
  EXPECT_EQ(message_of({image.rgb.data(), 20, 0, 60}, 70),
            "a picture of 20x0 pixels cannot be used: each side must be 1 to 2147483647");
}

TEST(CutPatchesTest, RefusesAPictureOfOtherSize) {
  const TestImage image = Gradient(50, 48);
  EXPECT_THROW(CutPatches(image.view(), PixelValues::kDivided), ArgumentError);
}

}  // namespace
}  // namespace percept
