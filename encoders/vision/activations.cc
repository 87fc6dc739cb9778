// SPDX-License-Identifier: Apache-2.0
#include "encoders/vision/activations.h"

#include <algorithm>

#include "encoders/vision/patches.h"
#include "kernels/ops/linear.h"

namespace percept {
namespace {

int64_t AttentionWidth(const VisionConfig& config) { return int64_t{config.num_heads} * config.head_dim; }

Buffer Floats(int64_t count) { return Buffer(static_cast<size_t>(count) * sizeof(float)); }

size_t ScratchBytes(const VisionConfig& config, int64_t rows, int64_t max_keys) {
  const int64_t widest = std::max<int64_t>({config.width, AttentionWidth(config), config.mlp_width, kPatchValues});
  return std::max(ops::LinearScratchBytes(rows, widest, widest),
                  ops::AttentionScratchBytes(rows, config.num_heads, config.head_dim, max_keys));
}

}  // namespace

VisionActivations::VisionActivations(const VisionConfig& config, int64_t patches)
    : max_patches(patches),
      tile_rows(std::min(patches, kMaxTileRows)),
      residual(patches, config.width),
      keys(Floats(patches * AttentionWidth(config))),
      values(Floats(patches * AttentionWidth(config))),
      cos(patches, config.head_dim / 2),
      sin(patches, config.head_dim / 2),
      pooled(patches / (kPoolSide_patches * kPoolSide_patches), config.width),
      normed(tile_rows, config.width),
      branch(tile_rows, config.width),
      queries(tile_rows, AttentionWidth(config)),
      attended(tile_rows, AttentionWidth(config)),
      gate(tile_rows, config.mlp_width),
      up(tile_rows, config.mlp_width),
      pixels(tile_rows, kPatchValues),
      table_rows(static_cast<size_t>(tile_rows)),
      positions(static_cast<size_t>(tile_rows)),
      key_ranges(static_cast<size_t>(tile_rows)),
      scratch(ScratchBytes(config, tile_rows, patches)) {}

size_t VisionActivations::size_bytes() const {
  size_t sum = keys.size_bytes() + values.size_bytes() + scratch.capacity_bytes();
  for (const Matrix* matrix :
       {&residual, &cos, &sin, &pooled, &normed, &branch, &queries, &attended, &gate, &up, &pixels}) {
    sum += matrix->size_bytes();
  }
  return sum;
}

}  // namespace percept
