// SPDX-License-Identifier: Apache-2.0
// decode.gemma4 with sound in its prompts, by the reference's small model that reads pictures and sound.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "nodes/payload/record.h"
#include "tests/nodes/node_run.h"

namespace percept::nodes {
namespace {

using testing::HasSubstr;

std::string Input(const std::string& name) { return (SharedDir() / "goldens" / "variants" / "inputs" / name).string(); }

// A picture and a clip of one time, and a prompt about both.
std::string Asking(const std::string& prompt, const std::string& clips = Input("clip_a.wav")) {
  return "  read: { type: image.file, path: " + Input("image_a.png") +
         " }\n  listen: { type: audio.file, path: " + clips +
         " }\n  see: { type: encode.vision, in: read.image, budget: 70 }\n"
         "  hear: { type: encode.audio, in: listen.audio }\n"
         "  say: { type: decode.gemma4, in: { sound: hear.tokens, frame: see.tokens }, max_tokens: 12, prompt: " +
         prompt + " }\n";
}

constexpr const char* kKeepRecords = "  keep: { type: test.keep, in: say.record }\n";

class DecodeSoundTest : public testing::Test {
 protected:
  void SetUp() override { PERCEPT_NEED_SHARED(); }

  void Run(const std::string& nodes) {
    packets_.clear();
    RuntimeOptions options = TestOptions();
    options.default_model = SharedDir() / "goldens" / "variants" / "12b";
    options.mode = Mode::kExact;
    Runtime runtime(std::move(options));
    RegisterKeeper(runtime.registry(), &packets_);
    RunNodes(nodes, runtime);
  }
  Record Answer(const std::string& prompt) {
    Run(Asking(prompt) + kKeepRecords);
    return packets_.at(0).Get<Record>();
  }

  std::vector<graph::Packet> packets_;
};

TEST_F(DecodeSoundTest, PartsStandWhereThePromptHasThem) {
  const Record listed = Answer("[ { image: frame }, { text: What happens. }, { audio: sound } ]");
  ASSERT_TRUE(listed.answer.has_value());
  ASSERT_EQ(listed.answer->pictures.size(), 1U);
  ASSERT_EQ(listed.answer->sounds.size(), 1U);
  EXPECT_EQ(listed.answer->pictures[0].source, Input("image_a.png"));
  EXPECT_EQ(listed.answer->sounds[0].origin.source, Input("clip_a.wav"));
  EXPECT_EQ(listed.answer->sounds[0].num_soft_tokens, 33);
  EXPECT_GT(listed.answer->num_prompt_tokens, 33 + listed.answer->pictures[0].num_soft_tokens);
  EXPECT_NE(Answer("[ { audio: sound }, { text: What happens. }, { image: frame } ]").text, listed.text);
  // Plain text: pictures before it, sound behind it, whatever the order of the inputs.
  EXPECT_EQ(Answer("What happens.").text, listed.text);
}

TEST_F(DecodeSoundTest, TheRecordTellsOfTheSound) {
  Answer("What happens.");
  const auto record = nlohmann::json::parse(ToJsonLine(packets_.at(0), /*with_timing=*/true));
  EXPECT_EQ(record["sounds"].size(), 1U);
  EXPECT_EQ(record["sounds"][0], nlohmann::json({{"source", Input("clip_a.wav")},
                                                 {"start_s", 0.0},
                                                 {"seconds", 1.30625},
                                                 {"codec", "pcm_s16le"},
                                                 {"rate_hz", 16000},
                                                 {"channels", "mono"},
                                                 {"gaps", 0},
                                                 {"gap_s", 0.0},
                                                 {"overlaps", 0},
                                                 {"lost_packets", 0},
                                                 {"soft_tokens", 33}}));
  EXPECT_EQ(record["tokens"]["soft"], 33 + record["pictures"][0]["soft_tokens"].get<int>());
}

TEST_F(DecodeSoundTest, AQuestionAboutAClipAgainIsReadFromThere) {
  const auto ask = [&](const std::string& clips) {
    Run("  listen: { type: audio.file, path: " + clips +
        " }\n  hear: { type: encode.audio, in: listen.audio }\n"
        "  say: { type: decode.gemma4, in: { sound: hear.tokens }, max_tokens: 4,\n"
        "         prompt: [ { audio: sound }, { text: What is said. } ] }\n  keep: { type: test.keep, in: say.record "
        "}\n");
    return packets_.at(1).Get<Record>().answer->num_reused_tokens;
  };
  const std::string a = Input("clip_a.wav"), b = Input("clip_b.wav");
  EXPECT_GE(ask("[ " + a + ", " + a + " ]"), 33);
  EXPECT_EQ(packets_.at(0).Get<Record>().text, packets_.at(1).Get<Record>().text);
  EXPECT_EQ(ask("[ " + a + ", " + b + " ]"), 0);
}

TEST_F(DecodeSoundTest, AMediumOfAnotherKindThanThePromptSaysIsAnErrorOfItsItem) {
  Run(Asking("[ { audio: frame }, { text: What happens. }, { image: sound } ]") + kKeepRecords);
  ASSERT_EQ(packets_.size(), 1U);
  EXPECT_EQ(packets_[0].Get<graph::ErrorPayload>().reason, "the prompt has audio where input 'frame' brings image");
  EXPECT_EQ(packets_[0].Get<graph::ErrorPayload>().kind, graph::ErrorKind::kBadInput);
}

TEST_F(DecodeSoundTest, AnUnknownPartIsRefusedWithWhatThereIs) {
  const Runtime runtime(TestOptions());
  EXPECT_THAT(Refusal(Asking("[ { image: frame }, { sound: sound } ]"), runtime),
              HasSubstr("unknown part 'sound' of a prompt"));
  EXPECT_THAT(Refusal(Asking("[ { image: frame }, { audio: noise } ]"), runtime),
              HasSubstr("the prompt names 'noise', which is not an input"));
}

}  // namespace
}  // namespace percept::nodes
