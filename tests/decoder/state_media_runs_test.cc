// SPDX-License-Identifier: Apache-2.0
// Who sees whom around pictures, frames and sound.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "decoder/state/step_rows.h"
#include "tests/decoder/model_fixture.h"
#include "tests/support/shared_dir.h"

namespace percept {
namespace {

using testing::ElementsAre;
using testing::Pair;

using Ranges = std::vector<std::pair<int64_t, int64_t>>;

constexpr int32_t kText = 1;
constexpr int32_t kImage = 6;
constexpr int32_t kSound = 7;
constexpr int32_t kFrame = 8;

TextConfig SmallConfig(BidirectionalAttention bidirectional, MediaRunMask mask = MediaRunMask::kSlidingLayers) {
  TextConfig config;
  config.hidden_size = 4;
  config.sliding_window = 3;
  config.bidirectional = bidirectional;
  config.media_run_mask = mask;
  config.token_ids.image = kImage;
  config.token_ids.audio = kSound;
  config.token_ids.video = kFrame;
  config.layers = {{.kind = AttentionKind::kSliding, .head_dim = 8, .num_kv_heads = 1, .kv_layer_idx = 0},
                   {.kind = AttentionKind::kFull, .head_dim = 16, .num_kv_heads = 1, .kv_layer_idx = 1}};
  return config;
}

// A sequence at position 5 brings these ids; every placeholder has a soft token, pieces of `piece` rows each.
class Plan {
 public:
  Plan(const TextConfig& config, const std::vector<int32_t>& ids, int64_t piece = 100, int64_t num_output_rows = 1)
      : pool_(config, 16, 1 << 20),
        cache_(pool_.Reserve(40)),
        rows_(config, {.max_rows = 16, .max_segments = 1, .max_output_rows = 16, .max_positions = 40}) {
    cache_->Advance(5);
    const Matrix soft(16, config.hidden_size);
    std::vector<SoftRows> pieces;
    for (size_t row = 0; row < ids.size(); ++row) {
      if (ids[row] == kText) {
        continue;
      }
      if (pieces.empty() || pieces.back().first_row + pieces.back().rows.rows != static_cast<int64_t>(row) ||
          ids[row - 1] != ids[row] || pieces.back().rows.rows == piece) {
        pieces.push_back({static_cast<int64_t>(row), soft.Rows(0, 0)});
      }
      ++pieces.back().rows.rows;
    }
    const Segment segment{cache_.get(), ids, pieces, num_output_rows};
    rows_.Plan({&segment, 1});
  }

  Ranges Keys(AttentionKind kind) const {
    Ranges ranges;
    for (const ops::KeyRange& range : rows_.key_ranges(kind)) {
      ranges.emplace_back(range.begin, range.end);
    }
    return ranges;
  }
  void KeepOutputRows() { rows_.KeepOutputRows(); }

