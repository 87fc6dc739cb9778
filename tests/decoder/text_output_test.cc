// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "decoder/text/output_collector.h"
#include "decoder/text/sampler.h"
#include "decoder/text/stop_rule.h"
#include "kernels/core/error.h"
#include "tests/decoder/text_support.h"

namespace percept {
namespace {

using ::testing::ElementsAre;

using Ids = std::vector<int32_t>;
using Logits = std::vector<float>;

TEST(GreedySampler, TakesTheLargestAndOnTiesTheLowestId) {
  const GreedySampler sampler(5, {});
  EXPECT_EQ(sampler.Pick(Logits{-3, -1, -2, -1, -5}), 1);
  EXPECT_EQ(sampler.Pick(Logits{2, 2, 2, 2, 2}), 0);
  EXPECT_EQ(sampler.Pick(Logits{-1, -2, -3, -4, 7}), 4);
}

TEST(GreedySampler, NeverPicksSuppressedIds) {
  const GreedySampler sampler(4, Ids{3, 0, 3, 99, -1});
  EXPECT_EQ(sampler.Pick(Logits{9, 1, 2, 9}), 2);
  EXPECT_EQ(sampler.Pick(Logits{9, 1, 1, 9}), 1);
  EXPECT_EQ(MessageOf<ArgumentError>([] {
              GreedySampler(2, Ids{0, 1});
            }),
            "all 2 tokens of the vocabulary are suppressed");
}

TEST(GreedySampler, SkipsWhatIsNoNumber) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const GreedySampler sampler(3, {});
  EXPECT_EQ(sampler.Pick(Logits{nan, 1, 2}), 2);
  EXPECT_EQ(sampler.Pick(Logits{1, nan, 0}), 0);
  EXPECT_EQ(sampler.Pick(Logits{-infinity, nan, -infinity}), 0);
  EXPECT_EQ(MessageOf<InternalError>([&] {
              sampler.Pick(Logits{nan, nan, nan});
            }),
            "the model computed no number for the next token: its weights or an input hold NaN or infinity");
  EXPECT_EQ(MessageOf<ArgumentError>([&] { sampler.Pick(Logits{1, 2}); }), "there are 2 logits for a vocabulary of 3");
}

TEST(StopRule, IsTheUnionOfAllSources) {
  const Tokenizer tokenizer = TinyTokenizer();
  const SpecialTokens tokens = FindSpecialTokens(tokenizer);
  EXPECT_THAT(StopRule(TextConfig(), GenerationConfig(), tokens).ids(), ElementsAre(1, 9, 16));
  TextConfig config;
  config.token_ids.eos = {1, 40};
  GenerationConfig generation;
  generation.eos_ids = {16, 41};
  const StopRule rule(config, generation, tokens, Ids{42});
  EXPECT_THAT(rule.ids(), ElementsAre(1, 9, 16, 40, 41, 42));
  EXPECT_TRUE(rule.Stops(9));
  EXPECT_FALSE(rule.Stops(10));
}

class OutputTest : public ::testing::Test {
 protected:
  // The ids of text with special strings recognised, pushed one by one; what came back is in deltas_.
  OutputCollector Collect(std::string_view text, OutputCollector::Start start = OutputCollector::Start::kText) {
    OutputCollector collector(tokenizer_, tokens_, start);
    deltas_.clear();
    for (int32_t id : tokenizer_.Encode(text, Trust::kTrusted)) deltas_ += collector.Push(id);
    deltas_ += collector.Finish();
    EXPECT_EQ(deltas_, collector.text());
    return collector;
  }

  const Tokenizer tokenizer_ = TinyTokenizer();
  const SpecialTokens tokens_ = FindSpecialTokens(tokenizer_);
  std::string deltas_;
};

TEST_F(OutputTest, TrimsBothEndsAsItGoes) {
  EXPECT_EQ(Collect(" \n one\n\n two  \n").text(), "one\n\n two");
  EXPECT_EQ(Collect(" \n ").text(), "");
  OutputCollector collector(tokenizer_, tokens_);
  const int32_t a = tokenizer_.RequireId("a");
  const int32_t space = tokenizer_.RequireId("▁");
  EXPECT_EQ(collector.Push(space), "");
  EXPECT_EQ(collector.Push(a), "a");
  EXPECT_EQ(collector.Push(space), "");
  EXPECT_EQ(collector.Push(a), " a");
  EXPECT_EQ(collector.Push(space), "");
  EXPECT_EQ(collector.Finish(), "");
}

TEST_F(OutputTest, HoldsUnfinishedCodePoints) {
  OutputCollector collector(tokenizer_, tokens_);
  const Ids ids = tokenizer_.Encode("中", Trust::kUntrusted);
  ASSERT_EQ(ids.size(), 3) << "three byte pieces";
  EXPECT_EQ(collector.Push(ids[0]), "");
  EXPECT_EQ(collector.Push(ids[1]), "");
  EXPECT_EQ(collector.Push(ids[2]), "中");
  EXPECT_EQ(collector.Push(ids[0]), "");
  EXPECT_EQ(collector.Finish(), "\uFFFD");
  EXPECT_EQ(collector.text(), "中\uFFFD");
}

TEST_F(OutputTest, ThoughtsAreNoText) {
  const OutputCollector collector = Collect("<|channel>thought\nlet me see\n<channel|> yes ");
  EXPECT_EQ(collector.text(), "yes");
  EXPECT_EQ(collector.reasoning(), "let me see");
  EXPECT_FALSE(collector.in_channel());
}

TEST_F(OutputTest, ChannelsThatWentWrong) {
  EXPECT_EQ(Collect("yes<|channel>thought\n<channel|>").text(), "yes");
  EXPECT_EQ(Collect("<|channel>thought<channel|>yes").text(), "yes");
  EXPECT_EQ(Collect("ye<channel|>s").text(), "yes");
  EXPECT_EQ(Collect("<|channel><|channel>thought\na\n<channel|>b").text(), "b");
  EXPECT_EQ(Collect("<|channel><|channel>thought\na\n<channel|>b").reasoning(), "a");
  EXPECT_EQ(Collect("a<|channel>thought\nb\n<channel|>c<|channel>thought\nd<channel|>e").text(), "ace");
}

TEST_F(OutputTest, AChannelThatNeverClosesHoldsTheRest) {
  const OutputCollector collector = Collect("<|channel>thought\nstill\n at it");
  EXPECT_EQ(collector.text(), "");
  EXPECT_EQ(collector.reasoning(), "still\n at it");
  EXPECT_TRUE(collector.in_channel());
}

TEST_F(OutputTest, MayBeginInsideAThought) {
  const OutputCollector collector = Collect("so\n<channel|>done", OutputCollector::Start::kReasoning);
  EXPECT_EQ(collector.text(), "done");
  EXPECT_EQ(collector.reasoning(), "so");
}

// The newline that ends the label may come in one piece with a newline of the thought.
TEST_F(OutputTest, TheLabelEndsInsideAPiece) {
  EXPECT_EQ(Collect("<|channel>thought\n\nx<channel|>").reasoning(), "\nx");
}

TEST_F(OutputTest, SpecialTokensGiveNoText) { EXPECT_EQ(Collect("a<|image><image|>b<pad>").text(), "ab"); }

}  // namespace
}  // namespace percept
