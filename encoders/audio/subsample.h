// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "encoders/audio/tower.h"
#include "kernels/core/arena.h"
#include "kernels/core/tensor.h"

namespace percept {

// The two strided convolutions over the log-mel frames of a clip (spec audio 4), for some of its soft tokens:
// rows[i] is that of token first_token + i. log_mel: [frames, 128]; rows: [tokens, subsampled_width], each mel bin's
// channels side by side.
void Subsample(const AudioTower& tower, ConstMatrixView log_mel, int64_t first_token, MatrixView rows, Arena& scratch);

// Scratch that Subsample needs for any number of tokens.
size_t SubsampleScratchBytes(const AudioConfig& config);

}  // namespace percept
