// SPDX-License-Identifier: Apache-2.0
// The log-mel front end against the reference, and against the numbers of the specification.
#include "encoders/audio/log_mel.h"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numbers>
#include <random>
#include <string>
#include <vector>

#include "encoders/audio/spectrum.h"
#include "kernels/core/error.h"
#include "tests/support/closeness.h"
#include "tests/support/golden_file.h"
#include "tests/support/random_matrix.h"
#include "tests/support/shared_dir.h"
#include "tests/support/wav.h"

namespace percept {
namespace {

constexpr double kLogMelTolerance = 2e-5;

Matrix Frames(const std::vector<float>& samples) {
  Matrix frames(LogMel::NumFrames(static_cast<int64_t>(samples.size())), kMelBins);
  LogMel().Compute(samples, frames.view());
  return frames;
}

TEST(SpectrumTest, AgreesWithTheSumOfTheDefinition) {
  std::mt19937 random(3);
  std::normal_distribution<double> normal;
  Spectrum::Values values;
  for (double& value : values) value = normal(random);
  Spectrum::Magnitudes magnitudes;
  Spectrum().Compute(values, &magnitudes);
  for (int64_t bin = 0; bin < Spectrum::kBins; ++bin) {
    std::complex<double> sum = 0;
    for (int64_t k = 0; k < Spectrum::kSize; ++k) {
      const auto turn = static_cast<double>(bin * k % Spectrum::kSize) / Spectrum::kSize;
      sum += values[static_cast<size_t>(k)] * std::polar(1.0, -2 * std::numbers::pi * turn);
    }
    ASSERT_NEAR(magnitudes[static_cast<size_t>(bin)], std::abs(sum), 1e-12) << bin;
  }
}

class LogMelGolden : public testing::TestWithParam<const char*> {};

TEST_P(LogMelGolden, FramesAgreeWithTheReference) {
  PERCEPT_NEED_SHARED();
  const std::string name = GetParam();
  const std::filesystem::path folder = SharedDir() / "goldens/audio";
  const GoldenFile golden(folder / "golden.safetensors");
  const std::vector<float> samples =
      name == "stereo44" ? golden.Floats("stereo44.mono16k") : ReadWav(folder / (name + ".wav"));
  EXPECT_LE(MaxAbsDifference(Frames(samples).view(), golden.Floats(name + ".features")), kLogMelTolerance);
}

INSTANTIATE_TEST_SUITE_P(Clips, LogMelGolden,
                         testing::Values("sine", "chirp", "noise", "impulse", "silence", "speech", "stereo44"),
                         [](const auto& test) { return std::string(test.param); });

TEST(LogMelTest, ClipsOfTheVariantsAgreeWithTheReference) {
  PERCEPT_NEED_SHARED();
  const std::filesystem::path variants = SharedDir() / "goldens/variants";
  const GoldenFile golden(variants / "e2b/golden.safetensors");
  const std::pair<const char*, const char*> clips[] = {{"clip_a.wav", "clip0"}, {"clip_b.wav", "clip1"}};
  for (const auto& [file, name] : clips) {
    EXPECT_LE(MaxAbsDifference(Frames(ReadWav(variants / "inputs" / file)).view(),
                               golden.Floats(std::string("audio/f32/") + name + ".features")),
              kLogMelTolerance)
        << file;
  }
}

// Needs no goldens: the noise of section 16, 1600 samples.
TEST(LogMelTest, NoiseGivesTheNumbersOfTheSpecification) {
  std::vector<float> samples;
  uint32_t state = 12345;
  for (int i = 0; i < 1600; ++i) {
    state = 1664525 * state + 1013904223;
    samples.push_back(static_cast<float>(state / 4294967296.0 - 0.5));
  }
  const Matrix frames = Frames(samples);
  ASSERT_EQ(frames.rows(), 9);
  const int bins[] = {0, 1, 2, 64, 127};
  const double first[] = {-6.907755, 0.654417, -0.530306, -0.385239, 1.661073};
  const double last[] = {-6.907755, 0.584051, -0.600586, 1.459879, 2.483280};
  for (int i = 0; i < 5; ++i) {
    EXPECT_NEAR(frames.view().row(0)[bins[i]], first[i], 2e-6);
    EXPECT_NEAR(frames.view().row(8)[bins[i]], last[i], 2e-6);
  }
  double sum = 0;
  for (const float value : Values(frames.view())) sum += value;
  EXPECT_NEAR(sum, 1382.0219, 1e-3);
}

TEST(LogMelTest, AFrameHasTheSameBitsInALongerClip) {
  std::vector<float> samples;
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0.0F, 0.2F);
  for (int i = 0; i < 20000; ++i) samples.push_back(normal(random));
  const std::vector<float> whole = Values(Frames(samples).view());
  samples.resize(7000);
  const std::vector<float> part = Values(Frames(samples).view());
  EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin()));
}

TEST(LogMelTest, AMatrixOfAnotherSizeIsABug) {
  const std::vector<float> samples(1600);
  EXPECT_EQ(LogMel::NumFrames(160), 0);
  EXPECT_EQ(LogMel::NumFrames(161), 1);
  EXPECT_THROW(LogMel().Compute(samples, Matrix(10, kMelBins).view()), InternalError);
}

}  // namespace
}  // namespace percept
