// SPDX-License-Identifier: Apache-2.0
// Every picture among the embedded model's samples gives the answer that the reference gives.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "decoder/model/text_decoder.h"
#include "engine/loaded_weights.h"
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

// How far a logit of fast mode may be from that of exact mode (soft cap 30; on AMX 0.09 was seen), and how far apart
// two logits may then be for fast mode to prefer the other one.
constexpr float kLogitTolerance = 0.15F;
constexpr float kLeadTolerance = 2 * kLogitTolerance;

// The logits at every position of the reference's answer, given the reference's tokens before it: [answer, vocab].
Matrix LogitsAlong(OpenModel& open, const Sample& sample) {
  const auto picture = open.Encode(TestDataDir() / "tiny-samples" / sample.file, sample.budget);
  const SequenceRequest request = AskAbout(*open.model, {picture->tokens}, sample.prompt);
  std::vector<int32_t> ids = request.prompt.ids;
  ids.insert(ids.end(), sample.output_ids.begin(), sample.output_ids.end() - 1);
  const SoftRows soft{request.prompt.spans[0].first_row, picture->tokens->rows.view()};
  const auto num_rows = static_cast<int64_t>(ids.size());
  const auto num_outputs = static_cast<int64_t>(sample.output_ids.size());
  const TextDecoder& decoder = *open.model->weights().decoder;
  KvPool pool(decoder.config(), num_rows, int64_t{1} << 28);
  const std::unique_ptr<KvCache> cache = pool.Reserve(num_rows);
  Activations activations(decoder.config(), {num_rows, 1, num_outputs, num_rows});
  const Segment segment{cache.get(), ids, {&soft, 1}, num_outputs};
  const MatrixView logits = decoder.Forward({&segment, 1}, activations).logits;
  Matrix copy(logits.rows, logits.cols);
  for (int64_t row = 0; row < logits.rows; ++row) {
    std::copy_n(logits.row(row), logits.cols, copy.view().row(row));
  }
  return copy;
}

// By how much the largest logit leads, the suppressed ones left out.
float Lead(std::vector<float> logits, const std::vector<int32_t>& suppressed) {
  for (const int32_t id : suppressed) {
    logits[static_cast<size_t>(id)] = -std::numeric_limits<float>::infinity();
  }
  std::partial_sort(logits.begin(), logits.begin() + 2, logits.end(), std::greater<>());
  return logits[0] - logits[1];
}

class SamplesTest : public testing::TestWithParam<Sample> {};

TEST_P(SamplesTest, ExactModeGivesTheReferencesTokens) {
  EXPECT_EQ(AnswerOf(Shared(Mode::kExact), GetParam()), GetParam().output_ids);
}

// Greedy text may differ only where the exact logits leave the choice open.
TEST_P(SamplesTest, FastModeDiffersOnlyWhereTwoTokensAreAsGood) {
  const Sample& sample = GetParam();
  const Matrix exact = LogitsAlong(Shared(Mode::kExact), sample);
  const Matrix fast = LogitsAlong(Shared(Mode::kFast), sample);
  float largest_error = 0;
  for (int64_t row = 0; row < exact.rows(); ++row) {
    for (int64_t id = 0; id < exact.cols(); ++id) {
      largest_error = std::max(largest_error, std::abs(fast.view().row(row)[id] - exact.view().row(row)[id]));
    }
  }
  EXPECT_LT(largest_error, kLogitTolerance);
  RecordProperty("largest_error", std::to_string(largest_error));

  const std::vector<int32_t> answer = AnswerOf(Shared(Mode::kFast), sample);
  const auto differs = std::mismatch(answer.begin(), answer.end(), sample.output_ids.begin(), sample.output_ids.end());
  if (differs.second == sample.output_ids.end()) {
    EXPECT_EQ(answer.size(), sample.output_ids.size());
    return;
  }
  const float* logits = exact.view().row(differs.second - sample.output_ids.begin());
  EXPECT_LT(Lead({logits, logits + exact.cols()}, Shared(Mode::kExact).model->generation().suppress_ids),
            kLeadTolerance)
      << "at token " << differs.second - sample.output_ids.begin();
}

INSTANTIATE_TEST_SUITE_P(EmbeddedModel, SamplesTest, testing::ValuesIn(PictureSamples()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace percept
