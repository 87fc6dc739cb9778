// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "encoders/vision/config.h"
#include "encoders/vision/image_size.h"
#include "encoders/vision/weights.h"
#include "kernels/cpu/context.h"
#include "kernels/weights/claim_list.h"

namespace percept {

// What turns the patches of a picture into soft tokens: an attention tower (spec vision 3), or a direct projection of
// its cells, which is a tower without layers (spec vision 4). Const after Bind; any number of VisionBatch use it at
// once.
class VisionTower {
 public:
  // Claims every tensor of the tower and its projector, packs the matrices and releases their file pages. The position
  // table stays mapped: the tensor source outlives the tower. decoder_hidden: width of a soft token. Throws
  // CheckpointError naming the tensor that is missing or does not fit the configuration.
  static VisionTower Bind(const VisionConfig& config, int64_t decoder_hidden, ClaimList& claims,
                          const KernelContext& context);

  const VisionConfig& config() const { return config_; }
  const VisionWeights& weights() const { return weights_; }
  const KernelContext& context() const { return context_; }
  const std::vector<float>& rope_frequencies() const { return rope_frequencies_; }  // [head_dim / 4], of either axis
  int64_t num_layers() const { return config_.num_layers; }
  int64_t decoder_hidden() const { return decoder_hidden_; }

  // Throws InputError where a picture has more columns or rows than the position table.
  void RequireFits(const PatchGrid& grid) const;

 private:
  VisionTower(const VisionConfig& config, int64_t decoder_hidden, VisionWeights weights, const KernelContext& context);

  VisionConfig config_;
  int64_t decoder_hidden_;
  VisionWeights weights_;
  KernelContext context_;
  std::vector<float> rope_frequencies_;
};

}  // namespace percept
