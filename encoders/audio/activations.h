// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "encoders/audio/config.h"
#include "kernels/core/arena.h"
#include "kernels/core/tensor.h"

namespace percept {

// Memory of an audio tower at work, sized once for a number of soft tokens. What later rows look back at is held for
// all rows, the rest for one tile of rows at a time: 750 tokens of a tower 1024 wide with an MLP of 4096 take 45 MB.
// D = config.width, F = mlp_width, S = subsampled_width, P = projector_width.
struct AudioActivations {
  static constexpr int64_t kMaxTileRows = 512;

  AudioActivations(const AudioConfig& config, int64_t max_tokens);

  size_t size_bytes() const;

  int64_t max_tokens;
  int64_t tile_rows;

  Matrix residual;  // [max_tokens, D]
  Matrix keys;      // [max_tokens, D]
  Matrix values;    // [max_tokens, D]
  Matrix gated;     // [max_tokens, D], what the depthwise convolution reads

  Matrix normed;      // [tile_rows, D]
  Matrix branch;      // [tile_rows, D], what is added to the residual
  Matrix queries;     // [tile_rows, D]
  Matrix hidden;      // [tile_rows, max(F, 2 * D)]
  Matrix subsampled;  // [tile_rows, S]
  Matrix output;      // [tile_rows, P]
  Arena scratch;      // of linears and of the subsampling
};

}  // namespace percept
