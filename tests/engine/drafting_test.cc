// SPDX-License-Identifier: Apache-2.0
// Answers with a drafter are those without one, whatever it drafts: in exact mode down to the bits of every token's
// log-probabilities.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "decoder/text/answer_form.h"
#include "kernels/core/error.h"
#include "tests/encoders/png.h"
#include "tests/engine/engine_fixture.h"
#include "tests/engine/random_drafter.h"
#include "tests/support/golden_file.h"
#include "tests/support/shared_dir.h"

namespace percept {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

std::filesystem::path GoodDrafter() { return TestDataDir() / "e2b-drafter"; }

// Everything a caller learns of an answer.
struct Answer : SequenceResult {
  void OnLogprobs(std::span<const PickedLogprobs> the_logprobs) override {
    logprobs.insert(logprobs.end(), the_logprobs.begin(), the_logprobs.end());
  }
  void OnTokens(std::span<const int32_t> the_ids) override {
    SequenceResult::OnTokens(the_ids);
    if (ids.size() == cancel_after) engine->Cancel(id);
  }

  std::vector<PickedLogprobs> logprobs;
  size_t cancel_after = 0;
  Engine* engine = nullptr;
  RequestId id = 0;
};

void ExpectSame(const Answer& drafted, const Answer& plain) {
  EXPECT_EQ(drafted.ids, plain.ids);
  ASSERT_EQ(drafted.logprobs.size(), plain.logprobs.size());
  for (size_t i = 0; i < plain.logprobs.size(); ++i) {
    EXPECT_EQ(drafted.logprobs[i], plain.logprobs[i]) << "token " << i;
  }
  EXPECT_EQ(drafted.finish, plain.finish);
  EXPECT_EQ(drafted.failure, plain.failure);
  EXPECT_EQ(drafted.stats.stop_id, plain.stats.stop_id);
  EXPECT_EQ(drafted.stats.num_output_tokens, plain.stats.num_output_tokens);
  EXPECT_EQ(plain.stats.num_drafted_tokens, 0);
}

struct CaseOf {
  std::string name;
  bool is_random = false;
  EngineOptions options;
};

void PrintTo(const CaseOf& which, std::ostream* out) { *out << which.name; }

class DraftingTest : public testing::TestWithParam<CaseOf> {
 protected:
  using Submit = std::function<std::vector<std::shared_ptr<Answer>>(OpenModel& open)>;

  std::filesystem::path DrafterPath() const { return GetParam().is_random ? random_.path() : GoodDrafter(); }

  static std::shared_ptr<Answer> Give(OpenModel& open, SequenceRequest request, size_t cancel_after = 0) {
    auto answer = std::make_shared<Answer>();
    request.top_logprobs = 100;
    answer->engine = &open.engine();
    answer->cancel_after = cancel_after;
    answer->id = open.engine().SubmitSequence(std::move(request), answer);
    return answer;
  }

  // Runs the same requests with and without a drafter; returns the answers of the first.
  std::vector<std::shared_ptr<Answer>> Compare(const Submit& submit, EngineOptions options = {}) const {
    options.max_draft_tokens = GetParam().options.max_draft_tokens;
    options.adaptive_drafts = GetParam().options.adaptive_drafts;
    OpenModel plain(checkpoint_.path(), Mode::kExact, options);
    OpenModel drafting(checkpoint_.path(), Mode::kExact, options, {}, DrafterPath());
    const auto expected = submit(plain);
    plain.executor.RunAll();
    auto answers = submit(drafting);
    drafting.executor.RunAll();
    for (size_t i = 0; i < expected.size(); ++i) {
      SCOPED_TRACE("sequence " + std::to_string(i));
      ExpectSame(*answers[i], *expected[i]);
    }
    return answers;
  }

  static std::vector<int32_t> GoldenIds() {
    const std::vector<int64_t> ids =
        GoldenFile(TestDataDir() / "e2b" / "golden.safetensors").Integers("text/input_ids");
    return {ids.begin(), ids.end()};
  }
  static std::vector<int32_t> Ids(int num_ids, int32_t first = 30) {
    std::vector<int32_t> ids{2};
    for (int i = 1; i < num_ids; ++i) ids.push_back(first + i * 7 % 400);
    return ids;
  }
  // Drafts were made, and where the drafter is good taken.
  void ExpectDrafts(const std::vector<std::shared_ptr<Answer>>& answers) const {
    if (GetParam().options.adaptive_drafts) return;  // as many as pay, which may be none
    int64_t num_drafted = 0;
    int64_t num_accepted = 0;
    for (const auto& answer : answers) {
      num_drafted += answer->stats.num_drafted_tokens;
      num_accepted += answer->stats.num_accepted_tokens;
    }
    EXPECT_GT(num_drafted, 0);
    if (GetParam().is_random) {
      EXPECT_LT(num_accepted, num_drafted);
    } else {
      EXPECT_GT(num_accepted, 0);
    }
  }

