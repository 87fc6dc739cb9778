// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "nodes/payload/image.h"
#include "tests/nodes/node_run.h"
#include "tests/support/pipe.h"

namespace percept::nodes {
namespace {

using testing::HasSubstr;

std::string Media(const std::string& name) { return (TestDataDir() / "bad_media" / name).string(); }

class ImageFileTest : public testing::Test {
 protected:
  graph::RunResult Run(const std::string& path, RuntimeOptions options = TestOptions()) {
    Runtime runtime(std::move(options));
    RegisterKeeper(runtime.registry(), &packets_);
    return RunNodes("  read: { type: image.file, path: " + path +
                        " }\n"
                        "  keep: { type: test.keep, in: read.image }\n",
                    runtime);
  }

  std::vector<graph::Packet> packets_;
};

TEST_F(ImageFileTest, ReadsOnePicture) {
  const graph::RunResult result = Run(Media("plain.png"));
  EXPECT_EQ(result.num_failed_items, 0U);
  ASSERT_EQ(packets_.size(), 1U);
  const Image& image = packets_[0].Get<Image>();
  EXPECT_EQ(image.pixels.size(), (ImageSize{240, 168}));
  EXPECT_EQ(image.source, Media("plain.png"));
  EXPECT_EQ(image.num_in_source, 1U);
  EXPECT_EQ(packets_[0].item_label(), Media("plain.png"));
  EXPECT_GE(packets_[0].bytes(), 240U * 168 * 3);
}

TEST_F(ImageFileTest, PicturesStandASecondApartInTheirOrder) {
  Run("[ " + Media("plain.png") + ", " + Media("one_pixel_1x1.png") + ", " + Media("plain.jpg") + " ]");
  ASSERT_EQ(packets_.size(), 3U);
  for (size_t i = 0; i < packets_.size(); ++i) {
    EXPECT_EQ(packets_[i].timestamp(), graph::Time::Seconds(static_cast<double>(i)));
    EXPECT_EQ(packets_[i].Get<Image>().num_in_source, 3U);
  }
  EXPECT_EQ(packets_[1].Get<Image>().pixels.size(), (ImageSize{1, 1}));
}

TEST_F(ImageFileTest, ABadPictureIsAnErrorAtItsTimeAndTheOthersAreRead) {
  const graph::RunResult result = Run("[ " + Media("cut_at_half.jpg") + ", " + Media("plain.png") + ", nowhere.png ]");
  EXPECT_EQ(result.status, graph::RunStatus::kFinished);
  EXPECT_EQ(result.num_failed_items, 2U);
  ASSERT_EQ(packets_.size(), 3U);
  ASSERT_TRUE(packets_[0].is_error());
  const auto& truncated = packets_[0].Get<graph::ErrorPayload>();
  EXPECT_EQ(truncated.kind, graph::ErrorKind::kBadInput);
  EXPECT_EQ(truncated.item, Media("cut_at_half.jpg"));
  EXPECT_THAT(truncated.reason, HasSubstr("truncated"));
  EXPECT_TRUE(packets_[1].Is<Image>());
  EXPECT_EQ(packets_[2].Get<graph::ErrorPayload>().reason, "no such file");
}

TEST_F(ImageFileTest, ReadsStandardInput) {
  Pipe pipe;
  RuntimeOptions options = TestOptions();
  options.standard_input = pipe.reader();
  std::ifstream file(Media("plain.jpg"), std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  std::jthread writer([&] {
    pipe.Write(bytes.substr(0, 100));
    pipe.Write(bytes.substr(100));
    pipe.CloseWriter();
  });
  Run("\"-\"", std::move(options));
  ASSERT_EQ(packets_.size(), 1U);
  EXPECT_EQ(packets_[0].Get<Image>().source, "standard input");
  EXPECT_EQ(packets_[0].Get<Image>().pixels.size(), (ImageSize{240, 168}));
}

TEST_F(ImageFileTest, RefusesMoreStandardInputThanTheLimit) {
  Pipe pipe;
  pipe.Write(std::string(1001, 'x'));
  pipe.CloseWriter();
  RuntimeOptions options = TestOptions();
  options.standard_input = pipe.reader();
  options.limits.stream_bytes = 1000;
  Run("\"-\"", std::move(options));
  ASSERT_EQ(packets_.size(), 1U);
  EXPECT_EQ(packets_[0].Get<graph::ErrorPayload>().reason, "longer than the limit of 1000 bytes");
}

TEST_F(ImageFileTest, RefusesStandardInputWhereThereIsNone) {
  Run("\"-\"");
  ASSERT_EQ(packets_.size(), 1U);
  EXPECT_EQ(packets_[0].Get<graph::ErrorPayload>().reason, "there is no standard input to read");
}

TEST_F(ImageFileTest, ACancelEndsTheWaitForStandardInput) {
  Pipe pipe;
  RuntimeOptions options = TestOptions();
  options.standard_input = pipe.reader();
  Runtime runtime(std::move(options));
  RegisterKeeper(runtime.registry(), &packets_);
  graph::Graph graph(CheckNodes("  read: { type: image.file, path: \"-\" }\n"
                                "  keep: { type: test.keep, in: read.image }\n",
                                runtime.registry()),
                     runtime.executor(), runtime.services());
  graph.Start();
  graph.Cancel();
  EXPECT_EQ(graph.Wait().status, graph::RunStatus::kCancelled);
  EXPECT_TRUE(packets_.empty());
}

TEST_F(ImageFileTest, NeedsAPath) {
  const Runtime runtime(TestOptions());
  EXPECT_EQ(Refusal("  read: { type: image.file }\n", runtime),
            "test.yaml:3:3: node 'read' (image.file) lacks its parameter 'path' (path[])");
}

}  // namespace
}  // namespace percept::nodes
