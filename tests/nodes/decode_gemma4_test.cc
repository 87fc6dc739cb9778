// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "nodes/payload/record.h"
#include "nodes/payload/text_delta.h"
#include "tests/nodes/node_run.h"
#include "tests/support/trace_recorder.h"

namespace percept::nodes {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string Media(const std::string& name) { return (TestDataDir() / "bad_media" / name).string(); }

std::string Reading(const std::string& path, const std::string& decode) {
  return "  read: { type: image.file, path: " + path +
         " }\n  see: { type: encode.vision, in: read.image }\n  say: { type: decode.gemma4, in: see.tokens" + decode +
         " }\n";
}

constexpr const char* kReadText = ", prompt: Read all text in the image.";
constexpr const char* kKeepRecords = "  keep: { type: test.keep, in: say.record }\n";

class DecodeGemma4Test : public testing::Test {
 protected:
  graph::RunResult Run(const std::string& nodes, RuntimeOptions options = TestOptions()) {
    Runtime runtime(std::move(options));
    RegisterKeeper(runtime.registry(), &packets_);
    return RunNodes(nodes, runtime);
  }

  std::vector<graph::Packet> packets_;
};

TEST_F(DecodeGemma4Test, AnswersAndSaysHow) {
  Run(Reading(Media("plain.png"), kReadText) + kKeepRecords);
  ASSERT_EQ(packets_.size(), 1U);
  const Record& record = packets_[0].Get<Record>();
  EXPECT_EQ(record.text, "Invoice 204");
  EXPECT_EQ(record.item, Media("plain.png"));
  ASSERT_TRUE(record.answer.has_value());
  EXPECT_EQ(record.answer->finish, FinishReason::kStop);
  EXPECT_EQ(record.answer->model_name, "percept-tiny");
  EXPECT_EQ(record.answer->mode, Mode::kFast);
  ASSERT_EQ(record.answer->pictures.size(), 1U);
  EXPECT_EQ(record.answer->pictures[0].num_soft_tokens, 70);
  EXPECT_GT(record.answer->num_prompt_tokens, 70);
  EXPECT_EQ(record.answer->num_output_tokens, 11);  // a token a character
}

TEST_F(DecodeGemma4Test, TheDeltasOfAnItemAreItsText) {
  Run(Reading("[ " + Media("plain.png") + ", " + Media("grey.png") + " ]", kReadText) +
      "  keep: { type: test.keep, in: say.delta }\n");
  std::string first, second;
  for (const graph::Packet& packet : packets_) {
    (packet.timestamp() == graph::Time::Seconds(0) ? first : second) += packet.Get<TextDelta>().text;
  }
  EXPECT_EQ(first, "Invoice 204");
  EXPECT_EQ(second, "Invoice 204");
  EXPECT_TRUE(std::is_sorted(packets_.begin(), packets_.end(), [](const auto& a, const auto& b) {
    return a.timestamp().nanoseconds() < b.timestamp().nanoseconds();
  }));
}

TEST_F(DecodeGemma4Test, StopsAtMaxTokens) {
  Run(Reading(Media("plain.png"), std::string(kReadText) + ", max_tokens: 3") + kKeepRecords);
  ASSERT_EQ(packets_.size(), 1U);
  EXPECT_EQ(packets_[0].Get<Record>().text, "Inv");
  EXPECT_EQ(packets_[0].Get<Record>().answer->finish, FinishReason::kLength);
  EXPECT_EQ(packets_[0].Get<Record>().answer->num_output_tokens, 3);
}

TEST_F(DecodeGemma4Test, AnAnswerThatIsLateFails) {
  const graph::RunResult result =
      Run(Reading(Media("plain.png"), std::string(kReadText) + ", deadline: 1ns, priority: 3") + kKeepRecords);
  ASSERT_EQ(result.failed_items.size(), 1U);
  EXPECT_EQ(result.failed_items[0].reason, "the deadline passed before the first step");
  EXPECT_EQ(result.failed_items[0].item, Media("plain.png"));
}

TEST_F(DecodeGemma4Test, AQuestionAboutAPictureAgainIsReadFromThere) {
  Run(Reading("[ " + Media("plain.png") + ", " + Media("plain.png") + " ]", kReadText) + kKeepRecords);
  ASSERT_EQ(packets_.size(), 2U);
  const AnswerFacts& first = *packets_[0].Get<Record>().answer;
  const AnswerFacts& second = *packets_[1].Get<Record>().answer;
  EXPECT_EQ(first.num_reused_tokens, 0);
  EXPECT_GE(second.num_reused_tokens, 70);
  EXPECT_LT(second.num_reused_tokens, second.num_prompt_tokens);
  EXPECT_EQ(packets_[0].Get<Record>().text, packets_[1].Get<Record>().text);
}

TEST_F(DecodeGemma4Test, DrawsAsItsParametersSay) {
  const auto answer = [&](const std::string& params) {
    packets_.clear();
    Run(Reading(Media("plain.png"), kReadText + params) + kKeepRecords);
    return packets_.at(0).Get<Record>();
  };
  const std::string hot = ", max_tokens: 20, temperature: 3";
  const Record drawn = answer(hot + ", seed: 5, top_k: 0, top_p: 1");
  EXPECT_NE(drawn.text, "Invoice 204");
  EXPECT_EQ(drawn.text, answer(hot + ", seed: 5, top_k: 0, top_p: 1").text);
  EXPECT_NE(drawn.text, answer(hot + ", seed: 6, top_k: 0, top_p: 1").text);
  EXPECT_EQ(answer(hot + ", top_k: 1").text, "Invoice 204");
  EXPECT_EQ(drawn.answer->sampling, (Sampling{.temperature = 3, .top_k = 0, .top_p = 1, .seed = 5}));
  // What the embedded model's generation_config.json says.
  const Sampling own = answer(", temperature: 1").answer->sampling;
  EXPECT_EQ(own.top_k, 64);
  EXPECT_EQ(own.top_p, 0.95);
}

TEST_F(DecodeGemma4Test, WritesLogprobsAndEndsLoops) {
  Run(Reading(Media("plain.png"), std::string(kReadText) + ", logprobs: 1") + kKeepRecords);
  const std::vector<PickedToken>& tokens = packets_.at(0).Get<Record>().answer->logprobs;
  ASSERT_EQ(tokens.size(), 11U);
  std::string text;
  for (const PickedToken& token : tokens) {
    text += token.picked.text;
    EXPECT_EQ(token.top.at(0).text, token.picked.text);
  }
  EXPECT_EQ(text, "Invoice 204");
  packets_.clear();
  const std::string receipt = (TestDataDir() / "tiny-samples" / "receipt.png").string();
  Run(Reading(receipt, std::string(kReadText) + ", max_repeats: 2") + kKeepRecords);
  EXPECT_EQ(packets_.at(0).Get<Record>().answer->finish, FinishReason::kLoop);
  EXPECT_THAT(ToJsonLine(packets_.at(0), /*with_timing=*/false), HasSubstr(R"("finish":"loop")"));
}

TEST_F(DecodeGemma4Test, TheAnswerIsOneOfTheChoices) {
  Run(Reading(Media("plain.png"), std::string(kReadText) + ", choices: [ Receipt, Invoice ]") + kKeepRecords);
  EXPECT_EQ(packets_.at(0).Get<Record>().text, "Invoice");
  EXPECT_EQ(packets_.at(0).Get<Record>().answer->finish, FinishReason::kStop);
}

TEST_F(DecodeGemma4Test, ASystemTurnAndThinkingLengthenThePrompt) {
  const auto num_tokens = [&](const std::string& params) {
    packets_.clear();
    Run(Reading(Media("plain.png"), kReadText + params + ", max_tokens: 1") + kKeepRecords);
    return packets_.at(0).Get<Record>().answer->num_prompt_tokens;
  };
  const int64_t plain = num_tokens("");
  const int64_t system = num_tokens(", system: You read.");
  EXPECT_GT(system, plain);
  EXPECT_GT(num_tokens(", system: You read., thinking: true"), system);
}

TEST_F(DecodeGemma4Test, TwoPicturesAreBothSubmittedBeforeTheFirstFinishes) {
  // With one worker: the steps of the engine never take the time that the nodes need to hand on the second picture.
  for (const int num_workers : {1, 2}) {
    TraceRecorder trace;
    RuntimeOptions options = TestOptions();
    options.num_workers = num_workers;
    options.trace = &trace;
    packets_.clear();
    Run(Reading("[ " + Media("plain.png") + ", " + Media("grey.png") + " ]", kReadText) + kKeepRecords, options);
    ASSERT_EQ(packets_.size(), 2U);
    const std::vector<TraceEvent> events = trace.events();
    const auto is_named = [](const char* name) {
      return [name](const TraceEvent& event) { return event.name == name; };
    };
    const auto first_end = std::find_if(events.begin(), events.end(), is_named("finish sequence"));
    ASSERT_NE(first_end, events.end());
    EXPECT_EQ(std::count_if(events.begin(), first_end, is_named("submit picture")), 2);
    EXPECT_EQ(std::count_if(events.begin(), first_end, is_named("submit sequence")), 2) << num_workers << " workers";
  }
}

TEST_F(DecodeGemma4Test, PromptPartsStandWhereTheyAreWritten) {
  const std::string two_pictures = "  a: { type: image.file, path: " + Media("plain.png") +
                                   " }\n  b: { type: image.file, path: " + Media("one_pixel_1x1.png") +
                                   " }\n  see_a: { type: encode.vision, in: a.image }\n"
                                   "  see_b: { type: encode.vision, in: b.image }\n";
  Run(two_pictures +
      "  say: { type: decode.gemma4, in: { left: see_a.tokens, right: see_b.tokens },\n"
      "         prompt: [ { text: Both. }, { image: right }, { image: left }, { text: Read all text in the image. } ] "
      "}\n" +
      kKeepRecords);
  ASSERT_EQ(packets_.size(), 1U);
  const std::vector<PictureFacts>& pictures = packets_[0].Get<Record>().answer->pictures;
  ASSERT_EQ(pictures.size(), 2U);
  EXPECT_EQ(pictures[0].source, Media("one_pixel_1x1.png"));
  EXPECT_EQ(pictures[1].source, Media("plain.png"));
}

TEST_F(DecodeGemma4Test, APromptLongerThanTheContextIsABadInputOfItsItem) {
  const graph::RunResult result =
      Run(Reading(Media("plain.png"), ", prompt: \"" + std::string(20000, 'x') + "\"") + kKeepRecords);
  EXPECT_EQ(result.status, graph::RunStatus::kFinished);
  ASSERT_EQ(packets_.size(), 1U);
  const auto& error = packets_[0].Get<graph::ErrorPayload>();
  EXPECT_EQ(error.kind, graph::ErrorKind::kBadInput);
  EXPECT_EQ(error.item, Media("plain.png"));
  EXPECT_THAT(error.reason, HasSubstr("context"));
}

TEST_F(DecodeGemma4Test, ACancelEndsALongGeneration) {
  // Cancels the graph at the first step of the decoder.
  class CancelAtDecode : public TraceSink {
   public:
    void Record(const TraceEvent& event) override {
      if (event.name == "decode" && graph != nullptr) {
        graph->Cancel();
      }
    }
    graph::Graph* graph = nullptr;
  };
  CancelAtDecode cancel;
  RuntimeOptions options = TestOptions();
  options.trace = &cancel;
  Runtime runtime(std::move(options));
  RegisterKeeper(runtime.registry(), &packets_);
  graph::Graph graph(CheckNodes(Reading(Media("plain.png"), kReadText) + kKeepRecords, runtime.registry()),
                     runtime.executor(), runtime.services());
  cancel.graph = &graph;
  EXPECT_EQ(graph.Run().status, graph::RunStatus::kCancelled);
  EXPECT_TRUE(packets_.empty());
}

TEST_F(DecodeGemma4Test, RefusesAPromptThatDoesNotFitItsInputs) {
  const Runtime runtime(TestOptions());
  const auto refusal = [&](const std::string& decode) { return Refusal(Reading("a.png", decode), runtime); };
  EXPECT_THAT(refusal(""), HasSubstr("lacks its parameter 'prompt'"));
  EXPECT_THAT(refusal(", prompt: [ { image: medium } ]"),
              StartsWith("test.yaml:5:66: the prompt names 'medium', which is not an input; valid: media"));
  EXPECT_THAT(refusal(", prompt: [ { text: Hello } ]"), HasSubstr("input 'media' stands 0 times in the prompt"));
  EXPECT_THAT(refusal(", prompt: [ { image: media }, { image: media } ]"), HasSubstr("input 'media' stands 2 times"));
  EXPECT_THAT(refusal(", prompt: [ { picture: media } ]"), HasSubstr("unknown part 'picture' of a prompt"));
  EXPECT_THAT(refusal(", prompt: [ hello ]"),
              HasSubstr("a part of a prompt is { text: WORDS }, { image: INPUT } or { audio: INPUT }"));
  EXPECT_THAT(refusal(", prompt: Hello, temperature: -1"), HasSubstr("'temperature' is -1, outside its range"));
  EXPECT_THAT(refusal(", prompt: Hello, choices: [ a ], schema: b"), HasSubstr("either choices or a schema"));
  EXPECT_THAT(refusal(", prompt: Hello, schema: /nowhere"), HasSubstr("/nowhere: cannot be opened"));
  EXPECT_THAT(refusal(", prompt: Hello, max_repeats: 1"), HasSubstr("max_repeats is 1: at least 2, or 0"));
  EXPECT_THAT(refusal(", prompt: Hello, max_tokens: 0"), HasSubstr("'max_tokens' is 0, outside its range"));
}

TEST_F(DecodeGemma4Test, ExactModeIsToldInTheRecord) {
  RuntimeOptions options = TestOptions();
  options.mode = Mode::kExact;
  Run(Reading(Media("plain.png"), kReadText) + kKeepRecords, options);
  ASSERT_EQ(packets_.size(), 1U);
  EXPECT_EQ(packets_[0].Get<Record>().answer->mode, Mode::kExact);
  EXPECT_EQ(packets_[0].Get<Record>().text, "Invoice 204");
}

}  // namespace
}  // namespace percept::nodes
