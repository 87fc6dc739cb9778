// SPDX-License-Identifier: Apache-2.0
// Which tensors a checkpoint must hold, may hold and may not hold.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "kernels/core/error.h"
#include "tests/decoder/edited_source.h"
#include "tests/decoder/model_fixture.h"
#include "tests/support/shared_dir.h"
#include "tests/support/test_context.h"

namespace percept {
namespace {

class ModelWeightsTest : public testing::Test {
 protected:
  TextWeights Bind(EmbeddingScale scale = EmbeddingScale::kRoundedToTable) {
    ClaimList claims(source_);
    TextWeights weights = TextWeights::Bind(config_, claims, context_, scale);
    claims.RequireAllClaimed();
    return weights;
  }
  void ExpectRefused(const std::vector<std::string>& words) {
    try {
      Bind();
      ADD_FAILURE() << "not refused: " << words.front();
    } catch (const CheckpointError& error) {
      for (const std::string& word : words) {
        EXPECT_THAT(error.what(), testing::HasSubstr(word));
      }
    }
  }
  // Logits of the last row of a short prompt.
  std::vector<float> Logits() {
    const TextDecoder decoder(config_, Bind(), context_);
    StepRunner runner(decoder, /*threads=*/1);
    PromptRows rows;
    for (int32_t id = 20; id < 60; ++id) {
      rows.ids.push_back(id);
      rows.soft_idx.push_back(-1);
    }
    return runner.Prefill(*runner.NewSequence(), rows, 0, rows.num_rows(), 1);
  }

