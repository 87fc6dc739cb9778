// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "graph/test/node_harness.h"
#include "nodes/payload/audio_chunk.h"
#include "nodes/payload/soft_tokens.h"
#include "tests/nodes/node_run.h"
#include "tests/support/closeness.h"
#include "tests/support/golden_file.h"
#include "tests/support/trace_recorder.h"

namespace percept::nodes {
namespace {

using testing::HasSubstr;

// Its reference's small model that reads sound without a tower.
std::filesystem::path SoundModel() { return SharedDir() / "goldens" / "variants" / "12b"; }
std::string Clip(const std::string& name) { return (SharedDir() / "goldens" / "variants" / "inputs" / name).string(); }

RuntimeOptions SoundOptions() {
  RuntimeOptions options = TestOptions();
  options.default_model = SoundModel();
  options.mode = Mode::kExact;
  return options;
}

std::string Nodes(const std::string& path) {
  return "  listen: { type: audio.file, path: " + path +
         " }\n  hear: { type: encode.audio, in: listen.audio }\n  keep: { type: test.keep, in: hear.tokens }\n";
}

class EncodeAudioTest : public testing::Test {
 protected:
  void SetUp() override { PERCEPT_NEED_SHARED(); }

  graph::RunResult Run(const std::string& nodes, RuntimeOptions options) {
    Runtime runtime(std::move(options));
    RegisterKeeper(runtime.registry(), &packets_);
    return RunNodes(nodes, runtime);
  }
  // The reason why a node that is given this chunk fails it.
  static std::string Reason(AudioChunk chunk) {
    Runtime runtime(SoundOptions());
    graph::NodeHarness hear(runtime.registry(), "hear: { type: encode.audio, in: mic }", {{"mic", "AudioChunk"}},
                            runtime.services());
    hear.Push("audio", graph::Packet::Make(std::move(chunk), graph::Time::Seconds(2)), "talk");
    const std::vector<graph::Packet> packets = hear.Take("tokens");
    return packets.size() == 1 && packets[0].is_error() && packets[0].timestamp() == graph::Time::Seconds(2)
               ? packets[0].Get<graph::ErrorPayload>().reason
               : "";
  }

  std::vector<graph::Packet> packets_;
};

TEST_F(EncodeAudioTest, GivesTheModelsSoftTokensAndSaysOfWhat) {
  Run(Nodes(Clip("clip_a.wav")), SoundOptions());
  ASSERT_EQ(packets_.size(), 1U);
  const SoftTokens& tokens = packets_[0].Get<SoftTokens>();
  EXPECT_EQ(tokens.kind, MediaKind::kAudio);
  EXPECT_EQ(tokens.rows->rows.rows(), 33);  // 20900 samples, 640 a row
  EXPECT_EQ(tokens.sound.num_soft_tokens, 33);
  EXPECT_EQ(tokens.sound.duration, graph::Duration::Nanoseconds(int64_t{20900} * 62500));
  EXPECT_EQ(tokens.sound.origin.source, Clip("clip_a.wav"));
  EXPECT_EQ(tokens.sound.origin.codec, "pcm_s16le");
  EXPECT_EQ(packets_[0].item_label(), Clip("clip_a.wav"));
}

TEST_F(EncodeAudioTest, KeepsTheOrderOfTheClipsAndOfTheirErrors) {
  const std::string nodes = "  listen: { type: audio.file, path: [ " + Clip("clip_b.wav") + ", nowhere.wav, " +
                            Clip("clip_a.wav") +
                            " ] }\n  hear: { type: encode.audio, in: listen.audio }\n"
                            "  keep: { type: test.keep, in: hear.tokens }\n";
  EXPECT_EQ(Run(nodes, SoundOptions()).num_failed_items, 1U);
  ASSERT_EQ(packets_.size(), 3U);
  EXPECT_EQ(packets_[0].Get<SoftTokens>().rows->rows.rows(), 15);
  EXPECT_EQ(packets_[1].Get<graph::ErrorPayload>().item, "nowhere.wav");
  EXPECT_EQ(packets_[2].Get<SoftTokens>().rows->rows.rows(), 33);
}

TEST_F(EncodeAudioTest, ClipsAreStepsOfTheModelsEngine) {
  TraceRecorder trace;
  RuntimeOptions options = SoundOptions();
  options.trace = &trace;
  options.default_model = SharedDir() / "goldens" / "variants" / "e2b";
  Run(Nodes("[ " + Clip("clip_a.wav") + ", " + Clip("clip_b.wav") + " ]"), options);
  ASSERT_EQ(packets_.size(), 2U);
  const GoldenFile golden(options.default_model / "golden.safetensors");
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_LE(MaxAbsDifference(packets_[i].Get<SoftTokens>().rows->rows.view(),
                               golden.Floats("audio/f32/clip" + std::to_string(i) + ".soft")),
              1e-4);
    EXPECT_GE(packets_[i].Get<SoftTokens>().sound.encode_time.count(), 0);
    EXPECT_LT(trace.IndexOf("sound done", i + 1), trace.events().size());
  }
}

TEST_F(EncodeAudioTest, FailsWhatAModelCannotTake) {
  EXPECT_EQ(Reason({.samples = {}}), "a clip without samples");
  EXPECT_EQ(Reason({.samples = std::vector<float>(16000 * 30 + 200)}),
            "30.012 s of sound; this model takes 30 s at once");
  EXPECT_EQ(Reason({.samples = std::vector<float>(16000), .rate_hz = 44100}), "sound of 44100 Hz; a model takes 16000");
}

TEST_F(EncodeAudioTest, RefusesAModelWithoutAnAudioEncoderBeforeSoundIsRead) {
  RuntimeOptions options = SoundOptions();
  options.default_model = SharedDir() / "goldens" / "variants" / "31b";
  try {
    Run(Nodes("nowhere.wav"), options);
    FAIL() << "ran";
  } catch (const graph::DefinitionError& error) {
    EXPECT_THAT(error.what(), HasSubstr("test.yaml:4:3: "));
    EXPECT_THAT(error.what(),
                HasSubstr(options.default_model.string() + ": this model takes no sound: it has no audio encoder"));
  }
}

TEST_F(EncodeAudioTest, RefusesPicturesAsItsInput) {
  const Runtime runtime(TestOptions());
  EXPECT_THAT(Refusal("  read: { type: image.file, path: a.png }\n"
                      "  hear: { type: encode.audio, in: read.image }\n",
                      runtime),
              HasSubstr("input 'audio' of node 'hear' (encode.audio) takes AudioChunk, but output 'image'"));
}

}  // namespace
}  // namespace percept::nodes
