// SPDX-License-Identifier: Apache-2.0
// Pictures and sound that become soft tokens without a tower, against the reference.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "encoders/audio/frame_projection.h"
#include "encoders/audio/weights.h"
#include "encoders/vision/cells.h"
#include "encoders/vision/projector.h"
#include "kernels/core/error.h"
#include "kernels/ops/layer_norm.h"
#include "tests/encoders/tower_variant.h"
#include "tests/support/closeness.h"
#include "tests/support/isa_caps.h"
#include "tests/support/random_matrix.h"

namespace percept {
namespace {

constexpr double kHiddenTolerance = 2e-4;
constexpr double kSoftTolerance = 1e-4;
constexpr double kFastCosine = 0.9999;
const std::string kImage = "image70/f32/vision.";

class DirectProjection : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override { PERCEPT_NEED_SHARED(); }
  KernelContext context(Mode mode) const { return {.isa = GetParam(), .mode = mode}; }
};

INSTANTIATE_TEST_SUITE_P(All, DirectProjection, testing::ValuesIn(RunnableIsas()),
                         [](const auto& test) { return IsaSuffix(test.param); });

TEST_P(DirectProjection, EachStageOfAPictureAgrees) {
  const TowerVariant reference("12b", context(Mode::kExact));
  const CellWeights& weights = reference.tower.weights().cells.value();
  const int64_t width = reference.tower.config().width;
  std::vector<Matrix> dense;
  std::vector<Matrix> placed;
  Arena scratch(1 << 20);
  for (const ImagePatches& picture : ReferencePictures(70)) {
    const int64_t cells = picture.grid.num_soft_tokens();
    const Matrix pixels(cells, kCellValues);
    const Matrix place(1, width);
    GatherCells(picture, 0, pixels.view());
    const Matrix& rows = placed.emplace_back(cells, width);
    EmbedCells(weights, context(Mode::kExact), pixels.view(), rows.view(), scratch);
    dense.push_back(CopyOf(rows.view()));
    PlaceCells(weights, context(Mode::kExact), picture.grid, 0, place.view(), rows.view());
  }
  EXPECT_LE(MaxAbsDifference(Stacked(dense).view(), reference.golden.Floats(kImage + "patch_dense")), kHiddenTolerance);
  const Matrix normed = Stacked(dense);
  ops::LayerNorm(context(Mode::kExact), normed.view(), weights.dense_norm.weight.data(), weights.dense_norm.bias.data(),
                 1e-5F, normed.view());
  EXPECT_LE(MaxAbsDifference(normed.view(), reference.golden.Floats(kImage + "patch_ln2")), kHiddenTolerance);
  EXPECT_LE(MaxAbsDifference(Stacked(placed).view(), reference.golden.Floats(kImage + "pos_norm")), kHiddenTolerance);
}

TEST_P(DirectProjection, SoftTokensOfPicturesAgree) {
  const TowerVariant exact("12b", context(Mode::kExact));
  for (const int budget : {70, 140}) {
    const std::vector<Matrix> soft_tokens = Encode(exact.tower, PointersTo(ReferencePictures(budget)));
    const std::string name = "image" + std::to_string(budget) + "/f32/vision.soft";
    EXPECT_LE(MaxAbsDifference(Stacked(soft_tokens).view(), exact.golden.Floats(name)), kSoftTolerance) << budget;
  }
  const TowerVariant fast("12b", context(Mode::kFast));
  EXPECT_GE(MinRowCosine(Stacked(Encode(fast.tower, PointersTo(ReferencePictures(70)))).view(),
                         fast.golden.Floats(kImage + "soft")),
            kFastCosine);
}

TEST_P(DirectProjection, APictureHasTheSameBitsAloneAndPacked) {
  const TowerVariant reference("12b", context(Mode::kExact));
  const std::vector<ImagePatches> pictures = ReferencePictures(70);
  const ImagePatches* a = &pictures[0];
  const ImagePatches* b = &pictures[1];
  const std::vector<float> alone = Values(Encode(reference.tower, {a})[0].view());
  EXPECT_EQ(Values(Encode(reference.tower, {b, a})[1].view()), alone);
}

TEST_P(DirectProjection, APictureBeyondThePositionsIsRefused) {
  const TowerVariant reference("12b", context(Mode::kExact));
  EXPECT_NO_THROW(reference.tower.RequireFits({.columns = 3 * 1120, .rows = 3}));
  EXPECT_THAT([&] { reference.tower.RequireFits({.columns = 3, .rows = 3 * 1121}); },
              testing::ThrowsMessage<InputError>(testing::HasSubstr("1120 positions")));
}

TEST_P(DirectProjection, SoftTokensOfSoundAgree) {
  const std::filesystem::path folder = SharedDir() / "goldens/variants/12b";
  const GoldenFile golden(folder / "golden.safetensors");
  const std::unique_ptr<SafetensorsSource> source = OpenSafetensors(folder);
  const AudioConfig config = ReadAudioConfig(folder / "config.json").value();
  const int64_t hidden = golden.ShapeOf("audio/f32/clip0.soft")[1];
  ClaimList claims(*source);
  const FrameProjection exact(config, BindAudioProjector(config, hidden, claims, context(Mode::kExact)),
                              context(Mode::kExact));
  Arena scratch(exact.ScratchBytes());
  for (const std::string clip : {"audio/f32/clip0", "audio/f32/clip1"}) {
    const std::vector<float> samples = golden.Floats(clip + ".features");
    const Matrix soft(exact.NumSoftTokens(static_cast<int64_t>(samples.size())), hidden);
    exact.Project(samples, soft.view(), scratch);
    EXPECT_LE(MaxAbsDifference(soft.view(), golden.Floats(clip + ".soft")), kSoftTolerance);
  }
}

TEST_P(DirectProjection, CountsSoftTokensAsTheReference) {
  const std::vector<float> row(640);
  const ConstTensor projector{.bytes = row.data(), .dtype = DType::kF32, .shape = {1, 640}};
  const FrameProjection frames({.form = AudioForm::kDirectProjection, .projector_width = 640},
                               ops::LinearWeight::Packed(context(Mode::kExact), projector), context(Mode::kExact));
  const nlohmann::json counts = nlohmann::json::parse(std::ifstream(SharedDir() / "goldens/audio/token_counts.json"));
  for (const auto& sizes : counts.at("rows")) EXPECT_EQ(frames.NumSoftTokens(sizes[0]), sizes[3]) << sizes;
}

TEST_P(DirectProjection, TheLastFrameOfAClipIsFilledUpWithSilence) {
  const float weight[2 * 4] = {1, 2, 3, 4, 5, 6, 7, 8};
  const AudioConfig config{.form = AudioForm::kDirectProjection, .projector_width = 4};
  const ConstTensor projector{.bytes = weight, .dtype = DType::kF32, .shape = {2, 4}};
  const FrameProjection frames(config, ops::LinearWeight::Packed(context(Mode::kExact), projector),
                               context(Mode::kExact));
  Arena scratch(frames.ScratchBytes());
  EXPECT_EQ(frames.NumSoftTokens(4), 1);
  ASSERT_EQ(frames.NumSoftTokens(5), 2);
  const std::vector<float> samples = {0, 0, 0, 0, 0.5F};
  const Matrix soft(2, 2);
  frames.Project(samples, soft.view(), scratch);
  EXPECT_EQ(soft.view().row(0)[0], 0);  // silence is the zero vector
  // 0.5 over the root mean square of 0.5, 0, 0, 0 is 2
  EXPECT_NEAR(soft.view().row(1)[0], 2, 1e-4);
  EXPECT_NEAR(soft.view().row(1)[1], 10, 1e-4);
}

}  // namespace
}  // namespace percept
