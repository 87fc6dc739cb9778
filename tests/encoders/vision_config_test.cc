// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "encoders/vision/config.h"
#include "kernels/core/error.h"
#include "tests/support/shared_dir.h"

namespace percept {
namespace {

using nlohmann::json;

json TowerJson() {
  return json::parse(R"({"vision_config": {
    "model_type": "gemma4_vision", "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 16,
    "num_attention_heads": 12, "num_key_value_heads": 12, "head_dim": 64, "global_head_dim": 64,
    "hidden_activation": "gelu_pytorch_tanh", "rms_norm_eps": 1e-06, "attention_bias": false, "patch_size": 16,
    "pooling_kernel_size": 3, "position_embedding_size": 10240, "use_clipped_linears": true, "standardize": false,
    "rope_parameters": {"rope_theta": 100.0, "rope_type": "default"}, "default_output_length": 280}})");
}

VisionConfig Tower() {
  return {.form = VisionForm::kTower,
          .width = 768,
          .position_rows = 10240,
          .rms_norm_eps = 1e-6,
          .num_layers = 16,
          .mlp_width = 3072,
          .num_heads = 12,
          .head_dim = 64,
          .rope_theta = 100,
          .clipped_linears = true,
          .standardize = false};
}

std::optional<VisionConfig> Parse(const json& root) { return ParseVisionConfig(root.dump(), "config.json"); }

std::string ParseError(const json& root) {
  try {
    Parse(root);
  } catch (const CheckpointError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(VisionConfigTest, ReadsATower) { EXPECT_EQ(Parse(TowerJson()), Tower()); }

TEST(VisionConfigTest, BothNamesOfTheRotationMeanTheSame) {
  json root = TowerJson();
  root["vision_config"]["rope_parameters"]["rope_type"] = "axial";
  EXPECT_EQ(Parse(root), Tower());
}

TEST(VisionConfigTest, ReadsADirectProjection) {
  const json root = json::parse(R"({"vision_config": {"model_type": "gemma4_unified_vision", "patch_size": 16,
    "pooling_kernel_size": 3, "model_patch_size": 48, "mm_embed_dim": 3840, "mm_posemb_size": 1120,
    "rms_norm_eps": 1e-06, "output_proj_dims": 3840, "num_soft_tokens": 280}})");
  const VisionConfig expected{
      .form = VisionForm::kDirectProjection, .width = 3840, .position_rows = 1120, .rms_norm_eps = 1e-6};
  EXPECT_EQ(Parse(root), expected);
}

TEST(VisionConfigTest, AbsentAndNullMeanNoPictures) {
  EXPECT_EQ(Parse(json::object()), std::nullopt);
  EXPECT_EQ(Parse({{"vision_config", nullptr}}), std::nullopt);
}

TEST(VisionConfigTest, FaultsNameFileAndKey) {
  const auto error_with = [](const char* key, const json& value) {
    json root = TowerJson();
    root["vision_config"][key] = value;
    return ParseError(root);
  };
  EXPECT_EQ(error_with("head_dim", 66), "config.json: vision_config.head_dim is 66, not a multiple of 4");
  EXPECT_EQ(error_with("patch_size", 14), "config.json: vision_config.patch_size is 14, not 16");
  EXPECT_EQ(error_with("num_key_value_heads", 4), "config.json: vision_config.num_key_value_heads is 4, not 12");
  EXPECT_EQ(error_with("hidden_activation", "relu"),
            "config.json: vision_config.hidden_activation is 'relu', not 'gelu_pytorch_tanh'");
  EXPECT_EQ(error_with("num_hidden_layers", 0), "config.json: vision_config.num_hidden_layers is 0, outside 1..1024");
  EXPECT_EQ(error_with("rms_norm_eps", 0.0), "config.json: vision_config.rms_norm_eps is not above 0");
  EXPECT_EQ(error_with("rope_parameters", {{"rope_type", "yarn"}, {"rope_theta", 100.0}}),
            "config.json: vision_config.rope_parameters.rope_type is 'yarn', neither 'default' nor 'axial'");
  json root = TowerJson();
  root["vision_config"].erase("position_embedding_size");
  EXPECT_EQ(ParseError(root), "config.json: vision_config.position_embedding_size is missing");
}

TEST(VisionConfigTest, ReadsEveryVariantInBothForms) {
  PERCEPT_NEED_SHARED();
  for (const char* name : {"e2b", "e4b", "e2b-256", "12b", "26b", "31b"}) {
    const auto folder = SharedDir() / "goldens" / "variants" / name;
    const auto config = ReadVisionConfig(folder / "config.json");
    ASSERT_TRUE(config.has_value()) << name;
    EXPECT_EQ(config, ReadVisionConfig(folder / "config.v5.json")) << name;
    const bool is_large = std::string(name) == "26b" || std::string(name) == "31b";
    EXPECT_EQ(config->standardize, is_large) << name;
    EXPECT_EQ(config->form == VisionForm::kDirectProjection, std::string(name) == "12b");
  }
}

}  // namespace
}  // namespace percept
