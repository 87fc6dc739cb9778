// SPDX-License-Identifier: Apache-2.0
#include "encoders/vision/tower.h"

#include <algorithm>
#include <string>
#include <utility>

#include "kernels/core/error.h"
#include "kernels/ops/rope.h"

namespace percept {

VisionTower VisionTower::Bind(const VisionConfig& config, int64_t decoder_hidden, ClaimList& claims,
                              const KernelContext& context) {
  return {config, decoder_hidden, BindVisionWeights(config, decoder_hidden, claims, context), context};
}

VisionTower::VisionTower(const VisionConfig& config, int64_t decoder_hidden, VisionWeights weights,
                         const KernelContext& context)
    : config_(config),
      decoder_hidden_(decoder_hidden),
      weights_(std::move(weights)),
      context_(context),
      rope_frequencies_(config.form == VisionForm::kTower ? ops::RopeFrequencies(config.head_dim / 2, config.rope_theta)
                                                          : std::vector<float>{}) {}

void VisionTower::RequireFits(const PatchGrid& grid) const {
  const bool has_cells = config_.form == VisionForm::kDirectProjection;
  const int64_t longest = std::max(grid.columns, grid.rows) / (has_cells ? kPoolSide_patches : 1);
  if (longest > config_.position_rows) {
    throw InputError("a picture of " + std::to_string(grid.columns) + "x" + std::to_string(grid.rows) +
                     " patches is too long for the model, which knows " + std::to_string(config_.position_rows) +
                     " positions");
  }
}

}  // namespace percept
