// SPDX-License-Identifier: Apache-2.0
// What reads what inside a pass: changed weights show it where equal numbers could be chance. docs/conformance.md has
// the whole list.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/decoder/edited_source.h"
#include "tests/decoder/model_fixture.h"
#include "tests/support/shared_dir.h"
#include "tests/support/test_context.h"

namespace percept {
namespace {

using testing::Each;
using testing::FloatNear;

// Keeps one stage of every layer.
class StageRecorder final : public ForwardObserver {
 public:
  explicit StageRecorder(ForwardStage stage) : stage_(stage) {}
  void OnTensor(ForwardStage stage, int layer_idx, ConstMatrixView values) override {
    if (stage == stage_) {
      layers[layer_idx] = Values(values);
    }
  }

  std::map<int, std::vector<float>> layers;

 private:
  ForwardStage stage_;
};

// Passes over a case of a variant, each with weights edited by the test.
class ConformanceTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    PERCEPT_NEED_SHARED();
    folder_ = SharedDir() / "goldens" / "variants" / GetParam();
    config_ = ReadTextConfig(folder_ / "config.json");
  }

  EditedSource Open() const { return EditedSource(folder_); }

  std::map<int, std::vector<float>> Run(const EditedSource& source, ForwardStage stage,
                                        const std::string& name = "text") const {
    const KernelContext context = TestContext(Mode::kExact);
    ClaimList claims(source);
    const TextDecoder decoder(config_, TextWeights::Bind(config_, claims, context), context);
    const PromptRows prompt(GoldenFile(folder_ / "golden.safetensors"), name, config_.hidden_size);
    StepRunner runner(decoder, /*threads=*/2);
    const std::unique_ptr<KvCache> cache = runner.NewSequence();
    const std::vector<SoftRows> soft = prompt.SoftIn(0, prompt.num_rows());
    const Segment segment{.cache = cache.get(), .ids = prompt.ids, .soft_rows = soft, .num_output_rows = 1};
    StageRecorder seen(stage);
    runner.Step({&segment, 1}, &seen);
    return seen.layers;
  }

  // The layers in which two passes differ.
  static std::set<int> Differing(const std::map<int, std::vector<float>>& a,
                                 const std::map<int, std::vector<float>>& b) {
    std::set<int> differing;
    for (const auto& [layer_idx, values] : a) {
      if (b.at(layer_idx) != values) {
        differing.insert(layer_idx);
      }
    }
    return differing;
  }

  static std::string Layer(int layer_idx) { return "layers." + std::to_string(layer_idx) + "."; }

  std::filesystem::path folder_;
  TextConfig config_;
};

class DonorConformanceTest : public ConformanceTest {
 protected:
  // The layers whose attention changes with the key projection of one, while no layer hands on what its attention
  // gives.
  std::vector<std::set<int>> ReadersOfEachLayer() const {
    const auto open = [&] {
      EditedSource source = Open();
      for (int i = 0; i < config_.num_layers(); ++i) {
        source.Edit(Layer(i) + "post_attention_layernorm.weight", [](float, int64_t) { return 0.0F; });
      }
      return source;
    };
    const auto unchanged = Run(open(), ForwardStage::kAttentionOutput);
    std::vector<std::set<int>> readers;
    for (int i = 0; i < config_.num_layers(); ++i) {
      EditedSource source = open();
      const std::string k_proj = Layer(i) + "self_attn.k_proj.weight";
      if (source.Find(EditedSource::kPrefix + k_proj) != nullptr) {
        source.Edit(k_proj, [](float value, int64_t) { return -value; });
        readers.push_back(Differing(unchanged, Run(source, ForwardStage::kAttentionOutput)));
      }
    }
    return readers;
  }
};

// The last layer of a kind that has keys of its own gives them to the layers of that kind behind it, and no other does:
// 3 and 4 of the e2b kind; 4 and 5 of the e4b kind, whose file has keys for the layers behind them too.
TEST_P(DonorConformanceTest, KeysAreReadByTheirLayerAndByThoseItGivesThemTo) {
  std::vector<std::set<int>> expected = {{0}, {1}, {2}, {3, 5, 6, 7, 8}, {4, 9}};
  if (GetParam() == std::string("e4b")) {
    expected = {{0}, {1}, {2}, {3}, {4, 6, 7, 8, 9, 10}, {5, 11}, {}, {}, {}, {}, {}, {}};
  }
  EXPECT_EQ(ReadersOfEachLayer(), expected);
}

INSTANTIATE_TEST_SUITE_P(Variants, DonorConformanceTest, testing::Values("e2b", "e4b"),
                         [](const auto& test) { return std::string(test.param); });

class ValueConformanceTest : public ConformanceTest {
 protected:
  static constexpr int kFullLayer = 5;
  static constexpr int64_t kHeadDim = 32;
  static constexpr int64_t kNumRotated = 4;  // pairs, of 16
};

