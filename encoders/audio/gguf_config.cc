// SPDX-License-Identifier: Apache-2.0
#include "encoders/audio/gguf_config.h"

#include <string>
#include <string_view>
#include <utility>

#include "kernels/core/error.h"
#include "kernels/core/quoted.h"

namespace percept {
namespace {

constexpr int64_t kMaxWidth = 1 << 14;
constexpr int64_t kMaxLayers = 1 << 10;
constexpr const char* kMmprojPrefix = "clip.audio.";
constexpr const char* kTextFilePrefix = "gemma4.audio.";
const std::string kTower = "model.audio_tower.";

class AudioReader {
 public:
  AudioReader(const GgufSource& source, const GgufMetadata& metadata, std::string prefix)
      : source_(source), metadata_(metadata), prefix_(std::move(prefix)) {}

  AudioConfig Read() {
    const std::string type =
        prefix_ == kTextFilePrefix ? "gemma4a" : std::string(metadata_.String(Key("projector_type")));
    if (type != "gemma4a" && type != "gemma4ua") {
      metadata_.Fail(Key("projector_type"), "is " + Quoted(type) + ", neither 'gemma4a' nor 'gemma4ua'");
    }
    AudioConfig config;
    config.projector_width = Dim("model.embed_audio.embedding_projection.weight", "mm.a.input_projection.weight", 1);
    if (type == "gemma4ua") {
      config.form = AudioForm::kDirectProjection;
    } else {
      ReadTower(&config);
    }
    return config;
  }

 private:
  std::string Key(const std::string& name) const { return prefix_ + name; }

  int Int(const std::string& name, int64_t max) const {
    const int64_t value = metadata_.Integer(Key(name));
    if (value < 1 || value > max) {
      metadata_.Fail(Key(name), "is " + std::to_string(value) + ", outside 1.." + std::to_string(max));
    }
    return static_cast<int>(value);
  }

  int Dim(const std::string& name, const char* gguf_name, int axis) const {
    const ConstTensor* tensor = source_.Find(name);
    const auto fail = [&](const std::string& reason) {
      throw CheckpointError(metadata_.file() + ": tensor '" + gguf_name + "' " + reason);
    };
    if (tensor == nullptr) fail("is missing");
    if (tensor->shape.rank() <= axis || tensor->shape[axis] < 1 || tensor->shape[axis] > kMaxWidth) {
      fail("has shape " + tensor->shape.ToString());
    }
    return static_cast<int>(tensor->shape[axis]);
  }

  void ReadTower(AudioConfig* config) const {
    config->width = Int("embedding_length", kMaxWidth);
    if (config->width % 2 != 0 || config->width < 4) {
      metadata_.Fail(Key("embedding_length"), "is " + std::to_string(config->width) + ", not an even number from 4 on");
    }
    config->num_layers = Int("block_count", kMaxLayers);
    config->num_heads = Int("attention.head_count", config->width);
    if (config->width % config->num_heads != 0) {
      metadata_.Fail(Key("attention.head_count"), "is " + std::to_string(config->num_heads) +
                                                      ", which does not divide the width " +
                                                      std::to_string(config->width));
    }
    config->head_dim = config->width / config->num_heads;
    config->mlp_width = Int("feed_forward_length", kMaxWidth);
    const std::string subsample = kTower + "subsample_conv_projection.layer";
    config->conv_channels = {Dim(subsample + "0.conv.weight", "a.conv1d.0.weight", 0),
                             Dim(subsample + "1.conv.weight", "a.conv1d.1.weight", 0)};
    config->conv_kernel = Dim(kTower + "layers.0.lconv1d.depthwise_conv1d.weight", "a.blk.0.conv_dw.weight", 2);
    config->clipped_linears = source_.Find(kTower + "layers.0.self_attn.q_proj.input_min") != nullptr;
  }

  const GgufSource& source_;
  const GgufMetadata& metadata_;
  const std::string prefix_;
};

}  // namespace

std::optional<AudioConfig> AudioConfigFromGguf(const GgufSource& source, size_t file_idx) {
  const GgufMetadata& metadata = source.metadata(file_idx);
  if (metadata.Has("gemma4.audio.block_count")) return AudioReader(source, metadata, kTextFilePrefix).Read();
  constexpr std::string_view kHas = "clip.has_audio_encoder";
  if (!metadata.Has(kHas) || !metadata.Bool(kHas)) return std::nullopt;
  return AudioReader(source, metadata, kMmprojPrefix).Read();
}

}  // namespace percept
