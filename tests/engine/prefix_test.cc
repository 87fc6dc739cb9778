// SPDX-License-Identifier: Apache-2.0
// Prompts that begin alike: computed once, found again by ids and content, and never a bit different.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "decoder/state/kv_layout.h"
#include "tests/engine/engine_fixture.h"
#include "tests/support/random_matrix.h"
#include "tests/support/shared_dir.h"

namespace percept {
namespace {

using Phase = TraceEvent::Phase;

using Answer = LogprobsResult;

constexpr int kPictureRows = 20;

// Text, a picture of kPictureRows or more in the middle of it, and text.
class PrefixTest : public VariantTest {
 protected:
  static std::vector<int32_t> Words(int num_ids, int32_t first) {
    std::vector<int32_t> ids;
    for (int i = 0; i < num_ids; ++i) {
      ids.push_back(30 + (first + i * 7) % 200);
    }
    return ids;
  }
  static SequenceRequest Text(int num_shared, int num_own, int32_t first_own) {
    std::vector<int32_t> ids = Words(num_shared, 0);
    const std::vector<int32_t> own = Words(num_own, first_own);
    ids.insert(ids.end(), own.begin(), own.end());
    SequenceRequest request = TextRequest(std::move(ids), 12);
    request.top_logprobs = 8;
    return request;
  }
  // An instruction of 50 rows of its own, kept.
  static SequenceRequest Cut(int32_t number) {
    SequenceRequest request = Text(60, 0, 0);
    request.prompt.ids[0] = 30 + number;
    request.cut_rows = {50};
    return request;
  }
  std::shared_ptr<SoftTokens> Picture(unsigned seed, int num_rows = kPictureRows) {
    return std::make_shared<SoftTokens>(SoftTokens{RandomMatrix(num_rows, config_.hidden_size, seed)});
  }
  SequenceRequest About(const std::shared_ptr<SoftTokens>& picture, int num_shared, int num_own, int32_t first_own) {
    SequenceRequest request = Text(num_shared, num_own, first_own);
    const auto num_rows = static_cast<int>(picture->rows.rows());
    request.prompt.ids.insert(request.prompt.ids.begin() + num_shared, static_cast<size_t>(num_rows),
                              *config_.token_ids.image);
    request.prompt.spans = {{.first_row = num_shared, .num_rows = num_rows}};
    request.media = {picture};
    return request;
  }
  static std::shared_ptr<Answer> Give(OpenModel& open, SequenceRequest request) {
    return percept::Give<Answer>(open, std::move(request));
  }
  static std::shared_ptr<Answer> Ask(OpenModel& open, SequenceRequest request) {
    return percept::Ask<Answer>(open, std::move(request));
  }
  // As it answers with nothing kept.
  void ExpectAsAlone(const Answer& answer, SequenceRequest request, const char* what) {
    OpenModel open(path_, Mode::kExact, {.prefix_limit_bytes = 0});
    const auto alone = Ask(open, std::move(request));
    EXPECT_EQ(alone->stats.num_reused_rows, 0);
    EXPECT_EQ(answer.ids, alone->ids) << what;
    num_compared_ += alone->logprobs.size();
    EXPECT_EQ(answer.logprobs, alone->logprobs) << what;
  }

  void TearDown() override { EXPECT_TRUE(num_compared_ > 20 || IsSkipped()); }

