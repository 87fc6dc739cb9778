// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "encoders/audio/config.h"
#include "encoders/audio/weights.h"
#include "kernels/core/error.h"
#include "kernels/weights/safetensors.h"
#include "tests/support/shared_dir.h"

namespace percept {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

bool IsAudio(std::string_view name) {
  return name.starts_with("model.audio_tower.") || name.starts_with("model.embed_audio.");
}

// Names and shapes without weights; every scalar is one.
class FakeSource final : public TensorSource {
 public:
  void Add(const std::string& name, const Shape& shape) {
    tensors_[name] = {.bytes = &kOne, .dtype = DType::kF32, .shape = shape};
  }
  void Remove(const std::string& name) { tensors_.erase(name); }

  const ConstTensor* Find(std::string_view name) const override {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? nullptr : &found->second;
  }
  std::vector<std::string> Names() const override {
    std::vector<std::string> names;
    for (const auto& [name, tensor] : tensors_) names.push_back(name);
    return names;
  }
  std::string FileOf(std::string_view) const override { return "fake.safetensors"; }
  void ReleasePages(std::string_view) const override {}

 private:
  static constexpr float kOne = 1;
  std::map<std::string, ConstTensor, std::less<>> tensors_;
};

Shape ShapeOf(const json& dims) {
  Shape shape;
  for (const json& dim : dims) shape.Append(dim.get<int64_t>());
  return shape;
}

// The audio tensors of a released model: names with {i} for the layer, one shape, or shapes with their layers.
FakeSource RealTensors(const json& inventory) {
  FakeSource source;
  for (const auto& [name, shapes] : inventory.items()) {
    if (!IsAudio(name)) continue;
    const size_t layer = name.find("{i}");
    if (layer == std::string::npos) {
      source.Add(name, ShapeOf(shapes));
      continue;
    }
    for (const json& group : shapes) {
      for (const json& layer_idx : group.at("layers")) {
        source.Add(std::string(name).replace(layer, 3, std::to_string(layer_idx.get<int>())),
                   ShapeOf(group.at("shape")));
      }
    }
  }
  return source;
}

AudioConfig ReleasedTower() {
  return {.form = AudioForm::kTower,
          .projector_width = 1536,
          .width = 1024,
          .num_layers = 12,
          .num_heads = 8,
          .head_dim = 128,
          .mlp_width = 4096,
          .conv_channels = {128, 32},
          .conv_kernel = 5,
          .clipped_linears = true};
}

// A one-layer tower with every tensor it needs.
struct SmallTower {
  AudioConfig config{.form = AudioForm::kTower,
                     .projector_width = 6,
                     .width = 8,
                     .num_layers = 1,
                     .num_heads = 2,
                     .head_dim = 4,
                     .mlp_width = 32,
                     .conv_channels = {4, 2},
                     .conv_kernel = 5,
                     .clipped_linears = true};
  FakeSource source;

  SmallTower() {
    const std::string tower = "model.audio_tower.";
    const std::string layer = tower + "layers.0.";
    source.Add(tower + "subsample_conv_projection.layer0.conv.weight", {4, 1, 3, 3});
    source.Add(tower + "subsample_conv_projection.layer0.norm.weight", {4});
    source.Add(tower + "subsample_conv_projection.layer1.conv.weight", {2, 4, 3, 3});
    source.Add(tower + "subsample_conv_projection.layer1.norm.weight", {2});
    source.Add(tower + "subsample_conv_projection.input_proj_linear.weight", {8, 64});
    source.Add(tower + "output_proj.weight", {6, 8});
    source.Add(tower + "output_proj.bias", {6});
    source.Add("model.embed_audio.embedding_projection.weight", {10, 6});
    for (const char* half : {"feed_forward1.", "feed_forward2."}) {
      AddLinear(layer + half + "ffw_layer_1", 32, 8);
      AddLinear(layer + half + "ffw_layer_2", 8, 32);
      source.Add(layer + half + "pre_layer_norm.weight", {8});
      source.Add(layer + half + "post_layer_norm.weight", {8});
    }
    for (const char* name : {"q_proj", "k_proj", "v_proj", "post"}) AddLinear(layer + "self_attn." + name, 8, 8);
    source.Add(layer + "self_attn.relative_k_proj.weight", {8, 8});
    source.Add(layer + "self_attn.per_dim_scale", {4});
    for (const char* name :
         {"norm_pre_attn", "norm_post_attn", "norm_out", "lconv1d.pre_layer_norm", "lconv1d.conv_norm"}) {
      source.Add(layer + name + ".weight", {8});
    }
    AddLinear(layer + "lconv1d.linear_start", 16, 8);
    AddLinear(layer + "lconv1d.linear_end", 8, 8);
    source.Add(layer + "lconv1d.depthwise_conv1d.weight", {8, 1, 5});
  }

  void AddLinear(const std::string& name, int64_t out, int64_t in) {
    source.Add(name + ".linear.weight", {out, in});
    for (const char* bound : {".input_min", ".input_max", ".output_min", ".output_max"}) source.Add(name + bound, {});
  }

