// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "encoders/vision/config.h"
#include "kernels/core/arena.h"
#include "kernels/core/tensor.h"
#include "kernels/ops/attention.h"

namespace percept {

// Memory of a tower at work, sized once for a number of patches. What a layer needs of all rows at once (residual,
// keys, values, angles) is held for all of them, the rest for one tile of rows at a time: 10080 patches of a tower 768
// wide with an MLP of 3072 take 134 MB. A direct projection has no rows of what only a tower needs.
// D = config.width, A = num_heads * head_dim, F = mlp_width.
struct VisionActivations {
  static constexpr int64_t kMaxTileRows = 512;

  VisionActivations(const VisionConfig& config, int64_t max_patches);

  size_t size_bytes() const;

  int64_t max_patches;
  int64_t tile_rows;

  Matrix residual;  // [max_patches, D]
  Buffer keys;      // [max_patches, A], without gaps between rows, as attention reads them
  Buffer values;    // [max_patches, A], likewise
  Matrix cos;       // [max_patches, head_dim / 2], angles by x, then by y
  Matrix sin;       // [max_patches, head_dim / 2]
  Matrix pooled;    // [max_patches / 9, D], or embedded cells

  Matrix normed;                          // [tile_rows, D]
  Buffer rounded;                         // [tile_rows, max(D, F)] in bf16, input of products that read it so
  Matrix branch;                          // [tile_rows, D], what is added to the residual
  Matrix queries;                         // [tile_rows, A]
  Matrix attended;                        // [tile_rows, A]
  Matrix gate;                            // [tile_rows, F]
  Matrix up;                              // [tile_rows, F]
  Matrix pixels;                          // [tile_rows, 768], or cells: [tile_rows, 6912]
  std::vector<int32_t> table_rows;        // [tile_rows]
  std::vector<int64_t> positions;         // [tile_rows]
  std::vector<ops::KeyRange> key_ranges;  // [tile_rows]
  Arena scratch;                          // of linear and attention
};

}  // namespace percept
