// SPDX-License-Identifier: Apache-2.0
// Deadlines and priorities between the steps: who is late ends, who is urgent goes first, nobody else notices.
#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/encoders/png.h"
#include "tests/engine/engine_fixture.h"
#include "tests/support/shared_dir.h"
#include "tests/support/worker_executor.h"

namespace percept {
namespace {

using std::chrono::seconds;

using Answer = LogprobsResult;

class DeadlineTest : public testing::Test {
 protected:
  static SequenceRequest Ask(int num_ids, int64_t max_tokens, int32_t first = 30) {
    std::vector<int32_t> ids{2};
    for (int i = 1; i < num_ids; ++i) {
      ids.push_back(first + i * 7 % 400);
    }
    SequenceRequest request = TextRequest(std::move(ids), max_tokens);
    request.top_logprobs = 8;
    return request;
  }
  SequenceRequest AskUntil(seconds deadline, int num_ids, int64_t max_tokens) const {
    SequenceRequest request = Ask(num_ids, max_tokens);
    request.urgency.deadline = start_ + deadline;
    return request;
  }
  EngineOptions Options(EngineOptions options = {}) {
    options.now = [this] { return now_; };
    return options;
  }
  static std::shared_ptr<Answer> Give(OpenModel& open, SequenceRequest request) {
    return percept::Give<Answer>(open, std::move(request));
  }
  void Pass(seconds duration) { now_ += duration; }

