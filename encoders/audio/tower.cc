// SPDX-License-Identifier: Apache-2.0
#include "encoders/audio/tower.h"

#include <iomanip>
#include <sstream>

#include "kernels/core/check.h"
#include "kernels/core/error.h"

namespace percept {

AudioTower::AudioTower(const AudioConfig& config, int64_t decoder_hidden, ClaimList& claims,
                       const KernelContext& context)
    : config_(config),
      decoder_hidden_(decoder_hidden),
      source_(claims.source()),
      context_(context),
      layers_(static_cast<size_t>(config.num_layers)) {
  PERCEPT_CHECK(config.form == AudioForm::kTower);
  ClaimAudioWeights(config, decoder_hidden, claims);
}

const AudioEnds& AudioTower::ends() const {
  return ends_.Get([this] {
    ClaimList claims(source_);
    return BindAudioEnds(config_, decoder_hidden_, claims, context_);
  });
}

const AudioLayer& AudioTower::layer(int64_t layer_idx) const {
  return layers_.at(static_cast<size_t>(layer_idx)).Get([&] {
    ClaimList claims(source_);
    return BindAudioLayer(config_, layer_idx, claims, context_);
  });
}

int64_t AudioTower::NumSoftTokens(int64_t num_samples) { return NumSoftTokensOfFrames(LogMel::NumFrames(num_samples)); }

void AudioTower::RequireFits(int64_t num_samples) {
  if (NumSoftTokens(num_samples) == 0) {
    throw InputError("a clip of " + std::to_string(num_samples) +
                     " samples is too short: the first soft token needs 161 (10 ms)");
  }
  if (num_samples > kMaxSamples) {
    std::ostringstream text;
    text << std::fixed << std::setprecision(2) << "a clip of "
         << static_cast<double>(num_samples) / static_cast<double>(kSampleRate_hz) << " s (" << num_samples
         << " samples) is too long: the audio tower takes at most " << kMaxSamples / kSampleRate_hz << " s ("
         << kMaxSamples << " samples)";
    throw InputError(text.str());
  }
}

Matrix AudioTower::LogMelOf(std::span<const float> samples) const {
  Matrix frames(LogMel::NumFrames(static_cast<int64_t>(samples.size())), kMelBins);
  LogMelOf(samples, frames.view());
  return frames;
}

}  // namespace percept
