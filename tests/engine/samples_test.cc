// SPDX-License-Identifier: Apache-2.0
// Every picture among the embedded model's samples gives the answer that the reference gives.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/engine/engine_fixture.h"
#include "tests/support/shared_dir.h"

namespace percept {
namespace {

struct Sample {
  std::string name, file, prompt;
  int budget = 0;
  std::vector<int32_t> prompt_ids, output_ids;
};

void PrintTo(const Sample& sample, std::ostream* out) { *out << sample.name; }

std::vector<Sample> PictureSamples() {
  std::ifstream file(TestDataDir() / "tiny-samples" / "samples.json");
  std::vector<Sample> samples;
  for (const nlohmann::json& entry : nlohmann::json::parse(file)) {
    if (entry.at("kind") == "image") {
      samples.push_back({entry.at("name"), entry.at("file"), entry.at("prompt"), entry.at("budget"),
                         entry.at("prompt_ids"), entry.at("output_ids")});
    }
  }
  return samples;
}

OpenModel& Shared(Mode mode) {
  static OpenModel exact(EmbeddedModelDir(), Mode::kExact);
  static OpenModel fast(EmbeddedModelDir(), Mode::kFast);
  return mode == Mode::kExact ? exact : fast;
}

// The answer with its stop token, as the samples have it.
std::vector<int32_t> AnswerOf(OpenModel& open, const Sample& sample) {
  const auto picture = open.Encode(TestDataDir() / "tiny-samples" / sample.file, sample.budget);
  SequenceRequest request = AskAbout(*open.model, {picture->tokens}, sample.prompt);
  EXPECT_EQ(request.prompt.ids, sample.prompt_ids);
  auto answer = std::make_shared<SequenceResult>();
  open.engine().SubmitSequence(std::move(request), answer);
  open.executor.RunAll();
  if (answer->stats.stop_id) {
    answer->ids.push_back(*answer->stats.stop_id);
  }
  return answer->ids;
}

class SamplesTest : public testing::TestWithParam<Sample> {};

TEST_P(SamplesTest, ExactModeGivesTheReferencesTokens) {
  EXPECT_EQ(AnswerOf(Shared(Mode::kExact), GetParam()), GetParam().output_ids);
}

INSTANTIATE_TEST_SUITE_P(EmbeddedModel, SamplesTest, testing::ValuesIn(PictureSamples()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace percept
