// SPDX-License-Identifier: Apache-2.0
#include "encoders/audio/config.h"

#include "kernels/weights/json_section.h"

namespace percept {
namespace {

constexpr int kMaxWidth = 1 << 14;
constexpr int kMaxLayers = 1 << 10;
constexpr int kMelBins = 128;
constexpr int kMlpFactor = 4;  // the feed-forward width is no key of its own

std::array<int, 2> ReadConvChannels(const JsonSection& audio) {
  constexpr const char* kKey = "subsampling_conv_channels";
  if (!audio.Has(kKey)) audio.Fail(kKey, "is missing");
  const nlohmann::json& list = audio.object().at(kKey);
  std::array<int, 2> channels{};
  if (!list.is_array() || list.size() != channels.size()) audio.Fail(kKey, "is not a list of two channel counts");
  for (size_t i = 0; i < channels.size(); ++i) {
    const bool is_count =
        list[i].is_number_unsigned() && list[i].get<uint64_t>() >= 1 && list[i].get<uint64_t>() <= kMaxWidth;
    if (!is_count) audio.Fail(kKey, "holds " + list[i].dump() + ", outside 1.." + std::to_string(kMaxWidth));
    channels[i] = list[i].get<int>();
  }
  return channels;
}

// The raw samples of a frame are what the projector reads, whatever their number is called.
void RequireFrames(const JsonSection& audio, int projector_width) {
  for (const char* key : {"audio_embed_dim", "audio_samples_per_token"}) {
    const int samples = audio.OptionalInt(key, 1, kMaxWidth).value_or(projector_width);
    if (samples != projector_width) {
      audio.Fail(key, "is " + std::to_string(samples) + ", but output_proj_dims is " + std::to_string(projector_width));
    }
  }
}

void ReadTower(const JsonSection& audio, AudioConfig* config) {
  config->width = audio.Int("hidden_size", 1, kMaxWidth);
  config->num_layers = audio.Int("num_hidden_layers", 1, kMaxLayers);
  config->num_heads = audio.Int("num_attention_heads", 1, kMaxWidth);
  if (config->width % config->num_heads != 0) {
    audio.Fail("num_attention_heads", "is " + std::to_string(config->num_heads) +
                                          ", which does not divide hidden_size " + std::to_string(config->width));
  }
  config->head_dim = config->width / config->num_heads;
  config->mlp_width = kMlpFactor * config->width;
  config->conv_channels = ReadConvChannels(audio);
  config->conv_kernel = audio.Int("conv_kernel_size", 1, kMaxWidth);
  config->clipped_linears = audio.BoolOr("use_clipped_linears", false);
}

}  // namespace

int AudioConfig::subsampled_width() const { return kMelBins / 4 * conv_channels[1]; }

std::optional<AudioConfig> ParseAudioConfig(std::string_view json, const std::string& file) {
  const nlohmann::json document = JsonSection::ParseRoot(json, file);
  const JsonSection root(document, "", file);
  if (!root.Has("audio_config")) return std::nullopt;
  const JsonSection audio = root.Section("audio_config");
  AudioConfig config;
  config.projector_width = audio.Int("output_proj_dims", 1, kMaxWidth);
  config.rms_norm_eps = audio.OptionalNumber("rms_norm_eps").value_or(config.rms_norm_eps);
  if (!(config.rms_norm_eps > 0)) audio.Fail("rms_norm_eps", "is not above 0");
  if (audio.Has("audio_embed_dim")) {
    config.form = AudioForm::kDirectProjection;
    RequireFrames(audio, config.projector_width);
  } else {
    ReadTower(audio, &config);
  }
  return config;
}

std::optional<AudioConfig> ReadAudioConfig(const std::filesystem::path& file) {
  return ParseAudioConfig(ReadTextFile(file), file.string());
}

}  // namespace percept
