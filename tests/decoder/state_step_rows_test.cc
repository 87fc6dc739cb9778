// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <utility>
#include <vector>

#include "decoder/state/step_rows.h"

namespace percept {
namespace {

using testing::ElementsAre;
using testing::Pair;

TextConfig SmallConfig() {
  TextConfig config;
  config.sliding_window = 4;
  config.ropes = {{RopeKind::kDefault, 10000.0, 1.0, 8}, {RopeKind::kProportional, 1e6, 0.25, 16}};
  config.layers = {{.kind = AttentionKind::kSliding, .head_dim = 8, .num_kv_heads = 1, .kv_layer_idx = 0},
                   {.kind = AttentionKind::kFull, .head_dim = 16, .num_kv_heads = 1, .rope_idx = 1, .kv_layer_idx = 1}};
  return config;
}

// A sequence at position 9 brings three rows of which the last is read, a new one two rows that are both read.
class StateStepRowsTest : public testing::Test {
 protected:
  StateStepRowsTest() {
    old_->Advance(9);
    const std::vector<int32_t> ids = {1, 2, 3};
    const Segment segments[] = {{old_.get(), ids, {}, 1}, {new_.get(), std::span(ids).first(2), {}, 2}};
    rows_.Plan(segments);
  }

  std::vector<std::pair<int64_t, int64_t>> Ranges(AttentionKind kind) const {
    std::vector<std::pair<int64_t, int64_t>> ranges;
    for (const ops::KeyRange& range : rows_.key_ranges(kind)) {
      ranges.emplace_back(range.begin, range.end);
    }
    return ranges;
  }

  const TextConfig config_ = SmallConfig();
  KvPool pool_{config_, 8, 1 << 20};
  const std::unique_ptr<KvCache> old_ = pool_.Reserve(100);
  const std::unique_ptr<KvCache> new_ = pool_.Reserve(100);
  StepRows rows_{config_, {.max_rows = 8, .max_segments = 2, .max_output_rows = 8, .max_positions = 100}};
};

TEST_F(StateStepRowsTest, ARowSeesItselfAndWhatLiesBehindItWithinTheWindow) {
  // with a window of 4, position 10 sees 7, 8, 9 and 10
  EXPECT_THAT(Ranges(AttentionKind::kSliding),
              ElementsAre(Pair(6, 10), Pair(7, 11), Pair(8, 12), Pair(0, 1), Pair(0, 2)));
  EXPECT_THAT(Ranges(AttentionKind::kFull), ElementsAre(Pair(0, 10), Pair(0, 11), Pair(0, 12), Pair(0, 1), Pair(0, 2)));
}

TEST_F(StateStepRowsTest, AnglesFollowThePositions) {
  EXPECT_EQ(rows_.cos(0).rows, 5);
  EXPECT_NEAR(rows_.cos(0).row(1)[0], std::cos(10.0), 1e-6);
  EXPECT_NEAR(rows_.sin(0).row(1)[1], std::sin(10.0 * std::pow(10000.0, -0.25)), 1e-6);
  EXPECT_NEAR(rows_.sin(0).row(4)[0], std::sin(1.0), 1e-6);
  // two of the eight pairs of a full layer's head rotate
  EXPECT_NEAR(rows_.sin(1).row(1)[1], std::sin(10.0 * std::pow(1e6, -0.125)), 1e-6);
  EXPECT_EQ(rows_.sin(1).row(1)[2], 0.0F);
  EXPECT_EQ(rows_.cos(1).row(1)[2], 1.0F);
}

TEST_F(StateStepRowsTest, OutputRowsKeepTheirPositions) {
  EXPECT_THAT(rows_.output_rows(), ElementsAre(2, 3, 4));
  rows_.KeepOutputRows();
  EXPECT_EQ(rows_.num_rows(), 3);
  EXPECT_THAT(rows_.output_rows(), ElementsAre(0, 1, 2));
  EXPECT_THAT(Ranges(AttentionKind::kSliding), ElementsAre(Pair(8, 12), Pair(0, 1), Pair(0, 2)));
  EXPECT_EQ(rows_.segments()[0].first_position, 11);
  EXPECT_EQ(rows_.segments()[0].num_rows, 1);
  EXPECT_EQ(rows_.segments()[1].first_row, 1);
  EXPECT_NEAR(rows_.cos(0).row(0)[0], std::cos(11.0), 1e-6);
}

}  // namespace
}  // namespace percept
