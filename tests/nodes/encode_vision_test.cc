// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "nodes/payload/soft_tokens.h"
#include "tests/nodes/node_run.h"
#include "tests/support/trace_recorder.h"

namespace percept::nodes {
namespace {

using testing::HasSubstr;

std::string Media(const std::string& name) { return (TestDataDir() / "bad_media" / name).string(); }

std::string Nodes(const std::string& path, const std::string& encode) {
  return "  read: { type: image.file, path: " + path + " }\n  see: { type: encode.vision, in: read.image" + encode +
         " }\n  keep: { type: test.keep, in: see.tokens }\n";
}

class EncodeVisionTest : public testing::Test {
 protected:
  graph::RunResult Run(const std::string& nodes, RuntimeOptions options = TestOptions()) {
    Runtime runtime(std::move(options));
    RegisterKeeper(runtime.registry(), &packets_);
    return RunNodes(nodes, runtime);
  }

  std::vector<graph::Packet> packets_;
};

TEST_F(EncodeVisionTest, TakesTheBudgetOfTheModelUnlessToldOtherwise) {
  Run(Nodes(Media("plain.png"), ""));
  ASSERT_EQ(packets_.size(), 1U);
  const SoftTokens& tokens = packets_[0].Get<SoftTokens>();
  EXPECT_EQ(tokens.kind, MediaKind::kImage);
  EXPECT_EQ(tokens.picture.source, Media("plain.png"));
  EXPECT_EQ(tokens.picture.size, (ImageSize{240, 168}));
  // spec vision 2.2: sqrt(161280 / (240 * 168)) = 2 exactly.
  EXPECT_EQ(tokens.picture.resized, (ImageSize{480, 336}));
  EXPECT_EQ(tokens.picture.budget, 70);
  EXPECT_EQ(tokens.picture.num_soft_tokens, 70);
  EXPECT_EQ(tokens.rows->rows.rows(), 70);
  EXPECT_EQ(tokens.rows->rows.cols(), 256);
  EXPECT_GE(packets_[0].bytes(), 70U * 256 * sizeof(float));
}

TEST_F(EncodeVisionTest, TakesTheBudgetItIsTold) {
  Run(Nodes(Media("plain.png"), ", budget: 140"));
  ASSERT_EQ(packets_.size(), 1U);
  EXPECT_EQ(packets_[0].Get<SoftTokens>().picture.budget, 140);
  EXPECT_EQ(packets_[0].Get<SoftTokens>().rows->rows.rows(), packets_[0].Get<SoftTokens>().picture.num_soft_tokens);
  EXPECT_GT(packets_[0].Get<SoftTokens>().picture.num_soft_tokens, 70);
}

TEST_F(EncodeVisionTest, KeepsTheOrderOfThePicturesAndOfTheirErrors) {
  const graph::RunResult result = Run(Nodes("[ " + Media("plain.png") + ", " + Media("empty.png") + ", " +
                                                Media("one_pixel_1x1.png") + ", " + Media("strip_900x3.png") + " ]",
                                            ""));
  EXPECT_EQ(result.num_failed_items, 1U);
  ASSERT_EQ(packets_.size(), 4U);
  EXPECT_EQ(packets_[0].Get<SoftTokens>().picture.source, Media("plain.png"));
  EXPECT_EQ(packets_[1].Get<graph::ErrorPayload>().item, Media("empty.png"));
  EXPECT_EQ(packets_[2].Get<SoftTokens>().picture.size, (ImageSize{1, 1}));
  // spec vision 2.2: the side that would be 0 is 48, the other is capped by the budget.
  EXPECT_EQ(packets_[3].Get<SoftTokens>().picture.resized, (ImageSize{3360, 48}));
}

TEST_F(EncodeVisionTest, OneModelServesSeveralNodes) {
  RuntimeOptions options = TestOptions();
  TraceRecorder trace;
  options.trace = &trace;
  Run("  read: { type: image.file, path: " + Media("plain.png") +
          " }\n"
          "  see: { type: encode.vision, in: read.image }\n"
          "  look: { type: encode.vision, in: read.image, model: " +
          EmbeddedModel().string() +
          " }\n"
          "  keep: { type: test.keep, in: { a: see.tokens, b: look.tokens } }\n",
      options);
  ASSERT_EQ(packets_.size(), 2U);
  // Two engines would both call their first request 1.
  EXPECT_LT(trace.IndexOf("submit picture", 1), trace.events().size());
  EXPECT_LT(trace.IndexOf("submit picture", 2), trace.events().size());
}

TEST_F(EncodeVisionTest, RefusesAnUnknownBudgetBeforeAnythingStarts) {
  const Runtime runtime(TestOptions());
  const std::string refusal = Refusal(
      "  read: { type: image.file, path: a.png }\n"
      "  see: { type: encode.vision, in: read.image, budget: 100 }\n",
      runtime);
  EXPECT_THAT(refusal, HasSubstr("test.yaml:4:55: "));
  EXPECT_THAT(refusal, HasSubstr("100"));
  EXPECT_THAT(refusal, HasSubstr("70, 140, 280, 560"));
}

TEST_F(EncodeVisionTest, RefusesAModelThatIsNoModel) {
  try {
    Run(Nodes(Media("plain.png"), ", model: /no/such/model"));
    FAIL() << "ran";
  } catch (const graph::DefinitionError& error) {
    EXPECT_THAT(error.what(), HasSubstr("test.yaml:4:3: "));
    EXPECT_THAT(error.what(), HasSubstr("/no/such/model"));
  }
}

TEST_F(EncodeVisionTest, RefusesTextAsItsInput) {
  const Runtime runtime(TestOptions());
  EXPECT_THAT(Refusal("  read: { type: image.file, path: a.png }\n"
                      "  see: { type: encode.vision, in: read.image }\n"
                      "  again: { type: encode.vision, in: see.tokens }\n",
                      runtime),
              HasSubstr("input 'image' of node 'again' (encode.vision) takes Image, but output 'tokens' of node 'see' "
                        "(encode.vision) at test.yaml:4:3 gives SoftTokens"));
}

}  // namespace
}  // namespace percept::nodes
