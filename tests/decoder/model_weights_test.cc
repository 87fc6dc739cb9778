// SPDX-License-Identifier: Apache-2.0
// Which tensors a checkpoint must hold, may hold and may not hold.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "kernels/core/error.h"
#include "tests/decoder/model_fixture.h"
#include "tests/support/shared_dir.h"
#include "tests/support/test_context.h"

namespace percept {
namespace {

constexpr char kPrefix[] = "model.language_model.";

// The text tensors of a checkpoint, some of them renamed, removed or added.
class EditedSource final : public TensorSource {
 public:
  explicit EditedSource(const std::filesystem::path& folder) : source_(OpenSafetensors(folder)) {
    for (const std::string& name : source_->Names()) {
      if (name.starts_with(kPrefix)) {
        tensors_[name] = *source_->Find(name);
      }
    }
  }

  const ConstTensor* Find(std::string_view name) const override {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? nullptr : &found->second;
  }
  std::vector<std::string> Names() const override {
    std::vector<std::string> names;
    for (const auto& [name, tensor] : tensors_) {
      names.push_back(name);
    }
    return names;
  }
  std::string FileOf(std::string_view) const override { return "model.safetensors"; }
  void ReleasePages(std::string_view name) const override { released_.emplace(name); }

  ConstTensor& At(const std::string& name) { return tensors_.at(kPrefix + name); }
  void Remove(const std::string& name) { ASSERT_EQ(tensors_.erase(kPrefix + name), 1U); }
  // A tensor of ones.
  void AddOnes(const std::string& name, const Shape& shape) {
    ones_.push_back(std::vector<float>(static_cast<size_t>(shape.elements()), 1.0F));
    tensors_[name] = {.bytes = ones_.back().data(), .dtype = DType::kF32, .shape = shape};
  }
  void ReplacePrefix(const std::string& prefix) {
    std::map<std::string, ConstTensor, std::less<>> renamed;
    for (const auto& [name, tensor] : tensors_) {
      renamed[prefix + name.substr(sizeof(kPrefix) - 1)] = tensor;
    }
    tensors_ = std::move(renamed);
  }
  const std::set<std::string>& released() const { return released_; }

 private:
  std::unique_ptr<SafetensorsSource> source_;
  std::map<std::string, ConstTensor, std::less<>> tensors_;
  std::vector<std::vector<float>> ones_;
  mutable std::set<std::string> released_;
};

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
    source_.AddOnes(std::string(kPrefix) + "layers.8.self_attn." + name + ".weight", {16, 64});
  }
  for (const char* name : {"k_norm", "v_norm"}) {
    source_.AddOnes(std::string(kPrefix) + "layers.9.self_attn." + name + ".weight", {32});
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
