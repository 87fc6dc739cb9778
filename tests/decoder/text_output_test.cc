// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
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

std::string CallsOf(const OutputCollector& collector) {
  std::string text;
  for (const ToolCall& call : collector.tool_calls()) text += call.name + call.arguments + ";";
  return text;
}

TEST_F(OutputTest, ReadsToolCalls) {
  const std::string answer =
      "I look.<|tool_call>call:get_weather{city:<|\"|>Tokyo, "
      "{\"JP\"}\n<|\"|>,days:[1,2.5],deep:{a:true,b:null}}<tool_call|>"
      "<|tool_call>call:now{}<tool_call|><tool_call|>";
  const OutputCollector collector = Collect(answer);
  EXPECT_EQ(collector.text(), "I look.");
  EXPECT_EQ(CallsOf(collector),
            R"(get_weather{"city":"Tokyo, {\"JP\"}\n","days":[1,2.5],"deep":{"a":true,"b":null}};now{};)");
  EXPECT_EQ(collector.num_unread_calls(), 0);
}

TEST_F(OutputTest, MendsTheSlipsOfToolCalls) {
  const auto read = [&](const std::string& words) { return CallsOf(Collect("<|tool_call>" + words + "<tool_call|>")); };
  EXPECT_EQ(read("call:f{a:1"), R"(f{"a":1};)");
  EXPECT_EQ(read("call:f{a:{b:[1"), R"(f{"a":{"b":[1]}};)");
  EXPECT_EQ(read("call:f{a:<|\"|>x}"), R"(f{"a":"x"};)");
  EXPECT_EQ(read("call:f{a:[<|\"|>x]}"), R"(f{"a":["x"]};)");
  EXPECT_EQ(read("call:f{a:Tokyo, JP<|\"|>,b:<|\"|>y<|\"|>}"), R"(f{"a":"Tokyo, JP","b":"y"};)");
  EXPECT_EQ(read("call:f{a:\"x\\n\",b:'y, z'}"), R"(f{"a":"x\n","b":"y, z"};)");
  EXPECT_EQ(read("call:f{a:celsius,b:None,c:nil}"), R"(f{"a":"celsius","b":null,"c":null};)");
  EXPECT_EQ(read("call:f{<|\"|>a<|\"|>:1,\"b\":2}"), R"(f{"a":1,"b":2};)");
  EXPECT_EQ(read("call:ns.tool-1:x{ a : -1e3 , b : false } }"), R"(ns.tool-1:x{"a":-1000.0,"b":false};)");
}

TEST_F(OutputTest, ACallThatCannotBeReadIsText) {
  const auto text = [&](const std::string& words) {
    const OutputCollector collector = Collect("<|tool_call>" + words + "<tool_call|>");
    EXPECT_EQ(collector.num_unread_calls(), 1) << words;
    return collector.text();
  };
  EXPECT_EQ(text("f{}"), "<|tool_call>f{}");
  EXPECT_EQ(text("call:{}"), "<|tool_call>call:{}");
  EXPECT_EQ(text("call:f"), "<|tool_call>call:f");
  EXPECT_EQ(text("call:f{a:<|\"|>x<|\"|> y}"), "<|tool_call>call:f{a:<|\"|>x<|\"|> y}");
  EXPECT_EQ(text("call:f{a}"), "<|tool_call>call:f{a}");
  const std::string deep = "call:f{a:" + std::string(1000, '[');
  EXPECT_EQ(text(deep), "<|tool_call>" + deep);
}

TEST_F(OutputTest, ACallEndsWithTheAnswerOrWithWhatFollows) {
  EXPECT_EQ(CallsOf(Collect("<|tool_call>call:f{a:<|\"|>x")), R"(f{"a":"x"};)");
  EXPECT_EQ(CallsOf(Collect("<|tool_call>call:f{a:1}<|tool_call>call:g{}<tool_call|>")), R"(f{"a":1};g{};)");
  const OutputCollector collector = Collect("<|channel>thought\nI call<|tool_call>call:f{}<tool_call|>ok");
  EXPECT_EQ(CallsOf(collector), "f{};");
  EXPECT_EQ(collector.reasoning(), "I call");
  EXPECT_EQ(collector.text(), "ok");
}

