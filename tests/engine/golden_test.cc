// SPDX-License-Identifier: Apache-2.0
// Answers through the whole engine against those of the reference.
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/encoders/png.h"
#include "tests/engine/engine_fixture.h"
#include "tests/support/golden_file.h"
#include "tests/support/shared_dir.h"

namespace percept {
namespace {

std::vector<int32_t> GreedyIds(const std::filesystem::path& folder, const std::string& name) {
  std::ifstream file(folder / "golden.json");
  return nlohmann::json::parse(file).at("cases").at(name).at("greedy_ids");
}

std::vector<int32_t> PromptIds(const GoldenFile& golden, const std::string& name) {
  const std::vector<int64_t> ids = golden.Integers(name + "/input_ids");
  return {ids.begin(), ids.end()};
}

// One span for each run of placeholders.
std::vector<SoftSpan> SpansOf(const std::vector<int32_t>& ids, int32_t placeholder) {
  std::vector<SoftSpan> spans;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] != placeholder) {
      continue;
    }
    if (i == 0 || ids[i - 1] != placeholder) {
      spans.push_back({.first_row = static_cast<int>(i), .media_idx = static_cast<int>(spans.size())});
    }
    ++spans.back().num_rows;
  }
  return spans;
}

TEST(EngineGoldenTest, TextAnswerIsTheReferences) {
  const SmallCheckpoint checkpoint;
  OpenModel open(checkpoint.path());
  const GoldenFile golden(TestDataDir() / "e2b" / "golden.safetensors");
  const auto answer = std::make_shared<SequenceResult>();
  const auto start = std::chrono::steady_clock::now();
  open.engine().SubmitSequence(TextRequest(PromptIds(golden, "text"), 32), answer);
  open.executor.RunAll();
  const auto elapsed = std::chrono::steady_clock::now() - start;
  EXPECT_EQ(answer->ids, GreedyIds(TestDataDir() / "e2b", "text"));
  EXPECT_EQ(answer->finish, FinishReason::kLength);
  EXPECT_EQ(answer->stats.num_prompt_rows, 100);
  EXPECT_EQ(answer->stats.num_output_tokens, 32);
  EXPECT_EQ(answer->num_terminal_calls, 1);
  EXPECT_GT(answer->stats.decode.count(), 0);
  EXPECT_LE(answer->stats.queued + answer->stats.first_token + answer->stats.decode, elapsed);
}

// Chunks that end anywhere, also inside a picture, give the same tokens.
class EngineImageGoldenTest : public testing::TestWithParam<int64_t> {};

TEST_P(EngineImageGoldenTest, TwoPicturesGiveTheReferencesAnswer) {
  PERCEPT_NEED_SHARED();
  const std::filesystem::path variants = SharedDir() / "goldens" / "variants";
  OpenModel open(variants / "e2b", Mode::kExact, {.prefill_chunk_rows = GetParam()});
  const GoldenFile golden(variants / "e2b" / "golden.safetensors");
  SequenceRequest request = TextRequest(PromptIds(golden, "image70"), 32);
  request.prompt.spans = SpansOf(request.prompt.ids, open.model->special_tokens().image);
  for (const char* picture : {"image_a.png", "image_b.png"}) {
    request.media.push_back(open.Encode(variants / "inputs" / picture, 70)->tokens);
  }
  const auto answer = std::make_shared<SequenceResult>();
  open.engine().SubmitSequence(std::move(request), answer);
  open.executor.RunAll();
  EXPECT_EQ(answer->ids, GreedyIds(variants / "e2b", "image70"));
}

INSTANTIATE_TEST_SUITE_P(Chunks, EngineImageGoldenTest, testing::Values(256, 37, 1));

}  // namespace
}  // namespace percept
