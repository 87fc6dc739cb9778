// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace percept {

// How sound becomes soft tokens: through a conformer tower over log-mel frames, or by a projection of raw samples.
enum class AudioForm { kTower, kDirectProjection };

// The sizes of an audio encoder (spec: audio, section 1). It names mechanisms, never a model. Only the tower has what
// stands below rms_norm_eps.
struct AudioConfig {
  AudioForm form = AudioForm::kTower;
  int projector_width = 0;  // of the rows that the projector reads; samples of a frame where it is direct
  double rms_norm_eps = 1e-6;
  int width = 0;
  int num_layers = 0;
  int num_heads = 0;
  int head_dim = 0;
  int mlp_width = 0;
  std::array<int, 2> conv_channels{};  // of the two strided convolutions, each of which halves time and mel bins
  int conv_kernel = 0;                 // taps of the depthwise convolution
  bool clipped_linears = false;        // linears bound their inputs and outputs (spec 6.1)
  // What files of the GGUF form do not say.
  int attention_window = 12;    // keys that a row sees, itself and those before it
  float logit_cap = 50;         // of attention scores
  float residual_weight = 0.5;  // of what a feed-forward adds

  // The mel bins left after the convolutions, times their channels.
  int subsampled_width() const;
  bool operator==(const AudioConfig&) const = default;
};

// Reads the audio_config of a config.json; nothing where it is absent or null. `file` is the name in messages.
// Throws CheckpointError that names file and key.
std::optional<AudioConfig> ParseAudioConfig(std::string_view json, const std::string& file);
std::optional<AudioConfig> ReadAudioConfig(const std::filesystem::path& file);

// The front end of a tower is built in (spec: audio, section 3). Throws CheckpointError that names file and key where
// the feature_extractor of a processor_config.json asks for another; what it does not say is as it should be.
void RequireKnownLogMel(std::string_view json, const std::string& file);

}  // namespace percept