 private:
  KvPool pool_;
  std::unique_ptr<KvCache> cache_;
  StepRows rows_;
};

const std::vector<int32_t> kTwoPictures = {kText, kImage, kImage, kImage, kImage, kText, kImage, kImage, kText};
const Ranges kCausal = {{0, 6}, {0, 7}, {0, 8}, {0, 9}, {0, 10}, {0, 11}, {0, 12}, {0, 13}, {0, 14}};
const Ranges kWindow = {{3, 6}, {4, 7}, {5, 8}, {6, 9}, {7, 10}, {8, 11}, {9, 12}, {10, 13}, {11, 14}};

TEST(StateMediaRunsTest, RowsOfAPictureSeeLaterOnesOfItInSlidingLayersOnly) {
  const Plan plan(SmallConfig(BidirectionalAttention::kMediaRuns), kTwoPictures);
  EXPECT_THAT(plan.Keys(AttentionKind::kSliding),
              ElementsAre(Pair(3, 6), Pair(4, 10), Pair(5, 10), Pair(6, 10), Pair(7, 10), Pair(8, 11), Pair(9, 13),
                          Pair(10, 13), Pair(11, 14)));
  EXPECT_EQ(plan.Keys(AttentionKind::kFull), kCausal);
}

TEST(StateMediaRunsTest, OtherwisePicturesAreCausal) {
  const Plan plan(SmallConfig(BidirectionalAttention::kNone), kTwoPictures);
  EXPECT_EQ(plan.Keys(AttentionKind::kSliding), kWindow);
  EXPECT_EQ(plan.Keys(AttentionKind::kFull), kCausal);
}

TEST(StateMediaRunsTest, TheOtherReadingsAreThere) {
  const Plan two_sided(SmallConfig(BidirectionalAttention::kMediaRuns, MediaRunMask::kSlidingTwoSided), kTwoPictures);
  EXPECT_THAT(two_sided.Keys(AttentionKind::kSliding),
              ElementsAre(Pair(3, 6), Pair(4, 9), Pair(5, 10), Pair(6, 10), Pair(7, 10), Pair(8, 11), Pair(9, 13),
                          Pair(10, 13), Pair(11, 14)));
  EXPECT_EQ(two_sided.Keys(AttentionKind::kFull), kCausal);
  const Plan all(SmallConfig(BidirectionalAttention::kMediaRuns, MediaRunMask::kAllLayers), kTwoPictures);
  EXPECT_THAT(all.Keys(AttentionKind::kSliding),
              ElementsAre(Pair(3, 6), Pair(4, 10), Pair(5, 10), Pair(6, 10), Pair(6, 10), Pair(8, 11), Pair(9, 13),
                          Pair(10, 13), Pair(11, 14)));
  EXPECT_THAT(all.Keys(AttentionKind::kFull),
              ElementsAre(Pair(0, 6), Pair(0, 10), Pair(0, 10), Pair(0, 10), Pair(0, 10), Pair(0, 11), Pair(0, 13),
                          Pair(0, 13), Pair(0, 14)));
}

TEST(StateMediaRunsTest, SoundStaysCausalAndFramesAreRunsToo) {
  const TextConfig config = SmallConfig(BidirectionalAttention::kMediaRuns);
  const Plan plan(config, {kSound, kSound, kText, kFrame, kFrame, kSound, kImage, kImage});
  EXPECT_THAT(plan.Keys(AttentionKind::kSliding), ElementsAre(Pair(3, 6), Pair(4, 7), Pair(5, 8), Pair(6, 10),
                                                              Pair(7, 10), Pair(8, 11), Pair(9, 13), Pair(10, 13)));
}

TEST(StateMediaRunsTest, ARunInPiecesIsOneRun) {
  const TextConfig config = SmallConfig(BidirectionalAttention::kMediaRuns);
  EXPECT_EQ(Plan(config, kTwoPictures, /*piece=*/1).Keys(AttentionKind::kSliding),
            Plan(config, kTwoPictures).Keys(AttentionKind::kSliding));
}

TEST(StateMediaRunsTest, APlaceholderWithoutASoftTokenIsText) {
  const TextConfig config = SmallConfig(BidirectionalAttention::kMediaRuns);
  KvPool pool(config, 16, 1 << 20);
  const std::unique_ptr<KvCache> cache = pool.Reserve(40);
  StepRows rows(config, {.max_rows = 16, .max_segments = 1, .max_output_rows = 16, .max_positions = 40});
  const std::vector<int32_t> ids = {kImage, kImage};
  const Segment segment{cache.get(), ids, {}, 1};
  rows.Plan({&segment, 1});
  EXPECT_EQ(rows.key_ranges(AttentionKind::kSliding)[0].end, 1);
}

TEST(StateMediaRunsTest, OutputRowsKeepTheirRuns) {
  Plan plan(SmallConfig(BidirectionalAttention::kMediaRuns), kTwoPictures, 100, /*num_output_rows=*/3);
  plan.KeepOutputRows();
  EXPECT_THAT(plan.Keys(AttentionKind::kSliding), ElementsAre(Pair(9, 13), Pair(10, 13), Pair(11, 14)));
}

struct MaskCase {
  const char* folder;
  const char* name;
  MediaRunMask mask;
};

void PrintTo(const MaskCase& mask, std::ostream* out) { *out << mask.folder << "/" << mask.name; }

// The masks that the reference builds.
class StateMaskGoldenTest : public testing::TestWithParam<MaskCase> {};

TEST_P(StateMaskGoldenTest, KeysAreThoseOfTheReferencesMask) {
  PERCEPT_NEED_SHARED();
  const std::filesystem::path folder = SharedDir() / "goldens" / "variants" / GetParam().folder;
  TextConfig config = ReadTextConfig(folder / "config.json");
  config.media_run_mask = GetParam().mask;
  const GoldenFile golden(folder / "golden.safetensors");
  const PromptRows prompt(golden, GetParam().name, config.hidden_size);
  const int64_t n = prompt.num_rows();
  KvPool pool(config, n, int64_t{1} << 26);
  const std::unique_ptr<KvCache> cache = pool.Reserve(n);
  StepRows rows(config, {.max_rows = n, .max_segments = 1, .max_output_rows = 1, .max_positions = n});
  const std::vector<SoftRows> soft = prompt.SoftIn(0, n);
  const Segment segment{cache.get(), prompt.ids, soft, 1};
  rows.Plan({&segment, 1});
  for (const auto& [kind, tensor] :
       {std::pair(AttentionKind::kSliding, "/mask_sliding"), std::pair(AttentionKind::kFull, "/mask_full")}) {
    std::vector<int64_t> mask;
    for (const ops::KeyRange& range : rows.key_ranges(kind)) {
      for (int64_t key = 0; key < n; ++key) {
        mask.push_back(key >= range.begin && key < range.end ? 1 : 0);
      }
    }
    EXPECT_EQ(mask, golden.Integers(std::string(GetParam().name) + tensor)) << tensor;
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, StateMaskGoldenTest,
                         testing::Values(MaskCase{"e2b", "image70", MediaRunMask::kSlidingLayers},
                                         MaskCase{"e4b", "image70", MediaRunMask::kSlidingLayers},
                                         MaskCase{"12b", "image70", MediaRunMask::kSlidingLayers},
                                         MaskCase{"12b", "image70_all_layers", MediaRunMask::kAllLayers},
                                         MaskCase{"26b", "image70", MediaRunMask::kSlidingLayers},
                                         MaskCase{"31b", "image70", MediaRunMask::kSlidingLayers}),
                         [](const auto& test) {
                           std::string name = std::string(test.param.folder) + "_" + test.param.name;
                           std::replace(name.begin(), name.end(), '_', 'x');
                           return name;
                         });

}  // namespace
}  // namespace percept
