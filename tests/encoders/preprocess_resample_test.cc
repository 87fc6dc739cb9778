// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "encoders/vision/image_size.h"
#include "encoders/vision/resample.h"
#include "kernels/core/error.h"
#include "tests/encoders/png.h"
#include "tests/encoders/reference_resample.h"
#include "tests/support/isa_caps.h"
#include "tests/support/shared_dir.h"

namespace percept {
namespace {

using nlohmann::json;

KernelContext ContextOf(Isa isa) { return MakeKernelContext(Mode::kExact, isa); }

std::vector<uint8_t> BytesOf(const RgbImage& image) {
  return {image.view().pixels, image.view().pixels + image.size_bytes()};
}

TestImage RandomImage(int64_t width, int64_t height, uint32_t seed) {
  std::mt19937 random(seed);
  // Extremes side by side make the kernel overshoot on both sides, so that clamping is exercised.
  std::uniform_int_distribution<int> kind(0, 2);
  std::uniform_int_distribution<int> level(0, 255);
  TestImage image{width, height, {}};
  for (int64_t i = 0; i < 3 * width * height; ++i) {
    const int k = kind(random);
    image.rgb.push_back(static_cast<uint8_t>(k == 0 ? 0 : k == 1 ? 255 : level(random)));
  }
  return image;
}

class ResampleIsaTest : public testing::TestWithParam<Isa> {
 protected:
  KernelContext context() const { return ContextOf(GetParam()); }
};

INSTANTIATE_TEST_SUITE_P(Isas, ResampleIsaTest, testing::ValuesIn(RunnableIsas()),
                         [](const auto& param_info) { return IsaSuffix(param_info.param); });

TEST_P(ResampleIsaTest, MatchesEveryGoldenChecksum) {
  const auto folder = TestDataDir() / "images";
  const json cases = json::parse(std::ifstream(folder / "cases.json"));
  int num_checked = 0;
  for (const json& image_case : cases.at("images")) {
    const std::string file = image_case.value("decoded_png", image_case.at("file").get<std::string>());
    const TestImage source = ReadPng(folder / file);
    ASSERT_EQ(Crc32Hex(source.rgb.data(), source.rgb.size()), image_case.at("decoded_rgb_crc32").get<std::string>())
        << file;
    for (const auto& [budget, expected] : image_case.at("budgets").items()) {
      const ImageSize target = TargetSize(source.view().size(), std::stoi(budget));
      EXPECT_EQ(target.width, expected.at("target_w_h").at(0).get<int64_t>());
      EXPECT_EQ(target.height, expected.at("target_w_h").at(1).get<int64_t>());
      EXPECT_EQ(Crc32Hex(Resample(source.view(), target, ResampleWeights::kPillow, context())),
                expected.at("pillow").at("resized_crc32_u8_rgb").get<std::string>())
          << file << " at " << budget;
      EXPECT_EQ(Crc32Hex(Resample(source.view(), target, ResampleWeights::kTorchvision, context())),
                expected.at("torchvision").at("resized_crc32_u8_rgb").get<std::string>())
          << file << " at " << budget;
      ++num_checked;
    }
  }
  EXPECT_EQ(num_checked, 32);
}

TEST_P(ResampleIsaTest, MatchesTheReferenceOnRandomPictures) {
  std::mt19937 random(11);
  std::uniform_int_distribution<int64_t> side(1, 90);
  for (uint32_t i = 0; i < 60; ++i) {
    const TestImage source = RandomImage(side(random), side(random), i);
    const ImageSize target{side(random), side(random)};
    const auto precision = i % 2 == 0 ? ResampleWeights::kPillow : ResampleWeights::kTorchvision;
    const RgbImage out = Resample(source.view(), target, precision, context());
    ASSERT_EQ(BytesOf(out), ReferenceResample(source, target, precision).rgb)
        << source.width << "x" << source.height << " to " << target.width << "x" << target.height;
  }
}

TEST_P(ResampleIsaTest, MatchesTheReferenceOnExtremeShapes) {
  const std::pair<ImageSize, ImageSize> shapes[] = {
      {{1, 1}, {48, 48}},      {{1, 1}, {384, 384}},    {{900, 3}, {3360, 48}}, {{3, 900}, {48, 3360}},
      {{9000, 1}, {3360, 48}}, {{1, 9000}, {48, 3360}}, {{1500, 17}, {48, 17}}, {{17, 1500}, {17, 48}},
      {{2, 2}, {1, 1}},        {{4097, 33}, {1, 1}},    {{96, 48}, {96, 96}},   {{48, 96}, {96, 96}},
  };
  uint32_t seed = 100;
  for (const auto& [from, to] : shapes) {
    const TestImage source = RandomImage(from.width, from.height, ++seed);
    const RgbImage out = Resample(source.view(), to, ResampleWeights::kPillow, context());
    EXPECT_EQ(BytesOf(out), ReferenceResample(source, to, ResampleWeights::kPillow).rgb)
        << from.width << "x" << from.height << " to " << to.width << "x" << to.height;
  }
}

TEST_P(ResampleIsaTest, PaddedRowsAndThreadCountsChangeNothing) {
  const TestImage source = RandomImage(701, 503, 5);
  const int64_t stride = 3 * source.width + 29;
  std::vector<uint8_t> padded(static_cast<size_t>(stride * source.height), 77);
  for (int64_t y = 0; y < source.height; ++y) {
    std::copy_n(source.view().row(y), 3 * source.width, padded.data() + y * stride);
  }
  const RgbView view{padded.data(), source.width, source.height, stride};
  for (const ImageSize target : {ImageSize{432, 336}, ImageSize{701, 336}, ImageSize{432, 503}, ImageSize{701, 503}}) {
    const auto expected = BytesOf(Resample(source.view(), target, ResampleWeights::kPillow, context()));
    for (const int num_threads : {1, 2}) {
      tbb::task_arena arena(num_threads);
      arena.execute([&] { EXPECT_EQ(BytesOf(Resample(view, target, ResampleWeights::kPillow, context())), expected); });
    }
  }
}

TEST(ResampleTest, FlatPicturesStayFlat) {
  for (const int level : {0, 1, 127, 254, 255}) {
    TestImage source{33, 21, {}};
    source.rgb.assign(static_cast<size_t>(3 * source.width * source.height), static_cast<uint8_t>(level));
    for (const auto precision : {ResampleWeights::kPillow, ResampleWeights::kTorchvision}) {
      const auto bytes = BytesOf(Resample(source.view(), {480, 288}, precision, ContextOf(Isa::kAmxBf16)));
      EXPECT_TRUE(std::all_of(bytes.begin(), bytes.end(), [&](uint8_t b) { return b == level; })) << level;
    }
  }
}

TEST(ResampleTest, MatchesTheResizedPictures) {
  PERCEPT_NEED_SHARED();
  const auto folder = SharedDir() / "goldens" / "images";
  const json cases = json::parse(std::ifstream(folder / "cases.json"));
  int num_checked = 0;
  for (const json& image_case : cases.at("images")) {
    const TestImage source =
        ReadPng(folder / image_case.value("decoded_png", image_case.at("file").get<std::string>()));
    for (const auto& [budget, expected] : image_case.at("budgets").items()) {
      if (!expected.at("pillow").contains("resized_png")) continue;
      const TestImage resized = ReadPng(folder / expected.at("pillow").at("resized_png").get<std::string>());
      const RgbImage out =
          Resample(source.view(), resized.view().size(), ResampleWeights::kPillow, ContextOf(Isa::kAmxBf16));
      EXPECT_EQ(BytesOf(out), resized.rgb) << image_case.at("id") << " at " << budget;
      ++num_checked;
    }
  }
  EXPECT_EQ(num_checked, 17);
}

TEST(ResampleTest, MatchesTheInputsOfTheVariants) {
  PERCEPT_NEED_SHARED();
  const auto folder = SharedDir() / "goldens" / "variants" / "inputs";
  for (const char* name : {"a", "b"}) {
    const TestImage source = ReadPng(folder / (std::string("image_") + name + ".png"));
    for (const int budget : {70, 140}) {
      const TestImage resized =
          ReadPng(folder / ("resized_" + std::string(name) + "_" + std::to_string(budget) + ".png"));
      EXPECT_EQ(TargetSize(source.view().size(), budget), resized.view().size());
      const RgbImage out =
          Resample(source.view(), resized.view().size(), ResampleWeights::kTorchvision, ContextOf(Isa::kAmxBf16));
      EXPECT_EQ(BytesOf(out), resized.rgb) << name << " at " << budget;
    }
  }
}

TEST(AxisWeightsTest, TorchvisionWeightsFillAnInt16) {
  for (const auto& [from, to] : {std::pair<int64_t, int64_t>{60, 480}, {480, 60}, {4000, 912}, {100000, 48}, {1, 48}}) {
    const AxisWeights axis = ComputeAxisWeights(from, to, ResampleWeights::kTorchvision);
    const int32_t largest = *std::max_element(axis.weights.begin(), axis.weights.end());
    EXPECT_LT(largest, 1 << 15);
    EXPECT_TRUE(largest >= 1 << 14 || axis.fraction_bits == 22) << from << " to " << to << ": " << largest;
  }
}

template <typename ErrorType>
std::string ResampleError(const RgbView& source, ImageSize target) {
  try {
    Resample(source, target, ResampleWeights::kPillow, ContextOf(Isa::kPortable));
  } catch (const ErrorType& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(ResampleTest, RefusesWhatIsNoPicture) {
  const std::vector<uint8_t> pixels(48);
  EXPECT_EQ(ResampleError<InputError>({pixels.data(), 0, 4, 12}, {48, 48}),
            "a picture of 0x4 pixels cannot be used: each side must be 1 to 2147483647");
  EXPECT_EQ(ResampleError<InputError>({pixels.data(), int64_t{1} << 31, 1, int64_t{3} << 31}, {48, 48}),
            "a picture of 2147483648x1 pixels cannot be used: each side must be 1 to 2147483647");
  EXPECT_EQ(ResampleError<InputError>({pixels.data(), 4, 4, 11}, {48, 48}),
            "a picture of 4x4 pixels needs 12 bytes from row to row, not 11");
  EXPECT_EQ(ResampleError<InputError>({nullptr, 4, 4, 12}, {48, 48}), "a picture of 4x4 pixels has no memory for them");
  EXPECT_EQ(ResampleError<ArgumentError>({pixels.data(), 4, 4, 12}, {48, 0}), "cannot resample to 48x0 pixels");
}

}  // namespace
}  // namespace percept
