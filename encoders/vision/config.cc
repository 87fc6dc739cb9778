// SPDX-License-Identifier: Apache-2.0
#include "encoders/vision/config.h"

#include "encoders/vision/image_size.h"
#include "kernels/core/quoted.h"
#include "kernels/weights/json_section.h"

namespace percept {
namespace {

constexpr int kMaxWidth = 1 << 16;
constexpr int kMaxLayers = 1 << 10;
constexpr int kMaxPositionRows = 1 << 20;

// A key whose one known value is built into the program.
void RequireInt(const JsonSection& vision, const char* key, int expected) {
  const int value = vision.OptionalInt(key, 0, kMaxWidth).value_or(expected);
  if (value != expected) vision.Fail(key, "is " + std::to_string(value) + ", not " + std::to_string(expected));
}

void RequireKnownForm(const JsonSection& vision) {
  RequireInt(vision, "patch_size", kPatchSide_px);
  RequireInt(vision, "pooling_kernel_size", kPoolSide_patches);
  RequireInt(vision, "model_patch_size", kCellSide_px);
  constexpr const char* kActivation = "gelu_pytorch_tanh";
  const std::string activation = vision.OptionalString("hidden_activation").value_or(kActivation);
  if (activation != kActivation)
    vision.Fail("hidden_activation", "is " + Quoted(activation) + ", not '" + kActivation + "'");
  if (vision.BoolOr("attention_bias", false)) vision.Fail("attention_bias", "is true: no linear layer here has a bias");
}

// Both names of the rotation are the same computation (spec text-decoder 1.4).
double ReadRopeTheta(const JsonSection& vision) {
  const JsonSection rope = vision.Section("rope_parameters");
  const std::string type = rope.OptionalString("rope_type").value_or("default");
  if (type != "default" && type != "axial")
    rope.Fail("rope_type", "is " + Quoted(type) + ", neither 'default' nor 'axial'");
  const double theta = rope.Number("rope_theta");
  if (!(theta > 0)) rope.Fail("rope_theta", "is not above 0");
  return theta;
}

void ReadTower(const JsonSection& vision, VisionConfig* config) {
  config->width = vision.Int("hidden_size", 1, kMaxWidth);
  config->position_rows = vision.Int("position_embedding_size", 1, kMaxPositionRows);
  config->num_layers = vision.Int("num_hidden_layers", 1, kMaxLayers);
  config->mlp_width = vision.Int("intermediate_size", 1, kMaxWidth);
  config->num_heads = vision.Int("num_attention_heads", 1, kMaxWidth);
  config->head_dim = vision.Int("head_dim", 4, kMaxWidth);
  if (config->head_dim % 4 != 0) {
    vision.Fail("head_dim", "is " + std::to_string(config->head_dim) + ", not a multiple of 4");
  }
  RequireInt(vision, "num_key_value_heads", config->num_heads);
  config->rope_theta = ReadRopeTheta(vision);
  config->clipped_linears = vision.BoolOr("use_clipped_linears", false);
  config->standardize = vision.BoolOr("standardize", false);
}

}  // namespace

std::optional<VisionConfig> ParseVisionConfig(std::string_view json, const std::string& file) {
  const nlohmann::json document = JsonSection::ParseRoot(json, file);
  const JsonSection root(document, "", file);
  if (!root.Has("vision_config")) return std::nullopt;
  const JsonSection vision = root.Section("vision_config");
  RequireKnownForm(vision);
  VisionConfig config;
  config.rms_norm_eps = vision.Number("rms_norm_eps");
  if (!(config.rms_norm_eps > 0)) vision.Fail("rms_norm_eps", "is not above 0");
  if (vision.Has("mm_embed_dim")) {
    config.form = VisionForm::kDirectProjection;
    config.width = vision.Int("mm_embed_dim", 1, kMaxWidth);
    config.position_rows = vision.Int("mm_posemb_size", 1, kMaxPositionRows);
  } else {
    ReadTower(vision, &config);
  }
  return config;
}

std::optional<VisionConfig> ReadVisionConfig(const std::filesystem::path& file) {
  return ParseVisionConfig(ReadTextFile(file), file.string());
}

}  // namespace percept
