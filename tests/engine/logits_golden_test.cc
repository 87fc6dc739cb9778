// SPDX-License-Identifier: Apache-2.0
// How likely the engine finds every token of the reference's prompts and answers, in either form of prefill: with all
// rows of the prompt read, and with the last alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "tests/engine/golden_prompt.h"
#include "tests/support/safetensors_bytes.h"
#include "tests/support/shared_dir.h"
#include "tests/support/temp_folder.h"

namespace percept {
namespace {

constexpr double kTolerance = 1e-3;
constexpr int kNumTop = 100;

// A variant with its embedding table in F32. The goldens scale embeddings by the square root of their width; the engine
// rounds that root to the table's type, as the models were trained.
class F32TableCheckpoint {
 public:
  explicit F32TableCheckpoint(const std::filesystem::path& source) {
    for (const auto& file : std::filesystem::directory_iterator(source)) {
      if (file.path().extension() != ".safetensors") {
        std::filesystem::create_symlink(std::filesystem::absolute(file.path()), path() / file.path().filename());
      }
    }
    std::stringstream stream;
    stream << std::ifstream(source / "model.safetensors", std::ios::binary).rdbuf();
    const std::string bytes = stream.str();
    uint64_t header_bytes = 0;
    std::memcpy(&header_bytes, bytes.data(), sizeof(header_bytes));
    const auto header = nlohmann::json::parse(bytes.substr(sizeof(header_bytes), header_bytes));
    const std::string_view data = std::string_view(bytes).substr(sizeof(header_bytes) + header_bytes);
    SafetensorsWriter writer;
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") {
        continue;
      }
      const std::vector<size_t> offsets = entry.at("data_offsets");
      const std::string_view values = data.substr(offsets[0], offsets[1] - offsets[0]);
      if (name == "model.language_model.embed_tokens.weight") {
        writer.AddF32(name, entry.at("shape"), Widened(values));
      } else {
        writer.Add(name, entry.at("dtype"), entry.at("shape"), values);
      }
    }
    folder_.Write("model.safetensors", writer.Bytes());
  }
  const std::filesystem::path& path() const { return folder_.path(); }

 private:
  static std::vector<float> Widened(std::string_view bf16) {
    std::vector<float> values;
    for (size_t at = 0; at < bf16.size(); at += sizeof(uint16_t)) {
      uint16_t bits = 0;
      std::memcpy(&bits, bf16.data() + at, sizeof(bits));
      values.push_back(BF16ToFloat(bits));
    }
    return values;
  }

  TempFolder folder_;
};

struct CaseName {
  const char* variant;
  const char* name;
};

// Rows of logits of a case, as far as they are stored.
struct GoldenLogits {
  GoldenLogits(const std::string& variant, const std::string& name)
      : file(VariantDir(variant) / "golden.safetensors"),
        num_prompt_rows(file.ShapeOf(name + "/input_ids")[0]),
        of_prompt(file.Floats(name + "/f32/logits")),
        of_answer(file.Has(name + "/f32/greedy_logits") ? file.Floats(name + "/f32/greedy_logits")
                                                        : std::vector<float>{}),
        ids(file.Integers(name + "/f32/greedy_ids")),
        vocab_size(file.ShapeOf(name + "/f32/logits")[1]),
        first_row(num_prompt_rows - file.ShapeOf(name + "/f32/logits")[0]) {}

  std::span<const float> Row(const std::vector<float>& rows, int64_t row) const {
    return std::span(rows).subspan(static_cast<size_t>(row * vocab_size), static_cast<size_t>(vocab_size));
  }
  int64_t num_answer_rows() const { return static_cast<int64_t>(of_answer.size()) / vocab_size; }

  GoldenFile file;
  int64_t num_prompt_rows;
  std::vector<float> of_prompt;
  std::vector<float> of_answer;
  std::vector<int64_t> ids;
  int64_t vocab_size;
  int64_t first_row;  // of the prompt, whose logits are stored
};

class EngineLogitsGoldenTest : public testing::TestWithParam<std::tuple<CaseName, int64_t>> {
 protected:
  void SetUp() override { PERCEPT_NEED_SHARED(); }

  void ExpectPrompt(const ScoredResult& result, const GoldenLogits& golden) {
    int64_t num_compared = 0;
    for (const auto& [row, told] : result.of_prompt) {
      if (row > golden.first_row) {
        ++num_compared;
        EXPECT_LT(LogprobDifference(told, golden.Row(golden.of_prompt, row - 1 - golden.first_row)), kTolerance) << row;
      }
    }
    EXPECT_GT(num_compared, 4);
  }

  // The first token stands behind the prompt's last row; later ones as long as the reference has picked the same.
  void ExpectAnswer(const ScoredResult& result, const GoldenLogits& golden) {
    ASSERT_GT(result.of_answer.size(), 3U);
    EXPECT_LT(LogprobDifference(result.of_answer[0],
                                golden.Row(golden.of_prompt, golden.num_prompt_rows - 1 - golden.first_row)),
              kTolerance);
    for (size_t step = 0; step < result.of_answer.size(); ++step) {
      if (static_cast<int64_t>(step) < golden.num_answer_rows()) {
        EXPECT_LT(LogprobDifference(result.of_answer[step], golden.Row(golden.of_answer, static_cast<int64_t>(step))),
                  kTolerance)
            << step;
      }
      ASSERT_EQ(result.ids[step], golden.ids[step]);  // whose gaps are 2e-3 and more
    }
  }
};

TEST_P(EngineLogitsGoldenTest, PromptAndAnswerAreAsLikelyAsTheReferenceSays) {
  const auto& [which, chunk_rows] = GetParam();
  const F32TableCheckpoint checkpoint(VariantDir(which.variant));
  OpenModel open(checkpoint.path(), Mode::kExact, {.prefill_chunk_rows = chunk_rows, .prefix_limit_bytes = 0});
  const GoldenLogits golden(which.variant, which.name);
  for (const bool reads_all_rows : {true, false}) {
    SequenceRequest request = GoldenRequest(open, which.variant, which.name, static_cast<int64_t>(golden.ids.size()));
    request.top_logprobs = kNumTop;
    if (reads_all_rows) {
      request.prompt_logprobs = {.first_row = 1, .num_top = kNumTop};
    }
    const auto result = Ask<ScoredResult>(open, std::move(request));
    if (reads_all_rows) {
      ExpectPrompt(*result, golden);
    }
    ExpectAnswer(*result, golden);
  }
}

std::vector<CaseName> Cases() {
  std::vector<CaseName> cases = {{"31b-w4a16", "text"}, {"e2b", "video"}, {"31b", "video"}};
  for (const char* variant : {"e2b", "e4b", "12b", "26b", "31b"}) {
    for (const char* name : {"text", "image70", "image140"}) {
      cases.push_back({variant, name});
    }
  }
  for (const char* variant : {"e2b", "e4b", "12b"}) {
    cases.push_back({variant, "audio"});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Cases, EngineLogitsGoldenTest,
                         testing::Combine(testing::ValuesIn(Cases()), testing::Values(300, 7)), [](const auto& test) {
                           std::string variant = std::get<0>(test.param).variant;
                           std::erase(variant, '-');
                           return variant + "_" + std::get<0>(test.param).name + "_" +
                                  std::to_string(std::get<1>(test.param));
                         });

}  // namespace
}  // namespace percept