  const Urgency::Clock::time_point start_ = Urgency::Clock::now();
  Urgency::Clock::time_point now_ = start_;
  SmallCheckpoint checkpoint_;
};

TEST_F(DeadlineTest, ALateSequenceEndsBetweenTwoTokensAndTheOtherHasTheBitsOfOneAlone) {
  OpenModel alone(checkpoint_.path(), Mode::kExact, Options());
  const auto expected = Give(alone, Ask(25, 20, 90));
  alone.executor.RunAll();
  OpenModel open(checkpoint_.path(), Mode::kExact, Options());
  const auto late = Give(open, AskUntil(seconds(10), 20, 1000));
  const auto other = Give(open, Ask(25, 20, 90));
  for (int i = 0; i < 5; ++i) {
    open.executor.RunOne();
  }
  EXPECT_FALSE(late->finish);
  Pass(seconds(10));
  open.executor.RunOne();
  EXPECT_EQ(late->finish, FinishReason::kExpired);
  EXPECT_EQ(late->failure, "the deadline passed after 5 tokens of the answer");
  EXPECT_EQ(late->ids.size(), 5U);
  open.executor.RunAll();
  EXPECT_EQ(late->num_terminal_calls, 1);
  EXPECT_EQ(other->ids, expected->ids);
  ASSERT_EQ(other->logprobs.size(), 160U);
  EXPECT_EQ(other->logprobs, expected->logprobs);
}

TEST_F(DeadlineTest, ALateSequenceEndsBetweenTwoChunksAndGivesItsMemoryBack) {
  const int64_t one =
      MemoryOf(Model::Inspect(checkpoint_.path()).text, {.context_tokens = 64, .prefill_chunk_rows = 16})
          .sequence_bytes;
  OpenModel open(checkpoint_.path(), Mode::kExact,
                 Options({.context_tokens = 64, .prefill_chunk_rows = 16, .kv_limit_bytes = one}));
  const auto late = Give(open, AskUntil(seconds(10), 40, 20));
  const auto waits = Give(open, Ask(40, 20));
  open.executor.RunOne();
  Pass(seconds(11));
  open.executor.RunOne();
  EXPECT_EQ(late->finish, FinishReason::kExpired);
  EXPECT_EQ(late->failure, "the deadline passed with 16 of 40 tokens of the prompt read");
  open.executor.RunOne();
  open.executor.RunOne();
  EXPECT_EQ(waits->ids.size(), 1U);  // three steps of its own, the first of them that in which the other went
  open.executor.RunAll();
  EXPECT_EQ(waits->finish, FinishReason::kLength);
}

TEST_F(DeadlineTest, AWaitingSequenceThatIsLateHasNoStep) {
  OpenModel open(checkpoint_.path(), Mode::kExact, Options({.max_sequences = 1}));
  const auto live = Give(open, Ask(20, 10));
  const auto late = Give(open, AskUntil(seconds(1), 20, 10));
  const auto never = Give(open, AskUntil(seconds(0), 20, 10));
  open.executor.RunOne();
  EXPECT_EQ(never->finish, FinishReason::kExpired);
  EXPECT_FALSE(late->finish);
  Pass(seconds(1));
  open.executor.RunOne();
  EXPECT_EQ(late->finish, FinishReason::kExpired);
  EXPECT_EQ(late->failure, "the deadline passed before the first step");
  open.executor.RunAll();
  EXPECT_EQ(live->ids.size(), 10U);
}

TEST_F(DeadlineTest, CancelledIsSaidOfWhatIsCancelledAndLate) {
  OpenModel open(checkpoint_.path(), Mode::kExact, Options());
  const auto answer = std::make_shared<Answer>();
  const RequestId id = open.engine().SubmitSequence(AskUntil(seconds(1), 20, 10), answer);
  open.executor.RunOne();
  open.engine().Cancel(id);
  Pass(seconds(1));
  open.executor.RunAll();
  EXPECT_EQ(answer->finish, FinishReason::kCancelled);
  EXPECT_EQ(answer->failure, "");
}

TEST_F(DeadlineTest, ALatePictureEndsBetweenTwoLayersAndTheOtherHasTheBitsOfOneAlone) {
  OpenModel open(checkpoint_.path(), Mode::kExact, Options());
  const auto patches = [&](const char* file) {
    return open.model->PreparePicture(ReadPng(TestDataDir() / "tiny-samples" / file).view(), 70);
  };
  const auto alone = open.Encode(patches("slide.png"));
  const auto late = std::make_shared<MediumResult>();
  const auto other = std::make_shared<MediumResult>();
  open.engine().SubmitPicture(patches("exit_sign.png"), late, {.deadline = start_ + seconds(1)});
  open.engine().SubmitPicture(patches("slide.png"), other);
  open.executor.RunOne();
  Pass(seconds(1));
  open.executor.RunOne();
  EXPECT_EQ(late->failed, FinishReason::kExpired);
  EXPECT_EQ(late->failure, "the deadline passed after 1 of 3 layers of the vision tower");
  open.executor.RunAll();
  EXPECT_EQ(late->num_terminal_calls, 1);
  ASSERT_NE(other->tokens, nullptr);
  EXPECT_EQ(std::memcmp(other->tokens->rows.view().data, alone->tokens->rows.view().data, alone->tokens->size_bytes()),
            0);
}

TEST_F(DeadlineTest, AnUrgentPictureGoesFirst) {
  OpenModel open(checkpoint_.path(), Mode::kExact, Options({.max_tower_patches = 1}));
  const TestImage png = ReadPng(TestDataDir() / "tiny-samples" / "slide.png");
  std::vector<RequestId> ids;
  for (const int priority : {0, 0, 3}) {
    ids.push_back(open.engine().SubmitPicture(open.model->PreparePicture(png.view(), 70),
                                              std::make_shared<MediumResult>(), {.priority = priority}));
  }
  open.executor.RunAll();
  EXPECT_LT(open.trace.IndexOf("picture done", ids[2]), open.trace.IndexOf("picture done", ids[0]));
  EXPECT_LT(open.trace.IndexOf("picture done", ids[0]), open.trace.IndexOf("picture done", ids[1]));
}

TEST_F(DeadlineTest, AnUrgentPromptIsReadBeforeOneThatIsUnderWay) {
  OpenModel open(checkpoint_.path(), Mode::kExact, Options({.prefill_chunk_rows = 16}));
  const auto slow = Give(open, Ask(64, 2));
  open.executor.RunOne();
  SequenceRequest request = Ask(32, 2);
  request.urgency.priority = 1;
  const auto urgent = Give(open, std::move(request));
  open.executor.RunOne();
  open.executor.RunOne();
  EXPECT_EQ(urgent->ids.size(), 1U);
  EXPECT_TRUE(slow->ids.empty());
  open.executor.RunAll();
  EXPECT_EQ(slow->ids.size(), 2U);
}

TEST_F(DeadlineTest, AQuestionIsLateAsAWhole) {
  WorkerExecutor executor;
  EngineOptions options = Options();
  options.executor = &executor;
  const auto model = Model::Open(checkpoint_.path(), {.mode = Mode::kExact, .engine = options});
  const TestImage png = ReadPng(TestDataDir() / "tiny-samples" / "slide.png");
  const Generation of_picture =
      model->Generate({.prompt = "Read.", .pictures = {png.view()}, .budget = 70, .urgency = {.deadline = start_}});
  EXPECT_EQ(of_picture.finish, FinishReason::kExpired);
  EXPECT_EQ(of_picture.failure, "the deadline passed before the first step");
  EXPECT_EQ(of_picture.stats.num_prompt_rows, 0);
  EXPECT_EQ(model->Generate({.prompt = "Read.", .urgency = {.deadline = start_}}).finish, FinishReason::kExpired);
}

}  // namespace
}  // namespace percept