// The same answer with its ordinary text cut otherwise: each token in two at every place, the first part in
// bytes, and all of it in bytes.
TEST_F(OutputTest, TheCutIntoTokensDoesNotMatter) {
  const std::string answer =
      "<|channel>thought\n\nthe 中 user\n<channel|> the \n model: é <|tool_call>call:get{the:<|\"|>中 "
      "the<|\"|>,n:[12,3]}"
      "<tool_call|>\n\nthe end <|channel>thought<channel|>";
  const std::string expected = "the \n model: é \n\nthe end|\nthe 中 user|get{\"the\":\"中 the\",\"n\":[12,3]};";
  const auto result = [&](const Ids& ids) {
    OutputCollector collector(tokenizer_, tokens_);
    std::string deltas;
    for (const int32_t id : ids) deltas += collector.Push(id);
    deltas += collector.Finish();
    EXPECT_EQ(deltas, collector.text());
    return collector.text() + "|" + collector.reasoning() + "|" + CallsOf(collector);
  };
  const auto bytes = [&](const std::string& text) {
    Ids ids;
    for (const char byte : text) {
      char piece[8];
      std::snprintf(piece, sizeof piece, "<0x%02X>", static_cast<unsigned>(static_cast<uint8_t>(byte)));
      ids.push_back(tokenizer_.RequireId(piece));
    }
    return ids;
  };
  const Ids whole = tokenizer_.Encode(answer, Trust::kTrusted);
  EXPECT_EQ(result(whole), expected);
  Ids all_bytes;
  const auto append = [](const Ids& some, Ids* ids) { ids->insert(ids->end(), some.begin(), some.end()); };
  for (size_t i = 0; i < whole.size(); ++i) {
    if (tokenizer_.is_special(whole[i]) || tokenizer_.byte_of(whole[i])) {
      all_bytes.push_back(whole[i]);
      continue;
    }
    const std::string text = tokenizer_.Decode({&whole[i], 1}, /*keep_special=*/true);
    append(bytes(text), &all_bytes);
    for (size_t cut = 0; cut < text.size(); ++cut) {
      if ((static_cast<uint8_t>(text[cut]) & 0xC0) == 0x80) continue;
      Ids ids(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(i));
      append(bytes(text.substr(0, cut)), &ids);
      append(tokenizer_.Encode(text.substr(cut), Trust::kUntrusted), &ids);
      ids.insert(ids.end(), whole.begin() + static_cast<std::ptrdiff_t>(i) + 1, whole.end());
      EXPECT_EQ(result(ids), expected) << "token " << i << " cut at " << cut;
    }
  }
  EXPECT_EQ(result(all_bytes), expected);
}

TEST_F(OutputTest, KnowsWhereAPromptEnds) {
  const auto start = [&](const std::string& prompt) {
    return OutputCollector::StartAfter(tokenizer_.Encode(prompt, Trust::kTrusted), tokens_);
  };
  EXPECT_EQ(start("<|turn>model\n"), OutputCollector::Start::kText);
  EXPECT_EQ(start("<|turn>model\n<|channel>thought\n<channel|>"), OutputCollector::Start::kText);
  EXPECT_EQ(start("<tool_response|><|channel>thought\n"), OutputCollector::Start::kReasoning);
  EXPECT_EQ(start(""), OutputCollector::Start::kText);
}

TEST_F(OutputTest, SpecialTokensGiveNoText) { EXPECT_EQ(Collect("a<|image><image|>b<pad>").text(), "ab"); }

}  // namespace
}  // namespace percept
