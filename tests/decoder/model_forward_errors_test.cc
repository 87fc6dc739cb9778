// SPDX-License-Identifier: Apache-2.0
// Steps that cannot be run are refused by name, and leave every cache as it was.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "kernels/core/error.h"
#include "tests/decoder/model_fixture.h"
#include "tests/support/shared_dir.h"
#include "tests/support/test_context.h"

namespace percept {
namespace {

constexpr int32_t kImagePlaceholder = 506;

class ModelForwardErrorsTest : public testing::Test {
 protected:
  ModelForwardErrorsTest()
      : open_(TestDataDir() / "e2b", TestContext(Mode::kExact)),
        runner_(*open_.decoder, /*threads=*/1, /*max_segment_rows=*/200),
        cache_(runner_.NewSequence(/*max_positions=*/64)) {
    runner_.Prefill(*cache_, Rows({2, 20, 21}), 0, 3, 0);
  }

  static PromptRows Rows(std::vector<int32_t> ids) {
    PromptRows rows;
    rows.soft_idx.assign(ids.size(), -1);
    rows.ids = std::move(ids);
    return rows;
  }

  void ExpectRefused(std::span<const Segment> segments, const std::string& reason) {
    try {
      runner_.Step(segments);
      ADD_FAILURE() << "not refused: " << reason;
    } catch (const ArgumentError& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr(reason));
    }
    EXPECT_EQ(cache_->num_positions(), 3);
  }
  void ExpectRefused(const Segment& segment, const std::string& reason) { ExpectRefused({&segment, 1}, reason); }

  OpenDecoder open_;
  StepRunner runner_;
  std::unique_ptr<KvCache> cache_;
  const std::vector<int32_t> ids_ = {5, 6, 7, kImagePlaceholder};
};

TEST_F(ModelForwardErrorsTest, SegmentsThatAreNone) {
  ExpectRefused(std::span<const Segment>(), "no segments");
  ExpectRefused({nullptr, ids_, {}, 0}, "a segment without a KV cache");
  ExpectRefused({cache_.get(), {}, {}, 0}, "a segment without rows");
}

TEST_F(ModelForwardErrorsTest, MoreOutputRowsThanRows) {
  ExpectRefused({cache_.get(), ids_, {}, 5}, "5 output rows in a segment of 4");
  ExpectRefused({cache_.get(), ids_, {}, -1}, "-1 output rows in a segment of 4");
}

TEST_F(ModelForwardErrorsTest, ASequenceThatOutgrowsItsCache) {
  const std::vector<int32_t> ids(62, 5);
  ExpectRefused({cache_.get(), ids, {}, 1}, "65 tokens in a sequence, room for 64");
  const std::vector<int32_t> fitting(61, 5);
  const Segment segment{cache_.get(), fitting, {}, 1};
  runner_.Step({&segment, 1});
  EXPECT_EQ(cache_->num_positions(), 64);
}

TEST_F(ModelForwardErrorsTest, MoreRowsThanARingHolds) {
  const std::unique_ptr<KvCache> large = runner_.NewSequence(/*max_positions=*/400);
  ExpectRefused({large.get(), std::vector<int32_t>(201, 5), {}, 1}, "201 rows in a segment, room for 200");
}

TEST_F(ModelForwardErrorsTest, MoreRowsOrSegmentsThanTheScratchHolds) {
  const std::unique_ptr<KvCache> a = runner_.NewSequence();
  const std::unique_ptr<KvCache> b = runner_.NewSequence();
  const std::vector<int32_t> ids(200, 5);
  const Segment two[] = {{a.get(), ids, {}, 1}, {b.get(), ids, {}, 1}};
  ExpectRefused(two, "400 rows, room for 300");
  std::vector<std::unique_ptr<KvCache>> caches;
  std::vector<Segment> five;
  for (int i = 0; i < 5; ++i) {
    caches.push_back(runner_.NewSequence(/*max_positions=*/64));
    five.push_back({caches.back().get(), ids_, {}, 1});
  }
  ExpectRefused(five, "5 segments, room for 4");
}

TEST_F(ModelForwardErrorsTest, TwoSegmentsWithOneCache) {
  const Segment segments[] = {{cache_.get(), ids_, {}, 1}, {cache_.get(), ids_, {}, 1}};
  ExpectRefused(segments, "two segments share a KV cache");
}

TEST_F(ModelForwardErrorsTest, IdsOutsideTheVocabulary) {
  ExpectRefused({cache_.get(), std::vector<int32_t>{5, 512}, {}, 1}, "token id 512 is outside the vocabulary of 512");
  ExpectRefused({cache_.get(), std::vector<int32_t>{-1}, {}, 1}, "token id -1 is outside the vocabulary of 512");
}

TEST_F(ModelForwardErrorsTest, SoftTokensWithoutAPlaceholder) {
  const Matrix rows(2, open_.config.hidden_size);
  const SoftRows beside{2, rows.view()};
  ExpectRefused({cache_.get(), ids_, {&beside, 1}, 1}, "a soft token for row 2, whose id 7 is no placeholder");
  const SoftRows outside{3, rows.view()};
  ExpectRefused({cache_.get(), ids_, {&outside, 1}, 1}, "rows 3 to 5 of a segment of 4 overlap others or lie outside");
  const SoftRows twice[] = {{3, rows.Rows(0, 1)}, {3, rows.Rows(1, 1)}};
  ExpectRefused({cache_.get(), ids_, twice, 1}, "overlap others or lie outside");
}

TEST_F(ModelForwardErrorsTest, SoftTokensOfAnotherWidth) {
  const Matrix rows(1, 65);
  const SoftRows wide{3, rows.view()};
  ExpectRefused({cache_.get(), ids_, {&wide, 1}, 1}, "soft tokens of width 65, expected 64");
}

TEST_F(ModelForwardErrorsTest, LimitsThatAreNotPositive) {
  EXPECT_THROW(Activations(open_.config, {.max_rows = 0}), ArgumentError);
  EXPECT_THROW(Activations::BytesNeeded(open_.config, {.max_output_rows = -1}), ArgumentError);
}

TEST_F(ModelForwardErrorsTest, APlaceholderWithoutASoftTokenIsThePadRow) {
  const std::unique_ptr<KvCache> other = runner_.NewSequence();
  runner_.Prefill(*other, Rows({2, 20, 21}), 0, 3, 0);
  EXPECT_EQ(runner_.Decode(*cache_, kImagePlaceholder), runner_.Decode(*other, 0));
}

}  // namespace
}  // namespace percept
