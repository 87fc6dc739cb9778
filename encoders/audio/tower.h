// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "encoders/audio/config.h"
#include "encoders/audio/log_mel.h"
#include "encoders/audio/weights.h"
#include "kernels/core/lazy.h"
#include "kernels/cpu/context.h"
#include "kernels/weights/claim_list.h"

namespace percept {

// What turns the log-mel frames of a clip into soft tokens, 40 ms each: two strided convolutions, conformer layers and
// a projection (spec audio 3 to 7). Any thread; any number of AudioBatch use it at once.
class AudioTower {
 public:
  static constexpr int64_t kMaxSamples = 30 * kSampleRate_hz;

  // Of a configuration with a tower. Claims its tensors, throwing as ClaimAudioWeights, but reads no matrix: most who
  // open a checkpoint bring no sound. The source of the claims outlives the tower.
  AudioTower(const AudioConfig& config, int64_t decoder_hidden, ClaimList& claims, const KernelContext& context);

  const AudioConfig& config() const { return config_; }
  // Packed when first asked for, and kept. Throw std::bad_alloc.
  const AudioEnds& ends() const;
  const AudioLayer& layer(int64_t layer_idx) const;
  const KernelContext& context() const { return context_; }
  int64_t num_layers() const { return config_.num_layers; }
  int64_t decoder_hidden() const { return decoder_hidden_; }

  static int64_t NumSoftTokensOfFrames(int64_t num_frames) { return (num_frames + 3) / 4; }
  // Of a clip of so many samples; 0 up to 160.
  static int64_t NumSoftTokens(int64_t num_samples);

  // Throws InputError where a clip is too short for a soft token, or longer than kMaxSamples.
  static void RequireFits(int64_t num_samples);

  // samples: 16 kHz, -1..1, RequireFits holds. [frames, 128].
  Matrix LogMelOf(std::span<const float> samples) const;
  // The same into `frames`.
  void LogMelOf(std::span<const float> samples, MatrixView frames) const { log_mel_.Compute(samples, frames); }

 private:
  const AudioConfig config_;
  const int64_t decoder_hidden_;
  const TensorSource& source_;
  const KernelContext context_;
  const LogMel log_mel_;
  mutable Lazy<AudioEnds> ends_;
  mutable std::vector<Lazy<AudioLayer>> layers_;
};

}  // namespace percept
