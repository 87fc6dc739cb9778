// SPDX-License-Identifier: Apache-2.0
#include "engine/sound.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/model.h"
#include "kernels/core/error.h"
#include "tests/support/shared_dir.h"
#include "tests/support/test_context.h"
#include "tests/support/worker_executor.h"

namespace percept {
namespace {

TEST(Sound, LengthsAreWrittenInSeconds) {
  EXPECT_EQ(ClipLengthText(0), "0 s");
  EXPECT_EQ(ClipLengthText(480000), "30 s");
  EXPECT_EQ(ClipLengthText(16800), "1.05 s");
  EXPECT_EQ(ClipLengthText(int64_t{16000} * 100000 + 16), "100000.001 s");
}

TEST(Sound, AClipIsNoLongerThanTheCheckpointSays) {
  const ProcessorConfig config{.max_audio_tokens = 10, .audio_ms_per_token = 40};
  EXPECT_EQ(MaxClipSamples(config), 6400);
  EXPECT_NO_THROW(RequireClipFits(6400, config));
  EXPECT_THAT([&] { RequireClipFits(6416, config); },
              testing::ThrowsMessage<InputError>("0.401 s of sound; this model takes 0.4 s at once"));
}

// Model::Generate, with sound.
class GenerateSoundTest : public testing::Test {
 protected:
  void SetUp() override {
    PERCEPT_NEED_SHARED();
    model_ = Model::Open(SharedDir() / "goldens" / "variants" / "12b",
                         {.mode = Mode::kExact, .max_isa = TestMaxIsa(), .engine = {.executor = &executor_}});
  }
  // A tone that is not the same from frame to frame.
  static std::vector<float> Tone(size_t num_samples, float step) {
    std::vector<float> samples(num_samples);
    for (size_t i = 0; i < num_samples; ++i) {
      samples[i] = static_cast<float>(i % 97) * step;
    }
    return samples;
  }

  WorkerExecutor executor_;
  std::unique_ptr<Model> model_;
};

TEST_F(GenerateSoundTest, SoundsComeBehindTheWordsUnlessAConversationPlacesThem) {
  const std::vector<float> low = Tone(16000, 0.004F), high = Tone(6400, 0.009F);
  const GenerateRequest plain{.prompt = "What is said?", .sounds = {low, high}, .max_tokens = 8};
  const auto placed = [&](std::vector<ChatPart> parts) {
    ChatMessage message;
    message.content = std::move(parts);
    return GenerateRequest{.messages = {message}, .sounds = {low, high}, .max_tokens = 8};
  };
  const Generation answer = model_->Generate(plain);
  EXPECT_GT(answer.stats.num_prompt_rows, 25 + 10);
  const std::string words = "What is said?";
  EXPECT_EQ(model_->Generate(placed({words, MediaKind::kAudio, MediaKind::kAudio})).text, answer.text);
  EXPECT_NE(model_->Generate(placed({MediaKind::kAudio, MediaKind::kAudio, words})).text, answer.text);
  EXPECT_THAT(
      [&] {
        model_->Generate(placed({words, MediaKind::kAudio}));
      },
      testing::ThrowsMessage<InputError>("the prompt has a place for 1 of kind audio, but 2 are given"));
}

TEST_F(GenerateSoundTest, PicturesAndSoundsTakeTheirOwnPlaces) {
  std::vector<uint8_t> pixels(size_t{96} * 96 * 3, 120);
  const std::vector<float> tone = Tone(16000, 0.004F);
  ChatMessage message;
  message.content = std::vector<ChatPart>{MediaKind::kAudio, std::string("Both?"), MediaKind::kImage};
  const GenerateRequest request{.messages = {message},
                                .pictures = {RgbView{pixels.data(), 96, 96, 96 * 3}},
                                .sounds = {tone},
                                .budget = 70,
                                .max_tokens = 2};
  EXPECT_EQ(model_->Generate(request).finish, FinishReason::kLength);
}

// Before anything is encoded: the picture's budget is refused when its turn comes.
TEST_F(GenerateSoundTest, RefusesAClipThatIsTooLong) {
  const std::vector<float> samples(size_t{31} * 16000);
  std::vector<uint8_t> pixels(size_t{96} * 96 * 3, 120);
  const GenerateRequest request{.prompt = "What is said?",
                                .pictures = {RgbView{pixels.data(), 96, 96, 96 * 3}},
                                .sounds = {samples},
                                .budget = 71};
  EXPECT_THAT([&] { model_->Generate(request); },
              testing::ThrowsMessage<InputError>("31 s of sound; this model takes 30 s at once"));
}

}  // namespace
}  // namespace percept
