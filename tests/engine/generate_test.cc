// SPDX-License-Identifier: Apache-2.0
// Model::Generate: the engine without a graph.
#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <vector>

#include "decoder/text/output_collector.h"
#include "kernels/core/error.h"
#include "tests/encoders/png.h"
#include "tests/engine/engine_fixture.h"
#include "tests/support/shared_dir.h"
#include "tests/support/worker_executor.h"

namespace percept {
namespace {

constexpr char kPrompt[] = "Read all text in the image.";

class GenerateTest : public testing::Test {
 protected:
  GenerateRequest AskAboutSign() const {
    return {.prompt = kPrompt, .pictures = {sign_.view()}, .budget = 70, .max_tokens = 40};
  }
  // What the engine answers when it is asked step by step.
  std::string Expected() const {
    OpenModel open(EmbeddedModelDir());
    const auto picture = open.Encode(TestDataDir() / "tiny-samples" / "exit_sign.png", 70);
    SequenceRequest request = AskAbout(*open.model, {picture->tokens}, kPrompt);
    request.max_tokens = 40;
    auto answer = std::make_shared<SequenceResult>();
    open.engine().SubmitSequence(std::move(request), answer);
    open.executor.RunAll();
    OutputCollector collector(open.model->tokenizer(), open.model->special_tokens());
    for (const int32_t id : answer->ids) {
      collector.Push(id);
    }
    collector.Finish();
    return collector.text();
  }
  std::string Refusal(const GenerateRequest& request) {
    try {
      model_->Generate(request);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  const TestImage sign_ = ReadPng(TestDataDir() / "tiny-samples" / "exit_sign.png");
  WorkerExecutor executor_;
  const std::unique_ptr<Model> model_ = Model::Open(
      EmbeddedModelDir(), {.mode = Mode::kExact, .max_isa = TestMaxIsa(), .engine = {.executor = &executor_}});
};

TEST_F(GenerateTest, AnswersAsTheEngineDoesStepByStep) {
  std::string streamed;
  const Generation generation = model_->Generate(AskAboutSign(), [&](std::string_view piece) { streamed += piece; });
  EXPECT_EQ(generation.finish, FinishReason::kStop);
  EXPECT_EQ(generation.text, Expected());
  EXPECT_FALSE(generation.text.empty());
  EXPECT_EQ(streamed, generation.text);
  EXPECT_GT(generation.stats.num_prompt_rows, 0);
  EXPECT_GT(generation.stats.num_output_tokens, 0);
}

TEST_F(GenerateTest, AConversationSaysWhereThePicturesStand) {
  ChatMessage message;
  message.content = std::vector<ChatPart>{MediaKind::kImage, std::string(kPrompt)};
  GenerateRequest request = AskAboutSign();
  request.prompt.clear();
  request.messages = {message};
  EXPECT_EQ(model_->Generate(request).text, model_->Generate(AskAboutSign()).text);
}

TEST_F(GenerateTest, AConversationThatGoesOnIsReadFromItsLastQuestion) {
  const auto message = [](Role role, const std::string& text) { return ChatMessage{role, text, ""}; };
  GenerateRequest request{.max_tokens = 2};
  request.messages = {message(Role::kSystem, "You read signs aloud, letter by letter, and say nothing else at all."),
                      message(Role::kUser, "What do you do?")};
  EXPECT_EQ(model_->Generate(request).stats.num_reused_rows, 0);
  request.messages.push_back(message(Role::kModel, "I read signs aloud."));
  request.messages.push_back(message(Role::kUser, "Which ones?"));
  const int64_t instructions = model_->Generate(request).stats.num_reused_rows;
  EXPECT_GE(instructions, 32);
  request.messages.back() = message(Role::kUser, "All of them?");
  const SequenceStats stats = model_->Generate(request).stats;
  EXPECT_GT(stats.num_reused_rows, instructions + 10);
  EXPECT_LT(stats.num_reused_rows, stats.num_prompt_rows - 5);
}

TEST_F(GenerateTest, ThinkingAndToolsAreInThePrompt) {
  GenerateRequest request{.prompt = kPrompt, .max_tokens = 1};
  const auto num_rows = [&] { return model_->Generate(request).stats.num_prompt_rows; };
  const int64_t plain = num_rows();
  request.enable_thinking = true;
  const int64_t thinking = num_rows();
  request.tools = {{.name = "now", .description = "Time of day."}};
  EXPECT_GT(thinking, plain);
  EXPECT_GT(num_rows(), thinking);
  request.tools[0].parameters = "{";
  EXPECT_EQ(Refusal(request), "the schema of the tool 'now' is not JSON");
  ChatMessage lost{Role::kTool, "12:00", ""};
  EXPECT_EQ(Refusal({.messages = {lost}}), "message 1 is a tool's, but follows no call of one");
}

TEST_F(GenerateTest, AnswersSeveralThreadsAtOnce) {
  const std::string expected = Expected();
  std::vector<std::future<std::string>> answers;
  for (int i = 0; i < 4; ++i) {
    answers.push_back(std::async(std::launch::async, [this] { return model_->Generate(AskAboutSign()).text; }));
  }
  for (std::future<std::string>& answer : answers) {
    EXPECT_EQ(answer.get(), expected);
  }
}

TEST_F(GenerateTest, DrawsTheSameForASeedWhateverElseRuns) {
  GenerateRequest request = AskAboutSign();
  request.sampling = {.temperature = 3, .seed = 1};
  const std::string drawn = model_->Generate(request).text;
  EXPECT_NE(drawn, Expected());
  std::vector<std::future<std::string>> answers;
  for (int i = 0; i < 4; ++i) {
    answers.push_back(std::async(std::launch::async, [this, i] {
      GenerateRequest other = AskAboutSign();
      other.sampling = {.temperature = 3, .seed = i < 2 ? uint64_t{1} : uint64_t{2}};
      return model_->Generate(other).text;
    }));
  }
  EXPECT_EQ(answers[0].get(), drawn);
  EXPECT_EQ(answers[1].get(), drawn);
  const std::string second = answers[2].get();
  EXPECT_NE(second, drawn);
  EXPECT_EQ(answers[3].get(), second);
  // The likeliest alone, however hot.
  request.sampling.top_k = 1;
  EXPECT_EQ(model_->Generate(request).text, Expected());
}

TEST_F(GenerateTest, TellsLogprobs) {
  GenerateRequest request = AskAboutSign();
  EXPECT_TRUE(model_->Generate(request).logprobs.empty());
  request.top_logprobs = 2;
  const Generation generation = model_->Generate(request);
  ASSERT_EQ(static_cast<int64_t>(generation.logprobs.size()), generation.stats.num_output_tokens);
  for (const PickedLogprobs& token : generation.logprobs) {
    ASSERT_EQ(token.top.size(), 2U);
    EXPECT_EQ(token.picked, token.top[0]) << "greedy takes the likeliest";
    EXPECT_LE(token.top[0].logprob, 0);
    EXPECT_GE(token.top[0].logprob, token.top[1].logprob);
  }
}

TEST_F(GenerateTest, EndsALoop) {
  const TestImage receipt = ReadPng(TestDataDir() / "tiny-samples" / "receipt.png");
  GenerateRequest request{.prompt = kPrompt, .pictures = {receipt.view()}, .budget = 70, .max_repeats = 3};
  const std::string whole = model_->Generate(request).text;
  request.max_repeats = 2;
  const Generation cut = model_->Generate(request);
  EXPECT_EQ(cut.finish, FinishReason::kLoop);
  EXPECT_EQ(cut.text, "CORNER CAFE\nCoff");
  EXPECT_EQ(whole.find(cut.text), 0u);
  EXPECT_GT(whole.size(), cut.text.size());
}

// Holds up the second decode step until `stop` is requested.
class HoldUp : public TraceSink {
 public:
  void Record(const TraceEvent& event) override {
    if (event.name != "decode" || event.phase != TraceEvent::Phase::kBegin || ++num_steps_ != 2) {
      return;
    }
    std::mutex mutex;
    std::condition_variable_any changed;
    std::unique_lock lock(mutex);
    changed.wait(lock, stop.get_token(), [] { return false; });
  }

  std::stop_source stop;

 private:
  int num_steps_ = 0;
};

TEST(GenerateCancelTest, StopsInTheMiddleOfAnAnswer) {
  HoldUp trace;
  WorkerExecutor executor;
  const auto model =
      Model::Open(EmbeddedModelDir(),
                  {.mode = Mode::kExact, .max_isa = TestMaxIsa(), .engine = {.executor = &executor, .trace = &trace}});
  const TestImage receipt = ReadPng(TestDataDir() / "tiny-samples" / "receipt.png");
  const GenerateRequest request{.prompt = kPrompt, .pictures = {receipt.view()}, .budget = 70};
  const Generation cut = model->Generate(
      request, [&](std::string_view) { trace.stop.request_stop(); }, trace.stop.get_token());
  EXPECT_EQ(cut.finish, FinishReason::kCancelled);
  EXPECT_LE(cut.stats.num_output_tokens, 3);
  const Generation whole = model->Generate(request);
  EXPECT_EQ(whole.finish, FinishReason::kStop);
  EXPECT_GT(whole.stats.num_output_tokens, 3);
  EXPECT_EQ(whole.text.find(cut.text), 0u);
  EXPECT_FALSE(cut.text.empty());
}

TEST_F(GenerateTest, StopsBeforeItBegins) {
  std::stop_source stop;
  stop.request_stop();
  const Generation generation = model_->Generate(AskAboutSign(), {}, stop.get_token());
  EXPECT_EQ(generation.finish, FinishReason::kCancelled);
  EXPECT_EQ(generation.text, "");
}

TEST_F(GenerateTest, PassesOnWhatTheCallbackThrows) {
  const auto on_text = [](std::string_view) { throw std::runtime_error("enough"); };
  EXPECT_THROW(model_->Generate(AskAboutSign(), on_text), std::runtime_error);
  EXPECT_EQ(model_->Generate(AskAboutSign()).finish, FinishReason::kStop);
}

TEST_F(GenerateTest, RefusesWhatCannotBeAnswered) {
  GenerateRequest request = AskAboutSign();
  request.prompt.clear();
  EXPECT_EQ(Refusal(request), "a request to generate has either a prompt or messages");
  request = AskAboutSign();
  request.sampling.top_p = 0;
  EXPECT_EQ(Refusal(request), "top_p is 0.000000: expected more than 0, at most 1");
  request.sampling = {};
  request.top_logprobs = 101;
  EXPECT_EQ(Refusal(request), "top_logprobs is 101: expected 0 to 100");
  request.top_logprobs.reset();
  request.max_repeats = 1;
  EXPECT_EQ(Refusal(request), "max_repeats is 1: expected 0 (no limit) or at least 2");
  request = AskAboutSign();
  request.budget = 71;
  EXPECT_NE(Refusal(request).find("71"), std::string::npos) << Refusal(request);
  request = AskAboutSign();
  request.pictures[0].width = 0;
  EXPECT_NE(Refusal(request), "");
  ChatMessage message;
  message.content = std::string("No picture stands here.");
  request = AskAboutSign();
  request.prompt.clear();
  request.messages = {message};
  EXPECT_NE(Refusal(request), "");
}

}  // namespace
}  // namespace percept
