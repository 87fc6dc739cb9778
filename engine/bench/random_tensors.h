// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "decoder/config/text_config.h"
#include "encoders/vision/config.h"
#include "engine/bench/random_source.h"

namespace percept {

// Every tensor that a checkpoint of this configuration holds (spec: text-decoder, section 7; vision, section 7.1).
std::vector<RandomTensor> TensorsOf(const TextConfig& text, const VisionConfig& vision);

}  // namespace percept
