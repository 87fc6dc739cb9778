// SPDX-License-Identifier: Apache-2.0
#include "encoders/audio/config.h"

#include <utility>

#include "encoders/audio/log_mel.h"
#include "kernels/core/quoted.h"
#include "kernels/ops/local_attention.h"
#include "kernels/weights/json_section.h"

namespace percept {
namespace {

constexpr int kMaxWidth = 1 << 14;
constexpr int kMaxLayers = 1 << 10;
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

float ReadPositive(const JsonSection& audio, const char* key, float otherwise) {
  const double value = audio.OptionalNumber(key).value_or(otherwise);
  if (!(value > 0)) audio.Fail(key, "is not above 0");
  return static_cast<float>(value);
}

// Of the keys that a block's context holds, the reference never shows the first (spec 6.4).
int ReadWindow(const JsonSection& audio, int otherwise) {
  constexpr const char* kKey = "attention_context_left";
  return audio.OptionalInt(kKey, 2, ops::kMaxLocalKeys + 1).value_or(otherwise + 1) - 1;
}

void RequireKnownForm(const JsonSection& audio) {
  constexpr const char* kActivation = "silu";
  const std::string activation = audio.OptionalString("hidden_act").value_or(kActivation);
  if (activation != kActivation) audio.Fail("hidden_act", "is " + Quoted(activation) + ", not '" + kActivation + "'");
  if (const int right = audio.OptionalInt("attention_context_right", 0, kMaxWidth).value_or(0); right != 0) {
    audio.Fail("attention_context_right", "is " + std::to_string(right) + ": no row here sees a later one");
  }
  // It clips what no float here reaches.
  constexpr double kLeastClip = 1e9;
  if (const double clip = audio.OptionalNumber("gradient_clipping").value_or(kLeastClip); !(clip >= kLeastClip)) {
    audio.Fail("gradient_clipping", "is below 1e9, where it would change what the tower computes");
  }
}

void ReadTower(const JsonSection& audio, AudioConfig* config) {
  RequireKnownForm(audio);
  config->width = audio.Int("hidden_size", 4, kMaxWidth);
  if (config->width % 2 != 0) audio.Fail("hidden_size", "is " + std::to_string(config->width) + ", an odd number");
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
  config->attention_window = ReadWindow(audio, config->attention_window);
  config->logit_cap = ReadPositive(audio, "attention_logit_cap", config->logit_cap);
  config->residual_weight = ReadPositive(audio, "residual_weight", config->residual_weight);
}

}  // namespace

int AudioConfig::subsampled_width() const { return static_cast<int>(kMelBins) / 4 * conv_channels[1]; }

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

void RequireKnownLogMel(std::string_view json, const std::string& file) {
  const nlohmann::json document = JsonSection::ParseRoot(json, file);
  const JsonSection root(document, "", file);
  if (!root.Has("feature_extractor")) return;
  const JsonSection front_end = root.Section("feature_extractor");
  constexpr std::pair<const char*, double> kKnown[] = {
      {"feature_size", 128}, {"sampling_rate", 16000},  {"frame_length", 320}, {"frame_length_ms", 20},
      {"hop_length", 160},   {"hop_length_ms", 10},     {"fft_length", 512},   {"min_frequency", 0},
      {"mel_floor", 0.001},  {"max_frequency", 8000},   {"preemphasis", 0},    {"dither", 0},
      {"padding_value", 0},  {"input_scale_factor", 1},
  };
  for (const auto& [key, value] : kKnown) {
    if (front_end.OptionalNumber(key).value_or(value) != value) {
      front_end.Fail(key, "is " + front_end.object().at(key).dump() + ", not " + nlohmann::json(value).dump());
    }
  }
  if (front_end.BoolOr("fft_overdrive", false))
    front_end.Fail("fft_overdrive", "is true: no longer transform is known");
  for (const char* key : {"per_bin_mean", "per_bin_stddev"}) {
    if (front_end.Has(key)) front_end.Fail(key, "is not null: log-mel frames are not normalised");
  }
}

std::optional<AudioConfig> ReadAudioConfig(const std::filesystem::path& file) {
  return ParseAudioConfig(ReadTextFile(file), file.string());
}

}  // namespace percept