  SmallCheckpoint checkpoint_;
  const RandomDrafter random_{GoodDrafter(), 7};
};

TEST_P(DraftingTest, AnAnswerAloneOverManyWindows) {
  ExpectDrafts(Compare([](OpenModel& open) { return std::vector{Give(open, TextRequest(GoldenIds(), 150))}; }));
}

// Rings that hold nothing beside the window and the draft.
TEST_P(DraftingTest, AnAnswerWhosePromptComesRowByRow) {
  ExpectDrafts(Compare([](OpenModel& open) { return std::vector{Give(open, TextRequest(GoldenIds(), 60))}; },
                       {.prefill_chunk_rows = 1}));
}

// Every position up to the third block: the window's first end, each place of the ring, and ends of blocks.
TEST_P(DraftingTest, AnAnswerFromTheFirstPositionsOn) {
  ExpectDrafts(Compare(
      [](OpenModel& open) {
        std::vector<int32_t> first = GoldenIds();
        first.resize(12);
        return std::vector{Give(open, TextRequest(std::move(first), 140)), Give(open, TextRequest(Ids(2), 140))};
      },
      {.prefill_chunk_rows = 1}));
}

TEST_P(DraftingTest, AnswersBesideOthersThatReadAndDecode) {
  ExpectDrafts(Compare(
      [](OpenModel& open) {
        std::vector answers = {Give(open, TextRequest(GoldenIds(), 70)), Give(open, TextRequest(Ids(25), 40))};
        for (int i = 0; i < 5; ++i) open.executor.RunOne();
        answers.push_back(Give(open, TextRequest(Ids(61, 90), 30)));
        answers.push_back(Give(open, TextRequest(GoldenIds(), 33)));
        answers.push_back(Give(open, TextRequest(Ids(7, 50), 1)));
        return answers;
      },
      {.prefill_chunk_rows = 16, .max_sequences = 4}));
}

// The rows that may be drafted in a step are shared; one of the prompts is scored meanwhile.
TEST_P(DraftingTest, AnAnswerBesideFifteenOthers) {
  ExpectDrafts(Compare(
      [](OpenModel& open) {
        std::vector<std::shared_ptr<Answer>> answers;
        for (int i = 0; i < 16; ++i) {
          SequenceRequest request = TextRequest(i % 3 == 0 ? GoldenIds() : Ids(5 + 3 * i, 30 + i), 20 + i % 7);
          if (i == 5) request.prompt_logprobs = PromptLogprobs{.first_row = 1, .num_top = 1};
          answers.push_back(Give(open, std::move(request)));
        }
        return answers;
      },
      {.prefill_chunk_rows = 32, .max_sequences = 16}));
}

// The second goes on from what is kept of the first, which is drafting by then.
TEST_P(DraftingTest, AnswersWhosePromptsBeginAlike) {
  const auto answers = Compare([](OpenModel& open) {
    std::vector<std::shared_ptr<Answer>> given;
    for (int i = 0; i < 2; ++i) {
      SequenceRequest request = TextRequest(GoldenIds(), 50);
      request.cut_rows = {static_cast<int64_t>(request.prompt.ids.size()) - 1};
      given.push_back(Give(open, std::move(request)));
      for (int step = 0; step < 4; ++step) open.executor.RunOne();
    }
    return given;
  });
  EXPECT_EQ(answers[1]->stats.num_reused_rows, answers[1]->stats.num_prompt_rows - 1);
  EXPECT_EQ(answers[1]->ids, answers[0]->ids);
  ExpectDrafts(answers);
}

TEST_P(DraftingTest, DrawnAnswers) {
  ExpectDrafts(Compare([](OpenModel& open) {
    std::vector<std::shared_ptr<Answer>> answers;
    for (const uint64_t seed : {1, 2, 3}) {
      SequenceRequest request = TextRequest(GoldenIds(), 50);
      request.sampling = {.temperature = 0.8, .top_k = 20, .top_p = 0.95, .seed = seed};
      answers.push_back(Give(open, std::move(request)));
    }
    return answers;
  }));
}

TEST_P(DraftingTest, AnswersThatEndByTheirRules) {
  OpenModel open(checkpoint_.path());
  const auto whole = Give(open, TextRequest(GoldenIds(), 60));
  open.executor.RunAll();
  // Every place of a stop token in a draft, an end by length at each, and a loop.
  for (size_t place = 5; place < 14; ++place) {
    const int32_t stop_id = whole->ids[place];
    SCOPED_TRACE("stop token " + std::to_string(stop_id));
    Compare([&](OpenModel& opened) {
      SequenceRequest stopped = TextRequest(GoldenIds(), 60);
      stopped.extra_stop_ids = {stop_id};
      SequenceRequest looping = TextRequest(GoldenIds(), 60);
      looping.max_repeats = 2;
      return std::vector{Give(opened, std::move(stopped)), Give(opened, std::move(looping)),
                         Give(opened, TextRequest(GoldenIds(), static_cast<int64_t>(place)))};
    });
  }
}

TEST_P(DraftingTest, TheAnswerEndsWithTheContext) {
  const auto answers = Compare([](OpenModel& open) { return std::vector{Give(open, TextRequest(GoldenIds(), 1000))}; },
                               {.context_tokens = 130});
  EXPECT_EQ(answers[0]->ids.size(), 30U);
  EXPECT_EQ(answers[0]->finish, FinishReason::kContextFull);
}

TEST_P(DraftingTest, AnswersOfAForm) {
  Compare([](OpenModel& open) {
    std::vector<std::shared_ptr<Answer>> answers;
    for (const auto& form : {FormOfSchema(R"({"type":"array","items":{"type":"integer"},"minItems":6,"maxItems":9})"),
                             FormOfChoices({"yes, of course", "no, not at all"})}) {
      SequenceRequest request = AskAbout(*open.model, {}, "Count.");
      request.max_tokens = 60;
      request.constraint = open.model->Constrain(form, request.prompt, /*enable_thinking=*/false);
      answers.push_back(Give(open, std::move(request)));
    }
    return answers;
  });
}

TEST_P(DraftingTest, AnAnswerAboutAPicture) {
  ExpectDrafts(Compare([](OpenModel& open) {
    const auto picture = open.Encode(TestDataDir() / "tiny-samples" / "exit_sign.png", 70);
    SequenceRequest request = AskAbout(*open.model, {picture->tokens}, "Read all text in the image.");
    request.max_tokens = 40;
    return std::vector{Give(open, std::move(request)), Give(open, TextRequest(GoldenIds(), 50))};
  }));
}

TEST_P(DraftingTest, CancelledByItsListenerAnAnswerHasNoFurtherToken) {
  for (const size_t after : {6, 7, 8, 9}) {
    const auto answers = Compare([after](OpenModel& open) {
      return std::vector{Give(open, TextRequest(GoldenIds(), 60), after), Give(open, TextRequest(GoldenIds(), 30))};
    });
    EXPECT_EQ(answers[0]->ids.size(), after);
    EXPECT_EQ(answers[0]->finish, FinishReason::kCancelled);
  }
}

CaseOf Always(std::string name, bool is_random, int64_t max_tokens) {
  return {std::move(name), is_random, {.max_draft_tokens = max_tokens, .adaptive_drafts = false}};
}

INSTANTIATE_TEST_SUITE_P(Drafters, DraftingTest,
                         testing::Values(Always("Good1", false, 1), Always("Good4", false, 4),
                                         Always("Good8", false, 8), Always("Random5", true, 5),
                                         CaseOf{"GoodAdaptive", false, {}}, CaseOf{"RandomAdaptive", true, {}}),
                         [](const auto& test) { return test.param.name; });

// Seven rounds of four tokens from the golden prompt; the last is cut by the length of the answer.
TEST(DraftingGoldenTest, RoundsAreThoseOfTheReference) {
  const SmallCheckpoint checkpoint;
  OpenModel open(checkpoint.path(), Mode::kExact, {.max_draft_tokens = 4, .adaptive_drafts = false}, {}, GoodDrafter());
  const GoldenFile golden(TestDataDir() / "e2b" / "golden.safetensors");
  const std::vector<int64_t> ids = golden.Integers("text/input_ids");
  const auto answer = std::make_shared<SequenceResult>();
  open.engine().SubmitSequence(TextRequest({ids.begin(), ids.end()}, 32), answer);
  EXPECT_EQ(open.executor.RunAll(), 1 + 7);
  EXPECT_EQ(answer->ids.size(), 32U);
  EXPECT_EQ(answer->stats.num_drafted_tokens, 6 * 4 + 2);
  EXPECT_EQ(answer->stats.num_accepted_tokens, 4 + 2 + 4 * 4 + 2);
  const std::vector<TraceEvent> events = open.trace.events();
  EXPECT_EQ(std::count_if(events.begin(), events.end(), [](const TraceEvent& event) { return event.name == "draft"; }),
            2 * 7);
}

// However little a draft costs, none pays where no guess is right: after the first ones there are trials only.
TEST(DraftingGoldenTest, ADrafterThatIsNeverRightIsOff) {
  const SmallCheckpoint checkpoint;
  const RandomDrafter drafter(GoodDrafter(), 7);
  OpenModel open(checkpoint.path(), Mode::kFast, {}, {}, drafter.path());
  const auto give = [&open](int64_t num_tokens) {
    auto answer = std::make_shared<SequenceResult>();
    open.engine().SubmitSequence(TextRequest({2, 40, 50, 60}, num_tokens), answer);
    open.executor.RunAll();
    return answer->stats;
  };
  const SequenceStats first = give(60);
  EXPECT_GT(first.num_drafted_tokens, 0);
  ASSERT_EQ(first.num_accepted_tokens, 0);
  const SequenceStats later = give(600);
  EXPECT_EQ(later.num_output_tokens, 600);
  EXPECT_LE(later.num_drafted_tokens, 250);  // whatever steps took; 3600 if it were always on
}

// A plain head, and keys and values with heads of their own in full layers.
TEST(DraftingGoldenTest, ADrafterWithAPlainHeadChangesNothing) {
  PERCEPT_NEED_SHARED();
  const std::filesystem::path folder = SharedDir() / "goldens" / "variants" / "31b";
  const std::filesystem::path drafter = SharedDir() / "goldens" / "drafters" / "31b";
  const std::vector<int64_t> ids = GoldenFile(folder / "golden.safetensors").Integers("text/input_ids");
  std::vector<std::shared_ptr<SequenceResult>> answers;
  for (const std::filesystem::path& path : {std::filesystem::path(), drafter}) {
    OpenModel open(folder, Mode::kExact, {.adaptive_drafts = false}, {}, path);
    answers.push_back(std::make_shared<SequenceResult>());
    open.engine().SubmitSequence(TextRequest({ids.begin(), ids.end()}, 100), answers.back());
    open.executor.RunAll();
  }
  EXPECT_EQ(answers[1]->ids, answers[0]->ids);
  EXPECT_GT(answers[1]->stats.num_accepted_tokens, 0);
}

class DrafterRefusalTest : public testing::Test {
 protected:
  std::string Refusal(const std::filesystem::path& model, const std::filesystem::path& drafter) const {
    try {
      OpenModel(model, Mode::kExact, {}, {}, drafter);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  SmallCheckpoint checkpoint_;
};

TEST_F(DrafterRefusalTest, TheDrafterOfAnotherModel) {
  EXPECT_THAT(Refusal(EmbeddedModelDir(), GoodDrafter()),
              testing::AllOf(HasSubstr("e2b-drafter/config.json: the drafter of another model than"),
                             HasSubstr("percept-tiny/config.json: made for width 64, not")));
}

TEST_F(DrafterRefusalTest, WhatIsNoDrafter) {
  EXPECT_THAT(Refusal(checkpoint_.path(), checkpoint_.path()),
              HasSubstr("config.json: no drafter, it names no model to draft for (backbone_hidden_size)"));
  EXPECT_THAT(Refusal(checkpoint_.path(), "/nowhere/drafter"), HasSubstr("/nowhere/drafter: no such file or folder"));
}

TEST_F(DrafterRefusalTest, ADrafterWithoutItsModel) {
  EXPECT_THAT(Refusal(GoodDrafter(), {}), HasSubstr("a drafter (backbone_hidden_size), which reads the keys and values "
                                                    "of another model and answers nothing by itself"));
}

TEST_F(DrafterRefusalTest, NoTokensToDraft) {
  EXPECT_THAT([&] { OpenModel(checkpoint_.path(), Mode::kExact, {.max_draft_tokens = 0}, {}, GoodDrafter()); },
              ThrowsMessage<ArgumentError>(HasSubstr("max_draft_tokens is 0: expected at least 1")));
}

}  // namespace
}  // namespace percept
