// SPDX-License-Identifier: Apache-2.0
#include "encoders/audio/activations.h"

#include <algorithm>

#include "encoders/audio/subsample.h"
#include "kernels/ops/linear.h"

namespace percept {
namespace {

size_t ScratchBytes(const AudioConfig& config, int64_t rows) {
  const int64_t widest =
      std::max({config.mlp_width, 2 * config.width, config.subsampled_width(), config.projector_width});
  return std::max(ops::LinearScratchBytes(rows, widest, widest), SubsampleScratchBytes(config));
}

}  // namespace

AudioActivations::AudioActivations(const AudioConfig& config, int64_t tokens)
    : max_tokens(tokens),
      tile_rows(std::min(tokens, kMaxTileRows)),
      residual(tokens, config.width),
      keys(tokens, config.width),
      values(tokens, config.width),
      gated(tokens, config.width),
      normed(tile_rows, config.width),
      branch(tile_rows, config.width),
      queries(tile_rows, config.width),
      hidden(tile_rows, std::max(config.mlp_width, 2 * config.width)),
      subsampled(tile_rows, config.subsampled_width()),
      output(tile_rows, config.projector_width),
      scratch(ScratchBytes(config, tile_rows)) {}

size_t AudioActivations::size_bytes() const {
  size_t sum = scratch.capacity_bytes();
  for (const Matrix* matrix :
       {&residual, &keys, &values, &gated, &normed, &branch, &queries, &hidden, &subsampled, &output}) {
    sum += matrix->size_bytes();
  }
  return sum;
}

}  // namespace percept
