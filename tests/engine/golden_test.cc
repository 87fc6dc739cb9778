// SPDX-License-Identifier: Apache-2.0
// Answers through the whole engine against those of the reference.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "tests/engine/golden_prompt.h"
#include "tests/support/golden_file.h"
#include "tests/support/random_matrix.h"
#include "tests/support/shared_dir.h"
#include "tests/support/temp_folder.h"
#include "tests/support/wav.h"

namespace percept {
namespace {

// The engine scales embeddings as the models were trained, the goldens do not: logits differ by up to 0.05.
constexpr double kGapThatDecides = 0.1;

std::vector<int32_t> GreedyIds(const std::filesystem::path& folder, const std::string& name) {
  std::ifstream file(folder / "golden.json");
  return nlohmann::json::parse(file).at("cases").at(name).at("greedy_ids");
}

// Where the steps of the only prompt ended.
std::vector<int64_t> ChunkEnds(const TraceRecorder& trace) {
  std::vector<int64_t> ends;
  for (const TraceEvent& event : trace.events()) {
    if (event.name == "prefill" && event.phase == TraceEvent::Phase::kBegin) {
      ends.push_back(event.value + (ends.empty() ? 0 : ends.back()));
    }
  }
  return ends;
}

// A token may differ where the reference was undecided; what follows is another text then. Answers that stop early are
// as far as they go.
void ExpectSameAnswer(const std::vector<int32_t>& ids, const std::vector<int32_t>& golden,
                      const std::vector<float>& gaps) {
  constexpr size_t kFewest = 4;
  ASSERT_GE(ids.size(), kFewest);
  for (size_t step = 0; step < ids.size(); ++step) {
    if (ids[step] != golden[step]) {
      EXPECT_LT(gaps[step], kGapThatDecides) << "step " << step << ": " << ids[step] << " for " << golden[step];
      EXPECT_GE(step, kFewest);
      return;
    }
  }
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

// Also tokens that a checkpoint suppresses, which the 12B kind would say here.
class EngineTextGoldenTest : public testing::TestWithParam<const char*> {};

TEST_P(EngineTextGoldenTest, TheAnswerIsTheReferences) {
  PERCEPT_NEED_SHARED();
  const std::filesystem::path folder = SharedDir() / "goldens" / "variants" / GetParam();
  OpenModel open(folder);
  const GoldenFile golden(folder / "golden.safetensors");
  const auto answer = std::make_shared<SequenceResult>();
  open.engine().SubmitSequence(TextRequest(PromptIds(golden, "text"), 32), answer);
  open.executor.RunAll();
  ExpectSameAnswer(answer->ids, GreedyIds(folder, "text"), golden.Floats("text/f32/greedy_gap"));
}

INSTANTIATE_TEST_SUITE_P(Variants, EngineTextGoldenTest, testing::Values("e4b", "12b", "26b", "31b"),
                         [](const auto& test) { return std::string(test.param); });

// Linear layers of the decoder in 4 bits.
TEST(EngineGoldenTest, PackedWeightsGiveTheReferencesAnswer) {
  PERCEPT_NEED_SHARED();
  const std::filesystem::path folder = SharedDir() / "goldens" / "variants" / "31b-w4a16";
  OpenModel open(folder);
  const GoldenFile golden(folder / "golden.safetensors");
  const std::vector<int64_t> expected = golden.Integers("text/f32/greedy_ids");
  const auto answer = std::make_shared<SequenceResult>();
  open.engine().SubmitSequence(TextRequest(PromptIds(golden, "text"), static_cast<int64_t>(expected.size())), answer);
  open.executor.RunAll();
  EXPECT_EQ(answer->ids, std::vector<int32_t>(expected.begin(), expected.end()));
  EXPECT_GT(open.model->card().dtypes.at("INT4"), 0);
}

// The newer form of config.json, and weights in several files.
TEST(EngineGoldenTest, OtherFormsOfTheFilesGiveTheSameAnswer) {
  PERCEPT_NEED_SHARED();
  const std::filesystem::path variants = SharedDir() / "goldens" / "variants";
  const TempFolder folder;
  const auto link = [&](const std::filesystem::path& file, const std::string& name) {
    std::filesystem::create_symlink(std::filesystem::absolute(file), folder.path() / name);
  };
  link(variants / "e2b" / "config.v5.json", "config.json");
  for (const char* file : {"generation_config.json", "processor_config.json", "tokenizer.json"}) {
    link(variants / "e2b" / file, file);
  }
  for (const auto& file : std::filesystem::directory_iterator(variants / "e2b-sharded")) {
    link(file.path(), file.path().filename().string());
  }
  OpenModel open(folder.path());
  const GoldenFile golden(variants / "e2b" / "golden.safetensors");
  const auto answer = std::make_shared<SequenceResult>();
  open.engine().SubmitSequence(TextRequest(PromptIds(golden, "text"), 32), answer);
  open.executor.RunAll();
  EXPECT_EQ(answer->ids, GreedyIds(variants / "e2b", "text"));
}

// Through a tower, and frame by frame without one.
class EngineSoundGoldenTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { PERCEPT_NEED_SHARED(); }
  static std::filesystem::path folder() { return SharedDir() / "goldens" / "variants" / GetParam(); }
};

TEST_P(EngineSoundGoldenTest, TwoClipsGiveTheReferencesAnswer) {
  OpenModel open(folder());
  const GoldenFile golden(folder() / "golden.safetensors");
  SequenceRequest request = TextRequest(PromptIds(golden, "audio"), 32);
  request.prompt.spans = SpansOf(request.prompt.ids, open.model->special_tokens().audio);
  for (const char* clip : {"clip_a.wav", "clip_b.wav"}) {
    request.media.push_back(open.Hear(ReadWav(folder().parent_path() / "inputs" / clip))->tokens);
  }
  const auto answer = std::make_shared<SequenceResult>();
  open.engine().SubmitSequence(std::move(request), answer);
  open.executor.RunAll();
  ExpectSameAnswer(answer->ids, GreedyIds(folder(), "audio"), golden.Floats("audio/f32/greedy_gap"));
}

TEST_P(EngineSoundGoldenTest, ClipsThatCannotBeUsedAreRefused) {
  OpenModel open(folder());
  EXPECT_THAT([&] { open.Hear({}); }, testing::ThrowsMessage<InputError>("a clip without samples"));
  std::vector<float> samples(2000);
  samples[1234] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT([&] { open.Hear(samples); },
              testing::ThrowsMessage<InputError>("sample 1234 of a clip is not a finite number"));
  const std::vector<float> long_clip(30 * 16000 + 1);
  if (open.model->card().text.audio == EncoderKind::kTower) {
    EXPECT_THAT([&] { open.Hear(long_clip); },
                testing::ThrowsMessage<InputError>(testing::HasSubstr("(480001 samples) is too long")));
  } else {
    EXPECT_EQ(open.Hear(long_clip)->tokens->rows.rows(), 751);
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, EngineSoundGoldenTest, testing::Values("e2b", "e4b", "12b"),
                         [](const auto& test) { return std::string(test.param); });

// Whole prompts of two pictures. Where rows of a picture see each other, chunks end outside of pictures; else anywhere.
class EngineImageGoldenTest : public testing::TestWithParam<std::tuple<const char*, int, int64_t>> {
 protected:
  void SetUp() override { PERCEPT_NEED_SHARED(); }
};

TEST_P(EngineImageGoldenTest, TwoPicturesGiveTheReferencesAnswer) {
  const auto& [variant, budget, chunk_rows] = GetParam();
  const std::string name = "image" + std::to_string(budget);
  const std::filesystem::path variants = SharedDir() / "goldens" / "variants";
  OpenModel open(variants / variant, Mode::kExact, {.prefill_chunk_rows = chunk_rows});
  const GoldenFile golden(variants / variant / "golden.safetensors");
  SequenceRequest request = GoldenRequest(open, variant, name, 32);
  const std::vector<SoftSpan> spans = request.prompt.spans;
  const auto answer = Ask<SequenceResult>(open, std::move(request));
  ExpectSameAnswer(answer->ids, GreedyIds(variants / variant, name), golden.Floats(name + "/f32/greedy_gap"));
  if (open.model->text_config().bidirectional == BidirectionalAttention::kMediaRuns) {
    for (const int64_t end : ChunkEnds(open.trace)) {
      for (const SoftSpan& span : spans) {
        EXPECT_FALSE(span.first_row < end && end < span.first_row + span.num_rows) << end;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Chunks, EngineImageGoldenTest,
                         testing::Combine(testing::Values("e2b", "12b", "26b", "31b"), testing::Values(70, 140),
                                          testing::Values(300, 37, 1)),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param)) + "_" + std::to_string(std::get<1>(test.param)) +
                                  "_" + std::to_string(std::get<2>(test.param));
                         });

}  // namespace
}  // namespace percept
