// SPDX-License-Identifier: Apache-2.0
// Clips as steps of an engine, through the tower of the embedded model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <limits>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/loaded_weights.h"
#include "kernels/core/error.h"
#include "tests/encoders/png.h"
#include "tests/encoders/sound_alone.h"
#include "tests/engine/engine_fixture.h"
#include "tests/support/random_matrix.h"
#include "tests/support/shared_dir.h"
#include "tests/support/worker_executor.h"

namespace percept {
namespace {

using Phase = TraceEvent::Phase;
using std::chrono::seconds;

constexpr int kNumLayers = 4;

// A tone that is not the same from frame to frame.
std::vector<float> Clip(size_t num_samples, unsigned seed = 97) {
  std::vector<float> samples(num_samples);
  const size_t largest = seed + num_samples / 400;
  for (size_t i = 0; i < num_samples; ++i) {
    samples[i] = static_cast<float>(i * i % (seed + 2 * (i / 800))) / static_cast<float>(largest);
  }
  return samples;
}

std::vector<float> Alone(const OpenModel& open, const std::vector<float>& clip) {
  return Values(EncodeAlone(*open.model->weights().audio, clip).view());
}

std::vector<float> RowsOf(const MediumResult& result) {
  return result.tokens == nullptr ? std::vector<float>() : Values(result.tokens->rows.view());
}

class SoundStepsTest : public testing::Test {
 protected:
  static std::shared_ptr<MediumResult> Give(OpenModel& open, std::vector<float> clip, const Urgency& urgency = {},
                                            RequestId* id = nullptr) {
    auto result = std::make_shared<MediumResult>();
    const RequestId given = open.engine().SubmitSound(std::move(clip), result, urgency);
    if (id != nullptr) *id = given;
    return result;
  }
};

TEST_F(SoundStepsTest, ClipsGivenAtOnceShareTheLayersAndHaveTheBitsOfEachAlone) {
  OpenModel open(EmbeddedModelDir());
  const std::vector<std::vector<float>> clips = {Clip(32000), Clip(161, 31), Clip(21000, 53), Clip(32000, 71)};
  std::vector<std::shared_ptr<MediumResult>> results;
  results.reserve(clips.size());
  for (const auto& clip : clips) results.push_back(Give(open, clip));
  EXPECT_EQ(open.executor.RunAll(), kNumLayers);
  for (size_t i = 0; i < clips.size(); ++i) {
    EXPECT_EQ(results[i]->num_terminal_calls, 1);
    EXPECT_EQ(RowsOf(*results[i]), Alone(open, clips[i])) << "clip " << i;
  }
  EXPECT_NE(RowsOf(*results[0]), RowsOf(*results[3]));
}

TEST_F(SoundStepsTest, ScratchThatIsUsedAgainLeavesNothingBehind) {
  OpenModel open(EmbeddedModelDir());
  const std::vector<std::vector<float>> clips = {Clip(480000), Clip(9000, 31), Clip(40000, 53), Clip(161)};
  for (const auto& clip : clips) {
    EXPECT_EQ(RowsOf(*open.Hear(clip)), Alone(open, clip)) << clip.size() << " samples";
  }
  const auto first = Give(open, clips[1]);
  const auto second = Give(open, clips[2]);
  open.executor.RunAll();
  EXPECT_EQ(RowsOf(*first), Alone(open, clips[1]));
  EXPECT_EQ(RowsOf(*second), Alone(open, clips[2]));
}

TEST_F(SoundStepsTest, AsManyClipsShareABatchAsTheLimitAllows) {
  OpenModel open(EmbeddedModelDir(), Mode::kExact, {.max_sound_tokens = 50});
  const std::vector<float> clip = Clip(16000);  // 25 tokens
  std::vector<std::shared_ptr<MediumResult>> results;
  for (int i = 0; i < 3; ++i) results.push_back(Give(open, clip));
  results.push_back(Give(open, Clip(64000)));  // alone beyond the limit
  EXPECT_EQ(open.executor.RunAll(), 3 * kNumLayers);
  EXPECT_EQ(RowsOf(*results[2]), Alone(open, clip));
  EXPECT_EQ(RowsOf(*results[3]), Alone(open, Clip(64000)));
}

TEST_F(SoundStepsTest, AClipIsCancelledBetweenTwoLayersAndTheOtherDoesNotNotice) {
  OpenModel open(EmbeddedModelDir());
  const std::vector<float> clip = Clip(30000, 53);
  RequestId id = 0;
  const auto gone = Give(open, Clip(20000), {}, &id);
  const auto kept = Give(open, clip);
  ASSERT_TRUE(open.executor.RunOne());
  open.engine().Cancel(id);
  EXPECT_EQ(gone->num_terminal_calls, 0);
  ASSERT_TRUE(open.executor.RunOne());
  EXPECT_EQ(gone->failed, FinishReason::kCancelled);
  EXPECT_EQ(gone->failure, "");
  EXPECT_EQ(kept->num_terminal_calls, 0);
  EXPECT_EQ(open.executor.RunAll(), kNumLayers - 2);
  EXPECT_EQ(gone->num_terminal_calls, 1);
  EXPECT_EQ(RowsOf(*kept), Alone(open, clip));
}

TEST_F(SoundStepsTest, ACancelledClipAloneEndsTheTowersWork) {
  OpenModel open(EmbeddedModelDir());
  RequestId id = 0;
  const auto gone = Give(open, Clip(20000), {}, &id);
  ASSERT_TRUE(open.executor.RunOne());
  open.engine().Cancel(id);
  EXPECT_EQ(open.executor.RunAll(), 1);
  EXPECT_EQ(gone->failed, FinishReason::kCancelled);
  EXPECT_EQ(RowsOf(*open.Hear(Clip(12000))), Alone(open, Clip(12000)));
}

TEST_F(SoundStepsTest, ALateClipEndsBetweenTwoLayers) {
  const Urgency::Clock::time_point start = Urgency::Clock::now();
  Urgency::Clock::time_point now = start;
  EngineOptions options;
  options.now = [&now] { return now; };
  OpenModel open(EmbeddedModelDir(), Mode::kExact, options);
  const auto late = Give(open, Clip(20000), {.deadline = start + seconds(1)});
  const auto other = Give(open, Clip(30000));
  open.executor.RunOne();
  open.executor.RunOne();
  now += seconds(1);
  open.executor.RunOne();
  EXPECT_EQ(late->failed, FinishReason::kExpired);
  EXPECT_EQ(late->failure, "the deadline passed after 2 of 4 layers of the audio tower");
  const auto never = Give(open, Clip(20000), {.deadline = start});
  open.executor.RunAll();
  EXPECT_EQ(never->failure, "the deadline passed before the first step");
  EXPECT_EQ(RowsOf(*other), Alone(open, Clip(30000)));
}

TEST_F(SoundStepsTest, AnUrgentClipGoesFirst) {
  OpenModel open(EmbeddedModelDir(), Mode::kExact, {.max_sound_tokens = 1});
  std::vector<RequestId> ids(3);
  for (size_t i = 0; i < 3; ++i) Give(open, Clip(8000), {.priority = i == 2 ? 1 : 0}, &ids[i]);
  open.executor.RunAll();
  const auto end_of = [&](size_t i) { return open.trace.IndexOf("sound done", ids[i]); };
  EXPECT_LT(end_of(2), end_of(0));
  EXPECT_LT(end_of(0), end_of(1));
}

TEST_F(SoundStepsTest, PicturesClipsAndTokensTakeTurns) {
  OpenModel open(EmbeddedModelDir());
  const TestImage png = ReadPng(TestDataDir() / "tiny-samples" / "exit_sign.png");
  const auto answer = percept::Give<SequenceResult>(open, TextRequest({2, 40, 50, 60}, 40));
  const auto picture = std::make_shared<MediumResult>();
  open.engine().SubmitPicture(open.model->PreparePicture(png.view(), 70), picture);
  Give(open, Clip(8000));
  open.executor.RunAll();
  std::string order;
  for (const TraceEvent& event : open.trace.events()) {
    if (event.phase == Phase::kBegin) {
      order += event.name == "tower layer" ? 'p' : event.name == "sound layer" ? 's' : 'd';
    }
  }
  EXPECT_EQ(order.substr(0, 16), "pdsdpdsdpdsdpdsd");
}

TEST_F(SoundStepsTest, ALayerThatThrowsFailsItsClipsAndNothingElse) {
  FailingTrace trace;
  OpenModel open(EmbeddedModelDir(), Mode::kExact, {.trace = &trace});
  const auto first = Give(open, Clip(8000));
  const auto second = Give(open, Clip(9000));
  const auto answer = percept::Give<SequenceResult>(open, TextRequest({2, 40, 50, 60}, 8));
  open.executor.RunOne();
  trace.fail_at = "sound layer";
  open.executor.RunAll();
  EXPECT_EQ(first->failed, FinishReason::kFailed);
  EXPECT_EQ(second->failure, "the step broke");
  EXPECT_EQ(first->num_terminal_calls + second->num_terminal_calls, 2);
  EXPECT_NE(answer->finish, FinishReason::kFailed);
  EXPECT_EQ(RowsOf(*open.Hear(Clip(9000))), Alone(open, Clip(9000)));
}

TEST_F(SoundStepsTest, AClipThatIsRefusedDisturbsNone) {
  OpenModel open(EmbeddedModelDir());
  const auto good = Give(open, Clip(8000));
  std::vector<float> bad = Clip(8000);
  bad[4000] = std::numeric_limits<float>::infinity();
  EXPECT_THAT([&] { Give(open, bad); },
              testing::ThrowsMessage<InputError>("sample 4000 of a clip is not a finite number"));
  EXPECT_THAT(
      [&] { Give(open, Clip(160)); },
      testing::ThrowsMessage<InputError>("a clip of 160 samples is too short: the first soft token needs 161 (10 ms)"));
  open.executor.RunAll();
  EXPECT_EQ(RowsOf(*good), Alone(open, Clip(8000)));
}

TEST_F(SoundStepsTest, TheScratchHasAPositiveLimit) {
  EXPECT_THAT([] { OpenModel(EmbeddedModelDir(), Mode::kExact, {.max_sound_tokens = 0}); },
              testing::ThrowsMessage<ArgumentError>("max_sound_tokens is 0: expected at least 1"));
}

// Calls `on_layer` before each layer of a clip, on the thread of the step.
class LayerTrace : public TraceSink {
 public:
  explicit LayerTrace(std::function<void()> on_layer) : on_layer_(std::move(on_layer)) {}
  void Record(const TraceEvent& event) override {
    if (event.name == "sound layer" && event.phase == Phase::kBegin) on_layer_();
  }

