// SPDX-License-Identifier: Apache-2.0
// A step takes no memory from the heap after the first of its requests.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/encoders/png.h"
#include "tests/engine/engine_fixture.h"
#include "tests/support/counting_new.h"
#include "tests/support/shared_dir.h"

namespace percept {
namespace {

// Allocations of `run`.
template <typename Run>
int Count(Run run) {
  num_allocations = 0;
  counts = true;
  run();
  counts = false;
  return num_allocations;
}

struct NoTrace : TraceSink {
  void Record(const TraceEvent&) override {}
};

// Keeps nothing, so that it takes no memory either.
struct CountingSequence : SequenceListener {
  void OnTokens(std::span<const int32_t> ids) override { num_tokens += static_cast<int>(ids.size()); }
  void OnFinish(FinishReason the_finish, std::string reason, const SequenceStats&) override {
    finish = the_finish;
    failure = std::move(reason);
  }
  int num_tokens = 0;
  std::optional<FinishReason> finish;
  std::string failure;
};

class EngineAllocationTest : public testing::TestWithParam<Mode> {
 protected:
  SmallCheckpoint checkpoint_;
  NoTrace trace_;
};

TEST_P(EngineAllocationTest, NoneInAnyStepAfterTheFirst) {
  OpenModel open(checkpoint_.path(), GetParam(), {.trace = &trace_, .prefill_chunk_rows = 32});
  const TestImage png = ReadPng(TestDataDir() / "tiny-samples" / "exit_sign.png");
  const auto picture = std::make_shared<MediumResult>();
  open.engine().SubmitPicture(open.model->PreparePicture(png.view(), 70), picture);
  open.executor.RunAll();  // sizes the scratch of the matrix products

  const auto first = std::make_shared<CountingSequence>();
  const auto second = std::make_shared<CountingSequence>();
  SequenceRequest request = AskAbout(*open.model, {picture->tokens}, "Read all text in the image.");
  request.max_tokens = 40;
  open.engine().SubmitSequence(std::move(request), first);
  open.engine().SubmitSequence(TextRequest({2, 40, 50, 60}, 30), second);
  open.engine().SubmitPicture(open.model->PreparePicture(png.view(), 70), picture);
  open.executor.RunOne();
  open.executor.RunOne();
  EXPECT_EQ(Count([&] { open.executor.RunAll(); }), 0);
  EXPECT_EQ(first->num_tokens, 40);
  EXPECT_EQ(second->num_tokens, 30);
  EXPECT_EQ(picture->num_terminal_calls, 2);
}

TEST_P(EngineAllocationTest, NoneInAnyStepWithDrafts) {
  OpenModel open(checkpoint_.path(), GetParam(), {.trace = &trace_, .prefill_chunk_rows = 32, .adaptive_drafts = false},
                 {}, TestDataDir() / "e2b-drafter");
  const auto warm = std::make_shared<CountingSequence>();
  open.engine().SubmitSequence(TextRequest({2, 40, 50, 60}, 30), warm);
  open.executor.RunAll();
  const auto first = std::make_shared<CountingSequence>();
  const auto second = std::make_shared<CountingSequence>();
  open.engine().SubmitSequence(TextRequest({2, 40, 50, 60}, 50), first);
  open.engine().SubmitSequence(TextRequest({2, 80, 90, 60}, 30), second);
  open.executor.RunOne();
  open.executor.RunOne();
  EXPECT_EQ(Count([&] { open.executor.RunAll(); }), 0);
  EXPECT_EQ(first->num_tokens, 50);
  EXPECT_EQ(second->num_tokens, 30);
}

TEST_P(EngineAllocationTest, NoMemoryForKeysAndValuesFailsThatSequenceAlone) {
  OpenModel open(checkpoint_.path(), GetParam(), {.trace = &trace_});
  const auto live = std::make_shared<CountingSequence>();
  const auto unlucky = std::make_shared<CountingSequence>();
  open.engine().SubmitSequence(TextRequest({2, 40, 50, 60}, 30), live);
  open.executor.RunOne();
  open.engine().SubmitSequence(TextRequest({2, 40, 50, 60}, 30), unlucky);
  allocations_until_failure = 0;
  EXPECT_GT(Count([&] { open.executor.RunOne(); }), 0);
  allocations_until_failure = -1;
  EXPECT_EQ(unlucky->finish, FinishReason::kFailed);
  EXPECT_EQ(unlucky->failure, "out of memory");
  open.executor.RunAll();
  EXPECT_EQ(live->num_tokens, 30);
}

TEST_P(EngineAllocationTest, NoneInAnyLayerOfAClipAfterTheFirst) {
  OpenModel open(EmbeddedModelDir(), GetParam(), {.trace = &trace_});
  ASSERT_NE(open.Hear(std::vector<float>(16000, 0.25F))->tokens, nullptr);  // packs the weights, makes the scratch
  const auto clips = std::make_shared<MediumResult>();
  open.engine().SubmitSound(std::vector<float>(16000, 0.5F), clips);
  open.engine().SubmitSound(std::vector<float>(9000, 0.5F), clips);
  EXPECT_EQ(Count([&] { open.executor.RunAll(); }), 0);
  EXPECT_EQ(clips->num_terminal_calls, 2);
  EXPECT_NE(clips->tokens, nullptr);
}

TEST_P(EngineAllocationTest, NoMemoryForTheScratchOfSoundFailsThatClipAlone) {
  OpenModel open(EmbeddedModelDir(), GetParam(), {.trace = &trace_});
  const auto live = std::make_shared<CountingSequence>();
  open.engine().SubmitSequence(TextRequest({2, 40, 50, 60}, 30), live);
  open.executor.RunOne();
  const auto unlucky = std::make_shared<MediumResult>();
  open.engine().SubmitSound(std::vector<float>(16000, 0.25F), unlucky);
  allocations_until_failure = 0;
  EXPECT_GT(Count([&] { open.executor.RunOne(); }), 0);
  allocations_until_failure = -1;
  EXPECT_EQ(unlucky->failed, FinishReason::kFailed);
  EXPECT_EQ(unlucky->failure, "out of memory");
  EXPECT_NE(open.Hear(std::vector<float>(16000, 0.25F))->tokens, nullptr);
  EXPECT_NE(live->finish, FinishReason::kFailed);
}

INSTANTIATE_TEST_SUITE_P(Modes, EngineAllocationTest, testing::Values(Mode::kExact, Mode::kFast),
                         [](const auto& test) { return test.param == Mode::kExact ? "Exact" : "Fast"; });

}  // namespace
}  // namespace percept
