// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/bench/random_model.h"
#include "engine/bench/random_source.h"
#include "engine/bench/random_tensors.h"
#include "engine/bench/stage_timing.h"
#include "engine/loaded_weights.h"
#include "tests/engine/engine_fixture.h"
#include "tests/support/shared_dir.h"
#include "tests/support/test_context.h"

namespace percept {
namespace {

using testing::HasSubstr;

// A layer's tensors stand under `{i}` with the layers that have each shape.
std::map<std::string, std::vector<int64_t>> ReleasedTensors(const nlohmann::json& inventory) {
  std::map<std::string, std::vector<int64_t>> tensors;
  for (const auto& [name, entry] : inventory.items()) {
    const size_t place = name.find("{i}");
    if (place == std::string::npos) {
      tensors[name] = entry.get<std::vector<int64_t>>();
      continue;
    }
    for (const nlohmann::json& form : entry) {
      for (const int layer : form.at("layers")) {
        std::string full = name;
        tensors[full.replace(place, 3, std::to_string(layer))] = form.at("shape").get<std::vector<int64_t>>();
      }
    }
  }
  return tensors;
}

class RandomShapeTest : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(RandomShapeTest, HasTheTensorsOfTheReleasedModel) {
  PERCEPT_NEED_SHARED();
  const auto& [shape, released_name] = GetParam();
  std::ifstream file(SharedDir() / "goldens" / "real" / "tensors.json");
  const auto released = ReleasedTensors(nlohmann::json::parse(file).at(released_name).at("inventory"));
  const ModelConfig config = RandomModelConfig(shape);
  std::map<std::string, std::vector<int64_t>> ours;
  for (const RandomTensor& tensor : TensorsOf(config)) {
    std::vector<int64_t>& dims = ours[tensor.name];
    for (int axis = 0; axis < tensor.shape.rank(); ++axis) {
      dims.push_back(tensor.shape[axis]);
    }
  }
  EXPECT_EQ(ours, released);
}

INSTANTIATE_TEST_SUITE_P(Shapes, RandomShapeTest,
                         testing::Values(std::pair("e2b", "E2B"), std::pair("e4b", "E4B"), std::pair("12b", "12B"),
                                         std::pair("26b", "26B-A4B"), std::pair("31b", "31B")),
                         [](const auto& test) { return std::string(test.param.first); });

TEST(RandomModelTest, AnUnknownShapeIsRefusedWithTheKnownOnes) {
  try {
    RandomModel("e9b", DType::kBF16, TestContext(Mode::kFast));
    FAIL() << "no error";
  } catch (const ArgumentError& error) {
    EXPECT_STREQ(error.what(), "no shape named 'e9b'; there are e2b, e4b, 12b, 26b, 31b");
  }
}

TEST(RandomModelTest, OneThatMemoryCannotHoldIsRefused) {
  try {
    RandomModel("31b", DType::kF32, TestContext(Mode::kFast));
    FAIL() << "no error";
  } catch (const ArgumentError& error) {
    EXPECT_THAT(error.what(),
                testing::StartsWith("shape '31b' needs 124 GB for its weights in F32; this machine has "));
  }
}

DType TypeOf(const std::vector<RandomTensor>& tensors, std::string_view name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const auto& each) { return each.name == name; });
  return found == tensors.end() ? DType::kI64 : found->dtype;
}

TEST(RandomTensorsTest, MatricesOfTheDecoderHaveTheTypeThatFilesGiveThem) {
  const ModelConfig e2b = RandomModelConfig("e2b");
  const std::vector<RandomTensor> tensors = TensorsOf(e2b, DType::kQ40);
  const std::string model = "model.language_model.";
  EXPECT_EQ(TypeOf(tensors, model + "layers.3.mlp.down_proj.weight"), DType::kQ40);
  EXPECT_EQ(TypeOf(tensors, model + "embed_tokens.weight"), DType::kQ6K);
  EXPECT_EQ(TypeOf(tensors, model + "per_layer_model_projection.weight"), DType::kBF16);
  EXPECT_EQ(TypeOf(tensors, model + "layers.3.input_layernorm.weight"), DType::kBF16);
  EXPECT_EQ(TypeOf(tensors, "model.vision_tower.encoder.layers.0.mlp.up_proj.linear.weight"), DType::kBF16);
  const ModelConfig a4b = RandomModelConfig("26b");
  // 704 values a row: not whole blocks of 256.
  EXPECT_EQ(TypeOf(TensorsOf(a4b, DType::kQ4K), model + "layers.0.experts.down_proj"), DType::kQ80);
}

// A small model of the same kind, so that the test needs little memory.
ModelConfig SmallConfig() {
  const std::string file = (TestDataDir() / "e2b" / "config.json").string();
  return {.text = ReadTextConfig(file), .vision = ReadVisionConfig(file), .audio = ReadAudioConfig(file)};
}

