// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "encoders/audio/config.h"
#include "encoders/audio/tower.h"
#include "encoders/audio/weights.h"
#include "kernels/core/error.h"
#include "kernels/weights/safetensors.h"
#include "tests/encoders/sound_variant.h"
#include "tests/support/shared_dir.h"
#include "tests/support/test_context.h"

namespace percept {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

bool IsAudio(std::string_view name) {
  return name.starts_with("model.audio_tower.") || name.starts_with("model.embed_audio.");
}

// Names and shapes; every value is one.
class FakeSource final : public TensorSource {
 public:
  void Add(const std::string& name, const Shape& shape) {
    ASSERT_LE(shape.elements(), static_cast<int64_t>(Ones().size()));
    tensors_[name] = {.bytes = Ones().data(), .dtype = DType::kBF16, .shape = shape};
  }
  void AddScalar(const std::string& name, const float* value) {
    tensors_[name] = {.bytes = value, .dtype = DType::kF32, .shape = {}};
  }
  void AddValues(const std::string& name, const uint16_t* values, const Shape& shape) {
    tensors_[name] = {.bytes = values, .dtype = DType::kBF16, .shape = shape};
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
  static const std::vector<uint16_t>& Ones() {
    static const std::vector<uint16_t> ones(size_t{4096} * 1024, FloatToBF16(1));
    return ones;
  }

  std::map<std::string, ConstTensor, std::less<>> tensors_;
};

Shape ShapeOf(const json& dims) {
  Shape shape;
  for (const json& dim : dims) shape.Append(dim.get<int64_t>());
  return shape;
}

// Layers that are bound of a released tower: enough to see every name and shape, at a sixth of the memory.
constexpr int kBoundLayers = 2;

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
    EXPECT_EQ(shapes.size(), 1U) << name << ": layers of one form";
    for (const json& group : shapes) {
      EXPECT_EQ(group.at("layers").size(), 12U) << name;
      for (const json& layer_idx : group.at("layers")) {
        if (layer_idx >= kBoundLayers) continue;
        source.Add(std::string(name).replace(layer, 3, std::to_string(layer_idx.get<int>())),
                   ShapeOf(group.at("shape")));
      }
    }
  }
  return source;
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
      ClaimAudioWeights(config, 10, claims);
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

TEST(AudioWeightsTest, ATowerReadsItsMatricesOnceWhenItFirstNeedsThem) {
  SmallTower small;
  const std::string query = "model.audio_tower.layers.0.self_attn.q_proj.linear.weight";
  std::vector<uint16_t> values(64, FloatToBF16(1));
  small.source.AddValues(query, values.data(), {8, 8});
  ClaimList claims(small.source);
  const AudioTower tower(small.config, 10, claims, TestContext(Mode::kExact));
  EXPECT_NO_THROW(claims.RequireAllClaimed());
  const auto first_packed = [&] {
    uint16_t bits = 0;
    std::memcpy(&bits, tower.layer(0).attention.q.bytes(), sizeof(bits));
    return BF16ToFloat(bits);
  };
  std::fill(values.begin(), values.end(), FloatToBF16(2));
  EXPECT_EQ(first_packed(), 2) << "not read before";
  std::fill(values.begin(), values.end(), FloatToBF16(3));
  EXPECT_EQ(first_packed(), 2) << "not read again";
}

TEST(AudioWeightsTest, BoundsOfUnclippedLinearsAreOneTooMany) {
  SmallTower tower;
  tower.config.clipped_linears = false;
  EXPECT_THAT(tower.BindError(), HasSubstr("40 tensors are not part of this model"));
  ClaimList claims(tower.source);
  const AudioLayer layer = BindAudioLayer(tower.config, 0, claims, TestContext(Mode::kExact));
  EXPECT_TRUE(std::isinf(layer.attention.q.clip().input_max));
}

TEST(AudioWeightsTest, BoundsOutOfOrderAreRefused) {
  SmallTower tower;
  const std::string linear = "model.audio_tower.layers.0.lconv1d.linear_end";
  static constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  tower.source.AddScalar(linear + ".output_max", &kNan);
  EXPECT_THAT(tower.BindError(), HasSubstr("the clip bounds of '" + linear + "' leave no value between them"));
}

TEST(AudioWeightsTest, BindsTheReleasedModels) {
  PERCEPT_NEED_SHARED();
  const json models = json::parse(std::ifstream(SharedDir() / "goldens" / "real" / "tensors.json"));
  const std::pair<const char*, int64_t> towers[] = {{"E2B", 1536}, {"E4B", 2560}};
  for (const auto& [name, decoder_width] : towers) {
    const FakeSource source = RealTensors(models.at(name).at("inventory"));
    EXPECT_EQ(source.Names().size(), 752U - 62 * (12 - kBoundLayers)) << name;
    ClaimList claims(source);
    AudioConfig config = ReleasedTower();
    config.num_layers = kBoundLayers;
    const AudioTower tower(config, decoder_width, claims, TestContext(Mode::kExact));
    EXPECT_NO_THROW(claims.RequireAllClaimed()) << name;
    EXPECT_EQ(tower.ends().projector.out_features(), decoder_width);
    EXPECT_EQ(tower.layer(kBoundLayers - 1).light_conv.start.out_features(), 2048);
  }
  const FakeSource source = RealTensors(models.at("12B").at("inventory"));
  ClaimList claims(source);
  const AudioConfig direct{.form = AudioForm::kDirectProjection, .projector_width = 640};
  EXPECT_EQ(BindAudioProjector(direct, 3840, claims, TestContext(Mode::kExact)).in_features(), 640);
  EXPECT_NO_THROW(claims.RequireAllClaimed());
}

void ExpectBinds(const std::filesystem::path& folder) {
  const auto config = ReadAudioConfig(folder / "config.json");
  ASSERT_TRUE(config.has_value()) << folder;
  const json root = json::parse(std::ifstream(folder / "config.json"));
  const auto source = OpenSafetensors(folder);
  ClaimList claims(*source);
  ClaimAudioWeights(*config, root.at("text_config").at("hidden_size"), claims);
  claims.Ignore([](std::string_view name) { return !IsAudio(name); });
  EXPECT_NO_THROW(claims.RequireAllClaimed()) << folder;
  if (config->form == AudioForm::kDirectProjection) return;
  for (int64_t i = 0; i < config->num_layers; ++i) {
    const AudioLayer layer = BindAudioLayer(*config, i, claims, TestContext(Mode::kExact));
    EXPECT_LT(layer.attention.q.clip().input_min, 0);
    EXPECT_GT(layer.attention.q.clip().output_max, 0);
    EXPECT_TRUE(std::isfinite(layer.light_conv.end.clip().output_max));
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
  EXPECT_EQ(ReleasedTower().attention_window, 12);
  json other = TowerJson();
  other["audio_config"].update(
      {{"attention_context_left", 14}, {"attention_logit_cap", 30}, {"residual_weight", 0.25}});
  const AudioConfig config = ParseAudioConfig(other.dump(), "config.json").value();
  EXPECT_EQ(config.attention_window, 13);
  EXPECT_EQ(config.logit_cap, 30);
  EXPECT_EQ(config.residual_weight, 0.25);
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
  EXPECT_EQ(ConfigError("hidden_act", "gelu"), "config.json: audio_config.hidden_act is 'gelu', not 'silu'");
  EXPECT_EQ(ConfigError("attention_context_right", 4),
            "config.json: audio_config.attention_context_right is 4: no row here sees a later one");
  EXPECT_EQ(ConfigError("gradient_clipping", 100),
            "config.json: audio_config.gradient_clipping is below 1e9, where it would change what the tower computes");
  EXPECT_EQ(ConfigError("attention_logit_cap", 0), "config.json: audio_config.attention_logit_cap is not above 0");
  EXPECT_EQ(ConfigError("hidden_size", 1025), "config.json: audio_config.hidden_size is 1025, an odd number");
}

std::string LogMelError(const char* key, const json& value) {
  json root = json::parse(std::ifstream(TestDataDir() / "config" / "e2b" / "processor_config.json"));
  root["feature_extractor"][key] = value;
  try {
    RequireKnownLogMel(root.dump(), "processor_config.json");
  } catch (const CheckpointError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(AudioConfigTest, AnotherFrontEndIsRefused) {
  EXPECT_EQ(LogMelError("hop_length", 160), "nothing was thrown");
  EXPECT_NO_THROW(RequireKnownLogMel("{}", "processor_config.json"));
  EXPECT_EQ(LogMelError("preemphasis", 0.97), "processor_config.json: feature_extractor.preemphasis is 0.97, not 0.0");
  EXPECT_EQ(LogMelError("fft_length", 1024), "processor_config.json: feature_extractor.fft_length is 1024, not 512.0");
  EXPECT_EQ(LogMelError("fft_overdrive", true),
            "processor_config.json: feature_extractor.fft_overdrive is true: no longer transform is known");
  EXPECT_EQ(LogMelError("per_bin_mean", json::array({1, 2})),
            "processor_config.json: feature_extractor.per_bin_mean is not null: log-mel frames are not normalised");
}

}  // namespace
}  // namespace percept
