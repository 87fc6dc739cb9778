// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "encoders/audio/tower.h"
#include "kernels/core/arena.h"
#include "kernels/core/tensor.h"

namespace percept {

// The way from the last layer to soft tokens (spec audio 7).

// output = x * output_projection^T + output_bias; x: [n, D], output: [n, projector_width].
void ProjectOutput(const AudioTower& tower, ConstMatrixView x, MatrixView output, Arena& scratch);

// soft_tokens = RmsNorm(output) * projector^T; output is normed in place. soft_tokens: [n, decoder_hidden].
void Project(const AudioTower& tower, MatrixView output, MatrixView soft_tokens, Arena& scratch);

}  // namespace percept