  const std::filesystem::path folder_ = TestDataDir() / "e2b";
  const KernelContext context_ = TestContext(Mode::kExact);
  TextConfig config_ = ReadTextConfig(folder_ / "config.json");
  EditedSource source_{folder_};
};

TEST(SplitExpertsTest, AreTheMergedOnes) {
  PERCEPT_NEED_SHARED();
  const std::filesystem::path folder = SharedDir() / "goldens/variants/26b";
  const TextConfig config = ReadTextConfig(folder / "config.json");
  const KernelContext context = TestContext(Mode::kExact);
  std::vector<std::vector<float>> logits;
  EditedSource source(folder);
  for (const bool split : {false, true}) {
    for (int i = 0; split && i < config.num_layers(); ++i) source.SplitExperts("layers." + std::to_string(i) + ".");
    ClaimList claims(source);
    const TextDecoder decoder(config, TextWeights::Bind(config, claims, context), context);
    claims.RequireAllClaimed();
    StepRunner runner(decoder, /*threads=*/1);
    const PromptRows rows(GoldenFile(folder / "golden.safetensors"), "text", config.hidden_size);
    logits.push_back(runner.Prefill(*runner.NewSequence(), rows, 0, rows.num_rows(), 1));
  }
  EXPECT_EQ(logits[0], logits[1]);
}

TEST_F(ModelWeightsTest, AMissingTensorIsNamed) {
  source_.Remove("layers.3.mlp.up_proj.weight");
  ExpectRefused({"model.language_model.layers.3.mlp.up_proj.weight", "model.safetensors"});
}

TEST_F(ModelWeightsTest, AMissingLayerScalarIsAnError) {
  source_.Remove("layers.7.layer_scalar");
  ExpectRefused({"model.language_model.layers.7.layer_scalar"});
}

TEST_F(ModelWeightsTest, ATensorOfAnotherShapeIsNamed) {
  ConstTensor& tensor = source_.At("layers.9.mlp.down_proj.weight");
  ASSERT_EQ(tensor.shape, Shape({64, 256}));  // double wide
  tensor.shape = {256, 64};
  ExpectRefused({"model.language_model.layers.9.mlp.down_proj.weight", "[256, 64]", "[64, 256]"});
}

TEST_F(ModelWeightsTest, ATensorTooManyIsNamed) {
  source_.AddOnes("model.language_model.layers.0.self_attn.v_norm.weight", {16});
  ExpectRefused({"model.language_model.layers.0.self_attn.v_norm.weight"});
}

TEST_F(ModelWeightsTest, WithoutAnyTextTensorTheEmbeddingIsNamed) {
  source_.ReplacePrefix("language_model.model.");
  ExpectRefused({"model.language_model.embed_tokens.weight"});
}

TEST_F(ModelWeightsTest, KeysAndValuesOfLayersThatReadADonorsChangeNothing) {
  const std::vector<float> logits = Logits();
  for (const char* name : {"k_proj", "v_proj"}) {
    source_.AddOnes(std::string(EditedSource::kPrefix) + "layers.8.self_attn." + name + ".weight", {16, 64});
  }
  for (const char* name : {"k_norm", "v_norm"}) {
    source_.AddOnes(std::string(EditedSource::kPrefix) + "layers.9.self_attn." + name + ".weight", {32});
  }
  EXPECT_EQ(Logits(), logits);
}

TEST_F(ModelWeightsTest, BuffersThatAreNotStoredMayBeThere) {
  source_.AddOnes("model.language_model.embed_tokens.embed_scale", {1});
  source_.AddOnes("model.language_model.rotary_emb.full_attention_inv_freq", {16});
  source_.AddOnes("model.language_model.rotary_emb.full_attention_original_inv_freq", {16});
  EXPECT_NO_THROW(Bind());
}

TEST_F(ModelWeightsTest, TheOutputMatrixIsIgnoredWhereTiedAndUsedWhereNot) {
  const std::vector<float> tied = Logits();
  source_.AddOnes("lm_head.weight", {512, 64});
  EXPECT_EQ(Logits(), tied);
  config_.tied_embeddings = false;
  const std::vector<float> untied = Logits();
  EXPECT_NE(untied, tied);
  EXPECT_EQ(untied.front(), untied.back());  // all rows of the matrix are equal
}

TEST_F(ModelWeightsTest, AnUntiedCheckpointNeedsAnOutputMatrix) {
  config_.tied_embeddings = false;
  ExpectRefused({"lm_head.weight"});
}

TEST_F(ModelWeightsTest, ATextOnlyCheckpointHasAShorterPrefix) {
  const std::vector<float> logits = Logits();
  source_.ReplacePrefix("model.");
  EXPECT_EQ(Logits(), logits);
}

TEST_F(ModelWeightsTest, AnOutputMatrixOfBlocksIsPackedAndItsTableStaysForTokens) {
  ConstTensor& table = source_.At("embed_tokens.weight");
  const std::vector<std::byte> blocks(static_cast<size_t>(BytesOf(DType::kQ80, table.shape.elements())));
  table = {.bytes = blocks.data(), .dtype = DType::kQ80, .shape = table.shape};
  const TextWeights weights = Bind();
  EXPECT_TRUE(weights.lm_head.packed());
  EXPECT_GE(weights.lm_head.owned_bytes(), blocks.size());
  EXPECT_EQ(weights.embed_tokens.bytes, blocks.data());
  EXPECT_TRUE(source_.released().contains("model.language_model.embed_tokens.weight"));
}

TEST_F(ModelWeightsTest, PackedTensorsGiveTheirPagesBackAndTablesStay) {
  const TextWeights weights = Bind();
  EXPECT_TRUE(source_.released().contains("model.language_model.layers.0.mlp.gate_proj.weight"));
  EXPECT_TRUE(source_.released().contains("model.language_model.per_layer_model_projection.weight"));
  EXPECT_FALSE(source_.released().contains("model.language_model.embed_tokens.weight"));
  EXPECT_EQ(weights.embed_tokens.bytes, source_.At("embed_tokens.weight").bytes);
  EXPECT_EQ(weights.per_layer->table.bytes, source_.At("embed_tokens_per_layer.weight").bytes);
  EXPECT_FALSE(weights.lm_head.packed());
  // 10 layers of bf16 matrices and f32 norms, padded to whole blocks
  EXPECT_GT(weights.owned_bytes(), 800'000U);
  EXPECT_LT(weights.owned_bytes(), 1'600'000U);
}

// What the experts of layer 1 weigh for each row.
class ExpertWeightsRecorder final : public ForwardObserver {
 public:
  void OnTensor(ForwardStage stage, int layer_idx, ConstMatrixView values) override {
    if (stage == ForwardStage::kExpertWeights && layer_idx == 1) {
      weights = Values(values);
    }
  }
  std::vector<float> weights;
};

TEST(ModelExpertsTest, OfEqualExpertsTheFirstAreChosenAndTheirOwnFactorsComeLast) {
  PERCEPT_NEED_SHARED();
  const std::filesystem::path folder = SharedDir() / "goldens" / "variants" / "26b";
  const TextConfig config = ReadTextConfig(folder / "config.json");
  EditedSource source(folder);
  const std::string router = std::string(EditedSource::kPrefix) + "layers.1.router.";
  source.AddOnes(router + "proj.weight", {16, 64});
  source.Add(router + "per_expert_scale", {16}, {1, 2, 3, 4, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9});
  const std::vector<int32_t> ids(20, 30);
  for (const Mode mode : {Mode::kExact, Mode::kFast}) {
    ClaimList claims(source);
    const TextDecoder decoder(config, TextWeights::Bind(config, claims, TestContext(mode)), TestContext(mode));
    StepRunner runner(decoder, /*threads=*/2);
    const std::unique_ptr<KvCache> cache = runner.NewSequence();
    const Segment segment{.cache = cache.get(), .ids = ids, .soft_rows = {}, .num_output_rows = 1};
    ExpertWeightsRecorder seen;
    runner.Step({&segment, 1}, &seen);
    ASSERT_EQ(seen.weights.size(), 4 * ids.size());
    for (size_t i = 0; i < seen.weights.size(); ++i) {
      EXPECT_FLOAT_EQ(seen.weights[i], 0.25F * static_cast<float>(i % 4 + 1));
    }
  }
}

TEST(ModelExpertsTest, AMissingFactorIsNamed) {
  PERCEPT_NEED_SHARED();
  const std::filesystem::path folder = SharedDir() / "goldens" / "variants" / "26b";
  const TextConfig config = ReadTextConfig(folder / "config.json");
  EditedSource source(folder);
  source.Remove("layers.2.router.per_expert_scale");
  ClaimList claims(source);
  EXPECT_THAT([&] { TextWeights::Bind(config, claims, TestContext(Mode::kExact)); },
              testing::ThrowsMessage<CheckpointError>(
                  testing::HasSubstr("'model.language_model.layers.2.router.per_expert_scale' is missing")));
}

TEST_F(ModelWeightsTest, TheEmbeddingScaleIsRoundedToTheTable) {
  // sqrt(hidden) and what bf16 makes of it (spec text-decoder 3.1)
  const std::vector<std::pair<int, float>> roots = {{1536, 39.25F}, {2560, 50.5F}, {3840, 62.0F}, {80, 8.9375F}};
  for (const auto& [hidden, rounded] : roots) {
    EXPECT_EQ(EmbeddingFactor(hidden, DType::kBF16, EmbeddingScale::kRoundedToTable), rounded);
    EXPECT_EQ(EmbeddingFactor(hidden, DType::kBF16, EmbeddingScale::kUnrounded), std::sqrt(static_cast<float>(hidden)));
    EXPECT_EQ(EmbeddingFactor(hidden, DType::kF32, EmbeddingScale::kRoundedToTable),
              std::sqrt(static_cast<float>(hidden)));
  }
  EXPECT_EQ(Bind().embedding_scale, 8.0F);
}

}  // namespace
}  // namespace percept