TEST(RandomSourceTest, RepeatsMemoryForTablesReadByRow) {
  const RandomSource source({{"table", {3, 40'000'000}, RandomTensorUse::kReadByRow},
                             {"head", {3, 40'000'000}, RandomTensorUse::kReadWhole}});
  const auto* table = static_cast<const uint16_t*>(source.Find("table")->bytes);
  const auto* head = static_cast<const uint16_t*>(source.Find("head")->bytes);
  constexpr int64_t kChunkValues = 32 << 20;
  EXPECT_TRUE(std::equal(table, table + 1000, table + kChunkValues));
  EXPECT_TRUE(std::equal(table, table + 1000, head + kChunkValues));
  EXPECT_NE(table[0], table[1]);
  EXPECT_EQ(source.Find("other"), nullptr);
}

TEST(StageTimingTest, TimesEveryStageOfARandomModel) {
  const ModelConfig config = SmallConfig();
  const LoadedWeights weights(std::make_unique<RandomSource>(TensorsOf(config)), config, TestContext(Mode::kFast));
  const std::vector<StageTime> stages = TimeStages(weights, {.image_budget = 70,
                                                             .num_text_tokens = 5,
                                                             .num_prompt_tokens = 9,
                                                             .num_output_tokens = 4,
                                                             .num_samples = 16000,
                                                             .num_repetitions = 3});
  ASSERT_EQ(stages.size(), 8U);
  EXPECT_EQ(stages[0].name, "preprocess");
  EXPECT_EQ(stages[1].name, "tower");
  EXPECT_EQ(stages[1].amount, 70);
  EXPECT_EQ(stages[2].name, "prefill");
  EXPECT_EQ(stages[2].amount, 75);
  EXPECT_EQ(stages[3].name, "decode");
  EXPECT_EQ(stages[3].amount, 3);
  EXPECT_EQ(stages[4].name, "sound");
  EXPECT_EQ(stages[4].amount, 25);
  EXPECT_EQ(stages[5].name, "prompt");
  EXPECT_EQ(stages[5].amount, 9);
  EXPECT_GT(stages[5].flops, 0);
  EXPECT_EQ(stages[6].name, "decode x4");
  EXPECT_EQ(stages[7].name, "decode x8");
  EXPECT_EQ(stages[7].amount, 3);
  EXPECT_EQ(stages[7].read_bytes, stages[3].read_bytes);
  for (const StageTime& stage : stages) {
    EXPECT_EQ(stage.seconds.size(), 3U) << stage.name;
    EXPECT_LE(stage.fastest_s(), stage.median_s()) << stage.name;
    EXPECT_LE(stage.median_s(), stage.slowest_s()) << stage.name;
  }
}

TEST(StageTimingTest, CountsWhatTheSpecificationCounts) {
  const ModelConfig config = RandomModelConfig("e2b");
  EXPECT_NEAR(TowerFlops(*config.vision, 2520, 1536), 1.08e12, 0.01e12);
  EXPECT_NEAR(TowerFlops(*config.vision, 10080, 1536), 8.05e12, 0.02e12);
  EXPECT_NEAR(AudioTowerFlops(*config.audio, 750, 1536), 444e9, 0.5e9);
  // Every further token of a prompt costs the 14 layers before the last one with keys, and that one's keys and values:
  // per layer 1536 * (2 * 8 heads * head size + 2 * head size + 3 * 6144 + 2 * 256) products, and the projection of all
  // per-layer embeddings.
  const double sliding = 1536.0 * (16 * 256 + 2 * 256 + 3 * 6144 + 2 * 256);
  const double full = 1536.0 * (16 * 512 + 2 * 512 + 3 * 6144 + 2 * 256);
  const double per_token = 2 * (12 * sliding + 2 * full + 1536.0 * 2 * 512 + 1536.0 * 35 * 256);
  EXPECT_DOUBLE_EQ(PromptFlops(config.text, 512) - PromptFlops(config.text, 511), per_token);
}

TEST(StageTimingTest, RefusesOptionsOutOfRange) {
  const ModelConfig config = SmallConfig();
  const LoadedWeights weights(std::make_unique<RandomSource>(TensorsOf(config)), config, TestContext(Mode::kFast));
  const auto error = [&](const StageTimingOptions& options) -> std::string {
    try {
      TimeStages(weights, options);
    } catch (const ArgumentError& argument) {
      return argument.what();
    }
    return "(no error)";
  };
  EXPECT_THAT(error({.num_output_tokens = 1}), HasSubstr("num_output_tokens is 1: expected at least 2"));
  EXPECT_THAT(error({.num_prompt_tokens = 0}), HasSubstr("num_prompt_tokens is 0"));
  EXPECT_THAT(error({.num_repetitions = 0}), HasSubstr("num_repetitions is 0"));
  EXPECT_THAT(error({.image_budget = 71}), HasSubstr("71"));
}

}  // namespace
}  // namespace percept
