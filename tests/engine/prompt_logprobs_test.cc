// SPDX-License-Identifier: Apache-2.0
// How likely a prompt's own tokens are: the same for any chunks, company and reuse.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/engine/scored_result.h"
#include "tests/support/random_matrix.h"
#include "tests/support/shared_dir.h"

namespace percept {
namespace {

constexpr int kPictureRows = 20;

class PromptLogprobsTest : public VariantTest {
 protected:
  static SequenceRequest Text(int num_ids, int64_t first_row) {
    std::vector<int32_t> ids{2};
    for (int i = 1; i < num_ids; ++i) {
      ids.push_back(30 + i * 7 % 200);
    }
    SequenceRequest request = TextRequest(std::move(ids), 6);
    request.top_logprobs = 4;
    request.prompt_logprobs = {.first_row = first_row, .num_top = 4};
    return request;
  }
  // With a picture behind the first 40 rows.
  SequenceRequest About(int num_ids, int64_t first_row) const {
    SequenceRequest request = Text(num_ids, first_row);
    request.prompt.ids.insert(request.prompt.ids.begin() + 40, kPictureRows, *config_.token_ids.image);
    request.prompt.spans = {{.first_row = 40, .num_rows = kPictureRows}};
    request.media = {std::make_shared<SoftTokens>(SoftTokens{RandomMatrix(kPictureRows, config_.hidden_size, 1)})};
    return request;
  }
  static std::shared_ptr<ScoredResult> Give(OpenModel& open, SequenceRequest request) {
    return percept::Give<ScoredResult>(open, std::move(request));
  }
  static std::shared_ptr<ScoredResult> Ask(OpenModel& open, SequenceRequest request) {
    return percept::Ask<ScoredResult>(open, std::move(request));
  }
};

TEST_P(PromptLogprobsTest, AnAnswerReadAsAPromptIsAsLikelyAsItWasWritten) {
  OpenModel open(path_);
  SequenceRequest request = Text(45, 1);
  request.max_tokens = 30;
  const auto written = Ask(open, request);
  ASSERT_GT(written->ids.size(), 1U);
  EXPECT_EQ(written->of_prompt.size(), 44U);
  SequenceRequest again = request;
  again.prompt.ids.insert(again.prompt.ids.end(), written->ids.begin(), written->ids.end());
  again.prompt_logprobs->first_row = 45;
  const auto read = Ask(open, again);
  ASSERT_EQ(read->of_prompt.size(), written->ids.size());
  for (const auto& [row, values] : read->of_prompt) {
    EXPECT_EQ(values, written->of_answer[static_cast<size_t>(row - 45)]) << row;
  }
}

TEST_P(PromptLogprobsTest, ChunksAndCompanyMakeNoDifference) {
  OpenModel alone(path_);
  const auto expected = Ask(alone, About(150, 1));
  EXPECT_EQ(expected->of_prompt.size(), 149U);
  EXPECT_EQ(expected->of_prompt.count(40), 0U);  // the picture's
  EXPECT_EQ(expected->of_prompt.count(59), 0U);
  EXPECT_EQ(expected->of_prompt.count(60), 1U);  // behind its last row
  for (const int64_t chunk_rows : {256, 7, 1}) {
    OpenModel open(path_, Mode::kExact, {.prefill_chunk_rows = chunk_rows, .prefix_limit_bytes = 0});
    std::vector<std::shared_ptr<ScoredResult>> all;
    for (int i = 0; i < 16; ++i) {
      all.push_back(Give(open, About(150, 1)));
    }
    open.executor.RunAll();
    for (const auto& scores : all) {
      EXPECT_EQ(scores->of_prompt, expected->of_prompt) << chunk_rows;
      EXPECT_EQ(scores->of_answer, expected->of_answer) << chunk_rows;
    }
  }
}

TEST_P(PromptLogprobsTest, AfterAHitTheyAreTheSame) {
  OpenModel alone(path_, Mode::kExact, {.prefix_limit_bytes = 0});
  OpenModel open(path_);
  Ask(open, About(50, 1));
  for (const auto& [first_row, num_reused] : {std::pair(61, 60), {90, 60}, {60, 40}, {41, 40}, {40, 0}, {1, 0}}) {
    const auto expected = Ask(alone, About(80, first_row));
    const auto scores = Ask(open, About(80, first_row));
    EXPECT_EQ(scores->stats.num_reused_rows, num_reused) << first_row;
    EXPECT_EQ(scores->of_prompt, expected->of_prompt) << first_row;
    EXPECT_EQ(scores->of_answer, expected->of_answer) << first_row;
    EXPECT_EQ(scores->of_prompt.size(), 100U - std::max(60, first_row) + std::max(0, 40 - first_row)) << first_row;
  }
}

TEST_P(PromptLogprobsTest, WhatCannotBeAskedFor) {
  OpenModel open(path_);
  EXPECT_THAT([&] { Ask(open, Text(20, 0)); },
              testing::ThrowsMessage<ArgumentError>("prompt_logprobs.first_row is 0: expected at least 1"));
  SequenceRequest request = Text(20, 1);
  request.prompt_logprobs->num_top = 101;
  EXPECT_THAT([&] { Ask(open, request); },
              testing::ThrowsMessage<ArgumentError>("prompt_logprobs.num_top is 101: expected 0 to 100"));
  EXPECT_TRUE(Ask(open, Text(20, 20))->of_prompt.empty());  // nothing stands there
}

INSTANTIATE_TEST_SUITE_P(Variants, PromptLogprobsTest, testing::Values("e2b", "12b", "26b", "31b"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace percept
