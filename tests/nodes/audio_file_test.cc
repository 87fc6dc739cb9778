// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "graph/run/commit.h"
#include "nodes/payload/audio_chunk.h"
#include "tests/nodes/node_run.h"
#include "tests/nodes/sound_files.h"
#include "tests/support/pipe.h"
#include "tests/support/temp_folder.h"

namespace percept::nodes {
namespace {

class AudioFileTest : public testing::Test {
 protected:
  std::string Wav(const std::string& name, double seconds) const {
    return folder_.Write(name, WavBytes(SixteenBits(Sweep(16000, seconds)), 1, 16000)).string();
  }
  graph::RunResult Run(const std::string& path, RuntimeOptions options = TestOptions()) {
    Runtime runtime(std::move(options));
    RegisterKeeper(runtime.registry(), &packets_);
    return RunNodes("  listen: { type: audio.file, path: " + path +
                        " }\n"
                        "  keep: { type: test.keep, in: listen.audio }\n",
                    runtime);
  }

  const TempFolder folder_;
  std::vector<graph::Packet> packets_;
};

TEST_F(AudioFileTest, ReadsOneClip) {
  const std::string wav = Wav("a.wav", 0.5);
  const graph::RunResult result = Run(wav);
  EXPECT_EQ(result.num_failed_items, 0U);
  ASSERT_EQ(packets_.size(), 1U);
  const AudioChunk& chunk = packets_[0].Get<AudioChunk>();
  EXPECT_EQ(chunk.samples.size(), 8000U);
  EXPECT_EQ(chunk.rate_hz, 16000);
  EXPECT_EQ(chunk.origin.source, wav);
  EXPECT_EQ(chunk.origin.num_in_source, 1U);
  EXPECT_EQ(packets_[0].item_label(), wav);
  EXPECT_EQ(packets_[0].timestamp(), graph::Time::Seconds(0));
  EXPECT_EQ(packets_[0].duration(), graph::Duration::Milliseconds(500));
  EXPECT_GE(packets_[0].bytes(), 8000U * sizeof(float));
}

TEST_F(AudioFileTest, EachClipBeginsWhereTheOneBeforeEndedAndABadOneTakesASecond) {
  WriteSound({.container = "matroska",
              .codec = "flac",
              .rate_hz = 16000,
              .samples = Sweep(16000, 1),
              .time_of = [](int64_t time) { return time + 4000; }},
             folder_.path() / "late.mka");
  const graph::RunResult result = Run("[ " + Wav("a.wav", 0.5) + ", nowhere.wav, " +
                                      (folder_.path() / "late.mka").string() + ", " + Wav("b.wav", 0.5) + " ]");
  EXPECT_EQ(result.status, graph::RunStatus::kFinished);
  EXPECT_EQ(result.num_failed_items, 1U);
  ASSERT_EQ(packets_.size(), 4U);
  const auto& error = packets_[1].Get<graph::ErrorPayload>();
  EXPECT_EQ(error.kind, graph::ErrorKind::kBadInput);
  EXPECT_EQ(error.item, "nowhere.wav");
  EXPECT_EQ(error.reason, "no such file");
  EXPECT_EQ(packets_[1].timestamp(), graph::Time::Milliseconds(500));
  // Its own times begin at 0.25 s.
  EXPECT_EQ(packets_[2].timestamp(), graph::Time::Milliseconds(1750));
  EXPECT_EQ(packets_[3].timestamp(), graph::Time::Milliseconds(2750));
  EXPECT_EQ(packets_[3].Get<AudioChunk>().origin.num_in_source, 4U);
}

TEST_F(AudioFileTest, RefusesMoreThanTheLimit) {
  RuntimeOptions options = TestOptions();
  options.limits.clip_samples = 16000;
  Run(Wav("a.wav", 2.5), std::move(options));
  ASSERT_EQ(packets_.size(), 1U);
  EXPECT_EQ(packets_[0].Get<graph::ErrorPayload>().reason, "2.5 s of sound, more than the limit of 1 s");
}

TEST_F(AudioFileTest, GoesOnAfterAChunkAtTheTimesItWouldHaveHad) {
  class Chunks : public graph::CommitSink {
   public:
    void OnChunk(const graph::ChunkCommit& commit) override { all.push_back(commit); }
    std::vector<graph::ChunkCommit> all;
  };
  Runtime runtime(TestOptions());
  RegisterKeeper(runtime.registry(), &packets_);
  const std::string nodes = "  listen: { type: audio.file, path: [ " + Wav("a.wav", 0.5) + ", " + Wav("b.wav", 0.25) +
                            ", " + Wav("c.wav", 0.5) + " ] }\n  keep: { type: test.keep, in: listen }\n";
  const auto run = [&](const graph::GraphOptions& options) {
    packets_.clear();
    graph::Graph(CheckNodes(nodes, runtime.registry()), runtime.executor(), runtime.services(), options).Run();
  };
  Chunks chunks;
  run({.commits = &chunks});
  ASSERT_EQ(packets_.size(), 3U);
  EXPECT_EQ(packets_[2].timestamp(), graph::Time::Milliseconds(750));
  ASSERT_GE(chunks.all.size(), 2U);
  run({.resume = graph::ResumePoint{.key = chunks.all[1].key}});
  ASSERT_EQ(packets_.size(), 1U);
  EXPECT_EQ(packets_[0].timestamp(), graph::Time::Milliseconds(750));
  EXPECT_THAT(packets_[0].Get<AudioChunk>().origin.source, testing::EndsWith("c.wav"));
}

// A form whose index stands at its end, and one whose writer did not know how long it would be.
TEST_F(AudioFileTest, ReadsStandardInput) {
  WriteSound({.container = "mp4", .codec = "flac", .rate_hz = 16000, .samples = Sweep(16000, 1)},
             folder_.path() / "a.m4a");
  const std::string files[] = {ReadText(folder_.path() / "a.m4a"),
                               WavBytes(SixteenBits(Sweep(16000, 1)), 1, 16000, 0xFFFF'FFFF)};
  for (const std::string& bytes : files) {
    packets_.clear();
    Pipe pipe;
    RuntimeOptions options = TestOptions();
    options.standard_input = pipe.reader();
    std::jthread writer([&] {
      pipe.Write(bytes.substr(0, 100));
      pipe.Write(bytes.substr(100));
      pipe.CloseWriter();
    });
    Run("[ \"-\", " + Wav("b.wav", 0.5) + " ]", std::move(options));
    ASSERT_EQ(packets_.size(), 2U);
    ASSERT_FALSE(packets_[0].is_error()) << packets_[0].Get<graph::ErrorPayload>().reason;
    EXPECT_EQ(packets_[0].Get<AudioChunk>().samples.size(), 16000U);
    EXPECT_EQ(packets_[0].Get<AudioChunk>().origin.source, "standard input");
    EXPECT_EQ(packets_[0].item_label(), "standard input");
    EXPECT_EQ(packets_[1].timestamp(), graph::Time::Seconds(1));
  }
}

TEST_F(AudioFileTest, SaysWhyStandardInputCannotBeUsed) {
  const auto reason = [&](const std::string& bytes) {
    packets_.clear();
    Pipe pipe;
    pipe.Write(bytes);
    pipe.CloseWriter();
    RuntimeOptions options = TestOptions();
    options.standard_input = pipe.reader();
    options.limits.stream_bytes = 40000;
    Run("\"-\"", std::move(options));
    return packets_.size() == 1 && packets_[0].is_error() ? packets_[0].Get<graph::ErrorPayload>().reason : "";
  };
  const std::string wav = WavBytes(SixteenBits(Sweep(16000, 1)), 1, 16000);
  EXPECT_EQ(reason(wav.substr(0, 16044)), "truncated: it ends after 0.5 s, 16000 bytes before the end that it states");
  EXPECT_EQ(reason(""), "empty");
  EXPECT_EQ(reason(wav + wav), "longer than the limit of 40000 bytes");
  packets_.clear();
  Run("\"-\"");
  ASSERT_EQ(packets_.size(), 1U);
  EXPECT_EQ(packets_[0].Get<graph::ErrorPayload>().reason, "there is no standard input to read");
}

TEST_F(AudioFileTest, ADrainEndsTheWaitForStandardInput) {
  Pipe pipe;
  RuntimeOptions options = TestOptions();
  options.standard_input = pipe.reader();
  Runtime runtime(std::move(options));
  RegisterKeeper(runtime.registry(), &packets_);
  graph::Graph graph(CheckNodes("  listen: { type: audio.file, path: \"-\" }\n"
                                "  keep: { type: test.keep, in: listen.audio }\n",
                                runtime.registry()),
                     runtime.executor(), runtime.services());
  graph.Start();
  pipe.Write("R");
  while (pipe.NumUnread() > 0) {
    std::this_thread::yield();
  }
  graph.Drain(graph::Duration::Seconds(60));
  EXPECT_EQ(graph.Wait().status, graph::RunStatus::kDrained);
  EXPECT_TRUE(packets_.empty());
}

TEST_F(AudioFileTest, NeedsAPath) {
  const Runtime runtime(TestOptions());
  EXPECT_EQ(Refusal("  listen: { type: audio.file }\n", runtime),
            "test.yaml:3:3: node 'listen' (audio.file) lacks its parameter 'path' (path[])");
}

}  // namespace
}  // namespace percept::nodes