 private:
  const std::function<void()> on_layer_;
};

// Model::Generate on an executor's thread.
class GenerateSoundStepsTest : public testing::Test {
 protected:
  Generation Generate(TraceSink& trace, const Urgency& urgency = {}, const std::stop_token& stop = {}) {
    WorkerExecutor executor;
    const auto model =
        Model::Open(EmbeddedModelDir(),
                    {.mode = Mode::kExact,
                     .max_isa = TestMaxIsa(),
                     .engine = {.executor = &executor, .trace = &trace, .now = [this] { return now_ += seconds(1); }}});
    const std::vector<float> clip = Clip(20000);
    return model->Generate({.prompt = "What is said?", .sounds = {clip, clip}, .max_tokens = 2000, .urgency = urgency},
                           {}, stop);
  }

  Urgency::Clock::time_point now_ = Urgency::Clock::now();  // a second later with each step
};

TEST_F(GenerateSoundStepsTest, NoLayerRunsOnTheCallersThread) {
  std::set<std::thread::id> threads;
  std::stop_source stop;
  LayerTrace trace([&] { threads.insert(std::this_thread::get_id()); });
  Generate(trace, {.deadline = now_ + seconds(20)});
  EXPECT_EQ(threads.size(), 1U);
  EXPECT_FALSE(threads.contains(std::this_thread::get_id()));
}

TEST_F(GenerateSoundStepsTest, AStopEndsItWhileTheClipsAreEncoded) {
  std::stop_source stop;
  LayerTrace trace([&] { stop.request_stop(); });
  const Generation generation = Generate(trace, {}, stop.get_token());
  EXPECT_EQ(generation.finish, FinishReason::kCancelled);
  EXPECT_EQ(generation.failure, "");
}

TEST_F(GenerateSoundStepsTest, ADeadlineEndsItWhileTheClipsAreEncoded) {
  LayerTrace trace([] {});
  const Generation generation = Generate(trace, {.deadline = now_ + seconds(3)});
  EXPECT_EQ(generation.finish, FinishReason::kExpired);
  EXPECT_EQ(generation.failure, "the deadline passed after 2 of 4 layers of the audio tower");
  EXPECT_EQ(generation.stats.num_prompt_rows, 0);
}

}  // namespace
}  // namespace percept
