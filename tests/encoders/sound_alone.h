// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "encoders/audio/audio_batch.h"
#include "encoders/audio/tower.h"
#include "kernels/core/tensor.h"

namespace percept {

// The soft tokens of a clip that goes through a tower alone, in scratch of its own.
inline Matrix EncodeAlone(const AudioTower& tower, std::span<const float> samples) {
  const Matrix log_mel = tower.LogMelOf(samples);
  Matrix soft_tokens(AudioTower::NumSoftTokensOfFrames(log_mel.rows()), tower.decoder_hidden());
  AudioBatch batch(tower, soft_tokens.rows());
  const ConstMatrixView clip = log_mel.view();
  const MatrixView out = soft_tokens.view();
  batch.Begin({&clip, 1});
  for (int64_t layer = 0; layer < tower.num_layers(); ++layer) batch.RunLayer(layer);
  batch.Finish({&out, 1});
  return soft_tokens;
}

}  // namespace percept
