// SPDX-License-Identifier: Apache-2.0
#include "encoders/vision/activations.h"

#include <algorithm>

#include "encoders/vision/cells.h"
#include "kernels/ops/linear.h"

namespace percept {
namespace {

constexpr int64_t kPatchesPerToken = int64_t{kPoolSide_patches} * kPoolSide_patches;

int64_t AttentionWidth(const VisionConfig& config) { return int64_t{config.num_heads} * config.head_dim; }

Buffer Floats(int64_t count) { return Buffer(static_cast<size_t>(count) * sizeof(float)); }

bool HasTower(const VisionConfig& config) { return config.form == VisionForm::kTower; }

// What only a tower needs takes no rows without one.
int64_t TowerRows(const VisionConfig& config, int64_t rows) { return HasTower(config) ? rows : 0; }

size_t ScratchBytes(const VisionConfig& config, int64_t rows, int64_t max_keys) {
  if (!HasTower(config)) {
    return ops::LinearScratchBytes(rows, kCellValues, config.width);
  }
  const int64_t widest = std::max<int64_t>({config.width, AttentionWidth(config), config.mlp_width, kPatchValues});
  return std::max(ops::LinearScratchBytes(rows, widest, widest),
                  ops::AttentionScratchBytes(rows, config.num_heads, config.head_dim, max_keys));
}

}  // namespace

VisionActivations::VisionActivations(const VisionConfig& config, int64_t patches)
    : max_patches(patches),
      tile_rows(std::min(HasTower(config) ? patches : patches / kPatchesPerToken, kMaxTileRows)),
      residual(TowerRows(config, patches), config.width),
      keys(Floats(TowerRows(config, patches) * AttentionWidth(config))),
      values(Floats(TowerRows(config, patches) * AttentionWidth(config))),
      cos(TowerRows(config, patches), config.head_dim / 2),
      sin(TowerRows(config, patches), config.head_dim / 2),
      pooled(patches / kPatchesPerToken, config.width),
      normed(tile_rows, config.width),
      rounded(static_cast<size_t>(TowerRows(config, tile_rows) * std::max<int64_t>(config.width, config.mlp_width)) *
              sizeof(uint16_t)),
      branch(tile_rows, config.width),
      queries(TowerRows(config, tile_rows), AttentionWidth(config)),
      attended(TowerRows(config, tile_rows), AttentionWidth(config)),
      gate(TowerRows(config, tile_rows), config.mlp_width),
      up(TowerRows(config, tile_rows), config.mlp_width),
      pixels(tile_rows, HasTower(config) ? kPatchValues : kCellValues),
      table_rows(static_cast<size_t>(tile_rows)),
      positions(static_cast<size_t>(tile_rows)),
      key_ranges(static_cast<size_t>(tile_rows)),
      scratch(ScratchBytes(config, tile_rows, patches)) {}

size_t VisionActivations::size_bytes() const {
  size_t sum = keys.size_bytes() + values.size_bytes() + rounded.size_bytes() + scratch.capacity_bytes();
  for (const Matrix* matrix :
       {&residual, &cos, &sin, &pooled, &normed, &branch, &queries, &attended, &gate, &up, &pixels}) {
    sum += matrix->size_bytes();
  }
  return sum;
}

}  // namespace percept
