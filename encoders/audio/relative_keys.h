// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "encoders/audio/config.h"
#include "kernels/core/tensor.h"
#include "kernels/cpu/context.h"

namespace percept {

// What the attention of the tower reads beside queries, keys and values (spec audio 5 and 6.4). The constant factors of
// queries and keys are all in the scale of queries, so that keys are used as they are projected.

// Sines, then cosines, of distances 0 .. rows - 1: [rows, width].
Matrix PositionTable(int64_t rows, int64_t width);

// projection: [width, width], of reals. [attention_window, width].
Matrix RelativeKeys(const AudioConfig& config, const ConstTensor& projection, Isa isa);

// per_dim_scale: [head_dim], as the checkpoint has it.
std::vector<float> QueryScale(const std::vector<float>& per_dim_scale);

}  // namespace percept
