// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "encoders/vision/config.h"
#include "kernels/core/arena.h"
#include "kernels/core/tensor.h"
#include "kernels/ops/attention.h"

namespace percept {

// Memory of a tower at work, sized once for a number of patches. What every row needs while other rows are computed
// (residual, keys, values, angles) is there for all rows; the rest for one tile of rows at a time.
// D = config.width, A = num_heads * head_dim, F = mlp_width.
class VisionActivations {
 public:
  static constexpr int64_t kTileRows = 512;

  VisionActivations(const VisionConfig& config, int64_t decoder_hidden, int64_t max_patches);

  int64_t max_patches() const { return max_patches_; }
  size_t size_bytes() const;

  Matrix residual;               // [max_patches, D]
  Buffer keys;                   // [max_patches, A], rows without padding as attention reads them
  Buffer values;                 // [max_patches, A], likewise
  Matrix cos;                    // [max_patches, head_dim / 2]
  Matrix sin;                    // [max_patches, head_dim / 2]
  std::vector<int32_t> columns;  // [max_patches]
  std::vector<int32_t> rows;     // [max_patches]

  Matrix normed;                          // [tile, D]
  Matrix branch;                          // [tile, D], what is added to the residual
  Matrix queries;                         // [tile, A]
  Matrix attended;                        // [tile, A]
  Matrix gate;                            // [tile, max(F, 768)]
  Matrix up;                              // [tile, F]
  std::vector<ops::KeyRange> key_ranges;  // [tile]
  Arena scratch;                          // of linear and attention

 private:
  int64_t max_patches_;
};

}  // namespace percept