// Keys before their norm's weight and their rotation are the values: pairs of lanes keep their length under a rotation,
// and those that do not rotate their values.
TEST_P(ValueConformanceTest, FullLayersHaveTheRawKeysForValues) {
  const EditedSource source = Open();
  const std::vector<float> keys = Run(source, ForwardStage::kKey).at(kFullLayer);
  const std::vector<float> values = Run(source, ForwardStage::kValue).at(kFullLayer);
  const std::vector<float> norm = Open().FloatsOf(Layer(kFullLayer) + "self_attn.k_norm.weight");
  ASSERT_EQ(keys.size(), values.size());
  ASSERT_EQ(norm.size(), static_cast<size_t>(kHeadDim));
  double largest_turn = 0;
  for (size_t head = 0; head < keys.size(); head += kHeadDim) {
    double squares = 0;
    for (size_t lane = 0; lane < kHeadDim / 2; ++lane) {
      const size_t a = head + lane;
      const size_t b = a + kHeadDim / 2;
      const double unrotated_a = double{values[a]} * norm[lane];
      const double unrotated_b = double{values[b]} * norm[lane + kHeadDim / 2];
      squares += values[a] * values[a] + values[b] * values[b];
      ASSERT_NEAR(std::hypot(keys[a], keys[b]), std::hypot(unrotated_a, unrotated_b), 1e-5);
      if (lane < kNumRotated) {
        largest_turn = std::max(largest_turn, std::abs(keys[a] - unrotated_a));
      } else {
        ASSERT_NEAR(keys[a], unrotated_a, 1e-5);
        ASSERT_NEAR(keys[b], unrotated_b, 1e-5);
      }
    }
    ASSERT_NEAR(squares / kHeadDim, 1, 1e-4);  // a norm without a weight
  }
  EXPECT_GT(largest_turn, 0.1);
}

INSTANTIATE_TEST_SUITE_P(Variants, ValueConformanceTest, testing::Values("12b", "26b", "31b"),
                         [](const auto& test) { return std::string(test.param); });

class PerLayerEmbeddingConformanceTest : public ConformanceTest {
 protected:
  // Which [row, layer] of the per-layer embeddings another table changes.
  std::set<std::pair<int64_t, int64_t>> Changed(const std::string& name,
                                                const std::function<bool(int64_t id, int64_t layer)>& is_edited) const {
    const int64_t width = config_.ple_width;
    const int64_t num_layers = config_.num_layers();
    EditedSource edited = Open();
    edited.Edit("embed_tokens_per_layer.weight", [&](float value, int64_t place) {
      const int64_t id = place / (num_layers * width);
      return is_edited(id, place / width % num_layers) ? value + 1 : value;
    });
    const std::vector<float> before = Run(Open(), ForwardStage::kPerLayerEmbedding, name).at(-1);
    const std::vector<float> after = Run(edited, ForwardStage::kPerLayerEmbedding, name).at(-1);
    std::set<std::pair<int64_t, int64_t>> changed;
    for (size_t i = 0; i < before.size(); ++i) {
      if (before[i] != after[i]) {
        const int64_t part = static_cast<int64_t>(i) / width;
        changed.emplace(part / num_layers, part % num_layers);
      }
    }
    return changed;
  }
};

// Of every kind of medium.
TEST_P(PerLayerEmbeddingConformanceTest, RowsOfMediaReadThePadRowOfTheTable) {
  constexpr int64_t kLayer = 7;
  for (const char* name : {"image70", "audio", "video"}) {
    const GoldenFile golden(folder_ / "golden.safetensors");
    const std::vector<int64_t> types = golden.Integers(std::string(name) + "/token_type");
    std::set<std::pair<int64_t, int64_t>> expected;
    for (size_t row = 0; row < types.size(); ++row) {
      if (types[row] != 0) {
        expected.emplace(row, kLayer);
      }
    }
    ASSERT_GT(expected.size(), 40U);
    EXPECT_EQ(Changed(name, [](int64_t id, int64_t layer) { return id == 0 && layer == kLayer; }), expected) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, PerLayerEmbeddingConformanceTest, testing::Values("e2b"),
                         [](const auto& test) { return std::string(test.param); });

class ExpertConformanceTest : public ConformanceTest {
 protected:
  // Whether twice the weight of a tensor of layer 1 changes what a stage of this layer is.
  bool Reads(ForwardStage stage, const std::string& tensor) const {
    EditedSource edited = Open();
    edited.Edit(Layer(1) + tensor, [](float value, int64_t place) { return place % 2 == 0 ? 2 * value : value; });
    return Run(Open(), stage).at(1) != Run(edited, stage).at(1);
  }
};

TEST_P(ExpertConformanceTest, SharesOfTheChosenAddUpToOneBeforeTheirFactors) {
  EditedSource source = Open();
  source.AddOnes(EditedSource::kPrefix + Layer(1) + "router.per_expert_scale", {16});
  const std::vector<float> weights = Run(source, ForwardStage::kExpertWeights).at(1);
  std::vector<float> sums;
  for (size_t i = 0; i < weights.size(); i += 4) {
    sums.push_back(weights[i] + weights[i + 1] + weights[i + 2] + weights[i + 3]);
  }
  EXPECT_EQ(sums.size(), 100U);
  EXPECT_THAT(sums, Each(FloatNear(1, 1e-6F)));
}

TEST_P(ExpertConformanceTest, TheRouterReadsTheStreamAndTheExpertsTheirOwnNorm) {
  EXPECT_TRUE(Reads(ForwardStage::kRouterLogits, "post_attention_layernorm.weight"));
  EXPECT_TRUE(Reads(ForwardStage::kRouterLogits, "router.scale"));
  for (const char* norm : {"pre_feedforward_layernorm.weight", "pre_feedforward_layernorm_2.weight"}) {
    EXPECT_FALSE(Reads(ForwardStage::kRouterLogits, norm)) << norm;
  }
  EXPECT_TRUE(Reads(ForwardStage::kExpertsOutput, "pre_feedforward_layernorm_2.weight"));
  EXPECT_FALSE(Reads(ForwardStage::kExpertsOutput, "pre_feedforward_layernorm.weight"));
  EXPECT_FALSE(Reads(ForwardStage::kExpertsOutput, "mlp.down_proj.weight"));
  EXPECT_TRUE(Reads(ForwardStage::kLayerOutput, "post_feedforward_layernorm_1.weight"));
}

INSTANTIATE_TEST_SUITE_P(Variants, ExpertConformanceTest, testing::Values("26b"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace percept
