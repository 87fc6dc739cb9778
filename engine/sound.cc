// SPDX-License-Identifier: Apache-2.0
#include "engine/sound.h"

#include "kernels/core/error.h"

namespace percept {

int64_t MaxClipSamples(const ProcessorConfig& config) {
  return int64_t{config.max_audio_tokens} * config.audio_ms_per_token * kSoundRate_hz / 1000;
}

std::string ClipLengthText(int64_t num_samples) {
  const int64_t ms = num_samples / kSoundRate_hz * 1000 + num_samples % kSoundRate_hz * 1000 / kSoundRate_hz;
  std::string text = std::to_string(ms / 1000);
  if (ms % 1000 != 0) {
    std::string fraction = std::to_string(1000 + ms % 1000);
    fraction.erase(fraction.find_last_not_of('0') + 1);
    text += "." + fraction.substr(1);
  }
  return text + " s";
}

void RequireClipFits(int64_t num_samples, const ProcessorConfig& config) {
  if (num_samples > MaxClipSamples(config)) {
    throw InputError(ClipLengthText(num_samples) + " of sound; this model takes " +
                     ClipLengthText(MaxClipSamples(config)) + " at once");
  }
}

}  // namespace percept
