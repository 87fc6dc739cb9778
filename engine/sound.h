// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "decoder/config/processor_config.h"

namespace percept {

inline constexpr int kSoundRate_hz = 16000;  // of all sound that models take

// How long the longest clip is that a checkpoint takes, in samples.
int64_t MaxClipSamples(const ProcessorConfig& config);

// The length of a clip for messages: "1.25 s".
std::string ClipLengthText(int64_t num_samples);

// Throws InputError where a clip is longer than the checkpoint takes.
void RequireClipFits(int64_t num_samples, const ProcessorConfig& config);

}  // namespace percept
