// SPDX-License-Identifier: Apache-2.0
#include "encoders/vision/gguf_config.h"

#include <string>
#include <string_view>
#include <utility>

#include "encoders/vision/image_size.h"
#include "kernels/core/error.h"
#include "kernels/core/quoted.h"

namespace percept {
namespace {

constexpr int64_t kMaxWidth = 1 << 16;
constexpr int64_t kMaxLayers = 1 << 10;
constexpr int64_t kMaxPositionRows = 1 << 20;
constexpr double kRopeTheta = 100;  // no key names it
constexpr const char* kMmprojPrefix = "clip.vision.";
constexpr const char* kTextFilePrefix = "gemma4.vision.";

class VisionReader {
 public:
  VisionReader(const GgufSource& source, const GgufMetadata& metadata, std::string prefix)
      : source_(source), metadata_(metadata), prefix_(std::move(prefix)) {}

  VisionConfig Read() {
    const std::string type = prefix_ == kTextFilePrefix ? "gemma4v" : ProjectorType();
    if (type != "gemma4v" && type != "gemma4uv") {
      metadata_.Fail(TypeKey(), "is " + Quoted(type) + ", neither 'gemma4v' nor 'gemma4uv'");
    }
    config_.width = Int("embedding_length", 1, kMaxWidth);
    config_.rms_norm_eps = metadata_.Number(Key("attention.layer_norm_epsilon"));
    if (!(config_.rms_norm_eps > 0)) metadata_.Fail(Key("attention.layer_norm_epsilon"), "is not above 0");
    if (type == "gemma4uv") {
      config_.form = VisionForm::kDirectProjection;
      config_.position_rows = Rows("model.vision_embedder.pos_embedding", 0);
    } else {
      ReadTower();
    }
    return config_;
  }

 private:
  std::string Key(const std::string& name) const { return prefix_ + name; }
  const char* TypeKey() const {
    return metadata_.Has("clip.vision.projector_type") ? "clip.vision.projector_type" : "clip.projector_type";
  }
  std::string ProjectorType() const { return std::string(metadata_.String(TypeKey())); }

  int Int(const std::string& name, int64_t min, int64_t max) const {
    const int64_t value = metadata_.Integer(Key(name));
    if (value < min || value > max) {
      metadata_.Fail(Key(name),
                     "is " + std::to_string(value) + ", outside " + std::to_string(min) + ".." + std::to_string(max));
    }
    return static_cast<int>(value);
  }

  // A key whose one known value is built into the program.
  void Require(const std::string& name, int64_t expected) const {
    if (!metadata_.Has(Key(name))) return;
    if (const int64_t value = metadata_.Integer(Key(name)); value != expected) {
      metadata_.Fail(Key(name), "is " + std::to_string(value) + ", not " + std::to_string(expected));
    }
  }

  // The rows of a position table.
  int Rows(const std::string& table, int axis) const {
    const auto fail = [&](const std::string& reason) {
      throw CheckpointError(metadata_.file() + ": tensor 'v.position_embd.weight' " + reason);
    };
    const ConstTensor* tensor = source_.Find(table);
    if (tensor == nullptr) fail("is missing");
    if (tensor->shape.rank() != 3 || tensor->shape[axis] > kMaxPositionRows) {
      fail("has shape " + tensor->shape.ToString());
    }
    return static_cast<int>(tensor->shape[axis]);
  }

  void ReadTower() {
    Require("patch_size", kPatchSide_px);
    Require("projector.scale_factor", kPoolSide_patches);
    config_.num_layers = Int("block_count", 1, kMaxLayers);
    config_.mlp_width = Int("feed_forward_length", 1, kMaxWidth);
    config_.num_heads = Int("attention.head_count", 1, config_.width);
    config_.head_dim = config_.width / config_.num_heads;
    if (config_.width % config_.num_heads != 0 || config_.head_dim % 4 != 0) {
      metadata_.Fail(Key("attention.head_count"), "is " + std::to_string(config_.num_heads) + ", which does not cut " +
                                                      std::to_string(config_.width) + " into multiples of 4");
    }
    config_.rope_theta = kRopeTheta;
    config_.position_rows = Rows("model.vision_tower.patch_embedder.position_embedding_table", 1);
    config_.clipped_linears = source_.Find("model.vision_tower.encoder.layers.0.self_attn.q_proj.input_min") != nullptr;
    config_.standardize = source_.Find("model.vision_tower.std_bias") != nullptr;
  }

  const GgufSource& source_;
  const GgufMetadata& metadata_;
  const std::string prefix_;
  VisionConfig config_;
};

}  // namespace

std::optional<VisionConfig> VisionConfigFromGguf(const GgufSource& source, size_t file_idx) {
  const GgufMetadata& metadata = source.metadata(file_idx);
  if (metadata.Has("gemma4.vision.block_count")) return VisionReader(source, metadata, kTextFilePrefix).Read();
  constexpr std::string_view kHas = "clip.has_vision_encoder";
  if (!metadata.Has(kHas) || !metadata.Bool(kHas)) return std::nullopt;
  return VisionReader(source, metadata, kMmprojPrefix).Read();
}

}  // namespace percept
