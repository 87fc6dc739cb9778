// SPDX-License-Identifier: Apache-2.0
// The step machine: what runs when, who joins and leaves, and what each request is told.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "decoder/state/kv_layout.h"
#include "tests/encoders/png.h"
#include "tests/engine/engine_fixture.h"
#include "tests/support/shared_dir.h"

namespace percept {
namespace {

using Phase = TraceEvent::Phase;

class StepsTest : public testing::Test {
 protected:
  ImagePatches Picture(const OpenModel& open, const char* file = "exit_sign.png") const {
    return open.model->PreparePicture(ReadPng(TestDataDir() / "tiny-samples" / file).view(), 70);
  }

  // A prompt whose answer does not stop soon.
  static std::vector<int32_t> Ids(int num_ids, int32_t first = 30) {
    std::vector<int32_t> ids{2};
    for (int i = 1; i < num_ids; ++i) {
      ids.push_back(first + i * 7 % 400);
    }
    return ids;
  }

  static std::vector<int32_t> AnswerAlone(const SmallCheckpoint& checkpoint, const std::vector<int32_t>& ids,
                                          int64_t max_tokens) {
    OpenModel open(checkpoint.path());
    const auto answer = std::make_shared<SequenceResult>();
    open.engine().SubmitSequence(TextRequest(ids, max_tokens), answer);
    open.executor.RunAll();
    return answer->ids;
  }

