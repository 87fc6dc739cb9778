// SPDX-License-Identifier: Apache-2.0
// The audio tower against the reference, stage by stage, for every variant and instruction set.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>
#include <vector>

#include "encoders/audio/projector.h"
#include "encoders/audio/relative_keys.h"
#include "encoders/audio/subsample.h"
#include "kernels/core/error.h"
#include "tests/encoders/sound_alone.h"
#include "tests/encoders/sound_variant.h"
#include "tests/encoders/variant_on_isa.h"
#include "tests/support/closeness.h"
#include "tests/support/isa_caps.h"
#include "tests/support/random_matrix.h"
#include "tests/support/wav.h"

namespace percept {
namespace {

constexpr double kHiddenTolerance = 2e-4;
constexpr double kSoftTolerance = 1e-4;
constexpr double kFastCosine = 0.9999;  // the reference's own bf16 run reaches 0.9998
const std::string kCase = "audio/f32/";

class AudioTowerGolden : public VariantOnIsa {};

INSTANTIATE_TEST_SUITE_P(All, AudioTowerGolden,
                         testing::Combine(testing::Values("e2b", "e4b", "e2b-256"), testing::ValuesIn(RunnableIsas())),
                         [](const auto& test) {
                           std::string name = std::get<0>(test.param);
                           std::replace(name.begin(), name.end(), '-', 'x');
                           return name + "_" + IsaSuffix(std::get<1>(test.param));
                         });

void ExpectClose(ConstMatrixView actual, const GoldenFile& golden, const std::string& name, double tolerance) {
  if (golden.Has(name)) {
    EXPECT_LE(MaxAbsDifference(actual, golden.Floats(name)), tolerance) << name;
  }
}

// All layers over one packed batch.
std::vector<Matrix> Encode(const AudioTower& tower, const std::vector<ConstMatrixView>& clips) {
  std::vector<Matrix> soft_tokens;
  std::vector<MatrixView> views;
  int64_t num_tokens = 0;
  for (const ConstMatrixView& clip : clips) {
    soft_tokens.emplace_back(AudioTower::NumSoftTokensOfFrames(clip.rows), tower.decoder_hidden());
    views.push_back(soft_tokens.back().view());
    num_tokens += views.back().rows;
  }
  AudioBatch batch(tower, num_tokens);
  batch.Begin(clips);
  for (int64_t layer = 0; layer < tower.num_layers(); ++layer) batch.RunLayer(layer);
  batch.Finish(views);
  return soft_tokens;
}

TEST_P(AudioTowerGolden, EachStageAgrees) {
  const SoundVariant reference(variant(), context(Mode::kExact));
  const AudioTower& tower = reference.tower;
  const std::vector<std::string> names = {kCase + "clip0", kCase + "clip1"};
  const Matrix frames[] = {reference.Frames(names[0]), reference.Frames(names[1])};
  const std::vector<ConstMatrixView> clips = {frames[0].view(), frames[1].view()};
  const auto expect_all = [&](const AudioBatch& batch, const std::string& stage) {
    for (int i = 0; i < 2; ++i) {
      ExpectClose(batch.hidden(i), reference.golden, names[static_cast<size_t>(i)] + stage, kHiddenTolerance);
    }
  };
  AudioBatch batch(tower, 33 + 14);
  batch.Begin(clips);
  expect_all(batch, ".sub");
  for (int64_t layer = 0; layer < tower.num_layers(); ++layer) {
    batch.RunLayer(layer);
    expect_all(batch, ".layer" + std::to_string(layer));
  }
  Arena scratch(1 << 20);
  for (int i = 0; i < 2; ++i) {
    const std::string& name = names[static_cast<size_t>(i)];
    const Matrix output(batch.hidden(i).rows, tower.config().projector_width);
    const Matrix soft(output.rows(), tower.decoder_hidden());
    ProjectOutput(tower, batch.hidden(i), output.view(), scratch);
    ExpectClose(output.view(), reference.golden, name + ".out", kHiddenTolerance);
    Project(tower, output.view(), soft.view(), scratch);
    EXPECT_LE(MaxAbsDifference(soft.view(), reference.golden.Floats(name + ".soft")), kSoftTolerance);
  }
}

TEST_P(AudioTowerGolden, SamplesBecomeTheReferencesSoftTokens) {
  const SoundVariant reference(variant(), context(Mode::kExact));
  const std::filesystem::path inputs = SharedDir() / "goldens/variants/inputs";
  EXPECT_LE(MaxAbsDifference(EncodeAlone(reference.tower, ReadWav(inputs / "clip_a.wav")).view(),
                             reference.golden.Floats(kCase + "clip0.soft")),
            kSoftTolerance);
  EXPECT_LE(MaxAbsDifference(EncodeAlone(reference.tower, ReadWav(inputs / "clip_b.wav")).view(),
                             reference.golden.Floats(kCase + "clip1.soft")),
            kSoftTolerance);
}

TEST_P(AudioTowerGolden, FastModeStaysCloserThanBF16Activations) {
  const SoundVariant reference(variant(), context(Mode::kFast));
  for (const char* clip : {"clip0", "clip1"}) {
    const Matrix frames = reference.Frames(kCase + clip);
    const std::vector<Matrix> soft = Encode(reference.tower, {frames.view()});
    EXPECT_GE(MinRowCosine(soft[0].view(), reference.golden.Floats(kCase + clip + ".soft")), kFastCosine) << clip;
  }
}

TEST_P(AudioTowerGolden, AClipHasTheSameBitsAloneAndPacked) {
  const SoundVariant reference(variant(), context(Mode::kExact));
  const Matrix a = reference.Frames(kCase + "clip0");
  const Matrix b = reference.Frames(kCase + "clip1");
  const std::vector<float> a_alone = Values(Encode(reference.tower, {a.view()})[0].view());
  const std::vector<float> b_alone = Values(Encode(reference.tower, {b.view()})[0].view());
  const std::vector<Matrix> packed = Encode(reference.tower, {b.view(), a.view(), b.view()});
  EXPECT_EQ(Values(packed[0].view()), b_alone);
  EXPECT_EQ(Values(packed[1].view()), a_alone);
  EXPECT_EQ(Values(packed[2].view()), b_alone);
}

// A clip longer than a tile, cut short: no token sees a later one, and the last two frames of the cut make less of its
// last token.
TEST_P(AudioTowerGolden, TokensDoNotChangeWhereTheClipGoesOn) {
  const SoundVariant reference(variant(), context(Mode::kExact));
  const Matrix frames = RandomMatrix(4 * 700, kMelBins, 11, 2.0F);
  const std::vector<float> whole = Values(Encode(reference.tower, {frames.view()})[0].view());
  for (const int64_t kept : {int64_t{4 * 520}, int64_t{1}, int64_t{4 * 31 + 2}}) {
    const std::vector<float> cut = Values(Encode(reference.tower, {frames.Rows(0, kept)})[0].view());
    const int64_t same = kept / 4 * reference.tower.decoder_hidden();
    EXPECT_TRUE(std::equal(cut.begin(), cut.begin() + same, whole.begin())) << kept;
    EXPECT_EQ(std::equal(cut.begin(), cut.end(), whole.begin()), kept % 4 == 0) << kept;
  }
}

TEST(AudioTowerTest, CountsSoftTokensAsTheReference) {
  PERCEPT_NEED_SHARED();
  const nlohmann::json counts =
      nlohmann::json::parse(std::ifstream(SharedDir() / "goldens/audio/token_counts.json")).at("rows");
  ASSERT_GT(counts.size(), 300U);
  for (const auto& row : counts) {
    // The reference drops what a clip has beyond the limit.
    EXPECT_EQ(AudioTower::NumSoftTokens(std::min(row[0].get<int64_t>(), AudioTower::kMaxSamples)), row[1]) << row;
  }
}

TEST(AudioTowerTest, AClipTooShortOrTooLongIsRefusedWithTheLimit) {
  const auto refusal = [](int64_t num_samples) -> std::string {
    try {
      AudioTower::RequireFits(num_samples);
    } catch (const InputError& error) {
      return error.what();
    }
    return "none";
  };
  EXPECT_EQ(refusal(160), "a clip of 160 samples is too short: the first soft token needs 161 (10 ms)");
  EXPECT_EQ(refusal(161), "none");
  EXPECT_EQ(refusal(480000), "none");
  EXPECT_EQ(refusal(499200),
            "a clip of 31.20 s (499200 samples) is too long: the audio tower takes at most 30 s (480000 samples)");
  EXPECT_EQ(refusal(480001),
            "a clip of 30.00 s (480001 samples) is too long: the audio tower takes at most 30 s (480000 samples)");
}

TEST(RelativeKeysTest, PositionsAreThoseOfTheReference) {
  PERCEPT_NEED_SHARED();
  const GoldenFile golden(SharedDir() / "goldens/real/tables.safetensors");
  const std::vector<float> descending = golden.Floats("audio.position_table");  // of distances 12 .. 0
  const Matrix table = PositionTable(13, 1024);
  for (int64_t d = 0; d < table.rows(); ++d) {
    const std::vector<float> row(descending.begin() + (12 - d) * 1024, descending.begin() + (13 - d) * 1024);
    EXPECT_LE(MaxAbsDifference(table.Rows(d, 1), row), 1e-6) << d;
  }
}

TEST(AudioBatchTest, ScratchIsBoundedAndGrowsOnRequest) {
  PERCEPT_NEED_SHARED();
  const SoundVariant reference("e2b", TestContext(Mode::kExact));
  AudioBatch batch(reference.tower, 2);
  const Matrix frames = RandomMatrix(9, kMelBins, 1);
  const ConstMatrixView clip = frames.view();
  EXPECT_THROW(batch.Begin({&clip, 1}), InternalError) << "three tokens";
  batch.Reserve(3);
  EXPECT_NO_THROW(batch.Begin({&clip, 1}));
  const size_t bytes = batch.scratch_bytes();
  batch.Reserve(2);
  EXPECT_EQ(batch.scratch_bytes(), bytes) << "a batch never shrinks";
  const Matrix soft(2, reference.tower.decoder_hidden());
  const MatrixView out = soft.view();
  EXPECT_THROW(batch.Finish({&out, 1}), InternalError);
}

TEST(AudioActivationsTest, TakeWhatTheirCommentSays) {
  EXPECT_NEAR(static_cast<double>(AudioActivations(ReleasedTower(), 750).size_bytes()), 45e6, 0.5e6);
}

}  // namespace
}  // namespace percept