  std::string BindError() const {
    try {
      ClaimList claims(source);
      BindAudioWeights(config, 10, claims);
      claims.RequireAllClaimed();
    } catch (const CheckpointError& error) {
      return error.what();
    }
    return "nothing was thrown";
  }
};

TEST(AudioWeightsTest, EveryTensorIsNeededUnderItsExactNameAndShape) {
  const SmallTower complete;
  EXPECT_EQ(complete.BindError(), "nothing was thrown");
  for (const std::string& name : complete.source.Names()) {
    SmallTower without;
    without.source.Remove(name);
    EXPECT_THAT(without.BindError(), HasSubstr("fake.safetensors: tensor '" + name + "' is missing"));
    SmallTower reshaped;
    reshaped.source.Add(name, {3, 3});
    EXPECT_THAT(reshaped.BindError(), HasSubstr("tensor '" + name + "' has shape [3, 3], expected "));
  }
}

TEST(AudioWeightsTest, BoundsOfUnclippedLinearsAreOneTooMany) {
  SmallTower tower;
  tower.config.clipped_linears = false;
  EXPECT_THAT(tower.BindError(), HasSubstr("40 tensors are not part of this model"));
  ClaimList claims(tower.source);
  const AudioWeights weights = BindAudioWeights(tower.config, 10, claims);
  EXPECT_TRUE(std::isinf(weights.tower->layers[0].attention.q.bounds.input_max));
}

TEST(AudioWeightsTest, BindsTheReleasedModels) {
  PERCEPT_NEED_SHARED();
  const json models = json::parse(std::ifstream(SharedDir() / "goldens" / "real" / "tensors.json"));
  const std::pair<const char*, int64_t> towers[] = {{"E2B", 1536}, {"E4B", 2560}};
  for (const auto& [name, decoder_width] : towers) {
    const FakeSource source = RealTensors(models.at(name).at("inventory"));
    EXPECT_EQ(source.Names().size(), 752u) << name;
    ClaimList claims(source);
    BindAudioWeights(ReleasedTower(), decoder_width, claims);
    EXPECT_NO_THROW(claims.RequireAllClaimed()) << name;
  }
  const FakeSource source = RealTensors(models.at("12B").at("inventory"));
  ClaimList claims(source);
  const AudioConfig direct{.form = AudioForm::kDirectProjection, .projector_width = 640};
  EXPECT_FALSE(BindAudioWeights(direct, 3840, claims).tower.has_value());
  EXPECT_NO_THROW(claims.RequireAllClaimed());
}

void ExpectBinds(const std::filesystem::path& folder) {
  const auto config = ReadAudioConfig(folder / "config.json");
  ASSERT_TRUE(config.has_value()) << folder;
  const json root = json::parse(std::ifstream(folder / "config.json"));
  const auto source = OpenSafetensors(folder);
  ClaimList claims(*source);
  const AudioWeights weights = BindAudioWeights(*config, root.at("text_config").at("hidden_size"), claims);
  claims.Ignore([](std::string_view name) { return !IsAudio(name); });
  EXPECT_NO_THROW(claims.RequireAllClaimed()) << folder;
  if (!weights.tower) return;
  EXPECT_EQ(weights.tower->layers.size(), static_cast<size_t>(config->num_layers));
  for (const AudioLayer& layer : weights.tower->layers) {
    EXPECT_LT(layer.attention.q.bounds.input_min, 0);
    EXPECT_GT(layer.attention.q.bounds.output_max, 0);
    EXPECT_TRUE(std::isfinite(layer.light_conv.end.bounds.output_max));
  }
}

TEST(AudioWeightsTest, BindsEveryCheckpointWithSound) {
  PERCEPT_NEED_SHARED();
  ExpectBinds(SharedDir() / "tiny-model");
  for (const char* name : {"e2b", "e4b", "e2b-256", "12b"}) ExpectBinds(SharedDir() / "goldens" / "variants" / name);
}

json TowerJson() {
  return json::parse(R"({"audio_config": {"model_type": "gemma4_audio", "hidden_size": 1024, "num_hidden_layers": 12,
    "num_attention_heads": 8, "hidden_act": "silu", "subsampling_conv_channels": [128, 32], "conv_kernel_size": 5,
    "residual_weight": 0.5, "attention_chunk_size": 12, "use_clipped_linears": true, "output_proj_dims": 1536}})");
}

std::string ConfigError(const char* key, const json& value) {
  json root = TowerJson();
  root["audio_config"][key] = value;
  try {
    ParseAudioConfig(root.dump(), "config.json");
  } catch (const CheckpointError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(AudioConfigTest, ReadsATowerADirectProjectionOrNothing) {
  EXPECT_EQ(ParseAudioConfig(TowerJson().dump(), "config.json"), ReleasedTower());
  EXPECT_EQ(ReleasedTower().subsampled_width(), 1024);
  const char* direct = R"({"audio_config": {"audio_embed_dim": 640, "hidden_size": 640, "output_proj_dims": 640}})";
  EXPECT_EQ(ParseAudioConfig(direct, "config.json"),
            (AudioConfig{.form = AudioForm::kDirectProjection, .projector_width = 640}));
  EXPECT_EQ(ParseAudioConfig(R"({"audio_config": null})", "config.json"), std::nullopt);
  EXPECT_EQ(ParseAudioConfig("{}", "config.json"), std::nullopt);
}

TEST(AudioConfigTest, FaultsNameFileAndKey) {
  EXPECT_EQ(ConfigError("num_attention_heads", 7),
            "config.json: audio_config.num_attention_heads is 7, which does not divide hidden_size 1024");
  EXPECT_EQ(ConfigError("subsampling_conv_channels", json::array({128})),
            "config.json: audio_config.subsampling_conv_channels is not a list of two channel counts");
  EXPECT_EQ(ConfigError("subsampling_conv_channels", json::array({128, -1})),
            "config.json: audio_config.subsampling_conv_channels holds -1, outside 1..16384");
  EXPECT_EQ(ConfigError("output_proj_dims", "wide"),
            "config.json: audio_config.output_proj_dims is not an integer but \"wide\"");
  EXPECT_EQ(ConfigError("conv_kernel_size", nullptr), "config.json: audio_config.conv_kernel_size is missing");
}

}  // namespace
}  // namespace percept