  SmallCheckpoint checkpoint_;
};

TEST_F(StepsTest, PicturesGivenAtOnceAreBothSubmittedBeforeTheFirstFinishes) {
  OpenModel open(checkpoint_.path());
  const auto first = std::make_shared<MediumResult>();
  const auto second = std::make_shared<MediumResult>();
  const RequestId a = open.engine().SubmitPicture(Picture(open), first);
  const RequestId b = open.engine().SubmitPicture(Picture(open, "slide.png"), second);
  EXPECT_EQ(open.executor.RunAll(), 3);  // the small tower has three layers
  EXPECT_LT(open.trace.IndexOf("submit picture", b), open.trace.IndexOf("tower layer", a, Phase::kBegin));
  EXPECT_LT(open.trace.IndexOf("tower layer", b, Phase::kBegin), open.trace.IndexOf("picture done", a));
  EXPECT_LT(open.trace.IndexOf("picture done", a), open.trace.events().size());
  EXPECT_LT(open.trace.IndexOf("picture done", b), open.trace.events().size());
  EXPECT_EQ(first->num_terminal_calls, 1);
  EXPECT_EQ(second->num_terminal_calls, 1);
}

TEST_F(StepsTest, APackedPictureHasTheBitsOfOneAlone) {
  OpenModel open(checkpoint_.path());
  const auto alone = std::make_shared<MediumResult>();
  open.engine().SubmitPicture(Picture(open), alone);
  open.executor.RunAll();
  const auto other = std::make_shared<MediumResult>();
  const auto packed = std::make_shared<MediumResult>();
  open.engine().SubmitPicture(Picture(open, "slide.png"), other);
  open.engine().SubmitPicture(Picture(open), packed);
  open.executor.RunAll();
  const MatrixView a = alone->tokens->rows.view();
  const MatrixView b = packed->tokens->rows.view();
  ASSERT_EQ(a.rows, b.rows);
  for (int64_t row = 0; row < a.rows; ++row) {
    EXPECT_EQ(std::memcmp(a.row(row), b.row(row), static_cast<size_t>(a.cols) * sizeof(float)), 0) << "row " << row;
  }
}

TEST_F(StepsTest, APictureIsCancelledBetweenTwoTowerLayers) {
  OpenModel open(checkpoint_.path());
  const auto gone = std::make_shared<MediumResult>();
  const auto kept = std::make_shared<MediumResult>();
  const RequestId id = open.engine().SubmitPicture(Picture(open), gone);
  open.engine().SubmitPicture(Picture(open, "slide.png"), kept);
  ASSERT_TRUE(open.executor.RunOne());
  open.engine().Cancel(id);
  EXPECT_EQ(gone->num_terminal_calls, 0);
  ASSERT_TRUE(open.executor.RunOne());
  EXPECT_EQ(gone->failed, FinishReason::kCancelled);
  EXPECT_EQ(kept->num_terminal_calls, 0);
  open.executor.RunAll();
  EXPECT_NE(kept->tokens, nullptr);
  EXPECT_EQ(gone->num_terminal_calls, 1);
}

TEST_F(StepsTest, ACancelledPictureAloneEndsTheTowersWork) {
  OpenModel open(checkpoint_.path());
  const auto gone = std::make_shared<MediumResult>();
  const RequestId id = open.engine().SubmitPicture(Picture(open), gone);
  ASSERT_TRUE(open.executor.RunOne());
  open.engine().Cancel(id);
  EXPECT_EQ(open.executor.RunAll(), 1);
  EXPECT_EQ(gone->failed, FinishReason::kCancelled);
  EXPECT_NE(open.Encode(TestDataDir() / "tiny-samples" / "slide.png", 70)->tokens, nullptr);
}

TEST_F(StepsTest, ASequenceIsCancelledBetweenTwoTokens) {
  OpenModel open(checkpoint_.path());
  const auto answer = std::make_shared<SequenceResult>();
  const RequestId id = open.engine().SubmitSequence(TextRequest(Ids(20), 1000), answer);
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(open.executor.RunOne());
  }
  EXPECT_EQ(answer->ids.size(), 5U);
  open.engine().Cancel(id);
  EXPECT_EQ(open.executor.RunAll(), 1);
  EXPECT_EQ(answer->finish, FinishReason::kCancelled);
  EXPECT_EQ(answer->ids.size(), 5U);
  EXPECT_EQ(answer->num_terminal_calls, 1);
  open.engine().Cancel(id);  // it has ended: nothing happens
  EXPECT_FALSE(open.executor.waiting());
}

TEST_F(StepsTest, AWaitingSequenceIsCancelledWithoutAStepOfItsOwn) {
  OpenModel open(checkpoint_.path(), Mode::kExact, {.max_sequences = 1});
  const auto live = std::make_shared<SequenceResult>();
  const auto waiting = std::make_shared<SequenceResult>();
  open.engine().SubmitSequence(TextRequest(Ids(20), 10), live);
  const RequestId id = open.engine().SubmitSequence(TextRequest(Ids(20), 10), waiting);
  ASSERT_TRUE(open.executor.RunOne());
  open.engine().Cancel(id);
  ASSERT_TRUE(open.executor.RunOne());
  EXPECT_EQ(waiting->finish, FinishReason::kCancelled);
  open.executor.RunAll();
  EXPECT_EQ(live->finish, FinishReason::kLength);
}

TEST_F(StepsTest, SequencesTogetherGetTheTokensTheyGetAlone) {
  const std::vector<int32_t> first_ids = Ids(90);
  const std::vector<int32_t> second_ids = Ids(41, 90);
  const std::vector<int32_t> first_alone = AnswerAlone(checkpoint_, first_ids, 24);
  const std::vector<int32_t> second_alone = AnswerAlone(checkpoint_, second_ids, 24);
  ASSERT_NE(first_alone, second_alone);
  OpenModel open(checkpoint_.path(), Mode::kExact, {.prefill_chunk_rows = 50});
  const auto first = std::make_shared<SequenceResult>();
  const auto second = std::make_shared<SequenceResult>();
  open.engine().SubmitSequence(TextRequest(first_ids, 24), first);
  for (int i = 0; i < 4; ++i) {
    open.executor.RunOne();
  }
  open.engine().SubmitSequence(TextRequest(second_ids, 24), second);  // joins while the first decodes
  open.executor.RunAll();
  EXPECT_EQ(first->ids, first_alone);
  EXPECT_EQ(second->ids, second_alone);
}

TEST_F(StepsTest, PromptChunksAndSingleRowsShareAStep) {
  OpenModel open(checkpoint_.path(), Mode::kExact, {.prefill_chunk_rows = 16});
  const auto decoding = std::make_shared<SequenceResult>();
  const auto reading = std::make_shared<SequenceResult>();
  const RequestId a = open.engine().SubmitSequence(TextRequest(Ids(10), 100), decoding);
  open.executor.RunOne();
  const RequestId b = open.engine().SubmitSequence(TextRequest(Ids(40), 5), reading);
  const size_t before = open.trace.events().size();
  for (int i = 0; i < 3; ++i) {
    open.executor.RunOne();
  }
  std::vector<std::pair<RequestId, int64_t>> begun;
  const std::vector<TraceEvent> events = open.trace.events();
  for (size_t i = before; i < events.size(); ++i) {
    if (events[i].phase == Phase::kBegin) {
      begun.emplace_back(events[i].subject, events[i].value);
    }
  }
  const std::vector<std::pair<RequestId, int64_t>> expected{{a, 1}, {b, 16}, {a, 1}, {b, 16}, {a, 1}, {b, 8}};
  EXPECT_EQ(begun, expected);
  open.engine().Cancel(a);
}

TEST_F(StepsTest, TowerLayersAndDecoderStepsAlternate) {
  OpenModel open(checkpoint_.path());
  const auto answer = std::make_shared<SequenceResult>();
  const auto picture = std::make_shared<MediumResult>();
  open.engine().SubmitSequence(TextRequest(Ids(20), 6), answer);
  open.engine().SubmitPicture(Picture(open), picture);
  open.executor.RunAll();
  std::string order;
  for (const TraceEvent& event : open.trace.events()) {
    if (event.phase == Phase::kBegin) {
      order += event.name == "tower layer" ? 't' : 'd';
    }
  }
  EXPECT_EQ(order, "tdtdtdddd");
}

TEST_F(StepsTest, HigherPriorityGoesFirst) {
  OpenModel open(checkpoint_.path(), Mode::kExact, {.max_sequences = 1});
  std::vector<std::shared_ptr<SequenceResult>> answers;
  std::vector<RequestId> ids;
  for (const int priority : {0, 0, 5}) {
    SequenceRequest request = TextRequest(Ids(12), 3);
    request.urgency.priority = priority;
    answers.push_back(std::make_shared<SequenceResult>());
    ids.push_back(open.engine().SubmitSequence(std::move(request), answers.back()));
  }
  open.executor.RunAll();
  const auto end_of = [&](size_t i) { return open.trace.IndexOf("finish sequence", ids[i]); };
  EXPECT_LT(end_of(2), end_of(0));
  EXPECT_LT(end_of(0), end_of(1));
}

TEST_F(StepsTest, ASequenceWaitsForRoomForItsKeysAndValues) {
  int64_t one_sequence = 0;
  {
    OpenModel open(checkpoint_.path());
    one_sequence = KvLayout(open.model->text_config(), 256).SequenceBytes(20 + 8 - 1);
  }
  OpenModel open(checkpoint_.path(), Mode::kExact, {.kv_limit_bytes = one_sequence});
  const auto first = std::make_shared<SequenceResult>();
  const auto second = std::make_shared<SequenceResult>();
  open.engine().SubmitSequence(TextRequest(Ids(20), 8), first);
  open.engine().SubmitSequence(TextRequest(Ids(20), 8), second);
  for (int i = 0; i < 8; ++i) {
    EXPECT_TRUE(second->ids.empty());
    ASSERT_TRUE(open.executor.RunOne());
  }
  EXPECT_EQ(first->finish, FinishReason::kLength);
  open.executor.RunAll();
  EXPECT_EQ(second->ids, first->ids);
}

TEST_F(StepsTest, TheAnswerEndsWithTheContext) {
  OpenModel open(checkpoint_.path(), Mode::kExact, {.context_tokens = 30});
  const auto answer = std::make_shared<SequenceResult>();
  open.engine().SubmitSequence(TextRequest(Ids(20), 1000), answer);
  open.executor.RunAll();
  EXPECT_EQ(answer->ids.size(), 10U);
  EXPECT_EQ(answer->finish, FinishReason::kContextFull);
  EXPECT_EQ(answer->failure, "the context of 30 tokens is full: 20 of the prompt and 10 of the answer");
}

TEST_F(StepsTest, AnAnswerAsLongAsAskedForEndsSoWhereTheContextEndsToo) {
  OpenModel open(checkpoint_.path(), Mode::kExact, {.context_tokens = 30});
  const auto answer = std::make_shared<SequenceResult>();
  open.engine().SubmitSequence(TextRequest(Ids(20), 10), answer);
  open.executor.RunAll();
  EXPECT_EQ(answer->ids.size(), 10U);
  EXPECT_EQ(answer->finish, FinishReason::kLength);
  EXPECT_EQ(answer->failure, "");
}

TEST_F(StepsTest, AnExtraStopTokenEndsTheAnswerAndIsNotDelivered) {
  const std::vector<int32_t> alone = AnswerAlone(checkpoint_, Ids(20), 8);
  ASSERT_EQ(alone.size(), 8U);
  OpenModel open(checkpoint_.path());
  SequenceRequest request = TextRequest(Ids(20), 8);
  request.extra_stop_ids = {alone[3]};
  const auto place = std::find(alone.begin(), alone.end(), alone[3]);
  const auto answer = std::make_shared<SequenceResult>();
  open.engine().SubmitSequence(std::move(request), answer);
  open.executor.RunAll();
  EXPECT_EQ(answer->ids, std::vector<int32_t>(alone.begin(), place));
  EXPECT_EQ(answer->finish, FinishReason::kStop);
  EXPECT_EQ(answer->stats.stop_id, alone[3]);
}

TEST_F(StepsTest, AStepThatThrowsFailsItsSequencesAndTheEngineLivesOn) {
  FailingTrace trace;
  OpenModel open(checkpoint_.path(), Mode::kExact, {.trace = &trace});
  const auto first = std::make_shared<SequenceResult>();
  const auto second = std::make_shared<SequenceResult>();
  const auto picture = std::make_shared<MediumResult>();
  open.engine().SubmitSequence(TextRequest(Ids(20), 8), first);
  open.engine().SubmitSequence(TextRequest(Ids(30), 8), second);
  open.engine().SubmitPicture(Picture(open), picture);
  open.executor.RunOne();
  open.executor.RunOne();
  trace.fail_at = "decode";
  open.executor.RunAll();
  EXPECT_EQ(first->finish, FinishReason::kFailed);
  EXPECT_EQ(first->failure, "the step broke");
  EXPECT_EQ(second->failure, "the step broke");
  EXPECT_EQ(first->num_terminal_calls + second->num_terminal_calls, 2);
  EXPECT_NE(picture->tokens, nullptr);
  const auto third = std::make_shared<SequenceResult>();
  open.engine().SubmitSequence(TextRequest(Ids(20), 8), third);
  open.executor.RunAll();
  EXPECT_EQ(third->finish, FinishReason::kLength);
}

TEST_F(StepsTest, ATowerLayerThatThrowsFailsItsPictures) {
  FailingTrace trace;
  OpenModel open(checkpoint_.path(), Mode::kExact, {.trace = &trace});
  const auto first = std::make_shared<MediumResult>();
  const auto second = std::make_shared<MediumResult>();
  open.engine().SubmitPicture(Picture(open), first);
  open.engine().SubmitPicture(Picture(open), second);
  open.executor.RunOne();
  trace.fail_at = "tower layer";
  open.executor.RunAll();
  EXPECT_EQ(first->failed, FinishReason::kFailed);
  EXPECT_EQ(second->failure, "the step broke");
  EXPECT_NE(open.Encode(TestDataDir() / "tiny-samples" / "slide.png", 70)->tokens, nullptr);
}

TEST_F(StepsTest, AListenerThatThrowsFailsItsSequenceAlone) {
  struct Throwing : SequenceResult {
    void OnTokens(std::span<const int32_t>) override { throw std::runtime_error("no room for tokens"); }
  };
  OpenModel open(checkpoint_.path());
  const auto bad = std::make_shared<Throwing>();
  const auto good = std::make_shared<SequenceResult>();
  open.engine().SubmitSequence(TextRequest(Ids(20), 8), bad);
  open.engine().SubmitSequence(TextRequest(Ids(20), 8), good);
  open.executor.RunAll();
  EXPECT_EQ(bad->failure, "no room for tokens");
  EXPECT_EQ(good->ids.size(), 8U);
}

TEST_F(StepsTest, ListenersMaySubmitAndCancel) {
  struct Chaining : SequenceResult {
    void OnFinish(FinishReason reason, std::string failure_text, const SequenceStats& the_stats) override {
      SequenceResult::OnFinish(reason, std::move(failure_text), the_stats);
      engine->Cancel(id);
      engine->SubmitSequence(TextRequest({2, 40, 50}, 2), next);
    }
    Engine* engine = nullptr;
    RequestId id = 0;
    std::shared_ptr<SequenceResult> next = std::make_shared<SequenceResult>();
  };
  OpenModel open(checkpoint_.path());
  const auto answer = std::make_shared<Chaining>();
  answer->engine = &open.engine();
  answer->id = open.engine().SubmitSequence(TextRequest(Ids(20), 3), answer);
  open.executor.RunAll();
  EXPECT_EQ(answer->num_terminal_calls, 1);
  EXPECT_EQ(answer->next->ids.size(), 2U);
}

TEST_F(StepsTest, DestroyedWithWorkPendingEveryRequestEndsOnce) {
  const auto live = std::make_shared<SequenceResult>();
  const auto waiting = std::make_shared<SequenceResult>();
  const auto picture = std::make_shared<MediumResult>();
  {
    OpenModel open(checkpoint_.path(), Mode::kExact, {.max_sequences = 1});
    open.engine().SubmitSequence(TextRequest(Ids(20), 4000), live);
    open.engine().SubmitSequence(TextRequest(Ids(20), 4000), waiting);
    open.engine().SubmitPicture(Picture(open), picture);
    open.executor.RunOne();
    open.executor.RunOne();
    // The picture may get through meanwhile; thousands of tokens do not.
    std::atomic<bool> destroyed = false;
    std::thread worker([&] {
      while (!destroyed) {
        open.executor.RunOne();
      }
    });
    open.model.reset();
    destroyed = true;
    worker.join();
  }
  EXPECT_EQ(live->finish, FinishReason::kCancelled);
  EXPECT_EQ(waiting->finish, FinishReason::kCancelled);
  EXPECT_NE(picture->failed, FinishReason::kFailed);
  EXPECT_EQ(live->num_terminal_calls + waiting->num_terminal_calls + picture->num_terminal_calls, 3);
}

}  // namespace
}  // namespace percept