  size_t num_compared_ = 0;  // log-probabilities
};

TEST_P(PrefixTest, ASharedInstructionIsComputedOnce) {
  OpenModel open(path_);
  SequenceRequest first = Text(50, 10, 3);
  first.cut_rows = {50};
  EXPECT_EQ(Ask(open, first)->stats.num_reused_rows, 0);
  const auto second = Ask(open, Text(50, 17, 90));
  EXPECT_EQ(second->stats.num_reused_rows, 50);
  ExpectAsAlone(*second, Text(50, 17, 90), "behind the instruction");
  SequenceRequest other = Text(50, 17, 90);
  other.prompt.ids[49] ^= 1;
  const auto third = Ask(open, other);
  EXPECT_EQ(third->stats.num_reused_rows, 0);
  ExpectAsAlone(*third, other, "another instruction");
  const EngineCounts counts = open.engine().counts();
  EXPECT_EQ(counts.num_prefix_hits, 1);
  EXPECT_EQ(counts.num_reused_rows, 50);
  EXPECT_EQ(counts.num_prompt_rows, 60 + 67 + 67);
  EXPECT_EQ(counts.num_prefixes, 1);
  EXPECT_GT(counts.prefix_bytes, 0);
}

// The last row is computed always: its logits are needed.
TEST_P(PrefixTest, TheSamePromptAgainLeavesOneRowToCompute) {
  OpenModel open(path_);
  SequenceRequest request = Text(50, 10, 3);
  request.cut_rows = {59, 60};
  const auto first = Ask(open, request);
  const auto second = Ask(open, request);
  EXPECT_EQ(second->stats.num_reused_rows, 59);
  EXPECT_EQ(second->logprobs, first->logprobs);
  ExpectAsAlone(*second, request, "all but one row");
}

// Longer than the window and than a chunk, with boundaries off every grid.
TEST_P(PrefixTest, RingsAreAsTheyWereAtTheBoundary) {
  OpenModel open(path_, Mode::kExact, {.prefill_chunk_rows = 24});
  for (const int num_shared : {33, 64, 65, 130, 193}) {
    SequenceRequest first = Text(num_shared, 31, 3);
    first.cut_rows = {num_shared};
    Ask(open, first);
    const auto second = Ask(open, Text(num_shared, 40, 90));
    EXPECT_EQ(second->stats.num_reused_rows, num_shared);
    ExpectAsAlone(*second, Text(num_shared, 40, 90), std::to_string(num_shared).c_str());
  }
}

TEST_P(PrefixTest, TwoQuestionsAboutAPicture) {
  OpenModel open(path_);
  const auto first = Ask(open, About(Picture(1), 40, 9, 3));
  EXPECT_EQ(first->stats.num_reused_rows, 0);
  const auto second = Ask(open, About(Picture(1), 40, 14, 90));  // the same content in other memory
  EXPECT_EQ(second->stats.num_reused_rows, 40 + kPictureRows);
  ExpectAsAlone(*second, About(Picture(1), 40, 14, 90), "behind the picture");
}

TEST_P(PrefixTest, AnotherPictureOfTheSameSizeIsComputed) {
  OpenModel open(path_);
  Ask(open, About(Picture(1), 40, 9, 3));
  const auto second = Ask(open, About(Picture(2), 40, 9, 3));
  EXPECT_EQ(second->stats.num_reused_rows, 40);  // just before the picture
  ExpectAsAlone(*second, About(Picture(2), 40, 9, 3), "another picture");
  const auto differs = Picture(1);
  differs->rows.view().row(kPictureRows - 1)[config_.hidden_size - 1] += 0.5F;
  EXPECT_EQ(Ask(open, About(differs, 40, 9, 3))->stats.num_reused_rows, 40);
}

// The ids are the same up to there, and so are the soft tokens.
TEST_P(PrefixTest, NothingEndsInsideAPicture) {
  OpenModel open(path_);
  const auto longer = Picture(1, 2 * kPictureRows);
  const auto shorter = std::make_shared<SoftTokens>(SoftTokens{Matrix(kPictureRows, config_.hidden_size)});
  for (int row = 0; row < kPictureRows; ++row) {
    std::copy_n(longer->rows.view().row(row), config_.hidden_size, shorter->rows.view().row(row));
  }
  Ask(open, About(shorter, 40, 9, 3));
  const auto second = Ask(open, About(longer, 40, 9, 3));
  EXPECT_EQ(second->stats.num_reused_rows, 40);
  ExpectAsAlone(*second, About(longer, 40, 9, 3), "a longer picture");
  SequenceRequest cut = About(longer, 40, 9, 3);
  cut.cut_rows = {40, 41};
  EXPECT_THAT([&] { Ask(open, cut); },
              testing::ThrowsMessage<ArgumentError>("the cut at row 41 lies inside the medium of rows 40 to 80"));
  cut.cut_rows = {100};
  EXPECT_THAT([&] { Ask(open, cut); },
              testing::ThrowsMessage<ArgumentError>("a prompt of 89 tokens has no cut at row 100"));
}

// Placeholders without soft tokens are other rows than a picture's.
TEST_P(PrefixTest, APlaceholderIsNotAPicture) {
  OpenModel open(path_);
  SequenceRequest bare = About(Picture(1), 40, 9, 3);
  bare.prompt.spans.clear();
  bare.media.clear();
  bare.cut_rows = {60};
  Ask(open, bare);
  EXPECT_EQ(Ask(open, About(Picture(1), 40, 9, 3))->stats.num_reused_rows, 0);
  const auto again = Ask(open, bare);
  EXPECT_EQ(again->stats.num_reused_rows, 60);
  ExpectAsAlone(*again, bare, "placeholders");
}

TEST_P(PrefixTest, FifteenOthersMakeNoDifference) {
  for (const int64_t chunk_rows : {256, 24}) {
    OpenModel open(path_, Mode::kExact, {.prefill_chunk_rows = chunk_rows});
    Ask(open, About(Picture(1), 40, 9, 3));
    std::vector<SequenceRequest> requests;
    for (int i = 0; i < 16; ++i) {
      requests.push_back(i % 5 == 4 ? Text(40, 20 + i, i) : About(Picture(1 + i % 3), 40, 5 + i, 11 * i));
    }
    std::vector<std::shared_ptr<Answer>> answers;
    for (const SequenceRequest& request : requests) {
      answers.push_back(Give(open, request));
    }
    open.executor.RunAll();
    EXPECT_EQ(open.engine().counts().num_prefix_hits, 16);
    for (size_t i = 0; i < answers.size(); ++i) {
      ExpectAsAlone(*answers[i], requests[i], std::to_string(i).c_str());
    }
  }
}

// Questions about a picture mostly come at once.
TEST_P(PrefixTest, WhatIsJustBeingComputedIsWaitedFor) {
  OpenModel open(path_, Mode::kExact, {.prefill_chunk_rows = 24});
  const auto first = Give(open, About(Picture(1), 40, 9, 3));
  const auto second = Give(open, About(Picture(1), 40, 14, 90));
  open.executor.RunAll();
  EXPECT_EQ(first->stats.num_reused_rows, 0);
  EXPECT_EQ(second->stats.num_reused_rows, 60);
  ExpectAsAlone(*second, About(Picture(1), 40, 14, 90), "at once");
  int64_t num_rows = 0;
  for (const TraceEvent& event : open.trace.events()) {
    num_rows += event.name == "prefill" && event.phase == Phase::kBegin ? event.value : 0;
  }
  EXPECT_EQ(num_rows, 69 + 14);
}

TEST_P(PrefixTest, WhoWaitedForAPromptThatIsCancelledComputesItsOwn) {
  OpenModel open(path_, Mode::kExact, {.prefill_chunk_rows = 24});
  const RequestId id = open.engine().SubmitSequence(About(Picture(1), 40, 9, 3), std::make_shared<Answer>());
  const auto second = Give(open, About(Picture(1), 40, 14, 90));
  open.executor.RunOne();
  open.engine().Cancel(id);
  open.executor.RunAll();
  EXPECT_EQ(second->stats.num_reused_rows, 0);
  ExpectAsAlone(*second, About(Picture(1), 40, 14, 90), "on its own");
  EXPECT_EQ(Ask(open, About(Picture(1), 40, 9, 3))->stats.num_reused_rows, 60);
}

TEST_P(PrefixTest, TheUrgentDoNotWait) {
  OpenModel open(path_, Mode::kExact, {.prefill_chunk_rows = 24});
  Give(open, About(Picture(1), 40, 9, 3));
  open.executor.RunOne();
  SequenceRequest request = About(Picture(1), 40, 14, 90);
  request.urgency.priority = 1;
  const auto urgent = Give(open, request);
  open.executor.RunOne();
  open.executor.RunAll();
  EXPECT_EQ(urgent->stats.num_reused_rows, 0);
  ExpectAsAlone(*urgent, request, "urgent");
}

TEST_P(PrefixTest, TheLeastRecentlyUsedGoesFirst) {
  int64_t one = 0;
  {
    OpenModel open(path_);
    Ask(open, Cut(1));
    one = open.engine().counts().prefix_bytes;
  }
  OpenModel open(path_, Mode::kExact, {.prefix_limit_bytes = 2 * one + 1});
  Ask(open, Cut(1));
  Ask(open, Cut(2));
  EXPECT_EQ(Ask(open, Cut(1))->stats.num_reused_rows, 50);
  Ask(open, Cut(3));  // instead of the second
  EXPECT_EQ(open.engine().counts().num_prefixes, 2);
  EXPECT_EQ(open.engine().counts().num_unkept_prefixes, 0);
  EXPECT_LE(open.engine().counts().prefix_bytes, 2 * one + 1);
  EXPECT_EQ(Ask(open, Cut(1))->stats.num_reused_rows, 50);
  EXPECT_EQ(Ask(open, Cut(3))->stats.num_reused_rows, 50);
  EXPECT_EQ(Ask(open, Cut(2))->stats.num_reused_rows, 0);
  OpenModel small(path_, Mode::kExact, {.prefix_limit_bytes = one - 1});
  ExpectAsAlone(*Ask(small, Cut(1)), Cut(1), "kept by nobody");
  EXPECT_EQ(small.engine().counts().num_prefixes, 0);
  EXPECT_EQ(small.engine().counts().num_unkept_prefixes, 1);
}

TEST_P(PrefixTest, WhatIsKeptGivesWayToASequence) {
  const int64_t limit = MemoryOf(config_, {.context_tokens = 512}).sequence_bytes;
  OpenModel open(path_, Mode::kExact, {.context_tokens = 512, .kv_limit_bytes = limit});
  Ask(open, Cut(1));
  ASSERT_EQ(open.engine().counts().num_prefixes, 1);
  EXPECT_LE(open.engine().counts().kv_bytes, limit);
  SequenceRequest whole = Text(490, 10, 3);
  const auto answer = Ask(open, whole);
  EXPECT_EQ(answer->finish, FinishReason::kLength);
  EXPECT_EQ(open.engine().counts().num_prefixes, 0);
  EXPECT_EQ(open.engine().counts().kv_bytes, 0);
  ExpectAsAlone(*answer, whole, "after others were thrown out");
}

// The others let the rows of a picture see each other.
INSTANTIATE_TEST_SUITE_P(Variants, PrefixTest, testing::Values("e2b", "12b", "26b", "31b"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace percept
